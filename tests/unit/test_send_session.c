/* SPDX-License-Identifier: BSD-3-Clause */
/* The sender's session on paths in memory that keep packets for a while: streamed files and mapped ones,
 * one lane and several. */
#include "send_path.h"

static void bytes_stay_until_the_path_lets_go_and_digests_come_at_the_end(void **state)
{
	static const uint64_t sizes[] = {3000001, 0, 1, 64 * SYMBOL, 64 * SYMBOL + 1, 700000};
	enum { N = sizeof(sizes) / sizeof(sizes[0]) };
	struct source sources[N];
	struct pw_files files = {0};
	struct pw_send_config cfg = config(&files);
	struct pw_send_result res;
	struct pw_err err = {0};
	char text[PW_DIGEST_TEXT_MAX];
	unsigned int i;

	(void)state;
	paths[0] = (struct path){.sources = sources};
	for (i = 0; i < N; i++) {
		char name[16];

		snprintf(name, sizeof(name), "f%u", i);
		sources[i] = source_make(i + 1, name, sizes[i], SYMBOL, PW_DIGEST_XXH3_128);
		add_file(&files, &sources[i], name);
	}
	cfg.set.loops = 2;
	assert_int_equal(run(&cfg, &res, &err), 0);
	assert_int_equal(paths[0].c.payload_bytes, 2 * files.total_bytes);
	assert_int_equal(paths[0].n_attached, 9);
	assert_non_null(strstr(paths[0].fdts, "later"));
	for (i = 0; i < N; i++) {
		pw_digest_format(text, sizeof(text), &sources[i].f.digest);
		assert_non_null(strstr(paths[0].fdts, text));
		assert_memory_equal(files.v[i].digest.bytes, sources[i].f.digest.bytes, 16);
		source_drop(&sources[i]);
	}
	pw_files_finish(&files);
}

static void lanes_share_every_kind_of_file(void **state)
{
	static const char *const names[] = {"m0", "s1", "m2", "s3", "s4"};
	static const uint64_t sizes[] = {9000001, 12000000, 5, 0, 64 * SYMBOL + 1};
	enum { N = sizeof(sizes) / sizeof(sizes[0]) };
	struct source sources[N];
	struct pw_files files = {0};
	struct pw_send_config cfg = config(&files);
	struct pw_send_result res;
	struct pw_err err = {0};
	char text[PW_DIGEST_TEXT_MAX];
	uint64_t sum = 0;
	unsigned int i;

	(void)state;
	for (i = 0; i < MAX_LANES; i++)
		paths[i] = (struct path){.sources = sources};
	for (i = 0; i < N; i++) {
		sources[i] = source_make(i + 1, names[i], sizes[i], SYMBOL, PW_DIGEST_XXH3_128);
		add_file(&files, &sources[i], names[i]);
	}
	cfg.open_window = open_mapped_or_streamed;
	cfg.n_paths = MAX_LANES;
	cfg.digest_first_bytes = 100;
	cfg.stream.n_slots = 9 * MAX_LANES;
	cfg.set.loops = 2;
	assert_int_equal(run(&cfg, &res, &err), 0);
	for (i = 0; i < MAX_LANES; i++) {
		assert_true(paths[i].c.payload_bytes > 0);
		sum += paths[i].c.payload_bytes;
		assert_true(n_instances(paths[i].fdts) >= 2); /* at the start of each pass */
	}
	assert_int_equal(sum, 2 * files.total_bytes);
	/* a pass: at the start, at one third, at two thirds, at the end; late digests thrice */
	assert_true(n_instances(paths[0].fdts) >= 9);
	for (i = 0; i < N; i++) {
		pw_digest_format(text, sizeof(text), &sources[i].f.digest);
		assert_non_null(strstr(paths[0].fdts, text));
		source_drop(&sources[i]);
	}
	pw_files_finish(&files);
}

/* More files than one table names: each table is repeated at the end. */
static void all_tables_are_sent_again_at_the_end(void **state)
{
	enum { N = 2 * PW_SEND_GROUP + 1 };
	static struct source sources[N];
	struct pw_files files = {0};
	struct pw_send_config cfg = config(&files);
	struct pw_send_result res;
	struct pw_err err = {0};
	const char *at;
	unsigned int i, n;

	(void)state;
	paths[0] = (struct path){.sources = sources};
	for (i = 0; i < N; i++) {
		char name[16];

		snprintf(name, sizeof(name), "m%03u", i);
		sources[i] = source_make(i + 1, name, 3, SYMBOL, PW_DIGEST_XXH3_128);
		add_file(&files, &sources[i], name);
	}
	cfg.open_window = open_mapped_or_streamed;
	cfg.digest_first_bytes = PW_SEND_DIGEST_FIRST;
	assert_int_equal(run(&cfg, &res, &err), 0);
	/* start, two within, end, and once with all others */
	for (i = 0; i < N; i += PW_SEND_GROUP) {
		char name[32];

		snprintf(name, sizeof(name), "Content-Location=\"m%03u\"", i);
		for (n = 0, at = paths[0].fdts; (at = strstr(at, name)); at++)
			n++;
		assert_true(n >= 5);
		snprintf(name, sizeof(name), "m%03u", i);
	}
	for (i = 0; i < N; i++)
		source_drop(&sources[i]);
	pw_files_finish(&files);
}

static void a_signal_ends_it_in_the_middle(void **state)
{
	struct source s = source_make(1, "cut", 30000000, SYMBOL, PW_DIGEST_NONE);
	struct pw_files files = {0};
	struct pw_send_config cfg = config(&files);
	struct pw_send_result res;
	struct pw_err err = {0};

	(void)state;
	paths[0] = (struct path){.sources = &s};
	add_file(&files, &s, "cut");
	cfg.stopped = stop_soon;
	cfg.set.rate = (struct pw_rate){.unit = PW_RATE_PPS, .value = 20000};
	assert_int_equal(run(&cfg, &res, &err), 0);
	assert_true(res.interrupted);
	assert_true(paths[0].c.payload_bytes < 30000000);
	source_drop(&s);
	pw_files_finish(&files);
}

/* `recv --expect 1` ends as soon as the digest has come. A peer that leaves earlier is an error. */
static void a_receiver_that_has_everything_may_leave(void **state)
{
	static const struct {
		uint64_t leaves_after;
		int result;
	} cases[] = {{200000, 0}, {100000, -ENOLINK}};
	struct source s = source_make(1, "whole", 200000, SYMBOL, PW_DIGEST_XXH3_128);
	struct pw_files files = {0};
	struct pw_send_config cfg = config(&files);
	struct pw_send_result res;
	struct pw_err err = {0};
	size_t i;

	(void)state;
	add_file(&files, &s, "whole");
	cfg.set.link_grace_ns = PW_NS_PER_S / 20;
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		paths[0] = (struct path){.sources = &s, .leaves_after = cases[i].leaves_after};
		files.v[0].digest.kind = PW_DIGEST_NONE;
		cfg.set.loops =
			i ? 2 : 1; /* a pass is to come: the peer does not have everything */
		assert_int_equal(run(&cfg, &res, &err), cases[i].result);
	}
	source_drop(&s);
	pw_files_finish(&files);
}

static void *answer_late(void *arg)
{
	const struct source *s = arg;

	while (!atomic_load(&said))
		usleep(1000);
	assert_int_equal(write(pipe_fds[1], s->data, 50000), 50000);
	return NULL;
}

static void a_disk_that_says_nothing_is_reported_with_the_file(void **state)
{
	struct source s = source_make(1, "slow.img", 50000, SYMBOL, PW_DIGEST_NONE);
	struct pw_files files = {0};
	struct pw_send_config cfg = config(&files);
	struct pw_send_result res;
	struct pw_err err = {0};
	pthread_t thread;

	(void)state;
	paths[0] = (struct path){.sources = &s};
	add_file(&files, &s, "slow.img");
	assert_int_equal(pipe2(pipe_fds, O_CLOEXEC), 0);
	cfg.open_window = open_pipe;
	cfg.read_patience_ns = 20000000;
	assert_int_equal(pthread_create(&thread, NULL, answer_late, &s), 0);
	assert_int_equal(run(&cfg, &res, &err), -ESTALE); /* a pipe has no time of its own */
	assert_non_null(strstr(paths[0].log, "slow.img at byte 0: the disk has not answered"));
	assert_int_equal(paths[0].c.payload_bytes, 50000);
	assert_true(res.read_cycles > 0);
	pthread_join(thread, NULL);
	close(pipe_fds[1]);
	source_drop(&s);
	pw_files_finish(&files);
}

static void a_read_error_ends_the_session_with_its_place(void **state)
{
	struct source s = source_make(1, "bad.img", 50000, SYMBOL, PW_DIGEST_NONE);
	struct pw_files files = {0};
	struct pw_send_config cfg = config(&files);
	struct pw_send_result res;
	struct pw_err err = {0};

	(void)state;
	paths[0] = (struct path){.sources = &s};
	add_file(&files, &s, "bad.img");
	cfg.open_window = open_bad;
	assert_int_equal(run(&cfg, &res, &err), -EIO);
	assert_non_null(strstr(err.msg, "bad.img at byte 0"));
	source_drop(&s);
	pw_files_finish(&files);
}

static void stop_holding(void *ctx, bool starts)
{
	if (!starts)
		((struct path *)ctx)->holds_ns = 0;
}

/* Such a path: its time ends when it has let go, or could have. */
static void a_path_that_holds_the_rate_is_waited_for(void **state)
{
	static const struct {
		uint64_t holds_ns, drain_ns, at_least_ns;
	} cases[] = {{30000000, UINT32_MAX, 30000000}, {UINT64_MAX, 20000000, 20000000}};
	struct source s = source_make(1, "held.img", 50000, SYMBOL, PW_DIGEST_NONE);
	struct pw_files files = {0};
	struct pw_send_config cfg = config(&files);
	struct pw_send_result res;
	struct pw_err err = {0};
	size_t i;

	(void)state;
	add_file(&files, &s, "held.img");
	cfg.stretch = stop_holding;
	cfg.stretch_ctx = &paths[0];
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		paths[0] = (struct path){.sources = &s, .holds_ns = cases[i].holds_ns};
		cfg.drain_ns = cases[i].drain_ns;
		assert_int_equal(run(&cfg, &res, &err), 0);
		assert_int_equal(paths[0].c.payload_bytes, 50000);
		assert_true(res.data_ns >= cases[i].at_least_ns);
		assert_true(res.pace_cycles > 0);
	}
	source_drop(&s);
	pw_files_finish(&files);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(bytes_stay_until_the_path_lets_go_and_digests_come_at_the_end),
		cmocka_unit_test(lanes_share_every_kind_of_file),
		cmocka_unit_test(all_tables_are_sent_again_at_the_end),
		cmocka_unit_test(a_signal_ends_it_in_the_middle),
		cmocka_unit_test(a_receiver_that_has_everything_may_leave),
		cmocka_unit_test(a_path_that_holds_the_rate_is_waited_for),
		cmocka_unit_test(a_disk_that_says_nothing_is_reported_with_the_file),
		cmocka_unit_test(a_read_error_ends_the_session_with_its_place),
	};
	int failed;

	dir_make(dir, sizeof(dir));
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	dir_drop(dir);
	return failed;
}
