/* SPDX-License-Identifier: BSD-3-Clause */
/* Opens the socket of the datagram ways, and decides what a failed call means for the path. */
#include "kernel/udptx.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <time.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "kernel/sockaddr.h"

/* The kernel grants twice as much: about 900 datagrams of 1500 bytes, fewer than a queueing discipline
 * usually holds. With a larger buffer the queueing discipline would drop datagrams without an error,
 * instead of the socket sleeping. */
#define SNDBUF_BYTES (1 << 20)

/* A refusal (ICMP) is about a datagram sent earlier, and a single one means little: a receiver that has
 * all its files ends before the session's last packets. The path is broken when refusals go on for
 * REFUSED_FOR_NS. Hosts limit the ICMP messages to about one a second, so only a pause longer than
 * REFUSED_GAP_NS shows that the refusals have ended. */
#define REFUSED_FOR_NS PW_NS_PER_S
#define REFUSED_GAP_NS (3 * PW_NS_PER_S)
#define REFUSED_NAP_NS (1000 * 1000)

static int set_options(struct pw_udptx *t, unsigned int scope, struct pw_err *err)
{
	const struct pw_flow *flow = &t->s.cfg.flow;
	const bool v6 = t->family == 6, group = pw_addr_is_multicast(&flow->dst);
	const int level = v6 ? IPPROTO_IPV6 : IPPROTO_IP;
	const int discover = v6 ? IPV6_PMTUDISC_DO : IP_PMTUDISC_DO;
	const int dscp = flow->dscp << 2, hops = flow->ttl, index = (int)scope;
	const struct ip_mreqn via = {.imr_ifindex = (int)scope};
	const int hops_v4 = group ? IP_MULTICAST_TTL : IP_TTL;
	const int hops_v6 = group ? IPV6_MULTICAST_HOPS : IPV6_UNICAST_HOPS;
	const struct {
		const char *name;
		bool wanted;
		int id;
		const void *value;
		socklen_t len;
	} options[] = {
		{"path MTU discovery", true, v6 ? IPV6_MTU_DISCOVER : IP_MTU_DISCOVER, &discover,
			sizeof(discover)},
		{"the DSCP", true, v6 ? IPV6_TCLASS : IP_TOS, &dscp, sizeof(dscp)},
		{"the hop limit", hops != 0, v6 ? hops_v6 : hops_v4, &hops, sizeof(hops)},
		{"the group's interface", group && scope, v6 ? IPV6_MULTICAST_IF : IP_MULTICAST_IF,
			v6 ? (const void *)&index : &via, v6 ? sizeof(index) : sizeof(via)},
	};
	size_t i;

	for (i = 0; i < PW_ARRAY_LEN(options); i++)
		if (options[i].wanted && setsockopt(t->s.fd, level, options[i].id, options[i].value,
						 options[i].len) < 0)
			return pw_err_sys(err, errno, "cannot send to %s: cannot set %s", t->s.peer,
				options[i].name);
	return 0;
}

static int connect_peer(struct pw_udptx *t, unsigned int scope, struct pw_err *err)
{
	struct sockaddr_storage ss;
	socklen_t len = pw_sockaddr_make(&t->s.cfg.flow.dst, scope, &ss);

	if (connect(t->s.fd, (struct sockaddr *)&ss, len) == 0)
		return 0;
	if (errno == ENETUNREACH || errno == EHOSTUNREACH)
		return pw_err_set(err, errno,
			"cannot send to %s: no route; `ip route get` shows what is missing",
			t->s.peer);
	if (errno == EINVAL && t->family == 6 && !scope)
		return pw_err_set(err, EINVAL,
			"cannot send to %s: a link-local address needs its interface; write it "
			"after "
			"a %%, as in [fe80::1%%eth0]:4001",
			t->s.peer);
	return pw_err_sys(err, errno, "cannot send to %s", t->s.peer);
}

static int check_gso(const struct pw_udptx *t, struct pw_err *err)
{
	int bytes = 0;
	socklen_t len = sizeof(bytes);

	if (!t->s.way->gso || getsockopt(t->s.fd, SOL_UDP, UDP_SEGMENT, &bytes, &len) == 0)
		return 0;
	return pw_err_set(err, EOPNOTSUPP,
		"cannot send by %s: this kernel has no UDP_SEGMENT; use Linux 4.18 or newer",
		t->s.way->name);
}

/* The socket is connected: the route is looked up once, and refusals reach this socket. */
int pw_udptx_socket(void *path, struct pw_err *err)
{
	struct pw_udptx *t = path;
	const struct pw_way_config *cfg = &t->s.cfg;
	const struct pw_addr *dst = &cfg->flow.dst;
	unsigned int scope;
	int ret;

	t->family = dst->family;
	if ((dst->family != 4 && dst->family != 6) || !dst->port)
		return pw_err_set(
			err, EINVAL, "cannot send by UDP: no address and port to send to");
	pw_addr_format(t->s.peer, sizeof(t->s.peer), dst);
	ret = pw_sockaddr_scope("send", cfg->interface, dst, &scope, err);
	if (ret < 0)
		return ret;
	t->s.fd = socket(dst->family == 4 ? AF_INET : AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (t->s.fd < 0 && errno == EAFNOSUPPORT)
		return pw_err_set(err, EOPNOTSUPP, "cannot send to %s: this kernel has no IPv%u",
			t->s.peer, dst->family);
	if (t->s.fd < 0)
		return pw_err_sys(err, errno, "cannot open a UDP socket");
	ret = pw_sock_bound_sleep(&t->s, err);
	if (ret == 0)
		ret = set_options(t, scope, err);
	if (ret == 0)
		ret = pw_sockaddr_bind(t->s.fd, &cfg->flow.src, scope, false, err);
	if (ret == 0)
		ret = connect_peer(t, scope, err);
	if (ret < 0)
		return ret;
	pw_sock_size_buffer(t->s.fd, SO_SNDBUF, SNDBUF_BYTES, cfg->log);
	return check_gso(t, err);
}

/* The MTU of the route to the peer, as the kernel knows it now; 0: there is no route. */
static uint32_t path_mtu(const struct pw_udptx *t)
{
	const bool v6 = t->family == 6;
	int mtu = 0;
	socklen_t len = sizeof(mtu);

	if (getsockopt(t->s.fd, v6 ? IPPROTO_IPV6 : IPPROTO_IP, v6 ? IPV6_MTU : IP_MTU, &mtu,
		    &len) < 0)
		return 0;
	return (uint32_t)mtu;
}

static bool break_by(struct pw_udptx *t, int code)
{
	uint32_t mtu = path_mtu(t);

	/* Older kernels report EINVAL for a train of datagrams that are too long. */
	if (code == EINVAL && mtu && t->longest > mtu)
		code = EMSGSIZE;
	switch (code) {
	case ECONNREFUSED:
		return pw_sock_break(&t->s,
			"connection refused: no process listens on %s; start the receiver first",
			t->s.peer);
	case ENETUNREACH:
	case EHOSTUNREACH:
		return pw_sock_break(&t->s,
			"no route to %s (any more); `ip route get` shows what is missing",
			t->s.peer);
	case EPERM:
	case EACCES:
		return pw_sock_break(&t->s,
			"this host's firewall stops packets to %s; `nft list ruleset` shows its "
			"rules",
			t->s.peer);
	case EIO:
		return pw_sock_break(&t->s,
			"the kernel cuts no trains for a device that computes no checksums (Linux "
			"6.11 does); ethtool -K IF tx on, or send by udp_sendmmsg");
	default:
		return pw_sock_break_by(&t->s, code, mtu);
	}
}

/* Returns true until refusals have gone on for REFUSED_FOR_NS. */
static bool survives_refusal(struct pw_udptx *t, int code)
{
	uint64_t now = pw_clock_ns();

	if (!t->refused_since_ns || now - t->refused_last_ns > REFUSED_GAP_NS)
		t->refused_since_ns = now;
	t->refused_last_ns = now;
	if (now - t->refused_since_ns >= REFUSED_FOR_NS)
		return break_by(t, code);
	nanosleep(&(struct timespec){.tv_nsec = REFUSED_NAP_NS}, NULL);
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
		pw_sock_nap();
		return true;
	case ECONNREFUSED:
	case ENETUNREACH: /* a route may be missing for a moment */
	case EHOSTUNREACH:
		return survives_refusal(t, code);
	default:
		return break_by(t, code);
	}
}

int pw_udptx_attach(void *path, struct pw_tx_object *obj, struct pw_err *err)
{
	struct pw_udptx *t = path;
	uint32_t mtu = path_mtu(t), longest;

	if (obj->blocks.transfer_len == 0)
		return 0;
	longest = (uint32_t)(obj->tmpl.len - obj->tmpl.l2_len +
			     pw_min_u64(obj->blocks.symbol_len, obj->blocks.transfer_len));
	if (mtu && longest > mtu)
		return pw_err_set(err, EMSGSIZE,
			"cannot send to %s: packets of %u bytes exceed the MTU of %u on the way; "
			"raise that, or send with a smaller --mtu",
			t->s.peer, longest, mtu);
	t->longest = (uint32_t)pw_max_u64(t->longest, longest);
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
	bool sent = !t->s.fault[0] && sendmsg(t->s.fd, &msg, 0) >= 0;

	if (!sent && !t->s.fault[0])
		pw_udptx_survives(t, errno);
	return pw_sock_account_copy(&t->s, sent, tmpl, len);
}
