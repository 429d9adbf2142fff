/* SPDX-License-Identifier: BSD-3-Clause */
/* A filter expression of libpcap (pcap-filter(7)), compiled for each link type that occurs. One thread. */
#ifndef PW_REPLAY_FILTER_H
#define PW_REPLAY_FILTER_H

#include "base/err.h"
#include "wire/capture.h"

struct pw_filter; /* opaque */

/* text has to outlive *f. -EINVAL with libpcap's words: the expression is wrong for Ethernet frames. */
int pw_filter_create(struct pw_filter **f, const char *text, struct pw_err *err);
/* The same expression for another thread. */
int pw_filter_copy(struct pw_filter **copy, const struct pw_filter *f, struct pw_err *err);
void pw_filter_destroy(struct pw_filter *f); /* accepts NULL */

/* bytes: all frame->len of them, in one piece. 1: they match; 0: they do not. -EINVAL: the expression is wrong for the
 * frame's link type. */
int pw_filter_match(struct pw_filter *f, const struct pw_capture_frame *frame, const uint8_t *bytes,
	struct pw_err *err);

/* PW_CAPTURE_FRAME_MAX bytes for a frame that is not in one piece. */
uint8_t *pw_filter_room(struct pw_filter *f);

#endif
