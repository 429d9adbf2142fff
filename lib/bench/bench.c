/* SPDX-License-Identifier: BSD-3-Clause */
/* Runs the rounds of a bench: warm-up, timed rounds in random order, evidence runs, summaries. */
#include "bench/bench.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "bench/bench_private.h"
#include "bench/envnic.h"
#include "bench/rebind.h"

#define WARM_UP_BYTES   (4ull << 20) /* of small files, in the warm-up: enough to measure a speed */
#define WARM_UP_PASSES  256
#define EVIDENCE_BYTES  (8ull << 20)
#define EVIDENCE_PASSES 4096
#define EVIDENCE_RUNS   2
#define PASSES_MAX      1000000
#define KERNEL_CELL_NS  (PW_NS_PER_S / 3) /* beside the stretch: processes, digest, quiet time */
#define DRAIN_NS        PW_NS_PER_S
#define DRAIN_STEP      (5 * 1000 * 1000)
#define REBIND_NS       (2 * PW_NS_PER_S)
#define BYPASS_CELL_NS  (PW_NS_PER_S * 5 / 4) /* EAL starts twice */

static struct pw_sample *new_sample(struct pw_row *row, struct pw_err *err)
{
	struct pw_sample *s = realloc(row->samples, (row->n_samples + 1) * sizeof(*s));

	if (!s) {
		pw_err_set(err, ENOMEM, "cannot keep a sample: out of memory");
		return NULL;
	}
	row->samples = s;
	s += row->n_samples++;
	memset(s, 0, sizeof(*s));
	return s;
}

/* How often the file has to go to fill the stretch, by what the warm-up took. */
static uint64_t passes_for(
	const struct pw_bench *b, const struct pw_cell *cell, const struct pw_cell_end *end)
{
	double took = (double)(end->source.end_ns - end->source.start_ns);
	double n = (double)cell->passes * (double)b->opt.stretch_ns / fmax(took, 1000);

	if (!cell->file_bytes || !end->source.start_ns)
		return 1;
	return (uint64_t)fmin(fmax(ceil(n), 1), PASSES_MAX);
}

static void note_why(struct pw_bench *b, size_t row, const struct pw_source_end *src)
{
	static const enum pw_metric of[PW_METER_N_SOURCES][6] = {
		[PW_METER_SYSCALLS] = {PW_M_SYSCALLS, PW_M_SWITCHES, PW_N_METRICS},
		[PW_METER_FAULTS] = {PW_M_USER_FAULTS, PW_M_KERNEL_FAULTS, PW_M_SWITCHES,
			PW_N_METRICS},
		[PW_METER_HARDWARE] = {PW_M_HW_CYCLES, PW_M_INSTRUCTIONS, PW_M_LLC_MISSES,
			PW_N_METRICS},
		[PW_METER_COPIES] = {PW_M_COPIES, PW_N_METRICS},
	};
	int i, k;

	for (i = 0; i < PW_METER_N_SOURCES; i++) {
		if (!src->why[i][0])
			continue;
		memcpy(b->why[i], src->why[i], sizeof(b->why[i]));
		for (k = 0; of[i][k] != PW_N_METRICS; k++)
			b->result.rows[row].not_measured[of[i][k]] = b->why[i];
	}
}

/* Enough to measure a speed, or calls per MB; the file's size decides, not the way. */
static uint64_t few_passes(const struct pw_bench_cell *c, bool evidence)
{
	uint64_t bytes = evidence ? EVIDENCE_BYTES : WARM_UP_BYTES;
	uint64_t most = evidence ? EVIDENCE_PASSES : WARM_UP_PASSES;

	if (c->cold || !c->cell.file_bytes)
		return 1;
	return pw_max_u64(1, pw_min_u64(most, bytes / c->cell.file_bytes));
}

static bool is_lacking(const struct pw_cell_end *end)
{
	return (end->source.result && end->source.lacking) ||
	       (end->sink.result && end->sink.lacking);
}

/* What the device has not sent yet is lost when it goes. Some drivers count late, and for good only with
 * the next frame: then this waits as long as a receiver that is not scheduled may take. */
static void drain_device(const struct pw_wire *wire)
{
	const struct timespec pause = {.tv_nsec = DRAIN_STEP};
	uint64_t since = pw_clock_ns(), last = 0;
	struct pw_wire_count c;

	while (pw_wire_count(wire, &c, NULL) == 0 && c.packets < c.queue_packets) {
		if (c.packets != last)
			since = pw_clock_ns();
		else if (pw_clock_ns() - since > DRAIN_NS)
			break;
		last = c.packets;
		nanosleep(&pause, NULL);
	}
}

/* On the NIC itself: the kernel gives it away for as long as the cell takes. What it would not give is
 * not measured; what does not come back as it was ends the bench. */
static int run_on_device(struct pw_cell *cell, struct pw_cell_end *end, struct pw_err *err)
{
	struct pw_err lost = {0};
	struct pw_rebind rb;
	int r, back;

	memset(end, 0, sizeof(*end));
	if (cell->stopped && cell->stopped())
		return pw_err_set(err, ECANCELED, "interrupted");
	drain_device(cell->wire);
	cell->stopped = pw_rebind_interrupted;
	end->source.result = pw_rebind_take(&rb, cell->wire->source_if, &end->source.err);
	end->source.lacking = end->source.result != 0;
	r = end->source.result ? 0 : pw_cell_run(cell, end, err);
	back = pw_rebind_give_back(&rb, &lost);
	if (!back)
		return r;
	*err = lost;
	return back;
}

static int run_cell(struct pw_cell *cell, struct pw_cell_end *end, struct pw_err *err)
{
	if (cell->way->takes_device && !cell->wire->bifurcated)
		return run_on_device(cell, end, err);
	return pw_cell_run(cell, end, err);
}

static int measure(
	struct pw_bench *b, size_t i, uint32_t round, unsigned int meter, struct pw_err *err)
{
	struct pw_bench_cell *c = &b->cells[i];
	struct pw_row *row = &b->result.rows[i];
	struct pw_cell cell = c->cell;
	const bool evidence = meter != PW_METER_TIMING;
	struct pw_cell_end end;
	struct pw_sample *s;
	int r = 0;

	cell.meter = meter;
	if (c->cold || round == 0 || evidence)
		cell.passes = few_passes(c, evidence);
	if (c->cold)
		r = pw_store_drop(cell.file, err);
	if (r == 0)
		r = run_cell(&cell, &end, err);
	if (r)
		return r;
	/* what ran in the warm-up has all that it needs: that breaks, and is void */
	if (row->n_samples)
		end.source.lacking = end.sink.lacking = false;
	note_why(b, i, &end.source);
	if (is_lacking(&end)) {
		snprintf(row->skipped, sizeof(row->skipped), "%s",
			end.sink.result && end.sink.lacking ? end.sink.err.msg
							    : end.source.err.msg);
		return 0;
	}
	s = new_sample(row, err);
	if (!s)
		return -ENOMEM;
	pw_cell_sample(&cell, &end, s);
	s->round = round;
	if (round == 0 && !evidence)
		c->cell.passes = c->cold ? 1 : passes_for(b, &cell, &end);
	return 0;
}

static void tell(const struct pw_bench *b, uint64_t done, uint64_t total, size_t row)
{
	char what[96];

	if (!b->tick)
		return;
	snprintf(what, sizeof(what), "%s on %s", b->result.rows[row].label,
		pw_wire_name(b->result.rows[row].wire));
	b->tick(b->tick_ctx, done, total, what);
}

static int run_round(struct pw_bench *b, uint32_t round, struct pw_random *random, size_t *order,
	uint64_t *done, uint64_t total, struct pw_err *err)
{
	size_t i;
	int r = 0;

	pw_random_shuffle(random, order, b->result.n_rows);
	for (i = 0; r == 0 && i < b->result.n_rows; i++, (*done)++) {
		tell(b, *done, total, order[i]);
		if (!b->result.rows[order[i]].skipped[0])
			r = measure(b, order[i], round, PW_METER_TIMING, err);
	}
	return r;
}

/* A run of each row that counts its calls, then one that counts its copies, until BPF has said that it
 * cannot work here. */
static int run_evidence(struct pw_bench *b, uint64_t *done, uint64_t total, struct pw_err *err)
{
	static const unsigned int meters[EVIDENCE_RUNS] = {PW_METER_CALLS, 1u << PW_METER_COPIES};
	const size_t n = b->result.n_rows;
	uint32_t k;
	size_t i;
	int r = 0;

	for (i = 0; r == 0 && i < EVIDENCE_RUNS * n; i++, (*done)++) {
		k = (uint32_t)(i / n);
		tell(b, *done, total, i % n);
		if (b->result.rows[i % n].skipped[0] || (k && b->why[PW_METER_COPIES][0]))
			continue;
		r = measure(b, i % n, (uint32_t)b->opt.rounds + 1 + k, meters[k], err);
	}
	for (i = 0; i < n; i++) {
		if (b->why[PW_METER_COPIES][0])
			b->result.rows[i].not_measured[PW_M_COPIES] = b->why[PW_METER_COPIES];
		if (b->cells[i].cell.way->unseen_copy)
			b->result.rows[i].not_measured[PW_M_COPIES] =
				"the driver's rte_memcpy is inlined: no probe sees it";
	}
	return r;
}

static void leave_out(struct pw_row *row)
{
	int m;

	for (m = 0; m < PW_N_METRICS; m++)
		if (pw_metric_is_evidence((enum pw_metric)m))
			row->not_measured[m] = "left out (--no-evidence)";
}

int pw_bench_run(struct pw_bench *b, struct pw_err *err)
{
	const size_t n = b->result.n_rows;
	const uint64_t start = pw_clock_ns();
	const uint64_t total = n * (b->opt.rounds + 1 + (b->opt.no_evidence ? 0 : EVIDENCE_RUNS));
	size_t *order = malloc((n + 1) * sizeof(*order));
	struct pw_random random;
	uint64_t done = 0;
	uint32_t round;
	size_t i;
	int r = 0;

	if (!order)
		return pw_err_set(err, ENOMEM, "cannot run the bench: out of memory");
	for (i = 0; i < n; i++)
		order[i] = i;
	pw_random_init(&random, b->opt.seed);
	for (round = 0; r == 0 && round <= b->opt.rounds; round++) {
		r = run_round(b, round, &random, order, &done, total, err);
		b->result.rounds = r ? b->result.rounds : round;
	}
	if (r == 0 && !b->opt.no_evidence)
		r = run_evidence(b, &done, total, err);
	for (i = 0; b->opt.no_evidence && i < n; i++)
		leave_out(&b->result.rows[i]);
	free(order);
	b->result.seconds = (double)(pw_clock_ns() - start) * 1e-9;
	pw_result_summarize(&b->result);
	return r;
}

void pw_bench_set_tick(struct pw_bench *b,
	void (*tick)(void *ctx, uint64_t done, uint64_t total, const char *what), void *ctx)
{
	b->tick = tick;
	b->tick_ctx = ctx;
}

uint64_t pw_bench_estimate_ns(const struct pw_bench *b)
{
	uint64_t ns = 0;
	size_t i;

	for (i = 0; i < b->result.n_rows; i++)
		if (!b->result.rows[i].skipped[0])
			ns += b->opt.stretch_ns +
			      (b->result.rows[i].bypass ? BYPASS_CELL_NS : KERNEL_CELL_NS) +
			      (b->cells[i].cell.way->takes_device ? REBIND_NS : 0) +
			      (b->result.rows[i].file_bytes >> 20) * (PW_NS_PER_S >> 11);
	return ns * (b->opt.rounds + 1 + (b->opt.no_evidence ? 0 : EVIDENCE_RUNS));
}

static void record_taps(struct pw_bench *b)
{
	char who[96];
	size_t i;

	for (i = 0; i < b->n_wires; i++)
		if (b->wires[i].text[0] && pw_wire_has_tap(&b->wires[i], who, sizeof(who)))
			pw_warn(b->opt.log,
				"%s: a packet tap hears every frame (%s) and makes the kernel copy "
				"it; end tcpdump, lldpd and the like",
				b->wires[i].text, who);
}

static void record_host(struct pw_bench *b)
{
	struct pw_env *env = &b->result.env;
	const char *nic = NULL;
	size_t i;

	for (i = 0; i < b->n_wires; i++)
		if (b->wires[i].kind == PW_WIRE_NIC)
			nic = b->wires[i].source_if;
	pw_env_read(env, "", pw_bypass_version());
	if (nic)
		pw_envnic_read(env, "", nic);
	pw_env_add(env, "sender_cpu", "%d", b->source_cpu);
	pw_env_add(env, "receiver_cpu", "%d", b->sink_cpu);
	pw_env_add(env, "file_on_hugetlbfs", "%s", b->store.huge ? "yes" : b->store.huge_why);
}

int pw_bench_create(
	struct pw_bench **out, const struct pw_bench_options *o, bool *usage, struct pw_err *err)
{
	struct pw_bench *b = calloc(1, sizeof(*b));
	int r;

	if (!b)
		return pw_err_set(err, ENOMEM, "cannot plan the bench: out of memory");
	b->opt = *o;
	r = pw_bench_plan(b, usage, err);
	if (r) {
		pw_bench_destroy(b);
		return r;
	}
	b->result.command = b->opt.command;
	b->result.profile = b->opt.profile;
	b->result.baseline = b->opt.baseline;
	b->result.seed = b->opt.seed;
	record_taps(b);
	record_host(b);
	*out = b;
	return 0;
}

const struct pw_bench_result *pw_bench_result(const struct pw_bench *b)
{
	return &b->result;
}

void pw_bench_destroy(struct pw_bench *b)
{
	size_t i;

	if (!b)
		return;
	for (i = 0; i < b->n_wires; i++)
		pw_wire_close(&b->wires[i]);
	pw_store_remove(&b->store);
	pw_result_finish(&b->result);
	free(b->cells);
	free(b);
}
