/* SPDX-License-Identifier: BSD-3-Clause */
/* Turns the session's status into the samples that dpdk/telemetry.h publishes. */
#include "api/jobtelemetry.h"

#include <errno.h>
#include <stdlib.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "dpdk/telemetry.h"

struct pw_job_telemetry {
	struct pw_job_telemetry_config cfg;
	struct pw_telemetry *t;
	struct pw_telemetry_sample sample;
	uint64_t file, file_done; /* of the last tick while sending */
};

static const char *const phases[] = {[PW_SEND_READING] = "reading",
	[PW_SEND_SENDING] = "sending",
	[PW_SEND_CLOSING] = "closing"};

/* Of a file that a gap manifest names, only the missing bytes are sent. */
static uint64_t bytes_to_send(const struct pw_file *f)
{
	uint64_t sum = 0;
	size_t i;

	if (!f->gap)
		return f->len_bytes;
	for (i = 0; i < f->gap->n_missing; i++)
		sum += f->gap->missing[i].to - f->gap->missing[i].from;
	return sum;
}

/* Files are sent one after the other, so the position of the pass gives the progress of each. */
static void describe(const struct pw_job_telemetry *jt, uint64_t i, struct pw_telemetry_file *f)
{
	const struct pw_file *file = &jt->cfg.files->v[i];

	pw_telemetry_name(f->name, file->name);
	f->toi = i + 1;
	f->len_bytes = bytes_to_send(file);
	f->done_bytes = i < jt->file    ? f->len_bytes
			: i == jt->file ? pw_min_u64(jt->file_done, f->len_bytes)
					: 0;
	if (i > jt->file || jt->sample.pass == 0)
		f->state = "waiting";
	else
		f->state = f->done_bytes < f->len_bytes ? "sending" : "sent";
	if (!jt->cfg.has_digests)
		f->digest = "none";
	else
		f->digest = file->digest.kind == PW_DIGEST_NONE ? "to come" : "taken";
}

static void list(void *ctx, struct pw_telemetry_page *page)
{
	const struct pw_job_telemetry *jt = ctx;
	uint64_t i;

	for (i = page->first; i < jt->cfg.files->n && page->n < PW_TELEMETRY_PAGE; i++)
		describe(jt, i, &page->files[page->n++]);
}

int pw_job_telemetry_start(struct pw_job_telemetry **out, const struct pw_job_telemetry_config *cfg,
	struct pw_err *err)
{
	struct pw_job_telemetry *jt = calloc(1, sizeof(*jt));
	struct pw_telemetry_source source = {
		.role = "send",
		.port = cfg->port,
		.driver = cfg->driver,
		.phases = phases,
		.counts = pw_telemetry_tx_names,
		.queue_counts = pw_telemetry_tx_names,
		.list = list,
		.ctx = jt,
	};

	*out = jt;
	if (!jt)
		return pw_err_set(err, ENOMEM, "cannot start telemetry: out of memory");
	jt->cfg = *cfg;
	return pw_telemetry_start(&jt->t, &source, err);
}

void pw_job_telemetry_tick(void *ctx, const struct pw_send_status *st)
{
	struct pw_job_telemetry *jt = ctx;
	struct pw_telemetry_sample *s = &jt->sample;
	struct pw_dpdk_tx *tx = jt->cfg.tx;
	struct pw_tx_counters c;
	uint16_t i;

	pw_dpdk_tx_sum(tx, &c);
	s->now_ns = pw_clock_ns();
	s->phase = st->phase;
	s->packets = c.packets;
	s->payload_bytes = c.payload_bytes;
	if (c.payload_bytes && s->start_ns == 0)
		s->start_ns = st->start_ns;
	s->n_files = jt->cfg.files->n;
	if (st->phase != PW_SEND_READING) { /* there, the bytes are those that are read */
		s->bytes_total = st->bytes_total;
		s->bytes_done = st->bytes_done;
		s->pass = st->pass;
		jt->file = st->file;
		jt->file_done = st->file_done;
		s->n_ended =
			jt->file + (jt->file_done >= bytes_to_send(&jt->cfg.files->v[jt->file]));
	}
	pw_telemetry_tx_words(s->counts, &c);
	s->n_queues = pw_min_u64(pw_dpdk_tx_n_queues(tx), PW_TELEMETRY_QUEUES);
	for (i = 0; i < s->n_queues; i++)
		pw_telemetry_tx_words(
			s->queues[i], pw_dpdk_tx_ops.counters(pw_dpdk_tx_queue(tx, i)));
	pw_telemetry_tick(jt->t, s);
	if (jt->cfg.tick)
		jt->cfg.tick(jt->cfg.tick_ctx, st);
}

void pw_job_telemetry_stop(struct pw_job_telemetry *jt)
{
	if (jt)
		pw_telemetry_stop(jt->t);
	free(jt);
}
