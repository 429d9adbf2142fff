/* SPDX-License-Identifier: BSD-3-Clause */
#include "file/outdirect.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/bytes.h"
#include "file/outpool_private.h"
#include "file/regfile.h"

#define READ_BYTES (1u << 20) /* at once, for a digest */

int pw_outdirect_failed(const struct pw_outdirect *d)
{
	return atomic_load_explicit(&d->failed, memory_order_relaxed);
}

/* Writes n bytes whose chunk has left memory. */
static void write_late(struct pw_outdirect *d, uint64_t at, const uint8_t *data, uint32_t n)
{
	if (!atomic_load_explicit(&d->fresh, memory_order_relaxed) || !pw_is_zero(data, n))
		pw_outpool_write_plain(d, data, n, at);
}

/* Sets the bits [first, end) of the chunk's symbols. Returns how many bits are set now. Release: a thread that
 * sees a bit sees its bytes. */
static unsigned int mark(struct chunk *c, unsigned int first, unsigned int end)
{
	unsigned int i, n_new = 0;

	for (i = first / 64; i * 64 < end; i++) {
		unsigned int lo = i * 64 < first ? first - i * 64 : 0;
		unsigned int hi = (i + 1) * 64 > end ? end - i * 64 : 64;
		uint64_t bits = (hi == 64 ? ~0ull : (1ull << hi) - 1) & ~((1ull << lo) - 1);
		uint64_t old = atomic_fetch_or_explicit(&c->got[i], bits, memory_order_release);

		n_new += (unsigned int)__builtin_popcountll(bits & ~old);
	}
	return atomic_fetch_add(&c->n_got, n_new) + n_new;
}

/* The chunk is pinned, so it is still the file's. It may be queued or written already. */
static void hand_over(struct pw_outdirect *d, struct chunk *c)
{
	pthread_mutex_lock(&d->pool->lock);
	if (c->state == FILLING) {
		pw_outpool_queue(d->pool, c);
		pw_outpool_wake(d->pool);
	}
	pthread_mutex_unlock(&d->pool->lock);
}

/* Returns the chunk, pinned. NULL: it has left memory, or the file has failed. */
static struct chunk *get_chunk(struct pw_outdirect *d, uint64_t index)
{
	struct chunk *c;

	while (!atomic_load_explicit(&d->failed, memory_order_relaxed)) {
		c = atomic_load_explicit(&d->table[index], memory_order_acquire);
		if (c == &d->pool->gone)
			return NULL;
		if (!c) {
			pthread_mutex_lock(&d->pool->lock);
			pw_outpool_claim(d, index);
			pthread_mutex_unlock(&d->pool->lock);
		} else if (pw_outpool_pin(d, index, c)) {
			return c;
		} else {
			sched_yield(); /* it is being taken away */
		}
	}
	return NULL;
}

/* n bytes of one chunk: whole symbols, or the parts of them that lie in this chunk. */
static void put_piece(struct pw_outdirect *d, uint64_t at, const uint8_t *data, uint32_t n)
{
	const uint64_t index = at / CHUNK_BYTES, base = index * CHUNK_BYTES / d->symbol_len;
	struct chunk *c = get_chunk(d, index);

	if (!c) {
		write_late(d, at, data, n);
		return;
	}
	memcpy(c->mem + at % CHUNK_BYTES, data, n);
	if (mark(c, (unsigned int)(at / d->symbol_len - base),
		    (unsigned int)(pw_div_ceil(at + n, d->symbol_len) - base)) ==
		pw_outpool_chunk_symbols(d, index))
		hand_over(d, c);
	pw_outpool_unpin(c);
}

void pw_outdirect_put(struct pw_outdirect *d, uint64_t at, const uint8_t *data, uint32_t len)
{
	const uint64_t end = at + len;

	if (pw_outdirect_failed(d))
		return;
	if (at % d->symbol_len || (end % d->symbol_len && end != d->len_bytes)) {
		write_late(d, at, data, len);
		return;
	}
	while (len) {
		uint32_t n = (uint32_t)pw_min_u64(len, CHUNK_BYTES - at % CHUNK_BYTES);

		put_piece(d, at, data, n);
		at += n;
		data += n;
		len -= n;
	}
}

/* Takes all chunks away from the file, except those that are being written. The caller holds the lock. */
static void drop_chunks(struct pw_outdirect *d)
{
	struct pw_outpool *pool = d->pool;
	unsigned int i;

	for (i = 0; i < pool->n_chunks; i++) {
		struct chunk *c = &pool->chunks[i];

		if (c->state != FREE && c->state != WRITING && c->file == d)
			pw_outpool_release(pool, c);
	}
}

/* Waits for writes of old content: they must not overwrite new content. */
void pw_outdirect_rewrite(struct pw_outdirect *d)
{
	uint64_t i;

	atomic_store(&d->fresh, false);
	pthread_mutex_lock(&d->pool->lock);
	drop_chunks(d);
	while (d->n_writing && !atomic_load(&d->failed)) {
		if (pw_outpool_wait(d->pool, d) < 0)
			pw_outpool_fail(d, ETIMEDOUT);
		drop_chunks(d);
	}
	if (!d->n_writing)
		for (i = 0; i < d->n_chunks; i++)
			if (atomic_load_explicit(&d->table[i], memory_order_relaxed))
				atomic_store(&d->table[i], NULL);
	pthread_mutex_unlock(&d->pool->lock);
}

static bool is_under_way(const struct pw_outdirect *d, uint64_t until)
{
	const struct pw_outpool *pool = d->pool;
	unsigned int i;

	for (i = 0; i < pool->n_chunks; i++) {
		const struct chunk *c = &pool->chunks[i];

		if ((c->state == QUEUED || c->state == WRITING) && c->file == d &&
			c->since <= until)
			return true;
	}
	return false;
}

static int write_error(const struct pw_outdirect *d, struct pw_err *err)
{
	int code = pw_outdirect_failed(d);

	if (code == ENOSPC || code == EDQUOT)
		return pw_err_set(err, code,
			"cannot write %s: %s; free some space and continue with --resume", d->name,
			code == ENOSPC ? "disk full" : "disk quota used up");
	if (code == ETIMEDOUT)
		return pw_err_set(
			err, code, "cannot write %s: the disk did not answer for 30 s", d->name);
	if (code == ESTALE)
		return pw_err_set(err, code,
			"cannot write %s: another process changed its length; do not change the "
			"output directory while recv runs",
			d->name);
	return code ? pw_err_sys(err, code, "cannot write %s", d->name) : 0;
}

int pw_outdirect_flush(struct pw_outdirect *d, struct pw_err *err)
{
	struct pw_outpool *pool = d->pool;
	struct stat st;
	uint64_t until;
	unsigned int i;

	pthread_mutex_lock(&pool->lock);
	for (i = 0; i < pool->n_chunks; i++) {
		struct chunk *c = &pool->chunks[i];

		if (c->state == FILLING && c->file == d)
			pw_outpool_queue(pool, c);
		else if (c->state == WRITING && c->file == d)
			c->again = true;
	}
	until = pool->clock;
	pw_outpool_wake(pool);
	while (is_under_way(d, until) && !atomic_load(&d->failed))
		if (pw_outpool_wait(pool, d) < 0)
			pw_outpool_fail(d, ETIMEDOUT);
	pthread_mutex_unlock(&pool->lock);
	if (fstat(d->plain_fd, &st) < 0)
		pw_outpool_fail(d, errno);
	else if ((uint64_t)st.st_size != d->len_bytes)
		pw_outpool_fail(d, ESTALE);
	return write_error(d, err);
}

int pw_outdirect_sync(struct pw_outdirect *d, struct pw_err *err)
{
	int ret = pw_outdirect_flush(d, err);

	if (ret < 0)
		return ret;
	if (fsync(d->plain_fd) < 0)
		pw_outpool_fail(d, errno);
	return write_error(d, err);
}

/* The end of the received bytes from `at` on: `to` or the first missing byte. */
static uint64_t received_until(
	const struct pw_outdirect *d, const struct chunk *c, uint64_t at, uint64_t to)
{
	const uint64_t base = c->index * CHUNK_BYTES / d->symbol_len;
	uint64_t i = at / d->symbol_len - base, end = pw_div_ceil(to, d->symbol_len) - base;

	for (; i < end; i++)
		if (!(atomic_load_explicit(&c->got[i / 64], memory_order_acquire) >> (i % 64) & 1))
			return pw_max_u64(at, pw_min_u64(to, (base + i) * d->symbol_len));
	return to;
}

/* Where bytes that are read back go: into a digest, or to `bytes`. */
struct sink {
	struct pw_digest_state *digest;
	uint8_t *bytes;
};

static void pour(struct sink *s, const uint8_t *data, uint64_t n)
{
	if (s->digest) {
		pw_digest_update(s->digest, data, n);
		return;
	}
	memcpy(s->bytes, data, n);
	s->bytes += n;
}

/* Takes the bytes from `at` on that are in this chunk. Returns their end. */
static uint64_t read_memory(struct pw_outdirect *d, struct sink *s, uint64_t at, uint64_t to)
{
	const uint64_t index = at / CHUNK_BYTES;
	struct chunk *c = atomic_load_explicit(&d->table[index], memory_order_acquire);
	uint64_t end;

	if (!c || c == &d->pool->gone || !pw_outpool_pin(d, index, c))
		return at;
	end = received_until(d, c, at, pw_min_u64(to, pw_outpool_chunk_end(d, index)));
	pour(s, c->mem + at % CHUNK_BYTES, end - at);
	pw_outpool_unpin(c);
	return end;
}

/* Reads past the page cache: whole blocks, into an aligned buffer. */
static uint64_t read_file(struct pw_outdirect *d, struct sink *s, uint64_t at, uint64_t to,
	uint8_t *buf, struct pw_err *err)
{
	const uint64_t skip = at % BLOCK_BYTES;
	uint64_t want = pw_min_u64(pw_align_up(to - (at - skip), BLOCK_BYTES), READ_BYTES);
	ssize_t n;

	do
		n = pread(d->fd, buf, want, (off_t)(at - skip));
	while (n < 0 && errno == EINTR);
	if (n < 0) {
		pw_err_sys(err, errno, "cannot read %s back", d->name);
		return at;
	}
	if ((uint64_t)n <= skip) {
		pw_err_set(
			err, ESTALE, "cannot read %s back: another process truncated it", d->name);
		return at;
	}
	want = pw_min_u64((uint64_t)n - skip, to - at);
	pour(s, buf + skip, want);
	return at + want;
}

/* Waits until the chunk, which has left memory, is written. */
static void wait_written(struct pw_outdirect *d, uint64_t index)
{
	struct pw_outpool *pool = d->pool;
	unsigned int i;

	pthread_mutex_lock(&pool->lock);
	for (i = 0; i < pool->n_chunks; i++) {
		const struct chunk *c = &pool->chunks[i];

		while ((c->state == QUEUED || c->state == WRITING) && c->file == d &&
			c->index == index && !atomic_load(&d->failed))
			if (pw_outpool_wait(pool, d) < 0)
				pw_outpool_fail(d, ETIMEDOUT);
	}
	pthread_mutex_unlock(&pool->lock);
}

/* Returns the end of the bytes that went into the sink. */
static uint64_t read_back(struct pw_outdirect *d, struct sink *s, uint64_t from, uint64_t to,
	bool memory_only, struct pw_err *err)
{
	uint64_t at = from, next, end;
	void *buf = NULL;

	while (at < to && !pw_outdirect_failed(d)) {
		next = read_memory(d, s, at, to);
		if (next == at && memory_only)
			break;
		if (next == at && !buf && posix_memalign(&buf, BLOCK_BYTES, READ_BYTES) != 0) {
			buf = NULL;
			pw_err_sys(err, ENOMEM, "cannot read %s back", d->name);
			break;
		}
		if (next == at) {
			end = pw_outpool_chunk_end(d, at / CHUNK_BYTES);
			wait_written(d, at / CHUNK_BYTES);
			next = read_file(d, s, at, pw_min_u64(to, end), buf, err);
		}
		if (next == at)
			break;
		at = next;
	}
	if (pw_outdirect_failed(d))
		write_error(d, err);
	free(buf);
	return at;
}

uint64_t pw_outdirect_digest(struct pw_outdirect *d, struct pw_digest_state *s, uint64_t from,
	uint64_t to, bool memory_only, struct pw_err *err)
{
	return read_back(d, &(struct sink){.digest = s}, from, to, memory_only, err);
}

uint64_t pw_outdirect_read(
	struct pw_outdirect *d, uint64_t from, uint64_t to, uint8_t *buf, struct pw_err *err)
{
	return read_back(d, &(struct sink){.bytes = buf}, from, to, false, err);
}

/* A high number means that few descriptors are left; a mapped file needs none. */
static bool are_descriptors_short(int fd)
{
	struct rlimit limit;

	return getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY &&
	       (rlim_t)fd >= limit.rlim_cur - limit.rlim_cur / 4;
}

/* Opens the file a second time, for O_DIRECT. */
static int open_files(struct pw_outdirect *d, int fd)
{
	char path[32];

	if (!pw_regfile_takes_direct(fd))
		return -EOPNOTSUPP;
	d->plain_fd = fcntl(fd, F_DUPFD_CLOEXEC, 3);
	if (d->plain_fd < 0)
		return -errno;
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	d->fd = open(path, O_RDWR | O_DIRECT | O_CLOEXEC);
	if (d->fd < 0)
		return -errno;
	return are_descriptors_short(d->fd) ? -EMFILE : 0;
}

int pw_outdirect_open(struct pw_outdirect **out, struct pw_outpool *pool, int fd, const char *dir,
	const char *name, uint64_t len_bytes, uint32_t symbol_len)
{
	struct pw_outdirect *d;
	int ret;

	*out = NULL;
	if (symbol_len < SYMBOL_MIN)
		return -EOPNOTSUPP;
	d = calloc(1, sizeof(*d));
	if (!d)
		return -ENOMEM;
	d->pool = pool;
	d->fd = d->plain_fd = -1;
	d->len_bytes = len_bytes;
	d->symbol_len = symbol_len;
	atomic_init(&d->fresh, true);
	d->n_chunks = pw_div_ceil(len_bytes, CHUNK_BYTES);
	d->table = calloc(d->n_chunks, sizeof(*d->table));
	if (asprintf(&d->name, "%s/%s", dir, name) < 0)
		d->name = NULL;
	ret = d->table && d->name ? open_files(d, fd) : -ENOMEM;
	if (ret < 0) {
		pw_outpool_free_file(d);
		return ret;
	}
	*out = d;
	return 0;
}

void pw_outdirect_close(struct pw_outdirect *d)
{
	bool busy;

	if (!d)
		return;
	pthread_mutex_lock(&d->pool->lock);
	drop_chunks(d);
	busy = d->n_writing > 0;
	d->closed = true;
	pthread_mutex_unlock(&d->pool->lock);
	if (!busy) /* else the disk thread frees it after its last write */
		pw_outpool_free_file(d);
}
