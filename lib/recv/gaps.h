/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The gap manifest: what a receiver still misses, as JSON. It is the repair request of a one-way
 * link: carry it back by hand, `send --gaps FILE` sends just that, `recv --resume` takes it in.
 *
 *   {"schema": "pagewire.gaps/1", "tsi": 7,
 *    "files": [{"name": "dir/a.img", "bytes": 3000001, "digest": "xxh3-128:...", "part": 2,
 *               "missing": [[0, 1440], [2880, 5760]]},
 *              {"name_bytes": "caf%E9.txt", "bytes": 3000, "missing": [[0, 3000]]}]}
 *
 *   name        the name, where its bytes are UTF-8
 *   name_bytes  else: '%' and all that is not printable ASCII as %XX, with two hexadecimal digits
 *   part        the received bytes lie in NAME.2.part; left out: in NAME.part
 *   missing     byte ranges [from, to), sorted and disjoint
 *
 * Files that are complete do not appear. A digest that is not known is left out. Read as hostile:
 * sizes, counts and ranges are bounded. The same bounds hold for writing, so that what was written
 * can be read.
 */
#ifndef PW_RECV_GAPS_H
#define PW_RECV_GAPS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "wire/fdt.h"

#define PW_GAPS_SCHEMA "pagewire.gaps/1"
#define PW_GAPS_FILE   "pagewire-gaps.json" /* in the output directory */
/* A million names of 256 MiB in total, each byte as three (%XX), and 250 bytes beside each name. */
#define PW_GAPS_MAX_BYTES  (5u << 28)
#define PW_GAPS_MAX_FILES  (4u << 20)
#define PW_GAPS_MAX_RANGES (16u << 20) /* of all files */
#define PW_GAPS_MAX_PART   15u

struct pw_range {
	uint64_t from; /* byte offset */
	uint64_t to;   /* one past the last byte, > from */
};

struct pw_gap_file {
	char *name; /* Content-Location: any bytes but NUL; owned */
	uint64_t len_bytes;
	struct pw_digest digest;
	struct pw_range *missing; /* owned */
	size_t n_missing;
	unsigned int part; /* the partial file: 0 NAME.part, 1..PW_GAPS_MAX_PART NAME.N.part */
};

struct pw_gaps {
	uint64_t tsi;
	struct pw_gap_file *files;
	size_t n_files;
	bool sorted; /* files are in the order of their names' bytes: parsing sorts them */
};

/* Parses JSON text. -EBADMSG when it is no manifest, contradicts itself or is beyond the bounds. */
int pw_gaps_parse(const char *text, size_t len, struct pw_gaps *g, struct pw_err *err);
int pw_gaps_load(const char *path, struct pw_gaps *g, struct pw_err *err);
/* Writes PATH.part, renames it to PATH, and waits until both are on the disk. What stands at
 * PATH.part is removed, a link is not followed. -EISDIR: a directory stands there, or at PATH.
 * -EFBIG: g is beyond the bounds. PATH is as it was after any failure but one to sync. */
int pw_gaps_save(const char *path, const struct pw_gaps *g, struct pw_err *err);
/* NULL when g does not name it. Fast when g is sorted. */
const struct pw_gap_file *pw_gaps_find(const struct pw_gaps *g, const char *name);
void pw_gaps_finish(struct pw_gaps *g); /* accepts a zeroed one */

#endif
