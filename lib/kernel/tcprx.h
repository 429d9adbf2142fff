/* SPDX-License-Identifier: BSD-3-Clause */
/* Internal to lib/kernel: the TCP server that takes one connection, for the ways that read it. */
#ifndef PW_KERNEL_TCPRX_H
#define PW_KERNEL_TCPRX_H

#include "kernel/rxway.h"

/* A way's own struct begins with one. */
struct pw_tcprx {
	struct pw_rx_path way;
	int server, conn; /* -1: not open */
	bool tls;         /* the kernel decrypts */
};

/* Members of pw_rx_way and pw_rx_stream_ops. */
int pw_tcprx_open(void *path, const struct pw_rx_way_config *cfg, struct pw_err *err);
void pw_tcprx_close(void *path);
int pw_tcprx_accept(void *path, struct pw_err *err);
int64_t pw_tcprx_recv(void *path, void *to, size_t len, struct pw_err *err);

#endif
