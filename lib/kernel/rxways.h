/* SPDX-License-Identifier: BSD-3-Clause */
/* Internal to lib/kernel: declares every receive way's descriptor for the table in rxways.c. */
#ifndef PW_KERNEL_RXWAYS_H
#define PW_KERNEL_RXWAYS_H

#include "kernel/rxway.h"

extern const struct pw_rx_way pw_rx_way_tcp;            /* tcprx.c */
extern const struct pw_rx_way pw_rx_way_tcp_zerocopy;   /* tcprxzc.c */
extern const struct pw_rx_way pw_rx_way_udp;            /* udprx.c */
extern const struct pw_rx_way pw_rx_way_recvmmsg;       /* udprx.c */
extern const struct pw_rx_way pw_rx_way_recv;           /* rxrecv.c */
extern const struct pw_rx_way pw_rx_way_udp_gro;        /* rxrecv.c */
extern const struct pw_rx_way pw_rx_way_uring_recv;     /* rxuring.c */
extern const struct pw_rx_way pw_rx_way_uring_recv_gro; /* rxuring.c */
extern const struct pw_rx_way pw_rx_way_packet_rx_ring; /* rxpacket.c */
/* rxxdp.c, or rxxdp_none.c */
extern const struct pw_rx_way pw_rx_way_xdp_rx;
extern const struct pw_rx_way pw_rx_way_xdp_rx_zerocopy;

#endif
