/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * For the tests of the stream ways: a receiver on loopback in a thread of this process, and the loop
 * that sends a window through a way. Every wait is bounded.
 */
#ifndef PW_TESTS_STREAM_UTIL_H
#define PW_TESTS_STREAM_UTIL_H

#include "file_util.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <sys/socket.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "file/window.h"
#include "kernel/ktls.h"
#include "kernel/way.h"

#define CHUNK      65536u
#define SEND_MAX_S 20
#define N_STREAMS  8

struct server {
	/* how it behaves; set before server_start() */
	int rcvbuf;           /* SO_RCVBUF; 0: the kernel chooses */
	unsigned int wait_ms; /* before the first byte is read */
	uint64_t
		close_after; /* it closes after so many bytes, with data unread; 0: at the end of the file */
	bool hold;           /* reads nothing until server_stop() */
	bool v6;
	bool tls;    /* it decrypts */
	bool greets; /* it says that it will, and does not */
	/* what arrived */
	uint8_t *bytes;
	uint64_t n_bytes, room;
	bool ended; /* the sender has closed the connection */
	struct pw_addr addr;
	int fd;
	sem_t let_go;
	pthread_t thread;
};

static inline void server_read(struct server *s, int fd)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};
	ssize_t n;

	while (poll(&p, 1, SEND_MAX_S * 1000) > 0) {
		n = recv(fd, s->bytes + s->n_bytes, s->room - s->n_bytes, 0);
		if (n <= 0) {
			s->ended = n == 0;
			return;
		}
		s->n_bytes += (uint64_t)n;
		if (s->close_after && s->n_bytes >= s->close_after)
			return;
	}
}

static inline void *server_main(void *arg)
{
	struct server *s = arg;
	struct pollfd p = {.fd = s->fd, .events = POLLIN};
	int fd;

	if (poll(&p, 1, SEND_MAX_S * 1000) <= 0)
		return NULL;
	fd = accept4(s->fd, NULL, NULL, SOCK_CLOEXEC);
	if (fd < 0)
		return NULL;
	poll(NULL, 0, (int)s->wait_ms);
	if (s->tls && pw_ktls_start(fd, PW_KTLS_RECEIVES, NULL) < 0)
		s->room = 0; /* nothing arrives */
	if (s->greets && send(fd, "", 1, MSG_NOSIGNAL) != 1)
		s->room = 0;
	if (s->hold)
		sem_wait(&s->let_go);
	else
		server_read(s, fd);
	close(fd);
	return NULL;
}

/* room: one byte more than the file, so that an extra byte is detected */
static inline void server_start(struct server *s, uint64_t file_bytes)
{
	struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT};
	struct sockaddr *sa = s->v6 ? (struct sockaddr *)&v6 : (struct sockaddr *)&v4;
	socklen_t len = s->v6 ? sizeof(v6) : sizeof(v4);
	sigset_t all, old;

	s->room = file_bytes + 1;
	s->bytes = malloc(s->room);
	assert_non_null(s->bytes);
	s->fd = socket(s->v6 ? AF_INET6 : AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_true(s->fd >= 0);
	if (s->rcvbuf)
		setsockopt(s->fd, SOL_SOCKET, SO_RCVBUF, &s->rcvbuf, sizeof(s->rcvbuf));
	assert_int_equal(bind(s->fd, sa, len), 0);
	assert_int_equal(listen(s->fd, 1), 0);
	assert_int_equal(getsockname(s->fd, sa, &len), 0);
	s->addr = (struct pw_addr){.family = s->v6 ? 6 : 4};
	s->addr.port = ntohs(s->v6 ? v6.sin6_port : v4.sin_port);
	if (s->v6)
		memcpy(s->addr.bytes, &v6.sin6_addr, 16);
	else
		memcpy(s->addr.bytes, &v4.sin_addr, 4);
	sem_init(&s->let_go, 0, 0);
	sigfillset(&all); /* the sender's thread receives the signals */
	pthread_sigmask(SIG_BLOCK, &all, &old);
	assert_int_equal(pthread_create(&s->thread, NULL, server_main, s), 0);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
}

static inline void server_stop(struct server *s)
{
	sem_post(&s->let_go);
	pthread_join(s->thread, NULL);
	sem_destroy(&s->let_go);
	close(s->fd);
}

static inline void server_free(struct server *s)
{
	free(s->bytes);
	s->bytes = NULL;
}

static inline struct pw_way_config stream_config(
	const struct server *s, const struct pw_window *win, uint32_t chunk_bytes)
{
	return (struct pw_way_config){
		.flow = {.dst = s->addr},
		.win = win,
		.mtu = 1500,
		.batch = PW_BURST,
		.chunk_bytes = chunk_bytes,
	};
}

/* Opens a path, or skips the test with the reason that the way reports. */
static inline void *open_way(const struct pw_way *way, const struct pw_way_config *cfg)
{
	struct pw_err err = {0};
	void *path = NULL;
	int ret = pw_way_open(way, &path, cfg, &err);

	if (ret == -EOPNOTSUPP || ret == -EPERM || ret == -ENOSYS) {
		print_message("# skipped: %s\n", err.msg);
		skip();
	}
	if (ret < 0)
		fail_msg("%s: %s", way->name, err.msg);
	return path;
}

struct sent {
	uint64_t bytes;
	unsigned int n_again; /* calls that gave -EAGAIN */
	unsigned int n_short; /* calls that stopped inside a chunk, without the last call */
	int ret;              /* 0, or the error that ended it; -ETIMEDOUT is from this loop */
	struct pw_err err;
};

/* Sends [offset, end) and waits until the kernel has released the pages. */
static inline void send_range(const struct pw_way *way, void *path, uint64_t offset, uint64_t end,
	uint64_t chunk, struct sent *out)
{
	uint64_t deadline = pw_clock_ns() + SEND_MAX_S * PW_NS_PER_S;
	int64_t n;

	*out = (struct sent){0};
	while (offset < end && pw_clock_ns() < deadline) {
		n = way->stream->send(path, offset, end - offset, &out->err);
		if (n < 0 && n != -EAGAIN) {
			out->ret = (int)n;
			return;
		}
		out->n_again += n < 0;
		if (n < 0)
			continue;
		assert_in_range(n, 1, end - offset);
		offset += (uint64_t)n;
		out->bytes += (uint64_t)n;
		out->n_short += (uint64_t)n % chunk != 0 && offset < end;
	}
	do
		out->ret = way->stream->drain(path, &out->err);
	while (out->ret == -EAGAIN && pw_clock_ns() < deadline);
	if (offset < end)
		out->ret = -ETIMEDOUT;
}

/* Runs the tests of a list once for each stream way. Their state is the way. */
struct stream_test {
	const char *name;
	CMUnitTestFunction run;
};

static inline int run_stream_tests(const char *group, const struct stream_test *list, size_t n_list,
	CMFixtureFunction teardown)
{
	static char names[80][96];
	struct CMUnitTest tests[80] = {0};
	const struct pw_way *const *w;
	size_t n = 0, i;

	for (w = pw_ways; *w; w++) {
		for (i = 0; (*w)->kind == PW_WAY_STREAM && !(*w)->tls && i < n_list; i++, n++) {
			if (n == PW_ARRAY_LEN(tests))
				return 1;
			snprintf(names[n], sizeof(names[n]), "%s: %s", (*w)->name, list[i].name);
			tests[n] = (struct CMUnitTest){.name = names[n],
				.test_func = list[i].run,
				.initial_state = (void *)(uintptr_t)*w};
		}
	}
	if (n != n_list * N_STREAMS)
		return 1;
	return _cmocka_run_group_tests(group, tests, n, NULL, teardown);
}

#endif
