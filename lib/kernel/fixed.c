/* SPDX-License-Identifier: BSD-3-Clause */
/* Registers headers and file with an io_uring, where the kernel can send a message from there. */
#include "kernel/fixed.h"

#include <errno.h>

#define BUFFER_MAX_BYTES (1ull << 30) /* io_sqe_buffer_register(): SZ_1G */

/* Why the file cannot be registered, for the log; NULL: code is a failure of another kind. */
static const char *why_not(int code)
{
	if (code == EFAULT || code == EOPNOTSUPP)
		return "the kernel registers only files on hugetlbfs and tmpfs";
	if (code == ENOMEM)
		return "the memlock limit is too small for the file; raise it (ulimit -l)";
	return NULL;
}

static int give_up(struct pw_fixed *f, const struct pw_way_config *cfg, const char *why)
{
	pw_fixed_close(f);
	pw_warn(cfg->log, "each send pins its own pages: %s", why);
	return 0;
}

int pw_fixed_open(struct pw_fixed *f, struct pw_ring *r, const struct pw_way_config *cfg,
	uint64_t room_bytes, const char *what, struct pw_err *err)
{
	struct pw_err why = {0};
	struct iovec iov;
	int ret;

	if (!pw_uring_sends_fixed(&r->uring))
		return give_up(f, cfg, "SENDMSG_ZC from registered buffers needs Linux 6.15");
	if (pw_beside_map(&f->b, cfg->win, room_bytes, what, &why) < 0)
		return give_up(f, cfg, why.msg);
	if (f->b.bytes > BUFFER_MAX_BYTES)
		return give_up(f, cfg, "a registered buffer has 1 GiB at most");
	iov = (struct iovec){.iov_base = f->b.area, .iov_len = f->b.bytes};
	ret = io_uring_register_buffers(&r->uring, &iov, 1);
	if (ret < 0 && why_not(-ret))
		return give_up(f, cfg, why_not(-ret));
	if (ret < 0)
		return pw_err_sys(err, -ret, "cannot register the file with io_uring");
	f->whole = (struct pw_extent){.va = pw_beside_file(&f->b),
		.iova = PW_IOVA_NONE,
		.len_bytes = cfg->win->len_bytes};
	f->is_on = true;
	return 0;
}

void pw_fixed_close(struct pw_fixed *f)
{
	pw_beside_unmap(&f->b);
	f->is_on = false;
}
