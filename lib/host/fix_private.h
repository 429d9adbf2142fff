/* SPDX-License-Identifier: BSD-3-Clause */
/* Between the parts of fix: one step, and where steps are remembered. */
#ifndef PW_HOST_FIX_PRIVATE_H
#define PW_HOST_FIX_PRIVATE_H

#include "host/fix.h"

#define PW_FIX_NOIOMMU_FLAG "/sys/module/vfio/parameters/enable_unsafe_noiommu_mode"

/* fixstep.c: does or undoes one. After a failure pw_fix_step_is_left() says whether there is
 * something to be undone. */
int pw_fix_step_do(const struct pw_sysroot *root, struct pw_fix_step *s, struct pw_err *err);
int pw_fix_step_undo(
	const struct pw_sysroot *root, const struct pw_fix_step *s, struct pw_err *err);
bool pw_fix_step_is_left(const struct pw_sysroot *root, const struct pw_fix_step *s);

/* fixnic.c: the same for a PCI function. */
int pw_fix_nic_do(const struct pw_sysroot *root, struct pw_fix_step *s, struct pw_err *err);
int pw_fix_nic_undo(const struct pw_sysroot *root, const struct pw_fix_step *s, struct pw_err *err);
int pw_fix_nic_plan(const struct pw_sysroot *root, const struct pw_fix_want *want,
	struct pw_fix *fix, struct pw_err *err);

/* fixtext.c: fills what and command. */
void pw_fix_step_tell(const struct pw_sysroot *root, struct pw_fix_step *s, bool undo);

/* The pool of a step, PAGES: "/sys/.../hugepages-2048kB", and what its nr_hugepages will be set to. */
void pw_fix_pool_dir(const struct pw_fix_step *s, char dir[static 96]);
int pw_fix_pool_target(
	const struct pw_sysroot *root, const struct pw_fix_step *s, bool undo, uint64_t *n);

/* fixlog.c: the file. One that is open is locked. */
struct pw_fixlog {
	const struct pw_sysroot *root;
	int dir_fd; /* -1: there is no directory, and nothing is remembered */
};

/* create: makes the directory. -EBUSY: another process has it. */
int pw_fixlog_open(
	struct pw_fixlog *log, const struct pw_sysroot *root, bool create, struct pw_err *err);
/* -EBADMSG: no file of ours. */
int pw_fixlog_load(const struct pw_fixlog *log, struct pw_fix *fix, struct pw_err *err);
/* Replaces the file at once; without steps it is removed. */
int pw_fixlog_store(const struct pw_fixlog *log, const struct pw_fix *fix, struct pw_err *err);
void pw_fixlog_close(struct pw_fixlog *log);

/* Appends a zeroed step; NULL when there is no room. */
struct pw_fix_step *pw_fix_add(struct pw_fix *fix, enum pw_fix_kind kind, const char *object);

#endif
