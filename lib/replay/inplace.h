/* SPDX-License-Identifier: BSD-3-Clause */
/* A feed of one window that has the whole capture: hugefile, page cache, stage. */
#ifndef PW_REPLAY_INPLACE_H
#define PW_REPLAY_INPLACE_H

#include "replay/feed.h"

struct pw_replay_inplace {
	struct pw_tx_object obj; /* attached; its window has the capture */
	const char *path;
	uint32_t extent;                   /* that was shown last */
	uint8_t seam[PW_CAPTURE_LOOK_MAX]; /* what crosses extents */
};

/* f's object is in place before; f lives as long as the feed. */
struct pw_replay_feed pw_replay_inplace_feed(struct pw_replay_inplace *f);

#endif
