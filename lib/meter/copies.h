/* SPDX-License-Identifier: BSD-3-Clause */
/* Loads the BPF programs that count the kernel's copies (copies.bpf.c) and reads their sums. */
#ifndef PW_METER_COPIES_H
#define PW_METER_COPIES_H

#include <stddef.h>

#include "base/err.h"
#include "base/log.h"
#include "meter/reading.h"

struct pw_copies; /* opaque */

/* Sums since open. */
struct pw_copies_sums {
	struct pw_meter_probe probes[PW_METER_PROBES];
	size_t n_probes; /* 0: the sums cannot be read */
};

/* Loads the probes that this kernel has and attaches them; takes about 100 ms. When the host refuses:
 * returns 0, *c is NULL, and why[PW_ERR_MAX] has the reason in one line. The only error is -ENOMEM. */
int pw_copies_open(struct pw_copies **c, const struct pw_log *log, char *why);
void pw_copies_read(const struct pw_copies *c, struct pw_copies_sums *s);
void pw_copies_close(struct pw_copies *c); /* accepts NULL */

#endif
