/* SPDX-License-Identifier: BSD-3-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <time.h>

#include "bench/env.h"
#include "bench/envnic.h"
#include "sysfix.h"

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

static void assert_item(const struct pw_env *env, const char *key, const char *value)
{
	const char *got = pw_env_get(env, key);

	if (!got)
		fail_msg("no %s", key);
	if (strcmp(got, value) != 0)
		fail_msg("%s is '%s', not '%s'", key, got, value);
}

static void a_host_that_tells_nothing_is_unknown(void **state)
{
	static const char *const keys[] = {"kernel", "cpu_model", "governor", "turbo", "smt",
		"mitigations", "memory", "hypervisor", "machine", "clocksource", "thp", "lockdown",
		"kernel_options", "dpdk"};
	const struct sysfix *f = *state;
	struct pw_env env;
	size_t i;

	pw_env_read(&env, f->dir, "");
	for (i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
		assert_item(&env, keys[i], "");
	assert_null(pw_env_get(&env, "nic"));
	assert_null(pw_env_get(&env, "nosuch"));
}

static void files_of_the_host_are_read_below_the_root(void **state)
{
	const struct sysfix *f = *state;
	struct pw_env env;

	sysfix_write(f, "/proc/sys/kernel/osrelease", "6.1.0-99-test");
	sysfix_write(f, "/etc/os-release", "NAME=x\nPRETTY_NAME=\"Test Linux 1 (one)\"\nID=t");
	sysfix_write(f, "/proc/cpuinfo",
		"processor\t: 0\nmodel name\t: Test CPU @ 3 GHz\nmicrocode\t: 0x17\n"
		"cpu MHz\t\t: 2999.5\nflags\t\t: fpu tsc hypervisor\n\nprocessor\t: 1\n"
		"model name\t: Other");
	sysfix_write(f, "/sys/class/dmi/id/sys_vendor", "Vendor");
	sysfix_write(f, "/sys/class/dmi/id/product_name", "Box 9000");
	sysfix_write(f, "/proc/meminfo", "MemFree: 1 kB\nMemTotal:       25165824 kB");
	sysfix_write(f, "/sys/devices/system/cpu/isolated", "(null)");
	sysfix_write(f, "/sys/devices/system/cpu/smt/control", "off");
	sysfix_write(f, "/sys/kernel/mm/transparent_hugepage/enabled", "always [madvise] never");
	sysfix_write(f, "/sys/kernel/security/lockdown", "none [integrity] confidentiality");
	sysfix_write(f, "/proc/cmdline",
		"BOOT_IMAGE=/x root=/dev/secret mitigations=off isolcpus=2-3 isolcpusx=1 nosmt");
	sysfix_hugepages(f, -1, 2048, 512, 100, 10);
	sysfix_hugepages(f, -1, 1048576, 4, 4, 0);
	pw_env_read(&env, f->dir, "DPDK 22.11.11");
	assert_item(&env, "kernel", "6.1.0-99-test");
	assert_item(&env, "distribution", "Test Linux 1 (one)");
	assert_item(&env, "cpu_model", "Test CPU @ 3 GHz");
	assert_item(&env, "cpu_mhz", "2999.5");
	assert_item(&env, "microcode", "0x17");
	assert_item(&env, "hypervisor", "yes");
	assert_item(&env, "machine", "Vendor Box 9000");
	assert_item(&env, "memory", "24.0 GiB");
	assert_item(&env, "cpus_isolated", "");
	assert_item(&env, "smt", "off");
	assert_item(&env, "thp", "madvise");
	assert_item(&env, "lockdown", "integrity");
	assert_item(&env, "kernel_options", "mitigations=off isolcpus=2-3 nosmt");
	assert_item(&env, "hugepages_2M", "512, 90 free");
	assert_item(&env, "hugepages_1G", "4, 4 free");
	assert_item(&env, "dpdk", "DPDK 22.11.11");
}

static void a_host_of_bare_metal_says_none(void **state)
{
	const struct sysfix *f = *state;
	struct pw_env env;

	sysfix_write(f, "/proc/cpuinfo", "processor\t: 0\nflags\t\t: fpu nohypervisor");
	pw_env_read(&env, f->dir, "");
	assert_item(&env, "hypervisor", "none");
}

static void mitigations_are_those_that_cost(void **state)
{
	const struct sysfix *f = *state;
	struct pw_env env;

	sysfix_write(f, "/sys/devices/system/cpu/vulnerabilities/l1tf", "Not affected");
	pw_env_read(&env, f->dir, "");
	assert_item(&env, "mitigations", "none needed");
	sysfix_write(f, "/sys/devices/system/cpu/vulnerabilities/spectre_v2",
		"Mitigation: Retpolines; STIBP: disabled");
	sysfix_write(f, "/sys/devices/system/cpu/vulnerabilities/mds", "Vulnerable");
	pw_env_read(&env, f->dir, "");
	assert_item(&env, "mitigations", "mds: Vulnerable; spectre_v2: Retpolines");
}

static void governors_and_turbo_are_told(void **state)
{
	const struct sysfix *f = *state;
	struct pw_env env;

	sysfix_write(f, "/sys/devices/system/cpu/online", "0-1");
	sysfix_write(f, "/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor", "performance");
	sysfix_write(f, "/sys/devices/system/cpu/cpu1/cpufreq/scaling_governor", "performance");
	sysfix_write(f, "/sys/devices/system/cpu/cpufreq/boost", "1");
	pw_env_read(&env, f->dir, "");
	assert_item(&env, "governor", "performance");
	assert_item(&env, "turbo", "on");
	sysfix_write(f, "/sys/devices/system/cpu/cpu1/cpufreq/scaling_governor", "powersave");
	sysfix_write(f, "/sys/devices/system/cpu/intel_pstate/no_turbo", "1");
	pw_env_read(&env, f->dir, "");
	assert_item(&env, "governor", "mixed");
	assert_item(&env, "turbo", "off");
}

static void an_interface_below_a_root_is_described(void **state)
{
	const struct sysfix *f = *state;
	struct pw_env env;

	sysfix_netif(f, "eth7", 9000, 0x1003, 1);
	sysfix_link(f, "/sys/class/net/eth7/device/driver", "../../bus/pci/drivers/mlx5_core");
	pw_env_read(&env, f->dir, "");
	pw_envnic_read(&env, f->dir, "eth7");
	assert_item(&env, "nic", "eth7");
	assert_item(&env, "nic_mtu", "9000");
	assert_item(&env, "nic_driver", "mlx5_core");
	assert_item(&env, "nic_offloads", "");
	pw_env_read(&env, f->dir, "");
	pw_envnic_read(&env, f->dir, "nosuch");
	assert_item(&env, "nic", "nosuch");
	assert_item(&env, "nic_mtu", "");
}

static void this_host_is_described(void **state)
{
	struct pw_env env;
	struct utsname uts;
	time_t now = time(NULL);
	struct tm tm = {0};

	(void)state;
	pw_env_read(&env, "", "");
	pw_envnic_read(&env, "", "lo");
	assert_int_equal(uname(&uts), 0);
	assert_item(&env, "kernel", uts.release);
	assert_item(&env, "arch", uts.machine);
	assert_item(&env, "pagewire", PW_VERSION);
	assert_int_equal(strncmp(pw_env_get(&env, "libc"), "glibc 2.", 8), 0);
	assert_true(strlen(pw_env_get(&env, "liburing")) > 2);
	assert_item(&env, "nic_mtu", "65536");
	assert_non_null(strstr(pw_env_get(&env, "nic_offloads"), "tx-scatter-gather"));
	assert_string_not_equal(pw_env_get(&env, "memory"), "");
	assert_non_null(strptime(pw_env_get(&env, "date"), "%Y-%m-%dT%H:%M:%SZ", &tm));
	assert_in_range(timegm(&tm), now, now + 10);
}

/* In a clone the build names its commit; an unpacked archive has none. */
static void the_revision_is_a_commit_or_unknown(void **state)
{
	struct pw_env env;
	size_t hex;

	(void)state;
	pw_env_read(&env, "", "");
	assert_item(&env, "git_revision", pw_env_revision);
	hex = strspn(pw_env_revision, "0123456789abcdef");
	assert_true(hex == 0 || hex >= 12);
	assert_true(pw_env_revision[hex] == '\0' || strcmp(pw_env_revision + hex, "-dirty") == 0);
}

static void items_are_added_and_replaced(void **state)
{
	struct pw_env env = {.n = 0};
	char key[32], line[600];
	size_t i;

	(void)state;
	pw_env_add(&env, "a", "%d\n%s", 1, "two");
	assert_item(&env, "a", "1 two");
	pw_env_add(&env, "a", "3");
	assert_item(&env, "a", "3");
	assert_int_equal(env.n, 1);
	memset(line, 'x', sizeof(line) - 1);
	line[sizeof(line) - 1] = '\0';
	pw_env_add(&env, "long", "%s", line);
	assert_int_equal(strlen(pw_env_get(&env, "long")), sizeof(env.items[0].value) - 1);
	for (i = 0; i < PW_ENV_MAX + 10; i++) {
		snprintf(key, sizeof(key), "k%zu", i);
		pw_env_add(&env, key, "v");
	}
	assert_int_equal(env.n, PW_ENV_MAX);
	assert_null(pw_env_get(&env, key));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			a_host_that_tells_nothing_is_unknown, setup, teardown),
		cmocka_unit_test_setup_teardown(
			files_of_the_host_are_read_below_the_root, setup, teardown),
		cmocka_unit_test_setup_teardown(a_host_of_bare_metal_says_none, setup, teardown),
		cmocka_unit_test_setup_teardown(mitigations_are_those_that_cost, setup, teardown),
		cmocka_unit_test_setup_teardown(governors_and_turbo_are_told, setup, teardown),
		cmocka_unit_test_setup_teardown(
			an_interface_below_a_root_is_described, setup, teardown),
		cmocka_unit_test(this_host_is_described),
		cmocka_unit_test(the_revision_is_a_commit_or_unknown),
		cmocka_unit_test(items_are_added_and_replaced),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
