/* SPDX-License-Identifier: BSD-3-Clause */
/* Queries interfaces, routes and neighbours by rtnetlink. */
#include "bench/wirelink.h"

#include <errno.h>
#include <linux/gen_stats.h>
#include <linux/if_link.h>
#include <linux/neighbour.h>
#include <linux/pkt_sched.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>

#include "bench/wirenet.h"
#include "host/netlink.h"

static uint8_t family_of(const struct pw_addr *a)
{
	return a->family == 4 ? AF_INET : AF_INET6;
}

static size_t addr_len(const struct pw_addr *a)
{
	return a->family == 4 ? 4 : 16;
}

static int open_socket(void *arg, struct pw_err *err)
{
	struct mnl_socket **nl = arg;

	return pw_netlink_open(nl, err);
}

struct counting {
	int index;
	struct pw_wirelink_count *c;
};

static int take_link(const struct nlmsghdr *msg, void *ctx)
{
	const struct nlattr *tb[IFLA_STATS64 + 1] = {NULL};
	struct pw_netlink_attrs attrs = {.by_type = tb, .max = IFLA_STATS64};
	const struct ifinfomsg *info = mnl_nlmsg_get_payload(msg);
	struct counting *counting = ctx;
	struct pw_wirelink_count *c = counting->c;
	struct rtnl_link_stats64 s = {0};

	mnl_attr_parse(msg, sizeof(*info), pw_netlink_gather, &attrs);
	counting->index = info->ifi_index;
	/* later kernels append fields, earlier ones lack them */
	pw_netlink_get(tb[IFLA_STATS64], &s, offsetof(struct rtnl_link_stats64, multicast));
	c->rx_packets = s.rx_packets;
	c->rx_bytes = s.rx_bytes;
	c->tx_packets = s.tx_packets;
	c->tx_bytes = s.tx_bytes;
	c->tx_dropped = s.tx_dropped;
	return MNL_CB_STOP;
}

static void take_qdisc_stats(const struct nlattr *stats, struct pw_wirelink_count *c)
{
	const struct nlattr *tb[TCA_STATS_PKT64 + 1] = {NULL};
	struct pw_netlink_attrs attrs = {.by_type = tb, .max = TCA_STATS_PKT64};
	struct gnet_stats_basic basic = {0};
	struct gnet_stats_queue queue = {0};

	mnl_attr_parse_nested(stats, pw_netlink_gather, &attrs);
	/* without the padding at its end, which the kernel does not send */
	pw_netlink_get(tb[TCA_STATS_BASIC], &basic,
		offsetof(struct gnet_stats_basic, packets) + sizeof(basic.packets));
	pw_netlink_get(tb[TCA_STATS_QUEUE], &queue, sizeof(queue));
	c->qdisc_packets = basic.packets;
	c->qdisc_bytes = basic.bytes;
	c->qdisc_dropped = queue.drops;
	c->qdisc_waiting = queue.qlen;
	/* sent when 32 bits do not hold the count */
	pw_netlink_get(tb[TCA_STATS_PKT64], &c->qdisc_packets, sizeof(c->qdisc_packets));
}

static int take_qdisc(const struct nlmsghdr *msg, void *ctx)
{
	const struct nlattr *tb[TCA_STATS2 + 1] = {NULL};
	struct pw_netlink_attrs attrs = {.by_type = tb, .max = TCA_STATS2};
	const struct tcmsg *tc = mnl_nlmsg_get_payload(msg);
	const struct counting *counting = ctx;

	if (tc->tcm_ifindex != counting->index || tc->tcm_parent != TC_H_ROOT)
		return MNL_CB_OK;
	mnl_attr_parse(msg, sizeof(*tc), pw_netlink_gather, &attrs);
	if (tb[TCA_STATS2])
		take_qdisc_stats(tb[TCA_STATS2], counting->c);
	return MNL_CB_OK;
}

static int count(struct mnl_socket *nl, const char *name, struct counting *counting)
{
	char buf[256];
	struct nlmsghdr *msg = mnl_nlmsg_put_header(buf);
	struct ifinfomsg *info;
	struct tcmsg *tc;
	int r;

	msg->nlmsg_type = RTM_GETLINK;
	info = mnl_nlmsg_put_extra_header(msg, sizeof(*info));
	info->ifi_family = AF_UNSPEC;
	mnl_attr_put_strz(msg, IFLA_IFNAME, name);
	r = pw_netlink_ask(nl, msg, take_link, counting);
	if (r)
		return r;
	msg = mnl_nlmsg_put_header(buf);
	msg->nlmsg_type = RTM_GETQDISC;
	msg->nlmsg_flags = NLM_F_DUMP;
	tc = mnl_nlmsg_put_extra_header(msg, sizeof(*tc));
	tc->tcm_family = AF_UNSPEC;
	tc->tcm_ifindex = counting->index;
	return pw_netlink_ask(nl, msg, take_qdisc, counting);
}

int pw_wirelink_count(int ns, const char *name, struct pw_wirelink_count *c, struct pw_err *err)
{
	struct counting counting = {.c = c};
	struct mnl_socket *nl;
	int r;

	memset(c, 0, sizeof(*c));
	if (name[0] == '\0' || strlen(name) >= IFNAMSIZ)
		return pw_err_set(
			err, ENODEV, "cannot count at interface '%.20s': no such name", name);
	r = pw_wirenet_call(ns, open_socket, &nl, err);
	if (r)
		return r;
	r = count(nl, name, &counting);
	mnl_socket_close(nl);
	return r ? pw_err_sys(err, -r, "cannot count at interface %s", name) : 0;
}

static int take_route(const struct nlmsghdr *msg, void *ctx)
{
	const struct nlattr *tb[RTA_VIA + 1] = {NULL};
	struct pw_netlink_attrs attrs = {.by_type = tb, .max = RTA_VIA};
	const struct rtmsg *rt = mnl_nlmsg_get_payload(msg);
	struct pw_wirelink_route *route = ctx;
	uint8_t family = rt->rtm_family == AF_INET ? 4 : 6;

	mnl_attr_parse(msg, sizeof(*rt), pw_netlink_gather, &attrs);
	route->local = rt->rtm_type == RTN_LOCAL;
	route->gateway = tb[RTA_GATEWAY] || tb[RTA_VIA];
	pw_netlink_get(tb[RTA_OIF], &route->index, sizeof(route->index));
	if (pw_netlink_get(tb[RTA_PREFSRC], route->src.bytes, family == 4 ? 4 : 16))
		route->src.family = family;
	return MNL_CB_STOP;
}

int pw_wirelink_route(
	const struct pw_addr *dst, struct pw_wirelink_route *route, struct pw_err *err)
{
	char buf[256], text[64];
	struct nlmsghdr *msg = mnl_nlmsg_put_header(buf);
	struct mnl_socket *nl;
	struct rtmsg *rt;
	int r;

	memset(route, 0, sizeof(*route));
	r = open_socket(&nl, err);
	if (r)
		return r;
	msg->nlmsg_type = RTM_GETROUTE;
	rt = mnl_nlmsg_put_extra_header(msg, sizeof(*rt));
	rt->rtm_family = family_of(dst);
	rt->rtm_dst_len = (uint8_t)(addr_len(dst) * 8);
	mnl_attr_put(msg, RTA_DST, addr_len(dst), dst->bytes);
	r = pw_netlink_ask(nl, msg, take_route, route);
	mnl_socket_close(nl);
	return r ? pw_err_sys(err, -r, "cannot find the route to %s",
			   pw_addr_format(text, sizeof(text), dst))
		 : 0;
}

struct asking {
	unsigned int index;
	const struct pw_addr *addr;
	uint8_t *mac;
	bool found;
};

static int take_neigh(const struct nlmsghdr *msg, void *ctx)
{
	const uint16_t usable = NUD_REACHABLE | NUD_PERMANENT | NUD_STALE | NUD_DELAY | NUD_PROBE;
	const struct nlattr *tb[NDA_LLADDR + 1] = {NULL};
	struct pw_netlink_attrs attrs = {.by_type = tb, .max = NDA_LLADDR};
	const struct ndmsg *nd = mnl_nlmsg_get_payload(msg);
	struct asking *q = ctx;
	uint8_t dst[16];

	if ((unsigned int)nd->ndm_ifindex != q->index || nd->ndm_family != family_of(q->addr) ||
		!(nd->ndm_state & usable))
		return MNL_CB_OK;
	mnl_attr_parse(msg, sizeof(*nd), pw_netlink_gather, &attrs);
	if (pw_netlink_get(tb[NDA_DST], dst, addr_len(q->addr)) &&
		memcmp(dst, q->addr->bytes, addr_len(q->addr)) == 0 &&
		pw_netlink_get(tb[NDA_LLADDR], q->mac, 6))
		q->found = true;
	return MNL_CB_OK;
}

int pw_wirelink_neigh(
	unsigned int index, const struct pw_addr *addr, uint8_t mac[6], struct pw_err *err)
{
	char text[64];
	struct asking q = {.index = index, .addr = addr, .mac = mac};
	struct mnl_socket *nl;
	int r;

	r = open_socket(&nl, err);
	if (r)
		return r;
	r = pw_netlink_dump(nl, RTM_GETNEIGH, family_of(addr), take_neigh, &q);
	mnl_socket_close(nl);
	if (r == 0 && !q.found)
		r = -ENOENT;
	return r ? pw_err_sys(err, -r, "cannot look up the MAC of %s",
			   pw_addr_format(text, sizeof(text), addr))
		 : 0;
}
