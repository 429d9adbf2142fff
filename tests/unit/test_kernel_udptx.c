/* SPDX-License-Identifier: BSD-3-Clause */
/* Checks each datagram that the datagram ways send. */
#include "kernel_udp_util.h"

#include <inttypes.h>

static const uint64_t whole[2] = {UINT64_MAX, UINT64_MAX};

/* An open path, and the socket at its other end */
struct line {
	const struct pw_way *way;
	struct pw_flow flow;
	void *path;
	int fd;
};

static struct line line_open(const struct pw_way *way, bool v6, uint16_t batch, bool sqpoll)
{
	struct line l = {.way = way, .flow = make_flow(v6)};
	struct pw_way_config cfg = make_config(&l.flow);

	need_net();
	cfg.batch = batch;
	cfg.sqpoll = sqpoll;
	l.path = open_way(way, &cfg);
	l.fd = open_sink(&l.flow);
	return l;
}

static void line_close(struct line *l)
{
	pw_way_close(l->path);
	assert_quiet(l->fd);
	close(l->fd);
}

static void assert_counts(
	const struct line *l, const struct object *ob, const struct pw_tx_counters *before)
{
	const struct pw_tx_counters *c = l->way->packets->counters(l->path);
	const uint64_t n = ob->o.blocks.n_symbols, bytes = ob->win.len_bytes;

	assert_int_equal(c->packets - before->packets, n);
	assert_int_equal(c->payload_bytes - before->payload_bytes, bytes);
	assert_int_equal(c->wire_bytes - before->wire_bytes, bytes + n * ob->o.tmpl.len);
	assert_int_equal(c->cpu_copied_bytes, 0);
	assert_int_equal(c->cpu_read_bytes, 0);
	if (!l->way->zerocopy)
		assert_int_equal(c->zc_done, 0);
	else if (n)
		assert_true(c->zc_done > before->zc_done);
	assert_int_equal(c->zc_copied, c->zc_done); /* loopback always copies */
}

static void one_object(
	struct line *l, uint32_t symbol_len, uint64_t len, const uint64_t cut[2], uint16_t burst)
{
	const struct pw_tx_counters before = *l->way->packets->counters(l->path);
	struct object ob;

	object_make(&ob, &l->flow, len, symbol_len, cut);
	deliver(l->way, l->path, l->fd, &ob, burst);
	assert_counts(l, &ob, &before);
	object_drop(&ob);
}

static void datagrams_arrive_byte_for_byte(void **state)
{
	enum { S = 1440 };
	static const uint64_t sizes[] = {0, 1, S - 1, S, S + 1, 10 * S, (1 << 20) + 13};
	/* whole; inside a symbol; two cuts in one symbol; between symbols */
	static const uint64_t cuts[][2] = {
		{UINT64_MAX, UINT64_MAX}, {3 * S + 5, UINT64_MAX}, {S + 1, S + 2}, {2 * S, 4 * S}};
	struct line l;
	size_t i, k;
	int v6;

	for (v6 = 0; v6 < 2; v6++) {
		l = line_open(find_way(*state), v6, PW_BURST, false);
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

	for (i = 0; i < PW_ARRAY_LEN(batches); i++) {
		l = line_open(find_way(*state), false, batches[i], false);
		for (burst = 1; burst <= PW_BURST; burst++)
			one_object(&l, 100, 20011, cut, burst);
		line_close(&l);
	}
}

/* Symbols of a jumbo frame, of about a page, and of the longest possible datagram: an skb cannot refer to
 * all the pages of that one. */
static void long_symbols_arrive(void **state)
{
	static const uint64_t cut[2] = {100001, 100002};
	static const uint32_t symbols[] = {4080, 4096, 4097, 8192, 8928, 32768, 61440, 65491};
	struct line l = line_open(find_way(*state), false, PW_BURST, false);
	size_t i;

	for (i = 0; i < PW_ARRAY_LEN(symbols); i++)
		one_object(&l, symbols[i], 20 * symbols[i] + 1, cut, 0);
	line_close(&l);
}

static void a_kernel_thread_may_submit(void **state)
{
	struct line l = line_open(find_way(*state), false, PW_BURST, true);

	one_object(&l, 1440, 300001, whole, 0);
	line_close(&l);
}

/* One has 1400 bytes, more than a symbol: it must not be cut like a train. */
static void control_packets_arrive_whole(void **state)
{
	static const size_t lens[] = {0, 1, 777, 1400};
	uint8_t payload[1400], buf[2048];
	struct pw_tx_counters before;
	struct object ob;
	struct line l;
	size_t i;
	int v6;

	memset(payload, 0x5a, sizeof(payload));
	for (v6 = 0; v6 < 2; v6++) {
		l = line_open(find_way(*state), v6, PW_BURST, false);
		object_make(&ob, &l.flow, 100 * 500, 500, whole);
		deliver(l.way, l.path, l.fd, &ob, 0);
		for (i = 0; i < PW_ARRAY_LEN(lens); i++) {
			const struct pw_frame_tmpl *t = &ob.o.tmpl;
			size_t hdr = (size_t)(t->len - t->alc_off);

			before = *l.way->packets->counters(l.path);
			assert_int_equal(l.way->packets->send_copy(l.path, t, payload, lens[i]), 1);
			assert_int_equal(recv(l.fd, buf, sizeof(buf), 0), hdr + lens[i]);
			assert_memory_equal(buf, t->bytes + t->alc_off, hdr);
			assert_memory_equal(buf + hdr, payload, lens[i]);
			assert_int_equal(
				l.way->packets->counters(l.path)->packets, before.packets + 1);
			assert_int_equal(l.way->packets->counters(l.path)->wire_bytes,
				before.wire_bytes + t->len + lens[i]);
			assert_int_equal(l.way->packets->counters(l.path)->payload_bytes,
				before.payload_bytes);
		}
		object_drop(&ob);
		line_close(&l);
	}
}

static int value_of(struct msghdr *m, int level, int type)
{
	struct cmsghdr *c;
	int value = 0;

	for (c = CMSG_FIRSTHDR(m); c; c = CMSG_NXTHDR(m, c))
		if (c->cmsg_level == level && c->cmsg_type == type) {
			/* IPv4's TOS is a byte */
			memcpy(&value, CMSG_DATA(c),
				c->cmsg_len - CMSG_LEN(0) < sizeof(value) ? 1 : sizeof(value));
			return value;
		}
	return -1;
}

static void dscp_and_ttl_of_the_flow_are_set(void **state)
{
	struct sockaddr_storage from;
	struct line l;
	int v6;

	for (v6 = 0; v6 < 2; v6++) {
		char control[256], byte[2048];
		struct iovec iov = {byte, sizeof(byte)};
		struct msghdr m = {.msg_name = &from,
			.msg_namelen = sizeof(from),
			.msg_iov = &iov,
			.msg_iovlen = 1,
			.msg_control = control,
			.msg_controllen = sizeof(control)};
		struct pw_tx_burst b;
		struct object ob;

		l = line_open(find_way(*state), v6, PW_BURST, false);
		object_make(&ob, &l.flow, 1000, 1000, whole);
		attach(l.way, l.path, &ob);
		b = burst_at(&ob, 0, 1);
		assert_int_equal(l.way->packets->send(l.path, &b), 1);
		assert_true(recvmsg(l.fd, &m, 0) > 0);
		assert_int_equal(v6 ? value_of(&m, IPPROTO_IPV6, IPV6_HOPLIMIT)
				    : value_of(&m, IPPROTO_IP, IP_TTL),
			9);
		assert_int_equal(v6 ? value_of(&m, IPPROTO_IPV6, IPV6_TCLASS)
				    : value_of(&m, IPPROTO_IP, IP_TOS),
			10 << 2);
		assert_int_equal(ntohs(v6 ? ((struct sockaddr_in6 *)&from)->sin6_port
					  : ((struct sockaddr_in *)&from)->sin_port),
			4000);
		detach(l.way, l.path, &ob);
		object_drop(&ob);
		line_close(&l);
	}
}

/* The receiver has the same address and port that the flow names as its source. */
static void a_source_port_that_is_taken_is_no_obstacle(void **state)
{
	const struct pw_way *way = find_way(*state);
	struct pw_flow flow = make_flow(false);
	struct pw_way_config cfg;
	struct object ob;
	void *path;
	int fd;

	need_net();
	flow.src.port = flow.dst.port;
	cfg = make_config(&flow);
	fd = open_sink(&flow);
	path = open_way(way, &cfg);
	object_make(&ob, &flow, 5000, 1440, whole);
	deliver(way, path, fd, &ob, 0);
	pw_way_close(path);
	object_drop(&ob);
	close(fd);
}

static void groups_are_sent_to_on_the_named_interface(void **state)
{
	const struct pw_way *way = find_way(*state);
	struct pw_flow flow = make_flow(false);
	struct pw_way_config cfg;
	struct ip_mreqn group = {0};
	struct object ob;
	void *path;
	int fd;

	need_net();
	assert_int_equal(pw_addr_parse("dst", "239.1.2.3", PORT, &flow.dst, NULL), 0);
	flow.src = (struct pw_addr){0};
	cfg = make_config(&flow);
	cfg.interface = "lo";
	path = open_way(way, &cfg);
	fd = open_sink(&flow);
	group.imr_ifindex = (int)if_nametoindex("lo");
	assert_int_equal(inet_pton(AF_INET, "239.1.2.3", &group.imr_multiaddr), 1);
	assert_int_equal(setsockopt(fd, IPPROTO_IP, IP_ADD_MEMBERSHIP, &group, sizeof(group)), 0);
	object_make(&ob, &flow, 100000, 1440, whole);
	deliver(way, path, fd, &ob, 0);
	pw_way_close(path);
	object_drop(&ob);
	close(fd);
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

/* The bench's sink: an ifb drops what is sent to it, so the kernel has no reason to copy. */
static void a_sink_gets_the_pages_themselves(void **state)
{
	const struct pw_way *way = find_way(*state);
	struct pw_flow flow = make_flow(false);
	uint64_t at, bytes, packets, end;
	struct pw_way_config cfg;
	struct pw_tx_counters c;
	struct object ob;
	void *path;

	need_net();
	if (system("ip link add pwifb type ifb 2>/dev/null && "
		   "echo 1 > /proc/sys/net/ipv6/conf/pwifb/disable_ipv6 && "
		   "ip link set pwifb up && "
		   "ip addr add 10.9.0.1/24 dev pwifb && "
		   "ip neigh add 10.9.0.2 lladdr 02:00:00:00:00:02 dev pwifb") != 0) {
		print_message("# skipped: no ifb\n");
		skip();
	}
	assert_int_equal(pw_addr_parse("dst", "10.9.0.2", PORT, &flow.dst, NULL), 0);
	flow.src = (struct pw_addr){0};
	cfg = make_config(&flow);
	path = open_way(way, &cfg);
	object_make(&ob, &flow, 3000 * 1440 + 5, 1440, whole);
	attach(way, path, &ob);
	end = pw_clock_ns() + 10 * PW_NS_PER_S;
	for (at = 0; at < 3001 && pw_clock_ns() < end;) {
		struct pw_tx_burst b = burst_at(&ob, at, PW_BURST);

		at += way->packets->send(path, &b);
	}
	detach(way, path, &ob);
	c = *way->packets->counters(path);
	pw_way_close(path);
	assert_int_equal(c.packets, 3001);
	assert_int_equal(c.zc_done > 0, way->zerocopy);
	assert_int_equal(c.zc_copied, 0);
	read_received("pwifb", &bytes, &packets);
	/* a train passes uncut, with one Ethernet, IP and UDP header */
	assert_int_equal(bytes, ob.win.len_bytes + 3001u * (ob.o.tmpl.len - ob.o.tmpl.alc_off) +
					packets * ob.o.tmpl.alc_off);
	if (strcmp(way->name, "udp_gso") == 0)
		assert_in_range(packets, 1, 3001 / 16);
	else if (way->gso) /* zero-copy: a train is a call */
		assert_int_equal(packets, c.zc_done);
	else
		assert_int_equal(packets, 3001);
	object_drop(&ob);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		EACH_WAY(datagrams_arrive_byte_for_byte),
		EACH_WAY(bursts_of_any_length_arrive),
		EACH_WAY(long_symbols_arrive),
		ROW(a_kernel_thread_may_submit, "uring_udp_zc"),
		EACH_WAY(control_packets_arrive_whole),
		EACH_WAY(dscp_and_ttl_of_the_flow_are_set),
		EACH_WAY(a_source_port_that_is_taken_is_no_obstacle),
		EACH_WAY(a_sink_gets_the_pages_themselves),
		EACH_WAY(groups_are_sent_to_on_the_named_interface),
	};

	return cmocka_run_group_tests_name("kernel_udptx", tests, NULL, NULL);
}
