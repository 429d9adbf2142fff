/* SPDX-License-Identifier: BSD-3-Clause */
/* Measures the textbook's ways: read + write, mmap + write, sendfile, bypass. */
#include "bench/textbook.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define SOCKET_BYTES (4 << 20) /* the whole buffer fits: no call waits for a reader */

/* Both ends of a TCP connection over loopback. */
static int connect_ourselves(int fds[2], struct pw_err *err)
{
	struct sockaddr_in sin = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(sin);
	int bytes = SOCKET_BYTES, server = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), r = 0;

	fds[0] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	fds[1] = -1;
	setsockopt(server, SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof(bytes));
	setsockopt(fds[0], SOL_SOCKET, SO_SNDBUFFORCE, &bytes, sizeof(bytes));
	if (server < 0 || fds[0] < 0 || bind(server, (struct sockaddr *)&sin, sizeof(sin)) ||
		listen(server, 1) || getsockname(server, (struct sockaddr *)&sin, &len) ||
		connect(fds[0], (struct sockaddr *)&sin, sizeof(sin)) ||
		(fds[1] = accept4(server, NULL, NULL, SOCK_CLOEXEC)) < 0)
		r = pw_err_sys(err, errno, "cannot connect to this process over TCP");
	if (server >= 0)
		close(server);
	return r;
}

/* What the textbook draws. Nothing else happens between the meter's start and stop. */
static ssize_t do_it(enum pw_textbook_way way, int file, int sock, char *buffer)
{
	ssize_t n;
	void *map;

	switch (way) {
	case PW_TEXTBOOK_READ_WRITE:
		n = read(file, buffer, PW_TEXTBOOK_BYTES);
		return n > 0 ? write(sock, buffer, (size_t)n) : n;
	case PW_TEXTBOOK_MMAP_WRITE:
		map = mmap(NULL, PW_TEXTBOOK_BYTES, PROT_READ, MAP_SHARED, file, 0);
		return map == MAP_FAILED ? -1 : write(sock, map, PW_TEXTBOOK_BYTES);
	default:
		return sendfile(sock, file, NULL, PW_TEXTBOOK_BYTES);
	}
}

/* Reads the other end and holds it against the file. */
static bool same_bytes(int file, int sock, char *a, char *b)
{
	size_t have = 0;
	ssize_t n;

	while (have < PW_TEXTBOOK_BYTES &&
		(n = recv(sock, a + have, PW_TEXTBOOK_BYTES - have, 0)) > 0)
		have += (size_t)n;
	return have == PW_TEXTBOOK_BYTES && pread(file, b, have, 0) == (ssize_t)have &&
	       memcmp(a, b, have) == 0;
}

static void say_why(const struct pw_meter *m, enum pw_meter_source source, char *buf, size_t len)
{
	const char *why = pw_meter_why(m, source);

	snprintf(buf, len, "%s", why ? why : "");
}

static int one_run(enum pw_textbook_way way, const char *path, unsigned int want,
	struct pw_textbook_end *end, struct pw_err *err)
{
	struct timeval limit = {.tv_sec = 5};
	struct pw_reading reading;
	struct pw_meter *m = NULL;
	int fds[2] = {-1, -1}, file = open(path, O_RDONLY | O_CLOEXEC), r;
	char *buffer = malloc(PW_TEXTBOOK_BYTES), *other = malloc(PW_TEXTBOOK_BYTES);
	ssize_t n;

	if (file < 0 || !buffer || !other)
		return pw_err_sys(err, errno, "cannot open %s", path);
	memset(buffer, 0xa5, PW_TEXTBOOK_BYTES); /* the buffer's own first touch is not the way's */
	r = connect_ourselves(fds, err);
	if (r == 0)
		r = pw_meter_open(&m, want, NULL, err);
	if (r)
		return r;
	setsockopt(fds[0], SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
	setsockopt(fds[1], SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	pw_meter_start(m);
	n = do_it(way, file, fds[0], buffer);
	pw_meter_stop(m, &reading);
	if (n != PW_TEXTBOOK_BYTES)
		return pw_err_sys(err, n < 0 ? errno : EIO, "cannot send %s by the textbook", path);
	if (!same_bytes(file, fds[1], buffer, other))
		return pw_err_set(
			err, EBADMSG, "cannot send %s by the textbook: other bytes arrived", path);
	if (want & 1u << PW_METER_COPIES) {
		end->copied_bytes = reading.copied_bytes;
		say_why(m, PW_METER_COPIES, end->why_copies, sizeof(end->why_copies));
	} else {
		end->reading = reading;
		say_why(m, PW_METER_SYSCALLS, end->why_calls, sizeof(end->why_calls));
		say_why(m, PW_METER_FAULTS, end->why_faults, sizeof(end->why_faults));
	}
	return 0;
}

/* In a process of its own, which is what frees everything. */
static void run_child(enum pw_textbook_way way, const char *path, int fd)
{
	struct pw_textbook_end end = {.copied_bytes = PW_UNMEASURED};

	end.result = one_run(way, path, PW_METER_CALLS, &end, &end.err);
	if (end.result == 0)
		end.result = one_run(way, path, 1u << PW_METER_COPIES, &end, &end.err);
	end.verified = end.result == 0;
	_exit(write(fd, &end, sizeof(end)) == (ssize_t)sizeof(end) ? 0 : 1);
}

int pw_textbook_measure(
	enum pw_textbook_way way, const char *path, struct pw_textbook_end *end, struct pw_err *err)
{
	size_t have = 0;
	ssize_t n;
	pid_t pid;
	int fds[2];

	if (pipe2(fds, O_CLOEXEC))
		return pw_err_sys(err, errno, "cannot measure the textbook");
	pid = fork();
	if (pid == 0)
		run_child(way, path, fds[1]);
	close(fds[1]);
	while (pid > 0 && have < sizeof(*end) &&
		(n = read(fds[0], (char *)end + have, sizeof(*end) - have)) > 0)
		have += (size_t)n;
	close(fds[0]);
	if (pid > 0)
		waitpid(pid, NULL, 0);
	if (have < sizeof(*end))
		return pw_err_set(err, ECHILD, "cannot measure the textbook: the process died");
	if (end->result)
		*err = end->err;
	return end->result;
}
