/* SPDX-License-Identifier: BSD-3-Clause */
/* Internal to lib/kernel: the ways, each defined in the file of its name. */
#ifndef PW_KERNEL_WAYS_H
#define PW_KERNEL_WAYS_H

#include "kernel/way.h"

extern const struct pw_way pw_way_read_write;       /* tcp_read_write.c */
extern const struct pw_way pw_way_mmap_write;       /* tcp_mmap_write.c */
extern const struct pw_way pw_way_sendfile;         /* tcp_sendfile.c */
extern const struct pw_way pw_way_splice;           /* tcp_splice.c */
extern const struct pw_way pw_way_msg_zerocopy;     /* tcp_msg_zerocopy.c */
extern const struct pw_way pw_way_uring_send;       /* tcp_uring_send.c */
extern const struct pw_way pw_way_uring_send_zc;    /* tcp_uring_send_zc.c */
extern const struct pw_way pw_way_udp_read_send;    /* udp_read_send.c */
extern const struct pw_way pw_way_udp_mmap_sendmsg; /* udp_mmap_sendmsg.c */
extern const struct pw_way pw_way_udp_sendmmsg;     /* udp_sendmmsg.c */
extern const struct pw_way pw_way_udp_gso;          /* udp_gso.c */
extern const struct pw_way pw_way_udp_zerocopy;     /* udp_zerocopy.c */
extern const struct pw_way pw_way_uring_udp_zc;     /* uring_udp_zc.c */
extern const struct pw_way pw_way_packet_send;      /* packet_send.c */
extern const struct pw_way pw_way_packet_tx_ring;   /* packet_tx_ring.c */
extern const struct pw_way pw_way_xdp_copy;         /* xdp.c or xdp_none.c */
extern const struct pw_way pw_way_xdp_zerocopy;     /* the same */

#endif
