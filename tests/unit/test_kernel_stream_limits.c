/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The stream ways on restricted hosts: without io_uring, with little memory to lock; and with a kernel
 * thread that submits. Tests that change the process run in a child, which reports what it saw.
 */
#include "stream_util.h"

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#define FILE_BYTES ((4u << 20) + 13)
#define NOBODY     65534

static struct page_dirs dirs;

static void open_file(struct pw_window *win)
{
	struct pw_err err = {0};
	char path[128];

	make_file(path_in(path, sizeof(path), dirs.tmp, "file"), FILE_BYTES);
	if (pw_pagecache_open(win, path, NULL, &err) < 0)
		fail_msg("%s", err.msg);
}

static void open_huge(struct pw_window *win)
{
	uint64_t map_bytes;
	char path[128];
	void *map;
	int fd = open(path_in(path, sizeof(path), dirs.huge, "file"),
		O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(
		pw_hugefile_create(fd, path, FILE_BYTES, HUGE_BYTES, &map, &map_bytes, NULL), 0);
	fill_pattern(map, 0, FILE_BYTES);
	munmap(map, map_bytes);
	close(fd);
	assert_int_equal(pw_hugefile_open(win, path, NULL, NULL), 0);
	unlink(path);
}

static const struct pw_way *find_way(const char *name)
{
	const struct pw_way *way = pw_way_find(name);

	assert_non_null(way);
	return way;
}

static void keep_line(void *ctx, enum pw_log_level level, const char *line)
{
	(void)level;
	snprintf(ctx, 256, "%s", line);
}

/* A child's results, in memory that it shares with its parent. */
struct seen {
	int ret;
	uint64_t bytes, zc_done, zc_copied;
	char log[256];
	struct pw_err err;
};

static void send_file(const struct pw_way *way, struct pw_way_config *cfg, struct seen *seen)
{
	struct pw_log log = {.level = PW_LOG_WARN, .sink = keep_line, .ctx = seen->log};
	const struct pw_tx_counters *c;
	struct sent sent;
	void *path;

	cfg->log = &log;
	seen->ret = pw_way_open(way, &path, cfg, &seen->err);
	if (seen->ret < 0)
		return;
	send_range(way, path, 0, cfg->win->len_bytes, cfg->chunk_bytes, &sent);
	seen->ret = sent.ret;
	if (sent.ret < 0)
		seen->err = sent.err;
	c = way->stream->counters(path);
	seen->bytes = c->payload_bytes;
	seen->zc_done = c->zc_done;
	seen->zc_copied = c->zc_copied;
	pw_way_close(path);
}

static void in_child(bool (*prepare)(const void *), const void *how, const struct pw_way *way,
	struct pw_way_config *cfg, struct seen *seen)
{
	struct seen *shared = mmap(
		NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	int status;
	pid_t pid;

	assert_ptr_not_equal(shared, MAP_FAILED);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		if (!prepare(how))
			_exit(77);
		send_file(way, cfg, shared);
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	*seen = *shared;
	munmap(shared, sizeof(*shared));
	if (WIFEXITED(status) && WEXITSTATUS(status) == 77) {
		print_message("# skipped: this host lets the test not change its limits\n");
		skip();
	}
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

static void skip_lacking(const struct seen *seen)
{
	if (seen->ret == -EPERM || seen->ret == -ENOSYS || seen->ret == -EOPNOTSUPP) {
		print_message("# skipped: %s\n", seen->err.msg);
		skip();
	}
}

static void assert_arrived(struct server *s, const struct seen *seen)
{
	if (seen->ret < 0)
		fail_msg("%s", seen->err.msg);
	assert_int_equal(seen->bytes, FILE_BYTES);
	assert_int_equal(s->n_bytes, FILE_BYTES);
	assert_pattern(s->bytes, 0, FILE_BYTES);
	server_free(s);
}

static void a_kernel_thread_may_submit(void **state)
{
	static const char *const names[] = {"uring_send", "uring_send_zc"};
	struct pw_window win;
	size_t i;

	(void)state;
	open_file(&win);
	for (i = 0; i < PW_ARRAY_LEN(names); i++) {
		struct server s = {.rcvbuf = 65536};
		struct pw_way_config cfg;
		struct seen seen = {0};

		server_start(&s, FILE_BYTES);
		cfg = stream_config(&s, &win, CHUNK);
		cfg.sqpoll = true;
		send_file(find_way(names[i]), &cfg, &seen);
		server_stop(&s);
		skip_lacking(&seen);
		assert_arrived(&s, &seen);
		assert_int_equal(seen.zc_copied, seen.zc_done);
	}
	pw_window_close(&win);
}

/* Makes io_uring_setup() fail with the errno value, as a container's filter does. */
static bool forbid_io_uring(const void *how)
{
	unsigned int code = *(const unsigned int *)how;
	struct sock_filter f[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, __NR_io_uring_setup, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | code),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog prog = {.len = PW_ARRAY_LEN(f), .filter = f};

	return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
	       prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &prog) == 0;
}

static void without_io_uring_its_ways_name_the_reason(void **state)
{
	static const char *const names[] = {"uring_send", "uring_send_zc"};
	static const struct {
		unsigned int code;
		const char *reason;
	} refusals[] = {{EPERM, "kernel.io_uring_disabled"}, {ENOSYS, "this kernel has none"}};
	struct pw_way_config cfg = {.chunk_bytes = CHUNK};
	struct pw_window win;
	struct seen seen;
	size_t i, k;

	(void)state;
	open_file(&win);
	cfg.win = &win;
	/* no process listens on the port: the way must fail before it connects */
	cfg.flow.dst = (struct pw_addr){.family = 4, .bytes = {127, 0, 0, 1}, .port = 1};
	for (i = 0; i < PW_ARRAY_LEN(names); i++) {
		for (k = 0; k < PW_ARRAY_LEN(refusals); k++) {
			in_child(forbid_io_uring, &refusals[k].code, find_way(names[i]), &cfg,
				&seen);
			assert_int_equal(seen.ret, -(int)refusals[k].code);
			assert_non_null(strstr(seen.err.msg, refusals[k].reason));
		}
	}
	pw_window_close(&win);
}

/* The limit applies only to a user without CAP_IPC_LOCK. */
static bool limit_memlock(const void *how)
{
	const struct rlimit limit = {*(const rlim_t *)how, *(const rlim_t *)how};

	if (setrlimit(RLIMIT_MEMLOCK, &limit) < 0)
		return false;
	return geteuid() != 0 || setresuid(NOBODY, NOBODY, NOBODY) == 0;
}

static void send_limited(const char *name, const struct pw_window *win, rlim_t limit,
	struct server *s, struct seen *seen)
{
	struct pw_way_config cfg;

	server_start(s, win->len_bytes);
	cfg = stream_config(s, win, CHUNK);
	in_child(limit_memlock, &limit, find_way(name), &cfg, seen);
	server_stop(s);
	skip_lacking(seen);
}

static void little_memory_to_lock_slows_zero_copy_and_stops_nothing(void **state)
{
	static const char *const names[] = {"msg_zerocopy", "uring_send_zc"};
	struct pw_window win;
	struct seen seen;
	size_t i;

	(void)state;
	open_file(&win);
	for (i = 0; i < PW_ARRAY_LEN(names); i++) {
		/* memory for three chunks, and a slow reader */
		struct server s = {.rcvbuf = 8192, .wait_ms = 100};

		send_limited(names[i], &win, 3 * CHUNK + 4096, &s, &seen);
		assert_arrived(&s, &seen);
		assert_true(seen.zc_done > 0);
		assert_int_equal(seen.zc_copied, seen.zc_done);
	}
	pw_window_close(&win);
}

static void no_memory_to_lock_is_a_clear_error(void **state)
{
	static const char *const names[] = {"msg_zerocopy", "uring_send_zc"};
	struct pw_window win;
	struct seen seen;
	size_t i;

	(void)state;
	open_file(&win);
	for (i = 0; i < PW_ARRAY_LEN(names); i++) {
		struct server s = {0};

		/* enough memory for the rings, not for a chunk */
		send_limited(names[i], &win, CHUNK / 2, &s, &seen);
		assert_true(seen.ret == -ENOBUFS || seen.ret == -ENOMEM);
		assert_non_null(strstr(seen.err.msg, "memlock limit"));
		assert_int_equal(s.n_bytes, 0);
		server_free(&s);
	}
	pw_window_close(&win);
}

static void send_zc_registers_huge_pages_and_says_where_it_cannot(void **state)
{
	const struct pw_way *way = find_way("uring_send_zc");
	struct server s = {0};
	struct pw_way_config cfg;
	struct pw_window win;
	struct seen seen = {0};

	(void)state;
	open_file(&win);
	server_start(&s, FILE_BYTES);
	cfg = stream_config(&s, &win, CHUNK);
	send_file(way, &cfg, &seen);
	server_stop(&s);
	skip_lacking(&seen);
	assert_arrived(&s, &seen);
	assert_non_null(strstr(seen.log, "registers no read-only mapping of the page cache"));
	pw_window_close(&win);

	need_huge(&dirs);
	open_huge(&win);
	s = (struct server){0};
	seen = (struct seen){0};
	server_start(&s, FILE_BYTES);
	cfg = stream_config(&s, &win, CHUNK);
	send_file(way, &cfg, &seen);
	server_stop(&s);
	assert_arrived(&s, &seen);
	assert_string_equal(seen.log, "");

	/* with too little memory to lock it sends without registering */
	s = (struct server){0};
	send_limited("uring_send_zc", &win, 4 * CHUNK, &s, &seen);
	assert_arrived(&s, &seen);
	assert_non_null(strstr(seen.log, "memlock limit"));
	pw_window_close(&win);
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
		cmocka_unit_test(a_kernel_thread_may_submit),
		cmocka_unit_test(without_io_uring_its_ways_name_the_reason),
		cmocka_unit_test(little_memory_to_lock_slows_zero_copy_and_stops_nothing),
		cmocka_unit_test(no_memory_to_lock_is_a_clear_error),
		cmocka_unit_test(send_zc_registers_huge_pages_and_says_where_it_cannot),
	};

	dirs_make(&dirs, 4);
	return cmocka_run_group_tests(tests, NULL, teardown);
}
