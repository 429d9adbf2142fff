/* SPDX-License-Identifier: BSD-3-Clause */
/* Checks nic.segments, nic.offloads, nic.rate. docs/nics.md has the same for each driver, from its source. */
#include "app/doctor/nic.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/bytes.h"

bool pw_doctor_may_ask(const struct pw_doctor_job *job)
{
	if (!job->has_port)
		return false;
	return job->spec.kind == PW_PORT_NULL ||
	       (job->has_pci && (pw_pci_driver_is_vfio(job->pci.driver) ||
					pw_pci_driver_is_uio(job->pci.driver)));
}

static void check_segments(const struct pw_port_abilities *a, struct pw_doctor_report *report)
{
	const char *mbufs = a->plain ? "plain mbufs" : "external buffers";
	char limit[48];

	if (!a->chains) {
		pw_doctor_add(report, PW_DOCTOR_WARN, "nic.segments",
			"%s sends no chains: each packet is copied into one buffer", a->driver);
		pw_doctor_set_fix(report, "# none: the driver decides; docs/nics.md names others");
	} else if (a->segs_max < PW_TX_SEGS_MAX) {
		pw_doctor_add(report, PW_DOCTOR_FAIL, "nic.segments",
			"%s sends %u segments a packet, pagewire makes up to %d", a->driver,
			a->segs_max, PW_TX_SEGS_MAX);
		pw_doctor_set_fix(report, "# none: the driver decides; docs/nics.md names others");
	} else {
		snprintf(limit, sizeof(limit), "up to %u segments", a->segs_max);
		pw_doctor_add(report, PW_DOCTOR_OK, "nic.segments",
			"%s sends chains%s%s; pagewire makes 2 to %d, the file's pages as %s, "
			"IOVA as %s",
			a->driver, a->segs_max == UINT16_MAX ? "" : " of ",
			a->segs_max == UINT16_MAX ? ", and names no limit" : limit, PW_TX_SEGS_MAX,
			mbufs, a->iova_va ? "VA" : "PA");
	}
}

static void check_offloads(const struct pw_port_abilities *a, struct pw_doctor_report *report)
{
	pw_doctor_add(report, PW_DOCTOR_OK, "nic.offloads", "%s%s",
		a->udp_csum ? "UDP checksums by the NIC"
			    : "UDP checksums: none over IPv4, by the CPU over IPv6 (it reads each "
			      "byte)",
		a->fast_free ? "; fast free is offered and not used: a packet's mbufs are of two "
			       "pools"
			     : "");
}

static void check_rate(const struct pw_port_abilities *a, struct pw_doctor_report *report)
{
	pw_doctor_add(report, PW_DOCTOR_OK, "nic.rate", "%s%s%s",
		a->limits_queues ? "limits each queue: send --rate leaves the pace to it"
				 : "no limit of a queue: send --rate paces by the CPU's clock",
		a->shapes ? "; its traffic management has shapers, which pagewire does not use"
			  : "",
		a->sends_at_times ? "; it sends on timestamps, which pagewire does not use" : "");
}

void pw_doctor_check_nic(const struct pw_doctor_host *host, const struct pw_doctor_job *job,
	struct pw_doctor_report *report)
{
	static const char *const ids[] = {"nic.segments", "nic.offloads", "nic.rate"};
	size_t i;

	(void)host;
	if (job->abilities.driver[0]) {
		check_segments(&job->abilities, report);
		check_offloads(&job->abilities, report);
		check_rate(&job->abilities, report);
		return;
	}
	for (i = 0; i < PW_ARRAY_LEN(ids); i++)
		pw_doctor_add(report, PW_DOCTOR_SKIP, ids[i], "%s",
			job->abilities_err.code  ? job->abilities_err.msg
			: pw_doctor_may_ask(job) ? "the driver is asked when no other check fails"
						 : "only a NIC that DPDK has for itself is asked");
}
