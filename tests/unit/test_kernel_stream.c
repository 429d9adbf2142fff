/* SPDX-License-Identifier: BSD-3-Clause */
/* Checks that the stream ways deliver every byte, from every kind of file, and what they count. */
#include "stream_util.h"

#include <sys/mman.h>
#include <sys/time.h>

static struct page_dirs dirs;

static const uint64_t sizes[] = {0, 1, 4095, 4096, CHUNK - 1, CHUNK, CHUNK + 1, (1 << 20) + 13};

static void open_file(struct pw_window *win, uint64_t len)
{
	struct pw_err err = {0};
	char path[128];

	make_file(path_in(path, sizeof(path), dirs.tmp, "file"), len);
	if (pw_pagecache_open(win, path, NULL, &err) < 0)
		fail_msg("%s", err.msg);
}

static void open_huge(struct pw_window *win, uint64_t len)
{
	uint64_t map_bytes;
	char path[128];
	void *map;
	int fd = open(path_in(path, sizeof(path), dirs.huge, "file"),
		O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(pw_hugefile_create(fd, path, len, HUGE_BYTES, &map, &map_bytes, NULL), 0);
	fill_pattern(map, 0, len);
	munmap(map, map_bytes);
	close(fd);
	assert_int_equal(pw_hugefile_open(win, path, NULL, NULL), 0);
	unlink(path);
}

static void assert_counters(const struct pw_way *way, const struct pw_tx_counters *c, uint64_t len)
{
	bool zero_copy = way->zerocopy;

	assert_int_equal(c->payload_bytes, len);
	assert_int_equal(c->cpu_copied_bytes, 0);
	if (len)
		assert_in_range(c->packets, 1, len);
	else
		assert_int_equal(c->packets, 0);
	/* drain() has waited for all of them; loopback always copies */
	assert_int_equal(c->zc_done, zero_copy ? c->packets : 0);
	assert_int_equal(c->zc_copied, c->zc_done);
}

/* Sends the window from offset on, and compares what arrives. */
static void deliver(const struct pw_way *way, const struct pw_window *win, uint64_t offset,
	struct pw_way_config *cfg, struct server *s, struct sent *sent)
{
	void *path;

	server_start(s, win->len_bytes);
	cfg->flow.dst = s->addr;
	path = open_way(way, cfg);
	send_range(way, path, offset, win->len_bytes, cfg->chunk_bytes, sent);
	if (sent->ret)
		fail_msg("%s: %s (%d)", way->name, sent->err.msg, sent->ret);
	assert_counters(way, way->stream->counters(path), win->len_bytes - offset);
	pw_way_close(path);
	server_stop(s);
	assert_true(s->ended);
	assert_int_equal(s->n_bytes, win->len_bytes - offset);
	assert_pattern(s->bytes, offset, s->n_bytes);
	server_free(s);
}

static void deliver_plainly(
	const struct pw_way *way, const struct pw_window *win, uint32_t chunk_bytes)
{
	struct server s = {0};
	struct pw_way_config cfg = stream_config(&s, win, chunk_bytes);
	struct sent sent;

	deliver(way, win, 0, &cfg, &s, &sent);
}

static void files_of_every_size_arrive(void **state)
{
	struct pw_window win;
	size_t i;

	for (i = 0; i < PW_ARRAY_LEN(sizes); i++) {
		open_file(&win, sizes[i]);
		deliver_plainly(*state, &win, CHUNK);
		pw_window_close(&win);
	}
}

static void odd_and_large_chunks_make_no_difference(void **state)
{
	static const uint32_t chunks[] = {4097, 100000, 8u << 20};
	struct pw_window win;
	size_t i;

	open_file(&win, (3 << 20) + 13);
	for (i = 0; i < PW_ARRAY_LEN(chunks); i++)
		deliver_plainly(*state, &win, chunks[i]);
	pw_window_close(&win);
}

static void a_transfer_may_begin_in_the_middle(void **state)
{
	struct server s = {0};
	struct pw_way_config cfg;
	struct pw_window win;
	struct sent sent;

	open_file(&win, (1 << 20) + 13);
	cfg = stream_config(&s, &win, CHUNK);
	deliver(*state, &win, 4097, &cfg, &s, &sent);
	pw_window_close(&win);
}

static void a_file_on_hugetlbfs_arrives_or_is_refused(void **state)
{
	const struct pw_way *way = *state;
	struct server s = {.close_after = 1};
	struct pw_way_config cfg;
	struct pw_window win;
	struct sent sent;
	void *path;

	need_huge(&dirs);
	open_huge(&win, HUGE_BYTES + 13);
	if (!way->needs_page_cache) {
		deliver_plainly(way, &win, CHUNK);
		pw_window_close(&win);
		return;
	}
	server_start(&s, 1);
	cfg = stream_config(&s, &win, CHUNK);
	path = open_way(way, &cfg);
	send_range(way, path, 0, win.len_bytes, CHUNK, &sent);
	assert_int_equal(sent.ret, -EINVAL);
	assert_non_null(strstr(sent.err.msg, "hugetlbfs"));
	pw_way_close(path);
	server_stop(&s);
	server_free(&s);
	pw_window_close(&win);
}

/* Three extents of odd lengths, each in memory of its own, the later ones at lower addresses. */
static void a_window_of_several_extents_arrives_in_order(void **state)
{
	static const uint64_t lens[] = {100001, 1, 400000};
	struct pw_extent extents[3];
	struct pw_window win, cut;
	uint64_t offset = 0;
	uint8_t *memory;
	size_t i;

	open_file(&win, 500002);
	memory = malloc(500002);
	assert_non_null(memory);
	fill_pattern(memory + 400001, 0, 100001);
	fill_pattern(memory + 400000, 100001, 1);
	fill_pattern(memory, 100002, 400000);
	for (i = 0; i < 3; i++) {
		extents[i] = (struct pw_extent){
			.iova = PW_IOVA_NONE, .offset = offset, .len_bytes = lens[i]};
		offset += lens[i];
		extents[i].va = memory + (500002 - offset);
	}
	cut = win;
	cut.extents = extents;
	cut.n_extents = 3;
	deliver_plainly(*state, &cut, CHUNK);
	free(memory);
	pw_window_close(&win);
}

static void a_slow_reader_gets_everything(void **state)
{
	const struct pw_way *way = *state;
	struct server s = {.rcvbuf = 8192, .wait_ms = 700};
	struct pw_way_config cfg;
	struct pw_window win;
	struct sent sent;

	open_file(&win, (8 << 20) + 13);
	cfg = stream_config(&s, &win, 1 << 20);
	deliver(way, &win, 0, &cfg, &s, &sent);
	/* there is no room for 700 ms, and no call sleeps that long */
	assert_true(sent.n_again > 0);
	assert_true(sent.n_again < 1000);
	/* MSG_WAITALL of uring_send and uring_send_zc hides short sends */
	assert_int_equal(sent.n_short > 0, strncmp(way->name, "uring_send", 10) != 0);
	pw_window_close(&win);
}

static void on_alarm(int sig)
{
	(void)sig;
}

static void signals_do_no_harm(void **state)
{
	struct itimerval often = {{.tv_usec = 1000}, {.tv_usec = 1000}}, off = {0};
	struct sigaction sa = {.sa_handler = on_alarm}, old;
	struct server s = {.rcvbuf = 65536, .wait_ms = 50};
	struct pw_window win;
	struct pw_way_config cfg;
	struct sent sent;
	void *path;
	const struct pw_way *way = *state;

	open_file(&win, (8 << 20) + 13);
	server_start(&s, win.len_bytes);
	cfg = stream_config(&s, &win, CHUNK);
	path = open_way(way, &cfg);
	sigaction(SIGALRM, &sa, &old);
	setitimer(ITIMER_REAL, &often, NULL);
	send_range(way, path, 0, win.len_bytes, CHUNK, &sent);
	setitimer(ITIMER_REAL, &off, NULL);
	sigaction(SIGALRM, &old, NULL);
	pw_way_close(path);
	server_stop(&s);
	assert_int_equal(sent.ret, 0);
	assert_true(sent.n_again > 0); /* signals have interrupted it */
	assert_int_equal(s.n_bytes, win.len_bytes);
	assert_pattern(s.bytes, 0, s.n_bytes);
	server_free(&s);
	pw_window_close(&win);
}

static void ipv6_arrives_too(void **state)
{
	struct server s = {.v6 = true};
	struct pw_way_config cfg;
	struct pw_window win;
	struct sent sent;
	int fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct sockaddr_in6 lo = {.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT};
	bool have = fd >= 0 && bind(fd, (struct sockaddr *)&lo, sizeof(lo)) == 0;

	if (fd >= 0)
		close(fd);
	if (!have) {
		print_message("# skipped: no IPv6 on loopback\n");
		skip();
	}
	open_file(&win, (1 << 20) + 13);
	cfg = stream_config(&s, &win, CHUNK);
	cfg.flow.src = (struct pw_addr){.family = 6, .port = 4001};
	cfg.flow.src.bytes[15] = 1;
	deliver(*state, &win, 0, &cfg, &s, &sent);
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
		{"files of every size arrive", files_of_every_size_arrive},
		{"odd and large chunks make no difference",
			odd_and_large_chunks_make_no_difference},
		{"a transfer may begin in the middle", a_transfer_may_begin_in_the_middle},
		{"a file on hugetlbfs arrives, or is refused",
			a_file_on_hugetlbfs_arrives_or_is_refused},
		{"a window of several extents arrives in order",
			a_window_of_several_extents_arrives_in_order},
		{"a slow reader gets everything", a_slow_reader_gets_everything},
		{"signals do no harm", signals_do_no_harm},
		{"IPv6 arrives, too", ipv6_arrives_too},
	};

	dirs_make(&dirs, 4);
	return run_stream_tests("kernel_stream", list, PW_ARRAY_LEN(list), teardown);
}
