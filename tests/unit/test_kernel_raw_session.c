/* SPDX-License-Identifier: BSD-3-Clause */
/* Whole sessions over the frame ways to a UDP socket at the far end of a veth pair: the kernel's IP and
 * UDP must accept the frames. */
#include "kernel_raw_util.h"
#include "recv_util.h"

#include "file/window.h"
#include "kernel/udprx.h"
#include "send/send.h"

static char dir[64];
static unsigned int ticks_left; /* until the interface is deleted; 0: it is not */

static void tick(void *ctx, const struct pw_send_status *st)
{
	(void)ctx;
	(void)st;
	if (ticks_left && --ticks_left == 0)
		sh("ip link del " TX);
}

static int open_window(void *ctx, struct pw_window *w, const char *path, struct pw_err *err)
{
	(void)ctx;
	return pw_pagecache_open(w, path, NULL, err);
}

static void link_with_addresses(unsigned int mtu)
{
	need_link(mtu);
	sh("echo 0 > /proc/sys/net/ipv6/conf/" RX "/accept_dad && "
	   "echo 0 > /proc/sys/net/ipv6/conf/" RX "/disable_ipv6 && "
	   "ip addr add 10.9.0.2/24 dev " RX " && ip addr add fd00::2/64 dev " RX " nodad");
}

/* Writes in_dir("src/N"), with different bytes for each N. */
static void write_file(unsigned int n, uint64_t len)
{
	FILE *f = fopen(in_dir(dir, "src/x"), "we");
	char to[32];
	uint64_t i;

	assert_non_null(f);
	for (i = 0; i < len; i++)
		fputc(byte_at(n, i), f);
	assert_int_equal(fclose(f), 0);
	snprintf(to, sizeof(to), "src/%u", n);
	assert_int_equal(rename(in_dir(dir, "src/x"), in_dir(dir, to)), 0);
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
		.set.fdt_interval_ns = PW_NS_PER_S / 10,
		.open_window = open_window,
		.tick = tick,
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

/* Receives everything that the socket has, as files below out/. */
static void receive_all(struct pw_udprx *rx, uint64_t n_files)
{
	struct pw_recv_config cfg = {.out_dir = in_dir(dir, "out"), .force = true};
	struct pw_rx_view views[PW_BURST * 2];
	struct pw_recv_status st = {0};
	struct pw_err err = {0};
	struct pw_recv *r;
	int n;

	if (pw_recv_create(&r, &cfg, NULL, &err) < 0)
		fail_msg("%s", err.msg);
	while ((n = pw_udprx_ops.burst(rx, views, PW_BURST * 2, PW_NS_PER_S / 10)) > 0) {
		pw_recv_burst(r, views, (size_t)n);
		pw_udprx_ops.release(rx);
	}
	assert_int_equal(n, 0);
	assert_int_equal(pw_udprx_ops.counters(rx)->missed, 0);
	if (pw_recv_finish(r, &err) < 0)
		fail_msg("%s", err.msg);
	pw_recv_status(r, &st);
	assert_true(st.session_closed);
	assert_int_equal(st.n_good, n_files);
	assert_int_equal(st.n_files, n_files);
	assert_int_equal(counters(r).malformed, 0);
	assert_int_equal(counters(r).duplicates, 0);
	pw_recv_destroy(r);
}

static void session(const struct pw_way *way, unsigned int kind, uint32_t mtu)
{
	static const uint64_t sizes[] = {0, 1, 1407, 1408, 1409, 4096, 1000003};
	struct pw_flow flow = make_flow(kind);
	struct pw_way_config cfg = make_config(&flow, mtu);
	struct pw_udprx_config rx_cfg = {.listen = flow.dst};
	struct pw_err err = {0};
	struct pw_udprx *rx;
	uint64_t bytes = 0;
	unsigned int i;
	void *path;

	link_with_addresses(mtu);
	path = open_way(way, &cfg);
	if (pw_udprx_open(&rx, &rx_cfg, NULL, &err) < 0)
		fail_msg("%s", err.msg);
	for (i = 0; i < PW_ARRAY_LEN(sizes); i++) {
		write_file(i, sizes[i]);
		bytes += sizes[i];
	}
	if (send_all(way, path, &flow, mtu, 1, &err) < 0)
		fail_msg("%s", err.msg);
	assert_int_equal(way->packets->counters(path)->payload_bytes, bytes);
	pw_way_close(path); /* what is queued is still sent */
	receive_all(rx, PW_ARRAY_LEN(sizes));
	pw_udprx_close(rx);
}

/* The receiver verifies the digests. */
static void files_arrive_verified(void **state)
{
	const struct pw_way *way = pw_way_find(*state);

	session(way, 0, 1500);
	session(way, IPV6, 1500);
	session(way, 0, 9000);
}

/* An endless carousel; the interface is deleted meanwhile. */
static void a_session_ends_when_its_interface_goes(void **state)
{
	const struct pw_way *way = pw_way_find(*state);
	struct pw_flow flow = make_flow(0);
	struct pw_way_config cfg = make_config(&flow, 1500);
	struct pw_err err = {0};
	uint64_t start = pw_clock_ns();
	void *path;

	link_with_addresses(1500);
	path = open_way(way, &cfg);
	write_file(0, 1000003);
	ticks_left = 3;
	assert_int_equal(send_all(way, path, &flow, 1500, 0, &err), -ECONNABORTED);
	if (!strstr(err.msg, TX " is gone"))
		fail_msg("%s", err.msg);
	pw_way_close(path);
	assert_true(pw_clock_ns() - start < 5 * PW_NS_PER_S);
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
		EACH_WAY(a_session_ends_when_its_interface_goes),
	};

	make_net();
	return cmocka_run_group_tests_name("kernel_raw_session", tests, make_dirs, drop_dirs);
}
