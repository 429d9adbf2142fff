/* SPDX-License-Identifier: BSD-3-Clause */
/* Plans, opens and runs a replay job. */
#include "api/replayjob.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "api/replaytelemetry.h"
#include "base/bytes.h"
#include "replay/input.h"

#define POPULATE_BYTES (64ull << 20) /* between two looks for a stop */
#define VLAN_LEN       4u /* a frame may be so much longer than the MTU and an Ethernet header */

struct pw_scan_max pw_replay_frame_max(uint32_t mtu, bool needs_tag)
{
	const uint32_t untagged = mtu + PW_FRAME_LEN_MIN;

	return (struct pw_scan_max){
		.any = needs_tag ? untagged : untagged + VLAN_LEN, .tagged = untagged + VLAN_LEN};
}

/* With two ports, whether one of them needs it: which frames are sent does not depend on the side. */
static bool needs_tag(const struct pw_replayjob *job)
{
	uint32_t i;

	for (i = 0; i < job->n_ports && !job->ports[i].traits->needs_tag; i++)
		;
	return i < job->n_ports;
}

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

/* What both ports can send from: memory of EAL's own, if one of them needs that. */
static int choose_pages(struct pw_replayjob *job, bool huge, struct pw_err *err)
{
	uint32_t i;
	int r = 0;

	for (i = 0; r == 0 && i < job->n_ports; i++) {
		enum pw_pages fit;

		r = pw_dpdk_choose_pages(job->ports[i].traits, job->opt->pages, huge,
			job->readonly_maps, job->file, &fit, err);
		if (i == 0 || fit == PW_PAGES_STAGE)
			job->pages = fit;
	}
	return r;
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
		r = choose_pages(job, huge, err);
	if (r || o->pages != PW_PAGES_AUTO)
		return r;
	if ((job->pages == PW_PAGES_STAGE && job->len_bytes > o->stream_bytes) ||
		(job->pages == PW_PAGES_PAGECACHE && !pw_pagecache_holds(job->len_bytes)))
		job->pages = PW_PAGES_STREAM;
	return 0;
}

static int plan_port(struct pw_replayjob *job, uint32_t i, struct pw_err *err)
{
	struct pw_replayjob_port *p = &job->ports[i];
	char driver[PW_DRIVER_NAME_MAX];
	int r;

	p->text = job->opt->ports[i];
	r = pw_portspec_parse(p->text, &p->spec, err);
	if (r)
		return r;
	if (p->spec.kind == PW_PORT_UDP)
		return pw_err_set(err, EINVAL,
			"cannot replay through %s: a UDP socket of the kernel takes no frames; use "
			"af_packet:%s",
			p->text, p->spec.target);
	pw_portspec_driver(&p->spec, driver, sizeof(driver));
	p->traits = pw_driver_traits(driver, p->spec.kind == PW_PORT_PCI, p->spec.target);
	return 0;
}

static int plan_ports(struct pw_replayjob *job, struct pw_err *err)
{
	const struct pw_replayjob_options *o = job->opt;
	int r = 0;

	if (o->n_ports == 0)
		return bad_option(err, "--port PORT is missing");
	if (o->n_ports > PW_REPLAY_PORTS_MAX)
		return bad_option(err, "--port is given more than twice; give one port, or one "
				       "for the clients and one for the servers");
	if (o->n_ports == 1 && (o->client_net || o->cache))
		return bad_option(err,
			"--client-net and --cache choose between two ports; give a second --port");
	if (o->client_net && o->cache)
		return bad_option(err, "--client-net and --cache contradict each other; give one");
	for (job->n_ports = 0; r == 0 && job->n_ports < o->n_ports; job->n_ports++)
		r = plan_port(job, job->n_ports, err);
	if (r == 0 && o->n_ports == 2 && !strcmp(o->ports[0], o->ports[1]) &&
		job->ports[0].spec.kind != PW_PORT_NULL)
		r = bad_option(err, "both --port name the same port; give two, or one");
	if (r == 0 && o->client_net) {
		job->sides.kind = PW_SIDES_NETS;
		r = pw_side_nets_parse(&job->sides.nets, "--client-net", o->client_net, err);
	}
	return r;
}

int pw_replayjob_plan(struct pw_replayjob *job, const char *file, bool *usage, struct pw_err *err)
{
	const struct pw_replayjob_options *o = job->opt;
	int r;

	job->file = file;
	*usage = true;
	r = plan_timing(job, err);
	if (r == 0)
		r = pw_edit_parse(&job->edit, &o->edit, err);
	if (r == 0 && o->ethernet)
		r = pw_ethernet_parse(&job->ethernet, o->ethernet, err);
	if (r == 0)
		r = plan_ports(job, err);
	if (r == 0 && pw_replay_input_is_stdin(job->file) && o->scan.loops != 1)
		r = bad_option(err, "standard input cannot be read again; leave out --loop");
	if (r)
		return r;
	*usage = false;
	job->readonly_maps = o->pages == PW_PAGES_PAGECACHE && job->n_ports == 1 &&
			     pw_dpdk_can_readonly(&job->ports[0].spec, o->port.iova);
	if (o->cache)
		r = pw_sides_read_cache(&job->sides, o->cache, err);
	return r ? r : plan_pages(job, err);
}

static uint64_t stage_bytes(const struct pw_replayjob *job)
{
	if (job->pages == PW_PAGES_STREAM)
		return pw_dpdk_stage_bytes(pw_replay_ring_memory(job->opt->stream_bytes));
	if (job->pages == PW_PAGES_STAGE)
		return pw_dpdk_stage_bytes(pw_dpdk_stage_file_bytes(job->len_bytes));
	return 0;
}

static bool is_stopped(const struct pw_replayjob *job)
{
	return job->stopped && job->stopped();
}

static bool goes_on(void *ctx, uint64_t done, uint64_t total)
{
	(void)done;
	(void)total;
	return !is_stopped(ctx);
}

/* A page that is read from disk while its frame is due makes it late. */
static int populate(struct pw_replayjob *job, struct pw_err *err)
{
	struct pw_window *w = &job->win;
	uint64_t at, len;
	int r = 0;

	for (at = 0; w->populate && r == 0 && at < w->map_bytes; at += len) {
		len = pw_min_u64(w->map_bytes - at, POPULATE_BYTES);
		r = pw_window_populate(w, at, len, job->file, err);
		if (r == 0 && is_stopped(job))
			r = pw_err_set(err, ECANCELED,
				"cannot replay %s: interrupted while it was read", job->file);
	}
	return r;
}

static int open_window(struct pw_replayjob *job, struct pw_err *err)
{
	const struct pw_stage_mem mem = pw_dpdk_stage_mem(job->ports[0].tx);
	void *va_hint = job->ports[0].info.va_hint;
	struct pw_window *w = &job->win;
	int r;

	if (job->n_ports > 1 && !va_hint)
		va_hint = job->ports[1].info.va_hint;
	if (job->pages == PW_PAGES_STREAM)
		return 0;
	if (job->pages == PW_PAGES_STAGE)
		return pw_stage_open(w, job->file, 1, &mem, goes_on, job, err);
	if (job->pages == PW_PAGES_HUGEFILE)
		return pw_hugefile_open(w, job->file, va_hint, err);
	r = pw_pagecache_open(w, job->file, va_hint, err);
	return r ? r : populate(job, err);
}

static int create_replay(struct pw_replayjob *job, struct pw_err *err)
{
	const struct pw_replayjob_options *o = job->opt;
	const struct pw_scan_max max = pw_replay_frame_max(o->port.mtu, needs_tag(job));
	const uint32_t n_lanes = job->n_ports * pw_dpdk_tx_n_queues(job->ports[0].tx);
	uint32_t i;
	struct pw_replay_config cfg = {
		.ops = &pw_dpdk_tx_ops,
		.paths = job->paths,
		.n_ports = job->n_ports,
		.n_queues = pw_dpdk_tx_n_queues(job->ports[0].tx),
		.sides = &job->sides,
		.file = job->file,
		.win = job->pages == PW_PAGES_STREAM ? NULL : &job->win,
		.ring = {.bytes = o->stream_bytes,
			.out_bytes = (uint64_t)pw_dpdk_tx_mbufs(o->port.queue_size) * n_lanes *
				     max.tagged,
			.mem = pw_dpdk_stage_mem(job->ports[0].tx)},
		.set = o->scan,
		.timing = job->timing,
		.speed = job->speed,
		.rate = o->rate,
		.max = max,
		.link_grace_ns = o->link_grace_ns,
		.stopped = job->stopped,
		.tick = job->telemetry ? pw_replay_telemetry_tick : job->tick,
		.tick_ctx = job->telemetry ? job->telemetry : job->tick_ctx,
		.log = job->log,
	};

	for (i = 0; i < job->n_ports; i++)
		cfg.port_texts[i] = job->ports[i].text;
	cfg.set.edit = pw_edit_any(&job->edit) ? &job->edit : NULL;
	cfg.set.ethernet = o->ethernet ? &job->ethernet : NULL;
	return pw_replay_create(&job->replay, &cfg, err);
}

static int open_port(struct pw_replayjob *job, uint32_t i, struct pw_err *err)
{
	struct pw_replayjob_port *p = &job->ports[i];
	struct pw_dpdk_config cfg = {
		.set = job->opt->port,
		.stage_bytes = stage_bytes(job),
		.readonly_maps = job->readonly_maps,
		.verbose = job->log && job->log->level >= PW_LOG_DEBUG,
		.cancelled = job->stopped,
		.first = i ? job->ports[0].tx : NULL,
		.second = i == 0 && job->n_ports > 1 ? job->ports[1].text : NULL,
	};
	uint16_t q;
	int r;

	cfg.set.port = p->text;
	r = pw_dpdk_tx_open(&p->tx, &cfg, job->log, err);
	if (r)
		return r;
	pw_dpdk_tx_info(p->tx, &p->info);
	p->traits = p->info.traits; /* of the driver; the port's name may not have shown all */
	pw_dpdk_tx_set_csum(p->tx, PW_CSUM_NONE, false);
	for (q = 0; q < pw_dpdk_tx_n_queues(p->tx); q++)
		job->paths[i * pw_dpdk_tx_n_queues(p->tx) + q] = pw_dpdk_tx_queue(p->tx, q);
	return 0;
}

static int start_telemetry(struct pw_replayjob *job, struct pw_err *err)
{
	struct pw_replay_telemetry_config cfg = {
		.port = job->ports[0].text,
		.driver = job->ports[0].info.driver,
		.file = job->file,
		.n_ports = job->n_ports,
		.pass_bytes = job->kind == PW_UNPACK_PLAIN ? job->len_bytes : 0,
		.loops = job->opt->scan.loops,
		.tick = job->tick,
		.tick_ctx = job->tick_ctx,
	};
	uint32_t i;

	for (i = 0; i < job->n_ports; i++)
		cfg.tx[i] = job->ports[i].tx;
	return pw_replay_telemetry_start(&job->telemetry, &cfg, err);
}

int pw_replayjob_open(struct pw_replayjob *job, struct pw_err *err)
{
	uint32_t i;
	int r = 0;

	for (i = 0; r == 0 && i < job->n_ports; i++)
		r = pw_portspec_check(&job->ports[i].spec, err);
	for (i = 0; r == 0 && i < job->n_ports; i++)
		r = open_port(job, i, err);
	if (r == 0 && job->opt->port.telemetry)
		r = start_telemetry(job, err);
	if (r == 0)
		r = open_window(job, err);
	return r ? r : create_replay(job, err);
}

static void stop_telemetry(struct pw_replayjob *job)
{
	pw_replay_telemetry_stop(job->telemetry);
	job->telemetry = NULL;
}

static void stop_ports(struct pw_replayjob *job)
{
	uint32_t i = job->n_ports;

	while (i-- > 0)
		if (job->ports[i].tx)
			pw_dpdk_tx_stop(job->ports[i].tx);
}

int pw_replayjob_run(struct pw_replayjob *job, struct pw_err *err)
{
	uint32_t i;
	int r = pw_replay_run(job->replay, &job->result, err);

	stop_telemetry(job);
	/* the ports must not read pages that are unmapped */
	stop_ports(job);
	for (i = 0; i < job->n_ports; i++) {
		pw_dpdk_tx_sum(job->ports[i].tx, &job->ports[i].counters);
		pw_words_add((uint64_t *)&job->counters, (const uint64_t *)&job->ports[i].counters,
			sizeof(job->counters) / sizeof(uint64_t));
	}
	if (r || job->result.interrupted || job->counters.packets >= job->result.scan.frames)
		return r;
	return pw_err_set(err, ETIMEDOUT,
		"cannot finish on %s%s%s: it did not take the last %" PRIu64
		" frames; see what the receiver waits for",
		job->ports[0].text, job->n_ports > 1 ? " and " : "",
		job->n_ports > 1 ? job->ports[1].text : "",
		job->result.scan.frames - job->counters.packets);
}

void pw_replayjob_finish(struct pw_replayjob *job)
{
	uint32_t i = job->n_ports;

	stop_telemetry(job);
	stop_ports(job);
	pw_replay_destroy(job->replay);
	job->replay = NULL;
	if (job->win.n_out == 0)
		pw_window_close(&job->win);
	/* the first one's EAL ends last */
	while (i-- > 0) {
		pw_dpdk_tx_close(job->ports[i].tx);
		job->ports[i].tx = NULL;
	}
	pw_sides_finish(&job->sides);
}
