/* SPDX-License-Identifier: BSD-3-Clause */
/* Checks listen.*: the socket of `recv --listen`, and what stands between it and the wire. */
#include "app/doctor/listen.h"

#include <errno.h>
#include <inttypes.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/units.h"
#include "kernel/arrival.h"
#include "kernel/udpsock.h"

/* Of the two settings the larger one holds (Linux' ip-sysctl); 1 is strict, 2 loose. */
static bool is_strict(const struct pw_sysroot *root, const char *name)
{
	long long all = 0, own = 0;

	pw_sysfs_read_number(root, &all, "/proc/sys/net/ipv4/conf/all/rp_filter");
	pw_sysfs_read_number(root, &own, "/proc/sys/net/ipv4/conf/%s/rp_filter", name);
	return (all > own ? all : own) == 1;
}

static void read_interface(const struct pw_doctor_host *host, const struct pw_doctor_options *opt,
	struct pw_doctor_socket *s)
{
	char name[IF_NAMESIZE];
	int r = pw_arrival_interface(&s->addr, opt->interface, name);

	s->everywhere = r == 0;
	if (r <= 0 || pw_netif_read(host->root, name, &s->netif, NULL))
		return;
	s->has_netif = true;
	s->strict = s->addr.family == 4 && is_strict(host->root, name);
}

void pw_doctor_read_socket(
	const struct pw_doctor_host *host, const struct pw_addr *addr, struct pw_doctor_job *job)
{
	const struct pw_udprx_config cfg = {.listen = *addr, .interface = job->opt->interface};
	struct pw_doctor_socket *s = &job->socket;
	int fd;

	s->addr = *addr;
	pw_addr_format(s->text, sizeof(s->text), addr);
	fd = pw_udpsock_open(&cfg, NULL, &s->err);
	if (fd >= 0) {
		s->buffer_bytes = pw_udpsock_buffer(fd);
		close(fd);
	}
	read_interface(host, job->opt, s);
	pw_udploss_read(host->root, addr->family, &s->loss);
	s->firewall_error = pw_firewall_read(addr->family, &s->firewall);
}

static void check_address(const struct pw_doctor_socket *s, struct pw_doctor_report *report)
{
	bool group = pw_addr_is_multicast(&s->addr);

	if (s->err.code) {
		pw_doctor_add(report, PW_DOCTOR_FAIL, "listen.address", "%s", s->err.msg);
		pw_doctor_set_fix(report,
			s->err.code == EADDRINUSE ? "ss -lunp sport = %u   # names the program"
						  : "ip -brief address   # then --listen ADDR:%u",
			s->addr.port);
		return;
	}
	pw_doctor_add(report, PW_DOCTOR_OK, "listen.address", "%s can be bound%s%s", s->text,
		group ? " and joined on " : "",
		!group         ? ""
		: s->has_netif ? s->netif.name
			       : "the route's interface");
}

static void check_interface(
	const struct pw_doctor_socket *s, uint64_t mtu, struct pw_doctor_report *report)
{
	const struct pw_netif *n = &s->netif;

	if (!s->has_netif) {
		pw_doctor_add(report, s->everywhere ? PW_DOCTOR_OK : PW_DOCTOR_SKIP,
			"listen.interface",
			s->everywhere ? "packets come by any interface"
				      : "the address belongs to no interface");
	} else if (!n->up) {
		pw_doctor_add(report, PW_DOCTOR_FAIL, "listen.interface", "%s is down", n->name);
		pw_doctor_set_fix(report, "ip link set %s up", n->name);
	} else if (!n->carrier && !n->loopback) {
		pw_doctor_add(report, PW_DOCTOR_WARN, "listen.interface",
			"%s is up and has no carrier: the cable is unplugged, or its peer is down",
			n->name);
		pw_doctor_set_fix(
			report, "ip link set PEER up   # for a veth; else check the cable");
	} else if (mtu > n->mtu) {
		pw_doctor_add(report, PW_DOCTOR_WARN, "listen.interface",
			"the job needs an MTU of %" PRIu64 ", %s has %" PRIu32
			": most NICs drop longer packets without a word",
			mtu, n->name, n->mtu);
		pw_doctor_set_fix(report,
			"ip link set %s mtu %" PRIu64 "   # or send --mtu %" PRIu32, n->name, mtu,
			n->mtu);
	} else {
		pw_doctor_add(report, PW_DOCTOR_OK, "listen.interface",
			"%s is up and takes %" PRIu32 " bytes, the job needs %" PRIu64, n->name,
			n->mtu, mtu);
	}
}

static void check_route(const struct pw_doctor_socket *s, struct pw_doctor_report *report)
{
	const char *name = s->netif.name;

	if (!s->has_netif || s->netif.loopback || s->addr.family == 6) {
		pw_doctor_add(report, PW_DOCTOR_SKIP, "listen.route",
			s->addr.family == 6 ? "IPv6 has no reverse path filter in the kernel itself"
					    : "no interface filters by the route back");
		return;
	}
	if (!s->strict) {
		pw_doctor_add(report, PW_DOCTOR_OK, "listen.route",
			"%s takes packets of any sender to which this host has a route", name);
		return;
	}
	pw_doctor_add(report, PW_DOCTOR_WARN, "listen.route",
		"strict reverse path filter: %s drops packets of senders whom this host would "
		"answer by another interface, without a word",
		name);
	pw_doctor_set_fix(report,
		"sysctl -w net.ipv4.conf.%s.rp_filter=2   # or a route to the sender by %s", name,
		name);
}

static void check_buffer(const struct pw_doctor_socket *s, struct pw_doctor_report *report)
{
	char have[32], want[32];

	if (!s->buffer_bytes) {
		pw_doctor_add(report, PW_DOCTOR_SKIP, "listen.buffer", "there is no socket");
		return;
	}
	pw_units_size(have, sizeof(have), s->buffer_bytes);
	if (s->buffer_bytes >= PW_UDPSOCK_RCVBUF) {
		pw_doctor_add(report, PW_DOCTOR_OK, "listen.buffer",
			"the kernel grants a receive buffer of %s", have);
		return;
	}
	pw_doctor_add(report, PW_DOCTOR_WARN, "listen.buffer",
		"the kernel grants a receive buffer of %s, recv asks for %s: bursts may be lost",
		have, pw_units_size(want, sizeof(want), PW_UDPSOCK_RCVBUF));
	pw_doctor_set_fix(report,
		"sysctl -w net.core.rmem_max=%u   # and into /etc/sysctl.d/90-pagewire.conf",
		PW_UDPSOCK_RCVBUF);
}

static void check_firewall(const struct pw_doctor_socket *s, struct pw_doctor_report *report)
{
	const struct pw_firewall *fw = &s->firewall;
	char so_far[64] = "";

	if (s->firewall_error == -ENOTSUP) {
		pw_doctor_add(
			report, PW_DOCTOR_SKIP, "listen.firewall", "this kernel has no nftables");
	} else if (s->firewall_error) {
		pw_doctor_add(report, PW_DOCTOR_SKIP, "listen.firewall",
			"this user may not read the firewall's rules");
	} else if (fw->n_drop == 0) {
		pw_doctor_add(report, PW_DOCTOR_OK, "listen.firewall",
			fw->n_chains
				? "%u nftables chains see incoming packets, none drops the rest"
				: "no nftables chain sees incoming packets",
			fw->n_chains);
	} else {
		if (fw->counts)
			snprintf(so_far, sizeof(so_far), " (%" PRIu64 " packets so far)",
				fw->n_dropped_packets);
		pw_doctor_add(report, PW_DOCTOR_WARN, "listen.firewall",
			"the chain %s drops what none of its rules accepts%s", fw->drops, so_far);
		pw_doctor_set_fix(report,
			"nft list chain %s   # without a rule for it: nft add rule %s udp dport %u "
			"accept",
			fw->drops, fw->drops, s->addr.port);
	}
}

/* The counters are of all programs since the start, so a few drops say nothing about this job. */
static void check_losses(const struct pw_doctor_socket *s, struct pw_doctor_report *report)
{
	const struct pw_udploss *l = &s->loss;
	bool many = l->no_buffer > l->received / 1000;

	pw_doctor_add(report, many || l->backlog ? PW_DOCTOR_WARN : PW_DOCTOR_OK, "listen.losses",
		"so far programs received %" PRIu64 " datagrams, %" PRIu64
		" were lost for want of buffer; CPUs' queues lost %" PRIu64 " packets",
		l->received, l->no_buffer, l->backlog);
	if (many)
		pw_doctor_set_fix(report,
			"nstat -az Udp%sRcvbufErrors   # while recv runs; if it grows: a CPU of "
			"its own for recv (taskset), or a lower rate",
			s->addr.family == 6 ? "6" : "");
	else if (l->backlog)
		pw_doctor_set_fix(report, "sysctl -w net.core.netdev_max_backlog=10000");
}

void pw_doctor_check_listen(const struct pw_doctor_host *host, const struct pw_doctor_job *job,
	struct pw_doctor_report *report)
{
	static const char *const ids[] = {"listen.address", "listen.interface", "listen.route",
		"listen.buffer", "listen.firewall", "listen.losses"};
	const struct pw_doctor_socket *s = &job->socket;
	size_t i;

	(void)host;
	if (s->addr.family) {
		check_address(s, report);
		check_interface(s, job->opt->mtu, report);
		check_route(s, report);
		check_buffer(s, report);
		check_firewall(s, report);
		check_losses(s, report);
		return;
	}
	for (i = 0; i < PW_ARRAY_LEN(ids); i++)
		pw_doctor_add(report, PW_DOCTOR_SKIP, ids[i], "no --listen was given");
}
