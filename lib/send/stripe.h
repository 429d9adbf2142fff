/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Which stripe this process is. Each further file, and each further pass, begins with the next stripe: small files are
 * shared as well, and after N passes each host has sent everything. All hosts must have the same files in the same
 * order. In a repair round a stripe sends whatever it is asked for: each has all of every file.
 */
#ifndef PW_SEND_STRIPE_H
#define PW_SEND_STRIPE_H

#include <assert.h>

#include "base/err.h"
#include "path/path.h"
#include "wire/stripe.h"

static_assert(PW_STRIPE_RUN % PW_BURST == 0, "bursts stay whole");

/* Reads the option: "I/N", or "auto": what the program was started by (mpirun, srun, mpiexec) has put into the
 * environment. *tsi: with "auto" a TSI that all processes of the job compute alike, 1 to 65535; 0: not known.
 * env is getenv(), or a test's. */
int pw_stripe_choose(const char *text, const char *(*env)(const char *name), struct pw_stripe *s,
	uint32_t *tsi, struct pw_err *err);

#endif
