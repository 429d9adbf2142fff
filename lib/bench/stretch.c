/* SPDX-License-Identifier: BSD-3-Clause */
/* Reads the clock and the meter at the start and at the end of the stretch that a cell measures. */
#include "base/clock.h"
#include "bench/cell.h"

void pw_stretch_hook(void *stretch, bool starts)
{
	struct pw_stretch *s = stretch;

	if (starts) {
		s->end->setup_ns = pw_clock_ns() - s->born_ns;
		pw_meter_start(s->meter);
		s->end->start_ns = pw_clock_ns();
	} else {
		s->end->end_ns = pw_clock_ns();
		pw_meter_stop(s->meter, &s->end->reading);
	}
}
