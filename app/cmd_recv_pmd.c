/* SPDX-License-Identifier: BSD-3-Clause */
/* The path of `pagewire recv --port`: a DPDK port. */
#include "app/cmd_recv.h"
#include "dpdk/eal.h"
#include "dpdk/portspec.h"
#include "dpdk/rx.h"
#include "dpdk/telemetry.h"

int pw_recv_pmd_check(const char *s, struct pw_err *err)
{
	struct pw_portspec spec;

	return pw_portspec_parse(s, &spec, err);
}

void pw_recv_pmd_prefer(const char *s)
{
	struct pw_portspec spec;

	if (pw_portspec_parse(s, &spec, NULL) == 0)
		pw_dpdk_prefer_node(&spec);
}

static void close_pmd(struct pw_recv_path *path)
{
	pw_telemetry_stop(path->telemetry);
	pw_dpdk_rx_close(path->path);
}

int pw_recv_pmd_open(struct pw_recv_run *run, struct pw_err *err)
{
	const struct pw_recv_options *o = run->opt;
	const struct pw_dpdk_config cfg = {
		.port = o->port,
		.mtu = (uint32_t)o->mtu,
		.cores = o->core,
		.memory_bytes = o->memory,
		.no_huge = o->no_huge,
		.iova = (enum pw_iova)o->iova,
		.queue_size = (uint32_t)o->queue_size,
		.n_queues = (uint16_t)o->queues,
		.wait_ns = o->wait_ns,
		.listen = run->listen,
		.source = run->source,
		.telemetry = o->telemetry,
		.shared_mem = o->shared_mem,
		.file_prefix = o->file_prefix,
		.eal_argc = run->ops->n_eal,
		.eal_argv = run->ops->eal_argv,
		.verbose = run->ctx->log.level >= PW_LOG_DEBUG,
		.cancelled = pw_stop_requested,
	};
	struct pw_dpdk_rx *rx;
	int result = pw_dpdk_rx_open(&rx, &cfg, &run->ctx->log, err);

	if (result)
		return result;
	run->path = (struct pw_recv_path){.ops = &pw_dpdk_rx_ops,
		.path = rx,
		.close = close_pmd,
		.name = pw_dpdk_rx_driver(rx)};
	pw_info(&run->ctx->log, "receiving on %s (%s)", o->port, run->path.name);
	result = pw_recv_telemetry_start(run, err);
	if (result)
		close_pmd(&run->path);
	return result;
}
