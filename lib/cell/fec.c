/* SPDX-License-Identifier: BSD-3-Clause */
#include "cell/fec.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#include "base/clock.h"
#include "fec/rs.h"

#define ODD 0x9e3779b97f4a7c15ull /* spreads consecutive numbers over 64 bits */

struct blocks {
	const struct pw_cell_fec *fec;
	uint8_t *memory;
	uint64_t n;
	struct pw_rs *rs;
	struct pw_rs_decoder *decoder;
	/* of the block at hand */
	uint8_t *symbols[PW_RS_MAX_SYMBOLS];
	uint32_t lost[PW_RS_MAX_SYMBOLS]; /* the first n_lost */
};

static uint64_t thread_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
	return (uint64_t)ts.tv_sec * PW_NS_PER_S + (uint64_t)ts.tv_nsec;
}

/* Byte i of the memory before parity is computed. */
static uint8_t content(uint64_t i)
{
	return (uint8_t)(i * ODD >> 56);
}

/* Every block loses others, the same each time. */
static void enter_block(struct blocks *b, uint64_t block)
{
	const struct pw_cell_fec *fec = b->fec;
	uint8_t *at = b->memory + block * (fec->k + fec->r) * fec->symbol_bytes;
	uint64_t random = block;
	uint32_t i, other, swap;

	for (i = 0; i < fec->k + fec->r; i++)
		b->symbols[i] = at + (size_t)i * fec->symbol_bytes;
	for (i = 0; fec->n_lost && i < fec->k; i++)
		b->lost[i] = i;
	for (i = 0; i < fec->n_lost; i++) {
		random = (random + 1) * ODD;
		other = i + (uint32_t)(random >> 32) % (fec->k - i);
		swap = b->lost[i];
		b->lost[i] = b->lost[other];
		b->lost[other] = swap;
	}
}

static void encode(struct blocks *b)
{
	const uint8_t *sources[PW_RS_MAX_SYMBOLS];
	uint64_t i;

	for (i = 0; i < b->n; i++) {
		enter_block(b, i);
		memcpy(sources, b->symbols, b->fec->k * sizeof(sources[0]));
		pw_rs_encode(b->rs, b->fec->symbol_bytes, sources, b->symbols + b->fec->k);
	}
}

static void lose(struct blocks *b)
{
	uint64_t i;
	uint32_t j;

	for (i = 0; i < b->n; i++) {
		enter_block(b, i);
		for (j = 0; j < b->fec->n_lost; j++)
			memset(b->symbols[b->lost[j]], 0, b->fec->symbol_bytes);
	}
}

static int restore(struct blocks *b, struct pw_err *err)
{
	const uint8_t *present[PW_RS_MAX_SYMBOLS];
	uint64_t i;
	uint32_t j;
	int r = 0;

	for (i = 0; r >= 0 && i < b->n; i++) {
		enter_block(b, i);
		memcpy(present, b->symbols, (b->fec->k + b->fec->r) * sizeof(present[0]));
		for (j = 0; j < b->fec->n_lost; j++)
			present[b->lost[j]] = NULL;
		r = pw_rs_decode(b->decoder, b->fec->symbol_bytes, present, b->symbols, err);
	}
	return r < 0 ? r : 0;
}

static int compare(struct blocks *b, struct pw_err *err)
{
	const uint64_t source_bytes = (uint64_t)b->fec->k * b->fec->symbol_bytes;
	uint64_t i, at;

	for (i = 0; i < b->n; i++) {
		enter_block(b, i);
		for (at = 0; at < source_bytes; at++)
			if (b->symbols[0][at] !=
				content((uint64_t)(b->symbols[0] - b->memory) + at))
				return pw_err_set(err, EIO,
					"cannot restore blocks of %u+%u symbols: wrong bytes came "
					"out; report "
					"this",
					b->fec->k, b->fec->r);
	}
	return 0;
}

static int measure(struct blocks *b, struct pw_cell_fec_end *end, struct pw_err *err)
{
	uint64_t start = thread_ns();
	int r = 0;

	encode(b);
	end->cpu_ns = thread_ns() - start;
	if (b->fec->n_lost == 0)
		return 0;
	lose(b);
	start = thread_ns();
	r = restore(b, err);
	end->cpu_ns = thread_ns() - start;
	return r ? r : compare(b, err);
}

int pw_cell_fec(const struct pw_cell_fec *fec, struct pw_cell_fec_end *end, struct pw_err *err)
{
	const uint64_t block_bytes = (uint64_t)(fec->k + fec->r) * fec->symbol_bytes;
	struct blocks b = {.fec = fec, .n = fec->memory_bytes / block_bytes};
	uint64_t i;
	int r;

	if (b.n == 0 || fec->n_lost > fec->k || fec->n_lost > fec->r)
		return pw_err_set(err, EINVAL,
			"cannot measure parity: a block of %u+%u symbols cannot lose %u, or does "
			"not fit "
			"into the memory",
			fec->k, fec->r, fec->n_lost);
	r = pw_rs_create(&b.rs, fec->k, fec->r, PW_RS_RFC, err);
	if (r)
		return r;
	r = pw_rs_decoder_create(&b.decoder, b.rs, err);
	if (r)
		goto destroy_code;
	b.memory = mmap(NULL, fec->memory_bytes, PROT_READ | PROT_WRITE,
		MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (b.memory == MAP_FAILED) {
		r = pw_err_sys(err, errno, "cannot measure parity: no memory");
		goto destroy_decoder;
	}
	madvise(b.memory, fec->memory_bytes, MADV_HUGEPAGE);
	for (i = 0; i < fec->memory_bytes; i++)
		b.memory[i] = content(i);
	end->bytes = b.n * fec->k * fec->symbol_bytes;
	r = measure(&b, end, err);
	munmap(b.memory, fec->memory_bytes);
destroy_decoder:
	pw_rs_decoder_destroy(b.decoder);
destroy_code:
	pw_rs_destroy(b.rs);
	return r;
}
