/* SPDX-License-Identifier: BSD-3-Clause */
#include "recv/bytes.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/bytes.h"
#include "recv/lane_private.h"
#include "recv/manifest.h"
#include "recv/status_private.h"
#include "wire/alc.h"
#include "wire/fdt_cut.h"

#define BATCH       64u
#define TABLE_FILES 64u
#define FIRST_TOI   (1u << 31) /* of announced files: senders count from 1 */
#define SYMBOL      1440u      /* of announced files, if their length allows it */
#define SYMBOL_MAX  65535u
#define LIFE_S      3600u

struct pw_recv_bytes {
	struct pw_recv *r;
	uint32_t instance; /* of the next table of announce() */
	/* The file of the last want(). */
	struct pw_blocks blocks;
	struct pw_alc_hdr hdr;
	struct pw_host_key from;
	/* Symbols that are whole, as packets in `room`, and the one that is being collected. */
	struct pw_rx_view views[BATCH];
	size_t n_views;
	uint8_t *room; /* of BATCH packets */
	size_t packet_bytes;
	uint64_t at; /* the next byte of the symbol that is being collected */
	uint32_t collected;
};

int pw_recv_bytes_create(struct pw_recv_bytes **out, struct pw_recv *r, struct pw_err *err)
{
	struct pw_recv_bytes *b = calloc(1, sizeof(*b));

	*out = b;
	if (!b)
		return pw_err_sys(err, ENOMEM, "cannot take bytes of another source");
	b->r = r;
	pw_recv_settle(r);
	pw_recv_hold_counts(r);
	return 0;
}

static void flush(struct pw_recv_bytes *b)
{
	pw_recv_burst(b->r, b->views, b->n_views);
	b->n_views = 0;
}

/* A table in packets, as a sender sends it. */
static int push_table(struct pw_recv_bytes *b, const struct pw_fdt *fdt, struct pw_err *err)
{
	const struct pw_alc_hdr hdr = {.tsi = b->hdr.tsi,
		.fdt_version = PW_FLUTE_VERSION,
		.fdt_instance = b->instance++ & PW_FDT_INSTANCE_MAX};
	uint8_t packet[PW_ALC_HDR_MAX + PW_FDT_SYMBOL_MAX];
	struct pw_fdt_packet p;
	struct pw_fdt_cut cut;
	size_t xml_len;
	char *xml;
	int ret = pw_fdt_build(fdt, &xml, &xml_len, err);

	if (ret < 0)
		return ret;
	ret = pw_fdt_cut_init(&cut, &hdr, true, xml, xml_len, PW_FDT_SYMBOL_MAX, err);
	while (ret == 0 && pw_fdt_cut_next(&cut, &p)) {
		memcpy(packet, p.alc, p.alc_len);
		memcpy(packet + p.alc_len, p.payload, p.len);
		pw_recv_burst(b->r,
			&(struct pw_rx_view){.data = packet, .len = (uint32_t)(p.alc_len + p.len)},
			1);
	}
	free(xml);
	pw_recv_settle(b->r);
	return ret;
}

/* false: no symbols can be found for its length. */
static bool describe(const struct pw_gap_file *gap, uint32_t toi, struct pw_fdt_file *f)
{
	uint32_t symbol = SYMBOL;

	while (symbol < SYMBOL_MAX && !pw_blocks_choose_max_sbl(gap->len_bytes, symbol))
		symbol = (uint32_t)pw_min_u64(2 * symbol, SYMBOL_MAX);
	*f = (struct pw_fdt_file){.location = gap->name,
		.toi = toi,
		.content_len = gap->len_bytes,
		.transfer_len = gap->len_bytes,
		.symbol_len = symbol,
		.max_sbl = pw_blocks_choose_max_sbl(gap->len_bytes, symbol),
		.digest = gap->digest};
	return f->max_sbl != 0;
}

int pw_recv_bytes_announce(struct pw_recv_bytes *b, struct pw_err *err)
{
	struct pw_recv *r = b->r;
	struct pw_fdt_file files[TABLE_FILES];
	struct pw_fdt fdt = {
		.expires_ntp = pw_fdt_ntp((uint64_t)time(NULL) + LIFE_S), .files = files};
	int ret = 0;
	size_t i;
	bool is_known;

	if (r->cfg.trust)
		return 0; /* only a signed table names files */
	b->hdr.tsi = r->cfg.tsi_given ? r->cfg.tsi : r->old.tsi;
	for (i = 0; ret == 0 && r->cfg.resume && i < r->old.n_files; i++) {
		const struct pw_gap_file *gap = &r->old.files[i];

		pthread_mutex_lock(&r->lock);
		is_known = pw_objtab_find_name(&r->objs, gap->name) != NULL;
		pthread_mutex_unlock(&r->lock);
		if (!is_known && describe(gap, (uint32_t)(FIRST_TOI + i), &files[fdt.n_files]))
			fdt.n_files++;
		if (fdt.n_files < TABLE_FILES)
			continue;
		ret = push_table(b, &fdt, err);
		fdt.n_files = 0;
	}
	fdt.complete = true;
	return ret == 0 && fdt.n_files ? push_table(b, &fdt, err) : ret;
}

/* pw_alc_build() writes 32 bits of TSI and TOI. */
static bool is_wanted(const struct pw_object *o)
{
	return (o->state == PW_RECV_KNOWN || o->state == PW_RECV_PARTIAL) && o->has_len &&
	       o->has_oti && o->len_bytes && o->digest.kind != PW_DIGEST_NONE && !o->is_escaped &&
	       !o->n_mismatches && o->toi <= UINT32_MAX && o->session->tsi <= UINT32_MAX;
}

/* As pw_recv_ranges(), of a file whose part is not open yet: with a manifest's entry, the symbols that its
 * ranges touch. */
static size_t list_unopened(
	const struct pw_object *o, const struct pw_blocks *cut, struct pw_range *out)
{
	const size_t n_gaps = o->gap ? o->gap->n_missing : 0;
	uint64_t from, to, end = 0;
	size_t i, n = 0;

	for (i = 0; i < n_gaps; i++) {
		from = o->gap->missing[i].from / cut->symbol_len * cut->symbol_len;
		to = pw_div_ceil(o->gap->missing[i].to, cut->symbol_len) * cut->symbol_len;
		to = pw_min_u64(to, cut->transfer_len);
		n += n == 0 || from > end; /* else it goes on with the last one */
		if (out)
			out[n - 1] = (struct pw_range){
				from > end || n == 1 ? from : out[n - 1].from, to};
		end = to;
	}
	if (!o->gap && out)
		out[0] = (struct pw_range){0, cut->transfer_len};
	return o->gap ? n : 1;
}

static size_t list(
	const struct pw_object *o, const struct pw_blocks *cut, struct pw_range *out, size_t room)
{
	return o->part ? pw_recv_ranges(o, 1, out, room) : list_unopened(o, cut, out);
}

static int make_room(struct pw_recv_bytes *b)
{
	const size_t bytes = PW_ALC_HDR_MAX + b->blocks.symbol_len;
	uint8_t *room = bytes > b->packet_bytes ? realloc(b->room, BATCH * bytes) : b->room;

	if (!room)
		return -ENOMEM;
	b->room = room;
	b->packet_bytes = pw_max_u64(bytes, b->packet_bytes);
	return 0;
}

int pw_recv_bytes_want(
	struct pw_recv_bytes *b, size_t i, struct pw_range **ranges, size_t *n, struct pw_err *err)
{
	struct pw_recv *r = b->r;
	const struct pw_object *o;
	int ret = 0;

	flush(b);
	*ranges = NULL;
	*n = 0;
	pthread_mutex_lock(&r->lock);
	o = pw_objtab_at(&r->objs, i);
	if (!is_wanted(o) || pw_object_blocks(o, &b->blocks, NULL)) {
		pthread_mutex_unlock(&r->lock);
		return 0;
	}
	b->hdr = (struct pw_alc_hdr){
		.tsi = o->session->tsi, .toi = o->toi, .codepoint = (uint8_t)o->fec_id};
	b->from = o->session->from;
	b->collected = 0;
	*n = list(o, &b->blocks, NULL, 0);
	*ranges = *n ? calloc(*n, sizeof(**ranges)) : NULL;
	if (*ranges)
		list(o, &b->blocks, *ranges, *n);
	if ((*n && !*ranges) || make_room(b) < 0) {
		free(*ranges);
		*ranges = NULL;
		*n = 0;
		ret = pw_err_sys(err, ENOMEM, "cannot list what %s misses", o->name);
	}
	pthread_mutex_unlock(&r->lock);
	return ret;
}

/* The collected symbol is whole: it becomes a packet. */
static void end_symbol(struct pw_recv_bytes *b, uint64_t index, uint8_t *packet, size_t head)
{
	b->views[b->n_views++] = (struct pw_rx_view){
		.data = packet, .len = (uint32_t)(head + b->collected), .from = b->from};
	b->collected = 0;
	if (b->n_views == BATCH || index + 1 == b->blocks.n_symbols)
		flush(b);
}

void pw_recv_bytes_put(struct pw_recv_bytes *b, uint64_t at, const void *data, size_t len)
{
	const uint32_t symbol_len = b->blocks.symbol_len;
	const uint8_t *from = data;
	uint64_t n, index;
	uint32_t sbn, esi;

	if (b->collected && at != b->at)
		b->collected = 0;
	for (; len && at < b->blocks.transfer_len; at += n, from += n, len -= n) {
		uint8_t *packet = b->room + b->n_views * b->packet_bytes;
		size_t head;

		index = at / symbol_len;
		n = pw_blocks_symbol_bytes(&b->blocks, index) - at % symbol_len;
		n = pw_min_u64(n, len);
		if (at % symbol_len != b->collected)
			continue; /* its front did not come */
		pw_blocks_locate(&b->blocks, index, &sbn, &esi);
		b->hdr.sbn = sbn;
		b->hdr.esi = (uint16_t)esi;
		head = pw_alc_build(packet, &b->hdr, true);
		memcpy(packet + head + b->collected, from, n);
		b->collected += (uint32_t)n;
		if (b->collected == pw_blocks_symbol_bytes(&b->blocks, index))
			end_symbol(b, index, packet, head);
	}
	b->at = at;
}

void pw_recv_bytes_settle(struct pw_recv_bytes *b)
{
	flush(b);
	pw_recv_settle(b->r);
}

void pw_recv_bytes_destroy(struct pw_recv_bytes *b)
{
	if (!b)
		return;
	flush(b);
	free(b->room);
	free(b);
}
