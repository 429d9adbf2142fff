/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The leaves of a file: its bytes cut into equal blocks, with a SHA-256 of each. One forged symbol then costs
 * one leaf, not the file.
 *
 *   file    | leaf 0 | leaf 1 | ... | last, may be shorter |
 *   leaves  SHA-256    SHA-256        SHA-256                  pw:Leaves="sha-256 LEAFBYTES BASE64"
 *   digest  SHA-256 of all of them, one after the other        pw:Digest="sha-256-tree:HEX"
 *
 * The size of a leaf follows from the file's length, so that the digest alone is well-defined. Leaves are no
 * blocks of RFC 5052: a symbol may lie in two of them.
 */
#ifndef PW_WIRE_LEAVES_H
#define PW_WIRE_LEAVES_H

#include <stddef.h>
#include <stdint.h>

#define PW_LEAF_MIN   (1u << 20) /* bytes; a leaf is a multiple of it */
#define PW_LEAVES_MAX 1024u      /* of one file */
#define PW_LEAF_LEN   32u        /* of one SHA-256 */

/* Bytes of each leaf of a file but the last: at least PW_LEAF_MIN. */
uint64_t pw_leaf_bytes(uint64_t file_len);
/* Leaves of a file: 0 (an empty file) to PW_LEAVES_MAX. */
uint32_t pw_leaves_n(uint64_t file_len);
/* The first byte of a leaf; of the one behind the last, the file's length. */
uint64_t pw_leaf_from(uint64_t file_len, uint32_t leaf);
/* Whether the table lists the leaves: a file of one leaf has its digest. */
static inline int pw_leaves_listed(uint64_t file_len)
{
	return file_len > PW_LEAF_MIN;
}

/* The value of pw:Leaves, with a NUL (malloc; the caller frees). NULL: memory is short.
 * leaves[pw_leaves_n(file_len) * PW_LEAF_LEN]. */
char *pw_leaves_format(const uint8_t *leaves, uint64_t file_len);
/* The reverse (malloc; the caller frees). NULL: malformed, not the leaves of a file of this length, or memory
 * is short. text[len] need not have a NUL. */
uint8_t *pw_leaves_parse(const char *text, size_t len, uint64_t file_len);

#endif
