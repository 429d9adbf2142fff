/* SPDX-License-Identifier: BSD-3-Clause */
/* No kernel obeys here: what is refused, what is written, and that nothing stays half done.
 * tests/vm has devices that really move. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host/bind.h"
#include "sysfix.h"

#define NIC  "0000:3b:00.0"
#define MATE "0000:3b:00.1"

static int setup(void **state)
{
	struct sysfix *f = malloc(sizeof(*f));

	sysfix_make(f);
	sysfix_nic(f, NIC, "ice", 0, 7, "eth1");
	sysfix_write(f, "/sys/bus/pci/devices/" NIC "/driver_override", "(null)");
	sysfix_write(f, "/sys/bus/pci/drivers/vfio-pci/unbind", "%s", "");
	sysfix_write(f, "/sys/bus/pci/drivers/ice/unbind", "%s", "");
	sysfix_write(f, "/sys/bus/pci/drivers_probe", "%s", "");
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	sysfix_drop(*state);
	free(*state);
	return 0;
}

static void assert_holds(const struct sysfix *f, const char *path, const char *want)
{
	char text[64];

	assert_true(pw_sysfs_read(&f->root, text, sizeof(text), "%s", path) >= 0);
	assert_string_equal(text, want);
}

static int check(const struct sysfix *f, const char *addr, const char *driver, const char *words)
{
	struct pw_err err = {0};
	int r = pw_bind_check(&f->root, addr, driver, &err);

	if (words && !strstr(err.msg, words))
		fail_msg("'%s' does not say '%s'", err.msg, words);
	return r;
}

static void test_a_nic_alone_in_its_group_may_be_taken(void **state)
{
	assert_int_equal(check(*state, "3b:00.0", "vfio-pci", NULL), 0);
}

static void test_a_driver_that_is_not_loaded_is_refused_and_named(void **state)
{
	assert_int_equal(
		check(*state, NIC, "uio_pci_generic", "modprobe uio_pci_generic"), -ENOENT);
}

static void test_a_device_that_is_not_there_is_refused(void **state)
{
	assert_int_equal(check(*state, "0000:99:00.0", "vfio-pci", "0000:99:00.0"), -ENODEV);
}

static void test_vfio_is_refused_without_a_group_and_another_driver_is_not(void **state)
{
	const struct sysfix *f = *state;

	sysfix_nic(f, "0000:04:00.0", "ice", 0, -1, "");
	assert_int_equal(check(f, "0000:04:00.0", "vfio-pci", "no IOMMU group"), -EOPNOTSUPP);
	assert_int_equal(check(f, "0000:04:00.0", "ice", NULL), 0);
}

static void test_a_busy_mate_in_the_group_is_refused_and_named(void **state)
{
	const struct sysfix *f = *state;

	sysfix_nic(f, MATE, "ice", 0, 7, "");
	assert_int_equal(check(f, NIC, "vfio-pci", MATE), -EBUSY);
}

static void test_all_busy_mates_are_named_ready_for_the_mend(void **state)
{
	const struct sysfix *f = *state;

	sysfix_nic(f, MATE, "ice", 0, 7, "");
	sysfix_nic(f, "0000:3b:00.2", "vfio-pci", 0, 7, "");
	sysfix_nic(f, "0000:3b:00.3", "nvme", 0, 7, "");
	sysfix_nic(f, "0000:3b:00.4", "", 0, 7, "");
	assert_int_equal(
		check(f, NIC, "vfio-pci", "--bind=vfio-pci " MATE " 0000:3b:00.3"), -EBUSY);
}

static void test_more_mates_than_a_message_holds_are_cut_with_an_ellipsis(void **state)
{
	const struct sysfix *f = *state;
	char others[PW_PCI_GROUP_LEN], addr[PW_PCI_ADDR_LEN];
	unsigned int i;

	for (i = 0; i < 20; i++) {
		snprintf(addr, sizeof(addr), "0000:3c:%02x.0", i);
		sysfix_nic(f, addr, "ice", 0, 7, "");
	}
	assert_int_equal(pw_pci_group_busy(&f->root, 7, NIC, others), 20);
	assert_non_null(strstr(others, "0000:3c:0a.0 ..."));
	assert_null(strstr(others, "... "));
}

static void test_without_a_group_vfio_is_allowed_in_its_unsafe_mode(void **state)
{
	const struct sysfix *f = *state;

	sysfix_nic(f, "0000:04:00.0", "ice", 0, -1, "");
	sysfix_write(f, "/sys/module/vfio/parameters/enable_unsafe_noiommu_mode", "N");
	assert_int_equal(check(f, "0000:04:00.0", "vfio-pci", "no IOMMU group"), -EOPNOTSUPP);
	sysfix_write(f, "/sys/module/vfio/parameters/enable_unsafe_noiommu_mode", "Y");
	assert_int_equal(check(f, "0000:04:00.0", "vfio-pci", NULL), 0);
}

static void test_what_the_driver_does_not_take_is_put_back(void **state)
{
	const struct sysfix *f = *state;
	struct pw_err err = {0};
	struct pw_bind was;

	assert_int_equal(pw_bind_take(&f->root, NIC, "vfio-pci", &was, &err), -EIO);
	assert_non_null(strstr(err.msg, "did not take it, it is bound to ice"));
	assert_string_equal(was.driver, "ice");
	assert_string_equal(was.override, "");
	assert_holds(f, "/sys/bus/pci/drivers/ice/unbind", NIC);
	assert_holds(f, "/sys/bus/pci/drivers_probe", NIC);
	assert_holds(f, "/sys/bus/pci/devices/" NIC "/driver_override", "");
}

static void test_a_former_override_stands_again(void **state)
{
	const struct sysfix *f = *state;
	struct pw_err err = {0};
	struct pw_bind was;

	sysfix_write(f, "/sys/bus/pci/devices/" NIC "/driver_override", "ice");
	assert_int_equal(pw_bind_take(&f->root, NIC, "vfio-pci", &was, &err), -EIO);
	assert_string_equal(was.override, "ice");
	assert_holds(f, "/sys/bus/pci/devices/" NIC "/driver_override", "ice");
}

static void test_giving_back_writes_the_former_driver_and_takes_it_from_vfio(void **state)
{
	const struct sysfix *f = *state;
	struct pw_bind was = {.addr = NIC, .driver = "ice"};
	struct pw_err err = {0};

	sysfix_link(f, "/sys/bus/pci/devices/" NIC "/driver", "../../../bus/pci/drivers/vfio-pci");
	/* no driver takes the device here: the error reports that, and names the driver that has it */
	assert_int_equal(pw_bind_give_back(&f->root, &was, &err), -EIO);
	assert_non_null(
		strstr(err.msg, "to ice: the driver did not take it, it is bound to vfio-pci"));
	assert_holds(f, "/sys/bus/pci/drivers/vfio-pci/unbind", NIC);
	assert_holds(f, "/sys/bus/pci/drivers_probe", NIC);
}

static void test_a_device_that_the_driver_has_already_is_left_alone(void **state)
{
	const struct sysfix *f = *state;
	struct pw_err err = {0};
	struct pw_bind was;

	assert_int_equal(pw_bind_take(&f->root, NIC, "ice", &was, &err), 0);
	assert_int_equal(pw_bind_give_back(&f->root, &was, &err), 0);
	assert_holds(f, "/sys/bus/pci/drivers/ice/unbind", "");
	assert_holds(f, "/sys/bus/pci/drivers_probe", "");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_a_nic_alone_in_its_group_may_be_taken),
		TEST(test_a_driver_that_is_not_loaded_is_refused_and_named),
		TEST(test_a_device_that_is_not_there_is_refused),
		TEST(test_vfio_is_refused_without_a_group_and_another_driver_is_not),
		TEST(test_a_busy_mate_in_the_group_is_refused_and_named),
		TEST(test_all_busy_mates_are_named_ready_for_the_mend),
		TEST(test_more_mates_than_a_message_holds_are_cut_with_an_ellipsis),
		TEST(test_without_a_group_vfio_is_allowed_in_its_unsafe_mode),
		TEST(test_what_the_driver_does_not_take_is_put_back),
		TEST(test_a_former_override_stands_again),
		TEST(test_giving_back_writes_the_former_driver_and_takes_it_from_vfio),
		TEST(test_a_device_that_the_driver_has_already_is_left_alone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
