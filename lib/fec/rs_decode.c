/* SPDX-License-Identifier: BSD-3-Clause */
/* Restores lost source symbols. With e of them lost and e parity symbols in their place:
 *
 *     parity = R * present + Q * lost        R, Q: columns of the parity symbols' rows
 *     lost   = Q^-1 * parity - Q^-1 * R * present
 *
 * So only an e x e matrix is inverted, and minus is plus. The product with R is of rows of k bytes, which ISA-L
 * computes like symbols. */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <isa-l/erasure_code.h>

#include "fec/rs_private.h"

/* Which source symbols are lost, and which parity symbols stand in for them, in order. */
struct pattern {
	uint32_t n; /* of each; 0: not in use */
	uint8_t lost[PW_RS_MAX_SYMBOLS / 2], parity[PW_RS_MAX_SYMBOLS / 2];
};

struct cached {
	struct pattern pattern;
	uint64_t used_at;
	uint8_t *
		tables; /* [n][k][PW_RS_TABLE_BYTES]; column lost[i] is for parity symbol parity[i] */
};

struct pw_rs_decoder {
	const struct pw_rs *rs;
	uint64_t now; /* counts patterns that were looked for */
	struct cached cached[PW_RS_PATTERNS];
	uint8_t square[PW_RS_MAX_MATRIX], inverse[PW_RS_MAX_MATRIX]; /* [n][n] */
	uint8_t matrix[PW_RS_MAX_MATRIX];                            /* [n][k] */
	uint8_t tables[];
};

int pw_rs_decoder_create(struct pw_rs_decoder **out, const struct pw_rs *rs, struct pw_err *err)
{
	const uint32_t max_lost = rs->k < rs->r ? rs->k : rs->r;
	const size_t bytes = (size_t)max_lost * rs->k * PW_RS_TABLE_BYTES;
	struct pw_rs_decoder *d = calloc(1, sizeof(*d) + PW_RS_PATTERNS * bytes);
	size_t i;

	if (!d)
		return pw_err_sys(
			err, ENOMEM, "cannot decode parity of %u+%u symbols", rs->k, rs->r);
	d->rs = rs;
	for (i = 0; i < PW_RS_PATTERNS; i++)
		d->cached[i].tables = d->tables + i * bytes;
	*out = d;
	return 0;
}

void pw_rs_decoder_destroy(struct pw_rs_decoder *d)
{
	free(d);
}

/* False: there are too few parity symbols. */
static bool find_pattern(const struct pw_rs *rs, const uint8_t *const *symbols, struct pattern *p)
{
	uint32_t i, n_parity = 0;

	p->n = 0;
	for (i = 0; i < rs->k; i++) {
		if (symbols[i])
			continue;
		while (n_parity < rs->r && !symbols[rs->k + n_parity])
			n_parity++;
		if (n_parity == rs->r)
			return false;
		p->lost[p->n] = (uint8_t)i;
		p->parity[p->n++] = (uint8_t)n_parity++;
	}
	return true;
}

static void build(struct pw_rs_decoder *d, const struct pattern *p, uint8_t *tables)
{
	const uint32_t k = d->rs->k, n = p->n;
	const uint8_t *rows[PW_RS_MAX_SYMBOLS / 2];
	uint8_t *products[PW_RS_MAX_SYMBOLS / 2];
	uint32_t i, j;
	int singular;

	for (i = 0; i < n; i++) {
		rows[i] = d->rs->rows + p->parity[i] * k;
		products[i] = d->matrix + i * k;
		for (j = 0; j < n; j++)
			d->square[i * n + j] = rows[i][p->lost[j]];
	}
	/* never: every square part of a systematic matrix of distinct points has an inverse */
	singular = gf_invert_matrix(d->square, d->inverse, (int)n);
	assert(!singular);
	(void)singular;
	ec_init_tables((int)n, (int)n, d->inverse, tables); /* until the result is there */
	pw_rs_multiply(k, n, n, tables, rows, products);
	for (i = 0; i < n; i++)
		for (j = 0; j < n; j++)
			products[i][p->lost[j]] = d->inverse[i * n + j];
	ec_init_tables((int)k, (int)n, d->matrix, tables);
}

static bool same_pattern(const struct pattern *a, const struct pattern *b)
{
	return a->n == b->n && memcmp(a->lost, b->lost, a->n) == 0 &&
	       memcmp(a->parity, b->parity, a->n) == 0;
}

/* From the cache, or in place of the pattern that was not needed for longest. */
static const uint8_t *find_tables(struct pw_rs_decoder *d, const struct pattern *p)
{
	struct cached *c, *oldest = d->cached;
	size_t i;

	d->now++;
	for (i = 0; i < PW_RS_PATTERNS; i++) {
		c = &d->cached[i];
		if (same_pattern(&c->pattern, p)) {
			c->used_at = d->now;
			return c->tables;
		}
		if (c->used_at < oldest->used_at)
			oldest = c;
	}
	build(d, p, oldest->tables);
	oldest->pattern = *p;
	oldest->used_at = d->now;
	return oldest->tables;
}

int pw_rs_decode(struct pw_rs_decoder *d, size_t len, const uint8_t *const *symbols,
	uint8_t *const *out, struct pw_err *err)
{
	const struct pw_rs *rs = d->rs;
	const uint8_t *from[PW_RS_MAX_SYMBOLS];
	uint8_t *to[PW_RS_MAX_SYMBOLS / 2];
	struct pattern p = {0};
	uint32_t i;

	if (!find_pattern(rs, symbols, &p))
		return pw_err_set(err, ENODATA,
			"cannot restore a block of %u+%u symbols: fewer than %u arrived; send them "
			"again",
			rs->k, rs->r, rs->k);
	if (p.n == 0)
		return 0;
	memcpy(from, symbols, rs->k * sizeof(from[0]));
	for (i = 0; i < p.n; i++) {
		from[p.lost[i]] = symbols[rs->k + p.parity[i]];
		to[i] = out[p.lost[i]];
	}
	pw_rs_multiply(len, rs->k, p.n, find_tables(d, &p), from, to);
	return (int)p.n;
}
