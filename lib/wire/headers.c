/* SPDX-License-Identifier: BSD-3-Clause */
/* Finds the headers of any Ethernet frame, within bounds. */
#include "wire/headers.h"

#include "wire/frame.h"
#include "wire/ip.h"

#define ETHERTYPE_QINQ     0x88a8 /* IEEE 802.1ad */
#define ETHERTYPE_OLD_QINQ 0x9100
#define IPV4_OFFSET        0x1fff

/* https://www.iana.org/assignments/protocol-numbers */
enum { HOP_BY_HOP = 0, ROUTING = 43, AUTHENTICATION = 51, DESTINATION = 60 };

/* The bytes up to `need` are not there: because the frame ends, or because they are too far away. */
static enum pw_headers_end missing(size_t need, size_t len)
{
	return need > len ? PW_HEADERS_CUT : PW_HEADERS_DEEP;
}

static void shorten(struct pw_headers *h, size_t end)
{
	if (end < h->stop)
		h->stop = (uint16_t)end;
}

static enum pw_headers_end find_ipv4(struct pw_headers *h, const uint8_t *frame, size_t len)
{
	const uint8_t *ip = frame + h->l3;
	size_t header_len, total;
	uint16_t fragment;

	if (h->l3 + PW_IPV4_LEN > h->stop)
		return missing(h->l3 + PW_IPV4_LEN, len);
	header_len = (size_t)(ip[0] & 15) * 4;
	total = pw_be16_load(ip + 2);
	/* a total length of 0 is that of a segment whose cutting was left to the NIC */
	if (ip[0] >> 4 != 4 || header_len < PW_IPV4_LEN || (total && total < header_len))
		return PW_HEADERS_CUT;
	h->family = 4;
	fragment = pw_be16_load(ip + 6);
	h->is_fragment = fragment & PW_IPV4_FRAGMENT;
	if (total)
		shorten(h, h->l3 + total);
	if (h->l3 + header_len > h->stop)
		return missing(h->l3 + header_len, len);
	h->proto = ip[9];
	if (!(fragment & IPV4_OFFSET))
		h->l4 = (uint16_t)(h->l3 + header_len);
	return PW_HEADERS_WHOLE;
}

/* The extension header `kind` at p, 8 bytes of which are there. Returns its length; 0: it is none. */
static size_t extension_len(struct pw_headers *h, uint8_t kind, const uint8_t *p, bool *is_later)
{
	switch (kind) {
	case ROUTING:
		h->is_routed |= p[3] != 0; /* segments left */
		return 8 + (size_t)p[1] * 8;
	case HOP_BY_HOP:
	case DESTINATION:
		return 8 + (size_t)p[1] * 8;
	case AUTHENTICATION: /* RFC 4302 section 2.2 */
		return 8 + (size_t)p[1] * 4;
	case PW_IPPROTO_FRAGMENT:
		h->is_fragment = true;
		*is_later = pw_be16_load(p + 2) & 0xfff8;
		return 8;
	default:
		return 0;
	}
}

static bool is_extension(uint8_t kind)
{
	return kind == HOP_BY_HOP || kind == ROUTING || kind == PW_IPPROTO_FRAGMENT ||
	       kind == AUTHENTICATION || kind == DESTINATION;
}

static enum pw_headers_end find_ipv6(struct pw_headers *h, const uint8_t *frame, size_t len)
{
	const uint8_t *ip = frame + h->l3;
	size_t at = h->l3 + PW_IPV6_LEN, payload;
	bool is_later = false;
	unsigned n;

	if (at > h->stop)
		return missing(at, len);
	if (ip[0] >> 4 != 6)
		return PW_HEADERS_CUT;
	h->family = 6;
	payload = pw_be16_load(ip + 4);
	if (payload) /* 0: a jumbogram, or a segment whose cutting was left to the NIC */
		shorten(h, at + payload);
	h->proto = ip[6];
	for (n = 0; is_extension(h->proto) && !is_later; n++) {
		const uint8_t *p;

		if (n == PW_HEADERS_EXT_MAX)
			return PW_HEADERS_DEEP;
		if (at + 8 > h->stop)
			return missing(at + 8, len);
		p = frame + at;
		at += extension_len(h, h->proto, p, &is_later);
		h->proto = p[0];
	}
	if (is_later)
		return PW_HEADERS_WHOLE;
	if (at > h->stop)
		return missing(at, len);
	h->l4 = (uint16_t)at;
	return PW_HEADERS_WHOLE;
}

void pw_headers_find_tags(struct pw_headers *h, const uint8_t *frame, size_t len)
{
	size_t at = PW_ETH_LEN;

	*h = (struct pw_headers){.end = PW_HEADERS_CUT};
	h->stop = (uint16_t)pw_min_u64(len, PW_HEADERS_LOOK);
	if (at > h->stop)
		return;
	h->type = pw_be16_load(frame + 12);
	while (h->type == PW_ETHERTYPE_VLAN || h->type == ETHERTYPE_QINQ ||
		h->type == ETHERTYPE_OLD_QINQ) {
		if (at + PW_VLAN_LEN > h->stop)
			return;
		if (h->n_tags == PW_HEADERS_TAGS_MAX) {
			h->end = PW_HEADERS_DEEP;
			return;
		}
		h->n_tags++;
		h->type = pw_be16_load(frame + at + 2);
		at += PW_VLAN_LEN;
	}
	h->l3 = (uint16_t)at;
	h->end = PW_HEADERS_WHOLE;
}

void pw_headers_find(struct pw_headers *h, const uint8_t *frame, size_t len)
{
	pw_headers_find_tags(h, frame, len);
	if (!h->l3)
		return;
	if (h->type == PW_ETHERTYPE_IPV4)
		h->end = find_ipv4(h, frame, len);
	else if (h->type == PW_ETHERTYPE_IPV6)
		h->end = find_ipv6(h, frame, len);
	else
		h->end = PW_HEADERS_NOT_IP;
}
