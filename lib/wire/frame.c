/* SPDX-License-Identifier: BSD-3-Clause */
#include "wire/frame.h"

#include <string.h>

#include "base/bytes.h"
#include "wire/ip.h"

uint16_t pw_frame_l2_len(const struct pw_flow *flow)
{
	return PW_ETH_LEN + (flow->vlan == PW_VLAN_NONE ? 0 : PW_VLAN_LEN);
}

uint16_t pw_frame_l3_overhead(const struct pw_flow *flow)
{
	return (flow->dst.family == 6 ? PW_IPV6_LEN : PW_IPV4_LEN) + PW_UDP_LEN;
}

static void put_eth(uint8_t *p, const struct pw_flow *flow)
{
	uint16_t type = flow->dst.family == 6 ? PW_ETHERTYPE_IPV6 : PW_ETHERTYPE_IPV4;

	memcpy(p, flow->dst_mac, 6);
	memcpy(p + 6, flow->src_mac, 6);
	p += 12;
	if (flow->vlan != PW_VLAN_NONE) {
		pw_be16_store(p, PW_ETHERTYPE_VLAN);
		pw_be16_store(p + 2, flow->vlan);
		p += PW_VLAN_LEN;
	}
	pw_be16_store(p, type);
}

/* RFC 791; an atomic datagram by RFC 6864 section 4.1: DF set, ID without meaning */
static void put_ipv4(uint8_t *p, const struct pw_flow *flow)
{
	p[0] = 0x45;
	p[1] = (uint8_t)(flow->dscp << 2);
	pw_be16_store(p + 4, 0);
	pw_be16_store(p + 6, PW_IPV4_DF);
	p[8] = flow->ttl;
	p[9] = PW_IPPROTO_UDP;
	memcpy(p + 12, flow->src.bytes, 4);
	memcpy(p + 16, flow->dst.bytes, 4);
}

static void put_ipv6(uint8_t *p, const struct pw_flow *flow)
{
	pw_be32_store(p, 6u << 28 | (uint32_t)flow->dscp << 22);
	p[6] = PW_IPPROTO_UDP;
	p[7] = flow->ttl;
	memcpy(p + 8, flow->src.bytes, 16);
	memcpy(p + 24, flow->dst.bytes, 16);
}

void pw_frame_template(struct pw_frame_tmpl *t, const struct pw_flow *flow, const uint8_t *alc,
	size_t alc_len, uint16_t payload_len, bool csum_offload)
{
	uint8_t *p = t->bytes;

	memset(t, 0, sizeof(*t));
	t->l2_len = pw_frame_l2_len(flow);
	t->l3_len = flow->dst.family == 6 ? PW_IPV6_LEN : PW_IPV4_LEN;
	t->alc_off = (uint16_t)(t->l2_len + t->l3_len + PW_UDP_LEN);
	t->len = (uint16_t)(t->alc_off + alc_len);
	t->udp_csum_offload = csum_offload;
	put_eth(p, flow);
	p += t->l2_len;
	if (flow->dst.family == 6)
		put_ipv6(p, flow);
	else
		put_ipv4(p, flow);
	p += t->l3_len;
	pw_be16_store(p, flow->src.port);
	pw_be16_store(p + 2, flow->dst.port);
	memcpy(p + PW_UDP_LEN, alc, alc_len);
	pw_frame_set_payload_len(t, payload_len);
}

static bool is_ipv6(const struct pw_frame_tmpl *t)
{
	return t->l3_len == PW_IPV6_LEN;
}

/* Sum over the pseudo-header: addresses, length, protocol (RFC 768, RFC 8200 section 8.1) */
static uint64_t pseudo_sum(bool ipv6, const uint8_t *ip, uint32_t udp_len)
{
	uint64_t sum = ipv6 ? pw_ip_sum(0, ip + 8, 32) : pw_ip_sum(0, ip + 12, 8);

	return sum + udp_len + PW_IPPROTO_UDP;
}

void pw_frame_set_payload_len(struct pw_frame_tmpl *t, uint16_t payload_len)
{
	uint8_t *ip = t->bytes + t->l2_len, *udp = ip + t->l3_len;
	uint32_t udp_len = (uint32_t)t->len - t->alc_off + PW_UDP_LEN + payload_len;

	t->payload_len = payload_len;
	pw_be16_store(udp + 4, (uint16_t)udp_len);
	if (is_ipv6(t)) {
		pw_be16_store(ip + 4, (uint16_t)udp_len);
	} else {
		pw_be16_store(ip + 2, (uint16_t)(PW_IPV4_LEN + udp_len));
		pw_be16_store(ip + 10, 0);
		pw_be16_store(ip + 10, (uint16_t)~pw_ip_fold(pw_ip_sum(0, ip, PW_IPV4_LEN)));
	}
	if (t->udp_csum_offload) /* the port adds the rest and inverts */
		pw_be16_store(udp + 6, pw_ip_fold(pseudo_sum(is_ipv6(t), ip, udp_len)));
}

uint16_t pw_frame_udp_csum(const struct pw_frame_tmpl *t, const uint8_t *hdr,
	const uint8_t *payload, size_t payload_len)
{
	const uint8_t *ip = hdr + t->l2_len, *udp = ip + t->l3_len;
	uint32_t hdr_len = (uint32_t)t->len - t->alc_off + PW_UDP_LEN; /* even: ALC is in words */
	uint64_t sum = pseudo_sum(is_ipv6(t), ip, hdr_len + (uint32_t)payload_len);
	uint16_t folded;

	sum = pw_ip_sum(sum, udp, 6);
	sum = pw_ip_sum(sum, udp + PW_UDP_LEN, hdr_len - PW_UDP_LEN);
	folded = (uint16_t)~pw_ip_fold(pw_ip_sum(sum, payload, payload_len));
	return folded ? folded : 0xffff;
}

uint16_t pw_frame_pseudo_csum(const struct pw_frame_tmpl *t, const uint8_t *hdr, size_t payload_len)
{
	const size_t udp_len = (size_t)t->len - t->alc_off + PW_UDP_LEN + payload_len;

	return pw_ip_fold(pseudo_sum(is_ipv6(t), hdr + t->l2_len, (uint32_t)udp_len));
}

/* p[len] is the IP packet. On OK, *udp[udp_len] is the datagram. */
static enum pw_frame_verdict parse_ipv4(
	const uint8_t *p, size_t len, struct pw_frame_view *v, const uint8_t **udp, size_t *udp_len)
{
	size_t ihl, total;

	if (len < PW_IPV4_LEN)
		return PW_FRAME_SHORT;
	ihl = (size_t)(p[0] & 0xf) * 4;
	total = pw_be16_load(p + 2);
	if (p[0] >> 4 == 4)
		v->ip_len = (uint32_t)total;
	if (p[0] >> 4 != 4 || ihl < PW_IPV4_LEN || total < ihl || total > len)
		return PW_FRAME_LENGTH;
	if (pw_ip_fold(pw_ip_sum(0, p, ihl)) != 0xffff)
		return PW_FRAME_CHECKSUM;
	if (pw_be16_load(p + 6) & PW_IPV4_FRAGMENT)
		return PW_FRAME_FRAGMENT;
	if (p[9] != PW_IPPROTO_UDP)
		return PW_FRAME_NOT_UDP;
	v->src.family = v->dst.family = 4;
	memcpy(v->src.bytes, p + 12, 4);
	memcpy(v->dst.bytes, p + 16, 4);
	*udp = p + ihl;
	*udp_len = total - ihl;
	return PW_FRAME_OK;
}

static enum pw_frame_verdict parse_ipv6(
	const uint8_t *p, size_t len, struct pw_frame_view *v, const uint8_t **udp, size_t *udp_len)
{
	size_t payload;

	if (len < PW_IPV6_LEN)
		return PW_FRAME_SHORT;
	payload = pw_be16_load(p + 4);
	if (p[0] >> 4 == 6)
		v->ip_len = (uint32_t)(PW_IPV6_LEN + payload);
	if (p[0] >> 4 != 6 || payload > len - PW_IPV6_LEN)
		return PW_FRAME_LENGTH;
	if (p[6] == PW_IPPROTO_FRAGMENT)
		return PW_FRAME_FRAGMENT;
	if (p[6] != PW_IPPROTO_UDP)
		return PW_FRAME_NOT_UDP;
	v->src.family = v->dst.family = 6;
	memcpy(v->src.bytes, p + 8, 16);
	memcpy(v->dst.bytes, p + 24, 16);
	*udp = p + PW_IPV6_LEN;
	*udp_len = payload;
	return PW_FRAME_OK;
}

/* udp[dgram]: the datagram with its header, whose checksum is not 0. */
static enum pw_frame_verdict verify_checksum(
	struct pw_frame_view *view, const uint8_t *ip, const uint8_t *udp, size_t dgram)
{
	uint64_t pseudo = pseudo_sum(view->dst.family == 6, ip, (uint32_t)dgram);

	if (pw_ip_fold(pw_ip_sum(pseudo, udp, dgram)) == 0xffff)
		return PW_FRAME_OK;
	view->checksum_partial = pw_be16_load(udp + 6) == pw_ip_fold(pseudo);
	return PW_FRAME_CHECKSUM;
}

enum pw_frame_verdict pw_frame_parse(
	const uint8_t *frame, size_t len, bool verify_udp, struct pw_frame_view *view)
{
	size_t off = PW_ETH_LEN, udp_len, dgram;
	enum pw_frame_verdict v;
	const uint8_t *udp, *ip;
	uint16_t type;

	memset(view, 0, sizeof(*view));
	if (len < PW_ETH_LEN)
		return PW_FRAME_SHORT;
	type = pw_be16_load(frame + 12);
	if (type == PW_ETHERTYPE_VLAN) {
		off += PW_VLAN_LEN;
		if (len < off)
			return PW_FRAME_SHORT;
		type = pw_be16_load(frame + 16);
	}
	ip = frame + off;
	if (type == PW_ETHERTYPE_IPV4)
		v = parse_ipv4(ip, len - off, view, &udp, &udp_len);
	else if (type == PW_ETHERTYPE_IPV6)
		v = parse_ipv6(ip, len - off, view, &udp, &udp_len);
	else
		return PW_FRAME_NOT_IP;
	if (v != PW_FRAME_OK)
		return v;
	if (udp_len < PW_UDP_LEN)
		return PW_FRAME_SHORT;
	dgram = pw_be16_load(udp + 4);
	if (dgram < PW_UDP_LEN || dgram > udp_len)
		return PW_FRAME_LENGTH;
	view->src.port = pw_be16_load(udp);
	view->dst.port = pw_be16_load(udp + 2);
	view->payload = udp + PW_UDP_LEN;
	view->payload_len = (uint16_t)(dgram - PW_UDP_LEN);
	view->checksum_present = pw_be16_load(udp + 6) != 0;
	return verify_udp && view->checksum_present ? verify_checksum(view, ip, udp, dgram)
						    : PW_FRAME_OK;
}

void pw_frame_remember(
	struct pw_frame_memo *m, const uint8_t *frame, size_t len, const struct pw_frame_view *view)
{
	const size_t hdr_len = (size_t)(view->payload - frame);

	m->udp_off = 0;
	if (hdr_len > sizeof(m->bytes) || len > UINT32_MAX)
		return;
	memcpy(m->bytes, frame, hdr_len);
	m->udp_off = (uint16_t)(hdr_len - PW_UDP_LEN);
	m->payload_len = view->payload_len;
	m->frame_len = (uint32_t)len;
}
