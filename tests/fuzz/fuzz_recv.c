/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The receiver, fed a stream of packets:
 *
 *   options | length 16 | packet | length 16 | packet | ...
 *
 * Fed one by one, in bursts and by several lanes, they leave the same files, unless tables contradict
 * each other: then it matters which came first.
 *
 * An FDT is hard to hit upon byte by byte: a packet of length 0xffff stands for a table of one
 * file, made from the bytes that follow. With an output directory (options bit 0) nothing may
 * appear beside it.
 */
#include <dirent.h>
#include <ftw.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/bytes.h"
#include "recv/recv.h"
#include "wire/alc.h"

#define MAX_PACKETS 400
#define BURST_MAX   128

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char top[64], out[80];

static void check(bool condition)
{
	if (!condition)
		abort();
}

static int drop_one(const char *path, const struct stat *st, int kind, struct FTW *ftw)
{
	(void)st;
	(void)kind;
	(void)ftw;
	return remove(path);
}

static void drop_top(void)
{
	nftw(top, drop_one, 16, FTW_DEPTH | FTW_PHYS);
}

static void make_dirs(void)
{
	const char *tmp = getenv("TMPDIR"); /* /dev/shm is fast: manifests are fsynced */

	if (!top[0]) {
		snprintf(top, sizeof(top), "%.32s/pagewire-fuzz-XXXXXX", tmp ? tmp : "/tmp");
		check(mkdtemp(top) != NULL);
		snprintf(out, sizeof(out), "%s/out", top);
		atexit(drop_top);
	}
	nftw(out, drop_one, 16, FTW_DEPTH | FTW_PHYS);
	check(mkdir(out, 0755) == 0);
}

/* Only `out` is in top. */
static void check_outside(void)
{
	DIR *d = opendir(top);
	struct dirent *e;
	int n = 0;

	check(d != NULL);
	while ((e = readdir(d)) != NULL)
		n += strcmp(e->d_name, ".") && strcmp(e->d_name, "..");
	closedir(d);
	check(n == 1);
}

/* The table's packet, from bytes that the fuzzer chose: TOI, lengths, name. Returns its length. */
static size_t make_table(uint8_t *buf, size_t room, const uint8_t *in, size_t len)
{
	struct pw_fdt_file file = {.symbol_len = 1440, .max_sbl = 64};
	struct pw_fdt fdt = {.files = &file, .n_files = 1, .expires_ntp = UINT32_MAX};
	struct pw_alc_hdr hdr = {.has_fdt = true, .fdt_version = PW_FLUTE_VERSION, .has_fti = true};
	uint8_t b[12] = {0};
	char name[64] = "";
	char *xml;
	size_t xml_len, n;

	memcpy(b, in, len < sizeof(b) ? len : sizeof(b));
	if (len > sizeof(b))
		memcpy(name, in + sizeof(b), pw_min_u64(len - sizeof(b), sizeof(name) - 1));
	file.location = name;
	file.toi = b[0];
	file.content_len = pw_be16_load(b + 1);
	file.transfer_len = file.content_len + (b[3] == 0xff);
	file.symbol_len = pw_be16_load(b + 4);
	file.max_sbl = b[6];
	file.has_len = file.has_oti = file.has_content_len = true;
	file.digest.kind = b[7] % 4;
	fdt.complete = b[8] & 1;
	fdt.n_session_files = b[9];
	hdr.fdt_instance = b[10];
	hdr.tsi = b[11] % 4;
	if (pw_fdt_build(&fdt, &xml, &xml_len, NULL) < 0)
		return 0;
	hdr.transfer_len = xml_len;
	hdr.symbol_len = (uint16_t)xml_len;
	hdr.max_sbl = 1;
	n = pw_alc_build(buf, &hdr, false);
	if (n + xml_len <= room && xml_len <= UINT16_MAX) {
		memcpy(buf + n, xml, xml_len);
		n += xml_len;
	}
	free(xml);
	return n;
}

struct burst {
	struct pw_rx_view views[BURST_MAX];
	size_t n;
	bool waits;             /* for what follows from each burst */
	uint32_t n_lanes, lane; /* that brings it */
};

static void flush(struct pw_recv *r, struct burst *b)
{
	if (b->n_lanes > 1)
		pw_recv_lane_burst(r, b->lane++ % b->n_lanes, b->views, b->n);
	else
		pw_recv_burst(r, b->views, b->n);
	if (b->waits)
		pw_recv_settle(r);
	while (b->n) {
		b->n--;
		free((void *)(uintptr_t)(b->views[b->n].data - 1));
	}
}

/* At the end of its own allocation, for ASan to watch over. */
static void add(struct burst *b, const uint8_t *data, size_t len)
{
	uint8_t *copy = malloc(len + 1);

	check(copy != NULL);
	memcpy(copy + 1, data, len);
	/* There are two senders; the number of the session selects one, if it is short. */
	b->views[b->n++] = (struct pw_rx_view){.data = copy + 1,
		.len = (uint32_t)len,
		.from = {.word = {len > 7 ? data[7] & 1u : 0}}};
}

static void feed(
	struct pw_recv *r, const uint8_t *data, size_t size, size_t burst_max, uint32_t n_lanes)
{
	static uint8_t table[8192];
	struct burst b = {.n_lanes = n_lanes, .waits = burst_max == 1};
	size_t len, n;

	for (n = 0; n < MAX_PACKETS && size >= 2; n++) {
		len = pw_be16_load(data);
		data += 2;
		size -= 2;
		if (len == 0xffff) {
			len = pw_min_u64(size, 40);
			add(&b, table, make_table(table, sizeof(table), data, len));
		} else {
			len = pw_min_u64(size, len);
			add(&b, data, len);
		}
		if (b.n == burst_max)
			flush(r, &b);
		data += len;
		size -= len;
	}
	flush(r, &b);
}

static void check_state(struct pw_recv *r)
{
	struct pw_recv_file_info info;
	struct pw_recv_counters c;
	struct pw_recv_status st;
	uint64_t have = 0, ended = 0, total = 0;
	size_t i;

	pw_recv_counters(r, &c);
	pw_recv_status(r, &st);
	for (i = 0; i < pw_recv_n_files(r); i++) {
		pw_recv_file(r, i, &info);
		check(info.have_bytes <= info.len_bytes);
		check(info.state != PW_RECV_REFUSED || info.reason);
		check(info.state != PW_RECV_SUPERSEDED || info.reason);
		check(info.state != PW_RECV_VERIFYING || st.fatal);
		have += info.have_bytes;
		total += info.len_bytes;
		ended += info.state >= PW_RECV_COMPLETE;
	}
	check(have == st.bytes_have && total == st.bytes_total && ended == st.n_ended);
	check(st.symbols_seen <= st.symbols_expected);
	check(c.malformed + c.alc_verdicts[PW_ALC_OK] + c.alc_verdicts[PW_ALC_PROBE] == c.packets);
}

static struct pw_recv_counters receive(
	const struct pw_recv_config *cfg, const uint8_t *data, size_t size, size_t burst_max)
{
	struct pw_recv_counters c;
	struct pw_err err = {0};
	struct pw_recv *r;

	check(pw_recv_create(&r, cfg, NULL, &err) == 0);
	feed(r, data, size, burst_max, cfg->n_lanes);
	check(pw_recv_finish(r, &err) >= 0);
	check_state(r);
	pw_recv_counters(r, &c);
	pw_recv_destroy(r);
	return c;
}

static void check_same(const struct pw_recv_counters *a, const struct pw_recv_counters *b)
{
	check(a->packets == b->packets && a->malformed == b->malformed);
	check(a->fdt_packets == b->fdt_packets && a->strangers == b->strangers);
	if (a->fdt_conflicts + b->fdt_conflicts + a->fdt_bad + b->fdt_bad == 0)
		check(a->payload_bytes == b->payload_bytes);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct pw_recv_config cfg = {.max_file_bytes = 1u << 20, .max_files = 1000};
	struct pw_recv_counters single, burst, lanes;

	if (size < 1)
		return 0;
	cfg.discard = !(data[0] & 1);
	cfg.force = data[0] & 2;
	cfg.n_lanes = data[0] & 8 ? 2 : 1;
	if (!cfg.discard) {
		make_dirs();
		cfg.out_dir = out;
		receive(&cfg, data + 1, size - 1, data[0] & 4 ? 1 : BURST_MAX);
		check_outside();
		return 0;
	}
	single = receive(&cfg, data + 1, size - 1, 1);
	burst = receive(&cfg, data + 1, size - 1, BURST_MAX);
	cfg.n_lanes = 3;
	lanes = receive(&cfg, data + 1, size - 1, 2);
	check_same(&single, &burst);
	check_same(&single, &lanes);
	return 0;
}
