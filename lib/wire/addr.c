/* SPDX-License-Identifier: BSD-3-Clause */
/* Reads, writes and compares addresses; asks the kernel which interface a zone names. */
#include "wire/addr.h"

#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>

#include "base/bytes.h"
#include "base/units.h"

#define TEXT_MAX 128

static int bad(const char *what, const char *s, struct pw_err *err)
{
	return pw_err_set(err, EINVAL,
		"cannot read %s '%s': not an address; write A.B.C.D:PORT or [V6ADDR]:PORT", what,
		s);
}

/* Splits "host", "host:port", "[host]:port"; port is NULL when there is none. */
static bool split(char *s, char **host, char **port)
{
	char *colon;

	*port = NULL;
	*host = s;
	if (s[0] == '[') {
		char *close = strchr(s, ']');

		if (!close || (close[1] != '\0' && close[1] != ':'))
			return false;
		*close = '\0';
		*host = s + 1;
		if (close[1] == ':')
			*port = close + 2;
		return strchr(*host, ':') != NULL;
	}
	colon = strchr(s, ':');
	if (colon && !strchr(colon + 1, ':')) { /* two colons: a bare IPv6 address */
		*colon = '\0';
		*port = colon + 1;
	}
	return true;
}

/* The names of this host's interfaces, as many as fit: "lo, eth0". */
static void list_interfaces(char *buf, size_t len)
{
	struct if_nameindex *all = if_nameindex(), *i;
	size_t used = 0;

	snprintf(buf, len, "none");
	for (i = all; i && i->if_index; i++) {
		int n = snprintf(buf + used, len - used, "%s%s", used ? ", " : "", i->if_name);

		if (n < 0 || (size_t)n >= len - used) {
			snprintf(buf + len - 4, 4, "...");
			break;
		}
		used += (size_t)n;
	}
	if (all)
		if_freenameindex(all);
}

/* A zone is an interface's name or index. */
static int find_zone(
	const char *what, const char *s, const char *zone, uint32_t *scope, struct pw_err *err)
{
	char name[IF_NAMESIZE], all[80];
	uint64_t index;

	*scope = if_nametoindex(zone);
	if (*scope)
		return 0;
	if (!pw_units_parse_u64(what, zone, 1, UINT32_MAX, &index, NULL) &&
		if_indextoname((unsigned int)index, name)) {
		*scope = (uint32_t)index;
		return 0;
	}
	list_interfaces(all, sizeof(all));
	return pw_err_set(err, ENODEV,
		"cannot read %s '%s': no interface is named %s; there are %s; name one of them, or "
		"leave the zone out where --interface or --port names it",
		what, s, zone, all);
}

/* host may end in a zone. */
static int parse_host(
	const char *what, const char *s, char *host, struct pw_addr *addr, struct pw_err *err)
{
	char *zone = strchr(host, '%');

	if (zone)
		*zone++ = '\0';
	if (!zone && inet_pton(AF_INET, host, addr->bytes) == 1) {
		addr->family = 4;
		return 0;
	}
	if (inet_pton(AF_INET6, host, addr->bytes) != 1)
		return bad(what, s, err);
	addr->family = 6;
	if (!zone)
		return 0;
	if (!pw_addr_is_linklocal(addr) && !pw_addr_is_multicast(addr))
		return pw_err_set(err, EINVAL,
			"cannot read %s '%s': only link-local and multicast addresses have a zone; "
			"leave out the %% and what follows it",
			what, s);
	return find_zone(what, s, zone, &addr->scope, err);
}

int pw_addr_parse(const char *what, const char *s, uint16_t default_port, struct pw_addr *addr,
	struct pw_err *err)
{
	char text[TEXT_MAX], *host, *port;
	uint64_t n = default_port;
	int r;

	memset(addr, 0, sizeof(*addr));
	if (strlen(s) >= sizeof(text))
		return bad(what, s, err);
	strcpy(text, s);
	if (!split(text, &host, &port))
		return bad(what, s, err);
	r = parse_host(what, s, host, addr, err);
	if (r)
		return r;
	if (port) {
		r = pw_units_parse_u64(what, port, 1, UINT16_MAX, &n, err);
		if (r)
			return r;
	}
	addr->port = (uint16_t)n;
	return 0;
}

char *pw_addr_format(char *buf, size_t len, const struct pw_addr *addr)
{
	char host[INET6_ADDRSTRLEN] = "?", zone[IF_NAMESIZE];

	inet_ntop(addr->family == 6 ? AF_INET6 : AF_INET, addr->bytes, host, sizeof(host));
	if (addr->family == 6 && addr->scope && if_indextoname(addr->scope, zone))
		snprintf(buf, len, "[%s%%%s]:%u", host, zone, addr->port);
	else if (addr->family == 6 && addr->scope) /* the interface was removed */
		snprintf(buf, len, "[%s%%%u]:%u", host, addr->scope, addr->port);
	else
		snprintf(buf, len, addr->family == 6 ? "[%s]:%u" : "%s:%u", host, addr->port);
	return buf;
}

bool pw_addr_is_multicast(const struct pw_addr *addr)
{
	return addr->family == 4 ? addr->bytes[0] >> 4 == 14 : addr->bytes[0] == 0xff;
}

bool pw_addr_is_linklocal(const struct pw_addr *addr)
{
	return addr->family == 6 && addr->bytes[0] == 0xfe && addr->bytes[1] >> 6 == 2;
}

bool pw_addr_equal_host(const struct pw_addr *a, const struct pw_addr *b)
{
	return a->family == b->family && !memcmp(a->bytes, b->bytes, a->family == 4 ? 4 : 16) &&
	       (!a->scope || !b->scope || a->scope == b->scope);
}

void pw_addr_multicast_mac(const struct pw_addr *addr, uint8_t mac[6])
{
	static const uint8_t v4[3] = {0x01, 0x00, 0x5e};

	if (addr->family == 4) {
		memcpy(mac, v4, 3);
		memcpy(mac + 3, addr->bytes + 1, 3);
		mac[3] &= 0x7f;
		return;
	}
	mac[0] = mac[1] = 0x33;
	memcpy(mac + 2, addr->bytes + 12, 4);
}

int pw_mac_parse(const char *what, const char *s, uint8_t mac[6], struct pw_err *err)
{
	size_t i;

	for (i = 0; strlen(s) == 17 && i < 6; i++) {
		int high = pw_hex_value(s[3 * i]), low = pw_hex_value(s[3 * i + 1]);

		if (high < 0 || low < 0 || (i < 5 && s[3 * i + 2] != ':'))
			break;
		mac[i] = (uint8_t)(high << 4 | low);
	}
	if (strlen(s) != 17 || i < 6)
		return pw_err_set(err, EINVAL,
			"cannot read %s '%s': not a MAC; write 02:00:00:00:00:01", what, s);
	return 0;
}

char *pw_host_key_format(char *buf, size_t len, struct pw_host_key key)
{
	const struct in6_addr *a = (const struct in6_addr *)&key;

	if (key.word[0] == 0 && key.word[1] == 0)
		snprintf(buf, len, "?");
	else if (IN6_IS_ADDR_V4MAPPED(a))
		inet_ntop(AF_INET, (const uint8_t *)&key + 12, buf, (socklen_t)len);
	else
		inet_ntop(AF_INET6, a, buf, (socklen_t)len);
	return buf;
}
