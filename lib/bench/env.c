/* SPDX-License-Identifier: BSD-3-Clause */
/* Reads what the bench ran on: kernel, CPU, memory and software versions. */
#include "bench/env.h"

#include <ctype.h>
#include <gnu/libc-version.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>
#include <time.h>
#if defined(__x86_64__)
#include <cpuid.h>
#endif

#include "base/bytes.h"
#include "base/units.h"
#include "host/cpu.h"
#include "host/hugepages.h"
#include "host/numa.h"
#include "host/sysfs.h"

#define VULNERABILITIES "/sys/devices/system/cpu/vulnerabilities"

static struct pw_env_item *find(const struct pw_env *env, const char *key)
{
	size_t i;

	for (i = 0; i < env->n; i++)
		if (strcmp(env->items[i].key, key) == 0)
			return (struct pw_env_item *)&env->items[i];
	return NULL;
}

const char *pw_env_get(const struct pw_env *env, const char *key)
{
	const struct pw_env_item *item = find(env, key);

	return item ? item->value : NULL;
}

const char *pw_env_caveat(const struct pw_env *env)
{
	const char *hypervisor = pw_env_get(env, "hypervisor");

	/* what QEMU's CPUID leaf 0x40000000 says without KVM */
	if (!hypervisor || strcmp(hypervisor, "TCGTCGTCGTCG") != 0)
		return NULL;
	return "emulated CPU (QEMU's TCG): no time here is that of a machine; believe ratios only";
}

void pw_env_add(struct pw_env *env, const char *key, const char *fmt, ...)
{
	struct pw_env_item *item = find(env, key);
	va_list ap;
	char *c;

	if (!item && env->n == PW_ENV_MAX)
		return;
	if (!item)
		item = &env->items[env->n++];
	snprintf(item->key, sizeof(item->key), "%s", key);
	va_start(ap, fmt);
	vsnprintf(item->value, sizeof(item->value), fmt, ap);
	va_end(ap);
	for (c = item->value; *c; c++)
		if (iscntrl((unsigned char)*c))
			*c = ' ';
}

/* What one file says. */
static const struct plain {
	const char *key, *path;
	bool choice; /* "always [madvise] never": the word in brackets */
} plain[] = {
	{"kernel", "/proc/sys/kernel/osrelease", false},
	{"kernel_build", "/proc/sys/kernel/version", false},
	{"cpus_online", "/sys/devices/system/cpu/online", false},
	{"cpus_isolated", "/sys/devices/system/cpu/isolated", false},
	{"cpus_nohz_full", "/sys/devices/system/cpu/nohz_full", false},
	{"cache_l2", "/sys/devices/system/cpu/cpu0/cache/index2/size", false},
	{"cache_l3", "/sys/devices/system/cpu/cpu0/cache/index3/size", false},
	{"smt", "/sys/devices/system/cpu/smt/control", false},
	{"cpufreq_driver", "/sys/devices/system/cpu/cpu0/cpufreq/scaling_driver", false},
	{"cpuidle_driver", "/sys/devices/system/cpu/cpuidle/current_driver", false},
	{"clocksource", "/sys/devices/system/clocksource/clocksource0/current_clocksource", false},
	{"thp", "/sys/kernel/mm/transparent_hugepage/enabled", true},
	{"thp_shmem", "/sys/kernel/mm/transparent_hugepage/shmem_enabled", true},
	{"lockdown", "/sys/kernel/security/lockdown", true},
};

static void read_plain(struct pw_env *env, const struct pw_sysroot *root)
{
	char text[256], word[64];
	size_t i;

	for (i = 0; i < PW_ARRAY_LEN(plain); i++) {
		const char *value = text, *open;

		pw_sysfs_read(root, text, sizeof(text), "%s", plain[i].path);
		open = strchr(text, '[');
		if (plain[i].choice) {
			value = word;
			if (!open || sscanf(open, "[%63[^]]", word) != 1)
				word[0] = '\0';
		}
		/* how the kernel writes an empty list depends on its version */
		pw_env_add(env, plain[i].key, "%s", strcmp(value, "(null)") ? value : "");
	}
}

struct cpuinfo {
	char model[128], microcode[32], mhz[32];
	bool hypervisor, any;
};

static void take_field(const char *line, const char *name, char *buf, size_t len)
{
	const char *value = strchr(line, ':');

	if (buf[0] || !value || strncmp(line, name, strlen(name)) != 0)
		return;
	snprintf(buf, len, "%s", value + 1 + strspn(value + 1, " "));
}

/* The first CPU's; its paragraph ends with an empty line. */
static int take_cpuinfo(void *ctx, char *line)
{
	struct cpuinfo *info = ctx;

	if (line[0] == '\0')
		return 1;
	info->any = true;
	take_field(line, "model name", info->model, sizeof(info->model));
	take_field(line, "microcode", info->microcode, sizeof(info->microcode));
	take_field(line, "cpu MHz", info->mhz, sizeof(info->mhz));
	if (strncmp(line, "flags", 5) == 0 && strstr(line, " hypervisor"))
		info->hypervisor = true;
	return 0;
}

/* "KVMKVMKVM" of this host; a test's host has no CPUID. */
static void hypervisor_name(const struct pw_sysroot *root, char name[16])
{
	strcpy(name, "yes");
#if defined(__x86_64__)
	if (pw_sysroot_is_real(root)) {
		uint32_t a, words[3];

		__cpuid(0x40000000, a, words[0], words[1], words[2]);
		if (isprint((unsigned char)words[0])) {
			memcpy(name, words, sizeof(words));
			name[sizeof(words)] = '\0';
		}
	}
#else
	(void)root;
#endif
}

static void read_cpu(struct pw_env *env, const struct pw_sysroot *root)
{
	struct cpuinfo info = {.any = false};
	char hypervisor[16] = "none", vendor[64], product[64];

	pw_sysfs_each_line(root, "/proc/cpuinfo", take_cpuinfo, &info);
	if (info.hypervisor)
		hypervisor_name(root, hypervisor);
	pw_env_add(env, "cpu_model", "%s", info.model);
	pw_env_add(env, "cpu_mhz", "%s", info.mhz);
	pw_env_add(env, "microcode", "%s", info.microcode);
	pw_env_add(env, "hypervisor", "%s", info.any ? hypervisor : "");
	pw_sysfs_read(root, vendor, sizeof(vendor), "/sys/class/dmi/id/sys_vendor");
	pw_sysfs_read(root, product, sizeof(product), "/sys/class/dmi/id/product_name");
	pw_env_add(env, "machine", "%s%s%s", vendor, vendor[0] && product[0] ? " " : "", product);
}

/* "performance", or "mixed" where CPUs differ. */
static void read_governor(struct pw_env *env, const struct pw_sysroot *root)
{
	char first[32] = "", text[32];
	cpu_set_t online;
	int cpu;

	pw_cpu_online(root, &online);
	for (cpu = 0; cpu < CPU_SETSIZE; cpu++) {
		if (!CPU_ISSET(cpu, &online) || pw_cpu_governor(root, cpu, text, sizeof(text)) < 0)
			continue;
		if (first[0] && strcmp(first, text) != 0) {
			strcpy(first, "mixed");
			break;
		}
		strcpy(first, text);
	}
	pw_env_add(env, "governor", "%s", first);
}

static void read_turbo(struct pw_env *env, const struct pw_sysroot *root)
{
	const char *state = "";
	long long v;

	if (pw_sysfs_read_number(root, &v, "/sys/devices/system/cpu/intel_pstate/no_turbo") == 0)
		state = v ? "off" : "on";
	else if (pw_sysfs_read_number(root, &v, "/sys/devices/system/cpu/cpufreq/boost") == 0)
		state = v ? "on" : "off";
	pw_env_add(env, "turbo", "%s", state);
}

/* A list that grows; what does not fit is left out whole. */
struct text {
	const struct pw_sysroot *root;
	char buf[512];
	size_t used;
	unsigned int n;
};

static void append(struct text *t, const char *separator, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

static void append(struct text *t, const char *separator, const char *fmt, ...)
{
	char item[256];
	va_list ap;
	size_t len;

	va_start(ap, fmt);
	vsnprintf(item, sizeof(item), fmt, ap);
	va_end(ap);
	len = strlen(item) + (t->used ? strlen(separator) : 0);
	if (t->used + len >= sizeof(t->buf))
		return;
	snprintf(
		t->buf + t->used, sizeof(t->buf) - t->used, "%s%s", t->used ? separator : "", item);
	t->used += len;
}

/* "Mitigation: Retpolines; STIBP: disabled; ..." up to the first semicolon */
static int take_vulnerability(void *ctx, const char *name)
{
	struct text *t = ctx;
	char state[128];

	if (pw_sysfs_read(t->root, state, sizeof(state), VULNERABILITIES "/%s", name) < 0)
		return 0;
	t->n++;
	if (strncmp(state, "Not affected", 12) == 0)
		return 0;
	state[strcspn(state, ";")] = '\0';
	append(t, "; ", "%s: %s", name,
		strncmp(state, "Mitigation: ", 12) == 0 ? state + 12 : state);
	return 0;
}

static void read_mitigations(struct pw_env *env, const struct pw_sysroot *root)
{
	struct text t = {.root = root};

	pw_sysfs_each_entry(root, VULNERABILITIES, take_vulnerability, &t);
	pw_env_add(env, "mitigations", "%s", t.n && !t.used ? "none needed" : t.buf);
}

/* Words of the kernel's command line that change figures; others are this host's own business. */
static void read_kernel_options(struct pw_env *env, const struct pw_sysroot *root)
{
	static const char *const words[] = {"mitigations", "isolcpus", "nohz", "nohz_full",
		"rcu_nocbs", "iommu", "intel_iommu", "amd_iommu", "hugepages", "hugepagesz",
		"default_hugepagesz", "transparent_hugepage", "spectre_v2", "nosmt", "idle",
		"intel_pstate", "amd_pstate", "intel_idle.max_cstate", "processor.max_cstate",
		"clocksource", "tsc", "preempt", "lockdown", "pti", "nopti"};
	struct text t = {.root = root};
	char line[4096], *save, *word;
	size_t i;

	pw_sysfs_read(root, line, sizeof(line), "/proc/cmdline");
	for (word = strtok_r(line, " ", &save); word; word = strtok_r(NULL, " ", &save))
		for (i = 0; i < PW_ARRAY_LEN(words); i++)
			if (strcspn(word, "=") == strlen(words[i]) &&
				strncmp(word, words[i], strlen(words[i])) == 0)
				append(&t, " ", "%s", word);
	pw_env_add(env, "kernel_options", "%s", t.buf);
}

static int take_memory(void *ctx, char *line)
{
	unsigned long long kib;

	if (sscanf(line, "MemTotal: %llu kB", &kib) != 1)
		return 0;
	*(uint64_t *)ctx = (uint64_t)kib << 10;
	return 1;
}

static void read_memory(struct pw_env *env, const struct pw_sysroot *root)
{
	uint64_t bytes = 0;
	struct pw_hugepages hp;
	char text[32], key[32];
	unsigned int i;

	pw_sysfs_each_line(root, "/proc/meminfo", take_memory, &bytes);
	pw_env_add(env, "memory", "%s", bytes ? pw_units_size(text, sizeof(text), bytes) : "");
	pw_env_add(env, "numa_nodes", "%u", pw_numa_n_nodes(root));
	if (pw_hugepages_read(root, &hp, NULL))
		return;
	for (i = 0; i < hp.n_sizes; i++) {
		uint64_t size = hp.sizes[i].page_bytes;

		if (size >= 1ull << 30)
			snprintf(key, sizeof(key), "hugepages_%uG", (unsigned int)(size >> 30));
		else if (size >= 1ull << 20)
			snprintf(key, sizeof(key), "hugepages_%uM", (unsigned int)(size >> 20));
		else
			snprintf(key, sizeof(key), "hugepages_%uK", (unsigned int)(size >> 10));
		pw_env_add(env, key, "%llu, %llu free",
			(unsigned long long)pw_hugepages_total(&hp, size, -1),
			(unsigned long long)pw_hugepages_free(&hp, size, -1));
	}
}

/* PRETTY_NAME="Debian GNU/Linux 12 (bookworm)" */
static int take_distribution(void *ctx, char *line)
{
	return sscanf(line, "PRETTY_NAME=%*[\"']%127[^\"']", (char *)ctx) == 1 ||
	       sscanf(line, "PRETTY_NAME=%127[^\"']", (char *)ctx) == 1;
}

static void read_software(
	struct pw_env *env, const struct pw_sysroot *root, const char *dpdk_version)
{
	char distribution[128] = "";
	struct utsname uts;

	pw_sysfs_each_line(root, "/etc/os-release", take_distribution, distribution);
	pw_env_add(env, "distribution", "%s", distribution);
	pw_env_add(env, "arch", "%s", uname(&uts) == 0 ? uts.machine : "");
	pw_env_add(env, "pagewire", "%s", PW_VERSION);
	pw_env_add(env, "git_revision", "%s", pw_env_revision);
	pw_env_add(env, "libc", "glibc %s", gnu_get_libc_version());
	pw_env_add(env, "liburing", "%s", PW_URING_VERSION);
	pw_env_add(env, "dpdk", "%s", dpdk_version ? dpdk_version : "");
}

static void read_date(struct pw_env *env)
{
	time_t now = time(NULL);
	char text[32] = "";
	struct tm tm;

	if (gmtime_r(&now, &tm))
		strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &tm);
	pw_env_add(env, "date", "%s", text);
}

void pw_env_read(struct pw_env *env, const char *root_dir, const char *dpdk_version)
{
	const struct pw_sysroot root = {.root = root_dir};

	memset(env, 0, sizeof(*env));
	read_date(env);
	read_software(env, &root, dpdk_version);
	read_plain(env, &root);
	read_kernel_options(env, &root);
	read_cpu(env, &root);
	read_governor(env, &root);
	read_turbo(env, &root);
	read_mitigations(env, &root);
	read_memory(env, &root);
}
