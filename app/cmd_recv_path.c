/* SPDX-License-Identifier: BSD-3-Clause */
/* Opens the path of `pagewire recv`: a kernel UDP socket here, a DPDK port in cmd_recv_pmd.c. */
#include "app/cmd_recv.h"
#include "kernel/udprx.h"

static void close_udp(struct pw_recv_path *path)
{
	pw_udprx_close(path->path);
}

static int open_udp(struct pw_recv_run *run, struct pw_err *err)
{
	const struct pw_udprx_config cfg = {
		.listen = run->listen,
		.source = run->source,
		.interface = run->opt->interface,
		.rcvbuf_bytes = run->opt->rcvbuf,
	};
	struct pw_udprx *rx;
	char where[64];
	int result = pw_udprx_open(&rx, &cfg, &run->ctx->log, err);

	if (result)
		return result;
	run->path = (struct pw_recv_path){.ops = &pw_udprx_ops,
		.path = rx,
		.close = close_udp,
		.sleeps = true,
		.name = "udp"};
	pw_addr_format(where, sizeof(where), &run->listen);
	pw_info(&run->ctx->log, "listening on %s with a kernel UDP socket", where);
	return 0;
}

int pw_recv_path_open(struct pw_recv_run *run, struct pw_err *err)
{
	return run->opt->port ? pw_recv_pmd_open(run, err) : open_udp(run, err);
}
