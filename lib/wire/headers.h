/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Finds the headers of any Ethernet frame: tags, IPv4 or IPv6 with extension headers, and what follows. It
 * reads the first PW_HEADERS_LOOK bytes of a frame, whatever they hold, and nothing else.
 *
 *   | MACs | 0..4 tags | EtherType | IPv4, IPv6, ...  | extension headers | TCP, UDP, ... | payload
 *                                  ^ l3                                   ^ l4
 */
#ifndef PW_WIRE_HEADERS_H
#define PW_WIRE_HEADERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PW_HEADERS_LOOK     128u
#define PW_HEADERS_TAGS_MAX 4u
#define PW_HEADERS_EXT_MAX  8u /* IPv6 extension headers */

enum pw_headers_end {
	PW_HEADERS_WHOLE,  /* found up to l4, or to the IP header of a later fragment */
	PW_HEADERS_NOT_IP, /* `type` at l3 is neither IPv4 nor IPv6 */
	PW_HEADERS_CUT,    /* a header does not fit the frame, or contradicts itself */
	PW_HEADERS_DEEP,   /* a header lies beyond the limits above */
};

struct pw_headers {
	enum pw_headers_end end; /* where the search ended; what came before is valid */
	uint8_t n_tags;          /* 802.1Q, 802.1ad */
	uint8_t family;   /* 4 or 6: the fixed part of that IP header is at l3. 0: it is not */
	uint8_t proto;    /* IP protocol at l4 */
	bool is_fragment; /* also the first one */
	bool is_routed; /* IPv6: an address in a routing header is the destination, RFC 8200 8.1 */
	uint16_t type;  /* EtherType behind the tags */
	uint16_t l3;    /* offset of what follows `type`; 0: the tags are not whole */
	uint16_t l4; /* offset of what follows the IP headers; 0: not found, or a later fragment */
	/* where the bytes that belong to the IP packet end, at most min(len, PW_HEADERS_LOOK) */
	uint16_t stop;
};

/* frame[len]: as captured; the first min(len, PW_HEADERS_LOOK) bytes have to be readable. */
void pw_headers_find(struct pw_headers *h, const uint8_t *frame, size_t len);

/* Only the tags: n_tags, type, l3 and stop. `end` is PW_HEADERS_WHOLE if l3 is found. */
void pw_headers_find_tags(struct pw_headers *h, const uint8_t *frame, size_t len);

#endif
