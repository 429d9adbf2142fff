/* SPDX-License-Identifier: BSD-3-Clause */
/* The pagecache provider: maps any regular file to send it in place, from the page cache. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/bytes.h"
#include "file/regfile.h"
#include "file/window_private.h"

/* 0 when /proc/meminfo does not contain it. */
static uint64_t available_bytes(void)
{
	char line[128];
	unsigned long long kib = 0;
	FILE *f = fopen("/proc/meminfo", "re");
	int i;

	if (!f)
		return 0;
	for (i = 0; i < 64 && fgets(line, sizeof(line), f); i++)
		if (sscanf(line, "MemAvailable: %llu kB", &kib) == 1)
			break;
	fclose(f);
	return (uint64_t)kib * 1024;
}

bool pw_pagecache_holds(uint64_t len_bytes)
{
	return len_bytes <= available_bytes() / 2;
}

int pw_window_populate(
	struct pw_window *w, uint64_t offset, uint64_t len, const char *path, struct pw_err *err)
{
	uint64_t end = pw_min_u64(pw_align_up(offset + len, w->page_bytes), w->map_bytes);
	int ret = pw_regfile_populate((uint8_t *)w->map + offset, end - offset);

	if (ret == 0)
		return 0;
	if (ret == -EFAULT)
		return pw_err_set(err, EIO,
			"cannot map %s: a page cannot be read, the disk is bad or another process "
			"truncated it; send a copy of the file",
			path);
	return pw_err_sys(err, -ret, "cannot read %s into memory", path);
}

/* Huge pages are populated now. Other pages are populated shortly before they are sent, unless the file is so large
 * that its end would evict its beginning. */
static int bring_in(struct pw_window *w, const char *path, bool huge, struct pw_err *err)
{
	if (huge)
		return pw_window_populate(w, 0, w->map_bytes, path, err);
	w->populate = pw_pagecache_holds(w->map_bytes);
	if (!w->populate)
		madvise(w->map, w->map_bytes, MADV_SEQUENTIAL);
	return 0;
}

int pw_pagecache_open(struct pw_window *w, const char *path, void *va_hint, struct pw_err *err)
{
	struct pw_regfile f;
	int ret;

	*w = (struct pw_window){0};
	ret = pw_regfile_open(&f, path, O_RDONLY, "map", err);
	if (ret < 0)
		return ret;
	w->pages = PW_PAGES_PAGECACHE;
	w->fd = f.fd;
	w->len_bytes = f.len_bytes;
	w->mtime_ns = f.mtime_ns;
	w->page_bytes = f.huge_page_bytes ? f.huge_page_bytes : (uint64_t)sysconf(_SC_PAGESIZE);
	if (w->len_bytes == 0)
		return 0;
	w->map_bytes = pw_align_up(w->len_bytes, w->page_bytes);
	w->map =
		pw_regfile_mmap(va_hint, w->map_bytes, w->page_bytes, PROT_READ, MAP_SHARED, w->fd);
	if (w->map == MAP_FAILED) {
		w->map = NULL;
		ret = f.huge_page_bytes && errno == ENOMEM
			      ? pw_err_set(err, ENOMEM,
					"cannot map %s: it has holes, and too few huge pages are "
					"free to fill them; add some (pagewire doctor: "
					"hugepages.free)",
					path)
			      : pw_err_sys(err, errno, "cannot map %s (try --pages stage)", path);
		goto close_window;
	}
	ret = bring_in(w, path, f.huge_page_bytes != 0, err);
	if (ret == 0)
		ret = pw_window_add_map(w, path, err);
	if (ret == 0)
		return 0;

close_window:
	pw_window_close(w);
	return ret;
}
