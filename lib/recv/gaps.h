/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Reads and writes the gap manifest: the byte ranges that a receiver still misses, as JSON. It is the repair
 * request of a one-way link: the user carries it back, `send --gaps FILE` sends the ranges, and
 * `recv --resume` receives them.
 *
 *   {"schema": "pagewire.gaps/1", "tsi": 7,
 *    "files": [{"name": "dir/a.img", "bytes": 3000001, "digest": "xxh3-128:...", "part": 2,
 *               "missing": [[0, 1440], [2880, 5760]]},
 *              {"name_bytes": "caf%E9.txt", "bytes": 3000, "missing": [[0, 3000]]}],
 *    "unnamed": 64, "named": ["b.img"], "named_bytes": ["th%E9.txt"]}
 *
 *   files       the files of which bytes are missing
 *   name        the name, if its bytes are UTF-8
 *   name_bytes  else: '%' and each byte that is not printable ASCII as %XX, with two hexadecimal digits
 *   digest      absent if it is not known
 *   part        the received bytes lie in NAME.2.part; absent: in NAME.part
 *   missing     byte ranges [from, to), sorted and disjoint
 *   unnamed     the least number of files of the session that no file table named; absent: 0
 *   named       with unnamed: the files that were named and of which nothing is needed. The sender
 *               repeats each file that is neither here nor in files
 *   named_bytes the same, for names that are not UTF-8
 *
 * The text is read as hostile: sizes, counts and ranges are bounded. The same bounds hold for writing,
 * so that a manifest that was written can be read.
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
/* One million names with 256 MiB in total, each byte written as three (%XX), and 250 more bytes per name. */
#define PW_GAPS_MAX_BYTES  (5u << 28)
#define PW_GAPS_MAX_FILES  (4u << 20)  /* in each list */
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
	uint64_t n_unnamed; /* files that are in neither list, at least */
	char **named;       /* with n_unnamed: files of which nothing is needed; owned */
	size_t n_named;
	bool sorted; /* both lists are in the order of the names' bytes: parsing sorts them */
	char *paths; /* the manifests that were loaded, for messages; owned, may be NULL */
};

/* Parses JSON text. -EBADMSG when it is no manifest, contradicts itself or is beyond the bounds. */
int pw_gaps_parse(const char *text, size_t len, struct pw_gaps *g, struct pw_err *err);
/* Adds the manifest to g, which is zeroed or was loaded: then g asks for all that one of the receivers
 * needs. -EBADMSG as pw_gaps_parse(), and when manifests disagree about a file's length or digest. */
int pw_gaps_load(const char *path, struct pw_gaps *g, struct pw_err *err);
/* As pw_gaps_load(), of two manifests that were parsed. Takes what is in more. */
int pw_gaps_merge(struct pw_gaps *g, struct pw_gaps *more, struct pw_err *err);
/* Writes PATH.part, renames it to PATH, and waits until both are on the disk. A file or link at
 * PATH.part is removed first. -EISDIR: a directory stands there, or at PATH. -EFBIG: g is beyond the
 * bounds. Every failure but that of a sync leaves PATH as it was. */
int pw_gaps_save(const char *path, const struct pw_gaps *g, struct pw_err *err);
/* The text that pw_gaps_save() writes, in *text (malloc), *len bytes without NUL. -EFBIG: more than most bytes. */
int pw_gaps_text(
	const struct pw_gaps *g, size_t most, char **text, size_t *len, struct pw_err *err);
/* The entry in files, or NULL. Fast when g is sorted. */
const struct pw_gap_file *pw_gaps_find(const struct pw_gaps *g, const char *name);
/* Whether the name is in `named`. g is sorted. */
bool pw_gaps_has_named(const struct pw_gaps *g, const char *name);
void pw_gaps_finish(struct pw_gaps *g); /* accepts a zeroed one */

#endif
