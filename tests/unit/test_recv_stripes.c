/* SPDX-License-Identifier: BSD-3-Clause */
/* Hosts that send the same files together: what makes them one set, and when their files and they have ended. */
#include "recv_dir.h"

#define SYMBOL 1000
#define SIZE   (3u * 1024 * SYMBOL + 17)

/* What a stripe says of the file: the digest, that it comes later, or nothing. */
enum says { DIGEST, LATER, NOTHING };

static void add_table(struct packets *p, uint64_t tsi, uint32_t instance, struct pw_stripe stripe,
	const struct source *s, enum says says)
{
	struct pw_fdt_file file = s->f;
	struct pw_fdt fdt = {.complete = true,
		.n_session_files = 1,
		.stripe = stripe,
		.files = &file,
		.n_files = 1};
	struct pw_err err = {0};
	size_t len;
	char *xml;

	if (says != DIGEST)
		file.digest.kind = PW_DIGEST_NONE;
	file.digest_later = says == LATER;
	assert_int_equal(pw_fdt_build(&fdt, &xml, &len, &err), 0);
	packets_add_text(p, tsi, instance, xml, len);
	free(xml);
}

static void add_symbols(
	struct packets *p, uint64_t tsi, const struct source *s, uint64_t from, uint64_t to)
{
	for (; from < to; from++)
		packets_add_symbol(p, tsi, s, from);
}

static void add_closes(struct packets *p, uint64_t tsi)
{
	packets_add_close(p, tsi);
	packets_add_close(p, tsi);
}

static void push_from(struct pw_recv *r, struct packets *p, const char *ip)
{
	packets_from(p, ip);
	push(r, p);
	packets_drop(p);
}

static struct pw_recv *start(void)
{
	return recv_make(&(struct pw_recv_config){.out_dir = dir});
}

/* Stripe 0 has the digest at the end only, stripe 1 never; each has the file under another TOI. */
static void two_stripes_fill_one_file_and_the_digest_of_one_is_enough(void **state)
{
	struct source a = source_make(1, "f", SIZE, SYMBOL, PW_DIGEST_XXH3_128), b = a;
	struct pw_recv *r = start();
	struct packets p = {0};

	(void)state;
	b.f.toi = 4;
	add_table(&p, TSI, 0, (struct pw_stripe){0, 2}, &a, LATER);
	add_symbols(&p, TSI, &a, 0, 1024);
	push_from(r, &p, "10.0.0.1");
	add_table(&p, TSI, 1000, (struct pw_stripe){1, 2}, &b, LATER);
	add_symbols(&p, TSI, &b, 1024, 2048);
	add_closes(&p, TSI);
	push_from(r, &p, "10.0.0.2");
	assert_false(settle(r).session_closed);
	assert_false(settle(r).done);
	add_symbols(&p, TSI, &a, 2048, source_symbols(&a));
	push_from(r, &p, "10.0.0.1");
	assert_false(settle(r).done); /* the digest */
	add_table(&p, TSI, 1, (struct pw_stripe){0, 2}, &a, DIGEST);
	add_closes(&p, TSI);
	push_from(r, &p, "10.0.0.1");
	assert_true(settle(r).session_closed);
	assert_done(r);
	assert_int_equal(settle(r).n_stripes, 2);
	assert_int_equal(settle(r).n_stripes_closed, 2);
	assert_int_equal(counters(r).fdt_conflicts, 0);
	assert_int_equal(counters(r).duplicates, 0);
	assert_int_equal(pw_recv_finish(r, NULL), 0);
	assert_int_equal(pw_recv_n_files(r), 1);
	assert_state(r, 0, PW_RECV_COMPLETE);
	assert_content(in_dir(dir, "f"), &a);
	pw_recv_destroy(r);
	source_drop(&a);
}

static void packets_of_two_stripes_may_alternate(void **state)
{
	struct source a = source_make(1, "f", SIZE, SYMBOL, PW_DIGEST_XXH3_128);
	struct pw_recv *r = start();
	struct packets p[2] = {{0}}, both = {0};
	size_t i;

	(void)state;
	for (i = 0; i < 2; i++) {
		add_table(
			&p[i], TSI, 0, (struct pw_stripe){(uint32_t)i, 2}, &a, i ? LATER : DIGEST);
		add_symbols(&p[i], TSI, &a, i * 1024, i ? 2048 : 1024);
		packets_from(&p[i], i ? "fd00::2" : "10.0.0.1");
	}
	assert_int_equal(p[0].n, p[1].n);
	both.v = calloc(2 * p[0].n, sizeof(*both.v));
	for (i = 0; i < p[0].n; i++) {
		both.v[both.n++] = p[0].v[i];
		both.v[both.n++] = p[1].v[i];
	}
	push(r, &both);
	packets_drop(&both);
	free(p[0].v);
	free(p[1].v);
	add_symbols(&both, TSI, &a, 2048, source_symbols(&a));
	push_from(r, &both, "fd00::2");
	assert_int_equal(counters(r).duplicates + counters(r).fdt_conflicts, 0);
	assert_int_equal(pw_recv_finish(r, NULL), 0);
	assert_content(in_dir(dir, "f"), &a);
	pw_recv_destroy(r);
	source_drop(&a);
}

/* It has not been heard yet: it may be slower to start. Another host may take over a dead one's stripe. */
static void a_set_is_closed_when_all_its_stripes_are(void **state)
{
	struct source a = source_make(1, "f", SIZE, SYMBOL, PW_DIGEST_XXH3_128);
	static const char *const ips[] = {"10.0.0.1", "10.0.0.2", "10.0.0.3", "10.0.0.4"};
	static const struct pw_stripe stripes[] = {{0, 3}, {1, 3}, {1, 3}, {2, 3}};
	struct pw_recv *r = start();
	struct packets p = {0};
	size_t i;

	(void)state;
	for (i = 0; i < 4; i++) {
		add_table(&p, TSI, 0, stripes[i], &a, LATER);
		if (i != 1)
			add_closes(&p, TSI);
		push_from(r, &p, ips[i]);
		assert_int_equal(settle(r).session_closed, i == 3);
	}
	assert_int_equal(settle(r).n_stripes, 3);
	assert_int_equal(settle(r).n_never_named, 0);
	assert_int_equal(pw_recv_finish(r, NULL), 1);
	pw_recv_destroy(r);
	source_drop(&a);
}

/* A stripe that dies between two tables has not named all files; the others have. */
static void files_that_one_stripe_named_are_named(void **state)
{
	struct source s[2] = {source_make(1, "f", 3000, SYMBOL, PW_DIGEST_XXH3_128),
		source_make(2, "g", 3000, SYMBOL, PW_DIGEST_XXH3_128)};
	struct pw_fdt fdt = {.n_session_files = 2, .stripe = {1, 2}, .n_files = 1};
	struct pw_recv *r = start();
	struct packets p = {0};
	size_t i, len;
	char *xml;

	(void)state;
	fdt.files = &s[0].f;
	assert_int_equal(pw_fdt_build(&fdt, &xml, &len, NULL), 0);
	packets_add_text(&p, TSI, 0, xml, len);
	free(xml);
	push_from(r, &p, "10.0.0.2");
	assert_int_equal(settle(r).n_never_named, 1);
	for (i = 0; i < 2; i++) {
		fdt = (struct pw_fdt){.n_session_files = 2, .stripe = {0, 2}, .n_files = 1};
		fdt.files = &s[i].f;
		assert_int_equal(pw_fdt_build(&fdt, &xml, &len, NULL), 0);
		packets_add_text(&p, TSI, (uint32_t)i, xml, len);
		free(xml);
		packets_add_file(&p, TSI, &s[i]);
	}
	push_from(r, &p, "10.0.0.1");
	assert_int_equal(settle(r).n_never_named, 0);
	assert_done(r);
	assert_int_equal(pw_recv_finish(r, NULL), 0);
	pw_recv_destroy(r);
	for (i = 0; i < 2; i++)
		source_drop(&s[i]);
}

/* What is no stripe of this set does not fill its files: the newest announcement stands. */
static void others_do_not_join(void **state)
{
	static const struct {
		uint64_t tsi;
		struct pw_stripe stripe;
		enum says first, second;
		bool longer;
	} cases[] = {
		{TSI + 1, {1, 2}, LATER, LATER, false}, /* another job */
		{TSI, {1, 3}, LATER, LATER, false},     /* another number of stripes */
		{TSI, {0, 0}, LATER, LATER, false},     /* a sender of all */
		{TSI, {1, 2}, NOTHING, NOTHING, false}, /* nothing would show a mixture */
		{TSI, {1, 2}, LATER, LATER, true},      /* another file */
	};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct source a = source_make(1, "f", SIZE, SYMBOL, PW_DIGEST_XXH3_128);
		struct source b =
			source_make(1, "f", SIZE + cases[i].longer, SYMBOL, PW_DIGEST_XXH3_128);
		struct pw_recv *r = start();
		struct packets p = {0};

		add_table(&p, TSI, 0, (struct pw_stripe){0, 2}, &a, cases[i].first);
		add_symbols(&p, TSI, &a, 0, 1024);
		push_from(r, &p, "10.0.0.1");
		add_table(&p, cases[i].tsi, 0, cases[i].stripe, &b, cases[i].second);
		add_symbols(&p, cases[i].tsi, &b, 1024, source_symbols(&b));
		push_from(r, &p, "10.0.0.2");
		assert_int_equal(counters(r).fdt_conflicts, 1);
		assert_int_equal(pw_recv_finish(r, NULL), 1);
		assert_false(is_there(in_dir(dir, "f")));
		pw_recv_destroy(r);
		dir_drop(dir);
		assert_int_equal(mkdir(dir, 0700), 0);
		source_drop(&a);
		source_drop(&b);
	}
}

/* A host with another content of the same length: no file is better than a mixture. */
static void a_mixture_is_a_mismatch(void **state)
{
	struct source a = source_make(1, "f", SIZE, SYMBOL, PW_DIGEST_XXH3_128);
	struct source b = source_make(9, "f", SIZE, SYMBOL, PW_DIGEST_XXH3_128);
	struct pw_recv *r = start();
	struct packets p = {0};

	(void)state;
	add_table(&p, TSI, 0, (struct pw_stripe){0, 2}, &a, DIGEST);
	add_symbols(&p, TSI, &a, 0, 1024);
	push_from(r, &p, "10.0.0.1");
	add_table(&p, TSI, 0, (struct pw_stripe){1, 2}, &b, LATER);
	add_symbols(&p, TSI, &b, 1024, source_symbols(&b));
	push_from(r, &p, "10.0.0.2");
	assert_int_equal(pw_recv_finish(r, NULL), 1);
	assert_state(r, 0, PW_RECV_MISMATCH);
	assert_false(is_there(in_dir(dir, "f")));
	pw_recv_destroy(r);
	source_drop(&a);
	source_drop(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		test(two_stripes_fill_one_file_and_the_digest_of_one_is_enough),
		test(packets_of_two_stripes_may_alternate),
		test(a_set_is_closed_when_all_its_stripes_are),
		test(files_that_one_stripe_named_are_named),
		test(others_do_not_join),
		test(a_mixture_is_a_mismatch),
	};

	return cmocka_run_group_tests_name("recv_stripes", tests, NULL, NULL);
}
