/* SPDX-License-Identifier: BSD-3-Clause */
/* Ordinary pages in place of huge ones: the thread does not know. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "file/prefault.h"

#define PAGE  4096u
#define PAGES 64u

static uint8_t *map_pages(void)
{
	uint8_t *p =
		mmap(NULL, PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	assert_true(p != MAP_FAILED);
	return p;
}

static unsigned int count_pages(uint8_t *p)
{
	unsigned char there[PAGES];
	unsigned int i, n = 0;

	assert_int_equal(mincore(p, PAGES * PAGE, there), 0);
	for (i = 0; i < PAGES; i++)
		n += there[i] & 1;
	return n;
}

static void pages_are_made_without_being_touched(void **state)
{
	uint64_t end = pw_clock_ns() + 20 * PW_NS_PER_S;
	uint8_t *p = map_pages(), *q = map_pages();
	struct pw_prefault *a;

	(void)state;
	assert_int_equal(count_pages(p), 0);
	assert_int_equal(pw_prefault_create(&a, NULL), 0);
	pw_prefault_add(a, p, PAGES * PAGE, PAGE);
	pw_prefault_add(a, q, PAGES * PAGE, PAGE);
	while ((count_pages(p) < PAGES || count_pages(q) < PAGES) && pw_clock_ns() < end)
		usleep(1000);
	assert_int_equal(count_pages(p), PAGES);
	assert_int_equal(count_pages(q), PAGES);
	pw_prefault_destroy(a);
	munmap(p, PAGES * PAGE);
	munmap(q, PAGES * PAGE);
}

/* Also of ranges that are more than it keeps, were never given, or cannot be written to. */
static void a_range_that_was_dropped_is_left_alone(void **state)
{
	uint8_t *p[40];
	struct pw_prefault *a;
	unsigned int i, round;

	(void)state;
	pw_prefault_remove(NULL, NULL);
	assert_int_equal(pw_prefault_create(&a, NULL), 0);
	pw_prefault_remove(a, NULL);
	for (round = 0; round < 20; round++) {
		for (i = 0; i < 40; i++) {
			p[i] = map_pages();
			if (i % 7 == 3)
				mprotect(p[i], PAGES * PAGE, PROT_NONE);
			pw_prefault_add(a, p[i], PAGES * PAGE, PAGE);
		}
		for (i = 0; i < 40; i++) {
			pw_prefault_remove(a, p[i]);
			/* another mapping takes the range */
			assert_true(mmap(p[i], PAGES * PAGE, PROT_READ | PROT_WRITE,
					    MAP_SHARED | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == p[i]);
		}
		usleep(500);
		for (i = 0; i < 40; i++) {
			assert_int_equal(count_pages(p[i]), 0);
			munmap(p[i], PAGES * PAGE);
		}
	}
	pw_prefault_destroy(a);
	pw_prefault_destroy(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(pages_are_made_without_being_touched),
		cmocka_unit_test(a_range_that_was_dropped_is_left_alone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
