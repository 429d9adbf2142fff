/* SPDX-License-Identifier: BSD-3-Clause */
/* What an FDT instance names: taken in, compared with what is known, refused with a reason. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "xfer/recvint.h"

/* Control characters as \xNN, for print; malloc. */
static char *printable(const char *name)
{
	const unsigned char *s = (const unsigned char *)name;
	char *out = malloc(4 * strlen(name) + 1), *p = out;

	for (; out && *s; s++) {
		bool c1 = *s == 0xc2 && s[1] >= 0x80 && s[1] <= 0x9f;

		if (*s >= 0x20 && *s != 0x7f && !c1) {
			*p++ = (char)*s;
			continue;
		}
		p += sprintf(p, "\\x%02x", *s);
		if (c1)
			p += sprintf(p, "\\x%02x", *++s);
	}
	if (out)
		*p = '\0';
	return out;
}

static bool same_digest(const struct pw_digest *a, const struct pw_digest *b)
{
	return a->kind != b->kind || !memcmp(a->bytes, b->bytes, pw_digest_len(a->kind));
}

static bool contradicts(const struct pw_object *o, const struct pw_fdt_file *f, const char *name)
{
	return strcmp(o->name, name) != 0 || o->len_bytes != f->transfer_len ||
	       o->symbol_len != f->symbol_len || o->max_sbl != f->max_sbl ||
	       !same_digest(&o->digest, &f->digest);
}

/* Why the entry itself cannot be received, or NULL. */
static const char *entry_fault(const struct pw_recv *r, const struct pw_fdt_file *f)
{
	const char *why = r->discard ? NULL : pw_output_name_fault(f->location);
	struct pw_blocks b;

	if (f->fault)
		return f->fault;
	if (why)
		return why;
	if (!f->has_len)
		return "the file table does not say its length";
	if (r->reserved && !strcmp(f->location, r->reserved))
		return "name is that of the gap manifest";
	if (f->encoding != PW_ENCODING_IDENTITY)
		return "sent with a Content-Encoding, which pagewire does not undo";
	if (f->content_len != f->transfer_len)
		return "Content-Length and Transfer-Length differ";
	if (f->fec_id != PW_FEC_ID_NO_CODE)
		return "sent with a FEC scheme other than Compact No-Code";
	if (r->cfg.max_file_bytes && f->transfer_len > r->cfg.max_file_bytes)
		return "larger than --max-size allows";
	if (f->transfer_len && (f->symbol_len == 0 || f->symbol_len > UINT16_MAX))
		return "symbol length out of range";
	if (f->transfer_len &&
		pw_blocks_init(&b, f->transfer_len, f->symbol_len, f->max_sbl, NULL) < 0)
		return "Transfer-Length or block length beyond what the wire format can name";
	return NULL;
}

/* The manifest's entry for this file, when what it says of NAME.part can be relied on. */
static const struct pw_gap_file *find_gap(
	const struct pw_recv *r, const struct pw_object *o, const struct pw_gap_file *gap)
{
	enum pw_output_kind kind;
	uint64_t len;

	if (!gap || gap->len_bytes != o->len_bytes || o->len_bytes == 0 ||
		(gap->digest.kind != PW_DIGEST_NONE && o->digest.kind != PW_DIGEST_NONE &&
			!same_digest(&gap->digest, &o->digest)))
		return NULL;
	if (pw_output_look(&r->out, o->name, true, &kind, &len) < 0 || kind != PW_OUTPUT_FILE ||
		len != o->len_bytes)
		return NULL;
	return gap;
}

static void take_up(struct pw_recv *r, struct pw_object *o)
{
	struct pw_blocks b;

	if (pw_blocks_init(&b, o->len_bytes, o->symbol_len, o->max_sbl, NULL) < 0)
		return;
	pw_recv_set_have(r, o, pw_gap_have_bytes(o->gap, &b));
	if (o->have_bytes)
		pw_recv_set_state(r, o, PW_RECV_PARTIAL);
	if (o->have_bytes == o->len_bytes)
		pw_recv_submit(r, o, PW_FINISH_PART);
}

static void path_fault(struct pw_recv *r, struct pw_object *o, int code)
{
	struct pw_err err;

	if (code == ELOOP || code == ENOTDIR)
		pw_err_set(&err, code,
			"unsafe path: a part of it in the output directory is a symbolic link or a "
			"file");
	else
		pw_err_sys(&err, code, "look at %s/%s", r->out.dir, o->name);
	pw_recv_fail(r, o, &err);
}

/* What stands under the name decides what is done with it. false: nothing more to do. */
static bool target_allows(struct pw_recv *r, struct pw_object *o, const struct pw_gap_file *gap)
{
	enum pw_output_kind kind;
	uint64_t len;
	int ret = pw_output_look(&r->out, o->name, false, &kind, &len);

	if (ret < 0) {
		path_fault(r, o, -ret);
		return false;
	}
	if (kind == PW_OUTPUT_ABSENT)
		return true;
	if (kind == PW_OUTPUT_DIR) {
		pw_recv_refuse(r, o, "exists and is a directory", false);
		return false;
	}
	if (r->cfg.resume && !gap && kind == PW_OUTPUT_FILE && len == o->len_bytes &&
		o->digest.kind != PW_DIGEST_NONE) {
		pw_recv_submit(r, o, PW_FINISH_TARGET);
		return false;
	}
	if (!r->cfg.force)
		pw_recv_refuse(r, o, "exists; give --force", false);
	return r->cfg.force;
}

static void admit(struct pw_recv *r, struct pw_object *o, uint64_t free_bytes)
{
	const struct pw_gap_file *gap = NULL;

	if (r->discard) {
		if (o->len_bytes == 0)
			pw_recv_set_state(r, o, PW_RECV_UNVERIFIED);
		return;
	}
	if (r->cfg.resume)
		gap = pw_gaps_find(&r->old, o->name);
	if (!target_allows(r, o, gap))
		return;
	o->gap = find_gap(r, o, gap);
	if (o->gap)
		take_up(r, o);
	else if (o->len_bytes > free_bytes)
		pw_recv_refuse(r, o, "too large for the free space of the output directory", false);
	else if (o->len_bytes == 0)
		pw_recv_submit(r, o, PW_FINISH_EMPTY);
}

/* false: a limit was reached */
static bool learn_new(
	struct pw_recv *r, const struct pw_fdt_file *f, const char *name, uint64_t free_bytes)
{
	bool taken = pw_objtab_find_name(&r->objs, name) != NULL;
	struct pw_object *o;
	const char *why;

	if (r->objs.n >= r->cfg.max_files || r->objs.name_bytes > PW_RECV_MAX_NAMES)
		return false;
	o = pw_objtab_add(&r->objs, f->toi, name);
	if (!o)
		return false;
	o->len_bytes = f->transfer_len;
	o->symbol_len = f->symbol_len;
	o->max_sbl = f->max_sbl;
	o->digest = f->digest;
	o->digest_due = f->digest_later && !r->discard;
	r->st.bytes_total += o->len_bytes;
	why = entry_fault(r, f);
	if (!why && taken)
		why = "another file of the session has this name";
	if (why)
		pw_recv_refuse(r, o, why, false);
	else
		admit(r, o, free_bytes);
	return true;
}

/* A file that its sender reads only as it goes gets its digest in the end. */
static void take_digest(struct pw_recv *r, struct pw_object *o, const struct pw_digest *digest)
{
	if (!o->digest_due || digest->kind == PW_DIGEST_NONE)
		return;
	o->digest = *digest;
	o->digest_due = false;
	if (o->awaits)
		pw_recv_submit(r, o, PW_FINISH_PART);
}

static bool learn_file(struct pw_recv *r, const struct pw_fdt_file *f, uint64_t free_bytes)
{
	struct pw_object *o;
	char *name;
	bool ok;

	if (f->fault && (f->toi == PW_FDT_TOI || !*f->location))
		return true; /* nothing to call it by */
	name = printable(f->location);
	o = pw_objtab_find(&r->objs, f->toi);
	ok = name && f->toi != PW_FDT_TOI;
	if (ok && o && contradicts(o, f, name))
		r->c.fdt_conflicts++;
	else if (ok && o)
		take_digest(r, o, &f->digest);
	else if (ok)
		ok = learn_new(r, f, name, free_bytes);
	free(name);
	return ok;
}

bool pw_recv_learn(struct pw_recv *r, const struct pw_fdt *fdt)
{
	uint64_t free_bytes = UINT64_MAX;
	struct pw_err err;
	size_t i, n_left = 0, n_before = r->objs.n;

	if (!r->discard && pw_output_free_bytes(&r->out, &free_bytes, &err) < 0) {
		pw_recv_set_fatal(r, &err);
		return false;
	}
	for (i = 0; i < fdt->n_files && !r->fatal.code; i++)
		n_left += !learn_file(r, &fdt->files[i], free_bytes);
	if (!r->n_session_files)
		r->n_session_files = fdt->n_session_files;
	r->fdt_complete |= fdt->complete;
	pw_recv_prepare(r, n_before);
	if (n_left && !r->said_limit) {
		r->said_limit = true;
		pw_warn(r->log,
			"%zu files of an FDT left out: more than %llu files or %u MiB of "
			"names; raise --max-files",
			n_left, (unsigned long long)r->cfg.max_files, PW_RECV_MAX_NAMES >> 20);
	}
	return n_left == 0;
}
