/* SPDX-License-Identifier: BSD-3-Clause */
/* Makes the rows of a bench from its options: which ways, wires, file sizes and MTUs are measured. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "bench/bench_private.h"
#include "bench/rebind.h"
#include "host/cpu.h"
#include "kernel/hostname.h"

#define EAL_BYTES   (2 * (96ull << 20)) /* two processes' pools */
#define CELL_GRACE  (20 * PW_NS_PER_S)
#define LIST_MAX    512
#define MTU_MIN     576
#define MTU_MAX     65535
#define QUICK_BYTES "32MiB"

/* What a profile measures when the lists are not given. */
static const struct profile {
	const char *name, *wires, *ways, *sizes, *mtus;
	uint64_t rounds, stretch_ns;
} profiles[] = {
	{"quick", "loopback,veth,sink,vhost,null",
		"read_write@loopback,mmap_write@loopback,sendfile@loopback,msg_zerocopy@loopback,"
		"udp_read_send,udp_sendmmsg@loopback,udp_gso,sendfile@veth,packet_tx_ring@veth,"
		"xdp_copy@veth,dpdk_af_packet/hugefile@veth,udp_zerocopy@sink,packet_tx_ring@sink,"
		"dpdk_vhost/hugefile,dpdk_virtio_user/stage,dpdk_null/hugefile",
		QUICK_BYTES, "1500", 5, 150000000},
	{"full", "loopback,veth,sink,tap,vhost,null", NULL, "4KiB,64KiB,1MiB,64MiB,1GiB",
		"1500,9000", 10, 1000000000},
};

struct list {
	char text[LIST_MAX];
	char *items[64];
	size_t n;
};

static bool is_in(const struct list *l, const char *item)
{
	size_t i;

	for (i = 0; i < l->n; i++)
		if (!strcmp(l->items[i], item))
			return true;
	return false;
}

static int split(const char *what, const char *s, struct list *l, struct pw_err *err)
{
	char *save = NULL, *item;

	memset(l, 0, sizeof(*l));
	if (strlen(s) >= sizeof(l->text))
		return pw_err_set(err, EINVAL, "cannot read %s: the list is too long", what);
	memcpy(l->text, s, strlen(s));
	for (item = strtok_r(l->text, ",", &save); item; item = strtok_r(NULL, ",", &save)) {
		if (is_in(l, item)) /* a row is measured once */
			continue;
		if (l->n == PW_ARRAY_LEN(l->items))
			return pw_err_set(
				err, EINVAL, "cannot read %s: the list is too long", what);
		l->items[l->n++] = item;
	}
	return l->n ? 0
		    : pw_err_set(err, EINVAL, "cannot read %s '%s': name at least one", what, s);
}

/* An item is a way's name or label, and may end in @WIRE: only there. wire NULL: any. */
static bool matches(const struct pw_bench_way *w, const char *item, const char *wire)
{
	const char *at = strchr(item, '@');
	size_t len = at ? (size_t)(at - item) : strlen(item);

	if (at && wire && strcmp(at + 1, wire))
		return false;
	return (strlen(w->name) == len && !strncmp(w->name, item, len)) ||
	       (strlen(w->label) == len && !strncmp(w->label, item, len));
}

static bool is_wire(const char *item)
{
	const char *at = strchr(item, '@');
	int i;

	for (i = 0; at && i < PW_WIRE_N; i++)
		if (!strcmp(at + 1, pw_wire_name((enum pw_wire_kind)i)))
			return true;
	return !at;
}

/* Every name in --ways must be one. */
static int check_ways(const struct pw_bench *b, const struct list *l, struct pw_err *err)
{
	size_t i, k;

	for (i = 0; i < l->n; i++) {
		for (k = 0; k < b->n_ways && !matches(&b->ways[k], l->items[i], NULL);)
			k++;
		if (!is_wire(l->items[i]))
			return pw_err_set(err, EINVAL,
				"cannot use --ways %s: the wire after @ does not exist",
				l->items[i]);
		if (k == b->n_ways)
			return pw_err_set(err, EINVAL,
				"cannot use --ways %s: there is no such way; `pagewire bench "
				"--list` "
				"names them",
				l->items[i]);
	}
	return 0;
}

/* A row's own name: a ratio is to one row of each table. */
static int check_baseline(const struct pw_bench *b, struct pw_err *err)
{
	size_t i;

	for (i = 0; i < b->n_ways; i++)
		if (b->opt.baseline && !strcmp(b->ways[i].label, b->opt.baseline))
			return 0;
	return pw_err_set(err, EINVAL,
		"cannot use --baseline %s: there is no such row; `pagewire bench --list` names "
		"them",
		b->opt.baseline ? b->opt.baseline : "");
}

static bool is_chosen(const struct list *l, const struct pw_bench_way *w, enum pw_wire_kind wire)
{
	size_t i;

	for (i = 0; i < l->n; i++)
		if (matches(w, l->items[i], pw_wire_name(wire)))
			return true;
	return l->n == 0;
}

static int parse_sizes(const struct pw_bench *b, const char *list, uint64_t *sizes, uint32_t *n,
	struct pw_err *err)
{
	struct stat st;
	struct list l;
	size_t i;
	int r;

	if (b->opt.file) {
		if (stat(b->opt.file, &st))
			return pw_err_sys(err, errno, "cannot read %s", b->opt.file);
		if (!S_ISREG(st.st_mode))
			return pw_err_set(err, EINVAL, "cannot read %s: no ordinary file; name one",
				b->opt.file);
		sizes[0] = (uint64_t)st.st_size;
		*n = 1;
		return 0;
	}
	r = split("--sizes", list, &l, err);
	if (r == 0 && l.n > PW_STORE_SIZES)
		r = pw_err_set(err, EINVAL, "cannot read --sizes: more than %d", PW_STORE_SIZES);
	for (i = 0; r == 0 && i < l.n; i++)
		r = pw_units_parse_size("--sizes", l.items[i], &sizes[i], err);
	*n = (uint32_t)l.n;
	return r;
}

static int parse_mtus(const char *list, uint32_t *mtus, size_t *n, struct pw_err *err)
{
	struct list l;
	uint64_t v;
	size_t i;
	int r = split("--mtu", list, &l, err);

	if (r == 0 && l.n > PW_BENCH_MTUS)
		r = pw_err_set(err, EINVAL, "cannot read --mtu: more than %d", PW_BENCH_MTUS);
	for (i = 0; r == 0 && i < l.n; i++) {
		r = pw_units_parse_u64("--mtu", l.items[i], MTU_MIN, MTU_MAX, &v, err);
		mtus[i] = (uint32_t)v;
	}
	*n = l.n;
	return r;
}

int pw_cell_cpus(
	const char *cores, const struct pw_log *log, int *source, int *sink, struct pw_err *err)
{
	cpu_set_t set, allowed;
	char list[128];
	int cpu, r;

	*source = *sink = -1;
	r = pw_cpu_allowed(-1, &allowed, err);
	if (r == 0)
		r = cores ? pw_cpu_list_parse("--core", cores, &set, err) : 0;
	if (r)
		return r;
	if (!cores)
		set = allowed;
	for (cpu = 0; cpu < CPU_SETSIZE; cpu++) {
		if (!CPU_ISSET(cpu, &set))
			continue;
		if (!CPU_ISSET(cpu, &allowed))
			return pw_err_set(err, EINVAL,
				"cannot use --core %s: CPU %d is not one that this process may run "
				"on; "
				"name two of %s",
				cores, cpu, pw_cpu_list_format(&allowed, list, sizeof(list)));
		if (*source < 0)
			*source = cpu;
		else if (*sink < 0)
			*sink = cpu;
	}
	if (*sink < 0) {
		*sink = *source;
		pw_warn(log, "one CPU for sender and receiver: pollers starve each other; give two "
			     "with --core");
	}
	return 0;
}

/* Where the file of a row lies, or why the row has to be skipped. */
static const char *place_file(struct pw_bench *b, struct pw_bench_cell *c,
	const struct pw_store_file *f, char *skipped, size_t len)
{
	const struct pw_bench_way *w = c->cell.way;
	bool wants_huge = w->kernel ? !w->kernel->needs_page_cache : w->pages == PW_PAGES_HUGEFILE;
	const char *path = f->tmpfs, *place = "tmpfs";

	if (c->cold && !w->kernel && w->pages == PW_PAGES_HUGEFILE)
		snprintf(skipped, len, "a file on hugetlbfs is never cold");
	else if (c->cold)
		path = f->disk, place = "disk";
	else if (wants_huge && b->store.huge)
		path = f->huge, place = "hugetlbfs";
	else if (!w->kernel && w->pages == PW_PAGES_HUGEFILE)
		snprintf(skipped, len, "%s", b->store.huge_why);
	snprintf(c->pages, sizeof(c->pages), "%s", place);
	return path;
}

/* Why the bypass cannot have the NIC itself. */
static void check_device(const struct pw_bench *b, const struct pw_wire *wire, struct pw_row *row)
{
	struct pw_err why = {0};

	if (!wire->pci[0] && wire->source_if[0])
		pw_err_set(&why, EOPNOTSUPP, "%s is no PCI device", wire->source_if);
	else if (wire->pci[0] && !wire->bifurcated && !b->opt.rebind)
		pw_err_set(&why, EPERM,
			"it takes %s from the kernel for each of its runs and gives it back; allow "
			"that with --rebind",
			wire->source_if);
	else if (wire->pci[0] && !wire->bifurcated)
		pw_rebind_check(wire->source_if, &why);
	snprintf(row->skipped, sizeof(row->skipped), "%s", why.msg);
}

static int add_row(struct pw_bench *b, const struct pw_bench_way *w, const struct pw_wire *wire,
	const struct pw_store_file *f, bool cold, struct pw_err *err)
{
	const struct pw_bench_options *o = &b->opt;
	struct pw_bench_result *res = &b->result;
	struct pw_bench_cell *c;
	struct pw_row *row;

	if (res->n_rows == b->room) {
		b->room = b->room ? 2 * b->room : 64;
		c = realloc(b->cells, b->room * sizeof(*c));
		b->cells = c ? c : b->cells;
		row = realloc(res->rows, b->room * sizeof(*row));
		res->rows = row ? row : res->rows;
		if (!c || !row)
			return pw_err_set(err, ENOMEM, "cannot plan the bench: out of memory");
	}
	c = &b->cells[res->n_rows];
	row = &res->rows[res->n_rows++];
	memset(row, 0, sizeof(*row));
	*c = (struct pw_bench_cell){.cold = cold,
		.cell = {.way = w,
			.wire = wire,
			.file_bytes = f->len_bytes,
			.digest = f->digest,
			.mtu = wire->mtu,
			.batch = (uint32_t)o->batch,
			.chunk_bytes = (uint32_t)o->chunk_bytes,
			.passes = 1,
			.rate = o->rate,
			.populate = !cold,
			.no_huge = o->no_huge || !b->store.huge,
			.sqpoll = o->sqpoll,
			.qdisc_bypass = o->qdisc_bypass,
			.source_cpu = b->source_cpu,
			.sink_cpu = b->sink_cpu,
			.deadline_ns = CELL_GRACE + 4 * o->stretch_ns +
				       (f->len_bytes >> 20) * (20 * PW_NS_PER_S >> 10),
			.verbose = o->verbose,
			.stopped = o->stopped}};
	*row = (struct pw_row){.way = w->name,
		.label = w->label,
		.bypass = !w->kernel,
		.stream = pw_bench_way_is_stream(w),
		.wire = wire->kind,
		.file_bytes = f->len_bytes,
		.mtu = wire->mtu,
		.cold = cold,
		.expected = pw_bench_expect(w, wire->kind, cold)};
	c->cell.file = place_file(b, c, f, row->skipped, sizeof(row->skipped));
	if (w->takes_device && !row->skipped[0])
		check_device(b, wire, row);
	return 0;
}

/* All ways of one wire and one file. */
static int add_group(struct pw_bench *b, const struct list *ways, const struct pw_wire *wire,
	const struct pw_store_file *f, bool cold, struct pw_err *err)
{
	size_t i;
	int r = 0;

	for (i = 0; r == 0 && i < b->n_ways; i++)
		if (b->ways[i].wires & 1u << wire->kind && is_chosen(ways, &b->ways[i], wire->kind))
			r = add_row(b, &b->ways[i], wire, f, cold, err);
	return r;
}

static int add_wire(struct pw_bench *b, const char *text, uint32_t mtu, bool first,
	const struct list *ways, struct pw_err *err)
{
	struct pw_wire *w = &b->wires[b->n_wires];
	struct pw_addr to;
	const char *nic;
	struct pw_err why = {0};
	size_t first_row = b->result.n_rows, i;
	enum pw_wire_kind kind;
	int r = pw_wire_parse(text, &kind, &nic, err);

	if (r)
		return r;
	if (kind == PW_WIRE_NIC && !b->opt.to)
		return pw_err_set(err, EINVAL,
			"cannot use --wires %s: no receiver is named; give --to ADDR:PORT of the "
			"remote one",
			text);
	if (kind == PW_WIRE_NIC && pw_addr_resolve("--to", b->opt.to, PW_ALC_PORT, 0, &to, err))
		return -EINVAL;
	if (b->n_wires == PW_BENCH_WIRES)
		return pw_err_set(err, EINVAL, "cannot use --wires: more than %d", PW_BENCH_WIRES);
	r = pw_wire_open(w, kind, nic, kind == PW_WIRE_NIC ? &to : NULL, mtu, b->store.dir, &why);
	if (r) {
		w->kind = kind; /* rows want to say where they did not run */
		w->mtu = mtu;
		w->source_ns = w->sink_ns = -1;
	}
	b->n_wires++;
	for (i = 0; i < b->store.n_files; i++) {
		const struct pw_store_file *f = &b->store.files[i];
		int added;

		/* every size at the first MTU, the largest at all of them */
		if (!first && i + 1 < b->store.n_files)
			continue;
		added = add_group(b, ways, w, f, false, err);
		if (added == 0 && b->opt.cold_dir && first)
			added = add_group(b, ways, w, f, true, err);
		if (added)
			return added;
	}
	for (i = first_row; r && i < b->result.n_rows; i++)
		snprintf(b->result.rows[i].skipped, sizeof(b->result.rows[i].skipped), "%s",
			why.msg);
	return 0;
}

static void finish_rows(struct pw_bench *b)
{
	size_t i;

	/* the arrays have stopped moving */
	for (i = 0; i < b->result.n_rows; i++)
		b->result.rows[i].pages = b->cells[i].pages;
}

static const struct profile *find_profile(const char *name)
{
	size_t i;

	for (i = 0; i < PW_ARRAY_LEN(profiles); i++)
		if (name && !strcmp(name, profiles[i].name))
			return &profiles[i];
	return &profiles[0];
}

int pw_bench_plan(struct pw_bench *b, bool *usage, struct pw_err *err)
{
	struct pw_bench_options *o = &b->opt;
	const struct profile *p = find_profile(o->profile);
	const char *way_list = o->ways ? o->ways : o->wires ? NULL : p->ways;
	uint64_t sizes[PW_STORE_SIZES], largest = 0;
	uint32_t mtus[PW_BENCH_MTUS], n_sizes = 0;
	struct list wires, ways = {0};
	size_t n_mtus, i, k;
	int r;

	*usage = true;
	o->profile = p->name;
	o->rounds = o->rounds ? o->rounds : p->rounds;
	o->stretch_ns = o->stretch_ns ? o->stretch_ns : p->stretch_ns;
	b->n_ways = pw_bench_ways(b->ways);
	r = way_list ? split("--ways", way_list, &ways, err) : 0;
	r = r ? r : check_ways(b, &ways, err);
	r = r ? r : check_baseline(b, err);
	r = r ? r : split("--wires", o->wires ? o->wires : p->wires, &wires, err);
	r = r ? r : parse_sizes(b, o->sizes ? o->sizes : p->sizes, sizes, &n_sizes, err);
	r = r ? r : parse_mtus(o->mtus ? o->mtus : p->mtus, mtus, &n_mtus, err);
	r = r ? r : pw_cell_cpus(o->cores, o->log, &b->source_cpu, &b->sink_cpu, err);
	if (r)
		return r;
	*usage = false;
	for (i = 0; i < n_sizes; i++)
		largest = pw_max_u64(largest, sizes[i]);
	r = pw_store_make(
		&b->store, sizes, n_sizes, o->file, o->cold_dir, EAL_BYTES + largest, err);
	if (r == 0 && !b->store.huge)
		pw_warn(o->log, "no file on hugetlbfs: %s", b->store.huge_why);
	*usage = r == 0; /* what can be wrong from here on is a wire's name */
	for (i = 0; r == 0 && i < wires.n; i++)
		for (k = 0; r == 0 && k < n_mtus; k++)
			r = add_wire(b, wires.items[i], mtus[k], k == 0, &ways, err);
	if (r == 0 && b->result.n_rows == 0)
		r = pw_err_set(err, EINVAL,
			"cannot use --ways %s: none of them runs on these wires",
			o->ways ? o->ways : "");
	finish_rows(b);
	return r;
}
