/* SPDX-License-Identifier: BSD-3-Clause */
/* What the kernel's UDP has lost in this network namespace since it began. */
#ifndef PW_HOST_UDPLOSS_H
#define PW_HOST_UDPLOSS_H

#include <stdint.h>

#include "host/sysfs.h"

struct pw_udploss {
	uint64_t received;  /* datagrams that programs got */
	uint64_t no_buffer; /* found their socket's buffer full */
	uint64_t
		backlog; /* packets of all kinds that found a CPU's queue full; of the whole host */
};

/* family: 4 or 6. What the kernel does not tell is 0. */
void pw_udploss_read(const struct pw_sysroot *root, unsigned int family, struct pw_udploss *loss);

#endif
