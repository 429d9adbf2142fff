/* SPDX-License-Identifier: BSD-3-Clause */
/* A received file table; what is accepted must read the same after we have written it. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "wire/blocks.h"
#include "wire/fdt.h"

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
	assert(same_digest(&a->digest, &b->digest) && same_digest(&a->md5, &b->md5));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct pw_fdt fdt, back;
	struct pw_err err = {0};
	char *xml;
	size_t i, len;
	int r = pw_fdt_parse(data, size, &fdt, &err);

	if (r) {
		assert(err.code == -r && err.msg[0] && !fdt.files && !fdt.n_files);
		return 0;
	}
	assert(fdt.n_files <= PW_FDT_MAX_FILES);
	r = pw_fdt_build(&fdt, &xml, &len, &err);
	assert(r == 0);
	r = pw_fdt_parse(xml, len, &back, &err);
	assert(r == 0 && back.n_files == fdt.n_files && back.complete == fdt.complete);
	assert(back.expires_ntp == fdt.expires_ntp);
	assert(back.n_session_files == fdt.n_session_files);
	for (i = 0; i < fdt.n_files; i++)
		check_file(&fdt.files[i], &back.files[i]);
	free(xml);
	pw_fdt_finish(&back);
	pw_fdt_finish(&fdt);
	return 0;
}
