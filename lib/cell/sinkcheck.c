/* SPDX-License-Identifier: BSD-3-Clause */
/* The buffer of a sink, and the comparison of what arrived with the file. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/bytes.h"
#include "cell/sink.h"
#include "recv/memory.h"

int pw_sink_make_buffer(struct pw_sink *s)
{
	const uint64_t len = s->cell->file_bytes;

	if (len == 0 || s->cell->into)
		return 0;
	s->bytes = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (s->bytes == MAP_FAILED) {
		s->bytes = NULL;
		return pw_err_set(&s->end->err, ENOMEM,
			"cannot receive into %zu bytes of memory: out of memory", (size_t)len);
	}
	madvise(s->bytes, len, MADV_HUGEPAGE);
	if (madvise(s->bytes, len, MADV_POPULATE_WRITE))
		memset(s->bytes, 0, len); /* kernels before 5.14 */
	return 0;
}

void pw_sink_free_buffer(struct pw_sink *s)
{
	if (s->bytes)
		munmap(s->bytes, s->cell->file_bytes);
}

/* The first len bytes of a file; the caller unmaps them. */
static int map_file(const char *path, uint64_t len, const uint8_t **bytes, struct pw_err *err)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct stat st;
	void *map = MAP_FAILED;

	if (fd < 0)
		return pw_err_sys(err, errno, "cannot compare with %s", path);
	errno = ENODATA;
	if (fstat(fd, &st) == 0 && (uint64_t)st.st_size >= len)
		map = mmap(NULL, len, PROT_READ, MAP_SHARED, fd, 0);
	close(fd);
	if (map == MAP_FAILED)
		return pw_err_sys(err, errno, "cannot compare with %s", path);
	*bytes = map;
	return 0;
}

/* The next bytes that came, from *to on. */
static bool next_range(const struct pw_sink *s, struct pw_recv *r, uint64_t *from, uint64_t *to)
{
	if (r)
		return pw_recv_memory_next(r, from, to);
	*from = *to;
	*to = pw_min_u64(s->end->bytes, s->cell->file_bytes);
	return *from < *to;
}

int pw_sink_check_memory(struct pw_sink *s, struct pw_recv *r)
{
	const uint64_t len = s->cell->file_bytes;
	struct pw_cell_end *end = s->end;
	uint64_t from, to = 0, sum = 0;
	const uint8_t *file;
	int ret;

	end->whole = len == 0;
	if (len == 0 || end->bytes == 0)
		return 0;
	ret = map_file(s->cell->file, len, &file, &end->err);
	if (ret)
		return ret;
	while (next_range(s, r, &from, &to)) {
		end->wrong |= memcmp(s->bytes + from, file + from, to - from) != 0;
		sum += to - from;
	}
	munmap((void *)file, len);
	end->compared = true;
	end->whole = sum == len;
	return 0;
}

static int compare_file(struct pw_sink *s, const char *name)
{
	const uint64_t len = s->cell->file_bytes;
	const uint8_t *file, *copy;
	char path[4096];
	int r;

	snprintf(path, sizeof(path), "%s/%s", s->cell->into, name);
	r = map_file(s->cell->file, len, &file, &s->end->err);
	if (r)
		return r;
	r = map_file(path, len, &copy, &s->end->err);
	if (r == 0) {
		s->end->wrong = memcmp(file, copy, len) != 0;
		s->end->compared = true;
		munmap((void *)copy, len);
	}
	munmap((void *)file, len);
	return r;
}

int pw_sink_check_file(struct pw_sink *s, struct pw_recv *r)
{
	struct pw_cell_end *end = s->end;
	struct pw_recv_file_info info;

	if (pw_recv_n_files(r) != 1)
		return 0;
	pw_recv_file(r, 0, &info);
	end->whole = pw_recv_state_is_good(info.state);
	end->wrong = info.state == PW_RECV_MISMATCH ||
		     (end->whole && info.len_bytes != s->cell->file_bytes);
	if (info.state == PW_RECV_REFUSED)
		return pw_err_set(&end->err, EIO, "cannot receive %s into %s: %s", info.name,
			s->cell->into, info.reason ? info.reason : "refused");
	return end->whole && !end->wrong && info.len_bytes ? compare_file(s, info.name) : 0;
}
