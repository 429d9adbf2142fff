/* SPDX-License-Identifier: BSD-3-Clause */
/* Ethernet frames of every shape, built from the RFCs' layouts by other means than lib/wire's, for tests of what reads or edits them. */
#ifndef PW_TEST_FRAMES_UTIL_H
#define PW_TEST_FRAMES_UTIL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "base/bytes.h"

#define FRAME_MAX 2048

struct shape {
	const char *name;
	uint8_t n_tags;  /* the outer ones 802.1ad, the last 802.1Q */
	uint8_t family;  /* 4, 6; 0: ARP */
	uint8_t proto;   /* ARP: the operation */
	uint8_t options; /* words of IPv4 options */
	uint16_t
		fragment; /* IPv4: flags and offset; IPv6: offset and flag, in a fragment header if not 0 */
	const char *
		ext; /* IPv6: the kinds of extension headers of 8 bytes, as characters; NULL: none */
	bool no_checksum; /* UDP */
	bool reverse;     /* from the server to the client */
	uint16_t l4_len;  /* bytes behind the IP headers */
	uint8_t seed;     /* of the payload */
};

static const uint8_t shape_mac[2][6] = {{2, 0, 0, 0, 0, 0x0a}, {2, 0, 0, 0, 0, 0x0b}};
static const uint8_t shape_v4[2][4] = {{10, 1, 2, 3}, {172, 16, 5, 9}};
static const uint8_t shape_v6[2][16] = {
	{0x20, 1, 0xd, 0xb8, 0, 1, [15] = 7}, {0xfd, 0, 0, 9, [15] = 8}};
#define SHAPE_CLIENT_PORT 40001
#define SHAPE_SERVER_PORT 443

/* RFC 1071, the slow and plain way; returns the sum, not inverted. */
static inline uint32_t plain_sum(const uint8_t *p, size_t len, uint32_t sum)
{
	size_t i;

	for (i = 0; i < len; i++)
		sum += i % 2 ? p[i] : (uint32_t)p[i] << 8;
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return sum;
}

/* -1: this protocol has no such checksum */
static inline int shape_checksum_offset(const struct shape *s)
{
	return s->proto == 6 ? 16 : s->proto == 17 ? 6 : s->proto == 58 || s->proto == 1 ? 2 : -1;
}

/* Writes the checksum of the whole datagram l4[len] between addrs[2 * n]. */
static inline void shape_checksum(
	const struct shape *s, uint8_t *l4, size_t len, const uint8_t *addrs, size_t n)
{
	const int at = shape_checksum_offset(s);
	uint16_t sum;

	if (at < 0 || (size_t)at + 2 > len)
		return;
	memset(l4 + at, 0, 2);
	if (s->no_checksum)
		return;
	sum = (uint16_t)~plain_sum(
		l4, len, s->proto == 1 ? 0 : plain_sum(addrs, 2 * n, (uint32_t)len + s->proto));
	pw_be16_store(l4 + at, s->proto == 17 && !sum ? 0xffff : sum);
}

static inline void shape_l4(const struct shape *s, uint8_t *l4)
{
	size_t i;

	for (i = 0; i < s->l4_len; i++)
		l4[i] = (uint8_t)(i * 7 + s->seed);
	if (s->proto == 6 || s->proto == 17 || s->proto == 132) {
		pw_be16_store(l4, s->reverse ? SHAPE_SERVER_PORT : SHAPE_CLIENT_PORT);
		pw_be16_store(l4 + 2, s->reverse ? SHAPE_CLIENT_PORT : SHAPE_SERVER_PORT);
	}
	if (s->proto == 6 && s->l4_len >= 20)
		l4[12] = 5 << 4;
	if (s->proto == 17)
		pw_be16_store(l4 + 4, s->l4_len);
}

static inline size_t shape_ipv4(const struct shape *s, uint8_t *ip)
{
	const size_t header = 20 + (size_t)s->options * 4;

	memset(ip, 0, header);
	ip[0] = (uint8_t)(0x45 + s->options);
	pw_be16_store(ip + 2, (uint16_t)(header + s->l4_len));
	pw_be16_store(ip + 4, 0x1234);
	pw_be16_store(ip + 6, s->fragment);
	ip[8] = 64;
	ip[9] = s->proto;
	memcpy(ip + 12, shape_v4[s->reverse], 4);
	memcpy(ip + 16, shape_v4[!s->reverse], 4);
	memset(ip + 20, 1, header - 20); /* "no operation" */
	pw_be16_store(ip + 10, (uint16_t)~plain_sum(ip, header, 0));
	shape_l4(s, ip + header);
	if (!(s->fragment & 0x1fff))
		shape_checksum(s, ip + header, s->l4_len, ip + 12, 4);
	return header + s->l4_len;
}

static inline size_t shape_ipv6(const struct shape *s, uint8_t *ip)
{
	const size_t n_ext = (s->ext ? strlen(s->ext) : 0) + (s->fragment != 0);
	uint8_t *at = ip + 40, *next = ip + 6;
	size_t i;

	memset(ip, 0, 40 + 8 * n_ext);
	ip[0] = 0x60;
	pw_be16_store(ip + 4, (uint16_t)(8 * n_ext + s->l4_len));
	ip[7] = 64;
	memcpy(ip + 8, shape_v6[s->reverse], 16);
	memcpy(ip + 24, shape_v6[!s->reverse], 16);
	for (i = 0; i < n_ext; i++, at += 8) {
		*next = s->ext && s->ext[i] ? (uint8_t)s->ext[i] : 44;
		if (*next == 44)
			pw_be16_store(at + 2, s->fragment);
		else
			memcpy(at + 2, "\1\4\0\0\0\0", 6); /* PadN */
		next = at;
	}
	*next = s->proto;
	shape_l4(s, at);
	if (!(s->fragment & 0xfff8))
		shape_checksum(s, at, s->l4_len, ip + 8, 16);
	return 40 + 8 * n_ext + s->l4_len;
}

static inline size_t shape_arp(const struct shape *s, uint8_t *arp)
{
	memcpy(arp, "\0\1\10\0\6\4\0", 7);
	arp[7] = s->proto;
	memcpy(arp + 8, shape_mac[s->reverse], 6);
	memcpy(arp + 14, shape_v4[s->reverse], 4);
	memset(arp + 18, 0, 28);
	memcpy(arp + 24, shape_v4[!s->reverse], 4);
	return 28;
}

/* Returns the frame's length, at least 60: the rest is padding. */
static inline size_t shape_make(const struct shape *s, uint8_t frame[FRAME_MAX])
{
	uint8_t *at = frame + 12;
	size_t len;
	unsigned i;

	memset(frame, 0xee, FRAME_MAX);
	memcpy(frame, shape_mac[!s->reverse], 6);
	memcpy(frame + 6, shape_mac[s->reverse], 6);
	for (i = 0; i < s->n_tags; i++, at += 4) {
		pw_be16_store(at, i + 1 < s->n_tags ? 0x88a8 : 0x8100);
		pw_be16_store(at + 2, (uint16_t)(0x6000 + 100 + i)); /* priority 3 */
	}
	pw_be16_store(at, s->family == 4 ? 0x0800 : s->family == 6 ? 0x86dd : 0x0806);
	at += 2;
	len = (size_t)(at - frame);
	len += s->family == 4   ? shape_ipv4(s, at)
	       : s->family == 6 ? shape_ipv6(s, at)
				: shape_arp(s, at);
	return len < 60 ? 60 : len;
}

/* A pcap of Ethernet frames, microseconds, this host's byte order. */
static inline void pcap_begin(FILE *f)
{
	static const uint32_t header[6] = {0xa1b2c3d4, 2 | 4 << 16, 0, 0, 262144, 1};

	fwrite(header, 1, sizeof(header), f);
}

static inline void pcap_add(FILE *f, const uint8_t *frame, size_t len, uint32_t number)
{
	const uint32_t header[4] = {1700000000, number, (uint32_t)len, (uint32_t)len};

	fwrite(header, 1, sizeof(header), f);
	fwrite(frame, 1, len, f);
}

#endif
