/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Builds and parses the File Delivery Table (FDT, RFC 6726 section 3.4.2), which names the file of each TOI.
 * It is XML, by libxml2; no entities, no DTD, no network. An FDT-Instance carries some of the session's
 * files; instances add up. Attributes of pagewire have the namespace PW_FDT_NS:
 *   Digest  of a File: "xxh3-128:HEX", "sha-256:HEX", "sha-256-tree:HEX", or "later": the file is read while it is sent, and
 *           a later instance has its digest
 *   Mode    of a File: permission bits in octal, "0644"
 *   MTime   of a File: nanoseconds since 1970, decimal; may be negative
 *   Leaves  of a File: SHA-256 of each of its leaves (wire/leaves.h)
 *   Files   of the FDT-Instance: number of files in the whole session
 *   Sequence of the FDT-Instance: of a signed session, grows with each session of a key (file/sign.h)
 *   Repair  of the FDT-Instance: where receivers may ask for what they miss, "http://ADDR:PORT/TOKEN"
 *   Round   of the FDT-Instance: repair round, decimal; absent: 0, the first transmission
 *   Ask     of the FDT-Instance: "true" when the sender has sent all of the round and waits for requests
 *   Stripe  of the FDT-Instance: "I/N": the sender is one of N that send these files together
 * Not thread-bound; one struct one thread.
 */
#ifndef PW_WIRE_FDT_H
#define PW_WIRE_FDT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "wire/encoding.h"
#include "wire/stripe.h"

#define PW_FDT_NS          "urn:pagewire:fdt:1"
#define PW_FDT_MAX_BYTES   (16u << 20) /* a received instance beyond this is refused */
#define PW_FDT_MAX_FILES   65536u      /* files in one instance */
#define PW_NAME_MAX        1024u       /* bytes of a Content-Location, NUL excluded */
#define PW_FDT_MAX_RATIO   1000u       /* an instance may unpack to this many times its size ... */
#define PW_FDT_MIN_BOUND   (64u << 10) /* ... or to this if it is more */
#define PW_DIGEST_LATER    "later"     /* pw:Digest */
#define PW_FDT_URL_MAX     256u        /* bytes of a pw:Repair that is read */
#define PW_DIGEST_MAX      32
#define PW_DIGEST_TEXT_MAX 96 /* of pw_digest_format() */

enum pw_digest_kind {
	PW_DIGEST_NONE,
	PW_DIGEST_XXH3_128,
	PW_DIGEST_SHA256,
	PW_DIGEST_MD5,
	PW_DIGEST_SHA256_TREE, /* of the leaves: wire/leaves.h */
};

struct pw_digest {
	enum pw_digest_kind kind;
	uint8_t bytes[PW_DIGEST_MAX]; /* pw_digest_len() of them */
};

size_t pw_digest_len(enum pw_digest_kind kind);
/* "none", "xxh3-128", "sha-256", "md5", "sha-256-tree" */
const char *pw_digest_name(enum pw_digest_kind kind);
/* "xxh3-128:0123..." into buf[PW_DIGEST_TEXT_MAX]; returns buf. */
char *pw_digest_format(char *buf, size_t len, const struct pw_digest *d);
/* The reverse; false when malformed. */
bool pw_digest_parse(const char *s, struct pw_digest *d);

struct pw_fdt_file {
	char *location; /* file name by pw_fdt_location(): any bytes; owned, never NULL */
	const char *
		fault; /* why this entry cannot be received (static text), or NULL. With a fault, only
			    * `location` (may be "") and `toi` (may be 0) are valid */
	uint64_t toi; /* 1.. */
	enum pw_encoding encoding;
	bool has_len;          /* transfer_len is known; else EXT_FTI of the data packets has it */
	bool has_content_len;  /* content_len is known */
	bool has_oti;          /* symbol_len and max_sbl are known; else EXT_FTI has them */
	uint64_t content_len;  /* of the file */
	uint64_t transfer_len; /* of the object that is sent; differs only with an encoding */
	uint32_t symbol_len;   /* FEC-OTI-Encoding-Symbol-Length */
	uint32_t max_sbl;      /* FEC-OTI-Maximum-Source-Block-Length */
	uint32_t max_n;        /* FEC-OTI-Max-Number-of-Encoding-Symbols; 0: absent */
	uint32_t fec_id;       /* FEC-OTI-FEC-Encoding-ID; 0, Compact No-Code, when it is absent */
	struct pw_digest digest; /* pw:Digest, else Content-MD5, else none */
	bool digest_later;       /* a later instance of the session has pw:Digest */
	struct pw_digest md5;    /* Content-MD5, also beside `digest`; kind NONE = none */
	uint8_t *
		leaves; /* pw:Leaves, pw_leaves_n(transfer_len) of them; NULL: none. Parsed: owned */
	bool has_mode, has_mtime;
	uint32_t mode;    /* pw:Mode & 0777 */
	int64_t mtime_ns; /* pw:MTime */
};

struct pw_fdt {
	uint64_t expires_ntp;     /* NTP seconds; 0 = unknown */
	bool complete;            /* no later instance brings new files (RFC 6726 3.4.2) */
	uint64_t n_session_files; /* pw:Files; 0 = unknown */
	uint64_t sequence;        /* pw:Sequence; 0 = none */
	char *repair_url;         /* pw:Repair, any text; owned; NULL: none */
	uint64_t round;           /* pw:Round */
	bool asks;                /* pw:Ask */
	struct pw_stripe stripe;  /* pw:Stripe */
	struct pw_fdt_file *files;
	size_t n_files;
	size_t n_faults; /* files[] with a fault */
};

/* Seconds since 1970 -> NTP seconds */
uint64_t pw_fdt_ntp(uint64_t unix_s);

/* Builds the XML into *xml (malloc; the caller frees), *len bytes without NUL. Locations are any bytes except NUL: they are percent-encoded
 * where a URI demands it, and pw_fdt_location() returns the same bytes. Lengths and FEC-OTI are always
 * written, Mode and MTime if has_*; has_len, has_oti, has_content_len and fault are ignored. -ENAMETOOLONG: an empty location, or one
 * beyond PW_NAME_MAX. */
int pw_fdt_build(const struct pw_fdt *fdt, char **xml, size_t *len, struct pw_err *err);

/* Writes another time of expiry into a text of pw_fdt_build(). -EINVAL: it is no such text, or the number
 * would have another number of digits. */
int pw_fdt_renew(char *xml, size_t len, uint64_t expires_ntp);

/* Parses a received instance. -EBADMSG: not an FDT, or a DOCTYPE; -EFBIG: beyond the limits above or
 * those of wire/fdt_scan.h. A File that cannot be received gets a `fault`; the others are not affected.
 * Content-Encoding and FEC-OTI on the FDT-Instance are inherited by each File that does not have
 * them. On success the caller owns *fdt and calls pw_fdt_finish(). Locations are NOT safe as paths: the receiver checks
 * them (file/outname.h). */
int pw_fdt_parse(const void *xml, size_t len, struct pw_fdt *fdt, struct pw_err *err);

/*
 * The name of the file that a Content-Location stands for, into *path (malloc; the caller frees).
 *   - SCHEME://AUTHORITY is removed, with "/" at the start of the path and a "#fragment":
 *     "http://example.com/v/s1.m4s" -> "v/s1.m4s", "file:///c.bin" -> "c.bin". A query is kept, as
 *     a part of the name. This applies to the text before it is decoded: "http%3A//h/x" has no scheme.
 *   - Segments "." are removed: "./b.bin" -> "b.bin". ".." is kept; receivers refuse it.
 *   - Any other reference is kept: "/a/b", "//h/x", "urn:a:b".
 *   - Then percent-encoding is decoded; a '%' without two hexadecimal digits is kept.
 * -ENOENT: no name is left; -EBADMSG: it has an encoded NUL; -EFBIG: more than PW_NAME_MAX bytes.
 */
int pw_fdt_location(const char *uri, char **path);

/* Unpacks an instance of len bytes into *out (malloc; the caller frees), *out_len bytes. DEFLATE
 * takes data with zlib's wrapping or without; GZIP any number of members. -EBADMSG: damaged, truncated, or followed by other data; -EFBIG: more than PW_FDT_MAX_BYTES, or than PW_FDT_MAX_RATIO
 * and PW_FDT_MIN_BOUND allow; -ENOTSUP: PW_ENCODING_OTHER. */
int pw_fdt_decode(enum pw_encoding e, const void *data, size_t len, void **out, size_t *out_len,
	struct pw_err *err);

/* Frees what *fdt owns; accepts a zeroed one. */
void pw_fdt_finish(struct pw_fdt *fdt);

#endif
