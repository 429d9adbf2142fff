/* SPDX-License-Identifier: BSD-3-Clause */
/* Small helpers for bytes and integers: big-endian loads and stores, hexadecimal digits, rounding. */
#ifndef PW_BASE_BYTES_H
#define PW_BASE_BYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define PW_ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))

/* Adds n counters, word by word; the thread that owns `from` may go on counting. */
static inline void pw_words_add(uint64_t *sum, const uint64_t *from, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++)
		sum[i] += __atomic_load_n(&from[i], __ATOMIC_RELAXED);
}

static inline uint16_t pw_be16_load(const void *p)
{
	uint16_t v;

	memcpy(&v, p, sizeof(v));
	return __builtin_bswap16(v);
}

static inline uint32_t pw_be32_load(const void *p)
{
	uint32_t v;

	memcpy(&v, p, sizeof(v));
	return __builtin_bswap32(v);
}

static inline uint64_t pw_be48_load(const void *p)
{
	return (uint64_t)pw_be16_load(p) << 32 | pw_be32_load((const uint8_t *)p + 2);
}

static inline void pw_be16_store(void *p, uint16_t v)
{
	v = __builtin_bswap16(v);
	memcpy(p, &v, sizeof(v));
}

static inline void pw_be32_store(void *p, uint32_t v)
{
	v = __builtin_bswap32(v);
	memcpy(p, &v, sizeof(v));
}

static inline void pw_be48_store(void *p, uint64_t v)
{
	pw_be16_store(p, (uint16_t)(v >> 32));
	pw_be32_store((uint8_t *)p + 2, (uint32_t)v);
}

/* The value of a hexadecimal digit of either case; -1: it is none. */
static inline int pw_hex_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Whether all bytes are 0; len > 0. Most data costs one load and one branch. */
static inline bool pw_is_zero(const uint8_t *data, size_t len)
{
	uint64_t first = 0;

	memcpy(&first, data, len < sizeof(first) ? len : sizeof(first));
	return first == 0 && (len <= sizeof(first) ||
				     memcmp(data, data + sizeof(first), len - sizeof(first)) == 0);
}

static inline uint64_t pw_min_u64(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static inline uint64_t pw_max_u64(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

/* ceil(a / b), b > 0, no overflow */
static inline uint64_t pw_div_ceil(uint64_t a, uint64_t b)
{
	return a / b + (a % b != 0);
}

static inline uint64_t pw_align_down(uint64_t a, uint64_t align)
{
	return a - a % align;
}

/* align > 0; the caller rules out overflow */
static inline uint64_t pw_align_up(uint64_t a, uint64_t align)
{
	return pw_align_down(a + align - 1, align);
}

#endif
