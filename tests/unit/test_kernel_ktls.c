/* SPDX-License-Identifier: BSD-3-Clause */
/* Checks that the way that encrypts delivers every byte, and that its bytes are encrypted. */
#include "stream_util.h"

static struct page_dirs dirs;

static void send_file(struct server *s, uint64_t len)
{
	const struct pw_way *way = pw_way_find("ktls_sendfile");
	struct pw_way_config cfg;
	struct pw_err err = {0};
	struct pw_window win;
	struct sent sent;
	char file[128];
	void *path;
	int ret;

	assert_non_null(way);
	make_file(path_in(file, sizeof(file), dirs.tmp, "file"), len);
	assert_int_equal(pw_pagecache_open(&win, file, NULL, NULL), 0);
	server_start(s, 2 * len + 4096);
	cfg = stream_config(s, &win, CHUNK);
	ret = pw_way_open(way, &path, &cfg, &err);
	if (ret == -EOPNOTSUPP) { /* the connection is closed: the server ends */
		print_message("# skipped: %s\n", err.msg);
		server_stop(s);
		server_free(s);
		pw_window_close(&win);
		skip();
	}
	if (ret < 0)
		fail_msg("%s", err.msg);
	send_range(way, path, 0, len, CHUNK, &sent);
	if (sent.ret)
		fail_msg("%s (%d)", sent.err.msg, sent.ret);
	assert_int_equal(way->stream->counters(path)->payload_bytes, len);
	pw_way_close(path);
	server_stop(s);
	assert_true(s->ended);
	pw_window_close(&win);
}

static void a_receiver_with_the_key_gets_every_byte(void **state)
{
	static const uint64_t sizes[] = {1, 4095, 16384, 16385, (20u << 20) + 13};
	size_t i;

	(void)state;
	for (i = 0; i < PW_ARRAY_LEN(sizes); i++) {
		struct server s = {.tls = true};

		send_file(&s, sizes[i]);
		assert_int_equal(s.n_bytes, sizes[i]);
		assert_pattern(s.bytes, 0, sizes[i]);
		server_free(&s);
	}
}

static void a_receiver_without_the_key_gets_ciphertext(void **state)
{
	const uint64_t len = 1 << 20;
	struct server s = {.greets = true};
	uint64_t i, equal = 0;

	(void)state;
	send_file(&s, len);
	/* records of 16 KiB or less: header 5, nonce 8, tag 16 */
	assert_true(s.n_bytes >= len + len / 16384 * 29);
	assert_int_equal(s.bytes[0], 23); /* application data, */
	assert_int_equal(s.bytes[1], 3);  /* TLS 1.2 */
	assert_int_equal(s.bytes[2], 3);
	for (i = 0; i + 13 < 16384; i++)
		equal += s.bytes[i + 13] == pattern(i);
	assert_true(equal < 16384 / 64); /* 1 in 256 is chance */
	server_free(&s);
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
		cmocka_unit_test(a_receiver_with_the_key_gets_every_byte),
		cmocka_unit_test(a_receiver_without_the_key_gets_ciphertext),
	};

	dirs_make(&dirs, 0);
	return cmocka_run_group_tests_name("kernel_ktls", tests, NULL, teardown);
}
