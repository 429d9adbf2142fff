/* SPDX-License-Identifier: BSD-3-Clause */
/* A received file table; what is accepted must read the same after we have written it. The same bytes
 * as a packed table must keep within the bounds. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "wire/blocks.h"
#include "wire/fdt.h"
#include "wire/leaves.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool same_digest(const struct pw_digest *a, const struct pw_digest *b)
{
	return a->kind == b->kind && !memcmp(a->bytes, b->bytes, sizeof(a->bytes));
}

static void check_file(const struct pw_fdt_file *a, const struct pw_fdt_file *b)
{
	assert(!strcmp(a->location, b->location));
	assert(a->toi == b->toi && a->toi);
	assert(a->content_len == b->content_len && a->transfer_len == b->transfer_len);
	assert(a->content_len <= PW_MAX_TRANSFER_LEN && a->transfer_len <= PW_MAX_TRANSFER_LEN);
	assert(a->symbol_len == b->symbol_len && a->max_sbl == b->max_sbl);
	assert(a->fec_id == b->fec_id);
	assert(a->encoding == b->encoding && !b->fault);
	assert(a->has_mode == b->has_mode && a->mode == b->mode && a->mode <= 0777);
	assert(a->has_mtime == b->has_mtime && a->mtime_ns == b->mtime_ns);
	assert(same_digest(&a->digest, &b->digest) && same_digest(&a->md5, &b->md5));
	assert(!a->leaves == !b->leaves);
	if (a->leaves)
		assert(!memcmp(a->leaves, b->leaves, pw_leaves_n(a->transfer_len) * PW_LEAF_LEN));
}

static void check_decode(const uint8_t *data, size_t size)
{
	struct pw_err err = {0};
	size_t len, bound = size * PW_FDT_MAX_RATIO;
	int e, r;
	void *out;

	bound = bound > PW_FDT_MIN_BOUND ? bound : PW_FDT_MIN_BOUND;
	for (e = PW_ENCODING_IDENTITY; e <= PW_ENCODING_OTHER; e++) {
		r = pw_fdt_decode((enum pw_encoding)e, data, size, &out, &len, &err);
		assert(r ? !out && !len && err.code == -r : out && len <= bound);
		free(out);
	}
}

/* The entries that can be written: those without a fault and without an encoding that we have no
 * name for. Shallow copies; the caller frees the array. */
static struct pw_fdt writable(const struct pw_fdt *fdt)
{
	struct pw_fdt out = *fdt;
	size_t i, n_faults = 0;

	out.files = calloc(fdt->n_files + 1, sizeof(*out.files));
	assert(out.files);
	out.n_files = 0;
	for (i = 0; i < fdt->n_files; i++) {
		assert(fdt->files[i].location);
		n_faults += fdt->files[i].fault != NULL;
		if (!fdt->files[i].fault && fdt->files[i].encoding != PW_ENCODING_OTHER)
			out.files[out.n_files++] = fdt->files[i];
	}
	assert(n_faults == fdt->n_faults);
	return out;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct pw_fdt fdt, good, back;
	struct pw_err err = {0};
	char *xml;
	size_t i, len;
	int r = pw_fdt_parse(data, size, &fdt, &err);

	check_decode(data, size);
	if (r) {
		assert(err.code == -r && err.msg[0] && !fdt.files && !fdt.n_files);
		return 0;
	}
	assert(fdt.n_files <= PW_FDT_MAX_FILES);
	good = writable(&fdt);
	r = pw_fdt_build(&good, &xml, &len, &err);
	assert(r == 0);
	r = pw_fdt_parse(xml, len, &back, &err);
	assert(r == 0 && back.n_files == good.n_files && back.complete == fdt.complete);
	assert(back.expires_ntp == fdt.expires_ntp);
	assert(back.n_session_files == fdt.n_session_files);
	assert(back.sequence == fdt.sequence);
	assert(fdt.stripe.count < 2 ||
		(back.stripe.count == fdt.stripe.count && back.stripe.index == fdt.stripe.index));
	for (i = 0; i < good.n_files; i++)
		check_file(&good.files[i], &back.files[i]);
	free(xml);
	free(good.files);
	pw_fdt_finish(&back);
	pw_fdt_finish(&fdt);
	return 0;
}
