# SPDX-License-Identifier: BSD-3-Clause
"""Runs the rounds of a bench: warm-up, timed rounds in random order, evidence runs.

    round 0        the warm-up: discarded; it finds how many passes fill the stretch
    rounds 1..N    every row once, in a new random order
    N+1, N+2       evidence: two runs of each row, which count its calls and its copies

What is still to do follows from the samples that a row has: an older result gives it some.
"""
from __future__ import annotations

import math
import random
import time
from collections.abc import Callable
from dataclasses import replace

from bench import env, store, wires
from bench.cells import S, run_cell
from bench.metrics import METRICS, is_evidence
from bench.model import BenchError, Result, Row
from bench.plan import Item, Plan, warn
from bench.result import summarize_result
from bench.samples import not_measured, sample
from bench.ways import ask

Tick = Callable[[int, int, str, float], None]  # runs done, of how many, what comes, seconds left

WARM_UP_BYTES, WARM_UP_PASSES = 4 << 20, 256    # of small files: enough to measure a speed
EVIDENCE_BYTES, EVIDENCE_PASSES = 8 << 20, 4096
METERS = ("calls", "copies")                    # of the evidence runs
PASSES_MAX = 1_000_000
COPIES = "cpu_copies_per_byte"
LEFT_OUT = "left out (--no-evidence)"
# A result is of one host, one program, and one way to measure a cell.
SAME_ENV = ("hostname", "machine", "kernel", "cpu_model", "git_revision", "file_on_hugetlbfs", "sender_cpu",
            "receiver_cpu")
CELL_OPTIONS = ("stretch_ns", "batch", "chunk_bytes", "rate", "sqpoll", "qdisc_bypass", "no_huge")

# Before the warm-up has measured them: what a cell takes beside its stretch, and how fast bytes go.
KERNEL_CELL_S, BYPASS_CELL_S, REBIND_S = 0.35, 1.25, 2.0
GUESS_BYTES_S = 1.5e9
LATER_IS_FASTER = 0.8  # of a cell's first run, when caches are cold: measured on a small virtual machine
PASS_S_MIN = 1e-9


class Bench:
    """A plan, and its result so far."""

    def __init__(self, plan: Plan, tick: Tick) -> None:
        o = plan.options
        self.plan, self.tick = plan, tick
        self.last = plan.rounds + (0 if o.no_evidence else len(METERS))  # number of the last run of a row
        self.copies_why: str | None = None  # why BPF counts nothing on this host
        nic = next((w.source_if for w in plan.wires if w.kind == "nic" and w.source_if), None)
        found = env.read(ask(o.pagewire, "version"), nic)
        self.result = Result(command=o.command, profile=plan.preset.name, baseline=o.baseline, seed=o.seed,
                             version=o.version, rows=[item.row for item in plan.items],
                             options={key: str(getattr(o, key)) for key in CELL_OPTIONS} | {
                                 "stretch_ns": str(plan.stretch_ns)},
                             wires={w.kind: wires.CAVEATS[w.kind] for w in plan.wires}, env={
                                 **found, "sender_cpu": str(plan.cpus[0]), "receiver_cpu": str(plan.cpus[1]),
                                 "file_on_hugetlbfs": "yes" if plan.store.huge else plan.store.huge_why})
        for item in plan.items:
            item.fixed_s = BYPASS_CELL_S if item.row.bypass else KERNEL_CELL_S
            item.fixed_s += REBIND_S if item.cell.way.takes_device else 0
            item.pass_s = item.cell.file_bytes / GUESS_BYTES_S
            if item.cell.way.unseen_copy:
                item.row.not_measured[COPIES] = item.cell.way.unseen_copy
            if o.no_evidence:
                item.row.not_measured = dict.fromkeys(filter(is_evidence, METRICS), LEFT_OUT)
        for wire in plan.wires:
            who = wires.packet_tap(wire)
            if who:
                warn(f"{wire.text}: a packet tap hears every frame ({who}) and makes the kernel copy it; "
                     "end tcpdump, lldpd and the like")

    # --- what is still to do ---

    def _meter(self, number: int) -> str:
        return METERS[number - self.plan.rounds - 1] if number > self.plan.rounds else "timing"

    def _left(self, row: Row) -> list[int]:
        """Numbers of the runs that a row still needs. Without a round to come it needs no warm-up."""
        have = {s.round for s in row.samples}
        if set(range(1, self.plan.rounds + 1)) <= have:
            have.add(0)
        return [] if row.skipped else [
            number for number in range(self.last + 1)
            if number not in have and not (self._meter(number) == "copies" and self.copies_why)]

    def _passes(self, item: Item, number: int) -> int:
        """How often a run sends the file. The warm-up and the evidence: enough to measure a speed, or calls
        per MB; there the file's size decides, not the way. A timed run: to fill the stretch."""
        size = item.cell.file_bytes
        if item.row.cold or not size:
            return 1
        if number == 0:
            return max(1, min(WARM_UP_PASSES, WARM_UP_BYTES // size))
        if number > self.plan.rounds:
            return max(1, min(EVIDENCE_PASSES, EVIDENCE_BYTES // size))
        return max(1, min(PASSES_MAX, math.ceil(self.plan.stretch_ns / S / max(PASS_S_MIN, item.pass_s))))

    def seconds_left(self) -> float:
        """About how long the runs that are still to do will take."""
        return sum(item.fixed_s + self._passes(item, number) * item.pass_s
                   for item in self.plan.items for number in self._left(item.row))

    # --- an older result ---

    def resume(self, old: Result, path: str) -> str:
        """Takes what an older result has of these rows. What the user is told."""
        theirs, ours = {**old.env, **old.options}, {**self.result.env, **self.result.options}
        for key in (*SAME_ENV, *CELL_OPTIONS):
            a, b = theirs.get(key), ours.get(key)
            if a and b and a != b:
                raise BenchError(f"cannot resume {path}: its {key} is {a}, now it is {b}; use the same host, "
                                 "program and options, or compare two results by --compare", 2)
        by_key = {row.key: row for row in old.rows if not row.skipped}
        taken = [self._take(row, by_key[row.key]) if row.key in by_key else 0 for row in self.result.rows]
        whole, rounds = taken.count(self.plan.rounds), self.plan.rounds
        return (f"{whole} of {len(taken)} rows are taken from {path}, and {sum(taken) - whole * rounds} runs "
                "of others; the rest is measured")

    def _take(self, row: Row, old: Row) -> int:
        """An older row's valid samples. How many rounds those are."""
        rounds = self.plan.rounds
        valid = [s for s in old.samples if not s.void]
        timed = {s.round: s for s in valid if not s.evidence and 1 <= s.round <= rounds}
        if not timed:
            return 0
        if len(timed) == rounds:
            row.skipped = None
            row.samples += [s for s in valid if s.round == 0]
        evidence = [replace(s, round=rounds + k) for k, s in enumerate((s for s in valid if s.evidence), 1)]
        row.samples += [*timed.values(), *evidence[:len(METERS)]]
        row.pages = old.pages
        row.not_measured |= {k: why for k, why in old.not_measured.items() if why != LEFT_OUT}
        return len(timed)

    # --- measuring ---

    def _measure(self, item: Item, number: int) -> None:
        row, meter, passes = item.row, self._meter(number), self._passes(item, number)
        cell = replace(item.cell, meter=meter, passes=passes)
        start = time.monotonic()
        if row.cold:
            store.drop(cell.file)
        end = run_cell(cell)
        took = time.monotonic() - start
        why = not_measured(end.source)
        row.not_measured = why | row.not_measured
        self.copies_why = why.get(COPIES, self.copies_why)
        # what ran in the warm-up has all that it needs: if that breaks, it is void
        lacking = next((p["error"] for p in (end.sink, end.source)
                        if p and p.get("error") and p.get("lacking")), None)
        if lacking and not row.samples:
            row.skipped = lacking
            return
        row.samples.append(sample(cell, end.source, end.sink, end.counted, number))
        if end.source.get("start_ns") and meter == "timing":
            stretch = (end.source["end_ns"] - end.source["start_ns"]) / S
            fixed = max(0.0, took - stretch)
            item.fixed_s = (item.fixed_s + fixed) / 2 if number else fixed * LATER_IS_FASTER
            item.pass_s = item.pass_s if number else stretch / passes

    def run(self, after_warm_up: Callable[[float], None]) -> None:
        """Fills the result. Interrupted: with what was measured so far; its summaries are right in every
        case. after_warm_up: told how many seconds are left."""
        order = list(self.plan.items)
        shuffle = random.Random(self.plan.options.seed).shuffle
        start = time.monotonic()
        total = sum(len(self._left(row)) for row in self.result.rows)
        try:
            for number in range(self.last + 1):
                if number <= self.plan.rounds:
                    shuffle(order)
                for item in order if number <= self.plan.rounds else self.plan.items:
                    if number in self._left(item.row):
                        left = sum(len(self._left(row)) for row in self.result.rows)
                        self.tick(total - left, total, item.text, self.seconds_left())
                        self._measure(item, number)
                if number <= self.plan.rounds:
                    self.result.rounds = number
                if number == 0 and self.plan.rounds:
                    after_warm_up(self.seconds_left())
            for row in self.result.rows:  # that were not run for their copies, because BPF had been refused
                if self.copies_why and not row.skipped:
                    row.not_measured.setdefault(COPIES, self.copies_why)
        finally:
            self.result.seconds = time.monotonic() - start
            summarize_result(self.result)
