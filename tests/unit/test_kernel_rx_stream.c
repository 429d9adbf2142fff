/* SPDX-License-Identifier: BSD-3-Clause */
/* The kernel ways to receive a stream: odd sizes, several passes, pages that are mapped, the stream's end. */
#include "kernel_raw_util.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include "kernel/rxway.h"

#define PORT   4001
#define LENGTH (5u * 1000 * 1000 + 777)
#define PASSES 3

/* Sends the file some times in a process of its own, in calls of changing length. zerocopy: from pages that are
 * lent to the kernel. */
static pid_t start_sender(const uint8_t *file, size_t len, int passes, bool zerocopy)
{
	const struct sockaddr_in to = {.sin_family = AF_INET,
		.sin_port = htons(PORT),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	const int on = 1;
	pid_t pid = fork();
	int fd;

	assert_true(pid >= 0);
	if (pid)
		return pid;
	alarm(20);
	fd = socket(AF_INET, SOCK_STREAM, 0);
	if (connect(fd, (const struct sockaddr *)&to, sizeof(to)) < 0 ||
		(zerocopy && setsockopt(fd, SOL_SOCKET, SO_ZEROCOPY, &on, sizeof(on)) < 0))
		_exit(1);
	while (passes--) {
		for (size_t at = 0, step = 1; at < len; step = step * 7 % 262144 + 1) {
			ssize_t n =
				send(fd, file + at, pw_min_u64(zerocopy ? 1 << 20 : step, len - at),
					zerocopy ? MSG_ZEROCOPY : 0);

			if (n < 0 && errno == ENOBUFS) /* completions wait to be read */
				poll(NULL, 0, 1);
			else if (n < 0)
				_exit(2);
			else
				at += (size_t)n;
		}
	}
	if (zerocopy) /* the pages are lent until all has been received */
		shutdown(fd, SHUT_WR), poll(&(struct pollfd){.fd = fd, .events = POLLIN}, 1, 10000);
	_exit(0);
}

static void *open_path(const struct pw_rx_way *way)
{
	struct pw_rx_way_config cfg = {.mtu = 65536};
	struct pw_err err = {0};
	void *path;

	if (no_net) {
		print_message("# skipped: %s\n", no_net);
		skip();
	}
	assert_int_equal(pw_addr_parse("listen", "127.0.0.1", PORT, &cfg.listen, &err), 0);
	if (pw_rx_way_open(way, &path, &cfg, &err) < 0)
		fail_msg("%s", err.msg);
	return path;
}

/* Receives into to[len], pass after pass; returns the bytes of all passes. */
static uint64_t receive_all(const struct pw_rx_way *way, void *path, uint8_t *to, size_t len)
{
	const uint64_t end = pw_clock_ns() + 20 * PW_NS_PER_S;
	struct pw_err err = {0};
	uint64_t total = 0;
	int64_t n;

	while ((n = way->stream->accept(path, &err)) == -EAGAIN && pw_clock_ns() < end)
		;
	if (n == -EOPNOTSUPP) {
		print_message("# skipped: %s\n", err.msg);
		skip();
	}
	if (n < 0)
		fail_msg("%s", err.msg);
	while (pw_clock_ns() < end) {
		const uint64_t at = total % len;

		n = way->stream->recv(path, to + at, len - at, &err);
		if (n == 0)
			return total;
		if (n < 0 && n != -EAGAIN)
			fail_msg("%s", err.msg);
		assert_true(n == -EAGAIN || (uint64_t)n <= len - at);
		total += n > 0 ? (uint64_t)n : 0;
	}
	fail_msg("the stream did not end");
	return 0;
}

static uint8_t *make_file(size_t len)
{
	uint8_t *file = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	assert_true(file != MAP_FAILED);
	for (size_t i = 0; i < len; i++)
		file[i] = (uint8_t)((i * 0x9e3779b97f4a7c15ull) >> 56);
	return file;
}

static void receive_file(
	const char *name, size_t len, int passes, bool zerocopy, bool expect_mapped)
{
	const struct pw_rx_way *way = pw_rx_way_find(name);
	uint8_t *file = make_file(len), *to = calloc(1, len);
	void *path;
	pid_t pid;
	int status;

	assert_non_null(way);
	assert_non_null(to);
	path = open_path(way);
	pid = start_sender(file, len, passes, zerocopy);
	assert_int_equal(receive_all(way, path, to, len), (uint64_t)passes * len);
	if (way->stream->counters) {
		const struct pw_rx_stream_counters *c = way->stream->counters(path);

		assert_int_equal(c->mapped_bytes + c->copied_bytes, (uint64_t)passes * len);
		assert_int_equal(c->mapped_bytes % 4096, 0);
		if (expect_mapped)
			assert_true(c->mapped_bytes > 0);
	}
	if (way->stream->settle)
		way->stream->settle(path);
	assert_memory_equal(to, file, len);
	pw_rx_way_close(path);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	munmap(file, len);
	free(to);
}

static void a_stream_of_odd_calls_arrives_whole(void **state)
{
	receive_file(*state, LENGTH, PASSES, false, false);
}

static void a_stream_shorter_than_a_page_arrives(void **state)
{
	receive_file(*state, 777, 1, false, false);
}

/* Loopback copies the lent pages of MSG_ZEROCOPY into single pages, and these can be mapped. */
static void pages_of_a_sender_that_lends_them_are_mapped(void **state)
{
	receive_file(*state, LENGTH, PASSES, true, true);
}

static void nothing_comes_without_a_sender(void **state)
{
	const struct pw_rx_way *way = pw_rx_way_find(*state);
	void *path = open_path(way);
	struct pw_err err = {0};
	const uint64_t start = pw_clock_ns();

	assert_int_equal(way->stream->accept(path, &err), -EAGAIN);
	assert_true(pw_clock_ns() - start < PW_NS_PER_S);
	pw_rx_way_close(path);
}

#define EACH(f) row(#f ": tcp", f, "tcp"), row(#f ": tcp_zerocopy", f, "tcp_zerocopy")

int main(void)
{
	const struct CMUnitTest tests[] = {
		EACH(a_stream_of_odd_calls_arrives_whole),
		EACH(a_stream_shorter_than_a_page_arrives),
		EACH(pages_of_a_sender_that_lends_them_are_mapped),
		EACH(nothing_comes_without_a_sender),
	};

	make_net();
	if (!no_net)
		sh("ip link set lo up");
	return cmocka_run_group_tests_name("kernel_rx_stream", tests, NULL, NULL);
}
