/* SPDX-License-Identifier: BSD-3-Clause */
/* The text of the options that edit frames. */
#include <errno.h>
#include <string.h>

#include "base/units.h"
#include "wire/addr.h"
#include "wire/edit.h"

static int parse_vlan(struct pw_edit *e, const char *text, struct pw_err *err)
{
	static const char push[] = "push:";
	const char *id = text;
	uint64_t value;

	if (!strcmp(text, "pop")) {
		e->vlan = PW_EDIT_VLAN_POP;
		return 0;
	}
	e->vlan = PW_EDIT_VLAN_SET;
	if (!strncmp(text, push, sizeof(push) - 1)) {
		e->vlan = PW_EDIT_VLAN_PUSH;
		id += sizeof(push) - 1;
	}
	if (pw_units_parse_u64("--vlan", id, 0, 4094, &value, NULL))
		return pw_err_set(err, EINVAL,
			"--vlan: \"%.64s\" is not an edit of a tag; write push:ID, pop or ID, with "
			"an ID from 0 to 4094",
			text);
	e->vlan_id = (uint16_t)value;
	return 0;
}

static int parse_ttl(struct pw_edit *e, const char *text, struct pw_err *err)
{
	const bool is_signed = *text == '+' || *text == '-';
	uint64_t value;

	e->ttl = *text == '+' ? PW_EDIT_TTL_ADD : *text == '-' ? PW_EDIT_TTL_SUB : PW_EDIT_TTL_SET;
	if (pw_units_parse_u64("--ttl", text + is_signed, is_signed ? 1 : 0, 255, &value, NULL))
		return pw_err_set(err, EINVAL,
			"--ttl: \"%.64s\" is not a TTL; write N, +N or -N, with an N up to 255",
			text);
	e->ttl_value = (uint8_t)value;
	return 0;
}

/* One side of a pair at *text, IPv6 in brackets; *text is moved behind it. The side ends before `end` or a NUL. */
static int parse_side(const char **text, char end, struct pw_prefix *prefix, struct pw_err *err)
{
	const char *from = *text, *to;

	if (*from == '[') {
		to = strchr(++from, ']');
		if (!to)
			return pw_err_set(err, EINVAL, "--map: \"%.64s\" has no \"]\"", from - 1);
		*text = to + 1;
	} else {
		to = from + strcspn(from, end == ':' ? ":," : ",");
		*text = to;
	}
	return pw_prefix_parse("--map", from, (size_t)(to - from), prefix, err);
}

static int parse_map(struct pw_edit *e, const char *text, struct pw_err *err)
{
	for (;;) {
		struct pw_edit_map *map = &e->maps[e->n_maps];
		const char *pair = text;
		int r;

		if (e->n_maps == PW_EDIT_MAPS_MAX)
			return pw_err_set(err, EINVAL, "--map: more than %u networks; give fewer",
				PW_EDIT_MAPS_MAX);
		r = parse_side(&text, ':', &map->from, err);
		if (r)
			return r;
		if (*text != ':')
			return pw_err_set(err, EINVAL,
				"--map: \"%.64s\" is not a pair; write FROM:TO, IPv6 in brackets: "
				"[FROM]:[TO]",
				pair);
		text++;
		r = parse_side(&text, ',', &map->to, err);
		if (r)
			return r;
		if (map->from.family != map->to.family)
			return pw_err_set(err, EINVAL,
				"--map: \"%.64s\" mixes IPv4 and IPv6; the two networks must be of "
				"one kind",
				pair);
		e->n_maps++;
		e->maps_ipv4 |= map->from.family == 4;
		e->maps_ipv6 |= map->from.family == 6;
		if (!*text)
			return 0;
		if (*text++ != ',')
			return pw_err_set(err, EINVAL,
				"--map: \"%.64s\" has something behind a pair; write a comma "
				"between pairs",
				pair);
	}
}

int pw_edit_parse(struct pw_edit *e, const struct pw_edit_text *text, struct pw_err *err)
{
	int r = 0;

	memset(e, 0, sizeof(*e));
	e->has_dst_mac = text->dst_mac;
	e->has_src_mac = text->src_mac;
	if (text->dst_mac)
		r = pw_mac_parse("--dst-mac", text->dst_mac, e->dst_mac, err);
	if (!r && text->src_mac)
		r = pw_mac_parse("--src-mac", text->src_mac, e->src_mac, err);
	if (!r && text->vlan)
		r = parse_vlan(e, text->vlan, err);
	if (!r && text->ttl)
		r = parse_ttl(e, text->ttl, err);
	if (!r && text->map)
		r = parse_map(e, text->map, err);
	return r;
}
