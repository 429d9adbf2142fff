/* SPDX-License-Identifier: BSD-3-Clause */
/* Connects the stream ways, finds the file's bytes for them, and converts the results of their calls. */
#include "kernel/tcp.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>

#include "base/bytes.h"
#include "kernel/sockaddr.h"

#define CONNECT_MS 10000

static int connect_error(const char *peer, int code, struct pw_err *err)
{
	if (code == ECONNREFUSED)
		return pw_err_set(err, code,
			"cannot connect to %s: no process listens there; start the receiver first",
			peer);
	if (code == ETIMEDOUT)
		return pw_err_set(err, code,
			"cannot connect to %s: no answer; check the address and the firewalls",
			peer);
	if (code == ENETUNREACH || code == EHOSTUNREACH)
		return pw_err_set(err, code,
			"cannot connect to %s: no route; `ip route get` shows what is missing",
			peer);
	if (code == EINTR)
		return pw_err_set(err, code, "cannot connect to %s: interrupted", peer);
	return pw_err_sys(err, code, "cannot connect to %s", peer);
}

/* Waits for the end of a connect() in progress: 0 or a positive errno value. */
static int wait_connected(int fd)
{
	struct pollfd p = {.fd = fd, .events = POLLOUT};
	int code = 0, n;
	socklen_t len = sizeof(code);

	n = poll(&p, 1, CONNECT_MS);
	if (n < 0)
		return errno;
	if (n == 0)
		return ETIMEDOUT;
	if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &code, &len) < 0)
		return errno;
	return code;
}

/* Without the limit, connect() to a host that drops everything takes two minutes. */
static int connect_bounded(
	struct pw_sock *s, const struct pw_addr *dst, unsigned int scope, struct pw_err *err)
{
	struct sockaddr_storage ss;
	socklen_t len = pw_sockaddr_make(dst, scope, &ss);
	int code = 0;

	if (connect(s->fd, (struct sockaddr *)&ss, len) < 0)
		code = errno == EINPROGRESS ? wait_connected(s->fd) : errno;
	return code ? connect_error(s->peer, code, err) : 0;
}

static int tune(struct pw_sock *s, struct pw_err *err)
{
	int flags = fcntl(s->fd, F_GETFL), on = 1;

	/* Without TCP_NODELAY, a small file's last segment may wait 40 ms for a delayed
	 * acknowledgement. */
	if (flags < 0 || fcntl(s->fd, F_SETFL, flags & ~O_NONBLOCK) < 0 ||
		setsockopt(s->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)) < 0)
		return pw_err_sys(err, errno, "cannot set up the connection to %s", s->peer);
	return pw_sock_bound_sleep(s, err);
}

int pw_tcp_socket(void *path, struct pw_err *err)
{
	struct pw_tcp *t = path;
	struct pw_sock *s = &t->s;
	const struct pw_way_config *cfg = &s->cfg;
	const struct pw_addr *dst = &cfg->flow.dst;
	unsigned int scope;
	int ret;

	if ((dst->family != 4 && dst->family != 6) || !dst->port)
		return pw_err_set(err, EINVAL, "cannot connect: no address and port");
	if (!cfg->win || !cfg->chunk_bytes)
		return pw_err_set(err, EINVAL, "cannot connect: no file, or no bytes in a call");
	ret = pw_sockaddr_scope("connect", cfg->interface, dst, &scope, err);
	if (ret < 0)
		return ret;
	pw_addr_format(s->peer, sizeof(s->peer), dst);
	s->fd = socket(dst->family == 4 ? AF_INET : AF_INET6,
		SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (s->fd < 0)
		return pw_err_sys(err, errno, "cannot open a TCP socket");
	/* Any port: a fixed one would still be in TIME_WAIT at the next run. */
	ret = pw_sockaddr_bind(s->fd, &cfg->flow.src, scope, true, err);
	if (ret == 0)
		ret = connect_bounded(s, dst, scope, err);
	if (ret == 0)
		ret = tune(s, err);
	t->win = cfg->win;
	t->extents = cfg->win->extents;
	t->chunk_bytes = cfg->chunk_bytes;
	return ret;
}

void pw_tcp_hold_sigpipe(struct pw_tcp *t)
{
	sigset_t pipe, old;

	sigemptyset(&pipe);
	sigaddset(&pipe, SIGPIPE);
	if (pthread_sigmask(SIG_BLOCK, &pipe, &old) == 0)
		t->sigpipe_held = !sigismember(&old, SIGPIPE);
}

void pw_tcp_release_sigpipe(void *path)
{
	const struct timespec now = {0};
	struct pw_tcp *t = path;
	sigset_t pipe;

	if (!t->sigpipe_held)
		return;
	sigemptyset(&pipe);
	sigaddset(&pipe, SIGPIPE);
	/* At most one is pending, and this path's calls caused it. */
	sigtimedwait(&pipe, NULL, &now);
	pthread_sigmask(SIG_UNBLOCK, &pipe, NULL);
	t->sigpipe_held = false;
}

int pw_tcp_error(const struct pw_tcp *t, int code, struct pw_err *err)
{
	if (code == EAGAIN || code == EINTR)
		return -EAGAIN;
	if (code == ECONNRESET || code == EPIPE)
		return pw_err_set(err, code,
			"cannot send to %s: the receiver went away; look at its messages",
			t->s.peer);
	if (code == EFAULT)
		return pw_err_set(err, code,
			"cannot send to %s: a page of the file cannot be read (bad disk, or "
			"truncated meanwhile); send a copy of it",
			t->s.peer);
	return pw_err_sys(err, code, "cannot send to %s", t->s.peer);
}

int pw_tcp_file_error(const struct pw_tcp *t, const char *call, int code, struct pw_err *err)
{
	if (code != EINVAL)
		return pw_tcp_error(t, code, err);
	return pw_err_set(err, code,
		"cannot send to %s: %s() accepts no file on this file system (hugetlbfs is one); "
		"send a copy on tmpfs, ext4 or xfs",
		t->s.peer, call);
}

int64_t pw_tcp_outcome(struct pw_tcp *t, ssize_t n, int code, struct pw_err *err)
{
	if (n < 0)
		return pw_tcp_error(t, code, err);
	if (n == 0)
		return -EAGAIN;
	t->s.c.packets++;
	t->s.c.payload_bytes += (uint64_t)n;
	return n;
}

int pw_tcp_ended(const struct pw_tcp *t, uint64_t offset, struct pw_err *err)
{
	return pw_err_set(err, ESTALE,
		"cannot send to %s: the file ends at %llu of %llu bytes, truncated meanwhile; do "
		"not change it, or send a copy",
		t->s.peer, (unsigned long long)offset, (unsigned long long)t->win->len_bytes);
}

uint64_t pw_tcp_span(struct pw_tcp *t, uint64_t offset, uint64_t len, const uint8_t **va)
{
	const struct pw_extent *e = &t->extents[t->extent];
	uint64_t skip;

	assert(offset < t->win->len_bytes);
	/* Bytes are sent in order: it is this extent or the next. Otherwise search from the first. */
	if (offset < e->offset) {
		t->extent = 0;
		e = t->extents;
	}
	for (; offset - e->offset >= e->len_bytes; e++)
		t->extent++;
	skip = offset - e->offset;
	*va = e->va + skip;
	return pw_min_u64(len, e->len_bytes - skip);
}

int pw_tcp_no_drain(void *path, struct pw_err *err)
{
	(void)path;
	(void)err;
	return 0;
}
