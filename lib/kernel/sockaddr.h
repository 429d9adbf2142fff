/* SPDX-License-Identifier: BSD-3-Clause */
/* Internal to lib/kernel: an address as the socket calls want it. */
#ifndef PW_KERNEL_SOCKADDR_H
#define PW_KERNEL_SOCKADDR_H

#include <sys/socket.h>

#include "base/err.h"
#include "wire/addr.h"

/* Fills ss and returns its length. scope: the interface's index for link-local and multicast IPv6
 * addresses; 0: the address's own zone. */
socklen_t pw_sockaddr_make(
	const struct pw_addr *a, unsigned int scope, struct sockaddr_storage *ss);

/* The address that a datagram came from. All zero: ss is of another family. */
struct pw_host_key pw_sockaddr_key(const struct sockaddr_storage *ss);

/* The index of the interface that is named (NULL: none), or else the zone of `a`; 0: neither. verb: what is
 * to happen there, for the error. */
int pw_sockaddr_scope(const char *verb, const char *interface, const struct pw_addr *a,
	unsigned int *scope, struct pw_err *err);

#endif
