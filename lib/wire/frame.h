/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Ethernet [802.1Q] IPv4|IPv6 UDP frames around an ALC header.
 *
 *   template  | Eth 14 | 802.1Q 0/4 | IPv4 20 / IPv6 40 | UDP 8 | ALC 16..40 |  then the payload
 *             |<---- l2_len ------->|<--- l3_len ------>|
 *
 * A template is made once per object; per packet only the last 4 bytes (SBN, ESI) change, and for
 * an object's short last symbol the lengths. IPv4 sends atomic datagrams (DF set, ID 0, RFC 6864
 * section 4.1), so the IPv4 header checksum is constant too.
 */
#ifndef PW_WIRE_FRAME_H
#define PW_WIRE_FRAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/err.h"
#include "wire/alc.h"

#define PW_FRAME_HDR_MAX 128 /* room for any template, a multiple of 64 */
#define PW_ETH_LEN       14
#define PW_VLAN_LEN      4
#define PW_IPV4_LEN      20
#define PW_IPV6_LEN      40
#define PW_UDP_LEN       8
#define PW_VLAN_NONE     0xffff

struct pw_addr {
	uint8_t family;    /* 4 or 6; 0 = unset */
	uint8_t bytes[16]; /* network order; IPv4 in the first four */
	uint16_t port;     /* host order, 0 = unset */
};

/* An address without its port, to be compared fast. IPv4 is written as IPv4-mapped IPv6 (RFC 4291
 * section 2.5.5.2). All zero: unknown. */
struct pw_host_key {
	uint64_t word[2];
};

static inline struct pw_host_key pw_host_key(const struct pw_addr *a)
{
	static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
	struct pw_host_key k;

	memcpy(&k, a->bytes, sizeof(k));
	if (a->family == 4) {
		memcpy(&k, mapped, sizeof(mapped));
		memcpy((uint8_t *)&k + sizeof(mapped), a->bytes, 4);
	}
	return k;
}

static inline bool pw_host_key_equal(struct pw_host_key a, struct pw_host_key b)
{
	return ((a.word[0] ^ b.word[0]) | (a.word[1] ^ b.word[1])) == 0;
}

struct pw_flow {
	uint8_t src_mac[6];
	uint8_t dst_mac[6];
	uint16_t vlan; /* VLAN ID 0..4094 or PW_VLAN_NONE */
	uint8_t ttl;   /* IPv4 TTL / IPv6 hop limit */
	uint8_t dscp;  /* 0..63 */
	struct pw_addr src;
	struct pw_addr dst; /* same family as src */
};

struct pw_frame_tmpl {
	uint8_t bytes[PW_FRAME_HDR_MAX] __attribute__((aligned(64)));
	uint16_t len;    /* whole header: the payload starts here */
	uint16_t l2_len; /* Ethernet and 802.1Q */
	uint16_t l3_len;
	uint16_t alc_off; /* where the UDP payload starts */
	uint16_t payload_len;
	bool udp_csum_offload; /* the UDP checksum field holds the pseudo-header sum */
};

/* "ADDR", "ADDR:PORT", "[V6ADDR]:PORT", "V6ADDR". A missing port is left at default_port.
 * Numeric only. `what` is the option's name for the error. */
int pw_addr_parse(const char *what, const char *s, uint16_t default_port, struct pw_addr *addr,
	struct pw_err *err);
/* "239.1.2.3:4001", "[ff15::1]:4001"; buf of 64 bytes suffices. Returns buf. */
char *pw_addr_format(char *buf, size_t len, const struct pw_addr *addr);
bool pw_addr_is_multicast(const struct pw_addr *addr);
bool pw_addr_equal_host(const struct pw_addr *a, const struct pw_addr *b); /* ignores the port */
/* RFC 1112 section 6.4, RFC 2464 section 7 */
void pw_addr_multicast_mac(const struct pw_addr *addr, uint8_t mac[6]);
/* "02:00:00:00:00:01"; a multicast or zero MAC is accepted, a malformed one is -EINVAL. */
int pw_mac_parse(const char *what, const char *s, uint8_t mac[6], struct pw_err *err);

/* Bytes of header in front of ALC: Ethernet included / without Ethernet (what counts for the MTU).
 */
uint16_t pw_frame_l2_len(const struct pw_flow *flow);
uint16_t pw_frame_l3_overhead(const struct pw_flow *flow); /* IP + UDP */

/* Builds the template for packets of payload_len bytes behind ALC header alc[alc_len].
 * With csum_offload the UDP checksum is the pseudo-header sum, else 0 (IPv6: to be filled by
 * pw_frame_udp_csum()). */
void pw_frame_template(struct pw_frame_tmpl *t, const struct pw_flow *flow, const uint8_t *alc,
	size_t alc_len, uint16_t payload_len, bool csum_offload);

/* Changes the lengths in a template for another payload_len. */
void pw_frame_set_payload_len(struct pw_frame_tmpl *t, uint16_t payload_len);

/* The UDP checksum over header hdr (a filled template, checksum field 0) and payload. Never 0
 * (0 is sent as 0xffff). Store it at hdr + alc_off - 2 in network order. */
uint16_t pw_frame_udp_csum(const struct pw_frame_tmpl *t, const uint8_t *hdr,
	const uint8_t *payload, size_t payload_len);

enum pw_frame_verdict {
	PW_FRAME_OK,
	PW_FRAME_SHORT,    /* a header does not fit the frame */
	PW_FRAME_NOT_IP,   /* other EtherTypes: ARP, LLDP, ... */
	PW_FRAME_NOT_UDP,  /* other protocols, IPv6 with extension headers */
	PW_FRAME_FRAGMENT, /* IP fragments: pagewire never sends any */
	PW_FRAME_LENGTH,   /* IP or UDP length field contradicts the frame */
	PW_FRAME_CHECKSUM, /* IPv4 header checksum, or UDP checksum where asked */
	PW_FRAME_N_VERDICTS
};

const char *pw_frame_verdict_name(enum pw_frame_verdict v);

struct pw_frame_view {
	struct pw_addr src;
	struct pw_addr dst;
	const uint8_t *payload; /* the UDP payload, inside the frame */
	uint16_t payload_len;
	bool checksum_present; /* UDP checksum field not 0 */
};

/* A received frame's headers up to the UDP checksum. A frame with the same ones, whatever its source
 * port, that is as long at least means the same. Zeroed: none. */
struct pw_frame_memo {
	uint16_t udp_off; /* where the UDP header starts */
	uint16_t payload_len;
	uint32_t frame_len;
	uint8_t bytes[PW_FRAME_HDR_MAX];
};

/* frame[len]: one that pw_frame_parse() took, with what it said of it. */
void pw_frame_remember(struct pw_frame_memo *m, const uint8_t *frame, size_t len,
	const struct pw_frame_view *view);

/* The UDP payload, m->payload_len bytes of it, of a frame that pw_frame_parse() would take and find the
 * same hosts and destination port in; else NULL. verify_udp: not when there is a checksum, which that
 * would check. */
static inline const uint8_t *pw_frame_same(
	const struct pw_frame_memo *m, const uint8_t *frame, size_t len, bool verify_udp)
{
	const uint8_t *udp = frame + m->udp_off;

	if (m->udp_off == 0 || len < m->frame_len || memcmp(frame, m->bytes, m->udp_off) != 0 ||
		memcmp(udp + 2, m->bytes + m->udp_off + 2, 4) != 0 || /* port and length */
		(verify_udp && (udp[6] | udp[7])))
		return NULL;
	return udp + PW_UDP_LEN;
}

/* Parses a received frame, reading nothing beyond len. Padding after the IP length is ignored.
 * verify_udp: check a UDP checksum that is present (reads the payload). */
enum pw_frame_verdict pw_frame_parse(
	const uint8_t *frame, size_t len, bool verify_udp, struct pw_frame_view *view);

#endif
