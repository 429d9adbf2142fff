/* SPDX-License-Identifier: BSD-3-Clause */
/* Replaces bypass.c in a build without DPDK. */
#include "cell/bypass.h"

#include <errno.h>

static int say(struct pw_err *err)
{
	return pw_err_set(err, EOPNOTSUPP,
		"cannot bypass the kernel: this pagewire was built without DPDK; install "
		"libdpdk-dev and build again");
}

const char *pw_cell_bypass_version(void)
{
	return "";
}

void pw_cell_bypass_source(struct pw_stretch *s)
{
	s->end->result = say(&s->end->err);
	s->end->lacking = true;
}

int pw_cell_bypass_open(
	const struct pw_cell *cell, const struct pw_rx_ops **ops, void **path, struct pw_err *err)
{
	(void)cell, (void)ops, (void)path;
	return say(err);
}

void pw_cell_bypass_close(void *path)
{
	(void)path;
}
