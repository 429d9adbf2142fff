/* SPDX-License-Identifier: BSD-3-Clause */
/* A host that is not there: /sys and /proc below a temporary directory, made file by file. */
#ifndef TESTS_UNIT_SYSFIX_H
#define TESTS_UNIT_SYSFIX_H

#include "host/sysfs.h"

struct sysfix {
	char dir[64];
	struct pw_sysroot root;
};

void sysfix_make(struct sysfix *f);
void sysfix_drop(struct sysfix *f);

/* The full path of one below the root, its directories made. */
void sysfix_path(const struct sysfix *f, const char *path, char full[512]);
void sysfix_write(const struct sysfix *f, const char *path, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
void sysfix_link(const struct sysfix *f, const char *path, const char *target);

/* node -1: the pool of the whole host, which also holds the reserved pages */
void sysfix_hugepages(const struct sysfix *f, int node, unsigned long kib, unsigned int total,
	unsigned int n_free, unsigned int promised);
/* A PCI NIC; driver "" = none, group -1 = none, netdev "" = none. */
void sysfix_nic(const struct sysfix *f, const char *addr, const char *driver, int node, int group,
	const char *netdev);
void sysfix_netif(const struct sysfix *f, const char *name, unsigned int mtu, unsigned int flags,
	unsigned int carrier);

#endif
