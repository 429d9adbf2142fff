/* SPDX-License-Identifier: BSD-3-Clause */
/* Internal to lib/kernel: what the receivers on a UDP socket share: the socket and its counters. A receiver's own
 * struct begins with a struct pw_rxsock. */
#ifndef PW_KERNEL_RXSOCK_H
#define PW_KERNEL_RXSOCK_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include "base/err.h"
#include "base/log.h"
#include "kernel/rxtrain.h"
#include "kernel/rxway.h"
#include "kernel/udpsock.h"
#include "path/path.h"

#define PW_RXSOCK_BYTES 65536u /* longer than any datagram or train */

struct pw_rxsock {
	struct pw_rx_path way; /* unused where pw_udprx_open() opens it */
	int fd;
	uint32_t drops;            /* of the socket, when they were last read */
	struct pw_host_key source; /* the only sender to receive from; zero: all */
	struct pw_rx_counters c;
};

/* gro: the kernel may merge datagrams; else each comes separately. */
int pw_rxsock_open(struct pw_rxsock *s, const struct pw_udprx_config *cfg, bool gro,
	const struct pw_log *log, struct pw_err *err);
void pw_rxsock_close(struct pw_rxsock *s);

/* The segment size in a message's control data; 0: it is one datagram. */
uint32_t pw_rxsock_segment(struct msghdr *m);
/* Makes a train of a message of len bytes. It is empty (len 0) when nothing of it may be handed out, because it
 * was cut (MSG_TRUNC in flags) or comes from another sender than the source; then its packets are counted here. */
void pw_rxsock_note(struct pw_rxsock *s, struct pw_rxtrain *t, const uint8_t *data, uint32_t len,
	uint32_t seg, int flags, const struct sockaddr_storage *from);

/* Sleeps until fd is readable: 1; 0: the timeout or a signal came; -errno. */
int pw_rxsock_wait(int fd, uint64_t timeout_ns);

/* Members of pw_rx_ops that the receivers share. */
void pw_rxsock_release(void *path); /* nothing to do */
bool pw_rxsock_alive(void *path);   /* true */
const struct pw_rx_counters *pw_rxsock_counters(void *path);

#endif
