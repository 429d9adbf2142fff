/* SPDX-License-Identifier: BSD-3-Clause */
#include "xfer/objtab.h"

#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <xxhash.h>

#define MIN_SLOTS 64u

void pw_objtab_init(struct pw_objtab *t)
{
	*t = (struct pw_objtab){0};
	/* Without entropy the tables still work; they are only guessable. */
	if (getrandom(&t->seed, sizeof(t->seed), GRND_NONBLOCK) != sizeof(t->seed))
		t->seed = 0x9e3779b97f4a7c15ull;
}

static size_t toi_slot(const struct pw_objtab *t, uint64_t toi)
{
	uint64_t h = (toi ^ t->seed) * 0x9e3779b97f4a7c15ull;

	h = (h ^ h >> 32) * 0xd6e8feb86659fd93ull;
	return (size_t)(h ^ h >> 32) & (t->n_slots - 1);
}

static size_t name_slot(const struct pw_objtab *t, const char *name)
{
	return (size_t)XXH3_64bits_withSeed(name, strlen(name), t->seed) & (t->n_slots - 1);
}

struct pw_object *pw_objtab_find(const struct pw_objtab *t, uint64_t toi)
{
	struct pw_object *o;
	size_t i;

	if (!t->n_slots)
		return NULL;
	for (i = toi_slot(t, toi); t->by_toi[i]; i = (i + 1) & (t->n_slots - 1)) {
		o = pw_objtab_at(t, t->by_toi[i] - 1);
		if (o->toi == toi)
			return o;
	}
	return NULL;
}

struct pw_object *pw_objtab_find_name(const struct pw_objtab *t, const char *name)
{
	struct pw_object *o;
	size_t i;

	if (!t->n_slots)
		return NULL;
	for (i = name_slot(t, name); t->by_name[i]; i = (i + 1) & (t->n_slots - 1)) {
		o = pw_objtab_at(t, t->by_name[i] - 1);
		if (!strcmp(o->name, name))
			return o;
	}
	return NULL;
}

static void enter(struct pw_objtab *t, size_t index)
{
	const struct pw_object *o = pw_objtab_at(t, index);
	size_t i = toi_slot(t, o->toi);

	while (t->by_toi[i])
		i = (i + 1) & (t->n_slots - 1);
	t->by_toi[i] = (uint32_t)index + 1;
	if (pw_objtab_find_name(t, o->name))
		return;
	i = name_slot(t, o->name);
	while (t->by_name[i])
		i = (i + 1) & (t->n_slots - 1);
	t->by_name[i] = (uint32_t)index + 1;
}

static bool grow_slots(struct pw_objtab *t)
{
	size_t i, n = t->n_slots ? 2 * t->n_slots : MIN_SLOTS;
	uint32_t *by_toi = calloc(n, sizeof(*by_toi));
	uint32_t *by_name = calloc(n, sizeof(*by_name));

	if (!by_toi || !by_name) {
		free(by_toi);
		free(by_name);
		return false;
	}
	free(t->by_toi);
	free(t->by_name);
	t->by_toi = by_toi;
	t->by_name = by_name;
	t->n_slots = n;
	for (i = 0; i < t->n; i++)
		enter(t, i);
	return true;
}

static bool grow_chunks(struct pw_objtab *t)
{
	struct pw_object **chunks =
		realloc(t->chunks, (t->n_chunks + 1) * sizeof(struct pw_object *));

	if (!chunks)
		return false;
	t->chunks = chunks;
	chunks[t->n_chunks] = calloc(PW_OBJTAB_CHUNK, sizeof(struct pw_object));
	if (!chunks[t->n_chunks])
		return false;
	t->n_chunks++;
	return true;
}

struct pw_object *pw_objtab_add(struct pw_objtab *t, uint64_t toi, const char *name)
{
	struct pw_object *o;
	char *copy;

	if (t->n >= UINT32_MAX - 1 || (2 * (t->n + 1) > t->n_slots && !grow_slots(t)))
		return NULL;
	if (t->n == t->n_chunks * PW_OBJTAB_CHUNK && !grow_chunks(t))
		return NULL;
	copy = strdup(name);
	if (!copy)
		return NULL;
	o = pw_objtab_at(t, t->n);
	o->toi = toi;
	o->name = copy;
	t->name_bytes += strlen(copy) + 1;
	enter(t, t->n++);
	return o;
}

void pw_objtab_finish(struct pw_objtab *t)
{
	size_t i;

	for (i = 0; i < t->n; i++) {
		struct pw_object *o = pw_objtab_at(t, i);

		pw_part_destroy(o);
		pw_object_reason(o, NULL, false);
		free(o->name);
	}
	for (i = 0; i < t->n_chunks; i++)
		free(t->chunks[i]);
	free(t->chunks);
	free(t->by_toi);
	free(t->by_name);
	*t = (struct pw_objtab){0};
}
