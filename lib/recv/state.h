/* SPDX-License-Identifier: BSD-3-Clause */
/* The states that a received file goes through. */
#ifndef PW_RECV_STATE_H
#define PW_RECV_STATE_H

#include <stdbool.h>

enum pw_recv_file_state {
	PW_RECV_KNOWN,      /* named by a table, no symbol yet */
	PW_RECV_PARTIAL,    /* some symbols */
	PW_RECV_VERIFYING,  /* all symbols; with the finisher, or waits for its digest */
	PW_RECV_MISMATCH,   /* digest differs; symbols are taken again from the start */
	PW_RECV_COMPLETE,   /* digest matches, on the disk, renamed */
	PW_RECV_UNVERIFIED, /* on the disk and renamed, but the sender named no digest */
	PW_RECV_REFUSED,    /* unsafe name, exists, too large, encoded, disk full, ... */
	PW_RECV_SUPERSEDED, /* a newer announcement has this name or TOI, with other content */
};

const char *pw_recv_file_state_name(enum pw_recv_file_state s);
bool pw_recv_state_is_good(enum pw_recv_file_state s); /* COMPLETE or UNVERIFIED */
bool pw_recv_state_is_open(enum pw_recv_file_state s); /* takes symbols: KNOWN, PARTIAL, MISMATCH */

#endif
