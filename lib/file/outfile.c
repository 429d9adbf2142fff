/* SPDX-License-Identifier: BSD-3-Clause */
#include "file/outfile.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/bytes.h"
#include "file/guard.h"
#include "file/outdirect.h"
#include "file/outdisk.h"
#include "file/outfile_private.h"
#include "file/prefault.h"
#include "file/regfile.h"
#include "file/window.h"

#define DIGEST_BYTES (1u << 20) /* between two checks for truncation */
#define MEMORY_LARGE (4u << 20) /* smaller memory that is filled repeatedly stays in the cache */

void pw_outfile_put_direct(struct pw_outfile *f, uint64_t at, const uint8_t *data, uint32_t len)
{
	if (f->direct)
		pw_outdirect_put(f->direct, at, data, len);
}

void pw_outfile_rewrite(struct pw_outfile *f)
{
	atomic_store(&f->fresh, false);
	if (f->direct)
		pw_outdirect_rewrite(f->direct);
}

/* A store found no page. The reason is not reported; a full disk explains it. */
static int why_lost(const struct pw_outfile *f)
{
	struct statvfs fs;
	const uint64_t page = f->shared->huge_page_bytes ? f->shared->huge_page_bytes : 4096;

	if (fstatvfs(f->shared->dir_fd, &fs) == 0 && fs.f_blocks &&
		(uint64_t)fs.f_bavail * fs.f_frsize < page)
		return ENOSPC;
	return EIO;
}

int pw_outfile_failed(const struct pw_outfile *f)
{
	if (f->direct)
		return pw_outdirect_failed(f->direct);
	return pw_guard_lost(f->guard) ? why_lost(f) : 0;
}

static int failure(const struct pw_outfile *f, struct pw_err *err)
{
	int code = pw_outfile_failed(f);

	if (code == ENOSPC)
		return pw_err_set(err, code,
			"cannot write %s/%s: disk full; free some space and continue with --resume",
			f->shared->dir, f->name);
	if (code)
		return pw_err_set(err, code,
			"cannot write %s/%s: a page of it was lost; another process truncated it, "
			"or the disk failed or is full",
			f->shared->dir, f->name);
	return 0;
}

static uint64_t digest_mapped(struct pw_outfile *f, struct pw_digest_state *s, uint64_t from,
	uint64_t to, struct pw_err *err)
{
	uint64_t at = from, n;

	while (at < to) {
		n = pw_min_u64(to - at, DIGEST_BYTES);
		pw_digest_update(s, f->base + at, n);
		if (pw_outfile_failed(f)) {
			failure(f, err);
			break;
		}
		at += n;
	}
	return at;
}

uint64_t pw_outfile_digest(struct pw_outfile *f, struct pw_digest_state *s, uint64_t from,
	uint64_t to, bool memory_only, struct pw_err *err)
{
	if (err)
		err->code = 0;
	if (f->direct)
		return pw_outdirect_digest(f->direct, s, from, to, memory_only, err);
	return f->base ? digest_mapped(f, s, from, to, err) : from;
}

const uint8_t *pw_outfile_read(
	struct pw_outfile *f, uint64_t from, uint64_t to, uint8_t *buf, struct pw_err *err)
{
	if (f->direct)
		return pw_outdirect_read(f->direct, from, to, buf, err) == to ? buf : NULL;
	return failure(f, err) == 0 ? f->base + from : NULL;
}

int pw_outfile_flush(struct pw_outfile *f, struct pw_err *err)
{
	if (f->direct)
		return pw_outdirect_flush(f->direct, err);
	return failure(f, err);
}

int pw_outfile_sync(struct pw_outfile *f, struct pw_err *err)
{
	if (f->direct)
		return pw_outdirect_sync(f->direct, err);
	if (!f->map_bytes)
		return 0;
	pw_uncached_fence();
	/* Like fsync(2), and it reports the errors since the file was mapped. */
	if (msync(f->base, f->map_bytes, MS_SYNC) < 0)
		return pw_err_sys(err, errno, "cannot sync %s/%s", f->shared->dir, f->name);
	return failure(f, err);
}

static int map_read_only(
	struct pw_outfile *f, int fd, uint64_t page_bytes, void **base, struct pw_err *err)
{
	f->map_bytes = pw_align_up(f->len_bytes, page_bytes);
	*base = mmap(NULL, f->map_bytes, PROT_READ, MAP_SHARED, fd, 0);
	return *base == MAP_FAILED ? pw_err_sys(err, errno == ENOMEM ? EFBIG : errno,
					     "cannot map %s/%s", f->shared->dir, f->name)
				   : 0;
}

static int map_writable(
	struct pw_outfile *f, int fd, uint64_t page_bytes, void **base, struct pw_err *err)
{
	if (f->shared->huge_page_bytes)
		return pw_hugefile_reserve(
			fd, f->name, f->len_bytes, page_bytes, base, &f->map_bytes, err);
	f->map_bytes = f->len_bytes;
	*base = mmap(NULL, f->map_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (*base != MAP_FAILED)
		return 0;
	/* Address space is short; a smaller file may still fit, so this is not ENOMEM. */
	if (errno == ENOMEM)
		return pw_err_set(err, EFBIG,
			"cannot map %s/%s: no address space for its %llu bytes; receive fewer or "
			"smaller files at once",
			f->shared->dir, f->name, (unsigned long long)f->len_bytes);
	return pw_err_sys(err, errno, "cannot map %s/%s", f->shared->dir, f->name);
}

static int map_file(struct pw_outfile *f, int fd, struct pw_err *err)
{
	const struct pw_outfile_shared *s = f->shared;
	const uint64_t page_bytes =
		s->huge_page_bytes ? s->huge_page_bytes : (uint64_t)sysconf(_SC_PAGESIZE);
	void *base = NULL;
	int ret = f->is_target ? map_read_only(f, fd, page_bytes, &base, err)
			       : map_writable(f, fd, page_bytes, &base, err);

	if (ret < 0)
		return ret;
	f->base = base;
	f->is_large = f->len_bytes >= PW_OUTFILE_LARGE;
	f->guard = pw_guard_add(base, f->map_bytes, page_bytes);
	if (s->ahead && !f->is_target)
		pw_prefault_add(s->ahead, base, f->map_bytes, page_bytes);
	return 0;
}

/* The pool, which is made when it is first needed. NULL: it cannot be made. */
static struct pw_outpool *get_pool(struct pw_outfile_shared *s)
{
	struct pw_outpool *pool;
	struct pw_err err = {0};

	pthread_mutex_lock(&s->lock);
	if (!s->pool && !s->pool_failed &&
		pw_outdisk_start(&s->pool, s->memory_bytes, s->log, &err) < 0) {
		s->pool_failed = true;
		pw_warn(s->log, "%s; files are written through the page cache", err.msg);
	}
	pool = s->pool;
	pthread_mutex_unlock(&s->lock);
	return pool;
}

static void warn_mapped(struct pw_outfile_shared *s, const char *name, int code)
{
	bool warned;

	pthread_mutex_lock(&s->lock);
	warned = s->warned_mapped;
	s->warned_mapped = true;
	pthread_mutex_unlock(&s->lock);
	if (!warned)
		pw_warn(s->log,
			"cannot write %s/%s past the page cache: %s; it and similar files go "
			"through "
			"the page cache",
			s->dir, name, strerror(code));
}

/* False: the file must be mapped. */
static bool open_direct(struct pw_outfile *f, int fd, uint32_t symbol_len)
{
	struct pw_outfile_shared *s = f->shared;
	struct pw_outpool *pool;
	int ret;

	if (s->write == PW_OUTDIR_MAPPED ||
		(s->write == PW_OUTDIR_AUTO && f->len_bytes < PW_OUTDIRECT_MIN))
		return false;
	ret = s->huge_page_bytes || !pw_regfile_takes_direct(fd) ? -EOPNOTSUPP : 0;
	if (ret == 0) {
		pool = get_pool(s);
		ret = pool ? pw_outdirect_open(&f->direct, pool, fd, s->dir, f->name, f->len_bytes,
				     symbol_len)
			   : -EOPNOTSUPP;
	}
	if (ret < 0 && s->write == PW_OUTDIR_DIRECT)
		warn_mapped(s, f->name, -ret);
	return ret == 0;
}

void pw_outfile_shared_init(struct pw_outfile_shared *s)
{
	*s = (struct pw_outfile_shared){.dir_fd = -1};
	pthread_mutex_init(&s->lock, NULL);
}

void pw_outfile_shared_finish(struct pw_outfile_shared *s)
{
	pw_outdisk_stop(s->pool);
	pw_prefault_destroy(s->ahead);
	pthread_mutex_destroy(&s->lock);
}

static void remember(struct pw_outfile_shared *s, struct pw_outfile *f)
{
	pthread_mutex_lock(&s->lock);
	f->next = s->files;
	s->files = f;
	pthread_mutex_unlock(&s->lock);
}

static void forget(struct pw_outfile_shared *s, struct pw_outfile *f)
{
	struct pw_outfile **at;

	pthread_mutex_lock(&s->lock);
	for (at = &s->files; *at; at = &(*at)->next)
		if (*at == f) {
			*at = f->next;
			break;
		}
	pthread_mutex_unlock(&s->lock);
}

bool pw_outfile_is_open(struct pw_outfile_shared *s, const struct stat *st)
{
	const struct pw_outfile *f;

	pthread_mutex_lock(&s->lock);
	for (f = s->files; f; f = f->next)
		if (pw_outfile_id_matches(st, &f->id))
			break;
	pthread_mutex_unlock(&s->lock);
	return f != NULL;
}

int pw_outfile_open(struct pw_outfile **out, struct pw_outfile_shared *s, int fd,
	const struct pw_outfile_open *how, struct pw_err *err)
{
	struct pw_outfile *f = calloc(1, sizeof(*f));
	struct stat st;
	int ret = 0;

	*out = NULL;
	if (!f)
		return pw_err_sys(err, ENOMEM, "cannot open %s/%s", s->dir, how->name);
	f->shared = s;
	f->guard = -1;
	f->part = how->part;
	f->len_bytes = how->len_bytes;
	f->is_target = how->is_target;
	atomic_init(&f->fresh, how->new_part);
	f->name = strdup(how->name);
	if (!f->name)
		ret = pw_err_sys(err, ENOMEM, "cannot open %s/%s", s->dir, how->name);
	else if (fstat(fd, &st) < 0)
		ret = pw_err_sys(err, errno, "cannot open %s/%s", s->dir, how->name);
	else if (f->len_bytes && !(how->new_part && open_direct(f, fd, how->symbol_len)))
		ret = map_file(f, fd, err);
	if (ret < 0) {
		free(f->name);
		free(f);
		return ret;
	}
	f->id = (struct pw_outfile_id){(uint64_t)st.st_dev, (uint64_t)st.st_ino};
	remember(s, f);
	*out = f;
	return 0;
}

int pw_outfile_open_memory(
	struct pw_outfile **out, uint8_t *bytes, uint64_t len_bytes, struct pw_err *err)
{
	struct pw_outfile *f = calloc(1, sizeof(*f));

	*out = f;
	if (!f)
		return pw_err_sys(err, ENOMEM, "cannot receive into memory");
	f->base = bytes;
	f->len_bytes = len_bytes;
	f->is_large = len_bytes >= MEMORY_LARGE;
	f->guard = -1;
	atomic_init(&f->fresh, false);
	return 0;
}

void pw_outfile_close(struct pw_outfile *f)
{
	if (!f)
		return;
	if (f->shared)
		forget(f->shared, f);
	pw_outdirect_close(f->direct);
	if (f->shared && f->base)
		pw_prefault_remove(f->shared->ahead, f->base);
	pw_guard_remove(f->guard);
	if (f->map_bytes)
		munmap(f->base, f->map_bytes);
	free(f->name);
	free(f);
}
