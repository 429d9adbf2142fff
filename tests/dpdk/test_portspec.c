/* SPDX-License-Identifier: BSD-3-Clause */
/* How a PORT is parsed, and the devargs that DPDK gets for it. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "dpdk/portspec.h"

static void check_devargs(const char *port, const char *devargs)
{
	struct pw_portspec spec;
	struct pw_err err = {0};
	char buf[PW_DEVARGS_MAX];

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

static void test_queues_are_asked_of_the_driver(void **state)
{
	static const char *const want[][2] = {
		{"vhost:/w", "net_vhost0,iface=/w,queues=4"},
		{"virtio-user:/w", "net_virtio_user0,path=/w,queues=4,queue_size=1024"},
		{"af_xdp:x", "net_af_xdp0,iface=x,start_queue=0,queue_count=4"},
		{"af_packet:x", "net_af_packet0,iface=x,blocksz=4096,framesz=2048,framecnt=512,"
				"qpairs=4"},
	};
	struct pw_portspec spec;
	char buf[PW_DEVARGS_MAX];
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(want) / sizeof(want[0]); i++) {
		assert_int_equal(pw_portspec_parse(want[i][0], &spec, NULL), 0);
		assert_int_equal(
			pw_portspec_devargs(&spec, 0, true, 1518, 0, 4, buf, sizeof(buf), NULL), 0);
		assert_string_equal(buf, want[i][1]);
	}
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

/* Drivers cut longer names silently. */
static void test_names_that_a_driver_would_cut_are_refused(void **state)
{
	static const struct {
		const char *prefix;
		size_t max; /* bytes that may follow */
		const char *limit;
	} cases[] = {
		{.prefix = "tap:", .max = 15, .limit = "at most 15 bytes"},
		{.prefix = "af_packet:", .max = 15, .limit = "at most 15 bytes"},
		{.prefix = "af_xdp:", .max = 15, .limit = "at most 15 bytes"},
		{.prefix = "vhost:", .max = 107, .limit = "at most 107 bytes"},
		{.prefix = "memif:", .max = 107, .limit = "at most 107 bytes"},
		{.prefix = "net_", .max = 59, .limit = "at most 63 bytes"},
		{.prefix = "pcap:", .max = 250, .limit = "more than 255 bytes"},
		{.prefix = "net_null0,", .max = 245, .limit = "more than 255 bytes"},
	};
	char port[2 * PW_PORT_MAX], buf[PW_DEVARGS_MAX];
	struct pw_portspec spec;
	struct pw_err err;
	size_t i, len;

	(void)state;
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		len = strlen(cases[i].prefix) + cases[i].max;
		strcpy(port, cases[i].prefix);
		memset(port + strlen(port), 'x', sizeof(port) - strlen(port));
		port[len] = '\0';
		assert_int_equal(pw_portspec_parse(port, &spec, &err), 0);
		assert_int_equal(
			pw_portspec_devargs(&spec, 0, true, 1518, 0, 1, buf, sizeof(buf), &err), 0);
		assert_non_null(strstr(buf, spec.target));
		port[len] = 'x';
		port[len + 1] = '\0';
		memset(&err, 0, sizeof(err));
		assert_true(pw_portspec_parse(port, &spec, &err) < 0);
		assert_non_null(strstr(err.msg, cases[i].limit));
	}
}

/* "| `net_vmxnet3` | VMware | 16 | plain mbufs | ..." */
static void test_docs_nics_has_the_mbufs_that_each_driver_gets(void **state)
{
	const char *source = getenv("PW_SOURCE_ROOT");
	char path[600], line[512], driver[64], mbufs[64];
	unsigned int n_plain = 0, n = 0;
	FILE *doc;

	(void)state;
	if (!source)
		skip();
	snprintf(path, sizeof(path), "%s/docs/nics.md", source);
	doc = fopen(path, "r");
	assert_non_null(doc);
	while (fgets(line, sizeof(line), doc)) {
		const struct pw_driver_traits *traits;
		bool plain;

		if (sscanf(line, "| `%63[^`]` | %*[^|]| %*[^|]| %63[^|]|", driver, mbufs) != 2)
			continue;
		plain = strcmp(mbufs, "plain mbufs ") == 0;
		traits = pw_driver_traits(driver, true, NULL);
		if (traits->plain_free != plain || traits->reach != PW_REACH_DMA)
			fail_msg("docs/nics.md says of %s: %s", driver, mbufs);
		n_plain += plain;
		n++;
	}
	fclose(doc);
	assert_int_equal(n, 14);
	assert_int_equal(n_plain, 3);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_vhost_of_a_guest_with_an_iommu),
		cmocka_unit_test(test_queues_are_asked_of_the_driver),
		cmocka_unit_test(test_names_that_a_driver_would_cut_are_refused),
		cmocka_unit_test(test_other_options_behind_a_path_are_refused),
		cmocka_unit_test(test_docs_nics_has_the_mbufs_that_each_driver_gets),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
