/* SPDX-License-Identifier: BSD-3-Clause */
/* The parts of `pagewire cell`: its options (cmd_cell.c) and its result as JSON (cmd_cell_json.c). */
#ifndef PW_APP_CMD_CELL_H
#define PW_APP_CMD_CELL_H

#include "app/cli/opt.h"
#include "cell/cell.h"
#include "cell/fec.h"

enum pw_cell_role {
	PW_CELL_SOURCE,
	PW_CELL_SINK,
	PW_CELL_TEXTBOOK,
	PW_CELL_FEC,
	PW_CELL_WAYS,
	PW_CELL_VERSION,
	PW_CELL_N_ROLES,
};

extern const char *const pw_cell_roles[PW_CELL_N_ROLES]; /* "source", ... */

/* Prints the result; way: as it was named. Returns the exit code. */
int pw_cell_report(enum pw_cell_role role, const char *way, const struct pw_cell *cell,
	const struct pw_cell_end *end);
void pw_cell_print_fec(const struct pw_cell_fec_end *end);
void pw_cell_print_ways(void);
void pw_cell_print_version(void);

#endif
