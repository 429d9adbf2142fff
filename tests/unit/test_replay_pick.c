/* SPDX-License-Identifier: BSD-3-Clause */
/* Which frames of a capture are chosen: by a filter, also over a seam, and by time. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/bytes.h"
#include "replay/inplace.h"
#include "replay/scan.h"

#define PIECE 7u /* bytes of an extent */

/* Two frames: UDP to port 53, and a copy of it to port 54. */
static size_t make_capture(uint8_t *file)
{
	static const uint8_t header[24] = {
		0xd4, 0xc3, 0xb2, 0xa1, 2, 0, 4, 0, [16] = 0, 0, 4, 0, [20] = 1};
	static const uint8_t frame[60] = {[12] = 8,
		0,
		0x45,
		0,
		0,
		46,
		[22] = 64,
		17,
		[26] = 10,
		0,
		0,
		1,
		10,
		0,
		0,
		2,
		0x9c,
		0x40,
		0,
		53,
		0,
		26};
	size_t at = sizeof(header);
	uint8_t i;

	memcpy(file, header, sizeof(header));
	for (i = 0; i < 2; i++) {
		memset(file + at, 0, 16);
		file[at] = (uint8_t)(i + 1);
		file[at + 8] = file[at + 12] = sizeof(frame);
		memcpy(file + at + 16, frame, sizeof(frame));
		file[at + 16 + 37] = (uint8_t)(53 + i);
		at += 16 + sizeof(frame);
	}
	return at;
}

static void a_frame_that_crosses_seams_is_looked_at_whole(void **state)
{
	uint8_t file[512], pieces[512 * 2];
	struct pw_extent extents[64];
	struct pw_window win = {.extents = extents, .len_bytes = make_capture(file)};
	struct pw_replay_inplace inplace = {.obj.win = &win, .path = "a.pcap"};
	const struct pw_replay_feed feed = pw_replay_inplace_feed(&inplace);
	struct pw_scan_settings set = PW_SCAN_SETTINGS_DEFAULT;
	struct pw_scan *s = calloc(1, sizeof(*s));
	struct pw_send_range range;
	struct pw_err err = {0};
	uint64_t at;

	(void)state;
	assert_non_null(s);
	/* far from each other in memory */
	for (at = 0; at < win.len_bytes; at += PIECE) {
		struct pw_extent *e = &extents[win.n_extents++];

		*e = (struct pw_extent){.va = pieces + 2 * at,
			.offset = at,
			.len_bytes = pw_min_u64(PIECE, win.len_bytes - at)};
		memset(pieces + 2 * at, 0xff, 2 * PIECE);
		memcpy(pieces + 2 * at, file + at, e->len_bytes);
	}
	assert_int_equal(pw_filter_create(&set.filter, "udp dst port 54", &err), 0);
	pw_due_init(&s->due, 1, set.max_gap_ns);
	assert_int_equal(
		pw_scan_open(s, &feed, "a.pcap", &set, (struct pw_scan_max){1518, 1518}, &err), 0);
	assert_int_equal(pw_scan_next(s, NULL, &range, &err), 1);
	assert_int_equal(range.to, 1);
	assert_int_equal(s->frames[0].offset, 24 + 16 + 60 + 16);
	assert_int_equal(s->found.filtered, 1);
	pw_scan_finish(s);
	pw_filter_destroy(set.filter);
	free(s);
}

static void a_filter_is_compiled_for_each_link_type(void **state)
{
	const struct pw_capture_frame ethernet = {.link = PW_LINK_ETHERNET, .len = 60},
				      raw = {.link = PW_LINK_RAW, .len = 46};
	struct pw_filter *f = NULL;
	struct pw_err err = {0};
	uint8_t file[512];

	(void)state;
	make_capture(file);
	assert_int_equal(pw_filter_create(&f, "udp port 53", &err), 0);
	assert_int_equal(pw_filter_match(f, &ethernet, file + 40, &err), 1);
	assert_int_equal(pw_filter_match(f, &ethernet, file + 40 + 76, &err), 0);
	assert_int_equal(pw_filter_match(f, &raw, file + 40 + 14, &err), 1);
	assert_int_equal(pw_filter_match(f, &raw, file + 40 + 76 + 14, &err), 0);
	assert_int_equal(pw_filter_match(f, &raw, file + 40, &err), 0);
	pw_filter_destroy(f);
	assert_int_equal(pw_filter_create(&f, "ether host 2:0:0:0:0:1", &err), 0);
	assert_int_equal(pw_filter_match(f, &raw, file + 40 + 14, &err), -EINVAL);
	assert_non_null(strstr(err.msg, "raw IP"));
	pw_filter_destroy(f);
	assert_int_equal(pw_filter_create(&f, "udp prot 53", &err), -EINVAL);
	assert_non_null(strstr(err.msg, "syntax error"));
	pw_filter_destroy(f);
}

static void a_filter_reads_no_byte_beyond_a_cut_frame(void **state)
{
	struct pw_capture_frame cut = {.link = PW_LINK_ETHERNET, .full_len = 60};
	struct pw_filter *f = NULL;
	struct pw_err err = {0};
	uint8_t file[512], *bytes;
	uint32_t len;

	(void)state;
	make_capture(file);
	assert_int_equal(pw_filter_create(&f, "udp port 53", &err), 0);
	for (len = 0; len <= 60; len++) {
		bytes = malloc(len ? len : 1); /* its exact size, for a sanitizer */
		assert_non_null(bytes);
		memcpy(bytes, file + 40, len);
		cut.len = len;
		assert_int_equal(pw_filter_match(f, &cut, bytes, &err), len >= 38);
		free(bytes);
	}
	pw_filter_destroy(f);
}

static void a_span_takes_any_time_that_a_file_can_have(void **state)
{
	const int64_t times[] = {INT64_MIN, -1, 0, 999999999, 1000000000, INT64_MAX};
	struct pw_span span = {{PW_MOMENT_NONE, 0}, {PW_MOMENT_NONE, 0}};
	struct pw_span_first first = {0};
	struct pw_err err = {0};
	size_t i;

	(void)state;
	assert_true(pw_span_has(&span, &first, false, 0));
	assert_int_equal(pw_moment_parse("--to-time", "1", &span.to, &err), 0);
	assert_false(pw_span_has(&span, &first, false, 0));
	assert_true(pw_span_has(&span, &first, true, 0));
	for (i = 0; i < PW_ARRAY_LEN(times); i++)
		assert_int_equal(pw_span_has(&span, &first, true, times[i]), times[i] < 1000000000);
	first = (struct pw_span_first){true, INT64_MIN};
	assert_false(pw_span_has(&span, &first, true, INT64_MAX));
	assert_true(pw_span_has(&span, &first, true, INT64_MIN));
	assert_int_equal(pw_moment_parse("--to-time", "1970-01-01T00:00:01.5Z", &span.to, &err), 0);
	assert_int_equal(span.to.ns, 1500000000);
	assert_true(pw_span_has(&span, &first, true, 1499999999));
	assert_false(pw_span_has(&span, &first, true, 1500000000));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_frame_that_crosses_seams_is_looked_at_whole),
		cmocka_unit_test(a_filter_is_compiled_for_each_link_type),
		cmocka_unit_test(a_filter_reads_no_byte_beyond_a_cut_frame),
		cmocka_unit_test(a_span_takes_any_time_that_a_file_can_have),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
