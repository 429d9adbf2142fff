/* SPDX-License-Identifier: BSD-3-Clause */
/* What is missing: of one file, and of all in the gap manifest (recv/gaps.h). With the receiver's lock. */
#ifndef PW_RECV_MANIFEST_H
#define PW_RECV_MANIFEST_H

#include "recv/recv_private.h"

/* Writes the manifest, or removes one that asks for nothing more; lanes are stopped. Corrects
 * n_unnamed by what the old manifest knows. */
int pw_recv_save_gaps(struct pw_recv *r, struct pw_err *err);
/* Counts the missing ranges, and writes them to out[room] unless it is NULL; the last one then has the rest. Those
 * with less than `grain` symbols between them count as one. */
size_t pw_recv_ranges(const struct pw_object *o, uint64_t grain, struct pw_range *out, size_t room);

/* The ranges of many files, counted once for every grain that is a power of two. */
#define PW_GRAINS 64u
struct pw_grains {
	uint64_t n;                /* ranges with grain 1 */
	uint64_t apart[PW_GRAINS]; /* neighbours with 2^(i-1) to 2^i - 1 symbols between them */
};
void pw_recv_grains_add(
	struct pw_grains *g, const struct pw_object *o); /* all of the file's ranges */
/* The smallest grain with which there are at most max. */
uint64_t pw_recv_grains_choose(const struct pw_grains *g, uint64_t max);
uint32_t pw_recv_kept_parts(struct pw_recv *r, const struct pw_object *o);

#endif
