/* SPDX-License-Identifier: BSD-3-Clause */
/* Replaces cmd_recv_pmd.c in a build without DPDK. */
#include <errno.h>

#include "app/cmd_recv.h"

int pw_recv_pmd_check(const char *s, struct pw_err *err)
{
	return pw_err_set(err, ENOTSUP,
		"cannot receive on --port %s: this pagewire was built without DPDK; use --listen "
		"ADDR:PORT, or build it with libdpdk-dev",
		s);
}

void pw_recv_pmd_prefer(const char *s)
{
	(void)s;
}

int pw_recv_pmd_open(struct pw_recv_run *run, struct pw_err *err)
{
	return pw_recv_pmd_check(run->opt->port.port, err);
}
