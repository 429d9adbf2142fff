/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The kernel's UDP receiver. One recvmmsg(2) fills up to N_MSGS buffers, each with one datagram or with a
 * train of them that the kernel has merged (GRO):
 *
 *   buffer 0 | seg | seg | seg | short |     segment size in the UDP_GRO control message
 *   buffer 1 | datagram |
 *
 * Views are handed out train by train, and the next recvmmsg() is called when all have been handed out.
 * So the views of a burst stay valid until the next burst.
 */
#include "kernel/udprx.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "kernel/rxways.h"
#include "kernel/sockaddr.h"
#include "kernel/udpsock.h"

#define N_MSGS    64
#define BUF_BYTES 65536u /* longer than any datagram or train */

struct train {
	uint32_t len;
	uint32_t seg; /* bytes of each datagram but the last */
	struct pw_host_key from;
};

struct pw_udprx {
	struct pw_rx_path way; /* as a way of rxway.h; unused by pw_udprx_open() */
	int fd;
	uint8_t *bufs; /* N_MSGS * BUF_BYTES */
	uint32_t drops;
	struct pw_host_key source; /* the only sender to receive from; zero: all */
	struct pw_rx_counters c;
	struct train trains[N_MSGS];
	unsigned int n_trains, cur; /* trains[cur] is the next to hand out, */
	uint32_t off;               /* from this byte on */
	struct mmsghdr msgs[N_MSGS];
	struct iovec iov[N_MSGS];
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(sizeof(int))];
	} ctrl[N_MSGS];
	struct sockaddr_storage names[N_MSGS];
};

static uint32_t gro_segment(struct msghdr *m)
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
static bool is_foreign(const struct pw_udprx *rx, const struct train *t)
{
	static const struct pw_host_key any;

	return !pw_host_key_equal(rx->source, any) && !pw_host_key_equal(rx->source, t->from);
}

static void note_train(struct pw_udprx *rx, unsigned int i)
{
	uint32_t seg = gro_segment(&rx->msgs[i].msg_hdr);
	struct train *t = &rx->trains[i];

	t->len = rx->msgs[i].msg_len;
	t->seg = seg ? seg : t->len;
	t->from = pw_sockaddr_key(&rx->names[i]);
	if (rx->msgs[i].msg_hdr.msg_flags & MSG_TRUNC) {
		rx->c.packets++;
		rx->c.malformed++;
		rx->c.too_long++;
		t->len = 0;
	} else if (is_foreign(rx, t)) {
		uint32_t n = t->len ? (t->len + t->seg - 1) / t->seg : 1;

		rx->c.packets += n;
		rx->c.foreign += n;
		t->len = 0;
	} else if (t->len == 0) {
		rx->c.packets++; /* an empty datagram counts, but makes no view */
	}
}

/* Returns the number of messages received, 0 when none waits, or -errno. */
static int receive(struct pw_udprx *rx)
{
	int i, n;

	for (i = 0; i < N_MSGS; i++) {
		rx->msgs[i].msg_hdr.msg_controllen = sizeof(rx->ctrl[i]);
		rx->msgs[i].msg_hdr.msg_namelen = sizeof(rx->names[i]);
		rx->msgs[i].msg_hdr.msg_flags = 0;
	}
	n = recvmmsg(rx->fd, rx->msgs, N_MSGS, MSG_DONTWAIT, NULL);
	if (n < 0)
		return errno == EAGAIN || errno == EINTR ? 0 : -errno;
	for (i = 0; i < n; i++)
		note_train(rx, (unsigned int)i);
	rx->n_trains = (unsigned int)n;
	rx->cur = 0;
	rx->off = 0;
	return n;
}

static int wait_readable(struct pw_udprx *rx, uint64_t timeout_ns)
{
	struct pollfd p = {.fd = rx->fd, .events = POLLIN};
	struct timespec ts = {.tv_sec = (time_t)(timeout_ns / PW_NS_PER_S),
		.tv_nsec = (long)(timeout_ns % PW_NS_PER_S)};
	int n = ppoll(&p, 1, &ts, NULL);

	if (n < 0)
		return errno == EINTR ? 0 : -errno;
	return n;
}

static int hand_out(struct pw_udprx *rx, struct pw_rx_view *views, uint16_t n)
{
	uint16_t k = 0;

	while (k < n && rx->cur < rx->n_trains) {
		const struct train *t = &rx->trains[rx->cur];
		uint32_t len = t->len - rx->off;

		if (len == 0) {
			rx->cur++;
			rx->off = 0;
			continue;
		}
		if (len > t->seg)
			len = t->seg;
		views[k].data = rx->bufs + (size_t)rx->cur * BUF_BYTES + rx->off;
		views[k].len = len;
		views[k].from = t->from;
		rx->off += len;
		rx->c.bytes += len;
		k++;
	}
	rx->c.packets += k;
	return k;
}

static int udprx_burst(void *path, struct pw_rx_view *views, uint16_t n, uint64_t timeout_ns)
{
	struct pw_udprx *rx = path;
	int ret = hand_out(rx, views, n);

	if (ret)
		return ret;
	ret = receive(rx);
	if (ret == 0 && timeout_ns) {
		ret = wait_readable(rx, timeout_ns);
		if (ret > 0)
			ret = receive(rx);
	}
	return ret < 0 ? ret : hand_out(rx, views, n);
}

/* Nothing to do: receive() reuses the buffers only after all their views are handed out and released. */
static void udprx_release(void *path)
{
	(void)path;
}

static bool udprx_alive(void *path)
{
	(void)path;
	return true;
}

static const struct pw_rx_counters *udprx_counters(void *path)
{
	struct pw_udprx *rx = path;
	uint32_t drops = pw_udpsock_drops(rx->fd);

	rx->c.missed += (uint32_t)(drops - rx->drops);
	rx->drops = drops;
	return &rx->c;
}

const struct pw_rx_ops pw_udprx_ops = {
	.name = "udp",
	.burst = udprx_burst,
	.release = udprx_release,
	.alive = udprx_alive,
	.counters = udprx_counters,
};

static void link_messages(struct pw_udprx *rx)
{
	size_t i;

	for (i = 0; i < N_MSGS; i++) {
		rx->iov[i].iov_base = rx->bufs + i * BUF_BYTES;
		rx->iov[i].iov_len = BUF_BYTES;
		rx->msgs[i].msg_hdr.msg_iov = &rx->iov[i];
		rx->msgs[i].msg_hdr.msg_iovlen = 1;
		rx->msgs[i].msg_hdr.msg_control = &rx->ctrl[i];
		rx->msgs[i].msg_hdr.msg_name = &rx->names[i];
	}
}

/* Whether it succeeds or not, finish() releases what it has made. */
static int init(struct pw_udprx *rx, const struct pw_udprx_config *cfg, const struct pw_log *log,
	struct pw_err *err)
{
	rx->fd = -1;
	rx->bufs = mmap(NULL, (size_t)N_MSGS * BUF_BYTES, PROT_READ | PROT_WRITE,
		MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
	if (rx->bufs == MAP_FAILED) {
		rx->bufs = NULL;
		return pw_err_sys(err, errno, "cannot allocate the buffers of a UDP socket");
	}
	link_messages(rx);
	rx->fd = pw_udpsock_open(cfg, log, err);
	if (rx->fd < 0)
		return rx->fd;
	if (cfg->source.family)
		rx->source = pw_host_key(&cfg->source);
	rx->drops = pw_udpsock_drops(rx->fd);
	return 0;
}

static void finish(void *path)
{
	struct pw_udprx *rx = path;

	if (rx->bufs)
		munmap(rx->bufs, (size_t)N_MSGS * BUF_BYTES);
	if (rx->fd >= 0)
		close(rx->fd);
}

int pw_udprx_open(struct pw_udprx **out_rx, const struct pw_udprx_config *cfg,
	const struct pw_log *log, struct pw_err *err)
{
	struct pw_udprx *rx = calloc(1, sizeof(*rx));
	int ret;

	*out_rx = NULL;
	if (!rx)
		return pw_err_sys(err, ENOMEM, "cannot open a UDP socket");
	ret = init(rx, cfg, log, err);
	if (ret < 0)
		pw_udprx_close(rx);
	else
		*out_rx = rx;
	return ret;
}

void pw_udprx_close(struct pw_udprx *rx)
{
	if (rx)
		finish(rx);
	free(rx);
}

static int open_way(void *path, const struct pw_rx_way_config *cfg, struct pw_err *err)
{
	const struct pw_udprx_config udp = {.listen = cfg->listen, .interface = cfg->interface};

	return init(path, &udp, cfg->log, err);
}

const struct pw_rx_way pw_rx_way_udp = {
	.name = "udp",
	.summary = "recvmmsg() of 64 messages with UDP_GRO: the socket of pagewire recv",
	.kind = PW_WAY_DATAGRAM,
	.sleeps = true,
	.path_bytes = sizeof(struct pw_udprx),
	.open = open_way,
	.close = finish,
	.packets = &pw_udprx_ops,
};
