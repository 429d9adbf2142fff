/* SPDX-License-Identifier: BSD-3-Clause */
/* Files that no table named: how many the receiver counts, and what its manifest asks for. */
#include "recv_dir.h"

/* Sessions of which some tables are lost: files [from, to) of s are named, and come but for a symbol of
 * files that lose() names. */
static int part_of_session(bool resume, uint64_t tsi, struct source *s, size_t n,
	uint64_t n_session, uint64_t never_named,
	bool (*lose)(const struct source *s, uint64_t index))
{
	const struct pw_recv_config cfg = {.out_dir = dir, .resume = resume};
	struct pw_recv *r = recv_make(&cfg);
	struct packets p = {0};
	uint64_t i;
	size_t k;
	int ret;

	packets_add_fdt(&p, tsi, 0, s, n, false, n_session);
	for (k = 0; k < n; k++)
		for (i = 0; i < source_symbols(&s[k]); i++)
			if (!lose || !lose(&s[k], i))
				packets_add_symbol(&p, tsi, &s[k], i);
	push(r, &p);
	ret = pw_recv_finish(r, NULL);
	assert_int_equal(settle(r).n_never_named, never_named);
	pw_recv_destroy(r);
	packets_drop(&p);
	return ret;
}

/* The manifest lists those files as missing, and those as named; "": none. */
static void assert_manifest(uint64_t n_unnamed, const char *missing, const char *named)
{
	struct pw_gaps g = {0};
	const char *name;
	size_t n_missing = 0, n_named = 0;
	char text[2] = "";

	assert_int_equal(pw_gaps_load(in_dir(dir, PW_GAPS_FILE), &g, NULL), 0);
	assert_int_equal(g.n_unnamed, n_unnamed);
	for (name = missing; *name; name++, n_missing++) {
		text[0] = *name;
		assert_non_null(pw_gaps_find(&g, text));
	}
	for (name = named; *name; name++, n_named++) {
		text[0] = *name;
		assert_true(pw_gaps_has_named(&g, text));
	}
	assert_int_equal(g.n_files, n_missing);
	assert_int_equal(g.n_named, n_named);
	pw_gaps_finish(&g);
}

enum { MANY = 6 };

static void make_many(struct source s[MANY])
{
	char name[2] = "a";
	size_t i;

	for (i = 0; i < MANY; i++, name[0]++)
		s[i] = source_make(i + 1, name, 3000, 1000, PW_DIGEST_XXH3_128);
}

static void drop_many(struct source s[MANY])
{
	size_t i;

	for (i = 0; i < MANY; i++)
		source_drop(&s[i]);
}

static bool of_b(const struct source *s, uint64_t index)
{
	return s->f.location[0] == 'b' && index == 1;
}

/* a to f: c to f were never named, b misses a symbol. The repair session has b to f. */
static void repairs_converge_when_tables_are_lost(void **state)
{
	struct source s[MANY];

	(void)state;
	make_many(s);
	assert_int_equal(part_of_session(false, TSI, s, 2, 6, 4, of_b), 1);
	assert_manifest(4, "b", "a");
	/* Its first table comes, with b and c; b's symbol is lost again. */
	assert_int_equal(part_of_session(true, TSI + 1, s + 1, 2, 5, 3, of_b), 1);
	assert_manifest(3, "b", "ac");
	/* b, d, e, f; the table with e and f is lost. */
	assert_int_equal(part_of_session(true, TSI + 2, s + 3, 1, 4, 2, NULL), 1);
	assert_manifest(2, "b", "acd");
	/* Nothing at all: the manifest stays. */
	assert_int_equal(part_of_session(true, TSI + 3, s, 0, 3, 2, NULL), 1);
	assert_manifest(2, "b", "acd");
	/* e and f, without b: nothing is unnamed any more. */
	assert_int_equal(part_of_session(true, TSI + 4, s + 4, 2, 3, 0, NULL), 1);
	assert_manifest(0, "b", "");
	assert_int_equal(part_of_session(true, TSI + 5, s + 1, 1, 1, 0, NULL), 0);
	assert_false(is_there(in_dir(dir, PW_GAPS_FILE)));
	drop_many(s);
}

/* The whole session comes once more, with other tables lost. */
static void a_second_pass_of_the_session_converges(void **state)
{
	struct source s[MANY];

	(void)state;
	make_many(s);
	assert_int_equal(part_of_session(false, TSI, s, 3, 6, 3, NULL), 1);
	assert_manifest(3, "", "abc");
	/* b, c and d are named; a is known, so e and f are not. */
	assert_int_equal(part_of_session(true, TSI + 1, s + 1, 3, 6, 2, NULL), 1);
	assert_manifest(2, "", "abcd");
	/* d to f: all are known now. */
	assert_int_equal(part_of_session(true, TSI + 2, s + 3, 3, 6, 0, NULL), 0);
	assert_false(is_there(in_dir(dir, PW_GAPS_FILE)));
	drop_many(s);
}

/* Without --resume the exit code is about this run alone, and a manifest keeps what it asks for. */
static void another_session_does_not_name_the_unnamed(void **state)
{
	struct source s[MANY], other[2] = {source_make(1, "x", 3000, 1000, PW_DIGEST_XXH3_128),
				       source_make(2, "y", 3000, 1000, PW_DIGEST_XXH3_128)};

	(void)state;
	make_many(s);
	assert_int_equal(part_of_session(false, TSI, s, 4, 6, 2, of_b), 1);
	assert_manifest(2, "b", "acd");
	assert_int_equal(part_of_session(false, TSI + 1, other, 2, 2, 0, NULL), 0);
	assert_manifest(2, "b", "acdxy");
	/* b and e to f, the repair, are of the old manifest's session. */
	assert_int_equal(part_of_session(true, TSI + 2, s + 4, 2, 3, 0, NULL), 1);
	assert_manifest(0, "b", "");
	drop_many(s);
	source_drop(&other[0]);
	source_drop(&other[1]);
}

/* The sender would not find such a name among its files, and a refused one is refused again. */
static void refused_files_are_named_unless_their_name_is_escaped(void **state)
{
	struct source s[2] = {source_make(1, "r", 3000, 1000, PW_DIGEST_XXH3_128),
		source_make(2, "\x01", 3000, 1000, PW_DIGEST_XXH3_128)};

	(void)state;
	write_text(in_dir(dir, "r"), "mine");
	assert_int_equal(part_of_session(false, TSI, s, 2, 3, 1, NULL), 1);
	assert_manifest(1, "", "r");
	source_drop(&s[0]);
	source_drop(&s[1]);
}

/* It names all files of the session before, and the rest. */
static void a_sender_that_is_started_again_names_the_unnamed(void **state)
{
	const struct pw_recv_config cfg = {.out_dir = dir};
	struct pw_recv *r = recv_make(&cfg);
	struct source s[MANY];
	struct packets p = {0};
	size_t i;

	(void)state;
	make_many(s);
	packets_add_fdt(&p, TSI, 0, s, 3, false, MANY);
	packets_add_file(&p, TSI, &s[0]);
	push(r, &p);
	assert_int_equal(settle(r).n_never_named, 3);
	packets_drop(&p);
	packets_add_fdt(&p, TSI + 1, 0, s, 3, false, MANY);
	push(r, &p);
	/* Its second table is not there yet: it also lacks three. */
	assert_int_equal(settle(r).n_never_named, 3);
	assert_false(settle(r).done);
	packets_drop(&p);
	packets_add_fdt(&p, TSI + 1, 1, s + 3, 3, true, MANY);
	for (i = 0; i < MANY; i++)
		packets_add_file(&p, TSI + 1, &s[i]);
	push(r, &p);
	assert_int_equal(settle(r).n_never_named, 0);
	assert_done(r);
	assert_int_equal(pw_recv_finish(r, NULL), 0);
	pw_recv_destroy(r);
	assert_false(is_there(in_dir(dir, PW_GAPS_FILE)));
	packets_drop(&p);
	drop_many(s);
}

/* Two senders with one file in common: what one of them did not name, the other did not name either. */
static void a_common_file_does_not_hide_unnamed_ones(void **state)
{
	const struct pw_recv_config cfg = {.out_dir = dir};
	struct pw_recv *r = recv_make(&cfg);
	struct source s[MANY];
	struct packets p = {0};

	(void)state;
	make_many(s);
	packets_add_fdt(&p, TSI, 0, s, 3, false, 4);
	packets_add_fdt(&p, TSI + 1, 0, s + 2, 2, true, 2);
	push(r, &p);
	assert_int_equal(settle(r).n_never_named, 1);
	pw_recv_destroy(r);
	packets_drop(&p);
	drop_many(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		test(repairs_converge_when_tables_are_lost),
		test(a_second_pass_of_the_session_converges),
		test(another_session_does_not_name_the_unnamed),
		test(a_sender_that_is_started_again_names_the_unnamed),
		test(a_common_file_does_not_hide_unnamed_ones),
		test(refused_files_are_named_unless_their_name_is_escaped),
	};

	return cmocka_run_group_tests_name("recv_unnamed", tests, NULL, NULL);
}
