/* SPDX-License-Identifier: BSD-3-Clause */
/* The table of ways, and how a path of any of them is opened and closed. */
#include "kernel/ways.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/bytes.h"
#include "kernel/sock.h"

const struct pw_way *const pw_ways[] = {
	&pw_way_read_write,
	&pw_way_mmap_write,
	&pw_way_sendfile,
	&pw_way_splice,
	&pw_way_ktls_sendfile,
	&pw_way_msg_zerocopy,
	&pw_way_uring_send,
	&pw_way_uring_send_zc,
	&pw_way_uring_splice,
	&pw_way_udp_read_send,
	&pw_way_udp_mmap_sendmsg,
	&pw_way_udp_sendmmsg,
	&pw_way_udp_gso,
	&pw_way_udp_zerocopy,
	&pw_way_uring_udp_zc,
	&pw_way_uring_sendmsg_zc,
	&pw_way_packet_send,
	&pw_way_packet_tx_ring,
	&pw_way_xdp_copy,
	&pw_way_xdp_copy_csum,
	&pw_way_xdp_sg,
	&pw_way_xdp_zerocopy,
	&pw_way_xdp_sg_zerocopy,
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

int pw_way_open(
	const struct pw_way *way, void **path, const struct pw_way_config *cfg, struct pw_err *err)
{
	struct pw_sock *s = calloc(1, way->path_bytes);
	int ret;

	*path = NULL;
	if (!s)
		return pw_err_sys(err, ENOMEM, "cannot open %s", way->name);
	s->way = way;
	s->cfg = *cfg;
	s->fd = -1;
	s->cfg.batch = (uint32_t)pw_max_u64(1, pw_min_u64(cfg->batch, PW_BURST));
	ret = way->socket(s, err);
	if (ret == 0 && way->init)
		ret = way->init(s, err);
	if (ret < 0) {
		pw_way_close(s);
		return ret;
	}
	*path = s;
	return 0;
}

void pw_way_close(void *path)
{
	struct pw_sock *s = path;

	if (!s)
		return;
	if (s->way->finish)
		s->way->finish(s);
	if (s->fd >= 0)
		close(s->fd);
	free(s);
}
