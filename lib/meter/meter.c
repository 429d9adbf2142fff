/* SPDX-License-Identifier: BSD-3-Clause */
#include "meter/meter.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "meter/copies.h"
#include "meter/perf.h"
#include "meter/usage.h"

struct snapshot {
	uint64_t wall_ns;
	struct pw_usage usage;
	struct pw_ticks ticks;
	struct pw_perf_sums perf;
	struct pw_copies_sums copies;
};

struct pw_meter {
	int proc_stat; /* -1: not there */
	struct pw_perf perf;
	struct pw_copies *copies; /* NULL: not wanted, or refused */
	char why_copies[PW_ERR_MAX];
	struct snapshot from;
};

/* The first measurement touches the meter's own code and stack for the first time. Do one here, so that
 * these page faults are not counted as the work's. */
static void warm_up(struct pw_meter *m)
{
	struct pw_reading r;

	pw_meter_start(m);
	pw_meter_stop(m, &r);
}

int pw_meter_open(
	struct pw_meter **meter, unsigned int want, const struct pw_log *log, struct pw_err *err)
{
	struct pw_meter *m = calloc(1, sizeof(*m));
	int i;

	*meter = NULL;
	if (!m)
		return pw_err_sys(err, ENOMEM, "open the meter");
	m->proc_stat = pw_ticks_open();
	pw_perf_open(&m->perf, want);
	if (want & 1u << PW_METER_COPIES && pw_copies_open(&m->copies, log, m->why_copies)) {
		pw_meter_close(m);
		return pw_err_sys(err, ENOMEM, "load the meter's BPF programs");
	}
	for (i = 0; i < PW_METER_N_SOURCES; i++)
		if (pw_meter_why(m, (enum pw_meter_source)i))
			pw_debug(log, "not measured: %s", pw_meter_why(m, (enum pw_meter_source)i));
	warm_up(m);
	*meter = m;
	return 0;
}

const char *pw_meter_why(const struct pw_meter *m, enum pw_meter_source source)
{
	const char *why = source == PW_METER_COPIES ? m->why_copies : m->perf.why[source];

	return *why ? why : NULL;
}

static void read_copies(const struct pw_meter *m, struct pw_copies_sums *s)
{
	s->n_probes = 0;
	if (m->copies)
		pw_copies_read(m->copies, s);
}

/* The source that costs most, /proc/stat, is read first here and last in pw_meter_stop(); reading it is
 * also a copy that the probes count. Counting system calls starts last and stops first. */
void pw_meter_start(struct pw_meter *m)
{
	struct snapshot *from = &m->from;

	pw_ticks_read(m->proc_stat, &from->ticks);
	pw_perf_read(&m->perf, &from->perf);
	read_copies(m, &from->copies);
	pw_perf_prepare(&m->perf);
	pw_usage_read(&from->usage);
	from->wall_ns = pw_clock_ns();
	pw_perf_start(&m->perf);
}

static void copies_difference(
	const struct pw_copies_sums *from, const struct pw_copies_sums *to, struct pw_reading *r)
{
	size_t i;

	r->n_probes = 0;
	r->copied_bytes = PW_UNMEASURED;
	if (to->n_probes == 0 || from->n_probes != to->n_probes)
		return;
	r->copied_bytes = 0;
	for (i = 0; i < to->n_probes; i++) {
		r->probes[i] = (struct pw_meter_probe){
			.function = to->probes[i].function,
			.calls = to->probes[i].calls - from->probes[i].calls,
			.bytes = to->probes[i].bytes - from->probes[i].bytes,
		};
		r->copied_bytes += r->probes[i].bytes;
	}
	r->n_probes = to->n_probes;
}

void pw_meter_stop(struct pw_meter *m, struct pw_reading *reading)
{
	const struct snapshot *from = &m->from;
	struct snapshot to;

	pw_perf_stop(&m->perf);
	to.wall_ns = pw_clock_ns();
	pw_usage_read(&to.usage);
	pw_perf_end(&m->perf);
	read_copies(m, &to.copies);
	pw_perf_read(&m->perf, &to.perf);
	pw_ticks_read(m->proc_stat, &to.ticks);

	reading->wall_ns = to.wall_ns - from->wall_ns;
	pw_usage_difference(&from->usage, &to.usage, reading);
	pw_ticks_difference(&from->ticks, &to.ticks, reading);
	pw_perf_difference(&from->perf, &to.perf, reading);
	copies_difference(&from->copies, &to.copies, reading);
}

void pw_meter_close(struct pw_meter *m)
{
	if (!m)
		return;
	pw_copies_close(m->copies);
	pw_perf_close(&m->perf);
	if (m->proc_stat >= 0)
		close(m->proc_stat);
	free(m);
}
