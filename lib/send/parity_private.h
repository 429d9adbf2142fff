/* SPDX-License-Identifier: BSD-3-Clause */
/* What parity.c shares with paritystage.c. */
#ifndef PW_SEND_PARITY_PRIVATE_H
#define PW_SEND_PARITY_PRIVATE_H

#include "send/parity.h"

/* All but the window. */
int pw_send_parity_new(struct pw_send_parity **p, const struct pw_send_fec *fec,
	const struct pw_blocks *source, const char *path, struct pw_err *err);

#endif
