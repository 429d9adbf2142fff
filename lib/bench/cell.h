/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Measures a cell once: one way on one wire with one file. The bench starts two new processes, source and
 * sink, waits for them, and compares the bytes that the source sent with those that the sink has.
 *
 *   bench --fork--> sink    rx path or TCP socket -> buffer -> digest     --pipe--> struct pw_sink_end
 *         --fork--> source  way -> stretch between two readings           --pipe--> struct pw_source_end
 */
#ifndef PW_BENCH_CELL_H
#define PW_BENCH_CELL_H

#include "base/log.h"
#include "base/units.h"
#include "bench/way.h"
#include "bench/wire.h"
#include "meter/meter.h"
#include "wire/fdt.h"

/* What does not slow down what is timed. */
#define PW_METER_TIMING (1u << PW_METER_HARDWARE)

struct pw_cell {
	const struct pw_bench_way *way;
	const struct pw_wire *wire;
	const char *file;
	uint64_t file_bytes;
	struct pw_digest digest; /* XXH3-128 of the file */
	uint32_t mtu;
	uint32_t batch;       /* packets in one call where the API has one */
	uint32_t chunk_bytes; /* stream ways */
	uint64_t passes;      /* over the file */
	struct pw_rate rate;
	bool populate; /* page tables filled before the stretch; false: the way pays for its faults */
	unsigned int
		meter; /* 1 << enum pw_meter_source; other than PW_METER_TIMING: an evidence run */
	bool no_huge;  /* EAL memory on ordinary pages */
	bool sqpoll;
	bool qdisc_bypass;
	int source_cpu, sink_cpu; /* -1: any */
	uint64_t deadline_ns;     /* for both processes */
	bool verbose;
	bool (*stopped)(void); /* the bench was interrupted; may be NULL */
};

struct pw_source_end {
	int result; /* 0, -errno */
	struct pw_err err;
	bool lacking;              /* the host lacks something: skip the row, err has the reason */
	uint64_t start_ns, end_ns; /* the stretch, CLOCK_MONOTONIC */
	uint64_t setup_ns;         /* from the fork to start_ns */
	struct pw_reading reading;
	char why[PW_METER_N_SOURCES][160]; /* "" or why a source measured nothing */
	struct pw_tx_counters counters;
	uint64_t busy_cycles, stall_cycles, pace_cycles;
	bool poller;
	uint8_t page_in_copies;
};

struct pw_sink_end {
	int result;
	struct pw_err err;
	bool lacking;
	uint64_t first_ns, last_ns; /* arrivals of file bytes */
	uint64_t packets;           /* with file bytes; stream: 0 */
	uint64_t bytes;             /* file bytes, every pass */
	uint64_t missed;            /* the port's or socket's own drop counter */
	enum pw_proof proof;
	bool wrong; /* bytes differ from the file's */
};

struct pw_cell_end {
	struct pw_source_end source;
	struct pw_sink_end sink;
	bool has_sink;
	struct pw_wire_count before, after; /* sink, nic: the device's counters */
	char last_words[200];               /* of a child that failed: the last line it wrote */
};

/* The sender's and the receiver's CPU: the first two of the list (NULL: of those allowed), or the same
 * one, with a warning, where there is no other. */
int pw_cell_cpus(
	const char *cores, const struct pw_log *log, int *source, int *sink, struct pw_err *err);

/* Runs a cell. 0 and *end, whatever the children's fate; -errno when they could not be started, or
 * -ECANCELED. Children never outlive this call. */
int pw_cell_run(const struct pw_cell *cell, struct pw_cell_end *end, struct pw_err *err);

/* What a cell has shown, as numbers; the sample is void where the bytes were wrong or a process
 * failed. */
void pw_cell_sample(const struct pw_cell *cell, const struct pw_cell_end *end, struct pw_sample *s);

/* In the children. ready: a byte is written there when packets can come; done: closed by the bench
 * when the source has ended. */
void pw_source_run(const struct pw_cell *cell, uint64_t born_ns, struct pw_source_end *end);
void pw_sink_run(const struct pw_cell *cell, int ready, int done, struct pw_sink_end *end);

/* The stretch that is measured: from the first byte handed over to the last one taken. */
struct pw_stretch {
	const struct pw_cell *cell;
	struct pw_meter *meter;
	uint64_t born_ns; /* when the bench made the process */
	struct pw_source_end *end;
};
void pw_stretch_hook(void *stretch, bool starts); /* for pw_send_config.stretch */

/* The bypass; a build without DPDK has functions that fail with this reason. */
const char *pw_bypass_version(void); /* "DPDK 22.11.11"; "" without */
void pw_source_bypass(struct pw_stretch *s);

/* The error r means that this host lacks a feature or a privilege: the cell is skipped, not failed. */
bool pw_source_is_lacking(int r);
struct pw_sink_path {
	const struct pw_rx_ops *ops;
	void *path;
	void (*close)(void *path);
	bool sleeps;
};
int pw_sink_bypass_open(const struct pw_cell *cell, const char *port, struct pw_sink_path *path,
	struct pw_err *err);

#endif
