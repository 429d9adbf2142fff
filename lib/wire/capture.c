/* SPDX-License-Identifier: BSD-3-Clause */
/* Tells the format of a capture, and reads pcap (draft-ietf-opsawg-pcap). */
#include "wire/capture.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "wire/capture_private.h"

#define FILE_HEADER_LEN   24u
#define RECORD_HEADER_LEN 16u
#define KUZNETZOV_LEN     24u         /* a record header with interface, protocol and packet type */
#define LINK_MASK         0x03ffffffu /* the other bits tell the length of the FCS */
#define MAGIC_US          0xa1b2c3d4u
#define MAGIC_NS          0xa1b23c4du
#define MAGIC_KUZNETZOV   0xa1b2cd34u
#define MAGIC_NG          0x0a0d0d0au /* the same in both byte orders */
#define NS_PER_S          1000000000ll

int pw_capture_bad(const struct pw_capture *c, struct pw_err *err, const char *fmt, ...)
{
	char text[160];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	return pw_err_set(err, EBADMSG, "cannot read %s: %s", c->source.path, text);
}

int pw_capture_cut(struct pw_capture *c)
{
	c->is_cut = true;
	return 0;
}

static int next_record(struct pw_capture *c, struct pw_capture_frame *frame, struct pw_err *err)
{
	const uint8_t *p;
	uint32_t part;
	int r = pw_capture_look(c, c->at, 1, &p, err);

	if (r <= 0)
		return r;
	r = pw_capture_look(c, c->at, c->header_len, &p, err);
	if (r <= 0)
		return r ? r : pw_capture_cut(c);
	part = pw_capture_u32(c, p + 4);
	*frame = (struct pw_capture_frame){
		.offset = c->at + c->header_len,
		.len = pw_capture_u32(c, p + 8),
		.full_len = pw_capture_u32(c, p + 12),
		.time_ns = pw_capture_u32(c, p) * NS_PER_S + (int64_t)part * c->unit_ns,
		.has_time = true,
		.link = c->link,
	};
	if (frame->len > PW_CAPTURE_FRAME_MAX)
		return pw_capture_bad(c, err,
			"the record at byte %" PRIu64 " says that its frame has %u bytes, and the "
			"limit is %u; the file is damaged there",
			c->at, frame->len, PW_CAPTURE_FRAME_MAX);
	if (frame->len == 0)
		r = 1;
	else
		r = pw_capture_look(c, frame->offset + frame->len - 1, 1, &p, err);
	if (r <= 0)
		return r ? r : pw_capture_cut(c);
	c->at = frame->offset + frame->len;
	c->n_frames++;
	return 1;
}

/* pw_capture_take() for one byte order. */
static inline __attribute__((always_inline)) uint32_t take(struct pw_capture *c,
	const struct pw_capture_plain *plain, struct pw_capture_frame *frames, uint32_t n,
	bool swapped)
{
	const uint8_t *base = c->view.bytes - c->view.from;
	const uint64_t to = c->view.to;
	const uint32_t head = c->header_len, unit_ns = c->unit_ns;
	const uint32_t min = plain->min, range = plain->max - plain->min;
	uint64_t at = c->at;
	uint32_t i;

	for (i = 0; i < n && at + head <= to; i++) {
		const uint8_t *p = base + at;
		const uint32_t len = pw_capture_load(p + 8, swapped);
		const uint64_t end = at + head + len;

		if (len - min > range || pw_capture_load(p + 12, swapped) > len || end > to)
			break;
		frames[i].offset = at + head;
		frames[i].len = len;
		frames[i].time_ns = pw_capture_load(p, swapped) * NS_PER_S +
				    (int64_t)pw_capture_load(p + 4, swapped) * unit_ns;
		pw_capture_prefetch(p, head + len);
		at = end;
	}
	c->at = at;
	c->n_frames += i;
	return i;
}

static uint32_t take_records(struct pw_capture *c, const struct pw_capture_plain *plain,
	struct pw_capture_frame *frames, uint32_t n)
{
	if (c->link != plain->link || c->at < c->view.from)
		return 0;
	return c->swapped ? take(c, plain, frames, n, true) : take(c, plain, frames, n, false);
}

static int open_pcap(struct pw_capture *c, uint32_t magic, struct pw_err *err)
{
	const uint8_t *p;
	uint32_t link;
	int r = pw_capture_look(c, 0, FILE_HEADER_LEN, &p, err);

	if (r == 0)
		return pw_capture_bad(c, err, "it ends within the header of a pcap");
	if (r < 0)
		return r;
	if (pw_capture_u16(c, p + 4) != 2 || pw_capture_u16(c, p + 6) < 4)
		return pw_capture_bad(c, err,
			"it is a pcap of version %u.%u, and only 2.4 is supported; convert it "
			"(editcap)",
			pw_capture_u16(c, p + 4), pw_capture_u16(c, p + 6));
	link = pw_capture_u32(c, p + 20) & LINK_MASK;
	if (link > UINT16_MAX)
		return pw_capture_bad(c, err, "its link type %u does not exist", link);
	c->link = (uint16_t)link;
	c->unit_ns = magic == MAGIC_NS ? 1 : 1000;
	c->header_len = magic == MAGIC_KUZNETZOV ? KUZNETZOV_LEN : RECORD_HEADER_LEN;
	c->at = FILE_HEADER_LEN;
	c->next = next_record;
	c->take = take_records;
	return 0;
}

static bool is_pcap(uint32_t magic)
{
	return magic == MAGIC_US || magic == MAGIC_NS || magic == MAGIC_KUZNETZOV;
}

int pw_capture_open(
	struct pw_capture *c, const struct pw_capture_source *source, struct pw_err *err)
{
	const uint8_t *p;
	uint32_t magic;
	int r;

	*c = (struct pw_capture){.source = *source};
	r = pw_capture_look(c, 0, sizeof(magic), &p, err);
	if (r < 0)
		return r;
	if (r == 0)
		return pw_capture_bad(
			c, err, "it is too short for a capture; give a pcap or a pcapng");
	magic = pw_capture_u32(c, p);
	if (magic == MAGIC_NG)
		return pw_capture_open_ng(c, err);
	if (!is_pcap(magic)) {
		c->swapped = true;
		magic = pw_capture_u32(c, p);
	}
	if (is_pcap(magic))
		return open_pcap(c, magic, err);
	return pw_capture_bad(c, err, "it is not a capture; give a pcap or a pcapng");
}

void pw_capture_finish(struct pw_capture *c)
{
	free(c->interfaces);
	*c = (struct pw_capture){0};
}

const char *pw_link_name(uint16_t link)
{
	switch (link) {
	case PW_LINK_ETHERNET:
		return "Ethernet";
	case PW_LINK_NULL:
	case PW_LINK_LOOP:
		return "BSD loopback";
	case PW_LINK_RAW:
	case PW_LINK_RAW_BSD:
	case PW_LINK_RAW_OPENBSD:
		return "raw IP";
	case PW_LINK_SLL:
		return "Linux cooked v1";
	case PW_LINK_IPV4:
		return "raw IPv4";
	case PW_LINK_IPV6:
		return "raw IPv6";
	case PW_LINK_SLL2:
		return "Linux cooked v2";
	default:
		return "an unknown type";
	}
}
