/* SPDX-License-Identifier: BSD-3-Clause */
/* The digest that is taken while symbols come. */
#include "recv/object.h"
#include "recv_util.h"

#define LEN (3u * 1024 * 1024 + 77)

static char dir[64];

static void receive(const struct source *s, const struct packets *p, enum pw_recv_file_state state)
{
	struct pw_recv *r = recv_make(&(struct pw_recv_config){.out_dir = dir, .force = true});

	push(r, p);
	settle(r);
	assert_state(r, 0, state);
	assert_int_equal(pw_recv_finish(r, NULL), state != PW_RECV_COMPLETE);
	assert_state(r, 0, state);
	pw_recv_destroy(r);
	if (state == PW_RECV_COMPLETE)
		assert_content(in_dir(dir, s->f.location), s);
}

static void any_order_gives_the_digest(void **state)
{
	struct source s = source_make(1, "order", LEN, 1440, PW_DIGEST_XXH3_128);
	struct packets p = {0};
	struct pw_rx_view first;

	(void)state;
	packets_add_fdt(&p, TSI, 0, &s, 1, true, 1);
	packets_add_file(&p, TSI, &s);
	receive(&s, &p, PW_RECV_COMPLETE);
	/* the first symbol last: nothing can be digested until then */
	first = p.v[1];
	memmove(&p.v[1], &p.v[2], (p.n - 2) * sizeof(p.v[0]));
	p.v[p.n - 1] = first;
	receive(&s, &p, PW_RECV_COMPLETE);
	/* the first symbol before the last few: the gap's bytes are taken in steps */
	p.v[p.n - 1] = p.v[p.n - 200];
	p.v[p.n - 200] = first;
	receive(&s, &p, PW_RECV_COMPLETE);
	shuffle(p.v + 1, p.n - 1, 3);
	receive(&s, &p, PW_RECV_COMPLETE);
	packets_drop(&p);
	source_drop(&s);
}

static void a_wrong_byte_anywhere_is_a_mismatch(void **state)
{
	static const uint64_t at[] = {0, 1440 * 100 + 7, LEN / 2, LEN - 1};
	struct source s = source_make(1, "wrong", LEN, 1440, PW_DIGEST_XXH3_128);
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(at) / sizeof(at[0]); i++) {
		struct packets p = {0};

		packets_add_fdt(&p, TSI, 0, &s, 1, true, 1);
		s.data[at[i]] ^= 1;
		packets_add_file(&p, TSI, &s);
		s.data[at[i]] ^= 1;
		receive(&s, &p, PW_RECV_MISMATCH);
		packets_drop(&p);
	}
	source_drop(&s);
}

static void a_resumed_file_is_digested_from_its_beginning(void **state)
{
	struct source s = source_make(1, "resumed", LEN, 1440, PW_DIGEST_XXH3_128);
	struct pw_recv_config cfg = {.out_dir = dir, .gaps_path = in_dir(dir, "gaps")};
	struct packets p = {0}, repair = {0};
	struct pw_recv *r = recv_make(&cfg);
	uint64_t i;

	(void)state;
	packets_add_fdt(&p, TSI, 0, &s, 1, true, 1);
	packets_add_fdt(&repair, TSI, 0, &s, 1, true, 1);
	for (i = 0; i < source_symbols(&s); i++)
		packets_add_symbol(i % 5 == 1 ? &repair : &p, TSI, &s, i);
	push(r, &p);
	assert_int_equal(pw_recv_finish(r, NULL), 1);
	pw_recv_destroy(r);
	cfg.resume = true;
	r = recv_make(&cfg);
	push(r, &repair);
	assert_int_equal(pw_recv_finish(r, NULL), 0);
	assert_state(r, 0, PW_RECV_COMPLETE);
	assert_content(in_dir(dir, "resumed"), &s);
	pw_recv_destroy(r);
	packets_drop(&p);
	packets_drop(&repair);
	source_drop(&s);
}

/* Part of what lies behind the digest's gap is digested with each burst, so that the packets go on. */
static void what_came_without_a_gap_is_digested_in_steps(void **state)
{
	struct source s = source_make(1, "steps", LEN, 1000, PW_DIGEST_XXH3_128);
	struct pw_recv_config cfg = {.out_dir = dir, .force = true};
	struct pw_recv *r = recv_make(&cfg);
	struct packets p = {0};
	uint64_t i;

	(void)state;
	packets_add_fdt(&p, TSI, 0, &s, 1, true, 1);
	push(r, &p);
	packets_drop(&p);
	for (i = 1; i < source_symbols(&s) - 100; i++)
		packets_add_symbol(&p, TSI, &s, i);
	push(r, &p);
	packets_drop(&p);
	/* Many bursts with little news: repetitions. */
	packets_add_symbol(&p, TSI, &s, 0);
	for (i = 0; i < 5000; i++)
		packets_add_symbol(&p, TSI, &s, i % 7);
	for (i = source_symbols(&s) - 100; i < source_symbols(&s); i++)
		packets_add_symbol(&p, TSI, &s, i);
	push(r, &p);
	assert_state(r, 0, PW_RECV_COMPLETE);
	assert_int_equal(pw_recv_finish(r, NULL), 0);
	pw_recv_destroy(r);
	assert_content(in_dir(dir, "steps"), &s);
	packets_drop(&p);
	source_drop(&s);
}

static void assert_digests(struct pw_object *o, uint64_t len, bool early)
{
	struct pw_blocks b;
	struct pw_part *p;

	assert_int_equal(pw_blocks_init(&b, len, 1000, 64, NULL), 0);
	p = pw_part_create(o, &b, NULL);
	assert_non_null(p);
	pw_part_digest_start(p);
	assert_int_equal(p->digest != NULL, early);
	pw_part_destroy(p);
}

static void small_files_and_slow_digests_are_left_to_the_finisher(void **state)
{
	struct pw_object o = {.name = (char *)"x", .digest = {.kind = PW_DIGEST_XXH3_128}};

	(void)state;
	assert_digests(&o, LEN, true);
	assert_digests(&o, 100000, false);
	o.digest.kind = PW_DIGEST_SHA256;
	assert_digests(&o, LEN, false);
	o.digest.kind = PW_DIGEST_NONE;
	assert_digests(&o, LEN, false);
	o.digest_due = true; /* it is XXH3, unless the sender was told to use another one */
	assert_digests(&o, LEN, true);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(any_order_gives_the_digest),
		cmocka_unit_test(a_wrong_byte_anywhere_is_a_mismatch),
		cmocka_unit_test(a_resumed_file_is_digested_from_its_beginning),
		cmocka_unit_test(what_came_without_a_gap_is_digested_in_steps),
		cmocka_unit_test(small_files_and_slow_digests_are_left_to_the_finisher),
	};
	int failed;

	dir_make(dir, sizeof(dir));
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	dir_drop(dir);
	return failed;
}
