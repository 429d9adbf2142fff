/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Makes network namespaces without names, and runs functions inside them. The calling thread keeps its own
 * namespace: a function for another namespace runs in a thread that ends after it.
 */
#ifndef PW_BENCH_WIRENET_H
#define PW_BENCH_WIRENET_H

#include "base/err.h"

/* A new namespace with lo up and IPv6 off (its neighbour discovery would be counted as traffic).
 * *ns is a descriptor that exec() keeps; the namespace ends with its last holder. -EPERM without
 * CAP_SYS_ADMIN and CAP_NET_ADMIN, -ENODEV without iproute2. */
int pw_wirenet_make(int *ns, struct pw_err *err);

/* Calls fn(arg, err) in a thread whose network namespace is ns (-1: ours), and returns its result. */
int pw_wirenet_call(
	int ns, int (*fn)(void *arg, struct pw_err *err), void *arg, struct pw_err *err);

/* Descriptor by which a command of pw_wirenet_ip() may name its peer namespace. */
#define PW_WIRENET_PEER "/proc/self/fd/3"

/* Runs `ip ARGUMENTS` (words parted by one space, no shell) in ns. peer_ns: another namespace that
 * the arguments name as PW_WIRENET_PEER; -1: none. What ip says becomes the error: -EPERM,
 * -EOPNOTSUPP, -ENODEV, -EINVAL where it can be told, else -EIO. */
int pw_wirenet_ip(int ns, int peer_ns, struct pw_err *err, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));

#endif
