/* SPDX-License-Identifier: BSD-3-Clause */
/* Results of a bench that never ran, for tests of statistics and outputs. The figures are invented. */
#ifndef PW_TEST_BENCH_FIXTURE_H
#define PW_TEST_BENCH_FIXTURE_H

#include "bench/result.h"

/* Four wires, skipped and void rows, pollers, zero-copy completions; summarized. Free with
 * pw_result_finish(). */
void bench_fixture_fill(struct pw_bench_result *r);

/* n rows on one wire, without samples; everything a row needs is set. */
void bench_fixture_rows(struct pw_bench_result *r, size_t n);

/* n samples of NaN, rounds 0..n-1. */
void bench_fixture_samples(struct pw_row *row, size_t n);

/* What f writes to its FILE, as a string to free. */
#define BENCH_CAPTURE(text, call)                                  \
	do {                                                       \
		size_t capture_len;                                \
		FILE *out = open_memstream(&(text), &capture_len); \
		assert_non_null(out);                              \
		call;                                              \
		fclose(out);                                       \
	} while (0)

#endif
