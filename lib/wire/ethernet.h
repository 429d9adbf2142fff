/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * An Ethernet header for captured frames that have another link header, or none:
 *
 *   | link header: 0 to 20 bytes | packet        raw IP, Linux cooked v1 and v2, BSD loopback
 *   |    Ethernet, 14 bytes      | packet        DST, SRC, and the packet's EtherType
 *
 * The EtherType is that of the cooked header, or comes from the version of the IP packet. Source:
 * https://www.tcpdump.org/linktypes.html.
 */
#ifndef PW_WIRE_ETHERNET_H
#define PW_WIRE_ETHERNET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "wire/headers.h"

#define PW_ETHERNET_LEN      14u
#define PW_ETHERNET_LINK_MAX 20u /* bytes of the longest link header that is replaced */

struct pw_ethernet {
	uint8_t macs[12]; /* as in the frame: destination, source */
};

/* "DST,SRC". -EINVAL: err begins with --ethernet. */
int pw_ethernet_parse(struct pw_ethernet *e, const char *text, struct pw_err *err);

/* Whether frames of the link type (enum pw_link) can get an Ethernet header. */
bool pw_ethernet_replaces(uint16_t link);

/* Writes the first bytes of the Ethernet frame that frame[len], of such a link type, becomes: PW_HEADERS_LOOK or all, to head.
 * *new_len: how long that frame is. The first min(len, PW_ETHERNET_LINK_MAX + PW_HEADERS_LOOK) bytes have to be readable.
 * Returns how many bytes of the frame the Ethernet header replaces, or -1: the frame is cut in its link header, or its
 * packet has no EtherType. */
int pw_ethernet_head(const struct pw_ethernet *e, uint16_t link, const uint8_t *frame, uint32_t len,
	uint8_t head[PW_HEADERS_LOOK], uint32_t *new_len);

#endif
