# SPDX-License-Identifier: BSD-3-Clause
"""Groups, names and numbers of a result as the outputs show them: the same in tables, plots and pages."""
from __future__ import annotations

import decimal
import itertools
import math
from collections.abc import Iterable, Iterator

from bench.metrics import METRICS
from bench.model import Result, Row, Sample, Summary

BIG = ((1e12, 1e12, "T"), (1e9, 1e9, "G"), (1e6, 1e6, "M"), (1e5, 1e3, "k"))
THREE_DIGITS = decimal.Context(prec=3, rounding=decimal.ROUND_HALF_UP)
SIZES = ("B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB")
PAGES = {"hugetlbfs": "huge", "hugefile": "huge", "pagecache": "cache"}
PROOFS = ("full: every byte of the file arrived, and all of them are the file's; part: all that arrived was "
          "compared with the file; count: a device's counters, the bytes were not read; none: only the "
          "driver counted")
TCG = "TCGTCGTCGTCG"  # what QEMU's CPUID leaf 0x40000000 says without KVM
WEAKEST_FIRST = ("none", "count", "part", "full")


def env_caveat(env: dict[str, str | None]) -> str | None:
    """What must be known beside every figure of this host: an emulated CPU keeps no time."""
    if env.get("hypervisor") != TCG:
        return None
    return "emulated CPU (QEMU's TCG): no time here is that of a machine; believe ratios only"


def plain(text: str) -> str:
    """Printable: a terminal does not obey it."""
    return "".join(c if c.isprintable() else "?" for c in text)


def wires(result: Result) -> Iterator[list[Row]]:
    """The rows by wire and direction."""
    for _, rows in itertools.groupby(result.rows, lambda r: (r.direction, r.wire)):
        yield list(rows)


def groups(rows: list[Row]) -> Iterator[list[Row]]:
    """Rows that may be ranked: one wire, file size, MTU, warm or cold."""
    for _, group in itertools.groupby(rows, lambda r: r.group):
        yield list(group)


def summary(row: Row, key: str) -> Summary:
    """Empty where it was not measured."""
    return row.summary.get(key, Summary())


def median(row: Row, key: str) -> float | None:
    """Of the row's summary of this metric; None: not measured."""
    return summary(row, key).median


def measured(rows: Iterable[Row], key: str) -> bool:
    """Whether any row has a number of this metric."""
    return any(median(r, key) is not None for r in rows)


def is_best(group: list[Row], row: Row, key: str) -> bool:
    """The row's number prints as the best of its group's; False where all print alike."""
    better = METRICS[key].better
    known = [v for v in (median(r, key) for r in group) if v is not None]
    own = median(row, key)
    if own is None or better is None:
        return False
    best = metric(key, max(known) if better == "higher" else min(known))
    return metric(key, own) == best and any(metric(key, v) != best for v in known)


def goodput_unit(group: list[Row]) -> tuple[float, str]:
    """Scale and name of a unit in which the group's best goodput is a short number."""
    most = max((median(r, "goodput_bps") or 0.0 for r in group), default=0.0)
    units = ((1e-9, "Gb/s"), (1e-6, "Mb/s"), (1e-3, "kb/s"))
    return next((u for u in units if most <= 0 or most * u[0] >= 1), (1.0, "bit/s"))


def _round_to_three(v: float) -> tuple[float, int]:
    """v rounded to three significant digits, and how many of them stand behind the point."""
    rounded = THREE_DIGITS.create_decimal(repr(v))
    return float(rounded), max(0, 2 - rounded.adjusted()) if rounded else 2


def number(v: float | None) -> str:
    """Three significant digits in at most 6 characters, "-" for None: "0.0371", "12,300", "4.10M"."""
    if v is None or not math.isfinite(v):
        return "-"
    v, decimals = _round_to_three(v)
    size = abs(v)
    if size == 0:
        return "0"
    if size >= 1e15 or size < 1e-3:
        return f"{v:.0e}"
    for least, unit, name in BIG:
        if size >= least:
            v, decimals = _round_to_three(v / unit)
            return f"{v:.{decimals}f}{name}"
    return f"{v:,.0f}" if size >= 1000 else f"{v:.{decimals}f}"


def short(v: float | None, decimals: int) -> str:
    """The same with so many decimals at most; "<.01" for what would come out as 0."""
    if v is not None and 0 < v < 10.0 ** -decimals / 2:
        return "<." + "1".rjust(decimals, "0")
    if v is None or not math.isfinite(v) or v == 0 or _round_to_three(v)[1] <= decimals:
        return number(v)
    return f"{v:.{decimals}f}"


def metric(key: str, value: float | None) -> str:
    """A value of this metric in the unit that the tables print."""
    return number(None if value is None else value * METRICS[key].scale)


def size(n_bytes: int) -> str:
    """"64 MiB"; what is no whole number of them has decimals: "1.50 GiB"."""
    whole, i = n_bytes, 0
    while i + 1 < len(SIZES) and whole >= 1024 and whole % 1024 == 0:
        whole, i = whole // 1024, i + 1
    if whole < 10_000:
        return f"{whole} {SIZES[i]}"
    i = min(len(SIZES) - 1, (n_bytes.bit_length() - 1) // 10)
    return f"{n_bytes / 1024 ** i:.2f} {SIZES[i]}"


def group_title(row: Row) -> str:
    """"64 MiB file, MTU 1500, page cache warm"."""
    return f"{size(row.file_bytes)} file, MTU {row.mtu}, page cache {'cold' if row.cold else 'warm'}"


def _provider(row: Row) -> str | None:
    """The bypass says in its label where its pages come from: "dpdk_vhost/hugefile"."""
    way, slash, provider = row.label.partition("/")
    return provider if row.bypass and slash and way == row.way else None


def way(row: Row) -> str:
    """The label without the pages, which have a column of their own."""
    return row.way if _provider(row) else row.label


def pages(row: Row) -> str:
    """Short: "huge", "cache", "tmpfs"."""
    name = _provider(row) or row.pages
    return PAGES.get(name, name)


def _proof(s: Sample) -> str:
    if s.proof == "compared" and s.raw and (s.raw.get("sink") or {}).get("whole"):
        return "full"
    return {"digest": "full", "compared": "part", "counted": "count"}.get(s.proof, "none")


def proof(row: Row) -> str:
    """The weakest of the valid samples', in the words of PROOFS; "-": there is no sample."""
    found = {_proof(s) for s in row.samples if s.round > 0 and not s.void}
    return next((p for p in WEAKEST_FIRST if p in found), "-")
