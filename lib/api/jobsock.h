/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A send job on a UDP socket of the kernel (--port udp:IF), without DPDK: trains of packets that the kernel cuts
 * (UDP_SEGMENT). One lane; the file stays where it is, and the kernel copies each byte once.
 */
#ifndef PW_API_JOBSOCK_H
#define PW_API_JOBSOCK_H

#include "api/joboptions.h"
#include "base/log.h"
#include "dpdk/portspec.h"
#include "wire/frame.h"

/* Whether the options fit a socket. -EINVAL: err names the one that needs a port of DPDK. */
int pw_job_sock_plan(const struct pw_job_options *o, struct pw_err *err);
/* Opens the path, which pw_way_close() closes. flow: complete but for the MACs, which the kernel knows. */
int pw_job_sock_open(void **path, const struct pw_job_options *o, const struct pw_portspec *spec,
	const struct pw_flow *flow, const struct pw_log *log, struct pw_err *err);
/* How the path sends. */
const struct pw_tx_ops *pw_job_sock_ops(void);

#endif
