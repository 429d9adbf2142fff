/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Statistics of a capture, frame by frame, in memory of a fixed size: counts, times, sizes, flows, peaks.
 *
 *   init(), add() per frame, end(), then read the fields; finish()
 */
#ifndef PW_WIRE_CAPTURE_STATS_H
#define PW_WIRE_CAPTURE_STATS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

#define PW_CAPTURE_STATS_WINDOW_NS 1000000u   /* of the peaks */
#define PW_CAPTURE_STATS_FLOWS     (1u << 20) /* that are told apart: 16 MiB */

/* The classes of etherStatsPkts in RFC 2819, which count the frame check sequence: 4 bytes more than a capture
 * has. */
enum pw_size_class {
	PW_SIZE_BELOW_64,
	PW_SIZE_64,
	PW_SIZE_65_127,
	PW_SIZE_128_255,
	PW_SIZE_256_511,
	PW_SIZE_512_1023,
	PW_SIZE_1024_1518,
	PW_SIZE_ABOVE_1518,
	PW_SIZE_N_CLASSES
};

/* "64", "65-127", "above 1518" */
const char *pw_size_class_name(enum pw_size_class c);

/* One frame, as the capture has it. */
struct pw_capture_seen {
	uint32_t len;      /* bytes in the file */
	uint32_t full_len; /* bytes on the wire, without the check sequence; at least len */
	bool has_time, has_flow;
	int64_t time_ns;
	uint64_t flow_hash; /* pw_flow_hash() */
};

struct pw_capture_stats {
	uint64_t n_frames;
	uint64_t n_bytes;          /* in the file */
	uint64_t n_wire_bytes;     /* before frames were cut */
	uint64_t n_cut;            /* frames of which the file has only a part */
	uint32_t len_min, len_max; /* of full_len; of no frame: 0 */
	uint64_t n_by_size[PW_SIZE_N_CLASSES];
	/* times; of frames that have one */
	uint64_t n_timed;
	int64_t earliest_ns, latest_ns;
	uint64_t n_backwards;      /* frames earlier than one before them */
	uint64_t backwards_max_ns; /* by how much at most */
	/* The most in a window of PW_CAPTURE_STATS_WINDOW_NS. Windows follow each other from the first frame on; a frame
	 * that runs backwards counts in the window that is open. */
	uint64_t peak_bytes, peak_frames;
	uint64_t n_flows; /* at least so many, if flows_more */
	bool flows_more;  /* not all could be told apart */
	struct {
		int64_t start_ns;
		uint64_t index, bytes, frames;
	} window;        /* the open one */
	uint64_t *flows; /* PW_CAPTURE_STATS_FLOWS * 2 slots, 0: empty; owned */
};

int pw_capture_stats_init(struct pw_capture_stats *s, struct pw_err *err); /* -ENOMEM */
void pw_capture_stats_finish(struct pw_capture_stats *s); /* accepts a zeroed one */

void pw_capture_stats_add(struct pw_capture_stats *s, const struct pw_capture_seen *frame);

/* After the last frame: counts the window that is still open. More frames may follow. */
void pw_capture_stats_end(struct pw_capture_stats *s);

static inline uint64_t pw_capture_stats_duration_ns(const struct pw_capture_stats *s)
{
	return (uint64_t)s->latest_ns - (uint64_t)s->earliest_ns;
}

/* Bits of frames, and frames, in one second at the pace of the fullest window. */
static inline double pw_capture_stats_peak_bps(const struct pw_capture_stats *s)
{
	return (double)s->peak_bytes * 8 * (1e9 / PW_CAPTURE_STATS_WINDOW_NS);
}

static inline double pw_capture_stats_peak_pps(const struct pw_capture_stats *s)
{
	return (double)s->peak_frames * (1e9 / PW_CAPTURE_STATS_WINDOW_NS);
}

#endif
