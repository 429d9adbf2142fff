/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Builds and parses Ethernet frames: Ethernet [802.1Q] IPv4|IPv6 UDP, around an ALC header.
 *
 *   template  | Eth 14 | 802.1Q 0/4 | IPv4 20 / IPv6 40 | UDP 8 | ALC 16..40 |  then the payload
 *             |<---- l2_len ------->|<--- l3_len ------>|
 *
 * A template is made once per object; per packet only the last 4 bytes (SBN, ESI) change, and for
 * an object's short last symbol the lengths. IPv4 sends atomic datagrams (DF set, ID 0, RFC 6864
 * section 4.1), so the IPv4 header checksum is also constant.
 */
#ifndef PW_WIRE_FRAME_H
#define PW_WIRE_FRAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "wire/addr.h"
#include "wire/alc.h"

#define PW_FRAME_HDR_MAX 128 /* room for any template, a multiple of 64 */
#define PW_ETH_LEN       14
#define PW_VLAN_LEN      4
#define PW_IPV4_LEN      20
#define PW_IPV6_LEN      40
#define PW_UDP_LEN       8
#define PW_VLAN_NONE     0xffff

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

/* The pseudo header's sum alone, for a device that adds the rest and inverts. */
uint16_t pw_frame_pseudo_csum(
	const struct pw_frame_tmpl *t, const uint8_t *hdr, size_t payload_len);

enum pw_frame_verdict {
	PW_FRAME_OK,
	PW_FRAME_SHORT,    /* a header does not fit the frame */
	PW_FRAME_NOT_IP,   /* other EtherTypes: ARP, LLDP, ... */
	PW_FRAME_NOT_UDP,  /* other protocols, IPv6 with extension headers */
	PW_FRAME_FRAGMENT, /* IP fragments, which pagewire never sends */
	PW_FRAME_LENGTH,   /* IP or UDP length field contradicts the frame */
	PW_FRAME_CHECKSUM, /* IPv4 header checksum, or UDP checksum where asked */
	PW_FRAME_N_VERDICTS
};

struct pw_frame_view {
	struct pw_addr src;
	struct pw_addr dst;
	const uint8_t *payload; /* the UDP payload, inside the frame */
	uint16_t payload_len;
	uint32_t ip_len;       /* from the IP header, which it includes; 0: there is none */
	bool checksum_present; /* UDP checksum field not 0 */
	/* With PW_FRAME_CHECKSUM: the field holds the pseudo header's sum, not inverted. The sender left the
	 * checksum to a NIC, and this frame has not passed through one. */
	bool checksum_partial;
};

/* The headers of a received frame up to the UDP checksum. A frame that is at least as long and has the same headers,
 * except for the source port, has the same meaning. Zeroed: none. */
struct pw_frame_memo {
	uint16_t udp_off; /* where the UDP header starts */
	uint16_t payload_len;
	uint32_t frame_len;
	uint8_t bytes[PW_FRAME_HDR_MAX];
};

/* frame[len]: a frame that pw_frame_parse() accepted; view: its result. */
void pw_frame_remember(struct pw_frame_memo *m, const uint8_t *frame, size_t len,
	const struct pw_frame_view *view);

/* Returns the UDP payload of m->payload_len bytes if pw_frame_parse() would accept the frame with the same hosts
 * and destination port; else NULL. verify_udp: NULL if the frame has a checksum, which must be verified. */
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
