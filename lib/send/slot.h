/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A file slot: the state of one file that is being sent: its window, the headers of its packets for each
 * lane, and its digests. (It is not a slot of the ring, which belongs to lib/file/stream.)
 *
 *   open: window, guard, digest (a small file), headers, attach -> sent -> closed when no packet is in flight
 *
 * The digest of a small file is computed before its first symbol, and is in the first file table. That of
 * a larger one is computed while it is sent, by the reader (send/reader.h), and is in the table that
 * follows its last symbol: the first symbol does not wait for it.
 */
#ifndef PW_SEND_SLOT_H
#define PW_SEND_SLOT_H

#include "file/digest.h"
#include "file/window.h"
#include "send/lanes.h"
#include "send/parity.h"
#include "send/send.h"
#include "send/stripe.h"

/* What one lane needs of a file slot. */
struct pw_send_view {
	struct pw_tx_object obj;
	struct pw_window win; /* lanes 1..: the slot's extents, and its own n_out */
};

struct pw_send_slot {
	struct pw_file *file;
	struct pw_window win;       /* lane 0 uses it directly */
	struct pw_send_view *views; /* one for each lane */
	uint32_t n_views;
	int guard; /* SIGBUS guard, -1: none */
	/* Of a file whose digests are computed while it is sent: the reader's until the group is sent. */
	bool is_late;
	struct pw_digest_state *digest, *md5;
	struct pw_digest late_digest, late_md5;
	uint8_t *late_leaves; /* owned */
	bool read_pages;      /* its pages must be brought into memory before they are sent */
	uint64_t read_to;     /* of them: the reader has brought so many bytes */
	struct pw_send_parity *parity;     /* NULL: none */
	struct pw_send_view *parity_views; /* one for each lane */
	bool parity_attached;
	int parity_guard; /* -1: none */
	bool attached;
	struct pw_send_slot *next; /* in the session's list of retired slots */
};

/* How much of a small file was read for its digest before its first symbol: for the progress. */
struct pw_send_reading {
	uint64_t done_bytes, total_bytes;
};

/* Whether this process computes the digests: of several that send the same files, stripe 0 does. Each of them
 * would have to read all of every file for it. With repair they all do, because any of them may be the one that is
 * left. */
static inline bool pw_send_digests(const struct pw_send_config *cfg)
{
	return !pw_stripe_is_shared(&cfg->stripe) || cfg->stripe.index == 0 || cfg->repair.url;
}

/* Opens files.v[index]. Reads a small file for its digest; lane 0 looks meanwhile. 0, -ECANCELED, or
 * -errno with err. *slot is set whenever there is something to close. */
int pw_send_slot_open(struct pw_send_slot **slot, const struct pw_send_config *cfg,
	struct pw_send_lanes *lanes, size_t index, struct pw_send_reading *reading,
	struct pw_err *err);

/* Packets in flight, of all lanes. Call it while the lanes are parked. */
uint32_t pw_send_slot_n_out(const struct pw_send_slot *slot);

/* Closes the slot. If the driver has not given back its pages, they stay mapped, with a warning. */
void pw_send_slot_close(struct pw_send_slot *slot, const struct pw_send_config *cfg);

/* Iterates over the symbols of a slot that are to be sent: all, or those that its gap manifest lists.
 * Of these only the stripe's. Before the first call, only the first three are set. */
struct pw_send_gaps {
	const struct pw_send_slot *slot;
	struct pw_stripe stripe;
	uint64_t
		turn; /* see pw_stripe_clip(): number of the file + number of the pass, each from 0 */
	uint64_t from, to; /* what is left of the current range */
	uint64_t sent_to;
	size_t i;
};

/* The next symbols [from, to), or false. */
bool pw_send_next_gap(struct pw_send_gaps *g, uint64_t *from, uint64_t *to);

#endif
