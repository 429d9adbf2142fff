/* SPDX-License-Identifier: BSD-3-Clause */
/* A helper thread: signals stay those of the thread that started it. */
#ifndef PW_BASE_THREAD_H
#define PW_BASE_THREAD_H

#include <pthread.h>

/* Positive errno, or 0. The thread blocks all signals but those of its own faults: one of these that is
 * blocked would kill the process. */
int pw_thread_start(pthread_t *thread, void *(*run)(void *arg), void *arg);

#endif
