/* SPDX-License-Identifier: BSD-3-Clause */
/* Opens an io_uring with the needed operation, and reports why that is not possible. */
#include "host/uring.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"

#define SQ_THREAD_IDLE_MS 100

static int sysctl_disabled(void)
{
	FILE *f = fopen("/proc/sys/kernel/io_uring_disabled", "re");
	int value = 0;

	if (!f)
		return 0;
	if (fscanf(f, "%d", &value) != 1)
		value = 0;
	fclose(f);
	return value;
}

static int open_error(int code, struct pw_err *err)
{
	int disabled;

	switch (code) {
	case EPERM:
		disabled = sysctl_disabled();
		if (disabled)
			return pw_err_set(err, code,
				"cannot open an io_uring: kernel.io_uring_disabled is %d; sysctl "
				"-w "
				"kernel.io_uring_disabled=0",
				disabled);
		return pw_err_set(err, code,
			"cannot open an io_uring: refused, though kernel.io_uring_disabled is 0: a "
			"container's seccomp filter does that; allow io_uring_setup in it");
	case ENOSYS:
		return pw_err_set(err, code,
			"cannot open an io_uring: this kernel has none, or a seccomp filter hides "
			"it");
	case ENOMEM:
		return pw_err_set(err, code,
			"cannot open an io_uring: no memory for its rings; raise the memlock limit "
			"(ulimit -l)");
	default:
		return pw_err_sys(err, code, "cannot open an io_uring");
	}
}

static int init(struct io_uring *ring, const struct pw_uring_want *want, unsigned int flags)
{
	struct io_uring_params p = {
		.flags = flags | IORING_SETUP_CQSIZE,
		.cq_entries = want->cq_entries,
		.sq_thread_idle = SQ_THREAD_IDLE_MS,
	};

	return io_uring_queue_init_params(want->sq_entries, ring, &p);
}

int pw_uring_open(struct io_uring *ring, const struct pw_uring_want *want, struct pw_err *err)
{
	struct io_uring_probe *probe;
	bool has_op;
	int ret;

	/* A thread that waits for completions does not need interrupts for them (Linux 5.19). */
	if (want->sqpoll)
		ret = init(ring, want, IORING_SETUP_SQPOLL);
	else
		ret = init(ring, want, want->handed_over ? 0 : IORING_SETUP_COOP_TASKRUN);
	if (ret == -EINVAL && !want->sqpoll)
		ret = init(ring, want, 0);
	if (ret < 0)
		return open_error(-ret, err);
	probe = io_uring_get_probe_ring(ring);
	has_op = probe && io_uring_opcode_supported(probe, want->op);
	io_uring_free_probe(probe);
	if (has_op && (ring->features & IORING_FEAT_EXT_ARG))
		return 0;
	io_uring_queue_exit(ring);
	return pw_err_set(err, EOPNOTSUPP,
		"cannot open an io_uring: this kernel lacks %s; it needs Linux %s", want->op_name,
		want->since);
}

int pw_uring_wait(struct io_uring *ring, unsigned int n, uint64_t timeout_ns)
{
	struct __kernel_timespec ts = {
		.tv_sec = (long long)(timeout_ns / PW_NS_PER_S),
		.tv_nsec = (long long)(timeout_ns % PW_NS_PER_S),
	};
	struct io_uring_cqe *cqe;
	int ret = io_uring_submit_and_wait_timeout(ring, &cqe, n, &ts, NULL);

	/* -EAGAIN, -EBUSY: no memory, or no room for completions; the caller reads completions then. */
	if (ret >= 0 || ret == -ETIME || ret == -EAGAIN || ret == -EBUSY)
		return 0;
	return ret;
}

static int take_cqe(struct io_uring *ring, struct io_uring_cqe *copy)
{
	struct io_uring_cqe *cqe;
	int ret;

	/* The operation does not sleep: its completion comes, also after signals. */
	do
		ret = io_uring_wait_cqe(ring, &cqe);
	while (ret == -EINTR);
	if (ret < 0)
		return ret;
	*copy = *cqe;
	io_uring_cqe_seen(ring, cqe);
	return 0;
}

/* Submits a zero-copy send to descriptor -1. The kernel checks the flags before the descriptor: -EINVAL or
 * -EBADF, and nothing is sent. */
static bool accepts(struct io_uring *ring)
{
	struct io_uring_cqe sent, notified;

	if (io_uring_submit(ring) < 0 || take_cqe(ring, &sent) < 0)
		return false;
	/* Even a send that failed is followed by a notification. */
	if ((sent.flags & IORING_CQE_F_MORE) && take_cqe(ring, &notified) < 0)
		return false;
	return sent.res == -EBADF;
}

bool pw_uring_reports_copies(struct io_uring *ring)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(ring);
	char byte = 0;

	if (!sqe)
		return false;
	io_uring_prep_send_zc(sqe, -1, &byte, 1, 0, IORING_SEND_ZC_REPORT_USAGE);
	return accepts(ring);
}

bool pw_uring_sends_fixed(struct io_uring *ring)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(ring);
	char byte = 0;
	struct iovec iov = {.iov_base = &byte, .iov_len = 1};
	const struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1};

	if (!sqe)
		return false;
	io_uring_prep_sendmsg_zc(sqe, -1, &msg, 0);
	sqe->ioprio |= IORING_RECVSEND_FIXED_BUF;
	return accepts(ring);
}
