/* SPDX-License-Identifier: BSD-3-Clause */
/* Reads /proc/net/snmp, snmp6 and softnet_stat. */
#include "host/udploss.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct counters {
	struct pw_udploss *loss;
	char names[512]; /* the line of names, until that of the values comes */
};

static void note(struct pw_udploss *loss, const char *name, uint64_t value)
{
	if (strcmp(name, "InDatagrams") == 0)
		loss->received = value;
	else if (strcmp(name, "RcvbufErrors") == 0)
		loss->no_buffer = value;
}

/* "Udp: InDatagrams NoPorts ..." and then "Udp: 8123 0 ..." */
static int read_snmp(void *ctx, char *line)
{
	struct counters *c = ctx;
	char *names = NULL, *values = NULL, *name, *value;

	if (strncmp(line, "Udp: ", 5) != 0)
		return 0;
	if (!c->names[0]) {
		snprintf(c->names, sizeof(c->names), "%s", line + 5);
		return 0;
	}
	name = strtok_r(c->names, " ", &names);
	value = strtok_r(line + 5, " ", &values);
	for (; name && value;
		name = strtok_r(NULL, " ", &names), value = strtok_r(NULL, " ", &values))
		note(c->loss, name, strtoull(value, NULL, 10));
	return 1;
}

/* "Udp6RcvbufErrors                	0" */
static int read_snmp6(void *ctx, char *line)
{
	char name[64];
	uint64_t value;

	if (sscanf(line, "Udp6%63s %" SCNu64, name, &value) == 2)
		note(((struct counters *)ctx)->loss, name, value);
	return 0;
}

/* A line of hexadecimal numbers for each CPU; the second one counts what was dropped. */
static int read_softnet(void *ctx, char *line)
{
	uint32_t dropped;

	if (sscanf(line, "%*x %" SCNx32, &dropped) == 1)
		((struct counters *)ctx)->loss->backlog += dropped;
	return 0;
}

void pw_udploss_read(const struct pw_sysroot *root, unsigned int family, struct pw_udploss *loss)
{
	struct counters c = {.loss = loss};

	*loss = (struct pw_udploss){0};
	if (family == 4)
		pw_sysfs_each_line(root, "/proc/self/net/snmp", read_snmp, &c);
	else
		pw_sysfs_each_line(root, "/proc/self/net/snmp6", read_snmp6, &c);
	pw_sysfs_each_line(root, "/proc/self/net/softnet_stat", read_softnet, &c);
}
