/* SPDX-License-Identifier: BSD-3-Clause */
#include "repair/server.h"

#include <arpa/inet.h>
#include <errno.h>
#include <microhttpd.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/bytes.h"
#include "base/clock.h"

#define IDLE_S       10u         /* a connection that brings nothing for so long is closed */
#define HEADER_BYTES (16u << 10) /* of a request: libmicrohttpd's memory of a connection */
#define FIRST_ROOM   4096u
#define STOP_NS      300000000ull /* in which answers that are under way leave */
#define STOP_GAP_NS  1000000L

struct pw_repair_server {
	struct pw_repair_server_config cfg;
	struct pw_repair_url url;
	char url_text[PW_REPAIR_URL_MAX];
	struct MHD_Daemon *daemon;
	uint64_t body_bytes;      /* of all requests; the server's thread */
	atomic_size_t n_requests; /* whose answers have not left */
	pthread_mutex_t lock;
	struct pw_repair_table table; /* with the lock */
};

/* What an answer tells. */
struct word {
	uint64_t round;
	size_t n_receivers;
	uint32_t report_ms;
	bool closes; /* there are more receivers than connections: none may keep one */
};

/* A request while its body comes in. */
struct request {
	enum pw_repair_kind kind;
	uint64_t id, round; /* of GAPS */
	uint64_t start_ns;
	char *body;
	size_t len, room, limit;
	struct pw_host_key from;
};

/* With the lock. */
static struct word word_of(const struct pw_repair_server *s)
{
	const uint64_t least = pw_repair_table_least_ms(&s->table);
	const uint32_t usual = s->cfg.report_ms ? s->cfg.report_ms : PW_REPAIR_REPORT_MS;

	return (struct word){s->table.round, s->table.n,
		(uint32_t)pw_min_u64(pw_max_u64(usual, least), PW_REPAIR_REPORT_MS_MAX),
		s->table.n > PW_REPAIR_CONNECTIONS / 2};
}

static enum MHD_Result answer(struct MHD_Connection *c, unsigned int status, struct word word)
{
	char text[96];
	const int n = snprintf(text, sizeof(text),
		"{\"round\": %llu, \"receivers\": %zu, \"report_ms\": %u}\n",
		(unsigned long long)word.round, word.n_receivers, word.report_ms);
	struct MHD_Response *response = MHD_create_response_from_buffer(
		(size_t)(status == PW_REPAIR_TAKEN || status == PW_REPAIR_STALE ? n : 0), text,
		MHD_RESPMEM_MUST_COPY);
	enum MHD_Result ok;

	if (!response)
		return MHD_NO;
	MHD_add_response_header(response, "Content-Type", "application/json");
	if (word.closes)
		MHD_add_response_header(response, "Connection", "close");
	ok = MHD_queue_response(c, status, response);
	MHD_destroy_response(response);
	return ok;
}

static enum MHD_Result refuse(
	struct pw_repair_server *s, struct MHD_Connection *c, unsigned int status)
{
	struct word word;

	pthread_mutex_lock(&s->lock);
	s->table.n_refused++;
	word = word_of(s);
	pthread_mutex_unlock(&s->lock);
	return answer(c, status, word);
}

static struct pw_host_key from_of(struct MHD_Connection *c)
{
	const union MHD_ConnectionInfo *info =
		MHD_get_connection_info(c, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
	const struct sockaddr *sa = info ? info->client_addr : NULL;
	struct pw_addr a = {0};

	if (sa && sa->sa_family == AF_INET) {
		a.family = 4;
		memcpy(a.bytes, &((const struct sockaddr_in *)(const void *)sa)->sin_addr, 4);
	} else if (sa && sa->sa_family == AF_INET6) {
		a.family = 6;
		memcpy(a.bytes, &((const struct sockaddr_in6 *)(const void *)sa)->sin6_addr, 16);
	}
	return pw_host_key(&a);
}

static bool read_u64(struct MHD_Connection *c, const char *key, uint64_t *value)
{
	const char *text = MHD_lookup_connection_value(c, MHD_GET_ARGUMENT_KIND, key);
	uint64_t v = 0;

	if (!text || !*text || strlen(text) > 18)
		return false;
	for (; *text >= '0' && *text <= '9'; text++)
		v = 10 * v + (uint64_t)(*text - '0');
	*value = v;
	return !*text;
}

/* Reads the path and the arguments; 0, or the status of the refusal. */
static unsigned int read_path(const struct pw_repair_server *s, struct MHD_Connection *c,
	const char *path, struct request *q)
{
	const char *verb, *id;
	int kind;

	if (strlen(path) < PW_REPAIR_TOKEN_LEN + 2 ||
		!pw_repair_token_equal(s->url.token, path + 1) ||
		path[1 + PW_REPAIR_TOKEN_LEN] != '/')
		return MHD_HTTP_NOT_FOUND;
	verb = path + PW_REPAIR_TOKEN_LEN + 2;
	for (kind = 0; kind < PW_REPAIR_N_KINDS; kind++)
		if (!strcmp(verb, pw_repair_kind_name((enum pw_repair_kind)kind)))
			break;
	if (kind == PW_REPAIR_N_KINDS)
		return MHD_HTTP_NOT_FOUND;
	q->kind = (enum pw_repair_kind)kind;
	q->limit = q->kind == PW_REPAIR_GAPS ? PW_REPAIR_PACKED_MAX : PW_REPAIR_JSON_MAX;
	if (q->kind != PW_REPAIR_GAPS)
		return 0;
	id = MHD_lookup_connection_value(c, MHD_GET_ARGUMENT_KIND, "receiver");
	return id && pw_repair_id_parse(id, &q->id) && read_u64(c, "round", &q->round)
		       ? 0
		       : MHD_HTTP_BAD_REQUEST;
}

/* The first call of a request: only its header is here. */
static enum MHD_Result begin(struct pw_repair_server *s, struct MHD_Connection *c,
	const char *method, const char *path, void **request)
{
	const char *length =
		MHD_lookup_connection_value(c, MHD_HEADER_KIND, MHD_HTTP_HEADER_CONTENT_LENGTH);
	struct request *q, head = {.start_ns = pw_clock_ns(), .from = from_of(c)};
	unsigned int status = read_path(s, c, path, &head);

	if (!status && strcmp(method, MHD_HTTP_METHOD_POST) != 0)
		status = MHD_HTTP_METHOD_NOT_ALLOWED;
	if (!status && length && strtoull(length, NULL, 10) > head.limit)
		status = MHD_HTTP_CONTENT_TOO_LARGE;
	if (status)
		return refuse(s, c, status);
	q = malloc(sizeof(*q));
	if (!q)
		return MHD_NO;
	*q = head;
	*request = q;
	atomic_fetch_add(&s->n_requests, 1);
	return MHD_YES;
}

/* Takes a piece of the body. MHD_NO closes the connection: the body is larger than it may be, takes too long,
 * or the bodies of all requests take too much memory. */
static enum MHD_Result take_piece(
	struct pw_repair_server *s, struct request *q, const char *data, size_t len)
{
	if (len > q->limit - q->len || pw_clock_ns() - q->start_ns > PW_REPAIR_REQUEST_NS)
		return MHD_NO;
	if (len > q->room - q->len) {
		const size_t room =
			pw_min_u64(pw_max_u64(2 * (q->len + len), FIRST_ROOM), q->limit);
		char *body;

		if (s->body_bytes + (room - q->room) > PW_REPAIR_BODY_BYTES)
			return MHD_NO;
		body = realloc(q->body, room);
		if (!body)
			return MHD_NO;
		s->body_bytes += room - q->room;
		q->body = body;
		q->room = room;
	}
	memcpy(q->body + q->len, data, len);
	q->len += len;
	return MHD_YES;
}

static enum pw_repair_verdict take_report(struct pw_repair_server *s, const struct request *q)
{
	struct pw_repair_report report;
	enum pw_repair_verdict verdict;
	size_t index;

	if (pw_repair_report_parse(q->body ? q->body : "", q->len, &report, NULL) < 0)
		return PW_REPAIR_BAD;
	pthread_mutex_lock(&s->lock);
	verdict =
		pw_repair_table_report(&s->table, q->from, &report, q->kind, pw_clock_ns(), &index);
	if (verdict == PW_REPAIR_TAKEN && s->cfg.heard)
		s->cfg.heard(s->cfg.ctx, index, &s->table.v[index]);
	pthread_mutex_unlock(&s->lock);
	return verdict;
}

/* Unpacks and parses without the lock: the session's thread must not wait for it. */
static enum pw_repair_verdict take_gaps(struct pw_repair_server *s, const struct request *q)
{
	struct pw_gaps gaps = {0};
	enum pw_repair_verdict verdict;
	uint64_t bytes = 0;
	char *text;
	size_t len;
	int r = pw_repair_unpack(q->body ? q->body : "", q->len, &text, &len, NULL);

	if (r == 0)
		r = pw_gaps_parse(text, len, &gaps, NULL);
	free(text);
	if (r)
		return r == -ENOMEM ? PW_REPAIR_FULL : PW_REPAIR_BAD;
	r = s->cfg.check(s->cfg.ctx, &gaps, &bytes, NULL);
	if (r) {
		pw_gaps_finish(&gaps);
		return r == -ENOMEM ? PW_REPAIR_FULL : PW_REPAIR_STALE;
	}
	pthread_mutex_lock(&s->lock);
	verdict = pw_repair_table_gaps(
		&s->table, q->from, q->id, q->round, &gaps, bytes, pw_clock_ns());
	pthread_mutex_unlock(&s->lock);
	return verdict;
}

static enum MHD_Result handle(void *ctx, struct MHD_Connection *c, const char *path,
	const char *method, const char *version, const char *data, size_t *len, void **request)
{
	struct pw_repair_server *s = ctx;
	struct request *q = *request;
	enum pw_repair_verdict verdict;
	struct word word;

	(void)version;
	if (!q)
		return begin(s, c, method, path, request);
	if (*len) {
		const size_t n = *len;

		*len = 0;
		return take_piece(s, q, data, n);
	}
	verdict = q->kind == PW_REPAIR_GAPS ? take_gaps(s, q) : take_report(s, q);
	if (verdict != PW_REPAIR_TAKEN)
		return refuse(s, c, verdict);
	pthread_mutex_lock(&s->lock);
	word = word_of(s);
	pthread_mutex_unlock(&s->lock);
	return answer(c, PW_REPAIR_TAKEN, word);
}

static void end(
	void *ctx, struct MHD_Connection *c, void **request, enum MHD_RequestTerminationCode why)
{
	struct pw_repair_server *s = ctx;
	struct request *q = *request;

	(void)c, (void)why;
	if (!q)
		return;
	s->body_bytes -= q->room;
	free(q->body);
	free(q);
	*request = NULL;
	atomic_fetch_sub(&s->n_requests, 1);
}

static int listen_at(struct pw_repair_server *s, struct pw_err *err)
{
	const struct pw_addr *a = &s->cfg.listen;
	struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_port = htons(a->port)};
	struct sockaddr_in6 v6 = {
		.sin6_family = AF_INET6, .sin6_port = htons(a->port), .sin6_scope_id = a->scope};
	const struct sockaddr *sa = a->family == 6 ? (void *)&v6 : (void *)&v4;
	const unsigned int flags =
		MHD_USE_EPOLL_INTERNAL_THREAD | (a->family == 6 ? MHD_USE_IPv6 : 0u);
	const union MHD_DaemonInfo *info;
	sigset_t all, old;
	char text[64];

	memcpy(&v4.sin_addr, a->bytes, sizeof(v4.sin_addr));
	memcpy(&v6.sin6_addr, a->bytes, sizeof(v6.sin6_addr));
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old); /* its thread takes no signals */
	errno = 0;
	s->daemon = MHD_start_daemon(flags, a->port, NULL, NULL, handle, s, MHD_OPTION_SOCK_ADDR,
		sa, MHD_OPTION_CONNECTION_LIMIT, PW_REPAIR_CONNECTIONS,
		MHD_OPTION_CONNECTION_TIMEOUT, IDLE_S, MHD_OPTION_CONNECTION_MEMORY_LIMIT,
		(size_t)HEADER_BYTES, MHD_OPTION_LISTEN_BACKLOG_SIZE, 1024u,
		MHD_OPTION_NOTIFY_COMPLETED, end, s, MHD_OPTION_END);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	info = s->daemon ? MHD_get_daemon_info(s->daemon, MHD_DAEMON_INFO_BIND_PORT) : NULL;
	if (!info)
		return pw_err_sys(err, errno ? errno : EIO,
			"cannot listen for repair requests on %s; give an address of this host, "
			"and a free port, with --repair=ADDR:PORT",
			pw_addr_format(text, sizeof(text), a));
	s->url.addr = *a;
	s->url.addr.port = info->port;
	return 0;
}

int pw_repair_server_start(struct pw_repair_server **out, const struct pw_repair_server_config *cfg,
	struct pw_err *err)
{
	struct pw_repair_server *s = calloc(1, sizeof(*s));
	int r;

	*out = NULL;
	if (!s)
		return pw_err_set(err, ENOMEM, "cannot listen for repair requests: out of memory");
	s->cfg = *cfg;
	s->table.session_bytes = cfg->session_bytes;
	pthread_mutex_init(&s->lock, NULL);
	r = pw_repair_draw(s->url.token, PW_REPAIR_TOKEN_LEN, err);
	if (r == 0)
		r = listen_at(s, err);
	if (r) {
		pw_repair_server_stop(s);
		return r;
	}
	pw_repair_url_format(s->url_text, &s->url);
	*out = s;
	return 0;
}

const char *pw_repair_server_url(const struct pw_repair_server *s)
{
	return s->url_text;
}

void pw_repair_server_status(
	struct pw_repair_server *s, uint64_t silent_ns, struct pw_repair_status *st)
{
	const uint64_t now = pw_clock_ns();
	bool is_open;
	size_t i;

	pthread_mutex_lock(&s->lock);
	silent_ns = pw_repair_table_silent_ns(&s->table, silent_ns);
	*st = (struct pw_repair_status){.n_receivers = s->table.n,
		.n_asked = s->table.n_asked,
		.heard_ns = s->table.heard_ns,
		.new_ns = s->table.new_ns};
	for (i = 0; i < s->table.n; i++) {
		const struct pw_repair_receiver *r = &s->table.v[i];

		st->n_complete += r->is_complete;
		is_open = !r->is_complete && !r->has_left && now < r->heard_ns + silent_ns;
		st->n_open += is_open;
		st->n_awaited += is_open && !r->has_asked && !r->has_nothing;
	}
	pthread_mutex_unlock(&s->lock);
}

void pw_repair_server_listen(struct pw_repair_server *s)
{
	pthread_mutex_lock(&s->lock);
	s->table.is_listening = true;
	pthread_mutex_unlock(&s->lock);
}

void pw_repair_server_take(struct pw_repair_server *s, struct pw_gaps *gaps)
{
	size_t i;

	pthread_mutex_lock(&s->lock);
	*gaps = s->table.gaps;
	s->table.gaps = (struct pw_gaps){0};
	s->table.n_asked = 0;
	s->table.round++;
	s->table.is_listening = false;
	for (i = 0; i < s->table.n; i++)
		s->table.v[i].has_asked = s->table.v[i].has_nothing = false;
	pthread_mutex_unlock(&s->lock);
}

size_t pw_repair_server_receivers(
	struct pw_repair_server *s, struct pw_repair_receiver *list, size_t n)
{
	size_t n_all;

	pthread_mutex_lock(&s->lock);
	n_all = s->table.n;
	if (n)
		memcpy(list, s->table.v, pw_min_u64(n, n_all) * sizeof(*list));
	pthread_mutex_unlock(&s->lock);
	return n_all;
}

struct pw_host_key pw_repair_server_from(struct pw_repair_server *s, size_t index)
{
	struct pw_host_key from = {0};

	pthread_mutex_lock(&s->lock);
	if (index < s->table.n)
		from = s->table.v[index].from;
	pthread_mutex_unlock(&s->lock);
	return from;
}

uint64_t pw_repair_server_refused(struct pw_repair_server *s)
{
	uint64_t n;

	pthread_mutex_lock(&s->lock);
	n = s->table.n_refused;
	pthread_mutex_unlock(&s->lock);
	return n;
}

/* A receiver whose answer is lost would send its last message again and again, to nobody. */
static void await_answers(struct pw_repair_server *s)
{
	const uint64_t end = pw_clock_ns() + STOP_NS;

	while (atomic_load(&s->n_requests) && pw_clock_ns() < end)
		nanosleep(&(struct timespec){.tv_nsec = STOP_GAP_NS}, NULL);
}

void pw_repair_server_stop(struct pw_repair_server *s)
{
	if (!s)
		return;
	if (s->daemon) {
		await_answers(s);
		MHD_stop_daemon(s->daemon);
	}
	pw_repair_table_finish(&s->table);
	pthread_mutex_destroy(&s->lock);
	free(s);
}
