/* SPDX-License-Identifier: BSD-3-Clause */
/* Starts a thread that receives no signals: the thread that starts it handles them. */
#ifndef PW_BASE_THREAD_H
#define PW_BASE_THREAD_H

#include <pthread.h>

/* Positive errno, or 0. The thread blocks all signals except those of faults (SIGBUS, SIGSEGV, ...): a
 * blocked fault would kill the process. */
int pw_thread_start(pthread_t *thread, void *(*run)(void *arg), void *arg);

#endif
