/* SPDX-License-Identifier: BSD-3-Clause */
/* Converts addresses for socket calls, and binds a socket to one. */
#include "kernel/sockaddr.h"

#include <errno.h>
#include <net/if.h>
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
	/* Global addresses have no scope. */
	if (IN6_IS_ADDR_LINKLOCAL(&v6->sin6_addr) || IN6_IS_ADDR_MULTICAST(&v6->sin6_addr))
		v6->sin6_scope_id = scope ? scope : a->scope;
	return sizeof(*v6);
}

struct pw_host_key pw_sockaddr_key(const struct sockaddr_storage *ss)
{
	const struct sockaddr_in *v4 = (const struct sockaddr_in *)ss;
	const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)ss;
	struct pw_addr a = {0};

	if (ss->ss_family == AF_INET) {
		a.family = 4;
		memcpy(a.bytes, &v4->sin_addr, 4);
	} else if (ss->ss_family == AF_INET6) {
		a.family = 6;
		memcpy(a.bytes, &v6->sin6_addr, 16);
	} else {
		return (struct pw_host_key){0};
	}
	return pw_host_key(&a);
}

int pw_sockaddr_scope(const char *action, const char *interface, const struct pw_addr *a,
	unsigned int *scope, struct pw_err *err)
{
	*scope = a->scope;
	if (!interface)
		return 0;
	*scope = if_nametoindex(interface);
	if (*scope)
		return 0;
	return pw_err_set(err, ENODEV,
		"cannot %s on interface %s: no such interface; `ip -br link` lists them", action,
		interface);
}

int pw_sockaddr_bind(
	int fd, const struct pw_addr *src, unsigned int scope, bool any_port, struct pw_err *err)
{
	static const uint8_t any[16];
	struct pw_addr a = *src;
	struct sockaddr_storage ss;
	socklen_t len;
	char name[64];
	int on = 1;

	if (any_port)
		a.port = 0;
	if (a.family == 0 || (a.port == 0 && memcmp(a.bytes, any, a.family == 4 ? 4 : 16) == 0))
		return 0;
	if (any_port)
		setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof(on));
	len = pw_sockaddr_make(&a, scope, &ss);
	if (bind(fd, (struct sockaddr *)&ss, len) == 0)
		return 0;
	/* The port is only a preference: receivers look at the destination, and a receiver on this
	 * host may use the same port. */
	if (a.port && (errno == EADDRINUSE || errno == EACCES)) {
		a.port = 0;
		len = pw_sockaddr_make(&a, scope, &ss);
		if (bind(fd, (struct sockaddr *)&ss, len) == 0)
			return 0;
	}
	pw_addr_format(name, sizeof(name), &a);
	if (errno == EADDRNOTAVAIL)
		return pw_err_set(err, EADDRNOTAVAIL,
			"cannot send from %s: no interface of this host has the address; `ip -br "
			"addr` lists them",
			name);
	return pw_err_sys(err, errno, "cannot send from %s", name);
}
