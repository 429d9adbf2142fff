/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Reads file tables (FDT instances): each entry becomes a new object, or is compared with the objects that
 * have its TOI or its name. Runs on the file worker.
 *
 * Of an unfinished file, the newest announcement of a TOI or a name counts; docs/wire.md has the table of
 * outcomes. The older announcement keeps its symbols: if a table announces it again, it continues with
 * them.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/utf8.h"
#include "recv/signed_private.h"
#include "recv/stripes.h"
#include "recv/ways.h"
#include "wire/alc.h"

#define MAX_VERSIONS 8u /* announcements of one name with different content */
#define MAX_TOIS     2u /* as many as files; one file may have several */

/* A copy of the name with control characters written as \xNN; malloc. */
static char *printable(const char *name)
{
	char *out = malloc(4 * strlen(name) + 1), *p = out;
	size_t left = 0; /* bytes of a control character */

	for (; out && *name; name++) {
		left = left ? left : pw_control_len(name);
		if (!left) {
			*p++ = *name;
			continue;
		}
		p += sprintf(p, "\\x%02x", (unsigned char)*name);
		left--;
	}
	if (out)
		*p = '\0';
	return out;
}

/* Why the announcement itself cannot be received, or NULL. */
static const char *entry_fault(const struct pw_recv *r, const struct pw_object *o)
{
	struct pw_blocks b;

	if (o->fec_id != PW_FEC_ID_NO_CODE && o->fec_id != PW_FEC_ID_RS)
		return "sent with a FEC scheme other than Compact No-Code and Reed-Solomon (0 "
		       "and 5)";
	if (!o->has_len || !o->has_oti)
		return NULL; /* EXT_FTI of its packets may have them */
	if (r->cfg.max_file_bytes && o->len_bytes > r->cfg.max_file_bytes)
		return "larger than --max-size allows";
	if (o->len_bytes && (o->symbol_len == 0 || o->symbol_len > UINT16_MAX))
		return "symbol length out of range";
	if (o->len_bytes && pw_object_blocks(o, &b, NULL) < 0)
		return "Transfer-Length or block length beyond what the wire format can name";
	return NULL;
}

void pw_recv_entry_check(struct pw_recv *r, struct pw_object *o)
{
	const char *why = entry_fault(r, o);

	if (why)
		pw_recv_refuse(r, o, why, false);
}

static const char *name_fault(const struct pw_recv *r, const struct pw_fdt_file *f)
{
	const char *why = NULL;

	if (f->fault)
		return f->fault;
	if (!r->cfg.discard)
		why = pw_outname_fault(f->location);
	if (!why && !r->cfg.discard)
		why = pw_outdir_reserved(r->out, f->location);
	if (!why && r->cfg.trust && pw_outname_reserved(f->location, PW_TRUST_FILE))
		why = "name is in the way of " PW_TRUST_FILE;
	if (!why)
		why = pw_recv_digest_fault(r, f);
	if (!why && f->encoding != PW_ENCODING_IDENTITY)
		why = "sent with a Content-Encoding; pagewire does not decode files, send it "
		      "without";
	return why;
}

/* What the output directory has under the file's name. */
struct target {
	enum pw_outdir_kind kind;
	uint64_t len_bytes;
	uint64_t part_len;
	enum pw_outdir_kind part_kind;
	int error; /* positive errno */
};

/* Without the lock. */
static struct target inspect_target(
	struct pw_recv *r, const char *name, const struct pw_gap_file *gap)
{
	struct target t = {.kind = PW_OUTDIR_ABSENT};
	int ret;

	if (r->cfg.discard)
		return t;
	ret = pw_outdir_look(r->out, name, PW_OUTDIR_TARGET, &t.kind, &t.len_bytes);
	if (ret == 0 && gap)
		ret = pw_outdir_look(r->out, name, (int)gap->part, &t.part_kind, &t.part_len);
	t.error = -ret;
	return t;
}

static void path_fault(struct pw_recv *r, struct pw_object *o, int code)
{
	struct pw_err err;

	if (code == ELOOP || code == ENOTDIR)
		pw_err_set(&err, code,
			"unsafe path: a part of it in the output directory is a symbolic link or a "
			"file");
	else
		pw_err_sys(&err, code, "cannot inspect %s/%s", r->out_dir, o->name);
	pw_recv_fail(r, o, &err);
}

/* Whether the target lets the file be received. false: it is refused, or with the finisher. */
static bool target_allows(struct pw_recv *r, struct pw_object *o, const struct target *t)
{
	if (t->error) {
		path_fault(r, o, t->error);
		return false;
	}
	if (t->kind == PW_OUTDIR_ABSENT)
		return true;
	if (t->kind == PW_OUTDIR_DIR) {
		pw_recv_refuse(r, o, "exists and is a directory", false);
		return false;
	}
	if (r->cfg.resume && t->kind == PW_OUTDIR_FILE && t->part_kind != PW_OUTDIR_FILE &&
		o->has_len && t->len_bytes == o->len_bytes && o->digest.kind != PW_DIGEST_NONE) {
		pw_recv_submit(r, o, PW_FINISH_TARGET);
		return false;
	}
	if (!r->cfg.force)
		pw_recv_refuse(r, o, "exists; give --force", false);
	return r->cfg.force;
}

/* Whether the manifest's entry is about this content, and its part exists. */
static bool gap_fits(
	const struct pw_object *o, const struct pw_gap_file *gap, const struct target *t)
{
	return gap && o->has_len && gap->len_bytes == o->len_bytes && o->len_bytes != 0 &&
	       pw_digest_agrees(&gap->digest, &o->digest) && t->part_kind == PW_OUTDIR_FILE &&
	       t->part_len == o->len_bytes;
}

static void resume_object(struct pw_recv *r, struct pw_object *o, const struct pw_gap_file *gap)
{
	struct pw_blocks b;

	if (!o->has_oti || pw_object_blocks(o, &b, NULL) < 0)
		return;
	o->gap = gap;
	o->resumed_bytes = pw_gap_have_bytes(gap, &b);
	r->bytes_adjust += (int64_t)o->resumed_bytes;
	if (o->resumed_bytes)
		pw_recv_set_state(r, o, PW_RECV_PARTIAL);
	if (o->resumed_bytes == o->len_bytes)
		pw_recv_submit(r, o, PW_FINISH_PART);
}

static void admit(struct pw_recv *r, struct pw_object *o, const struct pw_gap_file *gap,
	const struct target *t)
{
	if (r->cfg.discard) {
		if (o->has_len && o->len_bytes == 0)
			pw_recv_set_state(r, o, PW_RECV_UNVERIFIED);
		return;
	}
	if (!target_allows(r, o, t))
		return;
	if (r->cfg.resume && gap_fits(o, gap, t))
		resume_object(r, o, gap);
	else if (o->has_len && o->len_bytes == 0)
		pw_recv_submit(r, o, PW_FINISH_PART);
}

/* A newer announcement replaces this one. Its symbols stay, in case it is announced again. */
static void supersede(struct pw_recv *r, struct pw_object *o, const char *why)
{
	struct pw_part *p;

	if (!pw_recv_state_is_open(o->state))
		return;
	pw_object_reason(o, why, false);
	p = o->part && o->part->lists ? o->part : NULL;
	pw_recv_set_state(r, o, PW_RECV_SUPERSEDED);
	if (p)
		pw_recv_close_part(r, p);
}

static void fill(struct pw_recv *r, struct pw_object *o, const struct pw_fdt_file *f)
{
	o->len_bytes = f->has_len ? f->transfer_len : 0;
	o->symbol_len = f->symbol_len;
	o->max_sbl = f->max_sbl;
	o->fec_id = f->fec_id;
	o->max_n = f->max_n;
	o->has_len = f->has_len;
	o->has_oti = f->has_oti;
	o->digest = f->digest;
	o->digest_due = f->digest_later && !r->cfg.discard;
	o->attr = (struct pw_outfile_attr){.has_mode = f->has_mode,
		.mode = f->mode,
		.has_mtime = f->has_mtime,
		.mtime_ns = f->mtime_ns};
}

static unsigned int count_versions(const struct pw_object *o)
{
	unsigned int n = 0;

	for (; o; o = o->older)
		n++;
	return n;
}

static bool is_full(const struct pw_recv *r)
{
	return r->objs.n >= r->cfg.max_files || r->objs.name_bytes > PW_RECV_MAX_NAMES;
}

/* With the lock. false: a limit was reached. */
static bool learn_new(struct pw_recv *r, struct pw_session *s, const struct pw_fdt_file *f,
	const char *name, const struct target *t, const struct pw_gap_file *gap, uint32_t instance)
{
	const struct pw_object *same = pw_objtab_find_name(&r->objs, name);
	const char *why = name_fault(r, f);
	const bool is_new_toi = !pw_objtab_find(&r->objs, s, f->toi);
	struct pw_object *o;

	if (is_full(r))
		return false;
	if (!why && count_versions(same) >= MAX_VERSIONS)
		why = "announced with too many different contents";
	o = pw_objtab_add(&r->objs, s, f->toi, name);
	if (!o)
		return false;
	s->n_named += is_new_toi;
	s->n_first++;
	o->instance = instance;
	o->is_escaped = f->fault || strcmp(name, f->location) != 0;
	fill(r, o, f);
	pw_recv_take_leaves(r, o, f);
	r->st.bytes_total += o->len_bytes;
	if (!why)
		why = entry_fault(r, o);
	if (why)
		pw_recv_refuse(r, o, why, false);
	else
		admit(r, o, gap, t);
	return true;
}

/* An earlier announcement of this name with the same content, by whatever session and TOI. */
static struct pw_object *find_same(struct pw_object *newest, const struct pw_session *s,
	const struct pw_fdt_file *f, const char *name)
{
	struct pw_object *o;

	for (o = newest; o; o = o->older)
		if (pw_object_has_content(o, f) || pw_recv_is_of_set(o, s, f, name) ||
			(o->session == s && o->toi == f->toi && pw_object_is(o, f, name)))
			return o;
	return NULL;
}

/* A superseded announcement was made again. */
static void revive(struct pw_recv *r, struct pw_object *o)
{
	if (o->state != PW_RECV_SUPERSEDED)
		return;
	pw_object_reason(o, NULL, false);
	/* Without a digest, symbols of the other content would not be noticed among its own. */
	if (o->digest.kind == PW_DIGEST_NONE && o->part) {
		r->bytes_adjust -= (int64_t)pw_object_have(o);
		pw_parity_drop(&r->parity, o->part);
		pw_part_reset(o->part);
	}
	pw_recv_set_state(r, o, pw_object_have(o) ? PW_RECV_PARTIAL : PW_RECV_KNOWN);
	if (o->has_len && pw_object_have(o) == o->len_bytes)
		pw_recv_complete(r, o);
}

/* A later instance may have the digest that an earlier one did not have. */
static void take_digest(struct pw_recv *r, struct pw_object *o, const struct pw_fdt_file *f)
{
	if (f->digest.kind == PW_DIGEST_NONE || pw_recv_digest_fault(r, f))
		return;
	pw_recv_take_leaves(r, o, f);
	if (o->digest.kind != PW_DIGEST_NONE)
		return;
	o->digest = f->digest;
	o->digest_due = false;
	if (o->part)
		pw_parity_look_all(&r->parity, o->part); /* now points may be tried */
	if (o->awaits_digest)
		pw_recv_submit(r, o, PW_FINISH_PART);
	else if (o->state == PW_RECV_UNVERIFIED && !r->cfg.discard)
		pw_recv_submit(r, o, PW_FINISH_TARGET);
}

/* The sender was restarted (it counts its instances from 0 again), and there is no digest that would
 * distinguish old symbols from new ones. Each stripe counts its own instances. */
static bool is_restarted(const struct pw_object *o, const struct pw_fdt_file *f, uint32_t instance)
{
	return !o->session->n_stripes && o->digest.kind == PW_DIGEST_NONE &&
	       f->digest.kind == PW_DIGEST_NONE && !o->digest_due && o->state == PW_RECV_PARTIAL &&
	       instance < o->instance;
}

/* Receives the file from the start. With the lock, which it releases meanwhile. */
static void restart(struct pw_recv *r, struct pw_object *o)
{
	r->c.fdt_conflicts++;
	if (o->part && o->part->lists)
		pw_recv_close_part(r, o->part);
	if (o->state != PW_RECV_PARTIAL)
		return;
	r->bytes_adjust -= (int64_t)pw_object_have(o);
	o->resumed_bytes = 0;
	o->gap = NULL;
	if (o->part) {
		pw_parity_drop(&r->parity, o->part);
		pw_part_reset(o->part);
	}
	pw_recv_set_state(r, o, PW_RECV_KNOWN);
}

/* With the lock. false: a limit was reached. */
static bool learn_file(struct pw_recv *r, struct pw_session *s, const struct pw_fdt_file *f,
	const char *name, const struct target *t, const struct pw_gap_file *gap, uint32_t instance)
{
	struct pw_object *current = pw_objtab_find(&r->objs, s, f->toi);
	struct pw_object *newest = pw_objtab_find_name(&r->objs, name), *same;

	if (f->fault && (current || (newest && newest->session == s)))
		return true; /* the earlier entry stands */
	if (f->fault)
		return count_versions(newest) > MAX_VERSIONS ||
		       learn_new(r, s, f, name, t, gap, instance);
	if (current && pw_object_is(current, f, name) && current->state != PW_RECV_SUPERSEDED) {
		if (is_restarted(current, f, instance))
			restart(r, current);
		current->instance = instance;
		take_digest(r, current, f);
		return true;
	}
	same = find_same(newest, s, f, name);
	/* Check the limits first: an entry that is left out supersedes nothing. One version above the limit
	 * is learned, and refused with the reason. */
	if (!same && count_versions(newest) > MAX_VERSIONS)
		return true;
	if ((!same && is_full(r)) || (!current && r->objs.n_tois >= MAX_TOIS * r->cfg.max_files))
		return false;
	if (current && current != same) {
		r->c.fdt_conflicts++;
		s->forgets = true;
		supersede(r, current, "its TOI was announced again with other content");
	}
	if (newest && newest != same && newest != current && pw_recv_state_is_open(newest->state)) {
		r->c.fdt_conflicts++;
		newest->session->forgets = true;
		supersede(r, newest, "its name was announced again with other content");
	}
	if (!same)
		return learn_new(r, s, f, name, t, gap, instance);
	if (!pw_objtab_renew(&r->objs, same, s, f->toi))
		return false;
	s->n_named += current == NULL;
	if (same->session != s && !pw_session_same_set(same->session, s) && !same->is_shared) {
		same->is_shared = true;
		same->session->n_shared++;
	}
	revive(r, same);
	take_digest(r, same, f);
	return true;
}

/* After a conflict, repetitions of earlier tables count as new: they may announce superseded files again. */
static void forget_tables(struct pw_recv *r)
{
	size_t i;

	for (i = 0; i < r->n_sessions; i++) {
		if (r->sessions[i]->forgets)
			pw_fdtrx_forget(&r->sessions[i]->fdt);
		r->sessions[i]->forgets = false;
	}
}

static void learn(struct pw_recv *r, struct pw_session *s, struct pw_fdt *fdt, uint32_t instance)
{
	const uint64_t conflicts = r->c.fdt_conflicts;
	size_t i, n_left = 0;

	pthread_mutex_lock(&r->lock);
	pw_recv_note_stripe(s, &fdt->stripe);
	pthread_mutex_unlock(&r->lock);
	for (i = 0; i < fdt->n_files && !atomic_load(&r->stopped); i++) {
		const struct pw_fdt_file *f = &fdt->files[i];
		char *name = printable(f->location);
		const struct pw_gap_file *gap =
			name && r->cfg.resume ? pw_gaps_find(&r->old, f->location) : NULL;
		struct target t = {.kind = PW_OUTDIR_ABSENT};
		const struct pw_object *o;
		bool known;

		pthread_mutex_lock(&r->lock);
		o = pw_objtab_find(&r->objs, s, f->toi);
		known = o && name && pw_object_is(o, f, name);
		pthread_mutex_unlock(&r->lock);
		if (name && !f->fault && !pw_outname_fault(f->location) && !known)
			t = inspect_target(r, name, gap);
		pthread_mutex_lock(&r->lock);
		n_left += !name || !learn_file(r, s, f, name, &t, gap, instance);
		pthread_mutex_unlock(&r->lock);
		free(name);
	}
	forget_tables(r);
	r->n_learned++;
	pthread_mutex_lock(&r->lock);
	if (fdt->n_session_files)
		s->n_session_files = fdt->n_session_files;
	s->fdt_complete |= fdt->complete;
	pw_recv_learn_way(r, s, fdt);
	if (n_left) {
		r->c.fdt_bad++;
		pw_recv_warn(r,
			"%zu files of an FDT were left out: more than %llu files or %u MiB of "
			"names, or memory is short; raise --max-files",
			n_left, (unsigned long long)r->cfg.max_files, PW_RECV_MAX_NAMES >> 20);
	}
	if (fdt->n_faults)
		r->c.fdt_bad++;
	if (r->c.fdt_conflicts != conflicts)
		pw_recv_warn(r,
			"FDT of TSI %llu contradicts an earlier one: the newest one counts, see "
			"the files marked superseded",
			(unsigned long long)s->tsi);
	pthread_mutex_unlock(&r->lock);
}

/* With trusted keys, sessions that nobody signed make room: they have no files. With the lock. */
static void forget_untrusted(struct pw_recv *r)
{
	size_t i;

	for (i = 0; i < r->n_sessions; i++) {
		if (!r->cfg.trust || r->sessions[i]->is_trusted)
			continue;
		pw_fdtrx_finish(&r->sessions[i]->fdt);
		free(r->sessions[i]);
		r->sessions[i] = r->sessions[--r->n_sessions];
		return;
	}
}

/* The session of a table packet, created if it is new. NULL: there are too many. */
static struct pw_session *session_for(struct pw_recv *r, struct pw_host_key from, uint64_t tsi)
{
	struct pw_session *s;

	pthread_mutex_lock(&r->lock);
	s = pw_recv_session(r, from, tsi);
	if (!s && r->n_sessions == PW_RECV_MAX_SESSIONS)
		forget_untrusted(r);
	pthread_mutex_unlock(&r->lock);
	if (s)
		return s;
	if (r->n_sessions == PW_RECV_MAX_SESSIONS || !(s = calloc(1, sizeof(*s)))) {
		pthread_mutex_lock(&r->lock);
		pw_recv_ignore(r, from, tsi);
		r->c.strangers++;
		pthread_mutex_unlock(&r->lock);
		return NULL;
	}
	s->from = from;
	s->tsi = tsi;
	s->fdt.left_bytes = &r->table_bytes_left;
	pthread_mutex_lock(&r->lock);
	r->sessions[r->n_sessions++] = s;
	if (!r->cfg.trust)
		pw_recv_heed(r, s);
	pthread_mutex_unlock(&r->lock);
	return s;
}

static void bad_table(
	struct pw_recv *r, const struct pw_session *s, uint32_t instance, const char *why)
{
	pthread_mutex_lock(&r->lock);
	r->c.fdt_bad++;
	pw_recv_warn(r, "FDT instance %u of TSI %llu cannot be used: %s", instance,
		(unsigned long long)s->tsi, why);
	pthread_mutex_unlock(&r->lock);
}

/* Decodes and parses a whole instance. */
static int parse(const struct pw_fdtrx_slot *slot, struct pw_fdt *fdt, struct pw_err *err)
{
	size_t len = slot->blocks.transfer_len;
	void *plain = NULL;
	int ret;

	if (slot->encoding == PW_ENCODING_IDENTITY)
		return pw_fdt_parse(slot->xml, len, fdt, err);
	ret = pw_fdt_decode(slot->encoding, slot->xml, len, &plain, &len, err);
	if (ret == 0)
		ret = pw_fdt_parse(plain, len, fdt, err);
	free(plain);
	return ret;
}

/* A close that was queued behind the session's table. It creates no session. */
static void close_behind(struct pw_recv *r, const struct pw_alc_hdr *hdr, struct pw_host_key from)
{
	struct pw_session *s;

	pthread_mutex_lock(&r->lock);
	s = pw_recv_session(r, from, hdr->tsi);
	if (s && hdr->close_session)
		s->n_closes++;
	pthread_mutex_unlock(&r->lock);
}

void pw_recv_table_packet(struct pw_recv *r, const struct pw_waiting *w)
{
	struct pw_fdtrx_slot *slot;
	struct pw_alc_hdr hdr;
	struct pw_session *s;
	const uint8_t *payload;
	struct pw_fdt fdt;
	struct pw_err err = {0};
	uint32_t instance;
	size_t len;
	int ret;

	if (pw_alc_parse(w->bytes, w->len, &hdr, &payload, &len) != PW_ALC_OK)
		return;
	if (len == 0) {
		close_behind(r, &hdr, w->from);
		return;
	}
	s = session_for(r, w->from, hdr.tsi);
	if (!s)
		return;
	switch (pw_fdtrx_take(&s->fdt, &hdr, payload, len, &slot)) {
	case PW_FDTRX_WAIT:
		return;
	case PW_FDTRX_BAD:
		bad_table(r, s, hdr.fdt_instance, "its packets contradict each other");
		return;
	case PW_FDTRX_WHOLE:
		break;
	}
	ret = r->cfg.trust ? pw_recv_read_signed(r, s, slot, &fdt, &err) : parse(slot, &fdt, &err);
	if (ret < 0) {
		if (ret != -EPERM)
			bad_table(r, s, slot->instance, err.msg);
		pw_fdtrx_done(&s->fdt, slot, false);
		return;
	}
	instance = slot->instance;
	pw_fdtrx_done(&s->fdt, slot, true);
	learn(r, s, &fdt, instance);
	pw_fdt_finish(&fdt);
}
