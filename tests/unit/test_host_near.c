/* SPDX-License-Identifier: BSD-3-Clause */
/* What lies far from a port, on a host of two nodes that is not there; memory is this host's. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "host/near.h"
#include "host/numa.h"
#include "sysfix.h"

#define BYTES (1u << 20)

struct two_nodes {
	struct sysfix fix;
	struct pw_log log;
	char said[2048];
	unsigned int n_said;
};

static void hear(void *ctx, enum pw_log_level level, const char *line)
{
	struct two_nodes *t = ctx;

	assert_int_equal(level, PW_LOG_WARN);
	snprintf(t->said, sizeof(t->said), "%s", line);
	t->n_said++;
}

static int setup(void **state)
{
	struct two_nodes *t = calloc(1, sizeof(*t));

	assert_non_null(t);
	sysfix_make(&t->fix);
	sysfix_write(&t->fix, "/sys/devices/system/node/node0/cpulist", "0-3");
	sysfix_write(&t->fix, "/sys/devices/system/node/node1/cpulist", "4-7");
	t->log = (struct pw_log){.level = PW_LOG_INFO, .sink = hear, .ctx = t};
	*state = t;
	return 0;
}

static int teardown(void **state)
{
	struct two_nodes *t = *state;

	sysfix_drop(&t->fix);
	free(t);
	return 0;
}

static struct pw_near at(struct two_nodes *t, int node)
{
	struct pw_near n;

	pw_near_init(&n, &t->fix.root, &t->log, "0000:3b:00.0", node);
	return n;
}

static cpu_set_t cpus(unsigned int first, unsigned int last)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	for (; first <= last; first++)
		CPU_SET(first, &set);
	return set;
}

static void far_cpus_are_named_with_the_near_ones(void **state)
{
	struct two_nodes *t = *state;
	struct pw_near n = at(t, 1);
	cpu_set_t all_near = cpus(4, 7), some_far = cpus(2, 5);

	pw_near_cpus(&n, &all_near);
	assert_int_equal(t->n_said, 0);
	pw_near_cpus(&n, &some_far);
	assert_int_equal(t->n_said, 1);
	assert_non_null(strstr(t->said, "0000:3b:00.0 is on NUMA node 1"));
	assert_non_null(strstr(t->said, "(2-3)"));
	assert_non_null(strstr(t->said, "4-7"));
	assert_non_null(strstr(t->said, "interconnect"));
}

static void nothing_is_far_without_a_node_or_with_one_alone(void **state)
{
	struct two_nodes *t = *state;
	struct pw_near none = at(t, -1), n;
	cpu_set_t all = cpus(0, 7);
	struct sysfix one;

	pw_near_cpus(&none, &all);
	sysfix_make(&one);
	sysfix_write(&one, "/sys/devices/system/node/node0/cpulist", "0-3");
	pw_near_init(&n, &one.root, &t->log, "0000:3b:00.0", 0);
	pw_near_cpus(&n, &all);
	pw_near_memory(&n, t, sizeof(*t));
	sysfix_drop(&one);
	assert_int_equal(t->n_said, 0);
}

/* The node of this memory, all of which is present; none: the kernel does not report it. */
static int node_of(const void *p)
{
	unsigned int counts[64];
	int i;

	if (pw_numa_of_memory(p, BYTES, counts, 64))
		skip();
	for (i = 0; i < 64; i++)
		if (counts[i] == PW_NUMA_SAMPLES)
			return i;
	skip(); /* a host that spreads it */
	return -1;
}

static void *map(void)
{
	void *p = mmap(NULL, BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	assert_ptr_not_equal(p, MAP_FAILED);
	return p;
}

static void far_pages_are_counted_and_told_once(void **state)
{
	struct two_nodes *t = *state;
	uint8_t *p = map();
	struct pw_near near, far;
	int node;

	memset(p, 1, BYTES);
	node = node_of(p);
	if (node > 1)
		skip();
	near = at(t, node);
	far = at(t, !node);
	pw_near_memory(&near, p, BYTES);
	pw_near_file(&near, p, BYTES);
	assert_int_equal(t->n_said, 0);
	pw_near_file(&far, p, BYTES);
	assert_int_equal(t->n_said, 1);
	assert_non_null(strstr(t->said, "32 of 32 pages looked at of a file"));
	assert_non_null(strstr(t->said, "every byte"));
	assert_non_null(strstr(t->said, node ? "--membind=0" : "--membind=1"));
	pw_near_file(&far, p, BYTES);
	assert_int_equal(t->n_said, 1);
	pw_near_memory(&far, p, BYTES);
	assert_int_equal(t->n_said, 2);
	assert_non_null(strstr(t->said, "EAL's memory"));
	munmap(p, BYTES);
}

/* Of a file that is not in memory yet, nothing is known, and it stays where it is. */
static void pages_that_are_not_there_are_not_counted(void **state)
{
	struct two_nodes *t = *state;
	uint8_t *p = map();
	struct pw_near n = at(t, 1), m = at(t, 0);
	unsigned int counts[64];

	pw_near_file(&n, p, BYTES);
	pw_near_file(&m, p, BYTES);
	assert_int_equal(t->n_said, 0);
	p[BYTES / 2] = 1;
	if (pw_numa_of_memory(p + BYTES / 2, 1, counts, 64))
		skip();
	assert_int_equal(counts[0] + counts[1], 1);
	assert_int_equal(pw_numa_of_memory(p, BYTES, counts, 64), 0);
	assert_true(counts[0] + counts[1] <= 1);
	munmap(p, BYTES);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(far_cpus_are_named_with_the_near_ones),
		TEST(nothing_is_far_without_a_node_or_with_one_alone),
		TEST(far_pages_are_counted_and_told_once),
		TEST(pages_that_are_not_there_are_not_counted),
	};

	return cmocka_run_group_tests_name("sys_near", tests, NULL, NULL);
}
