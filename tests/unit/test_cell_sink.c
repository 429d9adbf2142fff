/* SPDX-License-Identifier: BSD-3-Clause */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "cell/cell.h"
#include "send/send.h"
#include "wire/alc.h"

#define MTU      1500
#define SYMBOLS  3
#define PAUSE_NS 300000000

struct fixture {
	struct pw_cell cell;
	struct pw_cell_end end;
	pthread_t sink;
	char path[64];
	int ready[2], ended[2], fd; /* fd: sends to the sink */
	uint32_t symbol_len;
	uint8_t file[SYMBOLS * MTU];
};

static void *run_sink(void *ctx)
{
	struct fixture *f = ctx;

	pw_cell_sink(&f->cell, &f->end);
	return NULL;
}

static struct sockaddr_in loopback(uint16_t port)
{
	return (struct sockaddr_in){.sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
		.sin_port = htons(port)};
}

/* A port that no process uses now. */
static uint16_t free_port(int type)
{
	struct sockaddr_in sin = loopback(0);
	socklen_t len = sizeof(sin);
	int fd = socket(AF_INET, type, 0);

	assert_int_equal(bind(fd, (struct sockaddr *)&sin, sizeof(sin)), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&sin, &len), 0);
	close(fd);
	return ntohs(sin.sin_port);
}

static void make_file(struct fixture *f)
{
	int fd;
	size_t i;

	for (i = 0; i < sizeof(f->file); i++)
		f->file[i] = (uint8_t)(i * 7 + i / 251);
	snprintf(f->path, sizeof(f->path), "/tmp/test_cell_sink.XXXXXX");
	fd = mkstemp(f->path);
	assert_true(fd >= 0);
	f->cell.file = f->path;
	f->cell.file_bytes = (uint64_t)SYMBOLS * f->symbol_len;
	assert_int_equal(write(fd, f->file, f->cell.file_bytes), (ssize_t)f->cell.file_bytes);
	close(fd);
}

static void make(struct fixture *f, const char *receiver, int type)
{
	struct pw_err err = {0};

	memset(f, 0, sizeof(*f));
	assert_int_equal(pipe(f->ready), 0);
	assert_int_equal(pipe(f->ended), 0);
	f->cell = (struct pw_cell){.receiver = pw_rx_way_find(receiver),
		.mtu = MTU,
		.flow.vlan = PW_VLAN_NONE,
		.born_ns = pw_clock_ns(),
		.deadline_ns = pw_clock_ns() + 10 * PW_NS_PER_S,
		.ready_fd = f->ready[1],
		.ended_fd = f->ended[0]};
	assert_non_null(f->cell.receiver);
	assert_int_equal(
		pw_addr_parse("sink", "127.0.0.1", free_port(type), &f->cell.flow.dst, &err), 0);
	f->symbol_len = pw_send_symbol_for_mtu(&f->cell.flow, MTU, false);
	make_file(f);
	f->fd = socket(AF_INET, type, 0);
}

static void start(struct fixture *f)
{
	char byte;

	assert_int_equal(pthread_create(&f->sink, NULL, run_sink, f), 0);
	assert_int_equal(read(f->ready[0], &byte, 1), 1);
}

/* A sink that is ready, and a socket that is connected to it. */
static void open_sink(struct fixture *f, const char *receiver, int type)
{
	struct sockaddr_in sin;

	make(f, receiver, type);
	start(f);
	sin = loopback(f->cell.flow.dst.port);
	assert_int_equal(connect(f->fd, (struct sockaddr *)&sin, sizeof(sin)), 0);
}

static void close_ended(struct fixture *f)
{
	if (f->ended[1] >= 0)
		close(f->ended[1]);
	f->ended[1] = -1;
}

static void end(struct fixture *f)
{
	close_ended(f);
	assert_int_equal(pthread_join(f->sink, NULL), 0);
}

static void drop(struct fixture *f)
{
	close_ended(f);
	close(f->fd);
	close(f->ended[0]);
	close(f->ready[0]);
	close(f->ready[1]);
	unlink(f->path);
}

static void send_packet(struct fixture *f, uint64_t toi, uint16_t esi)
{
	const struct pw_alc_hdr hdr = {.tsi = 1, .toi = toi, .esi = esi, .close_session = toi == 0};
	uint8_t packet[PW_ALC_HDR_MAX + MTU];
	size_t n = pw_alc_build(packet, &hdr, false);

	memcpy(packet + n, f->file + esi * f->symbol_len, f->symbol_len);
	assert_int_equal(send(f->fd, packet, n + f->symbol_len, 0), (ssize_t)(n + f->symbol_len));
}

static void the_sessions_close_is_no_arrival(void **state)
{
	const struct timespec pause = {.tv_nsec = PAUSE_NS};
	struct fixture f;
	uint16_t esi;

	(void)state;
	open_sink(&f, "udp", SOCK_DGRAM);
	for (esi = 0; esi < SYMBOLS; esi++)
		send_packet(&f, 1, esi);
	nanosleep(&pause, NULL);
	send_packet(&f, 0, 0);
	end(&f);
	assert_int_equal(f.end.result, 0);
	assert_int_equal(f.end.packets, SYMBOLS);
	assert_int_equal(f.end.bytes, f.cell.file_bytes);
	assert_true(f.end.compared && f.end.whole && !f.end.wrong);
	assert_true(f.end.last_ns >= f.end.first_ns);
	assert_true(f.end.last_ns - f.end.first_ns < PAUSE_NS / 2);
	assert_true(f.end.start_ns && f.end.start_ns < f.end.first_ns);
	assert_true(f.end.end_ns > f.end.last_ns);
	drop(&f);
}

static void a_lost_packet_is_a_hole_and_not_wrong(void **state)
{
	struct fixture f;

	(void)state;
	open_sink(&f, "udp", SOCK_DGRAM);
	send_packet(&f, 1, 0);
	send_packet(&f, 1, 2);
	end(&f);
	assert_int_equal(f.end.result, 0);
	assert_int_equal(f.end.bytes, 2 * f.symbol_len);
	assert_true(f.end.compared && !f.end.whole && !f.end.wrong);
	drop(&f);
}

static void other_bytes_are_wrong(void **state)
{
	struct fixture f;

	(void)state;
	open_sink(&f, "udp", SOCK_DGRAM);
	send_packet(&f, 1, 0);
	f.file[f.symbol_len + 1] ^= 1;
	send_packet(&f, 1, 1);
	end(&f);
	assert_int_equal(f.end.result, 0);
	assert_true(f.end.compared && f.end.wrong);
	drop(&f);
}

static void a_packet_that_comes_again_is_placed_again(void **state)
{
	struct fixture f;

	(void)state;
	open_sink(&f, "udp", SOCK_DGRAM);
	f.file[0] ^= 1;
	send_packet(&f, 1, 0);
	f.file[0] ^= 1;
	send_packet(&f, 1, 0);
	end(&f);
	assert_int_equal(f.end.bytes, 2 * f.symbol_len);
	assert_true(f.end.compared && !f.end.wrong);
	drop(&f);
}

static void a_stream_is_read_pass_after_pass(void **state)
{
	struct fixture f;
	int pass;

	(void)state;
	open_sink(&f, "tcp", SOCK_STREAM);
	for (pass = 0; pass < 3; pass++)
		assert_int_equal(
			send(f.fd, f.file, f.cell.file_bytes, 0), (ssize_t)f.cell.file_bytes);
	shutdown(f.fd, SHUT_WR);
	end(&f);
	assert_int_equal(f.end.result, 0);
	assert_int_equal(f.end.bytes, 3 * f.cell.file_bytes);
	assert_true(f.end.compared && f.end.whole && !f.end.wrong);
	drop(&f);
}

static void a_source_that_ends_without_a_connection_is_an_error(void **state)
{
	struct fixture f;

	(void)state;
	make(&f, "tcp", SOCK_STREAM);
	start(&f);
	end(&f);
	assert_int_equal(f.end.result, -ETIMEDOUT);
	assert_true(pw_clock_ns() < f.cell.deadline_ns);
	drop(&f);
}

static void a_source_that_never_ends_is_a_deadline(void **state)
{
	struct fixture f;

	(void)state;
	make(&f, "udp", SOCK_DGRAM);
	f.cell.deadline_ns = pw_clock_ns() + PW_NS_PER_S / 10;
	pw_cell_sink(&f.cell, &f.end);
	assert_int_equal(f.end.result, -ETIMEDOUT);
	drop(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_sessions_close_is_no_arrival),
		cmocka_unit_test(a_lost_packet_is_a_hole_and_not_wrong),
		cmocka_unit_test(other_bytes_are_wrong),
		cmocka_unit_test(a_packet_that_comes_again_is_placed_again),
		cmocka_unit_test(a_stream_is_read_pass_after_pass),
		cmocka_unit_test(a_source_that_ends_without_a_connection_is_an_error),
		cmocka_unit_test(a_source_that_never_ends_is_a_deadline),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
