/* SPDX-License-Identifier: BSD-3-Clause */
/* A PCI function to VFIO, or UIO where its owner insists, and back. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "host/fix_private.h"
#include "host/ifuse.h"
#include "host/iommu.h"
#include "host/limits.h"

#define CLASS_NETWORK 0x02
#define VFIO          "vfio-pci"
#define UIO           "uio_pci_generic"
#define COMES_NS      (10 * PW_NS_PER_S) /* a driver that loads firmware takes seconds */
#define POLL_NS       (10 * 1000 * 1000)

/* "" when the one it has will do. */
static int choose_driver(const struct pw_sysroot *root, const struct pw_pci_dev *dev, bool unsafe,
	const char **driver, struct pw_err *err)
{
	struct pw_iommu iommu;

	pw_iommu_read(root, &iommu);
	*driver = "";
	if (pw_pci_driver_is_vfio(dev->driver) || pw_pci_driver_is_bifurcated(dev->driver) ||
		(dev->iommu_group < 0 && pw_pci_driver_is_uio(dev->driver)))
		return 0;
	*driver = VFIO;
	if (dev->iommu_group >= 0 || iommu.noiommu)
		return 0;
	if (!unsafe)
		return pw_err_set(err, EOPNOTSUPP,
			"bind %s to " VFIO ": no IOMMU stands between it and memory; turn it on "
			"(pagewire doctor: iommu), or let the device have all of memory: "
			"--unsafe-no-iommu",
			dev->addr);
	if (iommu.noiommu_known)
		return 0;
	if (iommu.vfio_pci == PW_MODULE_LOADABLE &&
		pw_module_state(root, "vfio") != PW_MODULE_LOADED)
		return pw_err_set(err, EOPNOTSUPP,
			"bind %s to " VFIO ": whether it has a no-IOMMU mode shows when it is "
			"loaded; modprobe " VFIO ", then --fix again",
			dev->addr);
	*driver = UIO;
	if (pw_lockdown_read(root) != PW_LOCKDOWN_NONE)
		return pw_err_set(err, EPERM,
			"bind %s to " UIO ": the kernel is locked down and does not let it work; "
			"turn the IOMMU on (pagewire doctor: iommu, kernel.lockdown)",
			dev->addr);
	return 0;
}

/* Whom the function's going would hurt: "eth1: the IPv4 default route leaves by it". */
static int find_users(const struct pw_sysroot *root, const struct pw_pci_dev *dev, char *buf,
	size_t len, struct pw_err *err)
{
	struct pw_ifuse use;
	char why[108];
	long long n;
	unsigned int i;
	int r;

	buf[0] = '\0';
	for (i = 0; i < dev->n_netdevs; i++) {
		r = pw_ifuse_read(root, dev->netdevs[i], &use, err);
		if (r)
			return r;
		if (pw_ifuse_tell(&use, why, sizeof(why))) {
			snprintf(buf, len, "%s: %s", use.name, why);
			return 0;
		}
	}
	if (dev->driver[0] && !pw_pci_driver_is_uio(dev->driver) && dev->n_netdevs == 0)
		snprintf(buf, len,
			"%s drives it, and its interface is in another network namespace",
			dev->driver);
	else if (pw_sysfs_read_number(
			 root, &n, "/sys/bus/pci/devices/%s/sriov_numvfs", dev->addr) == 0 &&
		 n > 0)
		snprintf(buf, len, "%lld virtual functions stand on it", n);
	return 0;
}

static int refuse_users(const struct pw_sysroot *root, const struct pw_pci_dev *dev,
	const char *driver, const char *even_in_use, char lost[static 128], struct pw_err *err)
{
	int r = find_users(root, dev, lost, 128, err);

	if (r || !lost[0] || (even_in_use && strcmp(even_in_use, dev->addr) == 0))
		return r;
	return pw_err_set(err, EBUSY,
		"bind %s to %s: %s; take another NIC, or say once more that you mean this one: "
		"--even-in-use %s",
		dev->addr, driver, lost, dev->addr);
}

/* The module, and VFIO's mode where there is no IOMMU. */
static int plan_driver(const struct pw_sysroot *root, const struct pw_pci_dev *dev,
	const char *driver, struct pw_fix *fix, struct pw_err *err)
{
	enum pw_module module = pw_module_state(root, driver);
	struct pw_iommu iommu;
	struct pw_fix_step *s = fix->steps; /* any that is not NULL */

	if (module == PW_MODULE_ABSENT)
		return pw_err_set(err, ENOENT,
			"load %s: this kernel has no such module; apt-get install "
			"linux-image-amd64 (pagewire doctor: vfio.module)",
			driver);
	if (module == PW_MODULE_LOADABLE)
		s = pw_fix_add(fix, PW_FIX_MODULE, driver);
	pw_iommu_read(root, &iommu);
	if (s && dev->iommu_group < 0 && strcmp(driver, VFIO) == 0 && !iommu.noiommu)
		s = pw_fix_add(fix, PW_FIX_NOIOMMU, "");
	return s ? 0 : pw_err_set(err, E2BIG, "plan changes: there are too many");
}

static int plan_bind(const struct pw_sysroot *root, const struct pw_pci_dev *dev,
	const char *driver, struct pw_fix *fix, struct pw_err *err)
{
	struct pw_fix_step *s = pw_fix_add(fix, PW_FIX_BIND, dev->addr);
	struct pw_ifuse use = {0};

	if (!s)
		return pw_err_set(err, E2BIG, "plan changes: there are too many");
	if (dev->n_netdevs && pw_ifuse_read(root, dev->netdevs[0], &use, err))
		return -err->code;
	s->was = (struct pw_bind){0};
	strcpy(s->was.addr, dev->addr);
	strcpy(s->was.driver, dev->driver);
	pw_bind_read_override(root, dev->addr, s->was.override);
	snprintf(s->driver, sizeof(s->driver), "%s", driver);
	strcpy(s->interface, use.name);
	s->mtu = use.mtu;
	s->up = use.up;
	return 0;
}

int pw_fix_nic_plan(const struct pw_sysroot *root, const struct pw_fix_want *want,
	struct pw_fix *fix, struct pw_err *err)
{
	const char *driver;
	struct pw_pci_dev dev;
	char lost[128];
	size_t n;
	int r = pw_pci_read(root, want->pci, &dev, err);

	if (r)
		return r;
	if (dev.class_code >> 16 != CLASS_NETWORK)
		return pw_err_set(err, EINVAL,
			"bind %s to " VFIO ": it is no network device (PCI class %06x); see "
			"dpdk-devbind.py --status-dev net",
			dev.addr, dev.class_code);
	r = choose_driver(root, &dev, want->unsafe_noiommu, &driver, err);
	if (r || !driver[0])
		return r;
	r = refuse_users(root, &dev, driver, want->even_in_use, lost, err);
	if (r == 0 && strcmp(driver, VFIO) == 0)
		r = pw_bind_check_group(root, &dev, driver, true, err);
	if (r == 0)
		r = plan_driver(root, &dev, driver, fix, err);
	if (r == 0)
		r = plan_bind(root, &dev, driver, fix, err);
	if (r)
		return r;
	pw_fix_step_tell(root, &fix->steps[fix->n - 1], false);
	n = strlen(fix->steps[fix->n - 1].what);
	if (lost[0])
		snprintf(fix->steps[fix->n - 1].what + n, sizeof(fix->steps[0].what) - n,
			"; not put back by --undo: %s", lost);
	return 0;
}

int pw_fix_nic_do(const struct pw_sysroot *root, struct pw_fix_step *s, struct pw_err *err)
{
	struct pw_bind was;
	int r = pw_bind_check(root, s->object, s->driver, err);

	if (r)
		return r;
	r = pw_bind_take(root, s->object, s->driver, &was, err);
	if (r == 0 && strcmp(was.driver, s->was.driver) != 0)
		return pw_err_set(err, EBUSY,
			"bind %s to %s: it is, but from %.31s, not from %.31s as planned; "
			"pagewire doctor --undo gives it to the latter",
			s->object, s->driver, was.driver, s->was.driver);
	return r;
}

/* VFIO's group file opens once: who unbinds then waits in the kernel for who has it. */
static int check_closed(
	const struct pw_sysroot *root, const struct pw_pci_dev *dev, struct pw_err *err)
{
	static const char *const names[] = {"", "noiommu-"};
	char path[PW_SYSFS_PATH_MAX];
	size_t i;
	int fd;

	if (!pw_pci_driver_is_vfio(dev->driver) || dev->iommu_group < 0)
		return 0;
	for (i = 0; i < 2; i++) {
		snprintf(path, sizeof(path), "%s/dev/vfio/%s%d",
			pw_sysroot_is_real(root) ? "" : root->root, names[i], dev->iommu_group);
		fd = open(path, O_RDWR | O_CLOEXEC);
		if (fd >= 0)
			close(fd);
		else if (errno == EBUSY)
			return pw_err_set(err, EBUSY,
				"take %s from %s: a program has it open; end it (fuser -v "
				"/dev/vfio/%s%d)",
				dev->addr, dev->driver, names[i], dev->iommu_group);
	}
	return 0;
}

static int await_interface(const struct pw_sysroot *root, const struct pw_fix_step *s,
	struct pw_pci_dev *dev, struct pw_err *err)
{
	const struct timespec pause = {.tv_nsec = POLL_NS};
	const uint64_t until = pw_clock_ns() + COMES_NS;

	while (pw_pci_read(root, s->object, dev, NULL) || dev->n_netdevs == 0) {
		if (pw_clock_ns() > until)
			return pw_err_set(err, ETIMEDOUT,
				"give %s back to %s: %s has not come back in %u s; dmesg says why",
				s->object, s->was.driver, s->interface,
				(unsigned int)(COMES_NS / PW_NS_PER_S));
		nanosleep(&pause, NULL);
	}
	return 0;
}

/* A name is changed while it is down; udev may have given the former one already. */
static int set_interface(const struct pw_fix_step *s, const char *now, struct pw_err *err)
{
	struct ifreq req = {0};
	int r = 0, fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return pw_err_sys(err, errno, "put %s back", s->interface);
	snprintf(req.ifr_name, IFNAMSIZ, "%s", now);
	snprintf(req.ifr_newname, IFNAMSIZ, "%s", s->interface);
	if (strcmp(now, s->interface) != 0 && ioctl(fd, SIOCSIFNAME, &req) == 0)
		strcpy(req.ifr_name, s->interface);
	else if (strcmp(now, s->interface) != 0)
		r = pw_err_sys(err, errno, "call %s %s again", now, s->interface);
	req.ifr_mtu = (int)s->mtu;
	if (s->mtu && ioctl(fd, SIOCSIFMTU, &req) && r == 0)
		r = pw_err_sys(err, errno, "give %s its MTU of %u again", req.ifr_name, s->mtu);
	if (s->up && ioctl(fd, SIOCGIFFLAGS, &req) == 0) {
		req.ifr_flags |= IFF_UP;
		if (ioctl(fd, SIOCSIFFLAGS, &req) && r == 0)
			r = pw_err_sys(err, errno, "set %s up again", req.ifr_name);
	}
	close(fd);
	return r;
}

int pw_fix_nic_undo(const struct pw_sysroot *root, const struct pw_fix_step *s, struct pw_err *err)
{
	struct pw_pci_dev dev;
	int r = pw_pci_read(root, s->object, &dev, NULL);

	if (r == -ENODEV)
		return 0; /* it was taken out; the next one there gets its driver by itself */
	if (dev.driver[0] && strcmp(dev.driver, s->driver) != 0 &&
		strcmp(dev.driver, s->was.driver) != 0)
		return pw_err_set(err, EBUSY,
			"give %s back to %s: somebody has given it to %s; "
			"dpdk-devbind.py --bind=%s %s",
			s->object, s->was.driver, dev.driver, s->was.driver, s->object);
	if (strcmp(dev.driver, s->driver) == 0)
		r = check_closed(root, &dev, err);
	if (r == 0)
		r = pw_bind_give_back(root, &s->was, err);
	if (r || !s->interface[0])
		return r;
	/* also where the driver is back already: whoever gave it back may have been ended then */
	r = await_interface(root, s, &dev, err);
	return r || !pw_sysroot_is_real(root) ? r : set_interface(s, dev.netdevs[0], err);
}
