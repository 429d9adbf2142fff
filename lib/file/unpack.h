/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Decompresses a stream: gzip (RFC 1952), zstd (RFC 8878), lz4 frames, xz. The first bytes decide which, not the file's name;
 * any other stream passes as it is.
 *
 *   read() of the source -> 256 KiB -> zlib, libzstd, liblz4 or liblzma -> memory of the caller
 *
 * Concatenated members are one stream, as for gzip, zstd, lz4 and xz themselves. The input is hostile: memory is bounded by
 * PW_UNPACK_MEMORY_MAX, whatever the input asks for and however much comes out, and checksums are verified.
 */
#ifndef PW_FILE_UNPACK_H
#define PW_FILE_UNPACK_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"

#define PW_UNPACK_MAGIC_LEN 6u /* bytes that pw_unpack_kind_of() looks at */
#define PW_UNPACK_MEMORY_MAX \
	(128u << 20) /* for a decompressor's window; `zstd --long` and `xz -9` need no more */

enum pw_unpack_kind {
	PW_UNPACK_PLAIN, /* not compressed, or not by one of these */
	PW_UNPACK_GZIP,
	PW_UNPACK_ZSTD,
	PW_UNPACK_LZ4,
	PW_UNPACK_XZ,
};

/* bytes[len]: the start of the stream. */
enum pw_unpack_kind pw_unpack_kind_of(const uint8_t *bytes, size_t len);
const char *pw_unpack_kind_name(enum pw_unpack_kind kind); /* "gzip"; "plain" */

struct pw_unpack_source {
	/* Up to len bytes into buf; returns how many, 0 at the end, -errno with err. */
	ssize_t (*read)(void *ctx, void *buf, size_t len, struct pw_err *err);
	void *ctx;
	const char *path; /* for messages */
};

struct pw_unpack;

/* Reads the first bytes of the source, which must outlive *u. One thread. -ENOMEM; what read() returns. */
int pw_unpack_open(struct pw_unpack **u, const struct pw_unpack_source *source, struct pw_err *err);
void pw_unpack_close(struct pw_unpack *u); /* accepts NULL */

/*
 * Fills buf[len], len > 0. Returns len, less at the end, 0 after it. An error comes after all bytes that precede it:
 *   -EBADMSG  the data is damaged, ends within a member, or is followed by other data
 *   -EFBIG    it needs more than PW_UNPACK_MEMORY_MAX
 *   -ENOMEM, or what read() of the source returned
 * Each later call returns the same error.
 */
ssize_t pw_unpack_read(struct pw_unpack *u, void *buf, size_t len, struct pw_err *err);

#endif
