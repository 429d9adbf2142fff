/* SPDX-License-Identifier: BSD-3-Clause */
#include "meter/usage.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"

static uint64_t microseconds(struct timeval t)
{
	return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_usec;
}

void pw_usage_read(struct pw_usage *u)
{
	struct timespec cpu = {0};
	struct rusage self = {0};

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &cpu);
	getrusage(RUSAGE_SELF, &self);
	u->cpu_ns = (uint64_t)cpu.tv_sec * PW_NS_PER_S + (uint64_t)cpu.tv_nsec;
	u->user_us = microseconds(self.ru_utime);
	u->system_us = microseconds(self.ru_stime);
	u->voluntary = (uint64_t)self.ru_nvcsw;
	u->involuntary = (uint64_t)self.ru_nivcsw;
	u->minor_faults = (uint64_t)self.ru_minflt;
	u->major_faults = (uint64_t)self.ru_majflt;
}

void pw_usage_difference(
	const struct pw_usage *from, const struct pw_usage *to, struct pw_reading *r)
{
	uint64_t user_us = to->user_us - from->user_us;
	uint64_t system_us = to->system_us - from->system_us;
	uint64_t both_us = user_us + system_us;

	r->cpu_ns = to->cpu_ns - from->cpu_ns;
	/* Less than a microsecond has no proportion. Count it as user time, as the kernel does for a
	 * process that no tick has found in system mode. */
	r->system_ns =
		both_us ? (uint64_t)((double)r->cpu_ns * (double)system_us / (double)both_us) : 0;
	r->user_ns = r->cpu_ns - r->system_ns;
	r->voluntary = to->voluntary - from->voluntary;
	r->involuntary = to->involuntary - from->involuntary;
	r->minor_faults = to->minor_faults - from->minor_faults;
	r->major_faults = to->major_faults - from->major_faults;
}

int pw_ticks_open(void)
{
	return open("/proc/stat", O_RDONLY | O_CLOEXEC);
}

void pw_ticks_read(int fd, struct pw_ticks *t)
{
	uint64_t user, nice, system, idle, iowait, irq, softirq;
	char line[512];
	ssize_t n = fd < 0 ? -1 : pread(fd, line, sizeof(line) - 1, 0);

	*t = (struct pw_ticks){0};
	if (n <= 0)
		return;
	line[n] = '\0';
	/* The next fields are not read: stolen time, in which this machine did nothing, and the time
	 * of guests, which user and nice include. */
	if (sscanf(line,
		    "cpu %" SCNu64 " %" SCNu64 " %" SCNu64 " %" SCNu64 " %" SCNu64 " %" SCNu64
		    " %" SCNu64,
		    &user, &nice, &system, &idle, &iowait, &irq, &softirq) != 7)
		return;
	t->busy = user + nice + system + irq + softirq;
	t->softirq = softirq;
}

void pw_ticks_difference(
	const struct pw_ticks *from, const struct pw_ticks *to, struct pw_reading *r)
{
	uint64_t tick_ns = PW_NS_PER_S / (uint64_t)sysconf(_SC_CLK_TCK);

	r->machine_ns = (to->busy - from->busy) * tick_ns;
	r->machine_softirq_ns = (to->softirq - from->softirq) * tick_ns;
}
