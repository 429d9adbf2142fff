/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Lets a transfer end in order after rte_panic() in EAL's interrupt thread. A memif peer can cause that: in the
 * driver (22.11 to 26.11-rc0, by its source) a peer that connects and leaves at once has its connection closed,
 * but its descriptor stays with the interrupt thread, which panics over it and would end the process.
 *
 * The thread cannot continue, and it holds the lock of EAL's interrupts. The transfer's threads do not need
 * that lock: they report the fault and keep the received data. So a SIGABRT from rte_panic() in that thread
 * makes the thread sleep forever. Any other abort() ends the process as usual. Afterwards no DPDK function
 * may be called that takes the lock: the port is not closed, EAL is not cleaned up, and the process must end.
 */
#ifndef PW_DPDK_PANIC_H
#define PW_DPDK_PANIC_H

#include <stdbool.h>

/* Installs the SIGABRT handler, once. Best effort. */
void pw_panic_guard(void);

/* Called with each line that DPDK logs, in the thread that logs it: rte_panic() logs before it aborts. */
void pw_panic_check_log(const char *line);

/* True when the interrupt thread sleeps forever. */
bool pw_panic_seen(void);

#endif
