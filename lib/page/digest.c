/* SPDX-License-Identifier: BSD-3-Clause */
#include "page/digest.h"

#include <errno.h>
#include <openssl/evp.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#ifdef PW_HAVE_XXH_DISPATCH
#include <xxh_x86dispatch.h>
#else
#include <xxhash.h>
#endif

struct pw_digest_state {
	enum pw_digest_kind kind;
	XXH3_state_t *xxh; /* XXH3-128 */
	EVP_MD_CTX *evp;   /* SHA-256, MD5 */
	bool failed;       /* libcrypto refused something: no digest */
};

static int start_evp(struct pw_digest_state *st, const EVP_MD *md, struct pw_err *err)
{
	st->evp = EVP_MD_CTX_new();
	if (!st->evp)
		return pw_err_sys(err, ENOMEM, "start a digest");
	/* MD5 is missing where libcrypto runs in FIPS mode. */
	if (EVP_DigestInit_ex(st->evp, md, NULL) != 1)
		return pw_err_set(err, ENOTSUP,
			"start a digest: libcrypto refuses %s here; choose another --digest, or "
			"leave --md5 out",
			st->kind == PW_DIGEST_MD5 ? "MD5" : "SHA-256");
	return 0;
}

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
		return start_evp(st, EVP_sha256(), err);
	case PW_DIGEST_MD5:
		return start_evp(st, EVP_md5(), err);
	}
	return pw_err_set(err, EINVAL, "start a digest: kind %d is unknown", (int)st->kind);
}

int pw_digest_create(struct pw_digest_state **out, enum pw_digest_kind kind, struct pw_err *err)
{
	struct pw_digest_state *st = calloc(1, sizeof(*st));
	int ret;

	*out = NULL;
	if (!st)
		return pw_err_sys(err, ENOMEM, "start a digest");
	st->kind = kind;
	ret = start(st, err);
	if (ret < 0) {
		pw_digest_destroy(st);
		return ret;
	}
	*out = st;
	return 0;
}

void pw_digest_update(struct pw_digest_state *st, const void *data, size_t len)
{
	if (len == 0)
		return;
	if (st->xxh && XXH3_128bits_update(st->xxh, data, len) != XXH_OK)
		st->failed = true;
	if (st->evp && EVP_DigestUpdate(st->evp, data, len) != 1)
		st->failed = true;
}

void pw_digest_final(struct pw_digest_state *st, struct pw_digest *out)
{
	*out = (struct pw_digest){.kind = st->kind};
	if (st->xxh) {
		XXH128_canonical_t be;

		XXH128_canonicalFromHash(&be, XXH3_128bits_digest(st->xxh));
		memcpy(out->bytes, be.digest, sizeof(be.digest));
	}
	if (st->evp && EVP_DigestFinal_ex(st->evp, out->bytes, NULL) != 1)
		st->failed = true;
	if (st->failed)
		*out = (struct pw_digest){.kind = PW_DIGEST_NONE};
}

void pw_digest_destroy(struct pw_digest_state *st)
{
	if (!st)
		return;
	XXH3_freeState(st->xxh);
	EVP_MD_CTX_free(st->evp);
	free(st);
}

int pw_digest_buffer(enum pw_digest_kind kind, const void *data, size_t len, struct pw_digest *out,
	struct pw_err *err)
{
	struct pw_digest_state *st;
	int ret = pw_digest_create(&st, kind, err);

	if (ret < 0)
		return ret;
	pw_digest_update(st, data, len);
	pw_digest_final(st, out);
	pw_digest_destroy(st);
	if (out->kind != kind)
		return pw_err_set(err, EIO, "compute a digest: libcrypto failed");
	return 0;
}
