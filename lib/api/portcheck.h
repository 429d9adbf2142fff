/* SPDX-License-Identifier: BSD-3-Clause */
/* Checks a port before EAL starts: errors here have a plain reason, and EAL can still start later. */
#ifndef PW_API_PORTCHECK_H
#define PW_API_PORTCHECK_H

#include "base/err.h"
#include "dpdk/portspec.h"

/* -ENODEV: the interface does not exist. -EPERM: the process lacks a capability. */
int pw_port_check(const struct pw_portspec *spec, struct pw_err *err);

#endif
