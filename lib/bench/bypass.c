/* SPDX-License-Identifier: BSD-3-Clause */
/* The bypass as source and sink of a cell: runs the same code as `pagewire send` and `pagewire recv --port`, and
 * measures it as the kernel's ways. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "api/job.h"
#include "base/clock.h"
#include "bench/cell.h"
#include "dpdk/eal.h"
#include "dpdk/rx.h"

#define LEAD_NS 50000000ull /* the peer's queues come up a moment after the link */
#define WAIT_NS (10 * PW_NS_PER_S)

static void name_port(const struct pw_cell *cell, const char *prefix, char *buf, size_t len)
{
	const struct pw_wire *w = cell->wire;
	bool by_socket = w->kind == PW_WIRE_VHOST;
	bool whole = w->kind == PW_WIRE_NULL; /* "null" has no target */

	snprintf(buf, len, "%s%s", prefix,
		whole                     ? ""
		: cell->way->takes_device ? w->pci
		: by_socket               ? w->socket
					  : (w->source_if[0] ? w->source_if : w->sink_if));
}

static void name_cpu(int cpu, char *buf, size_t len)
{
	snprintf(buf, len, "%d", cpu);
}

static int run_job(struct pw_job *job, const struct pw_cell *cell, struct pw_source_end *end)
{
	char *operand = (char *)cell->file;
	bool usage;
	int r = pw_job_plan(job, &operand, 1, &usage, &end->err);

	if (r == 0)
		r = pw_job_open(job, &end->err);
	end->lacking = pw_source_is_lacking(r);
	if (r)
		return r;
	r = pw_job_run(job, &end->err);
	end->counters = *pw_job_counters(job);
	end->busy_cycles = job->result.busy_cycles;
	end->stall_cycles = job->result.stall_cycles;
	end->pace_cycles = job->result.pace_cycles;
	end->page_in_copies = job->result.page_in_copies;
	return r;
}

void pw_source_bypass(struct pw_stretch *s)
{
	const struct pw_cell *cell = s->cell;
	const struct pw_flow *flow = &cell->wire->flow;
	char port[160], to[64], from[64], mac[32], core[16];
	struct pw_job_options opt = PW_JOB_OPTIONS_DEFAULT;
	struct pw_job job = {
		.opt = &opt,
		.stretch = pw_stretch_hook,
		.stretch_ctx = s,
		.no_populate = !cell->populate,
	};

	name_port(cell, cell->way->port, port, sizeof(port));
	name_cpu(cell->source_cpu, core, sizeof(core));
	snprintf(mac, sizeof(mac), "%02x:%02x:%02x:%02x:%02x:%02x", flow->dst_mac[0],
		flow->dst_mac[1], flow->dst_mac[2], flow->dst_mac[3], flow->dst_mac[4],
		flow->dst_mac[5]);
	opt.port.port = port;
	opt.to = pw_addr_format(to, sizeof(to), &flow->dst);
	opt.from = flow->src.family ? pw_addr_format(from, sizeof(from), &flow->src) : NULL;
	opt.to_mac = mac;
	opt.port.cores = cell->source_cpu >= 0 ? core : NULL;
	opt.port.mtu = cell->mtu;
	opt.set.loops = cell->passes;
	opt.pages = cell->way->pages;
	opt.set.digest = cell->wire->kind == PW_WIRE_NIC ? PW_DIGEST_XXH3_128 : PW_DIGEST_NONE;
	opt.set.rate = cell->rate;
	opt.port.no_huge = cell->no_huge;
	opt.set.lead_ns = cell->wire->kind == PW_WIRE_NULL ? 0 : LEAD_NS;
	opt.port.wait_ns = WAIT_NS;
	s->end->poller = true;
	s->end->result = run_job(&job, cell, s->end);
	pw_job_finish(&job);
}

const char *pw_bypass_version(void)
{
	return pw_dpdk_version();
}

static void close_path(void *path)
{
	pw_dpdk_rx_close(path);
}

int pw_sink_bypass_open(const struct pw_cell *cell, const char *prefix, struct pw_sink_path *path,
	struct pw_err *err)
{
	char port[160], core[16];
	struct pw_dpdk_config cfg = {
		.set = {.port = port,
			.mtu = cell->mtu,
			.cores = cell->sink_cpu >= 0 ? core : NULL,
			.no_huge = cell->no_huge,
			.wait_ns = WAIT_NS},
	};
	struct pw_dpdk_rx *rx;
	int r;

	if (cell->wire->kind == PW_WIRE_TAP)
		snprintf(port, sizeof(port), "%s%s", prefix, cell->wire->sink_if);
	else
		name_port(cell, prefix, port, sizeof(port));
	name_cpu(cell->sink_cpu, core, sizeof(core));
	r = pw_dpdk_rx_open(&rx, &cfg, NULL, err);
	if (r)
		return r;
	*path = (struct pw_sink_path){.ops = &pw_dpdk_rx_ops, .path = rx, .close = close_path};
	return 0;
}
