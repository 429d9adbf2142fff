/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Staged parity: a side file on hugetlbfs, beside the file that it belongs to.
 *
 *   |block 0: r symbols|block 1| ... |trailer|      the trailer says of what it was computed
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/bytes.h"
#include "file/digest.h"
#include "send/parity_private.h"

#define MAGIC       "pagewire parity"
#define STEP_BLOCKS 64u /* between two calls of progress() */

/* Of this host, in its byte order: it is never sent. */
struct trailer {
	char magic[16];
	uint32_t k, r, points, symbol_len;
	uint64_t len_bytes, mtime_ns;
	uint8_t xxh3[16]; /* of the file */
};

int pw_send_parity_path(char side[PATH_MAX], const char *path, struct pw_err *err)
{
	if (snprintf(side, PATH_MAX, "%s" PW_SEND_PARITY_SUFFIX, path) < PATH_MAX)
		return 0;
	return pw_err_sys(err, ENAMETOOLONG, "cannot name the parity of %.200s...", path);
}

static int check_trailer(const struct trailer *t, const struct pw_send_fec *fec,
	const struct pw_blocks *source, uint64_t mtime_ns, const char *side, struct pw_err *err)
{
	if (memcmp(t->magic, MAGIC, sizeof(t->magic)) != 0)
		return pw_err_set(err, ESTALE,
			"cannot use %.200s: it is not parity that pagewire stage has made; remove "
			"it",
			side);
	if (t->len_bytes != source->transfer_len || t->mtime_ns != mtime_ns)
		return pw_err_set(err, ESTALE,
			"cannot use %.200s: its file was changed since; remove it, or stage the "
			"file "
			"again with --fec",
			side);
	if (t->k == fec->k && t->r == fec->r && t->points == (uint32_t)fec->points &&
		t->symbol_len == source->symbol_len)
		return 0;
	return pw_err_set(err, ESTALE,
		"cannot use %.160s: it is %u+%u (%s) of symbols of %u bytes, and %u+%u (%s) of %u "
		"are "
		"asked for; remove it, or stage the file again with --fec, --fec-code and --symbol",
		side, t->k, t->r, t->points < PW_RS_N_POINTS ? pw_rs_points_name(t->points) : "?",
		t->symbol_len, fec->k, fec->r, pw_rs_points_name(fec->points), source->symbol_len);
}

static int read_trailer(
	const struct pw_send_parity *p, struct trailer *t, const char *side, struct pw_err *err)
{
	const uint64_t at = p->win.len_bytes - sizeof(*t);

	if (p->win.len_bytes < sizeof(*t))
		memset(t, 0, sizeof(*t)); /* no magic */
	else if (pread(p->win.fd, t, sizeof(*t), (off_t)at) != (ssize_t)sizeof(*t))
		return pw_err_sys(err, EIO, "cannot read %s", side);
	return 0;
}

int pw_send_parity_open_staged(struct pw_send_parity **out, const struct pw_send_fec *fec,
	const struct pw_blocks *source, const char *path, uint64_t mtime_ns,
	int (*open_window)(void *ctx, struct pw_window *w, const char *path, struct pw_err *err),
	void *ctx, struct pw_err *err)
{
	struct pw_send_parity *p;
	struct trailer t;
	char side[PATH_MAX];
	int r = pw_send_parity_path(side, path, err);

	if (r || access(side, F_OK))
		return r ? r : 1;
	r = pw_send_parity_new(&p, fec, source, path, err);
	if (r)
		return r;
	r = open_window(ctx, &p->win, side, err);
	if (r == 0)
		r = read_trailer(p, &t, side, err);
	if (r == 0)
		r = check_trailer(&t, fec, source, mtime_ns, side, err);
	if (r == 0 && p->win.len_bytes != p->blocks.transfer_len + sizeof(t))
		r = pw_err_set(err, ESTALE, "cannot use %.200s: it is cut short; remove it", side);
	if (r) {
		pw_send_parity_destroy(p);
		return r;
	}
	p->n_done = source->n_blocks;
	p->made_of.kind = PW_DIGEST_XXH3_128;
	memcpy(p->made_of.bytes, t.xxh3, sizeof(t.xxh3));
	*out = p;
	return 0;
}

int pw_send_parity_check(const struct pw_send_parity *p, const struct pw_digest *digest,
	const char *path, struct pw_err *err)
{
	if (digest->kind != p->made_of.kind || digest->kind == PW_DIGEST_NONE ||
		memcmp(digest->bytes, p->made_of.bytes, pw_digest_len(digest->kind)) == 0)
		return 0;
	return pw_err_set(err, ESTALE,
		"cannot send %.200s: its parity " PW_SEND_PARITY_SUFFIX " was staged for other "
		"content; remove it, or stage the file again with --fec",
		path);
}

/* A side file of the right size, mapped. */
static int make_side(struct pw_window *w, const char *part, uint64_t len_bytes, uint64_t page_bytes,
	struct pw_err *err)
{
	uint64_t map_bytes = 0;
	void *map = NULL;
	int fd, r;

	unlink(part);
	fd = open(part, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return pw_err_sys(err, errno, "cannot create %s", part);
	r = pw_hugefile_create(fd, part, len_bytes, page_bytes, &map, &map_bytes, err);
	if (map)
		munmap(map, map_bytes);
	close(fd);
	return r ? r : pw_hugefile_open(w, part, NULL, err);
}

/* Computes the parity, and the digest of the file beside it. */
static int fill(struct pw_send_parity *p, const struct pw_window *file, uint8_t *xxh3,
	bool (*progress)(void *ctx, uint64_t done, uint64_t total), void *ctx, struct pw_err *err)
{
	const atomic_bool stop = false;
	struct pw_digest digest;
	struct pw_digest_state *st = NULL;
	uint64_t at = 0, end;
	uint32_t sbn, from;
	int r = pw_digest_create(&st, PW_DIGEST_XXH3_128, err);

	for (sbn = 0; r == 0 && sbn < p->source.n_blocks; at = end) {
		from = sbn;
		sbn = (uint32_t)pw_min_u64(sbn + STEP_BLOCKS, p->source.n_blocks);
		end = pw_min_u64(pw_blocks_first_symbol(&p->source, sbn) * p->source.symbol_len,
			file->len_bytes);
		pw_digest_update(st, file->extents[0].va + at, end - at);
		r = pw_send_parity_make(p, file, from, sbn, &stop);
		if (r == 0 && progress && !progress(ctx, end, file->len_bytes))
			r = pw_err_set(err, ECANCELED, "cannot stage parity: interrupted");
	}
	if (r == 0) {
		pw_digest_final(st, &digest);
		memcpy(xxh3, digest.bytes, 16);
	}
	pw_digest_destroy(st);
	return r;
}

static int write_side(struct pw_send_parity *p, const struct pw_window *file,
	const struct pw_send_fec *fec, const char *part,
	bool (*progress)(void *ctx, uint64_t done, uint64_t total), void *ctx, struct pw_err *err)
{
	struct trailer t = {.magic = MAGIC,
		.k = fec->k,
		.r = fec->r,
		.points = (uint32_t)fec->points,
		.symbol_len = p->source.symbol_len,
		.len_bytes = file->len_bytes,
		.mtime_ns = file->mtime_ns};
	int r = make_side(&p->win, part, p->blocks.transfer_len + sizeof(t), file->page_bytes, err);

	if (r == 0)
		r = fill(p, file, t.xxh3, progress, ctx, err);
	if (r == 0)
		memcpy((uint8_t *)p->win.map + p->blocks.transfer_len, &t, sizeof(t));
	return r;
}

int pw_send_parity_stage(const char *path, const struct pw_send_fec *fec, uint32_t symbol_len,
	bool (*progress)(void *ctx, uint64_t done, uint64_t total), void *progress_ctx,
	uint64_t *n_pages, struct pw_err *err)
{
	struct pw_send_parity *p = NULL;
	struct pw_window file;
	struct pw_blocks source;
	char side[PATH_MAX], part[PATH_MAX + 8];
	int r = pw_send_parity_path(side, path, err);

	*n_pages = 0;
	if (r == 0)
		r = pw_hugefile_open(&file, path, NULL, err);
	if (r)
		return r;
	snprintf(part, sizeof(part), "%s.part", side);
	if (file.len_bytes) {
		r = pw_send_fec_cut(&source, fec, file.len_bytes, symbol_len, err);
		if (r == 0)
			r = pw_send_parity_new(&p, fec, &source, path, err);
		if (r == 0)
			r = write_side(p, &file, fec, part, progress, progress_ctx, err);
		if (r == 0 && rename(part, side))
			r = pw_err_sys(err, errno, "cannot rename %s to %s", part, side);
		if (r == 0)
			*n_pages = p->win.map_bytes / p->win.page_bytes;
		else
			unlink(part);
	}
	pw_send_parity_destroy(p);
	pw_window_close(&file);
	return r;
}
