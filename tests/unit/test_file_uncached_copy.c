/* SPDX-License-Identifier: BSD-3-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "file/uncached_copy.h"

#define ROOM 512

/* Heap blocks of the exact size: the sanitizer sees a read beyond them. */
static void check(size_t at, size_t skew, size_t len)
{
	uint8_t to[ROOM], want[ROOM], *from = malloc(skew + len + 1);
	size_t i;

	assert_non_null(from);
	for (i = 0; i < skew + len; i++)
		from[i] = (uint8_t)(i * 7 + 1);
	memset(to, 0xee, sizeof(to));
	memset(want, 0xee, sizeof(want));
	memcpy(want + at, from + skew, len);
	pw_uncached_copy(to + at, from + skew, len);
	pw_uncached_fence();
	assert_memory_equal(to, want, sizeof(to));
	free(from);
}

static void it_copies_just_these_bytes_at_any_alignment(void **state)
{
	static const size_t lens[] = {0, 1, 15, 63, 64, 65, 127, 128, 129, 200, 256, 300};
	size_t at, i;

	(void)state;
	for (at = 0; at < 130; at++)
		for (i = 0; i < sizeof(lens) / sizeof(lens[0]); i++) {
			check(at, 0, lens[i]);
			check(at, 10, lens[i]);
		}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(it_copies_just_these_bytes_at_any_alignment),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
