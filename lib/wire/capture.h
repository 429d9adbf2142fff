/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Finds the frames of a capture: pcap (microseconds, nanoseconds, Kuznetzov's, both byte orders) and pcapng
 * (draft-ietf-opsawg-pcapng: sections, interfaces, EPB, SPB, the obsolete PB; other blocks are skipped).
 * It reads the headers of records alone, never a frame's bytes, and copies nothing.
 *
 *   file   | header | record header | frame | record header | frame | ...
 *   view              [from ................................ to)      bytes that are in memory
 *
 * The text is hostile: every length is checked against its block, its file and PW_CAPTURE_FRAME_MAX.
 * Not thread-bound; one struct one thread.
 */
#ifndef PW_WIRE_CAPTURE_H
#define PW_WIRE_CAPTURE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

#define PW_CAPTURE_FRAME_MAX      262144u /* libpcap's MAXIMUM_SNAPLEN */
#define PW_CAPTURE_INTERFACES_MAX 65536u  /* of one section */
#define PW_CAPTURE_LOOK_MAX       64u     /* bytes that one call of view() has to show, at most */

/* Bytes [from, to) of the file; bytes[0] is the byte at `from`. */
struct pw_capture_view {
	const uint8_t *bytes;
	uint64_t from, to;
};

/* Where the file's bytes come from. */
struct pw_capture_source {
	/* Shows at least the bytes [offset, offset + len), len <= PW_CAPTURE_LOOK_MAX, until the next call.
	 * 1: *view shows them. 0: the file ends before. -errno with err. Offsets only grow, except by less than
	 * PW_CAPTURE_LOOK_MAX. */
	int (*view)(void *ctx, uint64_t offset, size_t len, struct pw_capture_view *view,
		struct pw_err *err);
	void *ctx;
	const char *path; /* for messages */
};

/* LINKTYPE_ values (https://www.tcpdump.org/linktypes.html) that pagewire can send; see wire/ethernet.h. */
enum pw_link {
	PW_LINK_NULL = 0,
	PW_LINK_ETHERNET = 1,
	PW_LINK_RAW_BSD = 12, /* numbers of raw IP in files of some systems */
	PW_LINK_RAW_OPENBSD = 14,
	PW_LINK_RAW = 101,
	PW_LINK_LOOP = 108,
	PW_LINK_SLL = 113,
	PW_LINK_IPV4 = 228,
	PW_LINK_IPV6 = 229,
	PW_LINK_SLL2 = 276,
};

struct pw_capture_frame {
	uint64_t offset;   /* of its first byte in the file */
	uint32_t len;      /* bytes in the file */
	uint32_t full_len; /* bytes on the wire; more than len: the snap length cut it */
	int64_t time_ns;   /* since 1970; with has_time */
	bool has_time;     /* a simple packet block has no time */
	uint16_t link;     /* LINKTYPE_; see enum pw_link */
	uint32_t interface;
};

/* Frames that need no decision: of this link type, not cut, of min to max bytes. */
struct pw_capture_plain {
	uint16_t link;
	uint32_t min, max; /* min <= max <= PW_CAPTURE_FRAME_MAX */
};

/* An interface description block. */
struct pw_capture_interface {
	uint16_t link;
	uint8_t resolution; /* if_tsresol */
	uint32_t unit_ns;   /* of the resolution; 0: not a whole number */
	uint32_t snap_len;  /* 0: no limit */
	int64_t offset_s;   /* if_tsoffset */
};

struct pw_capture {
	struct pw_capture_source source;
	struct pw_capture_view view;
	/* The next record; a pcap's or a pcapng's. */
	int (*next)(struct pw_capture *c, struct pw_capture_frame *frame, struct pw_err *err);
	uint32_t (*take)(struct pw_capture *c, const struct pw_capture_plain *plain,
		struct pw_capture_frame *frames, uint32_t n);
	uint64_t at;       /* offset of the next record */
	uint64_t n_frames; /* so far */
	bool swapped;      /* the file's byte order is not this host's */
	bool is_cut;       /* the file ends within a record, at `at` */
	/* pcap */
	uint32_t header_len; /* of a record: 16, Kuznetzov's: 24 */
	uint32_t unit_ns;    /* of the second time field */
	uint16_t link;
	/* pcapng */
	struct pw_capture_interface *interfaces; /* of this section; owned */
	uint32_t n_interfaces, room;
	uint64_t section_at, section_end; /* end 0: not known */
};

/* Reads the file's header. -EBADMSG: not a capture, or one of a version that is not supported. The source must
 * outlive c. */
int pw_capture_open(
	struct pw_capture *c, const struct pw_capture_source *source, struct pw_err *err);

/* 1: *frame is the next one. 0: no more; is_cut tells whether the last record is whole. -EBADMSG: the file
 * contradicts itself there, and nothing after that place can be trusted. */
static inline int pw_capture_next(
	struct pw_capture *c, struct pw_capture_frame *frame, struct pw_err *err)
{
	return c->next(c, frame, err);
}

/* The next plain frames, n at most, as pw_capture_next() finds them, but faster: those whose records lie whole in what
 * view() showed last. Of frames[] only offset, len and time_ns are set. Returns how many; after fewer than n comes
 * something that pw_capture_next() has to look at. */
static inline uint32_t pw_capture_take(struct pw_capture *c, const struct pw_capture_plain *plain,
	struct pw_capture_frame *frames, uint32_t n)
{
	return c->take(c, plain, frames, n);
}

void pw_capture_finish(struct pw_capture *c); /* accepts a zeroed one */

/* "Ethernet", "Linux cooked v1"; "an unknown type" for others. */
const char *pw_link_name(uint16_t link);

#endif
