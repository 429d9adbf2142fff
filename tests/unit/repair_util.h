/* SPDX-License-Identifier: BSD-3-Clause */
/* A server of the repair channel on loopback, for a session of one file "a" of 1,000,000 bytes. */
#ifndef PW_TESTS_REPAIR_UTIL_H
#define PW_TESTS_REPAIR_UTIL_H

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "repair/server.h"

#define A_BYTES 1000000u
#define MANIFEST(ranges)                                                               \
	"{\"schema\": \"pagewire.gaps/1\", \"tsi\": 7, \"files\": [{\"name\": \"a\", " \
	"\"bytes\": 1000000, \"missing\": [" ranges "]}]}"

/* As the sender does: only its own file, of its length. */
static inline int check_gaps(void *ctx, struct pw_gaps *g, uint64_t *bytes, struct pw_err *err)
{
	size_t i, k;

	(void)ctx;
	*bytes = 0;
	for (i = 0; i < g->n_files; i++) {
		if (strcmp(g->files[i].name, "a") != 0 || g->files[i].len_bytes != A_BYTES)
			return pw_err_set(err, EBADMSG, "another session's");
		for (k = 0; k < g->files[i].n_missing; k++)
			*bytes += g->files[i].missing[k].to - g->files[i].missing[k].from;
	}
	return 0;
}

static inline struct pw_repair_server *start_server_with(struct pw_repair_server_config cfg)
{
	struct pw_repair_server *s;
	struct pw_err err = {0};

	cfg.session_bytes = A_BYTES;
	cfg.check = check_gaps;
	assert_int_equal(pw_addr_parse("", "127.0.0.1", 0, &cfg.listen, NULL), 0);
	if (pw_repair_server_start(&s, &cfg, &err))
		fail_msg("%s", err.msg);
	pw_repair_server_listen(s);
	return s;
}

static inline struct pw_repair_server *start_server(void)
{
	return start_server_with((struct pw_repair_server_config){0});
}

static inline struct pw_repair_url url_of(const struct pw_repair_server *s)
{
	struct pw_repair_url url;

	assert_int_equal(pw_repair_url_parse(pw_repair_server_url(s), &url, NULL), 0);
	return url;
}

static inline int connect_to(const struct pw_repair_server *s)
{
	const struct pw_repair_url url = url_of(s);
	struct sockaddr_in sa = {.sin_family = AF_INET, .sin_port = htons(url.addr.port)};
	struct timeval patience = {.tv_sec = 20};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	memcpy(&sa.sin_addr, url.addr.bytes, 4);
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	assert_int_equal(connect(fd, (struct sockaddr *)&sa, sizeof(sa)), 0);
	return fd;
}

#define ANSWER_MAX 512

/* Sends a request and returns the status of the answer; 0: the server closed the connection. */
static inline int request_answer(const struct pw_repair_server *s, const char *method,
	const char *path, const void *body, size_t len, char answer[ANSWER_MAX])
{
	char head[1024];
	int fd = connect_to(s), status = 0;
	const int n = snprintf(head, sizeof(head),
		"%s %s HTTP/1.1\r\nHost: x\r\nContent-Length: %zu\r\nConnection: close\r\n\r\n",
		method, path, len);

	memset(answer, 0, ANSWER_MAX);
	assert_int_equal(send(fd, head, (size_t)n, MSG_NOSIGNAL), n);
	if (len && send(fd, body, len, MSG_NOSIGNAL) < 0)
		assert_true(errno == EPIPE || errno == ECONNRESET);
	if (recv(fd, answer, ANSWER_MAX - 1, MSG_WAITALL) > 0)
		assert_int_equal(sscanf(answer, "HTTP/1.1 %d", &status), 1);
	close(fd);
	return status;
}

static inline int request(const struct pw_repair_server *s, const char *method, const char *path,
	const void *body, size_t len)
{
	char answer[ANSWER_MAX];

	return request_answer(s, method, path, body, len, answer);
}

/* Posts a manifest as text; returns the status. */
static inline int post_gaps(
	const struct pw_repair_server *s, uint64_t id, unsigned int round, const char *text)
{
	const struct pw_repair_url url = url_of(s);
	char path[256];
	void *body;
	size_t len;
	int status;

	assert_int_equal(pw_repair_pack(text, strlen(text), &body, &len, NULL), 0);
	snprintf(path, sizeof(path), "/%s/gaps?receiver=%016llx&round=%u", url.token,
		(unsigned long long)id, round);
	status = request(s, "POST", path, body, len);
	free(body);
	return status;
}

static inline struct pw_repair_status status_of(struct pw_repair_server *s)
{
	struct pw_repair_status st;

	pw_repair_server_status(s, 10 * PW_NS_PER_S, &st);
	return st;
}

#endif
