/* SPDX-License-Identifier: BSD-3-Clause */
/* Rounds of a profile, its claims, and the programs that it runs. */
#include <errno.h>
#include <math.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "bench/profile.h"
#include "bench/prog.h"

#define ROUNDS 5

struct counter {
	unsigned int n;
	int ret;
	double step;
};

static struct counter slow, fast, missing, broken;

/* The warm-up is call 1: round k brings k * step. */
static int count(void *arg, double *value, struct pw_err *err)
{
	struct counter *c = arg;

	*value = c->step * c->n++;
	return c->ret ? pw_err_set(err, -c->ret, "measure it: reason %d", -c->ret) : 0;
}

static int open_contest(struct pw_profile_run *run, struct pw_err *err)
{
	struct pw_contest *c = pw_profile_add(run, "laps", "seconds");

	(void)err;
	slow = (struct counter){.step = 3};
	fast = (struct counter){.step = 2};
	missing = (struct counter){.ret = -ENOENT};
	broken = (struct counter){.ret = -EIO};
	pw_contest_add(c, "slow", count, &slow);
	pw_contest_add(c, "fast", count, &fast);
	pw_contest_add(c, "missing", count, &missing);
	pw_contest_add(c, "broken", count, &broken);
	pw_contest_claim(c, 0, 1, true, 1.4);
	pw_contest_claim(c, 0, 1, false, 1.5);
	pw_contest_claim(c, 0, 2, true, 1);
	pw_contest_claim(c, 3, 1, true, 1);
	pw_contest_compare(c, 0, 1);
	return 0;
}

static const struct pw_profile laps = {
	.name = "laps", .summary = "no contender", .rounds = ROUNDS, .open = open_contest};

static void measure_laps(struct pw_profile_run *run)
{
	const struct pw_profile_options opt = {.seed = 1, .source_cpu = -1, .sink_cpu = -1};
	struct pw_err err = {0};

	assert_int_equal(pw_profile_measure(run, &laps, &opt, NULL, NULL, &err), 0);
}

static void the_warm_up_is_left_out_and_ratios_are_made_round_by_round(void **state)
{
	struct pw_profile_run run;
	const struct pw_contest *c;

	(void)state;
	measure_laps(&run);
	c = run.contests;
	assert_int_equal(run.rounds, ROUNDS);
	assert_int_equal(slow.n, ROUNDS + 1);
	assert_int_equal(c->contenders[0].sum.n, ROUNDS);
	assert_true(c->contenders[0].sum.median == 9 && c->contenders[1].sum.median == 6);
	assert_true(c->claims[0].ratio.median == 1.5 && c->claims[0].ratio.low == 1.5);
	pw_profile_close(&run);
}

static void what_is_lacking_is_skipped_and_what_fails_is_void(void **state)
{
	struct pw_profile_run run;
	const struct pw_contender *who;
	bool sure;

	(void)state;
	measure_laps(&run);
	who = run.contests[0].contenders;
	assert_int_equal(missing.n, 1);
	assert_string_equal(who[2].skipped, "measure it: reason 2");
	assert_int_equal(broken.n, ROUNDS + 1);
	assert_string_equal(who[3].void_why, "measure it: reason 5");
	assert_int_equal(who[3].sum.n, 0);
	assert_true(pw_profile_any_void(&run));
	assert_int_equal(pw_claim_judge(&run.contests[0].claims[2], &sure), PW_CLAIM_OPEN);
	assert_int_equal(pw_claim_judge(&run.contests[0].claims[3], &sure), PW_CLAIM_OPEN);
	pw_profile_close(&run);
}

static void claims_are_judged_by_the_median_and_sure_by_the_interval(void **state)
{
	static const struct {
		bool at_most;
		double low, median, high, bound;
		enum pw_verdict verdict;
		bool sure;
	} cases[] = {
		{true, 0.8, 0.9, 1.0, 1.0, PW_CLAIM_REACHED, true},
		{true, 0.8, 0.9, 1.1, 1.0, PW_CLAIM_REACHED, false},
		{true, 0.9, 1.1, 1.2, 1.0, PW_CLAIM_MISSED, false},
		{true, 1.1, 1.2, 1.3, 1.0, PW_CLAIM_MISSED, true},
		{false, 15, 16, 17, 15, PW_CLAIM_REACHED, true},
		{false, 14, 16, 17, 15, PW_CLAIM_REACHED, false},
		{false, 13, 14, 16, 15, PW_CLAIM_MISSED, false},
		{false, 12, 13, 14, 15, PW_CLAIM_MISSED, true},
	};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const struct pw_claim claim = {.bound = cases[i].bound,
			.at_most = cases[i].at_most,
			.ratio = {.low = cases[i].low,
				.median = cases[i].median,
				.high = cases[i].high,
				.n = 5}};
		bool sure;

		assert_int_equal(pw_claim_judge(&claim, &sure), cases[i].verdict);
		assert_int_equal(sure, cases[i].sure);
	}
}

static void text_and_json_say_every_verdict(void **state)
{
	struct pw_profile_run run;
	char *text = NULL;
	size_t len;
	FILE *out = open_memstream(&text, &len);
	json_t *doc, *claims;

	(void)state;
	measure_laps(&run);
	pw_profile_print(out, &run);
	fclose(out);
	assert_non_null(strstr(text, "asked for: at most 1.400: NOT REACHED"));
	assert_non_null(strstr(text, "asked for: at least 1.500: reached"));
	assert_non_null(strstr(text, "skipped: measure it: reason 2"));
	assert_non_null(strstr(text, "VOID: measure it: reason 5"));
	doc = pw_profile_json(&run);
	claims = json_object_get(json_array_get(json_object_get(doc, "contests"), 0), "claims");
	assert_true(json_is_false(json_object_get(json_array_get(claims, 0), "reached")));
	assert_true(json_is_true(json_object_get(json_array_get(claims, 1), "reached")));
	assert_true(json_is_null(json_object_get(json_array_get(claims, 2), "reached")));
	assert_true(json_is_null(json_object_get(json_array_get(claims, 4), "reached")));
	assert_null(json_object_get(json_array_get(claims, 4), "at_least"));
	assert_non_null(json_object_get(json_array_get(claims, 4), "ratio"));
	json_decref(doc);
	free(text);
	pw_profile_close(&run);
}

static void a_program_is_run_and_what_it_said_kept(void **state)
{
	const char *const argv[] = {"sh", "-c", "echo ready; read x; echo got $x; exit $x", NULL};
	struct pw_prog p;
	struct pw_err err = {0};

	(void)state;
	assert_int_equal(pw_prog_start(&p, argv, -1, NULL, &err), 0);
	assert_int_equal(pw_prog_until(&p, "ready", 10 * PW_NS_PER_S, &err), 0);
	assert_int_equal(pw_prog_say(&p, "0\n", &err), 0);
	assert_int_equal(pw_prog_wait(&p, 10 * PW_NS_PER_S, &err), 0);
	assert_string_equal(p.out.s, "ready\ngot 0\n");
	assert_true(p.end_ns > p.start_ns && p.usage.ru_maxrss > 0);
	pw_prog_drop(&p);
	assert_int_equal(pw_prog_start(&p, argv, -1, NULL, &err), 0);
	assert_int_equal(pw_prog_say(&p, "7\n", &err), 0);
	assert_int_equal(pw_prog_wait(&p, 10 * PW_NS_PER_S, &err), -EIO);
	assert_string_equal(err.msg, "cannot run sh: exit code 7: got 7");
	pw_prog_drop(&p);
}

static void numbers_are_found_in_what_a_program_printed(void **state)
{
	const char *const argv[] = {
		"echo", "{\"end\": {\"sum\": {\"lost\": 2.5}}, \"name\": \"x\", \"n\": 7}", NULL};
	struct pw_prog p = {0};

	(void)state;
	assert_true(isnan(pw_prog_number(&p, "n")));
	assert_int_equal(pw_prog_run(&p, argv, -1, 10 * PW_NS_PER_S, NULL, NULL), 0);
	assert_true(pw_prog_number(&p, "end.sum.lost") == 2.5);
	assert_true(pw_prog_number(&p, "n") == 7.0);
	assert_true(isnan(pw_prog_number(&p, "name")));
	assert_true(isnan(pw_prog_number(&p, "end.sum.jitter")));
	assert_true(isnan(pw_prog_number(&p, "n.sum")));
	pw_prog_drop(&p);
}

static bool always(void)
{
	return true;
}

static void a_program_is_bounded_in_time_and_leaves_nothing(void **state)
{
	const char *const deaf[] = {"sh", "-c", "trap '' INT; echo deaf; sleep 1000", NULL};
	const char *const none[] = {"no-such-program-anywhere", NULL};
	const char *const early[] = {"sh", "-c", "echo bye >&2", NULL};
	struct pw_prog p;
	struct pw_err err = {0};
	pid_t pid;

	(void)state;
	assert_int_equal(pw_prog_start(&p, none, -1, NULL, &err), -ENOENT);
	pw_prog_drop(&p);
	assert_int_equal(pw_prog_start(&p, early, -1, NULL, &err), 0);
	assert_int_equal(pw_prog_until(&p, "ready", 10 * PW_NS_PER_S, &err), -ECHILD);
	assert_non_null(strstr(err.msg, "bye"));
	pw_prog_drop(&p);
	assert_int_equal(pw_prog_start(&p, deaf, -1, NULL, &err), 0);
	assert_int_equal(pw_prog_until(&p, "deaf", 10 * PW_NS_PER_S, &err), 0);
	assert_int_equal(pw_prog_wait(&p, 1, &err), -ETIMEDOUT);
	p.stopped = always;
	assert_int_equal(pw_prog_wait(&p, 10 * PW_NS_PER_S, &err), -ECANCELED);
	pid = p.pid;
	pw_prog_drop(&p);
	assert_int_equal(kill(pid, 0), -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_warm_up_is_left_out_and_ratios_are_made_round_by_round),
		cmocka_unit_test(what_is_lacking_is_skipped_and_what_fails_is_void),
		cmocka_unit_test(claims_are_judged_by_the_median_and_sure_by_the_interval),
		cmocka_unit_test(text_and_json_say_every_verdict),
		cmocka_unit_test(a_program_is_run_and_what_it_said_kept),
		cmocka_unit_test(numbers_are_found_in_what_a_program_printed),
		cmocka_unit_test(a_program_is_bounded_in_time_and_leaves_nothing),
	};

	return cmocka_run_group_tests_name("bench_profile", tests, NULL, NULL);
}
