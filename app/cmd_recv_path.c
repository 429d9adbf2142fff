/* SPDX-License-Identifier: BSD-3-Clause */
/* Opens the path of `pagewire recv`: a kernel UDP socket, or a port. */
#include "app/cmd_recv.h"

static void close_udp(struct pw_recv_path *path)
{
	pw_udprx_close(path->path);
}

static int open_udp(struct pw_recv_run *run, struct pw_err *err)
{
	struct pw_udprx *rx;
	char where[64];
	int result = pw_udprx_open(&rx, &run->opt->udp, &run->ctx->log, err);

	if (result)
		return result;
	run->path = (struct pw_recv_path){.ops = &pw_udprx_ops,
		.path = rx,
		.close = close_udp,
		.sleeps = true,
		.name = "udp"};
	pw_addr_format(where, sizeof(where), &run->opt->udp.listen);
	pw_info(&run->ctx->log, "listening on %s, a kernel UDP socket", where);
	return 0;
}

int pw_recv_path_open(struct pw_recv_run *run, struct pw_err *err)
{
	return run->opt->port.port ? pw_recv_pmd_open(run, err) : open_udp(run, err);
}
