/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Edits the headers of captured frames. The payload is neither read nor moved: the edited headers are written
 * to memory of the caller, and they take the place of the frame's first bytes.
 *
 *   frame    | replaced bytes |  rest of the frame, where it is  |
 *            |                |
 *   header  [ header_len bytes ]  edited; 4 more or less than `replaced` with a VLAN tag more or less
 *
 * What can be changed: MACs, the outer VLAN tag, TTL or hop limit, and addresses. Addresses are those of the outer
 * IPv4 or IPv6 header, and the sender's and target's of an IPv4 ARP packet. Addresses elsewhere (in ICMP, in
 * neighbour discovery, in routing headers, in tunnels, in the payload) stay, as with tcprewrite.
 *
 * Checksums are updated from the difference (RFC 1624): IPv4's header, and those over the pseudo header (TCP, UDP,
 * UDP-Lite, DCCP, ICMPv6). A wrong checksum stays wrong; a UDP checksum of 0 stays 0.
 */
#ifndef PW_WIRE_EDIT_H
#define PW_WIRE_EDIT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "wire/headers.h"
#include "wire/prefix.h"

#define PW_EDIT_HEADER_MAX PW_HEADERS_LOOK /* bytes of one edited header */
#define PW_EDIT_HEADER_MIN 64u             /* bytes of a frame that are replaced, if it has them */
#define PW_EDIT_MAPS_MAX   64u

/* The options' texts; NULL: not given. */
struct pw_edit_text {
	const char *dst_mac, *src_mac; /* "02:00:00:00:00:01" */
	/* "push:ID": one tag more. "pop": the outer tag is removed. "ID": the outer tag gets this VLAN ID and keeps its
	 * priority; a frame without a tag gets one. */
	const char *vlan;
	const char *ttl; /* "N", "+N" (at most 255), "-N" (at least 1) */
	/* "FROM:TO,FROM:TO", IPv6 in brackets: "10.0.0.0/8:192.168.0.0/16,[2001:db8::/32]:[fd00::/32]". An address in FROM gets
	 * the first bits from TO, as many as TO has, and keeps the others. For source and destination the first FROM that
	 * has the address counts (tcprewrite --pnat). */
	const char *map;
};

enum pw_edit_vlan { PW_EDIT_VLAN_KEEP, PW_EDIT_VLAN_PUSH, PW_EDIT_VLAN_POP, PW_EDIT_VLAN_SET };
enum pw_edit_ttl { PW_EDIT_TTL_KEEP, PW_EDIT_TTL_SET, PW_EDIT_TTL_ADD, PW_EDIT_TTL_SUB };

struct pw_edit_map {
	struct pw_prefix from, to;
};

/* Const after pw_edit_parse(); any number of threads. Zeroed: no edits. */
struct pw_edit {
	bool has_dst_mac, has_src_mac;
	uint8_t dst_mac[6], src_mac[6];
	enum pw_edit_vlan vlan;
	uint16_t vlan_id;
	enum pw_edit_ttl ttl;
	uint8_t ttl_value;
	bool maps_ipv4, maps_ipv6; /* whether there are any */
	uint8_t n_maps;
	struct pw_edit_map maps[PW_EDIT_MAPS_MAX];
};

/* -EINVAL: an option's text is wrong; err begins with the option. */
int pw_edit_parse(struct pw_edit *e, const struct pw_edit_text *text, struct pw_err *err);

/* Whether there is anything to edit. */
bool pw_edit_any(const struct pw_edit *e);

enum pw_edit_verdict {
	PW_EDIT_DONE, /* header[] replaces the first bytes */
	PW_EDIT_SAME, /* no edit applies: the frame stays as it is, in place */
	/* The frame stays as it is, for the caller to count: */
	PW_EDIT_CUT, /* a header that an edit needs is cut, or contradicts itself */
	PW_EDIT_DEEP, /* it lies beyond PW_EDIT_HEADER_MAX, or behind too many tags or extension headers */
};

struct pw_edit_result {
	uint16_t header_len; /* <= PW_EDIT_HEADER_MAX */
	uint16_t replaced;   /* <= len */
};

/* frame[len], Ethernet: the first min(len, PW_EDIT_HEADER_MAX) bytes have to be readable in one piece. *result only with
 * PW_EDIT_DONE; header[] is changed in any case. */
enum pw_edit_verdict pw_edit_apply(const struct pw_edit *e, const uint8_t *frame, size_t len,
	uint8_t header[PW_EDIT_HEADER_MAX], struct pw_edit_result *result);

#endif
