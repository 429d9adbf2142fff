/* SPDX-License-Identifier: BSD-3-Clause */
#include "kernel/arrival.h"

#include <errno.h>
#include <ifaddrs.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "kernel/sockaddr.h"

static bool is_any(const struct pw_addr *a)
{
	static const uint8_t none[16];

	return memcmp(a->bytes, none, a->family == 4 ? 4 : 16) == 0;
}

static bool has(const struct ifaddrs *i, const struct pw_addr *a)
{
	const struct sockaddr *s = i->ifa_addr;

	if (!s || s->sa_family != (a->family == 4 ? AF_INET : AF_INET6))
		return false;
	if (a->family == 4)
		return memcmp(&((const struct sockaddr_in *)s)->sin_addr, a->bytes, 4) == 0;
	return memcmp(&((const struct sockaddr_in6 *)s)->sin6_addr, a->bytes, 16) == 0;
}

static int find_owner(const struct pw_addr *a, char name[IF_NAMESIZE])
{
	struct ifaddrs *list, *i;
	int r = -ENODEV;

	if (getifaddrs(&list))
		return -errno;
	for (i = list; i && r < 0; i = i->ifa_next)
		if (has(i, a)) {
			snprintf(name, IF_NAMESIZE, "%s", i->ifa_name);
			r = 1;
		}
	freeifaddrs(list);
	return r;
}

/* Of a group the kernel takes the interface by which it would send to it: that of the address it sends from. */
static int find_route(const struct pw_addr *group, char name[IF_NAMESIZE])
{
	struct sockaddr_storage ss = {0};
	socklen_t len = pw_sockaddr_make(group, 0, &ss);
	struct pw_addr own = {.family = group->family};
	int fd = socket(ss.ss_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	int r;

	if (fd < 0)
		return -errno;
	r = connect(fd, (const struct sockaddr *)&ss, len) ||
			    getsockname(fd, (struct sockaddr *)&ss, &len)
		    ? -ENODEV
		    : 0;
	close(fd);
	if (r)
		return r;
	if (own.family == 4)
		memcpy(own.bytes, &((const struct sockaddr_in *)&ss)->sin_addr, 4);
	else
		memcpy(own.bytes, &((const struct sockaddr_in6 *)&ss)->sin6_addr, 16);
	return find_owner(&own, name);
}

int pw_arrival_interface(const struct pw_addr *a, const char *interface, char name[IF_NAMESIZE])
{
	if (interface) {
		snprintf(name, IF_NAMESIZE, "%s", interface);
		return if_nametoindex(name) ? 1 : -ENODEV;
	}
	if (a->scope)
		return if_indextoname(a->scope, name) ? 1 : -ENODEV;
	if (pw_addr_is_multicast(a))
		return find_route(a, name);
	return is_any(a) ? 0 : find_owner(a, name);
}
