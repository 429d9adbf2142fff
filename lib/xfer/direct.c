/* SPDX-License-Identifier: BSD-3-Clause */
#include "xfer/direct.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "page/digest.h"
#include "page/ntcopy.h"
#include "page/window.h"
#include "sys/uring.h"
#include "xfer/object.h"

#define CHUNK       (2ull << 20) /* a huge page */
#define LIVE_MAX    (PW_DIRECT_MEMORY_HI / CHUNK)
#define BLOCK       4096u
#define NONE        UINT64_MAX
#define WAIT_NS     100000000ull
#define PATIENCE_NS 5000000000ull  /* a disk that says nothing for so long is reported */
#define SILENT_NS   30000000000ull /* and given up */

static_assert(LIVE_MAX <= 128, "found by looking at each");

enum state {
	FILLING, /* symbols are copied to it */
	WRITING,
	WRITTEN, /* the digest has not seen it all */
};

struct chunk {
	uint64_t index;
	uint64_t done; /* bytes written of it */
	uint64_t used; /* when a symbol last came */
	enum state state;
};

struct pw_direct {
	struct io_uring ring;
	int fd; /* O_DIRECT */
	int plain_fd;
	uint8_t *base;
	void *map;
	uint64_t map_bytes;
	uint64_t len_bytes;
	uint64_t cur;     /* the chunk of the last symbol */
	uint64_t n_puts;  /* the clock of `used` */
	uint8_t *touched; /* a byte a chunk: it is in memory, or on disk */
	struct chunk live[LIVE_MAX];
	unsigned int n_live, n_writing, live_max;
	int failed;
	atomic_uint *n_open;
	const struct pw_log *log;
};

static uint64_t end_of(const struct pw_direct *d, uint64_t index)
{
	return pw_min_u64((index + 1) * CHUNK, d->len_bytes);
}

static struct chunk *find(struct pw_direct *d, uint64_t index)
{
	unsigned int i;

	for (i = 0; i < d->n_live; i++)
		if (d->live[i].index == index)
			return &d->live[i];
	return NULL;
}

static void fail(struct pw_direct *d, int code)
{
	if (!d->failed)
		d->failed = code;
}

static void write_plain(struct pw_direct *d, const uint8_t *data, uint64_t len, uint64_t at)
{
	while (len && !d->failed) {
		ssize_t n = pwrite(d->plain_fd, data, len, (off_t)at);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0) {
			fail(d, n < 0 ? errno : ENOSPC);
			return;
		}
		data += n;
		len -= (uint64_t)n;
		at += (uint64_t)n;
	}
}

/* Whole blocks of it. */
static uint64_t body_bytes(const struct pw_direct *d, const struct chunk *c)
{
	return pw_align_down(end_of(d, c->index) - c->index * CHUNK, BLOCK);
}

static void submit(struct pw_direct *d, struct chunk *c)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(&d->ring);
	uint64_t from = c->index * CHUNK + c->done;
	int r;

	assert(sqe); /* there are as many as chunks, and each is submitted at once */
	io_uring_prep_write(
		sqe, d->fd, d->base + from, (unsigned int)(body_bytes(d, c) - c->done), from);
	io_uring_sqe_set_data64(sqe, c->index);
	d->n_writing++;
	do
		r = io_uring_submit(&d->ring);
	while (r == -EINTR || r == -EAGAIN);
	if (r < 0) {
		d->n_writing--;
		fail(d, -r);
	}
}

/* Holes and all: what is not there yet is written by itself when it comes. */
static void write_chunk(struct pw_direct *d, struct chunk *c)
{
	uint64_t from = c->index * CHUNK, body = body_bytes(d, c);

	pw_ntcopy_fence();
	c->state = body ? WRITING : WRITTEN;
	c->done = 0;
	write_plain(d, d->base + from + body, end_of(d, c->index) - from - body, from + body);
	if (body)
		submit(d, c);
}

static void take(struct pw_direct *d, uint64_t index, int res)
{
	struct chunk *c = find(d, index);

	d->n_writing--;
	if (!c)
		return;
	if (res > 0)
		c->done += pw_align_down((uint64_t)res, BLOCK);
	if (c->done >= body_bytes(d, c)) {
		c->state = WRITTEN;
	} else if (res == -EINTR || res == -EAGAIN || res >= (int)BLOCK) {
		submit(d, c);
	} else if (res == -EINVAL || res == -EOPNOTSUPP) {
		/* it does not do after all what it said it does */
		uint64_t from = index * CHUNK + c->done;

		c->state = WRITTEN;
		write_plain(d, d->base + from, body_bytes(d, c) - c->done, from);
	} else {
		c->state = WRITTEN;
		fail(d, res < 0 ? -res : ENOSPC);
	}
}

static void take_all(struct pw_direct *d)
{
	struct io_uring_cqe *cqe;

	while (d->n_writing && io_uring_peek_cqe(&d->ring, &cqe) == 0) {
		uint64_t index = io_uring_cqe_get_data64(cqe);
		int res = cqe->res;

		io_uring_cqe_seen(&d->ring, cqe);
		take(d, index, res);
	}
}

static void say_silent(const struct pw_direct *d, uint64_t ns)
{
	char link[32], path[PATH_MAX];
	ssize_t n;

	snprintf(link, sizeof(link), "/proc/self/fd/%d", d->plain_fd);
	n = readlink(link, path, sizeof(path) - 1);
	path[n > 0 ? n : 0] = '\0';
	pw_warn(d->log, "write %s: the disk has not answered for %.0f s", path, (double)ns * 1e-9);
}

static void wait_for_disk(struct pw_direct *d)
{
	const unsigned int before = d->n_writing;
	const uint64_t start = pw_clock_ns();
	uint64_t silent_ns = 0, say_ns = PATIENCE_NS;

	while (d->n_writing == before && !d->failed) {
		int r = pw_uring_wait(&d->ring, 1, WAIT_NS);

		take_all(d);
		silent_ns = pw_clock_ns() - start;
		if (r < 0 && r != -EINTR)
			fail(d, -r);
		else if (silent_ns >= SILENT_NS)
			fail(d, ETIMEDOUT);
		if (silent_ns >= say_ns) {
			say_silent(d, silent_ns);
			say_ns += PATIENCE_NS;
		}
	}
}

/* Memory of chunks that the disk has, and the digest has seen, goes back. */
static void release(struct pw_direct *d, const struct pw_part *p)
{
	unsigned int i = 0;

	while (i < d->n_live) {
		struct chunk *c = &d->live[i];

		if (c->state != WRITTEN || (p->digest && p->digested_bytes < end_of(d, c->index))) {
			i++;
			continue;
		}
		madvise(d->base + c->index * CHUNK, CHUNK, MADV_DONTNEED);
		*c = d->live[--d->n_live];
	}
}

/* The one that has not had a symbol for longest; NULL: none is in this state. */
static struct chunk *oldest(struct pw_direct *d, enum state state)
{
	struct chunk *found = NULL;
	unsigned int i;

	for (i = 0; i < d->n_live; i++)
		if (d->live[i].state == state && (!found || d->live[i].used < found->used))
			found = &d->live[i];
	return found;
}

static void make_room(struct pw_direct *d, struct pw_part *p)
{
	while (d->n_live == d->live_max && !d->failed) {
		if (oldest(d, WRITTEN)) {
			/* held back by a gap: the finisher reads the file instead */
			pw_digest_destroy(p->digest);
			p->digest = NULL;
		} else if (d->n_writing) {
			wait_for_disk(d);
		} else {
			write_chunk(d, oldest(d, FILLING));
		}
		release(d, p);
	}
}

static struct chunk *activate(struct pw_direct *d, struct pw_part *p, uint64_t index)
{
	make_room(d, p);
	if (d->failed)
		return NULL;
	d->touched[index] = 1;
	d->live[d->n_live] = (struct chunk){.index = index, .state = FILLING};
	return &d->live[d->n_live++];
}

/* n bytes inside one chunk. */
static void put_piece(
	struct pw_direct *d, struct pw_part *p, uint64_t at, const uint8_t *data, uint64_t n)
{
	struct chunk *c = find(d, at / CHUNK);

	if (!c && !d->touched[at / CHUNK])
		c = activate(d, p, at / CHUNK);
	if (c) {
		memcpy(d->base + at, data, n);
		c->used = d->n_puts;
	}
	if (c && c->state == FILLING)
		return;
	while (c && c->state == WRITING && !d->failed) {
		wait_for_disk(d);
		c = find(d, at / CHUNK);
	}
	write_plain(d, data, n, at);
}

static bool is_whole(const struct pw_direct *d, const struct pw_part *p, uint64_t index)
{
	const uint32_t symbol = p->blocks.symbol_len;

	return pw_part_next(p, index * CHUNK / symbol, false) >=
	       pw_div_ceil(end_of(d, index), symbol);
}

static void leave(struct pw_direct *d, const struct pw_part *p, uint64_t index)
{
	struct chunk *c = index == NONE ? NULL : find(d, index);

	/* bits of a run are set before its bytes are copied: those that follow are late then */
	if (c && c->state == FILLING && is_whole(d, p, index))
		write_chunk(d, c);
}

void pw_direct_put(struct pw_part *p, uint64_t at, const uint8_t *data, uint32_t len)
{
	struct pw_direct *d = p->map.direct;
	uint64_t first = at / CHUNK, last = (at + len - 1) / CHUNK, i;
	const struct chunk *c;

	p->map.lo = p->map.hi = 0;
	take_all(d);
	release(d, p);
	if (d->failed)
		return;
	d->n_puts++;
	while (len) {
		uint32_t n = (uint32_t)pw_min_u64(len, CHUNK - at % CHUNK);

		put_piece(d, p, at, data, n);
		at += n;
		data += n;
		len -= n;
	}
	if (d->cur != last)
		leave(d, p, d->cur);
	for (i = first; i < last; i++)
		leave(d, p, i);
	d->cur = last;
	c = find(d, last);
	if (c && c->state == FILLING) {
		p->map.lo = last * CHUNK;
		p->map.hi = end_of(d, last);
	}
}

uint8_t *pw_direct_base(struct pw_direct *d)
{
	return d->base;
}

int pw_direct_failed(const struct pw_direct *d)
{
	return d->failed;
}

static int reserve(struct pw_direct *d)
{
	d->map_bytes = pw_align_up(d->len_bytes, CHUNK) + CHUNK;
	d->map = mmap(NULL, d->map_bytes, PROT_READ | PROT_WRITE,
		MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (d->map == MAP_FAILED) {
		d->map = NULL;
		return -errno;
	}
	d->base = (uint8_t *)pw_align_up((uintptr_t)d->map, CHUNK);
	madvise(d->base, d->map_bytes - CHUNK, MADV_HUGEPAGE);
	return 0;
}

/* A second description of the same file, for O_DIRECT alone. */
static int open_files(struct pw_direct *d, int fd)
{
	char path[32];

	if (!pw_file_takes_direct(fd))
		return -EOPNOTSUPP;
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	d->plain_fd = fcntl(fd, F_DUPFD_CLOEXEC, 3);
	d->fd = open(path, O_WRONLY | O_DIRECT | O_CLOEXEC);
	return d->fd < 0 || d->plain_fd < 0 ? -errno : 0;
}

static void free_all(struct pw_direct *d)
{
	if (d->map)
		munmap(d->map, d->map_bytes);
	if (d->fd >= 0)
		close(d->fd);
	if (d->plain_fd >= 0)
		close(d->plain_fd);
	free(d->touched);
	atomic_fetch_sub(d->n_open, 1);
	free(d);
}

int pw_direct_open(
	struct pw_direct **out, int fd, uint64_t len_bytes, const struct pw_direct_config *cfg)
{
	static const struct pw_uring_want want = {
		.sq_entries = 128,
		.cq_entries = 256,
		.handed_over = true,
		.op = IORING_OP_WRITE,
		.op_name = "IORING_OP_WRITE",
		.since = "5.6",
	};
	struct pw_direct *d;
	int r;

	*out = NULL;
	if (atomic_load(cfg->n_open) >= PW_DIRECT_FILES)
		return -EMFILE;
	d = calloc(1, sizeof(*d));
	if (!d)
		return -ENOMEM;
	atomic_fetch_add(cfg->n_open, 1);
	d->n_open = cfg->n_open;
	d->log = cfg->log;
	d->live_max =
		(unsigned int)((cfg->memory_bytes ? cfg->memory_bytes : PW_DIRECT_MEMORY) / CHUNK);
	d->len_bytes = len_bytes;
	d->cur = NONE;
	d->fd = d->plain_fd = -1;
	d->touched = calloc(len_bytes / CHUNK + 1, 1);
	r = d->touched ? open_files(d, fd) : -ENOMEM;
	if (r == 0)
		r = reserve(d);
	if (r == 0)
		r = pw_uring_open(&d->ring, &want, NULL);
	if (r < 0) {
		free_all(d);
		return r;
	}
	*out = d;
	return 0;
}

int pw_direct_close(struct pw_direct *d)
{
	struct stat st;
	unsigned int i;
	int code;

	for (i = 0; i < d->n_live && !d->failed; i++)
		if (d->live[i].state == FILLING)
			write_chunk(d, &d->live[i]);
	while (d->n_writing && !d->failed)
		wait_for_disk(d);
	if (!d->failed && fstat(d->plain_fd, &st) < 0)
		fail(d, errno);
	else if (!d->failed && (uint64_t)st.st_size != d->len_bytes)
		fail(d, ESTALE);
	code = d->failed;
	/* a failed one may have writes under way: the kernel waits for them, they hold their pages */
	io_uring_queue_exit(&d->ring);
	free_all(d);
	return code;
}
