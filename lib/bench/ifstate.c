/* SPDX-License-Identifier: BSD-3-Clause */
/* Saves and restores the settings of a network interface: addresses, routes, neighbours, MTU, flags. */
#include "bench/ifstate.h"

#include <errno.h>
#include <linux/if_link.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/bytes.h"
#include "host/netif.h"
#include "host/netlink.h"
#include "host/sysfs.h"

#define TRIES 5 /* a dump that something changed under is refused by EINTR */

struct saving {
	struct pw_ifstate *s;
	struct pw_err *err;
};

/* For a callback: mnl_cb_run() hands errno on. */
static int refuse(const struct saving *sv, const char *what)
{
	errno = EBUSY;
	pw_err_set(sv->err, EBUSY, "cannot take %s from the kernel: %s; use another interface",
		sv->s->name, what);
	return MNL_CB_ERROR;
}

static int keep(const struct saving *sv, const struct nlmsghdr *msg)
{
	struct pw_ifstate *s = sv->s;
	size_t len = MNL_ALIGN(msg->nlmsg_len), room = s->room ? s->room : 4096;
	char *messages;

	while (s->len + len > room)
		room *= 2;
	if (room != s->room) {
		messages = realloc(s->messages, room);
		if (!messages) {
			errno = ENOMEM;
			return MNL_CB_ERROR;
		}
		s->messages = messages;
		s->room = room;
	}
	memset(s->messages + s->len, 0, len);
	memcpy(s->messages + s->len, msg, msg->nlmsg_len);
	s->len += len;
	return MNL_CB_OK;
}

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

static uint8_t operstate(const struct nlmsghdr *msg)
{
	const struct nlattr *tb[IFLA_OPERSTATE + 1] = {NULL};
	struct pw_netlink_attrs attrs = {.by_type = tb, .max = IFLA_OPERSTATE};
	uint8_t state = 0; /* IF_OPER_UNKNOWN */

	mnl_attr_parse(msg, sizeof(struct ifinfomsg), pw_netlink_gather, &attrs);
	pw_netlink_get(tb[IFLA_OPERSTATE], &state, sizeof(state));
	return state;
}

static void save_ipv6(const struct nlattr *spec, struct pw_ifstate *s)
{
	const struct nlattr *families[AF_INET6 + 1] = {NULL};
	const struct nlattr *tb[IFLA_INET6_ADDR_GEN_MODE + 1] = {NULL};
	struct pw_netlink_attrs by_family = {.by_type = families, .max = AF_INET6};
	struct pw_netlink_attrs attrs = {.by_type = tb, .max = IFLA_INET6_ADDR_GEN_MODE};

	if (spec)
		mnl_attr_parse_nested(spec, pw_netlink_gather, &by_family);
	if (families[AF_INET6])
		mnl_attr_parse_nested(families[AF_INET6], pw_netlink_gather, &attrs);
	s->has_ipv6 =
		pw_netlink_get(tb[IFLA_INET6_ADDR_GEN_MODE], &s->ipv6_mode, sizeof(s->ipv6_mode));
}

static int save_link(const struct nlmsghdr *msg, void *ctx)
{
	const struct nlattr *tb[IFLA_XDP + 1] = {NULL};
	struct pw_netlink_attrs attrs = {.by_type = tb, .max = IFLA_XDP};
	const struct ifinfomsg *info = mnl_nlmsg_get_payload(msg);
	const struct saving *sv = ctx;
	struct pw_ifstate *s = sv->s;
	unsigned int below = 0;
	char what[64];

	mnl_attr_parse(msg, sizeof(*info), pw_netlink_gather, &attrs);
	if ((unsigned int)info->ifi_index != s->index) {
		pw_netlink_get(tb[IFLA_LINK], &below, sizeof(below));
		if (below != s->index || tb[IFLA_LINK_NETNSID])
			return MNL_CB_OK;
		snprintf(what, sizeof(what), "%.15s stands on it",
			tb[IFLA_IFNAME] ? mnl_attr_get_str(tb[IFLA_IFNAME]) : "another");
		return refuse(sv, what);
	}
	if (tb[IFLA_MASTER])
		return refuse(sv, "it is part of a bridge or bond");
	if (has_xdp(tb[IFLA_XDP]))
		return refuse(sv, "it has an XDP program");
	pw_netlink_get(tb[IFLA_MTU], &s->mtu, sizeof(s->mtu));
	pw_netlink_get(tb[IFLA_TXQLEN], &s->queue_len, sizeof(s->queue_len));
	pw_netlink_get(tb[IFLA_ADDRESS], s->mac, sizeof(s->mac));
	save_ipv6(tb[IFLA_AF_SPEC], s);
	s->up = info->ifi_flags & IFF_UP;
	s->operstate = operstate(msg);
	return MNL_CB_OK;
}

static int save_addr(const struct nlmsghdr *msg, void *ctx)
{
	const struct ifaddrmsg *addr = mnl_nlmsg_get_payload(msg);
	const struct saving *sv = ctx;

	return addr->ifa_index == sv->s->index ? keep(sv, msg) : MNL_CB_OK;
}

/* What the kernel makes by itself with each address (table local) or learns again is not kept. */
static int save_route(const struct nlmsghdr *msg, void *ctx)
{
	const struct nlattr *tb[RTA_NH_ID + 1] = {NULL};
	struct pw_netlink_attrs attrs = {.by_type = tb, .max = RTA_NH_ID};
	const struct rtmsg *rt = mnl_nlmsg_get_payload(msg);
	const struct saving *sv = ctx;
	const struct nlattr *hop;
	const struct rtnexthop *nh;
	unsigned int oif = 0;

	mnl_attr_parse(msg, sizeof(*rt), pw_netlink_gather, &attrs);
	hop = tb[RTA_MULTIPATH];
	if (hop) {
		size_t left = mnl_attr_get_payload_len(hop);

		for (nh = mnl_attr_get_payload(hop); RTNH_OK(nh, (int)left);
			left -= RTNH_ALIGN(nh->rtnh_len), nh = RTNH_NEXT(nh))
			if ((unsigned int)nh->rtnh_ifindex == sv->s->index)
				return refuse(sv, "a multipath route leaves by it");
		return MNL_CB_OK;
	}
	pw_netlink_get(tb[RTA_OIF], &oif, sizeof(oif));
	if (oif != sv->s->index || rt->rtm_type != RTN_UNICAST || rt->rtm_table == RT_TABLE_LOCAL ||
		rt->rtm_flags & RTM_F_CLONED)
		return MNL_CB_OK;
	if (rt->rtm_dst_len == 0)
		return refuse(sv, "the default route leaves by it");
	if (tb[RTA_NH_ID])
		return refuse(sv, "a route by a nexthop object leaves by it");
	return rt->rtm_protocol == RTPROT_RA ? MNL_CB_OK : keep(sv, msg);
}

static int save_neigh(const struct nlmsghdr *msg, void *ctx)
{
	const struct ndmsg *nd = mnl_nlmsg_get_payload(msg);
	const struct saving *sv = ctx;

	if ((unsigned int)nd->ndm_ifindex != sv->s->index || !(nd->ndm_state & NUD_PERMANENT) ||
		(nd->ndm_family != AF_INET && nd->ndm_family != AF_INET6))
		return MNL_CB_OK;
	return keep(sv, msg);
}

/* With a socket of its own: what an interrupted dump left unread would answer the next one. */
static int save_all(struct saving *sv)
{
	static const struct {
		uint16_t type;
		unsigned char family;
		mnl_cb_t cb;
	} dumps[] = {
		{RTM_GETLINK, AF_UNSPEC, save_link},
		{RTM_GETADDR, AF_UNSPEC, save_addr},
		{RTM_GETROUTE, AF_INET, save_route},
		{RTM_GETROUTE, AF_INET6, save_route},
		{RTM_GETNEIGH, AF_UNSPEC, save_neigh},
	};
	struct mnl_socket *nl;
	size_t i;
	int r = pw_netlink_open(&nl, sv->err);

	if (r)
		return r;
	sv->s->len = 0;
	for (i = 0; r == 0 && i < PW_ARRAY_LEN(dumps); i++) {
		r = pw_netlink_dump(nl, dumps[i].type, dumps[i].family, dumps[i].cb, sv);
		if (r == -EOPNOTSUPP && dumps[i].family == AF_INET6)
			r = 0; /* a kernel without IPv6 */
	}
	mnl_socket_close(nl);
	return r;
}

static bool is_ipv6_off(const char *name)
{
	long long off = 0;

	return pw_sysfs_read_number(NULL, &off, "/proc/sys/net/ipv6/conf/%s/disable_ipv6", name) ==
		       0 &&
	       off;
}

int pw_ifstate_save(struct pw_ifstate *s, const char *name, struct pw_err *err)
{
	struct saving sv = {.s = s, .err = err};
	int r, tries = TRIES;

	memset(s, 0, sizeof(*s));
	snprintf(s->name, sizeof(s->name), "%s", name);
	s->index = if_nametoindex(name);
	if (!s->index)
		return pw_err_set(err, ENODEV,
			"cannot save the settings of interface %.20s: there is none", name);
	do
		r = save_all(&sv);
	while (r == -EINTR && --tries);
	s->ipv6_off = is_ipv6_off(name);
	if (r == 0)
		return 0;
	pw_ifstate_finish(s);
	return r == -EBUSY ? r
			   : pw_err_sys(err, -r, "cannot save the settings of interface %s", name);
}

void pw_ifstate_finish(struct pw_ifstate *s)
{
	free(s->messages);
	s->messages = NULL;
	s->len = s->room = 0;
}

struct restoring {
	const struct pw_ifstate *s;
	struct mnl_socket *nl;
	unsigned int index;
	struct pw_err *err;
	int ret; /* of what failed first */
};

static void note(struct restoring *rs, int r, const char *what)
{
	if (r == 0 || rs->ret)
		return;
	rs->ret = pw_err_sys(rs->err, -r, "cannot put back %s of interface %s", what, rs->s->name);
}

static struct nlmsghdr *put_link(const struct restoring *rs, char *buf, bool up)
{
	struct nlmsghdr *msg = mnl_nlmsg_put_header(buf);
	struct ifinfomsg *info;

	msg->nlmsg_type = RTM_NEWLINK;
	info = mnl_nlmsg_put_extra_header(msg, sizeof(*info));
	info->ifi_family = AF_UNSPEC;
	info->ifi_index = (int)rs->index;
	info->ifi_change = IFF_UP;
	info->ifi_flags = up ? IFF_UP : 0;
	return msg;
}

static void restore_ipv6(struct restoring *rs)
{
	const struct pw_ifstate *s = rs->s;
	char buf[256];
	struct nlmsghdr *msg = put_link(rs, buf, false);
	struct nlattr *spec = mnl_attr_nest_start(msg, IFLA_AF_SPEC);
	struct nlattr *inet6 = mnl_attr_nest_start(msg, AF_INET6);

	mnl_attr_put_u8(msg, IFLA_INET6_ADDR_GEN_MODE, s->ipv6_mode);
	mnl_attr_nest_end(msg, inet6);
	mnl_attr_nest_end(msg, spec);
	note(rs, pw_netlink_ask(rs->nl, msg, NULL, NULL), "how IPv6 addresses are made");
	if (is_ipv6_off(s->name) != s->ipv6_off)
		note(rs,
			pw_sysfs_write(NULL, s->ipv6_off ? "1" : "0",
				"/proc/sys/net/ipv6/conf/%s/disable_ipv6", s->name),
			"the state of IPv6");
}

/* Older kernels rename only what is down, drivers take a MAC or MTU then. */
static void restore_link(struct restoring *rs, const char *now)
{
	const struct pw_ifstate *s = rs->s;
	char buf[256];
	struct pw_netif netif;
	struct nlmsghdr *msg = put_link(rs, buf, false);

	if (strcmp(now, s->name) != 0)
		mnl_attr_put_strz(msg, IFLA_IFNAME, s->name);
	note(rs, pw_netlink_ask(rs->nl, msg, NULL, NULL), "the name");
	if (s->has_ipv6)
		restore_ipv6(rs);
	msg = put_link(rs, buf, s->up);
	mnl_attr_put_u32(msg, IFLA_MTU, s->mtu);
	mnl_attr_put_u32(msg, IFLA_TXQLEN, s->queue_len);
	if (pw_netif_query(s->name, &netif, NULL) == 0 &&
		memcmp(netif.mac, s->mac, sizeof(netif.mac)) != 0)
		mnl_attr_put(msg, IFLA_ADDRESS, sizeof(s->mac), s->mac);
	note(rs, pw_netlink_ask(rs->nl, msg, NULL, NULL), "MTU, MAC and state");
}

static bool has_gateway(const struct nlmsghdr *msg)
{
	const struct nlattr *tb[RTA_VIA + 1] = {NULL};
	struct pw_netlink_attrs attrs = {.by_type = tb, .max = RTA_VIA};

	mnl_attr_parse(msg, sizeof(struct rtmsg), pw_netlink_gather, &attrs);
	return tb[RTA_GATEWAY] || tb[RTA_VIA];
}

static void readdress_route(struct nlmsghdr *msg, unsigned int index)
{
	const struct nlattr *tb[RTA_OIF + 1] = {NULL};
	struct pw_netlink_attrs attrs = {.by_type = tb, .max = RTA_OIF};
	struct rtmsg *rt = mnl_nlmsg_get_payload(msg);

	/* other flags report the link's state and cannot be set */
	rt->rtm_flags &= RTNH_F_ONLINK | RTNH_F_PERVASIVE;
	mnl_attr_parse(msg, sizeof(*rt), pw_netlink_gather, &attrs);
	if (tb[RTA_OIF])
		memcpy(mnl_attr_get_payload(tb[RTA_OIF]), &index, sizeof(index));
}

/* The saved message, with the new index. */
static void readdress(struct nlmsghdr *msg, unsigned int index)
{
	void *head = mnl_nlmsg_get_payload(msg);

	msg->nlmsg_flags = NLM_F_CREATE | NLM_F_REPLACE;
	if (msg->nlmsg_type == RTM_NEWADDR) {
		((struct ifaddrmsg *)head)->ifa_index = index;
	} else if (msg->nlmsg_type == RTM_NEWNEIGH) {
		((struct ndmsg *)head)->ndm_ifindex = (int)index;
	} else {
		/* replacing would take the place of somebody else's route to the same network */
		msg->nlmsg_flags = NLM_F_CREATE | NLM_F_EXCL;
		readdress_route(msg, index);
	}
}

/* EEXIST: the kernel had made it by itself. */
static void replay(struct restoring *rs, uint16_t type, bool gateways, const char *what)
{
	size_t at, len;
	int r;

	for (at = 0; at < rs->s->len; at += len) {
		const struct nlmsghdr *saved = (const void *)(rs->s->messages + at);
		struct nlmsghdr *msg;

		len = MNL_ALIGN(saved->nlmsg_len);
		if (saved->nlmsg_type != type ||
			(type == RTM_NEWROUTE && has_gateway(saved) != gateways))
			continue;
		msg = malloc(len);
		if (msg)
			memcpy(msg, saved, len);
		if (msg)
			readdress(msg, rs->index);
		r = msg ? pw_netlink_ask(rs->nl, msg, NULL, NULL) : -ENOMEM;
		note(rs, r == -EEXIST ? 0 : r, what);
		free(msg);
	}
}

int pw_ifstate_restore(const struct pw_ifstate *s, const char *now, struct pw_err *err)
{
	struct restoring rs = {.s = s, .index = if_nametoindex(now), .err = err};
	int r;

	if (!rs.index)
		return pw_err_set(err, ENODEV, "cannot put back interface %s: there is no %.20s",
			s->name, now);
	r = pw_netlink_open(&rs.nl, err);
	if (r)
		return r;
	restore_link(&rs, now);
	replay(&rs, RTM_NEWADDR, false, "an address");
	replay(&rs, RTM_NEWROUTE, false, "a route");
	replay(&rs, RTM_NEWROUTE, true, "a route by a gateway");
	replay(&rs, RTM_NEWNEIGH, false, "a neighbour");
	mnl_socket_close(rs.nl);
	return rs.ret;
}

struct asking {
	const struct pw_ifstate *s;
	unsigned int index;
	bool ready;
};

/* Flags do not tell: RUNNING stands before the link's state is known. Until the kernel has seen to it
 * frames end in a queue that drops them; it does both under the lock that a dump takes. */
static int look_at_link(const struct nlmsghdr *msg, void *ctx)
{
	const struct ifinfomsg *info = mnl_nlmsg_get_payload(msg);
	struct asking *q = ctx;

	if ((unsigned int)info->ifi_index == q->index)
		q->ready = operstate(msg) == q->s->operstate;
	return MNL_CB_OK;
}

static int look_at_addr(const struct nlmsghdr *msg, void *ctx)
{
	const struct ifaddrmsg *addr = mnl_nlmsg_get_payload(msg);
	struct asking *q = ctx;

	if (addr->ifa_index == q->index &&
		(addr->ifa_flags & (IFA_F_TENTATIVE | IFA_F_DADFAILED)) == IFA_F_TENTATIVE)
		q->ready = false;
	return MNL_CB_OK;
}

bool pw_ifstate_is_ready(const struct pw_ifstate *s)
{
	struct asking q = {
		.s = s,
		.index = if_nametoindex(s->name),
	};
	struct mnl_socket *nl;

	if (!q.index || pw_netlink_open(&nl, NULL))
		return false;
	pw_netlink_dump(nl, RTM_GETLINK, AF_UNSPEC, look_at_link, &q);
	pw_netlink_dump(nl, RTM_GETADDR, AF_INET6, look_at_addr, &q);
	mnl_socket_close(nl);
	return q.ready;
}
