/* SPDX-License-Identifier: BSD-3-Clause */
/* A receiver that several threads bring packets to. */
#include <pthread.h>

#include "recv_dir.h"

#define N_LANES 4u

/* What one lane brings, and how many packets at a time. */
struct hand {
	struct pw_recv *r;
	uint32_t lane;
	struct pw_rx_view *v; /* borrowed */
	size_t n, burst;
	uint64_t new_bytes;
	pthread_barrier_t *start;
	pthread_t thread;
};

static struct pw_recv_config config(const char *out)
{
	return (struct pw_recv_config){
		.out_dir = out, .discard = !out, .force = true, .n_lanes = N_LANES};
}

static void *bring(void *arg)
{
	struct hand *h = arg;
	size_t i, n;

	pthread_barrier_wait(h->start);
	for (i = 0; i < h->n; i += n) {
		n = h->n - i < h->burst ? h->n - i : h->burst;
		h->new_bytes += pw_recv_lane_burst(h->r, h->lane, h->v + i, n);
	}
	return NULL;
}

/* Runs all lanes at once while the main thread reads the status, as a program does. Returns new bytes. */
static uint64_t bring_all(struct hand hands[N_LANES], struct pw_recv *r)
{
	struct pw_recv_file_info info;
	struct pw_recv_status st;
	pthread_barrier_t start;
	uint64_t sum = 0;
	size_t i;

	assert_int_equal(pthread_barrier_init(&start, NULL, N_LANES + 1), 0);
	for (i = 0; i < N_LANES; i++) {
		hands[i].r = r;
		hands[i].lane = (uint32_t)i;
		hands[i].start = &start;
		if (!hands[i].burst)
			hands[i].burst = 64;
		assert_int_equal(pthread_create(&hands[i].thread, NULL, bring, &hands[i]), 0);
	}
	pthread_barrier_wait(&start);
	for (i = 0; i < 100; i++) {
		pw_recv_status(r, &st);
		if (pw_recv_n_files(r))
			pw_recv_file(r, i % pw_recv_n_files(r), &info);
	}
	for (i = 0; i < N_LANES; i++) {
		pthread_join(hands[i].thread, NULL);
		sum += hands[i].new_bytes;
	}
	pthread_barrier_destroy(&start);
	return sum;
}

/* Chunks of `chunk` packets to each lane in turn. */
static void deal(struct hand hands[N_LANES], const struct packets *p, size_t chunk)
{
	size_t i;

	for (i = 0; i < N_LANES; i++)
		hands[i] = (struct hand){.v = calloc(p->n, sizeof(*p->v))};
	for (i = 0; i < p->n; i++) {
		struct hand *h = &hands[i / chunk % N_LANES];

		assert_non_null(h->v);
		h->v[h->n++] = p->v[i];
	}
}

static void hands_drop(struct hand hands[N_LANES])
{
	size_t i;

	for (i = 0; i < N_LANES; i++)
		free(hands[i].v);
}

/* By one lane alone, for what has to come first or last. */
static void push_lane(struct pw_recv *r, uint32_t lane, const struct packets *p)
{
	size_t i;

	for (i = 0; i < p->n; i++)
		pw_recv_lane_burst(r, lane, p->v + i, 1);
	pw_recv_settle(r);
}

static void lanes_in_turn_count_what_one_does(void **state)
{
	static const char *const names[] = {"one", "two"};
	struct source s[2];
	struct pw_recv_counters c[2];
	size_t i, k, n;

	(void)state;
	for (i = 0; i < 2; i++)
		s[i] = source_make(i + 1, names[i], (2u << 20) - 3 + i, 1000, PW_DIGEST_XXH3_128);
	for (k = 0; k < 3; k++) {
		struct pw_recv_config cfg = config(k ? dir : NULL);
		struct packets p = {0}, table = {0};
		struct pw_recv *r;
		uint64_t seed = k;

		cfg.tsi_given = true;
		cfg.tsi = TSI;
		packets_add_fdt(&table, TSI, 0, s, 2, true, 2);
		for (i = 0; i < 2; i++) /* nothing is opened ahead without an output directory */
			packets_add_symbol(&table, TSI, &s[i], 0);
		for (i = 0; i < source_symbols(&s[0]); i++) {
			n = next_random(&seed) % 32 == 0 ? i / 2 : i;
			packets_add_symbol(&p, TSI, &s[0], n);
			packets_add_symbol(&p, TSI + !n, &s[1], i);
			if (i % 10 == 9)
				p.v[p.n - 1].len--;
		}
		r = recv_make(&cfg);
		push(r, &table);
		for (i = 0; i < p.n; i += n) {
			n = p.n - i < 50 + k ? p.n - i : 50 + k;
			pw_recv_lane_burst(r, (uint32_t)(i / 7 % N_LANES), &p.v[i], n);
		}
		pw_recv_finish(r, NULL);
		c[0] = counters(r);
		pw_recv_destroy(r);
		cfg.n_lanes = 1;
		r = recv_make(&cfg);
		push(r, &table);
		push(r, &p);
		pw_recv_finish(r, NULL);
		c[1] = counters(r);
		pw_recv_destroy(r);
		assert_true(c[1].duplicates && c[1].strangers && c[1].out_of_object);
		c[0].waited = c[1].waited = 0; /* depends on when the table is parsed */
		assert_memory_equal(&c[0], &c[1], sizeof(c[0]));
		packets_drop(&p);
		packets_drop(&table);
	}
	source_drop(&s[0]);
	source_drop(&s[1]);
}

#define N_SIZES 6u

static const uint64_t sizes[N_SIZES] = {0, 1, 1000, 30001, (3u << 20) + 77, (2u << 20) - 1};

static void sources_make(struct source s[N_SIZES])
{
	char name[16];
	size_t i;

	for (i = 0; i < N_SIZES; i++) {
		snprintf(name, sizeof(name), "lanes-%zu", i);
		s[i] = source_make(i + 1, name, sizes[i], 1440,
			i == 3 ? PW_DIGEST_SHA256 : PW_DIGEST_XXH3_128);
	}
}

/* Every file whole, every repetition counted; `order` 0: as a sender's lanes send. */
static void receive_all(const struct source s[N_SIZES], uint64_t order, enum pw_outdir_write write)
{
	struct pw_recv_config cfg = config(dir);
	struct packets table = {0}, all = {0}, last = {0};
	struct pw_recv *r;
	struct hand hands[N_LANES];
	uint64_t bytes, total = 0, left = 0;
	size_t i, n_once;

	cfg.write = write;
	r = recv_make(&cfg);
	packets_add_fdt(&table, TSI, 0, s, N_SIZES, true, N_SIZES);
	for (i = 0; i < N_SIZES; i++) {
		uint64_t k, n = source_symbols(&s[i]);

		/* one of each comes in the end: else repetitions would be a finished file's */
		for (k = 0; k + 1 < n; k++)
			packets_add_symbol(&all, TSI, &s[i], k);
		if (n)
			packets_add_symbol(&last, TSI, &s[i], n - 1);
		left += n ? sizes[i] - (n - 1) * s[i].f.symbol_len : 0;
		total += sizes[i];
	}
	n_once = all.n;
	for (i = 0; i < N_SIZES; i++) {
		uint64_t k, n = source_symbols(&s[i]);

		for (k = 0; order && k + 1 < n; k += 3)
			packets_add_symbol(&all, TSI, &s[i], k);
	}
	if (order)
		shuffle(all.v, all.n, order);
	push_lane(r, 1, &table);
	deal(hands, &all, order ? 1 : 320);
	bytes = bring_all(hands, r);
	assert_int_equal(bytes, total - left);
	assert_int_equal(counters(r).payload_bytes, bytes);
	assert_int_equal(counters(r).duplicates, all.n - n_once);
	push_lane(r, 2, &last);
	settle(r);
	assert_int_equal(pw_recv_finish(r, NULL), 0);
	for (i = 0; i < N_SIZES; i++) {
		assert_state(r, i, PW_RECV_COMPLETE);
		assert_content(in_dir(dir, s[i].f.location), &s[i]);
	}
	assert_int_equal(counters(r).payload_bytes, total);
	assert_int_equal(counters(r).packets, table.n + all.n + last.n);
	assert_int_equal(counters(r).finished_toi, 0);
	pw_recv_destroy(r);
	hands_drop(hands);
	packets_drop(&table);
	packets_drop(&all);
	packets_drop(&last);
}

static void files_of_all_sizes_come_whole_by_all_lanes(void **state)
{
	struct source s[N_SIZES];
	uint64_t order;
	size_t i;

	(void)state;
	sources_make(s);
	for (order = 0; order < 3; order++) {
		receive_all(s, order, PW_OUTDIR_MAPPED);
		receive_all(s, order, PW_OUTDIR_DIRECT); /* two of them, if this disk supports it */
	}
	for (i = 0; i < N_SIZES; i++)
		source_drop(&s[i]);
}

static void a_resumed_file_takes_what_is_missing_by_all_lanes(void **state)
{
	struct source s = source_make(1, "resumed", (2u << 20) + 5, 1440, PW_DIGEST_XXH3_128);
	struct pw_recv_config cfg = config(dir);
	struct packets table = {0}, some = {0}, all = {0};
	struct hand hands[N_LANES];
	struct pw_recv *r;
	uint64_t i;

	(void)state;
	packets_add_fdt(&table, TSI, 0, &s, 1, true, 1);
	packets_add_file(&all, TSI, &s);
	for (i = 0; i + 1 < source_symbols(&s); i += 1 + i % 3)
		packets_add_symbol(&some, TSI, &s, i);
	r = recv_make(&cfg);
	push_lane(r, 0, &table);
	deal(hands, &some, 10);
	assert_int_equal(bring_all(hands, r), some.n * 1440);
	hands_drop(hands);
	assert_int_equal(pw_recv_finish(r, NULL), 1);
	pw_recv_destroy(r);

	cfg.resume = true;
	r = recv_make(&cfg);
	push_lane(r, 0, &table);
	all.n--; /* what comes behind the last one is a finished file's */
	deal(hands, &all, 10);
	bring_all(hands, r);
	pw_recv_settle(r); /* the first ones wait until the part is open */
	hands_drop(hands);
	assert_int_equal(counters(r).duplicates, some.n);
	pw_recv_lane_burst(r, 1, &all.v[all.n++], 1);
	assert_int_equal(pw_recv_finish(r, NULL), 0);
	assert_state(r, 0, PW_RECV_COMPLETE);
	assert_content(in_dir(dir, "resumed"), &s);
	assert_int_equal(counters(r).payload_bytes, s.f.transfer_len - some.n * 1440);
	pw_recv_destroy(r);
	packets_drop(&table);
	packets_drop(&some);
	packets_drop(&all);
	source_drop(&s);
}

/* The lanes bring the same symbols at the same time, one of them others' bytes for some. Whichever comes
 * first stands: what is written is what is digested. */
static void conflicting_symbols_never_end_verified_with_other_bytes(void **state)
{
	const uint64_t every = 701;
	struct source s = source_make(1, "conflict", (1u << 20) + 999, 500, PW_DIGEST_XXH3_128);
	struct packets table = {0}, good = {0}, bad = {0};
	uint64_t i;

	(void)state;
	packets_add_fdt(&table, TSI, 0, &s, 1, true, 1);
	packets_add_file(&good, TSI, &s);
	for (i = 0; i < s.f.transfer_len; i += 500 * every)
		s.data[i] ^= 1;
	packets_add_file(&bad, TSI, &s);
	for (i = 0; i < s.f.transfer_len; i += 500 * every)
		s.data[i] ^= 1;
	for (i = 0; i < 20; i++) {
		struct pw_recv_config cfg = config(dir);
		struct pw_recv *r = recv_make(&cfg);
		/* the bad ones now a little before, now behind */
		size_t skip = i % 3 ? 64 * (i % 5) : 0;
		struct hand hands[N_LANES] = {{.v = good.v, .n = good.n},
			{.v = bad.v + skip, .n = bad.n - skip, .burst = 61},
			{.v = good.v, .n = good.n, .burst = 7}, {.v = good.v}};
		struct pw_recv_file_info info;

		push_lane(r, 0, &table);
		bring_all(hands, r);
		settle(r);
		pw_recv_finish(r, NULL);
		info = file_info(r, 0);
		pw_recv_destroy(r);
		assert_true(info.state == PW_RECV_COMPLETE || info.state == PW_RECV_MISMATCH);
		if (info.state == PW_RECV_COMPLETE)
			assert_content(in_dir(dir, "conflict"), &s);
	}
	packets_drop(&table);
	packets_drop(&good);
	packets_drop(&bad);
	source_drop(&s);
}

/* The first symbol comes late, so there is much to digest when the last ones come, and lanes do that in
 * turn; who is done last with the file hands it over. */
static void the_last_symbol_may_come_while_others_digest(void **state)
{
	enum { N_LATE = 12 };
	struct source s = source_make(1, "behind", (2u << 20) - 7, 1440, PW_DIGEST_XXH3_128);
	struct packets early = {0}, late = {0};
	struct hand hands[N_LANES];
	uint64_t i, n = source_symbols(&s);

	(void)state;
	packets_add_fdt(&early, TSI, 0, &s, 1, true, 1);
	packets_add_symbol(&late, TSI, &s, 0);
	for (i = 1; i < n; i++)
		packets_add_symbol(i + N_LATE > n ? &late : &early, TSI, &s, i);
	for (i = 0; i < 20; i++) {
		struct pw_recv_config cfg = config(dir);
		struct pw_recv *r = recv_make(&cfg);
		size_t k;

		push_lane(r, 0, &early);
		deal(hands, &late, 1);
		for (k = 0; k < N_LANES; k++)
			hands[k].burst = 1;
		bring_all(hands, r);
		settle(r);
		assert_state(r, 0, PW_RECV_COMPLETE);
		assert_int_equal(pw_recv_finish(r, NULL), 0);
		pw_recv_destroy(r);
		hands_drop(hands);
	}
	assert_content(in_dir(dir, "behind"), &s);
	packets_drop(&early);
	packets_drop(&late);
	source_drop(&s);
}

/* More files under way than may be mapped: each is unmapped between its first symbol and its second. */
static void files_that_had_to_be_unmapped_come_whole(void **state)
{
	enum { N = 1100 };
	struct source *s = calloc(N, sizeof(*s));
	struct pw_recv_config cfg = config(dir);
	struct packets table = {0}, all = {0};
	struct pw_recv *r = recv_make(&cfg);
	struct hand hands[N_LANES];
	char name[16];
	size_t i, k;

	(void)state;
	assert_non_null(s);
	for (i = 0; i < N; i++) {
		snprintf(name, sizeof(name), "many/%zu", i);
		s[i] = source_make(i + 1, name, 250, 100, PW_DIGEST_XXH3_128);
	}
	packets_add_fdt(&table, TSI, 0, s, N, true, N);
	for (k = 0; k < 3; k++)
		for (i = 0; i < N; i++)
			packets_add_symbol(&all, TSI, &s[i], (k + i) % 3);
	push_lane(r, 0, &table);
	deal(hands, &all, 1);
	bring_all(hands, r);
	settle(r);
	assert_int_equal(counters(r).wait_dropped, 0);
	assert_int_equal(pw_recv_finish(r, NULL), 0);
	for (i = 0; i < N; i++) {
		assert_state(r, i, PW_RECV_COMPLETE);
		assert_content(in_dir(dir, s[i].f.location), &s[i]);
		source_drop(&s[i]);
	}
	pw_recv_destroy(r);
	hands_drop(hands);
	packets_drop(&table);
	packets_drop(&all);
	free(s);
}

/* The test does not wait for the table, nor until files are open. */
static void lanes_need_not_wait_for_the_table(void **state)
{
	struct source s[N_SIZES];
	uint64_t i, k;

	(void)state;
	sources_make(s);
	for (k = 0; k < 6; k++) {
		struct pw_recv_config cfg = config(dir);
		struct pw_recv *r = recv_make(&cfg);
		struct hand hands[N_LANES];
		struct packets p = {0};

		for (i = 0; i < N_SIZES; i++)
			packets_add_file(&p, TSI, &s[i]);
		packets_add_fdt(&p, TSI, 0, s, N_SIZES, true, N_SIZES);
		shuffle(p.v, p.n, k);
		deal(hands, &p, 1 + k);
		bring_all(hands, r);
		assert_done(r);
		for (i = 0; i < N_SIZES; i++) {
			assert_state(r, i, PW_RECV_COMPLETE);
			assert_content(in_dir(dir, s[i].f.location), &s[i]);
		}
		assert_int_equal(counters(r).duplicates, 0);
		assert_int_equal(counters(r).symbols, p.n - counters(r).fdt_packets);
		assert_int_equal(pw_recv_finish(r, NULL), 0);
		pw_recv_destroy(r);
		hands_drop(hands);
		packets_drop(&p);
	}
	for (i = 0; i < N_SIZES; i++)
		source_drop(&s[i]);
}

/* A table that contradicts comes again and again while lanes bring the symbols of both contents. */
static void announcements_may_change_while_lanes_receive(void **state)
{
	struct source s[2] = {source_make(1, "turn", (1u << 20) + 5, 1000, PW_DIGEST_XXH3_128),
		source_make(1, "turn", (1u << 20) + 99, 1000, PW_DIGEST_XXH3_128)};
	struct packets tables = {0}, all = {0};
	uint64_t i, k;

	(void)state;
	for (i = 0; i < 40; i++)
		packets_add_fdt(&tables, TSI, (uint32_t)i, &s[i % 2], 1, true, 1);
	for (i = 0; i < 3; i++)
		packets_add_file(&all, TSI, &s[0]);
	for (k = 0; k < 5; k++) {
		struct pw_recv_config cfg = config(dir);
		struct pw_recv *r = recv_make(&cfg);
		struct hand hands[N_LANES] = {{.v = tables.v, .n = tables.n, .burst = 1},
			{.v = all.v, .n = all.n, .burst = 31}, {.v = all.v, .n = all.n},
			{.v = all.v + 500, .n = all.n - 500, .burst = 7}};
		struct packets last = {0};
		struct pw_recv_status st;

		bring_all(hands, r);
		pw_recv_settle(r);
		packets_add_fdt(&last, TSI, 99, &s[0], 1, true, 1);
		push_lane(r, 0, &last);
		packets_drop(&last);
		packets_add_file(&last, TSI, &s[0]);
		push_lane(r, 0, &last);
		st = settle(r);
		assert_true(st.n_good >= 1);
		assert_content(in_dir(dir, "turn"), &s[0]);
		for (i = 0; i < pw_recv_n_files(r); i++)
			st.bytes_have -= file_info(r, i).have_bytes;
		assert_int_equal(st.bytes_have, 0);
		assert_true(pw_recv_finish(r, NULL) >= 0);
		pw_recv_destroy(r);
		packets_drop(&last);
	}
	packets_drop(&tables);
	packets_drop(&all);
	source_drop(&s[0]);
	source_drop(&s[1]);
}

/* As when the user interrupts it: files under way stay as they are, and nothing comes any more. */
static void the_end_may_come_while_lanes_receive(void **state)
{
	struct source s = source_make(1, "cut", 3u << 20, 1440, PW_DIGEST_XXH3_128);
	struct packets p = {0};
	size_t k;

	(void)state;
	packets_add_fdt(&p, TSI, 0, &s, 1, true, 1);
	packets_add_file(&p, TSI, &s);
	for (k = 0; k < 10; k++) {
		struct pw_recv_config cfg = config(dir);
		struct pw_recv *r = recv_make(&cfg);
		struct hand h = {.r = r, .lane = 1, .v = p.v, .n = p.n, .burst = 32};
		struct pw_recv_status st;
		pthread_barrier_t start;

		assert_int_equal(pthread_barrier_init(&start, NULL, 1), 0);
		h.start = &start;
		assert_int_equal(pthread_create(&h.thread, NULL, bring, &h), 0);
		do
			pw_recv_status(r, &st);
		while (st.bytes_have < (k << 18) && st.n_good == 0);
		assert_true(pw_recv_finish(r, NULL) >= 0);
		pthread_join(h.thread, NULL);
		/* what waits when the end comes is brought and not placed */
		pw_recv_status(r, &st);
		assert_true(counters(r).payload_bytes <= st.bytes_total);
		pw_recv_destroy(r);
		pthread_barrier_destroy(&start);
	}
	packets_drop(&p);
	source_drop(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(lanes_in_turn_count_what_one_does, setup, teardown),
		cmocka_unit_test_setup_teardown(
			files_of_all_sizes_come_whole_by_all_lanes, setup, teardown),
		cmocka_unit_test_setup_teardown(
			a_resumed_file_takes_what_is_missing_by_all_lanes, setup, teardown),
		cmocka_unit_test_setup_teardown(
			conflicting_symbols_never_end_verified_with_other_bytes, setup, teardown),
		cmocka_unit_test_setup_teardown(
			the_last_symbol_may_come_while_others_digest, setup, teardown),
		cmocka_unit_test_setup_teardown(
			files_that_had_to_be_unmapped_come_whole, setup, teardown),
		cmocka_unit_test_setup_teardown(lanes_need_not_wait_for_the_table, setup, teardown),
		cmocka_unit_test_setup_teardown(
			announcements_may_change_while_lanes_receive, setup, teardown),
		cmocka_unit_test_setup_teardown(
			the_end_may_come_while_lanes_receive, setup, teardown),
	};

	return cmocka_run_group_tests_name("recv_lanes", tests, NULL, NULL);
}
