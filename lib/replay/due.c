/* SPDX-License-Identifier: BSD-3-Clause */
#include "replay/due.h"

void pw_due_init(struct pw_due *d, double speed, uint64_t max_gap_ns)
{
	*d = (struct pw_due){.speed = speed,
		.is_exact = speed == 1,
		.max_gap_ns = max_gap_ns,
		.due_ns = PW_DUE_LEAD_NS,
		.first_ns = PW_DUE_LEAD_NS};
}

void pw_due_init_rate(struct pw_due *d, const struct pw_rate *rate)
{
	*d = (struct pw_due){.by_rate = true, .speed = 1, .due_ns = PW_DUE_LEAD_NS};
	if (rate->unit == PW_RATE_BPS)
		d->ns_per_bit = 1e9 / rate->value;
	else
		d->ns_per_packet = 1e9 / rate->value;
}

uint64_t pw_due_by_rate(struct pw_due *d, uint32_t frame_bytes)
{
	const double ns = (double)d->bits * d->ns_per_bit + (double)d->packets * d->ns_per_packet;

	d->bits += 8ull * frame_bytes;
	d->packets++;
	return PW_DUE_LEAD_NS + (uint64_t)ns;
}

void pw_due_begin(struct pw_due *d)
{
	if (d->n > 1)
		d->due_ns += (d->due_ns - d->first_ns) / (d->n - 1);
	d->first_ns = d->due_ns;
	d->anchored = false;
	d->n = 0;
}

static uint64_t anchor(struct pw_due *d, int64_t time_ns)
{
	d->anchored = true;
	d->base_ns = d->due_ns;
	d->origin_ns = d->latest_ns = time_ns;
	return d->due_ns;
}

uint64_t pw_due_next(struct pw_due *d, bool has_time, int64_t time_ns)
{
	int64_t gap;

	d->n++;
	if (!has_time) {
		d->n_untimed++;
		return d->due_ns;
	}
	if (!d->anchored)
		return anchor(d, time_ns);
	if (__builtin_sub_overflow(time_ns, d->latest_ns, &gap) || gap == INT64_MIN ||
		(uint64_t)(gap < 0 ? -gap : gap) > d->max_gap_ns) {
		d->n_jumps++;
		return anchor(d, time_ns);
	}
	if (gap < 0) {
		d->n_backwards++;
		return d->due_ns;
	}
	d->latest_ns = time_ns;
	d->due_ns = d->base_ns + (uint64_t)((double)(time_ns - d->origin_ns) / d->speed);
	return d->due_ns;
}
