/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Which symbols a stripe sends, and which stripe this process is.
 *
 *   file 0   |run 0|run 1|run 2|run 3|       stripe 0 of 2, first pass: runs 0 and 2 of file 0,
 *   file 1   |run 0|run 1|run 2|             run 1 of file 1
 *
 * The runs go round the stripes. Each further file, and each further pass, begins with the next stripe: small
 * files are shared as well, and after N passes each host has sent everything. All hosts must have the same
 * files in the same order.
 *
 * A run is a multiple of a burst: bursts stay whole, and two senders never claim symbols in one word of a
 * receiver's bitmap. It is longer than a burst so that a receiver takes what arrives in long runs, and a disk
 * reads long ranges.
 */
#ifndef PW_SEND_STRIPE_H
#define PW_SEND_STRIPE_H

#include "base/err.h"
#include "path/path.h"
#include "wire/stripe.h"

#define PW_STRIPE_RUN  (16u * PW_BURST) /* symbols; more in files of more than PW_STRIPE_RUNS runs */
#define PW_STRIPE_RUNS 16384u /* in a file, at most: each is an item in the sender's list of work */

/* The run of a file with so many symbols. */
uint64_t pw_stripe_run(uint64_t n_symbols);

/* Narrows [*from, *to) of a file with n_symbols to the first symbols of it that the stripe sends; turn: number
 * of the file + number of the pass, each from 0. False: it sends none of them. */
bool pw_stripe_clip(
	const struct pw_stripe *s, uint64_t turn, uint64_t n_symbols, uint64_t *from, uint64_t *to);

/* Reads the option: "I/N", or "auto": what the program was started by (mpirun, srun, mpiexec) has put into the
 * environment. *tsi: with "auto" a TSI that all processes of the job compute alike, 1 to 65535; 0: not known.
 * env is getenv(), or a test's. */
int pw_stripe_choose(const char *text, const char *(*env)(const char *name), struct pw_stripe *s,
	uint32_t *tsi, struct pw_err *err);

#endif
