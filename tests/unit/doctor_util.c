/* SPDX-License-Identifier: BSD-3-Clause */
#include "doctor_util.h"

#include "app/doctor/dpdk.h"

bool every_driver(const char *driver)
{
	(void)driver;
	return true;
}

bool no_driver(const char *driver)
{
	(void)driver;
	return false;
}

/* Two nodes with two CPUs each, 2 MiB pages on both, 1 GiB pages on node 1, a NIC on node 1 bound
 * to VFIO behind an IOMMU. */
static void make_host(const struct sysfix *f)
{
	sysfix_write(f, "/proc/meminfo", "MemAvailable: 8388608 kB\nHugepagesize: 2048 kB");
	sysfix_write(f, "/proc/self/mounts", "none /mnt/huge hugetlbfs rw,pagesize=2M 0 0");
	sysfix_write(f, "/proc/sys/kernel/osrelease", "6.1.0");
	sysfix_write(f, "/boot/vmlinuz-6.1.0", "%s", "");
	sysfix_write(f, "/sys/devices/system/cpu/online", "0-3");
	sysfix_write(f, "/sys/devices/system/cpu/isolated", "3");
	sysfix_write(f, "/sys/devices/system/node/node0/cpulist", "0-1");
	sysfix_write(f, "/sys/devices/system/node/node1/cpulist", "2-3");
	sysfix_write(f, "/sys/devices/system/cpu/cpu3/cpufreq/scaling_governor", "performance");
	sysfix_hugepages(f, -1, 2048, 1024, 812, 0);
	sysfix_hugepages(f, 0, 2048, 512, 300, 0);
	sysfix_hugepages(f, 1, 2048, 512, 512, 0);
	sysfix_hugepages(f, -1, 1048576, 2, 1, 0);
	sysfix_hugepages(f, 0, 1048576, 0, 0, 0);
	sysfix_hugepages(f, 1, 1048576, 2, 1, 0);
	sysfix_write(f, "/sys/class/iommu/dmar0/x", "1");
	sysfix_write(f, "/sys/module/vfio_pci/refcnt", "1");
	sysfix_nic(f, "0000:3b:00.0", "vfio-pci", 1, 12, "");
}

int setup(void **state)
{
	struct doctor *d = calloc(1, sizeof(*d));
	int fd;

	sysfix_make(&d->fix);
	make_host(&d->fix);
	sysfix_path(&d->fix, "/files/a.img", d->file);
	fd = open(d->file, O_CREAT | O_WRONLY, 0644);
	if (fd < 0 || ftruncate(fd, 300 << 20))
		abort();
	close(fd);
	d->opt.mtu = 1500;
	*state = d;
	return 0;
}

int teardown(void **state)
{
	struct doctor *d = *state;

	sysfix_drop(&d->fix);
	free(d);
	return 0;
}

void look(struct doctor *d, const char *port, const char *file)
{
	d->opt.port = port;
	pw_doctor_read_host(&d->fix.root, &d->host);
	d->host.dpdk_version = "DPDK 22.11";
	d->host.has_driver = every_driver;
	d->host.limits = (struct pw_limits){.memlock_bytes = 8 * MIB,
		.memlock_max_bytes = 8 * MIB,
		.ipc_lock = true,
		.sys_admin = true,
		.sys_rawio = true,
		.net_admin = true,
		.net_raw = true,
		.bpf = true};
	pw_doctor_read_job(&d->host, &d->opt, file, &d->job);
}

void judge(struct doctor *d)
{
	pw_doctor_check(&d->host, &d->job, &d->report);
}

void examine(struct doctor *d, const char *port, const char *file)
{
	look(d, port, file);
	judge(d);
}

const struct pw_doctor_result *find(const struct doctor *d, const char *id)
{
	const struct pw_doctor_result *found = NULL;
	unsigned int i;

	for (i = 0; i < d->report.n; i++) {
		if (strcmp(d->report.v[i].id, id) != 0)
			continue;
		assert_null(found); /* an id stands for one line */
		found = &d->report.v[i];
	}
	if (!found)
		fail_msg("no check %s", id);
	return found;
}

void expect(const struct doctor *d, const char *id, enum pw_doctor_level level, const char *what,
	const char *fix)
{
	const struct pw_doctor_result *c = find(d, id);

	if (c->level != level)
		fail_msg("%s is %s: %s", id, pw_doctor_level_name(c->level), c->what);
	if (!strstr(c->what, what))
		fail_msg("%s says '%s', not '%s'", id, c->what, what);
	if (fix ? !strstr(c->fix, fix) : c->fix[0] != '\0')
		fail_msg("%s has the fix '%s', not '%s'", id, c->fix, fix ? fix : "");
}

void expect_only(const struct doctor *d, const char *const *ids)
{
	unsigned int i, n = 0, bad = 0;

	for (n = 0; ids[n]; n++)
		;
	for (i = 0; i < d->report.n; i++) {
		const struct pw_doctor_result *c = &d->report.v[i];
		unsigned int k;
		bool known = false;

		if (c->level == PW_DOCTOR_OK || c->level == PW_DOCTOR_SKIP)
			continue;
		bad++;
		for (k = 0; k < n; k++)
			known |= strcmp(ids[k], c->id) == 0;
		if (!known)
			fail_msg("%s is %s: %s", c->id, pw_doctor_level_name(c->level), c->what);
		if (c->fix[0] == '\0')
			fail_msg("%s has no fix", c->id);
	}
	assert_int_equal(bad, n);
}

bool doctor_without_dpdk(void)
{
	if (pw_doctor_dpdk_version())
		return false;
	puts("1..0 # SKIP built without DPDK");
	return true;
}
