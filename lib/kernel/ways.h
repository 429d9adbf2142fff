/* SPDX-License-Identifier: BSD-3-Clause */
/* Internal to lib/kernel: declares every way's descriptor for the table in ways.c. */
#ifndef PW_KERNEL_WAYS_H
#define PW_KERNEL_WAYS_H

#include "kernel/way.h"

/* tcp_send.c */
extern const struct pw_way pw_way_read_write, pw_way_mmap_write, pw_way_msg_zerocopy;
/* tcp_splice.c */
extern const struct pw_way pw_way_sendfile, pw_way_splice, pw_way_ktls_sendfile;
/* tcp_uring.c */
extern const struct pw_way pw_way_uring_send, pw_way_uring_send_zc;
/* tcp_uring_splice.c */
extern const struct pw_way pw_way_uring_splice;
/* udp_read_send.c */
extern const struct pw_way pw_way_udp_read_send;
/* udp_send.c */
extern const struct pw_way pw_way_udp_mmap_sendmsg, pw_way_udp_gso, pw_way_udp_sendmmsg;
/* udp_zerocopy.c, udp_uring.c */
extern const struct pw_way pw_way_udp_zerocopy, pw_way_uring_udp_zc, pw_way_uring_sendmsg_zc;
/* packet_send.c, packet_tx_ring.c */
extern const struct pw_way pw_way_packet_send, pw_way_packet_tx_ring;
/* xdp.c, xdp_sg.c */
extern const struct pw_way pw_way_xdp_copy, pw_way_xdp_copy_csum, pw_way_xdp_zerocopy;
extern const struct pw_way pw_way_xdp_sg, pw_way_xdp_sg_zerocopy;

#endif
