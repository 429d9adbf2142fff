# SPDX-License-Identifier: BSD-3-Clause
"""Runs the rounds of a bench: warm-up, timed rounds in random order, evidence runs.

    round 0        the warm-up: discarded; it finds how many passes fill the stretch
    rounds 1..N    every row once, in a new random order
    evidence       two runs of each row, which count its calls and its copies
"""
from __future__ import annotations

import math
import random
import time
from collections.abc import Callable
from dataclasses import dataclass, replace

from bench import env, store, wires
from bench.cells import End, S, run_cell
from bench.metrics import METRICS, is_evidence
from bench.model import BenchError, Result, Row
from bench.plan import Item, Plan, warn
from bench.result import summarize_result
from bench.samples import not_measured, sample
from bench.ways import ask

Tick = Callable[[int, int, str, float], None]  # cells done, of how many, what comes, seconds left

WARM_UP_BYTES, WARM_UP_PASSES = 4 << 20, 256    # of small files: enough to measure a speed
EVIDENCE_BYTES, EVIDENCE_PASSES = 8 << 20, 4096
METERS = ("calls", "copies")                    # of the evidence runs
PASSES_MAX = 1_000_000
COPIES = "cpu_copies_per_byte"
LEFT_OUT = "left out (--no-evidence)"
SAME_HOST = ("hostname", "machine", "kernel", "cpu_model")  # a result is of one host

# Before the warm-up has measured them: what a cell takes beside its stretch, and how fast bytes go.
KERNEL_CELL_S, BYPASS_CELL_S, REBIND_S = 0.35, 1.25, 2.0
GUESS_BYTES_S = 1.5e9
LATER_IS_FASTER = 0.8  # of a cell's first run, when caches are cold: measured on a small virtual machine


@dataclass
class Cost:
    """What an item takes, in seconds."""
    fixed: float        # beside the passes: processes, comparison, quiet time
    a_pass: float
    passes: int         # that fill the stretch

    def timed(self) -> float:
        """Of a timed run."""
        return self.fixed + self.passes * self.a_pass


def few_passes(item: Item, evidence: bool) -> int:
    """Enough to measure a speed, or calls per MB; the file's size decides, not the way."""
    size, most = (EVIDENCE_BYTES, EVIDENCE_PASSES) if evidence else (WARM_UP_BYTES, WARM_UP_PASSES)
    if item.row.cold or not item.cell.file_bytes:
        return 1
    return max(1, min(most, size // item.cell.file_bytes))


def passes_for(item: Item, stretch_ns: int, passes: int, took_ns: int) -> int:
    """How often the file has to go to fill the stretch, where so many passes took so long."""
    if item.row.cold or not item.cell.file_bytes:
        return 1
    return max(1, min(PASSES_MAX, math.ceil(passes * stretch_ns / max(took_ns, 1000))))


def _guess(item: Item, stretch_ns: int) -> Cost:
    fixed = BYPASS_CELL_S if item.row.bypass else KERNEL_CELL_S
    fixed += REBIND_S if item.cell.way.takes_device else 0
    a_pass = max(item.cell.file_bytes, 1) / GUESS_BYTES_S
    return Cost(fixed, a_pass, passes_for(item, stretch_ns, 1, int(a_pass * S)))


class Bench:
    """A plan, and its result so far."""

    def __init__(self, plan: Plan, tick: Tick = lambda done, total, what, left: None) -> None:
        o = plan.options
        self.plan = plan
        self.tick = tick
        self.costs = [_guess(item, plan.stretch_ns) for item in plan.items]
        self.copies_why: str | None = None  # why BPF counts nothing on this host
        self.done = 0
        nic = next((w.source_if for w in plan.wires if w.kind == "nic" and w.source_if), None)
        self.result = Result(command=o.command, profile=plan.preset.name, baseline=o.baseline, seed=o.seed,
                             version=o.version, env=env.read(ask(o.pagewire, "version"), nic),
                             rows=[item.row for item in plan.items],
                             wires={w.kind: wires.CAVEATS[w.kind] for w in plan.wires})
        self.result.env.update({
            "sender_cpu": str(plan.cpus[0]), "receiver_cpu": str(plan.cpus[1]),
            "file_on_hugetlbfs": "yes" if plan.store.huge else plan.store.huge_why})
        self.kept: list[set[int]] = [set() for _ in plan.items]  # rounds that an older result has
        self.has_evidence = [False] * len(plan.items)

    # --- what is still to do ---

    def _rounds_left(self, i: int) -> list[int]:
        if self.plan.items[i].row.skipped:
            return []
        left = [r for r in range(1, self.plan.rounds + 1) if r not in self.kept[i]]
        return [0, *left] if left else []

    def _evidence_left(self, i: int) -> bool:
        return not (self.plan.options.no_evidence or self.has_evidence[i] or self.plan.items[i].row.skipped)

    def seconds_left(self, from_round: int = 0) -> float:
        """About how long the rounds from this one on will take, and the evidence."""
        total = 0.0
        for i, (item, cost) in enumerate(zip(self.plan.items, self.costs, strict=True)):
            for r in self._rounds_left(i):
                if r >= from_round:
                    total += cost.timed() if r else cost.fixed + few_passes(item, False) * cost.a_pass
            if self._evidence_left(i):
                runs = len(METERS) - bool(self.copies_why)
                total += runs * (cost.fixed + few_passes(item, True) * cost.a_pass)
        return total

    def warn_of_taps(self) -> None:
        """Says which wires a packet tap hears."""
        for wire in self.plan.wires:
            who = wires.packet_tap(wire)
            if who:
                warn(f"{wire.text}: a packet tap hears every frame ({who}) and makes the kernel copy it; "
                     "end tcpdump, lldpd and the like")

    # --- an older result ---

    def resume(self, old: Result, path: str) -> str:
        """Takes what an older result has of these rows. What the user is told."""
        for key in SAME_HOST:
            a, b = old.env.get(key), self.result.env.get(key)
            if a and b and a != b:
                raise BenchError(f"cannot resume {path}: its {key} is {a}, here it is {b}; a result is of "
                                 "one host, compare two by --compare", 2)
        by_key = {row.key: row for row in old.rows if not row.skipped}
        for i, item in enumerate(self.plan.items):
            if item.row.key in by_key:
                self._take(i, by_key[item.row.key])
        whole = sum(len(kept) == self.plan.rounds for kept in self.kept)
        others = sum(len(kept) for kept in self.kept if len(kept) < self.plan.rounds)
        return (f"{whole} of {len(self.kept)} rows are taken from {path}, and {others} runs of others; "
                "the rest is measured")

    def _take(self, i: int, old: Row) -> None:
        row, rounds = self.plan.items[i].row, self.plan.rounds
        valid = [s for s in old.samples if not s.void]
        timed = {s.round: s for s in valid if not s.evidence and 1 <= s.round <= rounds}
        if not timed:
            return
        self.kept[i] = set(timed)
        if len(timed) == rounds:
            row.skipped = None
            row.samples += [s for s in valid if s.round == 0]
        row.samples += timed.values()
        row.pages = old.pages
        row.not_measured = {k: why for k, why in old.not_measured.items() if why != LEFT_OUT}
        counted = [s for s in valid if s.evidence]
        self.has_evidence[i] = len(counted) == (len(METERS) - (COPIES in old.not_measured))
        if self.has_evidence[i]:
            row.samples += [replace(s, round=rounds + 1 + k) for k, s in enumerate(counted)]

    # --- measuring ---

    def _run(self, item: Item, meter: str, passes: int) -> End:
        cell = replace(item.cell, meter=meter, passes=passes)
        if item.row.cold:
            store.drop(cell.file)
        return run_cell(cell)

    def _measure(self, i: int, number: int, meter: str) -> None:
        item, cost = self.plan.items[i], self.costs[i]
        row, evidence = item.row, meter != "timing"
        passes = cost.passes if number and not evidence else few_passes(item, evidence)
        start = time.monotonic()
        end = self._run(item, meter, passes)
        took = time.monotonic() - start
        why = not_measured(end.source)
        row.not_measured.update(why)
        self.copies_why = why.get(COPIES, self.copies_why)
        # what ran in the warm-up has all that it needs: if that breaks, it is void
        lacking = next((p["error"] for p in (end.sink, end.source)
                        if p and p.get("error") and p.get("lacking")), None)
        if lacking and not row.samples:
            row.skipped = lacking
            return
        row.samples.append(sample(replace(item.cell, meter=meter, passes=passes), end.source, end.sink,
                                  end.counted, number))
        if end.source.get("start_ns") and not evidence:
            self._learn(i, number, passes, end.source["end_ns"] - end.source["start_ns"], took)

    def _learn(self, i: int, number: int, passes: int, stretch_ns: int, took: float) -> None:
        cost, fixed = self.costs[i], max(0.0, took - stretch_ns / S)
        if number == 0:
            cost.passes = passes_for(self.plan.items[i], self.plan.stretch_ns, passes, stretch_ns)
            cost.a_pass = stretch_ns / S / passes
        cost.fixed = (cost.fixed + fixed) / 2 if number else fixed * LATER_IS_FASTER

    def _tell(self, item: Item, left: float) -> None:
        runs = self.plan.rounds + 1 + (0 if self.plan.options.no_evidence else len(METERS))
        self.tick(self.done, runs * len(self.plan.items), item.text, left)
        self.done += 1

    def _round(self, number: int, order: list[int]) -> None:
        left = self.seconds_left(number)
        start = time.monotonic()
        for i in order:
            self._tell(self.plan.items[i], max(0.0, left - (time.monotonic() - start)))
            if number in self._rounds_left(i):
                self._measure(i, number, "timing")

    def _evidence(self) -> None:
        """A run of each row that counts its calls, then one that counts its copies, until BPF has said that
        it cannot work here."""
        left = self.seconds_left(self.plan.rounds + 1)
        start = time.monotonic()
        todo = [i for i in range(len(self.plan.items)) if self._evidence_left(i)]
        for k, meter in enumerate(METERS):
            for i, item in enumerate(self.plan.items):
                self._tell(item, max(0.0, left - (time.monotonic() - start)))
                if i in todo and not (meter == "copies" and self.copies_why):
                    self._measure(i, self.plan.rounds + 1 + k, meter)
        for i in todo:
            row = self.plan.items[i].row
            if self.copies_why:
                row.not_measured[COPIES] = self.copies_why
            unseen = self.plan.items[i].cell.way.unseen_copy
            if unseen:
                row.not_measured[COPIES] = unseen

    def run(self, after_warm_up: Callable[[float], None] = lambda left: None) -> None:
        """Fills the result. Interrupted: with what was measured so far; its summaries are right in every
        case. after_warm_up: told how many seconds are left."""
        order = list(range(len(self.plan.items)))
        shuffle = random.Random(self.plan.options.seed).shuffle
        start = time.monotonic()
        try:
            for number in range(self.plan.rounds + 1):
                shuffle(order)
                self._round(number, order)
                self.result.rounds = number
                if number == 0:
                    after_warm_up(self.seconds_left(1))
            if self.plan.options.no_evidence:
                for row in self.result.rows:
                    row.not_measured.update({key: LEFT_OUT for key in METRICS if is_evidence(key)})
            else:
                self._evidence()
        finally:
            self.result.seconds = time.monotonic() - start
            summarize_result(self.result)


def any_void(rows: list[Row]) -> bool:
    """A row has received wrong bytes or none: such a result is not to be cited."""
    return any(s.void for row in rows for s in row.samples)
