/* SPDX-License-Identifier: BSD-3-Clause */
/* Reads the clock and the meter at the start and at the end of the stretch that a cell measures. */
#include <errno.h>
#include <stdio.h>

#include "base/clock.h"
#include "cell/cell.h"

int pw_cell_stretch_open(struct pw_stretch *s, const struct pw_cell *cell, struct pw_cell_end *end)
{
	const char *why;
	int i, r;

	*s = (struct pw_stretch){.cell = cell, .end = end};
	r = pw_meter_open(&s->meter, cell->meter, NULL, &end->err);
	for (i = 0; r == 0 && i < PW_METER_N_SOURCES; i++) {
		why = pw_meter_why(s->meter, (enum pw_meter_source)i);
		snprintf(end->why[i], sizeof(end->why[i]), "%s", why ? why : "");
	}
	return r;
}

/* Where system calls are counted, the clock is read outside of the count: with some clock sources (hpet) to read it
 * is a system call. */
void pw_cell_stretch(void *stretch, bool starts)
{
	struct pw_stretch *s = stretch;
	const bool counts_calls = s->cell->meter & 1u << PW_METER_SYSCALLS;

	if (starts) {
		s->end->start_ns = pw_clock_ns();
		s->end->setup_ns = s->end->start_ns - s->cell->born_ns;
		pw_meter_start(s->meter);
		if (!counts_calls)
			s->end->start_ns = pw_clock_ns();
		return;
	}
	if (!counts_calls)
		s->end->end_ns = pw_clock_ns();
	pw_meter_stop(s->meter, &s->end->reading);
	if (counts_calls)
		s->end->end_ns = pw_clock_ns();
}

bool pw_cell_is_lacking(int r)
{
	return r == -EOPNOTSUPP || r == -EPERM || r == -ENOSYS || r == -ENODEV;
}
