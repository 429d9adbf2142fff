# SPDX-License-Identifier: BSD-3-Clause
"""The metrics of a sample: one number each, None where it was not measured. All outputs are made from this
table. MB is 10^6 bytes of the file, as the sender's path accepted them."""
from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Metric:
    """printed number = value * scale, in `unit`. better: "higher", "lower", or None where neither is."""
    key: str
    title: str
    unit: str
    scale: float
    better: str | None
    what: str
    evidence: bool = False  # counted in a run of its own, because the counting costs time


_TABLE = (
    Metric("goodput_bps", "goodput", "Gb/s", 1e-9, "higher",
           "File bits delivered per second, from the first send to the last arrival."),
    Metric("packets_per_s", "packets", "Mpps", 1e-6, "higher",
           "Packets delivered per second; ways over TCP leave the packets to the kernel."),
    Metric("cpu_ns_per_mb", "CPU", "us/MB", 1e-3, "lower",
           "CPU time of the measured process, user and system. A poller's whole core counts, "
           "waiting included."),
    Metric("cpu_user_ns_per_mb", "user", "us/MB", 1e-3, "lower",
           "Of that CPU time: in user mode."),
    Metric("cpu_system_ns_per_mb", "system", "us/MB", 1e-3, "lower",
           "Of that CPU time: in the kernel on its behalf."),
    Metric("machine_ns_per_mb", "machine", "us/MB", 1e-3, "lower",
           "Time that all CPUs were not idle, with the receiver and all other processes; by ticks."),
    Metric("softirq_ns_per_mb", "softirq", "us/MB", 1e-3, "lower",
           "Of the machine's time: in softirqs, in any process that they interrupted."),
    Metric("busy_cycles_per_packet", "busy", "cycles/packet", 1, "lower",
           "Pollers: TSC cycles spent building packets and handing them over, per packet."),
    Metric("idle_share", "waiting", "%", 100, None,
           "Pollers: share of the stretch in which they waited for the driver or the rate."),
    Metric("syscalls_per_mb", "system calls", "/MB", 1, "lower",
           "System calls of the measured process's threads.", evidence=True),
    Metric("user_faults_per_mb", "user faults", "/MB", 1, "lower",
           "Page faults taken in user mode: each is a mode switch and back.",
           evidence=True),
    Metric("kernel_faults_per_mb", "kernel faults", "/MB", 1, "lower",
           "Page faults taken inside a system call: costly, but no additional mode switch.",
           evidence=True),
    Metric("mode_switches_per_mb", "switches", "/MB", 1, "lower",
           "Crossings between user mode and the kernel: 2 x system calls + 2 x user faults.",
           evidence=True),
    Metric("voluntary_switches_per_mb", "voluntary", "/MB", 1, None,
           "Context switches because the measured process had to wait."),
    Metric("involuntary_switches_per_mb", "involuntary", "/MB", 1, None,
           "Context switches because others wanted its CPU."),
    Metric("cpu_copies_per_byte", "CPU copies", "per byte", 1, "lower",
           "Copies by a CPU per payload byte on the measured side: the kernel's by BPF, ours by count.",
           evidence=True),
    Metric("own_copies_per_byte", "own copies", "per byte", 1, "lower",
           "Of them by pagewire's own code, staging included."),
    Metric("zerocopy_copied_share", "COPIED", "%", 100, "lower",
           "Share of zero-copy completions in which the kernel says that it copied after all."),
    Metric("loss", "lost", "%", 100, "lower",
           "Share of the packets that the driver or kernel accepted and that did not arrive."),
    Metric("setup_s", "set-up", "s", 1, "lower",
           "From the start of the process to its first packet: EAL, mapping, staging, connect."),
    Metric("goodput_with_setup_bps", "with set-up", "Gb/s", 1e-9, "higher",
           "Goodput with the set-up's time included."),
    Metric("cycles_per_mb", "cycles", "/MB", 1, "lower", "CPU cycles of the measured process."),
    Metric("instructions_per_mb", "instructions", "/MB", 1, "lower",
           "Instructions of the measured process."),
    Metric("llc_misses_per_mb", "LLC misses", "/MB", 1, "lower",
           "Misses of the last-level cache by the measured process."),
)
METRICS: dict[str, Metric] = {m.key: m for m in _TABLE}


def is_evidence(key: str) -> bool:
    """Counted in runs of their own: calls, faults, switches, copies."""
    return key in METRICS and METRICS[key].evidence
