/* SPDX-License-Identifier: BSD-3-Clause */
#include "replay/scan.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "base/bytes.h"
#include "wire/frame.h"
#include "wire/ip.h"

#define PAUSE        2 /* of next_frame(): what was found is sent first, or a stop is looked for */
#define PAUSE_FRAMES 4096u
#define SHARE_FRAMES \
	256u /* the same with several lanes, where frames of others cost time as well */
#define PAUSE_BYTES  (1u << 20)
#define PLAIN_FRAMES 64u
#define SMALLEST     60u /* an Ethernet frame on a wire, without its check sequence */

static int open_pass(struct pw_scan *s, struct pw_err *err)
{
	const struct pw_capture_source source = {
		.view = s->feed->view, .ctx = s->feed->ctx, .path = s->path};

	s->seen = s->sent = 0;
	s->first = (struct pw_span_first){0};
	s->time_ns = 0;
	s->open = true;
	return pw_capture_open(&s->capture, &source, err);
}

int pw_scan_open(struct pw_scan *s, const struct pw_replay_feed *feed, const char *path,
	const struct pw_scan_settings *set, struct pw_scan_max max, struct pw_err *err)
{
	s->feed = feed;
	s->path = path;
	s->set = *set;
	s->max.any = (uint32_t)pw_min_u64(max.any, PW_FRAME_LEN_MAX);
	s->max.tagged = (uint32_t)pw_min_u64(max.tagged, PW_FRAME_LEN_MAX);
	s->plain = (struct pw_capture_plain){PW_LINK_ETHERNET, SMALLEST, s->max.any};
	s->is_plain = !set->edit && !set->filter && set->span.from.kind == PW_MOMENT_NONE &&
		      set->span.to.kind == PW_MOMENT_NONE && s->max.any >= SMALLEST &&
		      pw_share_is_all(&s->share) && !s->due.by_rate;
	return open_pass(s, err);
}

void pw_scan_finish(struct pw_scan *s)
{
	if (s->open)
		pw_capture_finish(&s->capture);
	s->open = false;
}

static int check_link(const struct pw_scan *s, const struct pw_capture_frame *f, struct pw_err *err)
{
	const bool can = pw_ethernet_replaces(f->link);

	if (f->link == PW_LINK_ETHERNET || (can && s->set.ethernet))
		return 0;
	return pw_err_set(err, EPROTONOSUPPORT,
		"cannot replay %s: the link type of frame %" PRIu64 " is %u (%s), %s", s->path,
		s->seen, f->link, pw_link_name(f->link),
		can ? "which has no Ethernet header; give one with --ethernet DST,SRC"
		    : "and only Ethernet and IP are supported; rewrite it (tcprewrite --dlt=enet)");
}

/* Whether the port takes a frame of more than max.any bytes, which begins with edited bytes, or with those of f. */
static __attribute__((noinline)) bool is_taken(const struct pw_scan *s,
	const struct pw_capture_frame *f, const uint8_t *header, uint64_t len)
{
	uint8_t room[PW_ETH_LEN];

	if (len > s->max.tagged)
		return false;
	if (!header && f->len < PW_ETH_LEN)
		return false;
	if (!header)
		header = s->feed->bytes(s->feed->ctx, f->offset, PW_ETH_LEN, room);
	/* without bytes it cannot be sent: next_frame() reports it */
	return !header || pw_be16_load(header + PW_ETH_LEN - 2) == PW_ETHERTYPE_VLAN;
}

/* Applies the rules to the frame of header[header_len], edited bytes, and f, and counts in n; false: it is not sent. */
static inline bool choose(const struct pw_scan *s, struct pw_scan_counts *n,
	const struct pw_capture_frame *f, const uint8_t *header, uint16_t header_len,
	struct pw_tx_frame *out)
{
	const uint32_t have = f->len + header_len;
	const bool is_cut = f->full_len > f->len;
	uint64_t len = have;

	if (is_cut) {
		n->cut++;
		n->cut_skipped += s->set.cut == PW_RULE_SKIP;
		if (s->set.cut == PW_RULE_SKIP)
			return false;
		if (s->set.cut == PW_RULE_PAD)
			len += f->full_len - f->len;
	}
	if (len > s->max.any && !is_taken(s, f, header_len ? header : NULL, len)) {
		n->long_skipped++;
		n->cut_skipped += is_cut;
		return false;
	}
	if (len < SMALLEST || have < PW_FRAME_LEN_MIN) {
		n->small++;
		if (s->set.small == PW_RULE_SKIP || have < PW_FRAME_LEN_MIN) {
			n->small_skipped++;
			n->cut_skipped += is_cut;
			return false;
		}
		if (s->set.small == PW_RULE_PAD)
			len = SMALLEST;
	}
	out->header_len = header_len;
	out->len = (uint16_t)f->len;
	out->wire_len = (uint32_t)len;
	n->padded += len > have;
	return true;
}

/* What becomes of a frame's headers: header_len bytes in place of the first `replaced` ones. */
struct headers {
	uint16_t header_len; /* 0: the frame stays as it is */
	uint16_t replaced;
	enum pw_edit_verdict verdict;
};

/* Edits the headers of an Ethernet frame, of which the first PW_EDIT_HEADER_MAX bytes are there. */
static void edit(const struct pw_scan *s, const uint8_t *bytes, uint32_t len, uint8_t *header,
	struct headers *h)
{
	struct pw_edit_result r;

	if (s->set.edit)
		h->verdict = pw_edit_apply(s->set.edit, bytes, len, header, &r);
	if (h->verdict != PW_EDIT_DONE)
		return;
	h->header_len = r.header_len;
	h->replaced = r.replaced;
}

/* edit() of a frame with another link header, which becomes an Ethernet header first. False: it cannot. */
static bool edit_link(const struct pw_scan *s, const struct pw_capture_frame *f,
	const uint8_t *bytes, uint8_t *header, struct headers *h)
{
	uint8_t frame[PW_HEADERS_LOOK];
	uint32_t len;
	const int link_len = pw_ethernet_head(s->set.ethernet, f->link, bytes, f->len, frame, &len);

	if (link_len < 0)
		return false;
	edit(s, frame, len, header, h);
	if (h->header_len == 0) {
		memcpy(header, frame, PW_FRAME_LEN_MIN);
		h->header_len = h->replaced = PW_FRAME_LEN_MIN;
	}
	h->replaced = (uint16_t)(h->replaced - PW_FRAME_LEN_MIN + (uint32_t)link_len);
	return true;
}

/* choose() of a frame whose headers may change: f becomes what is left of it behind them. Not inlined, so that it costs
 * frames without edits nothing. */
static __attribute__((noinline)) bool choose_edited(struct pw_scan *s, struct pw_scan_counts *n,
	struct pw_capture_frame *f, struct pw_tx_frame *out)
{
	const uint32_t look = (uint32_t)pw_min_u64(f->len, sizeof(s->seam));
	const uint8_t *bytes = s->feed->bytes(s->feed->ctx, f->offset, look, s->seam);
	uint8_t *header = s->headers[s->next_header];
	const bool is_ethernet = f->link == PW_LINK_ETHERNET;
	struct headers h = {.verdict = PW_EDIT_SAME};

	/* without bytes it cannot be sent: next_frame() reports it */
	if (bytes && is_ethernet) {
		edit(s, bytes, f->len, header, &h);
	} else if (bytes && !edit_link(s, f, bytes, header, &h)) {
		n->no_ethernet++;
		return false;
	}
	f->full_len = (uint32_t)pw_max_u64(f->full_len, f->len) - h.replaced;
	f->len -= h.replaced;
	f->offset += h.replaced;
	if (!choose(s, n, f, header, h.header_len, out))
		return false;
	n->edit_cut += h.verdict == PW_EDIT_CUT;
	n->edit_deep += h.verdict == PW_EDIT_DEEP;
	n->edited += h.verdict == PW_EDIT_DONE;
	n->ethernet += !is_ethernet;
	if (h.header_len == 0 || n == &s->others)
		return true;
	out->header = header;
	if (++s->next_header == PW_ARRAY_LEN(s->headers))
		s->next_header = 0;
	return true;
}

static int too_long(const struct pw_scan *s, struct pw_err *err)
{
	return pw_err_set(err, EBADMSG,
		"cannot replay %s: the block of frame %" PRIu64
		" is longer than the ring's slots take; use --pages pagecache",
		s->path, s->seen);
}

/* Which frames of the capture the user asks for: 1, 0, -errno. */
static int is_wanted(struct pw_scan *s, const struct pw_capture_frame *f, struct pw_err *err)
{
	struct pw_filter *filter = s->set.filter;
	const bool in_span = pw_span_has(&s->set.span, &s->first, f->has_time, f->time_ns);
	const uint8_t *bytes;
	int r;

	if (s->seen <= s->set.skip)
		return 0;
	s->found.other_time += !in_span;
	if (!in_span)
		return 0;
	if (!filter)
		return 1;
	bytes = s->feed->bytes(s->feed->ctx, f->offset, f->len, pw_filter_room(filter));
	if (!bytes)
		return too_long(s, err);
	r = pw_filter_match(filter, f, bytes, err);
	s->found.filtered += r == 0;
	return r;
}

/* 1: the next pass has begun. 0: this was the last. */
static int next_pass(struct pw_scan *s, struct pw_err *err)
{
	int r;

	s->found.file_is_cut |= s->capture.is_cut;
	if (s->seen == 0)
		return pw_err_set(err, ENODATA, "cannot replay %s: it has no frames", s->path);
	s->found.passes++;
	/* passes without a frame would never end */
	if (s->found.passes == s->set.loops || s->sent == 0)
		return 0;
	r = s->feed->rewind(s->feed->ctx, err);
	if (r)
		return r;
	pw_capture_finish(&s->capture);
	pw_due_begin(&s->due);
	r = open_pass(s, err);
	return r ? r : 1;
}

/* Many frames that are not sent do not hold up those that are, or the memory that they are in. n_looked: of this and of
 * earlier passes, because a lane may have no frame in any of them. */
static bool is_far(const struct pw_scan *s, uint64_t from, uint64_t n_looked)
{
	const uint64_t max = pw_share_is_all(&s->share) ? PAUSE_FRAMES : SHARE_FRAMES;

	return s->capture.at - from > PAUSE_BYTES || n_looked > max;
}

/* share_of() a frame with another link header: that of its packet. Those that cannot be sent are all of one flow, so that
 * one lane counts each. */
static enum pw_share_verdict share_of_link(
	struct pw_scan *s, const struct pw_capture_frame *f, const uint8_t *bytes)
{
	uint8_t frame[PW_HEADERS_LOOK];
	uint32_t len;

	if (pw_ethernet_head(s->set.ethernet, f->link, bytes, f->len, frame, &len) < 0)
		len = 0;
	return pw_share_of(&s->share, frame, len, s->seen - 1);
}

/* Asked of frames that are not wanted as well: a flow's first frame may be one of them. */
static inline enum pw_share_verdict share_of(struct pw_scan *s, const struct pw_capture_frame *f)
{
	const bool is_ethernet = f->link == PW_LINK_ETHERNET;
	const uint32_t look = is_ethernet ? PW_HEADERS_LOOK : (uint32_t)sizeof(s->seam);
	const uint8_t *bytes;

	if (pw_share_is_all(&s->share))
		return PW_SHARE_OWN;
	/* check_link() refuses it, if it is wanted */
	if (!is_ethernet && !(s->set.ethernet && pw_ethernet_replaces(f->link)))
		return PW_SHARE_OTHER;
	bytes = s->feed->bytes(
		s->feed->ctx, f->offset, (uint32_t)pw_min_u64(f->len, look), s->seam);
	if (!bytes)
		return PW_SHARE_LOST;
	return is_ethernet ? pw_share_of(&s->share, bytes, f->len, s->seen - 1)
			   : share_of_link(s, f, bytes);
}

/* Of a frame that is wanted. 1: it is sent; 0: it is not. */
static int check_share(struct pw_scan *s, enum pw_share_verdict share, struct pw_err *err)
{
	if (share == PW_SHARE_LOST)
		return too_long(s, err);
	s->found.no_side += share == PW_SHARE_NONE;
	if (share != PW_SHARE_END)
		return share != PW_SHARE_NONE;
	return pw_err_set(err, EBADMSG,
		"cannot replay %s: %s has %" PRIu64
		" frames, and the capture has more, so it was made from another one; make it anew "
		"with tcpprep",
		s->path, s->share.sides->cache_path, s->share.sides->cache.n_frames);
}

/* Whether the frame is sent, by this lane or by another, and in which form. */
static inline bool is_sent(
	struct pw_scan *s, struct pw_capture_frame *f, bool own, struct pw_tx_frame *out)
{
	struct pw_scan_counts *n = own ? &s->n : &s->others;

	/* of other lanes' frames only the length counts */
	const bool edits = s->set.edit && (own || s->set.edit->vlan != PW_EDIT_VLAN_KEEP);

	if (!(edits || f->link != PW_LINK_ETHERNET ? choose_edited(s, n, f, out)
						   : choose(s, n, f, NULL, 0, out)))
		return false;
	s->sent++;
	n->frames++;
	return true;
}

/* 1: *out is the next frame to send. 0: there is none left. PAUSE. pending: frames before it are not yet sent. */
static int next_frame(struct pw_scan *s, bool pending, struct pw_tx_frame *out,
	struct pw_tx_object **obj, struct pw_err *err)
{
	uint64_t from = s->capture.at, n_looked = 0;
	struct pw_capture_frame f;
	enum pw_share_verdict share;
	int r;

	for (;;) {
		if (is_far(s, from, n_looked))
			return PAUSE;
		r = s->set.limit && s->sent == s->set.limit ? 0
							    : pw_capture_next(&s->capture, &f, err);
		if (r == 0 && pending && s->feed->taken)
			return PAUSE;
		if (r == 0) {
			r = next_pass(s, err);
			if (r <= 0)
				return r;
			from = s->capture.at;
			continue;
		}
		if (r < 0)
			return r;
		s->seen++;
		n_looked++;
		share = share_of(s, &f);
		r = is_wanted(s, &f, err);
		if (r > 0)
			r = check_link(s, &f, err);
		else if (r == 0)
			continue;
		if (r == 0)
			r = check_share(s, share, err);
		if (r < 0)
			return r;
		if (r == 0 || !is_sent(s, &f, share == PW_SHARE_OWN, out))
			continue;
		out->due_ns = s->due.by_rate ? pw_due_by_rate(&s->due, out->wire_len)
					     : pw_due_next(&s->due, f.has_time, f.time_ns);
		if (share == PW_SHARE_OWN)
			break;
	}
	s->time_ns = f.has_time ? f.time_ns : s->time_ns;
	*obj = s->feed->object(s->feed->ctx, f.offset, &out->offset);
	if (!*obj)
		return too_long(s, err);
	return 1;
}

/* Frames that next_frame() would find and send as they are, after the first one of a pass. Adds their bytes. */
static uint32_t take_plain(struct pw_scan *s, struct pw_tx_frame *out, uint32_t room,
	struct pw_tx_object **obj, uint64_t *bytes)
{
	struct pw_capture_frame found[PLAIN_FRAMES];
	uint64_t shift;
	uint32_t n, i;

	if (!s->is_plain || s->sent == 0)
		return 0;
	room = (uint32_t)pw_min_u64(room, PLAIN_FRAMES);
	if (s->set.limit)
		room = (uint32_t)pw_min_u64(room, s->set.limit - s->sent);
	n = pw_capture_take(&s->capture, &s->plain, found, room);
	if (n == 0)
		return 0;
	/* all of them are in the same view */
	*obj = s->feed->object(s->feed->ctx, found[0].offset, &shift);
	shift -= found[0].offset;
	for (i = 0; i < n; i++) {
		out[i] = (struct pw_tx_frame){.offset = found[i].offset + shift,
			.due_ns = pw_due_next_timed(&s->due, found[i].time_ns),
			.len = (uint16_t)found[i].len,
			.wire_len = found[i].len};
		*bytes += found[i].len;
	}
	s->time_ns = found[n - 1].time_ns;
	s->seen += n;
	s->sent += n;
	s->n.frames += n;
	return n;
}

int pw_scan_next(
	void *ctx, struct pw_send_lane *lane, struct pw_send_range *range, struct pw_err *err)
{
	struct pw_scan *s = ctx;
	struct pw_tx_object *obj = s->kept_obj, *next = NULL;
	uint64_t bytes = 0;
	uint32_t n = 0;
	int r = 1;

	if (s->failed.code) {
		*err = s->failed;
		return -err->code;
	}
	if (s->feed->taken)
		s->feed->taken(s->feed->ctx, obj != NULL);
	if (obj)
		s->frames[n++] = s->kept;
	s->kept_obj = NULL;
	while (n < PW_SCAN_FRAMES && !s->done) {
		const uint32_t n_plain =
			take_plain(s, &s->frames[n], PW_SCAN_FRAMES - n, &obj, &bytes);

		n += n_plain;
		if (n_plain)
			continue;
		r = next_frame(s, n > 0, &s->frames[n], &next, err);
		if (r <= 0 || (r == PAUSE && n))
			break;
		if (r == PAUSE) {
			r = pw_lane_pause(lane, 1, err);
			if (r)
				break;
			continue;
		}
		if (n && next != obj) {
			s->kept = s->frames[n];
			s->kept_obj = next;
			break;
		}
		obj = next;
		bytes += s->frames[n].wire_len;
		n++;
	}
	s->done |= r == 0;
	if (r == -ECANCELED || (r < 0 && n == 0))
		return r;
	if (r < 0)
		s->failed = *err;
	*range = (struct pw_send_range){.obj = obj,
		.to = n,
		.frames = s->frames,
		.mean_len = (uint32_t)(bytes / (n ? n : 1))};
	return n > 0;
}
