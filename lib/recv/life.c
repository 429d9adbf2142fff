/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Creates and finishes a receiver, changes the states of its files, and reports its status and counters.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/bytes.h"
#include "file/guard.h"
#include "recv/decode_private.h"
#include "recv/lane_private.h"
#include "recv/manifest.h"
#include "recv/memory.h"
#include "recv/recv_private.h"
#include "recv/status_private.h"
#include "recv/ways.h"

#define MAX_MESSAGES 20u

struct pw_waiting *pw_recv_take_waiting(struct pw_recv *r, struct pw_object *o, size_t *n)
{
	struct pw_waiting *first = o->waiting, *w;

	*n = 0;
	for (w = first; w; w = w->next, ++*n)
		r->room.file_bytes -= pw_waiting_bytes(w);
	o->waiting = NULL;
	o->waiting_end = &o->waiting;
	return first;
}

size_t pw_recv_drop_waiting(struct pw_recv *r, struct pw_object *o)
{
	size_t n;

	pw_waiting_free_list(pw_recv_take_waiting(r, o, &n));
	return n;
}

void pw_recv_unprepare(struct pw_recv *r, struct pw_object *o)
{
	if (!o->prepared)
		return;
	o->prepared = false;
	r->n_prepared--;
	r->prepared_bytes -= o->len_bytes;
}

void pw_recv_set_state(struct pw_recv *r, struct pw_object *o, enum pw_recv_file_state s)
{
	r->st.n_ended += (uint64_t)(s >= PW_RECV_COMPLETE) - (o->state >= PW_RECV_COMPLETE);
	r->st.n_good += (uint64_t)pw_recv_state_is_good(s) - pw_recv_state_is_good(o->state);
	r->st.n_unverified +=
		(uint64_t)(s == PW_RECV_UNVERIFIED) - (o->state == PW_RECV_UNVERIFIED);
	o->state = (uint8_t)s;
	if (s != PW_RECV_KNOWN)
		pw_recv_unprepare(r, o);
	if (!pw_recv_state_is_open(s))
		pw_recv_drop_waiting(r, o);
}

void pw_recv_refuse(struct pw_recv *r, struct pw_object *o, const char *why, bool copy)
{
	struct pw_part *p = o->part;

	if (p) {
		/* Bytes that lanes have placed and not counted yet are subtracted when it is freed. */
		r->bytes_adjust -=
			(int64_t)(p->blocks.transfer_len -
				  atomic_exchange(&p->missing_bytes, p->blocks.transfer_len));
		pw_part_shut(r, p);
		pw_recv_list_remove(r, p);
		p->next_retired = r->retired;
		r->retired = p;
		o->part = NULL;
		pthread_cond_signal(&r->finish_work);
	} else {
		r->bytes_adjust -= (int64_t)o->resumed_bytes;
	}
	o->resumed_bytes = 0;
	pw_object_reason(o, why, copy);
	pw_recv_set_state(r, o, PW_RECV_REFUSED);
}

void pw_recv_set_fatal(struct pw_recv *r, const struct pw_err *err)
{
	if (r->fatal.code)
		return;
	r->fatal = *err;
	if (!r->fatal.code)
		r->fatal.code = EIO;
	atomic_store(&r->stopped, true);
}

void pw_recv_fail(struct pw_recv *r, struct pw_object *o, const struct pw_err *err)
{
	if (!pw_outdir_is_refusal(err->code)) {
		pw_recv_set_fatal(r, err);
		return;
	}
	o->is_failed = err->code == ENOSPC || err->code == EDQUOT || err->code == EFBIG ||
		       err->code == EIO || err->code == EROFS;
	pw_recv_refuse(r, o, err->msg, true);
}

void pw_recv_warn(struct pw_recv *r, const char *fmt, ...)
{
	char text[384];
	va_list ap;

	if (r->n_messages > MAX_MESSAGES)
		return;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (r->n_messages++ == MAX_MESSAGES)
		pw_warn(r->log,
			"more errors in what the senders send are only counted; see --json");
	else
		pw_warn(r->log, "%s", text);
}

void pw_recv_ignore(struct pw_recv *r, struct pw_host_key from, uint64_t tsi)
{
	struct pw_recv_ignored *i = r->ignored, *end = r->ignored + r->n_ignored;

	while (i < end && (i->tsi != tsi || !pw_host_key_equal(i->from, from)))
		i++;
	if (i == end && r->n_ignored == PW_RECV_MAX_IGNORED)
		return;
	if (i == end) {
		*i = (struct pw_recv_ignored){.from = from, .tsi = tsi};
		r->n_ignored++;
	}
	i->packets++;
}

void pw_recv_heed(struct pw_recv *r, const struct pw_session *s)
{
	size_t i;

	for (i = 0; i < r->n_ignored; i++)
		if (r->ignored[i].tsi == s->tsi && pw_host_key_equal(r->ignored[i].from, s->from))
			r->ignored[i] = r->ignored[--r->n_ignored];
}

struct pw_session *pw_recv_session(struct pw_recv *r, struct pw_host_key from, uint64_t tsi)
{
	size_t i;

	if (r->memory) {
		r->sessions[0]->from = from;
		r->sessions[0]->tsi = tsi;
	}
	for (i = 0; i < r->n_sessions; i++)
		if (r->sessions[i]->tsi == tsi && pw_host_key_equal(r->sessions[i]->from, from))
			return r->sessions[i];
	return NULL;
}

static int copy_paths(struct pw_recv *r, const struct pw_recv_config *cfg, struct pw_err *err)
{
	bool ok = true;

	if (cfg->out_dir)
		ok = (r->out_dir = strdup(cfg->out_dir)) != NULL;
	if (cfg->gaps_path)
		ok = ok && (r->gaps_path = strdup(cfg->gaps_path)) != NULL;
	else if (cfg->out_dir)
		ok = ok && asprintf(&r->gaps_path, "%s/%s", cfg->out_dir, PW_GAPS_FILE) >= 0;
	return ok ? 0 : pw_err_sys(err, ENOMEM, "cannot start receiving");
}

/* Without --resume, a file that is not a manifest is ignored. With it, there may be none (all was received and
 * the user starts again), unless the user named one. */
static int load_old(struct pw_recv *r, struct pw_err *err)
{
	int ret = pw_gaps_load(r->gaps_path, &r->old, r->cfg.resume ? err : NULL);

	if (ret == -ENOENT && !r->cfg.gaps_path) {
		if (r->cfg.resume)
			pw_info(r->log, "there is no gap manifest %s: nothing to resume",
				r->gaps_path);
		return 0;
	}
	return r->cfg.resume ? ret : 0;
}

static int open_output(struct pw_recv *r, struct pw_err *err)
{
	const struct pw_outdir_config out = {
		.path = r->out_dir,
		.manifest_path = r->gaps_path,
		.write = r->cfg.write,
		.write_memory_bytes = r->cfg.write_memory_bytes,
		.max_made = r->cfg.max_files,
		.log = r->log,
	};
	int ret;

	if (r->cfg.discard)
		return 0;
	if (!r->out_dir)
		return pw_err_set(
			err, EINVAL, "cannot start receiving: no output directory; name one");
	ret = pw_guard_init(err);
	if (ret == 0)
		ret = pw_outdir_open(&r->out, &out, err);
	if (ret == 0)
		ret = load_old(r, err);
	if (ret == 0)
		ret = pw_outdir_free_bytes(r->out, &r->budget_bytes, err);
	return ret;
}

/* An eighth of the host's memory, within bounds. */
static uint64_t part_limit(void)
{
	long pages = sysconf(_SC_PHYS_PAGES), page = sysconf(_SC_PAGESIZE);
	uint64_t bytes = pages > 0 && page > 0 ? (uint64_t)pages * (uint64_t)page / 8 : 0;

	return pw_min_u64(pw_max_u64(bytes, 64u << 20), PW_RECV_MAX_PARTS);
}

static int make_lanes(struct pw_recv *r, struct pw_err *err)
{
	const size_t bytes = (r->n_lanes + PW_LANES_OWN) * sizeof(struct pw_recv_lane);

	r->lanes = aligned_alloc(64, bytes);
	if (!r->lanes)
		return pw_err_sys(err, ENOMEM, "cannot start receiving in %u lanes", r->n_lanes);
	memset(r->lanes, 0, bytes);
	r->lanes[r->n_lanes + PW_LANE_WORKER].is_worker = true;
	return 0;
}

static int start_threads(struct pw_recv *r, struct pw_err *err)
{
	int ret = pw_recv_worker_start(r, err);

	if (ret < 0)
		return ret;
	r->n_threads = 1;
	ret = pw_recv_finisher_start(r, err);
	r->n_threads += ret == 0;
	if (ret == 0)
		ret = pw_recv_decoder_start(r, err);
	r->n_threads += ret == 0;
	return ret;
}

int pw_recv_create(struct pw_recv **out_r, const struct pw_recv_config *cfg,
	const struct pw_log *log, struct pw_err *err)
{
	struct pw_recv *r = calloc(1, sizeof(*r));
	int ret;

	*out_r = NULL;
	if (!r)
		return pw_err_sys(err, ENOMEM, "cannot start receiving");
	r->cfg = *cfg;
	r->log = log;
	r->n_lanes = cfg->n_lanes ? cfg->n_lanes : 1;
	if (!r->cfg.max_files)
		r->cfg.max_files = PW_RECV_MAX_FILES;
	r->cfg.discard |= cfg->memory != NULL;
	r->max_part_bytes = part_limit();
	r->table_bytes_left = PW_RECV_MAX_TABLES;
	pthread_mutex_init(&r->lock, NULL);
	pthread_cond_init(&r->work, NULL);
	pthread_cond_init(&r->idle, NULL);
	pthread_cond_init(&r->finish_work, NULL);
	pw_objtab_init(&r->objs);
	pw_room_init(&r->room);
	pw_parity_init(&r->parity);
	ret = copy_paths(r, cfg, err);
	if (ret == 0)
		ret = make_lanes(r, err);
	if (ret == 0)
		ret = open_output(r, err);
	if (ret == 0 && cfg->trust)
		ret = pw_trust_open(&r->trust, cfg->trust, cfg->clock_skew_ns,
			cfg->discard ? NULL : r->out_dir, err);
	if (ret == 0)
		ret = cfg->memory ? pw_recv_memory_open(r, err) : start_threads(r, err);
	if (ret < 0) {
		r->finished = true;
		pw_recv_destroy(r);
		return ret;
	}
	*out_r = r;
	return 0;
}

static bool is_busy(struct pw_recv *r)
{
	return r->worker_busy || r->open_first || r->room.tables || r->finisher_busy ||
	       r->finish_first || r->retired || pw_parity_is_busy(&r->parity);
}

void pw_recv_settle(struct pw_recv *r)
{
	pthread_mutex_lock(&r->lock);
	while (is_busy(r))
		pthread_cond_wait(&r->idle, &r->lock);
	pthread_mutex_unlock(&r->lock);
}

static bool is_incomplete(const struct pw_recv *r)
{
	const struct pw_recv_status *st = &r->st;

	if (r->cfg.require_digest && !r->cfg.discard && st->n_unverified)
		return true;
	if (r->cfg.expect_files)
		return st->n_good < r->cfg.expect_files;
	return r->objs.n == 0 || st->n_good < r->objs.n || r->c.fdt_conflicts || r->n_unnamed ||
	       (r->cfg.resume && r->old_missing);
}

/* Sets the last state of files that are not complete, and removes the parts of files that were opened ahead
 * and of which no symbol came. Lanes and threads are idle. */
static void end_objects(struct pw_recv *r)
{
	size_t i;

	if (r->memory)
		pw_recv_memory_end(r);
	for (i = 0; i < r->objs.n; i++) {
		struct pw_object *o = pw_objtab_at(&r->objs, i);
		struct pw_part *p = o->part;

		if (pw_recv_state_is_open(o->state) && !(o->has_len && o->has_oti))
			pw_recv_refuse(r, o,
				"neither its file table nor its packets have its length and symbol "
				"size (FEC-OTI)",
				false);
		if (o->n_mismatches && o->state == PW_RECV_PARTIAL)
			pw_recv_set_state(r, o, PW_RECV_MISMATCH);
		if (p && p->id.ino && !p->resumed && !o->n_mismatches && pw_object_have(o) == 0 &&
			o->state != PW_RECV_VERIFYING) {
			pw_outdir_remove_part(r->out, o->name, p->number, &p->id);
			pw_recv_free_part(r, o);
		}
	}
	r->c.unknown_toi += pw_room_n_unknown(&r->room);
}

/* No more symbols come: what parity can restore, it restores now. With the lock. */
static void use_parity(struct pw_recv *r)
{
	struct pw_part *p;

	for (p = r->open_head; p; p = p->next)
		pw_parity_look_all(&r->parity, p);
}

int pw_recv_finish(struct pw_recv *r, struct pw_err *err)
{
	struct pw_recv_status st;
	struct pw_err gaps_err, trust_err;
	int ret;

	if (r->finished) {
		if (r->finish_ret < 0 && err)
			*err = r->fatal;
		return r->finish_ret;
	}
	pw_recv_settle(r);
	atomic_store(&r->stopped, true);
	pw_recv_quiesce(r);
	pthread_mutex_lock(&r->lock);
	pw_recv_check_failed(r);
	use_parity(r);
	pw_recv_submit_due(r);
	pthread_mutex_unlock(&r->lock);
	pw_recv_settle(r);
	pthread_mutex_lock(&r->lock);
	end_objects(r);
	pw_recv_look_at_sessions(r, &st);
	r->n_unnamed = st.n_never_named;
	ret = pw_recv_save_gaps(r, &gaps_err);
	/* The first error stands. That there are too many gaps for a manifest is the sender's choice. */
	if (ret < 0 && (r->fatal.code || ret == -EFBIG))
		pw_warn(r->log, "%s", gaps_err.msg);
	else if (ret < 0)
		pw_recv_set_fatal(r, &gaps_err);
	if (!r->fatal.code && !is_incomplete(r) && !r->cfg.expect_files &&
		pw_trust_end_sessions(&r->trust, &trust_err) < 0)
		pw_recv_set_fatal(r, &trust_err);
	r->finish_ret = r->fatal.code ? -r->fatal.code : is_incomplete(r);
	if (r->fatal.code && err)
		*err = r->fatal;
	r->finished = true;
	pthread_mutex_unlock(&r->lock);
	return r->finish_ret;
}

static void stop_threads(struct pw_recv *r)
{
	pthread_mutex_lock(&r->lock);
	r->stop_threads = true;
	pthread_cond_broadcast(&r->work);
	pthread_cond_broadcast(&r->finish_work);
	pthread_mutex_unlock(&r->lock);
	if (r->n_threads > 0)
		pthread_join(r->worker, NULL);
	if (r->n_threads > 1)
		pthread_join(r->finisher, NULL);
	if (r->n_threads > 2)
		pw_recv_decoder_stop(r);
}

void pw_recv_destroy(struct pw_recv *r)
{
	size_t i;

	if (!r)
		return;
	if (!r->finished)
		pw_recv_finish(r, NULL);
	stop_threads(r);
	pw_recv_decoder_free(r->decoder);
	pw_parity_finish(&r->parity);
	pw_objtab_finish(&r->objs);
	pw_room_finish(&r->room);
	for (i = 0; i < r->n_sessions; i++) {
		pw_fdtrx_finish(&r->sessions[i]->fdt);
		pw_recv_drop_ways(r->sessions[i]);
		free(r->sessions[i]);
	}
	pw_gaps_finish(&r->old);
	pw_trust_close(&r->trust);
	pw_outdir_close(r->out);
	pthread_mutex_destroy(&r->lock);
	pthread_cond_destroy(&r->work);
	pthread_cond_destroy(&r->idle);
	pthread_cond_destroy(&r->finish_work);
	free(r->batch);
	free(r->lanes);
	free(r->gaps_path);
	free(r->out_dir);
	free(r);
}
