/* SPDX-License-Identifier: BSD-3-Clause */
/* The gap manifest: what parses obeys the rules of its header and is found by its names. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "recv/gaps.h"
#include "wire/blocks.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(int condition)
{
	if (!condition)
		abort();
}

static void check_file(const struct pw_gaps *g, const struct pw_gap_file *f)
{
	uint64_t end = 0;
	size_t i;

	check(f->name[0] != '\0' && strlen(f->name) <= PW_NAME_MAX);
	check(f->len_bytes <= PW_MAX_TRANSFER_LEN);
	check(f->part <= PW_GAPS_MAX_PART);
	check(pw_gaps_find(g, f->name) == f);
	for (i = 0; i < f->n_missing; i++) {
		check(f->missing[i].from >= end && f->missing[i].from < f->missing[i].to);
		end = f->missing[i].to;
	}
	check(end <= f->len_bytes);
}

static void check_named(const struct pw_gaps *g, const char *name)
{
	check(name[0] != '\0' && strlen(name) <= PW_NAME_MAX);
	check(pw_gaps_has_named(g, name) && !pw_gaps_find(g, name));
}

/* With itself a manifest asks for the same bytes. */
static void check_union(const uint8_t *data, size_t size, struct pw_gaps *g)
{
	const size_t n_files = g->n_files, n_named = g->n_named;
	struct pw_gaps more;
	size_t i;

	check(pw_gaps_parse((const char *)data, size, &more, NULL) == 0);
	check(pw_gaps_merge(g, &more, NULL) == 0);
	check(g->n_files == n_files && g->n_named == n_named);
	for (i = 0; i < n_files; i++)
		check_file(g, &g->files[i]);
	pw_gaps_finish(&more);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct pw_err err = {0};
	struct pw_gaps g;
	size_t i;

	if (pw_gaps_parse((const char *)data, size, &g, &err) < 0) {
		check(err.code > 0 && err.msg[0] != '\0' && g.files == NULL);
		return 0;
	}
	for (i = 0; i < g.n_files; i++)
		check_file(&g, &g.files[i]);
	for (i = 0; i < g.n_named; i++)
		check_named(&g, g.named[i]);
	check_union(data, size, &g);
	pw_gaps_finish(&g);
	return 0;
}
