/* SPDX-License-Identifier: BSD-3-Clause */
/* Reads an address or a host name that the user gave; names are resolved by getaddrinfo(3). */
#ifndef PW_KERNEL_HOSTNAME_H
#define PW_KERNEL_HOSTNAME_H

#include "base/err.h"
#include "wire/addr.h"

/* 4 or 6 when text is a numeric address, with or without a port; else 0. */
uint8_t pw_addr_family(const char *text);

/* As pw_addr_parse(), and "HOST", "HOST:PORT": the first address of the host, of the family (4 or
 * 6) unless that is 0. -EINVAL when it is neither an address nor a name that resolves. May wait for a
 * name server. A numeric address keeps its own family. */
int pw_addr_resolve(const char *what, const char *text, uint16_t default_port, uint8_t family,
	struct pw_addr *addr, struct pw_err *err);

#endif
