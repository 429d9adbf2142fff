/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The receiver's process of a cell, the same for every way on a wire. pagewire's receiver and its loop place
 * each packet's symbol in a buffer that was mapped and touched before, pass after pass; the bytes of a stream
 * are read into the buffer. At the end the buffer is compared with the file.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "bench/cell.h"
#include "bench/sink.h"
#include "file/digest.h"
#include "kernel/udprx.h"
#include "recv/loop.h"
#include "recv/memory.h"
#include "send/send.h"

#define TOI      1            /* of the source's one file */
#define QUIET_NS 100000000ull /* after the source has ended: what is still on its way */
#define LOOK_NS  5000000ull   /* between two looks at the pipe */

static int make_buffer(struct pw_sink_buffer *b, const struct pw_cell *cell, struct pw_err *err)
{
	b->len_bytes = cell->file_bytes;
	b->symbol_len = pw_send_symbol_for_mtu(&cell->wire->flow, cell->mtu, false);
	if (b->len_bytes == 0)
		return 0;
	b->bytes = mmap(
		NULL, b->len_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (b->bytes == MAP_FAILED) {
		b->bytes = NULL;
		return pw_err_set(err, ENOMEM,
			"cannot receive into %zu bytes of memory: out of memory",
			(size_t)b->len_bytes);
	}
	madvise(b->bytes, b->len_bytes, MADV_HUGEPAGE);
	if (madvise(b->bytes, b->len_bytes, MADV_POPULATE_WRITE))
		memset(b->bytes, 0, b->len_bytes); /* kernels before 5.14 */
	return 0;
}

static void free_buffer(struct pw_sink_buffer *b)
{
	if (b->bytes)
		munmap(b->bytes, b->len_bytes);
}

/* The next bytes that came, from *to on. */
static bool next_range(const struct pw_sink_buffer *b, struct pw_recv *r,
	const struct pw_sink_end *end, uint64_t *from, uint64_t *to)
{
	if (r)
		return pw_recv_memory_next(r, from, to);
	*from = *to;
	*to = pw_min_u64(end->bytes, b->len_bytes);
	return *from < *to;
}

/* Lost symbols leave holes; what came is compared with the file itself. */
static int compare(const struct pw_sink_buffer *b, struct pw_recv *r, const struct pw_cell *cell,
	struct pw_sink_end *end)
{
	int fd = open(cell->file, O_RDONLY | O_CLOEXEC);
	uint64_t from, to = 0;
	const uint8_t *file;

	if (fd < 0)
		return pw_err_sys(&end->err, errno, "cannot compare with %s", cell->file);
	file = mmap(NULL, b->len_bytes, PROT_READ, MAP_SHARED, fd, 0);
	close(fd);
	if (file == MAP_FAILED)
		return pw_err_sys(&end->err, errno, "cannot compare with %s", cell->file);
	while (next_range(b, r, end, &from, &to))
		end->wrong |= memcmp(b->bytes + from, file + from, to - from) != 0;
	munmap((void *)file, b->len_bytes);
	end->proof = PW_PROOF_COMPARED;
	return 0;
}

/* Fills end->proof and end->wrong. recv: what it received is verified; NULL: a stream's end->bytes are. */
static int verify(const struct pw_sink_buffer *b, struct pw_recv *recv, const struct pw_cell *cell,
	struct pw_sink_end *end)
{
	uint64_t from, to = 0;
	struct pw_digest d;
	int r;

	if (!next_range(b, recv, end, &from, &to) || from != 0 || to != b->len_bytes)
		return compare(b, recv, cell, end);
	r = pw_digest_buffer(PW_DIGEST_XXH3_128, b->bytes, b->len_bytes, &d, &end->err);
	if (r)
		return r;
	end->proof = PW_PROOF_DIGEST;
	end->wrong = memcmp(d.bytes, cell->digest.bytes, pw_digest_len(d.kind)) != 0;
	return 0;
}

static bool is_closed(int done)
{
	struct pollfd p = {.fd = done};

	return poll(&p, 1, 0) > 0;
}

/* Until the source has ended and nothing came for a while. */
static int run_loop(struct pw_recv_loop *l, const struct pw_cell *cell, int done,
	const struct pw_sink_path *path, struct pw_sink_end *end)
{
	uint64_t now = pw_clock_ns();
	const uint64_t start = now, deadline = now + cell->deadline_ns;
	struct pw_recv_times t;

	do {
		if (pw_recv_loop_run(l, now + LOOK_NS, &end->err) != PW_RECV_END_NONE)
			return -end->err.code; /* the path's */
		pw_recv_loop_times(l, &t);
		now = pw_clock_ns();
		if (now - pw_max_u64(t.last_ns, start) > QUIET_NS && is_closed(done))
			return 0;
	} while (now < deadline);
	return pw_err_set(&end->err, ETIMEDOUT,
		"cannot receive by %s: the source did not end in time", path->ops->name);
}

static int receive(struct pw_recv *recv, const struct pw_sink_path *path, int done,
	const struct pw_cell *cell, struct pw_sink_end *end)
{
	const struct pw_recv_loop_config cfg = {
		.recv = recv,
		.ops = path->ops,
		.path = path->path,
		.path_text = path->ops->name,
		.sleeps = path->sleeps,
		.n_queues = 1,
		.link_grace_ns = UINT64_MAX, /* the bench says when the source has ended */
		.waits_for_more = true,
	};
	struct pw_recv_counters c;
	struct pw_recv_loop *l;
	struct pw_recv_times t;
	int r = pw_recv_loop_start(&l, &cfg, &end->err);

	if (r)
		return r;
	r = run_loop(l, cell, done, path, end);
	pw_recv_loop_stop(l, &t);
	pw_recv_counters(recv, &c);
	end->first_ns = t.first_ns;
	end->last_ns = t.last_ns;
	end->packets = c.symbols;
	end->bytes = c.payload_bytes + c.again_bytes;
	return r;
}

static void close_udp(void *path)
{
	pw_udprx_close(path);
}

static int open_udp(const struct pw_cell *cell, struct pw_sink_path *path, struct pw_err *err)
{
	const struct pw_udprx_config cfg = {.listen = cell->wire->flow.dst};
	struct pw_udprx *rx;
	int r = pw_udprx_open(&rx, &cfg, NULL, err);

	if (r)
		return r;
	*path = (struct pw_sink_path){
		.ops = &pw_udprx_ops, .path = rx, .close = close_udp, .sleeps = true};
	return 0;
}

static int open_path(const struct pw_cell *cell, struct pw_sink_path *path, struct pw_err *err)
{
	if (cell->wire->kind == PW_WIRE_VHOST)
		return pw_sink_bypass_open(cell, cell->way->sink_port, path, err);
	/* a kernel way into a tap: its other end is a poll-mode driver's */
	if (cell->wire->kind == PW_WIRE_TAP && cell->way->kernel)
		return pw_sink_bypass_open(cell, "tap:", path, err);
	return open_udp(cell, path, err);
}

static int receive_packets(const struct pw_cell *cell, const struct pw_sink_buffer *b,
	struct pw_recv *recv, int ready, int done, struct pw_sink_end *end)
{
	struct pw_sink_path path;
	int r = open_path(cell, &path, &end->err);

	if (r) {
		end->lacking = r == -EOPNOTSUPP || r == -ENOTSUP || r == -EPERM || r == -ENODEV;
		return r;
	}
	if (write(ready, "", 1) != 1)
		r = pw_err_sys(&end->err, errno, "cannot signal the bench that packets can come");
	else
		r = receive(recv, &path, done, cell, end);
	end->missed = path.ops->counters(path.path)->missed;
	path.close(path.path);
	if (r == 0 && b->len_bytes && end->bytes)
		r = verify(b, recv, cell, end);
	return r;
}

static int run_packets(const struct pw_cell *cell, const struct pw_sink_buffer *b, int ready,
	int done, struct pw_sink_end *end)
{
	const struct pw_recv_memory memory = {
		.bytes = b->bytes,
		.toi = TOI,
		.len_bytes = b->len_bytes,
		.symbol_len = b->symbol_len,
		.max_sbl = pw_blocks_choose_max_sbl(b->len_bytes, b->symbol_len),
	};
	const struct pw_recv_config cfg = {.memory = &memory};
	struct pw_recv *recv;
	int r = pw_recv_create(&recv, &cfg, NULL, &end->err);

	if (r)
		return r;
	r = receive_packets(cell, b, recv, ready, done, end);
	pw_recv_destroy(recv);
	return r;
}

static int run_stream(
	const struct pw_cell *cell, struct pw_sink_buffer *b, int ready, struct pw_sink_end *end)
{
	int r = pw_sink_stream(cell, b, ready, end);

	if (r == 0 && end->bytes)
		r = verify(b, NULL, cell, end);
	return r;
}

void pw_sink_run(const struct pw_cell *cell, int ready, int done, struct pw_sink_end *end)
{
	struct pw_sink_buffer b = {0};

	end->result = make_buffer(&b, cell, &end->err);
	if (end->result == 0)
		end->result = pw_bench_way_is_stream(cell->way)
				      ? run_stream(cell, &b, ready, end)
				      : run_packets(cell, &b, ready, done, end);
	free_buffer(&b);
}
