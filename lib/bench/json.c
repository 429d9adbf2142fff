/* SPDX-License-Identifier: BSD-3-Clause */
/* Writes the result as JSON, with every sample, so that another lab can use its own statistics. */
#include <inttypes.h>

#include "bench/report.h"
#include "bench/text.h"
#include "bench/view.h"

static json_t *summary_json(const struct pw_summary *s, bool *failed)
{
	json_t *o = json_object();

	pw_json_put(o, "median", pw_json_number(s->median), failed);
	pw_json_put(o, "low", pw_json_number(s->low), failed);
	pw_json_put(o, "high", pw_json_number(s->high), failed);
	pw_json_put(o, "min", pw_json_number(s->min), failed);
	pw_json_put(o, "max", pw_json_number(s->max), failed);
	pw_json_put(o, "n", json_integer((json_int_t)s->n), failed);
	return o;
}

static json_t *sample_json(const struct pw_sample *s, bool *failed)
{
	json_t *o = json_object(), *values = json_object();
	size_t m;

	for (m = 0; m < PW_N_METRICS; m++)
		pw_json_put(values, pw_metrics[m].key, pw_json_number(s->v[m]), failed);
	pw_json_put(o, "round", json_integer(s->round), failed);
	pw_json_put(o, "evidence", json_boolean(s->evidence), failed);
	pw_json_put(o, "proof", json_string(pw_proof_name(s->proof)), failed);
	pw_json_put(o, "packets_sent", json_integer((json_int_t)s->packets_sent), failed);
	pw_json_put(o, "packets_counted",
		s->proof == PW_PROOF_COUNTED ? json_integer((json_int_t)s->packets_counted)
					     : json_null(),
		failed);
	pw_json_put(o, "void", pw_json_reason(s->void_why), failed);
	pw_json_put(o, "values", values, failed);
	return o;
}

static json_t *samples_json(const struct pw_row *row, bool *failed)
{
	json_t *list = json_array();
	size_t i;

	for (i = 0; i < row->n_samples; i++)
		*failed |= json_array_append_new(list, sample_json(&row->samples[i], failed)) != 0;
	return list;
}

static json_t *expected_json(const struct pw_expected *e, bool *failed)
{
	json_t *o = json_object();

	pw_json_put(o, "cpu_copies_per_byte", pw_json_number(e->cpu_copies), failed);
	pw_json_put(o, "dma_copies_per_byte", pw_json_number(e->dma_copies), failed);
	pw_json_put(o, "reason", pw_json_text(e->reason), failed);
	return o;
}

static void put_figures(json_t *o, const struct pw_row *row, bool *failed)
{
	json_t *summary = json_object(), *why = json_object();
	size_t m;

	for (m = 0; m < PW_N_METRICS; m++) {
		pw_json_put(summary, pw_metrics[m].key, summary_json(&row->sum[m], failed), failed);
		if (row->not_measured[m] && row->not_measured[m][0] && !row->sum[m].n)
			pw_json_put(
				why, pw_metrics[m].key, pw_json_text(row->not_measured[m]), failed);
	}
	pw_json_put(o, "summary", summary, failed);
	pw_json_put(o, "goodput_ratio", summary_json(&row->ratio, failed), failed);
	pw_json_put(o, "not_measured", why, failed);
	pw_json_put(o, "samples", samples_json(row, failed), failed);
}

static json_t *row_json(const struct pw_row *row, bool *failed)
{
	json_t *o = json_object();

	pw_json_put(o, "wire", json_string(pw_wire_name(row->wire)), failed);
	pw_json_put(o, "way", pw_json_text(row->way), failed);
	pw_json_put(o, "label", pw_json_text(row->label), failed);
	pw_json_put(o, "pages", pw_json_text(row->pages), failed);
	pw_json_put(o, "bypass", json_boolean(row->bypass), failed);
	pw_json_put(o, "stream", json_boolean(row->stream), failed);
	pw_json_put(o, "file_bytes", json_integer((json_int_t)row->file_bytes), failed);
	pw_json_put(o, "mtu", json_integer(row->mtu), failed);
	pw_json_put(o, "cold", json_boolean(row->cold), failed);
	pw_json_put(o, "skipped", pw_json_reason(row->skipped), failed);
	pw_json_put(o, "expected", expected_json(&row->expected, failed), failed);
	put_figures(o, row, failed);
	return o;
}

static json_t *env_json(const struct pw_env *env, bool *failed)
{
	json_t *o = json_object();
	size_t i;

	for (i = 0; i < env->n; i++)
		pw_json_put(o, env->items[i].key, pw_json_reason(env->items[i].value), failed);
	return o;
}

/* What each metric means, beside the figures. */
static json_t *metrics_json(bool *failed)
{
	static const char *const better[] = {NULL, "higher", "lower"};
	json_t *all = json_object(), *o;
	size_t m;

	for (m = 0; m < PW_N_METRICS; m++) {
		o = json_object();
		pw_json_put(o, "what", pw_json_text(pw_metrics[m].what), failed);
		pw_json_put(o, "better", pw_json_text(better[pw_metrics[m].better]), failed);
		pw_json_put(all, pw_metrics[m].key, o, failed);
	}
	return all;
}

static json_t *wires_json(const struct pw_bench_result *r, bool *failed)
{
	struct pw_group w = {0, 0};
	json_t *o = json_object();

	while (pw_group_next_wire(r, &w))
		pw_json_put(o, pw_wire_name(r->rows[w.first].wire),
			pw_json_text(pw_wire_caveat(r->rows[w.first].wire)), failed);
	return o;
}

json_t *pw_result_json(const struct pw_bench_result *r)
{
	json_t *doc = json_object(), *rows = json_array();
	bool failed = false;
	char seed[24];
	size_t i;

	/* 64 bits are more than a JSON number holds in most readers */
	snprintf(seed, sizeof(seed), "%" PRIu64, r->seed);
	for (i = 0; i < r->n_rows; i++)
		failed |= json_array_append_new(rows, row_json(&r->rows[i], &failed)) != 0;
	pw_json_put(doc, "schema", json_string("pagewire.bench/1"), &failed);
	pw_json_put(doc, "version", json_string(PW_VERSION), &failed);
	pw_json_put(doc, "command", pw_json_text(r->command), &failed);
	pw_json_put(doc, "profile", pw_json_text(r->profile), &failed);
	pw_json_put(doc, "baseline", pw_json_text(r->baseline), &failed);
	pw_json_put(doc, "rounds", json_integer(r->rounds), &failed);
	pw_json_put(doc, "seed", json_string(seed), &failed);
	pw_json_put(doc, "seconds", pw_json_number(r->seconds), &failed);
	pw_json_put(doc, "env", env_json(&r->env, &failed), &failed);
	pw_json_put(doc, "wires", wires_json(r, &failed), &failed);
	pw_json_put(doc, "metrics", metrics_json(&failed), &failed);
	pw_json_put(doc, "rows", rows, &failed);
	if (!failed)
		return doc;
	json_decref(doc);
	return NULL;
}
