/* SPDX-License-Identifier: BSD-3-Clause */
/* pagewire bench --list: the ways, the wires of each, and the profiles. */
#include <stdio.h>

#include "app/cmd_bench.h"
#include "bench/profiles.h"
#include "bench/way.h"

int pw_bench_list(void)
{
	struct pw_bench_way ways[PW_BENCH_WAYS_MAX];
	size_t n = pw_bench_ways(ways), i;
	int k;

	for (i = 0; i < n; i++) {
		printf("%-24s %s\n%24s wires:", ways[i].label, ways[i].summary, "");
		for (k = 0; k < PW_WIRE_N; k++)
			if (ways[i].wires & 1u << k)
				printf(" %s", pw_wire_name((enum pw_wire_kind)k));
		putchar('\n');
	}
	puts("\nprofiles:");
	for (i = 0; pw_profiles[i]; i++)
		printf("%-24s %s\n", pw_profiles[i]->name, pw_profiles[i]->summary);
	return PW_EXIT_OK;
}
