/* SPDX-License-Identifier: BSD-3-Clause */
/* Moves a PCI function between drivers through /sys/bus/pci. The one part of lib/host that changes the host. */
#include "host/bind.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "host/iommu.h"

#define DEVICES "/sys/bus/pci/devices"
#define DRIVERS "/sys/bus/pci/drivers"

/* VFIO opens whole IOMMU groups: other drivers must not hold functions of it. */
static int check_group(const struct pw_sysroot *root, const struct pw_pci_dev *dev,
	const char *driver, struct pw_err *err)
{
	char others[PW_PCI_GROUP_LEN];
	struct pw_iommu iommu;

	pw_iommu_read(root, &iommu);
	if (dev->iommu_group < 0 && iommu.noiommu)
		return 0;
	if (dev->iommu_group < 0)
		return pw_err_set(err, EOPNOTSUPP,
			"cannot bind %s to %s: it has no IOMMU group; turn the IOMMU on (pagewire "
			"doctor: iommu)",
			dev->addr, driver);
	if (pw_pci_group_busy(root, dev->iommu_group, dev->addr, others))
		return pw_err_set(err, EBUSY,
			"cannot bind %s to %s: other drivers hold functions of its IOMMU group %d; "
			"dpdk-devbind.py --bind=%s %s",
			dev->addr, driver, dev->iommu_group, driver, others);
	return 0;
}

int pw_bind_check(
	const struct pw_sysroot *root, const char *addr, const char *driver, struct pw_err *err)
{
	struct pw_pci_dev dev;
	int r = pw_pci_read(root, addr, &dev, err);

	if (r)
		return r;
	if (!pw_sysfs_exists(root, DRIVERS "/%s", driver))
		return pw_err_set(err, ENOENT,
			"cannot bind %s to %s: that driver is not loaded; modprobe %s", dev.addr,
			driver, driver);
	if (!pw_pci_driver_is_vfio(driver))
		return 0;
	return check_group(root, &dev, driver, err);
}

static void read_driver(const struct pw_sysroot *root, const char *addr, char driver[static 32])
{
	pw_sysfs_read_link(root, driver, 32, DEVICES "/%s/driver", addr);
}

static void read_override(const struct pw_sysroot *root, const char *addr, char override[static 32])
{
	pw_sysfs_read(root, override, 32, DEVICES "/%s/driver_override", addr);
	if (strcmp(override, "(null)") == 0)
		override[0] = '\0';
}

/* An empty line clears the override. */
static int set_override(
	const struct pw_sysroot *root, const char *addr, const char *driver, struct pw_err *err)
{
	int r = pw_sysfs_write(
		root, driver[0] ? driver : "\n", DEVICES "/%s/driver_override", addr);

	return r ? pw_err_sys(err, -r, "cannot set the driver_override of %s", addr) : 0;
}

static int unbind(const struct pw_sysroot *root, const char *addr, struct pw_err *err)
{
	char driver[32];
	int r;

	read_driver(root, addr, driver);
	if (driver[0] == '\0')
		return 0;
	r = pw_sysfs_write(root, addr, DRIVERS "/%s/unbind", driver);
	return r ? pw_err_sys(err, -r, "cannot take %s from %s", addr, driver) : 0;
}

/* The write does not return the answer of the driver: only the binding afterwards shows it. */
static int probe(
	const struct pw_sysroot *root, const char *addr, const char *driver, struct pw_err *err)
{
	char has[32];
	int r = pw_sysfs_write(root, addr, "/sys/bus/pci/drivers_probe");

	read_driver(root, addr, has);
	if (strcmp(has, driver) == 0)
		return 0;
	return pw_err_set(err, r ? -r : EIO,
		"cannot bind %s to %s: the driver did not take it%s%s; dmesg "
		"gives the reason",
		addr, driver, has[0] ? ", it is bound to " : "", has);
}

static int move(
	const struct pw_sysroot *root, const char *addr, const char *driver, struct pw_err *err)
{
	int r = set_override(root, addr, driver, err);

	if (r == 0)
		r = unbind(root, addr, err);
	if (r == 0)
		r = probe(root, addr, driver, err);
	return r;
}

int pw_bind_take(const struct pw_sysroot *root, const char *addr, const char *driver,
	struct pw_bind *was, struct pw_err *err)
{
	int r;

	memset(was, 0, sizeof(*was));
	if (pw_pci_normalize(addr, was->addr) || strlen(driver) >= sizeof(was->driver))
		return pw_err_set(err, EINVAL,
			"cannot bind '%.40s' to %.40s: write the address like 0000:3b:00.0", addr,
			driver);
	read_driver(root, was->addr, was->driver);
	read_override(root, was->addr, was->override);
	if (strcmp(was->driver, driver) == 0)
		return 0;
	r = move(root, was->addr, driver, err);
	if (r)
		pw_bind_give_back(root, was, NULL);
	return r;
}

/* Names the former driver, because another driver that matches the function may be faster. */
int pw_bind_give_back(const struct pw_sysroot *root, const struct pw_bind *was, struct pw_err *err)
{
	char has[32];
	int r = 0, restored;

	read_driver(root, was->addr, has);
	if (strcmp(has, was->driver) != 0 && was->driver[0])
		r = move(root, was->addr, was->driver, err);
	else if (strcmp(has, was->driver) != 0)
		r = unbind(root, was->addr, err);
	restored = set_override(root, was->addr, was->override, r ? NULL : err);
	return r ? r : restored;
}
