/* SPDX-License-Identifier: BSD-3-Clause */
#include "meter/perf.h"

#include <errno.h>
#include <linux/perf_event.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "meter/kernfs.h"

#define N_HARDWARE (PW_PERF_N_EVENTS - PW_PERF_CYCLES)

/* io_uring's kernel threads (SQPOLL, io-wq) are included: a thread of this process creates them with
 * CLONE_THREAD, so they inherit the events and their CPU time is the process's. They use cycles and take
 * kernel faults, but make no system call. */
static int open_event(struct perf_event_attr *attr, int group)
{
	attr->size = sizeof(*attr);
	attr->inherit = 1;
	attr->inherit_thread = 1; /* not the programs that this process starts */
	return (int)syscall(SYS_perf_event_open, attr, 0, -1, group, PERF_FLAG_FD_CLOEXEC);
}

static bool is_refusal(int code)
{
	return code == EPERM || code == EACCES;
}

/* code: the error of perf_event_open(), or of reading tracefs. */
static void set_why(char *why, const char *what, int code)
{
	const char *fix = "";

	if (*why)
		return; /* both kinds of faults share a reason: keep the first */
	if (is_refusal(code))
		fix = "; run as root, or with CAP_PERFMON (counters: sysctl "
		      "kernel.perf_event_paranoid=1 is enough)";
	else if (code == ENOENT)
		fix = ": this kernel has no such event; use one that has";
	if (code == ENOENT)
		snprintf(why, PW_ERR_MAX, "perf %s%s", what, fix);
	else
		snprintf(why, PW_ERR_MAX, "perf %s: %s%s", what, strerror(code), fix);
}

static int open_tracepoint(const char *system, const char *name, char *why)
{
	struct perf_event_attr attr = {.type = PERF_TYPE_TRACEPOINT, .disabled = 1};
	char what[64];
	int id = pw_kernfs_tracepoint_id(system, name), fd;

	snprintf(what, sizeof(what), "%s:%s", system, name);
	if (id < 0) {
		set_why(why, what, -id);
		return -1;
	}
	attr.config = (uint64_t)id;
	fd = open_event(&attr, -1);
	if (fd < 0)
		set_why(why, what, errno);
	return fd;
}

static void set_why_hardware(char *why, const char *what, int code)
{
	if (*why)
		return;
	if (is_refusal(code))
		set_why(why, what, code);
	else
		snprintf(why, PW_ERR_MAX,
			"perf %s: the CPU shows no such counter (%s), as in most virtual machines; "
			"run "
			"on the machine itself",
			what, strerror(code));
}

/* One group, so that all count over the same time. */
static void open_hardware(struct pw_perf *p)
{
	static const struct {
		uint64_t config;
		const char *name;
	} counters[N_HARDWARE] = {
		{PERF_COUNT_HW_CPU_CYCLES, "cycles"},
		{PERF_COUNT_HW_INSTRUCTIONS, "instructions"},
		{PERF_COUNT_HW_CACHE_MISSES, "LLC misses"},
	};
	int i;

	for (i = 0; i < N_HARDWARE; i++) {
		struct perf_event_attr attr = {
			.type = PERF_TYPE_HARDWARE,
			.config = counters[i].config,
			.disabled = i == 0,
			.read_format =
				PERF_FORMAT_TOTAL_TIME_ENABLED | PERF_FORMAT_TOTAL_TIME_RUNNING,
		};
		int *fd = &p->fd[PW_PERF_CYCLES + i];

		*fd = open_event(&attr, i ? p->fd[PW_PERF_CYCLES] : -1);
		if (*fd < 0)
			set_why_hardware(p->why[PW_METER_HARDWARE], counters[i].name, errno);
		if (p->fd[PW_PERF_CYCLES] < 0)
			return;
	}
}

void pw_perf_open(struct pw_perf *p, unsigned int want)
{
	char *why = p->why[PW_METER_FAULTS];
	int i;

	memset(p->why, 0, sizeof(p->why));
	for (i = 0; i < PW_PERF_N_EVENTS; i++)
		p->fd[i] = -1;
	if (want & 1u << PW_METER_SYSCALLS)
		p->fd[PW_PERF_SYSCALLS] =
			open_tracepoint("raw_syscalls", "sys_enter", p->why[PW_METER_SYSCALLS]);
	/* The software event of page faults needs no privilege, but does not distinguish user faults from
	 * kernel faults. */
	if (want & 1u << PW_METER_FAULTS) {
		p->fd[PW_PERF_USER_FAULTS] = open_tracepoint("exceptions", "page_fault_user", why);
		p->fd[PW_PERF_KERNEL_FAULTS] =
			open_tracepoint("exceptions", "page_fault_kernel", why);
	}
	if (want & 1u << PW_METER_HARDWARE)
		open_hardware(p);
}

void pw_perf_close(struct pw_perf *p)
{
	int i;

	for (i = PW_PERF_N_EVENTS - 1; i >= 0; i--)
		if (p->fd[i] >= 0)
			close(p->fd[i]);
}

/* Also switches the events that threads have inherited. */
static void switch_event(const struct pw_perf *p, enum pw_perf_event event, bool on)
{
	if (p->fd[event] >= 0)
		ioctl(p->fd[event], on ? PERF_EVENT_IOC_ENABLE : PERF_EVENT_IOC_DISABLE, 0);
}

void pw_perf_prepare(struct pw_perf *p)
{
	switch_event(p, PW_PERF_CYCLES, true);
	switch_event(p, PW_PERF_USER_FAULTS, true);
	switch_event(p, PW_PERF_KERNEL_FAULTS, true);
}

void pw_perf_start(struct pw_perf *p)
{
	switch_event(p, PW_PERF_SYSCALLS, true);
}

void pw_perf_stop(struct pw_perf *p)
{
	switch_event(p, PW_PERF_SYSCALLS, false);
}

void pw_perf_end(struct pw_perf *p)
{
	switch_event(p, PW_PERF_USER_FAULTS, false);
	switch_event(p, PW_PERF_KERNEL_FAULTS, false);
	switch_event(p, PW_PERF_CYCLES, false);
}

static uint64_t read_tracepoint(int fd)
{
	uint64_t value;

	return fd >= 0 && read(fd, &value, sizeof(value)) == sizeof(value) ? value : PW_UNMEASURED;
}

static uint64_t read_counter(int fd, struct pw_perf_sums *s)
{
	uint64_t v[3]; /* value, ns enabled, ns running */

	if (fd < 0 || read(fd, v, sizeof(v)) != sizeof(v))
		return PW_UNMEASURED;
	s->enabled_ns = v[1]; /* of the whole group */
	s->running_ns = v[2];
	return v[0];
}

void pw_perf_read(const struct pw_perf *p, struct pw_perf_sums *s)
{
	int i;

	s->enabled_ns = s->running_ns = 0;
	for (i = 0; i < PW_PERF_CYCLES; i++)
		s->value[i] = read_tracepoint(p->fd[i]);
	for (; i < PW_PERF_N_EVENTS; i++)
		s->value[i] = read_counter(p->fd[i], s);
}

static uint64_t difference(
	const struct pw_perf_sums *from, const struct pw_perf_sums *to, enum pw_perf_event event)
{
	if (from->value[event] == PW_UNMEASURED || to->value[event] == PW_UNMEASURED)
		return PW_UNMEASURED;
	return to->value[event] - from->value[event];
}

/* A counter that the kernel shares with other programs runs only part of the time: extrapolate. */
static uint64_t scaled(
	const struct pw_perf_sums *from, const struct pw_perf_sums *to, enum pw_perf_event event)
{
	uint64_t enabled_ns = to->enabled_ns - from->enabled_ns;
	uint64_t running_ns = to->running_ns - from->running_ns;
	uint64_t value = difference(from, to, event);

	if (value == PW_UNMEASURED || running_ns >= enabled_ns)
		return value;
	return running_ns ? (uint64_t)((double)value * (double)enabled_ns / (double)running_ns)
			  : PW_UNMEASURED;
}

void pw_perf_difference(
	const struct pw_perf_sums *from, const struct pw_perf_sums *to, struct pw_reading *r)
{
	r->syscalls = difference(from, to, PW_PERF_SYSCALLS);
	/* Take out the ioctl() that switched the event off, which it counted. It did not count the
	 * ioctl() that switched it on, and the meter makes no other calls in between. */
	if (r->syscalls != PW_UNMEASURED)
		r->syscalls = r->syscalls ? r->syscalls - 1 : PW_UNMEASURED;
	r->user_faults = difference(from, to, PW_PERF_USER_FAULTS);
	r->kernel_faults = difference(from, to, PW_PERF_KERNEL_FAULTS);
	r->cycles = scaled(from, to, PW_PERF_CYCLES);
	r->instructions = scaled(from, to, PW_PERF_INSTRUCTIONS);
	r->llc_misses = scaled(from, to, PW_PERF_LLC_MISSES);
}
