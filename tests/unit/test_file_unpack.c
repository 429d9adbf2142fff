/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <lz4frame.h>
#include <lzma.h>
#include <zlib.h>
#include <zstd.h>

#include "base/bytes.h"
#include "file/unpack.h"

#define TEXT_LEN 700000u /* more than one input buffer, also packed */
#define PACKED   (2u << 20)

static uint8_t text[TEXT_LEN];

/* Half noise, half zeros, by turns of 1000 bytes. */
static void make_text(void)
{
	uint32_t x = 12345;
	size_t i;

	for (i = 0; i < TEXT_LEN; i++) {
		x = x * 1664525 + 1013904223;
		text[i] = i / 1000 % 2 ? 0 : (uint8_t)(x >> 24);
	}
}

static size_t pack(
	enum pw_unpack_kind kind, const uint8_t *from, size_t len, uint8_t *to, size_t room)
{
	size_t n = 0;

	if (kind == PW_UNPACK_PLAIN) {
		memcpy(to, from, len);
		n = len;
	} else if (kind == PW_UNPACK_GZIP) {
		z_stream z = {.next_in = (uint8_t *)(uintptr_t)from,
			.avail_in = (uInt)len,
			.next_out = to,
			.avail_out = (uInt)room};

		assert_int_equal(
			deflateInit2(&z, 1, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY), Z_OK);
		assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
		n = z.total_out;
		deflateEnd(&z);
	} else if (kind == PW_UNPACK_ZSTD) {
		ZSTD_CCtx *c = ZSTD_createCCtx();

		ZSTD_CCtx_setParameter(c, ZSTD_c_checksumFlag, 1);
		n = ZSTD_compress2(c, to, room, from, len);
		assert_false(ZSTD_isError(n));
		ZSTD_freeCCtx(c);
	} else if (kind == PW_UNPACK_LZ4) {
		const LZ4F_preferences_t prefs = {
			.frameInfo.contentChecksumFlag = LZ4F_contentChecksumEnabled};

		n = LZ4F_compressFrame(to, room, from, len, &prefs);
		assert_false(LZ4F_isError(n));
	} else {
		assert_int_equal(
			lzma_easy_buffer_encode(0, LZMA_CHECK_CRC64, NULL, from, len, to, &n, room),
			LZMA_OK);
	}
	return n;
}

/* A source that gives at most `piece` bytes at a time, and fails behind fail_at. */
struct feed {
	const uint8_t *bytes;
	size_t len, at, piece, fail_at;
};

static ssize_t feed_read(void *ctx, void *buf, size_t len, struct pw_err *err)
{
	struct feed *f = ctx;
	size_t n = pw_min_u64(pw_min_u64(len, f->piece), f->len - f->at);

	if (f->at >= f->fail_at)
		return pw_err_set(err, EIO, "cannot read test: it fails");
	memcpy(buf, f->bytes + f->at, n);
	f->at += n;
	return (ssize_t)n;
}

/* Unpacks all into out[room] by reads of `step` bytes. Returns the length; *r is what the last read returned. */
static size_t unpack_feed(
	struct feed *f, size_t step, uint8_t *out, size_t room, ssize_t *r, struct pw_err *err)
{
	const struct pw_unpack_source source = {feed_read, f, "x.pcap"};
	struct pw_unpack *u;
	size_t n = 0;
	struct pw_err again;

	memset(err, 0, sizeof(*err));
	*r = pw_unpack_open(&u, &source, err);
	if (*r)
		return 0;
	do {
		assert_true(room - n >= 1);
		*r = pw_unpack_read(u, out + n, pw_min_u64(step, room - n), err);
		n += *r > 0 ? (size_t)*r : 0;
	} while (*r > 0);
	assert_int_equal(pw_unpack_read(u, out + n, 1, &again), *r);
	if (*r < 0)
		assert_string_equal(err->msg, again.msg);
	pw_unpack_close(u);
	return n;
}

static size_t unpack(const uint8_t *packed, size_t len, uint8_t *out, size_t room, ssize_t *r,
	struct pw_err *err)
{
	struct feed f = {packed, len, 0, SIZE_MAX, SIZE_MAX};

	return unpack_feed(&f, 1 << 20, out, room, r, err);
}

static void every_kind_gives_the_bytes_back(void **state)
{
	static const size_t pieces[] = {1, 7, 4096, SIZE_MAX}, steps[] = {997, 65536, 1 << 20};
	uint8_t *packed = malloc(PACKED), *out = malloc(PACKED);
	enum pw_unpack_kind kind;
	struct pw_err err;
	size_t p, s, n;
	ssize_t r;

	(void)state;
	assert_true(packed && out);
	for (kind = PW_UNPACK_PLAIN; kind <= PW_UNPACK_XZ; kind++) {
		n = pack(kind, text, TEXT_LEN, packed, PACKED);
		assert_int_equal(pw_unpack_kind_of(packed, n), kind);
		for (p = 0; p < PW_ARRAY_LEN(pieces); p++)
			for (s = 0; s < PW_ARRAY_LEN(steps); s++) {
				struct feed f = {packed, n, 0, pieces[p], SIZE_MAX};

				assert_int_equal(
					unpack_feed(&f, steps[s], out, PACKED, &r, &err), TEXT_LEN);
				assert_int_equal(r, 0);
				assert_memory_equal(out, text, TEXT_LEN);
			}
	}
	free(packed);
	free(out);
}

static void concatenated_members_are_one_stream(void **state)
{
	uint8_t *packed = malloc(PACKED), *out = malloc(PACKED);
	enum pw_unpack_kind kind;
	struct pw_err err;
	size_t n;
	ssize_t r;

	(void)state;
	assert_true(packed && out);
	for (kind = PW_UNPACK_GZIP; kind <= PW_UNPACK_XZ; kind++) {
		n = pack(kind, text, 300000, packed, PACKED);
		n += pack(kind, text, 0, packed + n, PACKED - n);
		n += pack(kind, text + 300000, TEXT_LEN - 300000, packed + n, PACKED - n);
		assert_int_equal(unpack(packed, n, out, PACKED, &r, &err), TEXT_LEN);
		assert_int_equal(r, 0);
		assert_memory_equal(out, text, TEXT_LEN);
	}
	n = pack(PW_UNPACK_GZIP, text, 5, packed, PACKED);
	memset(packed + n, 0, 1000); /* padding to a tape's block */
	assert_int_equal(unpack(packed, n + 1000, out, PACKED, &r, &err), 5);
	assert_int_equal(r, 0);
	free(packed);
	free(out);
}

static void an_empty_stream_is_empty(void **state)
{
	uint8_t packed[256], out[8];
	enum pw_unpack_kind kind;
	struct pw_err err;
	ssize_t r;

	(void)state;
	for (kind = PW_UNPACK_PLAIN; kind <= PW_UNPACK_XZ; kind++) {
		assert_int_equal(unpack(packed, pack(kind, text, 0, packed, sizeof(packed)), out, 8,
					 &r, &err),
			0);
		assert_int_equal(r, 0);
	}
}

static void a_cut_stream_gives_what_it_has_and_then_an_error(void **state)
{
	uint8_t packed[8192], out[4096];
	enum pw_unpack_kind kind;
	struct pw_err err;
	size_t n, cut, got;
	ssize_t r;

	(void)state;
	for (kind = PW_UNPACK_GZIP; kind <= PW_UNPACK_XZ; kind++) {
		n = pack(kind, text, 3000, packed, sizeof(packed));
		for (cut = 6; cut < n; cut++) {
			got = unpack(packed, cut, out, sizeof(out), &r, &err);
			assert_int_equal(r, -EBADMSG);
			assert_memory_equal(out, text, got);
			if (!strstr(err.msg, "ends too early") || !strstr(err.msg, "x.pcap"))
				fail_msg("%s at %zu: %s", pw_unpack_kind_name(kind), cut, err.msg);
		}
		/* most of it came out before the end that is missing */
		if (kind == PW_UNPACK_GZIP || kind == PW_UNPACK_XZ)
			assert_in_range(got, 2000, 3000);
	}
}

static void damage_is_found(void **state)
{
	uint8_t packed[8192], out[16384];
	enum pw_unpack_kind kind;
	struct pw_err err;
	size_t n, i, got;
	ssize_t r;

	(void)state;
	for (kind = PW_UNPACK_GZIP; kind <= PW_UNPACK_XZ; kind++) {
		n = pack(kind, text, 3000, packed, sizeof(packed));
		for (i = 20; i < n;
			i += 11) { /* behind the header, whose name and time gzip does not check */
			packed[i] ^= 0x10;
			got = unpack(packed, n, out, sizeof(out), &r, &err);
			packed[i] ^= 0x10;
			if (r == 0 && got == 3000 && !memcmp(out, text, got))
				continue; /* a bit that has no meaning */
			if (r != -EBADMSG && r != -EFBIG)
				fail_msg("%s at %zu: %zd", pw_unpack_kind_name(kind), i, r);
			assert_non_null(strstr(err.msg, "cannot unpack x.pcap: its "));
		}
		memcpy(packed + n, "garbage garbage", 16);
		assert_int_equal(unpack(packed, n + 16, out, sizeof(out), &r, &err), 3000);
		assert_int_equal(r, -EBADMSG);
		assert_non_null(strstr(err.msg, "damaged before byte"));
	}
}

/* Their windows are 2 GiB, and a dictionary of 1 GiB. */
static void what_needs_too_much_memory_is_refused_with_the_fix(void **state)
{
	uint8_t packed[4096], out[16];
	lzma_options_lzma options;
	lzma_filter filters[2] = {{LZMA_FILTER_LZMA2, &options}, {LZMA_VLI_UNKNOWN, NULL}};
	/* RFC 8878 section 3.1.1: no single segment, a window of 1 << 31; a raw block of 1 byte */
	static const uint8_t zstd[] = {0x28, 0xb5, 0x2f, 0xfd, 0, 21 << 3, 9, 0, 0, 'x'};
	struct pw_err err;
	size_t n = 0;
	ssize_t r;

	(void)state;
	unpack(zstd, sizeof(zstd), out, sizeof(out), &r, &err);
	assert_int_equal(r, -EFBIG);
	assert_non_null(strstr(err.msg,
		"more than 128 MiB of memory; unpack it to a file first: zstd -d --long=31"));
	assert_false(lzma_lzma_preset(&options, 0));
	options.dict_size = 1u << 30;
	assert_int_equal(lzma_stream_buffer_encode(filters, LZMA_CHECK_CRC32, NULL, text, 100,
				 packed, &n, sizeof(packed)),
		LZMA_OK);
	unpack(packed, n, out, sizeof(out), &r, &err);
	assert_int_equal(r, -EFBIG);
	assert_non_null(strstr(err.msg, "xz -d"));
}

static void an_error_of_the_source_is_passed_on_after_the_bytes_before_it(void **state)
{
	uint8_t *packed = malloc(PACKED), *out = malloc(PACKED);
	enum pw_unpack_kind kind;
	struct pw_err err;
	size_t got;
	ssize_t r;

	(void)state;
	assert_true(packed && out);
	for (kind = PW_UNPACK_PLAIN; kind <= PW_UNPACK_XZ; kind++) {
		struct feed f = {
			packed, pack(kind, text, TEXT_LEN, packed, PACKED), 0, 10000, 300000};

		got = unpack_feed(&f, 4096, out, PACKED, &r, &err);
		assert_int_equal(r, -EIO);
		assert_string_equal(err.msg, "cannot read test: it fails");
		assert_in_range(got, 1, TEXT_LEN - 1);
		assert_memory_equal(out, text, got);
		f = (struct feed){packed, 100, 0, 100, 0};
		unpack_feed(&f, 4096, out, PACKED, &r, &err);
		assert_int_equal(r, -EIO);
	}
	free(packed);
	free(out);
}

static ssize_t pipe_read(void *ctx, void *buf, size_t len, struct pw_err *err)
{
	ssize_t n = read(fileno(ctx), buf, len);

	return n < 0 ? pw_err_sys(err, errno, "cannot read the pipe") : n;
}

/* What the programs write, by options that change the format. */
static void what_the_programs_write_is_unpacked(void **state)
{
	static const char *const commands[] = {"gzip -9", "gzip --rsyncable",
		"zstd -q --long=27 -5", "zstd -q --no-check -T2", "lz4 -q -B4", "lz4 -q -B7 -BD -9",
		"lz4 -q -BX --content-size", "xz -9", "xz -T2 --block-size=100000 -1", "cat"};
	char path[] = "/tmp/pw-unpack-XXXXXX", command[256];
	int fd = mkstemp(path);
	uint8_t *out = malloc(PACKED);
	size_t i;

	(void)state;
	assert_true(fd >= 0 && out);
	assert_int_equal(write(fd, text, TEXT_LEN), TEXT_LEN);
	for (i = 0; i < PW_ARRAY_LEN(commands); i++) {
		struct pw_unpack_source source = {.read = pipe_read, .path = commands[i]};
		struct pw_unpack *u;
		struct pw_err err;
		ssize_t n;

		snprintf(command, sizeof(command), "command -v %.*s >/dev/null",
			(int)strcspn(commands[i], " "), commands[i]);
		if (system(command)) {
			print_message("skipped, not installed: %s\n", commands[i]);
			continue;
		}
		snprintf(command, sizeof(command), "%s -c <%s", commands[i], path);
		source.ctx = popen(i + 1 == PW_ARRAY_LEN(commands)
					   ? strcat(strcpy(command, "cat "), path)
					   : command,
			"r");
		assert_non_null(source.ctx);
		if (pw_unpack_open(&u, &source, &err))
			fail_msg("%s", err.msg);
		n = pw_unpack_read(u, out, PACKED, &err);
		if (n != TEXT_LEN)
			fail_msg("%s: %zd, %s", commands[i], n, err.msg);
		assert_memory_equal(out, text, TEXT_LEN);
		assert_int_equal(pw_unpack_read(u, out, PACKED, &err), 0);
		pw_unpack_close(u);
		assert_int_equal(pclose(source.ctx), 0);
	}
	close(fd);
	unlink(path);
	free(out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_kind_gives_the_bytes_back),
		cmocka_unit_test(concatenated_members_are_one_stream),
		cmocka_unit_test(an_empty_stream_is_empty),
		cmocka_unit_test(a_cut_stream_gives_what_it_has_and_then_an_error),
		cmocka_unit_test(damage_is_found),
		cmocka_unit_test(what_needs_too_much_memory_is_refused_with_the_fix),
		cmocka_unit_test(an_error_of_the_source_is_passed_on_after_the_bytes_before_it),
		cmocka_unit_test(what_the_programs_write_is_unpacked),
	};

	make_text();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
