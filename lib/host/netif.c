/* SPDX-License-Identifier: BSD-3-Clause */
/* Reads the properties of a network interface, its default routes and its packet sockets. */
#include "host/netif.h"

#include <arpa/inet.h>
#include <errno.h>
#include <ifaddrs.h>
#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <net/if_arp.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

static void set_flags(struct pw_netif *out, unsigned int flags)
{
	out->up = flags & IFF_UP;
	out->loopback = flags & IFF_LOOPBACK;
}

static int no_interface(const char *name, struct pw_err *err)
{
	return pw_err_set(
		err, ENODEV, "cannot find the interface %.40s: `ip link` lists the names", name);
}

static int ask_kernel(struct pw_netif *out, struct pw_err *err)
{
	struct ethtool_drvinfo info = {.cmd = ETHTOOL_GDRVINFO};
	struct ifreq req = {0};
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	int ret = 0;

	if (fd < 0)
		return pw_err_sys(err, errno, "cannot read the interface %s", out->name);
	memcpy(req.ifr_name, out->name, sizeof(req.ifr_name));
	if (ioctl(fd, SIOCGIFINDEX, &req)) {
		ret = no_interface(out->name, err);
		goto close_fd;
	}
	out->index = (unsigned int)req.ifr_ifindex;
	if (ioctl(fd, SIOCGIFFLAGS, &req) == 0) {
		set_flags(out, (unsigned short)req.ifr_flags);
		out->carrier = req.ifr_flags & IFF_RUNNING;
	}
	if (ioctl(fd, SIOCGIFMTU, &req) == 0)
		out->mtu = (uint32_t)req.ifr_mtu;
	if (ioctl(fd, SIOCGIFHWADDR, &req) == 0 && req.ifr_hwaddr.sa_family == ARPHRD_ETHER)
		memcpy(out->mac, req.ifr_hwaddr.sa_data, sizeof(out->mac));
	req.ifr_data = (char *)&info;
	if (ioctl(fd, SIOCETHTOOL, &req) == 0)
		snprintf(out->driver, sizeof(out->driver), "%s", info.driver);

close_fd:
	close(fd);
	return ret;
}

static int ask_sysfs(const struct pw_sysroot *root, struct pw_netif *out, struct pw_err *err)
{
	const char *name = out->name;
	char text[32];
	long long v;

	if (pw_sysfs_read_number(root, &v, "/sys/class/net/%s/mtu", name))
		return no_interface(name, err);
	out->mtu = (uint32_t)v;
	if (pw_sysfs_read_number(root, &v, "/sys/class/net/%s/ifindex", name) == 0)
		out->index = (unsigned int)v;
	if (pw_sysfs_read_number(root, &v, "/sys/class/net/%s/flags", name) == 0)
		set_flags(out, (unsigned int)v);
	if (pw_sysfs_read_number(root, &v, "/sys/class/net/%s/carrier", name) == 0)
		out->carrier = v != 0;
	pw_sysfs_read(root, text, sizeof(text), "/sys/class/net/%s/address", name);
	sscanf(text, "%hhx:%hhx:%hhx:%hhx:%hhx:%hhx", &out->mac[0], &out->mac[1], &out->mac[2],
		&out->mac[3], &out->mac[4], &out->mac[5]);
	pw_sysfs_read_link(
		root, out->driver, sizeof(out->driver), "/sys/class/net/%s/device/driver", name);
	return 0;
}

static bool is_pci_address(const char *s)
{
	unsigned int domain, bus, device, function;

	return sscanf(s, "%x:%x:%x.%x", &domain, &bus, &device, &function) == 4;
}

/* The device behind the interface: for virtio the PCI function is one step further up. */
static void find_device(const struct pw_sysroot *root, struct pw_netif *out)
{
	const char *name = out->name, *slot;
	char link[64], text[512];
	long long v;

	if (pw_sysfs_read_number(root, &v, "/sys/class/net/%s/device/numa_node", name) == 0 ||
		pw_sysfs_read_number(root, &v, "/sys/class/net/%s/device/../numa_node", name) == 0)
		out->node = (int)v;
	if (pw_sysfs_read_link(root, link, sizeof(link), "/sys/class/net/%s/device", name) < 0)
		return;
	if (is_pci_address(link)) {
		snprintf(out->pci, sizeof(out->pci), "%.15s", link);
		return;
	}
	pw_sysfs_read(root, text, sizeof(text), "/sys/class/net/%s/device/../uevent", name);
	slot = strstr(text, "PCI_SLOT_NAME=");
	if (slot)
		sscanf(slot, "PCI_SLOT_NAME=%15[0-9a-fA-F:.]", out->pci);
}

static void find_addresses(struct pw_netif *out)
{
	struct ifaddrs *list, *a;

	if (getifaddrs(&list))
		return;
	for (a = list; a; a = a->ifa_next) {
		if (!a->ifa_addr || strcmp(a->ifa_name, out->name) != 0)
			continue;
		if (a->ifa_addr->sa_family == AF_INET && !out->has_ipv4) {
			memcpy(out->ipv4, &((struct sockaddr_in *)a->ifa_addr)->sin_addr, 4);
			out->has_ipv4 = true;
		} else if (a->ifa_addr->sa_family == AF_INET6) {
			const struct in6_addr *in6 =
				&((struct sockaddr_in6 *)a->ifa_addr)->sin6_addr;
			bool local = IN6_IS_ADDR_LINKLOCAL(in6);
			bool *has = local ? &out->has_ipv6_linklocal : &out->has_ipv6_global;

			if (!*has)
				memcpy(local ? out->ipv6_linklocal : out->ipv6_global, in6, 16);
			*has = true;
		}
	}
	freeifaddrs(list);
}

int pw_netif_read(
	const struct pw_sysroot *root, const char *name, struct pw_netif *out, struct pw_err *err)
{
	int r;

	memset(out, 0, sizeof(*out));
	out->node = -1;
	if (name[0] == '\0' || strlen(name) >= sizeof(out->name) || strchr(name, '/'))
		return no_interface(name, err);
	strcpy(out->name, name);
	r = pw_sysroot_is_real(root) ? ask_kernel(out, err) : ask_sysfs(root, out, err);
	if (r)
		return r;
	find_device(root, out);
	if (pw_sysroot_is_real(root))
		find_addresses(out);
	return 0;
}

int pw_netif_query(const char *name, struct pw_netif *out, struct pw_err *err)
{
	return pw_netif_read(NULL, name, out, err);
}

int pw_netif_node(const char *name)
{
	struct pw_netif netif;

	return pw_netif_read(NULL, name, &netif, NULL) ? -1 : netif.node;
}

/* What a walk over a table of the kernel searches. */
struct find {
	const char *name;
	unsigned int n;
};

/* "eth0 00000000 010200C0 0003 0 0 0 00000000 ...": destination 0, mask 0, RTF_UP */
static int is_default_ipv4(void *ctx, char *line)
{
	struct find *f = ctx;
	char name[IFNAMSIZ];
	unsigned int dst, gateway, flags, mask;

	if (sscanf(line, "%15s %x %x %x %*d %*d %*d %x", name, &dst, &gateway, &flags, &mask) != 5)
		return 0;
	if (dst == 0 && mask == 0 && (flags & 1) && strcmp(name, f->name) == 0)
		f->n = 1;
	return 0;
}

/* "DST LEN SRC LEN GATEWAY METRIC REFS USE FLAGS NAME"; a reject route belongs to lo */
static int is_default_ipv6(void *ctx, char *line)
{
	struct find *f = ctx;
	char name[IFNAMSIZ], dst[33];
	unsigned int len, flags;

	if (sscanf(line, "%32s %x %*s %*x %*s %*x %*x %*x %x %15s", dst, &len, &flags, name) != 4)
		return 0;
	if (len == 0 && strspn(dst, "0") == 32 && (flags & 1) && strcmp(name, f->name) == 0)
		f->n = 1;
	return 0;
}

unsigned int pw_netif_default_routes(const struct pw_sysroot *root, const char *name)
{
	struct find v4 = {.name = name}, v6 = {.name = name};

	pw_sysfs_each_line(root, "/proc/self/net/route", is_default_ipv4, &v4);
	pw_sysfs_each_line(root, "/proc/self/net/ipv6_route", is_default_ipv6, &v6);
	return (v4.n ? PW_ROUTE_IPV4 : 0) | (v6.n ? PW_ROUTE_IPV6 : 0);
}

/* "ALL  eth0     packet_rcv"; a socket for all interfaces has no name */
static int count_tap(void *ctx, char *line)
{
	struct find *f = ctx;
	char a[64], b[64];
	int n;

	if (strncmp(line, "ALL", 3) != 0)
		return 0;
	n = sscanf(line + 3, "%63s %63s", a, b);
	if (n == 1 || (n == 2 && strcmp(a, f->name) == 0))
		f->n++;
	return 0;
}

unsigned int pw_netif_n_taps(const struct pw_sysroot *root, const char *name)
{
	struct find f = {.name = name};

	pw_sysfs_each_line(root, "/proc/self/net/ptype", count_tap, &f);
	return f.n;
}
