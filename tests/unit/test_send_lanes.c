/* SPDX-License-Identifier: BSD-3-Clause */
/* The sender's lanes and its reader when one has to wait for another: slow, full and lazy paths, failures. */
#include "send_path.h"

/* Files of one packet each: the path keeps more packets than the ring has slots. */
static void a_path_that_frees_lazily_gets_packets_that_make_it_free(void **state)
{
	enum { N = PW_SEND_GROUP + 2 }; /* the last group is empty */
	static struct source sources[N];
	struct pw_files files = {0};
	struct pw_send_config cfg = config(&files);
	struct pw_send_result res;
	struct pw_err err = {0};
	unsigned int i;

	(void)state;
	paths[0] = (struct path){.sources = sources};
	for (i = 0; i < N; i++) {
		char name[16];

		snprintf(name, sizeof(name), "tiny%u", i);
		sources[i] = source_make(i + 1, name, i < 30 ? 100 : 0, SYMBOL, PW_DIGEST_XXH3_128);
		add_file(&files, &sources[i], name);
	}
	assert_int_equal(run(&cfg, &res, &err), 0);
	assert_int_equal(paths[0].c.payload_bytes, files.total_bytes);
	for (i = 0; i < N; i++)
		source_drop(&sources[i]);
	pw_files_finish(&files);
}

/* The reader fills the ring in the lead, and then waits for a slot longer than a stuck port may take. */
static void a_long_lead_and_a_low_rate_are_no_stuck_port(void **state)
{
	struct source s = source_make(1, "slow.img", 12 * 64 * SYMBOL, SYMBOL, PW_DIGEST_NONE);
	struct pw_files files = {0};
	struct pw_send_config cfg = config(&files);
	struct pw_send_result res;
	struct pw_err err = {0};

	(void)state;
	paths[0] = (struct path){.sources = &s};
	add_file(&files, &s, "slow.img");
	cfg.read_patience_ns = 10000000;
	cfg.set.lead_ns = 200000000;
	cfg.set.rate = (struct pw_rate){.unit = PW_RATE_PPS, .value = 600};
	assert_int_equal(run(&cfg, &res, &err), 0);
	assert_int_equal(paths[0].c.payload_bytes, files.total_bytes);
	source_drop(&s);
	pw_files_finish(&files);
}

/* Lane 0 has sent all it can get, and lane 1 takes its time: the table is still repeated. */
static void tables_go_while_only_another_lane_sends(void **state)
{
	struct source s = source_make(1, "m.img", 500 * SYMBOL, SYMBOL, PW_DIGEST_NONE);
	struct pw_files files = {0};
	struct pw_send_config cfg = config(&files);
	struct pw_send_result res;
	struct pw_err err = {0};

	(void)state;
	paths[0] = (struct path){.sources = &s, .after = &paths[1]};
	paths[1] = (struct path){.sources = &s, .sleep_us = 400000};
	add_file(&files, &s, "m.img");
	cfg.n_paths = 2;
	cfg.open_window = open_mapped_or_streamed;
	cfg.set.digest = PW_DIGEST_NONE;
	cfg.set.fdt_interval_ns = 20000000;
	assert_int_equal(run(&cfg, &res, &err), 0);
	assert_true(n_instances(paths[0].fdts) >= 12);
	source_drop(&s);
	pw_files_finish(&files);
}

static unsigned int n_open_windows, most_open_windows;

static void count_closed(struct pw_window *w)
{
	(void)w;
	n_open_windows--;
}

static int open_counted(void *ctx, struct pw_window *w, const char *name, struct pw_err *err)
{
	int r = open_mapped_or_streamed(ctx, w, name, err);

	w->release = count_closed;
	if (++n_open_windows > most_open_windows)
		most_open_windows = n_open_windows;
	return r;
}

/* One packet that stays with a lane that has no more work keeps one window open, not all later ones. */
static void an_old_packet_keeps_only_its_own_file_open(void **state)
{
	enum { N = 12 * PW_SEND_GROUP };
	static struct source sources[N];
	struct pw_files files = {0};
	struct pw_send_config cfg = config(&files);
	struct pw_send_result res;
	struct pw_err err = {0};
	unsigned int i;

	(void)state;
	paths[0] = (struct path){.sources = sources, .after = &paths[1]};
	paths[1] = (struct path){.sources = sources, .keeps_first = true};
	for (i = 0; i < N; i++) {
		char name[16];

		snprintf(name, sizeof(name), "m%03u", i);
		sources[i] = source_make(i + 1, name, 3, SYMBOL, PW_DIGEST_XXH3_128);
		add_file(&files, &sources[i], name);
	}
	cfg.n_paths = 2;
	cfg.open_window = open_counted;
	cfg.digest_first_bytes = PW_SEND_DIGEST_FIRST;
	assert_int_equal(run(&cfg, &res, &err), 0);
	assert_int_equal(n_open_windows, 0);
	assert_true(most_open_windows <= KEEPS + 2 * PW_SEND_GROUP);
	for (i = 0; i < N; i++)
		source_drop(&sources[i]);
	pw_files_finish(&files);
}

/* Together the paths keep more than the ring has. */
static void lanes_share_a_small_ring(void **state)
{
	struct source s = source_make(1, "small.img", 41 * 64 * SYMBOL, SYMBOL, PW_DIGEST_NONE);
	struct pw_files files = {0};
	struct pw_send_config cfg = config(&files);
	struct pw_send_result res;
	struct pw_err err = {0};
	uint64_t sum = 0;
	unsigned int i;

	(void)state;
	for (i = 0; i < MAX_LANES; i++)
		paths[i] = (struct path){.sources = &s};
	add_file(&files, &s, "small.img");
	cfg.n_paths = MAX_LANES;
	cfg.set.loops = 3;
	assert_int_equal(run(&cfg, &res, &err), 0);
	for (i = 0; i < MAX_LANES; i++)
		sum += paths[i].c.payload_bytes;
	assert_int_equal(sum, 3 * files.total_bytes);
	source_drop(&s);
	pw_files_finish(&files);
}

/* A repair: what the manifest lists is sent, and the digests are those of the whole file. */
/* named: the manifest names a digest of the session's kind, so that only the MD5 is computed. */
static void check_repair(bool named)
{
	static const uint64_t sizes[] = {3000001, 3000001, 700000};
	static const char *const names[] = {"s-gap", "m-gap", "s-none"};
	enum { N = sizeof(sizes) / sizeof(sizes[0]) };
	struct pw_range missing[] = {{1000, 5000}, {4000, 4100}, {2999999, 3000001}};
	struct source sources[N];
	struct pw_gap_file gaps[N];
	struct pw_files files = {0};
	struct pw_send_config cfg = config(&files);
	struct pw_send_result res;
	struct pw_digest md5;
	struct pw_err err = {0};
	unsigned int i;

	paths[0] = (struct path){.sources = sources};
	for (i = 0; i < N; i++) {
		sources[i] = source_make(i + 1, names[i], sizes[i], SYMBOL, PW_DIGEST_XXH3_128);
		add_file(&files, &sources[i], names[i]);
		gaps[i] = (struct pw_gap_file){.len_bytes = sizes[i],
			.digest = {.kind = PW_DIGEST_SHA256},
			.missing = missing,
			.n_missing = i < 2 ? 3 : 0};
		if (named)
			gaps[i].digest = sources[i].f.digest;
		files.v[i].gap = &gaps[i];
	}
	cfg.open_window = open_mapped_or_streamed;
	cfg.set.md5 = true;
	assert_int_equal(run(&cfg, &res, &err), 0);
	/* symbols 0..3 and the last one of each */
	assert_int_equal(paths[0].c.payload_bytes, 2 * (4 * SYMBOL + 3000001 - 2083 * SYMBOL));
	for (i = 0; i < N; i++) {
		pw_digest_buffer(PW_DIGEST_MD5, sources[i].data, sizes[i], &md5, &err);
		assert_memory_equal(files.v[i].md5.bytes, md5.bytes, 16);
		assert_memory_equal(files.v[i].digest.bytes, sources[i].f.digest.bytes, 16);
		source_drop(&sources[i]);
	}
	pw_files_finish(&files);
}

static void a_repair_sends_the_gaps_and_the_digests_of_the_whole_file(void **state)
{
	(void)state;
	check_repair(false);
	check_repair(true);
}

/* Lane 1 takes nothing while the session's thread sends it the first table. */
static int run_with_a_full_lane(struct pw_send_config *cfg, struct source *s,
	struct pw_send_result *res, struct pw_err *err)
{
	uint64_t start = pw_clock_ns();
	int r;

	paths[0] = (struct path){.sources = s};
	paths[1] = (struct path){.sources = s, .is_full = true};
	cfg->n_paths = 2;
	cfg->stream.n_slots *= 2;
	r = run(cfg, res, err);
	assert_true(pw_clock_ns() - start < 10 * PW_NS_PER_S);
	return r;
}

static void a_signal_ends_it_while_a_lane_takes_no_table(void **state)
{
	struct source s = source_make(1, "full.img", 50000, SYMBOL, PW_DIGEST_NONE);
	struct pw_files files = {0};
	struct pw_send_config cfg = config(&files);
	struct pw_send_result res;
	struct pw_err err = {0};

	(void)state;
	add_file(&files, &s, "full.img");
	asked = 0;
	cfg.stopped = stop_soon;
	assert_int_equal(run_with_a_full_lane(&cfg, &s, &res, &err), 0);
	assert_true(res.interrupted);
	source_drop(&s);
	pw_files_finish(&files);
}

static void a_read_error_is_reported_while_a_lane_takes_no_table(void **state)
{
	struct source s = source_make(1, "full.img", 50000, SYMBOL, PW_DIGEST_NONE);
	struct pw_files files = {0};
	struct pw_send_config cfg = config(&files);
	struct pw_send_result res;
	struct pw_err err = {0};

	(void)state;
	add_file(&files, &s, "full.img");
	cfg.open_window = open_bad;
	assert_int_equal(run_with_a_full_lane(&cfg, &s, &res, &err), -EIO);
	assert_non_null(strstr(err.msg, "full.img at byte 0"));
	source_drop(&s);
	pw_files_finish(&files);
}

static uint64_t asks_left;

static bool stop_at_last(void)
{
	return asks_left == 0 || --asks_left == 0;
}

/* Each time the stop flag is read, in turn: it ends soon, and every window is closed. */
static void a_signal_ends_it_at_any_moment(void **state)
{
	static const char *const names[] = {"m0", "s1", "m2", "s3"};
	static const uint64_t sizes[] = {2000001, 1500000, 5, 0};
	enum { N = sizeof(sizes) / sizeof(sizes[0]) };
	struct source sources[N];
	struct pw_files files = {0};
	struct pw_send_config cfg = config(&files);
	struct pw_send_result res = {.interrupted = true};
	struct pw_err err = {0};
	uint64_t n;
	unsigned int i;

	(void)state;
	for (i = 0; i < N; i++) {
		sources[i] = source_make(i + 1, names[i], sizes[i], SYMBOL, PW_DIGEST_XXH3_128);
		add_file(&files, &sources[i], names[i]);
	}
	cfg.open_window = open_mapped_or_streamed;
	cfg.n_paths = MAX_LANES;
	cfg.digest_first_bytes = 100;
	cfg.set.loops = 2;
	cfg.set.lead_ns = 1000000;
	cfg.stopped = stop_at_last;
	for (n = 1; n < 40; n += 4) {
		uint64_t start = pw_clock_ns();

		for (i = 0; i < N; i++)
			files.v[i].digest = (struct pw_digest){0};
		for (i = 0; i < MAX_LANES; i++)
			paths[i] = (struct path){.sources = sources};
		asks_left = n;
		assert_int_equal(run(&cfg, &res, &err), 0);
		assert_true(pw_clock_ns() - start < 5 * PW_NS_PER_S);
		assert_int_equal(paths[0].log[0], 0); /* no packet was kept */
	}
	assert_true(res.passes <= 2);
	for (i = 0; i < N; i++)
		source_drop(&sources[i]);
	pw_files_finish(&files);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_path_that_frees_lazily_gets_packets_that_make_it_free),
		cmocka_unit_test(a_long_lead_and_a_low_rate_are_no_stuck_port),
		cmocka_unit_test(tables_go_while_only_another_lane_sends),
		cmocka_unit_test(an_old_packet_keeps_only_its_own_file_open),
		cmocka_unit_test(lanes_share_a_small_ring),
		cmocka_unit_test(a_repair_sends_the_gaps_and_the_digests_of_the_whole_file),
		cmocka_unit_test(a_signal_ends_it_while_a_lane_takes_no_table),
		cmocka_unit_test(a_read_error_is_reported_while_a_lane_takes_no_table),
		cmocka_unit_test(a_signal_ends_it_at_any_moment),
	};
	int failed;

	dir_make(dir, sizeof(dir));
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	dir_drop(dir);
	return failed;
}
