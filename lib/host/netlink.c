/* SPDX-License-Identifier: BSD-3-Clause */
/* Sends requests to rtnetlink and passes the answers to callbacks. */
#include "host/netlink.h"

#include <errno.h>
#include <linux/rtnetlink.h>
#include <string.h>
#include <sys/socket.h>

#define BUF_BYTES 32768 /* the kernel's largest dump message */

int pw_netlink_open(struct mnl_socket **nl, struct pw_err *err)
{
	*nl = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC);
	if (!*nl)
		return pw_err_sys(err, errno, "cannot open a netlink socket");
	if (mnl_socket_bind(*nl, 0, MNL_SOCKET_AUTOPID) == 0)
		return 0;
	mnl_socket_close(*nl);
	return pw_err_sys(err, errno, "cannot bind a netlink socket");
}

int pw_netlink_ask(struct mnl_socket *nl, struct nlmsghdr *request, mnl_cb_t cb, void *ctx)
{
	char buf[BUF_BYTES];
	ssize_t n;
	int r = MNL_CB_OK;

	request->nlmsg_flags |= NLM_F_REQUEST | (cb ? 0 : NLM_F_ACK);
	request->nlmsg_seq = 1;
	if (mnl_socket_sendto(nl, request, request->nlmsg_len) < 0)
		return -errno;
	while (r > MNL_CB_STOP) {
		n = mnl_socket_recvfrom(nl, buf, sizeof(buf));
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		r = mnl_cb_run(buf, (size_t)n, 1, mnl_socket_get_portid(nl), cb, ctx);
	}
	return r < 0 ? -errno : 0;
}

int pw_netlink_dump(
	struct mnl_socket *nl, uint16_t type, unsigned char family, mnl_cb_t cb, void *ctx)
{
	char buf[256];
	struct nlmsghdr *msg = mnl_nlmsg_put_header(buf);
	union {
		struct ifinfomsg link;
		struct rtmsg route;
		struct ndmsg neigh;
		struct ifaddrmsg addr;
	} * head;
	size_t len = type == RTM_GETLINK    ? sizeof(head->link)
		     : type == RTM_GETROUTE ? sizeof(head->route)
		     : type == RTM_GETNEIGH ? sizeof(head->neigh)
					    : sizeof(head->addr);

	msg->nlmsg_type = type;
	msg->nlmsg_flags = NLM_F_DUMP;
	head = mnl_nlmsg_put_extra_header(msg, len);
	head->link.ifi_family = family; /* the first byte of each */
	return pw_netlink_ask(nl, msg, cb, ctx);
}

int pw_netlink_gather(const struct nlattr *a, void *ctx)
{
	const struct pw_netlink_attrs *attrs = ctx;

	if (mnl_attr_get_type(a) <= attrs->max)
		attrs->by_type[mnl_attr_get_type(a)] = a;
	return MNL_CB_OK;
}

bool pw_netlink_get(const struct nlattr *a, void *value, size_t len)
{
	if (!a || mnl_attr_get_payload_len(a) < len)
		return false;
	memcpy(value, mnl_attr_get_payload(a), len);
	return true;
}
