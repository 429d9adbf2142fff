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
	/* The frame's bytes [offset, offset + len), which view() has shown, until its next call; copied into room[len]
	 * only if they are not in one piece. NULL: as object(). */
	const uint8_t *(*bytes)(void *ctx, uint64_t offset, uint32_t len, uint8_t *room);
	/* The path has taken all frames that object() was asked for, but for one of the object that is shown, with kept.
	 * May be NULL. */
	void (*taken)(void *ctx, bool kept);
	/* The next pass begins at byte 0. -errno: the capture has changed. */
	int (*rewind)(void *ctx, struct pw_err *err);
	void *ctx;
};

#endif
