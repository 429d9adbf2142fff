/* SPDX-License-Identifier: BSD-3-Clause */
/* The session's state, shared by session.c (passes and groups), look.c (link, clock, progress), close.c (the
 * end) and direct.c (a program that chooses the symbols itself). */
#ifndef PW_SEND_SESSION_PRIVATE_H
#define PW_SEND_SESSION_PRIVATE_H

#include "send/group.h"
#include "send/lanes.h"
#include "send/reader.h"
#include "send/send.h"
#include "send/tables.h"

struct pw_send {
	struct pw_send_config cfg;
	struct pw_send_result *res;
	struct pw_send_lanes lanes;
	struct pw_send_tables tables;
	struct pw_send_group group;
	struct pw_send_reader *reader;
	struct pw_send_reading reading; /* a file, before its first symbol */
	uint64_t pass;
	uint64_t again_bytes; /* of all repair rounds so far */
	uint64_t again_from;  /* bytes sent before them */
	bool is_closing, is_listening;
	bool streaming; /* the first symbol has gone */
	uint64_t start_ns;
	uint64_t group_from;    /* bytes sent before the group's first symbol */
	unsigned int n_repeats; /* of the group's table so far */
	bool late_digests;      /* some came after their group's first table: repeated at the end */
	uint64_t next_table_ns, next_tick_ns, next_rate_ns;
	uint64_t n_tables, told_ns; /* tables sent so far; see struct pw_send_repair */
	uint64_t next_alive_ns;     /* while reading: when the next empty packet is due */
	uint64_t asked_ns;          /* when the path was last asked whether its link is up */
	/* Files that are sent but have packets in flight: as many as the driver's ring is deep. */
	struct pw_send_slot *retired;
	struct pw_send_slot **retired_tail;
};

/* look.c: lane 0's look() and between(). */
int pw_session_look(
	struct pw_send_lane *lane, uint64_t now_ns, uint64_t stalled_ns, struct pw_err *err);
int pw_session_between(struct pw_send_lane *lane, uint64_t now_ns, struct pw_err *err);
/* -EIO when a file of this session has lost pages. Cheap until any mapping of the process has. */
int pw_session_check_lost(const struct pw_send *s, struct pw_err *err);

/* session.c: the current table, built again when it is old. */
int pw_session_build_table(struct pw_send *s, struct pw_err *err);
int pw_session_send_table(struct pw_send *s, struct pw_err *err);
int pw_session_open_group(struct pw_send *s, size_t first, struct pw_err *err);
int pw_session_retire_group(struct pw_send *s, struct pw_err *err);
int pw_session_send_group(struct pw_send *s, bool last, struct pw_err *err);

/* again.c: repair rounds, until the receivers want no more. */
int pw_session_repair(struct pw_send *s, struct pw_err *err);

/* close.c */
int pw_session_close(struct pw_send *s, struct pw_err *err);

#endif
