/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * One process of a cell of the bench: the source sends one file by one way, or the sink receives it. The
 * bench starts the processes, pins them and compares what they report.
 *
 *   source   file -> way or port -> stretch between two readings of the meter
 *   sink     receive way or port -> a buffer, then compared with the file; or a file in a directory
 */
#ifndef PW_CELL_CELL_H
#define PW_CELL_CELL_H

#include "base/err.h"
#include "base/log.h"
#include "base/units.h"
#include "file/window.h"
#include "kernel/rxway.h"
#include "kernel/way.h"
#include "meter/meter.h"
#include "wire/frame.h"

#define PW_CELL_WHY 160 /* bytes of a reason, at most */

struct pw_cell {
	const struct pw_way *way;         /* source: of the kernel; NULL: port */
	const struct pw_rx_way *receiver; /* sink: of the kernel; NULL: port */
	const char *port;                 /* DPDK's PORT */
	const char *file;
	uint64_t file_bytes;
	struct pw_flow
		flow; /* source: complete; sink: dst is where it listens, family 0: anywhere */
	const char *interface; /* frame ways; may be NULL */
	const char *cores;     /* of a polling thread; NULL: any */
	uint32_t mtu;
	uint64_t born_ns;     /* just before the process was started */
	uint64_t deadline_ns; /* by pw_clock_ns() */
	unsigned int meter;   /* 1 << enum pw_meter_source */
	bool no_huge;         /* EAL memory on ordinary pages */
	bool verbose;
	const struct pw_log *log;
	/* source */
	const char *to, *from, *to_mac; /* as given: a port's */
	enum pw_pages pages;            /* a port's provider */
	uint64_t passes;                /* over the file */
	uint64_t lead_ns;               /* between the file table and the first file byte */
	uint32_t batch;                 /* packets in one call where the API has one */
	uint64_t chunk_bytes;           /* stream ways */
	struct pw_rate rate;
	bool remote;       /* to a `pagewire recv`: the file table has a digest */
	bool no_populate;  /* the way pays for its page faults */
	bool sqpoll;       /* io_uring ways */
	bool qdisc_bypass; /* AF_PACKET ways */
	/* sink */
	const char *into; /* directory; NULL: memory */
	bool direct;      /* past the page cache */
	bool tls;         /* the source's way has .tls */
	int ready_fd;     /* a byte is written there when packets can come; -1: none */
	int ended_fd;     /* at its end the source has ended */
};

/* What came of it. */
struct pw_cell_end {
	int result; /* 0, -errno */
	struct pw_err err;
	bool lacking;              /* this host lacks something: err has the reason */
	uint64_t start_ns, end_ns; /* the stretch, CLOCK_MONOTONIC; 0: it did not come to that */
	uint64_t setup_ns;         /* from born_ns to start_ns */
	struct pw_reading reading; /* of the stretch */
	char why[PW_METER_N_SOURCES][PW_CELL_WHY]; /* "" or why a source measured nothing */
	bool polls;                                /* the cycles below are measured */
	uint64_t busy_cycles;                      /* in calls that sent, or brought, something */
	/* source */
	struct pw_tx_counters counters;
	uint64_t stall_cycles, pace_cycles; /* the way took nothing; it waited for the rate */
	uint8_t page_in_copies;
	/* sink */
	uint64_t first_ns, last_ns; /* arrivals of file bytes */
	uint64_t packets;           /* with file bytes; stream: 0 */
	uint64_t bytes;             /* file bytes, every pass */
	uint64_t idle_cycles;       /* polls that brought nothing, before and after included */
	uint64_t missed;            /* the port's or socket's own drop counter */
	uint64_t mapped_bytes;      /* stream: of bytes, in pages that the kernel mapped */
	bool compared;              /* what arrived, with the file */
	bool wrong;                 /* it differs */
	bool whole;                 /* every byte of the file arrived at least once */
};

void pw_cell_source(const struct pw_cell *cell, struct pw_cell_end *end);
void pw_cell_sink(const struct pw_cell *cell, struct pw_cell_end *end);

/* The stretch that is measured. Source: from the first byte handed over to the last one taken. */
struct pw_stretch {
	const struct pw_cell *cell;
	struct pw_meter *meter;
	struct pw_cell_end *end;
};
/* Opens the meter: before there are other threads. Fills end->why. */
int pw_cell_stretch_open(struct pw_stretch *s, const struct pw_cell *cell, struct pw_cell_end *end);
void pw_cell_stretch(void *stretch, bool starts); /* for pw_send_config.stretch */

/* The error r means that this host lacks a feature or a privilege. */
bool pw_cell_is_lacking(int r);

#endif
