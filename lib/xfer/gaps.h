/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The gap manifest: what a receiver still misses, as JSON. It is the repair request of a one-way
 * link: carry it back by hand, `send --gaps FILE` sends just that, `recv --resume` takes it in.
 *
 *   {"schema": "pagewire.gaps/1", "tsi": 7,
 *    "files": [{"name": "dir/a.img", "bytes": 3000001, "digest": "xxh3-128:...",
 *               "missing": [[0, 1440], [2880, 5760]]}]}
 *
 * Byte ranges [from, to), sorted and disjoint.
 *
 * Files that are complete do not appear. A digest that is not known is left out. Read as hostile:
 * sizes, counts and ranges are bounded.
 */
#ifndef PW_XFER_GAPS_H
#define PW_XFER_GAPS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "wire/fdt.h"

#define PW_GAPS_SCHEMA    "pagewire.gaps/1"
#define PW_GAPS_FILE      "pagewire-gaps.json" /* in the output directory */
#define PW_GAPS_MAX_BYTES (64u << 20)

struct pw_range {
	uint64_t from; /* byte offset */
	uint64_t to;   /* one past the last byte, > from */
};

struct pw_gap_file {
	char *name; /* Content-Location; owned */
	uint64_t len_bytes;
	struct pw_digest digest;
	struct pw_range *missing; /* owned */
	size_t n_missing;
};

struct pw_gaps {
	uint64_t tsi;
	struct pw_gap_file *files;
	size_t n_files;
	bool sorted; /* files are in the order of their names' bytes: parsing sorts them */
};

/* Parses JSON text. -EBADMSG when it is no manifest or contradicts itself. */
int pw_gaps_parse(const char *text, size_t len, struct pw_gaps *g, struct pw_err *err);
int pw_gaps_load(const char *path, struct pw_gaps *g, struct pw_err *err);
/* Writes to PATH.part, fsyncs, renames. -EFBIG: more than PW_GAPS_MAX_BYTES of text. */
int pw_gaps_save(const char *path, const struct pw_gaps *g, struct pw_err *err);
/* NULL when g does not name it. Fast when g is sorted. */
const struct pw_gap_file *pw_gaps_find(const struct pw_gaps *g, const char *name);
void pw_gaps_finish(struct pw_gaps *g); /* accepts a zeroed one */

#endif
