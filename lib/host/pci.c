/* SPDX-License-Identifier: BSD-3-Clause */
/* Reads PCI network devices from /sys: drivers, interfaces, IOMMU groups. */
#include "host/pci.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"

#define PCI_DIR       "/sys/bus/pci/devices"
#define CLASS_NETWORK 0x02
#define CLASS_BRIDGE  0x06

int pw_pci_normalize(const char *s, char addr[PW_PCI_ADDR_LEN])
{
	unsigned int domain = 0, bus, device, function;
	int n = 0;

	if (sscanf(s, "%6x:%2x:%2x.%1x%n", &domain, &bus, &device, &function, &n) != 4) {
		domain = 0;
		if (sscanf(s, "%2x:%2x.%1x%n", &bus, &device, &function, &n) != 3)
			return -EINVAL;
	}
	if ((s[n] != '\0' && s[n] != ',') || !isxdigit((unsigned char)s[0]) || device > 31 ||
		function > 7)
		return -EINVAL;
	snprintf(addr, PW_PCI_ADDR_LEN, "%04x:%02x:%02x.%x", domain, bus, device, function);
	return 0;
}

struct netdevs {
	const struct pw_sysroot *root;
	struct pw_pci_dev *dev;
};

static int add_netdev(void *ctx, const char *name)
{
	struct pw_pci_dev *dev = ((struct netdevs *)ctx)->dev;

	if (dev->n_netdevs < PW_ARRAY_LEN(dev->netdevs))
		snprintf(dev->netdevs[dev->n_netdevs++], IFNAMSIZ, "%.15s", name);
	return 0;
}

/* virtio puts another device between the PCI function and the interface */
static int look_below(void *ctx, const char *name)
{
	const struct netdevs *n = ctx;
	char path[128];

	if (strncmp(name, "virtio", 6) != 0)
		return 0;
	snprintf(path, sizeof(path), PCI_DIR "/%s/%.31s/net", n->dev->addr, name);
	pw_sysfs_each_entry(n->root, path, add_netdev, ctx);
	return 0;
}

static int read_dev(const struct pw_sysroot *root, struct pw_pci_dev *dev)
{
	struct netdevs n = {.root = root, .dev = dev};
	char path[64], group[16];
	long long v;

	if (pw_sysfs_read_number(root, &v, PCI_DIR "/%s/class", dev->addr))
		return -ENODEV;
	dev->class_code = (uint32_t)v;
	if (pw_sysfs_read_number(root, &v, PCI_DIR "/%s/vendor", dev->addr) == 0)
		dev->vendor = (uint16_t)v;
	if (pw_sysfs_read_number(root, &v, PCI_DIR "/%s/device", dev->addr) == 0)
		dev->device = (uint16_t)v;
	dev->node = -1;
	if (pw_sysfs_read_number(root, &v, PCI_DIR "/%s/numa_node", dev->addr) == 0)
		dev->node = (int)v;
	pw_sysfs_read_link(root, dev->driver, sizeof(dev->driver), PCI_DIR "/%s/driver", dev->addr);
	dev->iommu_group = -1;
	if (pw_sysfs_read_link(root, group, sizeof(group), PCI_DIR "/%s/iommu_group", dev->addr) >
		0)
		dev->iommu_group = atoi(group);
	snprintf(path, sizeof(path), PCI_DIR "/%s", dev->addr);
	pw_sysfs_each_entry(root, path, look_below, &n);
	snprintf(path, sizeof(path), PCI_DIR "/%s/net", dev->addr);
	pw_sysfs_each_entry(root, path, add_netdev, &n);
	return 0;
}

int pw_pci_read(
	const struct pw_sysroot *root, const char *s, struct pw_pci_dev *dev, struct pw_err *err)
{
	memset(dev, 0, sizeof(*dev));
	dev->node = -1;
	dev->iommu_group = -1;
	if (pw_pci_normalize(s, dev->addr))
		return pw_err_set(err, EINVAL,
			"cannot read the PCI address '%.40s': write it like 0000:3b:00.0", s);
	if (read_dev(root, dev))
		return pw_err_set(err, ENODEV,
			"cannot find the PCI device %s; see `dpdk-devbind.py --status-dev net`",
			dev->addr);
	return 0;
}

struct list {
	const struct pw_sysroot *root;
	struct pw_pci_dev *devs;
	unsigned int n, max;
};

static int add_net_dev(void *ctx, const char *name)
{
	struct list *l = ctx;
	struct pw_pci_dev dev = {0};

	if (l->n == l->max)
		return 1;
	snprintf(dev.addr, sizeof(dev.addr), "%.15s", name);
	if (read_dev(l->root, &dev) == 0 && dev.class_code >> 16 == CLASS_NETWORK)
		l->devs[l->n++] = dev;
	return 0;
}

unsigned int pw_pci_list_net(
	const struct pw_sysroot *root, struct pw_pci_dev *devs, unsigned int max)
{
	struct list l = {.root = root, .devs = devs, .max = max};

	pw_sysfs_each_entry(root, PCI_DIR, add_net_dev, &l);
	return l.n;
}

struct group {
	const struct pw_sysroot *root;
	const char *addr;
	char *others;
	unsigned int n;
};

/* Bridges connect the group to the root and keep their driver. */
static int is_busy(void *ctx, const char *name)
{
	struct group *g = ctx;
	struct pw_pci_dev dev = {0};
	size_t len = strlen(g->others);

	snprintf(dev.addr, sizeof(dev.addr), "%.15s", name);
	if (strcmp(dev.addr, g->addr) == 0 || read_dev(g->root, &dev) ||
		dev.class_code >> 16 == CLASS_BRIDGE || dev.driver[0] == '\0' ||
		pw_pci_driver_is_vfio(dev.driver) || strcmp(dev.driver, "pci-stub") == 0)
		return 0;
	if (len + PW_PCI_ADDR_LEN + sizeof(" ...") <= PW_PCI_GROUP_LEN)
		snprintf(
			g->others + len, PW_PCI_GROUP_LEN - len, "%s%s", g->n ? " " : "", dev.addr);
	else if (g->others[len - 1] != '.')
		strcat(g->others, " ...");
	g->n++;
	return 0;
}

unsigned int pw_pci_group_busy(
	const struct pw_sysroot *root, int group, const char *addr, char others[PW_PCI_GROUP_LEN])
{
	struct group g = {.root = root, .addr = addr, .others = others};
	char path[64];

	others[0] = '\0';
	snprintf(path, sizeof(path), "/sys/kernel/iommu_groups/%d/devices", group);
	pw_sysfs_each_entry(root, path, is_busy, &g);
	return g.n;
}

bool pw_pci_driver_is_vfio(const char *driver)
{
	return strncmp(driver, "vfio-pci", 8) == 0 || strcmp(driver, "mlx5_vfio_pci") == 0;
}

bool pw_pci_driver_is_uio(const char *driver)
{
	return strcmp(driver, "uio_pci_generic") == 0 || strcmp(driver, "igb_uio") == 0;
}

bool pw_pci_driver_is_bifurcated(const char *driver)
{
	return strcmp(driver, "mlx5_core") == 0 || strcmp(driver, "mlx4_core") == 0 ||
	       strcmp(driver, "mana") == 0;
}

int pw_pci_node(const char *s)
{
	struct pw_pci_dev dev;

	return pw_pci_read(NULL, s, &dev, NULL) ? -1 : dev.node;
}

bool pw_pci_is_vfio(const char *s)
{
	struct pw_pci_dev dev;

	return pw_pci_read(NULL, s, &dev, NULL) == 0 && pw_pci_driver_is_vfio(dev.driver);
}
