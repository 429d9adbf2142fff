/* SPDX-License-Identifier: BSD-3-Clause */
/* Ports and files, and who else uses them. */
#include <sys/socket.h>
#include <sys/un.h>

#include <errno.h>

#include "app/doctor/nic.h"
#include "doctor_util.h"

static void interfaces_must_be_there_up_and_large_enough(void **state)
{
	struct doctor *d = *state;

	examine(d, "af_packet:veth0", NULL);
	ONLY(d, "port.interface");
	expect(d, "port.interface", PW_DOCTOR_FAIL, "no interface veth0", "ip -brief link");
	sysfix_netif(&d->fix, "veth0", 1500, 0x1002, 0);
	examine(d, "af_packet:veth0", NULL);
	ONLY(d, "port.interface");
	expect(d, "port.interface", PW_DOCTOR_FAIL, "down", "ip link set veth0 up");
	sysfix_netif(&d->fix, "veth0", 1500, 0x1003, 0);
	examine(d, "af_packet:veth0", NULL);
	expect(d, "port.interface", PW_DOCTOR_WARN, "no carrier", "ip link");
	sysfix_netif(&d->fix, "veth0", 1500, 0x1003, 1);
	examine(d, "af_packet:veth0", NULL);
	NOTHING(d);

	d->opt.mtu = 9000;
	examine(d, "af_packet:veth0", NULL);
	ONLY(d, "port.mtu");
	expect(d, "port.mtu", PW_DOCTOR_FAIL, "has 1500", "ip link set veth0 mtu 9000");
	sysfix_netif(&d->fix, "veth0", 9000, 0x1003, 1);
	examine(d, "af_packet:veth0", NULL);
	NOTHING(d);
	examine(d, "af_xdp:veth0", NULL);
	ONLY(d, "port.mtu");
	expect(d, "port.mtu", PW_DOCTOR_FAIL, "at most 3498", "ip link set veth0 mtu 3498");
	/* the interface's own MTU counts, whatever the job's */
	d->opt.mtu = 1500;
	examine(d, "af_xdp:veth0", NULL);
	expect(d, "port.mtu", PW_DOCTOR_FAIL, "veth0 has 9000", "ip link set veth0 mtu 1500");
}

static void who_else_is_on_the_interface_is_said(void **state)
{
	struct doctor *d = *state;

	sysfix_netif(&d->fix, "ens2", 1500, 0x1003, 1);
	sysfix_write(&d->fix, "/proc/self/net/ptype", "ALL  ens2     packet_rcv");
	sysfix_write(&d->fix, "/proc/self/net/route",
		"ens2\t00000000\t0100000A\t0003\t0\t0\t0\t00000000\t0\t0\t0");
	examine(d, "af_packet:ens2", NULL);
	ONLY(d, "net.ptype", "net.route");
	expect(d, "net.ptype", PW_DOCTOR_WARN, "1 packet socket", "ss -0lp");
	expect(d, "net.route", PW_DOCTOR_WARN, "displaces", "--rate");
	examine(d, "af_xdp:ens2", NULL);
	expect(d, "net.route", PW_DOCTOR_WARN, "break off", "another interface");
	examine(d, "null", NULL);
	NOTHING(d);
}

static void privileges_are_those_of_the_port(void **state)
{
	struct doctor *d = *state;

	sysfix_netif(&d->fix, "veth0", 1500, 0x1003, 1);
	sysfix_write(&d->fix, "/dev/net/tun", "%s", "");
	look(d, "af_xdp:veth0", NULL);
	d->host.limits = (struct pw_limits){.memlock_bytes = PW_MEMLOCK_UNLIMITED};
	judge(d);
	ONLY(d, "caps");
	expect(d, "caps", PW_DOCTOR_FAIL, "load the XDP program, attach",
		"setcap cap_bpf,cap_net_admin,cap_net_raw+ep /");
	look(d, "af_packet:veth0", NULL);
	d->host.limits = (struct pw_limits){0};
	judge(d);
	expect(d, "caps", PW_DOCTOR_FAIL, "packet socket", "setcap cap_net_raw+ep /");
	look(d, "tap:pw0", NULL);
	d->host.limits = (struct pw_limits){0};
	judge(d);
	expect(d, "caps", PW_DOCTOR_FAIL, "make the tap", "setcap cap_net_admin+ep /");
	look(d, "null", NULL);
	d->host.limits = (struct pw_limits){0};
	judge(d);
	NOTHING(d);
}

static void a_tap_needs_tun(void **state)
{
	struct doctor *d = *state;

	examine(d, "tap:pw0", NULL);
	ONLY(d, "port.interface");
	expect(d, "port.interface", PW_DOCTOR_FAIL, "/dev/net/tun", "modprobe tun");
}

static void sockets_are_free_stale_taken_or_no_sockets(void **state)
{
	struct doctor *d = *state;
	struct sockaddr_un sun = {.sun_family = AF_UNIX};
	char port[600];
	int fd;

	snprintf(sun.sun_path, sizeof(sun.sun_path), "%s/v.sock", d->fix.dir);
	snprintf(port, sizeof(port), "vhost:%s/nodir/v.sock", d->fix.dir);
	examine(d, port, NULL);
	ONLY(d, "port.socket");
	expect(d, "port.socket", PW_DOCTOR_FAIL, "no directory", "mkdir -p ");
	snprintf(port, sizeof(port), "vhost:%s", sun.sun_path);
	examine(d, port, NULL);
	NOTHING(d);
	expect(d, "port.socket", PW_DOCTOR_OK, "can be made", NULL);

	fd = socket(AF_UNIX, SOCK_STREAM, 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&sun, sizeof(sun)), 0);
	close(fd);
	examine(d, port, NULL);
	NOTHING(d);
	expect(d, "port.socket", PW_DOCTOR_OK, "left over", NULL);
	sysfix_write(&d->fix, "/proc/self/net/unix",
		"Num RefCount Protocol Flags Type St Inode Path\n"
		"0000000000000000: 00000002 00000000 00000000 0001 03 123 %s\n"
		"0000000000000000: 00000002 00000000 00010000 0001 01 124 /elsewhere/v.sock",
		sun.sun_path);
	examine(d, port, NULL);
	expect(d, "port.socket", PW_DOCTOR_OK, "left over", NULL);
	sysfix_write(&d->fix, "/proc/self/net/unix",
		"0000000000000000: 00000002 00000000 00010000 0001 01 124 %s", sun.sun_path);
	examine(d, port, NULL);
	expect(d, "port.socket", PW_DOCTOR_FAIL, "another process listens", "ss -xlp src ");

	/* the other side finds it */
	snprintf(port, sizeof(port), "virtio-user:%s", sun.sun_path);
	examine(d, port, NULL);
	expect(d, "port.socket", PW_DOCTOR_OK, "exists", NULL);

	snprintf(port, sizeof(port), "vhost:%s", d->file);
	examine(d, port, NULL);
	expect(d, "port.socket", PW_DOCTOR_FAIL, "no socket", "ls -l ");
	snprintf(port, sizeof(port), "virtio-user:%s", d->file);
	examine(d, port, NULL);
	expect(d, "port.socket", PW_DOCTOR_FAIL, "no socket", "ls -l ");
}

static void captures_are_written_or_read(void **state)
{
	struct doctor *d = *state;
	char port[600];

	snprintf(port, sizeof(port), "pcap:%s/x.pcap", d->fix.dir);
	examine(d, port, d->file);
	NOTHING(d);
	expect(d, "port.file", PW_DOCTOR_OK, "written", NULL);
	examine(d, port, NULL);
	expect(d, "port.file", PW_DOCTOR_FAIL, "to read", "send --port pcap:");
	snprintf(port, sizeof(port), "pcap:%s/nodir/x.pcap", d->fix.dir);
	examine(d, port, d->file);
	expect(d, "port.file", PW_DOCTOR_FAIL, "cannot be written", "mkdir -p ");
}

static void files_that_cannot_be_sent_fail(void **state)
{
	struct doctor *d = *state;
	char gone[600];

	snprintf(gone, sizeof(gone), "%s.gone", d->file);
	examine(d, "null", gone);
	ONLY(d, "file.readable");
	expect(d, "file.readable", PW_DOCTOR_FAIL, "No such file", "ls -l");
	examine(d, "null", "/dev/null");
	expect(d, "file.readable", PW_DOCTOR_FAIL, "neither", "ls -l");
	/* a directory counts with what is in it */
	snprintf(gone, sizeof(gone), "%s/files", d->fix.dir);
	examine(d, "null", gone);
	NOTHING(d);
	expect(d, "file.readable", PW_DOCTOR_OK, "300 MiB in a directory", NULL);
	assert_int_equal(d->job.file_bytes, 300 * MIB);
}

static void a_port_that_is_none_fails(void **state)
{
	struct doctor *d = *state;

	examine(d, "carrier-pigeon", NULL);
	ONLY(d, "port.valid");
	expect(d, "port.valid", PW_DOCTOR_FAIL, "carrier-pigeon", "--help");
	look(d, "memif:/run/x", d->file);
	d->host.has_driver = no_driver;
	judge(d);
	expect(d, "dpdk.drivers", PW_DOCTOR_FAIL, "net_memif", "apt-get install librte-meta-net");
	d->host.dpdk_version = NULL;
	judge(d);
	expect(d, "dpdk.version", PW_DOCTOR_FAIL, "without DPDK", "-Ddpdk=enabled");
	look(d, NULL, NULL);
	d->host.dpdk_version = NULL;
	judge(d);
	expect(d, "dpdk.version", PW_DOCTOR_WARN, "without DPDK", "-Ddpdk=enabled");
}

static void what_a_driver_can_is_said_with_what_pagewire_does(void **state)
{
	struct doctor *d = *state;
	struct pw_port_abilities *a = &d->job.abilities;

	d->opt.core = "3";
	examine(d, "0000:3b:00.0", NULL);
	assert_true(pw_doctor_may_ask(&d->job));
	expect(d, "nic.segments", PW_DOCTOR_SKIP, "when no other check fails", NULL);
	*a = (struct pw_port_abilities){
		.driver = "net_ixgbe", .segs_max = 40, .chains = true, .limits_queues = true};
	judge(d);
	NOTHING(d);
	expect(d, "nic.segments", PW_DOCTOR_OK,
		"of up to 40 segments; pagewire makes 2 to 3, the file's pages as external "
		"buffers, IOVA as PA",
		NULL);
	expect(d, "nic.offloads", PW_DOCTOR_OK, "by the CPU over IPv6", NULL);
	expect(d, "nic.rate", PW_DOCTOR_OK, "limits each queue", NULL);
	*a = (struct pw_port_abilities){.driver = "mlx5_pci",
		.segs_max = UINT16_MAX,
		.chains = true,
		.plain = true,
		.iova_va = true,
		.udp_csum = true,
		.fast_free = true,
		.shapes = true,
		.sends_at_times = true};
	judge(d);
	expect(d, "nic.segments", PW_DOCTOR_OK, "names no limit", NULL);
	expect(d, "nic.segments", PW_DOCTOR_OK, "plain mbufs, IOVA as VA", NULL);
	expect(d, "nic.offloads", PW_DOCTOR_OK, "by the NIC; fast free is offered", NULL);
	expect(d, "nic.rate", PW_DOCTOR_OK, "by the CPU's clock; its traffic management", NULL);
	expect(d, "nic.rate", PW_DOCTOR_OK, "sends on timestamps", NULL);
	a->segs_max = 2;
	judge(d);
	expect(d, "nic.segments", PW_DOCTOR_FAIL, "sends 2 segments a packet", "docs/nics.md");
	a->chains = false;
	judge(d);
	expect(d, "nic.segments", PW_DOCTOR_WARN, "each packet is copied", "docs/nics.md");
	a->driver[0] = '\0';
	pw_err_set(&d->job.abilities_err, EBUSY, "cannot probe it: busy");
	judge(d);
	expect(d, "nic.rate", PW_DOCTOR_SKIP, "cannot probe it: busy", NULL);

	look(d, "vhost:/tmp/x", NULL);
	assert_false(pw_doctor_may_ask(&d->job)); /* its peer would see us */
	sysfix_nic(&d->fix, "0000:3b:00.0", "ice", 1, 12, "");
	look(d, "0000:3b:00.0", NULL);
	assert_false(pw_doctor_may_ask(&d->job)); /* the kernel has it */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(interfaces_must_be_there_up_and_large_enough),
		TEST(who_else_is_on_the_interface_is_said),
		TEST(privileges_are_those_of_the_port),
		TEST(a_tap_needs_tun),
		TEST(sockets_are_free_stale_taken_or_no_sockets),
		TEST(captures_are_written_or_read),
		TEST(files_that_cannot_be_sent_fail),
		TEST(a_port_that_is_none_fails),
		TEST(what_a_driver_can_is_said_with_what_pagewire_does),
	};

	return doctor_without_dpdk() ? 0 : cmocka_run_group_tests(tests, NULL, NULL);
}
