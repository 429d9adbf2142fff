/* SPDX-License-Identifier: BSD-3-Clause */
#include "wire/neigh.h"

#include <string.h>

#include "base/bytes.h"
#include "wire/ip.h"

#define ETH_MIN                60 /* without FCS */
#define ARP_LEN                28
#define ARP_REQUEST            1
#define ARP_REPLY              2
#define NDP_LEN                32 /* solicitation or advertisement with one link-layer option */
#define NDP_SOLICIT            135
#define NDP_ADVERT             136
#define NDP_OPT_SRC            1
#define NDP_OPT_TGT            2
#define NDP_HOPS               255 /* RFC 4861 section 7.1: anything less has crossed a router */
#define NDP_SOLICITED_OVERRIDE 0x60000000u

static const uint8_t broadcast[6] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
static const uint8_t arp_fixed[6] = {
	0, 1, 0x08, 0, 6, 4}; /* Ethernet, IPv4, 6- and 4-byte addresses */

static uint8_t *put_eth(
	uint8_t *p, const uint8_t dst[6], const uint8_t src[6], uint16_t vlan, uint16_t type)
{
	memcpy(p, dst, 6);
	memcpy(p + 6, src, 6);
	p += 12;
	if (vlan != PW_VLAN_NONE) {
		pw_be16_store(p, PW_ETHERTYPE_VLAN);
		pw_be16_store(p + 2, vlan);
		p += PW_VLAN_LEN;
	}
	pw_be16_store(p, type);
	return p + 2;
}

static size_t pad(const uint8_t *start, const uint8_t *end)
{
	size_t len = (size_t)(end - start);

	return len < ETH_MIN ? ETH_MIN : len;
}

static uint8_t *put_arp(uint8_t *p, uint16_t op, const uint8_t src_mac[6], const uint8_t src[4],
	const uint8_t dst_mac[6], const uint8_t dst[4])
{
	memcpy(p, arp_fixed, sizeof(arp_fixed));
	pw_be16_store(p + 6, op);
	memcpy(p + 8, src_mac, 6);
	memcpy(p + 14, src, 4);
	memcpy(p + 18, dst_mac, 6);
	memcpy(p + 24, dst, 4);
	return p + ARP_LEN;
}

/* IPv6 header and one NDP message with its link-layer address option */
static uint8_t *put_ndp(uint8_t *p, uint8_t type, uint32_t flags, const uint8_t src[16],
	const uint8_t dst[16], const uint8_t target[16], const uint8_t mac[6])
{
	uint8_t *icmp = p + PW_IPV6_LEN;
	uint64_t sum;

	pw_be32_store(p, 6u << 28);
	pw_be16_store(p + 4, NDP_LEN);
	p[6] = PW_IPPROTO_ICMPV6;
	p[7] = NDP_HOPS;
	memcpy(p + 8, src, 16);
	memcpy(p + 24, dst, 16);
	icmp[0] = type;
	icmp[1] = 0;
	pw_be16_store(icmp + 2, 0);
	pw_be32_store(icmp + 4, flags);
	memcpy(icmp + 8, target, 16);
	icmp[24] = type == NDP_SOLICIT ? NDP_OPT_SRC : NDP_OPT_TGT;
	icmp[25] = 1; /* in units of 8 bytes */
	memcpy(icmp + 26, mac, 6);
	sum = pw_ip_sum(NDP_LEN + PW_IPPROTO_ICMPV6, p + 8, 32);
	pw_be16_store(icmp + 2, (uint16_t)~pw_ip_fold(pw_ip_sum(sum, icmp, NDP_LEN)));
	return icmp + NDP_LEN;
}

/* ff02::1:ffXX:XXXX, RFC 4291 section 2.7.1 */
static void solicited_node(const uint8_t target[16], uint8_t group[16])
{
	static const uint8_t prefix[13] = {0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0xff};

	memcpy(group, prefix, sizeof(prefix));
	memcpy(group + 13, target + 13, 3);
}

size_t pw_neigh_request(uint8_t *buf, const uint8_t src_mac[6], const struct pw_addr *src,
	const struct pw_addr *target, uint16_t vlan)
{
	static const uint8_t unknown[6];
	struct pw_addr group = {.family = 6};
	uint8_t mac[6], *p;

	memset(buf, 0, PW_NEIGH_FRAME_MAX);
	if (target->family == 4) {
		p = put_eth(buf, broadcast, src_mac, vlan, PW_ETHERTYPE_ARP);
		return pad(
			buf, put_arp(p, ARP_REQUEST, src_mac, src->bytes, unknown, target->bytes));
	}
	solicited_node(target->bytes, group.bytes);
	pw_addr_multicast_mac(&group, mac);
	p = put_eth(buf, mac, src_mac, vlan, PW_ETHERTYPE_IPV6);
	return pad(
		buf, put_ndp(p, NDP_SOLICIT, 0, src->bytes, group.bytes, target->bytes, src_mac));
}

/* Where the packet behind Ethernet and 802.1Q starts; NULL when it is not of `type`. */
static const uint8_t *payload_of(
	const uint8_t *frame, size_t len, uint16_t type, size_t need, uint16_t *vlan)
{
	size_t off = PW_ETH_LEN;

	*vlan = PW_VLAN_NONE;
	if (len < off)
		return NULL;
	if (pw_be16_load(frame + 12) == PW_ETHERTYPE_VLAN && len >= off + PW_VLAN_LEN) {
		*vlan = pw_be16_load(frame + 14) & 0xfff;
		off += PW_VLAN_LEN;
	}
	if (pw_be16_load(frame + off - 2) != type || len < off + need)
		return NULL;
	return frame + off;
}

static const uint8_t *arp_of(const uint8_t *frame, size_t len, uint16_t op, uint16_t *vlan)
{
	const uint8_t *p = payload_of(frame, len, PW_ETHERTYPE_ARP, ARP_LEN, vlan);

	return p && !memcmp(p, arp_fixed, sizeof(arp_fixed)) && pw_be16_load(p + 6) == op ? p
											  : NULL;
}

/* The IPv6 header of a valid NDP message of that type (RFC 4861 section 7.1) */
static const uint8_t *ndp_of(
	const uint8_t *frame, size_t len, uint8_t type, uint16_t *vlan, size_t *icmp_len)
{
	const uint8_t *p = payload_of(frame, len, PW_ETHERTYPE_IPV6, PW_IPV6_LEN + 24, vlan);
	uint64_t sum;

	if (!p || p[0] >> 4 != 6 || p[6] != PW_IPPROTO_ICMPV6 || p[7] != NDP_HOPS)
		return NULL;
	*icmp_len = pw_be16_load(p + 4);
	if (*icmp_len < 24 || *icmp_len > len - (size_t)(p - frame) - PW_IPV6_LEN)
		return NULL;
	sum = pw_ip_sum(*icmp_len + PW_IPPROTO_ICMPV6, p + 8, 32);
	if (pw_ip_fold(pw_ip_sum(sum, p + PW_IPV6_LEN, *icmp_len)) != 0xffff)
		return NULL;
	return p[PW_IPV6_LEN] == type && p[PW_IPV6_LEN + 1] == 0 ? p : NULL;
}

/* The link-layer address in an NDP message's options */
static bool link_option(const uint8_t *icmp, size_t len, uint8_t type, uint8_t mac[6])
{
	size_t off = 24;

	while (off + 8 <= len) {
		size_t opt_len = (size_t)icmp[off + 1] * 8;

		if (opt_len == 0 || opt_len > len - off)
			return false;
		if (icmp[off] == type) {
			memcpy(mac, icmp + off + 2, 6);
			return true;
		}
		off += opt_len;
	}
	return false;
}

bool pw_neigh_parse_reply(
	const uint8_t *frame, size_t len, const struct pw_addr *target, uint8_t mac[6])
{
	const uint8_t *p;
	size_t icmp_len;
	uint16_t vlan;

	if (target->family == 4) {
		p = arp_of(frame, len, ARP_REPLY, &vlan);
		if (!p || memcmp(p + 14, target->bytes, 4))
			return false;
		memcpy(mac, p + 8, 6);
		return true;
	}
	p = ndp_of(frame, len, NDP_ADVERT, &vlan, &icmp_len);
	if (!p || memcmp(p + PW_IPV6_LEN + 8, target->bytes, 16))
		return false;
	if (!link_option(p + PW_IPV6_LEN, icmp_len, NDP_OPT_TGT, mac))
		memcpy(mac, frame + 6, 6);
	return true;
}

bool pw_neigh_answer(const uint8_t *frame, size_t len, const struct pw_addr *own,
	const uint8_t own_mac[6], uint8_t *buf, size_t *reply_len)
{
	static const uint8_t unspecified[16];
	uint8_t mac[6], *out;
	const uint8_t *p;
	size_t icmp_len;
	uint16_t vlan;

	if (own->family == 4) {
		p = arp_of(frame, len, ARP_REQUEST, &vlan);
		if (!p || memcmp(p + 24, own->bytes, 4))
			return false;
		memset(buf, 0, PW_NEIGH_FRAME_MAX);
		out = put_eth(buf, p + 8, own_mac, vlan, PW_ETHERTYPE_ARP);
		*reply_len = pad(buf, put_arp(out, ARP_REPLY, own_mac, own->bytes, p + 8, p + 14));
		return true;
	}
	p = own->family == 6 ? ndp_of(frame, len, NDP_SOLICIT, &vlan, &icmp_len) : NULL;
	/* no answer to duplicate address detection: it comes from :: and wants a multicast reply */
	if (!p || memcmp(p + PW_IPV6_LEN + 8, own->bytes, 16) || !memcmp(p + 8, unspecified, 16))
		return false;
	if (!link_option(p + PW_IPV6_LEN, icmp_len, NDP_OPT_SRC, mac))
		memcpy(mac, frame + 6, 6);
	memset(buf, 0, PW_NEIGH_FRAME_MAX);
	out = put_eth(buf, mac, own_mac, vlan, PW_ETHERTYPE_IPV6);
	*reply_len = pad(buf, put_ndp(out, NDP_ADVERT, NDP_SOLICITED_OVERRIDE, own->bytes, p + 8,
				      own->bytes, own_mac));
	return true;
}
