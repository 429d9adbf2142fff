/* SPDX-License-Identifier: BSD-3-Clause */
#include "kernel_raw_util.h"

#include <sys/mman.h>

static const struct pw_way *find(const char *name)
{
	const struct pw_way *way = pw_way_find(name);

	assert_non_null(way);
	assert_int_equal(way->kind, PW_WAY_FRAME);
	return way;
}

static bool is_missing(const struct pw_way *way)
{
	struct pw_flow flow = make_flow(0);
	struct pw_way_config cfg = make_config(&flow, 1500);
	struct pw_err err = {0};
	void *path;
	int r = way->open(&path, &cfg, &err);

	way->close(path);
	if (r == -EOPNOTSUPP)
		print_message("# skipped for %s: %s\n", way->name, err.msg);
	return r == -EOPNOTSUPP;
}

/* Sends the object in bursts of changing length and compares each frame; returns how many. */
static uint64_t deliver(
	const struct pw_way *way, void *path, int fd, struct object *ob, uint16_t burst)
{
	const uint64_t n_symbols = ob->o.blocks.n_symbols;
	uint64_t at = 0, end = pw_clock_ns() + 20 * PW_NS_PER_S;
	struct pw_err err = {0};

	if (way->packets->attach(path, &ob->o, &err) < 0)
		fail_msg("%s", err.msg);
	while (at < n_symbols && pw_clock_ns() < end) {
		struct pw_tx_burst b =
			burst_at(ob, at, burst ? burst : (uint16_t)(1 + at * 7 % PW_BURST));
		uint16_t n = way->packets->send(path, &b);

		assert_in_range(n, 0, b.n);
		if (way->packets->fault(path))
			fail_msg("%s", way->packets->fault(path));
		way->packets->reap(path);
		take_burst(fd, ob, &b, n);
		at += n;
	}
	assert_int_equal(at, n_symbols);
	assert_quiet(fd);
	assert_int_equal(way->packets->outstanding(path), 0);
	assert_int_equal(way->packets->detach(path, &ob->o), 0);
	return n_symbols;
}

static void assert_counts(const struct pw_way *way, void *path, const struct object *ob,
	const struct pw_tx_counters *before, bool ipv6, uint64_t split_bytes)
{
	const struct pw_tx_counters *c = way->packets->counters(path);
	const uint64_t n = ob->o.blocks.n_symbols, bytes = ob->win.len_bytes;
	bool slots = strcmp(way->name, "packet_send") != 0;

	assert_int_equal(c->packets - before->packets, n);
	assert_int_equal(c->payload_bytes - before->payload_bytes, bytes);
	assert_int_equal(c->wire_bytes - before->wire_bytes, bytes + n * ob->o.tmpl.len);
	assert_int_equal(
		c->cpu_copied_bytes - before->cpu_copied_bytes, slots ? bytes : split_bytes);
	assert_int_equal(c->cpu_read_bytes - before->cpu_read_bytes, ipv6 ? bytes : 0);
}

/* Bytes of those symbols that a cut goes through */
static uint64_t split_bytes(const struct object *ob)
{
	const struct pw_blocks *b = &ob->o.blocks;
	uint64_t sum = 0, last = UINT64_MAX, i;

	for (i = 1; i < ob->win.n_runs; i++) {
		uint64_t at = ob->runs[i].offset, index = at / b->symbol_len;

		if (at % b->symbol_len && index != last)
			sum += pw_blocks_symbol_bytes(b, index);
		last = index;
	}
	return sum;
}

/* An open way and the far end of its wire */
struct line {
	const struct pw_way *way;
	struct pw_flow flow;
	unsigned int kind;
	void *path;
	int fd;
};

static struct line line_open(
	const struct pw_way *way, unsigned int kind, uint32_t mtu, uint16_t batch, bool bypass)
{
	struct line l = {.way = way, .flow = make_flow(kind), .kind = kind};
	struct pw_way_config cfg = make_config(&l.flow, mtu);

	cfg.batch = batch;
	cfg.qdisc_bypass = bypass;
	l.path = open_way(way, &cfg);
	l.fd = open_sink();
	return l;
}

static void line_close(struct line *l)
{
	l->way->close(l->path);
	assert_quiet(l->fd);
	close(l->fd);
}

static void one_object(
	struct line *l, uint32_t symbol_len, uint64_t len, const uint64_t cut[2], uint16_t burst)
{
	const struct pw_tx_counters before = *l->way->packets->counters(l->path);
	struct object ob;

	object_make(&ob, &l->flow, len, symbol_len, cut);
	deliver(l->way, l->path, l->fd, &ob, burst);
	assert_counts(l->way, l->path, &ob, &before, l->kind & IPV6, split_bytes(&ob));
	object_drop(&ob);
}

static void frames_arrive_byte_for_byte(void **state)
{
	enum { S = 1408 };
	static const uint64_t sizes[] = {0, 1, S - 1, S, S + 1, 10 * S, 700 * S + 13};
	/* whole; inside a symbol; two cuts in one symbol; between symbols */
	static const uint64_t cuts[][2] = {
		{UINT64_MAX, UINT64_MAX}, {3 * S + 5, UINT64_MAX}, {S + 1, S + 2}, {2 * S, 4 * S}};
	const struct pw_way *way = find(*state);
	unsigned int kind;
	struct line l;
	size_t i, k;

	need_link(1500);
	for (kind = 0; kind < 8; kind++) {
		l = line_open(way, kind % 4, 1500, 32, kind / 4);
		for (i = 0; i < PW_ARRAY_LEN(sizes); i++)
			for (k = 0; k < PW_ARRAY_LEN(cuts); k++)
				one_object(&l, S, sizes[i], cuts[k], 0);
		line_close(&l);
	}
}

static void bursts_of_any_length_arrive(void **state)
{
	static const uint64_t cut[2] = {70000, 70001};
	static const uint16_t batches[] = {1, 7, 33, PW_BURST};
	struct line l;
	uint16_t burst;
	size_t i;

	need_link(1500);
	for (i = 0; i < PW_ARRAY_LEN(batches); i++) {
		l = line_open(find(*state), 0, 1500, batches[i], false);
		for (burst = 1; burst <= PW_BURST; burst++)
			one_object(&l, 100, 20011, cut, burst);
		line_close(&l);
	}
}

static void jumbo_frames_arrive(void **state)
{
	static const uint64_t cut[2] = {100001, 100002};
	const struct pw_way *way = find(*state);
	struct line l;

	need_link(9000);
	l = line_open(way, 0, 9000, PW_BURST, false);
	one_object(&l, 8928, 700 * 8928 + 1, cut, 0);
	/* 58 bytes of header: frames of a page, of a byte more, and of two pages */
	one_object(&l, 4096 - 58, 100 * 4038, cut, 0);
	one_object(&l, 4097 - 58, 100 * 4039, cut, 0);
	one_object(&l, 8192 - 58, 100 * 8134, cut, 0);
	line_close(&l);
	l = line_open(way, IPV6 | VLAN, 9000, PW_BURST, false);
	one_object(&l, 8928, 20 * 8928 - 1, cut, 0);
	line_close(&l);
}

static void the_longest_ip_packets_arrive(void **state)
{
	static const uint64_t cut[2] = {100001, 100002};
	struct line l;

	need_link(65535);
	l = line_open(find(*state), 0, 65535, 8, false);
	one_object(&l, 65535 - 44, 40 * 65491 + 1, cut, 8);
	line_close(&l);
}

static void control_packets_arrive(void **state)
{
	const struct pw_way *way = find(*state);
	uint8_t payload[1400], buf[2048];
	unsigned int kind;
	size_t i;

	need_link(1500);
	for (i = 0; i < sizeof(payload); i++)
		payload[i] = (uint8_t)(i * 31);
	for (kind = 0; kind < 4; kind++) {
		struct pw_flow flow = make_flow(kind);
		struct pw_way_config cfg = make_config(&flow, 1500);
		const size_t lens[] = {0, 1, 777, sizeof(payload)};
		struct object ob;
		uint64_t wire = 0;
		void *path;
		int fd;

		cfg.frame_bytes = 100; /* symbols may be smaller than the MTU */
		path = open_way(way, &cfg);
		fd = open_sink();
		for (i = 0; i < PW_ARRAY_LEN(lens); i++) {
			object_make(&ob, &flow, lens[i], 1408, (uint64_t[2]){2000, 2000});
			pw_frame_set_payload_len(&ob.o.tmpl, (uint16_t)lens[i]);
			assert_int_equal(
				way->packets->send_copy(path, &ob.o.tmpl, payload, lens[i]), 1);
			wire += ob.o.tmpl.len + lens[i];
			assert_frame(buf, take_frame(fd, buf, sizeof(buf), 0), &ob.o.tmpl,
				pw_be32_load(ob.o.tmpl.bytes + ob.o.tmpl.len - 4), payload,
				lens[i]);
			object_drop(&ob);
		}
		assert_int_equal(way->packets->counters(path)->packets, 4);
		assert_int_equal(way->packets->counters(path)->wire_bytes, wire);
		assert_int_equal(way->packets->counters(path)->payload_bytes, 0);
		way->close(path);
		close(fd);
	}
}

/* Sends until the path says what is wrong, a few seconds at most. */
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

/* With a fault, sends end at once with nothing; closing does too. */
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
	way->close(path);
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

/* Where the kernel reads the page, there is no SIGBUS that the session could see. */
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
	was = ob.runs[0].va;
	ob.runs[0].va = map;
	assert_int_equal(ftruncate(fd, 4096), 0);
	assert_broken(way, path, &ob, "truncated");
	ob.runs[0].va = was;
	object_drop(&ob);
	munmap(map, 65536);
	close(fd);
}

/* The interface is up, the cable is not. */
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
		way->close(path);
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
	object_make(&ob, &flow, 20000, 1457, whole); /* 20 + 8 + 16 in front: 1501 */
	assert_int_equal(way->packets->attach(path, &ob.o, &err), -EMSGSIZE);
	assert_non_null(strstr(err.msg, "1501"));
	assert_non_null(strstr(err.msg, "--mtu"));
	object_drop(&ob);
	object_make(&ob, &flow, 1456, 1457, whole); /* its one symbol is short */
	assert_int_equal(way->packets->attach(path, &ob.o, &err), 0);
	object_drop(&ob);
	way->close(path);
}

/* A shaper with a queue of `limit` bytes in front of the wire: what it refuses has to be sent
 * again, and in order. */
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
	way->close(path);
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

	assert_int_equal(way->open(&path, cfg, &err), -code);
	assert_null(path);
	if (!strstr(err.msg, hint))
		fail_msg("%s", err.msg);
}

static void errors_name_their_mend(void **state)
{
	const struct pw_way *way = find(*state);
	struct pw_flow flow = make_flow(0);
	struct pw_way_config cfg = make_config(&flow, 1500);

	need_link(1500);
	if (is_missing(way))
		skip();
	way->close(NULL);
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
	way->close(path);
	path = open_way(way, &cfg);
	way->close(path);
}

/* veth has none; the libraries' own complaints stay off stderr. */
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

/* A tap that nobody reads drops; no call may wait for it. */
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
	way->close(path);
	assert_true(pw_clock_ns() - start < 8 * PW_NS_PER_S);
	object_drop(&ob);
	sh("ip link del pwtap");
}

static struct CMUnitTest row(const char *name, CMUnitTestFunction f, const char *way)
{
	return (struct CMUnitTest){name, f, NULL, NULL, (void *)(uintptr_t)way};
}

#define ROW(f, way) row(#f ": " way, f, way)
/* Those that obey the MTU and the qdisc; AF_XDP goes past both. */
#define EACH_PACKET_WAY(f) ROW(f, "packet_send"), ROW(f, "packet_tx_ring")
#define EACH_WAY(f)        EACH_PACKET_WAY(f), ROW(f, "xdp_copy")

int main(void)
{
	const struct CMUnitTest tests[] = {
		EACH_WAY(frames_arrive_byte_for_byte),
		EACH_WAY(bursts_of_any_length_arrive),
		EACH_WAY(jumbo_frames_arrive),
		EACH_WAY(the_longest_ip_packets_arrive),
		EACH_WAY(control_packets_arrive),
		EACH_WAY(an_interface_set_down_is_a_fault),
		EACH_WAY(an_interface_deleted_is_a_fault),
		EACH_PACKET_WAY(a_smaller_mtu_is_a_fault),
		cmocka_unit_test(a_truncated_file_is_a_fault),
		EACH_WAY(a_lost_carrier_is_seen),
		EACH_WAY(packets_beyond_the_mtu_are_refused),
		EACH_PACKET_WAY(a_full_queue_loses_nothing),
		EACH_WAY(a_device_that_takes_nothing_is_survived),
		EACH_WAY(errors_name_their_mend),
		cmocka_unit_test(a_queue_has_one_af_xdp_socket),
		cmocka_unit_test(zero_copy_is_skipped_where_the_driver_has_none),
	};

	make_net();
	return cmocka_run_group_tests_name("kernel_raw", tests, NULL, NULL);
}
