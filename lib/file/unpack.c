/* SPDX-License-Identifier: BSD-3-Clause */
/* Decompresses a stream by the library of its format. */
#include "file/unpack.h"

#include <errno.h>
#include <lz4frame.h>
#include <lzma.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>
#include <zstd.h>
#include <zstd_errors.h>

#include "base/bytes.h"

#define IN_BYTES    (256u << 10)
#define STEP_MAX    (1u << 30) /* zlib counts in unsigned int */
#define WINDOW_LOG  27         /* 1 << it is PW_UNPACK_MEMORY_MAX */
#define GZIP_FORMAT 16         /* zlib.h, inflateInit2() */

_Static_assert(1u << WINDOW_LOG == PW_UNPACK_MEMORY_MAX, "the bound of zstd's window");

enum step {
	STEP_MORE,
	STEP_MEMBER, /* a member ended: the stream may end here */
	STEP_ERROR,  /* u->err says it */
};

struct pw_unpack {
	struct pw_unpack_source source;
	enum pw_unpack_kind kind;
	uint64_t n_read;
	size_t from, to; /* in[from..to) is still to be unpacked */
	bool is_at_end;  /* of the source */
	bool is_whole;   /* no member is open */
	struct pw_err err;
	union {
		z_stream gzip;
		ZSTD_DCtx *zstd;
		LZ4F_dctx *lz4;
		lzma_stream xz;
	};
	uint8_t in[IN_BYTES];
};

enum pw_unpack_kind pw_unpack_kind_of(const uint8_t *bytes, size_t len)
{
	static const struct {
		uint8_t magic[PW_UNPACK_MAGIC_LEN], len;
		enum pw_unpack_kind kind;
	} kinds[] = {
		{{0x1f, 0x8b}, 2, PW_UNPACK_GZIP},
		{{0x28, 0xb5, 0x2f, 0xfd}, 4, PW_UNPACK_ZSTD},
		{{0x04, 0x22, 0x4d, 0x18}, 4, PW_UNPACK_LZ4},
		{{0xfd, '7', 'z', 'X', 'Z', 0}, 6, PW_UNPACK_XZ},
	};
	size_t i;

	for (i = 0; i < PW_ARRAY_LEN(kinds); i++)
		if (len >= kinds[i].len && memcmp(bytes, kinds[i].magic, kinds[i].len) == 0)
			return kinds[i].kind;
	/* a frame to be skipped, which pzstd begins with (RFC 8878 section 3.1.2) */
	if (len >= 4 && bytes[0] >> 4 == 5 && memcmp(bytes + 1, "\x2a\x4d\x18", 3) == 0)
		return PW_UNPACK_ZSTD;
	return PW_UNPACK_PLAIN;
}

const char *pw_unpack_kind_name(enum pw_unpack_kind kind)
{
	static const char *const names[] = {"plain", "gzip", "zstd", "lz4", "xz"};

	return names[kind];
}

/* Gets more input, if all is used up. Returns 0 or -errno, which is in u->err. */
static int refill(struct pw_unpack *u)
{
	ssize_t n;

	if (u->from < u->to || u->is_at_end)
		return 0;
	u->from = u->to = 0;
	n = u->source.read(u->source.ctx, u->in, sizeof(u->in), &u->err);
	if (n < 0) {
		u->err.code = (int)-n;
		return (int)n;
	}
	u->is_at_end = n == 0;
	u->to = (size_t)n;
	u->n_read += (size_t)n;
	return 0;
}

static enum step damaged(struct pw_unpack *u, const char *reason)
{
	pw_err_set(&u->err, EBADMSG,
		"cannot unpack %s: its %s data is damaged before byte %llu (%s); get the file "
		"again",
		u->source.path, pw_unpack_kind_name(u->kind),
		(unsigned long long)(u->n_read - (u->to - u->from)), reason);
	return STEP_ERROR;
}

static enum step no_memory(struct pw_unpack *u)
{
	pw_err_set(&u->err, ENOMEM, "cannot unpack %s: no memory for its %s data; free some memory",
		u->source.path, pw_unpack_kind_name(u->kind));
	return STEP_ERROR;
}

static enum step too_big(struct pw_unpack *u, const char *fix)
{
	pw_err_set(&u->err, EFBIG,
		"cannot unpack %s: its %s data needs more than %u MiB of memory; unpack it to a "
		"file first: %s",
		u->source.path, pw_unpack_kind_name(u->kind), PW_UNPACK_MEMORY_MAX >> 20, fix);
	return STEP_ERROR;
}

/* Each of these unpacks from in[] to out[*n] and sets *n to how much came out. */
static enum step step_plain(struct pw_unpack *u, uint8_t *out, size_t *n)
{
	*n = pw_min_u64(*n, u->to - u->from);
	memcpy(out, u->in + u->from, *n);
	u->from += *n;
	return STEP_MEMBER;
}

static enum step step_gzip(struct pw_unpack *u, uint8_t *out, size_t *n)
{
	int r;

	if (u->is_whole) {                 /* behind a member */
		if (u->in[u->from] == 0) { /* padding, as of a tape */
			u->from++;
			*n = 0;
			return STEP_MEMBER;
		}
		inflateReset(&u->gzip);
	}
	u->gzip.next_in = u->in + u->from;
	u->gzip.avail_in = (uInt)(u->to - u->from);
	u->gzip.next_out = out;
	u->gzip.avail_out = (uInt)*n;
	r = inflate(&u->gzip, Z_NO_FLUSH);
	u->from = u->to - u->gzip.avail_in;
	*n -= u->gzip.avail_out;
	if (r == Z_MEM_ERROR)
		return no_memory(u);
	if (r != Z_OK && r != Z_STREAM_END && r != Z_BUF_ERROR)
		return damaged(u, u->gzip.msg ? u->gzip.msg : "it needs a dictionary");
	return r == Z_STREAM_END ? STEP_MEMBER : STEP_MORE;
}

static enum step step_zstd(struct pw_unpack *u, uint8_t *out, size_t *n)
{
	ZSTD_inBuffer from = {u->in, u->to, u->from};
	ZSTD_outBuffer to = {out, *n, 0};
	const size_t r = ZSTD_decompressStream(u->zstd, &to, &from);

	u->from = from.pos;
	*n = to.pos;
	if (!ZSTD_isError(r))
		return r == 0 ? STEP_MEMBER : STEP_MORE;
	if (ZSTD_getErrorCode(r) == ZSTD_error_frameParameter_windowTooLarge)
		return too_big(u, "zstd -d --long=31");
	if (ZSTD_getErrorCode(r) == ZSTD_error_memory_allocation)
		return no_memory(u);
	return damaged(u, ZSTD_getErrorName(r));
}

static enum step step_lz4(struct pw_unpack *u, uint8_t *out, size_t *n)
{
	size_t used = u->to - u->from;
	const size_t r = LZ4F_decompress(u->lz4, out, n, u->in + u->from, &used, NULL);

	if (LZ4F_isError(r)) {
		*n = 0;
		return damaged(u, LZ4F_getErrorName(r));
	}
	u->from += used;
	return r == 0 ? STEP_MEMBER : STEP_MORE;
}

static enum step step_xz(struct pw_unpack *u, uint8_t *out, size_t *n)
{
	lzma_ret r;

	u->xz.next_in = u->in + u->from;
	u->xz.avail_in = u->to - u->from;
	u->xz.next_out = out;
	u->xz.avail_out = *n;
	r = lzma_code(&u->xz, u->is_at_end ? LZMA_FINISH : LZMA_RUN);
	u->from = u->to - u->xz.avail_in;
	*n -= u->xz.avail_out;
	switch (r) {
	case LZMA_OK:
	case LZMA_BUF_ERROR:
		return STEP_MORE;
	case LZMA_STREAM_END:
		return STEP_MEMBER;
	case LZMA_MEM_ERROR:
		return no_memory(u);
	case LZMA_MEMLIMIT_ERROR:
		return too_big(u, "xz -d");
	case LZMA_OPTIONS_ERROR:
		return damaged(u, "it uses options that liblzma does not know");
	default:
		return damaged(
			u, r == LZMA_FORMAT_ERROR ? "other data follows it" : "its checks differ");
	}
}

/* Begins with the decompressor of u->kind. */
static int begin(struct pw_unpack *u)
{
	bool ok = true;

	switch (u->kind) {
	case PW_UNPACK_PLAIN:
		break;
	case PW_UNPACK_GZIP:
		ok = inflateInit2(&u->gzip, MAX_WBITS + GZIP_FORMAT) == Z_OK;
		break;
	case PW_UNPACK_ZSTD:
		u->zstd = ZSTD_createDCtx();
		ok = u->zstd && !ZSTD_isError(ZSTD_DCtx_setParameter(
					u->zstd, ZSTD_d_windowLogMax, WINDOW_LOG));
		break;
	case PW_UNPACK_LZ4:
		ok = !LZ4F_isError(LZ4F_createDecompressionContext(&u->lz4, LZ4F_VERSION));
		break;
	case PW_UNPACK_XZ:
		ok = lzma_stream_decoder(&u->xz, PW_UNPACK_MEMORY_MAX, LZMA_CONCATENATED) ==
		     LZMA_OK;
		break;
	}
	if (ok)
		return 0;
	no_memory(u);
	return -ENOMEM;
}

static enum step step(struct pw_unpack *u, uint8_t *out, size_t *n)
{
	switch (u->kind) {
	case PW_UNPACK_GZIP:
		return step_gzip(u, out, n);
	case PW_UNPACK_ZSTD:
		return step_zstd(u, out, n);
	case PW_UNPACK_LZ4:
		return step_lz4(u, out, n);
	case PW_UNPACK_XZ:
		return step_xz(u, out, n);
	default:
		return step_plain(u, out, n);
	}
}

int pw_unpack_open(
	struct pw_unpack **unpack, const struct pw_unpack_source *source, struct pw_err *err)
{
	struct pw_unpack *u = calloc(1, sizeof(*u));
	ssize_t n = 1;
	int r;

	*unpack = NULL;
	if (!u)
		return pw_err_set(err, ENOMEM,
			"cannot unpack %s: no memory for its buffer; free some memory",
			source->path);
	u->source = *source;
	while (u->to < PW_UNPACK_MAGIC_LEN && n > 0) {
		n = source->read(source->ctx, u->in + u->to, sizeof(u->in) - u->to, err);
		if (n < 0) {
			free(u);
			return (int)n;
		}
		u->to += (size_t)n;
	}
	u->n_read = u->to;
	u->is_at_end = n == 0;
	u->kind = pw_unpack_kind_of(u->in, u->to);
	u->is_whole = u->kind == PW_UNPACK_PLAIN;
	r = begin(u);
	if (r) {
		if (err)
			*err = u->err;
		pw_unpack_close(u);
		return r;
	}
	*unpack = u;
	return 0;
}

void pw_unpack_close(struct pw_unpack *u)
{
	if (!u)
		return;
	if (u->kind == PW_UNPACK_GZIP)
		inflateEnd(&u->gzip);
	else if (u->kind == PW_UNPACK_ZSTD)
		ZSTD_freeDCtx(u->zstd);
	else if (u->kind == PW_UNPACK_LZ4)
		LZ4F_freeDecompressionContext(u->lz4);
	else if (u->kind == PW_UNPACK_XZ)
		lzma_end(&u->xz);
	free(u);
}

static int cut(struct pw_unpack *u)
{
	return pw_err_set(&u->err, EBADMSG,
		"cannot unpack %s: its %s data ends too early, at byte %llu; get the file again",
		u->source.path, pw_unpack_kind_name(u->kind), (unsigned long long)u->n_read);
}

/* Unpacks up to len bytes into out and adds them to *done. 0: the stream goes on; 1: it is at its end; -errno, which is in u->err. */
static int unpack_some(struct pw_unpack *u, uint8_t *out, size_t len, size_t *done)
{
	const int r = refill(u);
	const size_t before = u->from;
	size_t n = pw_min_u64(len, STEP_MAX);
	enum step s;

	if (r)
		return r;
	if (u->is_at_end && u->is_whole && u->from == u->to)
		return 1;
	s = step(u, out, &n);
	*done += n;
	if (s == STEP_ERROR)
		return -u->err.code;
	u->is_whole = s == STEP_MEMBER || (u->is_whole && n == 0 && u->from == before);
	if (n == 0 && u->from == before && u->is_at_end && !u->is_whole)
		return cut(u);
	return 0;
}

ssize_t pw_unpack_read(struct pw_unpack *u, void *buf, size_t len, struct pw_err *err)
{
	size_t done = 0;
	int r = 0;

	while (done < len && r == 0 && !u->err.code)
		r = unpack_some(u, (uint8_t *)buf + done, len - done, &done);
	if (done || r == 1)
		return (ssize_t)done;
	if (err)
		*err = u->err;
	return -u->err.code;
}
