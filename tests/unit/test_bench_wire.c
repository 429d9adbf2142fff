/* SPDX-License-Identifier: BSD-3-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/errqueue.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "bench/wire.h"
#include "bench/wirenet.h"
#include "sys/netif.h"

#define WITNESS "pwwitness"
#define NOBODY  65534

static bool have_net; /* root, in a network namespace of our own */

static void need_net(void)
{
	if (!have_net) {
		print_message("# skipped: no network namespace of our own (not root)\n");
		skip();
	}
}

/* What a host can lack is a reason to skip, everything else is a failure. */
static void open_wire(struct pw_wire *w, enum pw_wire_kind kind, uint32_t mtu)
{
	struct pw_err err = {0};
	int r;

	need_net();
	r = pw_wire_open(w, kind, NULL, NULL, mtu, "/tmp", &err);
	if (r == -EOPNOTSUPP || r == -ENODEV) {
		print_message("# skipped: %s\n", err.msg);
		skip();
	}
	if (r)
		fail_msg("%s", err.msg);
}

static int udp_socket(void *arg, struct pw_err *err)
{
	(void)err;
	*(int *)arg = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	return *(int *)arg < 0 ? -errno : 0;
}

/* A socket keeps the namespace that it was made in. */
static int socket_in(int ns)
{
	struct timeval wait = {.tv_sec = 2};
	int fd;

	assert_int_equal(pw_wirenet_call(ns, udp_socket, &fd, NULL), 0);
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof(wait));
	return fd;
}

static struct sockaddr_in sockaddr_of(const struct pw_addr *a)
{
	struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons(a->port)};

	memcpy(&in.sin_addr, a->bytes, 4);
	return in;
}

static int source_socket(const struct pw_wire *w)
{
	struct sockaddr_in to = sockaddr_of(&w->flow.dst);
	int fd = socket_in(w->source_ns);

	assert_int_equal(connect(fd, (struct sockaddr *)&to, sizeof(to)), 0);
	return fd;
}

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

struct query {
	const char *name;
	struct pw_netif netif;
};

static int query(void *arg, struct pw_err *err)
{
	struct query *q = arg;

	return pw_netif_query(q->name, &q->netif, err);
}

static void assert_interface(
	int ns, const char *name, uint32_t mtu, const struct pw_addr *addr, const uint8_t mac[6])
{
	struct query q = {.name = name};
	struct pw_err err = {0};

	if (pw_wirenet_call(ns, query, &q, &err))
		fail_msg("%s", err.msg);
	assert_true(q.netif.up);
	assert_int_equal(q.netif.mtu, mtu);
	assert_true(q.netif.has_ipv4);
	assert_memory_equal(q.netif.ipv4, addr->bytes, 4);
	assert_memory_equal(q.netif.mac, mac, 6);
	assert_false(q.netif.has_ipv6_linklocal);
}

static struct pw_wire_count count(const struct pw_wire *w)
{
	struct pw_wire_count c;
	struct pw_err err = {0};

	if (pw_wire_count(w, &c, &err))
		fail_msg("%s", err.msg);
	return c;
}

static unsigned int n_fds(void)
{
	DIR *d = opendir("/proc/self/fd");
	unsigned int n = 0;

	while (readdir(d))
		n++;
	closedir(d);
	return n;
}

static size_t read_text(const char *path, char *buf, size_t len)
{
	FILE *f = fopen(path, "r");
	size_t n;

	assert_non_null(f);
	n = fread(buf, 1, len - 1, f);
	buf[n] = '\0';
	fclose(f);
	return n;
}

/* Our interfaces and namespace, as they are. */
struct own {
	unsigned int n_fds;
	char devices[4096], ns[64];
};

static void look(struct own *own)
{
	memset(own, 0, sizeof(*own));
	own->n_fds = n_fds();
	read_text("/proc/thread-self/net/dev", own->devices, sizeof(own->devices));
	assert_true(readlink("/proc/thread-self/ns/net", own->ns, sizeof(own->ns) - 1) > 0);
}

/* A veth between us and a wire's namespace ends when the kernel takes the namespace down. */
static void plant_witness(int ns)
{
	struct pw_err err = {0};

	if (pw_wirenet_ip(-1, ns, &err,
		    "link add " WITNESS " type veth peer name pww netns " PW_WIRENET_PEER))
		fail_msg("%s", err.msg);
	assert_int_not_equal(if_nametoindex(WITNESS), 0);
}

static void assert_witness_gone(void)
{
	uint64_t deadline = pw_clock_ns() + 20 * PW_NS_PER_S;

	while (if_nametoindex(WITNESS)) {
		if (pw_clock_ns() > deadline)
			fail_msg("the namespace is still there");
		usleep(5000);
	}
}

static void wires_are_known_by_name(void **state)
{
	static const char *const bad[] = {
		"", "Veth", "veth ", "nic", "nic:", "nic:abcdefghijklmnop"};
	enum pw_wire_kind k;
	const char *nic;
	struct pw_err err;
	size_t i;
	int kind;

	(void)state;
	for (kind = 0; kind < PW_WIRE_NIC; kind++) {
		assert_int_equal(
			pw_wire_parse(pw_wire_name((enum pw_wire_kind)kind), &k, &nic, &err), 0);
		assert_int_equal(k, kind);
		assert_null(nic);
		assert_true(strlen(pw_wire_caveat(k)) > 10);
		assert_null(strchr(pw_wire_caveat(k), '\n'));
	}
	assert_int_equal(pw_wire_parse("nic:eth1", &k, &nic, &err), 0);
	assert_int_equal(k, PW_WIRE_NIC);
	assert_string_equal(nic, "eth1");
	for (i = 0; i < PW_ARRAY_LEN(bad); i++) {
		assert_int_equal(pw_wire_parse(bad[i], &k, &nic, &err), -EINVAL);
		assert_non_null(strstr(err.msg, "veth"));
	}
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

static void an_mtu_that_no_device_takes_is_refused(void **state)
{
	static const struct {
		enum pw_wire_kind kind;
		uint32_t mtu;
	} bad[] = {{PW_WIRE_VETH, 0}, {PW_WIRE_VETH, 575}, {PW_WIRE_VETH, 65536},
		{PW_WIRE_LOOPBACK, 65537}, {PW_WIRE_TAP, 65522}, {PW_WIRE_NULL, 68}};
	struct pw_err err;
	struct pw_wire w;
	size_t i;

	(void)state;
	for (i = 0; i < PW_ARRAY_LEN(bad); i++) {
		assert_int_equal(
			pw_wire_open(&w, bad[i].kind, NULL, NULL, bad[i].mtu, "/tmp", &err),
			-EINVAL);
		assert_non_null(strstr(err.msg, "576"));
		assert_int_equal(w.source_ns, -1);
	}
}

static void the_largest_mtus_are_taken(void **state)
{
	static const struct {
		enum pw_wire_kind kind;
		uint32_t mtu;
	} good[] = {{PW_WIRE_LOOPBACK, 65536}, {PW_WIRE_VETH, 65535}, {PW_WIRE_SINK, 65535},
		{PW_WIRE_VETH, 576}};
	struct pw_wire w;
	size_t i;

	(void)state;
	for (i = 0; i < PW_ARRAY_LEN(good); i++) {
		open_wire(&w, good[i].kind, good[i].mtu);
		pw_wire_close(&w);
	}
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

static void a_closed_wire_leaves_nothing(void **state)
{
	static const enum pw_wire_kind kinds[] = {
		PW_WIRE_LOOPBACK, PW_WIRE_SINK, PW_WIRE_VETH, PW_WIRE_TAP};
	struct own before, after;
	struct pw_wire w;
	size_t i;

	(void)state;
	need_net();
	for (i = 0; i < PW_ARRAY_LEN(kinds); i++) {
		look(&before);
		open_wire(&w, kinds[i], 1500);
		look(&after);
		assert_string_equal(before.ns, after.ns);
		assert_string_equal(before.devices, after.devices);
		assert_true(after.n_fds > before.n_fds);
		assert_int_equal(fcntl(w.source_ns, F_GETFD) & FD_CLOEXEC, 0);
		plant_witness(kinds[i] == PW_WIRE_VETH ? w.sink_ns : w.source_ns);
		pw_wire_close(&w);
		assert_witness_gone();
		look(&after);
		assert_string_equal(before.devices, after.devices);
		assert_int_equal(before.n_fds, after.n_fds);
		assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
		assert_int_equal(errno, ECHILD);
		pw_wire_close(&w); /* a second time does no harm */
	}
}

static void hold_a_wire(int report)
{
	struct pw_wire w;

	if (pw_wire_open(&w, PW_WIRE_VETH, NULL, NULL, 1500, "/tmp", NULL) == 0 &&
		write(report, &w, sizeof(w)) == sizeof(w))
		for (;;)
			pause();
	_exit(1);
}

static void a_killed_process_leaves_no_wire(void **state)
{
	struct own before, after;
	struct pw_wire w;
	char path[64];
	int fd, pipes[2], status;
	pid_t pid;

	(void)state;
	need_net();
	look(&before);
	assert_int_equal(pipe(pipes), 0);
	pid = fork();
	if (pid == 0)
		hold_a_wire(pipes[1]);
	close(pipes[1]);
	assert_int_equal(read(pipes[0], &w, sizeof(w)), sizeof(w));
	close(pipes[0]);
	snprintf(path, sizeof(path), "/proc/%d/fd/%d", pid, w.sink_ns);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	assert_true(fd >= 0);
	plant_witness(fd);
	close(fd);
	kill(pid, SIGKILL);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status));
	assert_witness_gone();
	look(&after);
	assert_string_equal(before.devices, after.devices);
	assert_int_equal(before.n_fds, after.n_fds);
}

static void without_ip_the_error_says_so(void **state)
{
	char *path = strdup(getenv("PATH"));
	unsigned int before = n_fds();
	struct pw_err err = {0};
	struct pw_wire w;
	int r;

	(void)state;
	if (!have_net)
		free(path);
	need_net();
	setenv("PATH", "/proc/empty", 1);
	r = pw_wire_open(&w, PW_WIRE_VETH, NULL, NULL, 1500, "/tmp", &err);
	setenv("PATH", path, 1);
	free(path);
	assert_int_equal(r, -ENODEV);
	assert_non_null(strstr(err.msg, "iproute2"));
	assert_int_equal(n_fds(), before);
}

static void what_ip_refuses_is_told_in_its_words(void **state)
{
	struct pw_err err = {0};
	struct pw_wire w;

	(void)state;
	open_wire(&w, PW_WIRE_LOOPBACK, 1500);
	assert_int_equal(pw_wirenet_ip(w.source_ns, -1, &err, "link set dev nosuch up"), -ENODEV);
	assert_non_null(strstr(err.msg, "run `ip link set dev nosuch up`: Cannot find device"));
	assert_int_equal(
		pw_wirenet_ip(w.source_ns, -1, &err, "link add x type nosuchtype"), -EOPNOTSUPP);
	assert_int_equal(pw_wirenet_ip(w.source_ns, -1, &err, "link set dev lo name a/b"), -EIO);
	pw_wire_close(&w);
}

/* The status of a child that does fn(arg) and returns 0 when all is as it should be. */
static int in_child(int (*fn)(const void *arg), const void *arg)
{
	int status;
	pid_t pid = fork();

	if (pid == 0)
		_exit(fn(arg));
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static int open_as_nobody(const void *arg)
{
	struct pw_err err = {0};
	struct pw_wire w;

	(void)arg;
	if (setresuid(NOBODY, NOBODY, NOBODY))
		return 1;
	if (pw_wire_open(&w, PW_WIRE_LOOPBACK, NULL, NULL, 1500, "/tmp", &err) != -EPERM)
		return 2;
	if (!strstr(err.msg, "CAP_SYS_ADMIN") || !strstr(err.msg, "root"))
		return 3;
	return pw_wire_open(&w, PW_WIRE_NULL, NULL, NULL, 1500, "/tmp", &err) ? 4 : 0;
}

static void without_privilege_the_error_names_it(void **state)
{
	(void)state;
	need_net();
	assert_int_equal(in_child(open_as_nobody, NULL), 0);
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

static struct pw_addr address(const char *text)
{
	struct pw_addr a;

	assert_int_equal(pw_addr_parse("--to", text, 0, &a, NULL), 0);
	return a;
}

/* A failed assertion of cmocka would run on in the child: it is an exit status there. */
#define CHILD(condition)                           \
	do {                                       \
		if (!(condition))                  \
			return __LINE__ % 250 + 1; \
	} while (0)

static int nic_refusals(const void *arg)
{
	static const struct {
		const char *nic, *to, *hint;
		uint32_t mtu;
		int code;
	} bad[] = {{"nosuch0", "198.18.0.2", "nosuch0", 1500, ENODEV},
		{"lo", "198.18.0.2", "Ethernet", 1500, EINVAL},
		{"pwa", "198.18.0.2", "ip link set mtu 1501", 1501, EINVAL},
		{"pwa", "198.18.0.1", "this host", 1500, EINVAL},
		{"pwa", "10.99.0.1", "gateway", 1500, EHOSTUNREACH},
		{"pwa", "10.98.0.1", "10.98.0.1", 1500, ENETUNREACH},
		{"pwd", "198.18.0.2", "ip link set up dev pwd", 1500, ENETDOWN},
		{"pwe", "198.18.0.2", "another interface", 1500, ENETUNREACH},
		{"pwa", "198.18.0.77", "nobody answers", 1500, EHOSTUNREACH}};
	const struct pw_wire *veth = arg;
	struct pw_err err = {0};
	struct pw_addr to;
	struct pw_wire w;
	size_t i;

	CHILD(pw_wire_enter(veth->source_ns, &err) == 0);
	CHILD(pw_wirenet_ip(-1, -1, &err, "route add 10.99.0.0/24 via 198.18.0.2") == 0);
	CHILD(pw_wirenet_ip(-1, -1, &err, "link add pwd type veth peer name pwe") == 0);
	for (i = 0; i < PW_ARRAY_LEN(bad); i++) {
		if (strcmp(bad[i].nic, "pwe") == 0) {
			CHILD(pw_wirenet_ip(-1, -1, &err, "link set dev pwd up") == 0);
			CHILD(pw_wirenet_ip(-1, -1, &err, "link set dev pwe up") == 0);
		}
		to = address(bad[i].to);
		err.msg[0] = '\0';
		if (pw_wire_open(&w, PW_WIRE_NIC, bad[i].nic, &to, bad[i].mtu, "/tmp", &err) !=
				-bad[i].code ||
			!strstr(err.msg, bad[i].hint)) {
			print_message("# %s to %s: %s\n", bad[i].nic, bad[i].to, err.msg);
			return (int)i + 1;
		}
	}
	CHILD(pw_wire_open(&w, PW_WIRE_NIC, "pwa", NULL, 0, "/tmp", &err) == -EINVAL);
	return 0;
}

static void a_nic_that_cannot_reach_the_receiver_is_refused(void **state)
{
	struct pw_wire w;

	(void)state;
	open_wire(&w, PW_WIRE_VETH, 1500);
	assert_int_equal(in_child(nic_refusals, &w), 0);
	pw_wire_close(&w);
}

static int nic_asks(const void *arg)
{
	const struct pw_wire *veth = arg;
	struct pw_addr to = address("198.18.0.2:5000"), group = address("239.1.2.3");
	static const uint8_t group_mac[6] = {1, 0, 0x5e, 1, 2, 3};
	struct pw_wire_count c;
	struct pw_err err = {0};
	struct pw_wire w;

	CHILD(pw_wire_enter(veth->source_ns, &err) == 0);
	CHILD(pw_wirenet_ip(-1, -1, &err, "neigh del 198.18.0.2 dev pwa") == 0);
	CHILD(pw_wire_open(&w, PW_WIRE_NIC, "pwa", &to, 0, "/tmp", &err) == 0);
	CHILD(strcmp(w.text, "nic:pwa") == 0 && strcmp(w.source_if, "pwa") == 0);
	CHILD(w.mtu == 1500 && w.source_ns == -1);
	CHILD(memcmp(w.flow.dst_mac, veth->flow.dst_mac, 6) == 0);
	CHILD(memcmp(w.flow.src_mac, veth->flow.src_mac, 6) == 0);
	CHILD(pw_addr_equal_host(&w.flow.src, &veth->flow.src));
	CHILD(pw_addr_equal_host(&w.flow.dst, &to) && w.flow.dst.port == 5000);
	CHILD(pw_wire_count(&w, &c, &err) == 0 && c.packets >= 2); /* ARP and the datagram */
	CHILD(pw_wirenet_ip(-1, -1, &err, "route add 239.0.0.0/8 dev pwa") == 0);
	pw_wire_close(&w);
	CHILD(pw_wire_open(&w, PW_WIRE_NIC, "pwa", &group, 1400, "/tmp", &err) == 0);
	CHILD(w.mtu == 1400 && w.flow.dst.port == 4001);
	CHILD(memcmp(w.flow.dst_mac, group_mac, 6) == 0);
	pw_wire_close(&w);
	return 0;
}

static void a_nic_asks_the_kernel_for_the_receivers_mac(void **state)
{
	struct pw_wire w;

	(void)state;
	open_wire(&w, PW_WIRE_VETH, 1500);
	assert_int_equal(in_child(nic_asks, &w), 0);
	pw_wire_close(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(wires_are_known_by_name),
		cmocka_unit_test(loopback_has_its_own_lo),
		cmocka_unit_test(veth_has_two_ends_in_two_namespaces),
		cmocka_unit_test(a_wire_is_quiet),
		cmocka_unit_test(a_sink_counts_every_datagram),
		cmocka_unit_test(a_sink_counts_the_segments_of_trains),
		cmocka_unit_test(a_sink_counts_frames_that_bypass_the_queue),
		cmocka_unit_test(a_sink_takes_pages_without_a_copy),
		cmocka_unit_test(a_tap_is_made_by_the_sink_and_then_given_its_addresses),
		cmocka_unit_test(a_tap_that_never_comes_is_an_error),
		cmocka_unit_test(vhost_and_null_need_no_namespace),
		cmocka_unit_test(an_mtu_that_no_device_takes_is_refused),
		cmocka_unit_test(the_largest_mtus_are_taken),
		cmocka_unit_test(a_capture_on_the_wire_is_noticed),
		cmocka_unit_test(a_closed_wire_leaves_nothing),
		cmocka_unit_test(a_killed_process_leaves_no_wire),
		cmocka_unit_test(without_ip_the_error_says_so),
		cmocka_unit_test(what_ip_refuses_is_told_in_its_words),
		cmocka_unit_test(without_privilege_the_error_names_it),
		cmocka_unit_test(a_child_enters_its_end),
		cmocka_unit_test(a_nic_that_cannot_reach_the_receiver_is_refused),
		cmocka_unit_test(a_nic_asks_the_kernel_for_the_receivers_mac),
	};

	have_net = geteuid() == 0 && unshare(CLONE_NEWNET) == 0;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
