/* SPDX-License-Identifier: BSD-3-Clause */
/* Lets secondary processes map EAL's memory, and removes its files at the end. */
#include "dpdk/share.h"

#include <errno.h>
#include <limits.h>
#include <rte_errno.h>
#include <rte_memory.h>
#include <rte_pdump.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int pw_share_start(struct pw_err *err)
{
	if (rte_pdump_init() < 0)
		return pw_err_set(err, rte_errno ? rte_errno : EIO,
			"cannot let dpdk-dumpcap attach: %s; leave out --shared-mem",
			strerror(rte_errno ? rte_errno : EIO));
	return 0;
}

/* Called with EAL's lock on its memory held. Segments may share a file: the second removal finds none. */
static int remove_file(const struct rte_memseg_list *msl, const struct rte_memseg *ms, void *opaque)
{
	char link[64], path[PATH_MAX];
	int fd = rte_memseg_get_fd_thread_unsafe(ms);
	ssize_t len;

	(void)opaque;
	if (msl->external || fd < 0)
		return 0;
	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	len = readlink(link, path, sizeof(path));
	if (len <= 0 || (size_t)len == sizeof(path))
		return 0;
	path[len] = '\0';
	unlink(path);
	return 0;
}

void pw_share_end(void)
{
	rte_pdump_uninit();
	rte_memseg_walk(remove_file, NULL);
}
