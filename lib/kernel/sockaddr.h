/* SPDX-License-Identifier: BSD-3-Clause */
/* Internal to lib/kernel: converts addresses for socket calls, and binds a socket to one. */
#ifndef PW_KERNEL_SOCKADDR_H
#define PW_KERNEL_SOCKADDR_H

#include <stdbool.h>
#include <sys/socket.h>

#include "base/err.h"
#include "wire/addr.h"

/* Fills ss and returns its length. scope: the interface's index for link-local and multicast IPv6
 * addresses; 0: the address's own zone. */
socklen_t pw_sockaddr_make(
	const struct pw_addr *a, unsigned int scope, struct sockaddr_storage *ss);

/* The address that a datagram came from. All zero: ss is of another family. */
struct pw_host_key pw_sockaddr_key(const struct sockaddr_storage *ss);

/* Sets *scope to the index of the named interface (NULL: none), or else to the zone of `a`; 0: neither.
 * action is for the error: "send". */
int pw_sockaddr_scope(const char *action, const char *interface, const struct pw_addr *a,
	unsigned int *scope, struct pw_err *err);

/* Binds fd to the source address src, so that a host with several addresses sends from the named one.
 * any_port: the kernel chooses the port. Nothing to do when src names no address. */
int pw_sockaddr_bind(
	int fd, const struct pw_addr *src, unsigned int scope, bool any_port, struct pw_err *err);

#endif
