/* SPDX-License-Identifier: BSD-3-Clause */
/* No kernel obeys here: what is planned, written and remembered, and that it is found again. tests/vm has
 * a NIC that really moves, and real huge pages. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "host/fix.h"
#include "sysfix.h"

#define NIC   "0000:3b:00.0"
#define POOL  "/sys/devices/system/node/node0/hugepages/hugepages-2048kB/nr_hugepages"
#define LOG   "/run/pagewire/doctor.json"
#define BOOT  "/proc/sys/kernel/random/boot_id"
#define PAGE  (2ull << 20)
#define PAGES 7

static const struct pw_fix_want pages = {.page_bytes = PAGE, .n_pages = PAGES, .node = 0};
static const struct pw_fix_want nic = {.page_bytes = PAGE, .node = -1, .pci = NIC};

static int setup(void **state)
{
	struct sysfix *f = malloc(sizeof(*f));

	sysfix_make(f);
	sysfix_hugepages(f, -1, 2048, 20, 20, 0);
	sysfix_hugepages(f, 0, 2048, 20, 20, 0);
	sysfix_write(f, "/proc/meminfo", "MemAvailable: 8000000 kB\nHugepagesize: 2048 kB\n");
	sysfix_write(f, "/proc/mounts", "%s", "");
	sysfix_write(f, BOOT, "first\n");
	sysfix_write(f, "/run/x", "%s", ""); /* the directory is there, as on every host */
	sysfix_nic(f, NIC, "ice", 0, 7, "eth1");
	sysfix_netif(f, "eth1", 1500, 0x1002, 0);
	sysfix_write(f, "/sys/bus/pci/devices/" NIC "/driver_override", "(null)");
	sysfix_write(f, "/sys/bus/pci/drivers/ice/unbind", "%s", "");
	sysfix_write(f, "/sys/bus/pci/drivers_probe", "%s", "");
	sysfix_write(f, "/sys/module/vfio_pci/initstate", "live\n");
	sysfix_write(f, "/proc/modules", "vfio_pci 1 0 - Live 0x0\n");
	sysfix_write(f, "/sys/bus/pci/drivers/vfio-pci/unbind", "%s", "");
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	sysfix_drop(*state);
	free(*state);
	return 0;
}

static long long number(const struct sysfix *f, const char *path)
{
	long long n = -1;

	assert_int_equal(pw_sysfs_read_number(&f->root, &n, "%s", path), 0);
	return n;
}

static void plan(const struct sysfix *f, const struct pw_fix_want *want, struct pw_fix *fix)
{
	struct pw_err err = {0};

	if (pw_fix_plan(&f->root, want, fix, &err))
		fail_msg("%s", err.msg);
}

static void assert_refused(
	const struct sysfix *f, const struct pw_fix_want *want, int code, const char *words)
{
	struct pw_fix fix;
	struct pw_err err = {0};

	assert_int_equal(pw_fix_plan(&f->root, want, &fix, &err), code);
	assert_int_equal(fix.n, 0);
	if (!strstr(err.msg, words))
		fail_msg("'%s' does not say '%s'", err.msg, words);
	assert_false(pw_sysfs_exists(&f->root, "/run/pagewire"));
}

static void test_a_plan_changes_nothing_and_names_the_command(void **state)
{
	const struct sysfix *f = *state;
	struct pw_fix fix;

	plan(f, &pages, &fix);
	assert_int_equal(fix.n, 1);
	assert_string_equal(fix.steps[0].command, "echo 27 > " POOL);
	assert_string_equal(fix.steps[0].what, "7 huge pages of 2.00 MiB more on node 0");
	assert_int_equal(number(f, POOL), 20);
	assert_false(pw_sysfs_exists(&f->root, "/run/pagewire"));
}

static void test_pages_come_go_and_leave_no_trace(void **state)
{
	const struct sysfix *f = *state;
	struct pw_err err = {0};
	struct pw_fix fix;

	plan(f, &pages, &fix);
	assert_int_equal(pw_fix_apply(&f->root, &fix, &err), 0);
	assert_int_equal(fix.steps[0].state, PW_FIX_DONE);
	assert_int_equal(number(f, POOL), 27);
	assert_true(pw_sysfs_exists(&f->root, LOG));
	assert_int_equal(pw_fix_recall(&f->root, &fix, &err), 0);
	assert_int_equal(fix.n, 1);
	assert_string_equal(fix.steps[0].command, "echo 20 > " POOL);
	assert_int_equal(pw_fix_undo(&f->root, &fix, &err), 0);
	assert_int_equal(fix.steps[0].state, PW_FIX_UNDONE);
	assert_int_equal(number(f, POOL), 20);
	assert_false(pw_sysfs_exists(&f->root, LOG));
	assert_int_equal(pw_fix_undo(&f->root, &fix, &err), 0);
	assert_int_equal(fix.n, 0);
}

/* Somebody else has changed the pool meanwhile: only the difference goes. */
static void test_what_others_added_to_the_pool_stays(void **state)
{
	const struct sysfix *f = *state;
	struct pw_err err = {0};
	struct pw_fix fix;

	plan(f, &pages, &fix);
	assert_int_equal(pw_fix_apply(&f->root, &fix, &err), 0);
	sysfix_write(f, POOL, "127\n");
	assert_int_equal(pw_fix_undo(&f->root, &fix, &err), 0);
	assert_int_equal(number(f, POOL), 120);
}

static void test_two_fixes_are_undone_by_one_undo(void **state)
{
	const struct sysfix *f = *state;
	struct pw_err err = {0};
	struct pw_fix fix;
	int i;

	for (i = 0; i < 2; i++) {
		plan(f, &pages, &fix);
		assert_int_equal(pw_fix_apply(&f->root, &fix, &err), 0);
	}
	assert_int_equal(number(f, POOL), 34);
	assert_int_equal(pw_fix_undo(&f->root, &fix, &err), 0);
	assert_int_equal(fix.n, 2);
	assert_int_equal(number(f, POOL), 20);
}

/* No kernel binds the NIC here: what was done before is remembered, and undone. */
static void test_a_step_that_fails_leaves_those_before_it_to_be_undone(void **state)
{
	const struct sysfix *f = *state;
	struct pw_fix_want want = nic;
	struct pw_err err = {0};
	struct pw_fix fix;

	want.n_pages = PAGES;
	want.node = 0;
	plan(f, &want, &fix);
	assert_int_equal(fix.n, 2);
	assert_true(pw_fix_apply(&f->root, &fix, &err) < 0);
	assert_int_equal(fix.steps[0].state, PW_FIX_DONE);
	assert_int_equal(fix.steps[1].state, PW_FIX_FAILED);
	assert_int_equal(number(f, POOL), 27);
	assert_int_equal(pw_fix_recall(&f->root, &fix, &err), 0);
	assert_int_equal(fix.n, 1);
	assert_int_equal(pw_fix_undo(&f->root, &fix, &err), 0);
	assert_int_equal(number(f, POOL), 20);
	assert_false(pw_sysfs_exists(&f->root, LOG));
}

/* The intent is written first: who is killed in between has changed nothing, or what undo finds. */
static void test_a_step_that_was_begun_is_undone_by_what_is_there(void **state)
{
	const struct sysfix *f = *state;
	struct pw_err err = {0};
	struct pw_fix fix;
	char full[512];

	plan(f, &pages, &fix);
	assert_int_equal(pw_fix_apply(&f->root, &fix, &err), 0);
	sysfix_path(f, LOG, full);
	sysfix_write(f, LOG,
		"{\"schema\": \"pagewire.doctor-undo/1\", \"boot\": \"first\", \"steps\": "
		"[{\"kind\": \"pages\", \"object\": \"\", \"node\": 0, \"page_bytes\": 2097152, "
		"\"before\": 20, \"more\": 7}]}");
	assert_int_equal(chmod(full, 0600), 0);
	sysfix_write(f, POOL, "23\n"); /* it came as far as 3 */
	assert_int_equal(pw_fix_undo(&f->root, &fix, &err), 0);
	assert_int_equal(number(f, POOL), 20);
}

static void test_a_restart_of_the_host_has_undone_all(void **state)
{
	const struct sysfix *f = *state;
	struct pw_err err = {0};
	struct pw_fix fix;

	plan(f, &pages, &fix);
	assert_int_equal(pw_fix_apply(&f->root, &fix, &err), 0);
	sysfix_write(f, BOOT, "second\n");
	assert_int_equal(pw_fix_recall(&f->root, &fix, &err), 0);
	assert_int_equal(fix.n, 0);
	assert_int_equal(pw_fix_undo(&f->root, &fix, &err), 0);
	assert_int_equal(number(f, POOL), 27);
}

static void test_a_file_that_is_none_of_ours_is_refused_and_kept(void **state)
{
	static const char *const texts[] = {"", "[]", "{", "{\"schema\": \"other\"}",
		"{\"schema\": \"pagewire.doctor-undo/1\", \"boot\": \"first\", \"steps\": "
		"[{\"kind\": \"dir\", \"object\": \"/etc\"}]}",
		"{\"schema\": \"pagewire.doctor-undo/1\", \"boot\": \"first\", \"steps\": "
		"[{\"kind\": \"bind\", \"object\": \"0000:3b:00.0\", \"from\": \"../x\", "
		"\"override\": \"\", \"to\": \"y\", \"interface\": \"\", \"mtu\": 0, \"up\": "
		"false}]}",
		"{\"schema\": \"pagewire.doctor-undo/1\", \"boot\": \"first\", \"steps\": "
		"[{\"kind\": \"pages\", \"object\": \"\", \"node\": 0, \"page_bytes\": 2097152, "
		"\"before\": -1, \"more\": 7}]}"};
	const struct sysfix *f = *state;
	struct pw_err err = {0};
	struct pw_fix fix;
	char full[512];
	size_t i;

	plan(f, &pages, &fix);
	assert_int_equal(pw_fix_apply(&f->root, &fix, &err), 0);
	sysfix_path(f, LOG, full);
	for (i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		sysfix_write(f, LOG, "%s", texts[i]);
		assert_int_equal(pw_fix_undo(&f->root, &fix, &err), -EBADMSG);
		assert_non_null(strstr(err.msg, LOG));
		assert_int_equal(number(f, POOL), 27);
		assert_true(pw_sysfs_exists(&f->root, LOG));
	}
	assert_int_equal(chmod(full, 0666), 0);
	assert_int_equal(pw_fix_undo(&f->root, &fix, &err), -EBADMSG);
}

static void test_a_directory_that_others_may_write_is_refused(void **state)
{
	const struct sysfix *f = *state;
	struct pw_err err = {0};
	struct pw_fix fix;
	char full[512];

	sysfix_write(f, LOG, "%s", "");
	sysfix_path(f, "/run/pagewire", full);
	assert_int_equal(chmod(full, 0755), 0);
	plan(f, &pages, &fix);
	assert_int_equal(pw_fix_apply(&f->root, &fix, &err), -EPERM);
	assert_int_equal(number(f, POOL), 20);
}

static void test_two_at_once_exclude_each_other(void **state)
{
	const struct sysfix *f = *state;
	struct pw_err err = {0};
	struct pw_fix fix;
	char full[512];
	int fd;

	sysfix_path(f, "/run/pagewire", full);
	assert_int_equal(mkdir(full, 0700), 0);
	fd = open(full, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_int_equal(flock(fd, LOCK_EX), 0);
	plan(f, &pages, &fix);
	assert_int_equal(pw_fix_apply(&f->root, &fix, &err), -EBUSY);
	assert_int_equal(pw_fix_undo(&f->root, &fix, &err), -EBUSY);
	assert_int_equal(number(f, POOL), 20);
	close(fd);
}

static void test_more_than_the_host_can_spare_is_refused(void **state)
{
	struct pw_fix_want want = pages;

	want.n_pages = 4000;
	assert_refused(*state, &want, -ENOMEM, "of memory are available");
}

static void test_an_idle_nic_is_given_to_vfio(void **state)
{
	const struct sysfix *f = *state;
	struct pw_fix fix;

	plan(f, &nic, &fix);
	assert_int_equal(fix.n, 1);
	assert_int_equal(fix.steps[0].kind, PW_FIX_BIND);
	assert_non_null(
		strstr(fix.steps[0].what, NIC " from ice to vfio-pci; there will be no eth1"));
	assert_string_equal(fix.steps[0].command,
		"echo vfio-pci > /sys/bus/pci/devices/" NIC "/driver_override; "
		"echo " NIC " > /sys/bus/pci/devices/" NIC "/driver/unbind; "
		"echo " NIC " > /sys/bus/pci/drivers_probe");
}

static void test_a_nic_with_the_default_route_is_taken_when_told_twice(void **state)
{
	struct pw_fix_want want = nic;
	const struct sysfix *f = *state;
	struct pw_fix fix;

	sysfix_write(f, "/proc/self/net/route",
		"Iface\tDestination\tGateway\tFlags\tRefCnt\tUse\tMetric\tMask\tMTU\tWindow\tIRTT\n"
		"eth1\t00000000\t0100000A\t0003\t0\t0\t0\t00000000\t0\t0\t0\n");
	assert_refused(f, &want, -EBUSY, "eth1: the IPv4 default route leaves by it");
	want.even_in_use = "0000:3b:00.1";
	assert_refused(f, &want, -EBUSY, "--even-in-use " NIC);
	want.even_in_use = NIC;
	plan(f, &want, &fix);
	assert_non_null(strstr(fix.steps[fix.n - 1].what, "not put back by --undo: eth1"));
}

static void test_a_mate_in_the_group_that_is_busy_is_named(void **state)
{
	const struct sysfix *f = *state;

	sysfix_nic(f, "0000:3b:00.1", "ice", 0, 7, "");
	assert_refused(f, &nic, -EBUSY, "0000:3b:00.1");
}

static void test_without_an_iommu_it_takes_a_word_more(void **state)
{
	struct pw_fix_want want = nic;
	const struct sysfix *f = *state;

	sysfix_nic(f, "0000:04:00.0", "ice", 0, -1, "");
	want.pci = "0000:04:00.0";
	assert_refused(f, &want, -EOPNOTSUPP, "--unsafe-no-iommu");
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(test_##name, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(a_plan_changes_nothing_and_names_the_command),
		T(pages_come_go_and_leave_no_trace),
		T(what_others_added_to_the_pool_stays),
		T(two_fixes_are_undone_by_one_undo),
		T(a_step_that_fails_leaves_those_before_it_to_be_undone),
		T(a_step_that_was_begun_is_undone_by_what_is_there),
		T(a_restart_of_the_host_has_undone_all),
		T(a_file_that_is_none_of_ours_is_refused_and_kept),
		T(a_directory_that_others_may_write_is_refused),
		T(two_at_once_exclude_each_other),
		T(more_than_the_host_can_spare_is_refused),
		T(an_idle_nic_is_given_to_vfio),
		T(a_nic_with_the_default_route_is_taken_when_told_twice),
		T(a_mate_in_the_group_that_is_busy_is_named),
		T(without_an_iommu_it_takes_a_word_more),
	};

	return cmocka_run_group_tests_name("sys_fix", tests, NULL, NULL);
}
