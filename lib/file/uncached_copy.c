/* SPDX-License-Identifier: BSD-3-Clause */
#include "file/uncached_copy.h"

#include <stdint.h>
#include <string.h>

#if defined(__x86_64__)

#include <immintrin.h>

#define LINE 64u

/* n lines, `to` at the start of one. */
__attribute__((target("avx512f"))) static void stream_avx512(
	uint8_t *to, const uint8_t *from, size_t n)
{
	for (; n; n--, to += LINE, from += LINE)
		_mm512_stream_si512((void *)to, _mm512_loadu_si512(from));
}

static void stream_sse2(uint8_t *to, const uint8_t *from, size_t n)
{
	__m128i *t = (void *)to;
	const __m128i *f = (const void *)from;

	for (; n; n--, t += 4, f += 4) {
		_mm_stream_si128(t, _mm_loadu_si128(f));
		_mm_stream_si128(t + 1, _mm_loadu_si128(f + 1));
		_mm_stream_si128(t + 2, _mm_loadu_si128(f + 2));
		_mm_stream_si128(t + 3, _mm_loadu_si128(f + 3));
	}
}

void pw_uncached_copy(void *to, const void *from, size_t len)
{
	uint8_t *t = to;
	const uint8_t *f = from;
	size_t head = -(uintptr_t)t % LINE, n;

	if (head > len)
		head = len;
	memcpy(t, f, head);
	n = (len - head) / LINE;
	if (__builtin_cpu_supports("avx512f"))
		stream_avx512(t + head, f + head, n);
	else
		stream_sse2(t + head, f + head, n);
	head += n * LINE;
	memcpy(t + head, f + head, len - head);
}

void pw_uncached_fence(void)
{
	_mm_sfence();
}

#else

void pw_uncached_copy(void *to, const void *from, size_t len)
{
	memcpy(to, from, len);
}

void pw_uncached_fence(void)
{
}

#endif
