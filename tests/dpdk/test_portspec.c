/* SPDX-License-Identifier: BSD-3-Clause */
/* What a PORT becomes. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "dpdk/portspec.h"

static void check_devargs(const char *port, const char *devargs)
{
	struct pw_portspec spec;
	struct pw_err err = {0};
	char buf[PW_PORT_MAX + 128];

	assert_int_equal(pw_portspec_parse(port, &spec, &err), 0);
	assert_int_equal(
		pw_portspec_devargs(&spec, 0, true, 1518, 0, 1, buf, sizeof(buf), &err), 0);
	assert_string_equal(buf, devargs);
	assert_string_equal(spec.text, port);
}

static void test_vhost_of_a_guest_with_an_iommu(void **state)
{
	struct pw_portspec spec;

	(void)state;
	check_devargs("vhost:/run/w.sock", "net_vhost0,iface=/run/w.sock,queues=1");
	check_devargs("vhost:/run/w.sock,iommu=1",
		"net_vhost0,iface=/run/w.sock,queues=1,iommu-support=1");
	assert_int_equal(pw_portspec_parse("vhost:/run/w.sock,iommu=1", &spec, NULL), 0);
	assert_string_equal(spec.target, "/run/w.sock"); /* the path of the socket, to look at */
}

static void test_other_options_behind_a_path_are_refused(void **state)
{
	static const char *const ports[] = {"vhost:/w.sock,iommu=2", "vhost:,iommu=1",
		"vhost:/w.sock,iommu=1,queues=2", "virtio-user:/w.sock,iommu=1",
		"memif:/w,iommu=1"};
	struct pw_portspec spec;
	struct pw_err err;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(ports) / sizeof(ports[0]); i++) {
		memset(&err, 0, sizeof(err));
		assert_int_equal(pw_portspec_parse(ports[i], &spec, &err), -EINVAL);
		assert_non_null(strstr(err.msg, "--port"));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_vhost_of_a_guest_with_an_iommu),
		cmocka_unit_test(test_other_options_behind_a_path_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
