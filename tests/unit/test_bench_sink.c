/* SPDX-License-Identifier: BSD-3-Clause */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "bench/cell.h"
#include "file/digest.h"
#include "wire/alc.h"

#define FILE_BYTES 100
#define PAUSE_NS   300000000

struct fixture {
	struct pw_bench_way ways[PW_BENCH_WAYS_MAX];
	struct pw_wire wire;
	struct pw_cell cell;
	struct pw_sink_end end;
	int ready[2], done[2], fd; /* fd: sends to the sink */
	uint8_t file[FILE_BYTES];
};

static void *run_sink(void *ctx)
{
	struct fixture *f = ctx;

	pw_sink_run(&f->cell, f->ready[1], f->done[0], &f->end);
	return NULL;
}

/* A port that no process uses now. */
static uint16_t free_port(void)
{
	struct sockaddr_in sin = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(sin);
	int fd = socket(AF_INET, SOCK_DGRAM, 0);

	assert_int_equal(bind(fd, (struct sockaddr *)&sin, sizeof(sin)), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&sin, &len), 0);
	close(fd);
	return ntohs(sin.sin_port);
}

static void connect_to_sink(struct fixture *f)
{
	struct sockaddr_in sin = {.sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
		.sin_port = htons(f->wire.flow.dst.port)};

	f->fd = socket(AF_INET, SOCK_DGRAM, 0);
	assert_int_equal(connect(f->fd, (struct sockaddr *)&sin, sizeof(sin)), 0);
}

static void make(struct fixture *f)
{
	struct pw_err err = {0};
	size_t i;

	memset(f, 0, sizeof(*f));
	memset(f->file, 0x5a, sizeof(f->file));
	f->wire.kind = PW_WIRE_LOOPBACK;
	assert_int_equal(
		pw_addr_parse("sink", "127.0.0.1", free_port(), &f->wire.flow.dst, &err), 0);
	f->wire.flow.src = f->wire.flow.dst;
	f->cell = (struct pw_cell){.wire = &f->wire,
		.file_bytes = FILE_BYTES,
		.mtu = 1500,
		.deadline_ns = 5 * PW_NS_PER_S};
	for (i = pw_bench_ways(f->ways); i-- > 0;)
		if (strcmp(f->ways[i].label, "udp_gso") == 0)
			f->cell.way = &f->ways[i];
	assert_int_equal(
		pw_digest_buffer(PW_DIGEST_XXH3_128, f->file, FILE_BYTES, &f->cell.digest, &err),
		0);
	assert_int_equal(pipe(f->ready), 0);
	assert_int_equal(pipe(f->done), 0);
	connect_to_sink(f);
}

static void send_packet(struct fixture *f, uint64_t toi)
{
	const struct pw_alc_hdr hdr = {.tsi = 1, .toi = toi, .close_session = toi == 0};
	uint8_t packet[PW_ALC_HDR_MAX + FILE_BYTES];
	size_t n = pw_alc_build(packet, &hdr, false);

	memcpy(packet + n, f->file, FILE_BYTES);
	assert_int_equal(send(f->fd, packet, n + FILE_BYTES, 0), n + FILE_BYTES);
}

static void the_sessions_close_is_no_arrival(void **state)
{
	const struct timespec pause = {.tv_nsec = PAUSE_NS};
	struct fixture f;
	pthread_t sink;
	char byte;

	(void)state;
	make(&f);
	assert_int_equal(pthread_create(&sink, NULL, run_sink, &f), 0);
	assert_int_equal(read(f.ready[0], &byte, 1), 1);
	send_packet(&f, 1);
	nanosleep(&pause, NULL);
	send_packet(&f, 0);
	close(f.done[1]);
	pthread_join(sink, NULL);
	assert_int_equal(f.end.result, 0);
	assert_int_equal(f.end.packets, 1);
	assert_int_equal(f.end.proof, PW_PROOF_DIGEST);
	assert_false(f.end.wrong);
	/* one burst brought all of the file */
	assert_true(f.end.last_ns >= f.end.first_ns);
	assert_true(f.end.last_ns - f.end.first_ns < PAUSE_NS / 2);
	close(f.fd);
	close(f.done[0]);
	close(f.ready[0]);
	close(f.ready[1]);
}

static void a_source_that_never_ends_is_a_deadline(void **state)
{
	struct fixture f;

	(void)state;
	make(&f);
	f.cell.deadline_ns = PW_NS_PER_S / 10;
	pw_sink_run(&f.cell, f.ready[1], f.done[0], &f.end);
	assert_int_equal(f.end.result, -ETIMEDOUT);
	close(f.fd);
	close(f.done[0]);
	close(f.done[1]);
	close(f.ready[0]);
	close(f.ready[1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_sessions_close_is_no_arrival),
		cmocka_unit_test(a_source_that_never_ends_is_a_deadline),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
