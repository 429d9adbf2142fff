/* SPDX-License-Identifier: BSD-3-Clause */
/* The kernel's UDP receiver: trains, sources, groups, drops, waiting, and errors. */
#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "kernel/sockaddr.h"
#include "kernel/udprx.h"

#define PORT    4001
#define GROUPS6 "pwgroups" /* an interface */
#define SECOND6 "fd77::1"  /* on lo */

static bool have_net;     /* a network namespace, with multicast on lo */
static bool have_groups6; /* also for IPv6 */
static bool have_second6;

static struct pw_udprx_config config(const char *listen)
{
	struct pw_udprx_config cfg = {.rcvbuf_bytes = 4u << 20};
	struct pw_err err = {0};

	if (pw_addr_parse("--listen", listen, PORT, &cfg.listen, &err) < 0)
		fail_msg("%s", err.msg);
	return cfg;
}

static struct pw_udprx *open_rx(const struct pw_udprx_config *cfg)
{
	struct pw_err err = {0};
	struct pw_udprx *rx;

	if (pw_udprx_open(&rx, cfg, NULL, &err) < 0)
		fail_msg("%s", err.msg);
	return rx;
}

static void need_net(void)
{
	if (!have_net) {
		print_message("# skipped: no network namespace of our own (not root)\n");
		skip();
	}
}

static void bind_to(int fd, const char *host)
{
	struct sockaddr_storage ss;
	struct pw_addr a;
	socklen_t len;

	assert_int_equal(pw_addr_parse("from", host, 0, &a, NULL), 0);
	len = pw_sockaddr_make(&a, 0, &ss);
	if (bind(fd, (struct sockaddr *)&ss, len) < 0)
		fail_msg("bind %s: %s", host, strerror(errno));
}

/* A socket that sends to host:PORT from the address `from`; NULL: the kernel chooses. */
static int sender_from(const char *from, const char *host, const char *interface)
{
	bool v6 = strchr(host, ':') != NULL;
	struct sockaddr_in6 a6 = {.sin6_family = AF_INET6, .sin6_port = htons(PORT)};
	struct sockaddr_in a4 = {.sin_family = AF_INET, .sin_port = htons(PORT)};
	int fd = socket(v6 ? AF_INET6 : AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), ret;
	unsigned int index = interface ? if_nametoindex(interface) : 0;
	struct ip_mreqn via = {.imr_ifindex = (int)index};
	int size = 4 << 20;

	assert_true(fd >= 0);
	setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
	setsockopt(fd, IPPROTO_IP, IP_MULTICAST_IF, &via, sizeof(via));
	if (v6)
		setsockopt(fd, IPPROTO_IPV6, IPV6_MULTICAST_IF, &index, sizeof(index));
	if (from)
		bind_to(fd, from);
	if (v6) {
		assert_int_equal(inet_pton(AF_INET6, host, &a6.sin6_addr), 1);
		a6.sin6_scope_id = index;
		ret = connect(fd, (struct sockaddr *)&a6, sizeof(a6));
	} else {
		assert_int_equal(inet_pton(AF_INET, host, &a4.sin_addr), 1);
		ret = connect(fd, (struct sockaddr *)&a4, sizeof(a4));
	}
	if (ret < 0)
		fail_msg("connect %s: %s", host, strerror(errno));
	return fd;
}

static int sender(const char *host, const char *interface)
{
	return sender_from(NULL, host, interface);
}

static void send_numbered(int fd, uint32_t first, uint32_t n, size_t len)
{
	uint8_t buf[2048] = {0};
	uint32_t i;

	for (i = first; i < first + n; i++) {
		memcpy(buf, &i, sizeof(i));
		assert_int_equal(send(fd, buf, len, 0), len);
	}
}

/* Receives datagrams, numbered from 0, until n have arrived or none arrives for 200 ms; returns how many. */
static uint32_t take_numbered(struct pw_udprx *rx, uint32_t n, size_t len, uint16_t burst)
{
	struct pw_rx_view views[PW_BURST * 2];
	uint32_t i = 0, number;
	int k, got;

	while (i < n) {
		got = pw_udprx_ops.burst(rx, views, burst, PW_NS_PER_S / 5);
		assert_in_range(got, 0, burst);
		if (got == 0)
			break;
		for (k = 0; k < got; k++, i++) {
			assert_int_equal(views[k].len, len);
			memcpy(&number, views[k].data, sizeof(number));
			assert_int_equal(number, i);
		}
		pw_udprx_ops.release(rx);
	}
	return i;
}

static void datagrams_arrive_in_order_and_are_counted(const char *host)
{
	struct pw_udprx_config cfg = config(host);
	struct pw_udprx *rx = open_rx(&cfg);
	int fd = sender(host, "lo");

	send_numbered(fd, 0, 1000, 1000);
	assert_int_equal(take_numbered(rx, 1001, 1000, PW_BURST), 1000);
	assert_int_equal(pw_udprx_ops.counters(rx)->packets, 1000);
	assert_int_equal(pw_udprx_ops.counters(rx)->bytes, 1000000);
	assert_int_equal(pw_udprx_ops.counters(rx)->missed, 0);
	assert_true(pw_udprx_ops.alive(rx));
	close(fd);
	pw_udprx_close(rx);
}

static void datagrams_of_ipv4_arrive(void **state)
{
	(void)state;
	need_net();
	datagrams_arrive_in_order_and_are_counted("127.0.0.1");
}

static void datagrams_of_ipv6_arrive(void **state)
{
	(void)state;
	need_net();
	datagrams_arrive_in_order_and_are_counted("::1");
}

/* The sender sends trains; the receiver gets trains and must cut them. */
static void trains_are_cut_into_their_datagrams(void **state)
{
	static const uint16_t bursts[] = {1, 7, PW_BURST, PW_BURST * 2};
	struct pw_udprx_config cfg = config("127.0.0.1");
	uint8_t *train = calloc(1, 60000);
	const int segment = 1000;
	struct pw_udprx *rx;
	uint32_t number, t, n;
	size_t i;
	int fd;

	(void)state;
	need_net();
	for (i = 0; i < sizeof(bursts) / sizeof(bursts[0]); i++) {
		rx = open_rx(&cfg);
		fd = sender("127.0.0.1", "lo");
		if (setsockopt(fd, SOL_UDP, UDP_SEGMENT, &segment, sizeof(segment)) < 0) {
			close(fd);
			pw_udprx_close(rx);
			free(train);
			print_message("# skipped: no UDP_SEGMENT\n");
			skip();
		}
		number = 0;
		for (t = 0; t < 20; t++) {
			n = t % 3 ? 50 : 2;
			for (uint32_t k = 0; k < n; k++, number++)
				memcpy(train + k * 1000, &number, sizeof(number));
			assert_int_equal(send(fd, train, n * 1000, 0), n * 1000);
		}
		assert_int_equal(take_numbered(rx, number + 1, 1000, bursts[i]), number);
		assert_int_equal(pw_udprx_ops.counters(rx)->packets, number);
		close(fd);
		pw_udprx_close(rx);
	}
	free(train);
}

static void a_short_end_of_a_train_keeps_its_length(void **state)
{
	struct pw_udprx_config cfg = config("127.0.0.1");
	struct pw_udprx *rx;
	struct pw_rx_view views[PW_BURST * 2];
	static uint8_t train[2500];
	const int segment = 1000;
	int fd, got, n = 0;
	uint32_t lens[4] = {0};

	(void)state;
	need_net();
	rx = open_rx(&cfg);
	fd = sender("127.0.0.1", "lo");
	setsockopt(fd, SOL_UDP, UDP_SEGMENT, &segment, sizeof(segment));
	assert_int_equal(send(fd, train, sizeof(train), 0), sizeof(train));
	while (n < 3 && (got = pw_udprx_ops.burst(rx, views, 1, PW_NS_PER_S)) > 0)
		lens[n++] = views[0].len;
	assert_int_equal(n, 3);
	assert_int_equal(lens[0], 1000);
	assert_int_equal(lens[1], 1000);
	assert_int_equal(lens[2], 500);
	close(fd);
	pw_udprx_close(rx);
}

static void empty_datagrams_are_counted_but_not_returned(void **state)
{
	struct pw_udprx_config cfg = config("127.0.0.1");
	struct pw_rx_view views[PW_BURST];
	struct pw_udprx *rx;
	int fd, got = 0, i;

	(void)state;
	need_net();
	rx = open_rx(&cfg);
	fd = sender("127.0.0.1", "lo");
	assert_int_equal(send(fd, "", 0, 0), 0);
	assert_int_equal(send(fd, "x", 1, 0), 1);
	for (i = 0; i < 5 && got == 0; i++)
		got = pw_udprx_ops.burst(rx, views, PW_BURST, PW_NS_PER_S);
	assert_int_equal(got, 1);
	assert_int_equal(views[0].len, 1);
	assert_int_equal(pw_udprx_ops.counters(rx)->packets, 2);
	close(fd);
	pw_udprx_close(rx);
}

static struct pw_host_key key_of(const char *host)
{
	struct pw_addr a;

	assert_int_equal(pw_addr_parse("host", host, 1, &a, NULL), 0);
	return pw_host_key(&a);
}

/* Two hosts send alternately, single datagrams and trains. */
static void two_senders_are_told_apart(const char *listen, const char *one, const char *other)
{
	const struct pw_host_key from[2] = {key_of(one), key_of(other)};
	struct pw_udprx_config cfg = config(listen);
	struct pw_rx_view views[PW_BURST];
	struct pw_udprx *rx = open_rx(&cfg);
	const int fds[2] = {sender_from(one, listen, "lo"), sender_from(other, listen, "lo")};
	const int segment = 100;
	static uint8_t bytes[1000];
	int i, k, got, n[2] = {0};

	setsockopt(fds[1], SOL_UDP, UDP_SEGMENT, &segment, sizeof(segment));
	for (i = 0; i < 40; i++) {
		memset(bytes, i % 2, sizeof(bytes));
		assert_true(send(fds[i % 2], bytes, i % 2 ? 1000 : 100, 0) > 0);
	}
	while ((got = pw_udprx_ops.burst(rx, views, PW_BURST, PW_NS_PER_S / 5)) > 0)
		for (k = 0; k < got; k++) {
			const int who = views[k].data[0];

			assert_true(pw_host_key_equal(views[k].from, from[who]));
			n[who]++;
		}
	assert_int_equal(n[0], 20);
	assert_in_range(n[1], 20, 200); /* 10 each, where the kernel has UDP_SEGMENT */
	close(fds[0]);
	close(fds[1]);
	pw_udprx_close(rx);
}

static void each_datagram_has_its_sender(void **state)
{
	(void)state;
	need_net();
	two_senders_are_told_apart("127.0.0.1", "127.0.0.1", "127.0.0.2");
	if (have_second6)
		two_senders_are_told_apart("::1", "::1", SECOND6);
}

/* What `other` sends to `listen` is not returned when `one` is the named source. */
static void one_source(
	const char *listen, const char *interface, const char *one, const char *other, bool foreign)
{
	struct pw_udprx_config cfg = config(listen);
	const struct pw_rx_counters *c;
	struct pw_udprx *rx;
	int fd, stranger;

	assert_int_equal(pw_addr_parse("--source", one, 0, &cfg.source, NULL), 0);
	cfg.interface = interface;
	rx = open_rx(&cfg);
	fd = sender_from(one, listen, interface);
	stranger = sender_from(other, listen, interface);
	send_numbered(stranger, 0, 10, 100);
	send_numbered(fd, 0, 10, 100);
	send_numbered(stranger, 10, 10, 100);
	while (take_numbered(rx, 10, 100, PW_BURST) == 0)
		;
	assert_int_equal(take_numbered(rx, 1, 100, PW_BURST), 0);
	c = pw_udprx_ops.counters(rx);
	/* the kernel itself drops a group's other sources */
	assert_int_equal(c->foreign, foreign ? 20 : 0);
	assert_int_equal(c->packets, 10 + c->foreign);
	assert_int_equal(c->bytes, 1000);
	close(fd);
	close(stranger);
	pw_udprx_close(rx);
}

static void only_the_named_source_is_received(void **state)
{
	(void)state;
	need_net();
	one_source("127.0.0.1", NULL, "127.0.0.1", "127.0.0.2", true);
	one_source("232.1.2.3", "lo", "127.0.0.1", "127.0.0.2", false);
	if (have_second6)
		one_source("::1", NULL, SECOND6, "::1", true);
	if (have_groups6)
		one_source("ff3e::4001", GROUPS6, "fd78::1", "fd78::2", false);
}

static void multicast(const char *group, const char *interface)
{
	struct pw_udprx_config cfg = config(group);
	struct pw_udprx *rx, *second;
	int fd;

	cfg.interface = interface;
	rx = open_rx(&cfg);
	second = open_rx(&cfg); /* a second receiver on this host is allowed */
	fd = sender(group, interface);
	send_numbered(fd, 0, 10, 100);
	assert_int_equal(take_numbered(rx, 10, 100, PW_BURST), 10);
	assert_int_equal(take_numbered(second, 10, 100, PW_BURST), 10);
	close(fd);
	pw_udprx_close(rx);
	pw_udprx_close(second);
}

static void a_group_is_joined_on_the_interface_named(void **state)
{
	(void)state;
	need_net();
	multicast("239.1.2.3", "lo");
	if (have_groups6)
		multicast("ff12::4001", GROUPS6);
	else
		print_message("# skipped for IPv6: no veth (needs ip)\n");
}

/* The kernel installs the local route of a new address from a work queue: what is sent before leaves the host. */
static bool add_address6(const char *address, const char *bits, const char *interface)
{
	char command[256];

	(void)snprintf(command, sizeof(command),
		"ip addr add %s/%s dev %s nodad && for i in $(seq 500); do "
		"ip -6 route show table local | grep -q '^local %s ' && exit 0; sleep 0.01; done; "
		"exit 1",
		address, bits, interface, address);
	return system(command) == 0;
}

/* A link-local address with its zone, at the sender and at the receiver. */
static void the_zone_of_an_address_is_its_interface(void **state)
{
	struct pw_udprx_config cfg;
	struct pw_rx_view view;
	struct pw_udprx *rx;
	int fd, got = 0, i;

	(void)state;
	need_net();
	if (!have_groups6)
		skip();
	assert_true(add_address6("fe80::77", "64", GROUPS6));
	cfg = config("[fe80::77%" GROUPS6 "]:4001");
	rx = open_rx(&cfg);
	fd = sender("fe80::77", GROUPS6);
	assert_int_equal(send(fd, "x", 1, 0), 1);
	for (i = 0; i < 5 && got == 0; i++)
		got = pw_udprx_ops.burst(rx, &view, 1, PW_NS_PER_S);
	assert_int_equal(got, 1);
	assert_true(pw_host_key_equal(view.from, key_of("fe80::77")));
	close(fd);
	pw_udprx_close(rx);
	cfg = config("[ff12::4001%" GROUPS6 "]:4001"); /* joined there */
	rx = open_rx(&cfg);
	fd = sender("ff12::4001", GROUPS6);
	send_numbered(fd, 0, 10, 100);
	assert_int_equal(take_numbered(rx, 10, 100, PW_BURST), 10);
	close(fd);
	pw_udprx_close(rx);
}

static void drops_of_the_socket_are_counted(void **state)
{
	struct pw_udprx_config cfg = config("127.0.0.1");
	struct pw_udprx *rx;
	uint32_t got;
	int fd;

	(void)state;
	need_net();
	cfg.rcvbuf_bytes = 20000;
	rx = open_rx(&cfg);
	fd = sender("127.0.0.1", "lo");
	send_numbered(fd, 0, 500, 1400);
	got = take_numbered(rx, 500, 1400, PW_BURST);
	assert_in_range(got, 1, 499);
	assert_int_equal(pw_udprx_ops.counters(rx)->missed, 500 - got);
	assert_int_equal(pw_udprx_ops.counters(rx)->missed, 500 - got);
	close(fd);
	pw_udprx_close(rx);
}

static void on_alarm(int sig)
{
	(void)sig;
}

static void waiting_ends_at_its_timeout_or_at_a_signal(void **state)
{
	struct pw_udprx_config cfg = config("127.0.0.1");
	struct itimerval soon = {.it_value = {.tv_usec = 50000}};
	struct sigaction sa = {.sa_handler = on_alarm}, old;
	struct pw_rx_view views[PW_BURST];
	struct pw_udprx *rx;
	uint64_t start;

	(void)state;
	need_net();
	rx = open_rx(&cfg);
	start = pw_clock_ns();
	assert_int_equal(pw_udprx_ops.burst(rx, views, PW_BURST, 0), 0);
	assert_true(pw_clock_ns() - start < PW_NS_PER_S / 10);
	assert_int_equal(pw_udprx_ops.burst(rx, views, PW_BURST, 100000000), 0);
	assert_true(pw_clock_ns() - start >= 100000000);
	sigaction(SIGALRM, &sa, &old);
	start = pw_clock_ns();
	setitimer(ITIMER_REAL, &soon, NULL);
	assert_int_equal(pw_udprx_ops.burst(rx, views, PW_BURST, 30 * PW_NS_PER_S), 0);
	assert_true(pw_clock_ns() - start < 10 * PW_NS_PER_S);
	sigaction(SIGALRM, &old, NULL);
	pw_udprx_close(rx);
}

static void assert_refused(struct pw_udprx_config *cfg, int code, const char *hint)
{
	struct pw_err err = {0};
	struct pw_udprx *rx;

	assert_int_equal(pw_udprx_open(&rx, cfg, NULL, &err), -code);
	assert_null(rx);
	if (!strstr(err.msg, hint))
		fail_msg("%s", err.msg);
}

static void errors_name_their_fix(void **state)
{
	struct pw_udprx_config cfg = config("192.0.2.77");
	struct pw_udprx *rx;

	(void)state;
	need_net();
	assert_refused(&cfg, EADDRNOTAVAIL, "ip -br addr");
	cfg = config("127.0.0.1");
	rx = open_rx(&cfg);
	assert_refused(&cfg, EADDRINUSE, "ss -lunp");
	pw_udprx_close(rx);
	cfg = config("239.1.2.3");
	cfg.interface = "nosuch0";
	assert_refused(&cfg, ENODEV, "ip -br link");
	cfg.interface = NULL;
	assert_refused(&cfg, ENODEV, "--interface");
	cfg = config("fe80::1");
	assert_refused(&cfg, EINVAL, "--interface");
	assert_refused(&cfg, EINVAL, "%eth0");
	cfg = config("[fe80::1%lo]:4001"); /* lo has no link-local address */
	assert_refused(&cfg, EADDRNOTAVAIL, "--interface");
	if (have_groups6) {
		cfg.interface = GROUPS6;
		assert_refused(&cfg, EINVAL, "differs");
	}
	cfg = config("127.0.0.1");
	cfg.source = (struct pw_addr){.family = 6, .bytes = {[15] = 1}};
	assert_refused(&cfg, EINVAL, "IPv4");
	cfg.source = (struct pw_addr){.family = 4, .bytes = {239, 1}};
	assert_refused(&cfg, EINVAL, "--source");
	cfg = (struct pw_udprx_config){0};
	assert_refused(&cfg, EINVAL, "--listen");
	pw_udprx_close(NULL);
}

static void keep_line(void *ctx, enum pw_log_level level, const char *line)
{
	(void)level;
	snprintf(ctx, 512, "%s", line);
}

static void a_small_receive_buffer_is_a_warning(void **state)
{
	char line[512] = "";
	struct pw_log log = {.level = PW_LOG_WARN, .sink = keep_line, .ctx = line};
	struct pw_udprx_config cfg = config("127.0.0.1");
	struct pw_udprx *rx;

	(void)state;
	need_net();
	if (setegid(65534) < 0 || seteuid(65534) < 0)
		skip();
	cfg.rcvbuf_bytes = 1ull << 30;
	assert_int_equal(pw_udprx_open(&rx, &cfg, &log, NULL), 0);
	assert_int_equal(seteuid(0), 0);
	assert_int_equal(setegid(0), 0);
	pw_udprx_close(rx);
	assert_non_null(strstr(line, "net.core.rmem_max=1073741823"));
}

/* Makes a network namespace with a loopback, so that other programs' ports and routes do not matter. */
static void make_net(void)
{
	struct ifreq ifr = {.ifr_name = "lo", .ifr_flags = IFF_UP | IFF_MULTICAST};
	int fd;

	if (unshare(CLONE_NEWNET) < 0)
		return;
	fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	have_net = fd >= 0 && ioctl(fd, SIOCSIFFLAGS, &ifr) == 0;
	if (fd >= 0)
		close(fd);
	/* lo accepts no route for IPv6 groups. Without duplicate detection an address is usable at
	 * once. */
	have_groups6 = have_net &&
		       system("echo 0 > /proc/sys/net/ipv6/conf/default/accept_dad && "
			      "ip link add " GROUPS6 " type veth peer name pwpeer && "
			      "ip link set pwpeer up && ip link set " GROUPS6 " up") == 0 &&
		       add_address6("fd78::1", "64", GROUPS6) &&
		       add_address6("fd78::2", "64", GROUPS6);
	have_second6 = have_net && add_address6(SECOND6, "128", "lo");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(datagrams_of_ipv4_arrive),
		cmocka_unit_test(datagrams_of_ipv6_arrive),
		cmocka_unit_test(trains_are_cut_into_their_datagrams),
		cmocka_unit_test(a_short_end_of_a_train_keeps_its_length),
		cmocka_unit_test(empty_datagrams_are_counted_but_not_returned),
		cmocka_unit_test(each_datagram_has_its_sender),
		cmocka_unit_test(only_the_named_source_is_received),
		cmocka_unit_test(the_zone_of_an_address_is_its_interface),
		cmocka_unit_test(a_group_is_joined_on_the_interface_named),
		cmocka_unit_test(drops_of_the_socket_are_counted),
		cmocka_unit_test(waiting_ends_at_its_timeout_or_at_a_signal),
		cmocka_unit_test(errors_name_their_fix),
		cmocka_unit_test(a_small_receive_buffer_is_a_warning),
	};

	make_net();
	return cmocka_run_group_tests_name("kernel_udprx", tests, NULL, NULL);
}
