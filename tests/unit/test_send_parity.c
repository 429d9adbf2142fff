/* SPDX-License-Identifier: BSD-3-Clause */
/* Parity of a file that is sent: how it is cut, the order of its symbols, and what a burst of loss leaves. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "fec/rs.h"
#include "send/parity.h"
#include "send/work.h"

#define SYMBOL 64u

struct order {
	struct pw_blocks source, parity;
	uint32_t *sbn; /* of each symbol, in the order of sending */
	uint64_t n;
};

/* Sends a chunk: each of its symbols must be one that was not sent yet. */
static void take(struct order *o, const struct pw_work_chunk *c, unsigned char *seen)
{
	const struct pw_blocks *b = c->is_parity ? &o->parity : &o->source;
	const uint64_t base = c->is_parity ? o->source.n_symbols : 0;
	uint32_t sbn, i;

	for (sbn = c->first_block; sbn < c->end_block; sbn++)
		for (i = c->row; i < c->row + c->run && i < pw_blocks_block_len(b, sbn); i++) {
			const uint64_t at = base + pw_blocks_first_symbol(b, sbn) + i;

			assert_int_equal(seen[at]++, 0);
			o->sbn[o->n++] = sbn;
		}
}

/* Every source and parity symbol exactly once. */
static const struct pw_stripe all;

static void make_order(struct order *o, const struct pw_send_fec *fec, uint64_t n_symbols)
{
	struct pw_send_turns t;
	struct pw_work work = {0};
	struct pw_work_chunk c;
	unsigned char *seen;
	size_t item = 0;
	uint32_t i;

	assert_int_equal(pw_send_fec_cut(&o->source, fec, n_symbols * SYMBOL, SYMBOL, NULL), 0);
	o->parity = pw_send_fec_parity(fec, &o->source);
	o->n = 0;
	o->sbn = calloc(o->source.n_symbols + o->parity.n_symbols, sizeof(*o->sbn));
	seen = calloc(o->source.n_symbols + o->parity.n_symbols, 1);
	assert_true(o->sbn && seen);
	t = pw_send_fec_turns(fec, &o->source, &all, 0, UINT32_MAX);
	for (i = 0; i < t.n_bands; i++) {
		const struct pw_work_band band = {.source = &o->source,
			.parity = &o->parity,
			.first_block = pw_send_fec_band(&t, i),
			.end_block = pw_send_fec_band(&t, i + 1),
			.run = t.run};

		assert_int_equal(pw_work_add_band(&work, 0, &band, NULL), 0);
	}
	while (pw_work_take(&work, &item, &c))
		take(o, &c, seen);
	assert_int_equal(o->n, o->source.n_symbols + o->parity.n_symbols);
	pw_work_finish(&work);
	free(seen);
}

/* Wherever a loss of n_lost packets in a row begins, each block keeps as many symbols as it needs. */
static void check_burst(const struct order *o, uint64_t n_lost)
{
	uint32_t *lost = calloc(o->source.n_blocks, sizeof(*lost));
	uint64_t i;

	assert_non_null(lost);
	for (i = 0; i < o->n; i++) {
		lost[o->sbn[i]]++;
		if (i >= n_lost)
			lost[o->sbn[i - n_lost]]--;
		assert_true(lost[o->sbn[i]] <= pw_blocks_parity(&o->source, o->sbn[i]));
	}
	free(lost);
}

static void each_symbol_is_sent_once_and_a_burst_of_1000_packets_is_survived(void **state)
{
	static const struct pw_send_fec codes[] = {{.k = 200, .r = 10}, {.k = 100, .r = 5},
		{.k = 223, .r = 32}, {.k = 20, .r = 3}, {.k = 200, .r = 2}, {.k = 250, .r = 4}};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(codes) / sizeof(codes[0]); i++) {
		const uint64_t whole = 1000 / (codes[i].r / 2) * codes[i].k;
		const uint64_t sizes[] = {whole + codes[i].k, 2 * whole + 17, 3 * whole - 1};
		size_t k;

		for (k = 0; k < 3; k++) {
			struct order o;

			make_order(&o, &codes[i], sizes[k]);
			check_burst(&o, PW_SEND_FEC_BURST);
			free(o.sbn);
		}
	}
}

static void every_block_of_a_file_of_any_size_has_parity(void **state)
{
	const struct pw_send_fec codes[] = {{.k = 200, .r = 2}, {.k = 7, .r = 3}, {.k = 1, .r = 2},
		{.k = 200, .r = 1}, {.k = 254, .r = 1}, {.k = 2, .r = 1}, {.k = 1, .r = 1}};
	uint64_t n;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(codes) / sizeof(codes[0]); i++)
		for (n = 1; n < 1300; n += n < 420 ? 1 : 37) {
			struct order o;

			make_order(&o, &codes[i], n);
			assert_true(o.parity.a_large >= 1 && o.parity.a_small >= 1);
			assert_true(o.source.max_sbl <= codes[i].k);
			assert_true(o.parity.a_large <= codes[i].r);
			free(o.sbn);
		}
}

static void more_memory_of_interleaving_makes_fewer_bands(void **state)
{
	struct pw_send_fec fec = {.k = 10, .r = 4};
	struct pw_blocks b;

	(void)state;
	assert_int_equal(pw_send_fec_cut(&b, &fec, 10000 * SYMBOL, SYMBOL, NULL), 0);
	assert_int_equal(pw_send_fec_turns(&fec, &b, &all, 0, UINT32_MAX).n_bands,
		2); /* 500 blocks of 2 symbols */
	fec.interleave_bytes = 100 * 10 * SYMBOL;
	assert_int_equal(pw_send_fec_turns(&fec, &b, &all, 0, UINT32_MAX).n_bands, 10);
	fec.interleave_bytes = 1;
	assert_int_equal(pw_send_fec_turns(&fec, &b, &all, 0, UINT32_MAX).n_bands, 1000);
	fec.interleave_bytes = UINT64_MAX;
	assert_int_equal(pw_send_fec_turns(&fec, &b, &all, 0, UINT32_MAX).n_bands, 1);
}

static void stripes_send_all_blocks_once_and_change_with_each_pass(void **state)
{
	static const uint64_t sizes[] = {1, 2, 9, 10000};
	struct pw_send_fec fec = {.k = 10, .r = 4};
	struct pw_blocks b;
	uint32_t n, index, next;
	uint64_t turn;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++)
		for (n = 2; n <= 5; n++)
			for (turn = 0; turn < n; turn++) {
				assert_int_equal(pw_send_fec_cut(&b, &fec, sizes[i] * 10 * SYMBOL,
							 SYMBOL, NULL),
					0);
				/* the part that begins at block 0 is that of another stripe each time */
				index = (uint32_t)((n - turn) % n);
				for (next = 0; next < b.n_blocks; index = (index + 1) % n) {
					const struct pw_stripe s = {index, n};
					const struct pw_send_turns t =
						pw_send_fec_turns(&fec, &b, &s, turn, UINT32_MAX);

					assert_int_equal(t.first_block, next);
					next += t.n_blocks;
					assert_int_equal(pw_send_fec_band(&t, t.n_bands), next);
				}
				assert_int_equal(index, (n - turn) % n);
			}
}

static void *give(void *ctx, size_t len, size_t align)
{
	(void)ctx;
	return aligned_alloc(align, len);
}

static void take_back(void *ctx, void *p)
{
	(void)ctx;
	free(p);
}

/* A file in extents that cut its symbols, with a short last symbol. */
static void parity_of_scattered_pages_is_that_of_contiguous_ones(void **state)
{
	const struct pw_stage_mem mem = {
		.alloc = give, .free = take_back, .max_extent_bytes = 8192};
	const struct pw_send_fec fec = {.k = 20, .r = 4, .points = PW_RS_YPO};
	const uint64_t len = 50000;
	uint8_t *data = malloc(len), *copies[50];
	struct pw_extent extents[50];
	struct pw_window file = {.len_bytes = len, .extents = extents, .n_extents = 50};
	struct pw_extent one = {.va = data, .len_bytes = len};
	struct pw_window whole = {.len_bytes = len, .extents = &one, .n_extents = 1};
	struct pw_send_parity *p, *q;
	struct pw_blocks b;
	atomic_bool stop = false;
	uint64_t i, k;

	(void)state;
	assert_non_null(data);
	for (i = 0; i < len; i++)
		data[i] = (uint8_t)(i * i >> 7);
	for (i = 0; i < 50; i++) {
		copies[i] = malloc(1000);
		assert_non_null(copies[i]);
		memcpy(copies[i], data + 1000 * i, 1000);
		extents[i] =
			(struct pw_extent){.va = copies[i], .offset = 1000 * i, .len_bytes = 1000};
	}
	assert_int_equal(pw_send_fec_cut(&b, &fec, len, SYMBOL, NULL), 0);
	assert_int_equal(pw_send_parity_create(&p, &fec, &b, &mem, "a", NULL), 0);
	assert_int_equal(pw_send_parity_create(&q, &fec, &b, &mem, "a", NULL), 0);
	assert_int_equal(pw_send_parity_make(p, &file, 3, b.n_blocks, &stop), 0);
	assert_int_equal(pw_send_parity_make(p, &file, 0, 3, &stop), 0);
	assert_int_equal(pw_send_parity_make(q, &whole, 0, b.n_blocks, &stop), 0);
	assert_true(p->win.n_extents > 1);
	for (i = 0; i < p->win.n_extents; i++) {
		const struct pw_extent *e = &p->win.extents[i];

		assert_int_equal(e->offset % SYMBOL, 0);
		assert_memory_equal(e->va, q->win.extents[i].va, e->len_bytes);
	}
	stop = true;
	assert_int_equal(pw_send_parity_make(q, &whole, 0, b.n_blocks, &stop), 0); /* it is there */
	q->done[0] = 0;
	q->n_done = 0;
	assert_int_equal(pw_send_parity_make(q, &whole, 0, b.n_blocks, &stop), -ECANCELED);
	for (k = 0; k < 50; k++)
		free(copies[k]);
	pw_send_parity_destroy(p);
	pw_send_parity_destroy(q);
	free(data);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_symbol_is_sent_once_and_a_burst_of_1000_packets_is_survived),
		cmocka_unit_test(every_block_of_a_file_of_any_size_has_parity),
		cmocka_unit_test(stripes_send_all_blocks_once_and_change_with_each_pass),
		cmocka_unit_test(more_memory_of_interleaving_makes_fewer_bands),
		cmocka_unit_test(parity_of_scattered_pages_is_that_of_contiguous_ones),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
