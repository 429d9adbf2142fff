/* SPDX-License-Identifier: BSD-3-Clause */
#include "wire/ethernet.h"

#include <errno.h>
#include <string.h>

#include "base/bytes.h"
#include "wire/addr.h"
#include "wire/capture.h"
#include "wire/ip.h"

#define NULL_LEN       4u /* an address family, in the byte order of the host that captured */
#define SLL_LEN        16u
#define SLL2_LEN       20u
#define ETHERTYPE_MIN  0x0600 /* less is a length, or a number of Linux's own */
#define ARPHRD_NETLINK 824
#define MAC_TEXT_MAX   32u

int pw_ethernet_parse(struct pw_ethernet *e, const char *text, struct pw_err *err)
{
	const char *comma = strchr(text, ',');
	char dst[MAC_TEXT_MAX];
	int r;

	if (!comma || (size_t)(comma - text) >= sizeof(dst))
		return pw_err_set(err, EINVAL,
			"--ethernet: \"%.64s\" is not two MACs; write DST,SRC, as "
			"02:00:00:00:00:02,02:00:00:00:00:01",
			text);
	memcpy(dst, text, (size_t)(comma - text));
	dst[comma - text] = '\0';
	r = pw_mac_parse("--ethernet", dst, e->macs, err);
	return r ? r : pw_mac_parse("--ethernet", comma + 1, e->macs + 6, err);
}

/* Bytes of the link header; -1: of a link type that is not replaced. */
static int link_len(uint16_t link)
{
	switch (link) {
	case PW_LINK_RAW:
	case PW_LINK_RAW_BSD:
	case PW_LINK_RAW_OPENBSD:
	case PW_LINK_IPV4:
	case PW_LINK_IPV6:
		return 0;
	case PW_LINK_NULL:
	case PW_LINK_LOOP:
		return NULL_LEN;
	case PW_LINK_SLL:
		return SLL_LEN;
	case PW_LINK_SLL2:
		return SLL2_LEN;
	default:
		return -1;
	}
}

bool pw_ethernet_replaces(uint16_t link)
{
	return link_len(link) >= 0;
}

/* 0: there is none. */
static uint16_t type_of(uint16_t link, const uint8_t *frame, size_t len, size_t link_len)
{
	uint16_t type = 0, hardware = 0;

	if (len < link_len)
		return 0;
	if (link == PW_LINK_SLL) {
		hardware = pw_be16_load(frame + 2);
		type = pw_be16_load(frame + 14);
	} else if (link == PW_LINK_SLL2) {
		type = pw_be16_load(frame);
		hardware = pw_be16_load(frame + 8);
	} else if (len > link_len) {
		const uint8_t version = frame[link_len] >> 4;

		type = version == 4 ? PW_ETHERTYPE_IPV4 : version == 6 ? PW_ETHERTYPE_IPV6 : 0;
	}
	return type >= ETHERTYPE_MIN && hardware != ARPHRD_NETLINK ? type : 0;
}

int pw_ethernet_head(const struct pw_ethernet *e, uint16_t link, const uint8_t *frame, uint32_t len,
	uint8_t head[PW_HEADERS_LOOK], uint32_t *new_len)
{
	const int n = link_len(link);
	const uint16_t type = n < 0 ? 0 : type_of(link, frame, len, (size_t)n);

	if (!type)
		return -1;
	memcpy(head, e->macs, sizeof(e->macs));
	pw_be16_store(head + sizeof(e->macs), type);
	*new_len = len - (uint32_t)n + PW_ETHERNET_LEN;
	memcpy(head + PW_ETHERNET_LEN, frame + n,
		pw_min_u64(*new_len, PW_HEADERS_LOOK) - PW_ETHERNET_LEN);
	return n;
}
