# SPDX-License-Identifier: BSD-3-Clause
"""The table of docs/copies.md from results of `pagewire bench --json`; several files make one table:

    PYTHONPATH=scripts python3 -m bench.copies RESULT.json...

A cell shows the counted copies per payload byte, and the expected number where it differs by more than 0.15.
"""
from __future__ import annotations

import sys
from collections.abc import Iterable

from bench.model import BenchError, Result, Row, Summary
from bench.result import load

WIRES = ["loopback", "veth", "tap", "sink", "vhost", "null"]
APART = 0.15  # headers are copied with their payload, so a small difference is normal


def cell(row: Row) -> str:
    """A way on a wire."""
    got = row.summary.get("cpu_copies_per_byte", Summary()).median
    want = row.expected.cpu_copies_per_byte
    if row.skipped:
        return "skipped"
    if got is None:
        return "-" if any(s.void for s in row.samples) or want is None else f"not seen ({want:g})"
    return f"{got:.3f}" + ("" if want is None or abs(got - want) < APART else f" (expected {want:g})")


def table(results: Iterable[Result]) -> str:
    """A line a way, in Markdown."""
    cells: dict[str, dict[str, str]] = {}
    for result in results:
        for row in result.rows:
            cells.setdefault(row.label, {})[row.wire] = cell(row)
    wires = [wire for wire in WIRES if any(wire in of for of in cells.values())]
    lines = [["way", *wires], ["---"] * (len(wires) + 1),
             *([f"`{label}`", *(of.get(wire, "") for wire in wires)] for label, of in cells.items())]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit((__doc__ or "").strip())
    try:
        sys.stdout.write(table(map(load, sys.argv[1:])))
    except BenchError as e:
        sys.exit(f"copies: {e}")
