/* SPDX-License-Identifier: BSD-3-Clause */
/* The BPF programs that count copies (copies.bpf.c), as the meter uses them. */
#ifndef PW_METER_COPIES_H
#define PW_METER_COPIES_H

#include <stddef.h>

#include "meter/meter.h"

struct pw_copies; /* opaque */

/* Sums since open. */
struct pw_copies_sums {
	struct pw_meter_probe probes[PW_METER_PROBES];
	size_t n_probes; /* 0: could not be read */
};

/* Loads and attaches what this kernel has of the probes: some 100 ms. Refused: 0, *c NULL and `why`
 * (PW_ERR_MAX bytes) one line. Only -ENOMEM is returned. */
int pw_copies_open(struct pw_copies **c, const struct pw_log *log, char *why);
void pw_copies_read(const struct pw_copies *c, struct pw_copies_sums *s);
void pw_copies_close(struct pw_copies *c); /* accepts NULL */

#endif
