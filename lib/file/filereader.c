/* SPDX-License-Identifier: BSD-3-Clause */
#include "file/filereader.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "base/bytes.h"

/* Per read: large enough that the calls cost nothing, small enough that progress is reported often. */
#define CHUNK_BYTES (4u << 20)

static bool set_direct(int fd, bool on)
{
	int flags = fcntl(fd, F_GETFL);

	if (flags < 0)
		return false;
	return fcntl(fd, F_SETFL, on ? flags | O_DIRECT : flags & ~O_DIRECT) == 0;
}

bool pw_filereader_go_buffered(struct pw_filereader *r)
{
	if (!set_direct(r->fd, false))
		return false;
	r->direct = false;
	return true;
}

int pw_filereader_open(
	struct pw_filereader *r, const char *path, const char *action, struct pw_err *err)
{
	struct pw_regfile f;
	int ret;

	*r = (struct pw_filereader){.path = path, .action = action};
	ret = pw_regfile_open(&f, path, O_RDONLY, action, err);
	if (ret < 0)
		return ret;
	if (fstat(f.fd, &r->st) < 0) {
		ret = pw_err_sys(err, errno, "cannot %s %s", action, path);
		pw_regfile_close(&f);
		return ret;
	}
	r->fd = f.fd;
	r->len_bytes = (uint64_t)r->st.st_size;
	r->direct = pw_regfile_takes_direct(f.fd) && set_direct(f.fd, true);
	if (!r->direct)
		posix_fadvise(f.fd, 0, 0, POSIX_FADV_SEQUENTIAL);
	return 0;
}

static int shrunk(const struct pw_filereader *r, uint64_t at, struct pw_err *err)
{
	return pw_err_set(err, ESTALE,
		"cannot %s %s: it was truncated from %llu to %llu bytes while it was read; do not "
		"change it, and try again",
		r->action, r->path, (unsigned long long)at, (unsigned long long)r->len_bytes);
}

/* One read. Returns bytes, or -errno. If O_DIRECT fails, this and all later reads are buffered. */
static ssize_t read_some(struct pw_filereader *r, uint64_t offset, uint8_t *buf, uint64_t len)
{
	uint64_t ask = pw_min_u64(len, CHUNK_BYTES);
	ssize_t n;

	if (r->direct) {
		/* A short read can end inside a block; the rest is then not aligned for O_DIRECT. */
		n = -1;
		errno = EINVAL;
		if (offset % PW_FILEREADER_ALIGN == 0)
			n = pread(r->fd, buf, pw_align_up(ask, PW_FILEREADER_ALIGN), (off_t)offset);
		if (n >= 0 || (errno != EINVAL && errno != EOPNOTSUPP))
			return n < 0 ? -errno : n;
		if (!pw_filereader_go_buffered(r))
			return -errno;
	}
	n = pread(r->fd, buf, ask, (off_t)offset);
	if (n > 0)
		r->cpu_copies = 1;
	return n < 0 ? -errno : n;
}

int pw_filereader_read(
	struct pw_filereader *r, uint64_t offset, void *buf, uint64_t len, struct pw_err *err)
{
	uint64_t done = 0;
	ssize_t n;

	/* Each iteration adds bytes, fails, or was interrupted and then calls progress(). */
	while (done < len) {
		n = read_some(r, offset + done, (uint8_t *)buf + done, len - done);
		if (n == 0)
			return shrunk(r, offset + done, err);
		if (n < 0 && n != -EINTR)
			return pw_err_sys(err, (int)-n, "cannot read %s at byte %llu", r->path,
				(unsigned long long)(offset + done));
		if (n > 0) {
			/* The read was rounded up to whole blocks, and the file may have grown. */
			n = (ssize_t)pw_min_u64((uint64_t)n, len - done);
			done += (uint64_t)n;
			r->done_bytes += (uint64_t)n;
		}
		if (r->progress && !r->progress(r->progress_ctx, r->done_bytes, r->len_bytes))
			return pw_err_set(
				err, ECANCELED, "cannot %s %s: interrupted", r->action, r->path);
	}
	return 0;
}

int pw_filereader_check_unchanged(const struct pw_filereader *r, struct pw_err *err)
{
	struct stat st;

	if (fstat(r->fd, &st) < 0)
		return pw_err_sys(err, errno, "cannot %s %s", r->action, r->path);
	if (st.st_size == r->st.st_size && pw_regfile_mtime_ns(&st) == pw_regfile_mtime_ns(&r->st))
		return 0;
	return pw_err_set(err, ESTALE,
		"cannot %s %s: it was changed while it was read; do not change it, and try again",
		r->action, r->path);
}

void pw_filereader_close(struct pw_filereader *r)
{
	if (r->fd > STDERR_FILENO)
		close(r->fd);
	*r = (struct pw_filereader){0};
}
