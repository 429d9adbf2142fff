/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Internal to lib/kernel: what the stream ways share: a connected TCP socket, the location of the file's
 * bytes, and the meaning of a call's result. A way's own struct begins with a struct pw_tcp.
 */
#ifndef PW_KERNEL_TCP_H
#define PW_KERNEL_TCP_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "kernel/sock.h"

struct pw_tcp {
	struct pw_sock s;
	const struct pw_window *win;
	const struct pw_extent *extents; /* the window's, or pieces of them */
	uint64_t chunk_bytes;
	uint32_t extent;   /* in extents: where the last bytes were found */
	bool sigpipe_held; /* by pw_tcp_hold_sigpipe() */
};

/* pw_way's socket: connects, 10 s at most; sends then sleep PW_SEND_SLEEP_NS at most. A signal while it
 * connects ends it (-EINTR). After close, queued bytes are still sent. */
int pw_tcp_socket(void *path, struct pw_err *err);

/* For calls without MSG_NOSIGNAL: blocks SIGPIPE in this thread, until the same thread releases it. */
void pw_tcp_hold_sigpipe(struct pw_tcp *t);
/* pw_way's finish for ways that have nothing else to undo. Nothing to do when it is not held. */
void pw_tcp_release_sigpipe(void *path);

/* Converts the result of a call, n >= 0 bytes or -1 with code, to what send() returns. */
int64_t pw_tcp_outcome(struct pw_tcp *t, ssize_t n, int code, struct pw_err *err);
/* The same for an error: -EAGAIN when the call may be repeated, else -code with err. */
int pw_tcp_error(const struct pw_tcp *t, int code, struct pw_err *err);
/* The same for a call on the file itself, which fails with EINVAL on some file systems. */
int pw_tcp_file_error(const struct pw_tcp *t, const char *call, int code, struct pw_err *err);
/* The file ends at offset, before its length: -ESTALE. */
int pw_tcp_ended(const struct pw_tcp *t, uint64_t offset, struct pw_err *err);

/* Returns how many bytes, len at most, are contiguous at *va from offset on; offset < win->len_bytes. */
uint64_t pw_tcp_span(struct pw_tcp *t, uint64_t offset, uint64_t len, const uint8_t **va);

/* pw_stream_ops' drain for ways whose calls copy, or refer to pages that may be unmapped. */
int pw_tcp_no_drain(void *path, struct pw_err *err);

#endif
