/* SPDX-License-Identifier: BSD-3-Clause */
/* The decoder's thread (decode.c), as life.c starts and stops it. */
#ifndef PW_RECV_DECODE_PRIVATE_H
#define PW_RECV_DECODE_PRIVATE_H

#include "recv/recv_private.h"

int pw_recv_decoder_start(struct pw_recv *r, struct pw_err *err);
void pw_recv_decoder_stop(struct pw_recv *r);
void pw_recv_decoder_free(struct pw_recv_decoder *d); /* accepts NULL */

#endif
