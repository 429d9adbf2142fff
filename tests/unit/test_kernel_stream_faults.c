/* SPDX-License-Identifier: BSD-3-Clause */
/* The stream ways' failures: each is a clear error, in bounded time, and leaves nothing behind. */
#include "stream_util.h"

#define FILE_BYTES ((8u << 20) + 13)

static struct page_dirs dirs;

static void open_file(struct pw_window *win, char *path, size_t path_len)
{
	struct pw_err err = {0};

	make_file(path_in(path, path_len, dirs.tmp, "file"), FILE_BYTES);
	if (pw_pagecache_open(win, path, NULL, &err) < 0)
		fail_msg("%s", err.msg);
}

static void close_in_a_second(void *path)
{
	uint64_t start = pw_clock_ns();

	pw_way_close(path);
	assert_in_range(pw_clock_ns() - start, 0, PW_NS_PER_S + PW_NS_PER_S / 2);
}

static void assert_sigpipe_untouched(void)
{
	sigset_t pending, mask;

	assert_int_equal(pthread_sigmask(SIG_BLOCK, NULL, &mask), 0);
	assert_false(sigismember(&mask, SIGPIPE));
	assert_int_equal(sigpending(&pending), 0);
	assert_false(sigismember(&pending, SIGPIPE));
}

/* SIGPIPE has its default action: it would end this program. */
static void a_reader_that_goes_away_is_an_error(void **state)
{
	const struct pw_way *way = *state;
	struct server s = {.rcvbuf = 65536, .close_after = 100000};
	struct pw_way_config cfg;
	struct pw_window win;
	struct pw_err err = {0};
	struct sent sent;
	uint64_t start;
	char path[128];
	void *p;
	int64_t n;
	int i;

	open_file(&win, path, sizeof(path));
	server_start(&s, win.len_bytes);
	cfg = stream_config(&s, &win, CHUNK);
	p = open_way(way, &cfg);
	start = pw_clock_ns();
	send_range(way, p, 0, win.len_bytes, CHUNK, &sent);
	assert_in_range(pw_clock_ns() - start, 0, 5 * PW_NS_PER_S);
	assert_true(sent.ret == -ECONNRESET || sent.ret == -EPIPE);
	assert_non_null(strstr(sent.err.msg, "the receiver went away"));
	assert_int_equal(sent.err.code, -sent.ret);
	/* the error stays, however often the call is repeated */
	for (i = 0; i < 3; i++) {
		n = way->stream->send(p, sent.bytes, CHUNK, &err);
		assert_true(n == -EPIPE || n == -ECONNRESET || n == -EAGAIN);
	}
	/* pages that the kernel still has do not make drain() wait forever */
	for (i = 0, n = -EAGAIN; n == -EAGAIN && i < 20; i++)
		n = way->stream->drain(p, &err);
	assert_int_not_equal(n, -EAGAIN);
	close_in_a_second(p);
	assert_sigpipe_untouched();
	server_stop(&s);
	server_free(&s);
	pw_window_close(&win);
}

static void a_reader_that_stands_still_does_not_hold_close(void **state)
{
	const struct pw_way *way = *state;
	struct server s = {.rcvbuf = 8192, .hold = true};
	struct pw_way_config cfg;
	struct pw_window win;
	struct pw_err err = {0};
	uint64_t offset = 0, start;
	char path[128];
	unsigned int n_again = 0;
	int64_t n;
	void *p;

	open_file(&win, path, sizeof(path));
	server_start(&s, win.len_bytes);
	cfg = stream_config(&s, &win, CHUNK);
	p = open_way(way, &cfg);
	start = pw_clock_ns();
	while (n_again < 3 && pw_clock_ns() - start < 10 * PW_NS_PER_S) {
		n = way->stream->send(p, offset, win.len_bytes - offset, &err);
		n_again += n == -EAGAIN;
		if (n < 0)
			assert_int_equal(n, -EAGAIN);
		else
			offset += (uint64_t)n;
	}
	assert_int_equal(n_again, 3);
	assert_true(offset < win.len_bytes);
	close_in_a_second(p);
	/* the kernel keeps the pages that are still queued: the mapping may be removed */
	pw_window_close(&win);
	server_stop(&s);
	server_free(&s);
	assert_sigpipe_untouched();
}

static void an_address_where_nobody_listens_is_a_clear_error(void **state)
{
	const struct pw_way *way = *state;
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(a);
	struct pw_way_config cfg = {.chunk_bytes = CHUNK};
	struct pw_window win;
	struct pw_err err = {0};
	char path[128];
	void *p = &win;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int ret;

	/* bound and not listening: no other program can take the port meanwhile */
	assert_int_equal(bind(fd, (struct sockaddr *)&a, len), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&a, &len), 0);
	open_file(&win, path, sizeof(path));
	cfg.win = &win;
	cfg.flow.dst =
		(struct pw_addr){.family = 4, .bytes = {127, 0, 0, 1}, .port = ntohs(a.sin_port)};
	ret = pw_way_open(way, &p, &cfg, &err);
	if (ret == -EPERM || ret == -ENOSYS || ret == -EOPNOTSUPP) {
		print_message("# skipped: %s\n", err.msg);
		skip();
	}
	assert_int_equal(ret, -ECONNREFUSED);
	assert_null(p);
	assert_non_null(strstr(err.msg, "start the receiver first"));
	assert_sigpipe_untouched();
	pw_way_close(NULL);
	close(fd);
	pw_window_close(&win);
}

static void a_file_that_is_truncated_is_an_error(void **state)
{
	const struct pw_way *way = *state;
	struct server s = {0};
	struct pw_way_config cfg;
	struct pw_window win;
	struct sent sent;
	char path[128];
	void *p;

	open_file(&win, path, sizeof(path));
	server_start(&s, win.len_bytes);
	cfg = stream_config(&s, &win, CHUNK);
	p = open_way(way, &cfg);
	assert_int_equal(truncate(path, 1 << 20), 0);
	send_range(way, p, 0, win.len_bytes, CHUNK, &sent);
	assert_true(sent.ret == -ESTALE || sent.ret == -EFAULT);
	assert_non_null(strstr(sent.err.msg, "truncated meanwhile"));
	assert_in_range(sent.bytes, 1, 1 << 20);
	close_in_a_second(p);
	server_stop(&s);
	assert_in_range(s.n_bytes, sent.bytes, 1 << 20);
	assert_pattern(s.bytes, 0, sent.bytes);
	server_free(&s);
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
	static const struct stream_test list[] = {
		{"a reader that goes away is an error", a_reader_that_goes_away_is_an_error},
		{"a reader that stands still does not hold close",
			a_reader_that_stands_still_does_not_hold_close},
		{"an address where no process listens is a clear error",
			an_address_where_nobody_listens_is_a_clear_error},
		{"a file that is truncated is an error", a_file_that_is_truncated_is_an_error},
	};

	dirs_make(&dirs, 0);
	return run_stream_tests("kernel_stream_faults", list, PW_ARRAY_LEN(list), teardown);
}
