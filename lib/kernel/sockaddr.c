/* SPDX-License-Identifier: BSD-3-Clause */
#include "kernel/sockaddr.h"

#include <netinet/in.h>
#include <string.h>

socklen_t pw_sockaddr_make(const struct pw_addr *a, unsigned int scope, struct sockaddr_storage *ss)
{
	struct sockaddr_in *v4 = (struct sockaddr_in *)ss;
	struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)ss;

	memset(ss, 0, sizeof(*ss));
	if (a->family == 4) {
		v4->sin_family = AF_INET;
		v4->sin_port = htons(a->port);
		memcpy(&v4->sin_addr, a->bytes, 4);
		return sizeof(*v4);
	}
	v6->sin6_family = AF_INET6;
	v6->sin6_port = htons(a->port);
	memcpy(&v6->sin6_addr, a->bytes, 16);
	/* Global addresses carry no scope. */
	if (IN6_IS_ADDR_LINKLOCAL(&v6->sin6_addr) || IN6_IS_ADDR_MULTICAST(&v6->sin6_addr))
		v6->sin6_scope_id = scope;
	return sizeof(*v6);
}
