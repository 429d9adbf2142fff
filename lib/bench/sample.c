/* SPDX-License-Identifier: BSD-3-Clause */
/* Computes the numbers of a sample from the reports of a cell's two processes. */
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/bytes.h"
#include "bench/cell.h"

static double ratio(double a, double b)
{
	return b > 0 ? a / b : NAN;
}

static double measured(uint64_t v, double per)
{
	return v == PW_UNMEASURED ? NAN : ratio((double)v, per);
}

/* File bytes that arrived: counted by the sink, or else by the device or the sender's driver. */
static double delivered(const struct pw_cell *cell, const struct pw_cell_end *end)
{
	const struct pw_tx_counters *c = &end->source.counters;
	double sent = (double)c->payload_bytes;

	if (end->has_sink)
		return (double)end->sink.bytes;
	if (cell->wire->kind == PW_WIRE_NULL || cell->way->takes_device)
		return sent;
	return sent * fmin(1.0, ratio((double)pw_wire_between(&end->before, &end->after).packets,
					(double)c->packets));
}

/* What failed, and the last line that the process wrote. */
static void say(struct pw_sample *s, const struct pw_err *why, const char *words)
{
	struct pw_err both;

	pw_err_set(&both, why->code, "%s%s%s", why->msg, words[0] ? " | " : "", words);
	memcpy(s->void_why, both.msg, sizeof(s->void_why));
}

static void judge(const struct pw_cell *cell, const struct pw_cell_end *end, double arrived,
	struct pw_sample *s)
{
	const struct pw_source_end *src = &end->source;
	const struct pw_sink_end *snk = &end->sink;
	const char *words = end->last_words;

	/* a cause comes before what the bench did about it */
	if (snk->result && (!src->result || src->err.code == ETIMEDOUT))
		say(s, &snk->err, words);
	else if (src->result)
		say(s, &src->err, words);
	else if (snk->wrong)
		snprintf(s->void_why, sizeof(s->void_why),
			"the bytes that arrived are not the file's");
	else if (cell->file_bytes && arrived <= 0)
		snprintf(s->void_why, sizeof(s->void_why), "nothing arrived");
	else if (end->has_sink && pw_bench_way_is_stream(cell->way) &&
		 snk->bytes != cell->file_bytes * cell->passes)
		snprintf(s->void_why, sizeof(s->void_why),
			"the stream brought %" PRIu64 " bytes of %" PRIu64, snk->bytes,
			cell->file_bytes * cell->passes);
}

static void fill_costs(const struct pw_source_end *src, double mb, double packets, double *v)
{
	const struct pw_reading *r = &src->reading;
	double cycles = (double)(src->busy_cycles + src->stall_cycles + src->pace_cycles);

	v[PW_M_CPU] = ratio((double)r->cpu_ns, mb);
	v[PW_M_CPU_USER] = ratio((double)r->user_ns, mb);
	v[PW_M_CPU_SYSTEM] = ratio((double)r->system_ns, mb);
	v[PW_M_MACHINE] = ratio((double)r->machine_ns, mb);
	v[PW_M_SOFTIRQ] = ratio((double)r->machine_softirq_ns, mb);
	v[PW_M_SYSCALLS] = measured(r->syscalls, mb);
	v[PW_M_USER_FAULTS] = measured(r->user_faults, mb);
	v[PW_M_KERNEL_FAULTS] = measured(r->kernel_faults, mb);
	v[PW_M_SWITCHES] = 2 * (v[PW_M_SYSCALLS] + v[PW_M_USER_FAULTS]);
	v[PW_M_VOLUNTARY] = ratio((double)r->voluntary, mb);
	v[PW_M_INVOLUNTARY] = ratio((double)r->involuntary, mb);
	v[PW_M_HW_CYCLES] = measured(r->cycles, mb);
	v[PW_M_INSTRUCTIONS] = measured(r->instructions, mb);
	v[PW_M_LLC_MISSES] = measured(r->llc_misses, mb);
	if (!src->poller)
		return;
	v[PW_M_BUSY_CYCLES] = ratio((double)src->busy_cycles, packets);
	v[PW_M_IDLE_SHARE] = ratio((double)(src->stall_cycles + src->pace_cycles), cycles);
}

/* The page-in's copy is the set-up's, but no less a copy of every byte, however often it then goes. */
static void fill_copies(
	const struct pw_cell *cell, const struct pw_source_end *src, double sent, double *v)
{
	const struct pw_tx_counters *c = &src->counters;

	v[PW_M_OWN_COPIES] = ratio((double)c->cpu_copied_bytes, sent) + src->page_in_copies;
	if (!cell->way->unseen_copy)
		v[PW_M_COPIES] = measured(src->reading.copied_bytes, sent) + v[PW_M_OWN_COPIES];
	v[PW_M_ZC_COPIED] = ratio((double)c->zc_copied, (double)c->zc_done);
}

void pw_cell_sample(const struct pw_cell *cell, const struct pw_cell_end *end, struct pw_sample *s)
{
	const struct pw_source_end *src = &end->source;
	const struct pw_tx_counters *c = &src->counters;
	double sent = (double)c->payload_bytes, arrived = delivered(cell, end), ns;
	uint64_t last = pw_max_u64(end->sink.last_ns, src->start_ns);
	bool stream = pw_bench_way_is_stream(cell->way);
	size_t i;

	for (i = 0; i < PW_N_METRICS; i++)
		s->v[i] = NAN;
	s->void_why[0] = 0;
	s->evidence = cell->meter != PW_METER_TIMING;
	s->proof = end->has_sink                                                 ? end->sink.proof
		   : cell->wire->kind == PW_WIRE_NULL || cell->way->takes_device ? PW_PROOF_NONE
										 : PW_PROOF_COUNTED;
	s->packets_sent = stream ? 0 : c->packets;
	if (s->proof == PW_PROOF_COUNTED)
		s->packets_counted = pw_wire_between(&end->before, &end->after).packets;
	judge(cell, end, arrived, s);
	if (s->void_why[0] || !src->start_ns)
		return;
	ns = (double)((end->has_sink && end->sink.bytes ? last : src->end_ns) - src->start_ns);
	s->v[PW_M_GOODPUT] = ratio(arrived * 8e9, ns);
	if (!stream)
		s->v[PW_M_PACKETS] =
			ratio((double)(end->has_sink ? end->sink.packets : c->packets) *
					(end->has_sink ? 1 : ratio(arrived, sent)) * 1e9,
				ns);
	if (!stream && cell->wire->kind != PW_WIRE_NULL && !cell->way->takes_device)
		s->v[PW_M_LOSS] = fmax(0, 1 - ratio(arrived, sent));
	s->v[PW_M_SETUP] = (double)src->setup_ns * 1e-9;
	s->v[PW_M_SETUP_GOODPUT] = ratio(arrived * 8e9, ns + (double)src->setup_ns);
	fill_costs(src, sent * 1e-6, (double)c->packets, s->v);
	fill_copies(cell, src, sent, s->v);
}
