/* SPDX-License-Identifier: BSD-3-Clause */
/* Checks nic.driver, vfio.*, iommu and iova.mode: whether user space can drive the NIC. */
#include "app/doctor/pci.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "app/doctor/kernel.h"

static void fix_iommu(const struct pw_doctor_host *host, struct pw_doctor_report *report)
{
	const struct pw_iommu *m = &host->iommu;
	char more[160];

	snprintf(more, sizeof(more), "%s%s",
		host->boot.is_guest ? "the hypervisor must offer a virtual IOMMU (QEMU: -device "
				      "intel-iommu)"
				    : "and VT-d or AMD-Vi on in the firmware",
		m->vfio_pci == PW_MODULE_ABSENT
			? ""
			: "; or, unsafe: modprobe vfio enable_unsafe_noiommu_mode=1");
	if (m->cmdline_off && !host->boot.kernel_is_given)
		pw_doctor_set_fix(report, "editor /etc/default/grub   # remove iommu=off; then "
					  "update-grub && reboot");
	else
		pw_doctor_fix_options(host, report,
			m->cmdline_off ? "iommu=off removed"
			: m->amd       ? "iommu=pt"
				       : "intel_iommu=on iommu=pt",
			more);
}

static void check_iommu(const struct pw_doctor_host *host, const struct pw_doctor_job *job,
	struct pw_doctor_report *report)
{
	const struct pw_iommu *m = &host->iommu;
	bool present = m->n_iommus > 0 || (m->n_groups > 0 && !m->noiommu);
	enum pw_doctor_access access = pw_doctor_access(host, job);

	if (job->has_port &&
		(access == PW_DOCTOR_ACCESS_NONE || access == PW_DOCTOR_ACCESS_BIFURCATED)) {
		pw_doctor_add(report, PW_DOCTOR_SKIP, "iommu", "%s; %.100s needs none",
			present ? "there is an IOMMU" : "no IOMMU", job->spec.text);
	} else if (!job->has_port && !present && host->n_nics == 0) {
		pw_doctor_add(report, PW_DOCTOR_SKIP, "iommu",
			"no IOMMU, and no PCI NIC that would need one");
	} else if (access == PW_DOCTOR_ACCESS_IOMMU ||
		   (access == PW_DOCTOR_ACCESS_NONE && present)) {
		pw_doctor_add(report, PW_DOCTOR_OK, "iommu", "on, %u groups", m->n_groups);
	} else if (present) {
		pw_doctor_add(report, PW_DOCTOR_WARN, "iommu",
			"on, but %s is driven by %s, without its protection", job->pci.addr,
			job->pci.driver[0] ? job->pci.driver : "no driver");
		pw_doctor_set_fix(report, "modprobe vfio-pci && dpdk-devbind.py --bind=vfio-pci %s",
			job->pci.addr);
	} else if (m->noiommu || (job->has_pci && pw_pci_driver_is_uio(job->pci.driver))) {
		pw_doctor_add(report, PW_DOCTOR_WARN, "iommu",
			"none, and %s: a device reaches all of this host's memory",
			m->noiommu ? "VFIO's no-IOMMU mode is set" : "UIO drives the NIC");
		fix_iommu(host, report);
	} else {
		pw_doctor_add(report, job->has_pci ? PW_DOCTOR_FAIL : PW_DOCTOR_WARN, "iommu",
			m->cmdline_off ? "turned off on the kernel's command line: VFIO does not "
					 "drive a NIC without it"
				       : "none: VFIO does not drive a NIC without it, other than "
					 "in its unsafe no-IOMMU mode");
		fix_iommu(host, report);
		if (m->noiommu_known && !m->cmdline_off && m->n_iommus == 0)
			pw_doctor_set_fix(report,
				"echo 1 > /sys/module/vfio/parameters/"
				"enable_unsafe_noiommu_mode   # unsafe; else turn "
				"the IOMMU on in firmware and kernel");
	}
}

static void check_iova(const struct pw_doctor_host *host, const struct pw_doctor_job *job,
	struct pw_doctor_report *report)
{
	if (!job->has_port) {
		pw_doctor_add(report, PW_DOCTOR_SKIP, "iova.mode", "depends on the port");
		return;
	}
	switch (pw_doctor_access(host, job)) {
	case PW_DOCTOR_ACCESS_NONE:
		pw_doctor_add(report, PW_DOCTOR_OK, "iova.mode",
			"VA: no device does DMA for %.100s", job->spec.text);
		break;
	case PW_DOCTOR_ACCESS_BIFURCATED:
		pw_doctor_add(report, PW_DOCTOR_OK, "iova.mode", "VA: %s's own driver translates",
			job->pci.driver);
		break;
	case PW_DOCTOR_ACCESS_IOMMU:
		pw_doctor_add(report, PW_DOCTOR_OK, "iova.mode",
			"VA: the IOMMU translates; one map covers a file");
		break;
	case PW_DOCTOR_ACCESS_BARE:
		if (host->limits.sys_admin) {
			pw_doctor_add(report, PW_DOCTOR_WARN, "iova.mode",
				"PA: packets are split where pages are not contiguous, and only "
				"huge pages can be sent");
			fix_iommu(host, report);
		} else {
			pw_doctor_add(report, PW_DOCTOR_FAIL, "iova.mode",
				"PA, and this process may not read physical addresses");
			pw_doctor_set_fix(report, "sudo pagewire ...   # or see caps");
		}
		break;
	}
}

static void check_module(const struct pw_doctor_host *host, const struct pw_doctor_job *job,
	struct pw_doctor_report *report)
{
	const struct pw_iommu *m = &host->iommu;
	bool bound = job->has_pci && (pw_pci_driver_is_vfio(job->pci.driver) ||
					     pw_pci_driver_is_uio(job->pci.driver));
	enum pw_doctor_access access = pw_doctor_access(host, job);

	if ((job->has_port && access == PW_DOCTOR_ACCESS_NONE) ||
		access == PW_DOCTOR_ACCESS_BIFURCATED || (!job->has_port && host->n_nics == 0)) {
		pw_doctor_add(report, PW_DOCTOR_SKIP, "vfio.module",
			"only PCI NICs need it, except those with a driver like mlx5's");
	} else if (m->vfio_pci == PW_MODULE_LOADED || bound) {
		pw_doctor_add(report, PW_DOCTOR_OK, "vfio.module", "%s is loaded",
			m->vfio_pci == PW_MODULE_LOADED ? "vfio-pci" : job->pci.driver);
	} else if (m->vfio_pci == PW_MODULE_LOADABLE) {
		pw_doctor_add(report, job->has_pci ? PW_DOCTOR_FAIL : PW_DOCTOR_WARN, "vfio.module",
			"vfio-pci is not loaded");
		pw_doctor_set_fix(report, "modprobe vfio-pci");
	} else if (m->uio_pci_generic != PW_MODULE_ABSENT) {
		pw_doctor_add(report, PW_DOCTOR_WARN, "vfio.module",
			"this kernel has no vfio-pci; uio_pci_generic works, without the IOMMU's "
			"protection");
		pw_doctor_set_fix(report, "modprobe uio_pci_generic");
	} else {
		pw_doctor_add(report, job->has_pci ? PW_DOCTOR_FAIL : PW_DOCTOR_WARN, "vfio.module",
			"this kernel has neither vfio-pci nor uio_pci_generic, like the kernels "
			"for clouds");
		pw_doctor_fix_kernel(host, report, "CONFIG_VFIO_PCI or CONFIG_UIO_PCI_GENERIC");
	}
}

/* "0000:3b:00.0 vfio-pci, 0000:3b:00.1 ice eth1"; NICs that do not fit are left out. */
static void name_nics(const struct pw_doctor_host *host, char *list, size_t len)
{
	size_t n = 0;
	unsigned int i;

	list[0] = '\0';
	for (i = 0; i < host->n_nics && n < len; i++) {
		const struct pw_pci_dev *d = &host->nics[i];

		n += (size_t)snprintf(list + n, len - n, "%s%s %s%s%s", n ? ", " : "", d->addr,
			d->driver[0] ? d->driver : "without driver", d->n_netdevs ? " " : "",
			d->n_netdevs ? d->netdevs[0] : "");
	}
}

/* Without a port: the driver of each NIC. */
static void list_nics(const struct pw_doctor_host *host, struct pw_doctor_report *report)
{
	char list[240];

	name_nics(host, list, sizeof(list));
	if (host->n_nics)
		pw_doctor_add(report, PW_DOCTOR_OK, "nic.driver", "%s", list);
	else
		pw_doctor_add(report, PW_DOCTOR_SKIP, "nic.driver",
			"no PCI NIC; vhost:, virtio-user:, memif:, af_packet: and tap: need none");
}

int pw_doctor_no_device(
	const struct pw_doctor_host *host, const struct pw_doctor_job *job, struct pw_err *err)
{
	char list[140];

	if (!pw_doctor_is_pci(job) || job->has_pci)
		return 0;
	name_nics(host, list, sizeof(list));
	return pw_err_set(err, ENODEV, "cannot examine %.40s: there is no such PCI device; %s%s",
		job->spec.text,
		host->n_nics ? "use one of "
			     : "this host has no PCI NIC: use vhost:PATH or af_packet:IF",
		list);
}

static bool carries_default_route(const struct pw_doctor_host *host, const struct pw_pci_dev *d)
{
	unsigned int i;

	for (i = 0; i < d->n_netdevs; i++)
		if (pw_netif_default_routes(host->root, d->netdevs[i]))
			return true;
	return false;
}

static void check_unbound(const struct pw_doctor_host *host, const struct pw_pci_dev *d,
	struct pw_doctor_report *report)
{
	const char *netdev = d->n_netdevs ? d->netdevs[0] : "";

	if (carries_default_route(host, d)) {
		pw_doctor_add(report, PW_DOCTOR_FAIL, "nic.driver",
			"%s is %s, which carries this host's default route: bound to VFIO it "
			"would cut the host off",
			d->addr, netdev);
		pw_doctor_set_fix(report,
			"dpdk-devbind.py --status-dev net   # then use another NIC, or --port "
			"af_packet:%s",
			netdev);
		return;
	}
	if (d->driver[0])
		pw_doctor_add(report, PW_DOCTOR_FAIL, "nic.driver",
			"%s is driven by the kernel's %s%s%s: DPDK cannot use it", d->addr,
			d->driver, netdev[0] ? " as " : "", netdev);
	else
		pw_doctor_add(
			report, PW_DOCTOR_FAIL, "nic.driver", "no driver is bound to %s", d->addr);
	if (netdev[0])
		pw_doctor_set_fix(report,
			"ip link set %s down && modprobe vfio-pci && dpdk-devbind.py "
			"--bind=vfio-pci %s",
			netdev, d->addr);
	else
		pw_doctor_set_fix(
			report, "modprobe vfio-pci && dpdk-devbind.py --bind=vfio-pci %s", d->addr);
}

static void check_driver(const struct pw_doctor_host *host, const struct pw_doctor_job *job,
	struct pw_doctor_report *report)
{
	const struct pw_pci_dev *d = &job->pci;
	char others[PW_PCI_GROUP_LEN];

	if (!job->has_port) {
		list_nics(host, report);
	} else if (!job->has_pci) {
		pw_doctor_add(report, PW_DOCTOR_SKIP, "nic.driver", "%.100s is no PCI NIC",
			job->spec.text);
	} else if (pw_pci_driver_is_bifurcated(d->driver)) {
		pw_doctor_add(report, PW_DOCTOR_OK, "nic.driver",
			"%s stays with %s, DPDK works beside it", d->addr, d->driver);
	} else if (pw_pci_driver_is_vfio(d->driver)) {
		if (d->iommu_group >= 0 &&
			pw_pci_group_busy(host->root, d->iommu_group, d->addr, others)) {
			pw_doctor_add(report, PW_DOCTOR_FAIL, "nic.driver",
				"%s is bound to %s, but %s in its IOMMU group %d is not: VFIO "
				"opens whole groups",
				d->addr, d->driver, others, d->iommu_group);
			pw_doctor_set_fix(report, "dpdk-devbind.py --bind=vfio-pci %s", others);
		} else {
			pw_doctor_add(report, PW_DOCTOR_OK, "nic.driver", "%s is bound to %s",
				d->addr, d->driver);
		}
	} else if (pw_pci_driver_is_uio(d->driver)) {
		pw_doctor_add(report, PW_DOCTOR_OK, "nic.driver", "%s is bound to %s", d->addr,
			d->driver);
	} else {
		check_unbound(host, d, report);
	}
}

/* The group's device file belongs to root by default. */
static void check_group(const struct pw_doctor_host *host, const struct pw_doctor_job *job,
	struct pw_doctor_report *report)
{
	const struct pw_pci_dev *d = &job->pci;
	char node[48];

	if (!job->has_pci || !pw_pci_driver_is_vfio(d->driver) || d->iommu_group < 0 ||
		!pw_sysroot_is_real(host->root)) {
		pw_doctor_add(report, PW_DOCTOR_SKIP, "vfio.access",
			"only a NIC bound to VFIO has a device file");
		return;
	}
	snprintf(node, sizeof(node), "/dev/vfio/%s%d",
		pw_doctor_access(host, job) == PW_DOCTOR_ACCESS_BARE ? "noiommu-" : "",
		d->iommu_group);
	if (access(node, R_OK | W_OK) == 0) {
		pw_doctor_add(report, PW_DOCTOR_OK, "vfio.access", "%s can be opened", node);
		return;
	}
	pw_doctor_add(report, PW_DOCTOR_FAIL, "vfio.access", "this user cannot open %s", node);
	pw_doctor_set_fix(report, "chown \"$USER\" %s   # as root; or run pagewire as root", node);
}

void pw_doctor_check_pci(const struct pw_doctor_host *host, const struct pw_doctor_job *job,
	struct pw_doctor_report *report)
{
	check_driver(host, job, report);
	check_module(host, job, report);
	check_group(host, job, report);
	check_iommu(host, job, report);
	check_iova(host, job, report);
}
