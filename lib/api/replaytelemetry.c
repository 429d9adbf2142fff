/* SPDX-License-Identifier: BSD-3-Clause */
/* Turns the status of a replay into the samples that dpdk/telemetry.h publishes. */
#include "api/replaytelemetry.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "dpdk/telemetry.h"

enum { N_TX = 7 }; /* words of pw_telemetry_tx_names */

struct pw_replay_telemetry {
	struct pw_replay_telemetry_config cfg;
	struct pw_telemetry *t;
	struct pw_telemetry_sample sample;
	uint64_t position;
};

static const char *const phases[] = {"sending"};

/* Those of the transmitter, then our own. */
static const char *const counts[] = {"packets", "payload_bytes", "wire_bytes", "cpu_copied_bytes",
	"cpu_read_bytes", "full_polls", "split_packets", "position", "position_ms", "late_p99_ns",
	"late_max_ns", NULL};

static_assert(PW_ARRAY_LEN(counts) - 1 <= PW_TELEMETRY_COUNTS, "a sample has room");

static void list(void *ctx, struct pw_telemetry_page *page)
{
	const struct pw_replay_telemetry *rt = ctx;
	struct pw_telemetry_file *f = &page->files[0];

	if (page->first > 0)
		return;
	page->n = 1;
	pw_telemetry_name(f->name, rt->cfg.file);
	f->toi = 0;
	f->len_bytes = pw_max_u64(rt->cfg.pass_bytes, rt->position);
	f->done_bytes = rt->position;
	f->state = "sending";
	f->digest = "none";
}

int pw_replay_telemetry_start(struct pw_replay_telemetry **out,
	const struct pw_replay_telemetry_config *cfg, struct pw_err *err)
{
	struct pw_replay_telemetry *rt = calloc(1, sizeof(*rt));
	const struct pw_telemetry_source source = {
		.role = "replay",
		.port = cfg->port,
		.driver = cfg->driver,
		.phases = phases,
		.counts = counts,
		.queue_counts = pw_telemetry_tx_names,
		.list = list,
		.ctx = rt,
	};

	*out = rt;
	if (!rt)
		return pw_err_set(err, ENOMEM, "cannot start telemetry: out of memory");
	rt->cfg = *cfg;
	return pw_telemetry_start(&rt->t, &source, err);
}

static void fill_position(struct pw_replay_telemetry *rt, const struct pw_replay_status *st)
{
	struct pw_telemetry_sample *s = &rt->sample;
	const uint64_t len = rt->cfg.pass_bytes, loops = rt->cfg.loops;
	struct pw_late late;

	pw_replay_late(st->replay, &late);
	s->counts[N_TX] = st->position;
	s->counts[N_TX + 1] = st->time_ns > 0 ? (uint64_t)st->time_ns / 1000000 : 0;
	s->counts[N_TX + 2] = pw_late_quantile(&late, 0.99);
	s->counts[N_TX + 3] = late.max_ns;
	s->pass = st->pass;
	s->n_files = 1;
	s->bytes_total = len * loops;
	s->bytes_done = (st->pass - 1) * len + st->position;
	rt->position = st->position;
}

static void fill_queues(struct pw_replay_telemetry *rt)
{
	struct pw_telemetry_sample *s = &rt->sample;
	uint32_t i;
	uint16_t q;

	s->n_queues = 0;
	for (i = 0; i < rt->cfg.n_ports; i++)
		for (q = 0; q < pw_dpdk_tx_n_queues(rt->cfg.tx[i]); q++)
			if (s->n_queues < PW_TELEMETRY_QUEUES)
				pw_telemetry_tx_words(s->queues[s->n_queues++],
					pw_dpdk_tx_ops.counters(
						pw_dpdk_tx_queue(rt->cfg.tx[i], q)));
}

void pw_replay_telemetry_tick(void *ctx, const struct pw_replay_status *st)
{
	struct pw_replay_telemetry *rt = ctx;
	struct pw_telemetry_sample *s = &rt->sample;
	struct pw_tx_counters sum = {0};
	uint32_t i;

	for (i = 0; i < rt->cfg.n_ports; i++) {
		struct pw_tx_counters c;

		pw_dpdk_tx_sum(rt->cfg.tx[i], &c);
		pw_words_add((uint64_t *)&sum, (const uint64_t *)&c, sizeof(c) / sizeof(uint64_t));
	}
	s->now_ns = pw_clock_ns();
	s->start_ns = sum.packets ? st->start_ns : 0;
	s->packets = sum.packets;
	s->payload_bytes = sum.payload_bytes;
	pw_telemetry_tx_words(s->counts, &sum);
	fill_queues(rt);
	fill_position(rt, st);
	pw_telemetry_tick(rt->t, s);
	if (rt->cfg.tick)
		rt->cfg.tick(rt->cfg.tick_ctx, st);
}

void pw_replay_telemetry_stop(struct pw_replay_telemetry *rt)
{
	if (rt)
		pw_telemetry_stop(rt->t);
	free(rt);
}
