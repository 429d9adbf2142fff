/* SPDX-License-Identifier: BSD-3-Clause */
/* EAL's command line: nothing in it is cut, however long. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "dpdk/eal_private.h"

#define VDEV_BYTES 5000
#define N_RAW      200

static void a_list_of_scattered_cpus_is_whole(void **state)
{
	struct pw_eal_args a = {0};
	char *want = NULL;
	size_t len = 0;
	FILE *f = open_memstream(&want, &len);
	cpu_set_t set;
	int cpu;

	(void)state;
	CPU_ZERO(&set);
	fputs("--lcores=1@(", f);
	for (cpu = 1; cpu < CPU_SETSIZE; cpu += 3) { /* pairs: the longest text for their number */
		CPU_SET(cpu, &set);
		CPU_SET(cpu + 1, &set);
		fprintf(f, "%s%d-%d", cpu > 1 ? "," : "", cpu, cpu + 1);
	}
	fputs(")", f);
	fclose(f);
	pw_eal_args_add_lcores(&a, &set);
	assert_int_equal(a.n, 1);
	assert_string_equal(a.text[0], want);
	pw_eal_args_finish(&a);
	free(want);
}

/* The user's own arguments: many, and long ones. */
static void raw_arguments_are_whole_and_come_last(void **state)
{
	struct pw_portspec spec;
	struct pw_eal eal = {.node = -1};
	struct pw_eal_args a = {0};
	char *raw[N_RAW], vdev[VDEV_BYTES] = "--vdev=net_null7,";
	struct pw_dpdk_config cfg = {.set.port = "null",
		.set.mtu = 1500,
		.set.no_huge = true,
		.set.eal_argc = N_RAW,
		.set.eal_argv = raw};
	struct pw_err err = {0};
	int i;

	(void)state;
	memset(vdev + strlen(vdev), 'x', VDEV_BYTES - 1 - strlen(vdev));
	for (i = 0; i < N_RAW; i++)
		raw[i] = vdev;
	assert_int_equal(pw_portspec_parse(cfg.set.port, &spec, &err), 0);
	assert_int_equal(pw_eal_args_make(&a, &eal, &cfg, &spec, &err), 0);
	assert_in_range(a.n, N_RAW + 5, N_RAW + 20);
	assert_string_equal(a.argv[0], "pagewire");
	for (i = 0; i < N_RAW; i++)
		assert_string_equal(a.argv[a.n - 1 - i], vdev);
	assert_null(a.argv[a.n]);
	pw_eal_args_finish(&a);
}

static void cpus_that_the_process_may_not_use_are_named(void **state)
{
	struct pw_portspec spec;
	struct pw_eal eal = {.node = -1};
	struct pw_eal_args a = {0};
	struct pw_dpdk_config cfg = {.set.port = "null", .set.mtu = 1500, .set.no_huge = true};
	struct pw_err err = {0};

	(void)state;
	cfg.set.cores = "0-1023";
	assert_int_equal(pw_portspec_parse(cfg.set.port, &spec, &err), 0);
	assert_int_equal(pw_eal_args_make(&a, &eal, &cfg, &spec, &err), -EINVAL);
	assert_non_null(strstr(err.msg, "cannot use CPU "));
	assert_non_null(strstr(err.msg, "-1023 of --core"));
	pw_eal_args_finish(&a);
}

/* Newer EALs refuse an option that stands twice. */
static void an_option_that_the_user_gives_stands_once(void **state)
{
	static char options[][20] = {"--no-huge", "-m64", "--no-shconf", "--iova-mode=va",
		"--no-pci", "--no-telemetry", "--file-prefix=x", "--lcores=0"};
	char *raw[1];
	struct pw_dpdk_config cfg = {.set.port = "null",
		.set.mtu = 1500,
		.set.no_huge = true,
		.set.file_prefix = "y",
		.set.iova = PW_IOVA_PA,
		.set.eal_argc = 1,
		.set.eal_argv = raw};
	struct pw_portspec spec;
	struct pw_err err = {0};
	size_t i;
	int k, n;

	(void)state;
	assert_int_equal(pw_portspec_parse(cfg.set.port, &spec, &err), 0);
	for (i = 0; i < sizeof(options) / sizeof(options[0]); i++) {
		const size_t name_len = options[i][1] == '-' ? strcspn(options[i], "=") : 2;
		struct pw_eal eal = {.node = -1};
		struct pw_eal_args a = {0};

		raw[0] = options[i];
		assert_int_equal(pw_eal_args_make(&a, &eal, &cfg, &spec, &err), 0);
		for (k = n = 0; k < a.n; k++)
			n += !strncmp(a.argv[k], options[i], name_len);
		assert_int_equal(n, 1);
		assert_string_equal(a.argv[a.n - 1], options[i]);
		pw_eal_args_finish(&a);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_list_of_scattered_cpus_is_whole),
		cmocka_unit_test(raw_arguments_are_whole_and_come_last),
		cmocka_unit_test(an_option_that_the_user_gives_stands_once),
		cmocka_unit_test(cpus_that_the_process_may_not_use_are_named),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
