/* SPDX-License-Identifier: BSD-3-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "host/cpu.h"
#include "host/hugepages.h"
#include "host/iommu.h"
#include "host/limits.h"
#include "host/netif.h"
#include "host/numa.h"
#include "host/pci.h"
#include "sysfix.h"

#define MIB (1ull << 20)
#define GIB (1ull << 30)

static int setup(void **state)
{
	struct sysfix *f = malloc(sizeof(*f));

	sysfix_make(f);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	sysfix_drop(*state);
	free(*state);
	return 0;
}

static void cpu_lists_are_read_and_written(void **state)
{
	struct pw_err err = {0};
	char buf[64];
	cpu_set_t set;

	(void)state;
	assert_int_equal(pw_cpu_list_parse("--core", "0-3,7,9-10", &set, &err), 0);
	assert_int_equal(CPU_COUNT(&set), 7);
	assert_true(CPU_ISSET(7, &set));
	assert_false(CPU_ISSET(8, &set));
	assert_string_equal(pw_cpu_list_format(&set, buf, sizeof(buf)), "0-3,7,9-10");
	assert_int_equal(pw_cpu_list_parse("--core", "1023", &set, &err), 0);
	assert_string_equal(pw_cpu_list_format(&set, buf, sizeof(buf)), "1023");
	CPU_ZERO(&set);
	assert_string_equal(pw_cpu_list_format(&set, buf, sizeof(buf)), "");
}

static void a_list_that_does_not_fit_shows_that_it_was_cut(void **state)
{
	char buf[8];
	cpu_set_t set;

	(void)state;
	assert_int_equal(pw_cpu_list_parse("x", "10,12,14,16", &set, NULL), 0);
	assert_string_equal(pw_cpu_list_format(&set, buf, sizeof(buf)), "10,...");
}

static void bad_cpu_lists_are_refused(void **state)
{
	static const char *const bad[] = {"", ",", "1,", ",1", "3-1", "-1", "1-", "a", "1 2",
		"1-2-3", "1024", "0-1024", "99999999999999999999", "+1", "0x1", "1,,2", " 1"};
	struct pw_err err;
	cpu_set_t set;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		err.msg[0] = '\0';
		assert_int_equal(pw_cpu_list_parse("--core", bad[i], &set, &err), -EINVAL);
		assert_int_equal(CPU_COUNT(&set), 0);
		assert_non_null(strstr(err.msg, "--core"));
	}
}

static void cpus_know_their_nodes_and_governors(void **state)
{
	const struct sysfix *f = *state;
	char governor[32];
	cpu_set_t set;

	sysfix_write(f, "/sys/devices/system/cpu/online", "0-3");
	sysfix_write(f, "/sys/devices/system/cpu/isolated", "%s", "");
	sysfix_write(f, "/sys/devices/system/node/node1/cpulist", "2-3");
	sysfix_link(f, "/sys/devices/system/cpu/cpu2/node1", "../../node/node1");
	sysfix_write(f, "/sys/devices/system/cpu/cpu2/cpufreq/scaling_governor", "powersave");
	assert_int_equal(pw_cpu_online(&f->root, &set), 0);
	assert_int_equal(CPU_COUNT(&set), 4);
	assert_int_equal(pw_cpu_isolated(&f->root, &set), 0);
	assert_int_equal(CPU_COUNT(&set), 0);
	assert_int_equal(pw_cpu_of_node(&f->root, 1, &set), 0);
	assert_true(CPU_ISSET(2, &set) && CPU_ISSET(3, &set) && CPU_COUNT(&set) == 2);
	assert_int_equal(pw_cpu_of_node(&f->root, 5, &set), -ENOENT);
	assert_int_equal(pw_cpu_node(&f->root, 2), 1);
	assert_int_equal(pw_cpu_node(&f->root, 0), -1);
	assert_int_equal(pw_cpu_governor(&f->root, 2, governor, sizeof(governor)), 0);
	assert_string_equal(governor, "powersave");
	assert_int_equal(pw_cpu_governor(&f->root, 0, governor, sizeof(governor)), -ENOENT);
}

static void allowed_cpus_are_the_affinity(void **state)
{
	cpu_set_t mine, set;

	(void)state;
	assert_int_equal(sched_getaffinity(0, sizeof(mine), &mine), 0);
	assert_int_equal(pw_cpu_allowed(-1, &set, NULL), 0);
	assert_true(CPU_EQUAL(&mine, &set));
	/* a node that is not there leaves the choice as it was */
	assert_int_equal(pw_cpu_allowed(4711, &set, NULL), 0);
	assert_true(CPU_EQUAL(&mine, &set));
}

static void huge_pages_are_counted_per_node_and_size(void **state)
{
	const struct sysfix *f = *state;
	struct pw_hugepages hp;

	sysfix_write(f, "/proc/meminfo", "MemTotal: 1 kB\nHugepagesize:       2048 kB");
	sysfix_hugepages(f, -1, 2048, 600, 300, 40);
	sysfix_hugepages(f, -1, 1048576, 2, 1, 0);
	sysfix_hugepages(f, 0, 2048, 100, 20, 0);
	sysfix_hugepages(f, 1, 2048, 500, 280, 0);
	sysfix_hugepages(f, 0, 1048576, 0, 0, 0);
	sysfix_hugepages(f, 1, 1048576, 2, 1, 0);
	assert_int_equal(pw_hugepages_read(&f->root, &hp, NULL), 0);
	assert_int_equal(hp.n_pools, 4);
	assert_int_equal(hp.n_sizes, 2);
	assert_int_equal(hp.default_page_bytes, 2 * MIB);
	/* 40 of the free ones are promised, on whichever node */
	assert_int_equal(pw_hugepages_free(&hp, 2 * MIB, -1), 260);
	assert_int_equal(pw_hugepages_free(&hp, 2 * MIB, 1), 260);
	assert_int_equal(pw_hugepages_free(&hp, 2 * MIB, 0), 20);
	assert_int_equal(pw_hugepages_total(&hp, 2 * MIB, 1), 500);
	assert_int_equal(pw_hugepages_free(&hp, GIB, 1), 1);
	assert_int_equal(pw_hugepages_free(&hp, GIB, 0), 0);
	assert_int_equal(pw_hugepages_free_bytes(&hp), 260 * 2 * MIB + GIB);
}

static void a_kernel_without_nodes_has_one_pool_a_size(void **state)
{
	const struct sysfix *f = *state;
	struct pw_hugepages hp;

	sysfix_hugepages(f, -1, 2048, 8, 5, 7);
	assert_int_equal(pw_hugepages_read(&f->root, &hp, NULL), 0);
	assert_int_equal(hp.n_pools, 1);
	assert_int_equal(hp.pools[0].node, -1);
	/* more promised than free: none is left, not 2^64 */
	assert_int_equal(pw_hugepages_free_bytes(&hp), 0);
	assert_int_equal(pw_hugepages_total(&hp, 2 * MIB, 3), 8);
}

static void a_kernel_without_huge_pages_is_said_so(void **state)
{
	const struct sysfix *f = *state;
	struct pw_hugepages hp;
	struct pw_err err;

	assert_int_equal(pw_hugepages_read(&f->root, &hp, &err), -ENOTSUP);
	assert_int_equal(hp.n_pools, 0);
	assert_non_null(strstr(err.msg, "--no-huge"));
}

static void hugetlbfs_mounts_are_found(void **state)
{
	const struct sysfix *f = *state;
	struct pw_hugepages hp;

	sysfix_hugepages(f, -1, 2048, 8, 5, 0);
	sysfix_write(f, "/proc/meminfo", "Hugepagesize: 2048 kB");
	sysfix_write(f, "/proc/self/mounts",
		"proc /proc proc rw 0 0\n"
		"hugetlbfs /dev/hugepages hugetlbfs rw,relatime,pagesize=2M 0 0\n"
		"none /mnt/big\\040pages hugetlbfs ro,pagesize=1024M,size=4G 0 0\n"
		"none /mnt/old hugetlbfs rw 0 0\n"
		"hugetlbfs /home/hugetlbfs ext4 rw,pagesize=1M 0 0\n"
		"torn");
	assert_int_equal(pw_hugepages_read(&f->root, &hp, NULL), 0);
	assert_int_equal(hp.n_mounts, 3);
	assert_string_equal(hp.mounts[0].dir, "/dev/hugepages");
	assert_int_equal(hp.mounts[0].page_bytes, 2 * MIB);
	assert_false(hp.mounts[0].read_only);
	assert_string_equal(hp.mounts[1].dir, "/mnt/big pages");
	assert_int_equal(hp.mounts[1].page_bytes, GIB);
	assert_int_equal(hp.mounts[1].limit_bytes, 4 * GIB);
	assert_true(hp.mounts[1].read_only);
	assert_int_equal(hp.mounts[2].page_bytes, 2 * MIB);
}

static void pci_addresses_are_normalized(void **state)
{
	static const char *const bad[] = {"", "3b:00", "3b:00.0x", "3b:20.0", "3b:00.8",
		"net_ring0", " 3b:00.0", "-1:00.0", "0000:3b:00.0 "};
	char addr[PW_PCI_ADDR_LEN];
	size_t i;

	(void)state;
	assert_int_equal(pw_pci_normalize("3b:00.1", addr), 0);
	assert_string_equal(addr, "0000:3b:00.1");
	assert_int_equal(pw_pci_normalize("10000:e1:1F.7,representor=0", addr), 0);
	assert_string_equal(addr, "10000:e1:1f.7");
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(pw_pci_normalize(bad[i], addr), -EINVAL);
}

static void pci_nics_are_listed_with_driver_node_and_group(void **state)
{
	const struct sysfix *f = *state;
	struct pw_pci_dev devs[4];
	char others[PW_PCI_GROUP_LEN];
	struct pw_err err;

	sysfix_nic(f, "0000:3b:00.0", "vfio-pci", 1, 12, "");
	sysfix_nic(f, "0000:3b:00.1", "ice", 1, 12, "ens1f1");
	sysfix_nic(f, "0000:5e:00.0", "", 0, -1, "");
	sysfix_write(f, "/sys/bus/pci/devices/0000:00:1f.2/class", "0x010601");
	/* a virtio NIC has its interface below a device of its own */
	sysfix_write(f, "/sys/bus/pci/devices/0000:00:03.0/class", "0x020000");
	sysfix_write(f, "/sys/bus/pci/devices/0000:00:03.0/virtio0/net/eth0/mtu", "1500");
	assert_int_equal(pw_pci_list_net(&f->root, devs, 4), 4);
	assert_string_equal(devs[0].addr, "0000:00:03.0");
	assert_string_equal(devs[0].netdevs[0], "eth0");
	assert_int_equal(devs[0].node, -1);
	assert_string_equal(devs[1].driver, "vfio-pci");
	assert_int_equal(devs[1].node, 1);
	assert_int_equal(devs[1].iommu_group, 12);
	assert_int_equal(devs[1].vendor, 0x8086);
	assert_string_equal(devs[2].netdevs[0], "ens1f1");
	assert_string_equal(devs[3].driver, "");
	assert_int_equal(devs[3].iommu_group, -1);
	assert_int_equal(pw_pci_list_net(&f->root, devs, 2), 2);

	assert_int_equal(pw_pci_group_busy(&f->root, 12, "0000:3b:00.0", others), 1);
	assert_string_equal(others, "0000:3b:00.1");
	assert_int_equal(pw_pci_group_busy(&f->root, 12, "0000:3b:00.1", others), 0);

	assert_int_equal(pw_pci_read(&f->root, "5e:00.0,x=1", devs, NULL), 0);
	assert_string_equal(devs[0].addr, "0000:5e:00.0");
	assert_int_equal(pw_pci_read(&f->root, "0000:5e:00.1", devs, &err), -ENODEV);
	assert_non_null(strstr(err.msg, "0000:5e:00.1"));
}

static void drivers_are_told_apart(void **state)
{
	(void)state;
	assert_true(pw_pci_driver_is_vfio("vfio-pci"));
	assert_false(pw_pci_driver_is_vfio("ice"));
	assert_true(pw_pci_driver_is_uio("igb_uio"));
	assert_false(pw_pci_driver_is_uio("vfio-pci"));
	assert_true(pw_pci_driver_is_bifurcated("mlx5_core"));
	assert_false(pw_pci_driver_is_bifurcated(""));
}

static void modules_are_loaded_built_in_loadable_or_absent(void **state)
{
	const struct sysfix *f = *state;

	sysfix_write(f, "/proc/sys/kernel/osrelease", "6.1.0-13-amd64");
	sysfix_write(f, "/lib/modules/6.1.0-13-amd64/modules.dep",
		"kernel/drivers/uio/uio_pci_generic.ko: kernel/drivers/uio/uio.ko\n"
		"kernel/drivers/net/igb_uio_other.ko.xz:\n"
		"kernel/drivers/vfio/pci/vfio-pci-core.ko:");
	sysfix_write(f, "/lib/modules/6.1.0-13-amd64/modules.builtin", "kernel/drivers/iommu/x.ko");
	assert_int_equal(pw_module_state(&f->root, "vfio-pci"), PW_MODULE_ABSENT);
	assert_int_equal(pw_module_state(&f->root, "igb_uio"), PW_MODULE_ABSENT);
	assert_int_equal(pw_module_state(&f->root, "uio_pci_generic"), PW_MODULE_LOADABLE);
	sysfix_write(f, "/lib/modules/6.1.0-13-amd64/modules.builtin",
		"kernel/drivers/vfio/pci/vfio_pci.ko");
	assert_int_equal(pw_module_state(&f->root, "vfio-pci"), PW_MODULE_LOADED);
	sysfix_write(f, "/sys/module/uio_pci_generic/refcnt", "0");
	assert_int_equal(pw_module_state(&f->root, "uio_pci_generic"), PW_MODULE_LOADED);
}

static void the_iommu_is_seen_by_what_the_kernel_drives(void **state)
{
	const struct sysfix *f = *state;
	struct pw_iommu m;

	pw_iommu_read(&f->root, &m);
	assert_int_equal(m.n_iommus, 0);
	assert_false(m.noiommu_known);
	sysfix_write(f, "/proc/cmdline", "root=/dev/sda1 amd_iommu=off quiet");
	sysfix_write(f, "/proc/cpuinfo", "processor : 0\nvendor_id\t: AuthenticAMD");
	sysfix_write(f, "/sys/class/iommu/dmar0/x", "1");
	sysfix_write(f, "/sys/kernel/iommu_groups/0/type", "DMA");
	sysfix_write(f, "/sys/kernel/iommu_groups/1/type", "DMA");
	sysfix_write(f, "/sys/module/vfio/parameters/enable_unsafe_noiommu_mode", "N");
	pw_iommu_read(&f->root, &m);
	assert_int_equal(m.n_iommus, 1);
	assert_int_equal(m.n_groups, 2);
	assert_true(m.cmdline_off && m.amd && m.noiommu_known);
	assert_false(m.noiommu);
	sysfix_write(f, "/sys/module/vfio/parameters/enable_unsafe_noiommu_mode", "Y");
	pw_iommu_read(&f->root, &m);
	assert_true(m.noiommu);
}

static void interfaces_are_read_from_sysfs(void **state)
{
	const struct sysfix *f = *state;
	struct pw_netif n;
	struct pw_err err;

	sysfix_netif(f, "ens1", 9000, 0x1003, 1);
	sysfix_link(f, "/sys/class/net/ens1/device", "../../../bus/pci/devices/0000:3b:00.0");
	sysfix_nic(f, "0000:3b:00.0", "ice", 1, -1, "ens1");
	assert_int_equal(pw_netif_read(&f->root, "ens1", &n, NULL), 0);
	assert_int_equal(n.mtu, 9000);
	assert_true(n.up && n.carrier);
	assert_false(n.loopback);
	assert_int_equal(n.mac[5], 0x55);
	assert_int_equal(n.node, 1);
	assert_string_equal(n.driver, "ice");
	assert_string_equal(n.pci, "0000:3b:00.0");
	assert_int_equal(pw_netif_read(&f->root, "ens2", &n, &err), -ENODEV);
	assert_non_null(strstr(err.msg, "ens2"));
	assert_int_equal(pw_netif_read(&f->root, "../net/ens1", &n, NULL), -ENODEV);
	assert_int_equal(pw_netif_read(&f->root, "a-name-too-long-for-linux", &n, NULL), -ENODEV);
}

static void the_loopback_of_this_host_is_asked_by_ioctl(void **state)
{
	struct pw_netif n;

	(void)state;
	assert_int_equal(pw_netif_query("lo", &n, NULL), 0);
	assert_true(n.loopback);
	assert_int_equal(n.index, if_nametoindex("lo"));
	assert_int_equal(n.node, -1);
	assert_int_equal(pw_netif_query("pw-none-such", &n, NULL), -ENODEV);
}

static void default_routes_are_found_per_family(void **state)
{
	const struct sysfix *f = *state;
	static const char zeros[] = "00000000000000000000000000000000";

	sysfix_write(f, "/proc/self/net/route",
		"Iface\tDestination\tGateway\tFlags\tRefCnt\tUse\tMetric\tMask\n"
		"eth0\t00000000\t0100000A\t0003\t0\t0\t0\t00000000\t0\t0\t0\n"
		"eth1\t0000000A\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0\n"
		"eth3\t00000000\t0100000A\t0002\t0\t0\t0\t00000000\t0\t0\t0");
	sysfix_write(f, "/proc/self/net/ipv6_route",
		"%s 00 %s 00 fe800000000000000000000000000001 00000400 00000001 00000000 00000003 "
		"    eth1\n"
		"fe80000000000000 40 %s 00 %s 00000100 00000001 00000000 00000001     eth0",
		zeros, zeros, zeros, zeros);
	assert_int_equal(pw_netif_default_routes(&f->root, "eth0"), PW_ROUTE_IPV4);
	assert_int_equal(pw_netif_default_routes(&f->root, "eth1"), PW_ROUTE_IPV6);
	assert_int_equal(pw_netif_default_routes(&f->root, "eth2"), 0);
	assert_int_equal(pw_netif_default_routes(&f->root, "eth3"), 0); /* not up */
}

static void taps_are_counted(void **state)
{
	const struct sysfix *f = *state;

	sysfix_write(f, "/proc/self/net/ptype",
		"Type Device      Function\n"
		"ALL  eth0     packet_rcv\n"
		"ALL           tpacket_rcv\n"
		"0800          ip_rcv\n"
		"88cc eth0     packet_rcv");
	assert_int_equal(pw_netif_n_taps(&f->root, "eth0"), 2);
	assert_int_equal(pw_netif_n_taps(&f->root, "eth1"), 1);
}

static void lockdown_memory_and_nodes_are_read(void **state)
{
	const struct sysfix *f = *state;

	assert_int_equal(pw_lockdown_read(&f->root), PW_LOCKDOWN_NONE);
	sysfix_write(f, "/sys/kernel/security/lockdown", "none [integrity] confidentiality");
	assert_int_equal(pw_lockdown_read(&f->root), PW_LOCKDOWN_INTEGRITY);
	sysfix_write(f, "/sys/kernel/security/lockdown", "none integrity [confidentiality]");
	assert_int_equal(pw_lockdown_read(&f->root), PW_LOCKDOWN_CONFIDENTIALITY);
	sysfix_write(f, "/sys/kernel/security/lockdown", "[none] integrity confidentiality");
	assert_int_equal(pw_lockdown_read(&f->root), PW_LOCKDOWN_NONE);
	assert_int_equal(pw_memory_available(&f->root), 0);
	sysfix_write(f, "/proc/meminfo", "MemTotal: 9 kB\nMemAvailable:   2048 kB");
	assert_int_equal(pw_memory_available(&f->root), 2 * MIB);
	assert_int_equal(pw_numa_n_nodes(&f->root), 1);
	sysfix_write(f, "/sys/devices/system/node/node0/cpulist", "0");
	sysfix_write(f, "/sys/devices/system/node/node1/cpulist", "1");
	sysfix_write(f, "/sys/devices/system/node/possible", "0-1");
	assert_int_equal(pw_numa_n_nodes(&f->root), 2);
}

static void the_nodes_of_a_file_are_sampled(void **state)
{
	const struct sysfix *f = *state;
	unsigned int counts[64], all = 0, i;
	char path[512], block[4096] = "x";
	FILE *out;
	int r;

	sysfix_path(f, "/file", path);
	out = fopen(path, "w");
	assert_non_null(out);
	assert_int_equal(pw_numa_of_hugefile(path, 4096, counts, 64, NULL), -ENODATA);
	for (i = 0; i < 40; i++)
		assert_int_equal(fwrite(block, 1, sizeof(block), out), sizeof(block));
	fclose(out);
	r = pw_numa_of_hugefile(path, 4096, counts, 64, NULL);
	if (r == -EPERM || r == -ENOSYS || r == -EINVAL)
		skip(); /* no move_pages() or MADV_POPULATE_READ for us */
	assert_int_equal(r, 0);
	for (i = 0; i < 64; i++)
		all += counts[i];
	assert_int_equal(all, PW_NUMA_SAMPLES);
	assert_int_equal(truncate(path, 1 << 20), 0);
	assert_int_equal(pw_numa_of_hugefile(path, 4096, counts, 64, NULL), -ENODATA);
}

static void small_files_are_cut_and_errors_told_apart(void **state)
{
	const struct sysfix *f = *state;
	char buf[8];
	long long v;

	sysfix_write(f, "/sys/a", "0x20\n ");
	sysfix_write(f, "/sys/long", "123456789");
	sysfix_write(f, "/sys/word", "12 monkeys");
	assert_int_equal(pw_sysfs_read(&f->root, buf, sizeof(buf), "/sys/%s", "long"), 7);
	assert_string_equal(buf, "1234567");
	assert_int_equal(pw_sysfs_read_number(&f->root, &v, "/sys/a"), 0);
	assert_int_equal(v, 32);
	assert_int_equal(pw_sysfs_read_number(&f->root, &v, "/sys/word"), -EINVAL);
	assert_int_equal(pw_sysfs_read_number(&f->root, &v, "/sys/none"), -ENOENT);
	assert_int_equal(pw_sysfs_read(&f->root, buf, sizeof(buf), "/sys"), -EISDIR);
	assert_int_equal(pw_sysfs_read(&f->root, buf, sizeof(buf), "/%600d", 1), -ENAMETOOLONG);
	assert_int_equal(pw_sysfs_count(&f->root, "/sys"), 3);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(cpu_lists_are_read_and_written),
		TEST(a_list_that_does_not_fit_shows_that_it_was_cut),
		TEST(bad_cpu_lists_are_refused),
		TEST(cpus_know_their_nodes_and_governors),
		TEST(allowed_cpus_are_the_affinity),
		TEST(huge_pages_are_counted_per_node_and_size),
		TEST(a_kernel_without_nodes_has_one_pool_a_size),
		TEST(a_kernel_without_huge_pages_is_said_so),
		TEST(hugetlbfs_mounts_are_found),
		TEST(pci_addresses_are_normalized),
		TEST(pci_nics_are_listed_with_driver_node_and_group),
		TEST(drivers_are_told_apart),
		TEST(modules_are_loaded_built_in_loadable_or_absent),
		TEST(the_iommu_is_seen_by_what_the_kernel_drives),
		TEST(interfaces_are_read_from_sysfs),
		TEST(the_loopback_of_this_host_is_asked_by_ioctl),
		TEST(default_routes_are_found_per_family),
		TEST(taps_are_counted),
		TEST(lockdown_memory_and_nodes_are_read),
		TEST(the_nodes_of_a_file_are_sampled),
		TEST(small_files_are_cut_and_errors_told_apart),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
