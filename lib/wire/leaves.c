/* SPDX-License-Identifier: BSD-3-Clause */
#include "wire/leaves.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/base64.h"
#include "base/bytes.h"

#define HEAD_MAX 40u /* of "sha-256 LEAFBYTES " */

uint64_t pw_leaf_bytes(uint64_t file_len)
{
	return pw_max_u64(PW_LEAF_MIN,
		pw_div_ceil(file_len, (uint64_t)PW_LEAVES_MAX * PW_LEAF_MIN) * PW_LEAF_MIN);
}

uint32_t pw_leaves_n(uint64_t file_len)
{
	return (uint32_t)pw_div_ceil(file_len, pw_leaf_bytes(file_len));
}

uint64_t pw_leaf_from(uint64_t file_len, uint32_t leaf)
{
	return pw_min_u64(leaf * pw_leaf_bytes(file_len), file_len);
}

static size_t head(char *text, uint64_t file_len)
{
	return (size_t)snprintf(text, HEAD_MAX, "sha-256 %" PRIu64 " ", pw_leaf_bytes(file_len));
}

char *pw_leaves_format(const uint8_t *leaves, uint64_t file_len)
{
	const size_t len = pw_leaves_n(file_len) * PW_LEAF_LEN;
	char *text = malloc(HEAD_MAX + pw_base64_len(len) + 1);
	size_t n;

	if (!text)
		return NULL;
	n = head(text, file_len);
	pw_base64_encode(text + n, leaves, len);
	text[n + pw_base64_len(len)] = '\0';
	return text;
}

uint8_t *pw_leaves_parse(const char *text, size_t len, uint64_t file_len)
{
	const size_t n_bytes = pw_leaves_n(file_len) * PW_LEAF_LEN;
	char want[HEAD_MAX];
	const size_t n = head(want, file_len);
	uint8_t *leaves;

	if (n_bytes == 0 || len < n || memcmp(text, want, n) != 0)
		return NULL;
	leaves = malloc(n_bytes);
	if (leaves && pw_base64_decode(text + n, len - n, leaves, n_bytes))
		return leaves;
	free(leaves);
	return NULL;
}
