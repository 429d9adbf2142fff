/* SPDX-License-Identifier: BSD-3-Clause */
/* One object into memory, pass after pass. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "recv/memory.h"
#include "wire/blocks.h"

#define SYMBOL 100
#define LEN    1050 /* 11 symbols, the last one of 50 bytes */
#define N      11
#define TOI    1

struct fixture {
	uint8_t bytes[LEN], file[N * SYMBOL];
	struct pw_recv_memory memory;
	struct pw_recv *r;
};

static void make(struct fixture *f)
{
	const struct pw_recv_config cfg = {.memory = &f->memory};
	struct pw_err err = {0};
	size_t i;

	*f = (struct fixture){.memory = {.bytes = f->bytes,
				      .toi = TOI,
				      .len_bytes = LEN,
				      .symbol_len = SYMBOL,
				      .max_sbl = 4}};
	for (i = 0; i < sizeof(f->file); i++)
		f->file[i] = (uint8_t)(i * 7 + 1);
	assert_int_equal(pw_recv_create(&f->r, &cfg, NULL, &err), 0);
}

/* Sends symbols [from, to) in one burst, with this TSI and TOI. */
static uint64_t send_as(struct fixture *f, uint64_t tsi, uint64_t toi, uint32_t from, uint32_t to)
{
	uint8_t packets[N][PW_ALC_HDR_MAX + SYMBOL];
	struct pw_rx_view views[N];
	struct pw_blocks b;
	uint32_t i, sbn, esi;

	assert_int_equal(pw_blocks_init(&b, LEN, SYMBOL, 4, NULL), 0);
	for (i = from; i < to; i++) {
		struct pw_alc_hdr hdr = {.tsi = tsi, .toi = toi};
		size_t n;

		pw_blocks_locate(&b, i, &sbn, &esi);
		hdr.sbn = (uint16_t)sbn;
		hdr.esi = (uint16_t)esi;
		n = pw_alc_build(packets[i], &hdr, false);
		memcpy(packets[i] + n, f->file + i * SYMBOL, SYMBOL);
		views[i - from] = (struct pw_rx_view){
			.data = packets[i], .len = (uint32_t)(n + pw_blocks_symbol_bytes(&b, i))};
	}
	return pw_recv_lane_burst(f->r, 0, views, to - from);
}

static uint64_t send(struct fixture *f, uint32_t from, uint32_t to)
{
	return send_as(f, 7, TOI, from, to);
}

static void assert_range(struct fixture *f, uint64_t *to, uint64_t from, uint64_t end)
{
	uint64_t start;

	assert_true(pw_recv_memory_next(f->r, &start, to));
	assert_int_equal(start, from);
	assert_int_equal(*to, end);
	assert_memory_equal(f->bytes + from, f->file + from, end - from);
}

static void every_pass_is_placed_and_counted(void **state)
{
	struct pw_recv_counters c;
	struct pw_recv_status st;
	struct fixture f;
	uint64_t to = 0;
	int pass;

	(void)state;
	make(&f);
	for (pass = 0; pass < 3; pass++) {
		memset(f.bytes, 0, sizeof(f.bytes));
		assert_int_equal(send(&f, 0, N), LEN);
		assert_memory_equal(f.bytes, f.file, LEN);
	}
	pw_recv_counters(f.r, &c);
	assert_int_equal(c.packets, 3 * N);
	assert_int_equal(c.symbols, 3 * N);
	assert_int_equal(c.payload_bytes, LEN);
	assert_int_equal(c.again_bytes, 2 * LEN);
	pw_recv_status(f.r, &st);
	assert_int_equal(st.bytes_have, LEN);
	assert_false(st.done);
	assert_range(&f, &to, 0, LEN);
	assert_false(pw_recv_memory_next(f.r, &(uint64_t){0}, &to));
	assert_int_equal(pw_recv_finish(f.r, NULL), 0);
	pw_recv_destroy(f.r);
}

static void what_was_lost_in_all_passes_is_a_hole(void **state)
{
	struct fixture f;
	uint64_t to = 0;

	(void)state;
	make(&f);
	send(&f, 0, 3);
	send(&f, 8, 10);
	send(&f, 4, 6);
	send(&f, 5, 8);
	assert_range(&f, &to, 0, 300);
	assert_range(&f, &to, 400, 1000);
	assert_false(pw_recv_memory_next(f.r, &(uint64_t){0}, &to));
	assert_int_equal(pw_recv_finish(f.r, NULL), 1);
	to = 0;
	assert_range(&f, &to, 0, 300);
	pw_recv_destroy(f.r);
}

static void any_session_is_taken_and_one_object(void **state)
{
	struct pw_recv_counters c;
	struct fixture f;

	(void)state;
	make(&f);
	assert_int_equal(send_as(&f, 7, 0, 0, 2), 0);
	assert_int_equal(send_as(&f, 7, TOI, 0, 5), 500);
	assert_int_equal(send_as(&f, 7, TOI + 1, 5, 6), 0);
	assert_int_equal(send_as(&f, 8, TOI, 5, N), LEN - 500);
	assert_memory_equal(f.bytes, f.file, LEN);
	pw_recv_counters(f.r, &c);
	assert_int_equal(c.symbols, N);
	pw_recv_destroy(f.r);
}

static void an_object_without_a_byte_has_none(void **state)
{
	const struct pw_recv_memory memory = {.toi = TOI, .symbol_len = SYMBOL};
	const struct pw_recv_config cfg = {.memory = &memory};
	uint64_t from, to = 0;
	struct fixture f;

	(void)state;
	make(&f);
	pw_recv_destroy(f.r);
	assert_int_equal(pw_recv_create(&f.r, &cfg, NULL, NULL), 0);
	assert_int_equal(send(&f, 0, N), 0);
	assert_false(pw_recv_memory_next(f.r, &from, &to));
	assert_int_equal(pw_recv_finish(f.r, NULL), 0);
	pw_recv_destroy(f.r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_pass_is_placed_and_counted),
		cmocka_unit_test(what_was_lost_in_all_passes_is_a_hole),
		cmocka_unit_test(any_session_is_taken_and_one_object),
		cmocka_unit_test(an_object_without_a_byte_has_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
