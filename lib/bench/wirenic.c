/* SPDX-License-Identifier: BSD-3-Clause */
/* Finds the interface, the route and the MAC for the wire nic:NAME. */
#include "bench/wirenic.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "bench/wirelink.h"
#include "host/netif.h"
#include "host/pci.h"

#define RESOLVE_NS   (3 * PW_NS_PER_S) /* the kernel asks three times, a second apart */
#define POLL_NS      (10 * 1000 * 1000)
#define DISCARD_PORT 9

static bool is_zero_mac(const uint8_t mac[6])
{
	static const uint8_t zero[6];

	return memcmp(mac, zero, sizeof(zero)) == 0;
}

static int check_interface(const struct pw_netif *netif, uint32_t mtu, struct pw_err *err)
{
	if (netif->loopback || is_zero_mac(netif->mac))
		return pw_err_set(err, EINVAL,
			"cannot use nic:%s: it is not an Ethernet interface; use one, or the wire "
			"loopback",
			netif->name);
	if (!netif->up || !netif->carrier)
		return pw_err_set(err, ENETDOWN, "cannot use nic:%s: the %s; %s%s", netif->name,
			netif->up ? "link has no carrier" : "interface is down",
			netif->up ? "plug it in: " : "ip link set up dev ", netif->name);
	if (mtu > netif->mtu)
		return pw_err_set(err, EINVAL,
			"cannot use nic:%s: its MTU is %u, below --mtu %u; ip link set mtu %u dev "
			"%s",
			netif->name, netif->mtu, mtu, mtu, netif->name);
	return 0;
}

static int check_route(const struct pw_netif *netif, const struct pw_addr *to,
	const struct pw_wirelink_route *route, struct pw_err *err)
{
	char text[64];

	pw_addr_format(text, sizeof(text), to);
	if (route->local)
		return pw_err_set(err, EINVAL,
			"cannot use nic:%s: %s is an address of this host; name a receiver on "
			"another host",
			netif->name, text);
	if (route->index != netif->index)
		return pw_err_set(err, ENETUNREACH,
			"cannot use nic:%s: packets to %s leave by another interface; give %s an "
			"address in that network, or ip route add",
			netif->name, text, netif->name);
	if (route->gateway)
		return pw_err_set(err, EHOSTUNREACH,
			"cannot use nic:%s: %s is behind a gateway; use a receiver on the same "
			"link",
			netif->name, text);
	if (route->src.family == 0)
		return pw_err_set(err, EADDRNOTAVAIL,
			"cannot use nic:%s: it has no address to send from; ip addr add ... dev %s",
			netif->name, netif->name);
	return 0;
}

/* Sends one byte to the discard port, so that the kernel resolves the address. */
static void trigger_resolution(const struct pw_addr *to)
{
	struct sockaddr_in6 a6 = {.sin6_family = AF_INET6, .sin6_port = htons(DISCARD_PORT)};
	struct sockaddr_in a4 = {.sin_family = AF_INET, .sin_port = htons(DISCARD_PORT)};
	int fd = socket(
		to->family == 4 ? AF_INET : AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0)
		return;
	memcpy(&a4.sin_addr, to->bytes, sizeof(a4.sin_addr));
	memcpy(&a6.sin6_addr, to->bytes, sizeof(a6.sin6_addr));
	if (to->family == 4)
		sendto(fd, "", 1, 0, (struct sockaddr *)&a4, sizeof(a4));
	else
		sendto(fd, "", 1, 0, (struct sockaddr *)&a6, sizeof(a6));
	close(fd);
}

static int resolve(
	const struct pw_netif *netif, const struct pw_addr *to, uint8_t mac[6], struct pw_err *err)
{
	const struct timespec pause = {.tv_nsec = POLL_NS};
	uint64_t deadline = pw_clock_ns() + RESOLVE_NS;
	char text[64];
	int r;

	if (pw_addr_is_multicast(to)) {
		pw_addr_multicast_mac(to, mac);
		return 0;
	}
	r = pw_wirelink_neigh(netif->index, to, mac, err);
	if (r == -ENOENT)
		trigger_resolution(to);
	while (r == -ENOENT) {
		if (pw_clock_ns() > deadline)
			return pw_err_set(err, EHOSTUNREACH,
				"cannot use nic:%s: no host answers for %s; start the receiver's "
				"host, and connect it to this link",
				netif->name, pw_addr_format(text, sizeof(text), to));
		nanosleep(&pause, NULL);
		r = pw_wirelink_neigh(netif->index, to, mac, err);
	}
	return r;
}

int pw_wirenic_query(struct pw_wirenic *out, const char *nic, const struct pw_addr *to,
	uint32_t mtu, struct pw_err *err)
{
	struct pw_wirelink_route route;
	struct pw_netif netif;
	int r;

	if (!to || to->family == 0)
		return pw_err_set(err, EINVAL,
			"cannot use nic:%.20s: no receiver is named; give its address with --to",
			nic);
	r = pw_netif_query(nic, &netif, err);
	if (r == 0)
		r = check_interface(&netif, mtu, err);
	if (r == 0)
		r = pw_wirelink_route(to, &route, err);
	if (r == 0)
		r = check_route(&netif, to, &route, err);
	if (r == 0)
		r = resolve(&netif, to, out->to_mac, err);
	if (r)
		return r;
	snprintf(out->name, sizeof(out->name), "%s", netif.name);
	snprintf(out->pci, sizeof(out->pci), "%s", netif.pci);
	out->bifurcated = pw_pci_driver_is_bifurcated(netif.driver);
	out->mtu = netif.mtu;
	memcpy(out->mac, netif.mac, sizeof(out->mac));
	out->from = route.src;
	return 0;
}
