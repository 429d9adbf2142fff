/* SPDX-License-Identifier: BSD-3-Clause */
/* Received bytes are read back before the file is whole. */
#include "outdir_util.h"

#define LEN    (24ull * MIB + 100)
#define SYMBOL 1440u
#define STEP   50u /* of so many symbols, the first is missing */

static void put(struct pw_outfile *f, uint64_t i)
{
	const uint64_t at = i * SYMBOL, rest = LEN - at;

	put_pattern(f, at, rest < SYMBOL ? (uint32_t)rest : SYMBOL);
}

static void assert_read(struct pw_outfile *f, uint8_t *buf, uint64_t i)
{
	const uint64_t from = (i + 1) * SYMBOL, to = from + (STEP - 1) * SYMBOL;
	const uint64_t end = to < LEN ? to : LEN;
	struct pw_err err = {0};
	const uint8_t *got;

	if (from >= LEN)
		return;
	got = pw_outfile_read(f, from, end, buf, &err);
	assert_non_null(got);
	assert_pattern(got, from, end - from);
}

/* Mapped, and past the page cache with memory for 8 MiB: most of it has left memory. */
static void received_bytes_can_be_read_back(void **state)
{
	static const enum pw_outdir_write writes[] = {PW_OUTDIR_MAPPED, PW_OUTDIR_DIRECT};
	const uint64_t n = (LEN + SYMBOL - 1) / SYMBOL;
	uint8_t *buf = malloc(STEP * SYMBOL);
	struct pw_outfile *f;
	struct outdir_test t;
	uint64_t i;
	size_t k;

	(void)state;
	assert_non_null(buf);
	for (k = 0; k < 2; k++) {
		const struct pw_outdir_config cfg = {
			.write = writes[k], .write_memory_bytes = PW_OUTDIR_MEMORY_LO};

		assert_int_equal(outdir_start(&t, cfg), 0);
		assert_int_equal(pw_outdir_create(t.d, "f", LEN, SYMBOL, 0, &f, NULL), 0);
		assert_true(!f->direct == (writes[k] == PW_OUTDIR_MAPPED));
		for (i = 0; i < n; i++)
			if (i % STEP)
				put(f, i);
		for (i = 0; i < n; i += STEP)
			assert_read(f, buf, i);
		for (i = 0; i < n; i += STEP)
			put(f, i);
		assert_int_equal(pw_outfile_sync(f, NULL), 0);
		assert_file_pattern(in_out(&t, "f.part"), 0, LEN);
		pw_outfile_close(f);
		outdir_end(&t);
	}
	free(buf);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(received_bytes_can_be_read_back)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
