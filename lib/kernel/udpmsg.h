/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Internal to lib/kernel: a msghdr of one datagram, or of a train of them that the kernel cuts.
 *
 *   iov   | header 0 | page | header 1 | end of page | start of next run | header 2 | ...
 *         |<--- UDP_SEGMENT ---->|<------------ UDP_SEGMENT ----------->|<-- may be shorter
 *
 * Headers are ALC's, in memory of the message; the rest are slices of the file. A train's datagrams
 * are equally long but for the last: only an object's last symbol is shorter.
 */
#ifndef PW_KERNEL_UDPMSG_H
#define PW_KERNEL_UDPMSG_H

#include <stdint.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include "kernel/symbols.h"
#include "wire/alc.h"

#define PW_UDPMSG_BYTES_MAX 65507u /* IPv4's, header and symbols */
/* iovecs of one datagram: a header, and pages. Runs are of a page and more: 17 hold 64 KiB. */
#define PW_UDPMSG_IOVS 24

/* How much may go into a message. The first datagram goes in whatever `pieces` says. */
struct pw_udpmsg_room {
	uint16_t datagrams; /* 1: no train */
	uint16_t iovs;      /* PW_UDPMSG_IOVS or more */
	uint16_t pieces;    /* of pages */
};

struct pw_udpmsg {
	struct msghdr msg;
	uint8_t *headers; /* PW_ALC_HDR_MAX a datagram, aligned to it: none lies on two pages */
	uint16_t n;       /* datagrams */
	uint16_t pieces;  /* of pages that zero copy would refer to */
	_Alignas(struct cmsghdr) char ctrl[CMSG_SPACE(sizeof(uint16_t))];
};

/* iov[room.iovs] and headers[room.datagrams * PW_ALC_HDR_MAX] are the caller's, and belong to m
 * until it is thrown away. */
void pw_udpmsg_init(struct pw_udpmsg *m, struct iovec *iov, uint8_t *headers);

/* Takes as many of the walk's symbols as there is room for, 1..left. m->msg must not move, and m's
 * headers must not be read any more. */
void pw_udpmsg_fill(struct pw_udpmsg *m, const struct pw_udpmsg_room *room, struct pw_symbols *walk,
	uint16_t left);

/* ALC header of a symbol to dst[PW_ALC_HDR_MAX]; returns its length. */
static inline uint16_t pw_udpmsg_header(
	uint8_t *dst, const struct pw_frame_tmpl *tmpl, uint32_t fec_id)
{
	uint16_t len = (uint16_t)(tmpl->len - tmpl->alc_off);

	memcpy(dst, tmpl->bytes + tmpl->alc_off, len);
	pw_be32_store(dst + len - 4, fec_id);
	return len;
}

#endif
