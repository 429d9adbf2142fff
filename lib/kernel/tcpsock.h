/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Internal to lib/kernel: what the stream ways share. A connected TCP socket, where the file's bytes
 * are, the counters, and what a call's outcome means. A way's own struct begins with a struct
 * pw_tcp.
 */
#ifndef PW_KERNEL_TCPSOCK_H
#define PW_KERNEL_TCPSOCK_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"
#include "kernel/way.h"

#define PW_TCP_CONNECT_NS (10 * 1000 * 1000 * 1000ull)

struct pw_tcp {
	int fd;
	const struct pw_window *win;
	const struct pw_extent *extents; /* the window's, or pieces of them */
	uint64_t chunk_bytes;
	const struct pw_log *log;
	struct pw_tx_counters c;
	uint32_t run;      /* of extents: where the last bytes were found */
	bool sigpipe_held; /* by pw_tcp_hold_sigpipe() */
	char peer[64];
};

/* Connects, PW_TCP_CONNECT_NS at most; sends then sleep PW_SEND_SLEEP_NS at most. A signal while it
 * connects ends it (-EINTR). t is zeroed on failure but for fd, -1. */
int pw_tcp_open(struct pw_tcp *t, const struct pw_way_config *cfg, struct pw_err *err);
/* What is queued still goes out. Accepts a failed open's t. */
void pw_tcp_close(struct pw_tcp *t);

/* For calls that know no MSG_NOSIGNAL: blocks SIGPIPE in this thread until pw_tcp_close(), which
 * the same thread has to call. */
void pw_tcp_hold_sigpipe(struct pw_tcp *t);

/* What send() has to return after a call that gave n (>= 0, bytes moved), or -1 and code. */
int64_t pw_tcp_outcome(struct pw_tcp *t, ssize_t n, int code, struct pw_err *err);
/* The same for an error alone: -EAGAIN when it is none, else -code with err. */
int pw_tcp_error(const struct pw_tcp *t, int code, struct pw_err *err);
/* The same for a call that takes the file itself, and refuses some files. */
int pw_tcp_file_error(const struct pw_tcp *t, const char *call, int code, struct pw_err *err);
/* The file gave nothing at offset: -ESTALE. */
int pw_tcp_ended(const struct pw_tcp *t, uint64_t offset, struct pw_err *err);

/* How many bytes, len at most, lie in one piece at *va from offset on; offset < win->len_bytes. */
uint64_t pw_tcp_span(struct pw_tcp *t, uint64_t offset, uint64_t len, const uint8_t **va);

/* Members of pw_way and pw_stream_ops for ways that have nothing to add: the path is a struct
 * pw_tcp. */
int pw_tcp_open_path(void **path, const struct pw_way_config *cfg, struct pw_err *err);
void pw_tcp_close_path(void *path);
int pw_tcp_no_drain(void *path, struct pw_err *err);
const struct pw_tx_counters *pw_tcp_counters(void *path);

#endif
