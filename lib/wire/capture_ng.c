/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Reads pcapng (draft-ietf-opsawg-pcapng). A block:
 *
 *   | type | total length | body, padded to 4 bytes | total length |
 *
 * A section header block gives the byte order of its section and ends the interfaces of the section before.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

#include "wire/capture_private.h"

#define BLOCK_IDB       1u
#define BLOCK_PB        2u /* obsolete */
#define BLOCK_SPB       3u
#define BLOCK_EPB       6u
#define BLOCK_SHB       0x0a0d0d0au
#define BYTE_ORDER_NG   0x1a2b3c4du
#define BLOCK_MIN       12u         /* type and twice the length */
#define BLOCK_MAX       (16u << 20) /* libpcap has the same bound */
#define HEAD_LEN        8u
#define TAIL_LEN        4u
#define SHB_LEN         28u
#define IDB_LEN         20u
#define EPB_HEAD_LEN    28u
#define OPT_END         0
#define OPT_TSRESOL     9
#define OPT_TSOFFSET    14
#define RESOLUTION_US   6
#define MAX_POWER_OF_10 19 /* 10^19 fits 64 bits */
#define NS_PER_S        1000000000u

struct block {
	uint64_t at; /* of its first byte */
	uint32_t type, len;
};

static int bad(
	const struct pw_capture *c, const struct block *b, const char *what, struct pw_err *err)
{
	return pw_capture_bad(
		c, err, "the block at byte %" PRIu64 " %s; the file is damaged there", b->at, what);
}

/* Units that are not a whole number of nanoseconds; rounded down. */
static uint64_t scaled_ns(uint8_t resolution, uint64_t t)
{
	const unsigned int power = resolution & 0x7f;
	__extension__ unsigned __int128 ns = t;
	uint64_t units = 1;
	unsigned int n;

	if (resolution & 0x80)
		return power < 64 ? (uint64_t)(ns * NS_PER_S >> power) : 0;
	if (power > MAX_POWER_OF_10)
		return 0;
	for (n = 0; n < power; n++)
		units *= 10;
	return (uint64_t)(ns * NS_PER_S / units);
}

/* Times beyond 64 bits of nanoseconds wrap around: the caller takes them as jumps. */
static int64_t time_of(const struct pw_capture_interface *i, uint32_t high, uint32_t low)
{
	const uint64_t t = (uint64_t)high << 32 | low;
	const uint64_t ns = i->unit_ns ? t * i->unit_ns : scaled_ns(i->resolution, t);

	return (int64_t)(ns + (uint64_t)i->offset_s * NS_PER_S);
}

static uint32_t unit_of(uint8_t resolution)
{
	uint32_t ns = NS_PER_S;

	if (resolution > 9)
		return 0;
	while (resolution--)
		ns /= 10;
	return ns;
}

/* Reads type and length of the block at c->at, whose end must be in the file. 0: the file is at its end, or
 * cut. */
static int read_block(struct pw_capture *c, struct block *b, struct pw_err *err)
{
	const uint8_t *p;
	int r = pw_capture_look(c, c->at, 1, &p, err);

	if (r <= 0)
		return r;
	r = pw_capture_look(c, c->at, HEAD_LEN + TAIL_LEN, &p, err);
	if (r <= 0)
		return r ? r : pw_capture_cut(c);
	*b = (struct block){.at = c->at, .type = pw_capture_u32(c, p)};
	if (b->type == BLOCK_SHB) {
		c->swapped = false;
		c->swapped = pw_capture_u32(c, p + 8) != BYTE_ORDER_NG;
		if (pw_capture_u32(c, p + 8) != BYTE_ORDER_NG)
			return bad(c, b, "is a section header without a byte order", err);
	}
	b->len = pw_capture_u32(c, p + 4);
	if (b->len < BLOCK_MIN || b->len % 4 || b->len > BLOCK_MAX)
		return bad(c, b, "has a length that cannot be", err);
	return 1;
}

/* The block's end repeats its length. */
static int check_end(struct pw_capture *c, const struct block *b, struct pw_err *err)
{
	const uint8_t *p;
	int r = pw_capture_look(c, b->at + b->len - TAIL_LEN, TAIL_LEN, &p, err);

	if (r <= 0)
		return r ? r : pw_capture_cut(c);
	if (pw_capture_u32(c, p) != b->len)
		return bad(c, b, "has two lengths that differ", err);
	c->at = b->at + b->len;
	return 1;
}

/* Shows the first n bytes of the block, which must have them before its end. */
static int look(struct pw_capture *c, const struct block *b, uint32_t n, const uint8_t **p,
	struct pw_err *err)
{
	int r;

	if (b->len < n + TAIL_LEN)
		return bad(c, b, "is shorter than its kind", err);
	r = pw_capture_look(c, b->at, n, p, err);
	return r == 0 ? pw_capture_cut(c) : r;
}

static int start_section(struct pw_capture *c, const struct block *b, struct pw_err *err)
{
	const uint8_t *p;
	uint64_t len;
	int r = look(c, b, SHB_LEN - TAIL_LEN, &p, err);

	if (r <= 0)
		return r;
	if (pw_capture_u16(c, p + 12) != 1)
		return pw_capture_bad(c, err,
			"it is a pcapng of version %u.%u; convert it (editcap)",
			pw_capture_u16(c, p + 12), pw_capture_u16(c, p + 14));
	if (b->at < c->section_end && b->at != c->section_at)
		return pw_capture_bad(c, err,
			"a section begins at byte %" PRIu64 ", inside the section that began at "
			"byte %" PRIu64 "; the file is damaged there",
			b->at, c->section_at);
	len = c->swapped ? (uint64_t)pw_capture_u32(c, p + 16) << 32 | pw_capture_u32(c, p + 20)
			 : (uint64_t)pw_capture_u32(c, p + 20) << 32 | pw_capture_u32(c, p + 16);
	c->section_at = b->at;
	c->section_end = len < INT64_MAX ? b->at + b->len + len : 0;
	c->n_interfaces = 0;
	return 1;
}

/* One option of an interface: its code, then its length, then its value. */
static int take_option(struct pw_capture *c, struct pw_capture_interface *i, uint64_t at,
	uint16_t code, uint16_t len, struct pw_err *err)
{
	const uint8_t *p;
	uint64_t high, low;
	int r = 1;

	if (code == OPT_TSRESOL && len == 1) {
		r = pw_capture_look(c, at, 1, &p, err);
		if (r > 0)
			i->resolution = *p;
	} else if (code == OPT_TSOFFSET && len == 8) {
		r = pw_capture_look(c, at, 8, &p, err);
		if (r > 0) {
			high = pw_capture_u32(c, c->swapped ? p : p + 4);
			low = pw_capture_u32(c, c->swapped ? p + 4 : p);
			i->offset_s = (int64_t)(high << 32 | low);
		}
	}
	return r == 0 ? pw_capture_cut(c) : r;
}

static int read_options(struct pw_capture *c, const struct block *b, struct pw_capture_interface *i,
	struct pw_err *err)
{
	const uint64_t end = b->at + b->len - TAIL_LEN;
	uint64_t at = b->at + IDB_LEN - TAIL_LEN;
	const uint8_t *p;
	uint16_t code, len;
	int r = 1;

	while (r > 0 && at + 4 <= end) {
		r = pw_capture_look(c, at, 4, &p, err);
		if (r <= 0)
			return r ? r : pw_capture_cut(c);
		code = pw_capture_u16(c, p);
		len = pw_capture_u16(c, p + 2);
		at += 4;
		if (code == OPT_END)
			break;
		if (len > end - at)
			return bad(c, b, "has an option that is longer than the block", err);
		r = take_option(c, i, at, code, len, err);
		at += (len + 3u) & ~3u;
	}
	return r;
}

static int add_interface(struct pw_capture *c, const struct block *b, struct pw_err *err)
{
	struct pw_capture_interface i = {.resolution = RESOLUTION_US}, *v;
	const uint8_t *p;
	int r = look(c, b, IDB_LEN - TAIL_LEN, &p, err);

	if (r <= 0)
		return r;
	i.link = pw_capture_u16(c, p + 8);
	i.snap_len = pw_capture_u32(c, p + 12);
	r = read_options(c, b, &i, err);
	if (r <= 0)
		return r;
	if (c->n_interfaces == PW_CAPTURE_INTERFACES_MAX)
		return bad(c, b, "is one interface more than the limit of a section", err);
	i.unit_ns = unit_of(i.resolution);
	if (c->n_interfaces == c->room) {
		const uint32_t room = c->room ? 2 * c->room : 4;

		v = realloc(c->interfaces, room * sizeof(*v));
		if (!v)
			return pw_err_sys(err, ENOMEM, "cannot read %s", c->source.path);
		c->interfaces = v;
		c->room = room;
	}
	c->interfaces[c->n_interfaces++] = i;
	return 1;
}

/* Fills what EPB, PB and SPB have in common. header: bytes in front of the frame. */
static int set_frame(struct pw_capture *c, const struct block *b, uint32_t header,
	struct pw_capture_frame *frame, struct pw_err *err)
{
	if (frame->interface >= c->n_interfaces)
		return bad(c, b, "names an interface that its section does not describe", err);
	if (frame->len > b->len - header - TAIL_LEN)
		return bad(c, b, "has a frame that is longer than the block", err);
	if (frame->len > PW_CAPTURE_FRAME_MAX)
		return bad(c, b, "has a frame of more than 262144 bytes", err);
	frame->offset = b->at + header;
	frame->link = c->interfaces[frame->interface].link;
	return 1;
}

/* EPB and PB differ only in how they name the interface. */
static int read_packet(struct pw_capture *c, const struct block *b, struct pw_capture_frame *frame,
	struct pw_err *err)
{
	const uint8_t *p;
	int r = look(c, b, 28, &p, err);

	if (r <= 0)
		return r;
	*frame = (struct pw_capture_frame){
		.interface =
			b->type == BLOCK_EPB ? pw_capture_u32(c, p + 8) : pw_capture_u16(c, p + 8),
		.len = pw_capture_u32(c, p + 20),
		.full_len = pw_capture_u32(c, p + 24),
		.has_time = true,
	};
	if (frame->interface < c->n_interfaces)
		frame->time_ns = time_of(&c->interfaces[frame->interface],
			pw_capture_u32(c, p + 12), pw_capture_u32(c, p + 16));
	return set_frame(c, b, 28, frame, err);
}

static int read_simple(struct pw_capture *c, const struct block *b, struct pw_capture_frame *frame,
	struct pw_err *err)
{
	const uint8_t *p;
	uint32_t snap, room;
	int r = look(c, b, 12, &p, err);

	if (r <= 0)
		return r;
	room = b->len - 12 - TAIL_LEN;
	*frame = (struct pw_capture_frame){.full_len = pw_capture_u32(c, p + 8)};
	snap = c->n_interfaces ? c->interfaces[0].snap_len : 0;
	frame->len = frame->full_len;
	if (snap && frame->len > snap)
		frame->len = snap;
	if (frame->len > room && !snap)
		frame->len = room; /* a writer that cut frames without a snap length */
	return set_frame(c, b, 12, frame, err);
}

static int next_block(struct pw_capture *c, struct pw_capture_frame *frame, struct pw_err *err)
{
	struct block b = {0};
	bool is_frame;
	int r;

	do {
		r = read_block(c, &b, err);
		is_frame = b.type == BLOCK_EPB || b.type == BLOCK_SPB || b.type == BLOCK_PB;
		if (r > 0 && b.type == BLOCK_SHB)
			r = start_section(c, &b, err);
		else if (r > 0 && b.type == BLOCK_IDB)
			r = add_interface(c, &b, err);
		else if (r > 0 && b.type == BLOCK_SPB)
			r = read_simple(c, &b, frame, err);
		else if (r > 0 && is_frame)
			r = read_packet(c, &b, frame, err);
		if (r > 0)
			r = check_end(c, &b, err);
	} while (r > 0 && !is_frame);
	if (r > 0)
		c->n_frames++;
	return r;
}

/* pw_capture_take() for one byte order. */
static inline __attribute__((always_inline)) uint32_t take(struct pw_capture *c,
	const struct pw_capture_plain *plain, struct pw_capture_frame *frames, uint32_t n,
	bool swapped)
{
	const uint8_t *base = c->view.bytes - c->view.from;
	const uint32_t min = plain->min, range = plain->max - plain->min;
	uint64_t at = c->at;
	uint32_t i;

	for (i = 0; i < n && at + EPB_HEAD_LEN <= c->view.to; i++) {
		const uint8_t *p = base + at;
		const uint32_t block_len = pw_capture_load(p + 4, swapped);
		const uint32_t id = pw_capture_load(p + 8, swapped);
		const uint32_t len = pw_capture_load(p + 20, swapped);
		const struct pw_capture_interface *iface = &c->interfaces[id];

		if (pw_capture_load(p, swapped) != BLOCK_EPB || id >= c->n_interfaces ||
			iface->link != plain->link || iface->unit_ns == 0 || len - min > range ||
			pw_capture_load(p + 24, swapped) > len || block_len > c->view.to - at ||
			block_len % 4 || block_len > BLOCK_MAX ||
			block_len < EPB_HEAD_LEN + len + TAIL_LEN ||
			pw_capture_load(p + block_len - TAIL_LEN, swapped) != block_len)
			break;
		frames[i].offset = at + EPB_HEAD_LEN;
		frames[i].len = len;
		frames[i].time_ns = time_of(
			iface, pw_capture_load(p + 12, swapped), pw_capture_load(p + 16, swapped));
		pw_capture_prefetch(p, block_len);
		at += block_len;
	}
	c->at = at;
	c->n_frames += i;
	return i;
}

static uint32_t take_blocks(struct pw_capture *c, const struct pw_capture_plain *plain,
	struct pw_capture_frame *frames, uint32_t n)
{
	if (c->at < c->view.from)
		return 0;
	return c->swapped ? take(c, plain, frames, n, true) : take(c, plain, frames, n, false);
}

int pw_capture_open_ng(struct pw_capture *c, struct pw_err *err)
{
	struct block b = {0};
	int r = read_block(c, &b, err);

	if (r > 0)
		r = start_section(c, &b, err);
	if (r > 0)
		r = check_end(c, &b, err);
	if (r == 0)
		return pw_capture_bad(c, err, "it ends within its first section header");
	c->next = next_block;
	c->take = take_blocks;
	return r < 0 ? r : 0;
}
