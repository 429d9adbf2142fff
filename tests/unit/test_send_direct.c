/* SPDX-License-Identifier: BSD-3-Clause */
/* A program that chooses the symbols itself, on a path in memory: files that are truncated while sent. */
#include <signal.h>
#include <unistd.h>

#include "file/guard.h"
#include "recv_util.h"
#include "send/direct.h"

#define SYMBOL 1024u
#define BYTES  (16 * SYMBOL)

static struct pw_tx_counters path_count;
static uint64_t sum;           /* of all bytes that were read */
static const char *late_trunc; /* truncated, and read, only when the path is asked what it holds */
static const uint8_t *late_page;
static char dir[64];
static struct sigaction guarding; /* what pw_guard_init() installed */

static int path_attach(void *ctx, struct pw_tx_object *obj, struct pw_err *err)
{
	(void)ctx;
	(void)obj;
	(void)err;
	return 0;
}

static int path_detach(void *ctx, struct pw_tx_object *obj)
{
	(void)ctx;
	(void)obj;
	return 0;
}

static uint16_t path_send(void *ctx, const struct pw_tx_burst *b)
{
	const struct pw_extent *extent = &b->obj->win->extents[0];
	uint32_t i;

	(void)ctx;
	for (i = 0; i < b->n * SYMBOL; i++)
		sum += extent->va[b->offset + i];
	return b->n;
}

static uint16_t path_send_copy(
	void *ctx, const struct pw_frame_tmpl *tmpl, const void *payload, size_t len)
{
	(void)ctx;
	(void)tmpl;
	(void)payload;
	(void)len;
	return 1;
}

static void path_reap(void *ctx)
{
	(void)ctx;
}

static bool path_alive(void *ctx)
{
	(void)ctx;
	return true;
}

static uint32_t path_outstanding(void *ctx)
{
	(void)ctx;
	if (late_trunc) {
		assert_int_equal(truncate(late_trunc, 0), 0);
		late_trunc = NULL;
		sum += *(const volatile uint8_t *)late_page;
	}
	return 0;
}

static const struct pw_tx_counters *path_counters(void *ctx)
{
	(void)ctx;
	return &path_count;
}

static const struct pw_tx_ops ops = {
	.name = "memory",
	.polls = true,
	.attach = path_attach,
	.detach = path_detach,
	.send = path_send,
	.send_copy = path_send_copy,
	.reap = path_reap,
	.alive = path_alive,
	.outstanding = path_outstanding,
	.counters = path_counters,
};

static int open_window(void *ctx, struct pw_window *w, const char *name, struct pw_err *err)
{
	(void)ctx;
	return pw_pagecache_open(w, name, NULL, err);
}

/* cmocka puts a SIGBUS handler of its own around each test. */
static int guard(void **state)
{
	(void)state;
	return sigaction(SIGBUS, &guarding, NULL);
}

/* One session with one file. */
struct one {
	struct pw_files files;
	struct pw_send *send;
};

static void open_one(struct one *one, const char *name)
{
	static void *const paths[] = {&path_count};
	static uint8_t bytes[BYTES];
	struct pw_send_config cfg = {
		.ops = &ops,
		.paths = paths,
		.n_paths = 1,
		.path_text = "memory",
		.files = &one->files,
		.flow = {.dst = {.family = 4}, .src = {.family = 4}, .vlan = PW_VLAN_NONE},
		.mtu = 1500,
		.symbol_len = SYMBOL,
		.tsi = TSI,
		.set.loops = 1,
		.set.fdt_interval_ns = PW_NS_PER_S,
		.open_window = open_window,
	};
	struct pw_err err = {0};
	FILE *out = fopen(in_dir(dir, name), "we");

	assert_non_null(out);
	assert_int_equal(fwrite(bytes, 1, BYTES, out), BYTES);
	assert_int_equal(fclose(out), 0);
	one->files = (struct pw_files){.v = calloc(1, sizeof(struct pw_file)), .n = 1};
	one->files.v[0] = (struct pw_file){
		.path = strdup(in_dir(dir, name)), .name = strdup(name), .len_bytes = BYTES};
	assert_int_equal(pw_send_create(&one->send, &cfg, &err), 0);
	assert_int_equal(pw_send_open(one->send, &err), 0);
	assert_int_equal(pw_send_announce(one->send, &err), 0);
}

static void finish_one(struct one *one)
{
	pw_send_destroy(one->send);
	pw_files_finish(&one->files);
}

static void a_loss_in_the_last_burst_is_reported(void **state)
{
	struct one one;
	struct pw_err err = {0};

	assert_int_equal(guard(state), 0);
	open_one(&one, "burst");
	assert_int_equal(truncate(one.files.v[0].path, 0), 0);
	assert_int_equal(pw_send_burst(one.send, 0, 0, 4, &err), -EIO);
	assert_non_null(strstr(err.msg, "/burst: it was truncated"));
	assert_int_equal(pw_send_close(one.send, &err), -EIO);
	finish_one(&one);
}

static void a_loss_while_the_session_closes_is_reported(void **state)
{
	struct pw_send_file_view view;
	struct one one;
	struct pw_err err = {0};

	assert_int_equal(guard(state), 0);
	open_one(&one, "close");
	assert_int_equal(pw_send_burst(one.send, 0, 0, 4, &err), 4);
	assert_true(pw_send_view(one.send, 0, &view));
	late_page = view.pages;
	late_trunc = one.files.v[0].path;
	assert_int_equal(pw_send_close(one.send, &err), -EIO);
	assert_non_null(strstr(err.msg, "/close: it was truncated"));
	finish_one(&one);
}

static void a_session_goes_on_when_another_one_has_lost_pages(void **state)
{
	struct pw_send_result res;
	struct one lost, other, whole;
	struct pw_err err = {0};

	assert_int_equal(guard(state), 0);
	open_one(&lost, "lost");
	open_one(&other, "other");
	open_one(&whole, "whole");
	assert_int_equal(truncate(lost.files.v[0].path, 0), 0);
	assert_int_equal(pw_send_burst(lost.send, 0, 0, 1, &err), -EIO);
	assert_int_equal(pw_send_burst(other.send, 0, 0, 4, &err), 4);
	assert_int_equal(pw_send_close(other.send, &err), 0);
	assert_int_equal(pw_send_run(whole.send, &res, &err), 0);
	assert_int_equal(res.passes, 1);
	finish_one(&lost);
	finish_one(&other);
	finish_one(&whole);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_loss_in_the_last_burst_is_reported),
		cmocka_unit_test(a_loss_while_the_session_closes_is_reported),
		cmocka_unit_test(a_session_goes_on_when_another_one_has_lost_pages),
	};
	struct pw_err err;
	int failed;

	if (pw_guard_init(&err) || sigaction(SIGBUS, NULL, &guarding))
		return 1;
	dir_make(dir, sizeof(dir));
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	dir_drop(dir);
	return failed;
}
