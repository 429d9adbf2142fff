/* SPDX-License-Identifier: BSD-3-Clause */
#include "kernel/udptx_sock.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/units.h"
#include "kernel/sockaddr.h"

/* The kernel grants the double: some 900 datagrams of 1500 bytes, fewer than a queueing discipline
 * usually holds. With more it would drop them and say nothing, instead of the socket sleeping. */
#define SNDBUF_BYTES (1 << 20)

struct option {
	const char *name;
	int level, id;
	const void *value;
	socklen_t len;
};

static int set(int fd, const struct option *o, size_t n, const char *peer, struct pw_err *err)
{
	size_t i;

	for (i = 0; i < n; i++)
		if (setsockopt(fd, o[i].level, o[i].id, o[i].value, o[i].len) < 0)
			return pw_err_sys(err, errno, "send to %s: set %s", peer, o[i].name);
	return 0;
}

static int set_ipv4(int fd, const struct pw_way_config *cfg, unsigned int scope, const char *peer,
	struct pw_err *err)
{
	const struct ip_mreqn via = {.imr_ifindex = (int)scope};
	const int discover = IP_PMTUDISC_DO, tos = cfg->flow.dscp << 2, ttl = cfg->flow.ttl;
	const bool group = pw_addr_is_multicast(&cfg->flow.dst);
	const struct option always[] = {
		{"IP_MTU_DISCOVER", IPPROTO_IP, IP_MTU_DISCOVER, &discover, sizeof(discover)},
		{"IP_TOS", IPPROTO_IP, IP_TOS, &tos, sizeof(tos)},
	};
	const struct option hops = {
		"IP_TTL", IPPROTO_IP, group ? IP_MULTICAST_TTL : IP_TTL, &ttl, sizeof(ttl)};
	const struct option out = {
		"IP_MULTICAST_IF", IPPROTO_IP, IP_MULTICAST_IF, &via, sizeof(via)};
	int ret = set(fd, always, PW_ARRAY_LEN(always), peer, err);

	if (ret == 0 && ttl)
		ret = set(fd, &hops, 1, peer, err);
	if (ret == 0 && group && scope)
		ret = set(fd, &out, 1, peer, err);
	return ret;
}

static int set_ipv6(int fd, const struct pw_way_config *cfg, unsigned int scope, const char *peer,
	struct pw_err *err)
{
	const int discover = IPV6_PMTUDISC_DO, tclass = cfg->flow.dscp << 2, hop = cfg->flow.ttl;
	const int index = (int)scope;
	const bool group = pw_addr_is_multicast(&cfg->flow.dst);
	const struct option always[] = {
		{"IPV6_MTU_DISCOVER", IPPROTO_IPV6, IPV6_MTU_DISCOVER, &discover, sizeof(discover)},
		{"IPV6_TCLASS", IPPROTO_IPV6, IPV6_TCLASS, &tclass, sizeof(tclass)},
	};
	const struct option hops = {"the hop limit", IPPROTO_IPV6,
		group ? IPV6_MULTICAST_HOPS : IPV6_UNICAST_HOPS, &hop, sizeof(hop)};
	const struct option out = {
		"IPV6_MULTICAST_IF", IPPROTO_IPV6, IPV6_MULTICAST_IF, &index, sizeof(index)};
	int ret = set(fd, always, PW_ARRAY_LEN(always), peer, err);

	if (ret == 0 && hop)
		ret = set(fd, &hops, 1, peer, err);
	if (ret == 0 && group && scope)
		ret = set(fd, &out, 1, peer, err);
	return ret;
}

static void size_buffer(int fd, const struct pw_log *log)
{
	const int want = SNDBUF_BYTES;
	int got = 0;
	socklen_t len = sizeof(got);
	char asked[32], given[32];

	if (setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &want, sizeof(want)) < 0)
		setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &want, sizeof(want));
	if (getsockopt(fd, SOL_SOCKET, SO_SNDBUF, &got, &len) < 0 || got / 2 >= want)
		return;
	pw_warn(log,
		"send buffer is %s, not %s, so calls sleep more often; sysctl -w "
		"net.core.wmem_max=%d",
		pw_units_size(given, sizeof(given), (uint64_t)got / 2),
		pw_units_size(asked, sizeof(asked), SNDBUF_BYTES), want);
}

/* A host with several addresses must leave by the one that is named. Its port is a wish: receivers
 * look at the destination, and one on this host may have the same. */
static int bind_source(int fd, const struct pw_addr *src, unsigned int scope, struct pw_err *err)
{
	static const uint8_t any[16];
	struct pw_addr a = *src;
	struct sockaddr_storage ss;
	socklen_t len;
	char name[64];

	if (a.family == 0 || (a.port == 0 && memcmp(a.bytes, any, a.family == 4 ? 4 : 16) == 0))
		return 0;
	len = pw_sockaddr_make(&a, scope, &ss);
	if (bind(fd, (struct sockaddr *)&ss, len) == 0)
		return 0;
	if (errno == EADDRINUSE || errno == EACCES) {
		a.port = 0;
		len = pw_sockaddr_make(&a, scope, &ss);
		if (bind(fd, (struct sockaddr *)&ss, len) == 0)
			return 0;
	}
	pw_addr_format(name, sizeof(name), &a);
	if (errno == EADDRNOTAVAIL)
		return pw_err_set(err, EADDRNOTAVAIL,
			"send from %s: no interface of this host has the address; `ip -br addr` "
			"lists those there are",
			name);
	return pw_err_sys(err, errno, "send from %s", name);
}

static int connect_peer(int fd, const struct pw_way_config *cfg, unsigned int scope,
	const char *peer, struct pw_err *err)
{
	struct sockaddr_storage ss;
	socklen_t len = pw_sockaddr_make(&cfg->flow.dst, scope, &ss);

	if (connect(fd, (struct sockaddr *)&ss, len) == 0)
		return 0;
	if (errno == ENETUNREACH || errno == EHOSTUNREACH)
		return pw_err_set(err, errno,
			"send to %s: no way there; `ip route get` tells what is missing", peer);
	if (errno == EINVAL && cfg->flow.dst.family == 6 && !scope)
		return pw_err_set(err, EINVAL,
			"send to %s: a link-local address needs its interface; write it behind a "
			"%%, as in [fe80::1%%eth0]:4001",
			peer);
	return pw_err_sys(err, errno, "send to %s", peer);
}

/* Connected: the route is looked up once, and refusals reach this socket. */
static int set_up(int fd, const struct pw_way_config *cfg, unsigned int scope, const char *peer,
	struct pw_err *err)
{
	const struct timeval tv = {.tv_usec = (suseconds_t)(PW_SEND_SLEEP_NS / 1000)};
	const struct option sleep = {"SO_SNDTIMEO", SOL_SOCKET, SO_SNDTIMEO, &tv, sizeof(tv)};
	int ret = set(fd, &sleep, 1, peer, err);

	if (ret == 0)
		ret = cfg->flow.dst.family == 4 ? set_ipv4(fd, cfg, scope, peer, err)
						: set_ipv6(fd, cfg, scope, peer, err);
	if (ret == 0)
		ret = bind_source(fd, &cfg->flow.src, scope, err);
	if (ret == 0)
		ret = connect_peer(fd, cfg, scope, peer, err);
	if (ret == 0)
		size_buffer(fd, cfg->log);
	return ret;
}

int pw_udptx_socket(const struct pw_way_config *cfg, const char *peer, struct pw_err *err)
{
	unsigned int scope;
	int fd, ret = pw_sockaddr_scope("send", cfg->interface, &cfg->flow.dst, &scope, err);

	if (ret < 0)
		return ret;
	fd = socket(cfg->flow.dst.family == 4 ? AF_INET : AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0 && errno == EAFNOSUPPORT)
		return pw_err_set(err, EOPNOTSUPP, "send to %s: this kernel has no IPv%u", peer,
			cfg->flow.dst.family);
	if (fd < 0)
		return pw_err_sys(err, errno, "open a UDP socket");
	ret = set_up(fd, cfg, scope, peer, err);
	if (ret < 0) {
		close(fd);
		return ret;
	}
	return fd;
}

uint32_t pw_udptx_path_mtu(int fd, uint8_t family)
{
	int mtu = 0;
	socklen_t len = sizeof(mtu);

	if (getsockopt(fd, family == 4 ? IPPROTO_IP : IPPROTO_IPV6, family == 4 ? IP_MTU : IPV6_MTU,
		    &mtu, &len) < 0)
		return 0;
	return (uint32_t)mtu;
}
