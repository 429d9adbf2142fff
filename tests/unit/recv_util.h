/* SPDX-License-Identifier: BSD-3-Clause */
/* What the receiver's tests share: a sender in memory, and a directory to receive into. */
#ifndef PW_TESTS_RECV_UTIL_H
#define PW_TESTS_RECV_UTIL_H

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "file/digest.h"
#include "recv/gaps.h"
#include "recv/recv.h"
#include "wire/alc.h"
#include "wire/blocks.h"
#include "wire/fdt.h"

#define TSI 7

struct packets {
	struct pw_rx_view *v;
	size_t n, cap;
};

/* A file of the session and its bytes. */
struct source {
	struct pw_fdt_file f;
	uint8_t *data;
};

static inline int drop_one(const char *path, const struct stat *st, int kind, struct FTW *ftw)
{
	(void)st;
	(void)kind;
	(void)ftw;
	return remove(path);
}

static inline void dir_make(char *dir, size_t len)
{
	snprintf(dir, len, "/tmp/pagewire-test-XXXXXX");
	assert_non_null(mkdtemp(dir));
}

static inline void dir_drop(const char *dir)
{
	nftw(dir, drop_one, 16, FTW_DEPTH | FTW_PHYS);
}

static inline char *in_dir(const char *dir, const char *name)
{
	static char bufs[4][4096];
	static unsigned int next;
	char *buf = bufs[next++ % 4];

	snprintf(buf, sizeof(bufs[0]), "%s/%s", dir, name);
	return buf;
}

static inline void write_text(const char *path, const char *text)
{
	FILE *f = fopen(path, "we");

	assert_non_null(f);
	fputs(text, f);
	assert_int_equal(fclose(f), 0);
}

static inline bool is_there(const char *path)
{
	struct stat st;

	return lstat(path, &st) == 0;
}

static inline uint8_t byte_at(uint64_t toi, uint64_t i)
{
	return (uint8_t)(((i + toi * 0x1000193) * 0x9e3779b97f4a7c15ull) >> 56);
}

static inline struct source source_make(
	uint64_t toi, const char *name, uint64_t len, uint32_t symbol_len, enum pw_digest_kind kind)
{
	struct source s = {.f = {.toi = toi,
				   .content_len = len,
				   .transfer_len = len,
				   .symbol_len = symbol_len,
				   .max_sbl = 64,
				   .has_len = true,
				   .has_oti = true,
				   .has_content_len = true}};
	uint64_t i;

	s.f.location = strdup(name);
	s.data = malloc(len + 1);
	assert_non_null(s.data);
	for (i = 0; i < len; i++)
		s.data[i] = byte_at(toi, i);
	if (pw_blocks_choose_max_sbl(len, symbol_len) > 4096)
		s.f.max_sbl = pw_blocks_choose_max_sbl(len, symbol_len);
	assert_int_equal(pw_digest_buffer(kind, s.data, len, &s.f.digest, NULL), 0);
	return s;
}

static inline void source_drop(struct source *s)
{
	free(s->f.location);
	free(s->data);
}

static inline void packets_add(
	struct packets *p, const struct pw_alc_hdr *hdr, bool wide, const void *payload, size_t len)
{
	uint8_t buf[PW_ALC_HDR_MAX];
	size_t n = pw_alc_build(buf, hdr, wide);
	uint8_t *copy = malloc(n + len);

	assert_non_null(copy);
	memcpy(copy, buf, n);
	if (len)
		memcpy(copy + n, payload, len);
	if (p->n == p->cap) {
		p->cap = p->cap ? 2 * p->cap : 256;
		p->v = realloc(p->v, p->cap * sizeof(*p->v));
		assert_non_null(p->v);
	}
	p->v[p->n++] = (struct pw_rx_view){.data = copy, .len = (uint32_t)(n + len)};
}

static inline void packets_drop(struct packets *p)
{
	size_t i;

	for (i = 0; i < p->n; i++)
		free((void *)(uintptr_t)p->v[i].data);
	free(p->v);
	*p = (struct packets){0};
}

/* Any text as FDT instance, in symbols of 500 bytes. */
static inline void packets_add_text(
	struct packets *p, uint64_t tsi, uint32_t instance, const char *xml, size_t len)
{
	struct pw_alc_hdr hdr = {.tsi = tsi,
		.has_fdt = true,
		.fdt_version = PW_FLUTE_VERSION,
		.fdt_instance = instance,
		.has_fti = true,
		.transfer_len = len,
		.symbol_len = 500,
		.max_sbl = 64};
	struct pw_blocks b;
	uint32_t sbn, esi;
	uint64_t i;

	assert_int_equal(pw_blocks_init(&b, len, hdr.symbol_len, hdr.max_sbl, NULL), 0);
	for (i = 0; i < b.n_symbols; i++) {
		pw_blocks_locate(&b, i, &sbn, &esi);
		hdr.sbn = (uint16_t)sbn;
		hdr.esi = (uint16_t)esi;
		packets_add(p, &hdr, tsi > UINT16_MAX, xml + i * hdr.symbol_len,
			pw_blocks_symbol_bytes(&b, i));
	}
}

static inline void packets_add_fdt(struct packets *p, uint64_t tsi, uint32_t instance,
	const struct source *s, size_t n, bool complete, uint64_t n_session)
{
	struct pw_fdt fdt = {.expires_ntp = pw_fdt_ntp((uint64_t)time(NULL)) + 3600,
		.complete = complete,
		.n_session_files = n_session,
		.n_files = n};
	struct pw_err err = {0};
	char *xml;
	size_t i, len;

	fdt.files = calloc(n + 1, sizeof(*fdt.files));
	assert_non_null(fdt.files);
	for (i = 0; i < n; i++)
		fdt.files[i] = s[i].f;
	if (pw_fdt_build(&fdt, &xml, &len, &err) < 0)
		fail_msg("%s", err.msg);
	packets_add_text(p, tsi, instance, xml, len);
	free(xml);
	free(fdt.files);
}

static inline void packets_add_symbol(
	struct packets *p, uint64_t tsi, const struct source *s, uint64_t index)
{
	struct pw_alc_hdr hdr = {.tsi = tsi, .toi = s->f.toi};
	struct pw_blocks b;
	uint32_t sbn, esi;

	assert_int_equal(
		pw_blocks_init(&b, s->f.transfer_len, s->f.symbol_len, s->f.max_sbl, NULL), 0);
	pw_blocks_locate(&b, index, &sbn, &esi);
	hdr.sbn = (uint16_t)sbn;
	hdr.esi = (uint16_t)esi;
	packets_add(p, &hdr, tsi > UINT16_MAX, s->data + index * s->f.symbol_len,
		pw_blocks_symbol_bytes(&b, index));
}

static inline uint64_t source_symbols(const struct source *s)
{
	return (s->f.transfer_len + s->f.symbol_len - 1) / s->f.symbol_len;
}

static inline void packets_add_file(struct packets *p, uint64_t tsi, const struct source *s)
{
	uint64_t i;

	for (i = 0; i < source_symbols(s); i++)
		packets_add_symbol(p, tsi, s, i);
}

/* The packets come from this address. */
static inline void packets_from(struct packets *p, const char *ip)
{
	struct pw_addr addr = {0};
	size_t i;

	assert_int_equal(pw_addr_parse("from", ip, 1, &addr, NULL), 0);
	for (i = 0; i < p->n; i++)
		p->v[i].from = pw_host_key(&addr);
}

/* The packet with which a sender closes its session. */
static inline void packets_add_close(struct packets *p, uint64_t tsi)
{
	packets_add(p, &(struct pw_alc_hdr){.tsi = tsi, .close_session = true}, tsi > UINT16_MAX,
		NULL, 0);
}

/* All of p, and what follows from it: tables are parsed, files opened, complete ones ended. */
static inline void push(struct pw_recv *r, const struct packets *p)
{
	size_t i, n;

	for (i = 0; i < p->n; i += n) {
		n = p->n - i < 64 ? p->n - i : 64;
		pw_recv_burst(r, p->v + i, n);
	}
	pw_recv_settle(r);
}

static inline struct pw_recv_counters counters(struct pw_recv *r)
{
	struct pw_recv_counters c;

	pw_recv_counters(r, &c);
	return c;
}

static inline struct pw_recv *recv_make(const struct pw_recv_config *cfg)
{
	struct pw_err err = {0};
	struct pw_recv *r;

	if (pw_recv_create(&r, cfg, NULL, &err) < 0)
		fail_msg("%s", err.msg);
	return r;
}

static inline struct pw_recv_status settle(struct pw_recv *r)
{
	struct pw_recv_status st;

	pw_recv_settle(r);
	pw_recv_status(r, &st);
	return st;
}

/* Else prints what is known of why. */
static inline void assert_done(struct pw_recv *r)
{
	const struct pw_recv_status st = settle(r);
	const struct pw_recv_counters c = counters(r);
	struct pw_recv_file_info f;
	size_t i;

	if (st.done)
		return;
	for (i = 0; i < pw_recv_n_files(r); i++) {
		pw_recv_file(r, i, &f);
		print_error("%s: state %d, %" PRIu64 " of %" PRIu64 " bytes, %s\n", f.name, f.state,
			f.have_bytes, f.len_bytes, f.reason ? f.reason : "no reason");
	}
	fail_msg("not done: %" PRIu64 " packets, %" PRIu64 " symbols, %" PRIu64
		 " duplicates, %" PRIu64 " of unknown and %" PRIu64 " of finished files, %" PRIu64
		 " waited, %" PRIu64 " of them dropped, %" PRIu64 " fdt_packets, %" PRIu64
		 " dropped",
		c.packets, c.symbols, c.duplicates, c.unknown_toi, c.finished_toi, c.waited,
		c.wait_dropped, c.fdt_packets, c.fdt_dropped);
}

static inline struct pw_recv_file_info file_info(struct pw_recv *r, size_t i)
{
	struct pw_recv_file_info info;

	assert_true(i < pw_recv_n_files(r));
	pw_recv_file(r, i, &info);
	return info;
}

static inline void assert_state(struct pw_recv *r, size_t i, enum pw_recv_file_state state)
{
	struct pw_recv_file_info info = file_info(r, i);

	if (info.state != state)
		fail_msg("%s is %s, not %s (%s)", info.name, pw_recv_file_state_name(info.state),
			pw_recv_file_state_name(state), info.reason ? info.reason : "no reason");
}

/* path holds exactly the source's bytes. */
static inline void assert_content(const char *path, const struct source *s)
{
	uint64_t len = s->f.transfer_len;
	uint8_t *got = malloc(len + 1);
	FILE *f = fopen(path, "re");

	assert_non_null(got);
	if (!f)
		fail_msg("%s: %s", path, strerror(errno));
	assert_int_equal(fread(got, 1, len + 1, f), len);
	assert_memory_equal(got, s->data, len);
	fclose(f);
	free(got);
}

/* A small generator of our own: the same order everywhere. */
static inline uint64_t next_random(uint64_t *state)
{
	*state = *state * 6364136223846793005ull + 1442695040888963407ull;
	return *state >> 33;
}

static inline void shuffle(struct pw_rx_view *v, size_t n, uint64_t seed)
{
	size_t i, j;

	for (i = n; i > 1; i--) {
		struct pw_rx_view t = v[i - 1];

		j = next_random(&seed) % i;
		v[i - 1] = v[j];
		v[j] = t;
	}
}

#endif
