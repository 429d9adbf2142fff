# SPDX-License-Identifier: BSD-3-Clause
"""`pagewire bench --receive`: the ways to receive, compared as the ways to send are. On a wire every receiver of a kind
gets the same file from the same sender. docs/bench-method.md, "Ways to receive".

    round 0            the warm-up: one run at the sender's full speed
    a round of a row   full speed; a receiver that cannot follow gets half of the rate, and so on (RFC 2544 section
                       26.1), until the highest rate without loss is known to 1/64 of the sender's speed
                       --rate: one run at that rate
    evidence           two runs at half of that rate, which count the receiver's calls and its copies
"""
from __future__ import annotations

import math
import random
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from bench import env, plan, wires
from bench.cells import Cell, End, S, run_cell
from bench.metrics import METRICS, is_evidence
from bench.model import Expected, Lacking, Options, Result, Row, Sample
from bench.receivers import Receiver, check, read_receivers, without_address
from bench.result import summarize_result
from bench.run import COPIES, LEFT_OUT, METERS, PASSES_MAX, Tick
from bench.samples import costs, not_measured, sample
from bench.store import StoredFile, make_store
from bench.ways import Way, ask, is_chosen, read_ways
from bench.wires import Wire

PRESET = plan.Preset("receive", ("loopback", "veth", "tap", "vhost"), (), (16 << 20,), (1500,), 3, 150_000_000)
TRIALS = 7             # of a search, the one at full speed included
LAG_NS = 5_000_000     # a later last byte was kept in a buffer: the receiver is slower than the sender
BASELINE = "udp"       # recv's own
DISK_BYTES = 64 << 20  # a file is received into a directory once: it has to fill the stretch
GUESS_BYTES_S = 1e9    # before the warm-up has measured the sender
LOSES = "it loses or lags at 1/64 of the sender's speed as well"
NO_RATE = "counted at half of the rate without loss, and no round has found one"


@dataclass
class Item:
    """A row, and the cell that it is measured with."""
    row: Row
    cell: Cell
    receiver: Receiver
    bytes_s: float = GUESS_BYTES_S  # of the sender at full speed,
    pps: float = 1.0                # and its packets
    lossless_pps: list[float] = field(default_factory=list)  # one a round


@dataclass(frozen=True)
class Trial:
    """One run at one rate. kept_up: nothing was lost, and the last byte came with the sender's end."""
    end: End
    sample: Sample
    pps: float  # asked for; at full speed what the sender reached
    kept_up: bool


def _per(printed: dict[str, Any], counter: str, divisor: float) -> float | None:
    """A counter of a process's reading, per something; None: it was not measured."""
    value = (printed.get("reading") or {}).get(counter)
    return None if value is None or divisor <= 0 else value / divisor


def _set_costs(r: Receiver, s: Sample, end: End) -> None:
    """The receiver's costs in place of the sender's; the machine's are those while the sender sent."""
    sink, v = end.sink or {}, s.values
    mb = sink["bytes"] * 1e-6
    costs({**sink, "cycles": None}, mb, v)
    v["machine_ns_per_mb"] = _per(end.source, "machine_ns", mb)
    v["softirq_ns_per_mb"] = _per(end.source, "machine_softirq_ns", mb)
    if sink.get("cycles"):  # a whole core, from the first arrival to the last
        v["cpu_ns_per_mb"] = (sink["last_ns"] - sink["first_ns"]) / mb
        v["cpu_user_ns_per_mb"] = v["cpu_system_ns_per_mb"] = v["idle_share"] = None
        v["busy_cycles_per_packet"] = sink["cycles"]["busy"] / max(1, sink["packets"])
    kernel, own = _per(sink, "copied_bytes", sink["bytes"]), 0.0 if r.stream else 1.0
    v["own_copies_per_byte"] = own
    v[COPIES] = None if kernel is None or r.unseen else kernel + own
    v["zerocopy_copied_share"] = v["goodput_with_setup_bps"] = None
    v["setup_s"] = sink["setup_ns"] * 1e-9
    if r.stream:
        v["mapped_share"] = sink["mapped_bytes"] / sink["bytes"]


class Receive:
    """The rows, and the result so far. close() in every case."""

    def __init__(self, o: Options, tick: Tick) -> None:
        self.o, self.tick = o, tick
        self.plan = plan.Plan(o, PRESET, o.rounds or PRESET.rounds, o.stretch_ns or PRESET.stretch_ns,
                              plan.cell_cpus(o.core))
        self.items: list[Item] = []
        self.done, self.dir = 0, ""
        try:
            self._make_items()
            self.result = Result(command=o.command, profile=PRESET.name, baseline=BASELINE, seed=o.seed,
                                 version=o.version, env=env.read(ask(o.pagewire, "version"), None),
                                 wires={w.kind: wires.CAVEATS[w.kind] for w in self.plan.wires},
                                 rows=[i.row for i in self.items])
        except BaseException:
            self.close()
            raise
        self.result.env.update({"sender_cpu": str(self.plan.cpus[0]), "receiver_cpu": str(self.plan.cpus[1])})

    def close(self) -> None:
        """Removes wires and files."""
        self.plan.close()
        if self.dir:
            shutil.rmtree(self.dir, ignore_errors=True)

    # --- rows ---

    def _make_items(self) -> None:
        o, p = self.o, self.plan
        receivers = read_receivers(o.pagewire)
        check(receivers, o)
        senders = {w.label: w for w in read_ways(o.pagewire)}
        preset = PRESET if set(o.into) <= {"memory"} else replace(PRESET, sizes=(DISK_BYTES,))
        sizes = plan.sizes_of(o, preset)
        make_store(p.store, o.pagewire, sizes, plan.EAL_BYTES + max(sizes), o.file)
        if set(o.into) - {"memory"}:
            self.dir = tempfile.mkdtemp(prefix="pagewire-receive-", dir=o.dir)
        for text in dict.fromkeys(o.wires or PRESET.wires):
            for mtu in dict.fromkeys(o.mtu or PRESET.mtu):
                why = None
                try:
                    wire = wires.open_wire(wires.kind_of(text), mtu, p.store.dir)
                except Lacking as e:  # rows say where they did not run
                    wire, why = Wire(text, text, mtu), str(e)
                p.wires.append(wire)
                chosen = [r for r in receivers if wire.kind in r.wires and is_chosen(r, wire.kind, o.ways)]
                for f in p.store.files:
                    for into in dict.fromkeys(o.into or ("memory",)):
                        for r in chosen:
                            self._add(r, wire, senders[r.sender_on(p.store.huge)], f, into, why)

    def _add(self, r: Receiver, wire: Wire, sender: Way, f: StoredFile, into: str, why: str | None) -> None:
        o, p = self.o, self.plan
        path, _, no_place = plan.place_of(sender, f, p.store, False)
        if into != "memory" and r.stream:
            why = why or "a stream has no file table: it is received into memory only"
        row = Row(wire.kind, r.name, r.label if into == "memory" else f"{r.label}/{into}", into, r.bypass, r.stream,
                  f.len_bytes, wire.mtu, False, Expected(r.copies, float(into == "direct"), r.reason),
                  skipped=r.why or why or no_place, direction="receive")
        cell = Cell(o.pagewire, replace(sender, sink_port=r.port), wire, path, f.len_bytes, wire.mtu, batch=o.batch,
                    chunk_bytes=o.chunk_bytes, no_huge=o.no_huge or not p.store.huge, source_cpu=p.cpus[0],
                    sink_cpu=p.cpus[1], deadline_ns=plan.CELL_GRACE_NS + 4 * p.stretch_ns + f.len_bytes * 64,
                    verbose=o.verbose, receiver=None if r.bypass else r.name,
                    into=None if into == "memory" else self.dir, direct=into == "direct")
        self.items.append(Item(row, cell, r))

    # --- measuring ---

    def _try(self, item: Item, pps: float | None, number: int, meter: str = "timing") -> Trial:
        """One run; pps None: at --rate, or as fast as the sender can. A file on a disk is received once."""
        bytes_s = item.bytes_s if pps is None else item.bytes_s * pps / item.pps
        passes = math.ceil(bytes_s * self.plan.stretch_ns / S / max(1, item.cell.file_bytes))
        passes = 1 if number == 0 or item.cell.into else max(1, min(PASSES_MAX, passes))
        rate = self.o.rate or (None if pps is None else f"{pps:.0f}pps")
        cell = replace(item.cell, passes=passes, sink_meter=meter, rate=rate)
        with without_address(item.receiver, item.cell.wire):
            end = run_cell(cell)
        s = sample(cell, end.source, end.sink, None, number)
        s.evidence = meter != "timing"
        if s.void or not end.sink or not end.sink.get("bytes"):
            return Trial(end, s, pps or 0.0, not s.void and not item.cell.file_bytes)
        _set_costs(item.receiver, s, end)
        counters = end.source["counters"]
        took = max(1, end.source["end_ns"] - end.source["start_ns"]) / S
        if pps is None:
            item.bytes_s, item.pps = counters["payload_bytes"] / took, max(1.0, counters["packets"] / took)
        kept_up = item.receiver.stream or (end.sink["bytes"] == counters["payload_bytes"]
                                           and end.sink["last_ns"] - end.source["end_ns"] <= LAG_NS)
        return Trial(end, s, pps or item.pps, kept_up)

    def _search(self, item: Item, number: int) -> Trial:
        """The trial at the highest rate without loss."""
        best = trial = self._try(item, None, number)
        trials = [trial]
        low, high = 0.0, trial.pps
        while high > 0 and not self.o.rate and not trials[0].kept_up and len(trials) < TRIALS:
            trial = self._try(item, (low + high) / 2, number)
            trials.append(trial)
            if trial.kept_up:
                best, low = trial, trial.pps
            else:
                high = trial.pps
        if not (best.kept_up or best.sample.void or self.o.rate):
            best.sample.void = LOSES
        best.sample.raw = {
            **(best.sample.raw or {}), "limit": "sender" if trials[0].kept_up else "receiver",
            "trials": [{"pps": t.pps, "kept_up": t.kept_up, "goodput_bps": t.sample.values.get("goodput_bps")}
                       for t in trials]}
        return best

    def _measure(self, item: Item, number: int) -> None:
        trial = self._search(item, number) if number else self._try(item, None, number)
        ends = [p for p in (trial.end.sink, trial.end.source) if p and p.get("error") and p.get("lacking")]
        if ends and not item.row.samples:
            item.row.skipped = ends[0]["error"]
            return
        if number and not trial.sample.void:
            item.lossless_pps.append(trial.pps)
        item.row.samples.append(trial.sample)

    def _evidence(self, item: Item) -> None:
        """The receiver's calls and its copies, at half of its rate; a stream's at full speed."""
        pps = None if item.receiver.stream else statistics.median(item.lossless_pps or [0.0]) / 2
        if pps is not None and pps < 1:  # a rate of 0 is none
            item.row.not_measured = {key: NO_RATE for key in METRICS if is_evidence(key)} | item.row.not_measured
            return
        for k, meter in enumerate(METERS):
            if meter == "copies" and COPIES in item.row.not_measured:
                continue
            trial = self._try(item, pps, self.plan.rounds + 1 + k, meter)
            item.row.not_measured.update(not_measured(trial.end.sink or {}))
            item.row.samples.append(trial.sample)

    def _each(self, order: list[int], do: Callable[[Item], None]) -> None:
        total = len(self.items) * (self.plan.rounds + (1 if self.o.no_evidence else 2))
        for i in order:
            item = self.items[i]
            self.tick(self.done, total, f"{item.row.label} on {item.row.wire}", 0.0)
            self.done += 1
            if not item.row.skipped:
                do(item)

    def run(self, _after_warm_up: Callable[[float], None] | None = None) -> None:
        """Fills the result. Interrupted: with what was measured so far; its summaries are right in every case."""
        order = list(range(len(self.items)))
        shuffle, start = random.Random(self.o.seed).shuffle, time.monotonic()
        for item in self.items:
            if item.receiver.unseen:
                item.row.not_measured[COPIES] = item.receiver.unseen
            if self.o.no_evidence:
                item.row.not_measured.update({key: LEFT_OUT for key in METRICS if is_evidence(key)})
        try:
            for number in range(self.plan.rounds + 1):
                shuffle(order)
                self._each(order, lambda item, number=number: self._measure(item, number))  # type: ignore[misc]
                self.result.rounds = number
            if not self.o.no_evidence:
                self._each(sorted(order), self._evidence)
        finally:
            self.result.seconds = time.monotonic() - start
            summarize_result(self.result)
