/* SPDX-License-Identifier: BSD-3-Clause */
#include "host/fix.h"

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/units.h"
#include "host/fix_private.h"
#include "host/hugepages.h"
#include "host/iommu.h"
#include "host/limits.h"

#define HOST_SHARE 16 /* one part in so many of the available memory is left to the host */

struct pw_fix_step *pw_fix_add(struct pw_fix *fix, enum pw_fix_kind kind, const char *object)
{
	struct pw_fix_step *s;

	if (fix->n == PW_FIX_STEPS_MAX)
		return NULL;
	s = &fix->steps[fix->n++];
	*s = (struct pw_fix_step){.kind = kind};
	snprintf(s->object, sizeof(s->object), "%s", object);
	return s;
}

static int too_many(struct pw_err *err)
{
	return pw_err_set(err, E2BIG,
		"change this host: %d changes are remembered already; pagewire doctor --undo",
		PW_FIX_STEPS_MAX);
}

static int plan_module(
	const struct pw_sysroot *root, const char *module, struct pw_fix *fix, struct pw_err *err)
{
	switch (pw_module_state(root, module)) {
	case PW_MODULE_LOADED:
		return 0;
	case PW_MODULE_LOADABLE:
		return pw_fix_add(fix, PW_FIX_MODULE, module) ? 0 : too_many(err);
	case PW_MODULE_ABSENT:
		break;
	}
	return pw_err_set(err, ENOENT,
		"load the kernel module %s: this kernel has none; apt-get install "
		"linux-image-amd64",
		module);
}

static int plan_pages(const struct pw_sysroot *root, const struct pw_fix_want *want,
	struct pw_fix *fix, struct pw_err *err)
{
	uint64_t bytes = want->n_pages * want->page_bytes, left = pw_memory_available(root);
	char need[32], have[32];
	struct pw_hugepages hp;
	struct pw_fix_step *s;
	int r = pw_hugepages_read(root, &hp, err);

	if (r)
		return r;
	if (left && bytes > left - left / HOST_SHARE)
		return pw_err_set(err, ENOMEM,
			"take %s for huge pages: %s of memory are available, and the host needs "
			"some; name a smaller FILE, or stop what uses memory",
			pw_units_size(need, sizeof(need), bytes),
			pw_units_size(have, sizeof(have), left));
	s = pw_fix_add(fix, PW_FIX_PAGES, "");
	if (!s)
		return too_many(err);
	s->node = hp.pools[0].node < 0 || want->node >= 0 ? want->node : hp.pools[0].node;
	if (hp.pools[0].node < 0)
		s->node = -1;
	s->page_bytes = want->page_bytes;
	s->n_more = want->n_pages;
	r = pw_fix_pool_target(root, s, false, &s->n_before);
	if (r)
		return pw_err_sys(err, -r, "read the pool of huge pages of node %d", s->node);
	s->n_before -= s->n_more;
	return 0;
}

static int is_entry(void *ctx, const char *name)
{
	(void)ctx;
	(void)name;
	return 1;
}

static int plan_mount(const struct pw_sysroot *root, const struct pw_fix_want *want,
	struct pw_fix *fix, struct pw_err *err)
{
	char path[PW_SYSFS_PATH_MAX];
	struct pw_fix_step *s;
	struct stat st;

	snprintf(path, sizeof(path), "%s" PW_FIX_MOUNT_DIR,
		pw_sysroot_is_real(root) ? "" : root->root);
	if (lstat(path, &st)) {
		if (errno != ENOENT)
			return pw_err_sys(err, errno, "look at " PW_FIX_MOUNT_DIR);
		if (!pw_fix_add(fix, PW_FIX_DIR, PW_FIX_MOUNT_DIR))
			return too_many(err);
	} else if (!S_ISDIR(st.st_mode) ||
		   pw_sysfs_each_entry(root, PW_FIX_MOUNT_DIR, is_entry, NULL)) {
		return pw_err_set(err, ENOTEMPTY,
			"mount hugetlbfs on " PW_FIX_MOUNT_DIR ": it is no empty directory; mount "
			"it elsewhere: mount -t hugetlbfs none DIR");
	}
	s = pw_fix_add(fix, PW_FIX_MOUNT, PW_FIX_MOUNT_DIR);
	if (!s)
		return too_many(err);
	s->page_bytes = want->page_bytes;
	return 0;
}

int pw_fix_plan(const struct pw_sysroot *root, const struct pw_fix_want *want, struct pw_fix *fix,
	struct pw_err *err)
{
	unsigned int i;
	int r = 0;

	memset(fix, 0, sizeof(*fix));
	if (want->module)
		r = plan_module(root, want->module, fix, err);
	if (r == 0 && want->n_pages)
		r = plan_pages(root, want, fix, err);
	if (r == 0 && want->mount)
		r = plan_mount(root, want, fix, err);
	for (i = 0; r == 0 && i < fix->n; i++)
		pw_fix_step_tell(root, &fix->steps[i], false);
	if (r == 0 && want->pci)
		r = pw_fix_nic_plan(root, want, fix, err);
	for (; r == 0 && i + 1 < fix->n; i++) /* the last one, BIND, told more of itself */
		pw_fix_step_tell(root, &fix->steps[i], false);
	if (r)
		fix->n = 0;
	return r;
}

/* Writes the intent, does it, writes what came of it. */
static int do_one(
	const struct pw_fixlog *log, struct pw_fix *done, struct pw_fix_step *s, struct pw_err *err)
{
	struct pw_fix_step *entry;
	uint64_t n;
	int r, stored;

	if (s->kind == PW_FIX_MODULE)
		return pw_fix_step_do(log->root, s, err);
	entry = pw_fix_add(done, s->kind, "");
	if (!entry)
		return too_many(err);
	if (s->kind == PW_FIX_PAGES && pw_fix_pool_target(log->root, s, false, &n) == 0)
		s->n_before = n - s->n_more; /* others may have changed it since the plan */
	*entry = *s;
	r = pw_fixlog_store(log, done, err);
	if (r)
		return r;
	r = pw_fix_step_do(log->root, s, err);
	*entry = *s;
	if (r && !pw_fix_step_is_left(log->root, s))
		done->n--;
	stored = pw_fixlog_store(log, done, r ? NULL : err);
	return r ? r : stored;
}

int pw_fix_apply(const struct pw_sysroot *root, struct pw_fix *fix, struct pw_err *err)
{
	struct pw_fix *done = malloc(sizeof(*done));
	struct pw_fixlog log;
	unsigned int i;
	int r;

	if (!done)
		return pw_err_sys(err, ENOMEM, "change this host");
	r = pw_fixlog_open(&log, root, true, err);
	if (r)
		goto free_done;
	r = pw_fixlog_load(&log, done, err);
	for (i = 0; r == 0 && i < fix->n; i++) {
		r = do_one(&log, done, &fix->steps[i], err);
		fix->steps[i].state = r ? PW_FIX_FAILED : PW_FIX_DONE;
	}
	pw_fixlog_close(&log);
free_done:
	free(done);
	return r;
}

static void reverse(struct pw_fix *fix)
{
	struct pw_fix_step s;
	unsigned int i;

	for (i = 0; i < fix->n / 2; i++) {
		s = fix->steps[i];
		fix->steps[i] = fix->steps[fix->n - 1 - i];
		fix->steps[fix->n - 1 - i] = s;
	}
}

static int recall(const struct pw_fixlog *log, struct pw_fix *fix, struct pw_err *err)
{
	int r = pw_fixlog_load(log, fix, err);
	unsigned int i;

	for (i = 0; i < fix->n; i++)
		pw_fix_step_tell(log->root, &fix->steps[i], true);
	reverse(fix);
	return r;
}

int pw_fix_recall(const struct pw_sysroot *root, struct pw_fix *fix, struct pw_err *err)
{
	struct pw_fixlog log;
	int r;

	fix->n = 0;
	r = pw_fixlog_open(&log, root, false, err);
	if (r)
		return r;
	r = recall(&log, fix, err);
	pw_fixlog_close(&log);
	return r;
}

static int undo_one(
	const struct pw_fixlog *log, struct pw_fix *fix, struct pw_fix_step *s, struct pw_err *err)
{
	int stored, r = pw_fix_step_undo(log->root, s, err);

	s->state = r ? PW_FIX_FAILED : PW_FIX_UNDONE;
	reverse(fix);
	stored = pw_fixlog_store(log, fix, r ? NULL : err);
	reverse(fix);
	return r ? r : stored;
}

int pw_fix_undo(const struct pw_sysroot *root, struct pw_fix *fix, struct pw_err *err)
{
	struct pw_fixlog log;
	struct pw_err later;
	unsigned int i;
	int r, one;

	fix->n = 0;
	r = pw_fixlog_open(&log, root, false, err);
	if (r)
		return r;
	r = recall(&log, fix, err);
	for (i = 0; i < fix->n; i++) {
		one = undo_one(&log, fix, &fix->steps[i], r ? &later : err);
		r = r ? r : one;
	}
	pw_fixlog_close(&log);
	return r;
}
