/* SPDX-License-Identifier: BSD-3-Clause */
#include "xfer/finish.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/thread.h"
#include "page/digest.h"

/* Mappings that wait here: bounded, because the kernel bounds a process's mappings. */
#define MAX_MAPPED 512

struct job_list {
	struct pw_finish_job *head;
	struct pw_finish_job **tail;
};

struct pw_finish {
	const struct pw_output *out;
	bool force;
	pthread_t thread;
	pthread_mutex_t lock; /* over all below */
	pthread_cond_t work;  /* todo has a job, or stop */
	pthread_cond_t idle;  /* n_pending is 0 */
	struct job_list todo;
	struct job_list done;
	size_t n_pending;
	bool stop;
	atomic_bool any_done; /* done is not empty */
	atomic_uint n_mapped; /* mappings in todo and in work */
};

static void list_init(struct job_list *l)
{
	l->head = NULL;
	l->tail = &l->head;
}

static void list_add(struct job_list *l, struct pw_finish_job *job)
{
	job->next = NULL;
	*l->tail = job;
	l->tail = &job->next;
}

static void failed(struct pw_finish_job *job, const struct pw_err *err)
{
	job->result = PW_FINISH_FAILED;
	job->code = err->code ? err->code : EIO;
	job->why = strdup(err->msg);
}

static void mismatch(
	struct pw_finish_job *job, const struct pw_digest *wanted, const struct pw_digest *got)
{
	char a[96], b[96];

	job->result = PW_FINISH_MISMATCH;
	if (asprintf(&job->why, "digest differs: sender named %s, received %s",
		    pw_digest_format(a, sizeof(a), wanted),
		    pw_digest_format(b, sizeof(b), got)) < 0)
		job->why = NULL;
}

/* What the receiver has begun is the digest that is asked for. */
static bool digest_goes_on(const struct pw_finish_job *job)
{
	return job->digest && job->obj->digest.kind == PW_DIGEST_XXH3_128;
}

/* The digest of the mapping's content, less what the receiver has done of it already. */
static int digest_rest(struct pw_finish_job *job, struct pw_digest *got, struct pw_err *err)
{
	const struct pw_object *o = job->obj;

	if (!digest_goes_on(job))
		return pw_digest_buffer(o->digest.kind,
			o->len_bytes ? (const void *)job->map.base : "", o->len_bytes, got, err);
	pw_digest_update(job->digest, job->map.base + job->digested_bytes,
		o->len_bytes - job->digested_bytes);
	pw_digest_final(job->digest, got);
	return 0;
}

/* GOOD, UNVERIFIED or MISMATCH by the mapping's content. */
static int verify(struct pw_finish_job *job, struct pw_err *err)
{
	const struct pw_object *o = job->obj;
	struct pw_digest got;
	int ret;

	job->result = PW_FINISH_UNVERIFIED;
	if (o->digest.kind == PW_DIGEST_NONE)
		return 0;
	ret = digest_rest(job, &got, err);
	if (ret < 0)
		return ret;
	if (got.kind == o->digest.kind &&
		!memcmp(got.bytes, o->digest.bytes, pw_digest_len(got.kind)))
		job->result = PW_FINISH_GOOD;
	else
		mismatch(job, &o->digest, &got);
	return 0;
}

static int lost(const struct pw_finish *f, const struct pw_finish_job *job, struct pw_err *err)
{
	return pw_err_set(err, EIO,
		"verify %s/%s: truncated, or the disk is full or broken; make room and go "
		"on with --resume",
		f->out->dir, job->obj->name);
}

static int prepare(struct pw_finish *f, struct pw_finish_job *job, struct pw_err *err)
{
	const struct pw_object *o = job->obj;

	if (job->kind == PW_FINISH_EMPTY)
		return pw_output_create_empty(f->out, o->name, err);
	/* written past the page cache, what is not in its digest is in memory; without one, none is */
	if (job->map.direct && !digest_goes_on(job) && pw_mapping_close(&job->map))
		return lost(f, job, err);
	if (job->map.base || o->len_bytes == 0 || o->digest.kind == PW_DIGEST_NONE)
		return 0;
	return pw_output_reopen(
		f->out, o->name, job->kind == PW_FINISH_PART, o->len_bytes, &job->map, err);
}

static void run(struct pw_finish *f, struct pw_finish_job *job, bool had_map)
{
	struct pw_err err = {0};
	int ret;

	ret = prepare(f, job, &err);
	if (ret == 0)
		ret = verify(job, &err);
	if (pw_mapping_close(&job->map) && ret == 0)
		ret = lost(f, job, &err);
	if (had_map)
		atomic_fetch_sub(&f->n_mapped, 1);
	if (ret == 0 && job->kind != PW_FINISH_TARGET && job->result != PW_FINISH_MISMATCH)
		ret = pw_output_rename(f->out, job->obj->name, f->force, &err);
	if (ret < 0) {
		free(job->why);
		failed(job, &err);
	}
}

static void *finisher(void *arg)
{
	struct pw_finish *f = arg;
	struct pw_finish_job *job;

	pthread_mutex_lock(&f->lock);
	for (;;) {
		while (!f->todo.head && !f->stop)
			pthread_cond_wait(&f->work, &f->lock);
		job = f->todo.head;
		if (!job)
			break;
		f->todo.head = job->next;
		if (!job->next)
			f->todo.tail = &f->todo.head;
		pthread_mutex_unlock(&f->lock);
		run(f, job, job->map.base != NULL);
		pthread_mutex_lock(&f->lock);
		list_add(&f->done, job);
		atomic_store_explicit(&f->any_done, true, memory_order_relaxed);
		if (--f->n_pending == 0)
			pthread_cond_broadcast(&f->idle);
	}
	pthread_mutex_unlock(&f->lock);
	return NULL;
}

int pw_finish_create(
	struct pw_finish **out_f, const struct pw_output *out, bool force, struct pw_err *err)
{
	struct pw_finish *f = calloc(1, sizeof(*f));
	int ret;

	*out_f = NULL;
	if (!f)
		return pw_err_sys(err, ENOMEM, "start the finisher");
	f->out = out;
	f->force = force;
	list_init(&f->todo);
	list_init(&f->done);
	pthread_mutex_init(&f->lock, NULL);
	pthread_cond_init(&f->work, NULL);
	pthread_cond_init(&f->idle, NULL);
	ret = pw_thread_start(&f->thread, finisher, f);
	if (ret) {
		free(f);
		return pw_err_sys(err, ret, "start the finisher");
	}
	*out_f = f;
	return 0;
}

int pw_finish_submit(struct pw_finish *f, struct pw_object *o, enum pw_finish_kind kind,
	struct pw_mapping *map, struct pw_err *err)
{
	struct pw_finish_job *job = calloc(1, sizeof(*job));

	if (!job)
		return pw_err_sys(err, ENOMEM, "verify %s", o->name);
	job->obj = o;
	job->kind = kind;
	job->map.guard = -1;
	if (o->part && kind == PW_FINISH_PART) {
		job->digest = o->part->digest;
		job->digested_bytes = o->part->digested_bytes;
		o->part->digest = NULL;
	}
	if (map && map->base && atomic_load(&f->n_mapped) < MAX_MAPPED) {
		atomic_fetch_add(&f->n_mapped, 1);
		job->map = *map;
		map->base = NULL;
		map->hi = 0;
		map->direct = NULL;
		map->guard = -1;
	} else if (map) {
		job->map.dev = map->dev;
		job->map.ino = map->ino;
	}
	pthread_mutex_lock(&f->lock);
	list_add(&f->todo, job);
	f->n_pending++;
	pthread_cond_signal(&f->work);
	pthread_mutex_unlock(&f->lock);
	return 0;
}

struct pw_finish_job *pw_finish_collect(struct pw_finish *f)
{
	struct pw_finish_job *jobs;

	if (!atomic_load_explicit(&f->any_done, memory_order_relaxed))
		return NULL;
	pthread_mutex_lock(&f->lock);
	jobs = f->done.head;
	list_init(&f->done);
	atomic_store_explicit(&f->any_done, false, memory_order_relaxed);
	pthread_mutex_unlock(&f->lock);
	return jobs;
}

void pw_finish_job_destroy(struct pw_finish_job *job)
{
	pw_digest_destroy(job->digest);
	free(job->why);
	free(job);
}

void pw_finish_wait(struct pw_finish *f)
{
	pthread_mutex_lock(&f->lock);
	while (f->n_pending)
		pthread_cond_wait(&f->idle, &f->lock);
	pthread_mutex_unlock(&f->lock);
}

void pw_finish_destroy(struct pw_finish *f)
{
	struct pw_finish_job *job, *next;

	if (!f)
		return;
	pthread_mutex_lock(&f->lock);
	f->stop = true;
	pthread_cond_signal(&f->work);
	pthread_mutex_unlock(&f->lock);
	pthread_join(f->thread, NULL);
	for (job = pw_finish_collect(f); job; job = next) {
		next = job->next;
		pw_finish_job_destroy(job);
	}
	pthread_mutex_destroy(&f->lock);
	pthread_cond_destroy(&f->work);
	pthread_cond_destroy(&f->idle);
	free(f);
}
