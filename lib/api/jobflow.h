/* SPDX-License-Identifier: BSD-3-Clause */
/* The address that a send job sends from. */
#ifndef PW_API_JOBFLOW_H
#define PW_API_JOBFLOW_H

#include "dpdk/portspec.h"
#include "wire/frame.h"

/* Sets flow->src, unless --from has: the address of the port's interface, or a link-local one that is derived from the
 * MAC (RFC 3927, RFC 4291 appendix A). */
void pw_job_own_address(struct pw_flow *flow, const struct pw_portspec *spec, const uint8_t mac[6]);

#endif
