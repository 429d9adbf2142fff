/* SPDX-License-Identifier: BSD-3-Clause */
#include "meter/copies.h"

#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <linux/hw_breakpoint.h>
#include <linux/perf_event.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "meter/copies.skel.h"
#include "meter/kernfs.h"
#include "meter/slot.h"

_Static_assert(PW_N_SLOTS <= PW_METER_PROBES, "a reading holds every slot");

enum how {
	HOW_FEXIT,
	HOW_BREAKPOINT, /* for functions in the kernel's lib/, see copies.bpf.c; x86 has four */
};

struct probe {
	const char *function;
	const char *program; /* in copies.bpf.c; NULL: the program of the slot before fills it */
	unsigned int
		n_params; /* that copies.bpf.c expects; a kernel with another number has no probe */
	enum how how;
};

static const struct probe probes[PW_N_SLOTS] = {
	[PW_SLOT_TO_ITER] = {"_copy_to_iter", "to_iter", 3, HOW_BREAKPOINT},
	[PW_SLOT_FROM_ITER] = {"_copy_from_iter", "from_iter", 3, HOW_BREAKPOINT},
	[PW_SLOT_FROM_ITER_NOCACHE] = {"_copy_from_iter_nocache", "from_iter_nocache", 3,
		HOW_BREAKPOINT},
	[PW_SLOT_CSUM_FROM_ITER] = {"csum_and_copy_from_iter", "csum_from_iter", 4, HOW_BREAKPOINT},
	[PW_SLOT_CSUM_FROM_ITER_FULL] = {"csum_and_copy_from_iter_full", "csum_from_iter_full", 4,
		HOW_FEXIT},
	[PW_SLOT_COPY_BITS] = {"skb_copy_bits", "copy_bits", 4, HOW_FEXIT},
	[PW_SLOT_COPY_CSUM_BITS] = {"skb_copy_and_csum_bits", "copy_csum_bits", 4, HOW_FEXIT},
	[PW_SLOT_STORE_BITS] = {"skb_store_bits", "store_bits", 4, HOW_FEXIT},
	[PW_SLOT_EXPAND_HEAD] = {"pskb_expand_head", "expand_head", 4, HOW_FEXIT},
	[PW_SLOT_COPY_HEAD] = {"__pskb_copy_fclone", "copy_head", 4, HOW_FEXIT},
	[PW_SLOT_COPY_UBUFS] = {"skb_copy_ubufs", "copy_ubufs", 2, HOW_FEXIT},
	[PW_SLOT_COPY_UBUFS_LATER] = {"skb_copy_ubufs, later", NULL, 0, HOW_FEXIT},
};

/* Without these the sum would miss payload on every kernel. */
static const enum pw_slot_index needed[] = {PW_SLOT_TO_ITER, PW_SLOT_FROM_ITER, PW_SLOT_COPY_UBUFS};

struct pw_copies {
	struct copies_bpf *skeleton;
	int slots; /* the map's descriptor */
	int n_cpus;
	bool has[PW_N_SLOTS];
	struct bpf_link *links[PW_N_SLOTS];
	struct pw_slot *per_cpu; /* n_cpus, of one slot */
};

/* step is "load", "fexit at FUNCTION". */
static void set_why(char *why, const char *step, int code)
{
	bool refusal = code == EPERM || code == EACCES;
	char lockdown[32];

	if (refusal && geteuid() != 0) {
		snprintf(why, PW_ERR_MAX, "BPF: %s: %s; run as root", step, strerror(code));
		return;
	}
	pw_kernfs_lockdown(lockdown, sizeof(lockdown));
	if (refusal && *lockdown && strcmp(lockdown, "none") != 0)
		snprintf(why, PW_ERR_MAX,
			"BPF: %s: %s, even for root: this kernel is locked down (%s); run in a "
			"guest "
			"(scripts/vm)",
			step, strerror(code), lockdown);
	else
		snprintf(why, PW_ERR_MAX, "BPF: %s: %s; run in a guest (scripts/vm)", step,
			strerror(code));
}

static bool has_function(const struct btf *btf, const struct probe *p)
{
	int id = btf__find_by_name_kind(btf, p->function, BTF_KIND_FUNC);
	const struct btf_type *type = id > 0 ? btf__type_by_id(btf, (__u32)id) : NULL;
	const struct btf_type *prototype = type ? btf__type_by_id(btf, type->type) : NULL;

	return prototype && btf_is_func_proto(prototype) && btf_vlen(prototype) == p->n_params;
}

static struct bpf_program *find_program(const struct pw_copies *c, const struct probe *p)
{
	return bpf_object__find_program_by_name(c->skeleton->obj, p->program);
}

/* Loads only the programs whose functions the running kernel has. */
static int choose(struct pw_copies *c, char *why)
{
	struct btf *btf = btf__load_vmlinux_btf();
	size_t i;

	if (!btf) {
		snprintf(why, PW_ERR_MAX,
			"BPF: /sys/kernel/btf/vmlinux: %s; use a kernel with "
			"CONFIG_DEBUG_INFO_BTF",
			strerror(errno));
		return -EOPNOTSUPP;
	}
	for (i = 0; i < PW_N_SLOTS; i++) {
		if (!probes[i].program) {
			c->has[i] = c->has[i - 1];
			continue;
		}
		c->has[i] = has_function(btf, &probes[i]);
		bpf_program__set_autoload(find_program(c, &probes[i]), c->has[i]);
	}
	btf__free(btf);
	for (i = 0; i < sizeof(needed) / sizeof(needed[0]); i++) {
		if (c->has[needed[i]])
			continue;
		snprintf(why, PW_ERR_MAX,
			"BPF: this kernel has no %s() as 6.1 to 6.18 have it; use one of "
			"those",
			probes[needed[i]].function);
		return -ENOENT;
	}
	return 0;
}

static int set_own_process(struct pw_copies *c, char *why)
{
	struct stat pidns;

	if (stat("/proc/self/ns/pid", &pidns)) {
		snprintf(why, PW_ERR_MAX, "BPF: /proc/self/ns/pid: %s; mount /proc",
			strerror(errno));
		return -EOPNOTSUPP;
	}
	c->skeleton->rodata->pidns_device = pidns.st_dev;
	c->skeleton->rodata->pidns_inode = pidns.st_ino;
	c->skeleton->rodata->process = (__u32)getpid();
	return 0;
}

static void note_address(
	const struct pw_copies *c, const char *name, uint64_t at, uint64_t addresses[PW_N_SLOTS])
{
	size_t i;

	for (i = 0; i < PW_N_SLOTS; i++)
		if (c->has[i] && probes[i].how == HOW_BREAKPOINT && !addresses[i] &&
			strcmp(name, probes[i].function) == 0)
			addresses[i] = at;
}

/* Of the breakpoints' functions. The file is long: one pass finds all. Without privilege, addresses read as
 * zeros. */
static int find_addresses(const struct pw_copies *c, uint64_t addresses[PW_N_SLOTS])
{
	char line[256], name[64];
	unsigned long long at;
	FILE *f = fopen("/proc/kallsyms", "re");

	if (!f)
		return -errno;
	while (fgets(line, sizeof(line), f))
		if (strstr(line, "copy_") && sscanf(line, "%llx %*c %63s", &at, name) == 2)
			note_address(c, name, at, addresses);
	fclose(f);
	return 0;
}

static struct bpf_link *attach_breakpoint(uint64_t address, const struct bpf_program *program)
{
	struct perf_event_attr attr = {
		.type = PERF_TYPE_BREAKPOINT,
		.size = sizeof(attr),
		.bp_type = HW_BREAKPOINT_X,
		.bp_len = sizeof(long), /* the only length that kernels accept for instructions */
		.sample_period = 1,
		.inherit = 1,
		.inherit_thread = 1,
	};
	struct bpf_link *link;
	int fd, r;

	if (!address) {
		errno = EPERM;
		return NULL;
	}
	attr.bp_addr = address;
	fd = (int)syscall(SYS_perf_event_open, &attr, 0, -1, -1, PERF_FLAG_FD_CLOEXEC);
	if (fd < 0)
		return NULL;
	link = bpf_program__attach_perf_event(program, fd);
	if (!link) {
		r = errno;
		close(fd);
		errno = r;
	}
	return link; /* owns fd */
}

static int attach(struct pw_copies *c, char *why)
{
	uint64_t addresses[PW_N_SLOTS] = {0};
	char step[64];
	size_t i;
	int r = find_addresses(c, addresses);

	if (r) {
		set_why(why, "/proc/kallsyms", -r);
		return r;
	}
	for (i = 0; i < PW_N_SLOTS; i++) {
		if (!c->has[i] || !probes[i].program)
			continue;
		c->links[i] = probes[i].how == HOW_BREAKPOINT
				      ? attach_breakpoint(addresses[i], find_program(c, &probes[i]))
				      : bpf_program__attach(find_program(c, &probes[i]));
		if (!c->links[i]) {
			int code = errno;

			snprintf(step, sizeof(step), "%s at %s",
				probes[i].how == HOW_FEXIT ? "fexit" : "breakpoint",
				probes[i].function);
			set_why(why, step, code);
			return -code;
		}
	}
	return 0;
}

static int load(struct pw_copies *c, char *why)
{
	int r;

	c->skeleton = copies_bpf__open();
	if (!c->skeleton) {
		r = -errno;
		set_why(why, "open", -r);
		return r;
	}
	r = choose(c, why);
	if (r == 0)
		r = set_own_process(c, why);
	if (r)
		return r;
	r = copies_bpf__load(c->skeleton);
	if (r) {
		set_why(why, "load", -r);
		return r;
	}
	c->slots = bpf_map__fd(c->skeleton->maps.slots);
	return attach(c, why);
}

static int allocate(struct pw_copies **c)
{
	int n_cpus = libbpf_num_possible_cpus();

	*c = n_cpus > 0 ? calloc(1, sizeof(**c)) : NULL;
	if (!*c)
		return -ENOMEM;
	(*c)->n_cpus = n_cpus;
	(*c)->per_cpu = calloc((size_t)n_cpus, sizeof(*(*c)->per_cpu));
	if ((*c)->per_cpu)
		return 0;
	free(*c);
	*c = NULL;
	return -ENOMEM;
}

int pw_copies_open(struct pw_copies **c, const struct pw_log *log, char *why)
{
	libbpf_print_fn_t print;
	size_t i;
	int r = allocate(c);

	if (r)
		return r;
	print = libbpf_set_print(NULL); /* it would write to standard error */
	r = load(*c, why);
	libbpf_set_print(print);
	if (r) {
		pw_copies_close(*c);
		*c = NULL;
		return r == -ENOMEM ? r : 0;
	}
	for (i = 0; i < PW_N_SLOTS; i++)
		if (!(*c)->has[i])
			pw_debug(log, "meter: no probe on %s(): not in this kernel",
				probes[i].function);
	return 0;
}

void pw_copies_read(const struct pw_copies *c, struct pw_copies_sums *s)
{
	struct pw_meter_probe *probe = s->probes;
	int cpu;
	__u32 i;

	s->n_probes = 0;
	for (i = 0; i < PW_N_SLOTS; i++) {
		if (!c->has[i])
			continue;
		if (bpf_map_lookup_elem(c->slots, &i, c->per_cpu)) {
			s->n_probes = 0;
			return;
		}
		*probe = (struct pw_meter_probe){.function = probes[i].function};
		for (cpu = 0; cpu < c->n_cpus; cpu++) {
			probe->calls += c->per_cpu[cpu].calls;
			probe->bytes += c->per_cpu[cpu].bytes;
		}
		probe++;
		s->n_probes++;
	}
}

void pw_copies_close(struct pw_copies *c)
{
	size_t i;

	if (!c)
		return;
	for (i = 0; i < PW_N_SLOTS; i++)
		bpf_link__destroy(c->links[i]); /* accepts NULL */
	copies_bpf__destroy(c->skeleton);
	free(c->per_cpu);
	free(c);
}
