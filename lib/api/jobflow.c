/* SPDX-License-Identifier: BSD-3-Clause */
#include "api/jobflow.h"

#include <string.h>

#include "host/netif.h"

void pw_job_own_address(struct pw_flow *flow, const struct pw_portspec *spec, const uint8_t mac[6])
{
	struct pw_addr *src = &flow->src;
	bool named = pw_portspec_is_interface(spec) || spec->kind == PW_PORT_TAP;
	struct pw_netif netif;

	if (src->family)
		return;
	src->family = flow->dst.family;
	src->port = flow->dst.port;
	if (named && pw_netif_query(spec->target, &netif, NULL) == 0) {
		if (src->family == 4 && netif.has_ipv4) {
			memcpy(src->bytes, netif.ipv4, 4);
			return;
		}
		if (src->family == 6 && (netif.has_ipv6_global || netif.has_ipv6_linklocal)) {
			memcpy(src->bytes,
				netif.has_ipv6_global ? netif.ipv6_global : netif.ipv6_linklocal,
				16);
			return;
		}
	}
	if (src->family == 4) {
		/* RFC 3927 reserves the first and the last 256 addresses */
		memcpy(src->bytes, (uint8_t[]){169, 254, (uint8_t)(1 + mac[4] % 254), mac[5]}, 4);
		return;
	}
	memcpy(src->bytes,
		(uint8_t[]){0xfe, 0x80, 0, 0, 0, 0, 0, 0, mac[0] ^ 2, mac[1], mac[2], 0xff, 0xfe,
			mac[3], mac[4], mac[5]},
		16);
}
