/* SPDX-License-Identifier: BSD-3-Clause */
/* Internal to lib/kernel: declares every receive way's descriptor for the table in rxways.c. */
#ifndef PW_KERNEL_RXWAYS_H
#define PW_KERNEL_RXWAYS_H

#include "kernel/rxway.h"

extern const struct pw_rx_way pw_rx_way_udp; /* udprx.c */
extern const struct pw_rx_way pw_rx_way_tcp; /* tcprx.c */

#endif
