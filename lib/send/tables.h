/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The file tables of a session (TOI 0), cut into packets, and the packets that end it.
 *
 * A receiver that loses a table does not know the files of a whole group. So a table is sent several times:
 * before the group's first symbol on every lane, after one third and two thirds of its symbols, after its
 * last one, and again with all others before the session ends. Each repetition is the same FDT instance, so
 * that a receiver assembles one table from the packets of all of them.
 *
 * Only the session's thread calls these, with lane 0 or with a lane that is parked.
 */
#ifndef PW_SEND_TABLES_H
#define PW_SEND_TABLES_H

#include "send/lane.h"
#include "send/send.h"

#define PW_TABLES_KEPT_BYTES (4u << 20) /* of text: about 15,000 files; the oldest are dropped */

/* One FDT instance. */
struct pw_send_table {
	char *text;
	size_t len;
	uint32_t instance;
	uint64_t built_ns;
	size_t first_file; /* of its group: the same group's next instance replaces it */
};

struct pw_send_tables {
	const struct pw_send_config *cfg;
	struct pw_send_table *v; /* those kept; the last one is the current one */
	size_t n, room;
	size_t kept_bytes;
	uint64_t
		round; /* of repair, and whether the sender waits for requests: of tables built from now on */
	bool asks;
	uint32_t next_instance; /* no two instances with different content share an ID */
};

void pw_send_tables_init(struct pw_send_tables *t, const struct pw_send_config *cfg);
/* Builds the table of the group that starts with file first_file, and makes it the current one. last: the
 * session has no later group. */
int pw_send_tables_build(struct pw_send_tables *t, struct pw_fdt_file *entries, size_t n,
	size_t first_file, bool last, struct pw_err *err);
/* Whether the current table expires soon and must be built again. False when there is none. */
bool pw_send_tables_is_old(const struct pw_send_tables *t, uint64_t now_ns);
/* Sends the current table. */
int pw_send_tables_send(
	const struct pw_send_tables *t, struct pw_send_lane *lane, struct pw_err *err);
/* Sends all tables that are kept. */
int pw_send_tables_send_all(
	const struct pw_send_tables *t, struct pw_send_lane *lane, struct pw_err *err);
/* Sends packets with the close-session flag: all of the current table, or one packet of it. */
int pw_send_tables_send_close(
	const struct pw_send_tables *t, struct pw_send_lane *lane, bool whole, struct pw_err *err);
/* Sends an empty packet of the session: it shows receivers that the sender runs, and makes a driver free
 * packets that frees them only when it gets new ones. Dropped when the path is full. */
void pw_send_tables_alive(const struct pw_send_config *cfg, struct pw_send_lane *lane);
void pw_send_tables_finish(struct pw_send_tables *t); /* accepts a zeroed one */

#endif
