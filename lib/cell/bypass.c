/* SPDX-License-Identifier: BSD-3-Clause */
/* The bypass as source and sink of a cell: runs the same code as `pagewire send` and `pagewire recv --port`, and
 * measures it as the kernel's ways. */
#include "cell/bypass.h"

#include "api/job.h"
#include "base/clock.h"
#include "dpdk/eal.h"
#include "dpdk/rx.h"

#define WAIT_NS (10 * PW_NS_PER_S)

const char *pw_cell_bypass_version(void)
{
	return pw_dpdk_version();
}

static int run_job(struct pw_job *job, const struct pw_cell *cell, struct pw_cell_end *end)
{
	char *operand = (char *)cell->file;
	bool usage;
	int r = pw_job_plan(job, &operand, 1, &usage, &end->err);

	if (r == 0)
		r = pw_job_open(job, &end->err);
	end->lacking = pw_cell_is_lacking(r);
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

void pw_cell_bypass_source(struct pw_stretch *s)
{
	const struct pw_cell *cell = s->cell;
	struct pw_job_options opt = PW_JOB_OPTIONS_DEFAULT;
	struct pw_job job = {
		.opt = &opt,
		.log = cell->log,
		.stretch = pw_cell_stretch,
		.stretch_ctx = s,
		.no_populate = cell->no_populate,
	};

	opt.port.port = cell->port;
	opt.port.cores = cell->cores;
	opt.port.mtu = cell->mtu;
	opt.port.no_huge = cell->no_huge;
	opt.port.wait_ns = WAIT_NS;
	opt.to = cell->to;
	opt.from = cell->from;
	opt.to_mac = cell->to_mac;
	opt.pages = cell->pages;
	opt.set.loops = cell->passes;
	opt.set.digest = cell->remote ? PW_DIGEST_XXH3_128 : PW_DIGEST_NONE;
	opt.set.rate = cell->rate;
	opt.set.lead_ns = cell->lead_ns;
	s->end->polls = true;
	s->end->result = run_job(&job, cell, s->end);
	pw_job_finish(&job);
}

int pw_cell_bypass_open(
	const struct pw_cell *cell, const struct pw_rx_ops **ops, void **path, struct pw_err *err)
{
	const struct pw_dpdk_config cfg = {
		.set = {.port = cell->port,
			.mtu = cell->mtu,
			.cores = cell->cores,
			.no_huge = cell->no_huge,
			.wait_ns = WAIT_NS},
		.listen = cell->flow.dst,
		.verbose = cell->verbose,
	};
	struct pw_portspec spec;
	struct pw_dpdk_rx *rx = NULL;
	int r = pw_portspec_parse(cell->port, &spec, err);

	if (r == 0)
		r = pw_portspec_check(&spec, err);
	if (r == 0)
		r = pw_dpdk_rx_open(&rx, &cfg, cell->log, err);
	*ops = &pw_dpdk_rx_ops;
	*path = rx;
	return r;
}

void pw_cell_bypass_close(void *path)
{
	pw_dpdk_rx_close(path);
}
