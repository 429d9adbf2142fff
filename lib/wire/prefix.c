/* SPDX-License-Identifier: BSD-3-Clause */
/* A network: the first bits of its addresses. */
#include "wire/prefix.h"

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>

#include "base/units.h"

static int bad(const char *what, const char *text, size_t len, struct pw_err *err)
{
	return pw_err_set(err, EINVAL,
		"%s: \"%.*s\" is not a network; write ADDRESS/BITS, for example 10.0.0.0/8 or "
		"2001:db8::/32",
		what, (int)(len < 64 ? len : 64), text);
}

int pw_prefix_parse(const char *what, const char *text, size_t len, struct pw_prefix *prefix,
	struct pw_err *err)
{
	uint8_t addr[16] = {0}, mask[16] = {0};
	char copy[INET6_ADDRSTRLEN + 4], *slash;
	uint64_t bits, max;
	unsigned i;

	memset(prefix, 0, sizeof(*prefix));
	if (len >= sizeof(copy) || memchr(text, '\0', len))
		return bad(what, text, len, err);
	memcpy(copy, text, len);
	copy[len] = '\0';
	slash = strchr(copy, '/');
	if (slash)
		*slash++ = '\0';
	if (inet_pton(AF_INET, copy, addr) == 1)
		prefix->family = 4;
	else if (inet_pton(AF_INET6, copy, addr) == 1)
		prefix->family = 6;
	else
		return bad(what, text, len, err);
	bits = max = prefix->family == 4 ? 32 : 128;
	if (slash && pw_units_parse_u64(what, slash, 0, max, &bits, NULL))
		return bad(what, text, len, err);
	prefix->bits = (uint8_t)bits;
	for (i = 0; i < bits; i++)
		mask[i / 8] |= (uint8_t)(0x80 >> i % 8);
	for (i = 0; i < sizeof(addr); i++)
		addr[i] &= mask[i];
	prefix->bytes = pw_prefix_words(6, addr);
	prefix->mask = pw_prefix_words(6, mask);
	return 0;
}
