/* SPDX-License-Identifier: BSD-3-Clause */
/* The stage provider: reads a whole file into borrowed memory. Each allocation is one extent of the window. */
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/units.h"
#include "file/filereader.h"
#include "file/regfile.h"
#include "file/window.h"

/* The smallest extent. Staging fails when no allocation of this size is left: still smaller extents would cost more
 * than they save. */
#define FLOOR_BYTES (1u << 20)

struct extents {
	uint64_t unit_bytes; /* an extent is a multiple of it, except for the file's last */
	uint64_t floor_bytes;
	uint64_t next_bytes; /* size to try next; never grows */
	uint32_t room;       /* of w->extents */
};

static uint64_t gcd(uint64_t a, uint64_t b)
{
	while (b) {
		uint64_t t = a % b;

		a = b;
		b = t;
	}
	return a;
}

/* Symbols should not cross extents, and O_DIRECT needs whole blocks. If no multiple of both (unit) fits into an
 * allocation, extents are whole blocks: a symbol that crosses then costs one more segment. */
static int plan(
	struct extents *x, uint64_t unit, uint64_t max_bytes, const char *path, struct pw_err *err)
{
	const uint64_t align = PW_FILEREADER_ALIGN;

	if (max_bytes < align)
		return pw_err_set(err, EINVAL,
			"cannot stage %s: memory comes in pieces of %llu bytes, which is less than "
			"a page",
			path, (unsigned long long)max_bytes);
	x->unit_bytes = unit <= max_bytes ? unit : align;
	x->next_bytes = pw_align_down(max_bytes, x->unit_bytes);
	x->floor_bytes = pw_min_u64(pw_align_up(FLOOR_BYTES, x->unit_bytes), x->next_bytes);
	return 0;
}

static int add_extent(
	struct pw_window *w, struct extents *x, void *va, uint64_t offset, uint64_t len_bytes)
{
	struct pw_extent *extents;

	if (w->n_extents == x->room) {
		uint32_t room = x->room ? x->room * 2 : 16;

		if (room < x->room)
			return -ENOMEM;
		extents = realloc(w->extents, room * sizeof(*extents));
		if (!extents)
			return -ENOMEM;
		w->extents = extents;
		x->room = room;
	}
	w->extents[w->n_extents++] = (struct pw_extent){
		.va = va,
		.iova = PW_IOVA_NONE,
		.offset = offset,
		.len_bytes = len_bytes,
	};
	return 0;
}

/* The largest allocation possible for the rest of the file, or NULL. */
static void *take_extent(
	struct extents *x, const struct pw_stage_mem *mem, uint64_t left, uint64_t *len_bytes)
{
	void *va;

	for (;;) {
		*len_bytes = pw_min_u64(left, x->next_bytes);
		va = mem->alloc(mem->ctx, pw_align_up(*len_bytes, PW_FILEREADER_ALIGN),
			PW_FILEREADER_ALIGN);
		if (va || *len_bytes < x->floor_bytes || x->next_bytes <= x->floor_bytes)
			return va;
		x->next_bytes = pw_align_down(pw_min_u64(x->next_bytes, left) / 2, x->unit_bytes);
		x->next_bytes = pw_max_u64(x->next_bytes, x->floor_bytes);
	}
}

/* Allocates all memory before anything is read: a file that does not fit fails early. */
static int take_memory(struct pw_window *w, struct extents *x, const struct pw_stage_mem *mem,
	const char *path, struct pw_err *err)
{
	uint64_t offset, len_bytes;
	char need[32], missing[32];
	void *va;

	for (offset = 0; offset < w->len_bytes; offset += len_bytes) {
		va = take_extent(x, mem, w->len_bytes - offset, &len_bytes);
		if (!va)
			return pw_err_set(err, ENOMEM,
				"cannot stage %s: no memory is left for %s of its %s; raise "
				"--memory or add huge pages (pagewire doctor: hugepages.free)",
				path,
				pw_units_size(missing, sizeof(missing), w->len_bytes - offset),
				pw_units_size(need, sizeof(need), w->len_bytes));
		if (add_extent(w, x, va, offset, len_bytes) < 0) {
			mem->free(mem->ctx, va);
			return pw_err_sys(
				err, ENOMEM, "cannot stage %s: allocate its list of extents", path);
		}
		w->map_bytes += pw_align_up(len_bytes, PW_FILEREADER_ALIGN);
	}
	return 0;
}

static int read_extents(struct pw_window *w, struct pw_filereader *in, struct pw_err *err)
{
	uint32_t i;
	int ret;

	for (i = 0; i < w->n_extents; i++) {
		const struct pw_extent *extent = &w->extents[i];

		ret = pw_filereader_read(
			in, extent->offset, (void *)(uintptr_t)extent->va, extent->len_bytes, err);
		if (ret < 0)
			return ret;
	}
	return pw_filereader_check_unchanged(in, err);
}

/* Gives the extents back to the memory that they were taken from. */
static void release(struct pw_window *w)
{
	struct pw_stage_mem *mem = w->priv;
	uint32_t i;

	for (i = 0; mem && i < w->n_extents; i++)
		mem->free(mem->ctx, (void *)(uintptr_t)w->extents[i].va);
	free(mem);
}

static void fill_window(struct pw_window *w, uint64_t len_bytes, struct pw_stage_mem *mem)
{
	w->pages = PW_PAGES_STAGE;
	w->len_bytes = len_bytes;
	w->page_bytes = mem->page_bytes ? mem->page_bytes : PW_FILEREADER_ALIGN;
	w->writable = true;
	w->priv = mem;
	w->release = release;
}

int pw_stage_alloc(struct pw_window *w, uint64_t len_bytes, uint32_t unit_bytes,
	const struct pw_stage_mem *mem, const char *path, struct pw_err *err)
{
	struct extents x = {0};
	struct pw_stage_mem *kept;
	int ret = plan(&x, unit_bytes, mem->max_extent_bytes, path, err);

	*w = (struct pw_window){0};
	if (ret < 0)
		return ret;
	kept = malloc(sizeof(*kept));
	if (!kept)
		return pw_err_sys(err, ENOMEM, "cannot stage %s", path);
	*kept = *mem;
	fill_window(w, len_bytes, kept);
	ret = take_memory(w, &x, mem, path, err);
	if (ret < 0)
		pw_window_close(w);
	return ret;
}

int pw_stage_open(struct pw_window *w, const char *path, uint32_t symbol_len,
	const struct pw_stage_mem *mem, bool (*progress)(void *ctx, uint64_t done, uint64_t total),
	void *progress_ctx, struct pw_err *err)
{
	struct extents x = {0};
	struct pw_filereader in;
	struct pw_stage_mem *kept;
	int ret;

	*w = (struct pw_window){0};
	if (symbol_len == 0)
		return pw_err_set(err, EINVAL, "cannot stage %s: symbol length is 0", path);
	ret = plan(&x, symbol_len / gcd(symbol_len, PW_FILEREADER_ALIGN) * PW_FILEREADER_ALIGN,
		mem->max_extent_bytes, path, err);
	if (ret < 0)
		return ret;
	kept = malloc(sizeof(*kept));
	if (!kept)
		return pw_err_sys(err, ENOMEM, "cannot stage %s", path);
	*kept = *mem;
	ret = pw_filereader_open(&in, path, "stage", err);
	if (ret < 0) {
		free(kept);
		return ret;
	}
	in.progress = progress;
	in.progress_ctx = progress_ctx;
	fill_window(w, in.len_bytes, kept);
	w->mtime_ns = pw_regfile_mtime_ns(&in.st);
	w->fd = in.fd; /* the window owns it: `in` is not closed */
	ret = take_memory(w, &x, mem, path, err);
	if (ret == 0)
		ret = read_extents(w, &in, err);
	w->cpu_copies = in.cpu_copies;
	if (ret < 0)
		pw_window_close(w);
	return ret;
}
