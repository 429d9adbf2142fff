/* SPDX-License-Identifier: BSD-3-Clause */
/* Unpacks an FDT instance that was sent compressed (EXT_CENC). A few bytes can unpack to gigabytes, so the output
 * is bounded. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define ZLIB_CONST /* next_in points to const */
#include <zlib.h>

#include "base/bytes.h"
#include "wire/fdt.h"

/* zlib's windowBits, which select the format */
#define BITS_RAW  (-15)
#define BITS_ZLIB 15
#define BITS_GZIP (15 + 16)

#define FIRST_ROOM 4096

struct sink {
	uint8_t *p;
	size_t len, room, limit;
};

/* Makes room for at least one byte. The buffer may grow to one byte more than the limit: that byte shows that the
 * output is too large. */
static int make_room(struct sink *s)
{
	size_t room = s->room ? 2 * s->room : FIRST_ROOM;
	uint8_t *p;

	if (s->len < s->room)
		return 0;
	room = room > s->limit ? s->limit + 1 : room;
	p = realloc(s->p, room);
	if (!p)
		return -ENOMEM;
	s->p = p;
	s->room = room;
	return 0;
}

/* 1: there is more; 0: the data is complete; -errno. */
static int step(z_stream *z, int bits, struct sink *s)
{
	int r = make_room(s);

	if (r)
		return r;
	z->next_out = s->p + s->len;
	z->avail_out = (uInt)(s->room - s->len);
	r = inflate(z, Z_NO_FLUSH);
	s->len = s->room - z->avail_out;
	if (s->len > s->limit)
		return -EFBIG;
	if (r == Z_OK)
		return 1;
	if (r == Z_STREAM_END && z->avail_in == 0)
		return 0;
	/* RFC 1952 section 2.2: another gzip member may follow. */
	if (r == Z_STREAM_END && bits == BITS_GZIP && inflateReset(z) == Z_OK)
		return 1;
	return r == Z_MEM_ERROR ? -ENOMEM : -EBADMSG; /* cut data: Z_BUF_ERROR */
}

static int unpack(int bits, const void *data, size_t len, struct sink *s)
{
	z_stream z = {.next_in = data, .avail_in = (uInt)len};
	int r = 1;

	s->len = 0;
	if (inflateInit2(&z, bits) != Z_OK)
		return -ENOMEM;
	while (r > 0)
		r = step(&z, bits, s);
	inflateEnd(&z);
	return r;
}

static int copy(const void *data, size_t len, struct sink *s)
{
	s->p = malloc(len + 1);
	if (!s->p)
		return -ENOMEM;
	if (len)
		memcpy(s->p, data, len);
	s->len = len;
	return 0;
}

static int unpack_as(enum pw_encoding e, const void *data, size_t len, struct sink *s)
{
	int r;

	switch (e) {
	case PW_ENCODING_IDENTITY:
		return copy(data, len, s);
	case PW_ENCODING_ZLIB:
		return unpack(BITS_ZLIB, data, len, s);
	case PW_ENCODING_GZIP:
		return unpack(BITS_GZIP, data, len, s);
	case PW_ENCODING_DEFLATE:
		/* The zlib format first: its checksum rules out that this succeeds by chance. */
		r = unpack(BITS_ZLIB, data, len, s);
		return r == -EBADMSG ? unpack(BITS_RAW, data, len, s) : r;
	case PW_ENCODING_OTHER:
		break;
	}
	return -ENOTSUP;
}

static const char *reason(int r)
{
	switch (r) {
	case -EFBIG:
		return "it is larger than is allowed";
	case -ENOMEM:
		return "out of memory";
	case -ENOTSUP:
		return "its content encoding is not known";
	default:
		return "the packed data is damaged or cut";
	}
}

int pw_fdt_decode(enum pw_encoding e, const void *data, size_t len, void **out, size_t *out_len,
	struct pw_err *err)
{
	uint64_t by_ratio = pw_max_u64((uint64_t)len * PW_FDT_MAX_RATIO, PW_FDT_MIN_BOUND);
	struct sink s = {.limit = (size_t)pw_min_u64(by_ratio, PW_FDT_MAX_BYTES)};
	int r = -EFBIG;

	*out = NULL;
	*out_len = 0;
	if (len <= PW_FDT_MAX_BYTES)
		r = unpack_as(e, data, len, &s);
	if (r) {
		free(s.p);
		return pw_err_set(err, -r, "cannot unpack the file table: %s", reason(r));
	}
	*out = s.p;
	*out_len = s.len;
	return 0;
}
