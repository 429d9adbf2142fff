/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The receiver's process of a cell. The same for every way on a wire: each packet is parsed and its
 * symbol copied to its place in a buffer that is mapped and touched beforehand, pass after pass; a
 * stream's bytes are read to their place. In the end the buffer is held against the file.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "bench/cell.h"
#include "bench/sink.h"
#include "kernel/udprx.h"
#include "page/digest.h"
#include "xfer/send.h"

#define VIEWS      (2 * PW_BURST)
#define SLEEP_NS   20000000ull  /* of a path that can sleep */
#define QUIET_NS   100000000ull /* after the source has ended: what is still on its way */
#define LOOK_POLLS 4096         /* polls of an empty ring between two looks at the pipe */

int pw_sink_buffer_make(struct pw_sink_buffer *b, const struct pw_cell *cell, struct pw_err *err)
{
	int r;

	b->len_bytes = cell->file_bytes;
	b->symbol_len = pw_send_symbol_for_mtu(&cell->wire->flow, cell->mtu, false);
	if (b->len_bytes == 0)
		return 0;
	r = pw_blocks_init(&b->blocks, b->len_bytes, b->symbol_len,
		pw_blocks_choose_max_sbl(b->len_bytes, b->symbol_len), err);
	if (r)
		return r;
	b->bytes = mmap(
		NULL, b->len_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	b->have = calloc(b->blocks.n_symbols, 1);
	if (b->bytes == MAP_FAILED || !b->have) {
		b->bytes = b->bytes == MAP_FAILED ? NULL : b->bytes;
		return pw_err_set(err, ENOMEM, "receive into %zu bytes of memory: out of memory",
			(size_t)b->len_bytes);
	}
	madvise(b->bytes, b->len_bytes, MADV_HUGEPAGE);
	if (madvise(b->bytes, b->len_bytes, MADV_POPULATE_WRITE))
		memset(b->bytes, 0, b->len_bytes); /* kernels before 5.14 */
	return 0;
}

void pw_sink_buffer_free(struct pw_sink_buffer *b)
{
	if (b->bytes)
		munmap(b->bytes, b->len_bytes);
	free(b->have);
}

/* Lost symbols leave holes; what came is compared with the file itself. */
static int compare(struct pw_sink_buffer *b, const struct pw_cell *cell, struct pw_sink_end *end)
{
	int fd = open(cell->file, O_RDONLY | O_CLOEXEC);
	const uint8_t *file;
	uint64_t i;

	if (fd < 0)
		return pw_err_sys(&end->err, errno, "compare with %s", cell->file);
	file = mmap(NULL, b->len_bytes, PROT_READ, MAP_SHARED, fd, 0);
	close(fd);
	if (file == MAP_FAILED)
		return pw_err_sys(&end->err, errno, "compare with %s", cell->file);
	for (i = 0; i < b->blocks.n_symbols; i++)
		if (b->have[i] && memcmp(b->bytes + i * b->symbol_len, file + i * b->symbol_len,
					  pw_blocks_symbol_bytes(&b->blocks, i)))
			end->wrong = true;
	munmap((void *)file, b->len_bytes);
	end->proof = PW_PROOF_COMPARED;
	return 0;
}

int pw_sink_verify(struct pw_sink_buffer *b, bool complete, const struct pw_cell *cell,
	struct pw_sink_end *end)
{
	struct pw_digest d;
	int r;

	if (!complete)
		return compare(b, cell, end);
	r = pw_digest_buffer(PW_DIGEST_XXH3_128, b->bytes, b->len_bytes, &d, &end->err);
	if (r)
		return r;
	end->proof = PW_PROOF_DIGEST;
	end->wrong = memcmp(d.bytes, cell->digest.bytes, pw_digest_len(d.kind)) != 0;
	return 0;
}

/* A packet's symbol to its place. What contradicts the file is no file byte, and not counted. */
static void place(struct pw_sink_buffer *b, const struct pw_rx_view *v, struct pw_sink_end *end)
{
	struct pw_alc_hdr hdr;
	const uint8_t *payload;
	uint64_t index;
	size_t len;

	if (pw_alc_parse(v->data, v->len, &hdr, &payload, &len) != PW_ALC_OK || hdr.toi != 1 ||
		!b->len_bytes || !pw_blocks_index(&b->blocks, hdr.sbn, hdr.esi, &index) ||
		len != pw_blocks_symbol_bytes(&b->blocks, index))
		return;
	memcpy(b->bytes + index * b->symbol_len, payload, len);
	b->n_have += !b->have[index];
	b->have[index] = 1;
	end->packets++;
	end->bytes += len;
}

static bool is_closed(int done)
{
	struct pollfd p = {.fd = done};

	return poll(&p, 1, 0) > 0;
}

/* Until the source has ended and nothing came for a while. The clock is read per burst that brought
 * something: packets are what this process is there for. */
static int receive(struct pw_sink_path *path, int done, const struct pw_cell *cell,
	struct pw_sink_buffer *b, struct pw_sink_end *end)
{
	const uint64_t start = pw_clock_ns();
	struct pw_rx_view views[VIEWS];
	uint64_t quiet = start, placed, now;
	unsigned int polls = 0;
	int i, n;

	for (;;) {
		n = path->ops->burst(path->path, views, VIEWS, SLEEP_NS);
		if (n < 0)
			return pw_err_sys(&end->err, -n, "receive by %s", path->ops->name);
		placed = end->packets;
		for (i = 0; i < n; i++)
			place(b, &views[i], end);
		if (n > 0) {
			path->ops->release(path->path);
			quiet = pw_clock_ns();
			/* what closes the session may come long after the last byte */
			if (end->packets > placed) {
				end->last_ns = quiet;
				end->first_ns = end->first_ns ? end->first_ns : quiet;
			}
			polls = 0;
			continue;
		}
		if (!path->sleeps && ++polls % LOOK_POLLS)
			continue;
		now = pw_clock_ns();
		if (now - quiet > QUIET_NS && is_closed(done))
			return 0;
		if (now - start > cell->deadline_ns)
			return pw_err_set(&end->err, ETIMEDOUT,
				"receive by %s: the source did not end in time", path->ops->name);
	}
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

static int run_packets(const struct pw_cell *cell, struct pw_sink_buffer *b, int ready, int done,
	struct pw_sink_end *end)
{
	struct pw_sink_path path;
	int r = open_path(cell, &path, &end->err);

	if (r) {
		end->lacking = r == -EOPNOTSUPP || r == -ENOTSUP || r == -EPERM || r == -ENODEV;
		return r;
	}
	if (write(ready, "", 1) != 1)
		r = pw_err_sys(&end->err, errno, "tell the bench that packets can come");
	else
		r = receive(&path, done, cell, b, end);
	end->missed = path.ops->counters(path.path)->missed;
	path.close(path.path);
	if (r == 0 && b->len_bytes && end->bytes)
		r = pw_sink_verify(b, b->n_have == b->blocks.n_symbols, cell, end);
	return r;
}

void pw_sink_run(const struct pw_cell *cell, int ready, int done, struct pw_sink_end *end)
{
	struct pw_sink_buffer b = {0};

	end->result = pw_sink_buffer_make(&b, cell, &end->err);
	if (end->result == 0)
		end->result = pw_bench_way_is_stream(cell->way)
				      ? pw_sink_stream(cell, &b, ready, end)
				      : run_packets(cell, &b, ready, done, end);
	pw_sink_buffer_free(&b);
}
