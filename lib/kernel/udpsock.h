/* SPDX-License-Identifier: BSD-3-Clause */
/* Internal to lib/kernel: a UDP socket that is bound, joined and tuned for receiving. */
#ifndef PW_KERNEL_UDPSOCK_H
#define PW_KERNEL_UDPSOCK_H

#include <stdint.h>

#include "base/err.h"
#include "base/log.h"
#include "kernel/udprx.h"

/* The descriptor, or -errno. A receive buffer smaller than asked for is a warning in the log. */
int pw_udpsock_open(
	const struct pw_udprx_config *cfg, const struct pw_log *log, struct pw_err *err);

/* Datagrams that the socket dropped since it was opened, modulo 2^32. */
uint32_t pw_udpsock_drops(int fd);

#endif
