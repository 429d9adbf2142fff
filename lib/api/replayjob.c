/* SPDX-License-Identifier: BSD-3-Clause */
/* Plans, opens and runs a replay job. */
#include "api/replayjob.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/bytes.h"
#include "replay/input.h"

#define VLAN_LEN 4u /* a frame may be so much longer than the MTU and an Ethernet header */

static int bad_option(struct pw_err *err, const char *what)
{
	return pw_err_set(err, EINVAL, "cannot replay: %s", what);
}

static int plan_timing(struct pw_replayjob *job, struct pw_err *err)
{
	const struct pw_replayjob_options *o = job->opt;
	char *end = NULL;

	job->speed = 1;
	if ((o->top_speed && (o->rate.unit || o->speed)) || (o->rate.unit && o->speed))
		return bad_option(
			err, "--top-speed, --rate and --speed contradict each other; give one");
	job->timing = o->top_speed   ? PW_TIMING_TOP
		      : o->rate.unit ? PW_TIMING_RATE
				     : PW_TIMING_CAPTURE;
	if (!o->speed)
		return 0;
	job->speed = strtod(o->speed, &end);
	if (*end == 'x')
		end++;
	if (end == o->speed || *end || !(job->speed >= 1e-6 && job->speed <= 1e6))
		return pw_err_set(err, EINVAL,
			"cannot use --speed '%s': give a factor from 0.000001 to 1000000, as 2x or "
			"0.5",
			o->speed);
	return 0;
}

static int plan_pages(struct pw_replayjob *job, struct pw_err *err)
{
	const struct pw_replayjob_options *o = job->opt;
	bool huge = false, must_stream = pw_replay_input_is_stdin(job->file);
	uint64_t page_bytes;
	struct stat st = {0};
	int r = 0;

	if (!must_stream) {
		r = pw_replay_input_kind(job->file, &job->kind, err);
		if (r == 0 && stat(job->file, &st) < 0)
			r = pw_err_sys(err, errno, "cannot open %s", job->file);
		job->len_bytes = (uint64_t)st.st_size;
		must_stream = job->kind != PW_UNPACK_PLAIN;
	}
	if (r)
		return r;
	if (must_stream && o->pages != PW_PAGES_AUTO && o->pages != PW_PAGES_STREAM)
		return pw_err_set(err, EINVAL,
			"cannot use --pages %s for %s: it %s, so its bytes are in no page; use "
			"--pages "
			"stream",
			pw_pages_name(o->pages), job->file,
			pw_replay_input_is_stdin(job->file) ? "is standard input"
							    : "is compressed");
	job->pages = PW_PAGES_STREAM;
	if (must_stream || o->pages == PW_PAGES_STREAM)
		return 0;
	if (job->len_bytes == 0)
		return pw_err_set(err, EBADMSG,
			"cannot read %s: it is too short for a capture; give a pcap or a pcapng",
			job->file);
	r = pw_hugefile_probe(job->file, &huge, &page_bytes, err);
	if (r == 0)
		r = pw_dpdk_choose_pages(job->traits, o->pages, huge, job->readonly_maps, job->file,
			&job->pages, err);
	if (r || o->pages != PW_PAGES_AUTO)
		return r;
	if ((job->pages == PW_PAGES_STAGE && job->len_bytes > o->stream_bytes) ||
		(job->pages == PW_PAGES_PAGECACHE && !pw_pagecache_holds(job->len_bytes)))
		job->pages = PW_PAGES_STREAM;
	return 0;
}

int pw_replayjob_plan(struct pw_replayjob *job, const char *file, bool *usage, struct pw_err *err)
{
	const struct pw_replayjob_options *o = job->opt;
	char driver[PW_DRIVER_NAME_MAX];
	int r;

	job->file = file;
	*usage = true;
	r = plan_timing(job, err);
	if (r == 0)
		r = pw_edit_parse(&job->edit, &o->edit, err);
	if (r == 0 && o->ethernet)
		r = pw_ethernet_parse(&job->ethernet, o->ethernet, err);
	if (r == 0 && !o->port.port)
		r = bad_option(err, "--port PORT is missing");
	if (r == 0 && o->port.n_queues > 1)
		r = bad_option(err, "--queues above 1 is not supported; leave it out");
	if (r == 0 && pw_replay_input_is_stdin(job->file) && o->scan.loops != 1)
		r = bad_option(err, "standard input cannot be read again; leave out --loop");
	if (r == 0)
		r = pw_portspec_parse(o->port.port, &job->spec, err);
	if (r)
		return r;
	*usage = false;
	pw_portspec_driver(&job->spec, driver, sizeof(driver));
	job->traits = pw_driver_traits(driver, job->spec.kind == PW_PORT_PCI, job->spec.target);
	job->readonly_maps =
		o->pages == PW_PAGES_PAGECACHE && pw_dpdk_can_readonly(&job->spec, o->port.iova);
	return plan_pages(job, err);
}

static uint64_t stage_bytes(const struct pw_replayjob *job)
{
	if (job->pages == PW_PAGES_STREAM)
		return pw_dpdk_stage_bytes(pw_replay_ring_memory(job->opt->stream_bytes));
	if (job->pages == PW_PAGES_STAGE)
		return pw_dpdk_stage_bytes(pw_dpdk_stage_file_bytes(job->len_bytes));
	return 0;
}

static int open_window(struct pw_replayjob *job, struct pw_err *err)
{
	const struct pw_stage_mem mem = pw_dpdk_stage_mem(job->tx);
	struct pw_window *w = &job->win;
	int r;

	if (job->pages == PW_PAGES_STREAM)
		return 0;
	if (job->pages == PW_PAGES_STAGE)
		return pw_stage_open(w, job->file, 1, &mem, NULL, NULL, err);
	if (job->pages == PW_PAGES_HUGEFILE)
		return pw_hugefile_open(w, job->file, job->info.va_hint, err);
	r = pw_pagecache_open(w, job->file, job->info.va_hint, err);
	/* a page that is read from disk while its frame is due makes it late */
	if (r == 0 && w->populate)
		r = pw_window_populate(w, 0, w->map_bytes, job->file, err);
	return r;
}

static int create_replay(struct pw_replayjob *job, struct pw_err *err)
{
	const struct pw_replayjob_options *o = job->opt;
	const uint32_t frame_max = o->port.mtu + PW_FRAME_LEN_MIN + VLAN_LEN;
	struct pw_replay_config cfg = {
		.ops = &pw_dpdk_tx_ops,
		.tx = pw_dpdk_tx_queue(job->tx, 0),
		.path_text = o->port.port,
		.file = job->file,
		.win = job->pages == PW_PAGES_STREAM ? NULL : &job->win,
		.ring = {.bytes = o->stream_bytes,
			.out_bytes = (uint64_t)pw_dpdk_tx_mbufs(o->port.queue_size) * frame_max,
			.mem = pw_dpdk_stage_mem(job->tx)},
		.set = o->scan,
		.timing = job->timing,
		.speed = job->speed,
		.rate = o->rate,
		.frame_max = frame_max,
		.link_grace_ns = o->link_grace_ns,
		.stopped = job->stopped,
		.tick = job->tick,
		.tick_ctx = job->tick_ctx,
		.log = job->log,
	};

	cfg.set.edit = pw_edit_any(&job->edit) ? &job->edit : NULL;
	cfg.set.ethernet = o->ethernet ? &job->ethernet : NULL;
	return pw_replay_create(&job->replay, &cfg, err);
}

int pw_replayjob_open(struct pw_replayjob *job, struct pw_err *err)
{
	const struct pw_dpdk_config cfg = {
		.set = job->opt->port,
		.stage_bytes = stage_bytes(job),
		.readonly_maps = job->readonly_maps,
		.verbose = job->log && job->log->level >= PW_LOG_DEBUG,
		.cancelled = job->stopped,
	};
	int r = pw_portspec_check(&job->spec, err);

	if (r == 0)
		r = pw_dpdk_tx_open(&job->tx, &cfg, job->log, err);
	if (r)
		return r;
	pw_dpdk_tx_info(job->tx, &job->info);
	job->traits = job->info.traits; /* of the driver; the port's name may not have shown all */
	pw_dpdk_tx_set_csum(job->tx, PW_CSUM_NONE, false);
	r = open_window(job, err);
	return r ? r : create_replay(job, err);
}

int pw_replayjob_run(struct pw_replayjob *job, struct pw_err *err)
{
	int r = pw_replay_run(job->replay, &job->result, err);

	/* the port must not read pages that are unmapped */
	pw_dpdk_tx_stop(job->tx);
	pw_dpdk_tx_sum(job->tx, &job->counters);
	if (r || job->result.interrupted || job->counters.packets >= job->result.scan.frames)
		return r;
	return pw_err_set(err, ETIMEDOUT,
		"cannot finish on %s: it did not take the last %" PRIu64
		" frames; see what the receiver waits for",
		job->opt->port.port, job->result.scan.frames - job->counters.packets);
}

void pw_replayjob_finish(struct pw_replayjob *job)
{
	if (job->tx)
		pw_dpdk_tx_stop(job->tx);
	pw_replay_destroy(job->replay);
	job->replay = NULL;
	if (job->win.n_out == 0)
		pw_window_close(&job->win);
	pw_dpdk_tx_close(job->tx);
	job->tx = NULL;
}
