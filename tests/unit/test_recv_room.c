/* SPDX-License-Identifier: BSD-3-Clause */
/* The packets that wait for a table: how many there may be, and which are dropped. */
#include "recv/room.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#define PACKET_BYTES 1000u

static const uint8_t bytes[PACKET_BYTES];

static const struct pw_rx_view packet = {.data = bytes, .len = PACKET_BYTES};

static unsigned int add(struct pw_room *room, unsigned int n)
{
	unsigned int i, n_lost = 0;

	for (i = 0; i < n; i++)
		n_lost += pw_room_add_unknown(room, &packet, 1 + i, true);
	return n_lost;
}

static void the_oldest_are_dropped_when_the_queue_is_full(void **state)
{
	const unsigned int n = 2 * PW_ROOM_UNKNOWN / PACKET_BYTES;
	struct pw_room room;
	unsigned int n_lost;

	(void)state;
	pw_room_init(&room);
	n_lost = add(&room, n);
	assert_in_range(n_lost, n / 2, n - 1);
	assert_int_equal(pw_room_n_unknown(&room), n - n_lost);
	assert_int_equal(room.unknown->toi, 1 + n_lost);
	assert_true(pw_room_unknown_bytes(&room) <= PW_ROOM_UNKNOWN);
	pw_room_finish(&room);
}

/* The file worker takes all, finds no table for them, and puts them back, while a lane adds others. */
static void packets_that_are_put_back_count_once(void **state)
{
	const unsigned int n = PW_ROOM_UNKNOWN / PACKET_BYTES * 2 / 3;
	struct pw_waiting *first, *w;
	struct pw_room room;
	unsigned int i;

	(void)state;
	pw_room_init(&room);
	assert_int_equal(add(&room, n), 0);
	first = pw_room_take_unknown(&room, UINT64_MAX);
	for (w = first, i = 0; w; w = w->next, i++) {
		assert_int_equal(pw_room_put_back(&room, &packet, w->toi), 0);
		if (i % 8 == 0)
			assert_int_equal(add(&room, 1), 0);
	}
	assert_int_equal(i, n);
	assert_int_equal(room.taken_bytes, 0);
	assert_int_equal(pw_room_n_unknown(&room), n + (n + 7) / 8);
	pw_waiting_free_list(first);
	pw_room_finish(&room);
}

/* They take memory until the worker has placed the last one. */
static void packets_that_were_taken_count(void **state)
{
	const unsigned int n = PW_ROOM_UNKNOWN / PACKET_BYTES * 2 / 3;
	struct pw_waiting *first;
	struct pw_room room;

	(void)state;
	pw_room_init(&room);
	assert_int_equal(add(&room, n), 0);
	first = pw_room_take_unknown(&room, UINT64_MAX);
	assert_true(add(&room, n) > 0);
	pw_waiting_free_list(first);
	room.taken_bytes = 0;
	assert_true(pw_room_unknown_bytes(&room) < PW_ROOM_UNKNOWN / 2);
	assert_int_equal(add(&room, n / 3), 0);
	pw_room_finish(&room);
}

static void only_those_before_a_table_are_taken(void **state)
{
	struct pw_waiting *first;
	struct pw_room room;
	uint64_t seq;

	(void)state;
	pw_room_init(&room);
	assert_null(pw_room_take_unknown(&room, UINT64_MAX));
	add(&room, 3);
	assert_true(pw_room_add_table(&room, &packet));
	seq = room.tables->seq;
	add(&room, 2);
	first = pw_room_take_unknown(&room, seq);
	assert_int_equal(first->next->next->toi, 3);
	assert_null(first->next->next->next);
	assert_int_equal(pw_room_n_unknown(&room), 2);
	pw_waiting_free_list(first);
	pw_room_finish(&room);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_oldest_are_dropped_when_the_queue_is_full),
		cmocka_unit_test(packets_that_are_put_back_count_once),
		cmocka_unit_test(packets_that_were_taken_count),
		cmocka_unit_test(only_those_before_a_table_are_taken),
	};

	return cmocka_run_group_tests_name("recv_room", tests, NULL, NULL);
}
