/* SPDX-License-Identifier: BSD-3-Clause */
/* Opens the socket of the kernel's UDP receiver: bound, joined to its group, with a large buffer. */
#include "kernel/udpsock.h"

#include <errno.h>
#include <limits.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/bytes.h"
#include "kernel/sock.h"
#include "kernel/sockaddr.h"

static int find_interface(
	const struct pw_udprx_config *cfg, unsigned int *index, struct pw_err *err)
{
	const struct pw_addr *a = &cfg->listen;
	char name[64];
	int ret = pw_sockaddr_scope("listen", cfg->interface, a, index, err);

	if (ret < 0)
		return ret;
	pw_addr_format(name, sizeof(name), a);
	if (a->scope && a->scope != *index)
		return pw_err_set(err, EINVAL,
			"cannot listen on %s: --interface %s differs from the address's interface; "
			"omit one of them",
			name, cfg->interface);
	if (pw_addr_is_linklocal(a) && !*index)
		return pw_err_set(err, EINVAL,
			"cannot listen on %s: a link-local address needs its interface; write it "
			"after "
			"a %%, as in [fe80::1%%eth0]:4001, or use --interface",
			name);
	return 0;
}

static int check_source(const struct pw_udprx_config *cfg, struct pw_err *err)
{
	char name[64];

	if (!cfg->source.family)
		return 0;
	pw_addr_format(name, sizeof(name), &cfg->source);
	if (pw_addr_is_multicast(&cfg->source))
		return pw_err_set(err, EINVAL,
			"cannot receive from --source %s: a group sends nothing; name the sender's "
			"address",
			name);
	if (cfg->source.family != cfg->listen.family)
		return pw_err_set(err, EINVAL,
			"cannot receive from --source %s: the address to listen on is IPv%u; name "
			"the "
			"sender's IPv%u address",
			name, cfg->listen.family, cfg->listen.family);
	return 0;
}

static int bind_error(const struct pw_addr *a, const char *name, int code, struct pw_err *err)
{
	if (code == EADDRNOTAVAIL && pw_addr_is_linklocal(a))
		return pw_err_set(err, code,
			"cannot listen on %s: that interface does not have the address; `ip -6 -br "
			"addr` shows which one does; name it after the %% or with --interface",
			name);
	if (code == EADDRNOTAVAIL)
		return pw_err_set(err, code,
			"cannot listen on %s: no interface of this host has the address; `ip -br "
			"addr` lists them",
			name);
	if (code == EADDRINUSE)
		return pw_err_set(err, code,
			"cannot listen on %s: another program uses the port; `ss -lunp` names it",
			name);
	if (code == EACCES)
		return pw_err_set(err, code,
			"cannot listen on %s: ports below 1024 need root; use a higher one", name);
	if (code == EINVAL && a->family == 6)
		return pw_err_set(err, code,
			"cannot listen on %s: this address needs an interface; use --interface",
			name);
	return pw_err_sys(err, code, "cannot listen on %s", name);
}

/* named: the user has named an interface. */
static int join_error(const char *name, bool named, int code, struct pw_err *err)
{
	if (code == ENODEV || code == EADDRNOTAVAIL)
		return pw_err_set(err, code, "cannot join %s: %s; %s", name,
			named ? "the interface has no multicast" : "no route leads to an interface",
			named ? "name another with --interface" : "use --interface");
	if (code == ENOBUFS)
		return pw_err_set(err, code,
			"cannot join %s: too many groups; raise net.ipv4.igmp_max_memberships",
			name);
	return pw_err_sys(err, code, "cannot join %s", name);
}

/* RFC 3678: routers need not forward other hosts' packets. */
static int join_source(
	int fd, int level, const struct pw_udprx_config *cfg, const struct group_req *group)
{
	struct group_source_req req = {
		.gsr_interface = group->gr_interface, .gsr_group = group->gr_group};

	pw_sockaddr_make(&cfg->source, 0, &req.gsr_source);
	return setsockopt(fd, level, MCAST_JOIN_SOURCE_GROUP, &req, sizeof(req));
}

static int join(int fd, const struct pw_udprx_config *cfg, unsigned int index, const char *name,
	struct pw_err *err)
{
	struct group_req group = {.gr_interface = index};
	int level = cfg->listen.family == 4 ? IPPROTO_IP : IPPROTO_IPV6;
	int off = 0, ret;

	/* Otherwise the socket also receives the groups that other programs have joined. */
	if (setsockopt(fd, level, level == IPPROTO_IP ? IP_MULTICAST_ALL : IPV6_MULTICAST_ALL, &off,
		    sizeof(off)) < 0 &&
		errno != ENOPROTOOPT)
		return pw_err_sys(err, errno, "cannot join %s", name);
	pw_sockaddr_make(&cfg->listen, index, &group.gr_group);
	if (cfg->source.family)
		ret = join_source(fd, level, cfg, &group);
	else
		ret = setsockopt(fd, level, MCAST_JOIN_GROUP, &group, sizeof(group));
	return ret < 0 ? join_error(name, index != 0, errno, err) : 0;
}

static int set_up(int fd, const struct pw_udprx_config *cfg, unsigned int index,
	const struct pw_log *log, struct pw_err *err)
{
	bool multicast = pw_addr_is_multicast(&cfg->listen);
	struct sockaddr_storage ss;
	socklen_t len = pw_sockaddr_make(&cfg->listen, index, &ss);
	char name[64];
	int on = 1, ret;

	pw_addr_format(name, sizeof(name), &cfg->listen);
	/* Several receivers on a host may share a group. A unicast port has one owner: two receivers
	 * would take each other's packets without an error. */
	if (multicast && setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) < 0)
		return pw_err_sys(err, errno, "cannot listen on %s", name);
	if (cfg->listen.family == 6)
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on));
	pw_sock_size_buffer(fd, SO_RCVBUF,
		(int)pw_min_u64(
			cfg->rcvbuf_bytes ? cfg->rcvbuf_bytes : PW_UDPSOCK_RCVBUF, INT_MAX / 2),
		log);
	if (bind(fd, (struct sockaddr *)&ss, len) < 0)
		return bind_error(&cfg->listen, name, errno, err);
	if (multicast) {
		ret = join(fd, cfg, index, name, err);
		if (ret < 0)
			return ret;
	}
	/* An older kernel without it delivers every datagram separately. */
	setsockopt(fd, SOL_UDP, UDP_GRO, &on, sizeof(on));
	return 0;
}

int pw_udpsock_open(const struct pw_udprx_config *cfg, const struct pw_log *log, struct pw_err *err)
{
	unsigned int index;
	int fd, ret;

	if ((cfg->listen.family != 4 && cfg->listen.family != 6) || !cfg->listen.port)
		return pw_err_set(
			err, EINVAL, "cannot listen: no address and port; use --listen ADDR:PORT");
	ret = find_interface(cfg, &index, err);
	if (ret == 0)
		ret = check_source(cfg, err);
	if (ret < 0)
		return ret;
	fd = socket(cfg->listen.family == 4 ? AF_INET : AF_INET6,
		SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return pw_err_sys(err, errno, "cannot open a UDP socket");
	ret = set_up(fd, cfg, index, log, err);
	if (ret < 0) {
		close(fd);
		return ret;
	}
	return fd;
}

uint64_t pw_udpsock_buffer(int fd)
{
	int bytes = 0;
	socklen_t len = sizeof(bytes);

	/* the kernel returns the double, see pw_sock_size_buffer() */
	return getsockopt(fd, SOL_SOCKET, SO_RCVBUF, &bytes, &len) < 0 ? 0 : (uint64_t)bytes / 2;
}

uint32_t pw_udpsock_drops(int fd)
{
	uint32_t info[SK_MEMINFO_VARS] = {0};
	socklen_t len = sizeof(info);

	if (getsockopt(fd, SOL_SOCKET, SO_MEMINFO, info, &len) < 0)
		return 0;
	return info[SK_MEMINFO_DROPS];
}
