/* SPDX-License-Identifier: BSD-3-Clause */
#include "recv/objtab.h"

#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <xxhash.h>

#include "recv/room.h"

#define MIN_SLOTS 64u

void pw_objtab_init(struct pw_objtab *t)
{
	*t = (struct pw_objtab){0};
	/* Without entropy the tables still work; they are only guessable. */
	if (getrandom(&t->seed, sizeof(t->seed), GRND_NONBLOCK) != sizeof(t->seed))
		t->seed = 0x9e3779b97f4a7c15ull;
}

static size_t toi_slot(const struct pw_objtab *t, const struct pw_session *session, uint64_t toi)
{
	uint64_t h = (toi ^ t->seed ^ (uintptr_t)session) * 0x9e3779b97f4a7c15ull;

	h = (h ^ h >> 32) * 0xd6e8feb86659fd93ull;
	return (size_t)(h ^ h >> 32) & (t->n_slots - 1);
}

static size_t name_slot(const struct pw_objtab *t, const char *name)
{
	return (size_t)XXH3_64bits_withSeed(name, strlen(name), t->seed) & (t->n_slots - 1);
}

/* Its place, or the empty place that it would get. n_slots > 0. */
static struct pw_objtab_toi *toi_place(
	const struct pw_objtab *t, const struct pw_session *session, uint64_t toi)
{
	size_t i = toi_slot(t, session, toi);

	while (t->by_toi[i].obj && (t->by_toi[i].toi != toi || t->by_toi[i].session != session))
		i = (i + 1) & (t->n_slots - 1);
	return &t->by_toi[i];
}

static struct pw_object **name_place(const struct pw_objtab *t, const char *name)
{
	size_t i = name_slot(t, name);

	while (t->by_name[i] && strcmp(t->by_name[i]->name, name) != 0)
		i = (i + 1) & (t->n_slots - 1);
	return &t->by_name[i];
}

struct pw_object *pw_objtab_find(
	const struct pw_objtab *t, const struct pw_session *session, uint64_t toi)
{
	return t->n_slots ? toi_place(t, session, toi)->obj : NULL;
}

struct pw_object *pw_objtab_find_name(const struct pw_objtab *t, const char *name)
{
	return t->n_slots ? *name_place(t, name) : NULL;
}

static void set_toi(
	struct pw_objtab *t, const struct pw_session *session, uint64_t toi, struct pw_object *o)
{
	struct pw_objtab_toi *place = toi_place(t, session, toi);

	t->n_tois += place->obj == NULL;
	*place = (struct pw_objtab_toi){session, toi, o};
}

static bool grow_slots(struct pw_objtab *t)
{
	const size_t n_old = t->n_slots, n = n_old ? 2 * n_old : MIN_SLOTS;
	struct pw_objtab_toi *by_toi = calloc(n, sizeof(*by_toi)), *old_toi = t->by_toi;
	struct pw_object **by_name = calloc(n, sizeof(struct pw_object *));
	struct pw_object **old_name = t->by_name;
	size_t i;

	if (!by_toi || !by_name) {
		free(by_toi);
		free(by_name);
		return false;
	}
	t->by_toi = by_toi;
	t->by_name = by_name;
	t->n_slots = n;
	for (i = 0; i < n_old; i++) {
		if (old_toi[i].obj)
			*toi_place(t, old_toi[i].session, old_toi[i].toi) = old_toi[i];
		if (old_name[i])
			*name_place(t, old_name[i]->name) = old_name[i];
	}
	free(old_toi);
	free(old_name);
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

static bool has_slot(struct pw_objtab *t)
{
	const size_t n = t->n_tois > t->n ? t->n_tois : t->n;

	return 2 * (n + 1) <= t->n_slots || grow_slots(t);
}

struct pw_object *pw_objtab_add(
	struct pw_objtab *t, struct pw_session *session, uint64_t toi, const char *name)
{
	struct pw_object *o, **place;
	char *copy;

	if (!has_slot(t))
		return NULL;
	if (t->n == t->n_chunks * PW_OBJTAB_CHUNK && !grow_chunks(t))
		return NULL;
	copy = strdup(name);
	if (!copy)
		return NULL;
	o = pw_objtab_at(t, t->n);
	o->session = session;
	o->toi = toi;
	o->name = copy;
	o->waiting_end = &o->waiting;
	t->name_bytes += strlen(copy) + 1;
	t->n++;
	set_toi(t, session, toi, o);
	place = name_place(t, name);
	o->older = *place;
	*place = o;
	return o;
}

bool pw_objtab_renew(
	struct pw_objtab *t, struct pw_object *o, const struct pw_session *session, uint64_t toi)
{
	struct pw_object **place, **at;

	if (!has_slot(t))
		return false;
	place = at = name_place(t, o->name);
	while (*at && *at != o)
		at = &(*at)->older;
	if (*at)
		*at = o->older;
	o->older = *place;
	*place = o;
	set_toi(t, session, toi, o);
	return true;
}

void pw_objtab_finish(struct pw_objtab *t)
{
	size_t i;

	for (i = 0; i < t->n; i++) {
		struct pw_object *o = pw_objtab_at(t, i);

		pw_part_destroy(o->part);
		pw_waiting_free_list(o->waiting);
		pw_object_reason(o, NULL, false);
		free(o->name);
		free(o->leaves);
	}
	for (i = 0; i < t->n_chunks; i++)
		free(t->chunks[i]);
	free(t->chunks);
	free(t->by_toi);
	free(t->by_name);
	*t = (struct pw_objtab){0};
}
