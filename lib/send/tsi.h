/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The transport session identifier of a session that was not given one. Receivers tell sessions
 * apart by it: two senders with the same one would be taken for a single session, and a receiver
 * that still waits for one session's end would mix the next one's files in.
 */
#ifndef PW_SEND_TSI_H
#define PW_SEND_TSI_H

#include <stdint.h>

/* 1..65535, another one each time: two of them are the same once in 65535 times. 16 bits keep the
 * LCT header at its shortest. */
uint16_t pw_tsi_draw(void);

#endif
