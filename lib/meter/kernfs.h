/* SPDX-License-Identifier: BSD-3-Clause */
/* Small files of tracefs and securityfs, which many hosts do not mount. */
#ifndef PW_METER_KERNFS_H
#define PW_METER_KERNFS_H

#include <stddef.h>

/* Reads a file of a kernel file system from where it is mounted (`where`, tried in order, ends with
 * NULL), else from a mount of its own, which no directory shows and which ends with the call. Needs
 * CAP_SYS_ADMIN then. Trailing white space is cut. Returns the length or -errno; buf is "" on errors. */
int pw_kernfs_read(
	const char *type, const char *const *where, const char *file, char *buf, size_t len);

/* Of events/SYSTEM/NAME in tracefs, or -errno; -ENOENT: this kernel has no such tracepoint. */
int pw_kernfs_tracepoint_id(const char *system, const char *name);

/* "none", "integrity", "confidentiality": the word that /sys/kernel/security/lockdown has in brackets;
 * "" when it cannot be read. */
void pw_kernfs_lockdown(char *buf, size_t len);

#endif
