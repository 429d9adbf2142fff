/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Writes the gap manifest when a run ends: what this run misses, and what an older run still misses.
 *
 * A name has one entry: that of the announcement with the most bytes. Before the manifest is written,
 * the bytes that it does not list as missing are synced to the disk.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/bytes.h"
#include "recv/manifest.h"
#include "recv/recv_private.h"

#define SYNC_EACH 8u /* up to this many files are synced one by one */

static uint64_t gap_have(const struct pw_gap_file *f)
{
	uint64_t have = f->len_bytes;
	size_t i;

	for (i = 0; i < f->n_missing; i++)
		have -= f->missing[i].to - f->missing[i].from;
	return have;
}

/* Whether o has the content that the entry is about. A file without a digest may have any content, unless
 * it was made of the entry's part. */
static bool is_about(const struct pw_gap_file *f, const struct pw_object *o)
{
	if (f->digest.kind != PW_DIGEST_NONE && o->digest.kind == PW_DIGEST_NONE && o->gap != f)
		return false;
	return o->has_len && f->len_bytes == o->len_bytes &&
	       pw_digest_agrees(&f->digest, &o->digest);
}

static const struct pw_gap_file *find_gap(struct pw_recv *r, const struct pw_object *o)
{
	return pw_gaps_find(&r->old, o->name);
}

/* Parts that a new part of o must not replace: those of other announcements, and the one that has the
 * bytes of the old manifest's entry. */
uint32_t pw_recv_kept_parts(struct pw_recv *r, const struct pw_object *o)
{
	const struct pw_gap_file *gap = find_gap(r, o);
	const struct pw_object *other;
	uint32_t kept = gap ? 1u << gap->part : 0;

	for (other = pw_objtab_find_name(&r->objs, o->name); other; other = other->older)
		if (other->part && other->part->id.ino)
			kept |= 1u << other->part->number;
	return kept;
}

/* Whether the file could have an entry. */
static bool is_missing(const struct pw_object *o)
{
	return o->has_len && o->has_oti &&
	       (o->state == PW_RECV_SUPERSEDED || o->state < PW_RECV_COMPLETE || o->is_failed);
}

/* The announcement of its name that gets the entry. NULL: one is complete, or none can have an entry. */
static struct pw_object *best_of_name(struct pw_object *newest)
{
	struct pw_object *o, *best = NULL;

	for (o = newest; o; o = o->older) {
		if (pw_recv_state_is_good(o->state))
			return NULL;
		if (is_missing(o) && (!best || pw_object_have(o) > pw_object_have(best)))
			best = o;
	}
	return best;
}

/* Whether o gets an entry of this run: not if the old entry is as good. */
static bool needs_entry(struct pw_recv *r, const struct pw_object *o)
{
	const struct pw_gap_file *old = find_gap(r, o);

	if (!old)
		return true;
	if (o->gap == old)
		return o->part != NULL; /* without a part nothing came: the old entry still holds */
	return pw_object_have(o) > gap_have(old);
}

static bool is_newest(struct pw_recv *r, const struct pw_object *o)
{
	return pw_objtab_find_name(&r->objs, o->name) == o;
}

/* Sets is_listed of all objects; returns how many have it. */
static size_t choose_entries(struct pw_recv *r)
{
	struct pw_object *o, *best;
	size_t i, n = 0;

	for (i = 0; i < r->objs.n; i++)
		pw_objtab_at(&r->objs, i)->is_listed = false;
	for (i = 0; i < r->objs.n; i++) {
		o = pw_objtab_at(&r->objs, i);
		best = is_newest(r, o) ? best_of_name(o) : NULL;
		if (!best || !needs_entry(r, best))
			continue;
		best->is_listed = true;
		n++;
	}
	return n;
}

/* Whether the old entry stays: this run has nothing newer to report about the file. */
static bool is_kept(struct pw_recv *r, const struct pw_gap_file *f)
{
	const struct pw_object *o = pw_objtab_find_name(&r->objs, f->name);

	for (; o; o = o->older)
		if (o->is_listed || (pw_recv_state_is_good(o->state) && is_about(f, o)))
			return false;
	return true;
}

/* The end of the missing symbols from `from` on. Ranges with less than `grain` symbols between them count
 * as one. */
static uint64_t range_end(const struct pw_part *p, uint64_t from, uint64_t grain)
{
	const uint64_t n = p->blocks.n_symbols;
	uint64_t end = pw_part_next(p, from, n, true), next;

	while (end < n) {
		next = pw_part_next(p, end, n, false);
		if (next == n || next - end >= grain)
			break;
		end = pw_part_next(p, next, n, true);
	}
	return end;
}

size_t pw_recv_ranges(const struct pw_object *o, uint64_t grain, struct pw_range *out, size_t room)
{
	const struct pw_part *p = o->part;
	uint64_t from, end;
	size_t n = 0;

	if (!p || pw_object_have(o) == 0) {
		if (out && o->len_bytes)
			out[0] = (struct pw_range){0, o->len_bytes};
		return o->len_bytes != 0;
	}
	for (from = pw_part_next(p, 0, p->blocks.n_symbols, false); from < p->blocks.n_symbols;
		from = pw_part_next(p, end, p->blocks.n_symbols, false)) {
		end = range_end(p, from, grain);
		if (out && n == room)
			n--; /* lanes claim symbols meanwhile: there are more ranges than before */
		else if (out)
			out[n].from = from * p->blocks.symbol_len;
		if (out)
			out[n].to = pw_min_u64(end * p->blocks.symbol_len, o->len_bytes);
		n++;
	}
	return n;
}

void pw_recv_grains_add(struct pw_grains *g, const struct pw_object *o)
{
	const struct pw_part *p = o->part;
	const uint64_t n = p ? p->blocks.n_symbols : 0;
	uint64_t from, end;

	if (!p || pw_object_have(o) == 0) {
		g->n += o->len_bytes != 0;
		return;
	}
	for (from = pw_part_next(p, 0, n, false); from < n;) {
		g->n++;
		end = pw_part_next(p, from, n, true);
		from = pw_part_next(p, end, n, false);
		if (from < n)
			g->apart[64 - __builtin_clzll(from - end)]++;
	}
}

uint64_t pw_recv_grains_choose(const struct pw_grains *g, uint64_t max)
{
	uint64_t n = g->n;
	unsigned int k = 0;

	while (n > max && k + 1 < PW_GRAINS)
		n -= g->apart[++k];
	return 1ull << k;
}

/* If one manifest cannot hold all ranges, neighbouring ranges are joined: then some symbols come twice. */
static uint64_t choose_grain(struct pw_recv *r, size_t n_files)
{
	struct pw_grains g = {0};
	size_t i;

	for (i = 0; i < r->objs.n; i++)
		if (pw_objtab_at(&r->objs, i)->is_listed)
			pw_recv_grains_add(&g, pw_objtab_at(&r->objs, i));
	return pw_recv_grains_choose(&g, PW_RECV_MAX_RANGES + n_files);
}

static int add_entry(struct pw_gaps *g, const struct pw_object *o, uint64_t grain)
{
	struct pw_gap_file *f = &g->files[g->n_files];
	size_t n = pw_recv_ranges(o, grain, NULL, 0);

	*f = (struct pw_gap_file){.name = o->name,
		.len_bytes = o->len_bytes,
		.digest = o->digest,
		.part = o->part ? o->part->number : 0,
		.n_missing = n};
	f->missing = n ? calloc(n, sizeof(*f->missing)) : NULL;
	if (n && !f->missing)
		return -ENOMEM;
	if (n)
		pw_recv_ranges(o, grain, f->missing, n);
	g->n_files++;
	return 0;
}

static int sync_one(struct pw_recv *r, struct pw_object *o, struct pw_err *err)
{
	struct pw_part *p = o->part;
	const char *name = o->name;
	int ret = 0;

	if (r->cfg.not_durable)
		return p->file ? pw_outfile_flush(p->file, err) : 0;
	if (!p->file)
		ret = pw_outdir_reopen(
			r->out, o->name, p->number, o->len_bytes, &p->id, &p->file, err);
	if (ret == 0)
		ret = pw_outfile_sync(p->file, err);
	return ret < 0 ? ret : pw_outdir_sync_names(r->out, &name, 1, err);
}

/* One sync of the file system for all parts. false: it reported an error. */
static bool sync_all(struct pw_recv *r)
{
	struct pw_err err = {0};
	bool ok = true;
	size_t i;

	for (i = 0; i < r->objs.n; i++) {
		struct pw_part *p = pw_objtab_at(&r->objs, i)->part;

		if (p && p->file && pw_outfile_flush(p->file, &err) < 0)
			ok = false;
	}
	return pw_outdir_sync_all(r->out, &err) == 0 && ok;
}

/* Writes the received bytes of the n listed files to the disk. A file that cannot be synced fails: then
 * all of it is missing. Returns whether any failed. */
static bool sync_parts(struct pw_recv *r, size_t n)
{
	struct pw_err err = {0};
	bool any_failed = false;
	size_t i;

	if (n > SYNC_EACH && !r->cfg.not_durable && sync_all(r))
		return false;
	for (i = 0; i < r->objs.n; i++) {
		struct pw_object *o = pw_objtab_at(&r->objs, i);

		if (!o->is_listed || !o->part || !o->part->id.ino || sync_one(r, o, &err) == 0)
			continue;
		pw_recv_fail(r, o, &err);
		any_failed = true;
	}
	return any_failed;
}

/* The name stands in the manifest as the sender wrote it. */
static bool is_listable(struct pw_recv *r, const struct pw_object *o)
{
	return is_newest(r, o) && !o->is_escaped;
}

/* Files that were never named, at least. Two lower bounds, of which the larger one is right:
 *
 *   old manifest   its unnamed files, less the new names. Without resume only those of sessions that name
 *                  a file of the old manifest count: another session's names prove nothing
 *   sessions       the files that no table named, less those that the old manifest knows. A repair session
 *                  sends what is missing; a session that names complete files may be the whole session
 */
static uint64_t count_unnamed(struct pw_recv *r)
{
	uint64_t n_left = r->n_unnamed, n_known_missing = 0, n_known_named = 0, n_new = 0;
	const struct pw_object *o;
	size_t i;

	for (i = 0; i < r->objs.n; i++) {
		o = pw_objtab_at(&r->objs, i);
		if (!is_listable(r, o))
			continue;
		n_known_missing += find_gap(r, o) != NULL;
		n_known_named += pw_gaps_has_named(&r->old, o->name);
		o->session->names_old |= find_gap(r, o) || pw_gaps_has_named(&r->old, o->name);
	}
	for (i = 0; i < r->objs.n; i++) {
		o = pw_objtab_at(&r->objs, i);
		n_new += is_listable(r, o) && (r->cfg.resume || o->session->names_old) &&
			 !find_gap(r, o) && !pw_gaps_has_named(&r->old, o->name);
	}
	n_left -= pw_min_u64(n_left, r->old.n_files - n_known_missing);
	if (n_known_named)
		n_left -= pw_min_u64(n_left, r->old.n_named - n_known_named);
	return pw_max_u64(n_left, r->old.n_unnamed - pw_min_u64(r->old.n_unnamed, n_new));
}

/* Whether the receiver needs nothing more of the file: it is complete, or refused for good. */
static bool is_settled(struct pw_recv *r, const struct pw_object *newest)
{
	const struct pw_gap_file *old = find_gap(r, newest);
	const struct pw_object *o;
	bool any_good = false, all_refused = true;

	for (o = newest; o; o = o->older) {
		any_good |= pw_recv_state_is_good(o->state);
		all_refused &= o->state == PW_RECV_REFUSED && !o->is_failed;
	}
	return (any_good || all_refused) && !(old && is_kept(r, old));
}

/* The names that the sender needs in order to know which files were never named. */
static int add_named(struct pw_recv *r, struct pw_gaps *g)
{
	struct pw_object *o;
	size_t i;

	g->named = calloc(r->objs.n + r->old.n_named + 1, sizeof(*g->named));
	if (!g->named)
		return -ENOMEM;
	for (i = 0; i < r->old.n_named; i++)
		if (!pw_objtab_find_name(&r->objs, r->old.named[i]))
			g->named[g->n_named++] = r->old.named[i];
	for (i = 0; i < r->objs.n; i++) {
		o = pw_objtab_at(&r->objs, i);
		if (is_listable(r, o) && is_settled(r, o))
			g->named[g->n_named++] = o->name;
	}
	return 0;
}

static int save(struct pw_recv *r, struct pw_gaps *g, struct pw_err *err)
{
	int ret;

	if (g->n_files == 0 && g->n_unnamed == 0) {
		/* Nothing that the old manifest asked for is missing. */
		if (r->old.n_files || r->old.n_unnamed)
			unlink(r->gaps_path);
		return 0;
	}
	ret = pw_gaps_save(r->gaps_path, g, err);
	if (ret == -EFBIG && g->n_named) {
		/* Without their names the sender repeats these files. */
		g->n_unnamed = pw_min_u64(g->n_unnamed + g->n_named, INT64_MAX);
		g->n_named = 0;
		ret = pw_gaps_save(r->gaps_path, g, err);
	}
	r->gaps_written = ret == 0;
	return ret;
}

/* Removes the parts of names that are complete now. */
static void remove_useless_parts(struct pw_recv *r)
{
	const struct pw_gap_file *old;
	size_t i;

	for (i = 0; i < r->objs.n; i++) {
		struct pw_object *o = pw_objtab_at(&r->objs, i), *other;

		if (!pw_recv_state_is_good(o->state))
			continue;
		old = find_gap(r, o);
		if (old && is_about(old, o))
			pw_outdir_remove_part(r->out, o->name, old->part, NULL);
		for (other = pw_objtab_find_name(&r->objs, o->name); other; other = other->older)
			if (other->part && other->part->id.ino)
				pw_outdir_remove_part(
					r->out, other->name, other->part->number, &other->part->id);
	}
}

/* Fills g with this run's n entries, which own their ranges, and then with the old ones. */
static int fill(struct pw_recv *r, struct pw_gaps *g, size_t n)
{
	const uint64_t grain = choose_grain(r, n);
	size_t i;
	int ret = 0;

	g->files = calloc(n + r->old.n_files + 1, sizeof(*g->files));
	if (!g->files)
		return -ENOMEM;
	for (i = 0; i < r->objs.n && ret == 0; i++)
		if (pw_objtab_at(&r->objs, i)->is_listed)
			ret = add_entry(g, pw_objtab_at(&r->objs, i), grain);
	for (i = 0; i < r->old.n_files && ret == 0; i++)
		if (is_kept(r, &r->old.files[i]))
			g->files[g->n_files++] = r->old.files[i];
	r->old_missing = g->n_files > n;
	g->n_unnamed = count_unnamed(r);
	return ret == 0 && g->n_unnamed ? add_named(r, g) : ret;
}

int pw_recv_save_gaps(struct pw_recv *r, struct pw_err *err)
{
	struct pw_gaps g = {.tsi = r->n_sessions ? r->sessions[0]->tsi : r->old.tsi};
	size_t i, n;
	int ret;

	if (!r->gaps_path || !r->out)
		return 0;
	n = choose_entries(r);
	if (sync_parts(r, n))
		n = choose_entries(r);
	ret = fill(r, &g, n);
	if (ret < 0) {
		pw_err_sys(err, -ret, "cannot write the gap manifest %s", r->gaps_path);
	} else {
		if (r->cfg.resume)
			r->n_unnamed = g.n_unnamed;
		ret = save(r, &g, err);
	}
	if (ret == 0)
		remove_useless_parts(r);
	for (i = 0; i < n && i < g.n_files; i++)
		free(g.files[i].missing);
	free(g.files);
	free(g.named);
	return ret;
}
