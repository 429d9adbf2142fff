/* SPDX-License-Identifier: BSD-3-Clause */
#include "host/ifuse.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "base/bytes.h"
#include "host/netif.h"
#include "host/netlink.h"

#define TRIES 5 /* a dump that something changed under is refused by EINTR */

struct reading {
	const struct pw_sysroot *root;
	struct pw_ifuse *use;
	unsigned int index;
};

static bool has_xdp(const struct nlattr *xdp)
{
	const struct nlattr *tb[IFLA_XDP_ATTACHED + 1] = {NULL};
	struct pw_netlink_attrs attrs = {.by_type = tb, .max = IFLA_XDP_ATTACHED};
	uint8_t attached = XDP_ATTACHED_NONE;

	if (!xdp)
		return false;
	mnl_attr_parse_nested(xdp, pw_netlink_gather, &attrs);
	pw_netlink_get(tb[IFLA_XDP_ATTACHED], &attached, sizeof(attached));
	return attached != XDP_ATTACHED_NONE;
}

static int take_link(const struct nlmsghdr *msg, void *ctx)
{
	const struct nlattr *tb[IFLA_XDP + 1] = {NULL};
	struct pw_netlink_attrs attrs = {.by_type = tb, .max = IFLA_XDP};
	const struct ifinfomsg *info = mnl_nlmsg_get_payload(msg);
	struct reading *rd = ctx;
	struct pw_ifuse *use = rd->use;
	unsigned int other = 0;

	mnl_attr_parse(msg, sizeof(*info), pw_netlink_gather, &attrs);
	if ((unsigned int)info->ifi_index != rd->index) {
		pw_netlink_get(tb[IFLA_LINK], &other, sizeof(other));
		if (other == rd->index && !tb[IFLA_LINK_NETNSID] && tb[IFLA_IFNAME])
			snprintf(use->upper, IFNAMSIZ, "%.15s", mnl_attr_get_str(tb[IFLA_IFNAME]));
		return MNL_CB_OK;
	}
	if (pw_netlink_get(tb[IFLA_MASTER], &other, sizeof(other)) &&
		!if_indextoname(other, use->master))
		strcpy(use->master, "?");
	use->xdp = has_xdp(tb[IFLA_XDP]);
	pw_netlink_get(tb[IFLA_MTU], &use->mtu, sizeof(use->mtu));
	use->up = info->ifi_flags & IFF_UP;
	return MNL_CB_OK;
}

static int take_addr(const struct nlmsghdr *msg, void *ctx)
{
	const struct nlattr *tb[IFA_LOCAL + 1] = {NULL};
	struct pw_netlink_attrs attrs = {.by_type = tb, .max = IFA_LOCAL};
	const struct ifaddrmsg *addr = mnl_nlmsg_get_payload(msg);
	struct reading *rd = ctx;
	struct pw_ifuse *use = rd->use;
	const struct nlattr *a;
	char text[INET6_ADDRSTRLEN] = "?";

	if (addr->ifa_index != rd->index || addr->ifa_scope >= RT_SCOPE_LINK)
		return MNL_CB_OK;
	mnl_attr_parse(msg, sizeof(*addr), pw_netlink_gather, &attrs);
	/* of a point-to-point link IFA_ADDRESS is the peer's */
	a = tb[IFA_LOCAL] ? tb[IFA_LOCAL] : tb[IFA_ADDRESS];
	if (a && mnl_attr_get_payload_len(a) >= (addr->ifa_family == AF_INET ? 4 : 16))
		inet_ntop(addr->ifa_family, mnl_attr_get_payload(a), text, sizeof(text));
	if (use->n_addrs++ == 0)
		snprintf(use->addr, sizeof(use->addr), "%s/%u", text, addr->ifa_prefixlen);
	return MNL_CB_OK;
}

static bool leaves_by(const struct nlattr *oif, const struct nlattr *hops, unsigned int index)
{
	const struct rtnexthop *nh;
	unsigned int out = 0;
	size_t left;

	pw_netlink_get(oif, &out, sizeof(out));
	if (!hops)
		return out == index;
	left = mnl_attr_get_payload_len(hops);
	for (nh = mnl_attr_get_payload(hops); RTNH_OK(nh, (int)left);
		left -= RTNH_ALIGN(nh->rtnh_len), nh = RTNH_NEXT(nh))
		if ((unsigned int)nh->rtnh_ifindex == index)
			return true;
	return false;
}

static int take_route(const struct nlmsghdr *msg, void *ctx)
{
	const struct nlattr *tb[RTA_MULTIPATH + 1] = {NULL};
	struct pw_netlink_attrs attrs = {.by_type = tb, .max = RTA_MULTIPATH};
	const struct rtmsg *rt = mnl_nlmsg_get_payload(msg);
	struct reading *rd = ctx;

	mnl_attr_parse(msg, sizeof(*rt), pw_netlink_gather, &attrs);
	if (rt->rtm_dst_len != 0 || rt->rtm_type != RTN_UNICAST ||
		!leaves_by(tb[RTA_OIF], tb[RTA_MULTIPATH], rd->index))
		return MNL_CB_OK;
	if (rt->rtm_family == AF_INET)
		rd->use->default_ipv4 = true;
	else
		rd->use->default_ipv6 = true;
	return MNL_CB_OK;
}

/* With a socket of its own: what an interrupted dump left unread would answer the next one. */
static int ask_once(struct reading *rd, struct pw_err *err)
{
	static const struct {
		uint16_t type;
		unsigned char family;
		mnl_cb_t cb;
	} dumps[] = {
		{RTM_GETLINK, AF_UNSPEC, take_link},
		{RTM_GETADDR, AF_UNSPEC, take_addr},
		{RTM_GETROUTE, AF_INET, take_route},
		{RTM_GETROUTE, AF_INET6, take_route},
	};
	struct mnl_socket *nl;
	size_t i;
	int r = pw_netlink_open(&nl, err);

	if (r)
		return r;
	for (i = 0; r == 0 && i < PW_ARRAY_LEN(dumps); i++) {
		r = pw_netlink_dump(nl, dumps[i].type, dumps[i].family, dumps[i].cb, rd);
		if (r == -EOPNOTSUPP && dumps[i].family == AF_INET6)
			r = 0; /* a kernel without IPv6 */
		if (r && r != -EINTR)
			pw_err_sys(err, -r, "ask the kernel who uses %s", rd->use->name);
	}
	mnl_socket_close(nl);
	return r;
}

static int ask_kernel(struct pw_ifuse *use, struct pw_err *err)
{
	const struct pw_ifuse fresh = *use;
	struct reading rd = {.use = use, .index = if_nametoindex(use->name)};
	int r = -EINTR, tries = TRIES;

	use->elsewhere = rd.index == 0;
	if (use->elsewhere)
		return 0;
	while (r == -EINTR && tries-- > 0) {
		*use = fresh;
		r = ask_once(&rd, err);
	}
	if (r == -EINTR)
		return pw_err_set(err, EINTR,
			"ask the kernel who uses %s: its interfaces change all the time; try again",
			use->name);
	return r;
}

/* "fe80...: 02 40 20 80 eth0": address, index, prefix length, scope (0: global), flags */
static int take_ipv6_line(void *ctx, char *line)
{
	struct pw_ifuse *use = ctx;
	char name[IFNAMSIZ], addr[33];
	unsigned int prefix, scope;

	if (sscanf(line, "%32s %*x %x %x %*x %15s", addr, &prefix, &scope, name) == 4 &&
		scope != 0x20 && strcmp(name, use->name) == 0 && use->n_addrs++ == 0)
		snprintf(use->addr, sizeof(use->addr), "%s/%u", addr, prefix);
	return 0;
}

static int take_upper(void *ctx, const char *name)
{
	struct pw_ifuse *use = ctx;

	if (strncmp(name, "upper_", 6) == 0)
		snprintf(use->upper, sizeof(use->upper), "%.15s", name + 6);
	return 0;
}

static void read_files(const struct pw_sysroot *root, struct pw_ifuse *use)
{
	unsigned int routes = pw_netif_default_routes(root, use->name);
	struct pw_netif netif;
	char path[64];

	use->elsewhere = pw_netif_read(root, use->name, &netif, NULL) != 0;
	use->mtu = netif.mtu;
	use->up = netif.up;
	use->default_ipv4 = routes & PW_ROUTE_IPV4;
	use->default_ipv6 = routes & PW_ROUTE_IPV6;
	pw_sysfs_each_line(root, "/proc/self/net/if_inet6", take_ipv6_line, use);
	pw_sysfs_read_link(
		root, use->master, sizeof(use->master), "/sys/class/net/%s/master", use->name);
	snprintf(path, sizeof(path), "/sys/class/net/%s", use->name);
	pw_sysfs_each_entry(root, path, take_upper, use);
	if (strcmp(use->upper, use->master) == 0)
		use->upper[0] = '\0'; /* a master is an upper device, too */
}

int pw_ifuse_read(
	const struct pw_sysroot *root, const char *name, struct pw_ifuse *use, struct pw_err *err)
{
	memset(use, 0, sizeof(*use));
	if (name[0] == '\0' || strlen(name) >= sizeof(use->name) || strchr(name, '/'))
		return pw_err_set(err, EINVAL, "look who uses interface %.40s: no such name", name);
	strcpy(use->name, name);
	if (pw_sysroot_is_real(root))
		return ask_kernel(use, err);
	read_files(root, use);
	return 0;
}

static void add(char *buf, size_t len, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

static void add(char *buf, size_t len, const char *fmt, ...)
{
	size_t n = strlen(buf);
	va_list ap;

	if (n)
		n += (size_t)snprintf(buf + n, len - n, ", ");
	if (n >= len)
		return;
	va_start(ap, fmt);
	vsnprintf(buf + n, len - n, fmt, ap);
	va_end(ap);
}

bool pw_ifuse_tell(const struct pw_ifuse *use, char *buf, size_t len)
{
	buf[0] = '\0';
	if (use->elsewhere)
		add(buf, len, "it is in another network namespace");
	if (use->default_ipv4 || use->default_ipv6)
		add(buf, len, "the %s%s%s default route leaves by it",
			use->default_ipv4 ? "IPv4" : "",
			use->default_ipv4 && use->default_ipv6 ? " and " : "",
			use->default_ipv6 ? "IPv6" : "");
	if (use->n_addrs == 1)
		add(buf, len, "it has the address %s", use->addr);
	else if (use->n_addrs)
		add(buf, len, "it has %u addresses, %s among them", use->n_addrs, use->addr);
	if (use->master[0])
		add(buf, len, "it is part of %s", use->master);
	if (use->upper[0])
		add(buf, len, "%s stands on it", use->upper);
	if (use->xdp)
		add(buf, len, "an XDP program runs on it");
	return buf[0] != '\0';
}
