/* SPDX-License-Identifier: BSD-3-Clause */
#include "bench_wire_util.h"

#include <arpa/inet.h>
#include <errno.h>
#include <sched.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench/wirenet.h"
#include "host/netif.h"

static bool have_net; /* root, in a network namespace of our own */

void own_net(void)
{
	have_net = geteuid() == 0 && unshare(CLONE_NEWNET) == 0;
}

void need_net(void)
{
	if (!have_net) {
		print_message("# skipped: no network namespace of our own (not root)\n");
		skip();
	}
}

/* What a host can lack is a reason to skip, everything else is a failure. */
void open_wire(struct pw_wire *w, enum pw_wire_kind kind, uint32_t mtu)
{
	struct pw_err err = {0};
	int r;

	need_net();
	r = pw_wire_open(w, kind, NULL, NULL, mtu, "/tmp", &err);
	if (r == -EOPNOTSUPP || r == -ENODEV) {
		print_message("# skipped: %s\n", err.msg);
		skip();
	}
	if (r)
		fail_msg("%s", err.msg);
}

static int udp_socket(void *arg, struct pw_err *err)
{
	(void)err;
	*(int *)arg = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	return *(int *)arg < 0 ? -errno : 0;
}

/* A socket keeps the namespace that it was made in. */
int socket_in(int ns)
{
	struct timeval wait = {.tv_sec = 2};
	int fd;

	assert_int_equal(pw_wirenet_call(ns, udp_socket, &fd, NULL), 0);
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof(wait));
	return fd;
}

struct sockaddr_in sockaddr_of(const struct pw_addr *a)
{
	struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons(a->port)};

	memcpy(&in.sin_addr, a->bytes, 4);
	return in;
}

int source_socket(const struct pw_wire *w)
{
	struct sockaddr_in to = sockaddr_of(&w->flow.dst);
	int fd = socket_in(w->source_ns);

	assert_int_equal(connect(fd, (struct sockaddr *)&to, sizeof(to)), 0);
	return fd;
}

struct query {
	const char *name;
	struct pw_netif netif;
};

static int query(void *arg, struct pw_err *err)
{
	struct query *q = arg;

	return pw_netif_query(q->name, &q->netif, err);
}

void assert_interface(
	int ns, const char *name, uint32_t mtu, const struct pw_addr *addr, const uint8_t mac[6])
{
	struct query q = {.name = name};
	struct pw_err err = {0};

	if (pw_wirenet_call(ns, query, &q, &err))
		fail_msg("%s", err.msg);
	assert_true(q.netif.up);
	assert_int_equal(q.netif.mtu, mtu);
	assert_true(q.netif.has_ipv4);
	assert_memory_equal(q.netif.ipv4, addr->bytes, 4);
	assert_memory_equal(q.netif.mac, mac, 6);
	assert_false(q.netif.has_ipv6_linklocal);
}

struct pw_wire_count count(const struct pw_wire *w)
{
	const struct pw_wire_count none = {0};
	struct pw_wire_count c;
	struct pw_err err = {0};

	if (pw_wire_count(w, &c, &err))
		fail_msg("%s", err.msg);
	return pw_wire_between(&none, &c);
}

/* The status of a child that does fn(arg) and returns 0 when all is as it should be. */
int in_child(int (*fn)(const void *arg), const void *arg)
{
	int status;
	pid_t pid = fork();

	if (pid == 0)
		_exit(fn(arg));
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}
