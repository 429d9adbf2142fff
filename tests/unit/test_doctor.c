/* SPDX-License-Identifier: BSD-3-Clause */
/* Memory, NIC and processors: hosts that are not there, judged. */
#include "doctor_util.h"

#include <errno.h>

#include "app/doctor/pci.h"
#include "base/bytes.h"

static void a_host_in_order_has_nothing_to_fix(void **state)
{
	struct doctor *d = *state;

	d->opt.core = "3";
	look(d, "0000:3b:00.0", d->file);
	d->job.on_hugetlbfs = true;
	d->job.pages = PW_PAGES_HUGEFILE;
	d->job.stage_bytes = 0;
	d->job.file_page_bytes = 2 * MIB;
	d->job.file_has_holes = false;
	judge(d);
	NOTHING(d);
	expect(d, "port.valid", PW_DOCTOR_OK, "8086:1592", NULL);
	expect(d, "nic.driver", PW_DOCTOR_OK, "bound to vfio-pci", NULL);
	expect(d, "iommu", PW_DOCTOR_OK, "on, 1 groups", NULL);
	expect(d, "iova.mode", PW_DOCTOR_OK, "VA", NULL);
	expect(d, "nic.numa", PW_DOCTOR_OK, "node 1", NULL);
	expect(d, "cpu.isolation", PW_DOCTOR_OK, "3", NULL);
	expect(d, "cpu.governor", PW_DOCTOR_OK, "performance", NULL);
	expect(d, "file.hugetlbfs", PW_DOCTOR_OK, "in place, 0 copies", NULL);
	expect(d, "hugepages.free", PW_DOCTOR_OK, "300 of 512 pages of 2.00 MiB free on node 0",
		NULL);
	expect(d, "hugepages.free", PW_DOCTOR_OK, "1 of 2 pages of 1.00 GiB free on node 1", NULL);
}

static void without_hugepages_vhost_runs_slower(void **state)
{
	struct doctor *d = *state;
	char port[600];

	snprintf(port, sizeof(port), "vhost:%s/x.sock", d->fix.dir);
	sysfix_hugepages(&d->fix, -1, 2048, 0, 0, 0);
	sysfix_hugepages(&d->fix, 0, 2048, 0, 0, 0);
	sysfix_hugepages(&d->fix, 1, 2048, 0, 0, 0);
	sysfix_hugepages(&d->fix, -1, 1048576, 0, 0, 0);
	sysfix_hugepages(&d->fix, 1, 1048576, 0, 0, 0);
	sysfix_write(&d->fix, "/proc/self/mounts", "proc /proc proc rw 0 0");
	examine(d, port, d->file);
	ONLY(d, "hugepages.free", "hugepages.mount");
	expect(d, "hugepages.free", PW_DOCTOR_WARN, "no huge pages are reserved",
		"echo 29 > /sys/devices/system/node/node0/hugepages/hugepages-2048kB/nr_hugepages");
	expect(d, "hugepages.mount", PW_DOCTOR_WARN, "no hugetlbfs",
		"mkdir -p /mnt/huge && mount -t hugetlbfs -o pagesize=2M none /mnt/huge");
	expect(d, "file.hugetlbfs", PW_DOCTOR_OK, "page cache", NULL);
	expect(d, "caps", PW_DOCTOR_OK, "no privilege", NULL);

	d->opt.no_huge = true;
	examine(d, port, d->file);
	ONLY(d, "hugepages.mount");
	expect(d, "hugepages.free", PW_DOCTOR_SKIP, "--no-huge", NULL);
}

static void without_hugepages_a_nic_does_not_run(void **state)
{
	struct doctor *d = *state;

	sysfix_hugepages(&d->fix, -1, 2048, 100, 9, 0);
	sysfix_hugepages(&d->fix, 0, 2048, 60, 0, 0);
	sysfix_hugepages(&d->fix, 1, 2048, 40, 9, 0);
	sysfix_hugepages(&d->fix, -1, 1048576, 0, 0, 0);
	sysfix_hugepages(&d->fix, 1, 1048576, 0, 0, 0);
	examine(d, "0000:3b:00.0", NULL);
	/* 29 needed, 9 free: 20 more than the 40 that the NIC's node has */
	expect(d, "hugepages.free", PW_DOCTOR_FAIL, "does not fall back",
		"echo 60 > /sys/devices/system/node/node1/hugepages/hugepages-2048kB/nr_hugepages");
}

static void one_node_is_fixed_by_sysctl(void **state)
{
	struct doctor *d = *state;
	struct sysfix one;

	sysfix_make(&one);
	sysfix_write(&one, "/proc/meminfo", "MemAvailable: 20480 kB\nHugepagesize: 2048 kB");
	sysfix_hugepages(&one, -1, 2048, 16, 8, 4);
	sysfix_hugepages(&one, 0, 2048, 16, 8, 0);
	sysfix_write(&one, "/sys/devices/system/cpu/online", "0-1");
	d->opt.port = "null";
	pw_doctor_read_host(&one.root, &d->host);
	d->host.has_driver = every_driver;
	d->host.dpdk_version = "x";
	pw_doctor_read_job(&d->host, &d->opt, NULL, &d->job);
	judge(d);
	sysfix_drop(&one);
	/* 4 of the 8 free are promised: 25 missing, and memory for 10 of them */
	expect(d, "hugepages.free", PW_DOCTOR_WARN, "4 of 16 pages of 2.00 MiB free on node 0",
		"sysctl -w vm.nr_hugepages=41   # and into /etc/sysctl.d/90-pagewire.conf, to have "
		"them after a restart");
	expect(d, "hugepages.free", PW_DOCTOR_WARN, "only 20.0 MiB of memory are left", "sysctl");
	expect(d, "nic.numa", PW_DOCTOR_SKIP, "one NUMA node", NULL);
}

static void what_virtio_user_stages_is_counted(void **state)
{
	struct doctor *d = *state;
	char port[600];

	snprintf(port, sizeof(port), "virtio-user:%s/x.sock", d->fix.dir);
	sysfix_hugepages(&d->fix, -1, 1048576, 0, 0, 0);
	sysfix_hugepages(&d->fix, 1, 1048576, 0, 0, 0);
	sysfix_hugepages(&d->fix, -1, 2048, 100, 100, 0);
	sysfix_hugepages(&d->fix, 0, 2048, 100, 100, 0);
	sysfix_hugepages(&d->fix, 1, 2048, 0, 0, 0);
	examine(d, port, d->file);
	ONLY(d, "hugepages.free", "port.socket");
	/* 300 MiB, a 64th of it and 16 MiB more, beside 58 MiB of pools: 379 MiB, 190 pages */
	assert_in_range(d->job.stage_bytes, 316 * MIB, 324 * MIB);
	assert_int_equal(d->job.pages, PW_PAGES_STAGE);
	expect(d, "hugepages.free", PW_DOCTOR_WARN, "100 of 100 pages",
		"echo 190 > /sys/devices/system/node/node0/");
	expect(d, "file.fits", PW_DOCTOR_OK, "fit ordinary memory", NULL);
	expect(d, "port.socket", PW_DOCTOR_WARN, "waits", "pagewire recv --port vhost:");
	expect(d, "hugepages.mount", PW_DOCTOR_SKIP, "", NULL);

	sysfix_write(&d->fix, "/proc/meminfo", "MemAvailable: 102400 kB\nHugepagesize: 2048 kB");
	examine(d, port, d->file);
	expect(d, "file.fits", PW_DOCTOR_OK, "streamed from the disk", NULL);

	sysfix_hugepages(&d->fix, -1, 2048, 100, 40, 0);
	sysfix_hugepages(&d->fix, 0, 2048, 100, 40, 0);
	examine(d, port, d->file);
	expect(d, "file.fits", PW_DOCTOR_FAIL, "must be staged", "vhost:");
}

static void a_hugefile_gains_nothing_on_virtio_user(void **state)
{
	struct doctor *d = *state;

	look(d, "virtio-user:/run/x.sock", d->file);
	d->job.on_hugetlbfs = true;
	d->job.file_page_bytes = 2 * MIB;
	d->job.file_has_holes = false;
	judge(d);
	expect(d, "file.hugetlbfs", PW_DOCTOR_WARN, "shares only EAL's memory",
		"pagewire send --port vhost:/run/x.sock");
}

static void an_ordinary_file_for_a_nic_is_better_staged(void **state)
{
	struct doctor *d = *state;

	d->opt.core = "3";
	examine(d, "3b:00.0", d->file);
	ONLY(d, "file.hugetlbfs");
	expect(d, "file.hugetlbfs", PW_DOCTOR_WARN, "reads 300 MiB", "pagewire stage ");
	/* behind an IOMMU, ordinary pages also work, if the user asks for them */
	d->opt.no_huge = true;
	examine(d, "3b:00.0", d->file);
	ONLY(d, "file.hugetlbfs");
	expect(d, "file.fits", PW_DOCTOR_OK, "ordinary memory", NULL);
}

static void a_nic_far_from_cores_and_pages(void **state)
{
	struct doctor *d = *state;

	d->opt.core = "0-3";
	examine(d, "0000:3b:00.0", NULL);
	ONLY(d, "nic.numa", "cpu.isolation");
	expect(d, "nic.numa", PW_DOCTOR_WARN, "on node 1, and the polling thread", "--core 2-3");
	expect(d, "cpu.isolation", PW_DOCTOR_WARN, "does not use them", "--core 3");

	d->opt.core = "3";
	sysfix_hugepages(&d->fix, 1, 2048, 7, 2, 0);
	sysfix_hugepages(&d->fix, 1, 1048576, 2, 0, 0);
	sysfix_hugepages(&d->fix, -1, 1048576, 2, 0, 0);
	examine(d, "0000:3b:00.0", NULL);
	ONLY(d, "nic.numa");
	expect(d, "nic.numa", PW_DOCTOR_WARN, "4.00 MiB of huge pages are free",
		"echo 34 > /sys/devices/system/node/node1/hugepages/hugepages-2048kB/nr_hugepages");
}

static void a_nic_of_the_kernels_is_bound_to_vfio(void **state)
{
	struct doctor *d = *state;

	sysfix_nic(&d->fix, "0000:3b:00.0", "ice", 1, 12, "ens1");
	sysfix_write(&d->fix, "/lib/modules/6.1.0/modules.dep",
		"kernel/drivers/vfio/pci/vfio-pci.ko.xz:");
	examine(d, "0000:3b:00.0", NULL);
	expect(d, "nic.driver", PW_DOCTOR_FAIL, "kernel's ice as ens1",
		"ip link set ens1 down && modprobe vfio-pci && dpdk-devbind.py "
		"--bind=vfio-pci 0000:3b:00.0");
	expect(d, "vfio.module", PW_DOCTOR_OK, "vfio-pci is loaded", NULL);
}

static void the_default_routes_nic_is_never_bound(void **state)
{
	struct doctor *d = *state;

	sysfix_nic(&d->fix, "0000:3b:00.0", "ice", 1, 12, "ens1");
	sysfix_write(&d->fix, "/proc/self/net/route",
		"ens1\t00000000\t0100000A\t0003\t0\t0\t0\t00000000\t0\t0\t0");
	examine(d, "0000:3b:00.0", NULL);
	expect(d, "nic.driver", PW_DOCTOR_FAIL, "cut the host off", "af_packet:ens1");
	assert_null(strstr(find(d, "nic.driver")->fix, "--bind"));
}

static void a_group_is_opened_whole(void **state)
{
	struct doctor *d = *state;

	/* a bridge is no neighbour */
	sysfix_nic(&d->fix, "0000:3a:00.0", "pcieport", 1, 12, "");
	sysfix_write(&d->fix, "/sys/bus/pci/devices/0000:3a:00.0/class", "0x060400");
	examine(d, "0000:3b:00.0", NULL);
	expect(d, "nic.driver", PW_DOCTOR_OK, "bound to vfio-pci", NULL);
	sysfix_nic(&d->fix, "0000:3b:00.1", "ice", 1, 12, "ens1f1");
	examine(d, "0000:3b:00.0", NULL);
	expect(d, "nic.driver", PW_DOCTOR_FAIL, "0000:3b:00.1 in its IOMMU group 12",
		"dpdk-devbind.py --bind=vfio-pci 0000:3b:00.1");
}

static void mlx5_stays_with_its_driver(void **state)
{
	struct doctor *d = *state;

	d->opt.core = "3";
	sysfix_nic(&d->fix, "0000:3b:00.0", "mlx5_core", 1, 12, "ens1");
	examine(d, "0000:3b:00.0", NULL);
	NOTHING(d);
	expect(d, "nic.driver", PW_DOCTOR_OK, "beside it", NULL);
	expect(d, "iommu", PW_DOCTOR_SKIP, "needs none", NULL);
	d->host.limits.net_raw = false;
	judge(d);
	expect(d, "caps", PW_DOCTOR_FAIL, "cap_net_raw", "setcap cap_net_raw+ep /");
}

/* The host's IOMMU taken away. */
static void no_iommu(struct doctor *d)
{
	char path[512];

	sysfix_path(&d->fix, "/sys/class/iommu/dmar0/x", path);
	assert_int_equal(unlink(path), 0);
	sysfix_path(&d->fix, "/sys/class/iommu/dmar0", path);
	assert_int_equal(rmdir(path), 0);
}

static void no_groups(struct doctor *d)
{
	char path[512];

	sysfix_path(&d->fix, "/sys/bus/pci/devices/0000:3b:00.0/iommu_group", path);
	assert_int_equal(unlink(path), 0);
	sysfix_path(&d->fix, "/sys/kernel/iommu_groups/12/devices/0000:3b:00.0", path);
	assert_int_equal(unlink(path), 0);
	sysfix_path(&d->fix, "/sys/kernel/iommu_groups/12/devices", path);
	assert_int_equal(rmdir(path), 0);
	sysfix_path(&d->fix, "/sys/kernel/iommu_groups/12", path);
	assert_int_equal(rmdir(path), 0);
}

static void without_an_iommu_vfio_fails(void **state)
{
	struct doctor *d = *state;

	no_iommu(d);
	no_groups(d);
	examine(d, "0000:3b:00.0", NULL);
	expect(d, "iommu", PW_DOCTOR_FAIL, "none", "intel_iommu=on iommu=pt");
	/* none of the virtual ports' business */
	examine(d, "null", NULL);
	NOTHING(d);
	expect(d, "iommu", PW_DOCTOR_SKIP, "null needs none", NULL);
	/* nor a failure of the host as such */
	examine(d, NULL, NULL);
	expect(d, "iommu", PW_DOCTOR_WARN, "none", "intel_iommu=on");

	sysfix_write(&d->fix, "/proc/cpuinfo", "vendor_id : AuthenticAMD");
	sysfix_write(&d->fix, "/sys/module/vfio/parameters/enable_unsafe_noiommu_mode", "N");
	examine(d, "0000:3b:00.0", NULL);
	expect(d, "iommu", PW_DOCTOR_FAIL, "none",
		"echo 1 > /sys/module/vfio/parameters/enable_unsafe_noiommu_mode");
	sysfix_write(&d->fix, "/proc/cmdline", "quiet amd_iommu=off");
	examine(d, "0000:3b:00.0", NULL);
	expect(d, "iommu", PW_DOCTOR_FAIL, "command line", "/etc/default/grub");
}

/* No command in the system changes a kernel that comes from outside, and a restart brings the same one. */
static void a_kernel_from_outside_is_changed_outside(void **state)
{
	struct doctor *d = *state;
	static const char *const ids[] = {"iommu", "cpu.isolation", "hugepages.free"};
	char path[512];
	size_t i;

	no_iommu(d);
	no_groups(d);
	sysfix_write(&d->fix, "/sys/devices/system/cpu/isolated", "%s", "");
	sysfix_write(&d->fix, "/proc/cpuinfo", "flags\t\t: fpu hypervisor lahf_lm");
	look(d, "0000:3b:00.0", NULL);
	d->host.huge.n_sizes = 0;
	judge(d);
	expect(d, "iommu", PW_DOCTOR_FAIL, "none", "the hypervisor must offer a virtual IOMMU");
	for (i = 0; i < PW_ARRAY_LEN(ids); i++)
		assert_non_null(strstr(find(d, ids[i])->fix, "&& reboot"));

	sysfix_path(&d->fix, "/boot/vmlinuz-6.1.0", path);
	assert_int_equal(unlink(path), 0);
	look(d, "0000:3b:00.0", NULL);
	d->host.huge.n_sizes = 0;
	judge(d);
	for (i = 0; i < PW_ARRAY_LEN(ids); i++) {
		const char *fix = find(d, ids[i])->fix;

		assert_non_null(strstr(fix, "no image of this kernel is installed here"));
		assert_null(strstr(fix, "reboot"));
		assert_null(strstr(fix, "grub"));
	}
	expect(d, "cpu.isolation", PW_DOCTOR_WARN, "no CPU", "Have it start with isolcpus=");
	expect(d, "hugepages.free", PW_DOCTOR_FAIL, "no huge pages", "CONFIG_HUGETLBFS");
}

static void a_device_that_is_not_there_is_no_job(void **state)
{
	struct doctor *d = *state;
	struct pw_err err;

	look(d, "0000:3b:00.0", NULL);
	assert_int_equal(pw_doctor_no_device(&d->host, &d->job, &err), 0);
	look(d, "null", NULL);
	assert_int_equal(pw_doctor_no_device(&d->host, &d->job, &err), 0);
	look(d, "0000:ff:1f.7", NULL);
	assert_int_equal(pw_doctor_no_device(&d->host, &d->job, &err), -ENODEV);
	assert_string_equal(err.msg, "cannot examine 0000:ff:1f.7: there is no such PCI device; "
				     "use one of 0000:3b:00.0 vfio-pci");
	d->host.n_nics = 0;
	assert_int_equal(pw_doctor_no_device(&d->host, &d->job, &err), -ENODEV);
	assert_non_null(strstr(err.msg, "this host has no PCI NIC: use vhost:PATH"));
}

static void no_iommu_mode_is_a_risk_and_takes_privilege(void **state)
{
	struct doctor *d = *state;

	no_iommu(d);
	sysfix_write(&d->fix, "/sys/module/vfio/parameters/enable_unsafe_noiommu_mode", "Y");
	d->opt.core = "3";
	examine(d, "0000:3b:00.0", NULL);
	ONLY(d, "iommu", "iova.mode");
	expect(d, "iommu", PW_DOCTOR_WARN, "reaches all of this host's memory", "iommu");
	expect(d, "iova.mode", PW_DOCTOR_WARN, "PA", "iommu");
	expect(d, "memlock", PW_DOCTOR_SKIP, "pins no memory", NULL);
	d->opt.no_huge = true;
	judge(d);
	expect(d, "hugepages.free", PW_DOCTOR_FAIL, "physical addresses", "--huge");
	d->opt.no_huge = false;
	d->host.limits.sys_admin = false;
	judge(d);
	expect(d, "iova.mode", PW_DOCTOR_FAIL, "may not read physical addresses", "caps");
	expect(d, "caps", PW_DOCTOR_FAIL, "cap_sys_admin", "setcap cap_sys_admin+ep");
}

static void uio_is_stopped_by_lockdown(void **state)
{
	struct doctor *d = *state;

	sysfix_nic(&d->fix, "0000:3b:00.0", "uio_pci_generic", 1, 12, "");
	sysfix_write(&d->fix, "/sys/kernel/security/lockdown", "none [integrity] confidentiality");
	examine(d, "0000:3b:00.0", NULL);
	expect(d, "kernel.lockdown", PW_DOCTOR_FAIL, "integrity", "--bind=vfio-pci 0000:3b:00.0");
	expect(d, "iommu", PW_DOCTOR_WARN, "without its protection", "--bind=vfio-pci");
	examine(d, "null", NULL);
	expect(d, "kernel.lockdown", PW_DOCTOR_OK, "integrity", NULL);
}

static void memlock_matters_to_vfio_and_xdp_alone(void **state)
{
	struct doctor *d = *state;

	look(d, "0000:3b:00.0", d->file);
	d->job.on_hugetlbfs = true;
	d->job.pages = PW_PAGES_HUGEFILE;
	d->job.stage_bytes = 0;
	d->host.limits.ipc_lock = false;
	d->host.limits.memlock_max_bytes = GIB;
	judge(d);
	/* 58 MiB of pools and the file's 300 MiB */
	expect(d, "memlock", PW_DOCTOR_FAIL, "358 MiB must be pinned", "ulimit -l 366592");
	d->host.limits.memlock_max_bytes = MIB;
	judge(d);
	expect(d, "memlock", PW_DOCTOR_FAIL, "RLIMIT_MEMLOCK allows 8.00 MiB",
		"prlimit --pid $$ --memlock=375390208");
	d->host.limits.memlock_bytes = PW_MEMLOCK_UNLIMITED;
	judge(d);
	expect(d, "memlock", PW_DOCTOR_OK, "no limit", NULL);

	sysfix_netif(&d->fix, "veth0", 1500, 0x1003, 1);
	look(d, "af_xdp:veth0", NULL);
	d->host.limits.ipc_lock = false;
	judge(d);
	expect(d, "memlock", PW_DOCTOR_FAIL, "22.0 MiB", "prlimit");
	look(d, "af_packet:veth0", NULL);
	d->host.limits.ipc_lock = false;
	judge(d);
	expect(d, "memlock", PW_DOCTOR_SKIP, "pins no memory", NULL);
}

static void the_governor_of_the_jobs_cpus_counts(void **state)
{
	struct doctor *d = *state;

	sysfix_write(&d->fix, "/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor", "powersave");
	sysfix_write(&d->fix, "/sys/devices/system/cpu/cpu1/cpufreq/scaling_governor", "schedutil");
	d->opt.core = "3";
	examine(d, "null", NULL);
	NOTHING(d);
	d->opt.core = "0-1,3";
	examine(d, "null", NULL);
	ONLY(d, "cpu.governor");
	expect(d, "cpu.governor", PW_DOCTOR_WARN, "powersave on CPU 0-1",
		"cpupower --cpu 0-1 frequency-set --governor performance");
}

static void cores_that_are_not_there_are_refused(void **state)
{
	struct doctor *d = *state;

	d->opt.core = "2,7";
	examine(d, "null", NULL);
	expect(d, "cpu.cores", PW_DOCTOR_FAIL, "2,7", "--core 3");
	d->opt.core = "nonsense";
	examine(d, "null", NULL);
	expect(d, "cpu.cores", PW_DOCTOR_FAIL, "nonsense", "--core 3");
}

static void the_text_is_aligned_and_counts(void **state)
{
	struct doctor *d = *state;
	char *text = NULL;
	size_t len;
	FILE *out = open_memstream(&text, &len);

	d->report.n = 0;
	pw_doctor_add(&d->report, PW_DOCTOR_OK, "hugepages.free", "enough");
	pw_doctor_add(&d->report, PW_DOCTOR_FAIL, "caps", "evil \033[2J%s", "name");
	pw_doctor_set_fix(&d->report, "sudo %d", 1);
	pw_doctor_add(&d->report, PW_DOCTOR_SKIP, "iommu", "not needed");
	pw_doctor_print(&d->report, false, out);
	fclose(out);
	assert_string_equal(text, "ok    hugepages.free  enough\n"
				  "fail  caps            evil ?[2Jname\n"
				  "      fix: sudo 1\n"
				  "1 ok, 0 warn, 1 fail, 1 skipped (-v shows them)\n");
	free(text);
	text = NULL;
	out = open_memstream(&text, &len);
	pw_doctor_print(&d->report, true, out);
	fclose(out);
	assert_non_null(strstr(text, "skip  iommu           not needed\n"));
	free(text);
}

/* Every id that any host and job can bring forth is explained in docs/doctor.md, and no other. */
static void every_check_is_documented(void **state)
{
	struct doctor *d = *state;
	const char *source = getenv("PW_SOURCE_ROOT");
	char path[600], line[1024], heading[80];
	unsigned int i, n_headings = 0;
	FILE *doc;

	if (!source)
		skip();
	examine(d, "0000:3b:00.0", d->file);
	snprintf(path, sizeof(path), "%s/docs/doctor.md", source);
	doc = fopen(path, "r");
	assert_non_null(doc);
	for (i = 0; i < d->report.n; i++) {
		bool found = false;

		snprintf(heading, sizeof(heading), "### %s\n", d->report.v[i].id);
		rewind(doc);
		while (!found && fgets(line, sizeof(line), doc))
			found = strcmp(line, heading) == 0;
		if (!found)
			fail_msg("docs/doctor.md does not explain %s", d->report.v[i].id);
	}
	rewind(doc);
	while (fgets(line, sizeof(line), doc))
		n_headings += strncmp(line, "### ", 4) == 0;
	fclose(doc);
	assert_int_equal(n_headings, d->report.n + 1); /* path.rate: tests/net/test_probe.py */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_host_in_order_has_nothing_to_fix),
		TEST(without_hugepages_vhost_runs_slower),
		TEST(without_hugepages_a_nic_does_not_run),
		TEST(one_node_is_fixed_by_sysctl),
		TEST(what_virtio_user_stages_is_counted),
		TEST(a_hugefile_gains_nothing_on_virtio_user),
		TEST(an_ordinary_file_for_a_nic_is_better_staged),
		TEST(a_nic_far_from_cores_and_pages),
		TEST(a_nic_of_the_kernels_is_bound_to_vfio),
		TEST(the_default_routes_nic_is_never_bound),
		TEST(a_group_is_opened_whole),
		TEST(mlx5_stays_with_its_driver),
		TEST(without_an_iommu_vfio_fails),
		TEST(a_kernel_from_outside_is_changed_outside),
		TEST(a_device_that_is_not_there_is_no_job),
		TEST(no_iommu_mode_is_a_risk_and_takes_privilege),
		TEST(uio_is_stopped_by_lockdown),
		TEST(memlock_matters_to_vfio_and_xdp_alone),
		TEST(the_governor_of_the_jobs_cpus_counts),
		TEST(cores_that_are_not_there_are_refused),
		TEST(the_text_is_aligned_and_counts),
		TEST(every_check_is_documented),
	};

	return doctor_without_dpdk() ? 0 : cmocka_run_group_tests(tests, NULL, NULL);
}
