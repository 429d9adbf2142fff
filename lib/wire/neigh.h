/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Builds and parses the frames of address resolution: ARP (RFC 826), and two NDP messages (RFC 4861 sections
 * 4.3, 4.4). A port requests the MAC of a unicast receiver, and answers requests for its own address.
 * Frames have at most PW_NEIGH_FRAME_MAX bytes. No I/O.
 */
#ifndef PW_WIRE_NEIGH_H
#define PW_WIRE_NEIGH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "wire/frame.h"

#define PW_NEIGH_FRAME_MAX 96

/* "Who has target?" ARP for IPv4, neighbour solicitation for IPv6; vlan or PW_VLAN_NONE.
 * Writes into buf[PW_NEIGH_FRAME_MAX], returns the frame's length (60 at least). */
size_t pw_neigh_request(uint8_t *buf, const uint8_t src_mac[6], const struct pw_addr *src,
	const struct pw_addr *target, uint16_t vlan);

/* True: frame is an answer for `target`; fills mac. Accepts any input. */
bool pw_neigh_parse_reply(
	const uint8_t *frame, size_t len, const struct pw_addr *target, uint8_t mac[6]);

/* True: frame asks for `own`, and buf[PW_NEIGH_FRAME_MAX] has the answer of *reply_len bytes, in the same VLAN.
 * Accepts any input. */
bool pw_neigh_answer(const uint8_t *frame, size_t len, const struct pw_addr *own,
	const uint8_t own_mac[6], uint8_t *buf, size_t *reply_len);

#endif
