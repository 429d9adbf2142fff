/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The File Delivery Table (RFC 6726 section 3.4.2): which TOI is which file. XML, built and parsed
 * with libxml2; no entities, no DTD, no network. Attributes of our own live in the namespace
 * PW_FDT_NS: Digest ("xxh3-128:HEX", "sha-256:HEX", or "later" when a file is read only as it is sent
 * and a later instance will name it) on a File, Files (number of files in the whole
 * session) on the FDT-Instance. An FDT-Instance carries some of the session's files; instances add
 * up. Not thread-bound; one struct one thread.
 */
#ifndef PW_WIRE_FDT_H
#define PW_WIRE_FDT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

#define PW_FDT_NS          "urn:pagewire:fdt:1"
#define PW_FDT_MAX_BYTES   (16u << 20) /* a received instance beyond this is refused */
#define PW_FDT_MAX_FILES   65536u      /* files in one instance */
#define PW_NAME_MAX        1024u       /* bytes of a Content-Location, NUL excluded */
#define PW_DIGEST_LATER    "later"     /* pw:Digest */
#define PW_DIGEST_MAX      32
#define PW_DIGEST_TEXT_MAX 96 /* of pw_digest_format() */

enum pw_digest_kind { PW_DIGEST_NONE, PW_DIGEST_XXH3_128, PW_DIGEST_SHA256, PW_DIGEST_MD5 };

struct pw_digest {
	enum pw_digest_kind kind;
	uint8_t bytes[PW_DIGEST_MAX]; /* 16, 32 or 16 of them */
};

size_t pw_digest_len(enum pw_digest_kind kind);
const char *pw_digest_name(enum pw_digest_kind kind); /* "none", "xxh3-128", "sha-256", "md5" */
/* "xxh3-128:0123..." into buf[PW_DIGEST_TEXT_MAX]; returns buf. */
char *pw_digest_format(char *buf, size_t len, const struct pw_digest *d);
/* The reverse; false when malformed. */
bool pw_digest_parse(const char *s, struct pw_digest *d);

struct pw_fdt_file {
	char *location; /* Content-Location, percent-decoded: any bytes; owned */
	uint64_t toi;   /* 1.. */
	uint64_t content_len;
	uint64_t transfer_len;
	uint32_t symbol_len;     /* FEC-OTI-Encoding-Symbol-Length */
	uint32_t max_sbl;        /* FEC-OTI-Maximum-Source-Block-Length */
	uint32_t fec_id;         /* FEC-OTI-FEC-Encoding-ID */
	struct pw_digest digest; /* ours, else Content-MD5, else none */
	bool digest_later;       /* a later instance of the session will bring ours */
	struct pw_digest md5; /* to be sent as Content-MD5 beside `digest`; kind NONE = not sent */
	bool encoded;         /* a Content-Encoding that we cannot undo (gzip, ...) */
	bool has_mode;
	uint32_t mode; /* permission bits, 0777 at most */
	bool has_mtime;
	int64_t mtime_ns; /* since 1970 */
};

struct pw_fdt {
	uint64_t expires_ntp;     /* NTP seconds */
	bool complete;            /* no later instance brings new files (RFC 6726 3.4.2) */
	uint64_t n_session_files; /* pw:Files; 0 = unknown */
	struct pw_fdt_file *files;
	size_t n_files;
};

/* Seconds since 1970 -> NTP seconds */
uint64_t pw_fdt_ntp(uint64_t unix_s);

/* Builds the XML into *xml (malloc; the caller frees), *len bytes without NUL. Locations are any
 * bytes but NUL: what a URI does not take is percent-encoded. -ENAMETOOLONG: an empty location, or
 * one beyond PW_NAME_MAX. */
int pw_fdt_build(const struct pw_fdt *fdt, char **xml, size_t *len, struct pw_err *err);

/* Parses a received instance. -EBADMSG: not an FDT, a DOCTYPE, or a file lacks what is needed (TOI,
 * Content-Location, a length); -EFBIG: beyond the limits above or those of wire/fdt_scan.h. FEC-OTI
 * on the FDT-Instance element is inherited by files that do not have it. On success the caller owns
 * *fdt and calls pw_fdt_finish(). Locations are NOT made safe here: the receiver does that. */
int pw_fdt_parse(const void *xml, size_t len, struct pw_fdt *fdt, struct pw_err *err);

/* Frees what *fdt owns; accepts a zeroed one. */
void pw_fdt_finish(struct pw_fdt *fdt);

#endif
