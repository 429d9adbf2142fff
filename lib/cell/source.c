/* SPDX-License-Identifier: BSD-3-Clause */
/* The sender of a cell: opens the file and the way, and reads the meter around the stretch. */
#include <errno.h>

#include "base/clock.h"
#include "cell/bypass.h"
#include "cell/cell.h"
#include "send/send.h"

#define TSI    1
#define FDT_NS PW_NS_PER_S

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
	w->populate = !s->cell->no_populate;
	return r;
}

static int send_passes(const struct pw_cell *cell, void *path, struct pw_err *err)
{
	const struct pw_way *way = cell->way;
	uint64_t pass, done;

	for (pass = 0; pass < cell->passes; pass++) {
		for (done = 0; done < cell->file_bytes;) {
			int64_t n = way->stream->send(path, done, cell->file_bytes - done, err);

			if (n == -EAGAIN && pw_clock_ns() < cell->deadline_ns)
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

static int drain(const struct pw_cell *cell, void *path, struct pw_err *err)
{
	const struct pw_way *way = cell->way;
	int r;

	do
		r = way->stream->drain ? way->stream->drain(path, err) : 0;
	while (r == -EAGAIN && pw_clock_ns() < cell->deadline_ns);
	return r == -EAGAIN
		       ? pw_err_set(err, ETIMEDOUT,
				 "cannot drain %s: zero-copy completions are missing", way->name)
		       : r;
}

/* The caller has opened the file's window; open() makes the connection. */
static int run_stream(struct pw_stretch *s, const struct pw_way_config *cfg, struct pw_err *err)
{
	const struct pw_way *way = s->cell->way;
	void *path = NULL;
	int r = pw_way_open(way, &path, cfg, err);

	if (r)
		return r;
	pw_cell_stretch(s, true);
	r = send_passes(s->cell, path, err);
	if (r == 0)
		r = drain(s->cell, path, err);
	pw_cell_stretch(s, false);
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

static int run_session(struct pw_stretch *s, void *path, struct pw_files *files, struct pw_err *err)
{
	const struct pw_cell *cell = s->cell;
	const struct pw_way *way = cell->way;
	struct pw_send_config cfg = {
		.ops = way->packets,
		.paths = &path,
		.n_paths = 1,
		.path_text = way->name,
		.files = files,
		.flow = cell->flow,
		.mtu = cell->mtu,
		.symbol_len = pw_send_symbol_for_mtu(&cell->flow, cell->mtu, false),
		.tsi = TSI,
		.set.digest = cell->remote ? PW_DIGEST_XXH3_128 : PW_DIGEST_NONE,
		.set.rate = cell->rate,
		.set.loops = cell->passes,
		.set.fdt_interval_ns = FDT_NS,
		.set.lead_ns = cell->lead_ns,
		.set.link_grace_ns = PW_SEND_LINK_GRACE_NS,
		.digest_first_bytes = PW_SEND_DIGEST_FIRST,
		.open_window = open_window,
		.ctx = s,
		.stretch = pw_cell_stretch,
		.stretch_ctx = s,
		.log = cell->log,
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
	char *operand = (char *)s->cell->file;
	struct pw_files files = {0};
	struct pw_window win = {0};
	void *path = NULL;
	int r = pw_files_collect(&files, &operand, 1, err);

	if (r == 0 && s->cell->way->maps_file) {
		r = open_window(s, &win, s->cell->file, err);
		cfg->win = &win;
	}
	if (r == 0)
		r = pw_way_open(s->cell->way, &path, cfg, err);
	if (r == 0) {
		r = run_session(s, path, &files, err);
		pw_way_close(path);
	}
	pw_window_close(&win);
	pw_files_finish(&files);
	return r;
}

static void run_kernel(struct pw_stretch *s)
{
	const struct pw_cell *cell = s->cell;
	struct pw_cell_end *end = s->end;
	struct pw_way_config cfg = {
		.flow = cell->flow,
		.interface = cell->interface,
		.mtu = cell->mtu,
		.frame_bytes = cell->mtu + PW_ETH_LEN + PW_VLAN_LEN,
		.batch = cell->batch,
		.chunk_bytes = (uint32_t)cell->chunk_bytes,
		.sqpoll = cell->sqpoll,
		.qdisc_bypass = cell->qdisc_bypass,
	};

	if (cell->way->kind == PW_WAY_STREAM)
		end->result = stream(s, &cfg, &end->err);
	else
		end->result = packets(s, &cfg, &end->err);
	/* a way that breaks before the kernel took one symbol does not work here (GSO without checksum
	 * offload, frames beyond what the driver takes) */
	end->lacking = (pw_cell_is_lacking(end->result) && !end->start_ns) ||
		       (end->result == -ECONNABORTED && end->counters.payload_bytes == 0);
}

void pw_cell_source(const struct pw_cell *cell, struct pw_cell_end *end)
{
	struct pw_stretch s;

	end->result = pw_cell_stretch_open(&s, cell, end);
	if (end->result)
		return;
	if (cell->way)
		run_kernel(&s);
	else
		pw_cell_bypass_source(&s);
	pw_meter_close(s.meter);
}
