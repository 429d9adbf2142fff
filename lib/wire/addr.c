/* SPDX-License-Identifier: BSD-3-Clause */
/* Addresses and MACs as text, and the MACs of multicast groups. */
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/bytes.h"
#include "base/units.h"
#include "wire/frame.h"

#define TEXT_MAX 128

static int bad(const char *what, const char *s, struct pw_err *err)
{
	return pw_err_set(err, EINVAL,
		"read %s '%.80s': not an address; write A.B.C.D:PORT or [V6ADDR]:PORT in numbers",
		what, s);
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
	if (inet_pton(AF_INET, host, addr->bytes) == 1)
		addr->family = 4;
	else if (inet_pton(AF_INET6, host, addr->bytes) == 1)
		addr->family = 6;
	else
		return bad(what, s, err);
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
	char host[INET6_ADDRSTRLEN] = "?";

	inet_ntop(addr->family == 6 ? AF_INET6 : AF_INET, addr->bytes, host, sizeof(host));
	snprintf(buf, len, addr->family == 6 ? "[%s]:%u" : "%s:%u", host, addr->port);
	return buf;
}

bool pw_addr_is_multicast(const struct pw_addr *addr)
{
	return addr->family == 4 ? addr->bytes[0] >> 4 == 14 : addr->bytes[0] == 0xff;
}

bool pw_addr_equal_host(const struct pw_addr *a, const struct pw_addr *b)
{
	return a->family == b->family && !memcmp(a->bytes, b->bytes, a->family == 4 ? 4 : 16);
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

static int hex(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c = (char)(c | 0x20);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

int pw_mac_parse(const char *what, const char *s, uint8_t mac[6], struct pw_err *err)
{
	size_t i;

	for (i = 0; strlen(s) == 17 && i < 6; i++) {
		int high = hex(s[3 * i]), low = hex(s[3 * i + 1]);

		if (high < 0 || low < 0 || (i < 5 && s[3 * i + 2] != ':'))
			break;
		mac[i] = (uint8_t)(high << 4 | low);
	}
	if (strlen(s) != 17 || i < 6)
		return pw_err_set(err, EINVAL,
			"read %s '%.40s': not a MAC; write 02:00:00:00:00:01", what, s);
	return 0;
}
