# SPDX-License-Identifier: BSD-3-Clause
"""`pagewire bench --compare A.json B.json`: two hosts, kernels or commits. First what differs in the
environment, then B over A for each cell that both measured. The samples are independent: no pairs."""
from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

from bench import stats, view
from bench.metrics import METRICS
from bench.model import BenchError, Result, Row, Summary
from bench.result import load, values_of
from bench.table import Printer
from rich.table import Table
from rich.text import Text

SCHEMA = "pagewire.bench-compare/1"
Json = dict[str, Any]
# of the table: heading and metric
COLUMNS = (("goodput", "goodput_bps"), ("CPU", "cpu_ns_per_mb"), ("host", "machine_ns_per_mb"),
           ("copies", "cpu_copies_per_byte"), ("switch", "mode_switches_per_mb"))
VALUE_MOST = 60  # of an environment's value in the table
LEGEND = (
    "Ratios of medians, {b} over {a}; [95 % bootstrap interval of independent samples]; * the interval "
    "excludes 1. Of 100 ratios of equal things about 5 have a *. With fewer than {least} samples in a row "
    "there is no interval (calls, faults and copies are counted once).",
    "goodput: higher is better. CPU (the measured process's), host (all CPUs), copies and switch: lower is better. "
    "\"0 to 1\": both medians, where the ratio is not defined. -: not measured in both.")


@dataclass(frozen=True)
class Ratio:
    """Of one metric of one cell: B over A."""
    a: float
    b: float
    of: Summary  # median: b / a; None where a is 0

    @property
    def differs(self) -> bool | None:
        """The interval excludes 1; None: there is no interval."""
        return None if self.of.low is None or self.of.high is None else not self.of.low <= 1 <= self.of.high


@dataclass(frozen=True)
class Comparison:
    """Of one result with the first one. pairs: A's row, and its ratios by metric; only_a, only_b: rows that
    just one of them measured."""
    pairs: list[tuple[Row, dict[str, Ratio]]]
    only_a: list[Row]
    only_b: list[Row]


def compare(a: Result, b: Result) -> Comparison:
    """Rows in A's order. A row without a valid timed sample was not measured."""
    rows_a, rows_b = ({r.key: r for r in x.rows if values_of(r, "goodput_bps")} for x in (a, b))
    pairs = [(row, _ratios(row, rows_b[key], a.seed)) for key, row in rows_a.items() if key in rows_b]
    return Comparison(pairs, [r for k, r in rows_a.items() if k not in rows_b],
                      [r for k, r in rows_b.items() if k not in rows_a])


def _ratios(row_a: Row, row_b: Row, seed: int) -> dict[str, Ratio]:
    """Of the metrics that both have."""
    ratios = {}
    for key in METRICS:
        a, b = values_of(row_a, key), values_of(row_b, key)
        middle_a, middle_b = stats.median(a), stats.median(b)
        if middle_a is not None and middle_b is not None:
            ratios[key] = Ratio(middle_a, middle_b, stats.independent_ratio(b, a, seed))
    return ratios


def differences(results: Sequence[Result]) -> dict[str, list[str | None]]:
    """What is not the same in all: of the bench itself, then of the environment. None: unknown there."""
    about: list[dict[str, str | None]] = [
        {"version": r.version, "command": r.command, "rounds": str(r.rounds), "baseline": r.baseline, **r.env}
        for r in results]
    found = {key: [x.get(key) or None for x in about] for key in dict.fromkeys(k for x in about for k in x)}
    return {key: values for key, values in found.items() if len(set(values)) > 1}


def names(paths: Sequence[str]) -> list[str]:
    """Short names of the files, each different; a report's result.json has the name of its directory."""
    short = [Path(p).parent.name if Path(p).name == "result.json" else Path(p).stem for p in paths]
    return [s if s and short.count(s) == 1 else p for s, p in zip(short, paths, strict=True)]


def _cell_json(row: Row) -> Json:
    return {key: getattr(row, key) for key in ("direction", "wire", "label", "file_bytes", "mtu", "cold")}


def _pair_json(row: Row, ratios: dict[str, Ratio]) -> Json:
    return {**_cell_json(row), "ratios": {
        k: {"a": r.a, "b": r.b, "ratio": r.of.median, "low": r.of.low, "high": r.of.high, "n": r.of.n,
            "differs": r.differs} for k, r in ratios.items()}}


def to_json(results: Sequence[Result], paths: Sequence[str], version: str) -> Json:
    """The document pagewire.bench-compare/1."""
    found = [compare(results[0], other) for other in results[1:]]
    return {
        "schema": SCHEMA, "version": version, "exit_code": 0,
        "results": [{"file": p, "name": n, "version": r.version, "command": r.command, "env": r.env}
                    for p, n, r in zip(paths, names(paths), results, strict=True)],
        "differences": differences(results),
        "comparisons": [{"a": 0, "b": i, "rows": [_pair_json(*pair) for pair in c.pairs],
                         "only_in_a": [_cell_json(r) for r in c.only_a],
                         "only_in_b": [_cell_json(r) for r in c.only_b]} for i, c in enumerate(found, 1)]}


def _ratio_cell(ratio: Ratio | None, key: str) -> Text:
    if ratio is None:
        return Text("-")
    s = ratio.of
    if s.median is None:
        return Text(f"{view.number(ratio.a)} to {view.number(ratio.b)}")
    text = view.short(s.median, 3)
    if ratio.differs is not None:
        text += f" [{view.short(s.low, 3)}, {view.short(s.high, 3)}]"
    if not ratio.differs:
        return Text(text)
    good = (s.median > 1) == (METRICS[key].better == "higher")
    return Text(text + "*", "bold green" if good else "bold red")


def _print(p: Printer, table: Table) -> None:
    """No blanks trail in a pipe or a file."""
    with p.console.capture() as capture:
        p.console.print(table)
    for line in capture.get().splitlines():
        p.console.file.write(line.rstrip() + "\n")


def _environment(p: Printer, labels: Sequence[str], results: Sequence[Result]) -> None:
    found = differences(results)
    p.line(Text("what differs" if found else "the environments are the same, as far as it is known", "bold"))
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False)
    for heading in ("", *labels):
        table.add_column(view.plain(heading), overflow="fold", max_width=VALUE_MOST)
    for key, values in found.items():
        table.add_row(view.plain(key), *(view.plain(v) if v else "unknown" for v in values))
    if found:
        _print(p, table)


def _where(row: Row) -> str:
    return f"{row.wire}{'' if row.direction == 'send' else ' ' + row.direction}, {view.group_title(row)}"


def _comparison(p: Printer, c: Comparison, a: str, b: str) -> None:
    p.line()
    p.line(Text(f"== {view.plain(b)} over {view.plain(a)} ==", "bold"))
    for place in dict.fromkeys(_where(row) for row, _ in c.pairs):
        p.line()
        p.line(Text(place, "bold"))
        table = Table(box=None, padding=(0, 1, 0, 0), pad_edge=False)
        table.add_column("way", overflow="ellipsis")  # gives way where the figures need room
        for heading, _ in COLUMNS:
            table.add_column(heading, no_wrap=True)
        for row, ratios in c.pairs:
            if _where(row) == place:
                cells = [_ratio_cell(ratios.get(key), key) for _, key in COLUMNS]
                table.add_row(view.plain(row.label), *cells)
        _print(p, table)
    if not c.pairs:
        p.line("no cell was measured in both: wire, way, file size, MTU and page cache must be the same")
    if c.only_a or c.only_b:
        p.line()
    for name, rows in ((a, c.only_a), (b, c.only_b)):
        for place in dict.fromkeys(map(_where, rows)):
            p.wrap(f"  only in {view.plain(name)}  ", 4,
                   f"{place}: {', '.join(r.label for r in rows if _where(r) == place)}")


def print_comparison(out: TextIO, results: Sequence[Result], paths: Sequence[str]) -> None:
    """Each result against the first one."""
    p, labels = Printer(out), names(paths)
    _environment(p, labels, results)
    for label, other in zip(labels[1:], results[1:], strict=True):
        _comparison(p, compare(results[0], other), labels[0], label)
    p.line()
    for sentence in LEGEND:
        p.wrap("  ", 2, sentence.format(a=labels[0], b=labels[1] if len(labels) == 2 else "each",
                                        least=stats.LEAST_FOR_INTERVAL))


def run(paths: Sequence[str], out: TextIO, as_json: bool, version: str) -> int:
    """The command. Returns the exit code."""
    if len(paths) < 2:
        raise BenchError("cannot compare one result: there is no other; give two files or more that "
                         "`pagewire bench --json` wrote", 2)
    results = [load(p) for p in paths]
    if as_json:
        json.dump(to_json(results, paths, version), out, indent=1, allow_nan=False)
        out.write("\n")
    else:
        print_comparison(out, results, paths)
    return 0
