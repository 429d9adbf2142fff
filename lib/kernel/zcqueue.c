/* SPDX-License-Identifier: BSD-3-Clause */
/* Reads the completions of MSG_ZEROCOPY from a socket's error queue. */
#include "kernel/zcqueue.h"

#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#include <linux/errqueue.h> /* wants struct timespec */

#include "base/clock.h"

/* Limits the loop below: completions may come as fast as they are read. */
#define REAP_MAX 1024

int pw_zcqueue_enable(void *path, struct pw_err *err)
{
	const struct pw_sock *s = path;
	int on = 1;

	if (setsockopt(s->fd, SOL_SOCKET, SO_ZEROCOPY, &on, sizeof(on)) == 0)
		return 0;
	if (errno == ENOPROTOOPT || errno == EOPNOTSUPP || errno == EINVAL)
		return pw_err_set(err, EOPNOTSUPP,
			"cannot set SO_ZEROCOPY: this kernel does not have it; use Linux 4.14 or "
			"newer for "
			"TCP, 5.0 for UDP");
	return pw_err_sys(err, errno, "cannot set SO_ZEROCOPY");
}

static uint64_t note(struct pw_sock *s, struct msghdr *m, pw_zcqueue_fn *done)
{
	struct sock_extended_err e;
	struct cmsghdr *cm;
	uint64_t n = 0;
	uint32_t range;

	for (cm = CMSG_FIRSTHDR(m); cm; cm = CMSG_NXTHDR(m, cm)) {
		if (!(cm->cmsg_level == SOL_IP && cm->cmsg_type == IP_RECVERR) &&
			!(cm->cmsg_level == SOL_IPV6 && cm->cmsg_type == IPV6_RECVERR))
			continue;
		memcpy(&e, CMSG_DATA(cm), sizeof(e));
		if (e.ee_origin != SO_EE_ORIGIN_ZEROCOPY || e.ee_errno != 0)
			continue;
		range = e.ee_data - e.ee_info + 1; /* numbers wrap at 2^32 */
		n += range;
		if (e.ee_code & SO_EE_CODE_ZEROCOPY_COPIED)
			s->c.zc_copied += range;
		if (done)
			done(s, e.ee_info, e.ee_data);
	}
	s->c.zc_done += n;
	return n;
}

uint64_t pw_zcqueue_each(struct pw_sock *s, pw_zcqueue_fn *done)
{
	union {
		struct cmsghdr align;
		char bytes[512];
	} control;
	uint64_t n = 0;
	int i;

	for (i = 0; i < REAP_MAX; i++) {
		struct msghdr m = {
			.msg_control = control.bytes,
			.msg_controllen = sizeof(control.bytes),
		};

		/* Never sleeps, O_NONBLOCK or not. */
		if (recvmsg(s->fd, &m, MSG_ERRQUEUE) < 0)
			break;
		n += note(s, &m, done);
	}
	return n;
}

uint64_t pw_zcqueue_reap(struct pw_sock *s)
{
	return pw_zcqueue_each(s, NULL);
}

void pw_zcqueue_wait(int fd, uint64_t timeout_ns)
{
	struct pollfd p = {.fd = fd};
	struct timespec ts = {.tv_sec = (time_t)(timeout_ns / PW_NS_PER_S),
		.tv_nsec = (long)(timeout_ns % PW_NS_PER_S)};

	/* poll() always reports POLLERR. It also reports POLLHUP, permanently, when the connection
	 * has ended: then sleep here, so that the caller looks 100 times a second. */
	if (ppoll(&p, 1, &ts, NULL) > 0 && (p.revents & (POLLERR | POLLHUP)) == POLLHUP)
		ppoll(NULL, 0, &(struct timespec){.tv_nsec = 10 * 1000 * 1000}, NULL);
}
