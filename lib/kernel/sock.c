/* SPDX-License-Identifier: BSD-3-Clause */
/* What the paths of all ways have in common: faults, counters, and options of sockets. */
#include "kernel/sock.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>

#include "base/units.h"
#include "kernel/symbols.h"

#define NAP_NS 50000

bool pw_sock_break(struct pw_sock *s, const char *fmt, ...)
{
	va_list ap;

	if (s->fault[0])
		return false;
	va_start(ap, fmt);
	vsnprintf(s->fault, sizeof(s->fault), fmt, ap);
	va_end(ap);
	return false;
}

bool pw_sock_break_by(struct pw_sock *s, int code, uint32_t mtu)
{
	struct pw_err err = {0};
	char of[32] = "";

	if (code == EFAULT)
		return pw_sock_break(s,
			"the file's pages cannot be read: it was truncated while it was being "
			"sent; send it again");
	if (mtu)
		snprintf(of, sizeof(of), "%u on the way to ", mtu);
	if (code == EMSGSIZE)
		return pw_sock_break(s,
			"a packet is longer than the MTU of %s%s; raise that, or send with a "
			"smaller --mtu",
			of, s->peer);
	pw_err_sys(&err, code, "the kernel accepts no packets to %s", s->peer);
	return pw_sock_break(s, "%s", err.msg);
}

void pw_sock_account(struct pw_sock *s, const struct pw_tx_burst *b, uint16_t n)
{
	uint64_t bytes;

	if (n == 0) {
		s->c.full_polls++;
		return;
	}
	bytes = pw_symbols_bytes(b, n);
	s->c.packets += n;
	s->c.payload_bytes += bytes;
	s->c.wire_bytes += bytes + (uint64_t)n * b->obj->tmpl.len;
}

uint16_t pw_sock_account_copy(
	struct pw_sock *s, bool sent, const struct pw_frame_tmpl *tmpl, size_t len)
{
	if (!sent) {
		s->c.full_polls++;
		return 0;
	}
	s->c.packets++;
	s->c.wire_bytes += tmpl->len + len;
	return 1;
}

int pw_sock_bound_sleep(struct pw_sock *s, struct pw_err *err)
{
	const struct timeval tv = {.tv_usec = (suseconds_t)(PW_SEND_SLEEP_NS / 1000)};

	if (setsockopt(s->fd, SOL_SOCKET, SO_SNDTIMEO, &tv, sizeof(tv)) < 0)
		return pw_err_sys(err, errno, "cannot send to %s: SO_SNDTIMEO", s->peer);
	return 0;
}

void pw_sock_size_buffer(int fd, int option, int bytes, const struct pw_log *log)
{
	const bool send = option == SO_SNDBUF;
	int got = 0;
	socklen_t len = sizeof(got);
	char asked[32], given[32];

	if (setsockopt(fd, SOL_SOCKET, send ? SO_SNDBUFFORCE : SO_RCVBUFFORCE, &bytes,
		    sizeof(bytes)) < 0)
		setsockopt(fd, SOL_SOCKET, option, &bytes, sizeof(bytes));
	/* The kernel doubles the value, for its own bookkeeping, and returns the double. */
	if (!log || getsockopt(fd, SOL_SOCKET, option, &got, &len) < 0 || got / 2 >= bytes)
		return;
	pw_warn(log, "%s buffer is %s, not %s, so %s; sysctl -w net.core.%s=%d",
		send ? "send" : "receive", pw_units_size(given, sizeof(given), (uint64_t)got / 2),
		pw_units_size(asked, sizeof(asked), (uint64_t)bytes),
		send ? "calls sleep more often" : "bursts may be lost",
		send ? "wmem_max" : "rmem_max", bytes);
}

void pw_sock_wait_writable(struct pw_sock *s)
{
	struct pollfd p = {.fd = s->fd, .events = POLLOUT};

	poll(&p, 1, (int)(PW_SEND_SLEEP_NS / 1000000));
}

void pw_sock_nap(void)
{
	nanosleep(&(struct timespec){.tv_nsec = NAP_NS}, NULL);
}

const char *pw_sock_fault(void *path)
{
	struct pw_sock *s = path;

	return s->fault[0] ? s->fault : NULL;
}

bool pw_sock_alive(void *path)
{
	return !pw_sock_fault(path);
}

const struct pw_tx_counters *pw_sock_counters(void *path)
{
	return &((struct pw_sock *)path)->c;
}

int pw_sock_detach(void *path, struct pw_tx_object *obj)
{
	(void)path;
	(void)obj;
	return 0;
}

void pw_sock_reap(void *path)
{
	(void)path;
}

uint32_t pw_sock_outstanding(void *path)
{
	(void)path;
	return 0;
}
