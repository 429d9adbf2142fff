/* SPDX-License-Identifier: BSD-3-Clause */
/* What the tests of lib/file share: files with known content, and a private hugetlbfs. */
#ifndef PW_TESTS_FILE_UTIL_H
#define PW_TESTS_FILE_UTIL_H

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#define HUGE_BYTES (2ull << 20)
#define POOL       "/sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages"

struct page_dirs {
	char tmp[64];   /* an ordinary directory, open to all */
	char huge[96];  /* a hugetlbfs of our own, in a mount namespace of our own */
	bool have_huge; /* else why_not has the reason */
	const char *why_not;
	long added; /* huge pages to give back */
};

/* A byte that depends on every part of its offset. */
static inline uint8_t pattern(uint64_t i)
{
	return (uint8_t)((i * 0x9e3779b97f4a7c15ull) >> 56);
}

static inline void fill_pattern(uint8_t *p, uint64_t offset, uint64_t len)
{
	uint64_t i;

	for (i = 0; i < len; i++)
		p[i] = pattern(offset + i);
}

static inline void assert_pattern(const uint8_t *p, uint64_t offset, uint64_t len)
{
	uint64_t i;

	for (i = 0; i < len; i++)
		if (p[i] != pattern(offset + i))
			fail_msg("byte %llu is %u, not %u", (unsigned long long)(offset + i), p[i],
				pattern(offset + i));
}

/* Other processes move the pool as well: change it by a difference, under a lock among tests. */
static inline long pool_add(long n)
{
	char text[32] = "";
	long before, after;
	int fd = open(POOL, O_RDWR | O_CLOEXEC);

	if (fd < 0)
		return 0;
	flock(fd, LOCK_EX);
	if (pread(fd, text, sizeof(text) - 1, 0) <= 0)
		goto close_fd;
	before = strtol(text, NULL, 10);
	snprintf(text, sizeof(text), "%ld", before + n);
	if (pwrite(fd, text, strlen(text), 0) < 0)
		goto close_fd;
	memset(text, 0, sizeof(text));
	if (pread(fd, text, sizeof(text) - 1, 0) <= 0)
		goto close_fd;
	after = strtol(text, NULL, 10);
	close(fd);
	return after - before;

close_fd:
	close(fd);
	return 0;
}

/* min_size reserves the pages for this mount; size prevents that it takes more. */
static inline const char *mount_huge(struct page_dirs *d, long pages)
{
	char options[96];

	if (unshare(CLONE_NEWNS) < 0)
		return "no mount namespace (not root)";
	if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		return "mounts cannot be made private";
	snprintf(d->huge, sizeof(d->huge), "%s/huge", d->tmp);
	mkdir(d->huge, 0700);
	snprintf(options, sizeof(options), "pagesize=2M,size=%ldM,min_size=%ldM", 2 * pages,
		2 * pages);
	d->added = pool_add(pages);
	if (d->added == pages && mount("none", d->huge, "hugetlbfs", 0, options) == 0)
		return NULL;
	pool_add(-d->added);
	d->added = 0;
	return "no huge pages of 2 MiB, or no hugetlbfs";
}

static inline void dirs_make(struct page_dirs *d, long pages)
{
	*d = (struct page_dirs){.tmp = "/var/tmp/pagewire-test-XXXXXX"};
	if (!mkdtemp(d->tmp)) {
		fprintf(stderr, "mkdtemp %s: %s\n", d->tmp, strerror(errno));
		exit(1);
	}
	chmod(d->tmp, 0755);
	d->why_not = mount_huge(d, pages);
	d->have_huge = !d->why_not;
}

static inline int remove_one(const char *path, const struct stat *st, int kind, struct FTW *ftw)
{
	(void)st;
	(void)kind;
	(void)ftw;
	return remove(path);
}

static inline void dirs_drop(struct page_dirs *d)
{
	if (d->have_huge) {
		umount2(d->huge, MNT_DETACH);
		pool_add(-d->added);
	}
	nftw(d->tmp, remove_one, 16, FTW_DEPTH | FTW_PHYS | FTW_MOUNT);
}

static inline void need_huge(const struct page_dirs *d)
{
	if (!d->have_huge) {
		print_message("# skipped: %s\n", d->why_not);
		skip();
	}
}

static inline char *path_in(char *buf, size_t len, const char *dir, const char *name)
{
	snprintf(buf, len, "%s/%s", dir, name);
	return buf;
}

/* An ordinary file of len bytes of the pattern. */
static inline void make_file(const char *path, uint64_t len)
{
	uint8_t *p = malloc(len + 1);
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	uint64_t done = 0;
	ssize_t n;

	assert_non_null(p);
	assert_true(fd >= 0);
	fill_pattern(p, 0, len);
	while (done < len) {
		n = write(fd, p + done, len - done);
		assert_true(n > 0);
		done += (uint64_t)n;
	}
	close(fd);
	free(p);
}

#endif
