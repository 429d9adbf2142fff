/* SPDX-License-Identifier: BSD-3-Clause */
/* EAL's command line, which ealargs.c makes for eal.c. */
#ifndef PW_DPDK_EAL_PRIVATE_H
#define PW_DPDK_EAL_PRIVATE_H

#include <sched.h>

#include "dpdk/eal.h"

/* Arguments of any number and length. Zeroed: none. */
struct pw_eal_args {
	char **text; /* n of them, each on the heap */
	char **argv; /* the same and a NULL: EAL keeps pointers into it, and changes it */
	int n, room;
	bool out_of_memory; /* an argument is missing */
};

void pw_eal_args_add(struct pw_eal_args *a, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

/* One lcore, which may run on all CPUs of set. */
void pw_eal_args_add_lcores(struct pw_eal_args *a, const cpu_set_t *set);

/* What cfg and spec ask for, then cfg's raw arguments. Sets eal->memory_bytes, huge and shares. */
int pw_eal_args_make(struct pw_eal_args *a, struct pw_eal *eal, const struct pw_dpdk_config *cfg,
	const struct pw_portspec *spec, struct pw_err *err);

/* After EAL's end. */
void pw_eal_args_finish(struct pw_eal_args *a);

#endif
