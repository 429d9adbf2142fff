/* SPDX-License-Identifier: BSD-3-Clause */
/* The frame ways' faults and errors: caused by the wire, the host, or the file. */
#include "kernel_raw_util.h"

#include <sys/mman.h>

static bool is_missing(const struct pw_way *way)
{
	struct pw_flow flow = make_flow(0);
	struct pw_way_config cfg = make_config(&flow, 1500);
	struct pw_err err = {0};
	void *path;
	int r = pw_way_open(way, &path, &cfg, &err);

	pw_way_close(path);
	if (r == -EOPNOTSUPP)
		print_message("# skipped for %s: %s\n", way->name, err.msg);
	return r == -EOPNOTSUPP;
}

/* Sends until the path has a fault, a few seconds at most. */
static const char *send_until_fault(const struct pw_way *way, void *path, struct object *ob)
{
	uint64_t start = pw_clock_ns();
	uint32_t i;

	for (i = 0; !way->packets->fault(path) && pw_clock_ns() - start < 3 * PW_NS_PER_S; i++) {
		struct pw_tx_burst b = burst_at(ob, i % ob->o.blocks.n_symbols, PW_BURST);
		uint64_t called = pw_clock_ns();

		way->packets->send(path, &b);
		assert_true(pw_clock_ns() - called < PW_NS_PER_S);
	}
	return way->packets->fault(path);
}

/* With a fault, sends return 0 at once, and closing does not wait. */
static void assert_broken(const struct pw_way *way, void *path, struct object *ob, const char *why)
{
	const char *fault = send_until_fault(way, path, ob);
	uint64_t polls, start = pw_clock_ns();
	struct pw_tx_burst b = burst_at(ob, 0, 5);

	if (!fault || !strstr(fault, why))
		fail_msg("%s, not \"%s\"", fault ? fault : "no fault", why);
	assert_false(way->packets->alive(path));
	polls = way->packets->counters(path)->full_polls;
	assert_int_equal(way->packets->send(path, &b), 0);
	assert_int_equal(way->packets->send_copy(path, &ob->o.tmpl, "", 0), 0);
	assert_int_equal(way->packets->counters(path)->full_polls, polls + 2);
	way->packets->reap(path);
	pw_way_close(path);
	assert_true(pw_clock_ns() - start < PW_NS_PER_S);
}

static void broken_in_the_middle(const struct pw_way *way, const char *how, const char *why)
{
	static const uint64_t whole[2] = {UINT64_MAX, UINT64_MAX};
	struct pw_flow flow = make_flow(0);
	struct pw_way_config cfg = make_config(&flow, 1500);
	struct object ob;
	void *path;
	int fd;

	need_link(1500);
	path = open_way(way, &cfg);
	fd = open_sink();
	object_make(&ob, &flow, 300 * 1408, 1408, whole);
	assert_true(way->packets->alive(path));
	deliver(way, path, fd, &ob, 0);
	sh("%s", how);
	assert_broken(way, path, &ob, why);
	close(fd);
	object_drop(&ob);
}

static void an_interface_set_down_is_a_fault(void **state)
{
	broken_in_the_middle(find(*state), "ip link set " TX " down", "ip link set " TX " up");
}

static void an_interface_deleted_is_a_fault(void **state)
{
	broken_in_the_middle(find(*state), "ip link del " TX, "is gone");
}

static void a_smaller_mtu_is_a_fault(void **state)
{
	broken_in_the_middle(find(*state), "ip link set " TX " mtu 1300", "MTU of " TX);
}

/* When the kernel reads the page, this process gets no SIGBUS: the call fails instead. */
static void a_truncated_file_is_a_fault(void **state)
{
	static const uint64_t whole[2] = {UINT64_MAX, UINT64_MAX};
	const struct pw_way *way = find("packet_send");
	struct pw_flow flow = make_flow(0);
	struct pw_way_config cfg = make_config(&flow, 1500);
	int fd = memfd_create("gone", MFD_CLOEXEC);
	struct object ob;
	void *path, *map;
	const uint8_t *was;

	(void)state;
	need_link(1500);
	path = open_way(way, &cfg);
	object_make(&ob, &flow, 65536, 1408, whole);
	assert_int_equal(ftruncate(fd, 65536), 0);
	map = mmap(NULL, 65536, PROT_READ, MAP_SHARED, fd, 0);
	assert_true(map != MAP_FAILED);
	was = ob.extents[0].va;
	ob.extents[0].va = map;
	assert_int_equal(ftruncate(fd, 4096), 0);
	assert_broken(way, path, &ob, "truncated");
	ob.extents[0].va = was;
	object_drop(&ob);
	munmap(map, 65536);
	close(fd);
}

/* The interface is up, but has no carrier. */
static void a_lost_carrier_is_seen(void **state)
{
	static const uint64_t whole[2] = {UINT64_MAX, UINT64_MAX};
	const struct pw_way *way = find(*state);
	struct pw_flow flow = make_flow(0);
	struct pw_way_config cfg = make_config(&flow, 1500);
	uint64_t start;
	struct object ob;
	void *path;
	int i;

	need_link(1500);
	for (i = 0; i < 2; i++) {
		cfg.qdisc_bypass = i;
		path = open_way(way, &cfg);
		object_make(&ob, &flow, 300 * 1408, 1408, whole);
		sh("ip link set " RX " down");
		for (start = pw_clock_ns(); way->packets->alive(path);)
			assert_true(pw_clock_ns() - start < 5 * PW_NS_PER_S);
		for (start = pw_clock_ns(); pw_clock_ns() - start < PW_NS_PER_S / 5;) {
			struct pw_tx_burst b = burst_at(&ob, 0, PW_BURST);

			way->packets->send(path, &b);
		}
		assert_null(way->packets->fault(path));
		sh("ip link set " RX " up");
		for (start = pw_clock_ns(); !way->packets->alive(path);)
			assert_true(pw_clock_ns() - start < 5 * PW_NS_PER_S);
		start = pw_clock_ns();
		pw_way_close(path);
		assert_true(pw_clock_ns() - start < 2 * PW_NS_PER_S);
		object_drop(&ob);
	}
}

static void packets_beyond_the_mtu_are_refused(void **state)
{
	static const uint64_t whole[2] = {UINT64_MAX, UINT64_MAX};
	const struct pw_way *way = find(*state);
	struct pw_flow flow = make_flow(VLAN);
	struct pw_way_config cfg = make_config(&flow, 9000);
	struct pw_err err = {0};
	struct object ob;
	void *path;

	need_link(1500);
	path = open_way(way, &cfg);
	object_make(&ob, &flow, 20000, 1457, whole); /* with headers of 20 + 8 + 16 bytes: 1501 */
	assert_int_equal(way->packets->attach(path, &ob.o, &err), -EMSGSIZE);
	assert_non_null(strstr(err.msg, "1501"));
	assert_non_null(strstr(err.msg, "--mtu"));
	object_drop(&ob);
	object_make(&ob, &flow, 1456, 1457, whole); /* its only symbol is short enough */
	assert_int_equal(way->packets->attach(path, &ob.o, &err), 0);
	object_drop(&ob);
	pw_way_close(path);
}

/* A shaper with a queue of `limit` bytes before the wire: what it refuses must be sent again, in order. */
static void shaped(const struct pw_way *way, const char *rate, unsigned int limit, uint64_t len)
{
	static const uint64_t whole[2] = {UINT64_MAX, UINT64_MAX};
	struct pw_flow flow = make_flow(0);
	struct pw_way_config cfg = make_config(&flow, 1500);
	uint64_t at = 0, seen = 0, end = pw_clock_ns() + 20 * PW_NS_PER_S;
	struct object ob;
	void *path;
	int fd;

	need_link(1500);
	if (system("tc qdisc add dev " TX
		   " root tbf rate 1gbit burst 3000 limit 3000 2>/dev/null")) {
		print_message("# skipped: no token bucket (needs tc and sch_tbf)\n");
		skip();
	}
	sh("tc qdisc change dev " TX " root tbf rate %s burst 3000 limit %u", rate, limit);
	path = open_way(way, &cfg);
	fd = open_sink();
	object_make(&ob, &flow, len, 1408, whole);
	while (at < ob.o.blocks.n_symbols && pw_clock_ns() < end) {
		struct pw_tx_burst b = burst_at(&ob, at, PW_BURST);

		at += way->packets->send(path, &b);
	}
	assert_int_equal(at, ob.o.blocks.n_symbols);
	assert_null(way->packets->fault(path));
	pw_way_close(path);
	while (seen < at) {
		struct pw_tx_burst b = burst_at(&ob, seen, PW_BURST);

		take_burst(fd, &ob, &b, b.n);
		seen += b.n;
	}
	assert_quiet(fd);
	close(fd);
	object_drop(&ob);
}

static void a_full_queue_loses_nothing(void **state)
{
	const struct pw_way *way = find(*state);

	shaped(way, "40mbit", 4000, 700 * 1408);     /* the qdisc refuses */
	shaped(way, "80mbit", 4000000, 1500 * 1408); /* the ring or the socket is full */
}

static void expect_refusal(
	const struct pw_way *way, const struct pw_way_config *cfg, int code, const char *hint)
{
	struct pw_err err = {0};
	void *path = &err;

	assert_int_equal(pw_way_open(way, &path, cfg, &err), -code);
	assert_null(path);
	if (!strstr(err.msg, hint))
		fail_msg("%s", err.msg);
}

static void errors_name_their_fix(void **state)
{
	const struct pw_way *way = find(*state);
	struct pw_flow flow = make_flow(0);
	struct pw_way_config cfg = make_config(&flow, 1500);

	need_link(1500);
	if (is_missing(way))
		skip();
	pw_way_close(NULL);
	cfg.interface = "nosuch0";
	expect_refusal(way, &cfg, ENODEV, "ip -br link");
	cfg.interface = NULL;
	expect_refusal(way, &cfg, EINVAL, "ip -br link");
	cfg.interface = TX;
	assert_int_equal(seteuid(65534), 0);
	expect_refusal(way, &cfg, EPERM, "CAP_NET_RAW");
	assert_int_equal(seteuid(0), 0);
}

static void a_queue_has_one_af_xdp_socket(void **state)
{
	const struct pw_way *way = find("xdp_copy");
	struct pw_flow flow = make_flow(0);
	struct pw_way_config cfg = make_config(&flow, 1500);
	void *path;

	(void)state;
	need_link(1500);
	path = open_way(way, &cfg);
	expect_refusal(way, &cfg, EBUSY, "stop the program");
	pw_way_close(path);
	path = open_way(way, &cfg);
	pw_way_close(path);
}

/* veth has none; the libraries' own messages do not reach stderr. */
static void zero_copy_is_skipped_where_the_driver_has_none(void **state)
{
	const struct pw_way *way = find("xdp_zerocopy");
	struct pw_flow flow = make_flow(0);
	struct pw_way_config cfg = make_config(&flow, 1500);
	FILE *said = tmpfile();
	int saved = dup(STDERR_FILENO);

	(void)state;
	need_link(1500);
	assert_non_null(said);
	if (is_missing(find("xdp_copy")))
		skip();
	dup2(fileno(said), STDERR_FILENO);
	expect_refusal(way, &cfg, EOPNOTSUPP, "use xdp_copy");
	cfg.mtu = 9000;
	expect_refusal(way, &cfg, EOPNOTSUPP, "use xdp_copy");
	dup2(saved, STDERR_FILENO);
	close(saved);
	assert_int_equal(lseek(fileno(said), 0, SEEK_END), 0);
	fclose(said);
}

/* A tap without a reader drops frames; no call may wait for it. */
static void a_device_that_takes_nothing_is_survived(void **state)
{
	static const uint64_t whole[2] = {UINT64_MAX, UINT64_MAX};
	const struct pw_way *way = find(*state);
	struct pw_flow flow = make_flow(0);
	struct pw_way_config cfg = make_config(&flow, 1500);
	uint64_t start = pw_clock_ns();
	struct object ob;
	void *path;
	int i;

	need_link(1500);
	if (system("ip tuntap add pwtap mode tap 2>/dev/null") != 0) {
		print_message("# skipped: no tap (needs /dev/net/tun)\n");
		skip();
	}
	sh("ip link set pwtap txqueuelen 2 up");
	cfg.interface = "pwtap";
	path = open_way(way, &cfg);
	object_make(&ob, &flow, 100 * 1408, 1408, whole);
	for (i = 0; i < 30; i++) {
		struct pw_tx_burst b = burst_at(&ob, 0, PW_BURST);

		way->packets->send(path, &b);
	}
	assert_null(way->packets->fault(path));
	pw_way_close(path);
	assert_true(pw_clock_ns() - start < 8 * PW_NS_PER_S);
	object_drop(&ob);
	sh("ip link del pwtap");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		EACH_WAY(an_interface_set_down_is_a_fault),
		EACH_WAY(an_interface_deleted_is_a_fault),
		EACH_PACKET_WAY(a_smaller_mtu_is_a_fault),
		cmocka_unit_test(a_truncated_file_is_a_fault),
		EACH_WAY(a_lost_carrier_is_seen),
		EACH_WAY(packets_beyond_the_mtu_are_refused),
		EACH_PACKET_WAY(a_full_queue_loses_nothing),
		EACH_WAY(a_device_that_takes_nothing_is_survived),
		EACH_WAY(errors_name_their_fix),
		cmocka_unit_test(a_queue_has_one_af_xdp_socket),
		cmocka_unit_test(zero_copy_is_skipped_where_the_driver_has_none),
	};

	make_net();
	return cmocka_run_group_tests_name("kernel_raw_faults", tests, NULL, NULL);
}
