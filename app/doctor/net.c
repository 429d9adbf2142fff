/* SPDX-License-Identifier: BSD-3-Clause */
/* Checks net.* (other users of the port's interface), caps and kernel.lockdown. */
#include "app/doctor/net.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/bytes.h"

static void check_taps(
	const struct pw_doctor_host *host, const char *name, struct pw_doctor_report *report)
{
	unsigned int n = pw_netif_n_taps(host->root, name);

	if (n == 0) {
		pw_doctor_add(report, PW_DOCTOR_OK, "net.ptype",
			"no packet socket receives all packets of %s", name);
		return;
	}
	pw_doctor_add(report, PW_DOCTOR_WARN, "net.ptype",
		"%u packet socket%s (a capture, a DHCP client) see%s every packet of %s: each one "
		"costs the kernel a clone of it",
		n, n == 1 ? "" : "s", n == 1 ? "s" : "", name);
	pw_doctor_set_fix(report, "ss -0lp   # names them; end those that are not needed");
}

static void check_route(const struct pw_doctor_host *host, const struct pw_doctor_job *job,
	struct pw_doctor_report *report)
{
	const char *name = job->spec.target;

	if (!pw_netif_default_routes(host->root, name)) {
		pw_doctor_add(report, PW_DOCTOR_OK, "net.route",
			"this host's default route does not leave by %s", name);
		return;
	}
	pw_doctor_add(report, PW_DOCTOR_WARN, "net.route",
		job->spec.kind == PW_PORT_AF_XDP
			? "%s carries the default route, and XDP takes its packets from the "
			  "kernel: logins over it may break off"
			: "%s carries the default route: a sender at full rate displaces this "
			  "host's own traffic",
		name);
	pw_doctor_set_fix(report, job->spec.kind == PW_PORT_AF_XDP
					  ? "ip -brief link   # then use another interface"
					  : "pagewire send --rate 100Mbit/s ...   # or use another "
					    "interface: ip -brief link");
}

void pw_doctor_check_net(const struct pw_doctor_host *host, const struct pw_doctor_job *job,
	struct pw_doctor_report *report)
{
	if (pw_doctor_on_interface(job) && job->has_netif) {
		check_taps(host, job->spec.target, report);
		check_route(host, job, report);
		return;
	}
	pw_doctor_add(report, PW_DOCTOR_SKIP, "net.ptype",
		"the kernel's packet sockets do not see this port");
	pw_doctor_add(
		report, PW_DOCTOR_SKIP, "net.route", "this host's routes do not use this port");
}

struct cap {
	const char *name; /* as setcap writes it */
	bool has;
	const char *why;
};

static unsigned int caps_wanted(
	const struct pw_doctor_host *host, const struct pw_doctor_job *job, struct cap caps[4])
{
	const struct pw_limits *l = &host->limits;
	unsigned int n = 0;

	switch (job->spec.kind) {
	case PW_PORT_AF_XDP:
		caps[n++] = (struct cap){"cap_bpf", l->bpf, "load the XDP program"};
		caps[n++] = (struct cap){"cap_net_admin", l->net_admin, "attach the XDP program"};
		caps[n++] = (struct cap){"cap_net_raw", l->net_raw, "open the XDP socket"};
		break;
	case PW_PORT_AF_PACKET:
		caps[n++] = (struct cap){"cap_net_raw", l->net_raw, "open the packet socket"};
		break;
	case PW_PORT_TAP:
		caps[n++] = (struct cap){"cap_net_admin", l->net_admin, "make the tap"};
		break;
	case PW_PORT_PCI:
		if (pw_pci_driver_is_bifurcated(job->pci.driver))
			caps[n++] = (struct cap){
				"cap_net_raw", l->net_raw, "open a raw queue of the NIC"};
		if (pw_doctor_access(host, job) == PW_DOCTOR_ACCESS_BARE) {
			caps[n++] = (struct cap){
				"cap_sys_rawio", l->sys_rawio, "open a device without IOMMU"};
			caps[n++] = (struct cap){"cap_sys_admin", l->sys_admin,
				"read physical addresses (/proc/self/pagemap)"};
		}
		break;
	default:
		break;
	}
	return n;
}

static void check_caps(const struct pw_doctor_host *host, const struct pw_doctor_job *job,
	struct pw_doctor_report *report)
{
	char exe[256] = "", missing[160] = "", why[160] = "";
	struct cap caps[4];
	unsigned int i, n = job->has_port ? caps_wanted(host, job, caps) : 0;
	size_t len = 0, why_len = 0;

	for (i = 0; i < n; i++) {
		if (caps[i].has)
			continue;
		len += (size_t)snprintf(
			missing + len, sizeof(missing) - len, "%s%s", len ? "," : "", caps[i].name);
		why_len += (size_t)snprintf(why + why_len, sizeof(why) - why_len, "%s%s",
			why_len ? ", " : "", caps[i].why);
	}
	if (!job->has_port) {
		pw_doctor_add(report, PW_DOCTOR_SKIP, "caps", "what is needed depends on the port");
		return;
	}
	if (n == 0) {
		pw_doctor_add(
			report, PW_DOCTOR_OK, "caps", "%.100s needs no privilege", job->spec.text);
		return;
	}
	if (len == 0) {
		pw_doctor_add(report, PW_DOCTOR_OK, "caps", "this process has %s%s%s%s%s",
			caps[0].name, n > 1 ? ", " : "", n > 1 ? caps[1].name : "",
			n > 2 ? ", " : "", n > 2 ? caps[2].name : "");
		return;
	}
	pw_doctor_add(report, PW_DOCTOR_FAIL, "caps", "this process lacks %s, to %s", missing, why);
	if (readlink("/proc/self/exe", exe, sizeof(exe) - 1) < 0)
		strcpy(exe, "pagewire");
	pw_doctor_set_fix(
		report, "setcap %s+ep %s   # as root; or run pagewire as root", missing, exe);
}

static void check_lockdown(const struct pw_doctor_host *host, const struct pw_doctor_job *job,
	struct pw_doctor_report *report)
{
	static const char *const names[] = {"none", "integrity", "confidentiality"};
	bool uio = job->has_pci && pw_pci_driver_is_uio(job->pci.driver);

	if (host->lockdown == PW_LOCKDOWN_NONE) {
		pw_doctor_add(
			report, PW_DOCTOR_OK, "kernel.lockdown", "the kernel is not in lockdown");
	} else if (uio) {
		pw_doctor_add(report, PW_DOCTOR_FAIL, "kernel.lockdown",
			"lockdown is %s: the kernel does not let user space map %s's registers by "
			"%s, only by VFIO",
			names[host->lockdown], job->pci.addr, job->pci.driver);
		pw_doctor_set_fix(report, "modprobe vfio-pci && dpdk-devbind.py --bind=vfio-pci %s",
			job->pci.addr);
	} else {
		pw_doctor_add(report, PW_DOCTOR_OK, "kernel.lockdown",
			"lockdown is %s: it forbids UIO%s, which this job does not use",
			names[host->lockdown],
			host->lockdown == PW_LOCKDOWN_CONFIDENTIALITY ? " and BPF tracing" : "");
	}
}

void pw_doctor_check_rights(const struct pw_doctor_host *host, const struct pw_doctor_job *job,
	struct pw_doctor_report *report)
{
	check_caps(host, job, report);
	check_lockdown(host, job, report);
}
