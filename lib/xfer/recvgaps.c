/* SPDX-License-Identifier: BSD-3-Clause */
/* The gap manifest at the end: what this session misses, and what an older one still does. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/bytes.h"
#include "xfer/recvint.h"

static bool is_good(const struct pw_object *o)
{
	return o->state == PW_RECV_COMPLETE || o->state == PW_RECV_UNVERIFIED;
}

/* Whether the file gets an entry of this session's making. Not one that was to be resumed and got
 * no symbol: its old entry stays right. */
static bool has_entry(const struct pw_object *o)
{
	return o->state != PW_RECV_REFUSED && !is_good(o) &&
	       !(o->gap && !o->part && o->state < PW_RECV_VERIFYING && o->have_bytes);
}

/* The end of the run of missing symbols from `from` on; runs that less than grain symbols part are
 * one. */
static uint64_t run_end(const struct pw_part *p, uint64_t from, uint64_t grain)
{
	uint64_t end = pw_part_next(p, from, true), next;

	while (end < p->blocks.n_symbols) {
		next = pw_part_next(p, end, false);
		if (next == p->blocks.n_symbols || next - end >= grain)
			break;
		end = pw_part_next(p, next, true);
	}
	return end;
}

/* Counts the ranges, and writes them where `out` is given. */
static size_t missing(const struct pw_object *o, uint64_t grain, struct pw_range *out)
{
	const struct pw_part *p = o->part;
	uint64_t from, end;
	size_t n = 0;

	if (!p || o->have_bytes == 0) {
		if (out && o->len_bytes)
			out[0] = (struct pw_range){0, o->len_bytes};
		return o->len_bytes != 0;
	}
	for (from = pw_part_next(p, 0, false); from < p->blocks.n_symbols;
		from = pw_part_next(p, end, false)) {
		end = run_end(p, from, grain);
		if (out)
			out[n] = (struct pw_range){from * p->blocks.symbol_len,
				pw_min_u64(end * p->blocks.symbol_len, o->len_bytes)};
		n++;
	}
	return n;
}

/* Beyond what one manifest holds, neighbouring ranges are joined: some symbols come twice then. */
static uint64_t choose_grain(const struct pw_recv *r, size_t *n_files)
{
	uint64_t grain = 1;
	size_t i, n_ranges;

	for (;;) {
		n_ranges = 0;
		*n_files = 0;
		for (i = 0; i < r->objs.n; i++) {
			const struct pw_object *o = pw_objtab_at(&r->objs, i);

			if (!has_entry(o))
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

	*f = (struct pw_gap_file){
		.name = o->name, .len_bytes = o->len_bytes, .digest = o->digest, .n_missing = n};
	f->missing = n ? calloc(n, sizeof(*f->missing)) : NULL;
	if (n && !f->missing)
		return -ENOMEM;
	if (n)
		missing(o, grain, f->missing);
	g->n_files++;
	return 0;
}

/* An older session's file about which this one has nothing newer to say. */
static bool keeps(const struct pw_recv *r, const struct pw_gap_file *f)
{
	const struct pw_object *o = pw_objtab_find_name(&r->objs, f->name);

	return !o || (!is_good(o) && !has_entry(o));
}

bool pw_recv_old_missing(const struct pw_recv *r)
{
	size_t i;

	for (i = 0; r->cfg.resume && i < r->old.n_files; i++)
		if (keeps(r, &r->old.files[i]))
			return true;
	return false;
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

int pw_recv_save_gaps(struct pw_recv *r, struct pw_err *err)
{
	struct pw_gaps g = {.tsi = r->locked ? r->tsi : r->old.tsi};
	size_t i, n_files, n_new;
	uint64_t grain;
	int ret = 0;

	if (!r->gaps_path)
		return 0;
	grain = choose_grain(r, &n_files);
	g.files = calloc(n_files + r->old.n_files + 1, sizeof(*g.files));
	if (!g.files)
		return pw_err_sys(err, ENOMEM, "write gap manifest %s", r->gaps_path);
	for (i = 0; i < r->objs.n && ret == 0; i++)
		if (has_entry(pw_objtab_at(&r->objs, i)))
			ret = add_entry(&g, pw_objtab_at(&r->objs, i), grain);
	n_new = g.n_files;
	if (ret < 0)
		pw_err_sys(err, -ret, "write gap manifest %s", r->gaps_path);
	else
		ret = save(r, &g, err);
	for (i = 0; i < n_new; i++)
		free(g.files[i].missing);
	free(g.files);
	return ret;
}
