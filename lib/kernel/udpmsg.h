/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Internal to lib/kernel: builds the msghdr of one datagram, or of a train of datagrams that the kernel
 * cuts (UDP_SEGMENT), from the symbols of a burst.
 *
 *   iov   | header 0 | page | header 1 | end of extent | start of next extent | header 2 | ...
 *         |<--- UDP_SEGMENT -->|<-------------- UDP_SEGMENT ------------->|<-- may be shorter
 *
 * The headers are ALC headers in the message's memory; the other iovecs refer to the file. All datagrams
 * of a train but the last have the same length, because only an object's last symbol is shorter.
 */
#ifndef PW_KERNEL_UDPMSG_H
#define PW_KERNEL_UDPMSG_H

#include <stdint.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include "kernel/symbols.h"
#include "wire/alc.h"

#define PW_UDPMSG_BYTES_MAX 65507u /* of a message: the limit of IPv4 */
/* iovecs of one datagram: a header, and parts of extents. An extent has a page or more, so 17 hold 64 KiB. */
#define PW_UDPMSG_IOVS 24

/* What fits into a message. The first datagram always fits, whatever `pieces` is. */
struct pw_udpmsg_room {
	uint16_t datagrams; /* 1: no train */
	uint16_t iovs;      /* PW_UDPMSG_IOVS or more */
	uint16_t pieces;    /* of pages */
};

struct pw_udpmsg {
	struct msghdr msg;
	uint8_t *headers; /* PW_ALC_HDR_MAX for each datagram, aligned to it: none crosses a page */
	uint16_t n;       /* datagrams */
	uint16_t pieces;  /* of pages that a zero-copy send refers to */
	_Alignas(struct cmsghdr) char ctrl[CMSG_SPACE(sizeof(uint16_t))];
};

/* The caller provides iov[room.iovs] and headers[room.datagrams * PW_ALC_HDR_MAX] for the lifetime of
 * m. */
void pw_udpmsg_init(struct pw_udpmsg *m, struct iovec *iov, uint8_t *headers);

/* Takes as many of the walk's symbols as there is room for, 1..left. m must not move afterwards, and the
 * kernel must not read its old headers any more. */
void pw_udpmsg_fill(struct pw_udpmsg *m, const struct pw_udpmsg_room *room, struct pw_symbols *walk,
	uint16_t left);

/* Writes the ALC header of a symbol to dst[PW_ALC_HDR_MAX]; returns its length. */
static inline uint16_t pw_udpmsg_header(
	uint8_t *dst, const struct pw_frame_tmpl *tmpl, uint32_t fec_id)
{
	uint16_t len = (uint16_t)(tmpl->len - tmpl->alc_off);

	memcpy(dst, tmpl->bytes + tmpl->alc_off, len);
	pw_be32_store(dst + len - 4, fec_id);
	return len;
}

#endif
