/* SPDX-License-Identifier: BSD-3-Clause */
#include "dpdk/share.h"

#include <errno.h>
#include <limits.h>
#include <rte_eal.h>
#include <rte_errno.h>
#include <rte_memory.h>
#include <rte_pdump.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MAX_FILES 128 /* as many memseg lists as EAL has, each one file of many pages */

struct files {
	char path[MAX_FILES][PATH_MAX];
	unsigned int n;
};

int pw_share_start(struct pw_err *err)
{
	if (rte_pdump_init() < 0)
		return pw_err_set(err, rte_errno ? rte_errno : EIO,
			"let dpdk-dumpcap in: %s; leave out --shared-mem",
			strerror(rte_errno ? rte_errno : EIO));
	return 0;
}

/* Called with EAL's lock on its memory held. */
static int note_file(const struct rte_memseg_list *msl, const struct rte_memseg *ms, void *opaque)
{
	struct files *f = opaque;
	char link[64];
	ssize_t len;
	int fd = rte_memseg_get_fd_thread_unsafe(ms);

	if (msl->external || fd < 0 || f->n == MAX_FILES)
		return 0;
	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	len = readlink(link, f->path[f->n], PATH_MAX - 1);
	if (len <= 0)
		return 0;
	f->path[f->n][len] = '\0';
	f->n += f->n == 0 || strcmp(f->path[f->n], f->path[f->n - 1]) != 0;
	return 0;
}

void pw_share_end_eal(void)
{
	struct files *f = calloc(1, sizeof(*f));
	unsigned int i;

	rte_pdump_uninit();
	if (f)
		rte_memseg_walk(note_file, f);
	rte_eal_cleanup();
	for (i = 0; f && i < f->n; i++)
		unlink(f->path[i]);
	free(f);
}
