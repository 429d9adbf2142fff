/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The gap manifest at the end: what this run misses, and what an older one still does. One entry a name:
 * that of the announcement with the most bytes. It vouches only for bytes that are on the disk.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/bytes.h"
#include "recv/recv_private.h"

#define SYNC_EACH 8u /* up to so many files are synced one by one */

static uint64_t gap_have(const struct pw_gap_file *f)
{
	uint64_t have = f->len_bytes;
	size_t i;

	for (i = 0; i < f->n_missing; i++)
		have -= f->missing[i].to - f->missing[i].from;
	return have;
}

/* o is the content that the entry is about. A file without a digest that was not made of the entry's part
 * may be anything. */
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

/* Parts that a new part of o must not replace: those of other announcements, and the one that the old
 * manifest vouches for. */
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

/* The announcement of its name that gets the entry, or NULL: one is complete, or none can. */
static const struct pw_object *best_of_name(const struct pw_object *newest)
{
	const struct pw_object *o, *best = NULL;

	for (o = newest; o; o = o->older) {
		if (pw_recv_state_is_good(o->state))
			return NULL;
		if (is_missing(o) && (!best || pw_object_have(o) > pw_object_have(best)))
			best = o;
	}
	return best;
}

/* Whether o gets an entry of this run's making. Not where the old entry is as good. */
static bool has_entry(struct pw_recv *r, const struct pw_object *o)
{
	const struct pw_gap_file *old = find_gap(r, o);

	if (best_of_name(pw_objtab_find_name(&r->objs, o->name)) != o)
		return false;
	if (!old)
		return true;
	if (o->gap == old)
		return o->part != NULL; /* without one, what the old entry says is still so */
	return pw_object_have(o) > gap_have(old);
}

/* An older run's file about which this one has nothing newer to say. */
static bool keeps(struct pw_recv *r, const struct pw_gap_file *f)
{
	const struct pw_object *o = pw_objtab_find_name(&r->objs, f->name);

	for (; o; o = o->older) {
		if (has_entry(r, o))
			return false;
		if (pw_recv_state_is_good(o->state) && is_about(f, o))
			return false;
	}
	return true;
}

bool pw_recv_old_missing(struct pw_recv *r)
{
	size_t i;

	for (i = 0; r->cfg.resume && i < r->old.n_files; i++)
		if (keeps(r, &r->old.files[i]))
			return true;
	return false;
}

/* The end of the run of missing symbols from `from` on; runs that less than grain symbols part are
 * one. */
static uint64_t run_end(const struct pw_part *p, uint64_t from, uint64_t grain)
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

/* Counts the ranges, and writes them where `out` is given. */
static size_t missing(const struct pw_object *o, uint64_t grain, struct pw_range *out)
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
		end = run_end(p, from, grain);
		if (out)
			out[n] = (struct pw_range){from * p->blocks.symbol_len,
				pw_min_u64(end * p->blocks.symbol_len, o->len_bytes)};
		n++;
	}
	return n;
}

/* Beyond what one manifest holds, neighbouring ranges are joined: some symbols come twice then. */
static uint64_t choose_grain(struct pw_recv *r, size_t *n_files)
{
	uint64_t grain = 1;
	size_t i, n_ranges;

	for (;;) {
		n_ranges = 0;
		*n_files = 0;
		for (i = 0; i < r->objs.n; i++) {
			const struct pw_object *o = pw_objtab_at(&r->objs, i);

			if (!has_entry(r, o))
				continue;
			(*n_files)++;
			n_ranges += missing(o, grain, NULL);
		}
		if (n_ranges <= PW_RECV_MAX_RANGES + *n_files || grain > PW_MAX_TRANSFER_LEN)
			return grain;
		grain *= 2;
	}
}

static int add_entry(struct pw_gaps *g, const struct pw_object *o, uint64_t grain)
{
	struct pw_gap_file *f = &g->files[g->n_files];
	size_t n = missing(o, grain, NULL);

	*f = (struct pw_gap_file){.name = o->name,
		.len_bytes = o->len_bytes,
		.digest = o->digest,
		.part = o->part ? o->part->number : 0,
		.n_missing = n};
	f->missing = n ? calloc(n, sizeof(*f->missing)) : NULL;
	if (n && !f->missing)
		return -ENOMEM;
	if (n)
		missing(o, grain, f->missing);
	g->n_files++;
	return 0;
}

static int sync_one(struct pw_recv *r, struct pw_object *o, struct pw_err *err)
{
	struct pw_part *p = o->part;
	int ret = 0;

	if (!p->file)
		ret = pw_outdir_reopen(
			r->out, o->name, p->number, o->len_bytes, &p->id, &p->file, err);
	return ret < 0 ? ret : pw_outfile_sync(p->file, err);
}

/* What the entries will vouch for goes to the disk; a file that cannot has nothing to vouch for. */
static void sync_parts(struct pw_recv *r, size_t n_files)
{
	bool each = n_files <= SYNC_EACH || r->cfg.not_durable;
	struct pw_err err = {0};
	size_t i;
	int ret;

	if (n_files > SYNC_EACH && !r->cfg.not_durable) {
		for (i = 0; i < r->objs.n; i++) {
			struct pw_object *o = pw_objtab_at(&r->objs, i);

			if (o->part && o->part->file && pw_outfile_flush(o->part->file, &err) < 0)
				each = true;
		}
		each |= pw_outdir_sync_all(r->out, &err) < 0;
	}
	for (i = 0; each && i < r->objs.n; i++) {
		struct pw_object *o = pw_objtab_at(&r->objs, i);
		const char *name = o->name;

		if (!o->part || !o->part->id.ino || !has_entry(r, o))
			continue;
		if (r->cfg.not_durable)
			ret = o->part->file ? pw_outfile_flush(o->part->file, &err) : 0;
		else
			ret = sync_one(r, o, &err);
		if (ret == 0 && !r->cfg.not_durable)
			ret = pw_outdir_sync_names(r->out, &name, 1, &err);
		if (ret < 0)
			pw_recv_fail(r, o, &err);
	}
}

static int save(struct pw_recv *r, struct pw_gaps *g, struct pw_err *err)
{
	size_t i;
	int ret;

	for (i = 0; i < r->old.n_files; i++)
		if (keeps(r, &r->old.files[i]))
			g->files[g->n_files++] = r->old.files[i];
	if (g->n_files == 0) {
		/* Everything it asked for is here. */
		if (r->old.n_files)
			unlink(r->gaps_path);
		return 0;
	}
	ret = pw_gaps_save(r->gaps_path, g, err);
	r->gaps_written = ret == 0;
	return ret;
}

/* Parts of a name that is complete now: their bytes are of no use. */
static void remove_useless_parts(struct pw_recv *r)
{
	const struct pw_gap_file *old;
	size_t i;

	for (i = 0; i < r->objs.n; i++) {
		struct pw_object *o = pw_objtab_at(&r->objs, i), *other;

		if (!pw_recv_state_is_good(o->state) || !r->out)
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

int pw_recv_save_gaps(struct pw_recv *r, struct pw_err *err)
{
	struct pw_gaps g = {.tsi = r->n_sessions ? r->sessions[0]->tsi : r->old.tsi};
	size_t i, n_files, n_new;
	uint64_t grain;
	int ret = 0;

	if (!r->gaps_path || !r->out)
		return 0;
	choose_grain(r, &n_files);
	sync_parts(r, n_files);
	grain = choose_grain(r, &n_files);
	g.files = calloc(n_files + r->old.n_files + 1, sizeof(*g.files));
	if (!g.files)
		return pw_err_sys(err, ENOMEM, "write gap manifest %s", r->gaps_path);
	for (i = 0; i < r->objs.n && ret == 0; i++)
		if (has_entry(r, pw_objtab_at(&r->objs, i)))
			ret = add_entry(&g, pw_objtab_at(&r->objs, i), grain);
	n_new = g.n_files;
	if (ret < 0)
		pw_err_sys(err, -ret, "write gap manifest %s", r->gaps_path);
	else
		ret = save(r, &g, err);
	if (ret == 0)
		remove_useless_parts(r);
	for (i = 0; i < n_new; i++)
		free(g.files[i].missing);
	free(g.files);
	return ret;
}
