/* SPDX-License-Identifier: BSD-3-Clause */
/* Wires of the bench for tests, in a network namespace that is the test's own. */
#ifndef TESTS_UNIT_BENCH_WIRE_UTIL_H
#define TESTS_UNIT_BENCH_WIRE_UTIL_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <netinet/in.h>

#include "bench/wire.h"

/* First of all, in main(): what the tests make is not the host's. */
void own_net(void);
/* Skips without one. */
void need_net(void);

/* Skips when the host lacks what the wire needs, fails otherwise. */
void open_wire(struct pw_wire *w, enum pw_wire_kind kind, uint32_t mtu);
/* A UDP socket in a namespace; receiving from it waits 2 s at most. */
int socket_in(int ns);
struct sockaddr_in sockaddr_of(const struct pw_addr *a);
/* In the source's namespace, connected to the sink. */
int source_socket(const struct pw_wire *w);
void assert_interface(
	int ns, const char *name, uint32_t mtu, const struct pw_addr *addr, const uint8_t mac[6]);
struct pw_wire_count count(const struct pw_wire *w);

/* Exit status of a child that calls fn(arg): 0 when all is as it should be. */
int in_child(int (*fn)(const void *arg), const void *arg);

#endif
