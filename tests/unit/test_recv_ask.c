/* SPDX-License-Identifier: BSD-3-Clause */
/* What a receiver asks a sender for that has a way back. */
#include "recv_dir.h"

#include "recv/ask.h"

#define URL "http://10.0.0.1:80/0123456789abcdef0123456789abcdef"

/* A table with the way back; n of the session's files. */
static void add_table(struct packets *p, uint32_t instance, const struct source *s, size_t n,
	uint64_t n_session, uint64_t round, bool asks)
{
	struct pw_fdt_file files[8];
	struct pw_fdt fdt = {.n_session_files = n_session,
		.repair_url = (char *)URL,
		.round = round,
		.asks = asks,
		.files = files,
		.n_files = n};
	char *xml;
	size_t i, len;

	for (i = 0; i < n; i++)
		files[i] = s[i].f;
	assert_int_equal(pw_fdt_build(&fdt, &xml, &len, NULL), 0);
	packets_add_text(p, 7, instance, xml, len);
	free(xml);
}

static const struct pw_stripe all = {0, 1};

static struct pw_recv *start(void)
{
	const struct pw_recv_config cfg = {.out_dir = dir};

	return recv_make(&cfg);
}

static void without_an_address_there_is_nothing_to_ask(void **state)
{
	struct source s = source_make(1, "a", 5000, 1000, PW_DIGEST_XXH3_128);
	struct pw_recv_way_back way[PW_RECV_WAYS_MAX];
	struct pw_recv *r = start();
	struct packets p = {0};
	struct pw_gaps g;

	(void)state;
	packets_add_fdt(&p, 7, 0, &s, 1, true, 1);
	push(r, &p);
	settle(r);
	assert_int_equal(pw_recv_ways_back(r, way), 0);
	assert_int_equal(pw_recv_ask(r, &all, 100, &g, NULL), -ENOENT);
	pw_recv_destroy(r);
	packets_drop(&p);
	source_drop(&s);
}

static void the_round_only_rises(void **state)
{
	struct source s = source_make(1, "a", 5000, 1000, PW_DIGEST_XXH3_128);
	struct pw_recv_way_back way[PW_RECV_WAYS_MAX];
	struct pw_recv *r = start();
	struct packets p = {0};

	(void)state;
	add_table(&p, 0, &s, 1, 1, 0, false);
	push(r, &p);
	settle(r);
	assert_int_equal(pw_recv_ways_back(r, way), 1);
	assert_string_equal(way[0].url, URL);
	assert_true(way[0].round == 0 && !way[0].asks);
	add_table(&p, 1, &s, 1, 1, 3, true);
	add_table(&p, 2, &s, 1, 1, 2, false);
	push(r, &p);
	settle(r);
	assert_int_equal(pw_recv_ways_back(r, way), 1);
	assert_true(way[0].round == 3 && way[0].asks);
	add_table(&p, 3, &s, 1, 1, 4, false);
	push(r, &p);
	settle(r);
	assert_int_equal(pw_recv_ways_back(r, way), 1);
	assert_true(way[0].round == 4 && !way[0].asks);
	pw_recv_destroy(r);
	packets_drop(&p);
	source_drop(&s);
}

static void what_is_missing_is_asked_for(void **state)
{
	struct source s[] = {source_make(1, "a", 10500, 1000, PW_DIGEST_XXH3_128),
		source_make(2, "b", 2000, 1000, PW_DIGEST_XXH3_128),
		source_make(3, "c", 2000, 1000, PW_DIGEST_XXH3_128)};
	const struct pw_range want[] = {{2000, 4000}, {10000, 10500}};
	struct pw_recv *r = start();
	struct packets p = {0};
	struct pw_gaps g;
	uint64_t i;

	(void)state;
	add_table(&p, 0, s, 3, 5, 0, false);
	for (i = 0; i < 10; i++)
		if (i != 2 && i != 3)
			packets_add_symbol(&p, 7, &s[0], i);
	packets_add_file(&p, 7, &s[1]);
	push(r, &p);
	settle(r);
	assert_int_equal(pw_recv_ask(r, &all, 100, &g, NULL), 0);
	assert_int_equal(g.n_files, 2);
	assert_string_equal(g.files[0].name, "a");
	assert_int_equal(g.files[0].n_missing, 2);
	assert_memory_equal(g.files[0].missing, want, sizeof(want));
	assert_string_equal(g.files[1].name, "c");
	assert_int_equal(g.files[1].missing[0].to, 2000);
	assert_int_equal(g.n_unnamed, 2);
	assert_int_equal(g.n_named, 1);
	assert_string_equal(g.named[0], "b");
	pw_gaps_finish(&g);
	/* Fewer ranges: neighbours are joined, nothing is left out. */
	assert_int_equal(pw_recv_ask(r, &all, 2, &g, NULL), 0);
	assert_int_equal(g.files[0].n_missing, 1);
	assert_int_equal(g.files[0].missing[0].from, 2000);
	assert_int_equal(g.files[0].missing[0].to, 10500);
	assert_int_equal(g.files[1].n_missing, 1);
	pw_gaps_finish(&g);
	pw_recv_destroy(r);
	packets_drop(&p);
	for (i = 0; i < 3; i++)
		source_drop(&s[i]);
}

/* A table of a stripe: its way back ends with `digit`. */
static void add_stripe(struct packets *p, struct pw_stripe stripe, const struct source *s,
	char digit, uint64_t round, bool asks)
{
	char url[] = URL, *xml;
	struct pw_fdt_file file = s->f;
	struct pw_fdt fdt = {.n_session_files = 3,
		.repair_url = url,
		.round = round,
		.asks = asks,
		.stripe = stripe,
		.files = &file,
		.n_files = 1};
	static uint32_t instance;
	size_t len;

	url[sizeof(url) - 2] = digit;
	assert_int_equal(pw_fdt_build(&fdt, &xml, &len, NULL), 0);
	packets_add_text(p, 7, instance++, xml, len);
	free(xml);
}

static void push_from(struct pw_recv *r, struct packets *p, const char *ip)
{
	packets_from(p, ip);
	push(r, p);
	packets_drop(p);
}

/* Also of two stripes that share an address, and are one session. */
static void each_stripe_has_its_way_back_and_its_round(void **state)
{
	struct source s = source_make(1, "a", 5000, 1000, PW_DIGEST_XXH3_128);
	struct pw_recv_way_back way[PW_RECV_WAYS_MAX];
	struct pw_recv *r = start();
	struct packets p = {0};
	uint32_t i;

	(void)state;
	add_stripe(&p, (struct pw_stripe){2, 3}, &s, '2', 0, false);
	push_from(r, &p, "10.0.0.2");
	add_stripe(&p, (struct pw_stripe){1, 3}, &s, '1', 4, true);
	add_stripe(&p, (struct pw_stripe){0, 3}, &s, '0', 1, false);
	push_from(r, &p, "10.0.0.1");
	settle(r);
	assert_int_equal(pw_recv_ways_back(r, way), 3);
	for (i = 0; i < 3; i++) {
		assert_int_equal(way[i].stripe.index, i);
		assert_int_equal(way[i].stripe.count, 3);
		assert_int_equal(way[i].url[strlen(URL) - 1], '0' + i);
		assert_int_equal(way[i].round, (i == 1 ? 4 : i == 0 ? 1 : 0));
		assert_int_equal(way[i].asks, i == 1);
	}
	/* Started again: its rounds are counted from 0. */
	add_stripe(&p, (struct pw_stripe){1, 3}, &s, '9', 0, false);
	push_from(r, &p, "10.0.0.1");
	settle(r);
	assert_int_equal(pw_recv_ways_back(r, way), 3);
	assert_int_equal(way[1].url[strlen(URL) - 1], '9');
	assert_true(way[1].round == 0 && !way[1].asks);
	pw_recv_destroy(r);
	source_drop(&s);
}

/* Marks the symbols that are asked for. */
static void mark(const struct pw_gaps *g, uint8_t *asked, size_t n_symbols)
{
	size_t i;
	uint64_t at;

	for (i = 0; g->n_files && i < g->files[0].n_missing; i++)
		for (at = g->files[0].missing[i].from; at < g->files[0].missing[i].to; at += 1000) {
			assert_true(at / 1000 < n_symbols);
			asked[at / 1000]++;
		}
}

static void senders_are_asked_for_a_share_each(void **state)
{
	enum { N = 5 * PW_STRIPE_RUN + 17, SENDERS = 3 };
	static uint8_t asked[N];
	struct source s = source_make(1, "a", 1000ull * N - 5, 1000, PW_DIGEST_XXH3_128);
	struct pw_recv *r = start();
	struct packets p = {0};
	struct pw_gaps g;
	uint64_t i;
	uint32_t k;

	(void)state;
	add_stripe(&p, (struct pw_stripe){0, 2}, &s, '0', 0, true);
	for (i = 0; i < N; i++)
		if (i % 1000 > 10)
			packets_add_symbol(&p, 7, &s, i);
	push_from(r, &p, "10.0.0.1");
	add_stripe(&p, (struct pw_stripe){1, 2}, &s, '1', 0, true);
	push_from(r, &p, "10.0.0.2");
	settle(r);
	for (k = 0; k < SENDERS; k++) {
		assert_int_equal(pw_recv_ask(r, &(struct pw_stripe){k, SENDERS}, 100, &g, NULL), 0);
		assert_int_equal(g.n_unnamed, k ? 0 : 2);
		assert_int_equal(g.n_files, 1);
		mark(&g, asked, N);
		pw_gaps_finish(&g);
		/* what does not fit is left out */
		assert_int_equal(pw_recv_ask(r, &(struct pw_stripe){k, SENDERS}, 1, &g, NULL), 0);
		assert_int_equal(g.n_files, 1);
		assert_int_equal(g.files[0].n_missing, 1);
		pw_gaps_finish(&g);
	}
	for (i = 0; i < N; i++)
		assert_int_equal(asked[i], i % 1000 <= 10);
	pw_recv_destroy(r);
	source_drop(&s);
}

static void a_file_that_is_refused_is_not_asked_for(void **state)
{
	struct source s = source_make(1, "a", 5000, 1000, PW_DIGEST_XXH3_128);
	struct pw_recv *r;
	struct packets p = {0};
	struct pw_gaps g;

	(void)state;
	write_text(in_dir(dir, "a"), "mine");
	r = start();
	add_table(&p, 0, &s, 1, 1, 0, true);
	push(r, &p);
	settle(r);
	assert_int_equal(pw_recv_ask(r, &all, 100, &g, NULL), 0);
	assert_int_equal(g.n_files, 0);
	pw_gaps_finish(&g);
	pw_recv_destroy(r);
	packets_drop(&p);
	source_drop(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		test(without_an_address_there_is_nothing_to_ask),
		test(the_round_only_rises),
		test(what_is_missing_is_asked_for),
		test(each_stripe_has_its_way_back_and_its_round),
		test(senders_are_asked_for_a_share_each),
		test(a_file_that_is_refused_is_not_asked_for),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
