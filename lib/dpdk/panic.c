/* SPDX-License-Identifier: BSD-3-Clause */
/* Survives rte_panic() in EAL's interrupt thread; see panic.h. */
#include "dpdk/panic.h"

#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

/* A signal handler can reach no other state. */
static atomic_bool installed, seen;
static struct sigaction previous;
static _Thread_local volatile sig_atomic_t panics; /* this thread is in rte_panic() */

static bool is_interrupt_thread(void)
{
	char name[16] = "";

	/* the second name is of DPDK 23.11 and later */
	return prctl(PR_GET_NAME, name) == 0 &&
	       (!strcmp(name, "eal-intr-thread") || !strcmp(name, "dpdk-intr"));
}

static void on_abort(int sig)
{
	(void)sig;
	if (!panics || !is_interrupt_thread()) {
		sigaction(SIGABRT, &previous, NULL); /* abort() raises the signal again */
		return;
	}
	atomic_store_explicit(&seen, true, memory_order_release);
	for (;;)
		pause();
}

void pw_panic_guard(void)
{
	struct sigaction sa = {.sa_handler = on_abort};

	sigemptyset(&sa.sa_mask);
	if (!atomic_exchange(&installed, true))
		sigaction(SIGABRT, &sa, &previous);
}

void pw_panic_check_log(const char *line)
{
	static const char eal[] = "EAL: "; /* in front of it from DPDK 24.03 on */

	if (!strncmp(line, eal, sizeof(eal) - 1))
		line += sizeof(eal) - 1;
	if (!strncmp(line, "PANIC in ", 9))
		panics = 1;
}

bool pw_panic_seen(void)
{
	return atomic_load_explicit(&seen, memory_order_acquire);
}
