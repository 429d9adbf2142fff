/* SPDX-License-Identifier: BSD-3-Clause */
/* Checks dpdk.* and port.*: whether the port exists and can be opened. */
#include "app/doctor/port.h"

#include <errno.h>
#include <libgen.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/bytes.h"

/* __SO_ACCEPTCON, a flag that the kernel shows in /proc/net/unix */
#define UNIX_LISTENS 0x10000

/* Of a veth with an XDP program: a page minus headroom and tail. */
#define XDP_MAX_MTU 3498

void pw_doctor_check_dpdk(const struct pw_doctor_host *host, const struct pw_doctor_job *job,
	struct pw_doctor_report *report)
{
	static const char *const drivers[] = {"net_vhost", "net_virtio_user", "net_memif",
		"net_af_packet", "net_af_xdp", "net_tap", "net_pcap", "net_null", "net_ring"};
	char list[160] = "";
	size_t i, n = 0;

	if (!host->dpdk_version) {
		pw_doctor_add(report, job->opt->port ? PW_DOCTOR_FAIL : PW_DOCTOR_WARN,
			"dpdk.version",
			"this pagewire was built without DPDK: it has no ports, only recv "
			"--listen");
		pw_doctor_set_fix(report,
			"apt-get install libdpdk-dev && meson setup --reconfigure "
			"build -Ddpdk=enabled && ninja -C build");
		return;
	}
	pw_doctor_add(report, PW_DOCTOR_OK, "dpdk.version", "%s", host->dpdk_version);
	if (job->has_port && job->spec.kind == PW_PORT_UDP) {
		pw_doctor_add(report, PW_DOCTOR_SKIP, "dpdk.drivers",
			"%.100s needs no driver of DPDK", job->spec.text);
		return;
	}
	if (job->has_port && job->driver[0]) {
		bool has = host->has_driver(job->driver);

		pw_doctor_add(report, has ? PW_DOCTOR_OK : PW_DOCTOR_FAIL, "dpdk.drivers",
			has ? "the driver %s for %.100s is available"
			    : "no driver %s in this DPDK, for %.100s",
			job->driver, job->spec.text);
		if (!has)
			pw_doctor_set_fix(report, "apt-get install librte-meta-net");
		return;
	}
	for (i = 0; i < PW_ARRAY_LEN(drivers); i++)
		if (!host->has_driver(drivers[i]))
			n += (size_t)snprintf(
				list + n, sizeof(list) - n, "%s%s", n ? ", " : "", drivers[i]);
	if (job->has_port) {
		pw_doctor_add(report, PW_DOCTOR_SKIP, "dpdk.drivers",
			"DPDK picks the driver of a PCI device when it probes it");
		return;
	}
	if (n == 0) {
		pw_doctor_add(report, PW_DOCTOR_OK, "dpdk.drivers",
			"the drivers of all short forms of PORT are available");
		return;
	}
	pw_doctor_add(report, PW_DOCTOR_WARN, "dpdk.drivers", "missing: %s", list);
	pw_doctor_set_fix(report, "apt-get install librte-meta-net");
}

static void check_valid(const struct pw_doctor_job *job, struct pw_doctor_report *report)
{
	if (!job->opt->port) {
		pw_doctor_add(report, PW_DOCTOR_SKIP, "port.valid",
			"no --port was given: the host in general is checked");
		return;
	}
	if (!job->has_port) {
		pw_doctor_add(report, PW_DOCTOR_FAIL, "port.valid", "%s", job->port_err.msg);
		pw_doctor_set_fix(report, "pagewire send --help");
		return;
	}
	if (job->spec.kind == PW_PORT_PCI)
		pw_doctor_add(report, PW_DOCTOR_OK, "port.valid", "%s exists: PCI %04x:%04x",
			job->pci.addr, job->pci.vendor, job->pci.device);
	else
		pw_doctor_add(report, PW_DOCTOR_OK, "port.valid", "%.100s: %s, %s", job->spec.text,
			job->driver, job->traits->copy_why);
}

struct listener {
	const char *path;
	bool found;
};

/* The same file under two names cannot be told apart here: a relative name matches by its last
 * part. "0000000000000000: 00000002 00000000 00010000 0001 01 12345 /run/x.sock" */
static int is_listener(void *ctx, char *line)
{
	struct listener *l = ctx;
	unsigned int flags;
	int at = 0;

	if (sscanf(line, "%*s %*x %*x %x %*x %*x %*u %n", &flags, &at) != 1 || at == 0)
		return 0;
	if (!(flags & UNIX_LISTENS))
		return 0;
	if (strcmp(line + at, l->path) == 0)
		l->found = true;
	else if (line[at] && line[at] != '@' && (line[at] != '/' || l->path[0] != '/'))
		l->found |= strcmp(basename(line + at), basename((char *)l->path)) == 0;
	return l->found;
}

/* pagewire makes the socket. A connect() would disturb a listener that accepts one peer. */
static void check_own_socket(const struct pw_doctor_host *host, const struct pw_doctor_job *job,
	struct pw_doctor_report *report)
{
	struct listener l = {.path = job->spec.target};
	char dir[PW_PORT_MAX];
	struct stat st;

	snprintf(dir, sizeof(dir), "%s", job->spec.target);
	dirname(dir);
	if (stat(dir, &st) || !S_ISDIR(st.st_mode)) {
		pw_doctor_add(report, PW_DOCTOR_FAIL, "port.socket",
			"no directory %s for the socket", dir);
		pw_doctor_set_fix(report, "mkdir -p %s", dir);
		return;
	}
	if (access(dir, W_OK | X_OK)) {
		pw_doctor_add(report, PW_DOCTOR_FAIL, "port.socket",
			"this user cannot make a socket in %s", dir);
		pw_doctor_set_fix(report, "chmod u+wx %s   # or name a path elsewhere", dir);
		return;
	}
	if (lstat(job->spec.target, &st)) {
		pw_doctor_add(
			report, PW_DOCTOR_OK, "port.socket", "%s can be made", job->spec.target);
		return;
	}
	if (!S_ISSOCK(st.st_mode)) {
		pw_doctor_add(report, PW_DOCTOR_FAIL, "port.socket", "%s exists and is no socket",
			job->spec.target);
		pw_doctor_set_fix(report, "ls -l %s   # then remove it, or name another path",
			job->spec.target);
		return;
	}
	pw_sysfs_each_line(host->root, "/proc/self/net/unix", is_listener, &l);
	pw_doctor_add(report, l.found ? PW_DOCTOR_FAIL : PW_DOCTOR_OK, "port.socket",
		l.found ? "another process listens on %s"
			: "%s is left over from a process that is gone, and will be replaced",
		job->spec.target);
	if (l.found)
		pw_doctor_set_fix(report,
			"ss -xlp src %s   # end that process, or name another path",
			job->spec.target);
}

/* The peer makes the socket; it may start later than pagewire. */
static void check_peer_socket(const struct pw_doctor_job *job, struct pw_doctor_report *report)
{
	bool memif = job->spec.kind == PW_PORT_MEMIF;
	const char *path = job->spec.target;
	struct stat st;

	if (stat(path, &st)) {
		pw_doctor_add(report, PW_DOCTOR_WARN, "port.socket",
			"%s does not exist yet: pagewire waits for it (--wait), then gives up",
			path);
		pw_doctor_set_fix(report,
			"pagewire recv --port %s:%s --out DIR   # or any other %s",
			memif ? "memif" : "vhost", path,
			memif ? "memif server" : "vhost-user backend");
		return;
	}
	if (!S_ISSOCK(st.st_mode) && !S_ISCHR(st.st_mode)) {
		pw_doctor_add(report, PW_DOCTOR_FAIL, "port.socket", "%s is no socket", path);
		pw_doctor_set_fix(report, "ls -l %s   # then name the peer's socket", path);
		return;
	}
	if (access(path, R_OK | W_OK)) {
		pw_doctor_add(report, PW_DOCTOR_FAIL, "port.socket",
			"this user cannot connect to %s", path);
		pw_doctor_set_fix(report, "chmod o+rw %s   # as its owner", path);
		return;
	}
	pw_doctor_add(report, PW_DOCTOR_OK, "port.socket", "%s exists", path);
}

static void check_socket(const struct pw_doctor_host *host, const struct pw_doctor_job *job,
	struct pw_doctor_report *report)
{
	/* the sender over memif is the client */
	if (job->spec.kind == PW_PORT_VHOST || (job->spec.kind == PW_PORT_MEMIF && !job->file))
		check_own_socket(host, job, report);
	else if (job->spec.kind == PW_PORT_VIRTIO_USER || job->spec.kind == PW_PORT_MEMIF)
		check_peer_socket(job, report);
	else
		pw_doctor_add(report, PW_DOCTOR_SKIP, "port.socket", "%.100s needs no socket",
			job->spec.text);
}

/* pcap: writes a capture when pagewire sends, and reads one when it receives. */
static void check_capture(const struct pw_doctor_job *job, struct pw_doctor_report *report)
{
	const char *path = job->spec.target;
	char dir[PW_PORT_MAX];

	if (job->spec.kind != PW_PORT_PCAP) {
		pw_doctor_add(report, PW_DOCTOR_SKIP, "port.file", "%.100s is no capture file",
			job->spec.text);
		return;
	}
	if (!job->file && access(path, R_OK)) {
		pw_doctor_add(report, PW_DOCTOR_FAIL, "port.file", "no capture %s to read", path);
		pw_doctor_set_fix(report, "pagewire send --port pcap:%s ...   # makes one", path);
		return;
	}
	snprintf(dir, sizeof(dir), "%s", path);
	dirname(dir);
	if (job->file && access(path, W_OK) && (errno != ENOENT || access(dir, W_OK | X_OK))) {
		pw_doctor_add(
			report, PW_DOCTOR_FAIL, "port.file", "capture %s cannot be written", path);
		pw_doctor_set_fix(report, "mkdir -p %s   # and write permission there", dir);
		return;
	}
	pw_doctor_add(report, PW_DOCTOR_OK, "port.file", "capture %s can be %s", path,
		job->file ? "written" : "read");
}

static void check_tap(const struct pw_doctor_host *host, const struct pw_doctor_job *job,
	struct pw_doctor_report *report)
{
	const char *name = job->spec.target;

	if (!pw_sysfs_exists(host->root, "/dev/net/tun")) {
		pw_doctor_add(report, PW_DOCTOR_FAIL, "port.interface",
			"no /dev/net/tun, which makes the interface %.20s", name);
		pw_doctor_set_fix(report, "modprobe tun");
	} else if (job->has_netif && strcmp(job->netif.driver, "tun") != 0 &&
		   job->netif.driver[0]) {
		pw_doctor_add(report, PW_DOCTOR_FAIL, "port.interface",
			"%s exists and is no tap: it is driven by %s", name, job->netif.driver);
		pw_doctor_set_fix(
			report, "pagewire send --port tap:pw0 ...   # a name that is free");
	} else {
		pw_doctor_add(report, PW_DOCTOR_OK, "port.interface",
			job->has_netif ? "%.20s exists" : "%.20s will be made", name);
	}
}

static void check_interface(const struct pw_doctor_host *host, const struct pw_doctor_job *job,
	struct pw_doctor_report *report)
{
	const char *name = job->spec.target;

	if (job->spec.kind == PW_PORT_TAP) {
		check_tap(host, job, report);
	} else if (!pw_doctor_on_interface(job)) {
		pw_doctor_add(report, PW_DOCTOR_SKIP, "port.interface",
			"%.100s uses no interface of the kernel", job->spec.text);
	} else if (!job->has_netif) {
		pw_doctor_add(
			report, PW_DOCTOR_FAIL, "port.interface", "there is no interface %s", name);
		pw_doctor_set_fix(report, "ip -brief link   # shows those there are");
	} else if (!job->netif.up) {
		pw_doctor_add(report, PW_DOCTOR_FAIL, "port.interface", "%s is down", name);
		pw_doctor_set_fix(report, "ip link set %s up", name);
	} else if (!job->netif.carrier) {
		pw_doctor_add(report, PW_DOCTOR_WARN, "port.interface",
			"%s is up and has no carrier: the cable is unplugged, or its peer is down",
			name);
		pw_doctor_set_fix(
			report, "ip link set PEER up   # for a veth; else check the cable");
	} else {
		pw_doctor_add(report, PW_DOCTOR_OK, "port.interface", "%s is up%s%s", name,
			job->netif.driver[0] ? ", driven by " : "", job->netif.driver);
	}
}

static void check_mtu(const struct pw_doctor_job *job, struct pw_doctor_report *report)
{
	uint64_t mtu = job->opt->mtu;

	if (!pw_doctor_on_interface(job) || !job->has_netif) {
		pw_doctor_add(report, PW_DOCTOR_SKIP, "port.mtu",
			"the MTU of %.100s is known when it opens", job->spec.text);
		return;
	}
	if (job->spec.kind == PW_PORT_AF_XDP &&
		(job->netif.mtu > XDP_MAX_MTU || mtu > XDP_MAX_MTU)) {
		pw_doctor_add(report, PW_DOCTOR_FAIL, "port.mtu",
			"XDP allows an MTU of at most %d; %s has %u and the job needs %llu",
			XDP_MAX_MTU, job->netif.name, job->netif.mtu, (unsigned long long)mtu);
		pw_doctor_set_fix(report, "ip link set %s mtu %llu   # and --mtu not above it",
			job->netif.name, (unsigned long long)pw_min_u64(mtu, XDP_MAX_MTU));
		return;
	}
	if (mtu > job->netif.mtu) {
		pw_doctor_add(report, PW_DOCTOR_FAIL, "port.mtu",
			"the job needs an MTU of %llu, %s has %u", (unsigned long long)mtu,
			job->netif.name, job->netif.mtu);
		pw_doctor_set_fix(report, "ip link set %s mtu %llu   # or --mtu %u",
			job->netif.name, (unsigned long long)mtu, job->netif.mtu);
		return;
	}
	pw_doctor_add(report, PW_DOCTOR_OK, "port.mtu", "%s takes %u, the job needs %llu",
		job->netif.name, job->netif.mtu, (unsigned long long)mtu);
}

void pw_doctor_check_port(const struct pw_doctor_host *host, const struct pw_doctor_job *job,
	struct pw_doctor_report *report)
{
	check_valid(job, report);
	if (!job->has_port)
		return;
	check_socket(host, job, report);
	check_capture(job, report);
	check_interface(host, job, report);
	check_mtu(job, report);
}
