/* SPDX-License-Identifier: BSD-3-Clause */
/* The notes below a group of the result table: what was skipped, void, or copied after all. */
#include "bench/notes.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static struct pw_note *add(struct pw_notes *notes, enum pw_note_kind kind, const char *why)
{
	struct pw_note *v = realloc(notes->v, (notes->n + 1) * sizeof(*v));

	if (!v)
		return NULL;
	notes->v = v;
	v += notes->n++;
	*v = (struct pw_note){.kind = kind};
	snprintf(v->why, sizeof(v->why), "%s", why);
	return v;
}

static struct pw_note *find_or_add(struct pw_notes *notes, enum pw_note_kind kind, const char *why)
{
	size_t i;

	for (i = 0; i < notes->n; i++)
		if (strncmp(notes->v[i].why, why, sizeof(notes->v[i].why) - 1) == 0)
			return &notes->v[i];
	return add(notes, kind, why);
}

static bool lists(const char *list, const char *item)
{
	size_t n = strlen(item);
	const char *s = list;

	while ((s = strstr(s, item))) {
		if ((s == list || s[-1] == ' ') && (s[n] == '\0' || s[n] == ','))
			return true;
		s += n;
	}
	return false;
}

/* Once each, parted by commas. */
static void append(char *list, size_t len, const char *item)
{
	size_t used = strlen(list);

	if (!*item || lists(list, item))
		return;
	if (used + strlen(item) + sizeof(", ...") < len)
		snprintf(list + used, len - used, "%s%s", used ? ", " : "", item);
	else if (used + sizeof(", ...") <= len && !lists(list, "..."))
		snprintf(list + used, len - used, ", ...");
}

static int note_skipped(struct pw_notes *notes, const struct pw_row *row)
{
	struct pw_note *n;

	if (!row->skipped[0])
		return 0;
	n = find_or_add(notes, PW_NOTE_SKIPPED, row->skipped);
	if (!n)
		return -ENOMEM;
	append(n->who, sizeof(n->who), row->label);
	return 0;
}

/* A row's first reason stands for its other ones. */
static int note_void(struct pw_notes *notes, const struct pw_row *row)
{
	const struct pw_sample *first = NULL;
	struct pw_note *n;
	size_t i, n_void = 0;
	char group[80];

	for (i = 0; i < row->n_samples; i++) {
		if (!row->samples[i].void_why[0])
			continue;
		n_void++;
		if (!first)
			first = &row->samples[i];
	}
	if (!first)
		return 0;
	n = add(notes, PW_NOTE_VOID, first->void_why);
	if (!n)
		return -ENOMEM;
	snprintf(n->who, sizeof(n->who), "%s, %s, %zu of %zu runs", row->label,
		pw_view_group(group, sizeof(group), row), n_void, row->n_samples);
	return 0;
}

static int note_unmeasured(struct pw_notes *notes, const struct pw_row *row)
{
	struct pw_note *n;
	size_t m;

	for (m = 0; m < PW_N_METRICS && !row->skipped[0]; m++) {
		if (!row->not_measured[m] || row->sum[m].n)
			continue;
		n = find_or_add(notes, PW_NOTE_UNMEASURED, row->not_measured[m]);
		if (!n)
			return -ENOMEM;
		append(n->what, sizeof(n->what), pw_metrics[m].title);
		append(n->who, sizeof(n->who), row->label);
	}
	return 0;
}

static int note_copied(struct pw_notes *notes, const struct pw_row *row)
{
	const struct pw_summary *s = &row->sum[PW_M_ZC_COPIED];
	char why[96], share[32];
	struct pw_note *n;

	if (!s->n)
		return 0;
	snprintf(why, sizeof(why), "%s %% of the zero-copy completions said COPIED",
		pw_view_metric(share, sizeof(share), PW_M_ZC_COPIED, s->median));
	n = find_or_add(notes, PW_NOTE_COPIED, why);
	if (!n)
		return -ENOMEM;
	append(n->who, sizeof(n->who), row->label);
	return 0;
}

/* A reason that every row that ran shares needs no list of them. */
static void widen(struct pw_notes *notes, const struct pw_bench_result *r, const struct pw_group *g)
{
	size_t i, k;
	bool all;

	for (k = 0; k < notes->n; k++) {
		all = true;
		for (i = g->first; i < g->end; i++)
			all &= r->rows[i].skipped[0] || lists(notes->v[k].who, r->rows[i].label);
		if (all)
			notes->v[k].who[0] = '\0';
	}
}

int pw_notes_make(struct pw_notes *notes, const struct pw_bench_result *r, const struct pw_group *g,
	enum pw_note_kind kind)
{
	static int (*const note[])(struct pw_notes * notes, const struct pw_row *row) = {
		[PW_NOTE_SKIPPED] = note_skipped,
		[PW_NOTE_VOID] = note_void,
		[PW_NOTE_UNMEASURED] = note_unmeasured,
		[PW_NOTE_COPIED] = note_copied,
	};
	size_t i;
	int ret = 0;

	*notes = (struct pw_notes){0};
	for (i = g->first; i < g->end && ret == 0; i++)
		ret = note[kind](notes, &r->rows[i]);
	if (kind == PW_NOTE_UNMEASURED)
		widen(notes, r, g);
	return ret;
}

void pw_notes_free(struct pw_notes *notes)
{
	free(notes->v);
	*notes = (struct pw_notes){0};
}
