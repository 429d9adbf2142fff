/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Chooses a transport session identifier (TSI) when the user gives none. Receivers distinguish sessions by
 * it: they would take two senders with the same TSI for one session, and a receiver that still waits for
 * the end of a session would add the files of the next one to it.
 */
#ifndef PW_SEND_TSI_H
#define PW_SEND_TSI_H

#include <stdint.h>

/* 1..65535, another one each time: two of them are the same once in 65535 times. 16 bits keep the
 * LCT header at its shortest. */
uint16_t pw_tsi_draw(void);

#endif
