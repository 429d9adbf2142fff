/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The messages of the repair channel: HTTP/1.1 from the receivers to the sender, on the kernel's network.
 *
 *   POST /TOKEN/report                            JSON: what the receiver has so far; also its first message
 *   POST /TOKEN/gaps?receiver=ID&round=N          a gap manifest (recv/gaps.h), packed by gzip
 *   POST /TOKEN/complete                          JSON, as report: every file is verified and durable
 *   POST /TOKEN/leave                             JSON, as report: the receiver ends without all files
 *   200 {"round": N, "receivers": M, "report_ms": T}  taken; the sender's round, how many have reported to it, and
 *                                                     when to report again
 *   400 no message   404 no such path, or another token   409 not of this round, or session   413 too large
 *   429 the receiver's share is used up   503 no room now: send it again later
 *
 * The file table has the URL with the token (pw:Repair). ID is what a receiver draws when it starts: 16
 * hexadecimal digits. Both ends read the messages as hostile. docs/wire.md has the fields.
 */
#ifndef PW_REPAIR_MESSAGE_H
#define PW_REPAIR_MESSAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "wire/addr.h"

#define PW_REPAIR_TOKEN_LEN  32u          /* hexadecimal digits */
#define PW_REPAIR_ID_LEN     16u          /* the same */
#define PW_REPAIR_NAME_MAX   64u          /* bytes of a receiver's host name, NUL excluded */
#define PW_REPAIR_URL_MAX    128u         /* bytes of a URL, NUL included */
#define PW_REPAIR_JSON_MAX   4096u        /* bytes of report and complete */
#define PW_REPAIR_PACKED_MAX (4u << 20)   /* bytes of a packed manifest */
#define PW_REPAIR_TEXT_MAX   (16u << 20)  /* bytes of it unpacked */
#define PW_REPAIR_RANGES_MAX (256u << 10) /* that a receiver lists: they fit both bounds */

/* Between two reports of a receiver: without a word of the sender, and the bounds of what it says. */
#define PW_REPAIR_REPORT_MS     2000u
#define PW_REPAIR_REPORT_MS_MIN 20u
#define PW_REPAIR_REPORT_MS_MAX 60000u

enum pw_repair_kind {
	PW_REPAIR_REPORT,
	PW_REPAIR_GAPS,
	PW_REPAIR_COMPLETE,
	PW_REPAIR_LEAVE,
	PW_REPAIR_N_KINDS
};

/* "report", "gaps", "complete", "leave" */
const char *pw_repair_kind_name(enum pw_repair_kind kind);

/* http://ADDR:PORT/TOKEN */
struct pw_repair_url {
	struct pw_addr addr;
	char token[PW_REPAIR_TOKEN_LEN + 1];
};

/* -EINVAL: anything but an http URL with an address in numbers, a port, and a token. A table from anyone makes
 * a receiver open it, so nothing else may be in it. */
int pw_repair_url_parse(const char *text, struct pw_repair_url *url, struct pw_err *err);
/* buf[PW_REPAIR_URL_MAX]; returns it. */
char *pw_repair_url_format(char *buf, const struct pw_repair_url *url);

/* Draws n hexadecimal digits, and a NUL. -errno of getrandom(). */
int pw_repair_draw(char *text, size_t n, struct pw_err *err);
/* Compares in a time that does not depend on the bytes. given has at least PW_REPAIR_TOKEN_LEN bytes. */
bool pw_repair_token_equal(const char *token, const char *given);
/* 16 hexadecimal digits, and nothing behind them. */
bool pw_repair_id_parse(const char *text, uint64_t *id);

/* The body of report, complete and leave. Counts since the receiver started. */
struct pw_repair_report {
	uint64_t id;
	char name[PW_REPAIR_NAME_MAX + 1]; /* printable ASCII */
	uint64_t files, files_good;        /* known; verified and durable */
	uint64_t bytes, bytes_have;        /* of known files */
	uint64_t symbols_expected; /* that the sender has sent, as far as the receiver can tell */
	uint64_t symbols_seen;     /* of them */
	uint64_t time_us;          /* of the counts, on the receiver's own clock; 0: not told */
	/* Packets that came as far as the receiver and were dropped there, by what was full. */
	uint64_t dropped_socket,
		dropped_ring;    /* the kernel's socket; the port's ring, or its pool */
	uint64_t dropped_files;  /* waited too long for a file to be opened */
	uint64_t disk_waited_us; /* its packets waited so long for the disk */
};

/* JSON in text[PW_REPAIR_JSON_MAX]; returns its length. */
size_t pw_repair_report_format(char *text, const struct pw_repair_report *report);
/* -EBADMSG */
int pw_repair_report_parse(
	const char *text, size_t len, struct pw_repair_report *report, struct pw_err *err);

/* Packs by gzip into *out (malloc). */
int pw_repair_pack(const char *text, size_t len, void **out, size_t *out_len, struct pw_err *err);
/* Unpacks into *text (malloc), PW_REPAIR_TEXT_MAX at most. -EFBIG: it is larger, or packed beyond
 * PW_REPAIR_PACKED_MAX. -EBADMSG: no gzip. */
int pw_repair_unpack(
	const void *data, size_t len, char **text, size_t *text_len, struct pw_err *err);

#endif
