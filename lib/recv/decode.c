/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The decoder: a thread that restores missing symbols from parity (parity.h), so that no lane does the
 * arithmetic. A block comes here when it has enough symbols.
 *
 *   take blocks of one part -> wait until their claimed symbols are copied -> read these back -> decode -> place
 *
 * To the other threads it is one more lane, with one long burst: a part that it uses is not freed, and it
 * claims the symbols that it places.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/thread.h"
#include "fec/rs.h"
#include "recv/decode_private.h"
#include "recv/lane_private.h"

#define BATCH    16u /* blocks for which the lanes are waited for once */
#define N_CODECS 8u  /* a file has blocks of two lengths */

struct codec {
	struct pw_rs *rs; /* NULL: unused */
	struct pw_rs_decoder *decoder;
	uint32_t k, n_rows;
	uint8_t points;
	uint64_t used;
};

struct pw_recv_decoder {
	struct pw_recv *r;
	struct codec codecs[N_CODECS];
	uint64_t n_uses;
	struct pw_parity_job jobs[BATCH];
	uint8_t *in, *out; /* a block read back; its missing symbols */
	size_t in_bytes, out_bytes;
	const uint8_t *symbols[PW_RS_MAX_BLOCK_SYMBOLS]; /* of the block, by ESI; NULL: missing */
	const uint8_t *sources[PW_RS_MAX_BLOCK_SYMBOLS]; /* the same with the restored ones */
	uint8_t *restored[PW_RS_MAX_BLOCK_SYMBOLS];
};

static void drop_codec(struct codec *c)
{
	pw_rs_decoder_destroy(c->decoder);
	pw_rs_destroy(c->rs);
	*c = (struct codec){0};
}

/* NULL: memory is short. */
static struct codec *get_codec(
	struct pw_recv_decoder *d, uint32_t k, uint32_t n_rows, uint8_t points)
{
	struct codec *c = d->codecs, *oldest = c;

	for (; c < d->codecs + N_CODECS; c++) {
		if (c->rs && c->k == k && c->n_rows == n_rows && c->points == points)
			goto found;
		if (c->used < oldest->used)
			oldest = c;
	}
	c = oldest;
	drop_codec(c);
	if (pw_rs_create(&c->rs, k, n_rows, points, NULL) < 0 ||
		pw_rs_decoder_create(&c->decoder, c->rs, NULL) < 0) {
		drop_codec(c);
		return NULL;
	}
	c->k = k;
	c->n_rows = n_rows;
	c->points = points;
found:
	c->used = ++d->n_uses;
	return c;
}

static bool grow(uint8_t **buf, size_t *have, size_t need)
{
	if (*have >= need)
		return true;
	free(*buf);
	*buf = malloc(need);
	*have = *buf ? need : 0;
	return *buf != NULL;
}

/* The object's last symbol, padded to the full length for the code. */
static void pad_last(struct pw_recv_decoder *d, const struct pw_parity_job *j)
{
	const struct pw_blocks *b = &j->part->blocks;
	const uint64_t last = j->first + j->k - 1;
	const uint32_t len = pw_blocks_symbol_bytes(b, last);
	uint8_t *padded = d->in + (size_t)(j->k - 1) * b->symbol_len;

	if (len == b->symbol_len || !d->symbols[j->k - 1])
		return;
	if (d->symbols[j->k - 1] != padded)
		memcpy(padded, d->symbols[j->k - 1], len);
	memset(padded + len, 0, b->symbol_len - len);
	d->symbols[j->k - 1] = padded;
}

/* Sets symbols[] and restored[]. false: the file cannot be read back, or memory is short. */
static bool read_block(struct pw_recv_decoder *d, const struct pw_parity_job *j, struct pw_err *err)
{
	const struct pw_blocks *b = &j->part->blocks;
	const size_t len = b->symbol_len;
	uint32_t i, end, n = 0;

	if (!grow(&d->in, &d->in_bytes, j->k * len) ||
		!grow(&d->out, &d->out_bytes, j->n_missing * len))
		goto no_memory;
	for (i = 0; i < j->k; i++) {
		d->symbols[i] = NULL;
		d->restored[i] = pw_parity_bit(j->have, i) ? NULL : d->out + n++ * len;
	}
	for (i = 0; i < j->k; i = end) {
		const uint8_t *bytes;
		uint8_t *const in = d->in + i * len;

		for (end = i; end < j->k && pw_parity_bit(j->have, end); end++)
			;
		if (end == i) {
			end++;
			continue;
		}
		bytes = pw_outfile_read(j->part->file, (j->first + i) * len,
			pw_min_u64((j->first + end) * len, b->transfer_len), in, err);
		if (!bytes)
			return false;
		for (; i < end; i++, bytes += len)
			d->symbols[i] = bytes;
	}
	pad_last(d, j);
	memcpy(d->symbols + j->k, j->rows, j->n_rows * sizeof(j->rows[0]));
	return true;
no_memory:
	pw_err_sys(err, ENOMEM, "cannot restore symbols of %s", j->part->obj->name);
	return false;
}

/* Restores the block's missing symbols with these points, in memory. */
static bool decode(struct pw_recv_decoder *d, const struct pw_parity_job *j, uint8_t points)
{
	struct codec *c = get_codec(d, j->k, j->n_rows, points);
	uint32_t i;

	if (!c || pw_rs_decode(c->decoder, j->part->blocks.symbol_len, d->symbols, d->restored,
			  NULL) < 0)
		return false;
	for (i = 0; i < j->k; i++)
		d->sources[i] = d->symbols[i] ? d->symbols[i] : d->restored[i];
	return true;
}

/* Whether the last parity symbol, which the decoding did not use, agrees. */
static bool agrees(struct pw_recv_decoder *d, const struct pw_parity_job *j, uint8_t points)
{
	struct codec *c = get_codec(d, j->k, j->n_rows, points);
	uint32_t row = j->n_rows - 1;

	while (!j->rows[row])
		row--;
	return c && decode(d, j, points) &&
	       pw_rs_agrees(c->rs, j->part->blocks.symbol_len, d->sources, row, j->rows[row]);
}

/* The block has one symbol more than it needs: finds the points with which this one agrees. false: it agrees
 * with none. Blocks of equal symbols (zeros) agree with several; any of them restores the block. */
static bool prove(struct pw_recv_decoder *d, struct pw_parity_job *j, uint8_t *points)
{
	unsigned int i, n = 0;
	uint8_t p;

	for (i = 0; i < PW_RS_N_POINTS; i++) {
		p = (uint8_t)((j->points + i) % PW_RS_N_POINTS);
		if (!agrees(d, j, p))
			continue;
		if (n++ == 0)
			*points = p;
	}
	if (n == 0)
		pw_parity_not_proved(&d->r->parity, j->part);
	else if (n == 1)
		pw_parity_prove(&d->r->parity, j->part, *points);
	return n > 0;
}

/* Finds the points for the block. false: it must not be restored now. *outcome: what it is once it is restored. */
static bool choose_points(struct pw_recv_decoder *d, struct pw_parity_job *j, uint8_t *points,
	enum pw_parity_outcome *outcome)
{
	const struct pw_parity *q = j->part->parity;

	*outcome = PW_PARITY_RESTORED;
	*points = j->points;
	if (j->k == 1)
		return true;
	if (!atomic_load(&q->known) && j->may_prove && j->n_parity > j->n_missing &&
		prove(d, j, points) && !atomic_load(&q->known))
		*outcome = PW_PARITY_TRIED;
	else if (atomic_load(&q->known))
		*points = q->points;
	else if (j->may_try && pw_parity_may_try(&d->r->parity, j->part))
		*outcome = PW_PARITY_TRIED;
	else
		return false;
	j->points = *points;
	return true;
}

static void place(struct pw_recv_decoder *d, struct pw_parity_job *j)
{
	uint32_t i;

	for (i = 0; i < j->k; i++)
		if (!d->symbols[i] && pw_recv_restore(d->r, j->part, j->first + i, d->restored[i]))
			pw_parity_set_bit(j->restored, i);
	pw_recv_restored(d->r);
}

static enum pw_parity_outcome do_job(struct pw_recv_decoder *d, struct pw_parity_job *j)
{
	enum pw_parity_outcome outcome = PW_PARITY_RESTORED;
	struct pw_err err = {0};
	uint8_t points;

	if (j->n_missing == 0 && !j->may_prove)
		return outcome;
	if (!read_block(d, j, &err)) {
		pthread_mutex_lock(&d->r->lock);
		pw_recv_warn(d->r, "parity is not used: %s", err.msg);
		pthread_mutex_unlock(&d->r->lock);
		return PW_PARITY_LEFT;
	}
	if (j->n_missing == 0) {
		prove(d, j, &points);
		return outcome;
	}
	if (!choose_points(d, j, &points, &outcome) || !decode(d, j, points))
		return PW_PARITY_LEFT;
	place(d, j);
	return outcome;
}

/* Takes blocks, and enters the lane's burst, under the lock: the part cannot be taken away in between. */
static size_t begin(struct pw_recv_decoder *d, struct pw_recv_lane *l)
{
	size_t n;

	pthread_mutex_lock(&d->r->lock);
	n = pw_parity_take(&d->r->parity, d->jobs, BATCH);
	if (n) {
		pw_lane_enter(d->r, l);
		l->part = d->jobs[0].part;
	} else {
		pthread_cond_broadcast(&d->r->idle);
	}
	pthread_mutex_unlock(&d->r->lock);
	return n;
}

static void *decoder_main(void *arg)
{
	struct pw_recv_decoder *d = arg;
	struct pw_parity_store *s = &d->r->parity;
	struct pw_recv_lane *l = &d->r->lanes[d->r->n_lanes + PW_LANE_DECODER];
	size_t i, n;

	for (;;) {
		n = begin(d, l);
		if (n) {
			pw_recv_await_copies(d->r);
			for (i = 0; i < n; i++)
				pw_parity_give(s, &d->jobs[i], do_job(d, &d->jobs[i]));
			l->part = NULL;
			pw_lane_leave(l);
			continue;
		}
		pthread_mutex_lock(&s->lock);
		while (!s->stop && !s->queue_first)
			pthread_cond_wait(&s->work, &s->lock);
		n = s->stop;
		pthread_mutex_unlock(&s->lock);
		if (n)
			return NULL;
	}
}

int pw_recv_decoder_start(struct pw_recv *r, struct pw_err *err)
{
	struct pw_recv_decoder *d = calloc(1, sizeof(*d));
	int ret = ENOMEM;

	if (d) {
		d->r = r;
		r->decoder = d;
		ret = pw_thread_start(&r->decoder_thread, decoder_main, d);
	}
	return ret ? pw_err_sys(err, ret, "cannot start the receiver's decoder") : 0;
}

void pw_recv_decoder_stop(struct pw_recv *r)
{
	pthread_mutex_lock(&r->parity.lock);
	r->parity.stop = true;
	pthread_cond_broadcast(&r->parity.work);
	pthread_mutex_unlock(&r->parity.lock);
	pthread_join(r->decoder_thread, NULL);
}

void pw_recv_decoder_free(struct pw_recv_decoder *d)
{
	size_t i;

	if (!d)
		return;
	for (i = 0; i < N_CODECS; i++)
		drop_codec(&d->codecs[i]);
	free(d->in);
	free(d->out);
	free(d);
}
