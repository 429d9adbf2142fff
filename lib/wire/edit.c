/* SPDX-License-Identifier: BSD-3-Clause */
/* Edits the headers of captured frames and updates their checksums. */
#include "wire/edit.h"

#include <string.h>

#include "wire/frame.h"
#include "wire/ip.h"

#define VLAN_ID_MASK 0x0fff
#define ARP_LEN      28 /* RFC 826, Ethernet and IPv4 */

enum { TCP = 6, DCCP = 33, UDP_LITE = 136 };

bool pw_edit_any(const struct pw_edit *e)
{
	return e->has_dst_mac || e->has_src_mac || e->vlan || e->ttl || e->n_maps;
}

/* The offset of the checksum over the pseudo header in a header of this protocol; -1: there is none. */
static int checksum_offset(uint8_t family, uint8_t proto)
{
	switch (proto) {
	case TCP:
		return 16;
	case PW_IPPROTO_UDP:
	case UDP_LITE:
	case DCCP:
		return 6;
	case PW_IPPROTO_ICMPV6:
		return family == 6 ? 2 : -1;
	default:
		return -1;
	}
}

/* What to add to the inverse of a checksum over before[n_words], 32-bit words, when they become after[]. */
static uint64_t difference(const uint8_t *before, const uint8_t *after, size_t n_words)
{
	uint64_t sum = 0;
	size_t i;

	for (i = 0; i < n_words; i++)
		sum += (uint64_t)~pw_be32_load(before + 4 * i) + pw_be32_load(after + 4 * i);
	return sum;
}

/* RFC 1624, equation 3 */
static void update(uint8_t *checksum, uint64_t add)
{
	const uint16_t inverse = (uint16_t)~pw_be16_load(checksum);

	pw_be16_store(checksum, (uint16_t)~pw_ip_fold(inverse + add));
}

/* Maps addr[4 or 16]. Returns whether it changed. */
static bool map_addr(const struct pw_edit *e, uint8_t family, uint8_t *addr)
{
	const struct pw_prefix_words before = pw_prefix_words(family, addr);
	struct pw_prefix_words after;
	unsigned m;

	for (m = 0; m < e->n_maps && !pw_prefix_has(&e->maps[m].from, family, before); m++)
		;
	if (m == e->n_maps)
		return false;
	after = pw_prefix_put(&e->maps[m].to, before);
	memcpy(addr, after.w, family == 4 ? 4 : 16);
	return after.w[0] != before.w[0] || after.w[1] != before.w[1];
}

static bool maps_family(const struct pw_edit *e, uint8_t family)
{
	return family == 4 ? e->maps_ipv4 : e->maps_ipv6;
}

/* RFC 826: hardware and protocol types and lengths. */
static bool is_arp(const struct pw_headers *h, const uint8_t *frame)
{
	static const uint8_t kind[] = {0, 1, 8, 0, 6, 4};

	return h->type == PW_ETHERTYPE_ARP && (size_t)h->l3 + ARP_LEN <= h->stop &&
	       memcmp(frame + h->l3, kind, sizeof(kind)) == 0;
}

/* What is edited in a frame. */
struct plan {
	uint16_t end;      /* of the last byte that can change */
	uint16_t checksum; /* offset of the one over the pseudo header; 0: none */
	bool ttl, addrs, arp;
};

static enum pw_edit_verdict to_verdict(enum pw_headers_end end)
{
	return end == PW_HEADERS_DEEP ? PW_EDIT_DEEP : PW_EDIT_CUT;
}

static enum pw_edit_verdict plan_ip(
	const struct pw_edit *e, const struct pw_headers *h, struct plan *p)
{
	int checksum;

	p->ttl = e->ttl;
	p->addrs = maps_family(e, h->family);
	if (p->ttl || p->addrs)
		p->end = (uint16_t)(h->l3 + (h->family == 4 ? PW_IPV4_LEN : PW_IPV6_LEN));
	if (!p->addrs)
		return PW_EDIT_DONE;
	if (h->end != PW_HEADERS_WHOLE)
		return to_verdict(h->end);
	checksum = h->l4 ? checksum_offset(h->family, h->proto) : -1;
	if (checksum < 0)
		return PW_EDIT_DONE;
	p->checksum = (uint16_t)(h->l4 + checksum);
	p->end = (uint16_t)(p->checksum + 2);
	if (p->end <= h->stop)
		return PW_EDIT_DONE;
	/* not in this frame, or the packet goes on behind the bytes that were looked at */
	return h->stop == PW_HEADERS_LOOK ? PW_EDIT_DEEP : PW_EDIT_CUT;
}

static enum pw_edit_verdict make_plan(
	const struct pw_edit *e, const struct pw_headers *h, const uint8_t *frame, struct plan *p)
{
	*p = (struct plan){.end = PW_ETH_LEN};
	if (h->stop < PW_ETH_LEN)
		return PW_EDIT_CUT;
	if (e->vlan && h->n_tags)
		p->end = PW_ETH_LEN + PW_VLAN_LEN;
	if (!h->l3) {
		/* an outer tag can be changed unless it is the one that is cut */
		if (e->ttl || e->n_maps || (e->vlan && !h->n_tags))
			return to_verdict(h->end);
		return PW_EDIT_DONE;
	}
	if (!e->ttl && !e->n_maps)
		return PW_EDIT_DONE;
	if (h->family)
		return plan_ip(e, h, p);
	if (h->type != PW_ETHERTYPE_ARP)
		return h->end == PW_HEADERS_NOT_IP ? PW_EDIT_DONE : to_verdict(h->end);
	if (maps_family(e, 4)) {
		if (h->l3 + ARP_LEN > h->stop)
			return PW_EDIT_CUT;
		p->arp = is_arp(h, frame);
		p->end = (uint16_t)(h->l3 + ARP_LEN);
	}
	return PW_EDIT_DONE;
}

/* Copies the first bytes of the frame, with the tag as it shall be. Returns how many bytes longer the header is. */
static int copy_with_tag(const struct pw_edit *e, const struct pw_headers *h, const uint8_t *frame,
	size_t n, uint8_t *header)
{
	const bool push =
		e->vlan == PW_EDIT_VLAN_PUSH || (e->vlan == PW_EDIT_VLAN_SET && !h->n_tags);
	const bool pop = e->vlan == PW_EDIT_VLAN_POP && h->n_tags;
	uint8_t *tag = header + 12;

	if (!push && !pop) {
		memcpy(header, frame, n);
		if (e->vlan == PW_EDIT_VLAN_SET)
			pw_be16_store(tag + 2,
				(uint16_t)((pw_be16_load(tag + 2) & ~VLAN_ID_MASK) | e->vlan_id));
		return 0;
	}
	memcpy(header, frame, 12);
	if (pop) {
		memcpy(tag, frame + 12 + PW_VLAN_LEN, n - 12 - PW_VLAN_LEN);
		return -PW_VLAN_LEN;
	}
	pw_be16_store(tag, PW_ETHERTYPE_VLAN);
	pw_be16_store(tag + 2, e->vlan_id);
	memcpy(tag + PW_VLAN_LEN, frame + 12, n - 12);
	return PW_VLAN_LEN;
}

/* The new value of a TTL or hop limit, as tcprewrite computes it. */
static uint8_t new_ttl(const struct pw_edit *e, uint8_t ttl)
{
	if (e->ttl == PW_EDIT_TTL_SET)
		return e->ttl_value;
	if (e->ttl == PW_EDIT_TTL_ADD)
		return (uint8_t)pw_min_u64(255, ttl + e->ttl_value);
	return ttl > e->ttl_value ? (uint8_t)(ttl - e->ttl_value) : 1;
}

static bool edit_ttl(const struct pw_edit *e, uint8_t family, uint8_t *ip)
{
	uint8_t *ttl = ip + (family == 4 ? 8 : 7);
	const uint8_t old = *ttl;
	*ttl = new_ttl(e, old);
	if (*ttl == old)
		return false;
	if (family == 4) /* the high byte of a word */
		update(ip + 10, (uint64_t)(uint16_t) ~(old << 8) + (uint16_t)(*ttl << 8));
	return true;
}

/* shift: how much later the header's bytes are than the frame's */
static bool edit_addrs(const struct pw_edit *e, const struct pw_headers *h, const struct plan *p,
	uint8_t *header, int shift)
{
	const size_t n = h->family == 4 ? 4 : 16;
	uint8_t *ip = header + h->l3 + shift, *addrs = ip + (h->family == 4 ? 12 : 8);
	uint8_t *checksum = header + p->checksum + shift;
	uint8_t before[32];
	bool changed;

	memcpy(before, addrs, 2 * n);
	changed = map_addr(e, h->family, addrs);
	changed |= map_addr(e, h->family, addrs + n);
	if (!changed)
		return false;
	if (h->family == 4)
		update(ip + 10, difference(before, addrs, 2 * n / 4));
	if (p->checksum && (h->proto != PW_IPPROTO_UDP || pw_be16_load(checksum))) {
		update(checksum, difference(before, addrs, (h->is_routed ? n : 2 * n) / 4));
		if (h->proto == PW_IPPROTO_UDP && !pw_be16_load(checksum))
			pw_be16_store(checksum, 0xffff); /* RFC 768: 0 is "no checksum" */
	}
	return true;
}

enum pw_edit_verdict pw_edit_apply(const struct pw_edit *e, const uint8_t *frame, size_t len,
	uint8_t header[PW_EDIT_HEADER_MAX], struct pw_edit_result *result)
{
	enum pw_edit_verdict v;
	struct pw_headers h;
	struct plan p;
	bool changed;
	int shift;
	size_t n;

	if (e->ttl || e->n_maps)
		pw_headers_find(&h, frame, len);
	else
		pw_headers_find_tags(&h, frame, len);
	v = make_plan(e, &h, frame, &p);
	if (v != PW_EDIT_DONE)
		return v;
	n = pw_min_u64(len, pw_max_u64(p.end, PW_EDIT_HEADER_MIN));
	if (n + PW_VLAN_LEN > PW_EDIT_HEADER_MAX)
		return PW_EDIT_DEEP;
	shift = copy_with_tag(e, &h, frame, n, header);
	changed = shift || e->has_dst_mac || e->has_src_mac || e->vlan == PW_EDIT_VLAN_SET;
	if (e->has_dst_mac)
		memcpy(header, e->dst_mac, 6);
	if (e->has_src_mac)
		memcpy(header + 6, e->src_mac, 6);
	if (p.ttl)
		changed |= edit_ttl(e, h.family, header + h.l3 + shift);
	if (p.addrs)
		changed |= edit_addrs(e, &h, &p, header, shift);
	if (p.arp) {
		changed |= map_addr(e, 4, header + h.l3 + shift + 14);
		changed |= map_addr(e, 4, header + h.l3 + shift + 24);
	}
	if (!changed)
		return PW_EDIT_SAME;
	result->header_len = (uint16_t)((int)n + shift);
	result->replaced = (uint16_t)n;
	return PW_EDIT_DONE;
}
