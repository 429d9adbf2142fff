/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The union of two gap manifests, for a sender that repairs several receivers at once. A file is sent
 * unless each receiver has it:
 *
 *   in one          in the other      in the union
 *   missing         missing           both their ranges
 *   missing         named, complete   the ranges of the one
 *   missing         nothing           all of the file, if the other has unnamed files; else the ranges
 *   named           named             named: it is not sent
 *   named           nothing           nothing, if the other has unnamed files: it is sent; else named
 *
 * A manifest without unnamed files belongs to a receiver that has every file that it does not list.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "recv/gaps.h"
#include "recv/object.h"

/* This receiver may not know of the file. */
static bool may_lack(const struct pw_gaps *g, const char *name)
{
	return g->n_unnamed && !pw_gaps_has_named(g, name) && !pw_gaps_find(g, name);
}

static int disagree(const struct pw_gaps *g, const struct pw_gaps *more, const char *name,
	const char *what, const char *one, const char *other, struct pw_err *err)
{
	return pw_err_set(err, EBADMSG,
		"cannot use the gap manifests %.50s and %.50s together: %.40s has the %s %.20s in "
		"the first and %.20s in the second; repair one after the other",
		g->paths ? g->paths : "A", more->paths ? more->paths : "B", name, what, one, other);
}

static int check_same_file(const struct pw_gaps *g, const struct pw_gap_file *a,
	const struct pw_gaps *more, const struct pw_gap_file *b, struct pw_err *err)
{
	char one[PW_DIGEST_TEXT_MAX], other[PW_DIGEST_TEXT_MAX];

	if (a->len_bytes != b->len_bytes) {
		snprintf(one, sizeof(one), "%" PRIu64, a->len_bytes);
		snprintf(other, sizeof(other), "%" PRIu64, b->len_bytes);
		return disagree(g, more, a->name, "length", one, other, err);
	}
	if (pw_digest_agrees(&a->digest, &b->digest))
		return 0;
	pw_digest_format(one, sizeof(one), &a->digest);
	pw_digest_format(other, sizeof(other), &b->digest);
	return disagree(g, more, a->name, "digest", one, other, err);
}

static int need_all(struct pw_gap_file *f)
{
	if (f->len_bytes == 0)
		return 0;
	if (!f->missing)
		f->missing = malloc(sizeof(*f->missing));
	if (!f->missing)
		return -ENOMEM;
	f->missing[0] = (struct pw_range){0, f->len_bytes};
	f->n_missing = 1;
	return 0;
}

/* Adds the ranges of b to those of a. */
static int unite_ranges(struct pw_gap_file *a, const struct pw_gap_file *b)
{
	const struct pw_range *x = a->missing, *y = b->missing, *x_end, *y_end;
	struct pw_range *out, next;
	size_t n = 0;

	if (b->n_missing == 0)
		return 0;
	out = calloc(a->n_missing + b->n_missing, sizeof(*out));
	if (!out)
		return -ENOMEM;
	x_end = x + a->n_missing;
	y_end = y + b->n_missing;
	while (x < x_end || y < y_end) {
		next = y == y_end || (x < x_end && x->from <= y->from) ? *x++ : *y++;
		if (n && next.from <= out[n - 1].to)
			out[n - 1].to = pw_max_u64(out[n - 1].to, next.to);
		else
			out[n++] = next;
	}
	free(a->missing);
	a->missing = out;
	a->n_missing = n;
	return 0;
}

/* Makes the entries of both what the union needs of them. */
static int unite_entries(struct pw_gaps *g, struct pw_gaps *more, struct pw_err *err)
{
	const struct pw_gap_file *b;
	struct pw_gap_file *a;
	int ret = 0;

	for (a = g->files; ret == 0 && a < g->files + g->n_files; a++) {
		b = pw_gaps_find(more, a->name);
		if (b && (ret = check_same_file(g, a, more, b, err)) < 0)
			return ret;
		if (b && a->digest.kind == PW_DIGEST_NONE)
			a->digest = b->digest;
		if (b)
			ret = unite_ranges(a, b);
		else if (may_lack(more, a->name))
			ret = need_all(a);
	}
	for (a = more->files; ret == 0 && a < more->files + more->n_files; a++)
		if (may_lack(g, a->name))
			ret = need_all(a);
	return ret < 0 ? pw_err_sys(err, -ret, "cannot unite the gap manifests") : 0;
}

static void free_entry(struct pw_gap_file *f)
{
	free(f->name);
	free(f->missing);
}

/* Moves the entries of both to out, in the order of their names. */
static void move_entries(struct pw_gaps *g, struct pw_gaps *more, struct pw_gap_file *out)
{
	size_t i = 0, j = 0, n = 0;

	while (i < g->n_files || j < more->n_files) {
		const int c = i == g->n_files      ? 1
			      : j == more->n_files ? -1
						   : strcmp(g->files[i].name, more->files[j].name);

		out[n++] = c <= 0 ? g->files[i++] : more->files[j++];
		if (c == 0)
			free_entry(&more->files[j++]);
	}
	free(g->files);
	g->files = out;
	g->n_files = n;
	more->n_files = 0;
}

/* The receiver of g has the file, although its manifest does not name it. */
static bool has_unlisted(const struct pw_gaps *g, const char *name)
{
	return g->n_unnamed == 0 && !pw_gaps_find(g, name);
}

/* Moves the names that both need nothing of to out, in order. */
static void move_named(struct pw_gaps *g, struct pw_gaps *more, char **out)
{
	size_t i = 0, j = 0, n = 0;

	while (i < g->n_named || j < more->n_named) {
		const int c = i == g->n_named      ? 1
			      : j == more->n_named ? -1
						   : strcmp(g->named[i], more->named[j]);
		char *name = c <= 0 ? g->named[i++] : more->named[j++];

		if (c == 0)
			free(more->named[j++]);
		if (c == 0 || has_unlisted(c < 0 ? more : g, name))
			out[n++] = name;
		else
			free(name);
	}
	free(g->named);
	g->named = out;
	g->n_named = n;
	more->n_named = 0;
}

int pw_gaps_merge(struct pw_gaps *g, struct pw_gaps *more, struct pw_err *err)
{
	struct pw_gap_file *files;
	char **named, *paths = NULL;
	int ret;

	if (!g->sorted) { /* zeroed */
		*g = *more;
		*more = (struct pw_gaps){0};
		return 0;
	}
	ret = unite_entries(g, more, err);
	if (ret < 0)
		return ret;
	files = calloc(g->n_files + more->n_files + 1, sizeof(*files));
	named = calloc(g->n_named + more->n_named + 1, sizeof(*named));
	if (!files || !named ||
		asprintf(&paths, "%s, %s", g->paths ? g->paths : "A",
			more->paths ? more->paths : "B") < 0) {
		free(files);
		free(named);
		return pw_err_sys(err, ENOMEM, "cannot unite the gap manifests");
	}
	move_named(g, more, named);
	move_entries(g, more, files);
	g->n_unnamed = pw_max_u64(g->n_unnamed, more->n_unnamed);
	free(g->paths);
	g->paths = paths;
	return 0;
}
