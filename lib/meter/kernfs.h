/* SPDX-License-Identifier: BSD-3-Clause */
/* Reads small files of tracefs and securityfs, also on hosts that do not mount these file systems. */
#ifndef PW_METER_KERNFS_H
#define PW_METER_KERNFS_H

#include <stddef.h>

/* Reads a file of a kernel file system (`type`) from the mount points `where`, in order, up to a NULL.
 * Where it is not mounted, this call mounts it for itself, attached to no directory, which needs
 * CAP_SYS_ADMIN. Trailing white space is cut. Returns the length or -errno; buf is "" on errors. */
int pw_kernfs_read(
	const char *type, const char *const *where, const char *file, char *buf, size_t len);

/* The ID of tracepoint SYSTEM:NAME, or -errno; -ENOENT: this kernel has no such tracepoint. */
int pw_kernfs_tracepoint_id(const char *system, const char *name);

/* The lockdown mode: "none", "integrity" or "confidentiality" (the word in brackets in
 * /sys/kernel/security/lockdown); "" when the file cannot be read. */
void pw_kernfs_lockdown(char *buf, size_t len);

#endif
