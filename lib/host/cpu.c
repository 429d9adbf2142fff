/* SPDX-License-Identifier: BSD-3-Clause */
/* Reads the CPUs of this host: lists of CPUs as text, their nodes, isolation and governors. */
#include "host/cpu.h"

#include <ctype.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#if defined(__x86_64__)
#include <cpuid.h>
#endif

#define LIST_BYTES 4096 /* 1024 CPUs, none beside another */

/* Reads a number and moves *s behind it. -1: no CPU. */
static int parse_cpu(const char **s)
{
	unsigned long v;
	char *end;

	if (!isdigit((unsigned char)**s))
		return -1;
	errno = 0;
	v = strtoul(*s, &end, 10);
	*s = end;
	return errno || v >= CPU_SETSIZE ? -1 : (int)v;
}

int pw_cpu_list_parse(const char *what, const char *s, cpu_set_t *set, struct pw_err *err)
{
	const char *p = s;

	CPU_ZERO(set);
	for (;;) {
		int first = parse_cpu(&p);
		int last = first;

		if (first >= 0 && *p == '-') {
			p++;
			last = parse_cpu(&p);
		}
		if (first < 0 || last < first || (*p != ',' && *p != '\0')) {
			CPU_ZERO(set);
			return pw_err_set(err, EINVAL,
				"read %s '%.80s': no list of CPUs below %d; write it like 2 or "
				"0-3,7",
				what, s, CPU_SETSIZE);
		}
		for (; first <= last; first++)
			CPU_SET(first, set);
		if (*p == '\0')
			return 0;
		p++;
	}
}

char *pw_cpu_list_format(const cpu_set_t *set, char *buf, size_t len)
{
	static const char more[] = ",...";
	size_t used = 0, whole = 0;
	int cpu, last;

	buf[0] = '\0';
	for (cpu = 0; cpu < CPU_SETSIZE; cpu = last + 1) {
		char item[32];
		int n;

		last = cpu;
		if (!CPU_ISSET(cpu, set))
			continue;
		while (last + 1 < CPU_SETSIZE && CPU_ISSET(last + 1, set))
			last++;
		n = snprintf(item, sizeof(item), last > cpu ? "%s%d-%d" : "%s%d", used ? "," : "",
			cpu, last);
		if (used + (size_t)n >= len) {
			if (len > sizeof(more))
				memcpy(buf + whole, more + !whole, sizeof(more) - !whole);
			break;
		}
		memcpy(buf + used, item, (size_t)n + 1);
		used += (size_t)n;
		if (used + sizeof(more) <= len)
			whole = used; /* up to here "..." fits behind it */
	}
	return buf;
}

static int read_list(const struct pw_sysroot *root, const char *path, cpu_set_t *set)
{
	char text[LIST_BYTES];
	int r = pw_sysfs_read(root, text, sizeof(text), "%s", path);

	CPU_ZERO(set);
	if (r < 0)
		return r;
	/* the text of an empty list depends on the kernel's version */
	if (text[0] == '\0' || strcmp(text, "(null)") == 0)
		return 0;
	return pw_cpu_list_parse(path, text, set, NULL);
}

int pw_cpu_online(const struct pw_sysroot *root, cpu_set_t *set)
{
	return read_list(root, "/sys/devices/system/cpu/online", set);
}

int pw_cpu_of_node(const struct pw_sysroot *root, int node, cpu_set_t *set)
{
	char path[64];

	snprintf(path, sizeof(path), "/sys/devices/system/node/node%d/cpulist", node);
	return read_list(root, path, set);
}

int pw_cpu_isolated(const struct pw_sysroot *root, cpu_set_t *set)
{
	return read_list(root, "/sys/devices/system/cpu/isolated", set);
}

static int is_node(void *ctx, const char *name)
{
	int node;

	(void)ctx;
	return sscanf(name, "node%d", &node) == 1 ? node + 1 : 0;
}

int pw_cpu_node(const struct pw_sysroot *root, int cpu)
{
	char path[64];
	int r;

	snprintf(path, sizeof(path), "/sys/devices/system/cpu/cpu%d", cpu);
	r = pw_sysfs_each_entry(root, path, is_node, NULL);
	return r > 0 ? r - 1 : -1;
}

int pw_cpu_governor(const struct pw_sysroot *root, int cpu, char *buf, size_t len)
{
	int r = pw_sysfs_read(
		root, buf, len, "/sys/devices/system/cpu/cpu%d/cpufreq/scaling_governor", cpu);

	return r < 0 ? r : 0;
}

void pw_cpu_hypervisor(char name[13])
{
	memset(name, 0, 13);
#if defined(__x86_64__)
	uint32_t a, words[3];

	__cpuid(0x40000000, a, words[0], words[1], words[2]);
	if (isprint((unsigned char)words[0]))
		memcpy(name, words, sizeof(words));
#endif
}

int pw_cpu_allowed(int node, cpu_set_t *set, struct pw_err *err)
{
	cpu_set_t near, both;

	CPU_ZERO(set);
	if (sched_getaffinity(0, sizeof(*set), set))
		return pw_err_sys(err, errno, "read the CPUs this process may run on");
	if (node < 0 || pw_cpu_of_node(NULL, node, &near))
		return 0;
	CPU_AND(&both, set, &near);
	if (CPU_COUNT(&both) > 0)
		*set = both;
	return 0;
}
