/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Finds the rate for --rate auto: the highest one at which the slowest receiver loses less than 0.01 %.
 *
 *   receivers' reports -> report() --> windows of each receiver: expected, lost, dropped by what
 *   packets that were sent -> tick() --> doubles, steps up, steps back --> rate, and what bounds it
 *
 *   start   doubles until a receiver loses packets
 *   hold    goes back below what that receiver took, then up again in small steps; a step above the rate that
 *           failed is tried after 1 s, and after each failure waits twice as long
 *
 * A receiver counts what was sent by itself, up to the last symbol that came; so its loss is that of its own
 * interval, whatever the delay. A window starts when the rate has changed and what was sent before has arrived.
 *
 * Repair rounds go at the rate of the last pass, or at what the slowest receiver of all took, if that is less.
 *
 * Reports are hostile. Whatever one of them says, one step back is at most a half, the rate stays at
 * PW_RATECTL_LEAST_BPS or more, and loss that does not shrink with the rate is not answered with more steps.
 * No input and output, no clock, no lock: the caller has them.
 */
#ifndef PW_SEND_RATECTL_H
#define PW_SEND_RATECTL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PW_RATECTL_START_BPS   50e6
#define PW_RATECTL_LEAST_BPS   1e6
#define PW_RATECTL_LOSS        1e-4 /* of the packets, at most */
#define PW_RATECTL_INTERVAL_MS 100u /* between two reports of a receiver */

/* What bounds the rate. All but NONE and SENDER are of a receiver. */
enum pw_rate_bound {
	PW_RATE_BOUND_NONE, /* not known yet */
	PW_RATE_BOUND_SENDER,
	PW_RATE_BOUND_LINK,   /* between the sender and the receiver */
	PW_RATE_BOUND_SOCKET, /* the receiver's socket buffer, */
	PW_RATE_BOUND_RING,   /* its port's ring, */
	PW_RATE_BOUND_DISK,   /* its disk */
};

/* Counts of a receiver since it started. */
struct pw_rate_report {
	uint64_t time_ns;        /* the receiver's clock */
	uint64_t expected, seen; /* symbols */
	uint64_t dropped_socket, dropped_ring, dropped_files;
	uint64_t disk_waited_ns;
	bool has_ended; /* it has everything, or has left */
};

/* What all lanes have sent since the session started. */
struct pw_rate_sent {
	uint64_t packets, bits;
	bool is_pass; /* false: in repair rounds, or while nothing is sent; no receiver counts loss then */
};

struct pw_ratectl_state {
	double bps;
	double lowest_bps, highest_bps; /* since the start phase; 0: it lasts */
	double loss;      /* of the slowest receiver that counts, since its first report */
	uint64_t n_backs; /* steps back */
	enum pw_rate_bound bound;
	size_t receiver; /* that bounds it, unless NONE or SENDER */
};

struct pw_ratectl; /* opaque */

/* n_lanes: with several, packets overtake each other. n_ignored: so many of the slowest receivers do not count, but
 * at least one does. NULL: out of memory. */
struct pw_ratectl *pw_ratectl_create(uint32_t n_lanes, uint64_t n_ignored);
/* A report of receiver 0, 1, ... . Ignored when memory is short. */
void pw_ratectl_report(struct pw_ratectl *c, size_t receiver, const struct pw_rate_report *report,
	uint64_t now_ns);
/* A few dozen times a second; returns the rate in bit/s. */
double pw_ratectl_tick(struct pw_ratectl *c, const struct pw_rate_sent *sent, uint64_t now_ns);
void pw_ratectl_state(const struct pw_ratectl *c, struct pw_ratectl_state *st);
void pw_ratectl_destroy(struct pw_ratectl *c); /* accepts NULL */

#endif
