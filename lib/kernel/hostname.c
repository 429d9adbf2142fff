/* SPDX-License-Identifier: BSD-3-Clause */
/* Distinguishes numeric addresses from host names, and resolves host names with getaddrinfo(). */
#include "kernel/hostname.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <string.h>

#include "base/units.h"

#define NAME_MAX_BYTES 253 /* RFC 1035 section 2.3.4, as text */

uint8_t pw_addr_family(const char *text)
{
	struct pw_addr a;

	return pw_addr_parse("", text, 0, &a, NULL) == 0 ? a.family : 0;
}

/* The length of the host name that text begins with; 0: it is no name, or an address that is
 * mistyped: "10.0.0" and "0x7f.1" are numbers to getaddrinfo(). */
static size_t name_len(const char *text)
{
	static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				      "0123456789-_.";
	const size_t n = strspn(text, allowed);
	char name[NAME_MAX_BYTES + 1];
	struct in_addr number;

	if (n == 0 || n > NAME_MAX_BYTES || (text[n] && text[n] != ':'))
		return 0;
	memcpy(name, text, n);
	name[n] = '\0';
	return inet_aton(name, &number) || name[strspn(name, "0123456789.")] == '\0' ? 0 : n;
}

static void take(struct pw_addr *addr, const struct addrinfo *found)
{
	if (found->ai_family == AF_INET) {
		addr->family = 4;
		memcpy(addr->bytes, &((const struct sockaddr_in *)found->ai_addr)->sin_addr, 4);
		return;
	}
	addr->family = 6;
	memcpy(addr->bytes, &((const struct sockaddr_in6 *)found->ai_addr)->sin6_addr, 16);
	addr->scope = ((const struct sockaddr_in6 *)found->ai_addr)->sin6_scope_id;
}

static int look_up(const char *what, const char *name, uint8_t family, struct pw_addr *addr,
	struct pw_err *err)
{
	const struct addrinfo hints = {
		.ai_family = family == 4   ? AF_INET
			     : family == 6 ? AF_INET6
					   : AF_UNSPEC,
		.ai_socktype = SOCK_DGRAM,
	};
	struct addrinfo *found = NULL, *i;
	int r = getaddrinfo(name, NULL, &hints, &found);

	for (i = r ? NULL : found; i; i = i->ai_next)
		if (i->ai_family == AF_INET || i->ai_family == AF_INET6)
			break;
	if (i)
		take(addr, i);
	if (found)
		freeaddrinfo(found);
	if (i)
		return 0;
	return pw_err_set(err, EINVAL,
		"cannot resolve %s '%s'%s: %s; fix the name, or write A.B.C.D:PORT or "
		"[V6ADDR]:PORT in numbers",
		what, name,
		family == 4   ? " to IPv4"
		: family == 6 ? " to IPv6"
			      : "",
		r == EAI_SYSTEM ? strerror(errno)
		: r             ? gai_strerror(r)
				: "the name has no address");
}

int pw_addr_resolve(const char *what, const char *text, uint16_t default_port, uint8_t family,
	struct pw_addr *addr, struct pw_err *err)
{
	int r = pw_addr_parse(what, text, default_port, addr, err);
	char name[NAME_MAX_BYTES + 1];
	uint64_t port = default_port;
	size_t n;

	n = r == -EINVAL ? name_len(text) : 0;
	if (!n)
		return r;
	memcpy(name, text, n);
	name[n] = '\0';
	if (text[n] == ':' && pw_units_parse_u64(what, text + n + 1, 1, UINT16_MAX, &port, err))
		return -EINVAL;
	memset(addr, 0, sizeof(*addr));
	addr->port = (uint16_t)port;
	return look_up(what, name, family, addr, err);
}
