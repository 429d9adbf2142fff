/* SPDX-License-Identifier: BSD-3-Clause */
/* DPDK's telemetry commands /pagewire/stats and /pagewire/transfers; see telemetry.h. */
#include "dpdk/telemetry.h"

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <rte_mempool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/snapshot.h"
#include "dpdk/compat.h"

#define N_WORDS       (sizeof(struct pw_telemetry_sample) / sizeof(uint64_t))
#define ANSWER_NS     (PW_NS_PER_S / 2) /* how long a handler waits for the polling thread */
#define ANSWER_GAP_NS 1000000           /* between two checks */

static_assert(sizeof(struct pw_telemetry_sample) % sizeof(uint64_t) == 0, "a sample is words");

/* Who may write the page: the handler while FREE or ANSWERED, the polling thread while ASKED. */
enum request { REQUEST_FREE, REQUEST_ASKED, REQUEST_ANSWERED };

struct pw_telemetry {
	struct pw_telemetry_source source;
	char port[PW_TELEMETRY_NAME];
	atomic_uint seq;
	_Atomic uint64_t words[N_WORDS];
	atomic_int request;
	atomic_bool stopping;
	struct pw_telemetry_page page;
	/* the polling thread's */
	uint64_t ticked_ns;
	uint64_t mark_ns, mark_packets, mark_bytes; /* a second ago */
	uint64_t packets_per_s_now, goodput_bps_now;
};

/* DPDK 22.11 passes no context to its handlers, and a command cannot be unregistered. So the transfer that they
 * report is found here. The polling thread takes the lock only at start and stop. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct pw_telemetry *current;

const char *const pw_telemetry_tx_names[] = {"packets", "payload_bytes", "wire_bytes",
	"cpu_copied_bytes", "cpu_read_bytes", "full_polls", "split_packets", NULL};

void pw_telemetry_tx_words(uint64_t *words, const struct pw_tx_counters *c)
{
	const uint64_t all[] = {c->packets, c->payload_bytes, c->wire_bytes, c->cpu_copied_bytes,
		c->cpu_read_bytes, c->full_polls, c->split_packets};

	memcpy(words, all, sizeof(all));
}

const char *const pw_telemetry_rx_names[] = {
	"packets", "bytes", "foreign", "malformed", "missed", NULL};

void pw_telemetry_rx_words(uint64_t *words, const struct pw_rx_counters *c)
{
	const uint64_t all[] = {c->packets, c->bytes, c->foreign, c->malformed, c->missed};

	memcpy(words, all, sizeof(all));
}

/* As in a URL. Bytes from 0x80 on must not reach DPDK 22.11: it takes them for control characters and reads
 * memory before its table of their names. */
void pw_telemetry_name(char *to, const char *name)
{
	static const char hex[] = "0123456789ABCDEF";
	size_t in = strlen(name), at = PW_TELEMETRY_NAME;

	to[--at] = '\0';
	while (in > 0 && at >= 6) {
		unsigned char c = (unsigned char)name[--in];

		if (c > ' ' && c < 0x7f && c != '%') {
			to[--at] = (char)c;
			continue;
		}
		to[--at] = hex[c & 15];
		to[--at] = hex[c >> 4];
		to[--at] = '%';
	}
	if (in > 0) {
		at -= 3;
		memcpy(to + at, "...", 3);
	}
	memmove(to, to + at, PW_TELEMETRY_NAME - at);
}

static void add_counts(struct rte_tel_data *d, const char *const *names, const uint64_t *words)
{
	for (; *names; names++, words++)
		rte_tel_data_add_dict_uint(d, *names, *words);
}

/* Adds an empty dict to d, or nothing and NULL. */
static struct rte_tel_data *add_dict(struct rte_tel_data *d, const char *name)
{
	struct rte_tel_data *sub = rte_tel_data_alloc();

	if (!sub)
		return NULL;
	rte_tel_data_start_dict(sub);
	if (rte_tel_data_add_dict_container(d, name, sub, 0) == 0)
		return sub;
	rte_tel_data_free(sub);
	return NULL;
}

static void add_pool(struct rte_mempool *mp, void *pools)
{
	struct rte_tel_data *d;

	if (strncmp(mp->name, "pw_", 3))
		return;
	d = add_dict(pools, mp->name);
	if (!d)
		return;
	rte_tel_data_add_dict_uint(d, "size", mp->size);
	rte_tel_data_add_dict_uint(d, "free", rte_mempool_avail_count(mp));
}

static void add_head(
	struct rte_tel_data *d, const struct pw_telemetry *t, const struct pw_telemetry_sample *s)
{
	rte_tel_data_add_dict_string(d, "role", t->source.role);
	rte_tel_data_add_dict_string(d, "port", t->port);
	rte_tel_data_add_dict_string(d, "driver", t->source.driver);
	rte_tel_data_add_dict_string(
		d, "phase", s->now_ns ? t->source.phases[s->phase] : "starting");
	if (s->now_ns) /* grows while the polling thread does other work, or is stuck */
		rte_tel_data_add_dict_uint(d, "age_ms", (pw_clock_ns() - s->now_ns) / 1000000);
}

static uint64_t per_second(uint64_t n, uint64_t ns)
{
	return ns ? (uint64_t)((double)n * 1e9 / (double)ns) : 0;
}

static void read_sample(const struct pw_telemetry *t, struct pw_telemetry_sample *s)
{
	pw_snapshot_read(&t->seq, (uint64_t *)s, t->words, N_WORDS);
}

static void fill_stats(struct rte_tel_data *d, const struct pw_telemetry *t)
{
	struct pw_telemetry_sample sample, *s = &sample;
	uint64_t run_ns, i;
	struct rte_tel_data *sub;
	char name[24];

	read_sample(t, s);
	run_ns = s->start_ns ? s->now_ns - s->start_ns : 0;
	add_head(d, t, s);
	rte_tel_data_add_dict_uint(d, "run_ms", run_ns / 1000000);
	add_counts(d, t->source.counts, s->counts);
	rte_tel_data_add_dict_uint(d, "packets_per_s", per_second(s->packets, run_ns));
	rte_tel_data_add_dict_uint(d, "packets_per_s_now", s->packets_per_s_now);
	rte_tel_data_add_dict_uint(d, "goodput_bps", per_second(8 * s->payload_bytes, run_ns));
	rte_tel_data_add_dict_uint(d, "goodput_bps_now", s->goodput_bps_now);
	sub = add_dict(d, "queues");
	for (i = 0; sub && i < s->n_queues; i++) {
		struct rte_tel_data *queue;

		snprintf(name, sizeof(name), "%" PRIu64, i);
		queue = add_dict(sub, name);
		if (queue)
			add_counts(queue, t->source.queue_counts, s->queues[i]);
	}
	sub = add_dict(d, "pools");
	if (sub)
		rte_mempool_walk(add_pool, sub);
}

/* Waits until the polling thread has filled t->page; false if it did not in time. The caller holds the lock. */
static bool ask(struct pw_telemetry *t, uint64_t first)
{
	uint64_t end = pw_clock_ns() + ANSWER_NS;

	/* an answer that came too late for its handler is discarded */
	if (atomic_load_explicit(&t->request, memory_order_acquire) != REQUEST_ASKED) {
		t->page.first = first;
		atomic_store_explicit(&t->request, REQUEST_ASKED, memory_order_release);
	}
	while (atomic_load_explicit(&t->request, memory_order_acquire) != REQUEST_ANSWERED) {
		if (atomic_load(&t->stopping) || pw_clock_ns() > end)
			return false;
		nanosleep(&(struct timespec){.tv_nsec = ANSWER_GAP_NS}, NULL);
	}
	atomic_store_explicit(&t->request, REQUEST_FREE, memory_order_relaxed);
	return t->page.first == first;
}

static void add_file(struct rte_tel_data *files, const struct pw_telemetry_file *f)
{
	struct rte_tel_data *d;
	char toi[24];

	snprintf(toi, sizeof(toi), "%" PRIu64, f->toi);
	d = add_dict(files, toi);
	if (!d)
		return;
	rte_tel_data_add_dict_string(d, "name", f->name);
	rte_tel_data_add_dict_string(d, "state", f->state);
	rte_tel_data_add_dict_uint(d, "bytes", f->len_bytes);
	rte_tel_data_add_dict_uint(d, "done", f->done_bytes);
	rte_tel_data_add_dict_uint(d, "missing", f->len_bytes - f->done_bytes);
	rte_tel_data_add_dict_string(d, "digest", f->digest);
}

static void fill_transfers(struct rte_tel_data *d, struct pw_telemetry *t, uint64_t first)
{
	const bool listed = ask(t, first);
	struct pw_telemetry_sample sample, *s = &sample;
	struct rte_tel_data *files;
	uint32_t i;

	read_sample(t, s); /* what was published just before the list was made */
	add_head(d, t, s);
	if (s->pass)
		rte_tel_data_add_dict_uint(d, "pass", s->pass);
	rte_tel_data_add_dict_uint(d, "files", s->n_files);
	rte_tel_data_add_dict_uint(d, "files_ended", s->n_ended);
	rte_tel_data_add_dict_uint(d, "bytes_done", s->bytes_done);
	rte_tel_data_add_dict_uint(d, "bytes_total", s->bytes_total);
	if (!listed)
		return; /* only the sums, whose age is age_ms */
	rte_tel_data_add_dict_uint(d, "first", first);
	if (t->page.n && first + t->page.n < s->n_files)
		rte_tel_data_add_dict_uint(d, "next", first + t->page.n);
	files = add_dict(d, "list");
	for (i = 0; files && i < t->page.n; i++)
		add_file(files, &t->page.files[i]);
}

static int answer(const char *params, struct rte_tel_data *d, bool transfers)
{
	struct pw_telemetry *t;

	rte_tel_data_start_dict(d);
	pthread_mutex_lock(&lock);
	t = current;
	if (t && !atomic_load(&t->stopping)) {
		if (transfers)
			fill_transfers(d, t, params ? strtoull(params, NULL, 10) : 0);
		else
			fill_stats(d, t);
	}
	pthread_mutex_unlock(&lock);
	return 0;
}

static int on_stats(const char *cmd, const char *params, struct rte_tel_data *d)
{
	(void)cmd;
	return answer(params, d, false);
}

static int on_transfers(const char *cmd, const char *params, struct rte_tel_data *d)
{
	(void)cmd;
	return answer(params, d, true);
}

int pw_telemetry_start(
	struct pw_telemetry **out, const struct pw_telemetry_source *source, struct pw_err *err)
{
	struct pw_telemetry *t = calloc(1, sizeof(*t));
	int r;

	if (!t)
		return pw_err_set(err, ENOMEM, "cannot start telemetry: out of memory");
	t->source = *source;
	pw_telemetry_name(t->port, source->port);
	pthread_mutex_lock(&lock);
	current = t;
	pthread_mutex_unlock(&lock);
	*out = t;
	r = rte_telemetry_register_cmd("/pagewire/stats", on_stats,
		"Counters of the transfer, its queues and pools, rates now and on average. No "
		"parameters");
	if (r == 0)
		r = rte_telemetry_register_cmd("/pagewire/transfers", on_transfers,
			"Files and their progress. Parameter: number of the first one listed, "
			"default "
			"0");
	if (r == 0 || r == -EEXIST)
		return 0;
	return pw_err_set(err, -r, "cannot register telemetry commands: %s", strerror(-r));
}

bool pw_telemetry_due(const struct pw_telemetry *t, uint64_t now_ns)
{
	return now_ns - t->ticked_ns >= PW_TELEMETRY_TICK_NS;
}

static void measure(struct pw_telemetry *t, const struct pw_telemetry_sample *s)
{
	uint64_t ns = s->now_ns - t->mark_ns;

	if (t->mark_ns && ns < PW_NS_PER_S)
		return;
	if (t->mark_ns) {
		t->packets_per_s_now = per_second(s->packets - t->mark_packets, ns);
		t->goodput_bps_now = per_second(8 * (s->payload_bytes - t->mark_bytes), ns);
	}
	t->mark_ns = s->now_ns;
	t->mark_packets = s->packets;
	t->mark_bytes = s->payload_bytes;
}

void pw_telemetry_tick(struct pw_telemetry *t, const struct pw_telemetry_sample *sample)
{
	struct pw_telemetry_sample s = *sample;

	measure(t, &s);
	s.packets_per_s_now = t->packets_per_s_now;
	s.goodput_bps_now = t->goodput_bps_now;
	t->ticked_ns = s.now_ns;
	pw_snapshot_write(&t->seq, t->words, (const uint64_t *)&s, N_WORDS);
	if (atomic_load_explicit(&t->request, memory_order_acquire) != REQUEST_ASKED)
		return;
	t->page.n = 0;
	t->source.list(t->source.ctx, &t->page);
	atomic_store_explicit(&t->request, REQUEST_ANSWERED, memory_order_release);
}

void pw_telemetry_stop(struct pw_telemetry *t)
{
	if (!t)
		return;
	atomic_store(&t->stopping, true); /* a handler that waits for a tick gives up */
	pthread_mutex_lock(&lock);
	current = NULL;
	pthread_mutex_unlock(&lock);
	free(t);
}
