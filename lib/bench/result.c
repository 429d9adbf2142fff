/* SPDX-License-Identifier: BSD-3-Clause */
/* Summarizes the samples of a benchmark: medians, intervals, ratios to the baseline. */
#include "bench/result.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

const char *pw_proof_name(enum pw_proof p)
{
	static const char *const names[] = {
		[PW_PROOF_NONE] = "none",
		[PW_PROOF_DIGEST] = "digest",
		[PW_PROOF_COMPARED] = "compared",
		[PW_PROOF_COUNTED] = "counted",
	};

	return names[p];
}

static bool is_valid(const struct pw_sample *s)
{
	return s->round > 0 && !s->void_why[0];
}

/* A sample's number for metric m, NaN where it has none to give. */
static double value_of(const struct pw_sample *s, enum pw_metric m)
{
	return is_valid(s) && s->evidence == pw_metric_is_evidence(m) ? s->v[m] : NAN;
}

static const struct pw_row *find_baseline(const struct pw_bench_result *r, const struct pw_row *row)
{
	size_t i;

	for (i = 0; r->baseline && i < r->n_rows; i++) {
		const struct pw_row *b = &r->rows[i];

		if (b->wire == row->wire && b->file_bytes == row->file_bytes &&
			b->mtu == row->mtu && b->cold == row->cold &&
			strcmp(b->label, r->baseline) == 0)
			return b;
	}
	return NULL;
}

static double goodput_in_round(const struct pw_row *row, uint32_t round)
{
	size_t i;

	for (i = 0; i < row->n_samples; i++)
		if (row->samples[i].round == round && !row->samples[i].evidence)
			return value_of(&row->samples[i], PW_M_GOODPUT);
	return NAN;
}

/* a, b: room for the row's samples each. */
static void summarize_row(const struct pw_bench_result *r, struct pw_row *row, double *a, double *b)
{
	const struct pw_row *base = find_baseline(r, row);
	size_t i, m, n = row->n_samples;

	for (m = 0; m < PW_N_METRICS; m++) {
		for (i = 0; i < n; i++)
			a[i] = value_of(&row->samples[i], (enum pw_metric)m);
		pw_summarize(&row->sum[m], a, n, r->seed);
	}
	for (i = 0; i < n; i++) {
		a[i] = value_of(&row->samples[i], PW_M_GOODPUT);
		b[i] = base ? goodput_in_round(base, row->samples[i].round) : NAN;
	}
	pw_summarize_ratio(&row->ratio, a, b, n, r->seed);
}

void pw_result_summarize(struct pw_bench_result *r)
{
	size_t i, most = 1;
	double *room;

	for (i = 0; i < r->n_rows; i++)
		if (r->rows[i].n_samples > most)
			most = r->rows[i].n_samples;
	room = malloc(2 * most * sizeof(*room));
	for (i = 0; i < r->n_rows; i++) {
		if (!room) /* then there are no numbers, rather than none at all */
			r->rows[i].n_samples = 0;
		summarize_row(r, &r->rows[i], room, room ? room + most : NULL);
	}
	free(room);
}

void pw_result_finish(struct pw_bench_result *r)
{
	size_t i;

	for (i = 0; i < r->n_rows; i++)
		free(r->rows[i].samples);
	free(r->rows);
	r->rows = NULL;
	r->n_rows = 0;
}
