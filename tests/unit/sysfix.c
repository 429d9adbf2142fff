/* SPDX-License-Identifier: BSD-3-Clause */
#include "sysfix.h"

#include <errno.h>
#include <ftw.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

void sysfix_make(struct sysfix *f)
{
	snprintf(f->dir, sizeof(f->dir), "/tmp/pw-sysfix-XXXXXX");
	if (!mkdtemp(f->dir))
		abort();
	f->root.root = f->dir;
}

static int sysfix_unlink(const char *path, const struct stat *st, int type, struct FTW *at)
{
	(void)st;
	(void)type;
	(void)at;
	return remove(path);
}

void sysfix_drop(struct sysfix *f)
{
	nftw(f->dir, sysfix_unlink, 16, FTW_DEPTH | FTW_PHYS);
}

void sysfix_path(const struct sysfix *f, const char *path, char full[512])
{
	char *slash;

	snprintf(full, 512, "%s%s", f->dir, path);
	for (slash = strchr(full + strlen(f->dir) + 1, '/'); slash;
		slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		if (mkdir(full, 0755) && errno != EEXIST)
			abort();
		*slash = '/';
	}
}

void sysfix_write(const struct sysfix *f, const char *path, const char *fmt, ...)
{
	char full[512];
	va_list ap;
	FILE *out;

	sysfix_path(f, path, full);
	out = fopen(full, "w");
	if (!out)
		abort();
	va_start(ap, fmt);
	vfprintf(out, fmt, ap);
	va_end(ap);
	fputc('\n', out);
	fclose(out);
}

void sysfix_link(const struct sysfix *f, const char *path, const char *target)
{
	char full[512];

	sysfix_path(f, path, full);
	unlink(full);
	if (symlink(target, full))
		abort();
}

void sysfix_hugepages(const struct sysfix *f, int node, unsigned long kib, unsigned int total,
	unsigned int n_free, unsigned int promised)
{
	char dir[128], path[192];

	if (node < 0)
		snprintf(dir, sizeof(dir), "/sys/kernel/mm/hugepages/hugepages-%lukB", kib);
	else
		snprintf(dir, sizeof(dir),
			"/sys/devices/system/node/node%d/hugepages/hugepages-%lukB", node, kib);
	snprintf(path, sizeof(path), "%s/nr_hugepages", dir);
	sysfix_write(f, path, "%u", total);
	snprintf(path, sizeof(path), "%s/free_hugepages", dir);
	sysfix_write(f, path, "%u", n_free);
	snprintf(path, sizeof(path), "%s/surplus_hugepages", dir);
	sysfix_write(f, path, "0");
	if (node < 0) {
		snprintf(path, sizeof(path), "%s/resv_hugepages", dir);
		sysfix_write(f, path, "%u", promised);
		snprintf(path, sizeof(path), "%s/nr_overcommit_hugepages", dir);
		sysfix_write(f, path, "0");
	}
}

void sysfix_nic(const struct sysfix *f, const char *addr, const char *driver, int node, int group,
	const char *netdev)
{
	char path[192], target[96];

	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/class", addr);
	sysfix_write(f, path, "0x020000");
	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/vendor", addr);
	sysfix_write(f, path, "0x8086");
	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/device", addr);
	sysfix_write(f, path, "0x1592");
	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/numa_node", addr);
	sysfix_write(f, path, "%d", node);
	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/driver", addr);
	snprintf(target, sizeof(target), "../../../bus/pci/drivers/%s", driver);
	if (driver[0])
		sysfix_link(f, path, target);
	if (group >= 0) {
		snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/iommu_group", addr);
		snprintf(target, sizeof(target), "../../../kernel/iommu_groups/%d", group);
		sysfix_link(f, path, target);
		snprintf(path, sizeof(path), "/sys/kernel/iommu_groups/%d/devices/%s", group, addr);
		sysfix_link(f, path, "../../../../bus/pci/devices");
	}
	if (netdev[0]) {
		snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/net/%s/mtu", addr, netdev);
		sysfix_write(f, path, "1500");
	}
}

void sysfix_netif(const struct sysfix *f, const char *name, unsigned int mtu, unsigned int flags,
	unsigned int carrier)
{
	char path[128];

	snprintf(path, sizeof(path), "/sys/class/net/%s/mtu", name);
	sysfix_write(f, path, "%u", mtu);
	snprintf(path, sizeof(path), "/sys/class/net/%s/flags", name);
	sysfix_write(f, path, "0x%x", flags);
	snprintf(path, sizeof(path), "/sys/class/net/%s/carrier", name);
	sysfix_write(f, path, "%u", carrier);
	snprintf(path, sizeof(path), "/sys/class/net/%s/address", name);
	sysfix_write(f, path, "02:11:22:33:44:55");
}
