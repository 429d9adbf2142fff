/* SPDX-License-Identifier: BSD-3-Clause */
#include "kernel/tcpsock.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "kernel/sockaddr.h"

static int connect_error(const char *peer, int code, struct pw_err *err)
{
	if (code == ECONNREFUSED)
		return pw_err_set(err, code,
			"connect to %s: nobody listens there; start the receiver first", peer);
	if (code == ETIMEDOUT)
		return pw_err_set(err, code,
			"connect to %s: no answer; is the address right, does a firewall drop it?",
			peer);
	if (code == ENETUNREACH || code == EHOSTUNREACH)
		return pw_err_set(err, code,
			"connect to %s: no way there; `ip route get` tells what is missing", peer);
	if (code == EINTR)
		return pw_err_set(err, code, "connect to %s: interrupted", peer);
	return pw_err_sys(err, code, "connect to %s", peer);
}

/* 0 or a positive errno: what became of a connect() in progress. */
static int wait_connected(int fd)
{
	struct pollfd p = {.fd = fd, .events = POLLOUT};
	int code = 0, n;
	socklen_t len = sizeof(code);

	n = poll(&p, 1, (int)(PW_TCP_CONNECT_NS / 1000000));
	if (n < 0)
		return errno;
	if (n == 0)
		return ETIMEDOUT;
	if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &code, &len) < 0)
		return errno;
	return code;
}

/* A host with several addresses must leave by the one that is measured. The port stays the
 * kernel's choice: a fixed one would be in TIME_WAIT when the next run wants it. */
static int bind_source(int fd, const struct pw_addr *src, unsigned int scope, struct pw_err *err)
{
	static const uint8_t any[16];
	struct pw_addr a = *src;
	struct sockaddr_storage ss;
	socklen_t len;
	char name[64];
	int on = 1;

	if (a.family == 0 || memcmp(a.bytes, any, a.family == 4 ? 4 : 16) == 0)
		return 0;
	a.port = 0;
	len = pw_sockaddr_make(&a, scope, &ss);
	setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof(on));
	if (bind(fd, (struct sockaddr *)&ss, len) < 0)
		return pw_err_sys(
			err, errno, "send from %s", pw_addr_format(name, sizeof(name), &a));
	return 0;
}

/* Without the bound a connect() to a host that drops everything takes two minutes. */
static int connect_bounded(
	int fd, const struct pw_addr *dst, unsigned int scope, const char *peer, struct pw_err *err)
{
	struct sockaddr_storage ss;
	socklen_t len = pw_sockaddr_make(dst, scope, &ss);
	int code = 0;

	if (connect(fd, (struct sockaddr *)&ss, len) < 0)
		code = errno == EINPROGRESS ? wait_connected(fd) : errno;
	return code ? connect_error(peer, code, err) : 0;
}

static int tune(int fd, const char *peer, struct pw_err *err)
{
	struct timeval tv = {.tv_usec = (suseconds_t)(PW_SEND_SLEEP_NS / 1000)};
	int flags = fcntl(fd, F_GETFL), on = 1;

	if (flags < 0 || fcntl(fd, F_SETFL, flags & ~O_NONBLOCK) < 0 ||
		setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &tv, sizeof(tv)) < 0)
		return pw_err_sys(err, errno, "set up the connection to %s", peer);
	/* Else a small file's last segment may wait 40 ms for a delayed acknowledgement. */
	if (setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)) < 0)
		return pw_err_sys(err, errno, "set up the connection to %s", peer);
	return 0;
}

int pw_tcp_open(struct pw_tcp *t, const struct pw_way_config *cfg, struct pw_err *err)
{
	const struct pw_addr *dst = &cfg->flow.dst;
	unsigned int scope = cfg->interface ? if_nametoindex(cfg->interface) : 0;
	int ret;

	*t = (struct pw_tcp){.fd = -1};
	if ((dst->family != 4 && dst->family != 6) || !dst->port)
		return pw_err_set(err, EINVAL, "connect: no address and port");
	if (!cfg->win || !cfg->chunk_bytes)
		return pw_err_set(err, EINVAL, "connect: no file, or no bytes in a call");
	pw_addr_format(t->peer, sizeof(t->peer), dst);
	t->fd = socket(dst->family == 4 ? AF_INET : AF_INET6,
		SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (t->fd < 0)
		return pw_err_sys(err, errno, "open a TCP socket");
	ret = bind_source(t->fd, &cfg->flow.src, scope, err);
	if (ret == 0)
		ret = connect_bounded(t->fd, dst, scope, t->peer, err);
	if (ret == 0)
		ret = tune(t->fd, t->peer, err);
	if (ret < 0) {
		pw_tcp_close(t);
		return ret;
	}
	t->win = cfg->win;
	t->extents = cfg->win->extents;
	t->chunk_bytes = cfg->chunk_bytes;
	t->log = cfg->log;
	return 0;
}

void pw_tcp_hold_sigpipe(struct pw_tcp *t)
{
	sigset_t pipe, old;

	sigemptyset(&pipe);
	sigaddset(&pipe, SIGPIPE);
	if (pthread_sigmask(SIG_BLOCK, &pipe, &old) == 0)
		t->sigpipe_held = !sigismember(&old, SIGPIPE);
}

static void release_sigpipe(void)
{
	const struct timespec now = {0};
	sigset_t pipe;

	sigemptyset(&pipe);
	sigaddset(&pipe, SIGPIPE);
	/* One at most is pending, and it is ours. */
	sigtimedwait(&pipe, NULL, &now);
	pthread_sigmask(SIG_UNBLOCK, &pipe, NULL);
}

void pw_tcp_close(struct pw_tcp *t)
{
	if (t->sigpipe_held)
		release_sigpipe();
	if (t->fd >= 0)
		close(t->fd);
	*t = (struct pw_tcp){.fd = -1};
}

int pw_tcp_error(const struct pw_tcp *t, int code, struct pw_err *err)
{
	if (code == EAGAIN || code == EINTR)
		return -EAGAIN;
	if (code == ECONNRESET || code == EPIPE)
		return pw_err_set(
			err, code, "send to %s: the receiver went away; what did it say?", t->peer);
	if (code == EFAULT)
		return pw_err_set(err, code,
			"send to %s: a page of the file cannot be read (bad disk, or truncated "
			"meanwhile); send a copy of it",
			t->peer);
	return pw_err_sys(err, code, "send to %s", t->peer);
}

int pw_tcp_file_error(const struct pw_tcp *t, const char *call, int code, struct pw_err *err)
{
	if (code != EINVAL)
		return pw_tcp_error(t, code, err);
	return pw_err_set(err, code,
		"send to %s: %s() takes no file on this file system (hugetlbfs is one such); send "
		"a copy on tmpfs, ext4 or xfs",
		t->peer, call);
}

int64_t pw_tcp_outcome(struct pw_tcp *t, ssize_t n, int code, struct pw_err *err)
{
	if (n < 0)
		return pw_tcp_error(t, code, err);
	if (n == 0)
		return -EAGAIN;
	t->c.packets++;
	t->c.payload_bytes += (uint64_t)n;
	return n;
}

int pw_tcp_ended(const struct pw_tcp *t, uint64_t offset, struct pw_err *err)
{
	return pw_err_set(err, ESTALE,
		"send to %s: the file ends at %llu of %llu bytes, truncated meanwhile; keep it "
		"still, or send a copy",
		t->peer, (unsigned long long)offset, (unsigned long long)t->win->len_bytes);
}

uint64_t pw_tcp_span(struct pw_tcp *t, uint64_t offset, uint64_t len, const uint8_t **va)
{
	const struct pw_extent *r = &t->extents[t->run];
	uint64_t skip;

	assert(offset < t->win->len_bytes);
	/* Bytes go in order: it is this run or the next; anything else starts over. */
	if (offset < r->offset) {
		t->run = 0;
		r = t->extents;
	}
	for (; offset - r->offset >= r->len_bytes; r++)
		t->run++;
	skip = offset - r->offset;
	*va = r->va + skip;
	return pw_min_u64(len, r->len_bytes - skip);
}

int pw_tcp_open_path(void **path, const struct pw_way_config *cfg, struct pw_err *err)
{
	struct pw_tcp *t = calloc(1, sizeof(*t));
	int ret;

	*path = NULL;
	if (!t)
		return pw_err_sys(err, ENOMEM, "open a TCP socket");
	ret = pw_tcp_open(t, cfg, err);
	if (ret < 0) {
		free(t);
		return ret;
	}
	*path = t;
	return 0;
}

void pw_tcp_close_path(void *path)
{
	if (!path)
		return;
	pw_tcp_close(path);
	free(path);
}

int pw_tcp_no_drain(void *path, struct pw_err *err)
{
	(void)path;
	(void)err;
	return 0;
}

const struct pw_tx_counters *pw_tcp_counters(void *path)
{
	struct pw_tcp *t = path;

	return &t->c;
}
