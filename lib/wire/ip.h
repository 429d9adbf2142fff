/* SPDX-License-Identifier: BSD-3-Clause */
/* Numbers of Ethernet and IP, and the Internet checksum (RFC 1071). Inside lib/wire only. */
#ifndef PW_WIRE_IP_H
#define PW_WIRE_IP_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/bytes.h"

#define PW_ETHERTYPE_IPV4   0x0800
#define PW_ETHERTYPE_ARP    0x0806
#define PW_ETHERTYPE_VLAN   0x8100
#define PW_ETHERTYPE_IPV6   0x86dd
#define PW_IPPROTO_UDP      17
#define PW_IPPROTO_FRAGMENT 44
#define PW_IPPROTO_ICMPV6   58
#define PW_IPV4_DF          0x4000
#define PW_IPV4_FRAGMENT    0x3fff /* more fragments, or an offset */

/* Adds p[len] as big-endian 16-bit words to sum; an odd last byte is the high half of a word. Every
 * part but the last must have an even length. 32 bits at a time: a 64-bit sum holds 2^32 of them.
 */
static inline uint64_t pw_ip_sum(uint64_t sum, const uint8_t *p, size_t len)
{
	for (; len >= 16; len -= 16, p += 16)
		sum += (uint64_t)pw_be32_load(p) + pw_be32_load(p + 4) + pw_be32_load(p + 8) +
		       pw_be32_load(p + 12);
	for (; len >= 2; len -= 2, p += 2)
		sum += pw_be16_load(p);
	return len ? sum + ((uint64_t)p[0] << 8) : sum;
}

static inline uint16_t pw_ip_fold(uint64_t sum)
{
	sum = (sum >> 32) + (sum & 0xffffffff);
	sum = (sum >> 32) + (sum & 0xffffffff);
	sum = (sum >> 16) + (sum & 0xffff);
	sum = (sum >> 16) + (sum & 0xffff);
	return (uint16_t)((sum >> 16) + (sum & 0xffff));
}

#endif
