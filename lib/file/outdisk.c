/* SPDX-License-Identifier: BSD-3-Clause */
#include "file/outdisk.h"

#include <assert.h>
#include <errno.h>
#include <sched.h>
#include <string.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/thread.h"
#include "file/outpool_private.h"

#define WAKE_DATA (N_OPS + 1ull) /* user data of the wake-up read; writes have their index */
#define WAIT_NS   1000000000ull
/* A shorter range is written through the page cache. */
#define DIRECT_MIN_BYTES (128u << 10)
#define HOLE_BYTES       (64u << 10)

struct range {
	uint64_t from, to;
};

static const uint8_t *bytes_at(const struct chunk *c, uint64_t at)
{
	return c->mem + (at - c->index * CHUNK_BYTES);
}

/* The last write of a chunk has ended: its next state. */
static void settle(struct pw_outpool *pool, struct chunk *c)
{
	struct pw_outdirect *d = c->file;
	const unsigned int all = pw_outpool_chunk_symbols(d, c->index);
	bool orphan;

	pthread_mutex_lock(&pool->lock);
	pool->busy_since_ns = pw_clock_ns();
	pool->warn_ns = PATIENCE_NS;
	d->n_writing--;
	orphan = d->closed && d->n_writing == 0;
	if (d->closed || c->leaves) {
		pw_outpool_release(pool, c);
	} else if (c->n_done == all || atomic_load(&d->failed)) {
		c->state = WRITTEN;
		c->since = ++pool->clock;
	} else if (c->again || atomic_load(&c->n_got) == all) {
		c->state = QUEUED; /* `since` does not change: a flush waits for it */
	} else {
		c->state = FILLING;
	}
	c->again = false;
	pthread_cond_broadcast(&pool->change);
	pthread_mutex_unlock(&pool->lock);
	if (orphan)
		pw_outpool_free_file(d);
}

static void end_one(struct pw_outpool *pool, struct chunk *c)
{
	if (--c->n_pending == 0)
		settle(pool, c);
}

static void end_op(struct pw_outpool *pool, struct op *op)
{
	struct chunk *c = op->chunk;

	op->chunk = NULL;
	pool->n_ops--;
	end_one(pool, c);
}

static void prepare(struct pw_outpool *pool, struct op *op)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(&pool->ring);

	assert(sqe); /* it has room for all writes, and each is submitted at once */
	io_uring_prep_write(sqe, op->chunk->file->fd, bytes_at(op->chunk, op->from),
		(unsigned int)(op->to - op->from), op->from);
	io_uring_sqe_set_data64(sqe, (uint64_t)(op - pool->ops));
}

static void submit(struct pw_outpool *pool)
{
	int ret;

	do
		ret = io_uring_submit(&pool->ring);
	while (ret == -EINTR || ret == -EAGAIN);
	if (ret < 0 && ret != -EBUSY)
		pool->broken = -ret;
}

static void take(struct pw_outpool *pool, struct op *op, int res)
{
	struct pw_outdirect *d = op->chunk->file;

	if (res > 0)
		op->from += pw_align_down((uint64_t)res, BLOCK_BYTES);
	if (op->from < op->to && (res == -EINTR || res == -EAGAIN || res >= (int)BLOCK_BYTES)) {
		prepare(pool, op);
		submit(pool);
		return;
	}
	if (res == -EINVAL ||
		res == -EOPNOTSUPP) /* the file system does not support O_DIRECT after all */
		pw_outpool_write_plain(
			d, bytes_at(op->chunk, op->from), op->to - op->from, op->from);
	else if (op->from < op->to)
		pw_outpool_fail(d, res < 0 ? -res : ENOSPC);
	end_op(pool, op);
}

static void arm_wake(struct pw_outpool *pool)
{
	struct io_uring_sqe *sqe;

	if (pool->wake_armed)
		return;
	sqe = io_uring_get_sqe(&pool->ring);
	assert(sqe);
	io_uring_prep_read(sqe, pool->wake_fd, &pool->wake_count, sizeof(pool->wake_count), 0);
	io_uring_sqe_set_data64(sqe, WAKE_DATA);
	pool->wake_armed = true;
}

static void take_all(struct pw_outpool *pool)
{
	struct io_uring_cqe *cqe;

	while (io_uring_peek_cqe(&pool->ring, &cqe) == 0) {
		uint64_t data = io_uring_cqe_get_data64(cqe);
		int res = cqe->res;

		io_uring_cqe_seen(&pool->ring, cqe);
		if (data == WAKE_DATA)
			pool->wake_armed = false;
		else
			take(pool, &pool->ops[data], res);
	}
}

/* If the ring is broken, its writes may still happen: their chunks are not used again. */
static void wait_ring(struct pw_outpool *pool)
{
	int ret;

	if (pool->broken) {
		usleep(1000);
		return;
	}
	arm_wake(pool);
	ret = pw_uring_wait(&pool->ring, 1, WAIT_NS);
	if (ret < 0 && ret != -EINTR)
		pool->broken = -ret;
	take_all(pool);
}

static void write_direct(struct pw_outpool *pool, struct chunk *c, const struct range *r)
{
	unsigned int i;

	while (pool->n_ops == N_OPS && !pool->broken)
		wait_ring(pool);
	if (pool->broken) {
		pw_outpool_write_plain(c->file, bytes_at(c, r->from), r->to - r->from, r->from);
		return;
	}
	for (i = 0; pool->ops[i].chunk; i++)
		;
	pool->ops[i] = (struct op){.chunk = c, .from = r->from, .to = r->to};
	pool->n_ops++;
	c->n_pending++;
	prepare(pool, &pool->ops[i]);
	submit(pool);
}

/* Whole blocks go past the page cache. The edges, and short ranges, go through it. */
static void write_range(struct pw_outpool *pool, struct chunk *c, const struct range *r)
{
	struct pw_outdirect *d = c->file;
	struct range body = {pw_align_up(r->from, BLOCK_BYTES), pw_align_down(r->to, BLOCK_BYTES)};

	if (body.to < body.from + DIRECT_MIN_BYTES) {
		pw_outpool_write_plain(d, bytes_at(c, r->from), r->to - r->from, r->from);
		return;
	}
	pw_outpool_write_plain(d, bytes_at(c, r->from), body.from - r->from, r->from);
	pw_outpool_write_plain(d, bytes_at(c, body.to), r->to - body.to, body.to);
	write_direct(pool, c, &body);
}

/* A new file stays sparse: blocks of zeros are not written. */
static void write_but_holes(struct pw_outpool *pool, struct chunk *c, const struct range *r)
{
	struct range piece = {r->from, r->from};
	uint64_t at, end;

	if (!atomic_load(&c->file->fresh)) {
		write_range(pool, c, r);
		return;
	}
	for (at = r->from; at < r->to; at = end) {
		end = pw_min_u64(r->to, pw_align_down(at, HOLE_BYTES) + HOLE_BYTES);
		if (!pw_is_zero(bytes_at(c, at), (uint32_t)(end - at))) {
			piece.to = end;
			continue;
		}
		if (piece.to > piece.from)
			write_range(pool, c, &piece);
		piece = (struct range){end, end};
	}
	if (piece.to > piece.from)
		write_range(pool, c, &piece);
}

static bool get_bit(const uint64_t *words, unsigned int i)
{
	return words[i / 64] >> (i % 64) & 1;
}

/* The bytes of symbols [first, end) of the chunk that lie in it. */
static struct range range_of(const struct chunk *c, unsigned int first, unsigned int end)
{
	const struct pw_outdirect *d = c->file;
	const uint64_t start = c->index * CHUNK_BYTES, base = start / d->symbol_len;

	return (struct range){
		.from = pw_max_u64(start, (base + first) * d->symbol_len),
		.to = pw_min_u64(pw_outpool_chunk_end(d, c->index), (base + end) * d->symbol_len),
	};
}

/* Writes the symbols that were received and not written yet. Other threads may put more symbols. */
static void write_chunk(struct pw_outpool *pool, struct chunk *c)
{
	struct pw_outdirect *d = c->file;
	const unsigned int n = pw_outpool_chunk_symbols(d, c->index);
	uint64_t todo[SYMBOL_WORDS];
	unsigned int i, first;
	struct range r;

	for (i = 0; i < SYMBOL_WORDS; i++) {
		todo[i] = atomic_load_explicit(&c->got[i], memory_order_acquire) & ~c->done[i];
		c->done[i] |= todo[i];
		c->n_done += (unsigned int)__builtin_popcountll(todo[i]);
	}
	c->n_pending = 1;
	for (i = 0; i < n && !atomic_load(&d->failed); i++) {
		if (!get_bit(todo, i))
			continue;
		for (first = i; i < n && get_bit(todo, i); i++)
			;
		r = range_of(c, first, i);
		write_but_holes(pool, c, &r);
	}
	end_one(pool, c);
}

/* When this returns, no thread puts bytes to the chunk; later bytes are written to the file directly. */
static void close_chunk(struct pw_outpool *pool, struct chunk *c)
{
	atomic_store(&c->file->table[c->index], &pool->gone);
	atomic_fetch_or(&c->pins, PIN_CLOSED);
	while (atomic_load(&c->pins) != PIN_CLOSED)
		sched_yield();
}

/* The oldest queued chunk; if memory is short, else the chunk that has been filling for longest. */
static struct chunk *next_chunk(struct pw_outpool *pool)
{
	struct chunk *c;

	pthread_mutex_lock(&pool->lock);
	c = pw_outpool_oldest(pool, QUEUED);
	if (!c && pw_outpool_is_low(pool)) {
		c = pw_outpool_oldest(pool, FILLING);
		if (c) {
			pw_outpool_queue(pool, c);
			c->leaves = true;
		}
	}
	if (c) {
		c->state = WRITING;
		c->file->n_writing++;
	}
	pthread_mutex_unlock(&pool->lock);
	return c;
}

static bool is_over(struct pw_outpool *pool, uint64_t *stop_ns)
{
	bool stop;

	pthread_mutex_lock(&pool->lock);
	stop = pool->stop;
	pthread_mutex_unlock(&pool->lock);
	if (!stop)
		return false;
	if (!*stop_ns)
		*stop_ns = pw_clock_ns();
	return pool->n_ops == 0 || pool->broken || pw_clock_ns() - *stop_ns >= SILENT_NS;
}

static void *run(void *arg)
{
	struct pw_outpool *pool = arg;
	uint64_t stop_ns = 0;
	struct chunk *c;

	while (!is_over(pool, &stop_ns)) {
		c = next_chunk(pool);
		if (!c) {
			wait_ring(pool);
			continue;
		}
		if (c->leaves)
			close_chunk(pool, c);
		write_chunk(pool, c);
		take_all(pool);
	}
	return NULL;
}

int pw_outdisk_start(struct pw_outpool **out, uint64_t memory_bytes, const struct pw_log *log,
	struct pw_err *err)
{
	static const struct pw_uring_want want = {
		.sq_entries = 2 * N_OPS,
		.cq_entries = 4 * N_OPS,
		.handed_over = true,
		.op = IORING_OP_WRITE,
		.op_name = "IORING_OP_WRITE",
		.since = "5.6",
	};
	int ret = pw_outpool_create(out, memory_bytes, log);
	struct pw_outpool *pool = *out;

	if (ret < 0)
		return pw_err_sys(err, -ret, "cannot allocate memory for writing files");
	ret = pw_uring_open(&pool->ring, &want, err);
	if (ret < 0)
		goto destroy_pool;
	ret = pw_thread_start(&pool->thread, run, pool);
	if (ret == 0)
		return 0;
	ret = pw_err_sys(err, ret, "cannot start the thread that writes files");
	io_uring_queue_exit(&pool->ring);
destroy_pool:
	pw_outpool_destroy(pool);
	*out = NULL;
	return ret;
}

void pw_outdisk_stop(struct pw_outpool *pool)
{
	if (!pool)
		return;
	pthread_mutex_lock(&pool->lock);
	pool->stop = true;
	pw_outpool_wake(pool);
	pthread_mutex_unlock(&pool->lock);
	pthread_join(pool->thread, NULL);
	/* If the disk never answers, the kernel keeps the pages of its writes: unmapping them is safe. */
	io_uring_queue_exit(&pool->ring);
	pw_outpool_destroy(pool);
}

uint64_t pw_outdisk_waited_ns(struct pw_outpool *pool)
{
	uint64_t ns;

	pthread_mutex_lock(&pool->lock);
	ns = pool->waited_ns;
	pthread_mutex_unlock(&pool->lock);
	return ns;
}
