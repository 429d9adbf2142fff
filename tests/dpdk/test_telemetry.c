/* SPDX-License-Identifier: BSD-3-Clause */
/* The polling thread publishes whole samples; names are in plain ASCII. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "base/snapshot.h"
#include "dpdk/telemetry.h"

#define N_SAMPLES 20000
#define N_WORDS   64

struct shared {
	atomic_uint seq;
	_Atomic uint64_t words[N_WORDS];
};

static void *write_samples(void *arg)
{
	struct shared *s = arg;
	uint64_t sample[N_WORDS], i;
	unsigned int w;

	for (i = 1; i <= N_SAMPLES; i++) {
		for (w = 0; w < N_WORDS; w++)
			sample[w] = i * (w + 1);
		pw_snapshot_write(&s->seq, s->words, sample, N_WORDS);
	}
	return NULL;
}

static void test_a_reader_never_sees_half_a_sample(void **state)
{
	static struct shared s;
	uint64_t sample[N_WORDS], last = 0;
	pthread_t writer;
	unsigned int w;

	(void)state;
	assert_int_equal(pthread_create(&writer, NULL, write_samples, &s), 0);
	while (last < N_SAMPLES) {
		pw_snapshot_read(&s.seq, sample, s.words, N_WORDS);
		assert_true(sample[0] >= last);
		last = sample[0];
		for (w = 0; w < N_WORDS; w++)
			assert_true(sample[w] == last * (w + 1));
	}
	pthread_join(writer, NULL);
}

static void check_name(const char *name, const char *want)
{
	char got[PW_TELEMETRY_NAME];

	pw_telemetry_name(got, name);
	assert_string_equal(got, want);
}

static void test_names_are_ascii(void **state)
{
	(void)state;
	check_name("", "");
	check_name("dir/a-b_c.bin", "dir/a-b_c.bin");
	check_name("a b%\n\x7f\xc3\xbc", "a%20b%25%0A%7F%C3%BC");
}

/* All lengths around the room, with characters that take one byte and three. */
static void test_long_names_keep_their_end(void **state)
{
	char name[3 * PW_TELEMETRY_NAME + 1], got[PW_TELEMETRY_NAME + 1];
	size_t len;
	int fill;

	(void)state;
	for (fill = 0; fill < 2; fill++)
		for (len = 1; len < sizeof(name) - 1; len++) {
			memset(name, fill ? '\xff' : 'a', len);
			name[len - 1] = 'z';
			name[len] = '\0';
			got[PW_TELEMETRY_NAME] = '#';
			pw_telemetry_name(got, name);
			assert_true(strlen(got) < PW_TELEMETRY_NAME);
			assert_int_equal(got[PW_TELEMETRY_NAME], '#');
			assert_int_equal(got[strlen(got) - 1], 'z');
			if (!strncmp(got, "...", 3))
				assert_true(strlen(got) >= PW_TELEMETRY_NAME - 4);
			else
				assert_int_equal(strlen(got), fill ? 3 * (len - 1) + 1 : len);
		}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_reader_never_sees_half_a_sample),
		cmocka_unit_test(test_names_are_ascii),
		cmocka_unit_test(test_long_names_keep_their_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
