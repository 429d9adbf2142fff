/* SPDX-License-Identifier: BSD-3-Clause */
/* Digests as text, "xxh3-128:HEX": in file tables, JSON and gap manifests. */
#include <stdio.h>
#include <string.h>

#include "base/bytes.h"
#include "wire/fdt.h"

static const struct {
	const char *name;
	size_t len;
} kinds[] = {
	[PW_DIGEST_NONE] = {"none", 0},
	[PW_DIGEST_XXH3_128] = {"xxh3-128", 16},
	[PW_DIGEST_SHA256] = {"sha-256", 32},
	[PW_DIGEST_MD5] = {"md5", 16},
	[PW_DIGEST_SHA256_TREE] = {"sha-256-tree", 32},
};

size_t pw_digest_len(enum pw_digest_kind kind)
{
	return kinds[kind].len;
}

const char *pw_digest_name(enum pw_digest_kind kind)
{
	return kinds[kind].name;
}

char *pw_digest_format(char *buf, size_t len, const struct pw_digest *d)
{
	char text[PW_DIGEST_TEXT_MAX];
	size_t i, n = strlen(kinds[d->kind].name);

	memcpy(text, kinds[d->kind].name, n);
	if (kinds[d->kind].len)
		text[n++] = ':';
	for (i = 0; i < kinds[d->kind].len; i++, n += 2)
		snprintf(text + n, sizeof(text) - n, "%02x", d->bytes[i]);
	text[n] = '\0';
	snprintf(buf, len, "%s", text);
	return buf;
}

bool pw_digest_parse(const char *s, struct pw_digest *d)
{
	const char *hex = strchr(s, ':');
	size_t i, kind, name_len = hex ? (size_t)(hex - s) : strlen(s);

	memset(d, 0, sizeof(*d));
	for (kind = 0; kind < PW_ARRAY_LEN(kinds); kind++)
		if (strlen(kinds[kind].name) == name_len && !memcmp(s, kinds[kind].name, name_len))
			break;
	if (kind == PW_ARRAY_LEN(kinds) || (kind == PW_DIGEST_NONE) != (hex == NULL))
		return false;
	if (kind == PW_DIGEST_NONE)
		return true;
	if (strlen(++hex) != 2 * kinds[kind].len)
		return false;
	for (i = 0; i < kinds[kind].len; i++) {
		int high = pw_hex_value(hex[2 * i]), low = pw_hex_value(hex[2 * i + 1]);

		if (high < 0 || low < 0)
			return false;
		d->bytes[i] = (uint8_t)(high << 4 | low);
	}
	d->kind = (enum pw_digest_kind)kind;
	return true;
}
