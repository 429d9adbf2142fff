/* SPDX-License-Identifier: BSD-3-Clause */
#include "bench_wire_util.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "bench/wirenet.h"
#include "host/netif.h"

#define WITNESS "pwwitness"
#define NOBODY  65534

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

/* Until it is killed, by a failed test's end at the latest. */
static void hold_a_wire(int report)
{
	struct pw_wire w;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
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
	unsigned int before = n_fds();
	struct pw_err err = {0};
	struct pw_wire w;
	char *path;
	int r;

	(void)state;
	need_net();
	path = strdup(getenv("PATH"));
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

static int open_as_nobody(const void *arg)
{
	struct pw_err err = {0};
	struct pw_wire w;

	(void)arg;
	if (setresuid(NOBODY, NOBODY, NOBODY))
		return 1;
	if (pw_wire_open(&w, PW_WIRE_VETH, NULL, NULL, 1500, "/tmp", &err) != -EPERM)
		return 2;
	if (!strstr(err.msg, "CAP_SYS_ADMIN") || !strstr(err.msg, "root"))
		return 3;
	/* the host's own lo does */
	if (pw_wire_open(&w, PW_WIRE_LOOPBACK, NULL, NULL, 1500, "/tmp", &err) || w.source_ns != -1)
		return 4;
	return pw_wire_open(&w, PW_WIRE_NULL, NULL, NULL, 1500, "/tmp", &err) ? 5 : 0;
}

static void without_privilege_the_error_names_it(void **state)
{
	(void)state;
	need_net();
	assert_int_equal(in_child(open_as_nobody, NULL), 0);
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

/* The kernel reports a veth's carrier with a delay. */
static bool has_carrier(const char *name)
{
	const uint64_t end = pw_clock_ns() + 20 * PW_NS_PER_S;
	struct pw_netif netif;

	while (pw_netif_query(name, &netif, NULL) || !netif.carrier) {
		if (pw_clock_ns() >= end)
			return false;
		usleep(1000);
	}
	return true;
}

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
		{"pwa", "198.18.0.77", "no host answers", 1500, EHOSTUNREACH}};
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
			CHILD(has_carrier("pwe"));
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
		cmocka_unit_test(an_mtu_that_no_device_takes_is_refused),
		cmocka_unit_test(the_largest_mtus_are_taken),
		cmocka_unit_test(a_closed_wire_leaves_nothing),
		cmocka_unit_test(a_killed_process_leaves_no_wire),
		cmocka_unit_test(without_ip_the_error_says_so),
		cmocka_unit_test(what_ip_refuses_is_told_in_its_words),
		cmocka_unit_test(without_privilege_the_error_names_it),
		cmocka_unit_test(a_nic_that_cannot_reach_the_receiver_is_refused),
		cmocka_unit_test(a_nic_asks_the_kernel_for_the_receivers_mac),
	};

	own_net();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
