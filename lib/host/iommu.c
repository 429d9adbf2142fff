/* SPDX-License-Identifier: BSD-3-Clause */
/* Reads whether there is an IOMMU, and which kernel modules for user-space drivers exist. */
#include "host/iommu.h"

#include <stdio.h>
#include <string.h>

struct find_module {
	const char *name;
	size_t len;
};

/* Stops at the end of the shorter name: its NUL differs. */
static bool same_name(const char *a, const char *b, size_t len)
{
	size_t i;

	for (i = 0; i < len; i++)
		if (a[i] != b[i] && !((a[i] == '-' || a[i] == '_') && (b[i] == '-' || b[i] == '_')))
			return false;
	return true;
}

/* "kernel/drivers/vfio/pci/vfio-pci.ko.xz: kernel/..." */
static int is_module(void *ctx, char *line)
{
	const struct find_module *f = ctx;
	char *base;

	line[strcspn(line, ":")] = '\0';
	base = strrchr(line, '/');
	base = base ? base + 1 : line;
	return same_name(base, f->name, f->len) && strncmp(base + f->len, ".ko", 3) == 0;
}

enum pw_module pw_module_state(const struct pw_sysroot *root, const char *name)
{
	struct find_module f = {.name = name, .len = strlen(name)};
	char sys_name[64], release[96], path[192];
	char *c;

	snprintf(sys_name, sizeof(sys_name), "%s", name);
	for (c = sys_name; *c; c++)
		if (*c == '-')
			*c = '_';
	if (pw_sysfs_exists(root, "/sys/module/%s", sys_name) ||
		pw_sysfs_exists(root, "/sys/bus/pci/drivers/%s", name))
		return PW_MODULE_LOADED;
	pw_sysfs_read(root, release, sizeof(release), "/proc/sys/kernel/osrelease");
	snprintf(path, sizeof(path), "/lib/modules/%s/modules.builtin", release);
	if (pw_sysfs_each_line(root, path, is_module, &f) > 0)
		return PW_MODULE_LOADED;
	snprintf(path, sizeof(path), "/lib/modules/%s/modules.dep", release);
	return pw_sysfs_each_line(root, path, is_module, &f) > 0 ? PW_MODULE_LOADABLE
								 : PW_MODULE_ABSENT;
}

static void read_cmdline(const struct pw_sysroot *root, struct pw_iommu *iommu)
{
	static const char *const off[] = {"intel_iommu=off", "amd_iommu=off", "iommu=off"};
	char line[4096], *save, *word;
	size_t i;

	pw_sysfs_read(root, line, sizeof(line), "/proc/cmdline");
	for (word = strtok_r(line, " ", &save); word; word = strtok_r(NULL, " ", &save))
		for (i = 0; i < sizeof(off) / sizeof(off[0]); i++)
			iommu->cmdline_off |= strcmp(word, off[i]) == 0;
}

static int find_vendor(void *ctx, char *line)
{
	if (strncmp(line, "vendor_id", 9) != 0)
		return 0;
	*(bool *)ctx = strstr(line, "AuthenticAMD") || strstr(line, "HygonGenuine");
	return 1;
}

void pw_iommu_read(const struct pw_sysroot *root, struct pw_iommu *iommu)
{
	char flag[8];

	memset(iommu, 0, sizeof(*iommu));
	iommu->n_iommus = pw_sysfs_count(root, "/sys/class/iommu");
	iommu->n_groups = pw_sysfs_count(root, "/sys/kernel/iommu_groups");
	read_cmdline(root, iommu);
	pw_sysfs_each_line(root, "/proc/cpuinfo", find_vendor, &iommu->amd);
	iommu->vfio_pci = pw_module_state(root, "vfio-pci");
	iommu->uio_pci_generic = pw_module_state(root, "uio_pci_generic");
	iommu->igb_uio = pw_module_state(root, "igb_uio");
	if (pw_sysfs_read(root, flag, sizeof(flag),
		    "/sys/module/vfio/parameters/enable_unsafe_noiommu_mode") > 0) {
		iommu->noiommu_known = true;
		iommu->noiommu = flag[0] == 'Y' || flag[0] == '1';
	}
}
