/* SPDX-License-Identifier: BSD-3-Clause */
/* What the receivers on a UDP socket share: the socket, its counters, and trains of datagrams. */
#include "kernel/rxsock.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <poll.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "kernel/sockaddr.h"

int pw_rxsock_open(struct pw_rxsock *s, const struct pw_udprx_config *cfg, bool gro,
	const struct pw_log *log, struct pw_err *err)
{
	const int off = 0;

	s->fd = pw_udpsock_open(cfg, log, err);
	if (s->fd < 0)
		return s->fd;
	/* A kernel without the option never merges. */
	if (!gro && setsockopt(s->fd, SOL_UDP, UDP_GRO, &off, sizeof(off)) < 0 &&
		errno != ENOPROTOOPT)
		return pw_err_sys(err, errno, "cannot turn off UDP_GRO");
	if (cfg->source.family)
		s->source = pw_host_key(&cfg->source);
	s->drops = pw_udpsock_drops(s->fd);
	return 0;
}

void pw_rxsock_close(struct pw_rxsock *s)
{
	if (s->fd >= 0)
		close(s->fd);
	s->fd = -1;
}

uint32_t pw_rxsock_segment(struct msghdr *m)
{
	struct cmsghdr *c;
	int size;

	for (c = CMSG_FIRSTHDR(m); c; c = CMSG_NXTHDR(m, c)) {
		if (c->cmsg_level != SOL_UDP || c->cmsg_type != UDP_GRO)
			continue;
		memcpy(&size, CMSG_DATA(c), sizeof(size));
		return size > 0 ? (uint32_t)size : 0;
	}
	return 0;
}

/* All datagrams of a train come from one socket. */
static bool is_foreign(const struct pw_rxsock *s, const struct pw_rxtrain *t)
{
	static const struct pw_host_key any;

	return !pw_host_key_equal(s->source, any) && !pw_host_key_equal(s->source, t->from);
}

void pw_rxsock_note(struct pw_rxsock *s, struct pw_rxtrain *t, const uint8_t *data, uint32_t len,
	uint32_t seg, int flags, const struct sockaddr_storage *from)
{
	*t = (struct pw_rxtrain){
		.data = data, .len = len, .seg = seg ? seg : len, .from = pw_sockaddr_key(from)};
	if (flags & MSG_TRUNC) {
		s->c.packets++;
		s->c.malformed++;
		s->c.too_long++;
		t->len = 0;
	} else if (is_foreign(s, t)) {
		const uint32_t n = pw_rxtrain_count(t);

		s->c.packets += n;
		s->c.foreign += n;
		t->len = 0;
	} else if (len == 0) {
		s->c.packets++; /* an empty datagram counts, but makes no view */
	}
}

int pw_rxsock_wait(int fd, uint64_t timeout_ns)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};
	const struct timespec ts = {.tv_sec = (time_t)(timeout_ns / PW_NS_PER_S),
		.tv_nsec = (long)(timeout_ns % PW_NS_PER_S)};
	int n = ppoll(&p, 1, &ts, NULL);

	if (n < 0)
		return errno == EINTR ? 0 : -errno;
	return n;
}

void pw_rxsock_release(void *path)
{
	(void)path;
}

bool pw_rxsock_alive(void *path)
{
	(void)path;
	return true;
}

const struct pw_rx_counters *pw_rxsock_counters(void *path)
{
	struct pw_rxsock *s = path;
	const uint32_t drops = pw_udpsock_drops(s->fd);

	s->c.missed += (uint32_t)(drops - s->drops);
	s->drops = drops;
	return &s->c;
}
