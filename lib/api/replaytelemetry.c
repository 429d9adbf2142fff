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
#include "replay/input.h"

enum { N_TX = 7 }; /* words of pw_telemetry_tx_names */

struct pw_replay_telemetry {
	const struct pw_replayjob *job;
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

/* Bytes of a pass; 0: not known before its end. */
static uint64_t pass_bytes(const struct pw_replayjob *job)
{
	return job->kind == PW_UNPACK_PLAIN ? job->len_bytes : 0;
}

static void list(void *ctx, struct pw_telemetry_page *page)
{
	const struct pw_replay_telemetry *rt = ctx;
	struct pw_telemetry_file *f = &page->files[0];

	if (page->first > 0)
		return;
	page->n = 1;
	pw_telemetry_name(f->name, rt->job->file);
	f->toi = 0;
	f->len_bytes = pw_max_u64(pass_bytes(rt->job), rt->position);
	f->done_bytes = rt->position;
	f->state = "sending";
	f->digest = "none";
}

int pw_replay_telemetry_start(struct pw_replayjob *job, struct pw_err *err)
{
	struct pw_replay_telemetry *rt = calloc(1, sizeof(*rt));
	const struct pw_telemetry_source source = {
		.role = "replay",
		.port = job->ports[0].text,
		.driver = job->ports[0].info.driver,
		.phases = phases,
		.counts = counts,
		.queue_counts = pw_telemetry_tx_names,
		.list = list,
		.ctx = rt,
	};

	job->telemetry = rt;
	if (!rt)
		return pw_err_set(err, ENOMEM, "cannot start telemetry: out of memory");
	rt->job = job;
	return pw_telemetry_start(&rt->t, &source, err);
}

static void fill_position(struct pw_replay_telemetry *rt, const struct pw_replay_status *st)
{
	struct pw_telemetry_sample *s = &rt->sample;
	const uint64_t len = pass_bytes(rt->job), loops = rt->job->opt->scan.loops;
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

void pw_replay_telemetry_tick(void *ctx, const struct pw_replay_status *st)
{
	struct pw_replay_telemetry *rt = ctx;
	const struct pw_replayjob *job = rt->job;
	struct pw_telemetry_sample *s = &rt->sample;
	struct pw_tx_counters sum = {0};
	uint32_t i;

	for (i = 0; i < job->n_ports; i++) {
		struct pw_tx_counters c;

		pw_dpdk_tx_sum(job->ports[i].tx, &c);
		pw_replayjob_add_counters(&sum, &c);
	}
	s->now_ns = pw_clock_ns();
	s->start_ns = sum.packets ? st->start_ns : 0;
	s->packets = sum.packets;
	s->payload_bytes = sum.payload_bytes;
	pw_telemetry_tx_words(s->counts, &sum);
	s->n_queues = pw_min_u64(
		job->n_ports * pw_dpdk_tx_n_queues(job->ports[0].tx), PW_TELEMETRY_QUEUES);
	for (i = 0; i < s->n_queues; i++)
		pw_telemetry_tx_words(s->queues[i], pw_dpdk_tx_ops.counters(job->paths[i]));
	fill_position(rt, st);
	pw_telemetry_tick(rt->t, s);
	if (job->tick)
		job->tick(job->tick_ctx, st);
}

void pw_replay_telemetry_stop(struct pw_replayjob *job)
{
	if (job->telemetry)
		pw_telemetry_stop(job->telemetry->t);
	free(job->telemetry);
	job->telemetry = NULL;
}
