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

static struct pw_recv *start(void)
{
	const struct pw_recv_config cfg = {.out_dir = dir};

	return recv_make(&cfg);
}

static void without_an_address_there_is_nothing_to_ask(void **state)
{
	struct source s = source_make(1, "a", 5000, 1000, PW_DIGEST_XXH3_128);
	struct pw_recv_way_back way;
	struct pw_recv *r = start();
	struct packets p = {0};
	struct pw_gaps g;

	(void)state;
	packets_add_fdt(&p, 7, 0, &s, 1, true, 1);
	push(r, &p);
	settle(r);
	assert_false(pw_recv_way_back(r, &way));
	assert_int_equal(pw_recv_ask(r, 100, &g, NULL), -ENOENT);
	pw_recv_destroy(r);
	packets_drop(&p);
	source_drop(&s);
}

static void the_round_only_rises(void **state)
{
	struct source s = source_make(1, "a", 5000, 1000, PW_DIGEST_XXH3_128);
	struct pw_recv_way_back way;
	struct pw_recv *r = start();
	struct packets p = {0};

	(void)state;
	add_table(&p, 0, &s, 1, 1, 0, false);
	push(r, &p);
	settle(r);
	assert_true(pw_recv_way_back(r, &way));
	assert_string_equal(way.url, URL);
	assert_true(way.round == 0 && !way.asks);
	add_table(&p, 1, &s, 1, 1, 3, true);
	add_table(&p, 2, &s, 1, 1, 2, false);
	push(r, &p);
	settle(r);
	assert_true(pw_recv_way_back(r, &way));
	assert_true(way.round == 3 && way.asks);
	add_table(&p, 3, &s, 1, 1, 4, false);
	push(r, &p);
	settle(r);
	assert_true(pw_recv_way_back(r, &way));
	assert_true(way.round == 4 && !way.asks);
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
	assert_int_equal(pw_recv_ask(r, 100, &g, NULL), 0);
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
	assert_int_equal(pw_recv_ask(r, 2, &g, NULL), 0);
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
	assert_int_equal(pw_recv_ask(r, 100, &g, NULL), 0);
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
		test(a_file_that_is_refused_is_not_asked_for),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
