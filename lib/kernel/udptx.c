/* SPDX-License-Identifier: BSD-3-Clause */
#include "kernel/udptx.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "kernel/udptx_sock.h"

#define NOBUFS_NAP_NS  (50 * 1000)
#define REFUSED_NAP_NS (1000 * 1000)
/* A refusal tells of a datagram sent earlier, and one says little: a receiver that has all that it
 * wants is gone before the session's last packets. It is believed when refusals go on for so long.
 * Hosts limit the ICMP messages that carry them to one a second or so: a pause between two of them
 * is no sign that they have ended unless it is longer than that. */
#define REFUSED_FOR_NS PW_NS_PER_S
#define REFUSED_GAP_NS (3 * PW_NS_PER_S)

int pw_udptx_open(struct pw_udptx *t, const struct pw_way_config *cfg, struct pw_err *err)
{
	const struct pw_addr *dst = &cfg->flow.dst;
	int ret;

	*t = (struct pw_udptx){.fd = -1, .family = dst->family, .log = cfg->log};
	t->batch = (uint32_t)pw_max_u64(1, pw_min_u64(cfg->batch, PW_BURST));
	if ((dst->family != 4 && dst->family != 6) || !dst->port)
		return pw_err_set(err, EINVAL, "send by UDP: no address and port to send to");
	pw_addr_format(t->peer, sizeof(t->peer), dst);
	ret = pw_udptx_socket(cfg, t->peer, err);
	if (ret < 0)
		return ret;
	t->fd = ret;
	return 0;
}

void pw_udptx_close(struct pw_udptx *t)
{
	if (t->fd >= 0)
		close(t->fd);
	t->fd = -1;
}

int pw_udptx_need_gso(const struct pw_udptx *t, struct pw_err *err)
{
	int bytes = 0;
	socklen_t len = sizeof(bytes);

	if (getsockopt(t->fd, SOL_UDP, UDP_SEGMENT, &bytes, &len) == 0)
		return 0;
	return pw_err_set(err, EOPNOTSUPP,
		"send trains by UDP: this kernel has no UDP_SEGMENT; Linux 4.18 brought it");
}

bool pw_udptx_break(struct pw_udptx *t, const char *fmt, ...)
{
	va_list ap;

	if (t->fault[0]) /* the first one is the cause */
		return false;
	va_start(ap, fmt);
	vsnprintf(t->fault, sizeof(t->fault), fmt, ap);
	va_end(ap);
	return false;
}

static void nap(long ns)
{
	nanosleep(&(struct timespec){.tv_nsec = ns}, NULL);
}

static bool break_by(struct pw_udptx *t, int code)
{
	struct pw_err err = {0};
	uint32_t mtu = pw_udptx_path_mtu(t->fd, t->family);

	/* Older kernels call a train of datagrams that are too long invalid. */
	if (code == EINVAL && mtu && t->longest > mtu)
		code = EMSGSIZE;
	switch (code) {
	case ECONNREFUSED:
		return pw_udptx_break(t,
			"connection refused: nobody listens on %s; start the receiver first",
			t->peer);
	case ENETUNREACH:
	case EHOSTUNREACH:
		return pw_udptx_break(t,
			"no way to %s (any more); `ip route get` tells what is missing", t->peer);
	case EMSGSIZE:
		return pw_udptx_break(t,
			"a packet is longer than the MTU of %u on the way to %s; raise that, or "
			"send with a smaller --mtu",
			mtu, t->peer);
	case EPERM:
	case EACCES:
		return pw_udptx_break(t,
			"this host's firewall stops packets to %s; `nft list ruleset` shows its "
			"rules",
			t->peer);
	case EFAULT:
		return pw_udptx_break(t,
			"the file's pages cannot be read: it was truncated while it was being "
			"sent; send it again");
	case EIO:
		return pw_udptx_break(t,
			"the kernel cuts no trains for a device that computes no checksums (Linux "
			"6.11 does); ethtool -K IF tx on, or send by udp_sendmmsg");
	default:
		pw_err_sys(&err, code, "the kernel takes no packets to %s", t->peer);
		return pw_udptx_break(t, "%s", err.msg);
	}
}

/* True until they have gone on for REFUSED_FOR_NS. */
static bool bear_refusal(struct pw_udptx *t, int code)
{
	uint64_t now = pw_clock_ns();

	if (!t->refused_since_ns || now - t->refused_last_ns > REFUSED_GAP_NS)
		t->refused_since_ns = now;
	t->refused_last_ns = now;
	if (now - t->refused_since_ns >= REFUSED_FOR_NS)
		return break_by(t, code);
	nap(REFUSED_NAP_NS);
	return true;
}

bool pw_udptx_survives(struct pw_udptx *t, int code)
{
	switch (code) {
	case EAGAIN:
	case EINTR:
		return true;
	case ENOBUFS:
	case ENOMEM:
		nap(NOBUFS_NAP_NS);
		return true;
	case ECONNREFUSED:
	case ENETUNREACH: /* routes may flap */
	case EHOSTUNREACH:
		return bear_refusal(t, code);
	default:
		return break_by(t, code);
	}
}

uint16_t pw_udptx_send_msgs(struct pw_udptx *t, struct pw_udpmsg *m,
	const struct pw_udpmsg_room *room, const struct pw_tx_burst *b)
{
	struct pw_symbols walk;
	uint16_t n = 0;

	pw_symbols_init(&walk, b, 0);
	while (n < b->n && !t->fault[0]) {
		pw_udpmsg_fill(m, room, &walk, (uint16_t)(b->n - n));
		/* A datagram, or a train of them, goes whole or not at all. */
		if (sendmsg(t->fd, &m->msg, 0) < 0) {
			pw_udptx_survives(t, errno);
			break;
		}
		n = (uint16_t)(n + m->n);
		/* What is left is offered again with more behind it: trains stay long. */
		if (b->n - n < m->n)
			break;
	}
	pw_udptx_account(t, b, n);
	return n;
}

void pw_udptx_account(struct pw_udptx *t, const struct pw_tx_burst *b, uint16_t n)
{
	uint64_t bytes;

	if (n == 0) {
		t->c.full_polls++;
		return;
	}
	bytes = pw_symbols_bytes(b, n);
	t->c.packets += n;
	t->c.payload_bytes += bytes;
	t->c.wire_bytes += bytes + (uint64_t)n * b->obj->tmpl.len;
}

int pw_udptx_attach(void *path, struct pw_tx_object *obj, struct pw_err *err)
{
	struct pw_udptx *t = path;
	uint32_t mtu = pw_udptx_path_mtu(t->fd, t->family), longest;

	if (obj->blocks.transfer_len == 0)
		return 0;
	longest = (uint32_t)(obj->tmpl.len - obj->tmpl.l2_len +
			     pw_min_u64(obj->blocks.symbol_len, obj->blocks.transfer_len));
	if (mtu && longest > mtu)
		return pw_err_set(err, EMSGSIZE,
			"send to %s: packets of %u bytes do not fit the MTU of %u on the way; "
			"raise that, or send with a smaller --mtu",
			t->peer, longest, mtu);
	t->longest = (uint32_t)pw_max_u64(t->longest, longest);
	return 0;
}

int pw_udptx_detach(void *path, struct pw_tx_object *obj)
{
	(void)path;
	(void)obj;
	return 0;
}

uint16_t pw_udptx_send_copy(
	void *path, const struct pw_frame_tmpl *tmpl, const void *payload, size_t len)
{
	struct pw_udptx *t = path;
	struct iovec iov[2] = {
		{(void *)(uintptr_t)(tmpl->bytes + tmpl->alc_off), tmpl->len - tmpl->alc_off},
		{(void *)(uintptr_t)payload, len}};
	const struct msghdr msg = {.msg_iov = iov, .msg_iovlen = 2};

	if (t->fault[0] || sendmsg(t->fd, &msg, 0) < 0) {
		if (!t->fault[0])
			pw_udptx_survives(t, errno);
		t->c.full_polls++;
		return 0;
	}
	t->c.packets++;
	t->c.wire_bytes += tmpl->len + len;
	return 1;
}

void pw_udptx_reap(void *path)
{
	(void)path;
}

bool pw_udptx_alive(void *path)
{
	return !pw_udptx_fault(path);
}

const char *pw_udptx_fault(void *path)
{
	struct pw_udptx *t = path;

	return t->fault[0] ? t->fault : NULL;
}

uint32_t pw_udptx_outstanding(void *path)
{
	(void)path;
	return 0;
}

const struct pw_tx_counters *pw_udptx_counters(void *path)
{
	return &((struct pw_udptx *)path)->c;
}
