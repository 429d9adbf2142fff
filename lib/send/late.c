/* SPDX-License-Identifier: BSD-3-Clause */
#include "send/late.h"

#include "base/bytes.h"

uint64_t pw_late_class_end(uint32_t c)
{
	const uint32_t bits = c / PW_LATE_SUB + 3;

	if (c < PW_LATE_SUB)
		return c;
	return ((uint64_t)(PW_LATE_SUB + c % PW_LATE_SUB + 1) << (bits - 4)) - 1;
}

uint64_t pw_late_quantile(const struct pw_late *l, double share)
{
	const double wanted = share * (double)l->n_frames;
	uint64_t sum = 0;
	uint32_t c;

	if (l->n_frames == 0)
		return 0;
	for (c = 0; c < PW_LATE_CLASSES - 1; c++) {
		sum += l->n[c];
		if (sum > 0 && (double)sum >= wanted)
			break;
	}
	return pw_min_u64(pw_late_class_end(c), l->max_ns);
}

static uint64_t word(const uint64_t *w)
{
	return __atomic_load_n(w, __ATOMIC_RELAXED);
}

void pw_late_merge(struct pw_late *sum, const struct pw_late *from)
{
	const uint64_t run = word(&from->longest_run);
	uint32_t c;

	for (c = 0; c < PW_LATE_CLASSES; c++)
		sum->n[c] += word(&from->n[c]);
	sum->n_frames += word(&from->n_frames);
	sum->max_ns = pw_max_u64(sum->max_ns, word(&from->max_ns));
	if (run <= sum->longest_run)
		return;
	sum->longest_run = run;
	sum->longest_from = word(&from->longest_from);
}
