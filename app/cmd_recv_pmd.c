/* SPDX-License-Identifier: BSD-3-Clause */
/* Opens the port of `pagewire recv --port`. */
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
		.set = o->port,
		.listen = o->udp.listen,
		.source = o->udp.source,
		.verbose = run->ctx->log.level >= PW_LOG_DEBUG,
		.cancelled = pw_stop_requested,
	};
	struct pw_portspec spec;
	struct pw_dpdk_rx *rx;
	int result = pw_portspec_parse(o->port.port, &spec, err);

	if (!result)
		result = pw_portspec_check(&spec, err);
	if (!result)
		result = pw_dpdk_rx_open(&rx, &cfg, &run->ctx->log, err);
	if (result)
		return result;
	run->path = (struct pw_recv_path){.ops = &pw_dpdk_rx_ops,
		.path = rx,
		.close = close_pmd,
		.name = pw_dpdk_rx_driver(rx)};
	pw_info(&run->ctx->log, "receiving on %s (%s)", o->port.port, run->path.name);
	result = pw_recv_telemetry_start(run, err);
	if (result)
		close_pmd(&run->path);
	return result;
}
