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
#include "recv/lane_private.h"
#include "recv/memory.h"
#include "recv/recv_private.h"

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
	const size_t bytes = (r->n_lanes + 1) * sizeof(struct pw_recv_lane);

	r->lanes = aligned_alloc(64, bytes);
	if (!r->lanes)
		return pw_err_sys(err, ENOMEM, "cannot start receiving in %u lanes", r->n_lanes);
	memset(r->lanes, 0, bytes);
	r->lanes[r->n_lanes].is_worker = true;
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
	ret = copy_paths(r, cfg, err);
	if (ret == 0)
		ret = make_lanes(r, err);
	if (ret == 0)
		ret = open_output(r, err);
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

static bool is_busy(const struct pw_recv *r)
{
	return r->worker_busy || r->open_first || r->room.tables || r->finisher_busy ||
	       r->finish_first || r->retired;
}

void pw_recv_settle(struct pw_recv *r)
{
	pthread_mutex_lock(&r->lock);
	while (is_busy(r))
		pthread_cond_wait(&r->idle, &r->lock);
	pthread_mutex_unlock(&r->lock);
}

/* Ends the files whose pages were lost or whose writes failed. With the lock. */
static void check_failed(struct pw_recv *r)
{
	struct pw_part *p, *next;
	struct pw_err err;
	int code;

	for (p = r->open_head; p; p = next) {
		next = p->next;
		code = p->file ? pw_outfile_failed(p->file) : 0;
		if (code == 0)
			continue;
		pw_err_set(&err, code,
			"cannot write %s/%s.part: %s; the file was truncated, or the disk is full "
			"or broken; make room and continue with --resume",
			r->out_dir, p->obj->name, strerror(code));
		pw_recv_fail(r, p->obj, &err);
	}
}

static bool is_session_named(const struct pw_session *s)
{
	if (s->n_session_files)
		return s->n_named >= s->n_session_files;
	return s->fdt_complete || s->n_closes >= PW_RECV_CLOSES;
}

/* Another session announced all files of this one: its sender was started again. Then the files that this
 * session did not name are those of the other one. */
static bool is_replaced(const struct pw_session *s)
{
	return s->n_first && s->n_shared == s->n_first;
}

/* With the lock. */
static void look_at_sessions(struct pw_recv *r, struct pw_recv_status *st)
{
	bool all_named = true, all_closed = true;
	unsigned int closed;
	size_t i;

	st->n_never_named = st->n_stripes = st->n_stripes_closed = 0;
	st->n_sessions = r->n_sessions;
	for (i = 0; i < r->n_sessions; i++) {
		const struct pw_session *s = r->sessions[i];

		/* A session that has named no file is not waited for. */
		if ((s->n_named == 0 && r->objs.n) || is_replaced(s) ||
			!pw_recv_speaks_for_set(r, s))
			continue;
		closed = pw_recv_closed_stripes(r, s);
		all_closed &= s->n_stripes ? closed == s->n_stripes : s->n_closes >= PW_RECV_CLOSES;
		st->n_stripes += s->n_stripes;
		st->n_stripes_closed += closed;
		all_named &= is_session_named(s);
		if (s->n_session_files > s->n_named)
			st->n_never_named += s->n_session_files - s->n_named;
	}
	st->session_closed = r->n_sessions && all_closed;
	if (r->cfg.expect_files)
		st->done = st->n_ended >= r->cfg.expect_files;
	else
		st->done = r->objs.n && all_named && st->n_ended == r->objs.n;
}

static uint64_t load(const uint64_t *word)
{
	return __atomic_load_n(word, __ATOMIC_RELAXED);
}

/* With the lock. */
static void sum_counters(struct pw_recv *r, struct pw_recv_counters *c)
{
	uint64_t *sum = (uint64_t *)c;
	uint32_t lane;
	size_t i;

	*c = r->c;
	for (lane = 0; lane <= r->n_lanes; lane++)
		for (i = 0; i < sizeof(*c) / sizeof(*sum); i++)
			sum[i] += load((const uint64_t *)&r->lanes[lane].c + i);
}

void pw_recv_counters(struct pw_recv *r, struct pw_recv_counters *c)
{
	pthread_mutex_lock(&r->lock);
	sum_counters(r, c);
	pthread_mutex_unlock(&r->lock);
}

void pw_recv_status(struct pw_recv *r, struct pw_recv_status *st)
{
	struct pw_recv_counters c;
	const struct pw_part *p;
	uint32_t lane;

	pthread_mutex_lock(&r->lock);
	if (!r->finished && r->out)
		check_failed(r);
	*st = r->st;
	st->n_files = r->objs.n;
	look_at_sessions(r, st);
	if (r->finished)
		st->n_never_named = r->n_unnamed;
	sum_counters(r, &c);
	st->bytes_have = c.payload_bytes + (uint64_t)r->bytes_adjust;
	st->symbols_seen = c.symbols;
	for (lane = 0; lane <= r->n_lanes; lane++)
		st->symbols_seen -= load(&r->lanes[lane].n_resumed);
	st->symbols_expected = r->expected_closed;
	for (p = r->open_head; p; p = p->next)
		st->symbols_expected += pw_part_expected(p);
	if (st->symbols_expected < st->symbols_seen)
		st->symbols_expected = st->symbols_seen;
	st->fatal = r->fatal.code != 0;
	pthread_mutex_unlock(&r->lock);
}

size_t pw_recv_n_files(struct pw_recv *r)
{
	size_t n;

	pthread_mutex_lock(&r->lock);
	n = r->objs.n;
	pthread_mutex_unlock(&r->lock);
	return n;
}

void pw_recv_file(struct pw_recv *r, size_t i, struct pw_recv_file_info *info)
{
	const struct pw_object *o;

	pthread_mutex_lock(&r->lock);
	o = pw_objtab_at(&r->objs, i);
	*info = (struct pw_recv_file_info){
		.toi = o->toi,
		.tsi = o->session->tsi,
		.name = o->name,
		.state = o->state,
		.len_bytes = o->len_bytes,
		.have_bytes = pw_object_have(o),
		.digest = o->digest,
		.reason = o->reason,
	};
	pthread_mutex_unlock(&r->lock);
}

size_t pw_recv_ignored(struct pw_recv *r, struct pw_recv_ignored *list, size_t n)
{
	pthread_mutex_lock(&r->lock);
	n = pw_min_u64(n, r->n_ignored);
	memcpy(list, r->ignored, n * sizeof(*list));
	pthread_mutex_unlock(&r->lock);
	return n;
}

const char *pw_recv_gaps_written(const struct pw_recv *r)
{
	return r->gaps_written ? r->gaps_path : NULL;
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

int pw_recv_finish(struct pw_recv *r, struct pw_err *err)
{
	struct pw_recv_status st;
	struct pw_err gaps_err;
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
	check_failed(r);
	pw_recv_submit_due(r);
	pthread_mutex_unlock(&r->lock);
	pw_recv_settle(r);
	pthread_mutex_lock(&r->lock);
	end_objects(r);
	look_at_sessions(r, &st);
	r->n_unnamed = st.n_never_named;
	ret = pw_recv_save_gaps(r, &gaps_err);
	/* The first error stands. That there are too many gaps for a manifest is the sender's choice. */
	if (ret < 0 && (r->fatal.code || ret == -EFBIG))
		pw_warn(r->log, "%s", gaps_err.msg);
	else if (ret < 0)
		pw_recv_set_fatal(r, &gaps_err);
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
}

void pw_recv_destroy(struct pw_recv *r)
{
	size_t i;

	if (!r)
		return;
	if (!r->finished)
		pw_recv_finish(r, NULL);
	stop_threads(r);
	pw_objtab_finish(&r->objs);
	pw_room_finish(&r->room);
	for (i = 0; i < r->n_sessions; i++) {
		pw_fdtrx_finish(&r->sessions[i]->fdt);
		free(r->sessions[i]);
	}
	pw_gaps_finish(&r->old);
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
