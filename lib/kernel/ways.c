/* SPDX-License-Identifier: BSD-3-Clause */
#include "kernel/ways.h"

#include <string.h>

const struct pw_way *const pw_ways[] = {
	&pw_way_read_write,
	&pw_way_mmap_write,
	&pw_way_sendfile,
	&pw_way_splice,
	&pw_way_msg_zerocopy,
	&pw_way_uring_send,
	&pw_way_uring_send_zc,
	&pw_way_udp_read_send,
	&pw_way_udp_mmap_sendmsg,
	&pw_way_udp_sendmmsg,
	&pw_way_udp_gso,
	&pw_way_udp_zerocopy,
	&pw_way_uring_udp_zc,
	&pw_way_packet_send,
	&pw_way_packet_tx_ring,
	&pw_way_xdp_copy,
	&pw_way_xdp_zerocopy,
	NULL,
};

const struct pw_way *pw_way_find(const char *name)
{
	const struct pw_way *const *w;

	for (w = pw_ways; *w; w++) {
		if (strcmp((*w)->name, name) == 0)
			return *w;
	}
	return NULL;
}
