/* SPDX-License-Identifier: BSD-3-Clause */
/* The meter without privileges: CPU time, faults, switches, ticks, and reasons for what is refused. */
#include "meter_util.h"

#include <dirent.h>
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "meter/kernfs.h"
#include "meter/usage.h"

static void spin(uint64_t ns)
{
	uint64_t end_ns = pw_clock_ns() + ns;

	while (pw_clock_ns() < end_ns)
		;
}

static void doze(int times)
{
	struct timespec ms = {.tv_nsec = 1000000};

	while (times-- > 0)
		nanosleep(&ms, NULL);
}

static void a_busy_loop_costs_cpu_time(void **state)
{
	uint64_t n_cpus = (uint64_t)sysconf(_SC_NPROCESSORS_ONLN);
	struct pw_meter *m = open_meter(false);
	struct pw_reading r;

	(void)state;
	pw_meter_start(m);
	spin(50 * 1000000);
	pw_meter_stop(m, &r);
	assert_true(r.wall_ns >= 50 * 1000000);
	assert_true(r.cpu_ns > 0 && r.cpu_ns <= (r.wall_ns + 1000000) * n_cpus);
	assert_int_equal(r.user_ns + r.system_ns, r.cpu_ns);
	assert_true(r.machine_softirq_ns <= r.machine_ns);
	pw_meter_close(m);
}

static void a_sleeper_costs_wall_time_only(void **state)
{
	struct pw_meter *m = open_meter(false);
	struct pw_reading r;

	(void)state;
	pw_meter_start(m);
	doze(60);
	pw_meter_stop(m, &r);
	assert_true(r.wall_ns >= 60 * 1000000);
	assert_true(r.cpu_ns < r.wall_ns / 2);
	pw_meter_close(m);
}

static void a_busy_process_makes_the_machine_busy(void **state)
{
	struct pw_meter *m = open_meter(false);
	struct pw_reading r;

	(void)state;
	pw_meter_start(m);
	spin(200 * 1000000);
	pw_meter_stop(m, &r);
	/* Ticks of 10 ms. Stolen time is not the machine's work. */
	assert_true(r.machine_ns >= 10 * 1000000);
	pw_meter_close(m);
}

/* A thread that is preempted before it sleeps may find that its wake-up time has passed. */
static void assert_slept(const struct pw_reading *r, uint64_t times)
{
	assert_in_range(r->voluntary + r->involuntary, times, times + 1000);
	assert_in_range(r->voluntary, times / 2, times + 10);
}

static void every_sleep_is_a_voluntary_switch(void **state)
{
	struct pw_meter *m = open_meter(false);
	struct pw_reading r;

	(void)state;
	pw_meter_start(m);
	doze(20);
	pw_meter_stop(m, &r);
	assert_slept(&r, 20);
	pw_meter_close(m);
}

struct spinner {
	cpu_set_t cpu;
	bool stop;
};

static void *spin_until_told(void *arg)
{
	struct spinner *s = arg;

	pthread_setaffinity_np(pthread_self(), sizeof(s->cpu), &s->cpu);
	while (!__atomic_load_n(&s->stop, __ATOMIC_RELAXED))
		;
	return NULL;
}

/* Two threads on one CPU alternate; the scheduler decides when the first of them is preempted. */
static void a_busy_neighbour_is_an_involuntary_switch(void **state)
{
	struct pw_meter *m = open_meter(false);
	struct spinner s = {.stop = false};
	struct pw_reading r = {0};
	pthread_t other;
	cpu_set_t all;
	int tries;

	(void)state;
	assert_int_equal(sched_getaffinity(0, sizeof(all), &all), 0);
	CPU_ZERO(&s.cpu);
	CPU_SET(sched_getcpu(), &s.cpu);
	assert_int_equal(sched_setaffinity(0, sizeof(s.cpu), &s.cpu), 0);
	assert_int_equal(pthread_create(&other, NULL, spin_until_told, &s), 0);
	for (tries = 0; tries < 50 && r.involuntary == 0; tries++) {
		pw_meter_start(m);
		spin(100 * 1000000);
		pw_meter_stop(m, &r);
	}
	__atomic_store_n(&s.stop, true, __ATOMIC_RELAXED);
	pthread_join(other, NULL);
	sched_setaffinity(0, sizeof(all), &all);
	pw_meter_close(m);
	assert_true(r.involuntary > 0);
}

/* AddressSanitizer would also touch its shadow of these pages. */
__attribute__((no_sanitize("address"))) static void touch(volatile char *p, size_t n_pages)
{
	size_t i;

	for (i = 0; i < n_pages; i++)
		p[i * 4096] = 1;
}

static void first_touches_are_minor_faults(void **state)
{
	struct pw_meter *m = open_meter(false);
	struct pw_reading r;
	char *p =
		mmap(NULL, 512 * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	(void)state;
	assert_true(p != MAP_FAILED);
	madvise(p, 512 * 4096, MADV_NOHUGEPAGE);
	pw_meter_start(m);
	touch(p, 512);
	pw_meter_stop(m, &r);
	assert_in_range(r.minor_faults, 512, 560);
	munmap(p, 512 * 4096);
	pw_meter_close(m);
}

static void each_reading_stands_alone(void **state)
{
	struct pw_meter *m = open_meter(false);
	struct pw_reading r;
	int i;

	(void)state;
	for (i = 0; i < 10; i++) {
		pw_meter_start(m);
		doze(3);
		pw_meter_stop(m, &r);
		assert_slept(&r, 3);
		assert_true(r.wall_ns >= 3000000 && r.wall_ns < 3 * PW_NS_PER_S);
		spin(1000000); /* between two measurements: not counted */
	}
	pw_meter_close(m);
}

static void a_reading_without_proportion_is_user_time(void **state)
{
	struct pw_usage from = {.cpu_ns = 1000}, to = {.cpu_ns = 1700};
	struct pw_reading r;

	(void)state;
	pw_usage_difference(&from, &to, &r);
	assert_int_equal(r.cpu_ns, 700);
	assert_int_equal(r.user_ns, 700);
	assert_int_equal(r.system_ns, 0);
}

static void cpu_time_is_split_by_proportion(void **state)
{
	struct pw_usage from = {.cpu_ns = 5000, .user_us = 100, .system_us = 50};
	struct pw_usage to = {.cpu_ns = 9001000, .user_us = 3100, .system_us = 6050};
	struct pw_reading r;

	(void)state;
	pw_usage_difference(&from, &to, &r);
	assert_int_equal(r.cpu_ns, 8996000);
	assert_int_equal(r.user_ns + r.system_ns, 8996000);
	assert_in_range(r.system_ns, 8996000ull * 2 / 3 - 1, 8996000ull * 2 / 3 + 1);
}

/* A file in the format of /proc/stat: stolen time and iowait are not work. */
static void idle_and_stolen_ticks_are_not_work(void **state)
{
	static const char text[] = "cpu  100 20 300 4000 500 6 70 8000 90 9\ncpu0 1 1 1 1 1 1 1\n";
	struct pw_ticks t;
	int fd = memfd_create("stat", MFD_CLOEXEC);

	(void)state;
	assert_int_equal(write(fd, text, sizeof(text) - 1), sizeof(text) - 1);
	pw_ticks_read(fd, &t);
	assert_int_equal(t.busy, 100 + 20 + 300 + 6 + 70);
	assert_int_equal(t.softirq, 70);
	close(fd);
	pw_ticks_read(-1, &t);
	assert_int_equal(t.busy, 0);
}

static int count_fds(void)
{
	DIR *d = opendir("/proc/self/fd");
	int n = 0;

	assert_non_null(d);
	while (readdir(d))
		n++;
	closedir(d);
	return n;
}

static size_t read_mounts(char *buf, size_t len)
{
	FILE *f = fopen("/proc/self/mountinfo", "re");
	size_t n;

	assert_non_null(f);
	n = fread(buf, 1, len, f);
	fclose(f);
	return n;
}

static void nothing_is_left_open_or_mounted(void **state)
{
	static char before[1 << 16], after[1 << 16];
	size_t n_before = read_mounts(before, sizeof(before));
	int fds = count_fds();

	(void)state;
	pw_meter_close(open_meter(true));
	assert_int_equal(count_fds(), fds);
	assert_int_equal(read_mounts(after, sizeof(after)), n_before);
	assert_memory_equal(before, after, n_before);
	pw_meter_close(NULL);
}

static void what_is_not_measured_says_why(void **state)
{
	struct pw_meter *m = open_meter(true);
	struct pw_reading r;
	const char *why[PW_METER_N_SOURCES];
	int i;

	(void)state;
	pw_meter_start(m);
	pw_meter_stop(m, &r);
	for (i = 0; i < PW_METER_N_SOURCES; i++) {
		why[i] = pw_meter_why(m, (enum pw_meter_source)i);
		if (!why[i])
			continue;
		print_message("# not measured: %s\n", why[i]);
		assert_null(strchr(why[i], '\n'));
		assert_true(strlen(why[i]) < PW_ERR_MAX - 1);
		assert_non_null(strchr(why[i], ';')); /* the fix */
	}
	assert_int_equal(r.syscalls == PW_UNMEASURED, why[PW_METER_SYSCALLS] != NULL);
	assert_int_equal(r.user_faults == PW_UNMEASURED || r.kernel_faults == PW_UNMEASURED,
		why[PW_METER_FAULTS] != NULL);
	assert_int_equal(r.cycles == PW_UNMEASURED || r.instructions == PW_UNMEASURED ||
				 r.llc_misses == PW_UNMEASURED,
		why[PW_METER_HARDWARE] != NULL);
	assert_int_equal(r.copied_bytes == PW_UNMEASURED, why[PW_METER_COPIES] != NULL);
	assert_int_equal(r.n_probes == 0, why[PW_METER_COPIES] != NULL);
	pw_meter_close(m);
}

static void copies_that_nobody_wants_need_no_reason(void **state)
{
	struct pw_meter *m = open_meter(false);
	struct pw_reading r;

	(void)state;
	assert_null(pw_meter_why(m, PW_METER_COPIES));
	pw_meter_start(m);
	pw_meter_stop(m, &r);
	assert_true(r.copied_bytes == PW_UNMEASURED);
	assert_int_equal(r.n_probes, 0);
	pw_meter_close(m);
}

/* Opens everything that needs privilege, in a child that has none. */
static int measure_unprivileged(void)
{
	struct pw_meter *m;
	struct pw_reading r;
	int i, ok = 1;

	if (setresgid(65534, 65534, 65534) || setresuid(65534, 65534, 65534) ||
		pw_meter_open(&m, PW_METER_CALLS | 1u << PW_METER_HARDWARE | 1u << PW_METER_COPIES,
			NULL, NULL))
		return 2;
	pw_meter_start(m);
	spin(1000000);
	pw_meter_stop(m, &r);
	for (i = 0; i < PW_METER_N_SOURCES; i++)
		if (pw_meter_why(m, (enum pw_meter_source)i))
			print_message(
				"# unprivileged: %s\n", pw_meter_why(m, (enum pw_meter_source)i));
	ok = r.syscalls == PW_UNMEASURED && r.user_faults == PW_UNMEASURED &&
	     r.copied_bytes == PW_UNMEASURED && r.cpu_ns > 0 && r.wall_ns >= 1000000;
	ok = ok && strstr(pw_meter_why(m, PW_METER_SYSCALLS), "run as root");
	ok = ok && strstr(pw_meter_why(m, PW_METER_FAULTS), "run as root");
	pw_meter_close(m);
	return !ok;
}

static void without_privilege_cpu_time_is_still_measured(void **state)
{
	int status;
	pid_t pid;

	(void)state;
	if (geteuid() != 0) {
		print_message("# skipped: not root, so there is no privilege to drop\n");
		skip();
	}
	fflush(NULL);
	pid = fork();
	if (pid == 0)
		_exit(measure_unprivileged());
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
}

static void lockdown_is_one_word(void **state)
{
	char word[32];

	(void)state;
	pw_kernfs_lockdown(word, sizeof(word));
	print_message("# lockdown: '%s'\n", word);
	assert_null(strpbrk(word, "[] \n"));
}

static void a_tracepoint_that_is_not_there_has_no_id(void **state)
{
	int r = pw_kernfs_tracepoint_id("raw_syscalls", "sys_nothing");

	(void)state;
	assert_true(r == -ENOENT || r == -EPERM || r == -EACCES || r == -ENODEV);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_busy_loop_costs_cpu_time),
		cmocka_unit_test(a_sleeper_costs_wall_time_only),
		cmocka_unit_test(a_busy_process_makes_the_machine_busy),
		cmocka_unit_test(every_sleep_is_a_voluntary_switch),
		cmocka_unit_test(a_busy_neighbour_is_an_involuntary_switch),
		cmocka_unit_test(first_touches_are_minor_faults),
		cmocka_unit_test(each_reading_stands_alone),
		cmocka_unit_test(a_reading_without_proportion_is_user_time),
		cmocka_unit_test(cpu_time_is_split_by_proportion),
		cmocka_unit_test(idle_and_stolen_ticks_are_not_work),
		cmocka_unit_test(nothing_is_left_open_or_mounted),
		cmocka_unit_test(what_is_not_measured_says_why),
		cmocka_unit_test(copies_that_nobody_wants_need_no_reason),
		cmocka_unit_test(without_privilege_cpu_time_is_still_measured),
		cmocka_unit_test(lockdown_is_one_word),
		cmocka_unit_test(a_tracepoint_that_is_not_there_has_no_id),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
