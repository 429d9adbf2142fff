/* SPDX-License-Identifier: BSD-3-Clause */
#include "bench_wire_util.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/errqueue.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <netinet/udp.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "bench/wirenet.h"

static void a_datagram_crosses(const struct pw_wire *w)
{
	struct sockaddr_in at = sockaddr_of(&w->flow.dst), from;
	socklen_t len = sizeof(from);
	int rx = socket_in(w->sink_ns), tx = source_socket(w);
	char buf[2048];

	assert_int_equal(bind(rx, (struct sockaddr *)&at, sizeof(at)), 0);
	assert_int_equal(send(tx, "hello, wire", 11, 0), 11);
	assert_int_equal(recvfrom(rx, buf, sizeof(buf), 0, (struct sockaddr *)&from, &len), 11);
	assert_memory_equal(buf, "hello, wire", 11);
	assert_memory_equal(&from.sin_addr, w->flow.src.bytes, 4);
	close(rx);
	close(tx);
}

static void loopback_has_its_own_lo(void **state)
{
	struct pw_wire w;

	(void)state;
	open_wire(&w, PW_WIRE_LOOPBACK, 9000);
	assert_int_equal(w.source_ns, w.sink_ns);
	assert_string_equal(w.source_if, "lo");
	assert_interface(w.source_ns, "lo", 9000, &w.flow.dst, w.flow.src_mac);
	assert_int_equal(w.flow.dst.port, 4001);
	assert_int_equal(count(&w).packets, 0);
	a_datagram_crosses(&w);
	assert_int_equal(count(&w).packets, 1);
	pw_wire_close(&w);
}

static void veth_has_two_ends_in_two_namespaces(void **state)
{
	struct pw_wire w;

	(void)state;
	open_wire(&w, PW_WIRE_VETH, 9000);
	assert_int_not_equal(w.source_ns, w.sink_ns);
	assert_interface(w.source_ns, w.source_if, 9000, &w.flow.src, w.flow.src_mac);
	assert_interface(w.sink_ns, w.sink_if, 9000, &w.flow.dst, w.flow.dst_mac);
	a_datagram_crosses(&w);
	pw_wire_close(&w);
}

/* No ARP, no IPv6, no IGMP: the counters are the bench's packets alone. */
static void a_wire_is_quiet(void **state)
{
	struct pw_wire_count c;
	struct pw_wire w;
	int i;

	(void)state;
	open_wire(&w, PW_WIRE_VETH, 1500);
	for (i = 0; i < 7; i++)
		a_datagram_crosses(&w);
	usleep(300000);
	c = count(&w);
	assert_int_equal(c.packets, 7);
	assert_int_equal(c.bytes, 7 * (14 + 20 + 8 + 11));
	assert_int_equal(c.dropped, 0);
	pw_wire_close(&w);
}

static void a_sink_counts_every_datagram(void **state)
{
	static const uint8_t payload[1472];
	struct pw_wire_count c;
	struct pw_wire w;
	int fd, i;

	(void)state;
	open_wire(&w, PW_WIRE_SINK, 1500);
	assert_interface(w.source_ns, w.source_if, 1500, &w.flow.src, w.flow.src_mac);
	assert_int_equal(count(&w).packets, 0);
	fd = source_socket(&w);
	for (i = 0; i < 1000; i++)
		assert_int_equal(send(fd, payload, sizeof(payload), 0), sizeof(payload));
	c = count(&w);
	assert_int_equal(c.packets, 1000);
	assert_int_equal(c.bytes, 1000 * 1514);
	assert_int_equal(c.dropped, 0);
	close(fd);
	pw_wire_close(&w);
}

/* Trains are counted by the queue, frames that go past it by the device: neither hides the other. */
static void counts_between_readings_are_the_larger_difference(void **state)
{
	const struct pw_wire_count before = {.packets = 10, .queue_packets = 440};
	const struct pw_wire_count trains = {.packets = 20, .queue_packets = 880};
	const struct pw_wire_count past = {.packets = 25, .queue_packets = 440};

	(void)state;
	assert_int_equal(pw_wire_between(&before, &trains).packets, 440);
	assert_int_equal(pw_wire_between(&before, &past).packets, 15);
}

static void a_sink_counts_the_segments_of_trains(void **state)
{
	static const uint8_t train[40 * 1000];
	const int segment = 1000;
	struct pw_wire_count c;
	struct pw_wire w;
	int fd, i;

	(void)state;
	open_wire(&w, PW_WIRE_SINK, 1500);
	fd = source_socket(&w);
	if (setsockopt(fd, SOL_UDP, UDP_SEGMENT, &segment, sizeof(segment))) {
		print_message("# skipped: no UDP_SEGMENT\n");
		close(fd);
		pw_wire_close(&w);
		skip();
	}
	for (i = 0; i < 25; i++)
		assert_int_equal(send(fd, train, sizeof(train), 0), sizeof(train));
	c = count(&w);
	assert_int_equal(c.packets, 25 * 40);
	assert_int_equal(c.bytes, 25 * 40 * 1042);
	close(fd);
	pw_wire_close(&w);
}

/* A frame that a packet socket puts past the queue is the device's to count. */
static int packet_socket(void *arg, struct pw_err *err)
{
	(void)err;
	*(int *)arg = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
	return *(int *)arg < 0 ? -errno : 0;
}

struct index_of {
	const char *name;
	unsigned int index;
};

static int find_index(void *arg, struct pw_err *err)
{
	struct index_of *i = arg;

	(void)err;
	i->index = if_nametoindex(i->name);
	return 0;
}

static void a_sink_counts_frames_that_bypass_the_queue(void **state)
{
	struct sockaddr_ll to = {.sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_IP)};
	uint8_t frame[100] = {2, 0, 0, 0, 0x50, 2, 2, 0, 0, 0, 0x50, 1, 8, 0};
	struct index_of find;
	struct pw_wire w;
	const int on = 1;
	int fd, i;

	(void)state;
	open_wire(&w, PW_WIRE_SINK, 1500);
	find.name = w.source_if;
	assert_int_equal(pw_wirenet_call(w.source_ns, packet_socket, &fd, NULL), 0);
	pw_wirenet_call(w.source_ns, find_index, &find, NULL);
	to.sll_ifindex = (int)find.index;
	assert_int_equal(setsockopt(fd, SOL_PACKET, PACKET_QDISC_BYPASS, &on, sizeof(on)), 0);
	for (i = 0; i < 12; i++)
		assert_int_equal(
			sendto(fd, frame, sizeof(frame), 0, (struct sockaddr *)&to, sizeof(to)),
			sizeof(frame));
	assert_int_equal(count(&w).packets, 12);
	assert_int_equal(count(&w).bytes, 1200);
	close(fd);
	pw_wire_close(&w);
}

/* SO_EE_CODE_ZEROCOPY_COPIED of the completions for n sends; -1: they do not come. */
static int zerocopy_copied(int fd, uint32_t n)
{
	uint8_t control[256];
	struct sock_extended_err ee;
	uint32_t done = 0;
	int copied = 0;

	while (done < n) {
		struct pollfd p = {.fd = fd};
		struct msghdr m = {.msg_control = control, .msg_controllen = sizeof(control)};
		struct cmsghdr *c;

		if (poll(&p, 1, 2000) <= 0 || recvmsg(fd, &m, MSG_ERRQUEUE) < 0)
			return -1;
		c = CMSG_FIRSTHDR(&m);
		assert_non_null(c);
		memcpy(&ee, CMSG_DATA(c), sizeof(ee));
		assert_int_equal(ee.ee_origin, SO_EE_ORIGIN_ZEROCOPY);
		copied |= ee.ee_code & SO_EE_CODE_ZEROCOPY_COPIED;
		done += ee.ee_data - ee.ee_info + 1;
	}
	return copied;
}

static int send_zerocopy(const struct pw_wire *w, size_t len, int segment)
{
	static uint8_t payload[60000];
	int fd = source_socket(w), i, ret;
	const int on = 1;

	assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_ZEROCOPY, &on, sizeof(on)), 0);
	if (segment)
		assert_int_equal(
			setsockopt(fd, SOL_UDP, UDP_SEGMENT, &segment, sizeof(segment)), 0);
	for (i = 0; i < 10; i++)
		assert_int_equal(send(fd, payload, len, MSG_ZEROCOPY), len);
	ret = zerocopy_copied(fd, 10);
	close(fd);
	return ret;
}

static void a_sink_takes_pages_without_a_copy(void **state)
{
	struct pw_wire w;

	(void)state;
	open_wire(&w, PW_WIRE_SINK, 1500);
	assert_int_equal(send_zerocopy(&w, 1472, 0), 0);
	assert_int_equal(send_zerocopy(&w, 40 * 1472, 1472), 0);
	pw_wire_close(&w);
}

static int make_tap(void *arg, struct pw_err *err)
{
	struct ifreq req = {.ifr_flags = IFF_TAP | IFF_NO_PI};
	int fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC);

	(void)err;
	if (fd < 0)
		return -errno;
	snprintf(req.ifr_name, sizeof(req.ifr_name), "%s", ((struct pw_wire *)arg)->sink_if);
	if (ioctl(fd, TUNSETIFF, &req))
		return -errno;
	return fd;
}

static void a_tap_is_made_by_the_sink_and_then_given_its_addresses(void **state)
{
	struct pw_frame_view view;
	uint8_t frame[9014];
	struct pw_err err = {0};
	struct pw_wire w;
	struct pollfd p = {.events = POLLIN};
	ssize_t n;
	int tx;

	(void)state;
	open_wire(&w, PW_WIRE_TAP, 4000);
	p.fd = pw_wirenet_call(w.sink_ns, make_tap, &w, &err);
	assert_true(p.fd >= 0);
	if (pw_wire_sink_ready(&w, &err))
		fail_msg("%s", err.msg);
	assert_interface(w.source_ns, w.source_if, 4000, &w.flow.src, w.flow.src_mac);
	tx = source_socket(&w);
	assert_int_equal(send(tx, "into the tap", 12, 0), 12);
	assert_int_equal(poll(&p, 1, 2000), 1);
	n = read(p.fd, frame, sizeof(frame));
	assert_true(n > 0);
	assert_memory_equal(frame, w.flow.dst_mac, 6);
	assert_memory_equal(frame + 6, w.flow.src_mac, 6);
	assert_int_equal(pw_frame_parse(frame, (size_t)n, true, &view), PW_FRAME_OK);
	assert_true(pw_addr_equal_host(&view.src, &w.flow.src));
	assert_true(pw_addr_equal_host(&view.dst, &w.flow.dst));
	assert_int_equal(view.payload_len, 12);
	close(tx);
	close(p.fd);
	pw_wire_close(&w);
}

static void a_tap_that_never_comes_is_an_error(void **state)
{
	struct pw_err err = {0};
	uint64_t start;
	struct pw_wire w;

	(void)state;
	open_wire(&w, PW_WIRE_TAP, 1500);
	start = pw_clock_ns();
	assert_int_equal(pw_wire_sink_ready(&w, &err), -ETIMEDOUT);
	assert_in_range(pw_clock_ns() - start, 4 * PW_NS_PER_S, 8 * PW_NS_PER_S);
	assert_non_null(strstr(err.msg, w.sink_if));
	pw_wire_close(&w);
}

static void vhost_and_null_need_no_namespace(void **state)
{
	char deep[120];
	struct pw_wire_count c;
	struct pw_err err = {0};
	struct pw_wire w;

	(void)state;
	assert_int_equal(pw_wire_open(&w, PW_WIRE_VHOST, NULL, NULL, 9000, "/tmp/x", &err), 0);
	assert_string_equal(w.socket, "/tmp/x/vhost.sock");
	assert_int_equal(w.source_ns, -1);
	assert_int_equal(w.flow.vlan, PW_VLAN_NONE);
	assert_int_equal(w.flow.dst.family, 4);
	assert_int_not_equal(w.flow.dst_mac[0], 0);
	pw_wire_close(&w);
	assert_int_equal(pw_wire_open(&w, PW_WIRE_NULL, NULL, NULL, 1500, "/tmp", &err), 0);
	assert_string_equal(w.text, "null");
	assert_int_equal(w.flow.src.port, 4001);
	assert_int_equal(pw_wire_count(&w, &c, &err), -EOPNOTSUPP);
	assert_int_equal(pw_wire_enter(w.source_ns, &err), 0);
	assert_int_equal(pw_wire_sink_ready(&w, &err), 0);
	pw_wire_close(&w);
	memset(deep, 'd', sizeof(deep) - 1);
	deep[0] = '/';
	deep[sizeof(deep) - 1] = '\0';
	assert_int_equal(
		pw_wire_open(&w, PW_WIRE_VHOST, NULL, NULL, 1500, deep, &err), -ENAMETOOLONG);
	assert_non_null(strstr(err.msg, "TMPDIR"));
}

/* ETH_P_ALL: what tcpdump opens */
static int capture_socket(void *arg, struct pw_err *err)
{
	(void)err;
	*(int *)arg = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, htons(ETH_P_ALL));
	return *(int *)arg < 0 ? -errno : 0;
}

static void a_capture_on_the_wire_is_noticed(void **state)
{
	char who[64];
	struct pw_wire w, other;
	int fd;

	(void)state;
	open_wire(&w, PW_WIRE_VETH, 1500);
	open_wire(&other, PW_WIRE_LOOPBACK, 1500);
	assert_false(pw_wire_has_tap(&w, who, sizeof(who)));
	assert_string_equal(who, "");
	assert_int_equal(pw_wirenet_call(w.source_ns, capture_socket, &fd, NULL), 0);
	assert_true(pw_wire_has_tap(&w, who, sizeof(who)));
	assert_int_equal(strncmp(who, "ALL", 3), 0);
	assert_false(pw_wire_has_tap(&other, who, sizeof(who)));
	close(fd);
	pw_wire_close(&w);
	pw_wire_close(&other);
}

/* Children enter by the number that they inherited. */
static int enter_and_look(const void *arg)
{
	const struct pw_wire *w = arg;

	if (pw_wire_enter(w->sink_ns, NULL))
		return 1;
	if (!if_nametoindex(w->sink_if))
		return 2;
	return if_nametoindex(w->source_if) ? 3 : 0;
}

static void a_child_enters_its_end(void **state)
{
	struct pw_wire w;

	(void)state;
	open_wire(&w, PW_WIRE_VETH, 1500);
	assert_int_equal(in_child(enter_and_look, &w), 0);
	pw_wire_close(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(loopback_has_its_own_lo),
		cmocka_unit_test(veth_has_two_ends_in_two_namespaces),
		cmocka_unit_test(a_wire_is_quiet),
		cmocka_unit_test(a_sink_counts_every_datagram),
		cmocka_unit_test(counts_between_readings_are_the_larger_difference),
		cmocka_unit_test(a_sink_counts_the_segments_of_trains),
		cmocka_unit_test(a_sink_counts_frames_that_bypass_the_queue),
		cmocka_unit_test(a_sink_takes_pages_without_a_copy),
		cmocka_unit_test(a_tap_is_made_by_the_sink_and_then_given_its_addresses),
		cmocka_unit_test(a_tap_that_never_comes_is_an_error),
		cmocka_unit_test(vhost_and_null_need_no_namespace),
		cmocka_unit_test(a_capture_on_the_wire_is_noticed),
		cmocka_unit_test(a_child_enters_its_end),
	};

	own_net();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
