/* SPDX-License-Identifier: BSD-3-Clause */
#include "file/window.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/bytes.h"
#include "file/regfile.h"
#include "file/window_private.h"

static const char *const names[] = {
	[PW_PAGES_AUTO] = "auto",
	[PW_PAGES_HUGEFILE] = "hugefile",
	[PW_PAGES_PAGECACHE] = "pagecache",
	[PW_PAGES_STAGE] = "stage",
	[PW_PAGES_STREAM] = "stream",
};

const char *pw_pages_name(enum pw_pages p)
{
	return (size_t)p < PW_ARRAY_LEN(names) ? names[p] : "unknown";
}

bool pw_pages_parse(const char *s, enum pw_pages *p)
{
	size_t i;

	for (i = 0; i < PW_ARRAY_LEN(names); i++) {
		if (strcmp(s, names[i]) == 0) {
			*p = (enum pw_pages)i;
			return true;
		}
	}
	return false;
}

int pw_window_add_map(struct pw_window *w, const char *path, struct pw_err *err)
{
	w->extents = calloc(1, sizeof(*w->extents));
	if (!w->extents)
		return pw_err_sys(err, ENOMEM, "cannot map %s", path);
	w->extents[0] = (struct pw_extent){
		.va = w->map,
		.iova = PW_IOVA_NONE,
		.offset = 0,
		.len_bytes = w->len_bytes,
	};
	w->n_extents = 1;
	return 0;
}

int pw_window_check(const struct pw_window *w, const char *path, struct pw_err *err)
{
	struct stat st;

	/* A copy: later changes of the file do not reach it. */
	if (w->pages == PW_PAGES_STAGE)
		return 0;
	/* By descriptor: the file may have lost its name. */
	if (fstat(w->fd, &st) < 0)
		return pw_err_sys(err, errno, "cannot stat %s", path);
	if ((uint64_t)st.st_size != w->len_bytes)
		return pw_err_set(err, ESTALE,
			"cannot send %s: its size changed from %llu to %llu bytes; do not change "
			"it while it is sent, or send a copy (--pages stage)",
			path, (unsigned long long)w->len_bytes, (unsigned long long)st.st_size);
	if (pw_regfile_mtime_ns(&st) != w->mtime_ns)
		return pw_err_set(err, ESTALE,
			"cannot send %s: it was changed while it was sent; do not change it, or "
			"send a copy (--pages stage)",
			path);
	return 0;
}

void pw_window_close(struct pw_window *w)
{
	assert(w->n_out == 0);
	if (w->release)
		w->release(w);
	if (w->map)
		munmap(w->map, w->map_bytes);
	if (w->fd > STDERR_FILENO)
		close(w->fd);
	free(w->extents);
	*w = (struct pw_window){0};
}
