/* SPDX-License-Identifier: BSD-3-Clause */
/* libpagewire's receiver on a kernel socket: no EAL, and a session that the test sends by hand. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>
#include <pagewire.h>

#include "wire/alc.h"

#define TSI    7
#define SYMBOL 100

static const char fdt_text[] =
	"<FDT-Instance xmlns=\"urn:ietf:params:xml:ns:fdt\" Expires=\"4294967295\" Complete=\"1\" "
	"FEC-OTI-FEC-Encoding-ID=\"0\" FEC-OTI-Encoding-Symbol-Length=\"100\" "
	"FEC-OTI-Maximum-Source-Block-Length=\"64\">"
	"<File TOI=\"1\" Content-Location=\"whole\" Content-Length=\"150\" "
	"Transfer-Length=\"150\"/>"
	"<File TOI=\"2\" Content-Location=\"part\" Content-Length=\"150\" "
	"Transfer-Length=\"150\"/>"
	"</FDT-Instance>";

struct fixture {
	char dir[64], listen[64];
	int fd; /* sends to the receiver */
	struct pagewire_recv_config config;
	struct pagewire_recv *pw;
};

/* A UDP port that is free now. */
static void find_port(struct fixture *f, struct sockaddr_in *to)
{
	socklen_t len = sizeof(*to);
	int fd = socket(AF_INET, SOCK_DGRAM, 0);

	*to = (struct sockaddr_in){
		.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	assert_int_equal(bind(fd, (struct sockaddr *)to, sizeof(*to)), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)to, &len), 0);
	close(fd);
	snprintf(f->listen, sizeof(f->listen), "127.0.0.1:%u", ntohs(to->sin_port));
}

static void make(struct fixture *f)
{
	struct sockaddr_in to;

	*f = (struct fixture){.dir = "/tmp/pagewire-test-XXXXXX"};
	assert_non_null(mkdtemp(f->dir));
	find_port(f, &to);
	f->fd = socket(AF_INET, SOCK_DGRAM, 0);
	f->config = (struct pagewire_recv_config){
		.listen = f->listen, .out = f->dir, .timeout_ms = 10000};
	assert_int_equal(pagewire_recv_open(&f->pw, &f->config), 0);
	assert_int_equal(connect(f->fd, (struct sockaddr *)&to, sizeof(to)), 0);
}

static void drop(struct fixture *f)
{
	char command[128];

	close(f->fd);
	snprintf(command, sizeof(command), "rm -r %s", f->dir);
	assert_int_equal(system(command), 0);
}

static void send_packet(
	struct fixture *f, const struct pw_alc_hdr *hdr, const void *data, size_t len)
{
	uint8_t packet[PW_ALC_HDR_MAX + sizeof(fdt_text)];
	size_t n = pw_alc_build(packet, hdr, false);

	memcpy(packet + n, data, len);
	assert_int_equal(send(f->fd, packet, n + len, 0), n + len);
}

static void send_table(struct fixture *f)
{
	const struct pw_alc_hdr hdr = {.tsi = TSI,
		.has_fdt = true,
		.fdt_version = PW_FLUTE_VERSION,
		.has_fti = true,
		.transfer_len = strlen(fdt_text),
		.symbol_len = (uint16_t)strlen(fdt_text),
		.max_sbl = 1};

	send_packet(f, &hdr, fdt_text, strlen(fdt_text));
}

static void send_symbol(struct fixture *f, uint64_t toi, uint16_t esi, size_t len)
{
	const struct pw_alc_hdr hdr = {.tsi = TSI, .toi = toi, .esi = esi};
	char data[SYMBOL];

	memset(data, 'a' + esi, sizeof(data));
	send_packet(f, &hdr, data, len);
}

static void send_close(struct fixture *f)
{
	const struct pw_alc_hdr hdr = {.tsi = TSI, .close_session = true};

	send_packet(f, &hdr, "", 0);
	send_packet(f, &hdr, "", 0);
}

static void assert_content(const struct fixture *f, const char *name)
{
	char path[128], got[200];
	FILE *file;
	int i;

	snprintf(path, sizeof(path), "%s/%s", f->dir, name);
	file = fopen(path, "re");
	assert_non_null(file);
	assert_int_equal(fread(got, 1, sizeof(got), file), 150);
	fclose(file);
	for (i = 0; i < 150; i++)
		assert_int_equal(got[i], i < SYMBOL ? 'a' : 'b');
}

static int poll_for_one(struct fixture *f, struct pagewire_recv_file *file)
{
	int r, i;

	for (i = 0, r = 0; r == 0 && i < 100; i++)
		r = pagewire_recv_poll(f->pw, 100, file);
	return r;
}

static void a_file_is_handed_out_while_the_session_goes_on(void **state)
{
	struct pagewire_recv_file file;
	struct fixture f;

	(void)state;
	make(&f);
	assert_int_equal(pagewire_recv_poll(f.pw, 0, &file), 0);
	send_table(&f);
	send_symbol(&f, 1, 0, SYMBOL);
	send_symbol(&f, 1, 1, 50);
	assert_int_equal(poll_for_one(&f, &file), 1);
	assert_string_equal(file.name, "whole");
	assert_string_equal(file.state, "unverified");
	assert_true(file.good);
	assert_int_equal(file.bytes, 150);
	assert_int_equal(file.have, 150);
	assert_string_equal(file.digest, "");
	assert_content(&f, "whole");
	assert_int_equal(pagewire_recv_poll(f.pw, 30, &file), 0);
	send_symbol(&f, 2, 0, SYMBOL);
	send_symbol(&f, 2, 1, 50);
	assert_int_equal(poll_for_one(&f, &file), 1);
	assert_string_equal(file.name, "part");
	send_close(&f);
	assert_int_equal(poll_for_one(&f, &file), PAGEWIRE_RECV_END);
	assert_int_equal(pagewire_recv_poll(f.pw, 0, &file), PAGEWIRE_RECV_END);
	assert_string_equal(pagewire_recv_error(f.pw), "");
	assert_int_equal(pagewire_recv_close(f.pw), 0);
	drop(&f);
}

static void what_never_ended_is_handed_out_last_and_resumed(void **state)
{
	struct pagewire_recv_file file;
	struct fixture f;

	(void)state;
	make(&f);
	send_table(&f);
	send_symbol(&f, 2, 0, SYMBOL);
	send_symbol(&f, 1, 0, SYMBOL);
	send_symbol(&f, 1, 1, 50);
	assert_int_equal(poll_for_one(&f, &file), 1);
	assert_string_equal(file.name, "whole");
	send_close(&f);
	assert_int_equal(poll_for_one(&f, &file), 1);
	assert_string_equal(file.name, "part");
	assert_string_equal(file.state, "partial");
	assert_int_equal(file.have, SYMBOL);
	assert_false(file.good);
	assert_int_equal(poll_for_one(&f, &file), PAGEWIRE_RECV_END);
	assert_non_null(strstr(pagewire_recv_error(f.pw), "pagewire-gaps.json"));
	assert_int_equal(pagewire_recv_close(f.pw), 1);

	f.config.resume = 1;
	f.config.expect = 1;
	assert_int_equal(pagewire_recv_open(&f.pw, &f.config), 0);
	send_table(&f);
	send_symbol(&f, 2, 1, 50);
	do
		assert_int_equal(poll_for_one(&f, &file), 1);
	while (strcmp(file.name, "part"));
	assert_true(file.good);
	assert_content(&f, "part");
	assert_int_equal(poll_for_one(&f, &file), PAGEWIRE_RECV_END);
	assert_int_equal(pagewire_recv_close(f.pw), 0);
	drop(&f);
}

static void a_close_before_the_end_says_incomplete(void **state)
{
	struct fixture f;

	(void)state;
	make(&f);
	assert_int_equal(pagewire_recv_close(f.pw), 1);
	drop(&f);
	assert_int_equal(pagewire_recv_close(NULL), -EINVAL);
}

static void what_cannot_be_opened_says_why(void **state)
{
	const struct pagewire_recv_config wrong[] = {
		{.out = "/tmp"},
		{.listen = "127.0.0.1:4001"},
		{.listen = "127.0.0.1:4001", .out = "/tmp", .discard = 1},
		{.listen = "127.0.0.1:4001", .discard = 1, .resume = 1},
		{.listen = "127.0.0.1:4001", .discard = 1, .queues = 2},
		{.listen = "nowhere", .discard = 1},
		{.listen = "127.0.0.1:4001", .discard = 1, .source = "nobody"},
		{.port = "null", .interface = "lo", .discard = 1},
	};
	struct pagewire_recv_file file;
	struct pagewire_recv *pw;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		assert_int_equal(pagewire_recv_open(&pw, &wrong[i]), -EINVAL);
		assert_true(strlen(pagewire_recv_error(pw)) > 20);
		assert_int_equal(pagewire_recv_poll(pw, 0, &file), -EINVAL);
		assert_int_equal(pagewire_recv_close(pw), -EINVAL);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_file_is_handed_out_while_the_session_goes_on),
		cmocka_unit_test(what_never_ended_is_handed_out_last_and_resumed),
		cmocka_unit_test(a_close_before_the_end_says_incomplete),
		cmocka_unit_test(what_cannot_be_opened_says_why),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
