/* SPDX-License-Identifier: BSD-3-Clause */
/* Packets of a probe of the path: counted for its sender, and nothing else comes of them. */
#include "recv_dir.h"

#include "base/clock.h"
#include "recv/probe.h"

#define URL "http://10.0.0.1:8000/00112233445566778899aabbccddeeff"

static struct pw_recv_config config(void)
{
	return (struct pw_recv_config){.out_dir = dir};
}

/* payload: of len bytes */
static void add(struct packets *p, uint64_t tsi, uint32_t number, const char *payload, size_t len)
{
	const struct pw_alc_hdr hdr = {.tsi = tsi,
		.toi = 1,
		.codepoint = PW_CP_PROBE,
		.sbn = number >> 16,
		.esi = (uint16_t)number};

	packets_add(p, &hdr, false, payload, len);
}

static void packets_are_counted_and_nothing_else_comes_of_them(void **state)
{
	struct pw_recv_config cfg = config();
	struct pw_recv_probe probe;
	struct packets p = {0};
	struct pw_recv *r;
	uint32_t i;

	(void)state;
	for (i = 0; i < 70000; i += i % 10 == 8 ? 2 : 1)
		add(&p, 5, i, URL, sizeof(URL));
	add(&p, 5, 3, URL, sizeof(URL)); /* twice */
	r = recv_make(&cfg);
	assert_false(pw_recv_probe(r, pw_clock_ns(), &probe));
	push(r, &p);
	assert_true(pw_recv_probe(r, pw_clock_ns(), &probe));
	assert_string_equal(probe.url, URL);
	assert_int_equal(probe.expected, 69999);
	assert_int_equal(probe.seen, 63001);
	assert_int_equal(counters(r).alc_verdicts[PW_ALC_PROBE], 63001);
	assert_int_equal(counters(r).malformed, 0);
	assert_false(settle(r).session_seen);
	assert_int_equal(settle(r).n_sessions, 0);
	assert_int_equal(settle(r).symbols_expected, 0);
	assert_int_equal(pw_recv_n_files(r), 0);
	pw_recv_destroy(r);
	packets_drop(&p);
}

/* One at a time, and not for ever: anyone may send them. */
static void the_next_one_is_counted_when_one_is_over(void **state)
{
	struct packets first = {0}, second = {0};
	struct pw_recv_config cfg = config();
	struct pw_recv_probe probe;
	uint64_t now;
	struct pw_recv *r;

	(void)state;
	add(&first, 5, 0, URL, sizeof(URL));
	add(&second, 6, 0, URL, sizeof(URL));
	r = recv_make(&cfg);
	push(r, &first);
	push(r, &second);
	now = pw_clock_ns();
	assert_true(pw_recv_probe(r, now, &probe));
	assert_int_equal(probe.id, 6);
	assert_int_equal(probe.seen, 1);
	assert_false(pw_recv_probe(r, now + 2 * PW_NS_PER_S, &probe));
	push(r, &second);
	assert_true(pw_recv_probe(r, pw_clock_ns(), &probe));
	assert_int_equal(probe.id, 7);
	push(r, &second);
	assert_false(pw_recv_probe(r, pw_clock_ns() + 30 * PW_NS_PER_S, &probe)); /* too long */
	push(r, &first);
	assert_false(
		pw_recv_probe(r, pw_clock_ns() + 30 * PW_NS_PER_S, &probe)); /* not silent yet */
	pw_recv_destroy(r);
	packets_drop(&first);
	packets_drop(&second);
}

static void hostile_packets_begin_none(void **state)
{
	static char long_url[2 * PW_PROBE_URL_MAX];
	struct pw_recv_config cfg = config();
	struct pw_recv_probe probe;
	struct packets p = {0};
	struct pw_recv *r;

	(void)state;
	memset(long_url, 'x', sizeof(long_url));
	add(&p, 5, 0, long_url, sizeof(long_url)); /* it does not end within the bound */
	add(&p, 5, 1, URL, 20);                    /* it does not end at all */
	r = recv_make(&cfg);
	push(r, &p);
	assert_false(pw_recv_probe(r, pw_clock_ns(), &probe));
	packets_drop(&p);
	p = (struct packets){0};
	add(&p, 5, UINT32_MAX, URL, sizeof(URL));
	push(r, &p);
	assert_true(pw_recv_probe(r, pw_clock_ns(), &probe));
	assert_int_equal(probe.expected, 1ull << 32);
	assert_int_equal(probe.seen, 1);
	pw_recv_destroy(r);
	packets_drop(&p);
}

static void only_the_source_that_is_given_is_answered(void **state)
{
	struct pw_recv_config cfg = config();
	struct pw_recv_probe probe;
	struct packets p = {0};
	struct pw_recv *r;

	(void)state;
	add(&p, 5, 0, URL, sizeof(URL));
	packets_from(&p, "10.0.0.1");
	assert_int_equal(pw_addr_parse("source", "10.0.0.2", 1, &cfg.source, NULL), 0);
	r = recv_make(&cfg);
	push(r, &p);
	assert_false(pw_recv_probe(r, pw_clock_ns(), &probe));
	packets_from(&p, "10.0.0.2");
	push(r, &p);
	assert_true(pw_recv_probe(r, pw_clock_ns(), &probe));
	pw_recv_destroy(r);
	packets_drop(&p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		test(packets_are_counted_and_nothing_else_comes_of_them),
		test(the_next_one_is_counted_when_one_is_over),
		test(hostile_packets_begin_none),
		test(only_the_source_that_is_given_is_answered),
	};

	return cmocka_run_group_tests_name("recv_probe", tests, NULL, NULL);
}
