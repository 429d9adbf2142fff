/* SPDX-License-Identifier: BSD-3-Clause */
/* Hands out disk chunks to received files, and takes them back when memory is short. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "file/outpool_private.h"

#define TICK_NS 20000000ll /* longest wait: unpinning a chunk wakes no thread */

void pw_outpool_fail(struct pw_outdirect *d, int code)
{
	int none = 0;

	atomic_compare_exchange_strong(&d->failed, &none, code);
}

void pw_outpool_write_plain(struct pw_outdirect *d, const uint8_t *data, uint64_t len, uint64_t at)
{
	while (len && !atomic_load(&d->failed)) {
		ssize_t n = pwrite(d->plain_fd, data, len, (off_t)at);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0) {
			pw_outpool_fail(d, n < 0 ? errno : ENOSPC);
			return;
		}
		data += n;
		len -= (uint64_t)n;
		at += (uint64_t)n;
	}
}

void pw_outpool_free_file(struct pw_outdirect *d)
{
	if (d->fd >= 0)
		close(d->fd);
	if (d->plain_fd >= 0)
		close(d->plain_fd);
	free(d->table);
	free(d->name);
	free(d);
}

bool pw_outpool_pin(struct pw_outdirect *d, uint64_t index, struct chunk *c)
{
	unsigned int before = atomic_fetch_add(&c->pins, 1);

	if (!(before & PIN_CLOSED) && atomic_load(&d->table[index]) == c)
		return true;
	atomic_fetch_sub(&c->pins, 1);
	return false;
}

void pw_outpool_unpin(struct chunk *c)
{
	atomic_fetch_sub_explicit(&c->pins, 1, memory_order_release);
}

void pw_outpool_wake(struct pw_outpool *pool)
{
	const uint64_t one = 1;

	/* It fails only if the count is full; then the thread wakes up anyway. */
	(void)!write(pool->wake_fd, &one, sizeof(one));
}

struct chunk *pw_outpool_oldest(struct pw_outpool *pool, enum chunk_state state)
{
	struct chunk *found = NULL;
	unsigned int i;

	for (i = 0; i < pool->n_chunks; i++) {
		struct chunk *c = &pool->chunks[i];

		if (c->state == state && (!found || c->since < found->since))
			found = c;
	}
	return found;
}

static unsigned int count(const struct pw_outpool *pool, enum chunk_state state)
{
	unsigned int i, n = 0;

	for (i = 0; i < pool->n_chunks; i++)
		n += pool->chunks[i].state == state;
	return n;
}

static bool is_busy(const struct pw_outpool *pool)
{
	return count(pool, QUEUED) + count(pool, WRITING) > 0;
}

bool pw_outpool_is_low(const struct pw_outpool *pool)
{
	return pool->n_chunks - count(pool, FILLING) < pool->low;
}

/* The chunk is closed, or no thread can have it pinned. */
void pw_outpool_release(struct pw_outpool *pool, struct chunk *c)
{
	atomic_fetch_or(&c->pins, PIN_CLOSED);
	c->state = FREE;
	c->file = NULL;
	pthread_cond_broadcast(&pool->change);
}

void pw_outpool_queue(struct pw_outpool *pool, struct chunk *c)
{
	if (!is_busy(pool)) {
		pool->busy_since_ns = pw_clock_ns();
		pool->warn_ns = PATIENCE_NS;
	}
	c->state = QUEUED;
	c->since = ++pool->clock;
}

/* Takes the oldest written chunk that is not pinned away from its file. */
static struct chunk *recycle(struct pw_outpool *pool)
{
	struct chunk *found = NULL;
	unsigned int i, none = 0;

	for (i = 0; i < pool->n_chunks; i++) {
		struct chunk *c = &pool->chunks[i];

		if (c->state == WRITTEN && atomic_load(&c->pins) == 0 &&
			(!found || c->since < found->since))
			found = c;
	}
	if (!found || !atomic_compare_exchange_strong(&found->pins, &none, PIN_CLOSED))
		return NULL;
	atomic_store(&found->file->table[found->index], &pool->gone);
	return found;
}

static void assign(struct chunk *c, struct pw_outdirect *d, uint64_t index)
{
	struct pw_outpool *pool = d->pool;
	unsigned int i;

	c->state = FILLING;
	c->file = d;
	c->index = index;
	c->since = ++pool->clock;
	c->leaves = c->again = false;
	c->n_done = 0;
	memset(c->done, 0, sizeof(c->done));
	for (i = 0; i < SYMBOL_WORDS; i++)
		atomic_store_explicit(&c->got[i], 0, memory_order_relaxed);
	atomic_store(&c->n_got, 0);
	atomic_fetch_and(&c->pins, ~PIN_CLOSED);
	atomic_store(&d->table[index], c);
}

static void warn_silent(struct pw_outpool *pool, const char *name, uint64_t silent_ns)
{
	if (silent_ns < pool->warn_ns)
		return;
	pool->warn_ns = silent_ns + PATIENCE_NS;
	pw_warn(pool->log, "cannot write %s yet: the disk has not answered for %.0f s", name,
		(double)silent_ns * 1e-9);
}

int pw_outpool_wait(struct pw_outpool *pool, const struct pw_outdirect *d)
{
	struct timespec until;
	uint64_t now_ns;

	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_nsec += TICK_NS;
	if (until.tv_nsec >= (long)PW_NS_PER_S) {
		until.tv_sec++;
		until.tv_nsec -= (long)PW_NS_PER_S;
	}
	pthread_cond_timedwait(&pool->change, &pool->lock, &until);
	now_ns = pw_clock_ns();
	if (!is_busy(pool) || now_ns <= pool->busy_since_ns)
		return 0;
	warn_silent(pool, d->name, now_ns - pool->busy_since_ns);
	return now_ns - pool->busy_since_ns >= SILENT_NS ? -ETIMEDOUT : 0;
}

void pw_outpool_claim(struct pw_outdirect *d, uint64_t index)
{
	struct pw_outpool *pool = d->pool;
	struct chunk *c = NULL;
	uint64_t start;

	while (!atomic_load(&d->table[index]) && !atomic_load(&d->failed)) {
		c = pw_outpool_oldest(pool, FREE);
		if (!c)
			c = recycle(pool);
		if (c) {
			assign(c, d, index);
			if (pw_outpool_is_low(pool))
				pw_outpool_wake(pool);
			return;
		}
		pw_outpool_wake(pool);
		start = pw_clock_ns();
		if (pw_outpool_wait(pool, d) < 0)
			pw_outpool_fail(d, ETIMEDOUT);
		pool->waited_ns += pw_clock_ns() - start;
	}
}

static int make_memory(struct pw_outpool *pool, uint64_t memory_bytes)
{
	uint8_t *mem;
	unsigned int i;

	pool->n_chunks = (unsigned int)(memory_bytes / CHUNK_BYTES);
	pool->low = pool->n_chunks / 8 ? pool->n_chunks / 8 : 1;
	pool->chunks = calloc(pool->n_chunks, sizeof(*pool->chunks));
	if (!pool->chunks)
		return -ENOMEM;
	pool->map_bytes = (pool->n_chunks + 1) * CHUNK_BYTES;
	pool->map = mmap(NULL, pool->map_bytes, PROT_READ | PROT_WRITE,
		MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (pool->map == MAP_FAILED) {
		pool->map = NULL;
		return -ENOMEM;
	}
	mem = (uint8_t *)pw_align_up((uintptr_t)pool->map, CHUNK_BYTES);
	madvise(mem, pool->n_chunks * CHUNK_BYTES, MADV_HUGEPAGE);
	for (i = 0; i < pool->n_chunks; i++) {
		pool->chunks[i].mem = mem + i * CHUNK_BYTES;
		atomic_init(&pool->chunks[i].pins, PIN_CLOSED);
	}
	return 0;
}

static void init_locks(struct pw_outpool *pool)
{
	pthread_condattr_t attr;

	pthread_mutex_init(&pool->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&pool->change, &attr);
	pthread_condattr_destroy(&attr);
}

int pw_outpool_create(struct pw_outpool **out, uint64_t memory_bytes, const struct pw_log *log)
{
	struct pw_outpool *pool = calloc(1, sizeof(*pool));
	int ret;

	*out = NULL;
	if (!pool)
		return -ENOMEM;
	pool->log = log;
	init_locks(pool);
	atomic_init(&pool->gone.pins, PIN_CLOSED);
	pool->wake_fd = eventfd(0, EFD_CLOEXEC);
	ret = pool->wake_fd < 0 ? -errno : make_memory(pool, memory_bytes);
	if (ret < 0) {
		pw_outpool_destroy(pool);
		return ret;
	}
	*out = pool;
	return 0;
}

void pw_outpool_destroy(struct pw_outpool *pool)
{
	unsigned int i;

	for (i = 0; pool->chunks && i < pool->n_chunks; i++) {
		struct chunk *c = &pool->chunks[i];

		if (c->state == WRITING && --c->file->n_writing == 0)
			pw_outpool_free_file(c->file);
	}
	if (pool->wake_fd >= 0)
		close(pool->wake_fd);
	if (pool->map)
		munmap(pool->map, pool->map_bytes);
	pthread_mutex_destroy(&pool->lock);
	pthread_cond_destroy(&pool->change);
	free(pool->chunks);
	free(pool);
}
