/* SPDX-License-Identifier: BSD-3-Clause */
/* TOI 0: the FDT instance in packets, and the session's end. */
#include <errno.h>
#include <stdlib.h>
#include <time.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "send/send_private.h"

#define FDT_LIFE_S \
	3600 /* Expires: an hour from now; a carousel makes a new instance at half time */
#define FDT_RENEW_NS  (FDT_LIFE_S / 2 * PW_NS_PER_S)
#define CLOSE_PACKETS 5 /* at least: a receiver believes two of them, and each may be lost */
#define CLOSE_GAP_NS  5000000ull
#define DRAIN_NS      2000000000ull
#define DRAIN_GAP_NS  50000ull
#define LINGER_NS     250000000ull /* a peer that was not running takes its last packets in it */
#define LINGER_GAP_NS 5000000ull

static void fill_entry(struct pw_fdt_file *e, const struct pw_send_slot *slot)
{
	e->location = slot->file->name;
	e->toi = slot->obj.toi;
	e->content_len = e->transfer_len = slot->win.len_bytes;
	e->symbol_len = slot->obj.blocks.symbol_len;
	e->max_sbl = slot->obj.blocks.max_sbl;
	e->fec_id = PW_FEC_ID_NO_CODE;
	e->digest = slot->file->digest;
	e->digest_later = slot->digest != NULL;
	e->md5 = slot->file->md5;
	e->has_mode = e->has_mtime = true;
	e->mode = slot->file->mode;
	e->mtime_ns = slot->file->mtime_ns;
}

int pw_send_fdt_build(struct pw_send *s, bool last, struct pw_err *err)
{
	struct pw_fdt_file entries[PW_SEND_GROUP] = {0};
	struct pw_fdt fdt = {
		.expires_ntp = pw_fdt_ntp((uint64_t)time(NULL) + FDT_LIFE_S),
		.complete = last,
		.n_session_files = s->cfg.files->n,
		.files = entries,
		.n_files = s->n_group,
	};
	size_t i;

	for (i = 0; i < s->n_group; i++)
		fill_entry(&entries[i], s->group[i]);
	free(s->fdt);
	s->fdt = NULL;
	s->fdt_instance = s->fdt_next;
	s->fdt_next = (s->fdt_next + 1) & PW_FDT_INSTANCE_MAX;
	s->fdt_last = last;
	s->fdt_built_ns = pw_clock_ns();
	s->fdt_news = false;
	return pw_fdt_build(&fdt, &s->fdt, &s->fdt_len, err);
}

/* How the FDT instance is cut: by the MTU, since --symbol may be tiny. */
static int fdt_blocks(const struct pw_send *s, const struct pw_alc_hdr *hdr, struct pw_blocks *b,
	struct pw_err *err)
{
	size_t overhead = pw_frame_l3_overhead(&s->cfg.flow) + pw_alc_len(hdr, s->wide);
	uint32_t symbol = s->cfg.mtu > overhead ? (uint32_t)(s->cfg.mtu - overhead) : 0;

	return pw_blocks_init(b, s->fdt_len, (uint32_t)pw_min_u64(symbol & ~3u, 16384), 4096, err);
}

static struct pw_alc_hdr fdt_header(const struct pw_send *s, bool close_session)
{
	return (struct pw_alc_hdr){
		.tsi = s->cfg.tsi,
		.toi = PW_FDT_TOI,
		.close_session = close_session,
		.codepoint = PW_FEC_ID_NO_CODE,
		.has_fdt = true,
		.fdt_version = PW_FLUTE_VERSION,
		.fdt_instance = s->fdt_instance,
		.has_fti = true,
		.transfer_len = s->fdt_len,
	};
}

static int send_fdt_packets(
	struct pw_send *s, bool close_session, uint64_t n_max, struct pw_err *err)
{
	struct pw_alc_hdr hdr = fdt_header(s, close_session);
	struct pw_blocks b;
	uint8_t alc[PW_ALC_HDR_MAX];
	uint64_t i;
	int r = fdt_blocks(s, &hdr, &b, err);

	hdr.symbol_len = (uint16_t)b.symbol_len;
	hdr.max_sbl = b.max_sbl;
	for (i = 0; r == 0 && i < b.n_symbols && i < n_max; i++) {
		uint32_t len = pw_blocks_symbol_bytes(&b, i), sbn, esi;
		struct pw_frame_tmpl t;
		size_t alc_len;

		pw_blocks_locate(&b, i, &sbn, &esi);
		hdr.sbn = (uint16_t)sbn;
		hdr.esi = (uint16_t)esi;
		alc_len = pw_alc_build(alc, &hdr, s->wide);
		pw_frame_template(
			&t, &s->cfg.flow, alc, alc_len, (uint16_t)len, s->cfg.csum_offload);
		r = pw_send_control(s, &t, s->fdt + i * b.symbol_len, len, err);
	}
	return r;
}

int pw_send_fdt(struct pw_send *s, bool close_session, struct pw_err *err)
{
	uint64_t now = pw_clock_ns();
	int r = 0;

	s->next_fdt_ns = now + s->cfg.set.fdt_interval_ns;
	if (now - s->fdt_built_ns > FDT_RENEW_NS || s->fdt_news)
		r = pw_send_fdt_build(s, s->fdt_last, err);
	return r ? r : send_fdt_packets(s, close_session, UINT64_MAX, err);
}

void pw_send_alive(struct pw_send *s)
{
	struct pw_alc_hdr hdr = {
		.tsi = s->cfg.tsi, .toi = PW_FDT_TOI, .codepoint = PW_FEC_ID_NO_CODE};
	uint8_t alc[PW_ALC_HDR_MAX];
	struct pw_frame_tmpl t;

	pw_frame_template(
		&t, &s->cfg.flow, alc, pw_alc_build(alc, &hdr, s->wide), 0, s->cfg.csum_offload);
	s->cfg.ops->send_copy(s->cfg.path, &t, "", 0);
}

/* The time passes even where a pause ends early, as it does when a file's pages are lost: packets that
 * leave together are lost together. */
static void keep_apart(struct pw_send *s, uint64_t ns)
{
	const uint64_t end = pw_clock_ns() + ns;
	uint64_t now;

	if (pw_send_pause(s, ns, NULL) == 0)
		return;
	while ((now = pw_clock_ns()) < end)
		nanosleep(&(struct timespec){.tv_nsec = (long)(end - now)}, NULL);
}

/* Packets with the close flag, apart in time; then more of them until the driver has freed every
 * payload mbuf: lazy drivers reclaim only when they are handed new packets. A peer that has all it
 * wants may be gone by now, which is no error. */
int pw_send_close_session(struct pw_send *s, struct pw_err *err)
{
	const struct pw_tx_ops *ops = s->cfg.ops;
	uint64_t start = pw_clock_ns(), now = start, end, gap;
	uint64_t n = 0;
	int r;

	s->cfg.stopped = NULL; /* a signal finds the session ended: this is short */
	while (ops->alive(s->cfg.path)) {
		if (n >= CLOSE_PACKETS && ops->outstanding(s->cfg.path) == 0)
			break;
		if (now - start > DRAIN_NS) {
			pw_warn(s->cfg.log, "%s keeps %u packets: the last ones may not have left",
				s->cfg.path_text, ops->outstanding(s->cfg.path));
			break;
		}
		/* digests that came last are in no other */
		r = send_fdt_packets(
			s, true, s->fdt_late && n < CLOSE_PACKETS ? UINT64_MAX : 1, err);
		if (r)
			return r == -ENOLINK ? 0 : r;
		gap = n < CLOSE_PACKETS ? CLOSE_GAP_NS : DRAIN_GAP_NS;
		if (n >= CLOSE_PACKETS && s->pace.on) /* a driver may ask for a ring full of them */
			gap = pw_max_u64(gap, pw_pace_wait(&s->pace, pw_clock_ns()));
		keep_apart(s, pw_min_u64(gap, DRAIN_NS));
		n++;
		now = pw_clock_ns();
	}
	/* the ring's memory may go with us; a peer that has all it wants is gone first */
	for (end = now + LINGER_NS; now < end && ops->alive(s->cfg.path); now = pw_clock_ns())
		pw_send_pause(s, LINGER_GAP_NS, NULL);
	return 0;
}
