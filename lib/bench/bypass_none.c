/* SPDX-License-Identifier: BSD-3-Clause */
/* Replaces bypass.c in a build without DPDK. */
#include <errno.h>

#include "bench/cell.h"

static int say(struct pw_err *err)
{
	return pw_err_set(err, EOPNOTSUPP,
		"cannot bypass the kernel: this pagewire was built without DPDK; install "
		"libdpdk-dev and "
		"build again");
}

const char *pw_bypass_version(void)
{
	return "";
}

void pw_source_bypass(struct pw_stretch *s)
{
	s->end->result = say(&s->end->err);
	s->end->lacking = true;
}

int pw_sink_bypass_open(
	const struct pw_cell *cell, const char *port, struct pw_sink_path *path, struct pw_err *err)
{
	(void)cell, (void)port, (void)path;
	return say(err);
}
