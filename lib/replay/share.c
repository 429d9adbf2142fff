/* SPDX-License-Identifier: BSD-3-Clause */
#include "replay/share.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "file/regfile.h"

#define CACHE_MAX (1ull << 32) /* bytes: 17 billion frames */

int pw_sides_read_cache(struct pw_sides *sides, const char *path, struct pw_err *err)
{
	struct pw_regfile f;
	uint64_t len, at = 0;
	int r = pw_regfile_open(&f, path, O_RDONLY, "read", err);

	if (r)
		return r;
	len = f.len_bytes;
	if (len > CACHE_MAX)
		r = pw_err_set(err, EFBIG,
			"cannot read %s: it is too long for a cache file of tcpprep", path);
	sides->cache_bytes = r ? NULL : malloc(len + 1);
	if (r == 0 && !sides->cache_bytes)
		r = pw_err_set(err, ENOMEM, "cannot read %s: out of memory", path);
	while (r == 0 && at < len) {
		const ssize_t n = pread(f.fd, sides->cache_bytes + at, len - at, (off_t)at);

		if (n < 0)
			r = pw_err_sys(err, errno, "cannot read %s", path);
		if (n <= 0)
			break;
		at += (uint64_t)n;
	}
	pw_regfile_close(&f);
	sides->kind = PW_SIDES_CACHE;
	sides->cache_path = path;
	return r ? r : pw_side_cache_parse(&sides->cache, path, sides->cache_bytes, at, err);
}

void pw_sides_finish(struct pw_sides *sides)
{
	free(sides->cache_bytes);
	sides->cache_bytes = NULL;
}

int pw_share_init(struct pw_share *s, struct pw_err *err)
{
	if (!s->sides || s->sides->kind != PW_SIDES_FIRST)
		return 0;
	return pw_side_table_init(&s->table, PW_SIDES_FLOWS, err);
}

void pw_share_finish(struct pw_share *s)
{
	pw_side_table_finish(&s->table);
}

enum pw_share_verdict pw_share_of(
	struct pw_share *s, const uint8_t *frame, uint32_t len, uint64_t index)
{
	const struct pw_sides *sides = s->sides;
	enum pw_side side = s->side;
	struct pw_flow_key key;
	uint64_t hash;

	if (sides && sides->kind == PW_SIDES_CACHE) {
		if (index >= sides->cache.n_frames)
			return PW_SHARE_END;
		side = pw_side_by_cache(&sides->cache, index);
		if (side == PW_SIDE_NONE)
			return PW_SHARE_NONE;
	}
	pw_flow_key_of(&key, frame, len);
	hash = pw_flow_hash(&key);
	if (sides && sides->kind == PW_SIDES_FIRST)
		side = pw_side_by_first(&s->table, &key, hash);
	else if (sides && sides->kind == PW_SIDES_NETS)
		side = pw_side_by_nets(&sides->nets, &key);
	if (side != s->side)
		return PW_SHARE_OTHER;
	return s->n_queues <= 1 || pw_flow_queue(hash, s->n_queues) == s->queue ? PW_SHARE_OWN
										: PW_SHARE_OTHER;
}
