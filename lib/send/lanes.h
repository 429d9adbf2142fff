/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Lanes: more queues of the path than one, each with a thread that feeds it.
 *
 *   lane 0    the session's own thread and path: file tables, control, the clock, and its share
 *   lane i    a thread, a path handle, its own n_out for each window, a share of the rate,
 *             packets from UDP source port + i, by which a receiver's RSS tells them apart
 *
 *   session   [windows opened, table sent on every lane] --deal--> lanes --all parked--> next group
 *
 * Lanes send only while the session is in pw_lanes_symbols(); at any other time they are parked, and
 * the session may use their paths and windows. The first failure stops all.
 */
#ifndef PW_SEND_LANES_H
#define PW_SEND_LANES_H

#include "send/send_private.h"

struct pw_lanes; /* opaque */

/* Starts cfg.n_more threads; s->lanes stays NULL when that is 0. */
int pw_lanes_create(struct pw_send *s, struct pw_err *err);
/* Copies of the slot's window and headers for each lane, after it was attached. */
int pw_lanes_dress(struct pw_send *s, struct pw_send_slot *slot, struct pw_err *err);
void pw_lanes_undress(struct pw_send_slot *slot);
/* Packets of the slot in flight, of all lanes. */
uint32_t pw_lanes_n_out(const struct pw_send *s, const struct pw_send_slot *slot);

/* Says the file table on lanes 1 and up: within a queue, order is kept; between queues it is not. */
int pw_lanes_fdt(struct pw_send *s, struct pw_err *err);
/* The group's files but streamed ones, by all lanes. */
int pw_lanes_symbols(struct pw_send *s, struct pw_err *err);
/* Bytes that lanes 1 and up have sent of the group under way. Any time, as all below. */
uint64_t pw_lanes_bytes(const struct pw_send *s);
/* What has stopped a lane: -errno with err, or 0. */
int pw_lanes_failed(struct pw_send *s, struct pw_err *err);
/* While the link is down nothing goes. */
void pw_lanes_hold(struct pw_send *s, bool hold);
void pw_lanes_reap(struct pw_send *s);
/* Packets that the paths of lanes 1 and up still hold. */
uint32_t pw_lanes_outstanding(const struct pw_send *s);
/* Waits until the driver has let go of what lanes 1 and up sent; -ETIMEDOUT when it does not. */
int pw_lanes_drain(struct pw_send *s, struct pw_err *err);
/* Adds the lanes' cycles to the result's, and what became of their shares of the rate. */
void pw_lanes_account(const struct pw_send *s, struct pw_send_result *res);
void pw_lanes_destroy(struct pw_send *s);

#endif
