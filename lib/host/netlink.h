/* SPDX-License-Identifier: BSD-3-Clause */
/* Requests to rtnetlink (interfaces, addresses, routes) in the network namespace of the calling thread. */
#ifndef PW_HOST_NETLINK_H
#define PW_HOST_NETLINK_H

#include <libmnl/libmnl.h>
#include <stdbool.h>

#include "base/err.h"

/* Close with mnl_socket_close(). */
int pw_netlink_open(struct mnl_socket **nl, struct pw_err *err);

/* Sends the request and passes every answer to cb. cb NULL: only waits for the acknowledgement. Returns 0, or -errno
 * from the kernel or from cb. */
int pw_netlink_ask(struct mnl_socket *nl, struct nlmsghdr *request, mnl_cb_t cb, void *ctx);

/* A dump of one kind (RTM_GETROUTE) and family; as above. */
int pw_netlink_dump(
	struct mnl_socket *nl, uint16_t type, unsigned char family, mnl_cb_t cb, void *ctx);

/* For mnl_attr_parse(): attributes by their type, up to max. */
struct pw_netlink_attrs {
	const struct nlattr **by_type; /* [max + 1] */
	uint16_t max;
};
int pw_netlink_gather(const struct nlattr *a, void *attrs);

/* The first len bytes of an attribute's value; false when it is not there or shorter. */
bool pw_netlink_get(const struct nlattr *a, void *value, size_t len);

#endif
