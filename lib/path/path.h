/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The interface of a path: where symbols leave this host, or packets enter it: a port's queue, or a socket.
 * lib/dpdk and lib/kernel implement paths; lib/send and lib/recv use them and do not know the
 * implementation. All calls are made per burst, never per packet. One thread uses a path; if a path has
 * several queues, one thread uses each.
 *
 *   lib/send   what is sent when         pw_tx_burst: n consecutive symbols of one block
 *      |                                                       |
 *   ops->send(path, burst)  ------------------------------------   accepted count, from the front
 */
#ifndef PW_PATH_PATH_H
#define PW_PATH_PATH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "file/window.h"
#include "wire/blocks.h"
#include "wire/frame.h"

#define PW_BURST         64                     /* packets in one call, at most */
#define PW_SEND_SLEEP_NS (100 * 1000 * 1000ull) /* so often the stop flag is looked at */

/* One object being sent: a file's window, how it is cut, and its packets' headers. */
struct pw_tx_object {
	struct pw_window *win;
	struct pw_blocks blocks;
	struct pw_frame_tmpl tmpl;      /* full symbols */
	struct pw_frame_tmpl tmpl_last; /* the object's last symbol */
	uint64_t toi;
	void *path_priv; /* of the path: set by attach, cleared by detach */
};

struct pw_tx_frame;

/* n symbols (1..PW_BURST) of one block, of consecutive ESIs, from byte `offset` of the window on; or n frames. */
struct pw_tx_burst {
	struct pw_tx_object *obj;
	const struct pw_tx_frame *frames; /* path/frames.h, in obj's window; NULL: symbols */
	uint64_t offset;
	uint32_t payload_id; /* FEC Payload ID (SBN, ESI) of the first; + 1 for each more */
	uint16_t n;
};

/* Counters since open, kept by the path. */
struct pw_tx_counters {
	uint64_t packets;          /* accepted by the driver, control packets included */
	uint64_t payload_bytes;    /* file bytes accepted */
	uint64_t wire_bytes;       /* Ethernet frames, without FCS and preamble */
	uint64_t cpu_copied_bytes; /* payload bytes that pagewire's own code copied */
	uint64_t cpu_read_bytes;   /* payload bytes that pagewire's own code read (checksums) */
	uint64_t header_bytes;     /* bytes of edited headers in mbufs of their own */
	uint64_t full_polls;       /* send calls in which the driver took nothing */
	uint64_t split_packets;    /* packets with one more segment (discontiguous pages) */
	uint64_t zc_done;          /* kernel ways: zero-copy sends whose completion has come */
	uint64_t zc_copied;        /* of zc_done: the kernel reports that it copied after all */
};

struct pw_tx_ops {
	const char *name;
	/* send() never sleeps, and while the link is down the device may drop what it takes: alive() is
	 * also called while packets flow. */
	bool polls;
	/* Makes obj->win reachable (DMA map, IOVAs); if that is impossible, err has the reason. */
	int (*attach)(void *path, struct pw_tx_object *obj, struct pw_err *err);
	/* Undoes attach. -EBUSY while packets are in flight (win->n_out): try again later, or after
	 * the port is stopped. */
	int (*detach)(void *path, struct pw_tx_object *obj);
	/* Returns how many symbols were accepted, 0..b->n. A poll-mode path never blocks; a kernel way
	 * may sleep in its call as its users' programs do, PW_SEND_SLEEP_NS at most. */
	uint16_t (*send)(void *path, const struct pw_tx_burst *b);
	/* One small packet copied whole (FDT, close): header template and payload. 1 or 0. */
	uint16_t (*send_copy)(
		void *path, const struct pw_frame_tmpl *tmpl, const void *payload, size_t len);
	/* Asks the driver for completed packets. Never blocks. */
	void (*reap)(void *path);
	/* false when the link or the peer is gone. Cold: a few times a second. */
	bool (*alive)(void *path);
	/* May be NULL. What broke the path for good ("connection refused: no process listens on
	 * 10.0.0.1:4001"), else NULL. Called whenever the clock is read, and when the path takes
	 * nothing; cheap; valid until close. */
	const char *(*fault)(void *path);
	/* Payload mbufs (kernel: datagrams) whose pages the path still reads. */
	uint32_t (*outstanding)(void *path);
	const struct pw_tx_counters *(*counters)(void *path);
	/* May be NULL. For a path with several queues: the thread that drives it starts and ends. */
	void (*thread_enter)(void *path);
	void (*thread_leave)(void *path);
};

/* A stream way: the file's own bytes into a connected stream socket. Blocking, as its users' programs
 * are; PW_SEND_SLEEP_NS at most. */
struct pw_stream_ops {
	/* Sends bytes of the file from `offset` on, len at most. Returns how many the kernel took (> 0),
	 * -EAGAIN when it slept for nothing or a signal came, -errno with err when the connection is
	 * gone. */
	int64_t (*send)(void *path, uint64_t offset, uint64_t len, struct pw_err *err);
	/* Waits until the kernel has released the file's pages (zero-copy completions); -EAGAIN: not
	 * yet, call again. */
	int (*drain)(void *path, struct pw_err *err);
	const struct pw_tx_counters *(*counters)(void *path); /* packets: calls */
};

/* One received ALC packet (UDP payload), valid until release. */
struct pw_rx_view {
	const uint8_t *data;
	uint32_t len;
	struct pw_host_key from; /* the IP address that the packet came from */
};

struct pw_rx_counters {
	uint64_t packets;      /* frames or datagrams, all of them */
	uint64_t bytes;        /* of UDP payload handed up */
	uint64_t foreign;      /* not for us: other protocols, addresses, ports */
	uint64_t malformed;    /* frames that contradict themselves */
	uint64_t missed;       /* the port's or socket's own drop counter, where it has one */
	uint64_t too_long;     /* of malformed: frames longer than the MTU allows, cut or refused */
	uint32_t longest;      /* IP bytes of the longest of them, where it is known */
	uint64_t bad_checksum; /* of malformed: UDP or IP checksum is wrong */
	/* taken although the UDP checksum is only the pseudo header's sum: a local NIC completes it */
	uint64_t partial_checksum;
};

struct pw_rx_ops {
	const char *name;
	/* Up to n (<= PW_BURST * 2) packets into views; 0 when none waits. May sleep up to
	 * timeout_ns when it can (sockets); poll-mode drivers never do. -errno: the path is dead.
	 */
	int (*burst)(void *path, struct pw_rx_view *views, uint16_t n, uint64_t timeout_ns);
	/* Gives the last burst's buffers back. */
	void (*release)(void *path);
	bool (*alive)(void *path);
	/* As in pw_tx_ops; may be NULL. */
	const char *(*fault)(void *path);
	const struct pw_rx_counters *(*counters)(void *path);
	/* These may be NULL: a path of one lane. Queue i, or NULL beyond the last; lane 0 is the path
	 * itself. Each lane has a thread, which calls burst() and release() with the lane; the thread of
	 * lane 0 makes the other calls, with the path. */
	void *(*lane)(void *path, uint16_t i);
	/* The lane's own; `missed` is the path's alone. Any thread. */
	void (*lane_counters)(void *lane, struct pw_rx_counters *c);
	/* As in pw_tx_ops. */
	void (*thread_enter)(void *lane);
	void (*thread_leave)(void *lane);
};

#endif
