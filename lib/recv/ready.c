/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The file worker: a thread that makes files ready for their symbols, so that a lane never waits for the
 * disk. Its work, in this order:
 *
 *   1. open the files that packets wait for, and place these packets
 *   2. read tables (tables.c), and place the packets that waited for them
 *   3. open the next files of the tables before their symbols come ("prepared")
 *   4. with trusted keys: check the leaves of files that have filled (leafnotes.h)
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/thread.h"
#include "recv/manifest.h"
#include "recv/signed_private.h"
#include "wire/alc.h"

/* Bounds on the files that are opened before their symbols come. They take address space, not disk space. */
#define PREPARE_FILES 64u
#define PREPARE_BYTES (1ull << 30)

#define REPLAY_ROUNDS 16u
#define BUDGET_TRIES  4u

#define LEAF_LOOK_NS 10000000L /* between two searches for leaves that have filled */

#define FEW_WAITING 128u /* fewer waiting packets may be placed while the lanes place later ones */

void pw_recv_list_add(struct pw_recv *r, struct pw_part *p)
{
	if (p->lists)
		return;
	p->lists = true;
	r->expected_closed -= pw_part_expected(p);
	p->prev = NULL;
	p->next = r->open_head;
	if (p->next)
		p->next->prev = p;
	r->open_head = p;
	r->n_open++;
}

void pw_recv_list_remove(struct pw_recv *r, struct pw_part *p)
{
	if (!p->lists)
		return;
	p->lists = false;
	r->expected_closed += pw_part_expected(p);
	*(p->prev ? &p->prev->next : &r->open_head) = p->next;
	if (p->next)
		p->next->prev = p->prev;
	p->prev = p->next = NULL;
	r->n_open--;
}

void pw_recv_want_open(struct pw_recv *r, struct pw_object *o)
{
	if (o->wants_open)
		return;
	o->wants_open = true;
	o->next_open = NULL;
	*(r->open_last ? &r->open_last->next_open : &r->open_first) = o;
	r->open_last = o;
	pthread_cond_signal(&r->work);
}

void pw_recv_close_part(struct pw_recv *r, struct pw_part *p)
{
	struct pw_err err = {0};
	int ret = 0;

	pw_part_shut(r, p);
	pw_recv_list_remove(r, p);
	/* Until it has left its burst, a lane may place the last symbols and submit the file. */
	r->closing = true;
	pthread_mutex_unlock(&r->lock);
	pw_recv_quiesce(r);
	if (p->file)
		ret = pw_outfile_flush(p->file, &err);
	pw_outfile_close(p->file);
	p->file = NULL;
	pthread_mutex_lock(&r->lock);
	r->closing = false;
	pthread_cond_signal(&r->finish_work);
	if (ret < 0)
		pw_recv_fail(r, p->obj, &err);
}

void pw_recv_free_part(struct pw_recv *r, struct pw_object *o)
{
	struct pw_part *p = o->part;

	if (!p)
		return;
	pw_recv_list_remove(r, p);
	r->part_bytes -= pw_part_bytes(&p->blocks);
	o->part = NULL;
	pw_parity_drop(&r->parity, p);
	pw_part_destroy(p);
}

/* The part that has been without symbols for the longest time. */
static struct pw_part *oldest_open(const struct pw_recv *r)
{
	struct pw_part *p, *found = NULL;

	for (p = r->open_head; p; p = p->next)
		if (!found || p->used < found->used)
			found = p;
	return found;
}

/* Bytes that the files under way still need. */
static uint64_t needed_bytes(struct pw_recv *r)
{
	uint64_t needed = 0;
	const struct pw_part *p;

	pthread_mutex_lock(&r->lock);
	for (p = r->open_head; p; p = p->next)
		if (!p->obj->prepared)
			needed += atomic_load_explicit(&p->missing_bytes, memory_order_relaxed);
	pthread_mutex_unlock(&r->lock);
	return needed;
}

/* Sets the budget: the free bytes of the file system, less what the files under way still need. Lanes may
 * place symbols between the two measurements; then they do not match, and are repeated. */
static void measure_budget(struct pw_recv *r)
{
	uint64_t bytes, needed, before;
	unsigned int tries = 0;

	if (r->cfg.discard)
		return;
	needed = needed_bytes(r);
	do {
		before = needed;
		if (pw_outdir_free_bytes(r->out, &bytes, NULL) < 0)
			return;
		needed = needed_bytes(r);
	} while (needed != before && ++tries < BUDGET_TRIES);
	needed = pw_max_u64(needed, before);
	pthread_mutex_lock(&r->lock);
	r->budget_bytes = bytes > needed ? bytes - needed : 0;
	pthread_mutex_unlock(&r->lock);
}

/* RFC 6726 section 5: EXT_FTI of the data packets may describe the object instead of the table. */
static bool take_fti(struct pw_recv *r, struct pw_object *o)
{
	const struct pw_waiting *w;
	struct pw_alc_hdr hdr;
	const uint8_t *payload;
	size_t len;

	for (w = o->waiting; w; w = w->next) {
		if (pw_alc_parse(w->bytes, w->len, &hdr, &payload, &len) != PW_ALC_OK ||
			!hdr.has_fti)
			continue;
		if (o->has_len && o->len_bytes != hdr.transfer_len)
			continue;
		if (!o->has_len)
			r->st.bytes_total += hdr.transfer_len;
		o->len_bytes = hdr.transfer_len;
		if (!o->has_oti) {
			o->symbol_len = hdr.symbol_len;
			o->max_sbl = hdr.max_sbl;
			o->fec_id = hdr.codepoint;
			o->max_n = hdr.max_n;
		}
		o->has_len = o->has_oti = true;
		return true;
	}
	return false;
}

/* With the lock. false: the object takes no symbols now. */
static bool is_openable(struct pw_recv *r, struct pw_object *o)
{
	const bool is_open = pw_recv_state_is_open(o->state);

	if (is_open && !(o->has_len && o->has_oti)) {
		if (!take_fti(r, o)) {
			/* These packets cannot be placed. A later one may have EXT_FTI. */
			r->c.unknown_toi += pw_recv_drop_waiting(r, o);
			return false;
		}
		pw_recv_entry_check(r, o);
	}
	if (is_open && o->len_bytes == 0 && o->state != PW_RECV_REFUSED) {
		if (r->cfg.discard)
			pw_recv_set_state(r, o, PW_RECV_UNVERIFIED);
		else
			pw_recv_submit(r, o, PW_FINISH_PART);
	}
	if (pw_recv_state_is_open(o->state))
		return true;
	pw_recv_drop_waiting(r, o);
	return false;
}

/* The part without its file. With the lock. */
static bool make_part(struct pw_recv *r, struct pw_object *o, struct pw_err *err)
{
	struct pw_blocks b;
	int ret = pw_object_blocks(o, &b, err);

	if (ret < 0)
		return false;
	if (pw_part_bytes(&b) > r->max_part_bytes - r->part_bytes) {
		pw_err_set(err, EFBIG, "too many symbols under way for this host's memory");
		return false;
	}
	o->part = pw_part_create(o, &b, o->gap);
	if (!o->part) {
		/* The sender chose the size: refuse the file, do not end the transfer. */
		pw_err_set(err, EFBIG, "no memory for the list of its symbols");
		return false;
	}
	r->part_bytes += pw_part_bytes(&b);
	return true;
}

static int open_file(struct pw_recv *r, struct pw_object *o, bool fresh, struct pw_err *err)
{
	struct pw_part *p = o->part;
	struct pw_outfile *f = NULL;
	uint32_t kept;
	int ret;

	if (fresh) {
		pthread_mutex_lock(&r->lock);
		kept = pw_recv_kept_parts(r, o);
		pthread_mutex_unlock(&r->lock);
		ret = pw_outdir_create(r->out, o->name, o->len_bytes, o->symbol_len, kept, &f, err);
	} else {
		ret = pw_outdir_reopen(r->out, o->name,
			o->gap && !p->id.ino ? o->gap->part : p->number, o->len_bytes,
			p->id.ino ? &p->id : NULL, &f, err);
	}
	if (ret < 0)
		return ret;
	p->file = f;
	p->id = f->id;
	p->number = f->part;
	return 0;
}

/* Closes and removes a file that was opened ahead. With the lock, which it releases meanwhile. */
static void drop_prepared(struct pw_recv *r, struct pw_part *p)
{
	struct pw_object *o = p->obj;

	pw_recv_close_part(r, p);
	if (!o->prepared)
		return;
	pw_outdir_remove_part(r->out, o->name, p->number, &p->id);
	pw_recv_unprepare(r, o);
	pw_recv_free_part(r, o);
}

/* On hugetlbfs, files that are opened ahead hold pages that other files need now. */
static bool drop_all_prepared(struct pw_recv *r)
{
	struct pw_part *p;
	bool any = false;

	pthread_mutex_lock(&r->lock);
	do {
		for (p = r->open_head; p && !p->obj->prepared; p = p->next)
			;
		if (p)
			drop_prepared(r, p);
		any |= p != NULL;
	} while (p);
	pthread_mutex_unlock(&r->lock);
	return any;
}

static void make_room_for_one(struct pw_recv *r)
{
	struct pw_part *p;

	pthread_mutex_lock(&r->lock);
	p = r->n_open >= PW_RECV_MAX_OPEN ? oldest_open(r) : NULL;
	if (p && p->obj->prepared)
		drop_prepared(r, p);
	else if (p)
		pw_recv_close_part(r, p);
	pthread_mutex_unlock(&r->lock);
}

/* Whether there is enough space for a file whose symbols come now. */
static bool fits(struct pw_recv *r, const struct pw_object *o)
{
	measure_budget(r);
	return atomic_load(&o->part->missing_bytes) <= r->budget_bytes;
}

/* Places the packets that waited, and those that come to wait meanwhile, before the lanes get the part. So
 * symbols stay almost in order, which the digest and the estimate of loss need. */
static void give_to_lanes(struct pw_recv *r, struct pw_object *o, bool ahead)
{
	struct pw_part *const p = o->part;
	struct pw_waiting *first;
	size_t n;

	pthread_mutex_lock(&r->lock);
	pw_recv_list_add(r, p);
	p->used = ++r->use_clock;
	o->prepared = ahead; /* then its first symbol is checked against the free space */
	if (o->prepared) {
		r->n_prepared++;
		r->prepared_bytes += o->len_bytes;
	} else { /* no other file may use this space */
		r->budget_bytes -= pw_min_u64(atomic_load(&p->missing_bytes), r->budget_bytes);
	}
	r->opening = p;
	do {
		first = pw_recv_take_waiting(r, o, &n);
		if (n < FEW_WAITING && pw_recv_state_is_open(o->state))
			atomic_store(&p->shut, false);
		pthread_mutex_unlock(&r->lock);
		pw_recv_replay(r, first);
		pthread_mutex_lock(&r->lock);
		/* not in the list: the file was whole, and the finisher has closed it */
	} while (o->part == p && p->lists && n >= FEW_WAITING && pw_recv_state_is_open(o->state));
	r->opening = NULL;
	if (o->part == p)
		pw_parity_look_all(&r->parity, p);
	pthread_mutex_unlock(&r->lock);
}

/* The file cannot be opened. With the lock. A part of an older run that was not opened is unchanged: the
 * entry of the old manifest stands. */
static void fail_open(struct pw_recv *r, struct pw_object *o, const struct pw_err *err)
{
	if (!o->part || !o->part->id.ino)
		o->gap = NULL;
	pw_recv_fail(r, o, err);
}

/* Without the lock; only this thread makes parts. ahead: no packet waits for it. */
static void open_object(struct pw_recv *r, struct pw_object *o, bool ahead)
{
	struct pw_err err = {0};
	bool ok, fresh;

	pthread_mutex_lock(&r->lock);
	ok = is_openable(r, o) && (!o->part || atomic_load(&o->part->shut));
	fresh = !o->part && !o->gap;
	if (ok && !o->part && !make_part(r, o, &err)) {
		fail_open(r, o, &err);
		ok = false;
	}
	pthread_mutex_unlock(&r->lock);
	if (!ok)
		return;
	if (!r->cfg.discard && !o->part->file) {
		make_room_for_one(r);
		if (!ahead && !fits(r, o))
			pw_err_set(&err, ENOSPC,
				"too large for the free space of the output directory, less what "
				"other files still need");
		else if (open_file(r, o, fresh, &err) == -ENOSPC || err.code == ENOMEM) {
			if (!ahead && drop_all_prepared(r)) {
				err.code = 0;
				open_file(r, o, fresh, &err);
			}
		}
	}
	if (err.code) {
		pthread_mutex_lock(&r->lock);
		if (!ahead)
			fail_open(r, o, &err);
		pw_recv_free_part(r, o);
		pthread_mutex_unlock(&r->lock);
		return;
	}
	if (r->cfg.trust && !o->part->notes)
		o->part->notes = pw_leaf_notes_create(o->len_bytes);
	else if (!r->cfg.trust)
		pw_part_digest_start(o->part);
	give_to_lanes(r, o, ahead);
}

/* The next file to open ahead of its symbols, or NULL. With the lock. */
static struct pw_object *next_to_prepare(struct pw_recv *r)
{
	struct pw_object *o;

	if (r->cfg.discard || r->n_prepared > PREPARE_FILES / 2 || atomic_load(&r->stopped))
		return NULL;
	for (; r->prepare_at < r->objs.n; r->prepare_at++) {
		o = pw_objtab_at(&r->objs, r->prepare_at);
		if (o->state != PW_RECV_KNOWN || !o->has_len || !o->has_oti || o->len_bytes == 0 ||
			o->part || o->wants_open)
			continue;
		if (r->n_prepared && r->prepared_bytes + o->len_bytes > PREPARE_BYTES)
			return NULL;
		r->prepare_at++;
		return o;
	}
	return NULL;
}

static void prepare_more(struct pw_recv *r, struct pw_object *o)
{
	measure_budget(r);
	while (o) {
		open_object(r, o, true);
		pthread_mutex_lock(&r->lock);
		o = r->open_first || r->room.tables || r->n_prepared >= PREPARE_FILES
			    ? NULL
			    : next_to_prepare(r);
		pthread_mutex_unlock(&r->lock);
	}
}

/* Places packets that came before packet `seq` and whose objects are known now. Returns true, and lets the
 * lanes place later packets, when few of them waited or when must_end. */
static bool replay_unknown(struct pw_recv *r, uint64_t seq, bool may_end, bool must_end)
{
	struct pw_waiting *first, *w;
	unsigned int n = 0;
	bool ends;

	pthread_mutex_lock(&r->lock);
	first = pw_room_take_unknown(&r->room, seq);
	for (w = first; w && n < FEW_WAITING; w = w->next)
		n++;
	ends = must_end || (may_end && n < FEW_WAITING);
	r->has_tables = !ends;
	pthread_mutex_unlock(&r->lock);
	pw_recv_replay(r, first);
	pthread_mutex_lock(&r->lock);
	r->room.taken_bytes = 0;
	pthread_mutex_unlock(&r->lock);
	return ends;
}

/* The next object that packets wait for, or NULL. With the lock. */
static struct pw_object *next_to_open(struct pw_recv *r)
{
	struct pw_object *o = r->open_first;

	if (!o)
		return NULL;
	r->open_first = o->next_open;
	if (!o->next_open)
		r->open_last = NULL;
	o->wants_open = false;
	return o;
}

/* Opens all files that packets wait for. */
static void open_waiting(struct pw_recv *r)
{
	struct pw_object *o;

	do {
		pthread_mutex_lock(&r->lock);
		o = next_to_open(r);
		pthread_mutex_unlock(&r->lock);
		if (o)
			open_object(r, o, false);
	} while (o);
}

/* Reads tables. Symbols and tables are taken in the order in which they came. */
static void take_tables(struct pw_recv *r, struct pw_waiting *first)
{
	struct pw_waiting *w;
	uint64_t n_learned, next;
	unsigned int rounds = 0;
	bool is_done;

	for (w = first; w; w = w->next) {
		n_learned = r->n_learned;
		pw_recv_table_packet(r, w);
		if (!w->next || r->n_learned == n_learned)
			continue;
		replay_unknown(r, w->next->seq, false, false);
		open_waiting(r); /* before the next table names another file for their TOI */
	}
	pw_waiting_free_list(first);
	do {
		pthread_mutex_lock(&r->lock);
		next = r->room.tables ? r->room.tables->seq : UINT64_MAX;
		pthread_mutex_unlock(&r->lock);
		/* Packets that no table names stay in the queue, so the rounds are bounded. */
		is_done = replay_unknown(r, next, true, ++rounds == REPLAY_ROUNDS);
	} while (!is_done);
}

/* Does one piece of work. With the lock, which it releases meanwhile. false: there is none. */
static bool work_once(struct pw_recv *r)
{
	struct pw_object *o = next_to_open(r);
	struct pw_waiting *tables = NULL;

	if (o) {
		pthread_mutex_unlock(&r->lock);
		open_object(r, o, false);
	} else if ((tables = pw_room_take_tables(&r->room))) {
		r->has_tables = true;
		pthread_mutex_unlock(&r->lock);
		take_tables(r, tables);
	} else if ((o = next_to_prepare(r))) {
		pthread_mutex_unlock(&r->lock);
		prepare_more(r, o);
	} else {
		return pw_recv_note_leaves(r);
	}
	pthread_mutex_lock(&r->lock);
	return true;
}

/* Until a signal; lanes do not signal that a leaf has filled. With the lock. */
static void wait_for_work(struct pw_recv *r)
{
	struct timespec until;

	if (!r->cfg.trust || !r->open_head) {
		pthread_cond_wait(&r->work, &r->lock);
		return;
	}
	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_nsec += LEAF_LOOK_NS;
	if (until.tv_nsec >= (long)PW_NS_PER_S) {
		until.tv_nsec -= (long)PW_NS_PER_S;
		until.tv_sec++;
	}
	pthread_cond_timedwait(&r->work, &r->lock, &until);
}

static void *worker_main(void *arg)
{
	struct pw_recv *r = arg;

	pthread_mutex_lock(&r->lock);
	while (!r->stop_threads) {
		r->worker_busy = true;
		if (work_once(r))
			continue;
		r->worker_busy = false;
		pthread_cond_broadcast(&r->idle);
		wait_for_work(r);
	}
	pthread_mutex_unlock(&r->lock);
	return NULL;
}

int pw_recv_worker_start(struct pw_recv *r, struct pw_err *err)
{
	int ret = pw_thread_start(&r->worker, worker_main, r);

	return ret ? pw_err_sys(err, ret, "cannot start the receiver's file worker") : 0;
}
