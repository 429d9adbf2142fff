/* SPDX-License-Identifier: BSD-3-Clause */
/* The state of a lane: shared by lane.c (the fast path), find.c (all other packets), decode.c and life.c. */
#ifndef PW_RECV_LANE_PRIVATE_H
#define PW_RECV_LANE_PRIVATE_H

#include "recv/recv_private.h"
#include "wire/alc.h"

/* Behind the lanes that take in packets: those of threads of the receiver. */
enum { PW_LANE_WORKER, PW_LANE_DECODER, PW_LANES_OWN };

/* Of a probe of the path, see probe.h. */
struct pw_probe_lane {
	_Atomic uint64_t id;         /* of the probe that the lane has counted last */
	_Atomic uint64_t seen, next; /* its packets; their highest number + 1 */
};

/* One thread that takes in packets. */
struct pw_recv_lane {
	_Alignas(64) _Atomic uint64_t epoch; /* odd: in a burst */
	uint64_t shut_seen;   /* pw_recv.n_shut when `part` was last known to be open */
	struct pw_part *part; /* the part that took its last symbols, or NULL */
	struct pw_host_key from;
	struct pw_alc_memo memo;
	uint64_t placed_bytes; /* of part, not yet taken off its missing_bytes */
	uint64_t again_bytes;  /* not yet counted: bytes of symbols that came again */
	uint64_t new_bytes;    /* of this burst */
	uint64_t n_again; /* of c.symbols, not counted for the loss: of repair rounds, or resumed */
	bool is_worker;   /* the file worker's: places packets that waited, must not wait itself */
	bool joins;       /* the session's first symbol comes next */
	/* The run that is being copied: bytes from its first symbol on may not be in the file yet. */
	_Atomic(struct pw_part *) copying;
	_Atomic uint64_t copying_from;
	struct pw_probe_lane probe;
	struct pw_recv_counters c;
};

/* Only the lane itself writes its counters; any thread reads them. */
static inline void pw_lane_bump(uint64_t *c, uint64_t n)
{
	__atomic_store_n(c, *c + n, __ATOMIC_RELAXED);
}

static inline void pw_lane_enter(struct pw_recv *r, struct pw_recv_lane *l)
{
	uint64_t n_shut;

	atomic_store(&l->epoch, atomic_load_explicit(&l->epoch, memory_order_relaxed) + 1);
	n_shut = atomic_load(&r->n_shut);
	if (n_shut != l->shut_seen || atomic_load(&r->stopped))
		l->part = NULL;
	l->shut_seen = n_shut;
}

static inline void pw_lane_leave(struct pw_recv_lane *l)
{
	atomic_store_explicit(&l->epoch, atomic_load_explicit(&l->epoch, memory_order_relaxed) + 1,
		memory_order_release);
}

/* Handles a packet that is not a symbol of the lane's part: sets l->part, queues the packet, or counts it.
 * With the lock, which it may release meanwhile. */
void pw_lane_take_other(struct pw_recv *r, struct pw_recv_lane *l, const struct pw_alc_hdr *hdr,
	const struct pw_rx_view *view, size_t payload_len);

/* probe.c: a packet with verdict PW_ALC_PROBE. Without the lock. */
void pw_lane_take_probe(struct pw_recv *r, struct pw_recv_lane *l, const struct pw_alc_hdr *hdr,
	struct pw_host_key from, const uint8_t *payload, size_t len);

/* The decoder's: waits until every other lane has left the burst that it was in: then the symbols that were claimed
 * are copied. Without the lock. */
void pw_recv_await_copies(struct pw_recv *r);
/* The decoder's: places a symbol that parity gave, on its lane. false: it came meanwhile. */
bool pw_recv_restore(struct pw_recv *r, struct pw_part *p, uint64_t index, const uint8_t *bytes);
void pw_recv_restored(struct pw_recv *r); /* counts those that were placed since the last call */
#endif
