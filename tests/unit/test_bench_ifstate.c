/* SPDX-License-Identifier: BSD-3-Clause */
/* An interface is remembered, deleted, made again under another name and index, and put back. */
#include "bench_wire_util.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bench/ifstate.h"
#include "bench/wirenet.h"

static void shell(const char *command)
{
	if (system(command))
		fail_msg("%s", command);
}

/* The kernel notes the link's state a moment after the interface is up. */
static void settle(void)
{
	shell("for i in $(seq 100); do ip -o link show pwi0 | grep -Eq 'state (UP|DOWN)' && exit "
	      "0; "
	      "sleep 0.05; done; exit 1");
}

/* What ip shows of pwi0, the index and what counts down left out. */
static void look(char *buf, size_t len)
{
	FILE *f;
	size_t n;

	settle();
	f = popen("{ ip -d addr show dev pwi0; ip route show table all dev pwi0; "
		  "ip -6 route show table all dev pwi0; ip neigh show dev pwi0 nud permanent; "
		  "cat /proc/sys/net/ipv6/conf/pwi0/disable_ipv6; } 2>&1 | "
		  "sed 's/^[0-9]*: //; s/@if[0-9]*//; s/link-netnsid.*//; s/ linkdown//'",
		"r");
	assert_non_null(f);
	n = fread(buf, 1, len - 1, f);
	buf[n] = '\0';
	pclose(f);
}

/* One end of a veth pair whose other end is in a namespace of its own. */
static int make(const char *name)
{
	struct pw_err err = {0};
	int ns;

	if (pw_wirenet_make(&ns, &err) ||
		pw_wirenet_ip(-1, ns, &err,
			"link add %s address 02:00:00:00:00:09 type veth peer name pwi1 "
			"netns " PW_WIRENET_PEER,
			name) ||
		pw_wirenet_ip(ns, -1, &err, "link set pwi1 up"))
		fail_msg("%s", err.msg);
	return ns;
}

static void unmake(int ns)
{
	shell("ip link del pwi0");
	close(ns);
}

static void comes_back(const char *how, const char *as)
{
	char before[8192], after[8192];
	struct pw_err err = {0};
	struct pw_ifstate s;
	int ns = make("pwi0");

	shell(how);
	look(before, sizeof(before));
	if (pw_ifstate_save(&s, "pwi0", &err))
		fail_msg("%s", err.msg);
	unmake(ns);
	ns = make(as);
	if (pw_ifstate_restore(&s, as, &err))
		fail_msg("%s", err.msg);
	look(after, sizeof(after));
	pw_ifstate_finish(&s);
	unmake(ns);
	assert_string_equal(after, before);
}

static void name_mtu_mac_addresses_routes_and_neighbours_come_back(void **state)
{
	(void)state;
	need_net();
	comes_back("ip link set pwi0 mtu 1400 address 02:00:00:00:aa:01 txqueuelen 77 "
		   "addrgenmode none up && "
		   "ip addr add 10.9.0.1/24 brd + dev pwi0 && "
		   "ip addr add 10.9.5.1/28 dev pwi0 label pwi0:x noprefixroute && "
		   "ip addr add 10.9.6.1 peer 10.9.6.2 dev pwi0 && "
		   "ip route add 10.77.0.0/16 via 10.9.0.2 dev pwi0 metric 7 src 10.9.5.1 && "
		   "ip route add 10.78.0.0/16 dev pwi0 table 4242 mtu 900 && "
		   "ip neigh add 10.9.0.2 lladdr 02:00:00:00:00:02 nud permanent dev pwi0",
		"other7");
}

static void ipv6_comes_back(void **state)
{
	(void)state;
	need_net();
	comes_back("ip link set pwi0 addrgenmode none up && "
		   "ip addr add fd77::1/64 dev pwi0 nodad && "
		   "ip route add fd78::/64 via fd77::2 dev pwi0 && "
		   "ip neigh add fd77::2 lladdr 02:00:00:00:00:02 nud permanent dev pwi0",
		"pwi0");
}

static void an_interface_that_is_down_and_without_ipv6_stays_so(void **state)
{
	(void)state;
	need_net();
	comes_back("echo 1 >/proc/sys/net/ipv6/conf/pwi0/disable_ipv6 && "
		   "ip addr add 10.9.0.1/24 dev pwi0",
		"pwi0");
}

static void assert_refused(const char *how, const char *words, const char *undo)
{
	struct pw_err err = {0};
	struct pw_ifstate s;
	int r;

	shell(how);
	r = pw_ifstate_save(&s, "pwi0", &err);
	shell(undo);
	assert_int_equal(r, -EBUSY);
	if (!strstr(err.msg, words))
		fail_msg("'%s' does not say '%s'", err.msg, words);
	assert_null(s.messages);
}

static void what_cannot_be_put_back_is_refused_and_named(void **state)
{
	int ns;

	(void)state;
	need_net();
	ns = make("pwi0");
	shell("ip addr add 10.9.0.1/24 dev pwi0 && ip link set pwi0 up");
	assert_refused(
		"ip route add default via 10.9.0.2", "default route", "ip route del default");
	assert_refused("ip route add default via 10.9.0.2 table 99", "default route",
		"ip route del default table 99");
	assert_refused("ip route add 10.80.0.0/16 nexthop via 10.9.0.2 nexthop via 10.9.0.3",
		"multipath", "ip route del 10.80.0.0/16");
	assert_refused("ip link add pwbr type bridge && ip link set pwi0 master pwbr", "bridge",
		"ip link del pwbr");
	assert_refused("ip link add link pwi0 name pwv type macvlan", "pwv stands on it",
		"ip link del pwv");
	unmake(ns);
}

static void no_such_interface_is_said(void **state)
{
	struct pw_err err = {0};
	struct pw_ifstate s;

	(void)state;
	assert_int_equal(pw_ifstate_save(&s, "nosuch", &err), -ENODEV);
	assert_non_null(strstr(err.msg, "nosuch"));
	pw_ifstate_finish(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(name_mtu_mac_addresses_routes_and_neighbours_come_back),
		cmocka_unit_test(ipv6_comes_back),
		cmocka_unit_test(an_interface_that_is_down_and_without_ipv6_stays_so),
		cmocka_unit_test(what_cannot_be_put_back_is_refused_and_named),
		cmocka_unit_test(no_such_interface_is_said),
	};

	own_net();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
