/* SPDX-License-Identifier: BSD-3-Clause */
#include "file_util.h"

#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "file/guard.h"
#include "file/window.h"

static struct page_dirs dirs;
static struct sigaction guarding; /* what pw_guard_init() installed */

/* cmocka puts a SIGBUS handler of its own around each test. */
static void guard_on(void)
{
	assert_int_equal(sigaction(SIGBUS, &guarding, NULL), 0);
}

struct mapped {
	int fd;
	uint8_t *p;
	uint64_t len;
};

static void map_file(struct mapped *m, uint64_t pages)
{
	char path[128];

	m->len = pages * 4096;
	make_file(path_in(path, sizeof(path), dirs.tmp, "guarded"), m->len);
	m->fd = open(path, O_RDWR | O_CLOEXEC);
	assert_true(m->fd >= 0);
	m->p = mmap(NULL, m->len, PROT_READ, MAP_SHARED, m->fd, 0);
	assert_ptr_not_equal(m->p, MAP_FAILED);
}

static void unmap_file(struct mapped *m)
{
	munmap(m->p, m->len);
	close(m->fd);
}

static void assert_zeros(const volatile uint8_t *p, uint64_t len)
{
	uint64_t i;

	for (i = 0; i < len; i++)
		if (p[i] != 0)
			fail_msg("byte %llu is not 0", (unsigned long long)i);
}

/* The signal that ends a child which reads p with the guard as it stands; 0: none does. */
static int signal_of_reading(const volatile uint8_t *p)
{
	int status;
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0) {
		struct rlimit none = {0, 0};

		setrlimit(RLIMIT_CORE, &none);
		if (p)
			(void)*p;
		else
			kill(getpid(), SIGBUS);
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return WIFSIGNALED(status) ? WTERMSIG(status) : 0;
}

static void a_fault_outside_every_range_is_still_fatal(void **state)
{
	struct mapped m;
	int slot;

	(void)state;
	guard_on();
	map_file(&m, 4);
	slot = pw_guard_add(m.p + 4096, 2 * 4096, 4096);
	assert_true(slot >= 0);
	assert_int_equal(ftruncate(m.fd, 0), 0);
	assert_int_equal(signal_of_reading(m.p + 4096 - 1), SIGBUS);
	assert_int_equal(signal_of_reading(m.p + 4096), 0);
	assert_int_equal(signal_of_reading(m.p + 3 * 4096 - 1), 0);
	assert_int_equal(signal_of_reading(m.p + 3 * 4096), SIGBUS);
	pw_guard_remove(slot);
	assert_int_equal(signal_of_reading(m.p + 4096), SIGBUS);
	assert_int_equal(signal_of_reading(NULL), SIGBUS);
	/* the children's losses were their own */
	assert_false(pw_guard_any_lost());
	unmap_file(&m);
}

static void a_truncated_file_reads_as_zeros_and_is_lost(void **state)
{
	struct mapped m;
	int slot;

	(void)state;
	guard_on();
	map_file(&m, 8);
	slot = pw_guard_add(m.p, m.len - 100, 4096);
	assert_true(slot >= 0);
	assert_false(pw_guard_lost(slot));
	assert_pattern(m.p, 0, m.len);
	assert_false(pw_guard_lost(slot));
	assert_int_equal(ftruncate(m.fd, 3 * 4096), 0);
	errno = 4711;
	assert_zeros(m.p + 5 * 4096 + 77, 1);   /* a fault in the middle of a page */
	assert_zeros(m.p + 3 * 4096, 5 * 4096); /* the last 100 bytes share a guarded page */
	assert_int_equal(errno, 4711);
	assert_true(pw_guard_lost(slot));
	assert_true(pw_guard_any_lost());
	assert_pattern(m.p, 0, 3 * 4096);
	pw_guard_remove(slot);
	unmap_file(&m);
}

static void a_reused_slot_starts_whole(void **state)
{
	struct mapped m;
	int slot, again;

	(void)state;
	guard_on();
	map_file(&m, 2);
	slot = pw_guard_add(m.p, m.len, 4096);
	assert_int_equal(ftruncate(m.fd, 0), 0);
	assert_zeros(m.p, m.len);
	assert_true(pw_guard_lost(slot));
	pw_guard_remove(slot);
	again = pw_guard_add(&m, sizeof(m), 4096);
	assert_int_equal(again, slot);
	assert_false(pw_guard_lost(again));
	pw_guard_remove(again);
	unmap_file(&m);
}

static void *read_all(void *arg)
{
	const struct mapped *m = arg;
	volatile const uint8_t *p = m->p;
	uintptr_t sum = 0;
	uint64_t i;

	for (i = 0; i < m->len; i++)
		sum += p[i];
	return (void *)sum;
}

static void a_fault_of_another_thread_is_caught(void **state)
{
	pthread_t threads[4];
	struct mapped m;
	void *sum;
	int slot, i;

	(void)state;
	guard_on();
	map_file(&m, 64);
	slot = pw_guard_add(m.p, m.len, 4096);
	assert_int_equal(ftruncate(m.fd, 0), 0);
	for (i = 0; i < 4; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, read_all, &m), 0);
	for (i = 0; i < 4; i++) {
		assert_int_equal(pthread_join(threads[i], &sum), 0);
		assert_null(sum);
	}
	assert_true(pw_guard_lost(slot));
	pw_guard_remove(slot);
	unmap_file(&m);
}

static void a_lost_huge_page_becomes_zeros(void **state)
{
	char path[128];
	uint64_t len = 2 * HUGE_BYTES + 5, map_bytes;
	struct pw_window w;
	void *map;
	int fd, slot;

	(void)state;
	guard_on();
	need_huge(&dirs);
	path_in(path, sizeof(path), dirs.huge, "guarded");
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	assert_int_equal(pw_hugefile_create(fd, path, len, HUGE_BYTES, &map, &map_bytes, NULL), 0);
	fill_pattern(map, 0, len);
	munmap(map, map_bytes);
	assert_int_equal(pw_hugefile_open(&w, path, NULL, NULL), 0);
	slot = pw_guard_add(w.map, w.len_bytes, w.page_bytes);
	assert_int_equal(ftruncate(fd, HUGE_BYTES), 0);
	assert_zeros((uint8_t *)w.map + 2 * HUGE_BYTES + 12345, 1);
	assert_zeros((uint8_t *)w.map + HUGE_BYTES, 2 * HUGE_BYTES);
	assert_true(pw_guard_lost(slot));
	assert_pattern(w.map, 0, HUGE_BYTES);
	assert_int_equal(pw_window_check(&w, path, NULL), -ESTALE);
	pw_guard_remove(slot);
	pw_window_close(&w);
	close(fd);
	unlink(path);
}

static void a_full_table_says_so_and_works_again(void **state)
{
	static int slots[4096];
	static uint8_t byte;
	int i;

	(void)state;
	for (i = 0; i < 4096; i++) {
		slots[i] = pw_guard_add(&byte, 1, 4096);
		assert_true(slots[i] >= 0);
	}
	assert_int_equal(pw_guard_add(&byte, 1, 4096), -ENOSPC);
	assert_false(pw_guard_lost(-ENOSPC));
	pw_guard_remove(slots[1000]);
	assert_int_equal(pw_guard_add(&byte, 1, 4096), slots[1000]);
	for (i = 0; i < 4096; i++)
		pw_guard_remove(slots[i]);
	pw_guard_remove(slots[0]); /* twice: no harm */
	pw_guard_remove(-1);
	assert_true(pw_guard_add(&byte, 1, 4096) >= 0);
}

/* Ranges come and go while another thread faults: the handler must find its own all the same. */
static void *add_and_remove(void *arg)
{
	static uint8_t far[1 << 16];
	int i;

	(void)arg;
	for (i = 0; i < 20000; i++) {
		int slot = pw_guard_add(far, (size_t)(i % 15 + 1) * 4096, 4096);

		pw_guard_remove(slot);
	}
	return NULL;
}

static void faults_are_caught_while_the_table_changes(void **state)
{
	pthread_t churn, reader;
	struct mapped m;
	void *sum;
	int slot;

	(void)state;
	guard_on();
	map_file(&m, 512);
	slot = pw_guard_add(m.p, m.len, 4096);
	assert_int_equal(ftruncate(m.fd, 0), 0);
	assert_int_equal(pthread_create(&churn, NULL, add_and_remove, NULL), 0);
	assert_int_equal(pthread_create(&reader, NULL, read_all, &m), 0);
	pthread_join(reader, &sum);
	pthread_join(churn, NULL);
	assert_null(sum);
	assert_true(pw_guard_lost(slot));
	pw_guard_remove(slot);
	unmap_file(&m);
}

static int teardown(void **state)
{
	(void)state;
	dirs_drop(&dirs);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_fault_outside_every_range_is_still_fatal),
		cmocka_unit_test(a_truncated_file_reads_as_zeros_and_is_lost),
		cmocka_unit_test(a_reused_slot_starts_whole),
		cmocka_unit_test(a_fault_of_another_thread_is_caught),
		cmocka_unit_test(a_lost_huge_page_becomes_zeros),
		cmocka_unit_test(faults_are_caught_while_the_table_changes),
		cmocka_unit_test(a_full_table_says_so_and_works_again),
	};

	/* What a sanitizer put there would hide the default action. */
	signal(SIGBUS, SIG_DFL);
	if (pw_guard_init(NULL) < 0 || pw_guard_init(NULL) < 0)
		return 1;
	sigaction(SIGBUS, NULL, &guarding);
	dirs_make(&dirs, 8);
	return cmocka_run_group_tests(tests, NULL, teardown);
}
