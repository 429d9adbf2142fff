/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The parity of a file that is being sent (FEC Encoding ID 5, RFC 5510): how the file is cut into blocks, in
 * which order its symbols go, and the memory in which parity symbols lie.
 *
 *   file     |block 0: k symbols|block 1       |block 2       | ...    its own pages
 *   parity   |0: r symbols|1    |2    | ...                            one more window, whose pages are
 *                                                                      symbols like any other
 *
 * A streamed file has neither: its blocks and their parity lie in slots of the ring, a band of blocks at a time
 * (send/bands.h).
 *
 * A band of blocks is sent in turns: `run` symbols of each block, then the next `run` symbols of each block, and
 * after the source symbols the parity symbols in the same way. So a loss of G * run packets in a row
 * takes about `run` symbols of each of the G blocks. run is half of R: the other half is for further loss.
 */
#ifndef PW_SEND_PARITY_H
#define PW_SEND_PARITY_H

#include <limits.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "fec/rs.h"
#include "file/stream.h"
#include "file/window.h"
#include "wire/blocks.h"
#include "wire/fdt.h"
#include "wire/stripe.h"

#define PW_SEND_PARITY_SUFFIX ".pwfec" /* of the side file of a staged file */
#define PW_SEND_FEC_BURST     1000u /* packets lost in a row that the usual interleaving survives */

/* What the user asks for. */
struct pw_send_fec {
	uint32_t k,
		r; /* symbols of a block, source and parity; k 0: files are sent without parity */
	enum pw_rs_points points; /* PW_RS_N_POINTS: not given, see pw_send_fec_parse() */
	uint64_t
		interleave_bytes; /* source symbols of a band of blocks; 0: see PW_SEND_FEC_BURST */
};

/* "200+10" into fec->k and fec->r; points that are not given become PW_RS_RFC. */
int pw_send_fec_parse(const char *text, struct pw_send_fec *fec, struct pw_err *err);

/* Cuts a file of len_bytes: into blocks of at most K symbols; one of fewer than K symbols is one block with parity
 * in proportion, at least one symbol; with R 1 each block has one. -EFBIG: it has too many blocks. */
int pw_send_fec_cut(struct pw_blocks *b, const struct pw_send_fec *fec, uint64_t len_bytes,
	uint32_t symbol_len, struct pw_err *err);
/* How the parity of the blocks is cut: block sbn has as many symbols as the source block has parity that is sent. */
struct pw_blocks pw_send_fec_parity(const struct pw_send_fec *fec, const struct pw_blocks *source);

/* The order: blocks are sent in n_bands bands, in turns of `run` symbols. A stripe sends the Nth part of the blocks,
 * in bands of its own: a burst that only its path loses takes no more of each block. */
struct pw_send_turns {
	uint32_t first_block, n_blocks; /* that are sent; n_blocks 0: none */
	uint32_t n_bands, run;
};
/* turn: which part is stripe 0's; number of the file + number of the pass. max_blocks: that a band may have, at
 * least 1. */
struct pw_send_turns pw_send_fec_turns(const struct pw_send_fec *fec,
	const struct pw_blocks *source, const struct pw_stripe *stripe, uint64_t turn,
	uint32_t max_blocks);
/* Blocks of a band that fec asks for, at least 1. */
uint64_t pw_send_fec_wanted(const struct pw_send_fec *fec, uint32_t symbol_len);
/* Blocks of a streamed file that fit a band of the ring, with their parity; 0: not even one. */
uint32_t pw_send_fec_fit(const struct pw_send_fec *fec, const struct pw_blocks *source,
	const struct pw_stream_plan *ring);
/* The first block of a band, which is the end of the band before. */
static inline uint32_t pw_send_fec_band(const struct pw_send_turns *t, uint32_t band)
{
	return t->first_block + (uint32_t)((uint64_t)t->n_blocks * band / t->n_bands);
}

/* The parity of one file. */
struct pw_send_parity {
	struct pw_window win;
	struct pw_blocks source, blocks; /* of the file; of the parity */
	struct pw_rs *large, *small;     /* codes of the larger and the smaller blocks */
	uint8_t *scratch;                /* symbols that are padded, or lie in two extents */
	uint32_t n_done;                 /* blocks whose parity is computed ... */
	uint8_t *done;                   /* ... a bit for each */
	struct pw_digest
		made_of; /* staged: of the file that it was computed of; kind NONE: not staged */
};

/* For a file that is not empty. mem: of the window; NULL: the file is streamed, and there is none. path: of the
 * file, for messages. -ENOMEM. *p belongs to the caller. */
int pw_send_parity_create(struct pw_send_parity **p, const struct pw_send_fec *fec,
	const struct pw_blocks *source, const struct pw_stage_mem *mem, const char *path,
	struct pw_err *err);
/* The same for a file whose parity was staged: opens `win` on it, by open_window() of struct pw_send_config. 1: none
 * was staged. -ESTALE: it does not fit the file or fec. */
int pw_send_parity_open_staged(struct pw_send_parity **p, const struct pw_send_fec *fec,
	const struct pw_blocks *source, const char *path, uint64_t mtime_ns,
	int (*open_window)(void *ctx, struct pw_window *w, const char *path, struct pw_err *err),
	void *ctx, struct pw_err *err);
/* -ESTALE: the staged parity is of a file with another digest of the same kind. */
int pw_send_parity_check(const struct pw_send_parity *p, const struct pw_digest *digest,
	const char *path, struct pw_err *err);
/* The name of the side file: path and PW_SEND_PARITY_SUFFIX. -ENAMETOOLONG. */
int pw_send_parity_path(char side[PATH_MAX], const char *path, struct pw_err *err);

/* Computes the parity of a file on hugetlbfs into a side file beside it, which holds huge pages as well. Replaces
 * an older one. progress may be NULL; false cancels (-ECANCELED). *n_pages: what it takes, 0 for an empty file,
 * which has none. */
int pw_send_parity_stage(const char *path, const struct pw_send_fec *fec, uint32_t symbol_len,
	bool (*progress)(void *ctx, uint64_t done, uint64_t total), void *progress_ctx,
	uint64_t *n_pages, struct pw_err *err);

/* Computes the parity of blocks [block, end_block), as far as it is not there. -ECANCELED: *stop was set. One thread
 * at a time; while it runs, only parity that was computed may be sent. */
int pw_send_parity_make(struct pw_send_parity *p, const struct pw_window *file, uint32_t block,
	uint32_t end_block, const atomic_bool *stop);
/* The same for one block of a streamed file; its parity lies in parity_win. */
void pw_send_parity_block(const struct pw_send_parity *p, const struct pw_window *file,
	const struct pw_window *parity_win, uint32_t sbn);
void pw_send_parity_destroy(struct pw_send_parity *p); /* accepts NULL; win.n_out is 0 */

#endif
