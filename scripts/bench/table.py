# SPDX-License-Identifier: BSD-3-Clause
"""Prints a result as tables on a terminal:

    wire, its caveat
      one table per file size, MTU, warm or cold; what pollers and set-up cost below it
      rows that copied after all, void and skipped rows
    legend
"""
from __future__ import annotations

import itertools
import textwrap
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TextIO

from bench import view
from bench.metrics import METRICS
from bench.model import Result, Row
from rich.console import Console
from rich.text import Text

COLUMNS = 100  # of what is not a terminal
NARROWEST, WIDEST = 80, 120
NAME_MOST = 36  # of a label below a table


@dataclass(frozen=True)
class Column:
    """decimals: at most; key: the metric whose best is marked."""
    name: str
    unit: str = ""
    key: str | None = None
    decimals: int | None = None
    left: bool = False


WAY, PAGES, GOODPUT, RATIO, PACKETS, COPIES, PROOF = (
    Column("way", left=True), Column("pages", left=True), Column("goodput [95 %]", "", "goodput_bps"),
    Column("ratio"), Column("Mpps", "", "packets_per_s", 3),
    Column("copies", "(exp.)", "cpu_copies_per_byte"), Column("proof", left=True))
HEADINGS = (WAY, PAGES, GOODPUT, RATIO, PACKETS, Column("CPU", "us/MB", "cpu_ns_per_mb", 2),
            Column("host", "us/MB", "machine_ns_per_mb", 2),
            Column("switch", "/MB", "mode_switches_per_mb", 2), COPIES, Column("lost", "%", "loss", 2), PROOF)
# Names are cut before a column is left out (0); figures are never cut.
STEPS = ((WAY, 14), (PAGES, 4), (WAY, 10), (RATIO, 0), (PAGES, 0), (PACKETS, 0), (PROOF, 0))
LEGEND = (
    "Each wire has a table of its own: figures of different wires are not to be ranked. Medians; [95 % "
    "bootstrap interval]; * best of its column: where intervals overlap, it is not shown to be better.",
    "ratio: goodput over that of {baseline}, round by round. CPU: time of the {party}'s process, a poller's "
    "whole core; host: of all CPUs, the {other}'s too. switch: 2 x system calls + 2 x user page faults. MB: "
    "10^6 bytes of the file.",
    "copies: by a CPU, per payload byte, on the {party}'s side; {bpf}; in brackets what the kernel's and "
    "drivers' source lets expect. DMA copies are expected only, never measured: see --json.")
LEGEND_RECEIVE = ("goodput: the highest at which nothing was lost and the last byte came with the sender's "
                  "end. pages: where the file goes.")
BPF = "measured by BPF in a run of its own"


class Printer:
    """Writes lines and tables of one width. Text of any origin: control characters become '?'."""

    def __init__(self, out: TextIO) -> None:
        probe = Console(file=out)
        self.width = max(NARROWEST, min(WIDEST, probe.width)) if probe.is_terminal else COLUMNS
        self.console = Console(file=out, width=self.width, highlight=False, soft_wrap=False)

    def line(self, text: str | Text = "") -> None:
        """One line as it is, and nothing trails."""
        text = Text(view.plain(text)) if isinstance(text, str) else text
        text.rstrip()
        self.console.print(text, soft_wrap=True)

    def wrap(self, first: str, indent: int, text: str, style: str = "") -> None:
        """Words on lines of the width, the first one after `first`. Only a word longer than a line is cut."""
        lines = textwrap.wrap(view.plain(text), self.width, initial_indent=first,
                              subsequent_indent=" " * indent, break_on_hyphens=False)
        for n, line in enumerate(lines or [first.rstrip()]):
            shown = Text(line)
            if style and n == 0:
                shown.stylize(style, 0, len(first.rstrip()))
            self.line(shown)


def _share(found: Iterable[tuple[str, str]]) -> list[str]:
    """"WHO, WHO: WHY": rows with the same reason share a note. found: why, who."""
    notes: dict[str, list[str]] = {}
    for why, who in found:
        notes.setdefault(why, []).append(who)
    return [f"{', '.join(dict.fromkeys(who))}: {why}" for why, who in notes.items()]


def notes_skipped(rows: list[Row]) -> list[str]:
    """What this host lacks, and which ways need it."""
    return _share((r.skipped, r.label) for r in rows if r.skipped)


def notes_void(rows: list[Row]) -> list[str]:
    """Per row: its first reason stands for its other ones."""
    return [f"{r.label}, {view.group_title(r)}, {len(void)} of {len(r.samples)} runs: {void[0]}"
            for r in rows if (void := [s.void for s in r.samples if s.void])]


def notes_copied(rows: list[Row]) -> list[str]:
    """Zero-copy that the kernel did not keep."""
    key = "zerocopy_copied_share"
    return _share((f"{view.metric(key, share)} % of the zero-copy completions said COPIED", r.label)
                  for r in rows if (share := view.median(r, key)) is not None)


def notes_receivers(rows: list[Row]) -> list[str]:
    """Where the sender, not the receiver, was the limit; and what a stream's receiver mapped."""
    limits = ((r, [s.raw.get("limit") for s in r.samples if s.raw and s.raw.get("limit")]) for r in rows)
    slow = [(f"all that the sender can: more was not tried ({len(v)} of {len(v)} rounds)", r.label)
            for r, v in limits if v and set(v) == {"sender"} and not r.stream]
    mapped = [(f"{share * 100:.3g} % of the bytes were mapped, the rest was copied", r.label) for r in rows
              if "zerocopy" in r.label and (share := view.median(r, "mapped_share")) is not None]
    return _share([*slow, *mapped])


def notes_unmeasured(rows: list[Row]) -> list[str]:
    """Metrics that the host refused. A reason that every row that ran shares needs no list of them."""
    ran = [r for r in rows if not r.skipped]
    refused: dict[str, dict[str, list[str]]] = {}  # by reason, by label: titles of metrics
    for row, key in itertools.product(ran, METRICS):
        if row.not_measured.get(key) and view.median(row, key) is None:
            titles = refused.setdefault(row.not_measured[key], {})
            titles.setdefault(row.label, []).append(METRICS[key].title)
    return [", ".join(dict.fromkeys(itertools.chain(*titles.values())))
            + ("" if {r.label for r in ran} <= set(titles) else f" ({', '.join(titles)})") + f": {why}"
            for why, titles in refused.items()]


def _goodput_cells(rows: list[Row], scale: float) -> list[str]:
    """Median and interval, brackets in line."""
    parts = []
    for r in rows:
        s = view.summary(r, "goodput_bps")
        values = (s.median, s.low, s.high) if s.n else ()
        parts.append([view.short(None if v is None else v * scale, 2)[:8] for v in values])
    widths = [max((len(p[i]) for p in parts if p), default=1) for i in range(3)]
    # an interrupted bench may have a warm-up and nothing more
    return ["{} [{}, {}]".format(*(t.rjust(w) for t, w in zip(p, widths, strict=True))) if p else
            "void" if any(s.void for s in r.samples) else "-" for p, r in zip(parts, rows, strict=True)]


def _copies_cell(row: Row) -> str:
    measured, expected = view.median(row, "cpu_copies_per_byte"), row.expected.cpu_copies_per_byte
    return f"{view.number(measured)} ({'?' if expected is None else f'{expected:.3g}'})"


def _cells(row: Row, goodput: str) -> dict[Column, str]:
    cells = {WAY: view.way(row), PAGES: view.pages(row), GOODPUT: goodput, COPIES: _copies_cell(row),
             RATIO: f"{view.short(row.goodput_ratio.median, 2)}x" if row.goodput_ratio.n else "-",
             PROOF: view.proof(row)}
    for c in HEADINGS:
        if c not in cells and c.key is not None and c.decimals is not None:
            value = view.median(row, c.key)
            cells[c] = view.short(None if value is None else value * METRICS[c.key].scale, c.decimals)
    return {c: view.plain(text) for c, text in cells.items()}


def _fit(widths: dict[Column, int], marks: dict[Column, bool], columns: int) -> dict[Column, int]:
    """Widths that fit; columns without room are left out."""
    for column, least in STEPS:
        over = sum(w + 1 + marks[c] for c, w in widths.items() if w) - 1 - columns
        if over > 0 and widths[column] > least:
            widths[column] = max(least, widths[column] - over) if least else 0
    return {c: w for c, w in widths.items() if w}


def _table(p: Printer, group: list[Row]) -> None:
    """Of the rows that ran. The best of a column has a mark."""
    scale, unit = view.goodput_unit(group)
    ran = [r for r in group if not r.skipped]
    lines = [_cells(r, g) for r, g in zip(ran, _goodput_cells(ran, scale), strict=True)]
    best = [{c for c in HEADINGS if c.key and view.is_best(group, r, c.key)} for r in ran]
    marks = {c: any(c in b for b in best) for c in HEADINGS}
    names, units = {c: c.name for c in HEADINGS}, {c: unit if c is GOODPUT else c.unit for c in HEADINGS}
    widths = {c: max(len(x[c]) for x in (names, units, *lines)) for c in HEADINGS}
    widths = _fit(widths, marks, p.width)
    bold = [(names, "bold", set[Column]()), (units, "bold", set[Column]())]
    for cells, style, best_of in (*bold, *((x, "", b) for x, b in zip(lines, best, strict=True))):
        line = Text()
        for c, width in widths.items():
            text = cells[c] if len(cells[c]) <= width else cells[c][:width - 1] + "~"
            text = text.ljust(width) if c.left else text.rjust(width)
            line.append(text, "bold green" if c in best_of else style)
            line.append(("*" if c in best_of else " ") * marks[c] + " ", "bold" if c in best_of else "")
        p.line(line)


def _below(p: Printer, title: str, lines: dict[str, str]) -> None:
    """What belongs to a table and has no column: a line per way."""
    room = p.width - len("      ") - max(map(len, lines.values()), default=0)
    width = min(NAME_MOST, room, max(map(len, lines), default=0))
    for n, (label, text) in enumerate(lines.items()):
        if n == 0:
            p.line(f"  {title}")
        p.line(f"    {label[:width]:<{width}}  {text}")


def _group(p: Printer, group: list[Row], setup: bool) -> None:
    if all(r.skipped for r in group):
        return
    p.line()
    p.line(Text(view.group_title(group[0]), "bold"))
    _table(p, group)
    _below(p, "pollers take a whole core; of it they used", {
        r.label: f"{view.metric('busy_cycles_per_packet', busy):>6} cycles/packet busy, "
                 f"{view.metric('idle_share', view.median(r, 'idle_share')):>5} % of the time waiting"
        for r in group if (busy := view.median(r, "busy_cycles_per_packet")) is not None})
    if setup:
        _below(p, "with the set-up (EAL, mapping, staging, connect) counted in", {
            r.label: f"{view.number(spent * 1e3):>5} ms set-up, {view.number(speed * 1e-9):>7} Gb/s in all"
            for r in group if (spent := view.median(r, "setup_s")) is not None
            and (speed := view.median(r, "goodput_with_setup_bps")) is not None})


def _wire(p: Printer, result: Result, rows: list[Row], setup: bool) -> None:
    name = rows[0].wire + ("" if rows[0].direction == "send" else f", ways to {rows[0].direction}")
    p.line()
    p.wrap(f"== {name} == ", 4, result.wires.get(rows[0].wire, ""), style="bold")
    for group in view.groups(rows):
        _group(p, group, setup)
    lines = [("  ", note, "") for note in notes_copied(rows) + notes_receivers(rows)]
    lines += [("  void     ", note, "bold red") for note in notes_void(rows)]
    lines += [("  skipped  ", note, "bold") for note in notes_skipped(rows)]
    if lines:
        p.line()
    for before, text, style in lines:
        p.wrap(before, len(before), text, style)


def _legend(p: Printer, result: Result) -> None:
    p.line()
    sends = any(r.direction == "send" for r in result.rows)
    party, other = ("sender", "receiver") if sends else ("receiver", "sender")
    bpf = BPF if view.measured(result.rows, "cpu_copies_per_byte") else "not measured here"
    for sentence in LEGEND if sends else (*LEGEND, LEGEND_RECEIVE):
        p.wrap("  ", 2, sentence.format(party=party, other=other, bpf=bpf,
                                        baseline=result.baseline or "the baseline"))
    p.wrap("  proof: ", 2, view.PROOFS)
    for note in notes_unmeasured(result.rows):
        p.wrap("  not measured: ", len("  not measured: "), note)


def print_table(out: TextIO, result: Result, setup: bool = False) -> None:
    """setup: with what the set-up costs (--include-setup)."""
    p = Printer(out)
    if not result.rows:
        p.line("no way was asked for that these wires have")
        return
    cpu, kernel = result.env.get("cpu_model"), result.env.get("kernel")
    host = ", ".join(x for x in (cpu, kernel) if x) or "unknown host"
    rounds = f"{result.rounds} round{'s' * (result.rounds != 1)} in random order" if result.rounds else "no timed round"
    p.wrap("", 0, f"{host}; {rounds}, {result.seconds:.0f} s")
    if caveat := view.env_caveat(result.env):
        p.wrap("", 0, caveat, style="bold")
    for rows in view.wires(result):
        _wire(p, result, rows, setup)
    _legend(p, result)
