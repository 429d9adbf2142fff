/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Internal to lib/kernel: what the paths of all ways have in common: the socket, the counters, and the
 * fault that broke the path. Each path begins with a struct pw_sock, so its address is also that of its
 * pw_sock.
 */
#ifndef PW_KERNEL_SOCK_H
#define PW_KERNEL_SOCK_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/log.h"
#include "kernel/way.h"

struct pw_sock {
	struct pw_tx_counters c;
	const struct pw_way *way;
	/* What the caller of pw_way_open() set; its strings and window stay the caller's. batch: 1..PW_BURST. */
	struct pw_way_config cfg;
	int fd;                 /* sends; -1: not open yet */
	char peer[64];          /* for messages: "10.0.0.1:4001", or the interface */
	char fault[PW_ERR_MAX]; /* why the path is broken for good; "": it is not */
};

/* Breaks the path for good. The first fault is the cause: later ones are dropped. Returns false. */
bool pw_sock_break(struct pw_sock *s, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* The same for the errno value of a call that sends packets. mtu: of the route to the peer, for
 * EMSGSIZE; 0: the peer is an interface, which names its own. */
bool pw_sock_break_by(struct pw_sock *s, int code, uint32_t mtu);

/* Counts the first n packets of a burst as sent; none: a full poll. */
void pw_sock_account(struct pw_sock *s, const struct pw_tx_burst *b, uint16_t n);
/* The same for one control packet: returns sent, as 0 or 1. */
uint16_t pw_sock_account_copy(
	struct pw_sock *s, bool sent, const struct pw_frame_tmpl *tmpl, size_t len);

/* Sends sleep PW_SEND_SLEEP_NS at most. */
int pw_sock_bound_sleep(struct pw_sock *s, struct pw_err *err);
/* Requests `bytes` as the size of the socket's buffer, SO_SNDBUF or SO_RCVBUF, beyond the system's
 * limit where this process may. Warns when the kernel grants less; log NULL: no warning. */
void pw_sock_size_buffer(int fd, int option, int bytes, const struct pw_log *log);
/* Sleeps until the socket has room, PW_SEND_SLEEP_NS at most. */
void pw_sock_wait_writable(struct pw_sock *s);
/* Sleeps 50 us: a queue below the socket is full, and no event reports when it has room. */
void pw_sock_nap(void);

/* Members of pw_tx_ops that all ways share. */
const char *pw_sock_fault(void *path);
bool pw_sock_alive(void *path); /* true: there is no fault */
const struct pw_tx_counters *pw_sock_counters(void *path);
/* Of ways whose calls copy the pages: nothing is outstanding after send(). */
int pw_sock_detach(void *path, struct pw_tx_object *obj);
void pw_sock_reap(void *path);
uint32_t pw_sock_outstanding(void *path);
#define PW_SOCK_COPY_OPS \
	.detach = pw_sock_detach, .reap = pw_sock_reap, .outstanding = pw_sock_outstanding

#endif
