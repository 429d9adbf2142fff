/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A replay job: the port or the two ports, the capture's pages, and the replay on them.
 *
 *   plan   provider of the capture   (no DPDK yet: wrong input ends here)
 *   open   EAL, port, link, pages
 *   run    the replay (replay/replay.h)
 */
#ifndef PW_API_REPLAYJOB_H
#define PW_API_REPLAYJOB_H

#include "base/log.h"
#include "dpdk/tx.h"
#include "file/unpack.h"
#include "replay/replay.h"

#define PW_REPLAY_LANES_MAX 128

struct pw_replay_telemetry; /* replaytelemetry.h */

/* One of the ports. */
struct pw_replayjob_port {
	const char *text;
	struct pw_portspec spec;
	const struct pw_driver_traits *traits;
	struct pw_dpdk_tx *tx;
	struct pw_dpdk_tx_info info;
	struct pw_tx_counters counters; /* after run */
};

struct pw_replayjob_options {
	struct pw_port_config port; /* port.port: NULL; it is in ports */
	const char *const *ports;   /* n_ports: 1 or 2 */
	size_t n_ports;
	const char *
		client_net; /* "10.0.0.0/8,..." or NULL: with two ports, both NULL: by the first frame */
	const char *cache; /* a cache file of tcpprep, or NULL */
	struct pw_scan_settings scan;
	struct pw_edit_text edit;
	const char *ethernet; /* "DST,SRC"; NULL: only Ethernet frames are sent */
	const char *speed;    /* "2x"; NULL: 1 */
	struct pw_rate rate;
	bool top_speed;
	enum pw_pages pages;
	uint64_t stream_bytes; /* of the ring, at most */
	uint64_t link_grace_ns;
};

#define PW_REPLAYJOB_OPTIONS_DEFAULT                                              \
	{                                                                         \
		.port = PW_PORT_CONFIG_DEFAULT, .scan = PW_SCAN_SETTINGS_DEFAULT, \
		.stream_bytes = 256ull << 20, .link_grace_ns = 500000000ull,      \
	}

struct pw_replayjob {
	const struct pw_replayjob_options *opt;
	const struct pw_log *log;
	bool (*stopped)(void);
	void (*tick)(void *ctx, const struct pw_replay_status *st);
	void *tick_ctx;

	const char *file;
	struct pw_edit edit;
	struct pw_ethernet ethernet; /* with opt->ethernet */
	double speed;
	enum pw_replay_timing timing;
	enum pw_pages pages; /* the choice */
	enum pw_unpack_kind kind;
	uint64_t len_bytes; /* 0: standard input */
	struct pw_sides sides;
	bool readonly_maps;
	struct pw_replayjob_port ports[PW_REPLAY_PORTS_MAX];
	uint32_t n_ports;
	void *paths[PW_REPLAY_LANES_MAX];
	struct pw_window win;
	struct pw_replay *replay;
	struct pw_replay_telemetry *telemetry; /* NULL: not asked for */
	struct pw_replay_result result;
	struct pw_tx_counters counters; /* of all ports, after run */
};

/* The longest frame that is sent at this MTU: with an Ethernet header, and one VLAN tag. On a port with needs_tag
 * (dpdk/portspec.h) the room for the tag is for nothing else. */
struct pw_scan_max pw_replay_frame_max(uint32_t mtu, bool needs_tag);

/* *usage: the options are at fault. */
int pw_replayjob_plan(struct pw_replayjob *job, const char *file, bool *usage, struct pw_err *err);
int pw_replayjob_open(struct pw_replayjob *job, struct pw_err *err);
/* Sends, and stops the ports. result and counters are filled in any case. */
int pw_replayjob_run(struct pw_replayjob *job, struct pw_err *err);
void pw_replayjob_finish(struct pw_replayjob *job);

#endif
