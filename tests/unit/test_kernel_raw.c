/* SPDX-License-Identifier: BSD-3-Clause */
/* Checks each frame that the frame ways send. */
#include "kernel_raw_util.h"

#include <inttypes.h>

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

/* Bytes of the symbols that cross extents */
static uint64_t split_bytes(const struct object *ob)
{
	const struct pw_blocks *b = &ob->o.blocks;
	uint64_t sum = 0, last = UINT64_MAX, i;

	for (i = 1; i < ob->win.n_extents; i++) {
		uint64_t at = ob->extents[i].offset, index = at / b->symbol_len;

		if (at % b->symbol_len && index != last)
			sum += pw_blocks_symbol_bytes(b, index);
		last = index;
	}
	return sum;
}

/* An open path, and the socket at the far end of its wire */
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
	pw_way_close(l->path);
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
	/* with 58 bytes of header: frames of a page, of a byte more, and of two pages */
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
		pw_way_close(path);
		close(fd);
	}
}

/* /proc/net/dev shows this process's network namespace. */
static void read_received(const char *name, uint64_t *bytes, uint64_t *packets)
{
	FILE *f = fopen("/proc/net/dev", "re");
	char line[512], *p;
	bool found = false;

	assert_non_null(f);
	while (!found && fgets(line, sizeof(line), f)) {
		p = line + strspn(line, " ");
		found = strncmp(p, name, strlen(name)) == 0 &&
			sscanf(p + strlen(name), ": %" SCNu64 " %" SCNu64, bytes, packets) == 2;
	}
	fclose(f);
	assert_true(found);
}

/* The bench's sink: an ifb counts frames that are sent to it as received, and drops them. */
static void a_sink_counts_every_frame(void **state)
{
	static const uint64_t whole[2] = {UINT64_MAX, UINT64_MAX};
	const struct pw_way *way = find(*state);
	struct pw_flow flow = make_flow(0);
	struct pw_way_config cfg = make_config(&flow, 1500);
	uint64_t at, bytes, packets, end = pw_clock_ns() + 10 * PW_NS_PER_S;
	struct pw_tx_counters c;
	struct object ob;
	void *path;

	need_link(1500);
	if (system("ip link add pwifb type ifb 2>/dev/null && ip link set pwifb up") != 0) {
		print_message("# skipped: no ifb\n");
		skip();
	}
	cfg.interface = "pwifb";
	path = open_way(way, &cfg);
	object_make(&ob, &flow, 3000 * 1408 + 5, 1408, whole);
	for (at = 0; at < 3001 && pw_clock_ns() < end;) {
		struct pw_tx_burst b = burst_at(&ob, at, PW_BURST);

		at += way->packets->send(path, &b);
	}
	c = *way->packets->counters(path);
	assert_true(way->packets->alive(path));
	pw_way_close(path);
	read_received("pwifb", &bytes, &packets);
	assert_int_equal(c.packets, 3001);
	assert_int_equal(packets, 3001);
	assert_int_equal(bytes, c.wire_bytes);
	object_drop(&ob);
	sh("ip link del pwifb");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		EACH_WAY(frames_arrive_byte_for_byte),
		EACH_WAY(bursts_of_any_length_arrive),
		EACH_WAY(jumbo_frames_arrive),
		EACH_WAY(the_longest_ip_packets_arrive),
		EACH_WAY(control_packets_arrive),
		EACH_WAY(a_sink_counts_every_frame),
	};

	make_net();
	return cmocka_run_group_tests_name("kernel_raw", tests, NULL, NULL);
}
