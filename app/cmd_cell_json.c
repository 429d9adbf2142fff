/* SPDX-License-Identifier: BSD-3-Clause */
/* What `pagewire cell` prints: docs/json.md, pagewire.cell/1. */
#include <gnu/libc-version.h>

#include "app/cli/cli.h"
#include "app/cmd_cell.h"
#include "base/bytes.h"
#include "base/json_text.h"
#include "cell/bypass.h"
#include "cell/revision.h"
#include "host/cpu.h"

static void set_u64(json_t *o, const char *key, uint64_t value)
{
	json_object_set_new(o, key, json_integer((json_int_t)value));
}

static void set_text(json_t *o, const char *key, const char *text)
{
	json_object_set_new(o, key, text && text[0] ? pw_json_text(text) : json_null());
}

/* The meter's numbers; null: not measured, or the stretch has not ended. */
static json_t *reading(const struct pw_cell_end *end)
{
	const struct pw_reading *r = &end->reading;
	const struct {
		const char *key;
		uint64_t value;
	} rows[] = {
		{"cpu_ns", r->cpu_ns},
		{"user_ns", r->user_ns},
		{"system_ns", r->system_ns},
		{"machine_ns", r->machine_ns},
		{"machine_softirq_ns", r->machine_softirq_ns},
		{"voluntary", r->voluntary},
		{"involuntary", r->involuntary},
		{"syscalls", r->syscalls},
		{"user_faults", r->user_faults},
		{"kernel_faults", r->kernel_faults},
		{"cycles", r->cycles},
		{"instructions", r->instructions},
		{"llc_misses", r->llc_misses},
		{"copied_bytes", r->copied_bytes},
	};
	json_t *o = json_object();
	size_t i;

	for (i = 0; i < PW_ARRAY_LEN(rows); i++) {
		if (end->end_ns && rows[i].value != PW_UNMEASURED)
			set_u64(o, rows[i].key, rows[i].value);
		else
			json_object_set_new(o, rows[i].key, json_null());
	}
	return o;
}

static json_t *not_measured(const struct pw_cell_end *end)
{
	static const char *const keys[] = {
		[PW_METER_SYSCALLS] = "syscalls",
		[PW_METER_FAULTS] = "faults",
		[PW_METER_HARDWARE] = "hardware",
		[PW_METER_COPIES] = "copies",
	};
	json_t *o = json_object();
	size_t i;

	for (i = 0; i < PW_METER_N_SOURCES; i++)
		if (end->why[i][0])
			set_text(o, keys[i], end->why[i]);
	return o;
}

static void add_source(json_t *o, const struct pw_cell_end *end)
{
	const struct pw_tx_counters *c = &end->counters;
	json_t *counters = json_object(), *cycles = end->polls ? json_object() : json_null();

	set_u64(counters, "packets", c->packets);
	set_u64(counters, "payload_bytes", c->payload_bytes);
	set_u64(counters, "wire_bytes", c->wire_bytes);
	set_u64(counters, "cpu_copied_bytes", c->cpu_copied_bytes);
	set_u64(counters, "zc_done", c->zc_done);
	set_u64(counters, "zc_copied", c->zc_copied);
	json_object_set_new(o, "counters", counters);
	if (end->polls) {
		set_u64(cycles, "busy", end->busy_cycles);
		set_u64(cycles, "stall", end->stall_cycles);
		set_u64(cycles, "pace", end->pace_cycles);
	}
	json_object_set_new(o, "cycles", cycles);
	set_u64(o, "page_in_copies", end->page_in_copies);
}

static void add_proof(json_t *o, const struct pw_cell_end *end)
{
	set_text(o, "proof", end->compared ? "compared" : "none");
	json_object_set_new(o, "wrong", json_boolean(end->wrong));
	json_object_set_new(o, "whole", json_boolean(end->whole));
}

static void add_sink(json_t *o, const struct pw_cell_end *end)
{
	json_t *cycles = end->polls ? json_object() : json_null();

	set_u64(o, "first_ns", end->first_ns);
	set_u64(o, "last_ns", end->last_ns);
	set_u64(o, "packets", end->packets);
	set_u64(o, "bytes", end->bytes);
	set_u64(o, "missed", end->missed);
	set_u64(o, "mapped_bytes", end->mapped_bytes);
	add_proof(o, end);
	if (end->polls) {
		set_u64(cycles, "busy", end->busy_cycles);
		set_u64(cycles, "idle", end->idle_cycles);
	}
	json_object_set_new(o, "cycles", cycles);
}

static json_t *between(enum pw_cell_role role, const struct pw_cell *cell)
{
	if (role == PW_CELL_SOURCE)
		return json_pack("[s, s]", "just before the first byte is handed over",
			"when the way has taken the last one");
	if (role == PW_CELL_TEXTBOOK)
		return json_pack("[s, s]", "just before the first call", "just after the last one");
	return json_pack("[s, s]", "when packets can come",
		cell->into ? "when the file is verified and on the disk"
			   : "when no more packets come");
}

int pw_cell_report(enum pw_cell_role role, const char *way, const struct pw_cell *cell,
	const struct pw_cell_end *end)
{
	const int code = !end->result ? PW_EXIT_OK : end->lacking ? PW_EXIT_NOENV : PW_EXIT_RUNTIME;
	json_t *o = pw_cli_json_result("pagewire.cell/1", code);

	set_text(o, "role", pw_cell_roles[role]);
	set_text(o, "way", way);
	set_text(o, "error", end->result ? end->err.msg : NULL);
	json_object_set_new(o, "errno", json_integer(end->result ? end->err.code : 0));
	json_object_set_new(o, "lacking", json_boolean(code == PW_EXIT_NOENV));
	json_object_set_new(o, "between", between(role, cell));
	set_u64(o, "start_ns", end->start_ns);
	set_u64(o, "end_ns", end->end_ns);
	set_u64(o, "setup_ns", end->setup_ns);
	json_object_set_new(o, "reading", reading(end));
	json_object_set_new(o, "not_measured", not_measured(end));
	if (role == PW_CELL_SOURCE)
		add_source(o, end);
	else if (role == PW_CELL_SINK)
		add_sink(o, end);
	else
		add_proof(o, end);
	pw_cli_print_json(o);
	return code;
}

void pw_cell_print_fec(const struct pw_cell_fec_end *end)
{
	json_t *o = pw_cli_json_result("pagewire.cell/1", PW_EXIT_OK);

	set_text(o, "role", pw_cell_roles[PW_CELL_FEC]);
	set_u64(o, "bytes", end->bytes);
	set_u64(o, "cpu_ns", end->cpu_ns);
	pw_cli_print_json(o);
}

static json_t *describe(const char *name, const char *summary, enum pw_way_kind kind)
{
	static const char *const kinds[] = {
		[PW_WAY_STREAM] = "stream",
		[PW_WAY_DATAGRAM] = "datagram",
		[PW_WAY_FRAME] = "frame",
	};

	return json_pack("{s:s, s:s, s:s}", "name", name, "summary", summary, "kind", kinds[kind]);
}

void pw_cell_print_ways(void)
{
	json_t *ways = json_array(), *receivers = json_array(), *o;
	const struct pw_rx_way *const *r;
	const struct pw_way *const *w;

	for (w = pw_ways; *w; w++) {
		o = describe((*w)->name, (*w)->summary, (*w)->kind);
		json_object_set_new(o, "needs_page_cache", json_boolean((*w)->needs_page_cache));
		json_object_set_new(o, "tls", json_boolean((*w)->tls));
		json_object_set_new(o, "zerocopy", json_boolean((*w)->zerocopy));
		json_array_append_new(ways, o);
	}
	for (r = pw_rx_ways; *r; r++)
		json_array_append_new(receivers, describe((*r)->name, (*r)->summary, (*r)->kind));
	o = pw_cli_json_result("pagewire.cell/1", PW_EXIT_OK);
	json_object_set_new(o, "ways", ways);
	json_object_set_new(o, "receivers", receivers);
	pw_cli_print_json(o);
}

void pw_cell_print_version(void)
{
	json_t *o = pw_cli_json_result("pagewire.cell/1", PW_EXIT_OK);
	char hypervisor[13];

	pw_cpu_hypervisor(hypervisor);
	set_text(o, "pagewire", PW_VERSION);
	set_text(o, "revision", pw_cell_revision);
	set_text(o, "dpdk", pw_cell_bypass_version());
	set_text(o, "liburing", pw_cell_uring_version);
	set_text(o, "libc", gnu_get_libc_version());
	set_text(o, "hypervisor", hypervisor);
	pw_cli_print_json(o);
}
