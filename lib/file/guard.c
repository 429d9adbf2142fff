/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The table is written under a lock and read by the signal handler without one. A slot's `seq` is
 * odd while the slot is live and moves on at every change, so the handler can check that the fields
 * it read belong together:
 *
 *   add      base, end, ... stored; seq -> odd (release)      handler   seq odd? (acquire)
 *   remove   seq -> even                                                fields; seq the same still?
 */
#include "file/guard.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/mman.h>

#include "base/bytes.h"

#define N_SLOTS 4096

struct slot {
	atomic_uint seq;
	atomic_bool lost;
	atomic_uintptr_t base;
	atomic_uintptr_t end;
	_Atomic uint64_t page_bytes;
};

/* Globals: a signal handler gets no argument. */
static struct slot slots[N_SLOTS];
static atomic_uint n_used; /* slots [n_used, N_SLOTS) were never live */
static atomic_bool any_lost;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct sigaction previous;
static bool installed;

static_assert(ATOMIC_POINTER_LOCK_FREE == 2 && ATOMIC_INT_LOCK_FREE == 2 &&
		      ATOMIC_LLONG_LOCK_FREE == 2 && ATOMIC_BOOL_LOCK_FREE == 2,
	"the handler may not take a lock");

/* Maps a page of zeros at addr; false: addr is not in this slot's range. */
static bool map_zeros(struct slot *s, uintptr_t addr)
{
	unsigned int seq = atomic_load_explicit(&s->seq, memory_order_acquire);
	uintptr_t base, end, page;
	uint64_t page_bytes;

	if (!(seq & 1))
		return false;
	base = atomic_load_explicit(&s->base, memory_order_relaxed);
	end = atomic_load_explicit(&s->end, memory_order_relaxed);
	page_bytes = atomic_load_explicit(&s->page_bytes, memory_order_relaxed);
	atomic_thread_fence(memory_order_acquire);
	if (atomic_load_explicit(&s->seq, memory_order_relaxed) != seq || addr < base ||
		addr >= end)
		return false;
	page = pw_align_down(addr, page_bytes);
	if (mmap((void *)page, page_bytes, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | MAP_NORESERVE, -1, 0) == MAP_FAILED)
		return false;
	atomic_store_explicit(&s->lost, true, memory_order_relaxed);
	atomic_store_explicit(&any_lost, true, memory_order_release);
	return true;
}

static void on_sigbus(int sig, siginfo_t *info, void *ucontext)
{
	int saved_errno = errno;
	unsigned int i, n = atomic_load_explicit(&n_used, memory_order_acquire);

	(void)ucontext;
	/* si_code <= 0: kill() sent the signal, and there is no address. */
	for (i = 0; info->si_code > 0 && i < n; i++) {
		if (map_zeros(&slots[i], (uintptr_t)info->si_addr)) {
			errno = saved_errno;
			return;
		}
	}
	/* Not in a range. With the previous action, the instruction faults again or the signal is raised again. */
	sigaction(SIGBUS, &previous, NULL);
	if (info->si_code <= 0)
		raise(sig);
	errno = saved_errno;
}

int pw_guard_init(struct pw_err *err)
{
	struct sigaction sa = {.sa_sigaction = on_sigbus, .sa_flags = SA_SIGINFO | SA_ONSTACK};
	int ret = 0;

	sigemptyset(&sa.sa_mask);
	pthread_mutex_lock(&lock);
	if (!installed && sigaction(SIGBUS, &sa, &previous) < 0)
		ret = pw_err_sys(err, errno, "cannot install a SIGBUS handler for mapped files");
	if (ret == 0)
		installed = true;
	pthread_mutex_unlock(&lock);
	return ret;
}

static int find_free(void)
{
	unsigned int i, n = atomic_load_explicit(&n_used, memory_order_relaxed);

	for (i = 0; i < n; i++)
		if (!(atomic_load_explicit(&slots[i].seq, memory_order_relaxed) & 1))
			return (int)i;
	if (n == N_SLOTS)
		return -ENOSPC;
	return (int)n;
}

int pw_guard_add(const void *base, size_t len, uint64_t page_bytes)
{
	uintptr_t start = (uintptr_t)base;
	struct slot *s;
	int i;

	if (len == 0 || page_bytes == 0)
		return -EINVAL;
	pthread_mutex_lock(&lock);
	i = find_free();
	if (i >= 0) {
		s = &slots[i];
		/* Release: a handler that reads a new field also sees that seq has changed. */
		atomic_store_explicit(
			&s->base, pw_align_down(start, page_bytes), memory_order_release);
		atomic_store_explicit(
			&s->end, pw_align_up(start + len, page_bytes), memory_order_release);
		atomic_store_explicit(&s->page_bytes, page_bytes, memory_order_release);
		atomic_store_explicit(&s->lost, false, memory_order_release);
		/* Release: a handler that sees the slot live sees the range. */
		atomic_fetch_add_explicit(&s->seq, 1, memory_order_release);
		if ((unsigned int)i == atomic_load_explicit(&n_used, memory_order_relaxed))
			atomic_store_explicit(&n_used, (unsigned int)i + 1, memory_order_release);
	}
	pthread_mutex_unlock(&lock);
	return i;
}

bool pw_guard_lost(int slot)
{
	return slot >= 0 && slot < N_SLOTS &&
	       atomic_load_explicit(&slots[slot].lost, memory_order_acquire);
}

bool pw_guard_any_lost(void)
{
	return atomic_load_explicit(&any_lost, memory_order_relaxed);
}

void pw_guard_remove(int slot)
{
	if (slot < 0 || slot >= N_SLOTS)
		return;
	pthread_mutex_lock(&lock);
	if (atomic_load_explicit(&slots[slot].seq, memory_order_relaxed) & 1)
		atomic_fetch_add_explicit(&slots[slot].seq, 1, memory_order_release);
	pthread_mutex_unlock(&lock);
}
