/* SPDX-License-Identifier: BSD-3-Clause */
/* The bypass in a cell: a DPDK port as source or sink. A build without DPDK has functions that fail with that
 * reason (bypass_none.c). */
#ifndef PW_CELL_BYPASS_H
#define PW_CELL_BYPASS_H

#include "cell/cell.h"
#include "path/path.h"

const char *pw_cell_bypass_version(void); /* "DPDK 22.11.11"; "" without */

/* s->cell->port sends. Fills s->end. */
void pw_cell_bypass_source(struct pw_stretch *s);

/* Opens cell->port to receive; its operations are in *ops. */
int pw_cell_bypass_open(
	const struct pw_cell *cell, const struct pw_rx_ops **ops, void **path, struct pw_err *err);
void pw_cell_bypass_close(void *path);

#endif
