/* SPDX-License-Identifier: BSD-3-Clause */
/* The rows of the textbook's table: its three kernel ways, and the bypass on two ports. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "bench/textbook.h"
#include "host/sysfs.h"

#define DEADLINE_NS (20 * PW_NS_PER_S)
#define MTU         1500

static double count(uint64_t v)
{
	return v == PW_UNMEASURED ? NAN : (double)v;
}

/* What the lecture counts and this run did not have, and the other way round. */
static void explain(struct pw_classic_row *row)
{
	bool faults = row->kernel_faults > 0;

	if (row->way == PW_CLASSIC_MMAP_WRITE && faults)
		snprintf(row->reason, sizeof(row->reason),
			"no DMA: warm cache, no NIC; %.0f page fault%s for %llu pages, inside "
			"write(): "
			"no switch more",
			row->kernel_faults, row->kernel_faults > 1 ? "s" : "",
			(unsigned long long)(row->bytes / 4096));
	else if (row->way == PW_CLASSIC_SENDFILE)
		snprintf(row->reason, sizeof(row->reason),
			"no DMA: warm cache, no NIC; the socket refers to the cache's pages");
	else if (row->way != PW_CLASSIC_BYPASS)
		snprintf(row->reason, sizeof(row->reason), "no DMA: warm cache, no NIC");
}

/* What a lecture does not draw: the pages are there before the pass. And the session reads the clock a
 * few times around it: no call where the vDSO can do it. */
static void explain_bypass(struct pw_classic_row *row, const struct pw_source_end *src, bool staged)
{
	const char *before =
		src->page_in_copies ? "read into EAL memory before the pass: one copy, counted"
		: staged ? "read into EAL memory before the pass, by the disk's DMA (O_DIRECT)"
			 : "mapped before the pass: those calls are not counted";
	char source[64];
	bool calls = row->syscalls > 0 &&
		     pw_sysfs_read(NULL, source, sizeof(source),
			     "/sys/devices/system/clocksource/clocksource0/"
			     "current_clocksource") >= 0 &&
		     strcmp(source, "tsc") && strcmp(source, "kvm-clock");

	snprintf(row->reason, sizeof(row->reason), "%s%s%s", before,
		calls ? "; reading the clock is a system call with this host's clock source, " : "",
		calls ? source : "");
}

static void by_hand(struct pw_classic_row *row, enum pw_textbook_way way, const char *path)
{
	struct pw_textbook_end end;
	struct pw_err err = {0};

	row->bytes = PW_TEXTBOOK_BYTES;
	if (pw_textbook_measure(way, path, &end, &err)) {
		snprintf(row->skipped, sizeof(row->skipped), "%s", err.msg);
		return;
	}
	row->syscalls = count(end.reading.syscalls);
	row->user_faults = count(end.reading.user_faults);
	row->kernel_faults = count(end.reading.kernel_faults);
	row->copies = count(end.copied_bytes) / PW_TEXTBOOK_BYTES;
	snprintf(row->switches_why, sizeof(row->switches_why), "%s",
		end.why_calls[0] ? end.why_calls : end.why_faults);
	snprintf(row->copies_why, sizeof(row->copies_why), "%s", end.why_copies);
	explain(row);
}

/* Whether the cell sent the file, whole and right. */
static bool run_cell(struct pw_classic_row *row, struct pw_cell *cell, unsigned int meter,
	struct pw_cell_end *end)
{
	struct pw_err err = {0};
	int r;

	cell->meter = meter;
	r = pw_cell_run(cell, end, &err);
	if (r == 0 && !end->source.result && !end->sink.result &&
		(!end->has_sink || (end->sink.proof == PW_PROOF_DIGEST && !end->sink.wrong)))
		return true;
	snprintf(row->skipped, sizeof(row->skipped), "%s",
		r                    ? err.msg
		: end->source.result ? end->source.err.msg
		: end->sink.result   ? end->sink.err.msg
				     : "other bytes arrived, or not all");
	return false;
}

/* One pass of the file by a cell; twice, for calls and for copies. */
static void by_cell(struct pw_classic_row *row, struct pw_cell *cell)
{
	struct pw_cell_end end;
	double own;

	row->bytes = cell->file_bytes;
	if (!run_cell(row, cell, PW_METER_CALLS, &end))
		return;
	row->syscalls = count(end.source.reading.syscalls);
	row->user_faults = count(end.source.reading.user_faults);
	row->kernel_faults = count(end.source.reading.kernel_faults);
	snprintf(row->switches_why, sizeof(row->switches_why), "%s",
		end.source.why[PW_METER_SYSCALLS][0] ? end.source.why[PW_METER_SYSCALLS]
						     : end.source.why[PW_METER_FAULTS]);
	if (!run_cell(row, cell, 1u << PW_METER_COPIES, &end))
		return;
	own = (double)end.source.counters.cpu_copied_bytes / (double)cell->file_bytes +
	      end.source.page_in_copies;
	row->copies = count(end.source.reading.copied_bytes) / (double)cell->file_bytes + own;
	snprintf(row->copies_why, sizeof(row->copies_why), "%s", end.source.why[PW_METER_COPIES]);
	explain_bypass(row, &end.source, cell->way->pages == PW_PAGES_STAGE);
}

static const struct pw_bench_way *find_way(
	const struct pw_bench_way *ways, size_t n, const char *label)
{
	size_t i;

	for (i = 0; i < n; i++)
		if (!strcmp(ways[i].label, label))
			return &ways[i];
	return NULL;
}

static void bypass(struct pw_classic_row *row, const struct pw_store *store, const char *label,
	enum pw_wire_kind kind)
{
	const struct pw_store_file *f = &store->files[0];
	struct pw_bench_way ways[PW_BENCH_WAYS_MAX];
	struct pw_wire wire;
	struct pw_err err = {0};
	struct pw_cell cell = {
		.way = find_way(ways, pw_bench_ways(ways), label),
		.wire = &wire,
		.file_bytes = f->len_bytes,
		.digest = f->digest,
		.mtu = MTU,
		.batch = PW_BURST,
		.passes = 1,
		.populate = true,
		.meter = PW_METER_CALLS,
		.no_huge = !store->huge,
		.deadline_ns = DEADLINE_NS,
	};
	bool in_place = cell.way->pages == PW_PAGES_HUGEFILE;

	/* staged from a disk where there is one: O_DIRECT is the textbook's first DMA */
	cell.file = in_place ? f->huge : f->disk[0] ? f->disk : f->tmpfs;
	if (in_place && !store->huge) {
		snprintf(row->skipped, sizeof(row->skipped), "%s", store->huge_why);
		return;
	}
	if (pw_cell_cpus(NULL, NULL, &cell.source_cpu, &cell.sink_cpu, &err) ||
		pw_wire_open(&wire, kind, NULL, NULL, MTU, store->dir, &err)) {
		snprintf(row->skipped, sizeof(row->skipped), "%s", err.msg);
		return;
	}
	by_cell(row, &cell);
	pw_wire_close(&wire);
}

size_t pw_textbook_rows(const struct pw_store *store, struct pw_classic_row *rows)
{
	static const struct {
		enum pw_classic way;
		const char *calls;
	} table[PW_TEXTBOOK_ROWS] = {
		{PW_CLASSIC_READ_WRITE, "read, write"},
		{PW_CLASSIC_MMAP_WRITE, "mmap, write"},
		{PW_CLASSIC_SENDFILE, "sendfile"},
		{PW_CLASSIC_BYPASS, "none: virtio-user, the peer copies as a NIC would"},
		{PW_CLASSIC_BYPASS, "none: null port, pages in place"},
	};
	const char *path = store->files[0].tmpfs;
	size_t i;

	for (i = 0; i < PW_TEXTBOOK_ROWS; i++)
		rows[i] = (struct pw_classic_row){.way = table[i].way,
			.calls = table[i].calls,
			.syscalls = NAN,
			.user_faults = NAN,
			.kernel_faults = NAN,
			.copies = NAN};
	by_hand(&rows[0], PW_TEXTBOOK_READ_WRITE, path);
	by_hand(&rows[1], PW_TEXTBOOK_MMAP_WRITE, path);
	by_hand(&rows[2], PW_TEXTBOOK_SENDFILE, path);
	bypass(&rows[3], store, "dpdk_virtio_user/stage", PW_WIRE_VHOST);
	bypass(&rows[4], store, "dpdk_null/hugefile", PW_WIRE_NULL);
	return PW_TEXTBOOK_ROWS;
}
