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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_list_of_scattered_cpus_is_whole),
		cmocka_unit_test(raw_arguments_are_whole_and_come_last),
		cmocka_unit_test(cpus_that_the_process_may_not_use_are_named),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
