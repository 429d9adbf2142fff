/* SPDX-License-Identifier: BSD-3-Clause */
/* Addresses of hosts and MACs: reads them from text, writes them as text, compares them. */
#ifndef PW_WIRE_ADDR_H
#define PW_WIRE_ADDR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/err.h"

struct pw_addr {
	uint8_t family;    /* 4 or 6; 0 = unset */
	uint8_t bytes[16]; /* network order; IPv4 in the first four */
	uint16_t port;     /* host order, 0 = unset */
	uint32_t scope; /* the zone of an IPv6 address (RFC 4007): an interface's index; 0 = none */
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

/* "10.0.0.1", "fe80::1", or "?" when unknown; buf of 64 bytes suffices. Returns buf. */
char *pw_host_key_format(char *buf, size_t len, struct pw_host_key key);

/* "ADDR", "ADDR:PORT", "[V6ADDR]:PORT", "V6ADDR", in numbers (kernel/hostname.h reads names). The
 * default of the port is default_port. A link-local or multicast V6ADDR may end in a zone, "fe80::1%eth0": an interface of this
 * host (-ENODEV: it has none of that name). `what` is the option's name for the error. */
int pw_addr_parse(const char *what, const char *s, uint16_t default_port, struct pw_addr *addr,
	struct pw_err *err);
/* "239.1.2.3:4001", "[ff15::1]:4001"; buf of 64 bytes suffices. Returns buf. */
char *pw_addr_format(char *buf, size_t len, const struct pw_addr *addr);
bool pw_addr_is_multicast(const struct pw_addr *addr);
bool pw_addr_is_linklocal(const struct pw_addr *addr); /* fe80::/10 */
/* Ignores the port, and the zone unless both have one. */
bool pw_addr_equal_host(const struct pw_addr *a, const struct pw_addr *b);
/* RFC 1112 section 6.4, RFC 2464 section 7 */
void pw_addr_multicast_mac(const struct pw_addr *addr, uint8_t mac[6]);
/* "02:00:00:00:00:01"; a multicast or zero MAC is accepted, a malformed one is -EINVAL. */
int pw_mac_parse(const char *what, const char *s, uint8_t mac[6], struct pw_err *err);

#endif
