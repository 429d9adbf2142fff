/* SPDX-License-Identifier: BSD-3-Clause */
/* Captures made here byte by byte, in both byte orders; libpcap reads the same bytes beside the scanner. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <errno.h>
#include <pcap/pcap.h>

#include "wire/capture.h"

#define FRAMES 5

struct text {
	uint8_t bytes[4096];
	size_t len;
	bool swapped;
	size_t window; /* bytes that view() shows; 0: all */
};

static void put(struct text *t, uint64_t value, size_t n)
{
	size_t i;

	/* tests run on little-endian hosts */
	for (i = 0; i < n; i++)
		t->bytes[t->len++] = (uint8_t)(value >> 8 * (t->swapped ? n - 1 - i : i));
}

static void put_zeros(struct text *t, size_t n)
{
	memset(t->bytes + t->len, 0, n);
	t->len += n;
}

static void put_frame(struct text *t, unsigned int i, size_t len)
{
	memset(t->bytes + t->len, 'a' + (int)i, len);
	t->len += len;
}

static void pad(struct text *t)
{
	while (t->len % 4)
		t->bytes[t->len++] = 0;
}

static size_t frame_len(unsigned int i)
{
	return 60 + 7 * i;
}

static void pcap_header(struct text *t, uint32_t magic, uint32_t link)
{
	put(t, magic, 4);
	put(t, 2, 2);
	put(t, 4, 2);
	put(t, 0, 8);
	put(t, 65535, 4);
	put(t, link, 4);
}

static void make_pcap(struct text *t, uint32_t magic)
{
	unsigned int i;

	pcap_header(t, magic, PW_LINK_ETHERNET);
	for (i = 0; i < FRAMES; i++) {
		put(t, 1700000000 + i, 4);
		put(t, 123456 + i, 4);
		put(t, frame_len(i), 4);
		put(t, frame_len(i) + i, 4);
		if (magic == 0xa1b2cd34)
			put(t, 0, 8);
		put_frame(t, i, frame_len(i));
	}
}

/* Starts a block, and returns where its length has to go. */
static size_t block(struct text *t, uint32_t type)
{
	put(t, type, 4);
	put(t, 0, 4);
	return t->len - 4;
}

static void end_block(struct text *t, size_t at)
{
	const size_t len = t->len - (at - 4) + 4, end = t->len;

	put(t, len, 4);
	t->len = at;
	put(t, len, 4);
	t->len = end + 4;
}

static void section(struct text *t, uint64_t len)
{
	const size_t at = block(t, 0x0a0d0d0a);

	put(t, 0x1a2b3c4d, 4);
	put(t, 1, 2);
	put(t, 0, 2);
	put(t, len, 8);
	end_block(t, at);
}

static void interface(
	struct text *t, uint16_t link, uint32_t snap, int resolution, int64_t offset_s)
{
	const size_t at = block(t, 1);

	put(t, link, 2);
	put(t, 0, 2);
	put(t, snap, 4);
	if (resolution >= 0) {
		put(t, 9, 2);
		put(t, 1, 2);
		put(t, (uint64_t)resolution, 1);
		pad(t);
	}
	if (offset_s) {
		put(t, 14, 2);
		put(t, 8, 2);
		put(t, (uint64_t)offset_s, 8);
	}
	if (resolution >= 0 || offset_s)
		put(t, 0, 4);
	end_block(t, at);
}

static void packet(struct text *t, uint32_t nic, uint64_t time, unsigned int i, uint32_t lie)
{
	const size_t at = block(t, 6);

	put(t, nic, 4);
	put(t, time >> 32, 4);
	put(t, time & 0xffffffff, 4);
	put(t, frame_len(i) + lie, 4);
	put(t, frame_len(i) + i, 4);
	put_frame(t, i, frame_len(i));
	pad(t);
	end_block(t, at);
}

static void simple_packet(struct text *t, unsigned int i, size_t len, size_t full)
{
	const size_t at = block(t, 3);

	put(t, full, 4);
	put_frame(t, i, len);
	pad(t);
	end_block(t, at);
}

static void old_packet(struct text *t, uint16_t nic, uint64_t time, unsigned int i)
{
	const size_t at = block(t, 2);

	put(t, nic, 2);
	put(t, 0xffff, 2);
	put(t, time >> 32, 4);
	put(t, time & 0xffffffff, 4);
	put(t, frame_len(i), 4);
	put(t, frame_len(i), 4);
	put_frame(t, i, frame_len(i));
	pad(t);
	end_block(t, at);
}

static void make_ng(struct text *t)
{
	unsigned int i;
	size_t at;

	section(t, UINT64_MAX);
	interface(t, PW_LINK_ETHERNET, 0, -1, 0);
	at = block(t, 0x80000bad); /* a kind that nobody knows */
	put_zeros(t, 20);
	end_block(t, at);
	for (i = 0; i < FRAMES; i++)
		packet(t, 0, 1700000000123456 + i, i, 0);
}

static int view_bytes(
	void *ctx, uint64_t offset, size_t len, struct pw_capture_view *view, struct pw_err *err)
{
	const struct text *t = ctx;
	static uint8_t shown[4096];
	size_t n;

	(void)err;
	assert_true(len <= PW_CAPTURE_LOOK_MAX);
	if (offset > t->len || len > t->len - offset)
		return 0;
	n = t->window ? t->window : t->len - offset;
	n = n < len ? len : n;
	n = n > t->len - offset ? t->len - offset : n;
	/* another place each time, so that a stale pointer shows */
	memset(shown, 0xee, sizeof(shown));
	memcpy(shown, t->bytes + offset, n);
	*view = (struct pw_capture_view){shown, offset, offset + n};
	return 1;
}

/* Reads the whole text. Returns what ended it; *c is still open. */
static int read_all(struct text *t, struct pw_capture *c, struct pw_capture_frame *frames, size_t n,
	struct pw_err *err)
{
	const struct pw_capture_source source = {.view = view_bytes, .ctx = t, .path = "a.pcap"};
	struct pw_capture_frame frame;
	uint64_t end = 0;
	int r = pw_capture_open(c, &source, err);

	while (r == 0 || r == 1) {
		r = pw_capture_next(c, &frame, err);
		if (r <= 0)
			return r;
		assert_true(frame.offset >= end && frame.len <= t->len - frame.offset);
		end = frame.offset + frame.len;
		if (c->n_frames <= n)
			frames[c->n_frames - 1] = frame;
	}
	return r;
}

static void assert_frames(struct text *t, const struct pw_capture_frame *f, size_t n)
{
	size_t i, k;

	for (i = 0; i < n; i++) {
		assert_int_equal(f[i].len, frame_len((unsigned int)i));
		for (k = 0; k < f[i].len; k++)
			assert_int_equal(t->bytes[f[i].offset + k], 'a' + (int)i);
	}
}

/* libpcap's own reader: the same frames, lengths and times. */
static void assert_as_libpcap(const struct text *t, const struct pw_capture_frame *f, size_t n)
{
	char why[PCAP_ERRBUF_SIZE];
	FILE *file = fmemopen((void *)(uintptr_t)t->bytes, t->len, "rb");
	pcap_t *p = pcap_fopen_offline_with_tstamp_precision(file, PCAP_TSTAMP_PRECISION_NANO, why);
	struct pcap_pkthdr *h;
	const u_char *bytes;
	size_t i;

	assert_non_null(p);
	for (i = 0; i < n; i++) {
		assert_int_equal(pcap_next_ex(p, &h, &bytes), 1);
		assert_int_equal(h->caplen, f[i].len);
		assert_int_equal(h->len, f[i].full_len);
		assert_memory_equal(bytes, t->bytes + f[i].offset, f[i].len);
		if (f[i].has_time)
			assert_int_equal(h->ts.tv_sec * 1000000000ll + h->ts.tv_usec, f[i].time_ns);
	}
	assert_int_equal(pcap_next_ex(p, &h, &bytes), PCAP_ERROR_BREAK);
	pcap_close(p);
}

static void every_kind_of_pcap_is_read(void **state)
{
	static const uint32_t magic[] = {0xa1b2c3d4, 0xa1b23c4d, 0xa1b2cd34};
	struct pw_capture_frame f[FRAMES];
	struct pw_err err = {0};
	struct pw_capture c;
	size_t k, window;

	(void)state;
	for (k = 0; k < 6; k++)
		for (window = 0; window < 100; window += 33) {
			struct text t = {.swapped = k >= 3, .window = window};

			make_pcap(&t, magic[k % 3]);
			assert_int_equal(read_all(&t, &c, f, FRAMES, &err), 0);
			assert_int_equal(c.n_frames, FRAMES);
			assert_false(c.is_cut);
			assert_frames(&t, f, FRAMES);
			assert_as_libpcap(&t, f, FRAMES);
			assert_int_equal(f[4].time_ns,
				1700000004000000000 + 123460 * (k % 3 == 1 ? 1 : 1000));
			assert_int_equal(f[4].full_len, frame_len(4) + 4);
			pw_capture_finish(&c);
		}
}

static void pcapng_of_both_byte_orders_in_one_file(void **state)
{
	struct pw_capture_frame f[2 * FRAMES];
	struct text t = {.window = 70};
	struct pw_err err = {0};
	struct pw_capture c;

	(void)state;
	make_ng(&t);
	t.swapped = true;
	make_ng(&t);
	assert_int_equal(read_all(&t, &c, f, 2 * FRAMES, &err), 0);
	assert_int_equal(c.n_frames, 2 * FRAMES);
	assert_frames(&t, f, FRAMES);
	assert_frames(&t, f + FRAMES, FRAMES);
	pw_capture_finish(&c); /* libpcap refuses a second byte order */
}

static void each_interface_has_its_own_clock_and_link(void **state)
{
	struct pw_capture_frame f[6];
	struct text t = {0};
	struct pw_err err = {0};
	struct pw_capture c;

	(void)state;
	section(&t, UINT64_MAX);
	interface(&t, PW_LINK_ETHERNET, 0, 9, 0);
	interface(&t, PW_LINK_SLL2, 0, 0x80 | 20, 1600000000);
	interface(&t, PW_LINK_RAW, 0, 12, -5);
	interface(&t, PW_LINK_ETHERNET, 0, 0, 0);
	packet(&t, 0, 1700000000123456789, 0, 0);
	packet(&t, 1, (5ull << 20) + (1 << 19) + 1, 1, 0);
	packet(&t, 2, 7000000000999, 2, 0);
	packet(&t, 3, 12, 3, 0);
	old_packet(&t, 0, 1700000000123456790, 4);
	assert_int_equal(read_all(&t, &c, f, 6, &err), 0);
	assert_int_equal(c.n_frames, 5);
	assert_frames(&t, f, 5);
	assert_int_equal(f[0].time_ns, 1700000000123456789);
	/* 2^-20 s are 953.67 ns: rounded down */
	assert_int_equal(f[1].time_ns, 1600000005500000953);
	assert_int_equal(f[1].link, PW_LINK_SLL2);
	assert_int_equal(f[2].time_ns, 2000000000);
	assert_int_equal(f[2].link, PW_LINK_RAW);
	assert_int_equal(f[3].time_ns, 12000000000);
	assert_int_equal(f[4].time_ns, 1700000000123456790);
	pw_capture_finish(&c);
}

static void simple_packets_have_no_time_and_the_snap_length(void **state)
{
	struct pw_capture_frame f[3];
	struct text t = {0};
	struct pw_err err = {0};
	struct pw_capture c;

	(void)state;
	section(&t, UINT64_MAX);
	interface(&t, PW_LINK_ETHERNET, 64, -1, 0);
	simple_packet(&t, 0, 60, 60);
	simple_packet(&t, 1, 64, 1500);
	assert_int_equal(read_all(&t, &c, f, 3, &err), 0);
	assert_int_equal(c.n_frames, 2);
	assert_false(f[0].has_time || f[1].has_time);
	assert_int_equal(f[0].len, 60);
	assert_int_equal(f[1].len, 64);
	assert_int_equal(f[1].full_len, 1500);
	assert_as_libpcap(&t, f, 2);
	pw_capture_finish(&c);
}

static void a_file_that_is_cut_gives_the_frames_before(void **state)
{
	static struct text whole[2];
	struct pw_capture_frame f[FRAMES];
	size_t k, len;

	(void)state;
	make_pcap(&whole[0], 0xa1b2c3d4);
	make_ng(&whole[1]);
	for (k = 0; k < 2; k++)
		for (len = 64; len < whole[k].len; len++) {
			struct text t = whole[k];
			struct pw_err err = {0};
			struct pw_capture c;

			t.len = len;
			assert_int_equal(read_all(&t, &c, f, FRAMES, &err), 0);
			assert_true(c.n_frames < FRAMES);
			assert_frames(&t, f, c.n_frames);
			/* what is left over, if it is not an end between two records */
			assert_true(c.is_cut == (c.at != len));
			pw_capture_finish(&c);
		}
}

static void assert_bad(struct text *t, const char *expected, uint64_t n_frames)
{
	struct pw_capture_frame f[1];
	struct pw_err err = {0};
	struct pw_capture c;

	assert_int_equal(read_all(t, &c, f, 1, &err), -EBADMSG);
	assert_non_null(strstr(err.msg, "cannot read a.pcap: "));
	if (!strstr(err.msg, expected))
		fail_msg("'%s' lacks '%s'", err.msg, expected);
	assert_int_equal(c.n_frames, n_frames);
	pw_capture_finish(&c);
}

static void lies_are_named_with_their_place(void **state)
{
	struct text t = {0};

	(void)state;
	assert_bad(&t, "too short", 0);
	t.len = 4;
	assert_bad(&t, "not a capture", 0);
	memcpy(t.bytes, "\x1f\x8b\x08\x00 text", 9);
	t.len = 9;
	assert_bad(&t, "not a capture", 0);

	t = (struct text){0};
	pcap_header(&t, 0xa1b2c3d4, 1);
	t.bytes[4] = 3;
	assert_bad(&t, "version 3.4", 0);
	t.len = 20;
	t.bytes[4] = 2;
	assert_bad(&t, "ends within the header", 0);

	t = (struct text){0};
	make_pcap(&t, 0xa1b2c3d4);
	put(&t, 0, 8);
	put(&t, UINT32_MAX, 4);
	put(&t, 60, 4);
	put_frame(&t, 0, 60);
	assert_bad(&t, "4294967295 bytes", FRAMES);
}

static void lies_of_blocks_are_named_with_their_place(void **state)
{
	struct text t = {0};
	size_t at;

	(void)state;
	make_ng(&t);
	packet(&t, 1, 0, 0, 0);
	assert_bad(&t, "names an interface", FRAMES);

	t = (struct text){0};
	make_ng(&t);
	packet(&t, 0, 0, 0, 5);
	assert_bad(&t, "longer than the block", FRAMES);

	t = (struct text){0};
	make_ng(&t);
	packet(&t, 0, 0, 0, 0);
	t.bytes[t.len - 4] ^= 4;
	assert_bad(&t, "two lengths", FRAMES);

	t = (struct text){0};
	make_ng(&t);
	at = block(&t, 6);
	end_block(&t, at);
	assert_bad(&t, "shorter than its kind", FRAMES);

	t = (struct text){0};
	make_ng(&t);
	put(&t, 6, 4);
	put(&t, 7, 4);
	put_zeros(&t, 20);
	assert_bad(&t, "length that cannot be", FRAMES);

	t = (struct text){0};
	section(&t, 1000);
	interface(&t, 1, 0, -1, 0);
	packet(&t, 0, 0, 0, 0);
	section(&t, UINT64_MAX);
	assert_bad(&t, "inside the section", 1);

	t = (struct text){0};
	section(&t, UINT64_MAX);
	at = block(&t, 1);
	put(&t, 1, 4);
	put(&t, 0, 4);
	put(&t, 9, 2);
	put(&t, 500, 2);
	end_block(&t, at);
	assert_bad(&t, "an option", 0);
}

/* The interfaces of a section end with it. */
static void a_new_section_forgets_the_interfaces(void **state)
{
	struct text t = {0};

	(void)state;
	make_ng(&t);
	section(&t, UINT64_MAX);
	packet(&t, 0, 0, 0, 0);
	assert_bad(&t, "names an interface", FRAMES);
}

/* Reads the text by pw_capture_take(), and by pw_capture_next() where that takes nothing. */
static void assert_taken(struct text *t, const struct pw_capture_frame *expected, size_t n,
	const struct pw_capture_plain *plain)
{
	const struct pw_capture_source source = {.view = view_bytes, .ctx = t, .path = "a.pcap"};
	struct pw_capture_frame got[2];
	struct pw_err err = {0};
	struct pw_capture c;
	size_t at = 0, n_taken = 0;

	assert_int_equal(pw_capture_open(&c, &source, &err), 0);
	while (at < n) {
		const uint32_t taken = pw_capture_take(&c, plain, got, 2);
		uint32_t i;

		n_taken += taken;
		if (taken == 0)
			assert_int_equal(pw_capture_next(&c, got, &err), 1);
		for (i = 0; i < (taken ? taken : 1); i++, at++) {
			assert_int_equal(got[i].offset, expected[at].offset);
			assert_int_equal(got[i].len, expected[at].len);
			assert_int_equal(got[i].time_ns, expected[at].time_ns);
			if (taken)
				assert_true(expected[at].link == plain->link &&
					    expected[at].full_len <= expected[at].len &&
					    expected[at].len >= plain->min &&
					    expected[at].len <= plain->max);
		}
	}
	assert_int_equal(c.n_frames, n);
	assert_int_equal(pw_capture_take(&c, plain, got, 2), 0);
	assert_int_equal(pw_capture_next(&c, got, &err), 0);
	if (t->window == 0) /* frame 0 is too short, frame 3 is cut */
		assert_int_equal(n_taken, plain->link == PW_LINK_ETHERNET ? 3 : 0);
	pw_capture_finish(&c);
}

static void plain_frames_are_taken_at_once_and_no_others(void **state)
{
	static const uint32_t magic[] = {0xa1b2c3d4, 0xa1b23c4d, 0xa1b2cd34, 0};
	struct pw_capture_frame f[FRAMES];
	struct pw_err err = {0};
	struct pw_capture c;
	size_t k, i, window;

	(void)state;
	for (k = 0; k < 8; k++)
		for (window = 0; window < 200; window += 33) {
			struct text t = {.swapped = k >= 4, .window = window};
			struct pw_capture_plain plain = {
				PW_LINK_ETHERNET, 61, (uint32_t)frame_len(4)};
			const size_t full_at = magic[k % 4] == 0xa1b2cd34 ? 12 : 4;

			if (magic[k % 4])
				make_pcap(&t, magic[k % 4]);
			else
				make_ng(&t);
			assert_int_equal(read_all(&t, &c, f, FRAMES, &err), 0);
			pw_capture_finish(&c);
			for (i = 0; i < FRAMES; i++) {
				uint8_t *full = t.bytes + f[i].offset - full_at;

				memcpy(full, full - 4, 4);
				full[t.swapped ? 3 : 0] = (uint8_t)(f[i].len + (i == 3));
			}
			assert_int_equal(read_all(&t, &c, f, FRAMES, &err), 0);
			pw_capture_finish(&c);
			assert_taken(&t, f, FRAMES, &plain);
			plain.link = PW_LINK_RAW;
			assert_taken(&t, f, FRAMES, &plain);
		}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_kind_of_pcap_is_read),
		cmocka_unit_test(pcapng_of_both_byte_orders_in_one_file),
		cmocka_unit_test(each_interface_has_its_own_clock_and_link),
		cmocka_unit_test(simple_packets_have_no_time_and_the_snap_length),
		cmocka_unit_test(a_file_that_is_cut_gives_the_frames_before),
		cmocka_unit_test(lies_are_named_with_their_place),
		cmocka_unit_test(lies_of_blocks_are_named_with_their_place),
		cmocka_unit_test(a_new_section_forgets_the_interfaces),
		cmocka_unit_test(plain_frames_are_taken_at_once_and_no_others),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
