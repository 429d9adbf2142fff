/* SPDX-License-Identifier: BSD-3-Clause */
/* What the readers of pcap (capture.c) and of pcapng (capture_ng.c) share. */
#ifndef PW_WIRE_CAPTURE_PRIVATE_H
#define PW_WIRE_CAPTURE_PRIVATE_H

#include <string.h>

#include "base/bytes.h"
#include "wire/capture.h"

#define AHEAD_BYTES   4096u
#define AHEAD_RECORDS 4u

/* 1: *bytes shows [offset, offset + len). 0: the file ends before. */
static inline int pw_capture_look(struct pw_capture *c, uint64_t offset, size_t len,
	const uint8_t **bytes, struct pw_err *err)
{
	int r = 1;

	if (offset < c->view.from || offset + len > c->view.to)
		r = c->source.view(c->source.ctx, offset, len, &c->view, err);
	if (r <= 0) /* what was in view may be there no more */
		c->view = (struct pw_capture_view){0};
	*bytes = r > 0 ? c->view.bytes + (offset - c->view.from) : NULL;
	return r;
}

/* p: a record of len bytes. Where the next ones begin is known only when each one is read, so this asks memory for
 * what lies ahead: all lines of short records, and the headers of long ones that are as long as this one. */
static inline void pw_capture_prefetch(const uint8_t *p, uint32_t len)
{
	const uint8_t *ahead = p + pw_max_u64(AHEAD_BYTES, AHEAD_RECORDS * (uint64_t)len);

	__builtin_prefetch(ahead);
	__builtin_prefetch(ahead + 64);
}

static inline uint32_t pw_capture_load(const uint8_t *p, bool swapped)
{
	uint32_t v;

	memcpy(&v, p, sizeof(v));
	return swapped ? __builtin_bswap32(v) : v;
}

static inline uint16_t pw_capture_u16(const struct pw_capture *c, const uint8_t *p)
{
	uint16_t v;

	memcpy(&v, p, sizeof(v));
	return c->swapped ? __builtin_bswap16(v) : v;
}

static inline uint32_t pw_capture_u32(const struct pw_capture *c, const uint8_t *p)
{
	return pw_capture_load(p, c->swapped);
}

/* -EBADMSG: "cannot read PATH: " and the text, which names the place. */
__attribute__((format(printf, 3, 4))) int pw_capture_bad(
	const struct pw_capture *c, struct pw_err *err, const char *fmt, ...);

/* The record at c->at is the last, and it is not whole. Returns 0. */
int pw_capture_cut(struct pw_capture *c);

/* Opens a pcapng; c->at is 0. */
int pw_capture_open_ng(struct pw_capture *c, struct pw_err *err);

#endif
