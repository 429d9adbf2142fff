/* SPDX-License-Identifier: BSD-3-Clause */
/* pagewire bench --classic: measures and prints the textbook's table. */
#include <errno.h>
#include <unistd.h>

#include "app/cli/cli.h"
#include "app/cmd_bench.h"
#include "bench/classic.h"
#include "bench/textbook.h"

#define TITLE \
	"one buffer of 64 KiB, one pass: TCP to ourselves, page cache warm; bypass: the same file"
#define DISK      "/var/tmp"
#define EAL_BYTES (2 * (96ull << 20))

/* 3 when one of the textbook's own ways did not run: the table is not complete. */
static int judge(const struct pw_classic_row *rows, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++)
		if (rows[i].way != PW_CLASSIC_BYPASS && rows[i].skipped[0])
			return PW_EXIT_INCOMPLETE;
	return PW_EXIT_OK;
}

/* Makes the file, and a copy on a disk for the way that stages by DMA. DISK may be in memory: then
 * there is no copy on a disk. */
static int make_store(struct pw_store *store, struct pw_err *err)
{
	const uint64_t size = PW_TEXTBOOK_BYTES;
	const char *disk = access(DISK, W_OK) ? NULL : DISK;
	int r = pw_store_make(store, &size, 1, NULL, disk, EAL_BYTES, err);

	if (r != -EBUSY)
		return r;
	pw_store_remove(store);
	return pw_store_make(store, &size, 1, NULL, NULL, EAL_BYTES, err);
}

int pw_bench_classic(const struct pw_bench_cli *o, const struct pw_context *ctx)
{
	struct pw_classic_row rows[PW_TEXTBOOK_ROWS];
	struct pw_store store = {0};
	struct pw_err err = {0};
	json_t *doc;
	size_t n;
	int code;

	if (make_store(&store, &err)) {
		pw_store_remove(&store);
		return pw_cli_fail_open(&err);
	}
	if (!store.huge)
		pw_warn(&ctx->log, "no file on hugetlbfs: %s", store.huge_why);
	n = pw_textbook_rows(&store, rows);
	pw_store_remove(&store);
	code = judge(rows, n);
	if (!o->output.json) {
		pw_classic_print(stdout, rows, n, TITLE);
		return code;
	}
	doc = pw_classic_json(rows, n, TITLE);
	json_object_set_new(doc, "exit_code", json_integer(code));
	pw_cli_print_json(doc);
	return code;
}
