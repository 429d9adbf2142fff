/* SPDX-License-Identifier: BSD-3-Clause */
/* Which of two ports a captured frame leaves by. */
#include "wire/side.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"

#define BUCKET       8u /* slots: a cache line */
#define PROBES       4u /* buckets that are looked at */
#define CACHE_HEADER 24u
#define PER_BYTE     4u

int pw_side_table_init(struct pw_side_table *t, uint32_t n_flows, struct pw_err *err)
{
	/* a flow takes two slots, with its host pair; half of them stay empty, so that some bucket has room */
	const uint64_t wanted = (uint64_t)n_flows * 4;
	uint64_t n = BUCKET;

	memset(t, 0, sizeof(*t));
	if (n_flows == 0 || n_flows > PW_SIDE_FLOWS_MAX)
		return pw_err_set(err, EINVAL, "cannot remember %u flows: the bounds are 1 and %u",
			n_flows, PW_SIDE_FLOWS_MAX);
	while (n < wanted)
		n *= 2;
	t->mem = calloc(n + BUCKET, sizeof(*t->slots));
	if (!t->mem)
		return pw_err_set(
			err, ENOMEM, "cannot remember %u flows: no memory for them", n_flows);
	t->slots = (uint64_t *)pw_align_up((uintptr_t)t->mem, BUCKET * sizeof(*t->slots));
	t->n_slots = n;
	return 0;
}

void pw_side_table_finish(struct pw_side_table *t)
{
	free(t->mem);
	memset(t, 0, sizeof(*t));
}

static uint64_t *find_in(const struct pw_side_table *t, uint64_t at, uint64_t hash)
{
	uint64_t *bucket = t->slots + (at & (t->n_slots - 1) & ~(uint64_t)(BUCKET - 1));
	unsigned i;

	for (i = 0; i < BUCKET; i++)
		if ((bucket[i] | 1) == (hash | 1) || bucket[i] == 0)
			return &bucket[i];
	return NULL;
}

/* The slot of a flow, or an empty one for it; NULL: no room. A flow whose bucket is full goes to another one. */
static uint64_t *find(const struct pw_side_table *t, uint64_t hash)
{
	uint64_t at = hash, *slot = NULL;
	unsigned i;

	for (i = 0; i < PROBES && !slot; i++) {
		slot = find_in(t, at, hash);
		at = at >> 16 | at << 48;
	}
	return slot;
}

/* Never 0 or 1: an empty slot is 0. */
static uint64_t to_slot(uint64_t hash, bool is_reversed)
{
	return (hash & ~1ull) | is_reversed;
}

static uint64_t usable(uint64_t hash)
{
	return hash > 1 ? hash : hash + 2;
}

/* The addresses alone; their order is that of the flow, unless it is within one host. */
static void remember_hosts(struct pw_side_table *t, const struct pw_flow_key *key)
{
	struct pw_flow_key hosts = *key;
	uint64_t hash, *slot;

	memset(hosts.port, 0, sizeof(hosts.port));
	hosts.proto = 0;
	hash = usable(pw_flow_hash(&hosts));
	slot = find(t, hash);
	if (!slot || *slot)
		return;
	*slot = to_slot(hash, key->is_reversed);
	t->n_flows++;
}

enum pw_side pw_side_by_first(struct pw_side_table *t, const struct pw_flow_key *key, uint64_t hash)
{
	uint64_t *slot;

	hash = usable(hash);
	slot = find(t, hash);
	if (!slot) {
		/* end 0 is the client, unless its port is the lower one */
		const bool client_is_reversed = key->port[0] < key->port[1];

		t->n_full++;
		return key->is_reversed == client_is_reversed ? PW_SIDE_CLIENT : PW_SIDE_SERVER;
	}
	if (*slot)
		return (*slot & 1) == key->is_reversed ? PW_SIDE_CLIENT : PW_SIDE_SERVER;
	*slot = to_slot(hash, key->is_reversed);
	t->n_flows++;
	if (key->proto)
		remember_hosts(t, key);
	return PW_SIDE_CLIENT;
}

int pw_side_nets_parse(
	struct pw_side_nets *nets, const char *what, const char *text, struct pw_err *err)
{
	nets->n = 0;
	for (;; text++) {
		const size_t len = strcspn(text, ",");
		int r;

		if (nets->n == PW_SIDE_NETS_MAX)
			return pw_err_set(err, EINVAL, "%s: more than %u networks; give fewer",
				what, PW_SIDE_NETS_MAX);
		r = pw_prefix_parse(what, text, len, &nets->nets[nets->n], err);
		if (r)
			return r;
		nets->n++;
		text += len;
		if (!*text)
			return 0;
	}
}

enum pw_side pw_side_by_nets(const struct pw_side_nets *nets, const struct pw_flow_key *key)
{
	struct pw_prefix_words from;
	unsigned i;

	if (!key->family)
		return PW_SIDE_CLIENT;
	from = pw_prefix_words(key->family, key->addr[key->is_reversed]);
	for (i = 0; i < nets->n; i++)
		if (pw_prefix_has(&nets->nets[i], key->family, from))
			return PW_SIDE_CLIENT;
	return PW_SIDE_SERVER;
}

int pw_side_cache_parse(struct pw_side_cache *cache, const char *path, const uint8_t *bytes,
	size_t len, struct pw_err *err)
{
	uint64_t n, comment, have;

	if (len < CACHE_HEADER || memcmp(bytes, "tcpprep", 8) != 0)
		return pw_err_set(err, EBADMSG,
			"cannot read %s: it is not a cache file of tcpprep; make it with tcpprep "
			"-o",
			path);
	if (memcmp(bytes + 8, "04", 3) != 0 || pw_be16_load(bytes + 20) != PER_BYTE)
		return pw_err_set(err, EBADMSG,
			"cannot read %s: its version is not 04; make it anew with tcpprep of "
			"tcpreplay 4",
			path);
	n = (uint64_t)pw_be32_load(bytes + 12) << 32 | pw_be32_load(bytes + 16);
	comment = pw_be16_load(bytes + 22);
	have = len - CACHE_HEADER;
	if (comment > have || pw_div_ceil(n, PER_BYTE) > have - comment)
		return pw_err_set(err, EBADMSG,
			"cannot read %s: it ends before the last of its %llu frames; make it anew "
			"with tcpprep",
			path, (unsigned long long)n);
	*cache = (struct pw_side_cache){.bits = bytes + CACHE_HEADER + comment, .n_frames = n};
	return 0;
}

enum pw_side pw_side_by_cache(const struct pw_side_cache *cache, uint64_t index)
{
	unsigned bits;

	if (index >= cache->n_frames)
		return PW_SIDE_NONE;
	bits = cache->bits[index / PER_BYTE] >> index % PER_BYTE * 2;
	if (!(bits & 2))
		return PW_SIDE_NONE;
	return bits & 1 ? PW_SIDE_CLIENT : PW_SIDE_SERVER;
}
