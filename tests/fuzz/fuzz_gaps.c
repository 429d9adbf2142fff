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
	pw_gaps_finish(&g);
	return 0;
}
