/* SPDX-License-Identifier: BSD-3-Clause */
/* Opens and closes the io_uring of a way, TCP or UDP. */
#include "kernel/ring.h"

int pw_ring_open(struct pw_ring *r, const struct pw_uring_want *want, bool zerocopy,
	const struct pw_log *log, struct pw_err *err)
{
	int ret = pw_uring_open(&r->uring, want, err);

	if (ret < 0)
		return ret;
	r->is_open = true;
	if (zerocopy && pw_uring_reports_copies(&r->uring))
		r->usage = IORING_SEND_ZC_REPORT_USAGE;
	else if (zerocopy)
		pw_warn(log, "this kernel does not report whether %s copied; use Linux 6.2",
			want->op_name + sizeof("IORING_OP_") - 1);
	return 0;
}

void pw_ring_close(struct pw_ring *r)
{
	if (r->is_open)
		io_uring_queue_exit(&r->uring);
	r->is_open = false;
}
