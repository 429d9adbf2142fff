/* SPDX-License-Identifier: BSD-3-Clause */
/* pagewire bench --classic */
#include <unistd.h>

#include "app/bench.h"
#include "app/cli.h"
#include "bench/classic.h"
#include "bench/textbook.h"

#define TITLE \
	"one buffer of 64 KiB, one pass: TCP to ourselves, page cache warm; bypass: the same file"
#define DISK      "/var/tmp"
#define EAL_BYTES (2 * (96ull << 20))

/* 3 when one of the textbook's own ways did not run: the table would not be the textbook's. */
static int judge(const struct pw_classic_row *rows, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++)
		if (rows[i].way != PW_CLASSIC_BYPASS && rows[i].skipped[0])
			return PW_EXIT_MISMATCH;
	return PW_EXIT_OK;
}

int pw_bench_classic(const struct pw_bench_cli *o, const struct pw_context *ctx)
{
	const uint64_t size = PW_TEXTBOOK_BYTES;
	struct pw_classic_row rows[PW_TEXTBOOK_ROWS];
	struct pw_store store = {0};
	struct pw_err err = {0};
	json_t *doc;
	size_t n;
	int code;

	if (pw_store_make(
		    &store, &size, 1, NULL, access(DISK, W_OK) ? NULL : DISK, EAL_BYTES, &err)) {
		pw_store_remove(&store);
		return pw_cli_fail_open(&err);
	}
	if (!store.huge)
		pw_warn(&ctx->log, "no file on hugetlbfs: %s", store.huge_why);
	n = pw_textbook_rows(&store, rows);
	pw_store_remove(&store);
	code = judge(rows, n);
	if (!o->json) {
		pw_classic_print(stdout, rows, n, TITLE);
		return code;
	}
	doc = pw_classic_json(rows, n, TITLE);
	json_object_set_new(doc, "exit_code", json_integer(code));
	pw_cli_print_json(doc);
	return code;
}
