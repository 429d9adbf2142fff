/* SPDX-License-Identifier: BSD-3-Clause */
/* The socket of `recv --listen`: real ones on the loopback, on a host whose /sys and /proc are made of files. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "app/doctor/listen.h"
#include "doctor_util.h"
#include "kernel/udpsock.h"

#define LOOPBACK 8 /* IFF_LOOPBACK */

static void listen_at(struct doctor *d, const char *text)
{
	struct pw_addr addr;

	assert_int_equal(pw_addr_parse("--listen", text, 4001, &addr, NULL), 0);
	look(d, NULL, NULL);
	pw_doctor_read_socket(&d->host, &addr, &d->job);
	d->job.socket.firewall_error = 0; /* this host's is no matter of the test */
	d->job.socket.firewall = (struct pw_firewall){0};
	if (d->job.socket.buffer_bytes)
		d->job.socket.buffer_bytes = PW_UDPSOCK_RCVBUF;
	judge(d);
}

static uint16_t taken_port(int *fd)
{
	struct sockaddr_in sin = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(sin);

	*fd = socket(AF_INET, SOCK_DGRAM, 0);
	assert_int_equal(bind(*fd, (struct sockaddr *)&sin, len), 0);
	assert_int_equal(getsockname(*fd, (struct sockaddr *)&sin, &len), 0);
	return ntohs(sin.sin_port);
}

static void a_socket_is_opened_and_its_owner_named(void **state)
{
	struct doctor *d = *state;
	char text[32];
	int fd;

	sysfix_netif(&d->fix, "lo", 65536, 3 | LOOPBACK, 1);
	snprintf(text, sizeof(text), "127.0.0.1:%u", taken_port(&fd));
	listen_at(d, text);
	ONLY(d, "listen.address");
	expect(d, "listen.address", PW_DOCTOR_FAIL, "another program uses the port", "ss -lunp");
	expect(d, "listen.buffer", PW_DOCTOR_SKIP, "no socket", NULL);
	close(fd);
	listen_at(d, text);
	NOTHING(d);
	expect(d, "listen.address", PW_DOCTOR_OK, text, NULL);
	expect(d, "listen.interface", PW_DOCTOR_OK, "lo is up", NULL);
	assert_int_equal(d->report.n, 6); /* nothing about DPDK and its memory */

	listen_at(d, "192.0.2.1");
	ONLY(d, "listen.address");
	expect(d, "listen.address", PW_DOCTOR_FAIL, "no interface of this host", "ip -brief addr");
	listen_at(d, "0.0.0.0");
	expect(d, "listen.interface", PW_DOCTOR_OK, "any interface", NULL);
}

static void the_interface_is_up_and_takes_the_packets(void **state)
{
	struct doctor *d = *state;

	sysfix_netif(&d->fix, "lo", 1500, 2, 0);
	listen_at(d, "127.0.0.1");
	ONLY(d, "listen.interface");
	expect(d, "listen.interface", PW_DOCTOR_FAIL, "lo is down", "ip link set lo up");
	sysfix_netif(&d->fix, "lo", 1500, 3, 0);
	listen_at(d, "127.0.0.1");
	expect(d, "listen.interface", PW_DOCTOR_WARN, "no carrier", "cable");
	sysfix_netif(&d->fix, "lo", 1500, 3, 1);
	d->opt.mtu = 9000;
	listen_at(d, "127.0.0.1");
	ONLY(d, "listen.interface");
	expect(d, "listen.interface", PW_DOCTOR_WARN, "lo has 1500", "ip link set lo mtu 9000");
}

static void a_strict_reverse_path_filter_is_said(void **state)
{
	struct doctor *d = *state;

	sysfix_netif(&d->fix, "lo", 1500, 3, 1);
	listen_at(d, "127.0.0.1");
	NOTHING(d);
	sysfix_write(&d->fix, "/proc/sys/net/ipv4/conf/all/rp_filter", "1");
	sysfix_write(&d->fix, "/proc/sys/net/ipv4/conf/lo/rp_filter", "0");
	listen_at(d, "127.0.0.1");
	ONLY(d, "listen.route");
	expect(d, "listen.route", PW_DOCTOR_WARN, "strict", "net.ipv4.conf.lo.rp_filter=2");
	sysfix_write(&d->fix, "/proc/sys/net/ipv4/conf/lo/rp_filter", "2"); /* the larger holds */
	listen_at(d, "127.0.0.1");
	NOTHING(d);
	listen_at(d, "[::1]");
	expect(d, "listen.route", PW_DOCTOR_SKIP, "IPv6", NULL);
}

static void what_the_kernel_lost_is_counted(void **state)
{
	struct doctor *d = *state;

	sysfix_netif(&d->fix, "lo", 65536, 3 | LOOPBACK, 1);
	sysfix_write(&d->fix, "/proc/self/net/snmp",
		"Ip: Forwarding InDiscards\nIp: 1 7\n"
		"Udp: InDatagrams NoPorts InErrors OutDatagrams RcvbufErrors SndbufErrors\n"
		"Udp: 9000 1 30 40 9 0\nUdpLite: InDatagrams RcvbufErrors\nUdpLite: 0 5");
	listen_at(d, "127.0.0.1");
	NOTHING(d);
	expect(d, "listen.losses", PW_DOCTOR_OK, "received 9000 datagrams, 9 were lost", NULL);
	sysfix_write(&d->fix, "/proc/self/net/snmp", "Udp: InDatagrams RcvbufErrors\nUdp: 9000 10");
	listen_at(d, "127.0.0.1");
	expect(d, "listen.losses", PW_DOCTOR_WARN, "10 were lost", "nstat -az UdpRcvbufErrors");
	sysfix_write(&d->fix, "/proc/self/net/snmp6",
		"Ip6InReceives 5\nUdp6InDatagrams \t 70\nUdp6RcvbufErrors \t 2");
	sysfix_write(&d->fix, "/proc/self/net/softnet_stat",
		"000002ae 00000010 00000000 00000000\n00000e25 00000001 00000003 00000000");
	listen_at(d, "[::1]");
	expect(d, "listen.losses", PW_DOCTOR_WARN, "70 datagrams, 2 were lost", "Udp6RcvbufErrors");
	expect(d, "listen.losses", PW_DOCTOR_WARN, "queues lost 17 packets", "Udp6RcvbufErrors");
	listen_at(d, "127.0.0.1");
	sysfix_write(&d->fix, "/proc/self/net/snmp", "Udp:\nUdp:");
	listen_at(d, "127.0.0.1");
	expect(d, "listen.losses", PW_DOCTOR_WARN, "17 packets", "netdev_max_backlog");
}

static void a_small_buffer_and_a_firewall_are_said(void **state)
{
	struct doctor *d = *state;
	struct pw_doctor_socket *s = &d->job.socket;

	sysfix_netif(&d->fix, "lo", 65536, 3 | LOOPBACK, 1);
	listen_at(d, "127.0.0.1");
	s->buffer_bytes = 212992;
	s->firewall = (struct pw_firewall){.n_chains = 2};
	judge(d);
	ONLY(d, "listen.buffer");
	expect(d, "listen.buffer", PW_DOCTOR_WARN, "208 KiB, recv asks for 64.0 MiB",
		"net.core.rmem_max=67108864");
	expect(d, "listen.firewall", PW_DOCTOR_OK, "2 nftables chains", NULL);
	s->firewall = (struct pw_firewall){.n_chains = 2, .n_drop = 1, .drops = "inet f in"};
	judge(d);
	expect(d, "listen.firewall", PW_DOCTOR_WARN, "chain inet f in drops",
		"nft add rule inet f in udp dport 4001 accept");
	s->firewall.counts = true;
	s->firewall.n_dropped_packets = 12;
	judge(d);
	expect(d, "listen.firewall", PW_DOCTOR_WARN, "accepts (12 packets so far)", "nft list");
	s->firewall_error = -EPERM;
	judge(d);
	expect(d, "listen.firewall", PW_DOCTOR_SKIP, "may not read", NULL);
	s->firewall_error = -ENOTSUP;
	judge(d);
	expect(d, "listen.firewall", PW_DOCTOR_SKIP, "no nftables", NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_socket_is_opened_and_its_owner_named),
		TEST(the_interface_is_up_and_takes_the_packets),
		TEST(a_strict_reverse_path_filter_is_said),
		TEST(what_the_kernel_lost_is_counted),
		TEST(a_small_buffer_and_a_firewall_are_said),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
