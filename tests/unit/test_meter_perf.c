/* SPDX-License-Identifier: BSD-3-Clause */
/* The meter's perf events: system calls, page faults and cycles, of all threads, and nothing else. */
#include "meter_util.h"

#include <fcntl.h>
#include <liburing.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define PAGE    4096
#define N_PAGES 256

static struct pw_meter *open_or_skip(enum pw_meter_source source)
{
	struct pw_meter *m = open_meter(false);

	if (!has_source(m, source)) {
		pw_meter_close(m);
		skip();
	}
	return m;
}

static void call(int times)
{
	while (times-- > 0)
		syscall(SYS_getppid); /* the C library always makes this call */
}

static void the_meters_own_calls_are_not_counted(void **state)
{
	struct pw_meter *m = open_or_skip(PW_METER_SYSCALLS);
	struct pw_reading r;
	int i;

	(void)state;
	for (i = 0; i < 5; i++) {
		pw_meter_start(m);
		pw_meter_stop(m, &r);
		assert_int_equal(r.syscalls, 0);
		assert_int_equal(r.user_faults, 0);
		call(3); /* between two measurements */
	}
	pw_meter_close(m);
}

static void system_calls_are_counted_one_by_one(void **state)
{
	static const int n[] = {1, 2, 1000, 12345};
	struct pw_meter *m = open_or_skip(PW_METER_SYSCALLS);
	struct pw_reading r;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(n) / sizeof(n[0]); i++) {
		pw_meter_start(m);
		call(n[i]);
		pw_meter_stop(m, &r);
		assert_int_equal(r.syscalls, n[i]);
	}
	pw_meter_close(m);
}

/* A thread that makes calls on request. Requests are words in memory: a system call would be counted. */
struct caller {
	int turn;  /* raised by the test */
	int done;  /* follows turn */
	int times; /* 0: end */
	bool touch;
	volatile char *pages;
};

/* AddressSanitizer would also touch its shadow of these pages. */
__attribute__((no_sanitize("address"))) static void touch(volatile char *p, size_t n_pages)
{
	size_t i;

	for (i = 0; i < n_pages; i++)
		p[i * PAGE] = 1;
}

static void *calls_when_told(void *arg)
{
	struct caller *c = arg;
	int seen = 0;

	for (;;) {
		while (__atomic_load_n(&c->turn, __ATOMIC_ACQUIRE) == seen)
			;
		seen++;
		if (c->touch)
			touch(c->pages, N_PAGES);
		call(c->times);
		if (c->times == 0)
			return NULL;
		__atomic_store_n(&c->done, seen, __ATOMIC_RELEASE);
	}
}

static void tell(struct caller *c, int times)
{
	c->times = times;
	__atomic_add_fetch(&c->turn, 1, __ATOMIC_RELEASE);
}

static void await(struct caller *c)
{
	while (__atomic_load_n(&c->done, __ATOMIC_ACQUIRE) != c->turn)
		;
}

static void threads_made_after_open_are_counted(void **state)
{
	struct pw_meter *m = open_or_skip(PW_METER_SYSCALLS);
	struct caller c = {.turn = 0};
	struct pw_reading r;
	pthread_t thread;
	int i;

	(void)state;
	assert_int_equal(pthread_create(&thread, NULL, calls_when_told, &c), 0);
	tell(&c, 1); /* the thread runs: its creation is over */
	await(&c);
	for (i = 0; i < 3; i++) {
		pw_meter_start(m);
		tell(&c, 500);
		call(70);
		await(&c);
		pw_meter_stop(m, &r);
		assert_int_equal(r.syscalls, 570);
		tell(&c, 11); /* between two measurements */
		await(&c);
	}
	tell(&c, 0);
	pthread_join(thread, NULL);
	pw_meter_close(m);
}

static void *calls_and_ends(void *arg)
{
	(void)arg;
	call(400);
	return NULL;
}

/* Creating and ending a thread makes fewer than 100 calls. */
static void threads_that_ended_are_counted(void **state)
{
	struct pw_meter *m = open_or_skip(PW_METER_SYSCALLS);
	struct pw_reading r;
	pthread_t thread;

	(void)state;
	pw_meter_start(m);
	assert_int_equal(pthread_create(&thread, NULL, calls_and_ends, NULL), 0);
	pthread_join(thread, NULL);
	pw_meter_stop(m, &r);
	assert_in_range(r.syscalls, 400, 499);
	pw_meter_close(m);
}

static void another_process_is_not_counted(void **state)
{
	struct pw_meter *m = open_or_skip(PW_METER_SYSCALLS);
	struct pw_reading r;
	pid_t pid;

	(void)state;
	pw_meter_start(m);
	pid = fork();
	if (pid == 0) {
		call(1000);
		_exit(0);
	}
	waitpid(pid, NULL, 0);
	pw_meter_stop(m, &r);
	assert_in_range(r.syscalls, 2, 99);
	pw_meter_close(m);
}

/* With SQPOLL a kernel thread of this process polls: it uses CPU time, which counts, and makes no system
 * call. The scheduler decides how much of a sleep it uses. */
static void an_sqpoll_thread_costs_cpu_time_and_no_calls(void **state)
{
	struct pw_meter *m = open_or_skip(PW_METER_SYSCALLS);
	struct io_uring_params p = {.flags = IORING_SETUP_SQPOLL, .sq_thread_idle = 20000};
	struct timespec nap = {.tv_nsec = 50000000};
	struct io_uring ring;
	struct pw_reading r = {0};
	int tries, err = io_uring_queue_init_params(8, &ring, &p);

	(void)state;
	if (err) {
		print_message("# skipped: io_uring with SQPOLL: %s\n", strerror(-err));
		pw_meter_close(m);
		skip();
	}
	io_uring_prep_nop(io_uring_get_sqe(&ring));
	assert_int_equal(io_uring_submit(&ring), 1); /* wakes it */
	for (tries = 0; tries < 100 && r.cpu_ns < 10000000; tries++) {
		pw_meter_start(m);
		nanosleep(&nap, NULL);
		pw_meter_stop(m, &r);
		assert_int_equal(r.syscalls, 1);
	}
	assert_true(r.cpu_ns >= 10000000);
	io_uring_queue_exit(&ring);
	pw_meter_close(m);
}

static volatile char *fresh_pages(void)
{
	char *p = mmap(
		NULL, N_PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	assert_true(p != MAP_FAILED);
	madvise(p, N_PAGES * PAGE, MADV_NOHUGEPAGE);
	return p;
}

static void drop_pages(volatile char *p)
{
	munmap((void *)p, N_PAGES * PAGE);
}

static void first_touches_are_user_faults(void **state)
{
	struct pw_meter *m = open_or_skip(PW_METER_FAULTS);
	volatile char *warm = fresh_pages(), *p = fresh_pages();
	struct pw_reading r;

	(void)state;
	touch(warm, N_PAGES); /* the pages of the loop's code */
	pw_meter_start(m);
	touch(p, N_PAGES);
	pw_meter_stop(m, &r);
	assert_int_equal(r.user_faults, N_PAGES);
	assert_int_equal(r.kernel_faults, 0);
	pw_meter_start(m);
	touch(p, N_PAGES); /* again: the pages are present */
	pw_meter_stop(m, &r);
	assert_int_equal(r.user_faults, 0);
	drop_pages(warm);
	drop_pages(p);
	pw_meter_close(m);
}

static void a_threads_touches_are_user_faults(void **state)
{
	struct pw_meter *m = open_or_skip(PW_METER_FAULTS);
	struct caller c = {.touch = true, .pages = fresh_pages()};
	volatile char *warm = c.pages;
	struct pw_reading r;
	pthread_t thread;

	(void)state;
	assert_int_equal(pthread_create(&thread, NULL, calls_when_told, &c), 0);
	tell(&c, 1);
	await(&c);
	c.pages = fresh_pages();
	pw_meter_start(m);
	tell(&c, 1);
	await(&c);
	pw_meter_stop(m, &r);
	assert_int_equal(r.user_faults, N_PAGES);
	tell(&c, 0);
	pthread_join(thread, NULL);
	drop_pages(warm);
	drop_pages(c.pages);
	pw_meter_close(m);
}

/* read() into untouched pages: the kernel's copy faults, without a mode switch. */
static void the_kernels_first_touches_are_kernel_faults(void **state)
{
	struct pw_meter *m = open_or_skip(PW_METER_FAULTS);
	volatile char *warm = fresh_pages(), *p = fresh_pages();
	int zero = open("/dev/zero", O_RDONLY | O_CLOEXEC);
	struct pw_reading r;

	(void)state;
	assert_true(zero >= 0);
	/* Not read(): AddressSanitizer's wrapper would touch the shadow. */
	assert_int_equal(syscall(SYS_read, zero, warm, N_PAGES * PAGE), N_PAGES * PAGE);
	pw_meter_start(m);
	syscall(SYS_read, zero, p, N_PAGES * PAGE);
	pw_meter_stop(m, &r);
	assert_int_equal(r.kernel_faults, N_PAGES);
	assert_int_equal(r.user_faults, 0);
	if (r.syscalls != PW_UNMEASURED)
		assert_int_equal(r.syscalls, 1);
	close(zero);
	drop_pages(warm);
	drop_pages(p);
	pw_meter_close(m);
}

/* As mmap + write does: writes a mapped file, untouched by this process, into a pipe. */
static void a_write_from_a_fresh_mapping_faults_in_the_kernel(void **state)
{
	struct pw_meter *m = open_or_skip(PW_METER_FAULTS);
	int file = memfd_create("pages", MFD_CLOEXEC), fds[2];
	struct pw_reading r;
	ssize_t n;
	void *map;

	(void)state;
	assert_int_equal(ftruncate(file, 8 * PAGE), 0);
	assert_int_equal(fallocate(file, 0, 0, 8 * PAGE), 0);
	assert_int_equal(pipe(fds), 0);
	map = mmap(NULL, 8 * PAGE, PROT_READ, MAP_SHARED, file, 0);
	assert_true(map != MAP_FAILED);
	pw_meter_start(m);
	n = syscall(SYS_write, fds[1], map, 8 * PAGE);
	pw_meter_stop(m, &r);
	assert_int_equal(n, 8 * PAGE);
	assert_int_equal(r.user_faults, 0);
	assert_in_range(r.kernel_faults, 1, 8); /* the kernel also maps neighbouring pages */
	munmap(map, 8 * PAGE);
	close(fds[0]);
	close(fds[1]);
	close(file);
	pw_meter_close(m);
}

static void cycles_and_instructions_grow_with_work(void **state)
{
	struct pw_meter *m = open_or_skip(PW_METER_HARDWARE);
	struct pw_reading few, many;
	volatile int i;

	(void)state;
	pw_meter_start(m);
	pw_meter_stop(m, &few);
	pw_meter_start(m);
	for (i = 0; i < 10000000; i++)
		;
	pw_meter_stop(m, &many);
	assert_true(many.cycles > 10000000 / 4 && many.instructions > 10000000);
	assert_true(few.instructions < many.instructions / 10);
	pw_meter_close(m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_meters_own_calls_are_not_counted),
		cmocka_unit_test(system_calls_are_counted_one_by_one),
		cmocka_unit_test(threads_made_after_open_are_counted),
		cmocka_unit_test(threads_that_ended_are_counted),
		cmocka_unit_test(another_process_is_not_counted),
		cmocka_unit_test(an_sqpoll_thread_costs_cpu_time_and_no_calls),
		cmocka_unit_test(first_touches_are_user_faults),
		cmocka_unit_test(a_threads_touches_are_user_faults),
		cmocka_unit_test(the_kernels_first_touches_are_kernel_faults),
		cmocka_unit_test(a_write_from_a_fresh_mapping_faults_in_the_kernel),
		cmocka_unit_test(cycles_and_instructions_grow_with_work),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
