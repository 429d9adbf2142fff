/* SPDX-License-Identifier: BSD-3-Clause */
#include "send/reader.h"

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/thread.h"
#include "file/filereader.h"

#define DISK_WAIT_NS 1000000ull    /* sleep while it waits for the disk */
#define SLOT_WAIT_NS 50000ull      /* sleep while it waits for a lane to give back a slot */
#define PATIENCE_NS  5000000000ull /* a disk that does not answer for so long is reported */
#define KEPT_TIMES   6 /* the patience: a port that gives no slot back for so long is stuck */
#define STEP_BYTES   (16ull << 20) /* of a mapped file, between two looks at the stop flag */
#define NICE         19
#define STREAM_STEP  (1u << 20) /* the same, of a streamed one */

struct pw_send_reader {
	struct pw_send_group *group;
	struct pw_send_lanes *lanes;
	pthread_t thread;
	bool started;
	pid_t tid; /* of the thread, for its nice value */
	int usual_nice;
	bool can_be_nice;    /* it may have its usual nice value back */
	atomic_bool hurries; /* the lanes have sent all */
	size_t run;          /* of pieces: what the ring gets next is piece `next_piece` */
	uint64_t next_piece;
	atomic_bool stop;
	atomic_bool busy;
	pthread_mutex_t lock;
	pthread_cond_t go;
	uint64_t generation; /* of groups; under lock, as quit */
	bool quit;
};

static bool is_stopped(const struct pw_send_reader *rd)
{
	return atomic_load_explicit(&rd->stop, memory_order_relaxed) ||
	       atomic_load_explicit(&rd->lanes->shared.stop, memory_order_relaxed);
}

/* Called by the ring: what to read next, in the order of sending; and slots for the parity of a band, before it. */
static bool next_piece(void *ctx, struct pw_stream_piece *piece)
{
	struct pw_send_reader *rd = ctx;
	struct pw_send_group *g = rd->group;
	struct pw_work_piece p;
	struct pw_send_slot *slot;
	uint64_t all;

	if (!pw_work_piece(&g->work, rd->next_piece, &rd->run, &p))
		return false;
	rd->next_piece++;
	slot = g->slots[p.file];
	all = p.is_parity ? slot->parity->blocks.transfer_len : slot->win.len_bytes;
	piece->file = p.is_parity ? NULL : &slot->win;
	piece->owner = slot;
	piece->offset = p.from * g->cfg->symbol_len;
	piece->len_bytes = pw_min_u64((p.to - p.from) * g->cfg->symbol_len, all - piece->offset);
	return true;
}

static int attach_ring(const struct pw_send_config *cfg, struct pw_stream *ring, struct pw_err *err)
{
	uint32_t i;
	int r = 0;

	/* EAL's memory is mapped with EAL: nothing has to be detached */
	for (i = 0; r == 0 && i < pw_stream_n_slots(ring); i++) {
		struct pw_tx_object obj = {.win = pw_stream_slot(ring, i)};

		r = cfg->ops->attach(cfg->paths[0], &obj, err);
	}
	return r;
}

int pw_send_reader_make_ring(struct pw_send_reader *rd, struct pw_err *err)
{
	const struct pw_send_config *cfg = rd->group->cfg;
	struct pw_stream_config ring = {
		.plan = cfg->stream, .mem = cfg->stage_mem, .next = next_piece, .ctx = rd};
	int r;

	if (rd->group->ring)
		return 0;
	r = pw_stream_create(&rd->group->ring, &ring, err);
	if (r == 0)
		r = attach_ring(cfg, rd->group->ring, err);
	if (r == 0 && cfg->set.fec.k)
		r = pw_send_bands_create(&rd->group->bands, rd->group->ring, cfg->n_paths, err);
	return r;
}

struct wait {
	uint64_t since_ns;
	uint64_t report_ns; /* when to report that nothing comes */
	uint64_t bytes;     /* that the lanes had sent */
};

/* Whether the slots may be with lanes that still have to send them: during the lead, or at a low rate. */
static bool lanes_have_work(const struct pw_send_reader *rd, struct wait *w)
{
	const struct pw_work *work = &rd->group->work;
	const uint64_t before = w->bytes;

	w->bytes = pw_send_lanes_bytes(rd->lanes);
	/* a lane waits for the reader when a chunk is taken that is not ready */
	return w->bytes != before || atomic_load(&work->cursor) <= atomic_load(&work->n_ready);
}

/* No piece is ready: either the disk has not answered, or the lanes' ports keep every slot. */
static int still_waiting(struct pw_send_reader *rd, struct wait *w, struct pw_err *err)
{
	const struct pw_send_config *cfg = rd->group->cfg;
	const struct pw_stream_piece *owed = pw_stream_owed(rd->group->ring);
	uint64_t now = pw_clock_ns();
	uint64_t patience = cfg->read_patience_ns ? cfg->read_patience_ns : PATIENCE_NS;

	if (w->since_ns == 0 || atomic_load(&rd->lanes->shared.down_ns) ||
		(!owed && lanes_have_work(rd, w))) {
		w->since_ns = now;
		w->report_ns = now + patience;
	}
	if (owed && now >= w->report_ns) {
		const struct pw_send_slot *slot = owed->owner;

		pw_warn(cfg->log,
			"read %s at byte %" PRIu64 ": the disk has not answered for %.1f s",
			slot->file->path, owed->offset, (double)(now - w->since_ns) / 1e9);
		w->report_ns = now + patience;
	}
	if (!owed && now - w->since_ns > KEPT_TIMES * patience)
		return pw_err_set(err, ETIMEDOUT,
			"cannot send on %s: it keeps its packets and gives no memory back; raise "
			"--stream-memory",
			cfg->path_text);
	atomic_store_explicit(&rd->group->is_starved, !owed, memory_order_relaxed);
	if (!owed)
		pw_lane_nap(SLOT_WAIT_NS);
	return 0;
}

static int await_piece(struct pw_send_reader *rd, const struct pw_stream_piece **piece,
	uint32_t *ring_slot, struct pw_err *err)
{
	struct pw_stream *ring = rd->group->ring;
	struct wait w = {0};
	int r = pw_stream_pump(ring, 0, err);

	while (r == 0 && !(*piece = pw_stream_take(ring, ring_slot))) {
		if (is_stopped(rd))
			return -ECANCELED;
		r = still_waiting(rd, &w, err);
		if (r == 0)
			r = pw_stream_pump(ring, DISK_WAIT_NS, err);
	}
	atomic_store_explicit(&rd->group->is_starved, false, memory_order_relaxed);
	return r;
}

static void update(struct pw_send_slot *slot, const uint8_t *data, size_t len)
{
	if (slot->digest)
		pw_digest_update(slot->digest, data, len);
	if (slot->md5)
		pw_digest_update(slot->md5, data, len);
}

static void finish_one(struct pw_digest_state **st, struct pw_digest *out, uint8_t **leaves)
{
	if (!*st)
		return;
	pw_digest_final(*st, out);
	*leaves = pw_digest_take_leaves(*st);
	pw_digest_destroy(*st);
	*st = NULL;
}

static void finish_digests(struct pw_send_slot *slot)
{
	uint8_t *none = NULL; /* MD5 has no leaves */

	finish_one(&slot->digest, &slot->late_digest, &slot->late_leaves);
	finish_one(&slot->md5, &slot->late_md5, &none);
}

/* Whether the pieces of a streamed file do not make up the file: gaps are sent, or a stripe. */
static bool is_sent_in_part(const struct pw_send_reader *rd, const struct pw_send_slot *slot)
{
	return slot->file->gap || pw_stripe_is_shared(&rd->group->cfg->stripe);
}

/* Brings bytes [at, end) of a mapped file into memory. Chunks that are sent in turns share them. */
static int read_in_place(struct pw_send_slot *slot, uint64_t at, uint64_t end, struct pw_err *err)
{
	const uint64_t from = pw_align_down(at, slot->win.page_bytes);

	if (!slot->read_pages || end <= slot->read_to)
		return 0;
	slot->read_to = end;
	return pw_window_populate(&slot->win, from, end - from, slot->file->path, err);
}

/* The piece is in the ring: its part of the digest. The bytes stay valid when a lane has given the slot back: only
 * this thread fills it again. For the CPU a slot is contiguous, however many extents it has for the device. */
static void digest_piece(
	struct pw_send_reader *rd, const struct pw_stream_piece *piece, uint32_t ring_slot)
{
	const struct pw_extent *extent = pw_stream_slot(rd->group->ring, ring_slot)->extents;
	struct pw_send_slot *slot = piece->owner;

	if (!is_sent_in_part(rd, slot))
		update(slot, extent->va + (piece->offset - extent->offset), piece->len_bytes);
}

static void set_ready(struct pw_send_group *g, const struct pw_work_chunk *chunk)
{
	atomic_store_explicit(&g->work.n_ready, chunk->number + 1, memory_order_release);
}

/* Brings a chunk of a streamed file without parity. */
static int read_piece(
	struct pw_send_reader *rd, const struct pw_work_chunk *chunk, struct pw_err *err)
{
	const struct pw_stream_piece *piece;
	uint32_t ring_slot;
	int r = await_piece(rd, &piece, &ring_slot, err);

	if (r)
		return r;
	rd->group->piece_slots[chunk->piece] = ring_slot;
	set_ready(rd->group, chunk);
	digest_piece(rd, piece, ring_slot);
	return 0;
}

/* Pieces that so many symbols take. */
static uint64_t n_pieces(const struct pw_send_config *cfg, uint64_t n_symbols)
{
	return pw_div_ceil(n_symbols, cfg->stream.slot_bytes / cfg->symbol_len);
}

/* The band of a chunk of source symbols. */
static int open_band(struct pw_send_reader *rd, const struct pw_work_chunk *chunk,
	struct pw_send_band **band, struct pw_err *err)
{
	struct pw_send_group *g = rd->group;
	const struct pw_send_parity *p = g->slots[chunk->file]->parity;
	uint32_t first, last, esi;

	pw_blocks_locate(&p->source, chunk->from, &first, &esi);
	pw_blocks_locate(&p->source, chunk->to - 1, &last, &esi);
	return pw_send_bands_open(g->bands, band, g->first_band + chunk->band, first,
		n_pieces(g->cfg, chunk->to - chunk->from),
		n_pieces(g->cfg, pw_blocks_first_symbol(&p->blocks, last + 1) -
					 pw_blocks_first_symbol(&p->blocks, first)),
		err);
}

/* Computes the parity of the band's blocks that are whole. */
static int make_parity(
	struct pw_send_reader *rd, const struct pw_send_parity *p, struct pw_send_band *band)
{
	while (band->next_block < p->source.n_blocks &&
		pw_blocks_first_symbol(&p->source, band->next_block + 1) <= band->source_to) {
		if (is_stopped(rd))
			return -ECANCELED;
		pw_send_parity_block(p, &band->source.win, &band->parity.win, band->next_block);
		band->next_block++;
	}
	return 0;
}

/* The next piece of a band: of the file, whose digest and parity are computed while the caches have its bytes; or a
 * slot for its parity. */
static int add_piece(struct pw_send_reader *rd, const struct pw_send_parity *p,
	struct pw_send_band *band, struct pw_err *err)
{
	const struct pw_stream_piece *piece;
	uint32_t ring_slot;
	int r = await_piece(rd, &piece, &ring_slot, err);

	if (r)
		return r;
	pw_send_bands_add(rd->group->bands, band, piece, ring_slot);
	if (!piece->file)
		return 0;
	digest_piece(rd, piece, ring_slot);
	band->source_to = pw_div_ceil(piece->offset + piece->len_bytes, p->source.symbol_len);
	return make_parity(rd, p, band);
}

/* Brings what a chunk needs of its band. Those of parity symbols follow those of all source symbols. */
static int read_band(
	struct pw_send_reader *rd, const struct pw_work_chunk *chunk, struct pw_err *err)
{
	const struct pw_send_parity *p = rd->group->slots[chunk->file]->parity;
	struct pw_send_band *band;
	int r = chunk->is_parity ? 0 : open_band(rd, chunk, &band, err);

	while (r == 0 && !chunk->is_parity &&
		band->source_to < pw_blocks_first_symbol(&p->source, chunk->end_block))
		r = add_piece(rd, p, band, err);
	if (r == 0)
		set_ready(rd->group, chunk);
	return r;
}

/* Brings one chunk into memory, or computes the parity of its blocks. */
static int read_chunk(
	struct pw_send_reader *rd, const struct pw_work_chunk *chunk, struct pw_err *err)
{
	struct pw_send_group *g = rd->group;
	struct pw_send_slot *slot = g->slots[chunk->file];
	const uint64_t at = chunk->from * g->cfg->symbol_len;
	const uint64_t end = pw_min_u64(chunk->to * g->cfg->symbol_len, slot->win.len_bytes);
	int r;

	if (chunk->piece != PW_WORK_IN_PLACE)
		return chunk->run ? read_band(rd, chunk, err) : read_piece(rd, chunk, err);
	r = chunk->is_parity ? pw_send_parity_make(slot->parity, &slot->win, chunk->first_block,
				       chunk->end_block, &rd->stop)
			     : read_in_place(slot, at, end, err);
	if (r == 0)
		set_ready(g, chunk);
	return r;
}

/* Computes the digest of a mapped file, while the lanes send it. */
static int digest_mapped(struct pw_send_reader *rd, struct pw_send_slot *slot)
{
	uint32_t i;

	for (i = 0; i < slot->win.n_extents; i++) {
		const struct pw_extent *extent = &slot->win.extents[i];
		uint64_t done, step;

		for (done = 0; done < extent->len_bytes; done += step) {
			if (is_stopped(rd))
				return -ECANCELED;
			step = pw_min_u64(STEP_BYTES, extent->len_bytes - done);
			update(slot, extent->va + done, step);
		}
	}
	return 0;
}

/* The digest of a streamed file that is sent in part: one more read, of the whole file. */
static int digest_streamed(struct pw_send_reader *rd, struct pw_send_slot *slot, struct pw_err *err)
{
	const uint64_t len = slot->win.len_bytes;
	uint8_t *buf = aligned_alloc(PW_FILEREADER_ALIGN, STREAM_STEP);
	uint64_t done, step;
	int r = 0;

	if (!buf)
		return pw_err_set(err, ENOMEM, "cannot read %s: out of memory", slot->file->path);
	for (done = 0; r == 0 && done < len; done += step) {
		step = pw_min_u64(STREAM_STEP, len - done);
		r = is_stopped(rd) ? -ECANCELED
				   : pw_filereader_read(slot->win.priv, done, buf, step, err);
		if (r == 0)
			update(slot, buf, step);
	}
	free(buf);
	return r;
}

/* The digests that read_chunk() has not computed. */
static int digest_rest(struct pw_send_reader *rd, struct pw_send_slot *slot, struct pw_err *err)
{
	if (!slot->digest && !slot->md5)
		return 0;
	if (slot->win.pages != PW_PAGES_STREAM)
		return digest_mapped(rd, slot);
	return is_sent_in_part(rd, slot) ? digest_streamed(rd, slot, err) : 0;
}

static void set_nice(const struct pw_send_reader *rd, int nice)
{
	if (rd->can_be_nice)
		setpriority(PRIO_PROCESS, (id_t)rd->tid, nice);
}

/* While the lanes send, digests only get what polling threads leave of the CPUs: on a machine with a CPU
 * for each of them, they would take the bandwidth of the transfer. */
static void be_nice(struct pw_send_reader *rd)
{
	set_nice(rd, NICE);
	if (atomic_load(&rd->hurries))
		set_nice(rd, rd->usual_nice);
}

void pw_send_reader_hurry(struct pw_send_reader *rd)
{
	atomic_store(&rd->hurries, true);
	pthread_mutex_lock(&rd->lock); /* learn_nice() was under it */
	set_nice(rd, rd->usual_nice);
	pthread_mutex_unlock(&rd->lock);
}

/* Without CAP_SYS_NICE a thread may not lower its nice value again. */
static void learn_nice(struct pw_send_reader *rd)
{
	rd->tid = gettid();
	rd->usual_nice = getpriority(PRIO_PROCESS, (id_t)rd->tid);
	rd->can_be_nice = setpriority(PRIO_PROCESS, (id_t)rd->tid, rd->usual_nice + 1) == 0 &&
			  setpriority(PRIO_PROCESS, (id_t)rd->tid, rd->usual_nice) == 0;
}

static int read_group(struct pw_send_reader *rd, struct pw_err *err)
{
	struct pw_send_group *g = rd->group;
	struct pw_work_chunk chunk;
	size_t item = 0, i;
	uint64_t n;
	int r = 0;

	for (n = atomic_load(&g->work.n_ready); r == 0 && pw_work_chunk(&g->work, n, &item, &chunk);
		n++)
		r = is_stopped(rd) ? -ECANCELED : read_chunk(rd, &chunk, err);
	be_nice(rd);
	for (i = 0; r == 0 && i < g->n; i++) {
		struct pw_send_slot *slot = g->slots[i];

		r = digest_rest(rd, slot, err);
		if (r == 0)
			finish_digests(slot);
		slot->read_pages = r && slot->read_pages; /* they stay for the next pass */
	}
	set_nice(rd, rd->usual_nice);
	return r;
}

static void *thread_main(void *arg)
{
	struct pw_send_reader *rd = arg;
	uint64_t done = 0;

	pthread_mutex_lock(&rd->lock);
	learn_nice(rd);
	for (;;) {
		struct pw_err err = {0};
		int r;

		while (!rd->quit && rd->generation == done)
			pthread_cond_wait(&rd->go, &rd->lock);
		if (rd->quit)
			break;
		done = rd->generation;
		pthread_mutex_unlock(&rd->lock);
		r = read_group(rd, &err);
		if (r && r != -ECANCELED)
			pw_send_lanes_fail(rd->lanes, &err);
		atomic_store_explicit(&rd->busy, false, memory_order_release);
		pthread_mutex_lock(&rd->lock);
	}
	pthread_mutex_unlock(&rd->lock);
	return NULL;
}

int pw_send_reader_create(struct pw_send_reader **out, struct pw_send_group *g,
	struct pw_send_lanes *lanes, struct pw_err *err)
{
	struct pw_send_reader *rd = calloc(1, sizeof(*rd));

	if (!rd)
		return pw_err_set(err, ENOMEM, "cannot send: out of memory");
	rd->group = g;
	rd->lanes = lanes;
	pthread_mutex_init(&rd->lock, NULL);
	pthread_cond_init(&rd->go, NULL);
	*out = rd;
	return 0;
}

static int start_thread(struct pw_send_reader *rd, struct pw_err *err)
{
	const cpu_set_t *cpus = rd->group->cfg->reader_cpus;
	int r = pw_thread_start(&rd->thread, thread_main, rd);

	if (r)
		return pw_err_sys(err, r, "cannot start a thread to read files");
	rd->started = true;
	if (cpus)
		pthread_setaffinity_np(rd->thread, sizeof(*cpus), cpus);
	return 0;
}

int pw_send_reader_start(struct pw_send_reader *rd, struct pw_err *err)
{
	int r = rd->started ? 0 : start_thread(rd, err);

	if (r)
		return r;
	rd->run = 0;
	rd->next_piece = 0;
	atomic_store(&rd->stop, false);
	atomic_store(&rd->hurries, false);
	atomic_store(&rd->lanes->shared.stop, false);
	atomic_store(&rd->busy, true);
	pthread_mutex_lock(&rd->lock);
	rd->generation++;
	pthread_cond_signal(&rd->go);
	pthread_mutex_unlock(&rd->lock);
	return 0;
}

bool pw_send_reader_is_busy(const struct pw_send_reader *rd)
{
	return atomic_load_explicit(&rd->busy, memory_order_acquire);
}

void pw_send_reader_stop(struct pw_send_reader *rd)
{
	atomic_store(&rd->stop, true);
	while (pw_send_reader_is_busy(rd))
		pw_lane_nap(SLOT_WAIT_NS);
}

void pw_send_reader_destroy(struct pw_send_reader *rd)
{
	if (!rd)
		return;
	if (rd->started) {
		pw_send_reader_stop(rd);
		pthread_mutex_lock(&rd->lock);
		rd->quit = true;
		pthread_cond_signal(&rd->go);
		pthread_mutex_unlock(&rd->lock);
		pthread_join(rd->thread, NULL);
	}
	pthread_cond_destroy(&rd->go);
	pthread_mutex_destroy(&rd->lock);
	free(rd);
}
