/* SPDX-License-Identifier: BSD-3-Clause */
/* Frames that a path sends as they are: a second kind of burst, beside the symbols of an object. */
#ifndef PW_PATH_FRAMES_H
#define PW_PATH_FRAMES_H

#include <stdint.h>

#include "wire/ethernet.h"

#define PW_FRAME_LEN_MIN PW_ETHERNET_LEN
#define PW_FRAME_LEN_MAX 65407u /* of an mbuf's room of 65535 bytes, behind a headroom of 128 */

/*
 * A whole Ethernet frame without its check sequence. Offsets rise within a pass over a capture; a burst may hold the
 * end of one pass and the beginning of the next.
 *
 *   | header_len bytes of `header` | len bytes of the window | zeros |
 *   |                    wire_len <= PW_FRAME_LEN_MAX                |
 */
struct pw_tx_frame {
	uint64_t offset;       /* in the window, as its extents count */
	uint64_t due_ns;       /* after the pacer's start; see send/lane.h */
	const uint8_t *header; /* edited headers; the path copies them. With header_len */
	uint16_t header_len;   /* <= PW_FRAME_HDR_MAX (wire/frame.h) */
	uint16_t len;          /* 0 only with a header */
	uint32_t wire_len;
};

#endif
