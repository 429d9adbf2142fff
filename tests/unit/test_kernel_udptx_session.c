/* SPDX-License-Identifier: BSD-3-Clause */
/* Whole sessions over the datagram ways, on loopback: files in, verified files out. */
#include "kernel_udp_util.h"
#include "recv_util.h"

#include <pthread.h>
#include <stdatomic.h>

#include "file/window.h"
#include "kernel/udprx.h"
#include "send/send.h"

static char dir[64];

static int open_window(void *ctx, struct pw_window *w, const char *path, struct pw_err *err)
{
	(void)ctx;
	return pw_pagecache_open(w, path, NULL, err);
}

/* Writes in_dir("src/N"), with different bytes for each N. */
static void write_file(unsigned int n, uint64_t len)
{
	char name[32];
	uint64_t i;
	FILE *f;

	snprintf(name, sizeof(name), "src/%u", n);
	f = fopen(in_dir(dir, name), "we");
	assert_non_null(f);
	for (i = 0; i < len; i++)
		fputc(byte_at(n, i), f);
	assert_int_equal(fclose(f), 0);
}

struct receiver {
	pthread_t thread;
	struct pw_udprx *rx;
	struct pw_recv *r;
	atomic_bool stop;
	uint64_t die_ns; /* when the socket closes; 0: never */
};

static void *receive(void *ctx)
{
	struct receiver *v = ctx;
	struct pw_rx_view views[PW_BURST * 2];
	uint64_t end = pw_clock_ns() + 30 * PW_NS_PER_S;
	struct pw_recv_status st = {0};
	int n;

	while (!atomic_load(&v->stop) && !st.done && pw_clock_ns() < end) {
		if (v->die_ns && pw_clock_ns() > v->die_ns)
			break;
		n = pw_udprx_ops.burst(v->rx, views, PW_BURST * 2, PW_NS_PER_S / 50);
		if (n < 0)
			break;
		pw_recv_burst(v->r, views, (size_t)n);
		pw_udprx_ops.release(v->rx);
		pw_recv_status(v->r, &st);
	}
	if (!v->die_ns)
		return NULL;
	pw_udprx_close(v->rx);
	v->rx = NULL;
	return NULL;
}

static void receiver_start(struct receiver *v, const struct pw_flow *flow, uint64_t die_ns)
{
	const struct pw_udprx_config rx_cfg = {.listen = flow->dst};
	const struct pw_recv_config cfg = {.out_dir = in_dir(dir, "out"), .force = true};
	struct pw_err err = {0};

	*v = (struct receiver){.die_ns = die_ns ? pw_clock_ns() + die_ns : 0};
	if (pw_udprx_open(&v->rx, &rx_cfg, NULL, &err) < 0)
		fail_msg("%s", err.msg);
	if (pw_recv_create(&v->r, &cfg, NULL, &err) < 0)
		fail_msg("%s", err.msg);
	assert_int_equal(pthread_create(&v->thread, NULL, receive, v), 0);
}

static void receiver_stop(struct receiver *v)
{
	atomic_store(&v->stop, true);
	pthread_join(v->thread, NULL);
	pw_udprx_close(v->rx);
	pw_recv_destroy(v->r);
}

static int send_all(const struct pw_way *way, void *path, const struct pw_flow *flow, uint32_t mtu,
	uint64_t loops, struct pw_err *err)
{
	char *operands[] = {in_dir(dir, "src")};
	struct pw_files files = {0};
	struct pw_send_result result = {0};
	struct pw_send_config cfg = {
		.set.link_grace_ns = PW_SEND_LINK_GRACE_NS,
		.ops = way->packets,
		.paths = &path,
		.n_paths = 1,
		.path_text = way->name,
		.files = &files,
		.flow = *flow,
		.mtu = mtu,
		.symbol_len = pw_send_symbol_for_mtu(flow, mtu, false),
		.tsi = TSI,
		.set.digest = PW_DIGEST_XXH3_128,
		.set.loops = loops,
		.set.rate = {.unit = PW_RATE_BPS, .value = 500e6},
		.set.fdt_interval_ns = PW_NS_PER_S / 10,
		.set.lead_ns = PW_NS_PER_S / 100,
		.open_window = open_window,
	};
	struct pw_send *s;
	int r;

	if (pw_files_collect(&files, operands, 1, err) < 0)
		fail_msg("%s", err->msg);
	r = pw_send_create(&s, &cfg, err);
	if (r == 0) {
		r = pw_send_run(s, &result, err);
		pw_send_destroy(s);
	}
	pw_files_finish(&files);
	return r;
}

static void assert_received(struct receiver *v, uint64_t n_files)
{
	struct pw_recv_status st = {0};
	struct pw_err err = {0};

	atomic_store(&v->stop, true);
	pthread_join(v->thread, NULL);
	assert_int_equal(pw_udprx_ops.counters(v->rx)->missed, 0);
	assert_int_equal(pw_recv_finish(v->r, &err), 0);
	pw_recv_status(v->r, &st);
	assert_int_equal(st.n_good, n_files);
	assert_int_equal(st.n_files, n_files);
	assert_int_equal(counters(v->r).malformed, 0);
	assert_int_equal(counters(v->r).duplicates, 0);
	pw_udprx_close(v->rx);
	pw_recv_destroy(v->r);
}

static void session(const struct pw_way *way, bool v6, uint32_t mtu, bool sqpoll)
{
	struct pw_flow flow = make_flow(v6);
	const uint32_t s = pw_send_symbol_for_mtu(&flow, mtu, false);
	const uint64_t sizes[] = {0, 1, s - 1, s, s + 1, (1 << 20) + 13};
	struct pw_way_config cfg = make_config(&flow);
	const struct pw_tx_counters *c;
	struct pw_err err = {0};
	struct receiver v;
	uint64_t bytes = 0;
	unsigned int i;
	void *path;

	need_net();
	set_lo_mtu((int)mtu);
	cfg.mtu = mtu;
	cfg.sqpoll = sqpoll;
	path = open_way(way, &cfg);
	for (i = 0; i < PW_ARRAY_LEN(sizes); i++) {
		write_file(i, sizes[i]);
		bytes += sizes[i];
	}
	receiver_start(&v, &flow, 0);
	if (send_all(way, path, &flow, mtu, 1, &err) < 0)
		fail_msg("%s", err.msg);
	c = way->packets->counters(path);
	assert_int_equal(c->payload_bytes, bytes);
	assert_int_equal(c->cpu_copied_bytes, 0);
	assert_int_equal(c->zc_copied, c->zc_done);
	assert_int_equal(c->zc_done > 0, way->zerocopy);
	pw_way_close(path);
	assert_received(&v, PW_ARRAY_LEN(sizes));
}

/* The receiver verifies the digests. */
static void files_arrive_verified(void **state)
{
	const struct pw_way *way = find_way(*state);

	session(way, false, 1500, false);
	session(way, true, 1500, false);
	session(way, false, 9000, false);
}

static void files_arrive_by_a_kernel_thread(void **state)
{
	session(find_way(*state), false, 1500, true);
}

/* An endless carousel; the receiver ends meanwhile. */
static void a_session_ends_when_its_receiver_dies(void **state)
{
	const struct pw_way *way = find_way(*state);
	struct pw_flow flow = make_flow(false);
	struct pw_way_config cfg = make_config(&flow);
	struct pw_err err = {0};
	struct receiver v;
	uint64_t start;
	void *path;

	need_net();
	path = open_way(way, &cfg);
	write_file(0, 1000003);
	start = pw_clock_ns();
	receiver_start(&v, &flow, PW_NS_PER_S / 5);
	assert_int_equal(send_all(way, path, &flow, 1500, 0, &err), -ECONNABORTED);
	if (!strstr(err.msg, "no process listens on 127.0.0.1:4001"))
		fail_msg("%s", err.msg);
	assert_true(pw_clock_ns() - start < 5 * PW_NS_PER_S);
	pw_way_close(path);
	receiver_stop(&v);
}

static int make_dirs(void **state)
{
	(void)state;
	dir_make(dir, sizeof(dir));
	return mkdir(in_dir(dir, "src"), 0700) || mkdir(in_dir(dir, "out"), 0700);
}

static int drop_dirs(void **state)
{
	(void)state;
	dir_drop(dir);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		EACH_WAY(files_arrive_verified),
		ROW(files_arrive_by_a_kernel_thread, "uring_udp_zc"),
		EACH_WAY(a_session_ends_when_its_receiver_dies),
	};

	return cmocka_run_group_tests_name("kernel_udptx_session", tests, make_dirs, drop_dirs);
}
