/* SPDX-License-Identifier: BSD-3-Clause */
/* Checks cpu.* and nic.numa: whether the polling thread is near the port, undisturbed and at full speed. */
#include "app/doctor/cpu.h"

#include <string.h>

#include "app/doctor/kernel.h"
#include "base/bytes.h"
#include "base/units.h"
#include "host/cpu.h"

/* The last CPU of a set, because the first ones get the interrupts. */
static int last_cpu(const cpu_set_t *set)
{
	int cpu;

	for (cpu = CPU_SETSIZE - 1; cpu > 0 && !CPU_ISSET(cpu, set); cpu--)
		;
	return cpu;
}

static void check_cores(const struct pw_doctor_host *host, const struct pw_doctor_job *job,
	struct pw_doctor_report *report)
{
	cpu_set_t both;
	char list[64], online[64];

	pw_cpu_list_format(&job->cpus, list, sizeof(list));
	pw_cpu_list_format(&host->online, online, sizeof(online));
	CPU_AND(&both, &job->cpus, &host->online);
	if (job->core_err.code) {
		pw_doctor_add(report, PW_DOCTOR_FAIL, "cpu.cores", "%s", job->core_err.msg);
		pw_doctor_set_fix(report, "pagewire send --core %d ...", last_cpu(&host->allowed));
	} else if (!CPU_EQUAL(&both, &job->cpus)) {
		pw_doctor_add(report, PW_DOCTOR_FAIL, "cpu.cores",
			"--core %s: not all of them are online (%s are)", list, online);
		pw_doctor_set_fix(report, "pagewire send --core %d ...", last_cpu(&host->allowed));
	} else if (CPU_COUNT(&host->online) < 2) {
		pw_doctor_add(report, PW_DOCTOR_WARN, "cpu.cores",
			"this host has one CPU: a sender and a receiver on it would poll in turns");
		pw_doctor_set_fix(report,
			"run sender and receiver on two hosts, or give this guest two CPUs");
	} else {
		pw_doctor_add(report, PW_DOCTOR_OK, "cpu.cores", "the polling thread may run on %s",
			list);
	}
}

/* With CPUs or huge pages of another node every packet crosses the interconnect. */
static void check_numa(const struct pw_doctor_host *host, const struct pw_doctor_job *job,
	struct pw_doctor_report *report)
{
	const struct pw_hugepages *hp = &host->huge;
	uint64_t need = job->eal_bytes + job->stage_bytes, local = 0;
	char list[64], have[32], want[32];
	cpu_set_t near, both;
	unsigned int i;

	if (host->n_nodes == 1 || job->node < 0) {
		pw_doctor_add(report, PW_DOCTOR_SKIP, "nic.numa",
			host->n_nodes == 1 ? "this host has one NUMA node"
					   : "the port belongs to no NUMA node");
		return;
	}
	pw_cpu_of_node(host->root, job->node, &near);
	CPU_AND(&both, &job->cpus, &near);
	pw_cpu_list_format(&near, list, sizeof(list));
	if (!CPU_EQUAL(&both, &job->cpus)) {
		pw_doctor_add(report, PW_DOCTOR_WARN, "nic.numa",
			"the port is on node %d, and the polling thread may run on CPUs of "
			"another node",
			job->node);
		pw_doctor_set_fix(
			report, "pagewire send --core %s ...   # allowed by taskset, too", list);
		return;
	}
	for (i = 0; i < hp->n_sizes; i++)
		local += pw_hugepages_free(hp, hp->sizes[i].page_bytes, job->node) *
			 hp->sizes[i].page_bytes;
	if (local < need && !job->opt->no_huge && hp->n_sizes) {
		uint64_t page = hp->default_page_bytes;

		pw_doctor_add(report, PW_DOCTOR_WARN, "nic.numa",
			"the port is on node %d, where %s of huge pages are free and %s are needed",
			job->node, pw_units_size(have, sizeof(have), local),
			pw_units_size(want, sizeof(want), need));
		pw_doctor_set_fix(report,
			"echo %llu > /sys/devices/system/node/node%d/hugepages/hugepages-%llukB/"
			"nr_hugepages",
			(unsigned long long)(pw_hugepages_total(hp, page, job->node) +
					     pw_div_ceil(need - local, page)),
			job->node, (unsigned long long)(page >> 10));
		return;
	}
	pw_doctor_add(report, PW_DOCTOR_OK, "nic.numa", "port, CPUs (%s) and huge pages on node %d",
		list, job->node);
}

static void check_isolation(const struct pw_doctor_host *host, const struct pw_doctor_job *job,
	struct pw_doctor_report *report)
{
	char list[64], options[96], then[32];
	cpu_set_t quiet;
	int cpu;

	CPU_AND(&quiet, &job->cpus, &host->isolated);
	if (CPU_COUNT(&quiet) > 0 && CPU_EQUAL(&quiet, &job->cpus)) {
		pw_doctor_add(report, PW_DOCTOR_OK, "cpu.isolation",
			"the scheduler puts nothing else on %s",
			pw_cpu_list_format(&quiet, list, sizeof(list)));
		return;
	}
	if (!pw_doctor_is_pci(job)) {
		pw_doctor_add(report, PW_DOCTOR_SKIP, "cpu.isolation",
			"matters at a NIC's line rate, not to a virtual port");
		return;
	}
	CPU_AND(&quiet, &host->online, &host->isolated);
	if (CPU_COUNT(&quiet) > 0) {
		pw_doctor_add(report, PW_DOCTOR_WARN, "cpu.isolation",
			"%s are isolated, and this job does not use them",
			pw_cpu_list_format(&quiet, list, sizeof(list)));
		pw_doctor_set_fix(report, "pagewire send --core %d ...", last_cpu(&quiet));
		return;
	}
	cpu = last_cpu(&job->cpus);
	pw_doctor_add(report, PW_DOCTOR_WARN, "cpu.isolation",
		"no CPU is isolated: other work on the polling thread's CPU makes it miss packets");
	snprintf(options, sizeof(options),
		"isolcpus=managed_irq,domain,%d nohz_full=%d rcu_nocbs=%d", cpu, cpu, cpu);
	snprintf(then, sizeof(then), "then --core %d", cpu);
	pw_doctor_fix_options(host, report, options, then);
}

static void check_governor(const struct pw_doctor_host *host, const struct pw_doctor_job *job,
	struct pw_doctor_report *report)
{
	char governor[32] = "", other[32];
	cpu_set_t slow;
	int cpu, first = -1;
	unsigned int n = 0;
	char list[64];

	CPU_ZERO(&slow);
	for (cpu = 0; cpu < CPU_SETSIZE; cpu++) {
		if (!CPU_ISSET(cpu, &job->cpus) ||
			pw_cpu_governor(host->root, cpu, other, sizeof(other)))
			continue;
		n++;
		if (strcmp(other, "performance") == 0)
			continue;
		if (first < 0) {
			first = cpu;
			strcpy(governor, other);
		}
		CPU_SET(cpu, &slow);
	}
	if (n == 0) {
		pw_doctor_add(report, PW_DOCTOR_SKIP, "cpu.governor",
			"this kernel does not scale frequencies (a guest's host may)");
	} else if (first < 0) {
		pw_doctor_add(report, PW_DOCTOR_OK, "cpu.governor", "performance");
	} else {
		pw_cpu_list_format(&slow, list, sizeof(list));
		pw_doctor_add(report, PW_DOCTOR_WARN, "cpu.governor",
			"%s on CPU %s: the clock varies, and with it the rate", governor, list);
		pw_doctor_set_fix(
			report, "cpupower --cpu %s frequency-set --governor performance", list);
	}
}

void pw_doctor_check_cpu(const struct pw_doctor_host *host, const struct pw_doctor_job *job,
	struct pw_doctor_report *report)
{
	check_cores(host, job, report);
	check_numa(host, job, report);
	check_isolation(host, job, report);
	check_governor(host, job, report);
}
