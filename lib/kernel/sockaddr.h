/* SPDX-License-Identifier: BSD-3-Clause */
/* Internal to lib/kernel: an address as the socket calls want it. */
#ifndef PW_KERNEL_SOCKADDR_H
#define PW_KERNEL_SOCKADDR_H

#include <sys/socket.h>

#include "wire/frame.h"

/* Fills ss and returns its length. scope: the interface's index for link-local and multicast IPv6
 * addresses, or 0. */
socklen_t pw_sockaddr_make(
	const struct pw_addr *a, unsigned int scope, struct sockaddr_storage *ss);

#endif
