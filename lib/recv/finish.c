/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The finisher: a thread that verifies complete files, makes them durable and gives them their names. For
 * each file whose symbols have all come:
 *
 *   digest -> data on the disk -> rename NAME.part to NAME -> directories on the disk -> COMPLETE
 *
 * It takes all waiting files as one batch, so that many small files share one sync. A file that fails at any
 * step is refused with a reason; the others go on.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/thread.h"
#include "file/digest.h"
#include "recv/manifest.h"
#include "recv/signed_private.h"

#define BATCH_FILES 512u
#define BATCH_BYTES (256ull << 20) /* so that a file does not wait for the digests of many others */
#define SYNC_EACH   8u             /* up to this many files are synced one by one */

enum result { GOOD, UNVERIFIED, DIFFERS, FAILED };

struct job {
	struct pw_object *o;
	struct pw_part *part;    /* NULL: none (empty file, or PW_FINISH_TARGET) */
	struct pw_outfile *file; /* of the part, or opened here */
	struct pw_outfile_id id;
	unsigned int number;
	const uint8_t *leaves; /* that it covers, or NULL */
	const struct pw_leaf_notes *notes;
	struct pw_bad_leaves bad;
	struct pw_digest wanted; /* as the tables named it when the batch began */
	enum result result;
	struct pw_err err;
};

struct batch {
	struct job jobs[BATCH_FILES];
	size_t n;
};

void pw_recv_submit(struct pw_recv *r, struct pw_object *o, enum pw_finish_kind kind)
{
	o->awaits_digest = false;
	o->finish_kind = (uint8_t)kind;
	pw_recv_set_state(r, o, PW_RECV_VERIFYING);
	if (o->in_finish)
		return;
	o->in_finish = true;
	o->next_finish = NULL;
	*(r->finish_last ? &r->finish_last->next_finish : &r->finish_first) = o;
	r->finish_last = o;
	pthread_cond_signal(&r->finish_work);
}

void pw_recv_complete(struct pw_recv *r, struct pw_object *o)
{
	if (o->state >= PW_RECV_COMPLETE)
		return;
	if (o->part) {
		pw_part_shut(r, o->part);
		pw_recv_list_remove(r, o->part);
	}
	if (o->digest_due && !r->cfg.discard) {
		o->awaits_digest = true;
		pw_recv_set_state(r, o, PW_RECV_VERIFYING);
		return;
	}
	pw_recv_submit(r, o, PW_FINISH_PART);
}

void pw_recv_submit_due(struct pw_recv *r)
{
	size_t i;

	for (i = 0; i < r->objs.n; i++) {
		struct pw_object *o = pw_objtab_at(&r->objs, i);

		o->digest_due = false;
		if (!o->awaits_digest)
			continue;
		if (r->cfg.trust) { /* a repair brings the table once more */
			o->awaits_digest = false;
			pw_object_reason(o, "no trusted table named its digest", false);
			pw_recv_set_state(r, o, PW_RECV_PARTIAL);
			continue;
		}
		pw_warn(r->log, "%s is complete, but its digest never came: not verified", o->name);
		pw_recv_submit(r, o, PW_FINISH_PART);
	}
}

static void fail(struct job *j, const struct pw_err *err)
{
	j->result = FAILED;
	j->err = *err;
	if (!j->err.code)
		j->err.code = EIO;
}

/* Opens the job's file, unless the part has it open. */
static int open_file(struct pw_recv *r, struct job *j, struct pw_err *err)
{
	const struct pw_object *o = j->o;
	unsigned int number;
	uint32_t kept;

	if (j->file)
		return 0;
	if (o->finish_kind == PW_FINISH_TARGET)
		return pw_outdir_open_target(r->out, o->name, o->len_bytes, &j->file, err);
	if (o->len_bytes == 0) {
		pthread_mutex_lock(&r->lock);
		kept = pw_recv_kept_parts(r, o);
		pthread_mutex_unlock(&r->lock);
		return pw_outdir_create(r->out, o->name, 0, 0, kept, &j->file, err);
	}
	number = j->part ? j->part->number : o->gap ? o->gap->part : 0;
	return pw_outdir_reopen(r->out, o->name, number, o->len_bytes,
		j->part && j->part->id.ino ? &j->part->id : NULL, &j->file, err);
}

/* Computes the digest of the file's content; continues the one that the lanes began. */
static int digest(struct job *j, struct pw_digest *got, struct pw_err *err)
{
	const uint64_t len = j->o->len_bytes;
	struct pw_part *p = j->part;
	struct pw_digest_state *st;
	uint64_t at = 0;
	int ret;

	if (p && p->digest && j->wanted.kind == PW_DIGEST_XXH3_128) {
		st = p->digest;
		p->digest = NULL;
		at = atomic_load(&p->digest_at);
	} else {
		ret = pw_digest_create_for(&st, j->wanted.kind, len, err);
		if (ret < 0)
			return ret;
	}
	if (at < len)
		at = pw_outfile_digest(j->file, st, at, len, false, err);
	if (at == len)
		pw_digest_final(st, got);
	pw_digest_destroy(st);
	return at == len ? 0 : -(err->code ? err->code : EIO);
}

static void set_differs(struct job *j, const struct pw_digest *got)
{
	char a[PW_DIGEST_TEXT_MAX], b[PW_DIGEST_TEXT_MAX];

	j->result = DIFFERS;
	pw_err_set(&j->err, EBADMSG, "digest differs: sender named %s, received %s",
		pw_digest_format(a, sizeof(a), &j->wanted), pw_digest_format(b, sizeof(b), got));
}

/* Compares the file's digest and sets the job's result. */
static void verify(struct pw_recv *r, struct job *j)
{
	struct pw_err err = {0};
	struct pw_digest got;

	if (open_file(r, j, &err) < 0) {
		fail(j, &err);
		return;
	}
	j->id = j->file->id;
	j->number = j->file->part;
	j->result = UNVERIFIED;
	if (j->leaves) {
		if (pw_recv_check_leaves(j->file, j->notes, j->leaves, &j->bad, &err) < 0) {
			fail(j, &err);
			return;
		}
		j->result = j->bad.n ? DIFFERS : GOOD;
		if (j->bad.n)
			pw_recv_name_leaves(j->o, &j->bad, &j->err);
	} else if (j->wanted.kind != PW_DIGEST_NONE) {
		if (digest(j, &got, &err) < 0) {
			fail(j, &err);
			return;
		}
		j->result = GOOD;
		if (got.kind != j->wanted.kind ||
			memcmp(got.bytes, j->wanted.bytes, pw_digest_len(got.kind)) != 0)
			set_differs(j, &got);
	}
	if ((j->result != DIFFERS || j->bad.n) && pw_outfile_flush(j->file, &err) < 0)
		fail(j, &err);
}

static bool is_good(const struct job *j)
{
	return j->result == GOOD || j->result == UNVERIFIED;
}

static bool is_to_publish(const struct job *j)
{
	return is_good(j) && j->o->finish_kind == PW_FINISH_PART;
}

/* Syncs each file's data, also that of a NAME that existed: its writer may not have synced it. One sync of
 * the file system serves many files; if it reports an error, each file is synced. */
static void sync_data(struct pw_recv *r, struct batch *b)
{
	struct pw_err err = {0};
	size_t i, n = 0;

	for (i = 0; i < b->n; i++)
		n += is_good(&b->jobs[i]);
	if (n > SYNC_EACH && pw_outdir_sync_all(r->out, &err) == 0)
		return;
	for (i = 0; i < b->n; i++) {
		struct job *j = &b->jobs[i];

		if (is_good(j) && pw_outfile_sync(j->file, &err) < 0)
			fail(j, &err);
	}
}

static void publish(struct pw_recv *r, struct job *j)
{
	struct pw_err err = {0};

	if (pw_outdir_publish(
		    r->out, j->o->name, j->number, &j->id, r->cfg.force, &j->o->attr, &err) < 0)
		fail(j, &err);
}

/* Syncs the directories of the new names. */
static void sync_names(struct pw_recv *r, struct batch *b)
{
	const char *names[BATCH_FILES];
	struct pw_err err = {0};
	size_t i, n = 0;

	for (i = 0; i < b->n; i++)
		if (is_good(&b->jobs[i]))
			names[n++] = b->jobs[i].o->name;
	if (n == 0 || pw_outdir_sync_names(r->out, names, n, &err) == 0)
		return;
	for (i = 0; i < b->n; i++)
		if (is_good(&b->jobs[i]))
			fail(&b->jobs[i], &err);
}

/* Not in take_result(), which runs under the lock: unmapping takes a while. */
static void close_file(struct pw_recv *r, struct job *j)
{
	const bool is_tried = j->part && pw_parity_is_tried(&r->parity, j->part);

	if (j->result == DIFFERS && j->part && j->part->file && (is_tried || !j->bad.n)) {
		/* Only some symbols may be replaced; pw_outfile_failed() reports a failure. */
		if (is_tried)
			pw_outfile_flush(j->part->file, NULL);
		pw_outfile_rewrite(j->part->file);
		return;
	}
	if (j->part)
		j->part->file = NULL;
	pw_outfile_close(j->file);
	j->file = NULL;
}

static void run_batch(struct pw_recv *r, struct batch *b)
{
	size_t i;

	pw_recv_quiesce(r);
	if (r->cfg.discard) {
		for (i = 0; i < b->n; i++)
			b->jobs[i].result = UNVERIFIED;
		return;
	}
	for (i = 0; i < b->n; i++)
		verify(r, &b->jobs[i]);
	if (!r->cfg.not_durable)
		sync_data(r, b);
	for (i = 0; i < b->n; i++)
		if (is_to_publish(&b->jobs[i]))
			publish(r, &b->jobs[i]);
	if (!r->cfg.not_durable)
		sync_names(r, b);
	for (i = 0; i < b->n; i++)
		close_file(r, &b->jobs[i]);
}

/* Lanes and the decoder may place symbols again. */
static void open_again(struct pw_recv *r, struct pw_part *p)
{
	pw_part_digest_start(p);
	pw_recv_list_add(r, p);
	atomic_store(&p->shut, false);
	pw_parity_look_all(&r->parity, p);
}

/* The points of the parity were not known: restores the symbols with others. false: they are not to blame. */
static bool retry(struct pw_recv *r, struct pw_object *o)
{
	uint64_t n_symbols = 0, bytes = 0;

	if (o->part && o->part->file)
		bytes = pw_parity_retry(&r->parity, o->part, &n_symbols);
	if (bytes == 0)
		return false;
	r->bytes_adjust -= (int64_t)bytes;
	r->c.restored -= n_symbols; /* the decoder counted them */
	pw_recv_set_state(r, o, PW_RECV_PARTIAL);
	pw_part_digest_reset(o->part);
	open_again(r, o->part);
	return true;
}

/* Receives the file again, or its bad leaves: the sender's next pass may bring them. */
static void reopen(struct pw_recv *r, struct job *j)
{
	struct pw_object *o = j->o;

	if (retry(r, o))
		return;
	if (j->bad.n && o->part) {
		pw_parity_drop(&r->parity, o->part);
		o->n_mismatches++;
		pw_recv_reopen_leaves(r, o, &j->bad);
		if (o->part->file)
			open_again(r, o->part);
		return;
	}
	o->n_mismatches++;
	r->bytes_adjust -= (int64_t)o->len_bytes;
	o->resumed_bytes = 0;
	o->gap = NULL;
	pw_object_reason(o, j->err.msg, true);
	pw_recv_set_state(r, o, PW_RECV_MISMATCH);
	if (!o->part)
		return;
	pw_parity_drop(&r->parity, o->part);
	pw_part_reset(o->part);
	if (o->part->file)
		open_again(r, o->part);
}

static void target_differs(struct pw_recv *r, struct job *j)
{
	struct pw_object *o = j->o;

	if (o->published) {
		r->bytes_adjust -= (int64_t)o->len_bytes;
		pw_object_reason(o, j->err.msg, true);
		pw_recv_set_state(r, o, PW_RECV_REFUSED);
	} else if (r->cfg.force) {
		pw_recv_set_state(r, o, PW_RECV_KNOWN);
		r->prepare_at = 0;
		pthread_cond_signal(&r->work);
	} else {
		pw_recv_refuse(r, o, "exists and differs; give --force", false);
	}
}

static void take_failure(struct pw_recv *r, struct job *j)
{
	struct pw_object *o = j->o;
	const struct pw_part *p = o->part;

	/* Other files, and the manifest, need the space. */
	if (p && p->id.ino && !p->resumed && (j->err.code == ENOSPC || j->err.code == EDQUOT))
		pw_outdir_remove_part(r->out, o->name, p->number, &p->id);
	if (o->finish_kind == PW_FINISH_PART || o->published)
		r->bytes_adjust -= (int64_t)o->len_bytes;
	o->resumed_bytes = 0;
	pw_recv_free_part(r, o);
	pw_recv_fail(r, o, &j->err);
}

static void take_good(struct pw_recv *r, struct job *j)
{
	struct pw_object *o = j->o;

	if (o->finish_kind == PW_FINISH_TARGET && !o->published)
		r->bytes_adjust += (int64_t)o->len_bytes;
	o->published = true;
	pw_recv_drop_leaves(r, o);
	pw_recv_free_part(r, o);
	o->resumed_bytes = 0;
	pw_object_reason(o, NULL, false);
	pw_recv_set_state(r, o, j->result == GOOD ? PW_RECV_COMPLETE : PW_RECV_UNVERIFIED);
	/* Its digest came after the batch began without one. */
	if (j->result == UNVERIFIED && o->digest.kind != PW_DIGEST_NONE && !r->cfg.discard)
		pw_recv_submit(r, o, PW_FINISH_TARGET);
}

static void take_result(struct pw_recv *r, struct job *j)
{
	struct pw_object *o = j->o;

	o->in_finish = false;
	if (j->result == FAILED)
		take_failure(r, j);
	else if (j->result != DIFFERS)
		take_good(r, j);
	else if (o->finish_kind == PW_FINISH_TARGET)
		target_differs(r, j);
	else
		reopen(r, j);
}

/* Moves waiting files into the batch. With the lock. */
static void fill_batch(struct pw_recv *r, struct batch *b)
{
	uint64_t bytes = 0;
	struct pw_object *o;

	b->n = 0;
	while (!r->closing && (o = r->finish_first) && b->n < BATCH_FILES && bytes < BATCH_BYTES) {
		r->finish_first = o->next_finish;
		if (!r->finish_first)
			r->finish_last = NULL;
		if (o->state != PW_RECV_VERIFYING) { /* it was refused meanwhile */
			o->in_finish = false;
			continue;
		}
		b->jobs[b->n++] = (struct job){.o = o,
			.part = o->part,
			.file = o->part && o->finish_kind == PW_FINISH_PART ? o->part->file : NULL,
			.leaves = o->leaves,
			.notes =
				o->part && o->finish_kind == PW_FINISH_PART ? o->part->notes : NULL,
			.wanted = o->digest};
		bytes += o->len_bytes;
	}
}

/* Frees parts of files that were refused while lanes had them, and removes their files: other files may need
 * the space. With the lock, which it releases meanwhile. */
static void free_retired(struct pw_recv *r)
{
	struct pw_part *p = r->retired, *next;
	uint64_t bytes = 0, placed = 0;

	r->retired = NULL;
	if (!p)
		return;
	pthread_mutex_unlock(&r->lock);
	pw_recv_quiesce(r);
	for (; p; p = next) {
		next = p->next_retired;
		bytes += pw_part_bytes(&p->blocks);
		placed += p->blocks.transfer_len - atomic_load(&p->missing_bytes);
		/* A resumed part stays: the old manifest lists it. */
		if (p->id.ino && !p->resumed)
			pw_outdir_remove_part(r->out, p->obj->name, p->number, &p->id);
		pw_parity_drop(&r->parity, p);
		pw_part_destroy(p);
	}
	pthread_mutex_lock(&r->lock);
	r->part_bytes -= bytes;
	r->bytes_adjust -= (int64_t)placed;
}

static void *finisher_main(void *arg)
{
	struct pw_recv *r = arg;
	struct batch *b = r->batch;
	size_t i;

	pthread_mutex_lock(&r->lock);
	while (!r->stop_threads) {
		r->finisher_busy = true;
		if (r->closing) {
			pthread_cond_wait(&r->finish_work, &r->lock);
			continue;
		}
		free_retired(r);
		fill_batch(r, b);
		if (b->n == 0) {
			r->finisher_busy = r->retired != NULL;
			pthread_cond_broadcast(&r->idle);
			if (!r->finisher_busy)
				pthread_cond_wait(&r->finish_work, &r->lock);
			continue;
		}
		pthread_mutex_unlock(&r->lock);
		run_batch(r, b);
		pthread_mutex_lock(&r->lock);
		for (i = 0; i < b->n; i++)
			take_result(r, &b->jobs[i]);
	}
	free_retired(r);
	pthread_mutex_unlock(&r->lock);
	return NULL;
}

int pw_recv_finisher_start(struct pw_recv *r, struct pw_err *err)
{
	int ret;

	r->batch = calloc(1, sizeof(struct batch));
	ret = r->batch ? pw_thread_start(&r->finisher, finisher_main, r) : ENOMEM;
	return ret ? pw_err_sys(err, ret, "cannot start the receiver's finisher") : 0;
}
