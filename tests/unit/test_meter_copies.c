/* SPDX-License-Identifier: BSD-3-Clause */
/* Checks the meter with work that is known to copy once, twice, or not at all. */
#include "meter_util.h"

#include <time.h>

#include <linux/errqueue.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define MIB (1 << 20)

struct link {
	int tx;
	int rx;
};

struct rig {
	struct pw_meter *m;
	struct link link;
	int file; /* of 1 MiB, in memory */
	char *buf;
};

static void tcp_link(struct link *l)
{
	struct sockaddr_in sin = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(sin);
	int bytes = 8 * MIB, one = 1, server = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	l->tx = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(setsockopt(server, SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof(bytes)), 0);
	assert_int_equal(setsockopt(l->tx, SOL_SOCKET, SO_SNDBUFFORCE, &bytes, sizeof(bytes)), 0);
	assert_int_equal(setsockopt(l->tx, SOL_SOCKET, SO_ZEROCOPY, &one, sizeof(one)), 0);
	assert_int_equal(bind(server, (struct sockaddr *)&sin, sizeof(sin)), 0);
	assert_int_equal(listen(server, 1), 0);
	assert_int_equal(getsockname(server, (struct sockaddr *)&sin, &len), 0);
	assert_int_equal(connect(l->tx, (struct sockaddr *)&sin, sizeof(sin)), 0);
	l->rx = accept4(server, NULL, NULL, SOCK_CLOEXEC);
	assert_true(l->rx >= 0);
	close(server);
}

static void udp_link(struct link *l)
{
	struct sockaddr_in sin = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(sin);
	int bytes = 8 * MIB;

	l->rx = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	l->tx = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	assert_int_equal(setsockopt(l->rx, SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof(bytes)), 0);
	assert_int_equal(bind(l->rx, (struct sockaddr *)&sin, sizeof(sin)), 0);
	assert_int_equal(getsockname(l->rx, (struct sockaddr *)&sin, &len), 0);
	assert_int_equal(connect(l->tx, (struct sockaddr *)&sin, sizeof(sin)), 0);
}

static int set_up(void **state)
{
	struct rig *rig = calloc(1, sizeof(*rig));

	assert_non_null(rig);
	rig->link.tx = rig->link.rx = -1;
	rig->m = open_meter(true);
	rig->file = memfd_create("file", MFD_CLOEXEC);
	rig->buf = malloc(MIB);
	assert_non_null(rig->buf);
	memset(rig->buf, 0x5a, MIB);
	assert_int_equal(write(rig->file, rig->buf, MIB), MIB);
	*state = rig;
	return 0;
}

static int tear_down(void **state)
{
	struct rig *rig = *state;

	pw_meter_close(rig->m);
	close(rig->file);
	if (rig->link.tx >= 0)
		close(rig->link.tx);
	if (rig->link.rx >= 0)
		close(rig->link.rx);
	free(rig->buf);
	free(rig);
	return 0;
}

static struct rig *rig_or_skip(void **state)
{
	struct rig *rig = *state;

	if (!has_source(rig->m, PW_METER_COPIES))
		skip();
	return rig;
}

static void print_probes(const struct pw_reading *r)
{
	size_t i;

	for (i = 0; i < r->n_probes; i++)
		if (r->probes[i].calls)
			print_message("#   %-28s %8llu calls %10llu bytes\n", r->probes[i].function,
				(unsigned long long)r->probes[i].calls,
				(unsigned long long)r->probes[i].bytes);
}

static const struct pw_meter_probe *probe(const struct pw_reading *r, const char *function)
{
	size_t i;

	for (i = 0; i < r->n_probes; i++)
		if (strcmp(r->probes[i].function, function) == 0)
			return &r->probes[i];
	fail_msg("this kernel has no %s()", function);
	return NULL;
}

/* Expects n copies of 1 MiB, and headers. */
static void assert_copies(const struct pw_reading *r, uint64_t n)
{
	uint64_t sum = 0;
	size_t i;

	print_probes(r);
	for (i = 0; i < r->n_probes; i++)
		sum += r->probes[i].bytes;
	assert_int_equal(r->copied_bytes, sum);
	assert_in_range(r->copied_bytes, n * MIB, n * MIB + MIB / 100);
}

static void nothing_copies_nothing(void **state)
{
	struct rig *rig = rig_or_skip(state);
	struct pw_reading r;

	pw_meter_start(rig->m);
	pw_meter_stop(rig->m, &r);
	assert_int_equal(r.copied_bytes, 0);
}

static void a_read_copies_once(void **state)
{
	struct rig *rig = rig_or_skip(state);
	struct pw_reading r;

	pw_meter_start(rig->m);
	(void)!pread(rig->file, rig->buf, MIB, 0);
	pw_meter_stop(rig->m, &r);
	assert_int_equal(r.copied_bytes, MIB);
	assert_int_equal(probe(&r, "_copy_to_iter")->bytes, MIB);
}

static void a_tcp_write_copies_once(void **state)
{
	struct rig *rig = rig_or_skip(state);
	struct pw_reading r;
	ssize_t n;

	tcp_link(&rig->link);
	pw_meter_start(rig->m);
	n = write(rig->link.tx, rig->buf, MIB);
	pw_meter_stop(rig->m, &r);
	assert_int_equal(n, MIB);
	assert_copies(&r, 1);
}

static void read_and_write_copy_twice(void **state)
{
	struct rig *rig = rig_or_skip(state);
	struct pw_reading r;
	ssize_t n;

	tcp_link(&rig->link);
	pw_meter_start(rig->m);
	(void)!pread(rig->file, rig->buf, MIB, 0);
	n = write(rig->link.tx, rig->buf, MIB);
	pw_meter_stop(rig->m, &r);
	assert_int_equal(n, MIB);
	assert_copies(&r, 2);
}

static void mmap_and_write_copy_once(void **state)
{
	struct rig *rig = rig_or_skip(state);
	struct pw_reading r;
	ssize_t n;
	void *map;

	tcp_link(&rig->link);
	pw_meter_start(rig->m);
	map = mmap(NULL, MIB, PROT_READ, MAP_SHARED, rig->file, 0);
	n = write(rig->link.tx, map, MIB);
	pw_meter_stop(rig->m, &r);
	assert_int_equal(n, MIB);
	munmap(map, MIB);
	assert_copies(&r, 1);
}

static void sendfile_copies_nothing(void **state)
{
	struct rig *rig = rig_or_skip(state);
	struct pw_reading r;
	off_t at = 0;
	ssize_t n;

	tcp_link(&rig->link);
	pw_meter_start(rig->m);
	n = sendfile(rig->link.tx, rig->file, &at, MIB);
	pw_meter_stop(rig->m, &r);
	assert_int_equal(n, MIB);
	assert_copies(&r, 0);
}

static void a_unix_socket_copies_once(void **state)
{
	struct rig *rig = rig_or_skip(state);
	int fds[2], bytes = 8 * MIB;
	struct pw_reading r;
	ssize_t n;

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
	rig->link = (struct link){.tx = fds[0], .rx = fds[1]};
	assert_int_equal(setsockopt(fds[0], SOL_SOCKET, SO_SNDBUFFORCE, &bytes, sizeof(bytes)), 0);
	pw_meter_start(rig->m);
	n = write(fds[0], rig->buf, MIB);
	pw_meter_stop(rig->m, &r);
	assert_int_equal(n, MIB);
	assert_copies(&r, 1);
}

static void datagrams_copy_once(void **state)
{
	struct rig *rig = rig_or_skip(state);
	struct pw_reading r;
	int sent = 0, at;

	udp_link(&rig->link);
	pw_meter_start(rig->m);
	for (at = 0; at + 1024 <= MIB; at += 1024)
		sent += (int)send(rig->link.tx, rig->buf + at, 1024, 0);
	pw_meter_stop(rig->m, &r);
	assert_int_equal(sent, MIB);
	assert_copies(&r, 1);
}

/* 22 trains of 32 datagrams, which the kernel cuts when the socket receives them. */
static void udp_gso_copies_once(void **state)
{
	struct rig *rig = rig_or_skip(state);
	int segment = 1472, sent = 0, at;
	struct pw_reading r;

	udp_link(&rig->link);
	assert_int_equal(
		setsockopt(rig->link.tx, SOL_UDP, UDP_SEGMENT, &segment, sizeof(segment)), 0);
	pw_meter_start(rig->m);
	for (at = 0; at < MIB; at += 32 * segment)
		sent += (int)send(rig->link.tx, rig->buf + at,
			(size_t)(MIB - at < 32 * segment ? MIB - at : 32 * segment), 0);
	pw_meter_stop(rig->m, &r);
	assert_int_equal(sent, MIB);
	assert_copies(&r, 1);
}

static bool completed_copied(int fd)
{
	char control[256];
	struct msghdr msg = {.msg_control = control, .msg_controllen = sizeof(control)};
	const struct sock_extended_err *e;
	int i, r = -1;

	for (i = 0; i < 2000 && r < 0; i++) {
		r = (int)recvmsg(fd, &msg, MSG_ERRQUEUE);
		if (r < 0)
			usleep(1000);
	}
	assert_int_equal(r, 0);
	e = (const struct sock_extended_err *)CMSG_DATA(CMSG_FIRSTHDR(&msg));
	return e->ee_code == SO_EE_CODE_ZEROCOPY_COPIED;
}

/* Loopback makes the copy that zero-copy avoided; the completion reports it and the meter counts it. */
static void zerocopy_to_loopback_copies_once_after_all(void **state)
{
	struct rig *rig = rig_or_skip(state);
	struct pw_reading r;
	bool copied;
	ssize_t n;
	int left;

	tcp_link(&rig->link);
	pw_meter_start(rig->m);
	n = send(rig->link.tx, rig->buf, MIB, MSG_ZEROCOPY);
	for (left = 1000; left && recv(rig->link.rx, rig->buf, 1, MSG_PEEK | MSG_DONTWAIT) < 1;
		left--)
		usleep(1000);
	copied = completed_copied(rig->link.tx);
	pw_meter_stop(rig->m, &r);
	assert_int_equal(n, MIB);
	assert_true(copied);
	assert_copies(&r, 1);
	assert_in_range(
		probe(&r, "skb_copy_ubufs")->bytes + probe(&r, "skb_copy_ubufs, later")->bytes, MIB,
		MIB);
}

/* What the other process receives is not counted. */
static void the_receivers_process_is_not_counted(void **state)
{
	struct rig *rig = rig_or_skip(state);
	struct pw_reading r;
	int status, done = 0;
	ssize_t n;
	pid_t pid;

	tcp_link(&rig->link);
	pid = fork();
	if (pid == 0) {
		while (done < MIB && (n = recv(rig->link.rx, rig->buf, MIB, 0)) > 0)
			done += (int)n;
		_exit(done != MIB);
	}
	pw_meter_start(rig->m);
	n = write(rig->link.tx, rig->buf, MIB);
	waitpid(pid, &status, 0);
	pw_meter_stop(rig->m, &r);
	assert_int_equal(n, MIB);
	assert_int_equal(status, 0);
	assert_copies(&r, 1);
}

static void *write_it(void *arg)
{
	struct rig *rig = arg;

	return (void *)(intptr_t)write(rig->link.tx, rig->buf, MIB);
}

static void a_threads_copies_are_counted(void **state)
{
	struct rig *rig = rig_or_skip(state);
	struct pw_reading r;
	pthread_t thread;
	void *n;

	tcp_link(&rig->link);
	pw_meter_start(rig->m);
	assert_int_equal(pthread_create(&thread, NULL, write_it, rig), 0);
	pthread_join(thread, &n);
	pw_meter_stop(rig->m, &r);
	assert_int_equal((intptr_t)n, MIB);
	assert_copies(&r, 1);
}

static void each_stretch_counts_its_own_copies(void **state)
{
	struct rig *rig = rig_or_skip(state);
	struct pw_reading r;
	int i;

	for (i = 1; i < 5; i++) {
		pw_meter_start(rig->m);
		(void)!pread(rig->file, rig->buf, (size_t)i * 1000, 0);
		pw_meter_stop(rig->m, &r);
		assert_int_equal(r.copied_bytes, i * 1000);
		(void)!pread(rig->file, rig->buf, MIB, 0); /* between two measurements */
	}
}

#define ROW(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		ROW(nothing_copies_nothing),
		ROW(a_read_copies_once),
		ROW(a_tcp_write_copies_once),
		ROW(read_and_write_copy_twice),
		ROW(mmap_and_write_copy_once),
		ROW(sendfile_copies_nothing),
		ROW(a_unix_socket_copies_once),
		ROW(datagrams_copy_once),
		ROW(udp_gso_copies_once),
		ROW(zerocopy_to_loopback_copies_once_after_all),
		ROW(the_receivers_process_is_not_counted),
		ROW(a_threads_copies_are_counted),
		ROW(each_stretch_counts_its_own_copies),
	};
	struct pw_meter *m = open_meter(true);
	bool has = has_source(m, PW_METER_COPIES);
	int failed;

	pw_meter_close(m);
	if (!has)
		return 77;
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	return failed;
}
