/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * EAL's interrupt thread ends the process by rte_panic() when it is to watch a descriptor that is closed
 * already. A peer brings that about: the memif driver (22.11 to 26.11-rc0, by its source) greets whoever connects, and when
 * he is gone by then, closes the connection but leaves it with the interrupt thread.
 *
 * The thread is beyond help, and it holds the lock of EAL's interrupts. But the transfer's threads do not
 * need it: they shall say what happened and keep what they have. So a SIGABRT in that thread, from
 * rte_panic() and nothing else, puts the thread to sleep for good. Any other abort() ends the process as
 * always. Afterwards nothing may be asked of DPDK that takes that lock: no port is closed, EAL is not
 * cleaned up, the process has to end.
 */
#ifndef PW_DPDK_PANIC_H
#define PW_DPDK_PANIC_H

#include <stdbool.h>

/* Installs the SIGABRT handler, once. Best effort. */
void pw_panic_guard(void);

/* Each line that DPDK logs, in the thread that logs it: rte_panic() logs first. */
void pw_panic_hear(const char *line);

/* True when the interrupt thread sleeps for good. */
bool pw_panic_seen(void);

#endif
