/* SPDX-License-Identifier: BSD-3-Clause */
#include "repair/client.h"

#include <curl/curl.h>
#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/thread.h"
#include "repair/table.h"

#define CONNECT_FIRST_MS 100L
#define CONNECT_MS       5000L /* the longest wait */
#define REQUEST_MS       30000L
#define BACKOFF_MAX      (8 * PW_NS_PER_S)
#define ANSWER_MAX       256u /* bytes of an answer that are read */

struct wanted {
	bool is_pending;
	bool repeats; /* a report that nobody waits for */
	uint64_t due_ns, round, number;
	unsigned int n_failed;
};

struct pw_repair_client {
	struct pw_repair_client_config cfg;
	uint64_t id;
	char name[PW_REPAIR_NAME_MAX + 1];
	CURL *curl; /* the thread's */
	pthread_t thread;
	bool has_thread;
	atomic_bool stop;
	pthread_mutex_t lock; /* protects all below */
	pthread_cond_t changed;
	struct pw_repair_url url;
	struct wanted wanted[PW_REPAIR_N_KINDS];
	uint64_t n_wanted;
	bool reports;       /* again and again */
	uint64_t report_ns; /* between two of them */
	struct pw_repair_client_status st;
};

/* What is to be sent now. */
struct message {
	enum pw_repair_kind kind;
	uint64_t round, number;
	struct pw_repair_url url;
	void *body;
	size_t len;
};

struct answer {
	char text[ANSWER_MAX];
	size_t len;
};

static uint64_t random_ns(uint64_t most)
{
	uint64_t v = 0;

	if (getrandom(&v, sizeof(v), GRND_NONBLOCK) != (ssize_t)sizeof(v))
		v = pw_cycles();
	return most ? v % most : 0;
}

/* Reads what fits, and takes the rest without keeping it: a hostile server ends at REQUEST_MS. */
static size_t take_answer(char *data, size_t size, size_t n, void *ctx)
{
	struct answer *a = ctx;
	const size_t len = pw_min_u64(size * n, sizeof(a->text) - a->len);

	memcpy(a->text + a->len, data, len);
	a->len += len;
	return size * n;
}

static int look(void *ctx, curl_off_t a, curl_off_t b, curl_off_t c, curl_off_t d)
{
	const struct pw_repair_client *client = ctx;

	(void)a, (void)b, (void)c, (void)d;
	return atomic_load(&client->stop);
}

/* What an answer tells; 0: it does not. */
struct word {
	uint64_t round, report_ms, n_receivers;
};

static uint64_t read_count(const json_t *root, const char *key)
{
	const json_int_t n = json_integer_value(json_object_get(root, key));

	return n > 0 ? (uint64_t)n : 0;
}

static struct word read_word(const struct answer *a)
{
	json_t *root = json_loadb(a->text, a->len, JSON_DISABLE_EOF_CHECK, NULL);
	const struct word word = {read_count(root, "round"), read_count(root, "report_ms"),
		read_count(root, "receivers")};

	json_decref(root);
	return word;
}

static void set_options(struct pw_repair_client *c, const char *url, const struct message *m,
	struct curl_slist *headers, struct answer *a)
{
	curl_easy_reset(c->curl);
	curl_easy_setopt(c->curl, CURLOPT_URL, url);
	curl_easy_setopt(c->curl, CURLOPT_POST, 1L);
	curl_easy_setopt(c->curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)m->len);
	curl_easy_setopt(c->curl, CURLOPT_POSTFIELDS, m->body);
	curl_easy_setopt(c->curl, CURLOPT_HTTPHEADER, headers);
	curl_easy_setopt(c->curl, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(c->curl, CURLOPT_PROXY, "");
	curl_easy_setopt(c->curl, CURLOPT_FOLLOWLOCATION, 0L);
	curl_easy_setopt(c->curl, CURLOPT_TIMEOUT_MS, REQUEST_MS);
	curl_easy_setopt(c->curl, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
	curl_easy_setopt(c->curl, CURLOPT_WRITEFUNCTION, take_answer);
	curl_easy_setopt(c->curl, CURLOPT_WRITEDATA, a);
	curl_easy_setopt(c->curl, CURLOPT_NOPROGRESS, 0L);
	curl_easy_setopt(c->curl, CURLOPT_XFERINFOFUNCTION, look);
	curl_easy_setopt(c->curl, CURLOPT_XFERINFODATA, c);
}

/* The kernel sends a lost SYN again after 1 s, and a session may be over by then. A new connection has a new SYN: the
 * first time soon, then after twice as long each, so that a path with a long delay is connected as well. */
static CURLcode perform(struct pw_repair_client *c)
{
	CURLcode code;
	curl_off_t took_us;
	long ms;

	for (ms = CONNECT_FIRST_MS;; ms *= 2) {
		curl_easy_setopt(
			c->curl, CURLOPT_CONNECTTIMEOUT_MS, ms < CONNECT_MS ? ms : CONNECT_MS);
		took_us = 0;
		code = curl_easy_perform(c->curl);
		curl_easy_getinfo(c->curl, CURLINFO_TOTAL_TIME_T, &took_us);
		if (code != CURLE_OPERATION_TIMEDOUT || ms >= CONNECT_MS ||
			took_us >= REQUEST_MS * 1000) /* connected, but without an answer */
			return code;
	}
}

/* The HTTP status; 0: the sender was not reached, why has the reason. */
static long post(
	struct pw_repair_client *c, const struct message *m, struct word *word, const char **why)
{
	const bool gaps = m->kind == PW_REPAIR_GAPS;
	char base[PW_REPAIR_URL_MAX], url[PW_REPAIR_URL_MAX + 64], query[64] = "";
	struct curl_slist *headers = NULL;
	struct answer a = {.len = 0};
	CURLcode code;
	long status = 0;

	if (gaps)
		snprintf(query, sizeof(query), "?receiver=%016" PRIx64 "&round=%" PRIu64, c->id,
			m->round);
	snprintf(url, sizeof(url), "%s/%s%s", pw_repair_url_format(base, &m->url),
		pw_repair_kind_name(m->kind), query);
	headers = curl_slist_append(headers,
		gaps ? "Content-Type: application/gzip" : "Content-Type: application/json");
	set_options(c, url, m, headers, &a);
	code = perform(c);
	if (code == CURLE_OK)
		curl_easy_getinfo(c->curl, CURLINFO_RESPONSE_CODE, &status);
	else
		*why = curl_easy_strerror(code);
	curl_slist_free_all(headers);
	*word = read_word(&a);
	return status;
}

static int make_gaps(struct pw_repair_client *c, struct message *m, struct pw_err *err)
{
	struct pw_gaps gaps = {0};
	char *text = NULL;
	size_t len;
	int r = c->cfg.gaps(c->cfg.ctx, &gaps, err);

	if (r == 0)
		r = pw_gaps_text(&gaps, PW_REPAIR_TEXT_MAX, &text, &len, err);
	if (r == 0)
		r = pw_repair_pack(text, len, &m->body, &m->len, err);
	free(text);
	pw_gaps_finish(&gaps);
	return r;
}

static int make_report(struct pw_repair_client *c, struct message *m, struct pw_err *err)
{
	struct pw_repair_report report = {0};
	int r = c->cfg.report(c->cfg.ctx, &report, err);

	if (r)
		return r;
	report.id = c->id;
	memcpy(report.name, c->name, sizeof(report.name));
	m->body = malloc(PW_REPAIR_JSON_MAX);
	if (!m->body)
		return pw_err_set(err, ENOMEM, "cannot report to the sender: out of memory");
	m->len = pw_repair_report_format(m->body, &report);
	return 0;
}

/* With the lock. */
static void give_up(struct pw_repair_client *c, struct wanted *w)
{
	w->is_pending = false;
	c->st.n_given_up++;
}

/* As the sender asks, within bounds: it may be anyone. */
static uint64_t report_interval(uint64_t ms)
{
	if (ms == 0)
		ms = PW_REPAIR_REPORT_MS;
	return pw_min_u64(pw_max_u64(ms, PW_REPAIR_REPORT_MS_MIN), PW_REPAIR_REPORT_MS_MAX) *
	       1000000;
}

/* The next report. A random part keeps the reports of many receivers apart. With the lock. */
static void report_again(struct pw_repair_client *c)
{
	if (!c->reports || c->wanted[PW_REPAIR_REPORT].is_pending)
		return;
	c->wanted[PW_REPAIR_REPORT] = (struct wanted){.is_pending = true,
		.repeats = true,
		.number = ++c->n_wanted,
		.due_ns = pw_clock_ns() + c->report_ns - c->report_ns / 8 +
			  random_ns(c->report_ns / 4)};
}

/* What follows from the answer. With the lock. status 0: not reached. */
static void conclude(
	struct pw_repair_client *c, const struct message *m, long status, const char *why)
{
	struct wanted *w = &c->wanted[m->kind];
	const bool again = status == 0 || status == 408 || status >= 500;

	c->st.n_unreached = status == 0 ? c->st.n_unreached + 1 : 0;
	if (status == PW_REPAIR_TAKEN)
		c->st.n_taken[m->kind]++;
	c->st.is_refused |= status == PW_REPAIR_TOO_MUCH;
	if (!w->is_pending || w->number != m->number)
		return; /* another one replaced it meanwhile */
	if (status == PW_REPAIR_TAKEN) {
		w->is_pending = false;
	} else if (!again || ++w->n_failed >= c->cfg.n_tries) {
		give_up(c, w);
		if (status != PW_REPAIR_STALE && !w->repeats)
			pw_warn(c->cfg.log,
				"the sender did not take the message '%s': %s (HTTP %ld)",
				pw_repair_kind_name(m->kind), why, status);
	} else {
		const uint64_t most = c->cfg.backoff_ns << pw_min_u64(w->n_failed, 16);

		w->due_ns = pw_clock_ns() + random_ns(pw_min_u64(pw_max_u64(most, 1), BACKOFF_MAX));
	}
}

static void deliver(struct pw_repair_client *c, struct message *m)
{
	const char *why = "it refused it";
	struct pw_err err = {0};
	struct word word = {0};
	long status = -1;
	int r = m->kind == PW_REPAIR_GAPS ? make_gaps(c, m, &err) : make_report(c, m, &err);

	if (r == 0)
		status = post(c, m, &word, &why);
	else
		why = err.msg;
	free(m->body);
	pthread_mutex_lock(&c->lock);
	if (status == PW_REPAIR_TAKEN || status == PW_REPAIR_STALE) {
		c->st.round = word.round;
		c->st.n_receivers = word.n_receivers;
	}
	c->report_ns = report_interval(word.report_ms);
	conclude(c, m, status, why);
	if (m->kind == PW_REPAIR_REPORT)
		report_again(c);
	pthread_cond_broadcast(&c->changed);
	pthread_mutex_unlock(&c->lock);
}

/* In which the messages of all receivers are spread. With the lock. */
static uint64_t spread_ns(const struct pw_repair_client *c)
{
	const uint64_t n = pw_min_u64(c->st.n_receivers, PW_REPAIR_MAX_RECEIVERS);

	return n ? pw_min_u64(n * c->cfg.backoff_each_ns, c->cfg.backoff_ns) : c->cfg.backoff_ns;
}

/* The wanted message that is due first. With the lock. */
static struct wanted *first_due(struct pw_repair_client *c)
{
	struct wanted *w, *first = NULL;

	for (w = c->wanted; w < c->wanted + PW_REPAIR_N_KINDS; w++)
		if (w->is_pending && (!first || w->due_ns < first->due_ns))
			first = w;
	return c->st.has_url ? first : NULL;
}

static void wait_until(struct pw_repair_client *c, uint64_t ns)
{
	const struct timespec ts = {
		.tv_sec = (time_t)(ns / PW_NS_PER_S), .tv_nsec = (long)(ns % PW_NS_PER_S)};

	pthread_cond_timedwait(&c->changed, &c->lock, &ts);
}

static void *client_main(void *arg)
{
	struct pw_repair_client *c = arg;
	struct wanted *w;

	pthread_mutex_lock(&c->lock);
	while (!atomic_load(&c->stop)) {
		w = first_due(c);
		if (!w) {
			pthread_cond_wait(&c->changed, &c->lock);
		} else if (w->due_ns > pw_clock_ns()) {
			wait_until(c, w->due_ns);
		} else {
			struct message m = {.kind = (enum pw_repair_kind)(w - c->wanted),
				.round = w->round,
				.number = w->number,
				.url = c->url};

			pthread_mutex_unlock(&c->lock);
			deliver(c, &m);
			pthread_mutex_lock(&c->lock);
		}
	}
	pthread_mutex_unlock(&c->lock);
	return NULL;
}

static int draw_id(struct pw_repair_client *c, struct pw_err *err)
{
	char text[PW_REPAIR_ID_LEN + 1];
	int r = pw_repair_draw(text, PW_REPAIR_ID_LEN, err);

	if (r == 0)
		pw_repair_id_parse(text, &c->id);
	if (gethostname(c->name, sizeof(c->name)) < 0)
		snprintf(c->name, sizeof(c->name), "?");
	c->name[sizeof(c->name) - 1] = '\0';
	return r;
}

int pw_repair_client_start(struct pw_repair_client **out, const struct pw_repair_client_config *cfg,
	struct pw_err *err)
{
	struct pw_repair_client *c = calloc(1, sizeof(*c));
	pthread_condattr_t attr;
	int r;

	*out = NULL;
	if (!c)
		return pw_err_set(err, ENOMEM, "cannot start the repair client: out of memory");
	c->cfg = *cfg;
	pthread_mutex_init(&c->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&c->changed, &attr);
	pthread_condattr_destroy(&attr);
	curl_global_init(CURL_GLOBAL_DEFAULT);
	c->curl = curl_easy_init();
	r = c->curl ? draw_id(c, err)
		    : pw_err_set(err, ENOMEM, "cannot start the repair client: out of memory");
	if (r == 0) {
		r = pw_thread_start(&c->thread, client_main, c);
		c->has_thread = r == 0;
		if (r)
			r = pw_err_sys(err, r, "cannot start the repair client");
		else if (cfg->cpus)
			pthread_setaffinity_np(c->thread, sizeof(*cfg->cpus), cfg->cpus);
	}
	if (r) {
		pw_repair_client_stop(c);
		return r;
	}
	*out = c;
	return 0;
}

int pw_repair_client_set_url(struct pw_repair_client *c, const char *text, struct pw_err *err)
{
	struct pw_repair_url url = {0};
	int r = text ? pw_repair_url_parse(text, &url, err) : 0;

	if (r)
		return r;
	pthread_mutex_lock(&c->lock);
	if (c->st.has_url) {
		memset(c->wanted, 0, sizeof(c->wanted));
		c->reports = false;
	}
	c->url = url;
	c->st = (struct pw_repair_client_status){.has_url = text != NULL};
	pthread_cond_broadcast(&c->changed);
	pthread_mutex_unlock(&c->lock);
	return 0;
}

void pw_repair_client_want(struct pw_repair_client *c, enum pw_repair_kind kind, uint64_t round)
{
	pthread_mutex_lock(&c->lock);
	if (kind == PW_REPAIR_COMPLETE || kind == PW_REPAIR_LEAVE)
		memset(c->wanted, 0, sizeof(c->wanted));
	if (kind != PW_REPAIR_GAPS)
		c->reports = kind == PW_REPAIR_REPORT;
	c->wanted[kind] = (struct wanted){.is_pending = true,
		.round = round,
		.number = ++c->n_wanted,
		.due_ns = pw_clock_ns() + random_ns(spread_ns(c))};
	pthread_cond_broadcast(&c->changed);
	pthread_mutex_unlock(&c->lock);
}

void pw_repair_client_status(struct pw_repair_client *c, struct pw_repair_client_status *st)
{
	size_t i;

	pthread_mutex_lock(&c->lock);
	*st = c->st;
	for (i = 0; i < PW_REPAIR_N_KINDS; i++)
		st->is_pending[i] = c->wanted[i].is_pending;
	pthread_mutex_unlock(&c->lock);
}

/* With the lock. */
static bool is_busy(const struct pw_repair_client *c)
{
	size_t i;

	for (i = 0; i < PW_REPAIR_N_KINDS; i++)
		if (c->wanted[i].is_pending && !c->wanted[i].repeats)
			return c->st.has_url;
	return false;
}

bool pw_repair_client_wait(struct pw_repair_client *c, uint64_t ns)
{
	const uint64_t end = pw_clock_ns() + ns;
	bool none;

	pthread_mutex_lock(&c->lock);
	while (!(none = !is_busy(c)) && pw_clock_ns() < end)
		wait_until(c, end);
	pthread_mutex_unlock(&c->lock);
	return none;
}

void pw_repair_client_stop(struct pw_repair_client *c)
{
	if (!c)
		return;
	atomic_store(&c->stop, true);
	pthread_mutex_lock(&c->lock);
	pthread_cond_broadcast(&c->changed);
	pthread_mutex_unlock(&c->lock);
	if (c->has_thread)
		pthread_join(c->thread, NULL);
	curl_easy_cleanup(c->curl);
	pthread_cond_destroy(&c->changed);
	pthread_mutex_destroy(&c->lock);
	free(c);
}
