/* SPDX-License-Identifier: BSD-3-Clause */
/* The table of metrics: name, unit and meaning of each. */
#include "bench/metric.h"

const struct pw_metric_info pw_metrics[PW_N_METRICS] = {
	[PW_M_GOODPUT] = {"goodput_bps", "goodput", "Gb/s", 1e-9, PW_BETTER_HIGH,
		"File bits delivered per second, from the first send to the last arrival."},
	[PW_M_PACKETS] = {"packets_per_s", "packets", "Mpps", 1e-6, PW_BETTER_HIGH,
		"Packets delivered per second; ways over TCP leave the packets to the kernel."},
	[PW_M_CPU] = {"cpu_ns_per_mb", "sender CPU", "us/MB", 1e-3, PW_BETTER_LOW,
		"CPU time of the sender's process, user and system. A poller's whole core counts, "
		"waiting included."},
	[PW_M_CPU_USER] = {"cpu_user_ns_per_mb", "user", "us/MB", 1e-3, PW_BETTER_LOW,
		"Of the sender's CPU time: in user mode."},
	[PW_M_CPU_SYSTEM] = {"cpu_system_ns_per_mb", "system", "us/MB", 1e-3, PW_BETTER_LOW,
		"Of the sender's CPU time: in the kernel on its behalf."},
	[PW_M_MACHINE] = {"machine_ns_per_mb", "machine", "us/MB", 1e-3, PW_BETTER_LOW,
		"Time that all CPUs were not idle, the receiver and everybody else included; by "
		"ticks."},
	[PW_M_SOFTIRQ] = {"softirq_ns_per_mb", "softirq", "us/MB", 1e-3, PW_BETTER_LOW,
		"Of the machine's time: in softirqs, whomever they interrupted."},
	[PW_M_BUSY_CYCLES] = {"busy_cycles_per_packet", "busy", "cycles/packet", 1, PW_BETTER_LOW,
		"Pollers: TSC cycles spent building packets and handing them over, per packet."},
	[PW_M_IDLE_SHARE] = {"idle_share", "waiting", "%", 100, PW_BETTER_NONE,
		"Pollers: share of the stretch in which they waited for the driver or the rate."},
	[PW_M_SYSCALLS] = {"syscalls_per_mb", "system calls", "/MB", 1, PW_BETTER_LOW,
		"System calls of the sender's threads."},
	[PW_M_USER_FAULTS] = {"user_faults_per_mb", "user faults", "/MB", 1, PW_BETTER_LOW,
		"Page faults taken in user mode: each is a mode switch and back."},
	[PW_M_KERNEL_FAULTS] = {"kernel_faults_per_mb", "kernel faults", "/MB", 1, PW_BETTER_LOW,
		"Page faults taken inside a system call: costly, but no mode switch more."},
	[PW_M_SWITCHES] = {"mode_switches_per_mb", "switches", "/MB", 1, PW_BETTER_LOW,
		"Crossings between user mode and the kernel: 2 x system calls + 2 x user faults."},
	[PW_M_VOLUNTARY] = {"voluntary_switches_per_mb", "voluntary", "/MB", 1, PW_BETTER_NONE,
		"Context switches because the sender had to wait."},
	[PW_M_INVOLUNTARY] = {"involuntary_switches_per_mb", "involuntary", "/MB", 1,
		PW_BETTER_NONE, "Context switches because others wanted its CPU."},
	[PW_M_COPIES] = {"cpu_copies_per_byte", "CPU copies", "per byte", 1, PW_BETTER_LOW,
		"Copies by a CPU per payload byte on the sender's side: the kernel's by BPF, ours "
		"by count."},
	[PW_M_OWN_COPIES] = {"own_copies_per_byte", "own copies", "per byte", 1, PW_BETTER_LOW,
		"Of them by pagewire's own code, staging included."},
	[PW_M_ZC_COPIED] = {"zerocopy_copied_share", "COPIED", "%", 100, PW_BETTER_LOW,
		"Share of zero-copy completions in which the kernel says that it copied after "
		"all."},
	[PW_M_LOSS] = {"loss", "lost", "%", 100, PW_BETTER_LOW,
		"Share of the packets that the driver or kernel accepted and that did not arrive."},
	[PW_M_SETUP] = {"setup_s", "set-up", "s", 1, PW_BETTER_LOW,
		"From the start of the process to its first packet: EAL, mapping, staging, "
		"connect."},
	[PW_M_SETUP_GOODPUT] = {"goodput_with_setup_bps", "with set-up", "Gb/s", 1e-9,
		PW_BETTER_HIGH, "Goodput with the set-up's time included."},
	[PW_M_HW_CYCLES] = {"cycles_per_mb", "cycles", "/MB", 1, PW_BETTER_LOW,
		"CPU cycles of the sender's process."},
	[PW_M_INSTRUCTIONS] = {"instructions_per_mb", "instructions", "/MB", 1, PW_BETTER_LOW,
		"Instructions of the sender's process."},
	[PW_M_LLC_MISSES] = {"llc_misses_per_mb", "LLC misses", "/MB", 1, PW_BETTER_LOW,
		"Misses of the last-level cache by the sender's process."},
};

bool pw_metric_is_evidence(enum pw_metric m)
{
	return m == PW_M_COPIES || m == PW_M_SYSCALLS || m == PW_M_USER_FAULTS ||
	       m == PW_M_KERNEL_FAULTS || m == PW_M_SWITCHES;
}
