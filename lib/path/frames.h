/* SPDX-License-Identifier: BSD-3-Clause */
/* Frames that a path sends as they are: a second kind of burst, beside the symbols of an object. */
#ifndef PW_PATH_FRAMES_H
#define PW_PATH_FRAMES_H

#include <stdint.h>

#define PW_FRAME_LEN_MIN 14u    /* an Ethernet header */
#define PW_FRAME_LEN_MAX 65535u /* an mbuf's data_len */

/* A whole Ethernet frame without its check sequence, in a window. The frames of one burst have rising offsets. */
struct pw_tx_frame {
	uint64_t offset; /* in the window, as its extents count */
	uint64_t due_ns; /* after the pacer's start; see send/lane.h */
	uint32_t len;    /* bytes there */
	uint32_t pad;    /* zero bytes behind them; len + pad <= PW_FRAME_LEN_MAX */
};

#endif
