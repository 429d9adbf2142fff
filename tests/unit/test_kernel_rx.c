/* SPDX-License-Identifier: BSD-3-Clause */
/* Every kernel way to receive packets: sizes, trains, drops, hostile frames, waiting, and what it lacks.
 *
 *   datagram ways   UDP socket --> lo   --> the way
 *   frame ways      AF_PACKET  --> pwtx ======== pwrx --> the way
 */
#include "kernel_raw_util.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/udp.h>

#include "kernel/rxway.h"

#define PORT      4001
#define MTU       1500
#define LOOPBACK  "127.0.0.1"
#define PAYLOAD   1472u /* the longest that an MTU of 1500 takes */
#define N_HOSTILE 20000

struct end {
	const struct pw_rx_way *way;
	void *path;
	int fd; /* sends: a connected UDP socket, or a packet socket on pwtx */
	struct pw_flow flow;
};

static bool is_frame(const struct end *e)
{
	return e->way->kind == PW_WAY_FRAME;
}

static void open_sender(struct end *e)
{
	const struct sockaddr_ll ll = {
		.sll_family = AF_PACKET, .sll_ifindex = (int)if_nametoindex(TX)};
	const struct sockaddr_in to = {.sin_family = AF_INET,
		.sin_port = htons(PORT),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	const int size = 4 << 20;

	e->fd = socket(is_frame(e) ? AF_PACKET : AF_INET, is_frame(e) ? SOCK_RAW : SOCK_DGRAM, 0);
	assert_true(e->fd >= 0);
	setsockopt(e->fd, SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof(size));
	if (is_frame(e))
		assert_int_equal(bind(e->fd, (const struct sockaddr *)&ll, sizeof(ll)), 0);
	else
		assert_int_equal(connect(e->fd, (const struct sockaddr *)&to, sizeof(to)), 0);
}

/* Opens the way, or skips the test with its reason. */
static struct end open_end(const char *name)
{
	struct end e = {.way = pw_rx_way_find(name)};
	struct pw_rx_way_config cfg = {.mtu = MTU};
	struct pw_err err = {0};
	int r;

	assert_non_null(e.way);
	need_link(MTU);
	e.flow = make_flow(0);
	cfg.interface = is_frame(&e) ? RX : NULL;
	cfg.listen = e.flow.dst;
	if (!is_frame(&e) && pw_addr_parse("listen", LOOPBACK, PORT, &cfg.listen, &err) < 0)
		fail_msg("%s", err.msg);
	r = pw_rx_way_open(e.way, &e.path, &cfg, &err);
	if (r == -EOPNOTSUPP || r == -EPERM || r == -ENOSYS) {
		print_message("# skipped: %s\n", err.msg);
		skip();
	}
	if (r < 0)
		fail_msg("%s", err.msg);
	open_sender(&e);
	return e;
}

static void close_end(struct end *e)
{
	close(e->fd);
	pw_rx_way_close(e->path);
}

static const struct pw_rx_counters *counters(struct end *e)
{
	return e->way->packets->counters(e->path);
}

/* A frame around the payload; returns its length. */
static size_t make_frame(const struct end *e, uint8_t *frame, const void *payload, size_t len)
{
	struct pw_frame_tmpl t;

	pw_frame_template(&t, &e->flow, (const uint8_t *)"", 0, (uint16_t)len, false);
	memcpy(frame, t.bytes, t.len);
	memcpy(frame + t.len, payload, len);
	return t.len + len;
}

static bool try_send(const struct end *e, const void *bytes, size_t len)
{
	uint8_t frame[PAYLOAD + PW_FRAME_HDR_MAX];

	if (!is_frame(e))
		return send(e->fd, bytes, len, 0) == (ssize_t)len;
	len = make_frame(e, frame, bytes, len);
	return send(e->fd, frame, len, 0) == (ssize_t)len;
}

static void send_one(const struct end *e, const void *bytes, size_t len)
{
	if (!try_send(e, bytes, len))
		fail_msg("send: %s", strerror(errno));
}

static uint8_t byte(uint32_t packet, uint32_t i)
{
	return (uint8_t)(packet * 31 + i);
}

/* Receives until nothing came for 100 ms; calls fn for each packet. */
static uint64_t take_all(struct end *e, uint16_t burst,
	void (*fn)(void *ctx, uint64_t i, const struct pw_rx_view *v), void *ctx)
{
	struct pw_rx_view views[2 * PW_BURST];
	const uint64_t end = pw_clock_ns() + 20 * PW_NS_PER_S;
	unsigned int quiet = 0;
	uint64_t n = 0;
	int k, i;

	while (quiet < 10 && pw_clock_ns() < end) {
		k = e->way->packets->burst(e->path, views, burst, 10000000);
		assert_in_range(k, 0, burst);
		for (i = 0; i < k; i++)
			fn(ctx, n++, &views[i]);
		if (k)
			e->way->packets->release(e->path);
		quiet = k ? 0 : quiet + 1;
	}
	return n;
}

static const uint16_t sizes[] = {1, 2, 17, 18, 63, 64, 65, 511, 1000, 1399, 1400, 1471, 1472, 3};

static void check_size(void *ctx, uint64_t i, const struct pw_rx_view *v)
{
	const uint32_t len = sizes[i % PW_ARRAY_LEN(sizes)];
	const struct pw_host_key *from = ctx;

	assert_int_equal(v->len, len);
	assert_true(pw_host_key_equal(v->from, *from));
	for (uint32_t k = 0; k < len; k++)
		assert_int_equal(v->data[k], byte((uint32_t)i, k));
}

static void datagrams_of_odd_sizes_arrive_whole(void **state)
{
	static const uint16_t bursts[] = {1, 3, PW_BURST, 2 * PW_BURST};
	struct end e = open_end(*state);
	const uint32_t n = 10 * PW_ARRAY_LEN(sizes);
	uint8_t payload[PAYLOAD];
	struct pw_addr any = e.flow.src;
	struct pw_host_key from;

	if (!is_frame(&e))
		assert_int_equal(pw_addr_parse("from", LOOPBACK, 0, &any, NULL), 0);
	from = pw_host_key(&any);
	for (size_t b = 0; b < PW_ARRAY_LEN(bursts); b++) {
		for (uint32_t i = 0; i < n; i++) {
			for (uint32_t k = 0; k < sizeof(payload); k++)
				payload[k] = byte(i, k);
			send_one(&e, payload, sizes[i % PW_ARRAY_LEN(sizes)]);
		}
		assert_int_equal(take_all(&e, bursts[b], check_size, &from), n);
		assert_int_equal(counters(&e)->packets, (b + 1) * n);
	}
	assert_int_equal(counters(&e)->missed, 0);
	assert_int_equal(counters(&e)->malformed, 0);
	assert_true(e.way->packets->alive(e.path));
	close_end(&e);
}

static void count_bytes(void *ctx, uint64_t i, const struct pw_rx_view *v)
{
	(void)i;
	*(uint64_t *)ctx += v->len;
}

static void empty_datagrams_are_counted_but_not_returned(void **state)
{
	struct end e = open_end(*state);
	uint64_t bytes = 0;

	send_one(&e, "", 0);
	send_one(&e, "xy", 2);
	send_one(&e, "", 0);
	assert_int_equal(take_all(&e, PW_BURST, count_bytes, &bytes), 1);
	assert_int_equal(bytes, 2);
	assert_int_equal(counters(&e)->packets, 3);
	assert_int_equal(counters(&e)->bytes, 2);
	close_end(&e);
}

/* Every packet is received or counted as missed, and both happen. */
static void drops_are_counted(void **state)
{
	struct end e = open_end(*state);
	const uint32_t len = is_frame(&e) ? 1000 : MTU - 28;
	uint8_t *payload = calloc(1, len);
	uint64_t n = 0, bytes = 0, got;

	assert_non_null(payload);
	/* More than every ring of a way, and more than a socket's buffer holds. */
	while (n < 200000 && (n % 1024 || counters(&e)->missed < 64)) {
		send_one(&e, payload, len);
		n++;
	}
	got = take_all(&e, 2 * PW_BURST, count_bytes, &bytes);
	assert_in_range(counters(&e)->missed, 1, n - 1);
	assert_int_equal(got + counters(&e)->missed, n);
	assert_int_equal(bytes, got * len);
	/* It goes on. */
	send_one(&e, payload, 7);
	assert_int_equal(take_all(&e, 2 * PW_BURST, count_bytes, &bytes), 1);
	free(payload);
	close_end(&e);
}

/* One call sends a train of 20 datagrams and a short one; ways with GRO and without get 21 datagrams. */
static void trains_are_cut_into_their_datagrams(void **state)
{
	struct end e = open_end(*state);
	uint8_t train[20 * 1000 + 333] = {0};
	uint64_t bytes = 0, total = 0;
	const int segment = 1000;

	if (is_frame(&e)) {
		struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(PORT)};

		sh("ip addr add 10.9.0.9/24 dev " TX " && ip neigh replace 10.9.0.2 lladdr " RX_MAC
		   " nud permanent dev " TX);
		close(e.fd);
		e.fd = socket(AF_INET, SOCK_DGRAM, 0);
		inet_pton(AF_INET, "10.9.0.2", &to.sin_addr);
		assert_int_equal(connect(e.fd, (struct sockaddr *)&to, sizeof(to)), 0);
	}
	assert_int_equal(setsockopt(e.fd, SOL_UDP, UDP_SEGMENT, &segment, sizeof(segment)), 0);
	for (int i = 0; i < 10; i++)
		assert_int_equal(send(e.fd, train, sizeof(train), 0), sizeof(train));
	total = take_all(&e, 7, count_bytes, &bytes);
	assert_int_equal(total, 210);
	assert_int_equal(bytes, 10 * sizeof(train));
	assert_int_equal(counters(&e)->packets, 210);
	assert_int_equal(counters(&e)->malformed, 0);
	close_end(&e);
}

static void waiting_ends_at_its_timeout(void **state)
{
	struct end e = open_end(*state);
	struct pw_rx_view views[PW_BURST];
	uint64_t start = pw_clock_ns();

	assert_int_equal(e.way->packets->burst(e.path, views, PW_BURST, 0), 0);
	assert_true(pw_clock_ns() - start < PW_NS_PER_S);
	start = pw_clock_ns();
	assert_int_equal(e.way->packets->burst(e.path, views, PW_BURST, 50000000), 0);
	/* TPACKET_V3 retires a block that holds foreign frames. */
	assert_in_range(pw_clock_ns() - start, 45000000, 5 * PW_NS_PER_S);
	close_end(&e);
}

static void longer_datagrams_than_its_buffers_are_counted(void **state)
{
	struct end e = open_end(*state);
	uint8_t big[5000] = {0};
	uint64_t bytes = 0;

	send_one(&e, big, sizeof(big));
	send_one(&e, big, 100);
	assert_int_equal(take_all(&e, PW_BURST, count_bytes, &bytes), 1);
	assert_int_equal(bytes, 100);
	assert_int_equal(counters(&e)->packets, 2);
	assert_int_equal(counters(&e)->malformed, 1);
	assert_int_equal(counters(&e)->too_long, 1);
	close_end(&e);
}

/* Reads every byte of what it is given: ASan and a guard page detect a view that is too long. */
static void read_view(void *ctx, uint64_t i, const struct pw_rx_view *v)
{
	(void)i;
	for (uint32_t k = 0; k < v->len; k++)
		*(uint64_t *)ctx += v->data[k];
	assert_in_range(v->len, 1, PAYLOAD);
}

/* Frames with bytes changed at random: all are received, foreign, malformed or missed, and nothing is read
 * beyond them. */
static void hostile_frames_are_bounded(void **state)
{
	struct end e = open_end(*state);
	uint8_t frame[PAYLOAD + PW_FRAME_HDR_MAX], payload[PAYLOAD];
	uint64_t sum = 0, got = 0;
	uint32_t sent = 0;

	memset(payload, 0xa5, sizeof(payload));
	srand(1);
	for (int i = 0; i < N_HOSTILE; i++) {
		size_t len = make_frame(&e, frame, payload, (size_t)(rand() % (int)PAYLOAD));
		int changes = rand() % 4;

		while (changes--)
			frame[12 + rand() % 34] = (uint8_t)rand();
		if (rand() % 3 == 0)
			len = 14 + (size_t)rand() % (len - 13);
		sent += send(e.fd, frame, len, 0) == (ssize_t)len;
		if (i % 500 == 499)
			got += take_all(&e, 2 * PW_BURST, read_view, &sum);
	}
	assert_in_range(got, sent / 10, sent);
	assert_true(counters(&e)->foreign + counters(&e)->malformed > 0);
	send_one(&e, payload, PAYLOAD);
	assert_int_equal(take_all(&e, PW_BURST, read_view, &sum), 1);
	close_end(&e);
}

static void other_ports_and_hosts_are_not_ours(void **state)
{
	struct end e = open_end(*state);
	uint64_t bytes = 0;

	e.flow.dst.port = PORT + 1;
	send_one(&e, "abc", 3);
	e.flow.dst.port = PORT;
	e.flow.dst.bytes[3] = 77;
	send_one(&e, "abcd", 4);
	assert_int_equal(take_all(&e, PW_BURST, count_bytes, &bytes), 0);
	assert_int_equal(
		counters(&e)->foreign, 1); /* a filter in the kernel keeps the other port away */
	close_end(&e);
}

static void an_interface_that_goes_down_is_seen(void **state)
{
	struct end e = open_end(*state);

	assert_true(e.way->packets->alive(e.path));
	sh("ip link set " RX " down");
	assert_false(e.way->packets->alive(e.path));
	close_end(&e);
	/* A killed or closed receiver leaves no program behind. */
	sh("ip link set " RX " up && ! ip link show dev " RX " | grep -q xdp");
}

static int open_with(const char *name, const char *interface, uint32_t mtu, struct pw_err *err)
{
	const struct pw_rx_way *way = pw_rx_way_find(name);
	const struct pw_flow flow = make_flow(0);
	const struct pw_rx_way_config cfg = {
		.listen = flow.dst, .interface = interface, .mtu = mtu};
	void *path;
	int r;

	assert_non_null(way);
	r = pw_rx_way_open(way, &path, &cfg, err);
	if (r == 0)
		pw_rx_way_close(path);
	return r;
}

static void errors_name_their_fix(void **state)
{
	struct pw_err err = {0};

	(void)state;
	need_link(MTU);
	assert_int_equal(open_with("packet_rx_ring", NULL, MTU, &err), -EINVAL);
	assert_non_null(strstr(err.msg, "no interface is named"));
	assert_int_equal(open_with("packet_rx_ring", "pwnone", MTU, &err), -ENODEV);
	assert_non_null(strstr(err.msg, "ip -br link"));
	assert_int_equal(open_with("recv", NULL, MTU, &err), -EADDRNOTAVAIL);
	assert_non_null(strstr(err.msg, "ip -br addr"));
	if (open_with("xdp_rx", RX, MTU, &err) == 0) {
		assert_int_equal(open_with("xdp_rx", RX, 9000, &err), -EOPNOTSUPP);
		assert_non_null(strstr(err.msg, "--mtu of 3826 at most"));
		assert_int_equal(open_with("xdp_rx_zerocopy", RX, MTU, &err), -EOPNOTSUPP);
		assert_non_null(strstr(err.msg, "use xdp_rx"));
	}
	assert_null(pw_rx_way_find("nonsense"));
}

#define ROWS(f, name) row(#f ": " name, f, name)
#define EACH_DATAGRAM(f)                                                          \
	ROWS(f, "recv"), ROWS(f, "recvmmsg"), ROWS(f, "udp_gro"), ROWS(f, "udp"), \
		ROWS(f, "uring_recv"), ROWS(f, "uring_recv_gro")
#define EACH_FRAME(f) ROWS(f, "packet_rx_ring"), ROWS(f, "xdp_rx")
#define EACH(f)       EACH_DATAGRAM(f), EACH_FRAME(f)

int main(void)
{
	const struct CMUnitTest tests[] = {
		EACH(datagrams_of_odd_sizes_arrive_whole),
		EACH(empty_datagrams_are_counted_but_not_returned),
		EACH(drops_are_counted),
		EACH(trains_are_cut_into_their_datagrams),
		EACH(waiting_ends_at_its_timeout),
		ROWS(longer_datagrams_than_its_buffers_are_counted, "uring_recv"),
		EACH_FRAME(hostile_frames_are_bounded),
		EACH_FRAME(other_ports_and_hosts_are_not_ours),
		EACH_FRAME(an_interface_that_goes_down_is_seen),
		cmocka_unit_test(errors_name_their_fix),
	};

	make_net();
	if (!no_net)
		sh("ip link set lo up");
	return cmocka_run_group_tests_name("kernel_rx", tests, NULL, NULL);
}
