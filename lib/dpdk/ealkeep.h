/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Leaves EAL running when a port could not be opened, and hands it to the next open: EAL starts once a
 * process. Process-wide, as EAL is; one thread.
 */
#ifndef PW_DPDK_EALKEEP_H
#define PW_DPDK_EALKEEP_H

#include <stdint.h>

#include "base/err.h"

/* Before a start of EAL with these arguments, which are copied. 1: EAL runs already, a failed open has left
 * it; the caller owns *args, to which EAL has pointers. 0: start it. -EALREADY: it runs with others. */
int pw_ealkeep_take(int argc, char *const *argv, void **args, struct pw_err *err);

/* Keeps EAL and args; removes the virtual devices of the open that failed. */
void pw_ealkeep_put(void *args, uint64_t huge_bytes);

/* Huge pages of the EAL that is kept, which the next open has at its disposal. */
uint64_t pw_ealkeep_huge_bytes(void);

#endif
