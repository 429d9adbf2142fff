/* SPDX-License-Identifier: BSD-3-Clause */
/* The table of receive ways, and how a path of any of them is opened and closed. */
#include "kernel/rxways.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

const struct pw_rx_way *const pw_rx_ways[] = {
	&pw_rx_way_tcp,
	&pw_rx_way_tcp_zerocopy,
	&pw_rx_way_recv,
	&pw_rx_way_recvmmsg,
	&pw_rx_way_udp_gro,
	&pw_rx_way_udp,
	&pw_rx_way_uring_recv,
	&pw_rx_way_uring_recv_gro,
	&pw_rx_way_packet_rx_ring,
	&pw_rx_way_xdp_rx,
	&pw_rx_way_xdp_rx_zerocopy,
	NULL,
};

const struct pw_rx_way *pw_rx_way_find(const char *name)
{
	const struct pw_rx_way *const *w;

	for (w = pw_rx_ways; *w; w++) {
		if (strcmp((*w)->name, name) == 0)
			return *w;
	}
	return NULL;
}

int pw_rx_way_open(const struct pw_rx_way *way, void **path, const struct pw_rx_way_config *cfg,
	struct pw_err *err)
{
	struct pw_rx_path *p = calloc(1, way->path_bytes);
	int ret;

	*path = NULL;
	if (!p)
		return pw_err_sys(err, ENOMEM, "cannot open %s to receive", way->name);
	p->way = way;
	ret = way->open(p, cfg, err);
	if (ret < 0) {
		pw_rx_way_close(p);
		return ret;
	}
	*path = p;
	return 0;
}

void pw_rx_way_close(void *path)
{
	struct pw_rx_path *p = path;

	if (!p)
		return;
	p->way->close(p);
	free(p);
}
