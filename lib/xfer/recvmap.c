/* SPDX-License-Identifier: BSD-3-Clause */
/* From KNOWN to the finisher and back: parts, their mappings, and what the finisher says. */
#include <errno.h>
#include <unistd.h>

#include "base/bytes.h"
#include "page/guard.h"
#include "page/ntcopy.h"
#include "xfer/direct.h"
#include "xfer/recvint.h"

static void lru_remove(struct pw_recv *r, struct pw_part *p)
{
	*(p->prev ? &p->prev->next : &r->lru_head) = p->next;
	*(p->next ? &p->next->prev : &r->lru_tail) = p->prev;
	p->prev = p->next = NULL;
	r->n_mapped--;
}

static void lru_push(struct pw_recv *r, struct pw_part *p)
{
	p->prev = NULL;
	p->next = r->lru_head;
	*(p->next ? &p->next->prev : &r->lru_tail) = p;
	r->lru_head = p;
	r->n_mapped++;
}

/* Nothing of the file can be trusted any more. */
static void lost(struct pw_recv *r, struct pw_object *o)
{
	struct pw_err err;

	pw_err_set(&err, EIO,
		"write %s/%s.part: truncated, or the disk is full or broken; make room and go on "
		"with --resume",
		r->out.dir, o->name);
	pw_recv_set_have(r, o, 0);
	pw_recv_set_fatal(r, &err);
}

/* The one that was used longest ago, less those that lanes hold. */
static struct pw_part *lru_idle(const struct pw_recv *r)
{
	struct pw_part *p = r->lru_tail;

	while (p && p->n_writing)
		p = p->prev;
	return p;
}

static void unmap(struct pw_recv *r, struct pw_part *p)
{
	if (!p || !p->map.base)
		return;
	lru_remove(r, p);
	pw_ahead_drop(r->ahead, p->map.base);
	if (pw_mapping_close(&p->map))
		lost(r, p->obj);
}

void pw_recv_unmap_all(struct pw_recv *r)
{
	while (r->lru_head)
		unmap(r, r->lru_head);
}

void pw_recv_check_lost(struct pw_recv *r)
{
	struct pw_part *p;

	for (p = r->lru_head; p; p = p->next)
		if (pw_guard_lost(p->map.guard))
			lost(r, p->obj);
}

void pw_recv_check_direct(struct pw_recv *r)
{
	const struct pw_part *p = r->lru_head;

	if (p && p->map.direct && pw_direct_failed(p->map.direct))
		lost(r, p->obj);
}

/* NAME.part is replaced: were we killed now, the old manifest would vouch for bytes that are gone.
 * What it says of other files is written again at the end. */
static void forget_old(struct pw_recv *r, const struct pw_object *o)
{
	if (r->old_removed || !pw_gaps_find(&r->old, o->name))
		return;
	unlink(r->gaps_path);
	r->old_removed = true;
}

/* Asked for otherwise. */
static void say_mapped(struct pw_recv *r, const struct pw_part *p, bool fresh)
{
	if (!fresh || r->cfg.write != PW_WRITE_DIRECT || p->map.direct || r->said_mapped)
		return;
	r->said_mapped = true;
	pw_warn(r->log,
		"%s/%s.part is mapped: this file system, or io_uring on this host, does not write "
		"past the page cache, or %u files are written so already",
		r->out.dir, p->obj->name, PW_DIRECT_FILES);
}

static bool map_part(struct pw_recv *r, struct pw_object *o, bool fresh)
{
	struct pw_part *p = o->part;
	struct pw_err err;
	int ret;

	if (r->n_mapped >= PW_RECV_MAX_MAPPED)
		unmap(r, lru_idle(r));
	if (fresh)
		forget_old(r, o);
	ret = fresh ? pw_output_create(&r->out, o->name, o->len_bytes, &p->map, &err)
		    : pw_output_reopen(&r->out, o->name, true, o->len_bytes, &p->map, &err);
	if (ret < 0) {
		pw_recv_fail(r, o, &err);
		return false;
	}
	say_mapped(r, p, fresh);
	lru_push(r, p);
	if (r->ahead)
		pw_ahead_add(r->ahead, p->map.base, p->map.map_bytes, r->out.huge_page_bytes);
	if (r->lanes && !p->map.direct && pw_part_claims_start(p) < 0) {
		pw_err_sys(&err, ENOMEM, "receive %s", o->name);
		pw_recv_set_fatal(r, &err);
		return false;
	}
	pw_part_digest_start(p);
	return true;
}

/* A bitmap more where lanes claim. */
static uint64_t part_bytes(const struct pw_recv *r, const struct pw_blocks *b)
{
	return pw_part_bytes(b) + (r->lanes ? pw_div_ceil(b->n_symbols, 64) * sizeof(uint64_t) : 0);
}

static void drop_part(struct pw_recv *r, struct pw_object *o)
{
	if (!o->part)
		return;
	unmap(r, o->part);
	r->part_bytes -= part_bytes(r, &o->part->blocks);
	pw_part_destroy(o);
}

static bool start_part(struct pw_recv *r, struct pw_object *o)
{
	struct pw_blocks b;
	struct pw_err err;

	if (pw_blocks_init(&b, o->len_bytes, o->symbol_len, o->max_sbl, &err) < 0) {
		pw_recv_refuse(r, o, err.msg, true);
		return false;
	}
	if (part_bytes(r, &b) > r->max_part_bytes - r->part_bytes) {
		pw_recv_refuse(r, o, "too many symbols under way for this host's memory", false);
		return false;
	}
	if (pw_part_create(o, &b, &err) < 0) {
		pw_recv_set_fatal(r, &err);
		return false;
	}
	r->part_bytes += part_bytes(r, &b);
	return true;
}

bool pw_recv_ready(struct pw_recv *r, struct pw_object *o)
{
	bool fresh = !o->part && !o->gap;

	if (!o->part && !start_part(r, o))
		return false;
	if (r->discard)
		return true;
	if (o->part->map.base) {
		lru_remove(r, o->part);
		lru_push(r, o->part);
		return true;
	}
	if (map_part(r, o, fresh))
		return true;
	drop_part(r, o);
	return false;
}

void pw_recv_prepare(struct pw_recv *r, size_t index)
{
	struct pw_object *o;

	if (r->discard || r->stopped || r->lru_head)
		return;
	for (; index < r->objs.n; index++) {
		o = pw_objtab_at(&r->objs, index);
		if (o->state <= PW_RECV_PARTIAL && o->len_bytes) {
			pw_recv_ready(r, o);
			return;
		}
	}
}

void pw_recv_drop_unused(struct pw_recv *r)
{
	struct pw_object *o;
	size_t i;

	for (i = 0; i < r->objs.n; i++) {
		o = pw_objtab_at(&r->objs, i);
		if (o->state == PW_RECV_KNOWN && o->part && !o->gap && !r->discard)
			pw_output_remove_part(&r->out, o->name);
	}
}

void pw_recv_submit(struct pw_recv *r, struct pw_object *o, enum pw_finish_kind kind)
{
	struct pw_part *p = o->part;
	struct pw_err err;

	if (r->discard) {
		drop_part(r, o);
		pw_recv_set_state(r, o, PW_RECV_UNVERIFIED);
		return;
	}
	if (o->digest_due && kind == PW_FINISH_PART) {
		o->awaits = true;
		pw_recv_set_state(r, o, PW_RECV_VERIFYING);
		return;
	}
	o->awaits = false;
	if (p && pw_guard_lost(p->map.guard)) {
		lost(r, o);
		return;
	}
	pw_ntcopy_fence();
	if (p)
		pw_ahead_drop(r->ahead, p->map.base);
	if (p && p->map.base)
		lru_remove(r, p);
	if (pw_finish_submit(r->finish, o, kind, p ? &p->map : NULL, &err) < 0) {
		pw_recv_set_fatal(r, &err);
		return;
	}
	if (p && p->map.base)
		lru_push(r, p);
	drop_part(r, o);
	pw_recv_set_state(r, o, PW_RECV_VERIFYING);
}

void pw_recv_submit_due(struct pw_recv *r)
{
	struct pw_object *o;
	size_t i;

	for (i = 0; i < r->objs.n; i++) {
		o = pw_objtab_at(&r->objs, i);
		o->digest_due = false;
		if (!o->awaits)
			continue;
		pw_warn(r->log, "%s is all there, but its digest never came: not verified",
			o->name);
		pw_recv_submit(r, o, PW_FINISH_PART);
	}
}

/* What --resume found under the name is not what the sender has. */
static void target_differs(struct pw_recv *r, struct pw_object *o)
{
	if (r->cfg.force)
		pw_recv_set_state(r, o, PW_RECV_KNOWN);
	else
		pw_recv_refuse(r, o, "exists and differs; give --force", false);
}

static void take_failure(struct pw_recv *r, const struct pw_finish_job *job)
{
	struct pw_object *o = job->obj;
	struct pw_err err;

	pw_err_set(&err, job->code, "%s", job->why ? job->why : "out of memory");
	pw_recv_set_have(r, o, 0);
	pw_recv_set_state(r, o, PW_RECV_PARTIAL);
	if (job->kind == PW_FINISH_TARGET)
		pw_recv_refuse(r, o, err.msg, true);
	else
		pw_recv_fail(r, o, &err);
}

static void take_result(struct pw_recv *r, struct pw_finish_job *job)
{
	struct pw_object *o = job->obj;

	if (job->result == PW_FINISH_FAILED) {
		take_failure(r, job);
		return;
	}
	if (job->result == PW_FINISH_MISMATCH && job->kind == PW_FINISH_TARGET) {
		target_differs(r, o);
		return;
	}
	if (job->result == PW_FINISH_MISMATCH) {
		pw_object_reason(o, job->why ? job->why : "digest differs", true);
		pw_recv_set_state(r, o, PW_RECV_MISMATCH);
		return;
	}
	pw_recv_set_have(r, o, o->len_bytes);
	pw_recv_set_state(
		r, o, job->result == PW_FINISH_GOOD ? PW_RECV_COMPLETE : PW_RECV_UNVERIFIED);
}

void pw_recv_collect(struct pw_recv *r)
{
	struct pw_finish_job *job, *next;

	if (!r->finish)
		return;
	for (job = pw_finish_collect(r->finish); job; job = next) {
		next = job->next;
		take_result(r, job);
		pw_finish_job_destroy(job);
	}
}
