/* SPDX-License-Identifier: BSD-3-Clause */
/* Reads the pools of huge pages and the hugetlbfs mounts from /sys and /proc. */
#include "host/hugepages.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"

#define SIZES_DIR "/sys/kernel/mm/hugepages"
#define NODES_DIR "/sys/devices/system/node"

/* A walk over directories; dir is the present one. */
struct scan {
	const struct pw_sysroot *root;
	struct pw_hugepages *hp;
	const char *dir;
	int node;
};

/* "hugepages-2048kB"; 0 for anything else */
static uint64_t size_of_name(const char *name)
{
	unsigned long long kib;

	return sscanf(name, "hugepages-%llukB", &kib) == 1 ? (uint64_t)kib << 10 : 0;
}

static uint64_t number(const struct scan *s, const char *name, const char *what)
{
	long long v;

	if (pw_sysfs_read_number(s->root, &v, "%s/%s/%s", s->dir, name, what) || v < 0)
		return 0;
	return (uint64_t)v;
}

static int add_pool(void *ctx, const char *name)
{
	const struct scan *s = ctx;
	struct pw_hugepages *hp = s->hp;
	uint64_t page_bytes = size_of_name(name);

	if (!page_bytes || hp->n_pools == PW_HUGE_POOLS_MAX)
		return 0;
	hp->pools[hp->n_pools++] = (struct pw_hugepool){
		.node = s->node,
		.page_bytes = page_bytes,
		.n_total = number(s, name, "nr_hugepages"),
		.n_free = number(s, name, "free_hugepages"),
		.n_surplus = number(s, name, "surplus_hugepages"),
	};
	return 0;
}

static int add_node(void *ctx, const char *name)
{
	struct scan s = *(const struct scan *)ctx;
	char dir[64];

	if (sscanf(name, "node%d", &s.node) != 1)
		return 0;
	snprintf(dir, sizeof(dir), NODES_DIR "/node%d/hugepages", s.node);
	s.dir = dir;
	pw_sysfs_each_entry(s.root, dir, add_pool, &s);
	return 0;
}

static int add_size(void *ctx, const char *name)
{
	const struct scan *s = ctx;
	struct pw_hugepages *hp = s->hp;
	uint64_t page_bytes = size_of_name(name);

	if (!page_bytes || hp->n_sizes == PW_HUGE_SIZES_MAX)
		return 0;
	hp->sizes[hp->n_sizes++] = (struct pw_hugesize){
		.page_bytes = page_bytes,
		.n_reserved = number(s, name, "resv_hugepages"),
		.n_overcommit = number(s, name, "nr_overcommit_hugepages"),
	};
	return 0;
}

static int find_default(void *ctx, char *line)
{
	unsigned long long kib;

	if (sscanf(line, "Hugepagesize: %llu kB", &kib) != 1)
		return 0;
	*(uint64_t *)ctx = (uint64_t)kib << 10;
	return 1;
}

/* In /proc/self/mounts, spaces and backslashes are \ooo. */
static void unescape(char *s)
{
	char *to = s;

	while (*s) {
		if (s[0] == '\\' && s[1] >= '0' && s[1] <= '3' && s[2] >= '0' && s[2] <= '7' &&
			s[3] >= '0' && s[3] <= '7') {
			*to++ = (char)((s[1] - '0') << 6 | (s[2] - '0') << 3 | (s[3] - '0'));
			s += 4;
		} else {
			*to++ = *s++;
		}
	}
	*to = '\0';
}

/* "2M", "1024M", "1G": how mount options give a size */
static uint64_t option_size(const char *s)
{
	char *end;
	uint64_t v = strtoull(s, &end, 10);

	switch (*end) {
	case 'K':
	case 'k':
		return v << 10;
	case 'M':
	case 'm':
		return v << 20;
	case 'G':
	case 'g':
		return v << 30;
	default:
		return v;
	}
}

static int add_mount(void *ctx, char *line)
{
	struct pw_hugepages *hp = ctx;
	char *save, *opt;
	char *dev = strtok_r(line, " ", &save);
	char *dir = strtok_r(NULL, " ", &save);
	char *type = strtok_r(NULL, " ", &save);
	char *opts = strtok_r(NULL, " ", &save);
	struct pw_hugemount *m;

	if (!dev || !opts || strcmp(type, "hugetlbfs") != 0 || hp->n_mounts == PW_HUGE_MOUNTS_MAX)
		return 0;
	m = &hp->mounts[hp->n_mounts];
	*m = (struct pw_hugemount){.page_bytes = hp->default_page_bytes};
	unescape(dir);
	if (snprintf(m->dir, sizeof(m->dir), "%s", dir) >= (int)sizeof(m->dir))
		return 0;
	for (opt = strtok_r(opts, ",", &save); opt; opt = strtok_r(NULL, ",", &save)) {
		if (strcmp(opt, "ro") == 0)
			m->read_only = true;
		else if (strncmp(opt, "pagesize=", 9) == 0)
			m->page_bytes = option_size(opt + 9);
		else if (strncmp(opt, "size=", 5) == 0)
			m->limit_bytes = option_size(opt + 5);
	}
	hp->n_mounts++;
	return 0;
}

int pw_hugepages_read(const struct pw_sysroot *root, struct pw_hugepages *hp, struct pw_err *err)
{
	struct scan s = {.root = root, .hp = hp, .dir = SIZES_DIR, .node = -1};

	memset(hp, 0, sizeof(*hp));
	pw_sysfs_each_entry(root, SIZES_DIR, add_size, &s);
	if (hp->n_sizes == 0)
		return pw_err_set(err, ENOTSUP,
			"cannot read %s: this kernel has no huge pages; use --no-huge", SIZES_DIR);
	pw_sysfs_each_entry(root, NODES_DIR, add_node, &s);
	if (hp->n_pools == 0)
		pw_sysfs_each_entry(root, SIZES_DIR, add_pool, &s);
	pw_sysfs_each_line(root, "/proc/meminfo", find_default, &hp->default_page_bytes);
	if (hp->default_page_bytes == 0)
		hp->default_page_bytes = hp->sizes[0].page_bytes;
	pw_sysfs_each_line(root, "/proc/self/mounts", add_mount, hp);
	return 0;
}

static uint64_t reserved(const struct pw_hugepages *hp, uint64_t page_bytes)
{
	unsigned int i;

	for (i = 0; i < hp->n_sizes; i++)
		if (hp->sizes[i].page_bytes == page_bytes)
			return hp->sizes[i].n_reserved;
	return 0;
}

uint64_t pw_hugepages_total(const struct pw_hugepages *hp, uint64_t page_bytes, int node)
{
	uint64_t n = 0;
	unsigned int i;

	for (i = 0; i < hp->n_pools; i++)
		if (hp->pools[i].page_bytes == page_bytes &&
			(node < 0 || hp->pools[i].node == node || hp->pools[i].node < 0))
			n += hp->pools[i].n_total;
	return n;
}

uint64_t pw_hugepages_free(const struct pw_hugepages *hp, uint64_t page_bytes, int node)
{
	uint64_t all = 0, here = 0, taken = reserved(hp, page_bytes);
	unsigned int i;

	for (i = 0; i < hp->n_pools; i++) {
		const struct pw_hugepool *p = &hp->pools[i];

		if (p->page_bytes != page_bytes)
			continue;
		all += p->n_free;
		if (node < 0 || p->node == node || p->node < 0)
			here += p->n_free;
	}
	return pw_min_u64(here, all > taken ? all - taken : 0);
}

uint64_t pw_hugepages_free_bytes(const struct pw_hugepages *hp)
{
	uint64_t bytes = 0;
	unsigned int i;

	for (i = 0; i < hp->n_sizes; i++)
		bytes += pw_hugepages_free(hp, hp->sizes[i].page_bytes, -1) *
			 hp->sizes[i].page_bytes;
	return bytes;
}
