/* SPDX-License-Identifier: BSD-3-Clause */
#include "file/prefault.h"

#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "base/thread.h"

#define RANGES_MAX 16u

struct range {
	uint8_t *base, *at, *end;
	uint64_t page_bytes;
};

struct pw_prefault {
	pthread_t thread;
	pthread_mutex_t lock; /* over all below */
	pthread_cond_t work;  /* a range was added, or stop */
	pthread_cond_t rest;  /* the thread is between two pages */
	struct range todo[RANGES_MAX];
	unsigned int n;
	bool busy; /* with a page of todo[0] */
	bool stop;
};

static void remove_range(struct pw_prefault *a, unsigned int i)
{
	a->n--;
	memmove(&a->todo[i], &a->todo[i + 1], (a->n - i) * sizeof(a->todo[0]));
}

/* The pages are reserved, so this does not fail normally. If it does, the range is dropped, and the receiver
 * meets the fault itself. */
static void make_page(struct pw_prefault *a)
{
	struct range *r = &a->todo[0];
	uint8_t *page = r->at;
	const size_t bytes = r->page_bytes;
	int ret;

	a->busy = true;
	pthread_mutex_unlock(&a->lock);
	ret = madvise(page, bytes, MADV_POPULATE_WRITE);
	pthread_mutex_lock(&a->lock);
	a->busy = false;
	pthread_cond_broadcast(&a->rest);
	r->at += bytes;
	if (ret < 0 || r->at >= r->end)
		remove_range(a, 0);
}

static void *run(void *arg)
{
	struct pw_prefault *a = arg;

	pthread_mutex_lock(&a->lock);
	while (!a->stop) {
		if (a->n)
			make_page(a);
		else
			pthread_cond_wait(&a->work, &a->lock);
	}
	pthread_mutex_unlock(&a->lock);
	return NULL;
}

int pw_prefault_create(struct pw_prefault **out, struct pw_err *err)
{
	struct pw_prefault *a = calloc(1, sizeof(*a));
	int ret;

	*out = NULL;
	if (!a)
		return pw_err_sys(err, ENOMEM, "cannot start the thread that allocates huge pages");
	pthread_mutex_init(&a->lock, NULL);
	pthread_cond_init(&a->work, NULL);
	pthread_cond_init(&a->rest, NULL);
	ret = pw_thread_start(&a->thread, run, a);
	if (ret) {
		free(a);
		return pw_err_sys(err, ret, "cannot start the thread that allocates huge pages");
	}
	*out = a;
	return 0;
}

void pw_prefault_add(struct pw_prefault *a, uint8_t *base, uint64_t bytes, uint64_t page_bytes)
{
	pthread_mutex_lock(&a->lock);
	if (a->n < RANGES_MAX)
		a->todo[a->n++] = (struct range){
			.base = base, .at = base, .end = base + bytes, .page_bytes = page_bytes};
	pthread_cond_signal(&a->work);
	pthread_mutex_unlock(&a->lock);
}

void pw_prefault_remove(struct pw_prefault *a, const uint8_t *base)
{
	unsigned int i;

	if (!a)
		return;
	pthread_mutex_lock(&a->lock);
	while (a->busy && a->todo[0].base == base)
		pthread_cond_wait(&a->rest, &a->lock);
	for (i = 0; i < a->n; i++)
		if (a->todo[i].base == base) {
			remove_range(a, i);
			break;
		}
	pthread_mutex_unlock(&a->lock);
}

void pw_prefault_destroy(struct pw_prefault *a)
{
	if (!a)
		return;
	pthread_mutex_lock(&a->lock);
	a->stop = true;
	pthread_cond_signal(&a->work);
	pthread_mutex_unlock(&a->lock);
	pthread_join(a->thread, NULL);
	pthread_mutex_destroy(&a->lock);
	pthread_cond_destroy(&a->work);
	pthread_cond_destroy(&a->rest);
	free(a);
}
