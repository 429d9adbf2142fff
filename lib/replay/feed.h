/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Where the bytes of a capture are: all of them in one window (inplace.h), or one slot of a ring after the other
 * (ring.h). The scanner looks at record headers through view(); the lane sends frames of object()'s window.
 */
#ifndef PW_REPLAY_FEED_H
#define PW_REPLAY_FEED_H

#include "path/path.h"
#include "send/lane.h"
#include "wire/capture.h"

struct pw_replay_feed {
	/* As in struct pw_capture_source. capture->at is where the record begins that is being read: its bytes from
	 * there on stay in one window with those that view() shows. */
	int (*view)(void *ctx, uint64_t offset, size_t len, struct pw_capture_view *view,
		struct pw_err *err);
	/* The object whose window has byte `offset` of the capture, which view() has shown; *at: where. NULL: it is
	 * no longer there, because its record is too long. */
	struct pw_tx_object *(*object)(void *ctx, uint64_t offset, uint64_t *at);
	/* Bytes [offset, offset + len), which view() has shown, in one piece: where they are, or copied to
	 * seam[len]. NULL: they are no longer there. */
	const uint8_t *(*bytes)(void *ctx, uint64_t offset, size_t len, uint8_t *seam);
	/* The path has taken all frames of the objects before the one that is shown. May be NULL. */
	void (*taken)(void *ctx);
	/* The next pass begins at byte 0. -errno: the capture has changed. */
	int (*rewind)(void *ctx, struct pw_err *err);
	void *ctx;
};

#endif
