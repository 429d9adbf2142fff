/* SPDX-License-Identifier: BSD-3-Clause */
#include "recv/signed_private.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/bytes.h"
#include "file/digest.h"

static const struct {
	const char *why;
	size_t counter; /* in struct pw_recv_counters */
} refusals[] = {
	[PW_TRUST_UNSIGNED] = {"it is not signed", offsetof(struct pw_recv_counters, fdt_unsigned)},
	[PW_TRUST_FORGED] = {"its signature is not by a key of --trust",
		offsetof(struct pw_recv_counters, fdt_forged)},
	[PW_TRUST_STALE] = {"its session is older than one that its key has signed since, was "
			    "received whole, or came from another address",
		offsetof(struct pw_recv_counters, fdt_stale)},
	[PW_TRUST_EXPIRED] = {"it has expired, or is from the future; compare the clocks, or give "
			      "--clock-skew",
		offsetof(struct pw_recv_counters, fdt_expired)},
};

/* Each repetition is counted; the first one is reported. */
static int refuse(
	struct pw_recv *r, struct pw_session *s, uint32_t instance, enum pw_trust_verdict v)
{
	const uint8_t bit = (uint8_t)(1u << v);

	pthread_mutex_lock(&r->lock);
	++*(uint64_t *)((char *)&r->c + refusals[v].counter);
	if (!(s->reported & bit))
		pw_recv_warn(r, "FDT instance %u of TSI %llu is not trusted: %s", instance,
			(unsigned long long)s->tsi, refusals[v].why);
	s->reported |= bit;
	pthread_mutex_unlock(&r->lock);
	return -EPERM;
}

static void heed(struct pw_recv *r, struct pw_session *s)
{
	pthread_mutex_lock(&r->lock);
	s->is_trusted = true;
	pw_recv_heed(r, s);
	pthread_mutex_unlock(&r->lock);
}

int pw_recv_read_signed(struct pw_recv *r, struct pw_session *s, const struct pw_fdtrx_slot *slot,
	struct pw_fdt *fdt, struct pw_err *err)
{
	const size_t len = slot->blocks.transfer_len;
	struct pw_err state_err = {0};
	enum pw_trust_verdict v =
		PW_TRUST_UNSIGNED; /* packed: nothing is unpacked before it is trusted */
	size_t key = 0;
	int ret;

	if (slot->encoding == PW_ENCODING_IDENTITY)
		v = pw_trust_verify(&r->trust, slot->xml, len, &key);
	if (v != PW_TRUST_GOOD)
		return refuse(r, s, slot->instance, v);
	ret = pw_fdt_parse(slot->xml, len - PW_SIGNATURE_LEN, fdt, err);
	if (ret < 0)
		return ret;
	v = pw_trust_admit(&r->trust, key, fdt, s->from, s->tsi, (uint64_t)time(NULL), &state_err);
	if (state_err.code) {
		pthread_mutex_lock(&r->lock);
		pw_recv_set_fatal(r, &state_err);
		pthread_mutex_unlock(&r->lock);
	}
	if (v != PW_TRUST_GOOD) {
		pw_fdt_finish(fdt);
		return refuse(r, s, slot->instance, v);
	}
	heed(r, s);
	return 0;
}

const char *pw_recv_digest_fault(const struct pw_recv *r, const struct pw_fdt_file *f)
{
	if (!r->cfg.trust || f->digest_later || pw_trust_takes_digest(f->digest.kind))
		return NULL;
	return "its signed table names no SHA-256 for it; the sender must not use another --digest";
}

/* The digest of the tree covers its leaves. */
static bool belong(const struct pw_fdt_file *f, size_t len)
{
	struct pw_digest root;

	return f->digest.kind == PW_DIGEST_SHA256_TREE &&
	       pw_digest_buffer(PW_DIGEST_SHA256, f->leaves, len, &root, NULL) == 0 &&
	       !memcmp(root.bytes, f->digest.bytes, PW_LEAF_LEN);
}

void pw_recv_take_leaves(struct pw_recv *r, struct pw_object *o, const struct pw_fdt_file *f)
{
	const size_t len = f->leaves ? pw_leaves_n(f->transfer_len) * PW_LEAF_LEN : 0;

	if (!r->cfg.trust || len == 0 || o->leaves || o->state >= PW_RECV_COMPLETE || !o->has_len ||
		o->len_bytes != f->transfer_len || !belong(f, len) ||
		len > PW_RECV_MAX_LEAVES - r->leaf_bytes)
		return;
	o->leaves = malloc(len);
	if (!o->leaves)
		return; /* then the whole file is compared */
	memcpy(o->leaves, f->leaves, len);
	r->leaf_bytes += len;
	if (o->part && o->part->notes) {
		o->part->notes->is_due = true;
		pthread_cond_signal(&r->work);
	}
}

void pw_recv_drop_leaves(struct pw_recv *r, struct pw_object *o)
{
	if (o->leaves)
		r->leaf_bytes -= pw_leaves_n(o->len_bytes) * PW_LEAF_LEN;
	free(o->leaves);
	o->leaves = NULL;
}

int pw_recv_digest_leaf(struct pw_outfile *file, uint32_t leaf, uint8_t *digest, struct pw_err *err)
{
	const uint64_t to = pw_leaf_from(file->len_bytes, leaf + 1);
	struct pw_digest_state *st;
	struct pw_digest got;
	uint64_t at;
	int ret = pw_digest_create(&st, PW_DIGEST_SHA256, err);

	if (ret < 0)
		return ret;
	at = pw_outfile_digest(file, st, pw_leaf_from(file->len_bytes, leaf), to, false, err);
	pw_digest_final(st, &got);
	pw_digest_destroy(st);
	memcpy(digest, got.bytes, PW_LEAF_LEN);
	return at == to ? 0 : -(err->code ? err->code : EIO);
}

void pw_bad_leaves_add(struct pw_bad_leaves *bad, uint32_t leaf)
{
	bad->bits[leaf / 8] |= (uint8_t)(1u << (leaf % 8));
	bad->n++;
}

int pw_recv_check_leaves(struct pw_outfile *file, const struct pw_leaf_notes *notes,
	const uint8_t *leaves, struct pw_bad_leaves *bad, struct pw_err *err)
{
	const uint32_t n = pw_leaves_n(file->len_bytes);
	uint8_t digest[PW_LEAF_LEN];
	const uint8_t *got;
	uint32_t i;
	int ret;

	*bad = (struct pw_bad_leaves){0};
	for (i = 0; i < n; i++, leaves += PW_LEAF_LEN) {
		got = pw_leaf_notes_get(notes, i);
		ret = got ? 0 : pw_recv_digest_leaf(file, i, digest, err);
		if (ret < 0)
			return ret;
		if (memcmp(got ? got : digest, leaves, PW_LEAF_LEN) != 0)
			pw_bad_leaves_add(bad, i);
	}
	return 0;
}

void pw_recv_name_leaves(
	const struct pw_object *o, const struct pw_bad_leaves *bad, struct pw_err *err)
{
	const uint32_t n = pw_leaves_n(o->len_bytes);
	uint32_t i;

	for (i = 0; i < n && !pw_bad_leaves_has(bad, i); i++)
		;
	pw_err_set(err, EBADMSG,
		"%" PRIu32 " of its %" PRIu32
		" blocks %s forged or damaged, the first at bytes %" PRIu64 " to %" PRIu64
		": received again",
		bad->n, n, bad->n == 1 ? "is" : "are", pw_leaf_from(o->len_bytes, i),
		pw_leaf_from(o->len_bytes, i + 1));
}

void pw_recv_reopen_leaves(struct pw_recv *r, struct pw_object *o, const struct pw_bad_leaves *bad)
{
	const uint64_t len = o->len_bytes;
	const uint32_t n = pw_leaves_n(len);
	struct pw_err why;
	uint32_t i;

	pw_recv_name_leaves(o, bad, &why);
	pw_recv_warn(r, "%s: %s", o->name, why.msg);
	pw_object_reason(o, why.msg, true);
	pw_recv_set_state(r, o, PW_RECV_MISMATCH);
	for (i = 0; i < n; i++)
		if (pw_bad_leaves_has(bad, i))
			r->bytes_adjust -= (int64_t)pw_part_forget(
				o->part, pw_leaf_from(len, i), pw_leaf_from(len, i + 1));
}
