/* SPDX-License-Identifier: BSD-3-Clause */
/* Internal to lib/kernel: a connected UDP socket that is tuned for sending. */
#ifndef PW_KERNEL_UDPTX_SOCK_H
#define PW_KERNEL_UDPTX_SOCK_H

#include "base/err.h"
#include "kernel/way.h"

/* The descriptor, or -errno. peer: cfg->flow.dst as text. */
int pw_udptx_socket(const struct pw_way_config *cfg, const char *peer, struct pw_err *err);

/* The MTU of the path to the peer, as the kernel knows it now; 0 when there is none. */
uint32_t pw_udptx_path_mtu(int fd, uint8_t family);

#endif
