/* SPDX-License-Identifier: BSD-3-Clause */
/* Repair rounds of the sender's session: which symbols go again, and what the tables say meanwhile. */
#include "send_path.h"

/* A way back on which the receivers' answers are played from a script. */
struct script {
	struct pw_files *files;
	const struct pw_gap_file
		*gaps[8]; /* of round i, for file 0; the others have nothing missing */
	unsigned int n_rounds, round;
	unsigned int n_listens, n_waits;
	bool is_listening;
	unsigned int n_carousel; /* answers until it ends */
	uint64_t told_ns;
};

static struct pw_gap_file nothing;

static void listen_to(void *ctx)
{
	struct script *s = ctx;

	s->n_listens++;
	s->is_listening = true;
	s->n_waits = 0;
}

static enum pw_send_answer ask(void *ctx, bool is_carousel, uint64_t told_ns)
{
	struct script *s = ctx;
	size_t i;

	s->told_ns = told_ns;
	if (is_carousel)
		return --s->n_carousel ? PW_SEND_WAIT : PW_SEND_END;
	assert_true(s->is_listening);
	if (++s->n_waits < 3)
		return PW_SEND_WAIT;
	s->is_listening = false;
	if (s->round == s->n_rounds)
		return PW_SEND_END;
	for (i = 0; i < s->files->n; i++)
		s->files->v[i].gap = i ? &nothing : s->gaps[s->round];
	s->round++;
	return PW_SEND_ROUND;
}

static void set_way_back(struct pw_send_config *cfg, struct script *s)
{
	s->files = cfg->files;
	cfg->repair = (struct pw_send_repair){
		.url = "http://10.0.0.1:80/0123", .ask = ask, .listen = listen_to, .ctx = s};
}

static unsigned int count(const char *text, const char *what)
{
	unsigned int n = 0;

	while ((text = strstr(text, what))) {
		text++;
		n++;
	}
	return n;
}

/* name: 's' streamed, 'm' mapped */
static void check_rounds(const char *name)
{
	struct pw_range first[] = {{0, SYMBOL}, {10 * SYMBOL, 12 * SYMBOL}},
			second[] = {{10 * SYMBOL, 10 * SYMBOL + 1}};
	struct pw_gap_file gaps[] = {
		{.missing = first, .n_missing = 2}, {.missing = second, .n_missing = 1}};
	struct source sources[] = {source_make(1, name, 300001, SYMBOL, PW_DIGEST_XXH3_128),
		source_make(2, "m2", 5000, SYMBOL, PW_DIGEST_XXH3_128)};
	struct script script = {.gaps = {&gaps[0], &gaps[1]}, .n_rounds = 2};
	const uint64_t before_ns = pw_clock_ns();
	struct pw_files files = {0};
	struct pw_send_config cfg = config(&files);
	struct pw_send_result res;
	struct pw_err err = {0};

	paths[0] = (struct path){.sources = sources};
	add_file(&files, &sources[0], name);
	add_file(&files, &sources[1], "m2");
	cfg.open_window = open_mapped_or_streamed;
	cfg.digest_first_bytes = 100;
	set_way_back(&cfg, &script);
	assert_int_equal(run(&cfg, &res, &err), 0);
	assert_int_equal(paths[0].c.payload_bytes, 305001 + 4 * SYMBOL);
	assert_int_equal(res.repair_bytes, 4 * SYMBOL);
	assert_int_equal(res.rounds, 2);
	assert_int_equal(res.passes, 1);
	assert_int_equal(script.n_listens, 3);
	assert_in_range(script.told_ns, before_ns, pw_clock_ns());
	/* The address from the first table on; then a table of each round, and one that asks. */
	assert_true(count(paths[0].fdts, "pw:Repair=") == n_instances(paths[0].fdts));
	assert_true(count(paths[0].fdts, "pw:Ask=\"true\"") >= 9);
	assert_true(count(paths[0].fdts, "pw:Round=\"1\" pw:Ask=\"true\"") >= 3);
	assert_true(count(paths[0].fdts, "pw:Round=\"2\" pw:Ask=\"true\"") >= 3);
	assert_true(count(paths[0].fdts, "pw:Round=\"1\"><") >= 1);
	source_drop(&sources[0]);
	source_drop(&sources[1]);
	pw_files_finish(&files);
}

static void count_tables_before(void *ctx, bool starts)
{
	if (starts)
		*(unsigned int *)ctx = n_instances(paths[0].fdts);
}

/* A receiver that misses the table places nothing; with a way back the end need not wait for it. */
static void check_tables_before(bool has_way_back, uint64_t lead_ns, unsigned int want)
{
	struct source source = source_make(1, "m1", 300001, SYMBOL, PW_DIGEST_XXH3_128);
	struct script script = {.n_rounds = 0};
	struct pw_files files = {0};
	struct pw_send_config cfg = config(&files);
	struct pw_send_result res;
	struct pw_err err = {0};
	unsigned int n_before = 0;

	paths[0] = (struct path){.sources = &source};
	add_file(&files, &source, "m1");
	cfg.open_window = open_mapped_or_streamed;
	cfg.stretch = count_tables_before;
	cfg.stretch_ctx = &n_before;
	cfg.set.lead_ns = lead_ns;
	if (has_way_back)
		set_way_back(&cfg, &script);
	assert_int_equal(run(&cfg, &res, &err), 0);
	assert_int_equal(n_before, want);
	source_drop(&source);
	pw_files_finish(&files);
}

static void the_table_goes_three_times_before_the_first_symbol(void **state)
{
	(void)state;
	check_tables_before(true, 0, 3);
	check_tables_before(true, 3000000, 3);
	check_tables_before(false, 3000000, 3);
	check_tables_before(false, 0, 1);
}

static void each_round_sends_what_the_gaps_list(void **state)
{
	(void)state;
	check_rounds("m1");
	check_rounds("s1");
}

/* A stripe sends what it is asked for, also what others had to send; and it has the digests. */
static void a_stripe_repairs_what_is_of_other_stripes(void **state)
{
	enum { N = 3 * PW_STRIPE_RUN + 5 };
	struct pw_range all = {SYMBOL, (uint64_t)N * SYMBOL};
	struct pw_gap_file gaps[] = {{.missing = &all, .n_missing = 1}};
	struct source source =
		source_make(1, "m1", (uint64_t)N * SYMBOL, SYMBOL, PW_DIGEST_XXH3_128);
	struct script script = {.gaps = {&gaps[0]}, .n_rounds = 1};
	struct pw_files files = {0};
	struct pw_send_config cfg = config(&files);
	struct pw_send_result res;
	struct pw_err err = {0};
	char digest[PW_DIGEST_TEXT_MAX];

	(void)state;
	paths[0] = (struct path){.sources = &source};
	add_file(&files, &source, "m1");
	cfg.open_window = open_mapped_or_streamed;
	cfg.digest_first_bytes = 100;
	cfg.stripe = (struct pw_stripe){1, 4};
	set_way_back(&cfg, &script);
	assert_int_equal(run(&cfg, &res, &err), 0);
	assert_int_equal(res.repair_bytes, (uint64_t)(N - 1) * SYMBOL);
	assert_int_equal(paths[0].c.payload_bytes - res.repair_bytes, PW_STRIPE_RUN * SYMBOL);
	pw_digest_format(digest, sizeof(digest), &source.f.digest);
	assert_non_null(strstr(paths[0].fdts, digest));
	source_drop(&source);
	pw_files_finish(&files);
}

/* Three groups; only a file of the second one is missing, and one of the third. */
static void groups_without_gaps_are_passed_over(void **state)
{
	enum { N = 2 * PW_SEND_GROUP + 2 };
	static struct source sources[N];
	struct pw_range all = {0, 3};
	struct pw_gap_file gap = {.missing = &all, .n_missing = 1};
	struct script script = {.gaps = {&gap}, .n_rounds = 1};
	struct pw_files files = {0};
	struct pw_send_config cfg = config(&files);
	struct pw_send_result res;
	struct pw_err err = {0};
	unsigned int i, before;
	char name[16];

	(void)state;
	paths[0] = (struct path){.sources = sources};
	for (i = 0; i < N; i++) {
		snprintf(name, sizeof(name), "m%03u", i);
		sources[i] = source_make(i + 1, name, 3, SYMBOL, PW_DIGEST_XXH3_128);
		add_file(&files, &sources[i], name);
	}
	cfg.open_window = open_mapped_or_streamed;
	cfg.digest_first_bytes = PW_SEND_DIGEST_FIRST;
	set_way_back(&cfg, &script);
	assert_int_equal(run(&cfg, &res, &err), 0);
	assert_int_equal(res.repair_bytes, 3);
	before = count(paths[0].fdts, "pw:Round=\"1\"><File Content-Location=\"m000\"");
	assert_true(before >= 2); /* at its start and its end */
	assert_int_equal(count(paths[0].fdts, "pw:Round=\"1\"><File Content-Location=\"m064\""), 0);
	for (i = 0; i < N; i++)
		source_drop(&sources[i]);
	pw_files_finish(&files);
}

static void a_carousel_goes_on_until_the_receivers_have_all(void **state)
{
	struct source source = source_make(1, "m1", 5000, SYMBOL, PW_DIGEST_XXH3_128);
	struct script script = {.n_carousel = 4};
	struct pw_files files = {0};
	struct pw_send_config cfg = config(&files);
	struct pw_send_result res;
	struct pw_err err = {0};

	(void)state;
	paths[0] = (struct path){.sources = &source};
	add_file(&files, &source, "m1");
	cfg.open_window = open_mapped_or_streamed;
	cfg.set.loops = 0;
	set_way_back(&cfg, &script);
	assert_int_equal(run(&cfg, &res, &err), 0);
	assert_int_equal(res.passes, 4);
	assert_false(res.interrupted);
	assert_int_equal(script.n_listens, 0);
	assert_int_equal(count(paths[0].fdts, "pw:Ask"), 0);
	source_drop(&source);
	pw_files_finish(&files);
}

static void a_signal_ends_the_wait_for_receivers(void **state)
{
	struct source source = source_make(1, "m1", 5000, SYMBOL, PW_DIGEST_XXH3_128);
	struct script script = {.n_rounds = 0};
	struct pw_files files = {0};
	struct pw_send_config cfg = config(&files);
	struct pw_send_result res;
	struct pw_err err = {0};

	(void)state;
	paths[0] = (struct path){.sources = &source};
	add_file(&files, &source, "m1");
	cfg.open_window = open_mapped_or_streamed;
	set_way_back(&cfg, &script);
	cfg.stopped = stop_soon;
	asked = 0;
	assert_int_equal(run(&cfg, &res, &err), 0);
	assert_true(res.interrupted);
	source_drop(&source);
	pw_files_finish(&files);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_round_sends_what_the_gaps_list),
		cmocka_unit_test(a_stripe_repairs_what_is_of_other_stripes),
		cmocka_unit_test(the_table_goes_three_times_before_the_first_symbol),
		cmocka_unit_test(groups_without_gaps_are_passed_over),
		cmocka_unit_test(a_carousel_goes_on_until_the_receivers_have_all),
		cmocka_unit_test(a_signal_ends_the_wait_for_receivers),
	};

	int failed;

	dir_make(dir, sizeof(dir));
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	dir_drop(dir);
	return failed;
}
