/* SPDX-License-Identifier: BSD-3-Clause */
/* The sender's inside, shared by send.c (groups and passes), sendloop.c (symbols), sendfdt.c. */
#ifndef PW_SEND_SEND_PRIVATE_H
#define PW_SEND_SEND_PRIVATE_H

#include "base/quickclock.h"
#include "file/window.h"
#include "send/pace.h"
#include "send/send.h"

/* One file with its window open. */
struct pw_send_slot {
	struct pw_window win;
	struct pw_tx_object obj;
	struct pw_file *file;
	int guard; /* SIGBUS guard, -1 = none */
	/* A streamed file's digests as they grow, or NULL. */
	struct pw_digest_state *digest, *md5;
	struct pw_lane_slot *lanes; /* see send/lanes.h; NULL: only the session's thread sends it */
	struct pw_send_slot *next;  /* in the list of retired slots */
};

struct pw_send {
	struct pw_send_config cfg;
	struct pw_send_result *res;
	bool wide;      /* 32-bit TSI and TOI */
	bool streaming; /* the first symbol has gone */
	uint64_t pass;
	uint64_t start_ns;
	uint64_t last_symbol_ns;
	uint64_t next_tick_ns;
	uint64_t next_fdt_ns;
	uint64_t next_alive_ns; /* reading: when a sign of life is due */
	uint64_t asked_ns;      /* when the path was last asked whether its link is up */
	uint64_t down_ns;       /* since when it is not; 0 = it is */
	uint64_t bytes_done;
	uint64_t bytes_total;
	uint64_t file;      /* under way, or the last one that was */
	uint64_t file_from; /* bytes_done when it began */
	uint64_t n_calls;   /* bursts since the last look at the clock */
	struct pw_pace pace;
	struct pw_quickclock clock;   /* the rate's */
	uint64_t next_look_ns;        /* paced: at the stop flag and all else */
	struct pw_lanes *lanes;       /* NULL: one queue */
	struct pw_sendstream *stream; /* NULL until a file is streamed */

	/* The current FDT instance, cut into packets. */
	char *fdt;
	size_t fdt_len;
	uint32_t fdt_instance; /* its ID; no two instances of different content share one */
	uint32_t fdt_next;     /* ID of the next one built */
	bool fdt_last;         /* it names the session's last files */
	uint64_t fdt_built_ns;
	bool fdt_news; /* digests have come since it was built */
	bool fdt_late; /* some came after the first instance: it is said whole at the end, too */

	struct pw_send_slot *group[PW_SEND_GROUP]; /* in hand */
	size_t n_group;
	/* Files that are through, but have packets in flight: as many as the driver's ring is deep.
	 */
	struct pw_send_slot *retired;
	struct pw_send_slot **retired_tail;
};

/* The symbols of a file that are to be sent: all, or what its gap manifest lists. */
struct pw_send_ranges {
	const struct pw_send_slot *slot;
	uint64_t sent_to;
	size_t i;
};

/* The next [from, to), or false. */
bool pw_send_next_range(struct pw_send_ranges *r, uint64_t *from, uint64_t *to);

/* sendloop.c. All return 0, -ECANCELED when stopped, or -errno with err. */
int pw_send_symbols(struct pw_send *s, struct pw_send_slot *slot, struct pw_err *err);
/* Symbols [from, to) of the object, which lie in its window. */
int pw_send_range(struct pw_send *s, struct pw_tx_object *obj, uint64_t from, uint64_t to,
	struct pw_err *err);
int pw_send_control(struct pw_send *s, const struct pw_frame_tmpl *t, const void *payload,
	size_t len, struct pw_err *err);
int pw_send_pause(struct pw_send *s, uint64_t ns, struct pw_err *err);
/* Until what was sent has had its time of the rate. */
int pw_send_await_rate(struct pw_send *s, struct pw_err *err);
/* Looks at stop flag, progress, lost pages. */
int pw_send_look(struct pw_send *s, uint64_t now_ns, enum pw_send_phase phase, struct pw_err *err);

/* send.c: the headers of obj's packets in this flow. */
void pw_send_templates(
	const struct pw_send *s, const struct pw_flow *flow, struct pw_tx_object *obj);
/* opens the windows of the group that starts with file `first`; counts into res. */
int pw_send_open_group(
	struct pw_send *s, struct pw_send_result *res, size_t first, struct pw_err *err);

/* sendstream.c: files whose windows have no page of their own. */
int pw_sendstream_open(struct pw_send *s, struct pw_send_slot *slot, struct pw_err *err);
/* Starts to read the group in hand. */
int pw_sendstream_start(struct pw_send *s, struct pw_err *err);
int pw_sendstream_symbols(struct pw_send *s, struct pw_send_slot *slot, struct pw_err *err);
/* Reads no further: windows may be closed. */
void pw_sendstream_drop(struct pw_send *s);
void pw_sendstream_destroy(struct pw_send *s);

/* sendfdt.c. alive: an empty packet of the session, dropped when the path is full. */
int pw_send_fdt_build(struct pw_send *s, bool last, struct pw_err *err); /* of the group in hand */
int pw_send_fdt(struct pw_send *s, bool close_session, struct pw_err *err);
void pw_send_alive(struct pw_send *s);
int pw_send_close_session(struct pw_send *s, struct pw_err *err);

#endif
