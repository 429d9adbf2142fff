/* SPDX-License-Identifier: BSD-3-Clause */
/* Prints the results of a profile as text and as JSON. */
#include <math.h>
#include <string.h>

#include "bench/profile.h"
#include "bench/text.h"
#include "bench/view.h"

#define NAME_WIDTH 34

/* Four figures that count: 0.01234, 1.234, 12.34, 1234, 123456. */
static const char *number(char *buf, size_t len, double v)
{
	int before = v > 0 ? (int)floor(log10(v)) + 1 : 1;
	int digits = before >= 4 ? 0 : before > 0 ? 4 - before : 4;

	snprintf(buf, len, "%.*f", digits, v);
	return buf;
}

static void print_interval(FILE *out, const struct pw_summary *s)
{
	char median[32], low[32], high[32];

	fprintf(out, "%10s  (%s to %s)", number(median, sizeof(median), s->median),
		number(low, sizeof(low), s->low), number(high, sizeof(high), s->high));
}

static const char *verdict(const struct pw_claim *claim)
{
	bool sure;

	switch (pw_claim_judge(claim, &sure)) {
	case PW_CLAIM_REACHED:
		return sure ? "reached" : "reached by the median";
	case PW_CLAIM_MISSED:
		return sure ? "NOT REACHED" : "not reached by the median";
	case PW_CLAIM_OPEN:
		break;
	}
	return "not measured";
}

static void print_claim(FILE *out, const struct pw_contest *c, const struct pw_claim *claim)
{
	char bound[32];

	char what[2 * sizeof(c->contenders->name) + 4];

	snprintf(what, sizeof(what), "%s / %s", c->contenders[claim->a].name,
		c->contenders[claim->b].name);
	fprintf(out, "  %-*s", NAME_WIDTH, what);
	if (claim->ratio.n)
		print_interval(out, &claim->ratio);
	if (isnan(claim->bound)) {
		fputc('\n', out);
		return;
	}
	fprintf(out, "\n  %-*s  asked for: at %s %s: %s\n", NAME_WIDTH, "",
		claim->at_most ? "most" : "least", number(bound, sizeof(bound), claim->bound),
		verdict(claim));
}

static void print_contest(FILE *out, const struct pw_contest *c)
{
	unsigned int i;

	fprintf(out, "\n%s, %s\n", c->title, c->unit);
	for (i = 0; i < c->n_contenders; i++) {
		const struct pw_contender *who = &c->contenders[i];

		fprintf(out, "  %-*s", NAME_WIDTH, who->name);
		if (who->skipped[0])
			fprintf(out, "  skipped: %s", who->skipped);
		else if (who->sum.n)
			print_interval(out, &who->sum);
		if (who->void_why[0])
			fprintf(out, "  VOID: %s", who->void_why);
		fputc('\n', out);
	}
	for (i = 0; i < c->n_claims; i++)
		print_claim(out, c, &c->claims[i]);
	if (c->note[0])
		pw_view_wrap(out, "  ", 2, c->note);
}

static void print_hows(FILE *out, const struct pw_contest *c)
{
	char line[512];
	unsigned int i;

	for (i = 0; i < c->n_contenders; i++) {
		if (!c->contenders[i].how[0])
			continue;
		snprintf(line, sizeof(line), "%s: %s", c->contenders[i].name, c->contenders[i].how);
		pw_view_wrap(out, "  ", 2, line);
	}
}

static const char *known(const struct pw_env *env, const char *key)
{
	const char *v = pw_env_get(env, key);

	return v && *v ? v : "unknown";
}

void pw_profile_print(FILE *out, const struct pw_profile_run *run)
{
	const char *caveat = pw_env_caveat(&run->env);
	unsigned int i;

	fprintf(out, "%s: %s\n%u rounds, interleaved; median and 95 %% interval\n",
		run->profile->name, run->profile->summary, run->rounds);
	for (i = 0; i < run->n_contests; i++)
		print_contest(out, &run->contests[i]);
	fprintf(out, "\nmeasured by\n");
	for (i = 0; i < run->n_contests; i++)
		print_hows(out, &run->contests[i]);
	fprintf(out, "on %s, Linux %s, %s, %s\n", known(&run->env, "cpu_model"),
		known(&run->env, "kernel"), known(&run->env, "dpdk"), known(&run->env, "date"));
	if (caveat)
		fprintf(out, "%s\n", caveat);
}

static json_t *summary_json(const struct pw_summary *s, bool *failed)
{
	json_t *o = json_object();

	pw_json_put(o, "median", pw_json_number(s->median), failed);
	pw_json_put(o, "low", pw_json_number(s->low), failed);
	pw_json_put(o, "high", pw_json_number(s->high), failed);
	pw_json_put(o, "n", json_integer((json_int_t)s->n), failed);
	return o;
}

static json_t *contender_json(const struct pw_contender *who, unsigned int rounds, bool *failed)
{
	json_t *o = json_object(), *values = json_array();
	unsigned int i;

	for (i = 0; i < rounds; i++)
		*failed |= json_array_append_new(values, pw_json_number(who->values[i])) != 0;
	pw_json_put(o, "name", pw_json_text(who->name), failed);
	pw_json_put(o, "how", pw_json_reason(who->how), failed);
	pw_json_put(o, "skipped", pw_json_reason(who->skipped), failed);
	pw_json_put(o, "void", pw_json_reason(who->void_why), failed);
	pw_json_put(o, "values", values, failed);
	pw_json_put(o, "summary", summary_json(&who->sum, failed), failed);
	return o;
}

static json_t *claim_json(const struct pw_contest *c, const struct pw_claim *claim, bool *failed)
{
	json_t *o = json_object();
	bool sure;
	enum pw_verdict v = pw_claim_judge(claim, &sure);

	pw_json_put(o, "a", pw_json_text(c->contenders[claim->a].name), failed);
	pw_json_put(o, "b", pw_json_text(c->contenders[claim->b].name), failed);
	if (!isnan(claim->bound))
		pw_json_put(o, claim->at_most ? "at_most" : "at_least",
			pw_json_number(claim->bound), failed);
	pw_json_put(o, "ratio", summary_json(&claim->ratio, failed), failed);
	pw_json_put(o, "reached",
		v == PW_CLAIM_OPEN ? json_null() : json_boolean(v == PW_CLAIM_REACHED), failed);
	pw_json_put(o, "sure", json_boolean(sure), failed);
	return o;
}

static json_t *contest_json(const struct pw_contest *c, unsigned int rounds, bool *failed)
{
	json_t *o = json_object(), *who = json_array(), *claims = json_array();
	unsigned int i;

	for (i = 0; i < c->n_contenders; i++)
		*failed |= json_array_append_new(
				   who, contender_json(&c->contenders[i], rounds, failed)) != 0;
	for (i = 0; i < c->n_claims; i++)
		*failed |= json_array_append_new(claims, claim_json(c, &c->claims[i], failed)) != 0;
	pw_json_put(o, "title", pw_json_text(c->title), failed);
	pw_json_put(o, "unit", pw_json_text(c->unit), failed);
	pw_json_put(o, "note", pw_json_reason(c->note), failed);
	pw_json_put(o, "contenders", who, failed);
	pw_json_put(o, "claims", claims, failed);
	return o;
}

json_t *pw_profile_json(const struct pw_profile_run *run)
{
	json_t *o = json_object(), *env = json_object(), *contests = json_array();
	bool failed = false;
	size_t i;

	for (i = 0; i < run->env.n; i++)
		pw_json_put(
			env, run->env.items[i].key, pw_json_text(run->env.items[i].value), &failed);
	for (i = 0; i < run->n_contests; i++)
		failed |= json_array_append_new(contests,
				  contest_json(&run->contests[i], run->rounds, &failed)) != 0;
	pw_json_put(o, "schema", json_string("pagewire.profile/1"), &failed);
	pw_json_put(o, "profile", pw_json_text(run->profile->name), &failed);
	pw_json_put(o, "rounds", json_integer(run->rounds), &failed);
	pw_json_put(o, "seed", json_integer((json_int_t)run->opt.seed), &failed);
	pw_json_put(o, "env", env, &failed);
	pw_json_put(o, "contests", contests, &failed);
	if (!failed)
		return o;
	json_decref(o);
	return NULL;
}
