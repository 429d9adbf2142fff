/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The reader: a thread that brings the bytes of a group into memory ahead of the lanes, and computes the
 * digests of its larger files while the lanes send them.
 *
 *   streamed files      disk --io_uring--> slots of the ring --> n_ready --> digest
 *   mapped files        page cache, populated in steps       --> n_ready;   all others: ready at once
 *   then                digests of the mapped files, in order, while the lanes send
 *
 * Lanes never wait for a digest. The thread runs on the CPUs that the process had before a port bound it:
 * not on a lane's CPU where there is another one.
 */
#ifndef PW_SEND_READER_H
#define PW_SEND_READER_H

#include "send/group.h"

struct pw_send_reader; /* opaque */

/* If reading fails, the reader stops the lanes. The thread starts with the first group that needs it. */
int pw_send_reader_create(struct pw_send_reader **reader, struct pw_send_group *g,
	struct pw_send_lanes *lanes, struct pw_err *err);
/* Makes the ring of a group that streams, unless there is one. The lanes are parked. */
int pw_send_reader_make_ring(struct pw_send_reader *reader, struct pw_err *err);
/* Starts to read a group, after pw_send_group_plan(). */
int pw_send_reader_start(struct pw_send_reader *reader, struct pw_err *err);
/* The lanes have sent all, and the session waits for the reader: its digests get a full share of the CPUs. */
void pw_send_reader_hurry(struct pw_send_reader *reader);
/* Whether the reader still reads or computes digests. */
bool pw_send_reader_is_busy(const struct pw_send_reader *reader);
/* Stops reading the group, and waits until the thread does not use it any more. */
void pw_send_reader_stop(struct pw_send_reader *reader);
void pw_send_reader_destroy(struct pw_send_reader *reader); /* accepts NULL */

#endif
