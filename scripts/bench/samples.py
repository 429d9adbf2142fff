# SPDX-License-Identifier: BSD-3-Clause
"""The numbers of a sample, from what a cell's two processes print (pagewire.cell/1)."""
from __future__ import annotations

import errno
from typing import TYPE_CHECKING, Any

from bench.metrics import METRICS
from bench.model import Sample

if TYPE_CHECKING:
    from bench.cells import Cell

Json = dict[str, Any]
NOT_COUNTERS = ("schema", "version", "exit_code", "between", "not_measured")

# what a meter that the host refuses leaves unmeasured
METERS = {
    "syscalls": ("syscalls_per_mb", "mode_switches_per_mb"),
    "faults": ("user_faults_per_mb", "kernel_faults_per_mb", "mode_switches_per_mb"),
    "hardware": ("cycles_per_mb", "instructions_per_mb", "llc_misses_per_mb"),
    "copies": ("cpu_copies_per_byte",),
}


def _per(v: float | None, divisor: float | None) -> float | None:
    """v / divisor; None where either was not measured or there is nothing to divide by."""
    return None if v is None or divisor is None or divisor <= 0 else v / divisor


def _only_driver_counts(cell: Cell) -> bool:
    return cell.wire.kind == "null" or cell.way.takes_device


def _delivered(cell: Cell, counters: Json, sink: Json | None, counted: int | None) -> float:
    """File bytes that arrived: by the sink, or else by the device or the sender's driver."""
    sent = counters.get("payload_bytes") or 0
    if sink is not None:
        return float(sink.get("bytes") or 0)
    if _only_driver_counts(cell):
        return float(sent)
    share = _per(counted or 0, counters.get("packets"))
    return float(sent * min(1.0, share or 0.0))


def _void(cell: Cell, source: Json, sink: Json | None, arrived: float) -> str | None:
    """Why the sample does not count. A cause comes before what the bench did about it."""
    s = sink or {}
    if s.get("error") and (not source.get("error") or source.get("errno") == errno.ETIMEDOUT):
        return str(s["error"])
    if source.get("error"):
        return str(source["error"])
    if s.get("wrong"):
        return "the bytes that arrived are not the file's"
    if cell.file_bytes and arrived <= 0:
        return "nothing arrived"
    asked = cell.file_bytes * cell.passes
    if sink is not None and cell.way.stream and sink.get("bytes") != asked:
        return f"the stream brought {sink.get('bytes')} bytes of {asked}"
    return None


def _costs(source: Json, mb: float, v: dict[str, float | None]) -> None:
    """CPU time, calls, switches and hardware counters per MB; cycles of a poller."""
    r = source.get("reading") or {}
    for key, counter in (
            ("cpu_ns_per_mb", "cpu_ns"), ("cpu_user_ns_per_mb", "user_ns"),
            ("cpu_system_ns_per_mb", "system_ns"), ("machine_ns_per_mb", "machine_ns"),
            ("softirq_ns_per_mb", "machine_softirq_ns"),
            ("syscalls_per_mb", "syscalls"), ("user_faults_per_mb", "user_faults"),
            ("kernel_faults_per_mb", "kernel_faults"), ("voluntary_switches_per_mb", "voluntary"),
            ("involuntary_switches_per_mb", "involuntary"), ("cycles_per_mb", "cycles"),
            ("instructions_per_mb", "instructions"), ("llc_misses_per_mb", "llc_misses")):
        v[key] = _per(r.get(counter), mb)
    calls, faults = v["syscalls_per_mb"], v["user_faults_per_mb"]
    v["mode_switches_per_mb"] = None if calls is None or faults is None else 2 * (calls + faults)
    cycles = source.get("cycles")
    if cycles:
        waiting = cycles["stall"] + cycles["pace"]
        v["busy_cycles_per_packet"] = _per(cycles["busy"], source["counters"]["packets"])
        v["idle_share"] = _per(waiting, cycles["busy"] + waiting)


def _copies(cell: Cell, source: Json, sent: float, v: dict[str, float | None]) -> None:
    """The page-in's copy belongs to the set-up, but it is a copy of every byte, however often it is sent."""
    c = source["counters"]
    own = _per(c.get("cpu_copied_bytes"), sent)
    own = None if own is None else own + (source.get("page_in_copies") or 0)
    kernel = _per((source.get("reading") or {}).get("copied_bytes"), sent)
    v["own_copies_per_byte"] = own
    if not cell.way.unseen_copy and kernel is not None and own is not None:
        v["cpu_copies_per_byte"] = kernel + own
    v["zerocopy_copied_share"] = _per(c.get("zc_copied"), c.get("zc_done"))


def _speeds(cell: Cell, source: Json, sink: Json | None, arrived: float,
            v: dict[str, float | None]) -> None:
    """Goodput, packets, loss; set-up and what it does to the goodput."""
    c = source["counters"]
    sent, start, setup = c["payload_bytes"], source["start_ns"], source["setup_ns"]
    end = max(sink.get("last_ns") or 0, start) if sink and sink.get("bytes") else source["end_ns"]
    ns = end - start
    v["goodput_bps"] = _per(arrived * 8e9, ns)
    if not cell.way.stream:
        share = _per(arrived, sent)
        packets = sink["packets"] if sink is not None else None if share is None else c["packets"] * share
        v["packets_per_s"] = _per(None if packets is None else packets * 1e9, ns)
        if not _only_driver_counts(cell):
            v["loss"] = None if share is None else max(0.0, 1 - share)
    v["setup_s"] = setup * 1e-9
    v["goodput_with_setup_bps"] = _per(arrived * 8e9, ns + setup)


def sample(cell: Cell, source: Json, sink: Json | None, counted: int | None, number: int = 0) -> Sample:
    """What a cell has shown. source, sink: what its processes printed, sink None where the wire has no
    receiver of ours; counted: packets by the device's counters; number: of the round."""
    counters = source.get("counters") or {}
    arrived = _delivered(cell, counters, sink, counted)
    proof = str(sink.get("proof") or "none") if sink is not None else (
        "none" if _only_driver_counts(cell) else "counted")
    values: dict[str, float | None] = dict.fromkeys(METRICS)
    void = _void(cell, source, sink, arrived)
    if void is None and source.get("start_ns"):
        _speeds(cell, source, sink, arrived, values)
        _costs(source, counters["payload_bytes"] * 1e-6, values)
        _copies(cell, source, counters["payload_bytes"], values)
    return Sample(
        round=number, evidence=cell.meter != "timing", proof=proof,
        packets_sent=0 if cell.way.stream else counters.get("packets") or 0,
        packets_counted=counted if proof == "counted" else None, void=void, values=values,
        raw={"passes": cell.passes, "source": _counters(source), "sink": _counters(sink)})


def _counters(printed: Json | None) -> Json | None:
    return None if printed is None else {k: v for k, v in printed.items() if k not in NOT_COUNTERS}


def not_measured(source: Json) -> dict[str, str]:
    """By metric: why the host gave no number, from what the source says of its meters."""
    return {key: str(why) for meter, why in (source.get("not_measured") or {}).items() if why
            for key in METERS.get(meter, ())}
