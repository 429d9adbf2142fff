/* SPDX-License-Identifier: BSD-3-Clause */
#include "file/digest.h"

/* libcrypto's low-level calls: EVP allocates when it is first used, and a process that is short of memory
 * dies inside of it. These calls allocate nothing. */
#define OPENSSL_API_COMPAT 0x10101000L

#include <errno.h>
#include <openssl/md5.h>
#include <openssl/sha.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "wire/leaves.h"
#ifdef PW_HAVE_XXH_DISPATCH
#include <xxh_x86dispatch.h>
#else
#include <xxhash.h>
#endif

struct pw_digest_state {
	enum pw_digest_kind kind;
	XXH3_state_t *xxh; /* XXH3-128 */
	SHA256_CTX sha;    /* SHA-256; of the tree, the current leaf's */
	MD5_CTX md5;
	bool failed; /* a library refused something: no digest */
	/* The tree. */
	uint64_t len_bytes, done_bytes;
	uint8_t *leaves;
	uint32_t n_leaves; /* finished */
};

static int start(struct pw_digest_state *st, struct pw_err *err)
{
	switch (st->kind) {
	case PW_DIGEST_NONE:
		return 0;
	case PW_DIGEST_XXH3_128:
		st->xxh = XXH3_createState();
		if (!st->xxh || XXH3_128bits_reset(st->xxh) != XXH_OK)
			return pw_err_sys(err, ENOMEM, "start a digest");
		return 0;
	case PW_DIGEST_SHA256:
		SHA256_Init(&st->sha);
		return 0;
	case PW_DIGEST_MD5:
		MD5_Init(&st->md5);
		return 0;
	case PW_DIGEST_SHA256_TREE:
		st->leaves = calloc(pw_leaves_n(st->len_bytes) + 1, PW_LEAF_LEN);
		SHA256_Init(&st->sha);
		return st->leaves ? 0 : pw_err_sys(err, ENOMEM, "start a digest");
	}
	return pw_err_set(err, EINVAL, "start a digest: kind %d is unknown", (int)st->kind);
}

int pw_digest_create(struct pw_digest_state **out, enum pw_digest_kind kind, struct pw_err *err)
{
	*out = NULL;
	if (kind == PW_DIGEST_SHA256_TREE)
		return pw_err_set(err, EINVAL, "start a digest: a tree needs the file's length");
	return pw_digest_create_for(out, kind, 0, err);
}

int pw_digest_create_for(struct pw_digest_state **out, enum pw_digest_kind kind, uint64_t len_bytes,
	struct pw_err *err)
{
	struct pw_digest_state *st = calloc(1, sizeof(*st));
	int ret;

	*out = NULL;
	if (!st)
		return pw_err_sys(err, ENOMEM, "start a digest");
	st->kind = kind;
	st->len_bytes = len_bytes;
	ret = start(st, err);
	if (ret < 0) {
		pw_digest_destroy(st);
		return ret;
	}
	*out = st;
	return 0;
}

static void end_leaf(struct pw_digest_state *st)
{
	if (SHA256_Final(st->leaves + (size_t)st->n_leaves * PW_LEAF_LEN, &st->sha) != 1)
		st->failed = true;
	SHA256_Init(&st->sha);
	st->n_leaves++;
}

static void update_tree(struct pw_digest_state *st, const uint8_t *data, size_t len)
{
	const uint64_t leaf = pw_leaf_bytes(st->len_bytes);
	size_t n;

	if (len > st->len_bytes - st->done_bytes) { /* another file than was said */
		st->failed = true;
		return;
	}
	for (; len; data += n, len -= n) {
		n = (size_t)pw_min_u64(len, leaf - st->done_bytes % leaf);
		if (SHA256_Update(&st->sha, data, n) != 1)
			st->failed = true;
		st->done_bytes += n;
		if (st->done_bytes % leaf == 0 || st->done_bytes == st->len_bytes)
			end_leaf(st);
	}
}

void pw_digest_update(struct pw_digest_state *st, const void *data, size_t len)
{
	if (len == 0)
		return;
	if (st->xxh && XXH3_128bits_update(st->xxh, data, len) != XXH_OK)
		st->failed = true;
	if (st->kind == PW_DIGEST_SHA256 && SHA256_Update(&st->sha, data, len) != 1)
		st->failed = true;
	if (st->kind == PW_DIGEST_MD5 && MD5_Update(&st->md5, data, len) != 1)
		st->failed = true;
	if (st->kind == PW_DIGEST_SHA256_TREE)
		update_tree(st, data, len);
}

void pw_digest_final(struct pw_digest_state *st, struct pw_digest *out)
{
	*out = (struct pw_digest){.kind = st->kind};
	if (st->xxh) {
		XXH128_canonical_t be;

		XXH128_canonicalFromHash(&be, XXH3_128bits_digest(st->xxh));
		memcpy(out->bytes, be.digest, sizeof(be.digest));
	}
	if (st->kind == PW_DIGEST_SHA256 && SHA256_Final(out->bytes, &st->sha) != 1)
		st->failed = true;
	if (st->kind == PW_DIGEST_MD5 && MD5_Final(out->bytes, &st->md5) != 1)
		st->failed = true;
	if (st->kind == PW_DIGEST_SHA256_TREE) {
		st->failed |= st->done_bytes != st->len_bytes;
		SHA256(st->leaves, (size_t)st->n_leaves * PW_LEAF_LEN, out->bytes);
	}
	if (st->failed)
		*out = (struct pw_digest){.kind = PW_DIGEST_NONE};
}

uint8_t *pw_digest_take_leaves(struct pw_digest_state *st)
{
	uint8_t *leaves = st->leaves;

	if (!leaves || st->failed || !pw_leaves_listed(st->len_bytes))
		return NULL;
	st->leaves = NULL;
	return leaves;
}

void pw_digest_destroy(struct pw_digest_state *st)
{
	if (!st)
		return;
	XXH3_freeState(st->xxh);
	free(st->leaves);
	free(st);
}

int pw_digest_buffer(enum pw_digest_kind kind, const void *data, size_t len, struct pw_digest *out,
	struct pw_err *err)
{
	struct pw_digest_state *st;
	int ret = pw_digest_create_for(&st, kind, len, err);

	if (ret < 0)
		return ret;
	pw_digest_update(st, data, len);
	pw_digest_final(st, out);
	pw_digest_destroy(st);
	if (out->kind != kind)
		return pw_err_set(err, EIO, "compute a digest: libcrypto failed");
	return 0;
}
