/* SPDX-License-Identifier: BSD-3-Clause */
/* Internal to lib/bench: the notes below a table. Rows with the same reason share one note. */
#ifndef PW_BENCH_NOTES_H
#define PW_BENCH_NOTES_H

#include "bench/view.h"

enum pw_note_kind {
	PW_NOTE_SKIPPED,    /* who: ways */
	PW_NOTE_VOID,       /* who: a row, and how many of its runs */
	PW_NOTE_UNMEASURED, /* what: metrics; who: ways */
	PW_NOTE_COPIED,     /* why: "100 % of its zero-copy completions said COPIED" */
};

struct pw_note {
	enum pw_note_kind kind;
	char what[256];
	char who[1024]; /* "" = every way; ends with "..." where they are too many */
	char why[PW_ERR_MAX];
};

struct pw_notes {
	struct pw_note *v;
	size_t n;
};

/* Of the rows of g. -ENOMEM. */
int pw_notes_make(struct pw_notes *notes, const struct pw_bench_result *r, const struct pw_group *g,
	enum pw_note_kind kind);
void pw_notes_free(struct pw_notes *notes); /* accepts a zeroed one */

#endif
