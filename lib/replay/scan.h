/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Which frames of a capture are sent, in which form, and when: the source of a lane (send/lane.h).
 *
 *   feed --record headers--> capture --> skip, limit, edits, rules --> due time --> share --> frames[] --> lane
 *
 * With several lanes each has a scanner, which goes over all frames and takes those of its lane. So all scanners know
 * the same limits and due times, and share nothing.
 */
#ifndef PW_REPLAY_SCAN_H
#define PW_REPLAY_SCAN_H

#include "path/frames.h"
#include "replay/due.h"
#include "replay/feed.h"
#include "replay/filter.h"
#include "replay/share.h"
#include "replay/span.h"
#include "send/lane.h"
#include "wire/edit.h"
#include "wire/ethernet.h"

#define PW_SCAN_FRAMES 256 /* frames of one range */

enum pw_replay_rule { PW_RULE_SEND, PW_RULE_SKIP, PW_RULE_PAD };

/* What the user asks. */
struct pw_scan_settings {
	uint64_t loops; /* passes over the capture; 0 = until stopped */
	uint64_t skip;  /* the first frames of each pass */
	uint64_t limit; /* frames of each pass after them; 0 = all */
	struct pw_span span;
	struct pw_filter *filter;   /* NULL: all frames */
	enum pw_replay_rule cut;    /* frames that the snap length cut */
	enum pw_replay_rule small;  /* frames of less than 60 bytes */
	uint64_t max_gap_ns;        /* a longer gap is not waited for */
	const struct pw_edit *edit; /* of each frame's headers; NULL: frames are sent as they are */
	const struct pw_ethernet
		*ethernet; /* for frames of other link types; NULL: they are an error */
};

#define PW_SCAN_SETTINGS_DEFAULT                            \
	{                                                   \
		.loops = 1, .max_gap_ns = 3600000000000ull, \
	}

/* Of all passes, and of the lane's own frames. */
struct pw_scan_counts {
	uint64_t frames;               /* chosen to be sent */
	uint64_t cut, cut_skipped;     /* by the snap length */
	uint64_t small, small_skipped; /* 60 bytes are the least on a wire */
	uint64_t long_skipped;         /* more than the MTU allows */
	uint64_t padded;
	uint64_t
		ethernet; /* of those that are sent: with an Ethernet header that they did not have */
	uint64_t no_ethernet; /* not sent: cut in their link header, or without an EtherType */
	uint64_t edited;      /* of those that are sent */
	uint64_t edit_cut;    /* sent as they are: a header that an edit needs is cut */
	uint64_t edit_deep;   /* sent as they are: it lies too deep */
};

/* Of all passes: what every scanner of a capture finds. */
struct pw_scan_found {
	uint64_t other_time; /* not in the span */
	uint64_t filtered;   /* do not match the filter */
	uint64_t no_side;    /* not to be sent, by the cache of tcpprep */
	uint64_t passes;     /* whole ones */
	bool file_is_cut;    /* it ends within a record */
};

/* Bytes of the longest frame that the port takes; any <= tagged. */
struct pw_scan_max {
	uint32_t any;
	uint32_t tagged; /* with an 802.1Q tag */
};

struct pw_scan {
	struct pw_capture capture;
	const struct pw_replay_feed *feed;
	const char *path;
	struct pw_scan_settings set;
	struct pw_scan_max max;
	struct pw_due due;
	struct pw_share share;
	struct pw_scan_counts n, others; /* of its lane's frames, and of those of other lanes */
	struct pw_scan_found found;
	uint64_t seen, sent; /* frames of this pass */
	bool is_plain;       /* no option asks for a decision about each frame */
	struct pw_capture_plain plain;
	struct pw_span_first first;
	int64_t time_ns; /* of the last frame that was found and has one */
	bool open, done;
	struct pw_tx_frame frames[PW_SCAN_FRAMES];
	struct pw_tx_frame kept; /* the first frame of the next range */
	struct pw_tx_object *kept_obj;
	/* Edited headers, one after the other in a circle: those of a range's frames, and of the kept one. */
	uint8_t headers[PW_SCAN_FRAMES + 1][PW_EDIT_HEADER_MAX];
	uint32_t next_header;
	uint8_t seam[PW_EDIT_HEADER_MAX +
		     PW_ETHERNET_LINK_MAX]; /* a frame's first bytes that cross extents */
	struct pw_err failed;               /* after the frames that were found */
};

/* s->due and s->share are made before; the feed must outlive s. */
int pw_scan_open(struct pw_scan *s, const struct pw_replay_feed *feed, const char *path,
	const struct pw_scan_settings *set, struct pw_scan_max max, struct pw_err *err);
/* struct pw_send_source's next(), with ctx = s. */
int pw_scan_next(
	void *ctx, struct pw_send_lane *lane, struct pw_send_range *range, struct pw_err *err);
void pw_scan_finish(struct pw_scan *s); /* accepts a zeroed one */

#endif
