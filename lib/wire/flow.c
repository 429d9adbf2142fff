/* SPDX-License-Identifier: BSD-3-Clause */
/* The flow that a captured frame belongs to. */
#include "wire/flow.h"

#include <string.h>

#include "wire/frame.h"
#include "wire/headers.h"
#include "wire/ip.h"

#define ARP_LEN 28

static bool has_ports(uint8_t proto)
{
	return proto == 6 || proto == PW_IPPROTO_UDP || proto == 33 || proto == 132 || proto == 136;
}

/* Puts the lower end first. */
static void order(struct pw_flow_key *key)
{
	const int by_addr = memcmp(key->addr[0], key->addr[1], sizeof(key->addr[0]));
	uint8_t addr[16];
	uint16_t port;

	key->is_reversed = by_addr > 0 || (by_addr == 0 && key->port[0] > key->port[1]);
	if (!key->is_reversed)
		return;
	memcpy(addr, key->addr[0], sizeof(addr));
	memcpy(key->addr[0], key->addr[1], sizeof(addr));
	memcpy(key->addr[1], addr, sizeof(addr));
	port = key->port[0];
	key->port[0] = key->port[1];
	key->port[1] = port;
}

static void set_addrs(struct pw_flow_key *key, const uint8_t *from, const uint8_t *to, size_t n)
{
	memcpy(key->addr[0], from, n);
	memcpy(key->addr[1], to, n);
}

void pw_flow_key_of(struct pw_flow_key *key, const uint8_t *frame, size_t len)
{
	struct pw_headers h;
	const uint8_t *p;

	memset(key, 0, sizeof(*key));
	pw_headers_find(&h, frame, len);
	p = frame + h.l3;
	if (h.family) {
		const size_t n = h.family == 4 ? 4 : 16;
		const uint8_t *addrs = p + (h.family == 4 ? 12 : 8);

		key->family = h.family;
		set_addrs(key, addrs, addrs + n, n);
		if (h.l4 && !h.is_fragment && has_ports(h.proto) && h.l4 + 4 <= h.stop) {
			key->proto = h.proto;
			key->port[0] = pw_be16_load(frame + h.l4);
			key->port[1] = pw_be16_load(frame + h.l4 + 2);
		}
	} else if (h.type == PW_ETHERTYPE_ARP && h.l3 && h.l3 + ARP_LEN <= h.stop &&
		   memcmp(p, "\0\1\10\0\6\4", 6) == 0) { /* RFC 826 */
		key->family = 4;
		set_addrs(key, p + 14, p + 24, 4);
	} else if (len >= 12) {
		set_addrs(key, frame + 6, frame, 6);
	}
	order(key);
}

/* Both halves of the product: every bit of a and b reaches the result. */
static uint64_t mix(uint64_t a, uint64_t b)
{
	const unsigned __int128 product = (unsigned __int128)a * b;

	return (uint64_t)product ^ (uint64_t)(product >> 64);
}

uint64_t pw_flow_hash(const struct pw_flow_key *key)
{
	/* odd, with as many ones as zeros */
	static const uint64_t salt[] = {0x9e3779b97f4a7c15, 0xd6e8feb86659fd93};
	uint64_t w[4], hash;

	memcpy(w, key->addr, sizeof(w));
	hash = (uint64_t)key->family << 40 | (uint64_t)key->proto << 32 |
	       (uint32_t)key->port[0] << 16 | key->port[1];
	hash = mix(hash ^ salt[0], salt[1]);
	hash = mix(hash ^ w[0] ^ salt[1], w[1] ^ salt[0]);
	hash = mix(hash ^ w[2] ^ salt[0], w[3] ^ salt[1]);
	return mix(hash ^ salt[0], salt[1]);
}
