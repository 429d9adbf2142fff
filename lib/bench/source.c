/* SPDX-License-Identifier: BSD-3-Clause */
/* The sender's process of a cell: opens the file and the way, and reads the meter around the stretch. */
#include <errno.h>
#include <stdio.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "bench/cell.h"
#include "send/send.h"

#define TSI            1
#define FDT_NS         PW_NS_PER_S
#define REMOTE_LEAD_NS 50000000ull /* a remote receiver learns the file before its bytes come */

static int open_window(void *ctx, struct pw_window *w, const char *path, struct pw_err *err)
{
	const struct pw_stretch *s = ctx;
	uint64_t page_bytes;
	bool huge;
	int r = pw_hugefile_probe(path, &huge, &page_bytes, err);

	if (r)
		return r;
	if (huge)
		return pw_hugefile_open(w, path, NULL, err);
	r = pw_pagecache_open(w, path, NULL, err);
	w->populate = s->cell->populate;
	return r;
}

static int send_passes(
	struct pw_stretch *s, const struct pw_way *way, void *path, struct pw_err *err)
{
	const struct pw_cell *cell = s->cell;
	uint64_t pass, done;

	for (pass = 0; pass < cell->passes; pass++) {
		for (done = 0; done < cell->file_bytes;) {
			int64_t n = way->stream->send(path, done, cell->file_bytes - done, err);

			if (n == -EAGAIN && pw_clock_ns() - s->born_ns < cell->deadline_ns)
				continue;
			if (n == -EAGAIN)
				return pw_err_set(err, ETIMEDOUT,
					"cannot send by %s: the receiver accepts no data",
					way->name);
			if (n < 0)
				return (int)n;
			done += (uint64_t)n;
		}
	}
	return 0;
}

static int drain(struct pw_stretch *s, const struct pw_way *way, void *path, struct pw_err *err)
{
	int r;

	do
		r = way->stream->drain ? way->stream->drain(path, err) : 0;
	while (r == -EAGAIN && pw_clock_ns() - s->born_ns < s->cell->deadline_ns);
	return r == -EAGAIN
		       ? pw_err_set(err, ETIMEDOUT,
				 "cannot drain %s: zero-copy completions are missing", way->name)
		       : r;
}

/* The caller has opened the file's window; open() makes the connection. */
static int run_stream(struct pw_stretch *s, const struct pw_way_config *cfg, struct pw_err *err)
{
	const struct pw_way *way = s->cell->way->kernel;
	void *path = NULL;
	int r = pw_way_open(way, &path, cfg, err);

	if (r)
		return r;
	pw_stretch_hook(s, true);
	r = send_passes(s, way, path, err);
	if (r == 0)
		r = drain(s, way, path, err);
	pw_stretch_hook(s, false);
	s->end->counters = *way->stream->counters(path);
	pw_way_close(path);
	return r;
}

static int stream(struct pw_stretch *s, struct pw_way_config *cfg, struct pw_err *err)
{
	struct pw_window win = {0};
	int r = open_window(s, &win, s->cell->file, err);

	if (r == 0 && win.populate && win.map_bytes)
		r = pw_window_populate(&win, 0, win.len_bytes, s->cell->file, err);
	cfg->win = &win;
	if (r == 0)
		r = run_stream(s, cfg, err);
	pw_window_close(&win);
	return r;
}

static int run_session(struct pw_stretch *s, const struct pw_way_config *way_cfg, void *path,
	struct pw_files *files, struct pw_err *err)
{
	const struct pw_cell *cell = s->cell;
	const struct pw_way *way = cell->way->kernel;
	bool remote = cell->wire->kind == PW_WIRE_NIC;
	struct pw_send_config cfg = {
		.ops = way->packets,
		.paths = &path,
		.n_paths = 1,
		.path_text = way->name,
		.files = files,
		.flow = cell->wire->flow,
		.mtu = cell->mtu,
		.symbol_len = pw_send_symbol_for_mtu(&cell->wire->flow, cell->mtu, false),
		.tsi = TSI,
		.set.digest = remote ? PW_DIGEST_XXH3_128 : PW_DIGEST_NONE,
		.set.rate = cell->rate,
		.set.loops = cell->passes,
		.set.fdt_interval_ns = FDT_NS,
		.set.lead_ns = remote ? REMOTE_LEAD_NS : 0,
		.set.link_grace_ns = PW_SEND_LINK_GRACE_NS,
		.digest_first_bytes = PW_SEND_DIGEST_FIRST,
		.open_window = open_window,
		.ctx = s,
		.stretch = pw_stretch_hook,
		.stretch_ctx = s,
		.log = way_cfg->log,
	};
	struct pw_send_result result = {0};
	struct pw_send *send;
	int r = pw_send_create(&send, &cfg, err);

	if (r)
		return r;
	r = pw_send_run(send, &result, err);
	s->end->counters = *way->packets->counters(path);
	s->end->busy_cycles = result.busy_cycles;
	s->end->stall_cycles = result.stall_cycles;
	s->end->pace_cycles = result.pace_cycles;
	pw_send_destroy(send);
	return r;
}

static int packets(struct pw_stretch *s, struct pw_way_config *cfg, struct pw_err *err)
{
	const struct pw_way *way = s->cell->way->kernel;
	char *operand = (char *)s->cell->file;
	struct pw_files files = {0};
	struct pw_window win = {0};
	void *path = NULL;
	int r = pw_files_collect(&files, &operand, 1, err);

	if (r == 0 && way->maps_file) {
		r = open_window(s, &win, s->cell->file, err);
		cfg->win = &win;
	}
	if (r == 0)
		r = pw_way_open(way, &path, cfg, err);
	if (r == 0) {
		r = run_session(s, cfg, path, &files, err);
		pw_way_close(path);
	}
	pw_window_close(&win);
	pw_files_finish(&files);
	return r;
}

bool pw_source_is_lacking(int r)
{
	return r == -EOPNOTSUPP || r == -EPERM || r == -ENOSYS || r == -ENODEV;
}

static void run_kernel(struct pw_stretch *s)
{
	const struct pw_cell *cell = s->cell;
	const struct pw_wire *wire = cell->wire;
	struct pw_source_end *end = s->end;
	struct pw_way_config cfg = {
		.flow = wire->flow,
		.interface = wire->source_if[0] ? wire->source_if : NULL,
		.mtu = cell->mtu,
		.frame_bytes = cell->mtu + PW_ETH_LEN + PW_VLAN_LEN,
		.batch = cell->batch,
		.chunk_bytes = cell->chunk_bytes,
		.sqpoll = cell->sqpoll,
		.qdisc_bypass = cell->qdisc_bypass,
	};

	if (cell->way->kernel->kind == PW_WAY_STREAM)
		end->result = stream(s, &cfg, &end->err);
	else
		end->result = packets(s, &cfg, &end->err);
	/* a way that breaks before the kernel took one symbol does not work here (GSO without checksum
	 * offload, frames beyond what the driver takes) */
	end->lacking = (pw_source_is_lacking(end->result) && !end->start_ns) ||
		       (end->result == -ECONNABORTED && end->counters.payload_bytes == 0);
}

void pw_source_run(const struct pw_cell *cell, uint64_t born_ns, struct pw_source_end *end)
{
	struct pw_stretch s = {.cell = cell, .born_ns = born_ns, .end = end};
	const char *why;
	int i;

	end->result = pw_meter_open(&s.meter, cell->meter, NULL, &end->err);
	if (end->result)
		return;
	for (i = 0; i < PW_METER_N_SOURCES; i++) {
		why = pw_meter_why(s.meter, (enum pw_meter_source)i);
		snprintf(end->why[i], sizeof(end->why[i]), "%s", why ? why : "");
	}
	if (cell->way->kernel)
		run_kernel(&s);
	else
		pw_source_bypass(&s);
	pw_meter_close(s.meter);
}
