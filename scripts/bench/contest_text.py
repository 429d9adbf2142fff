# SPDX-License-Identifier: BSD-3-Clause
"""The result of a profile as text."""
from __future__ import annotations

import math
import sys
from typing import TextIO

from bench.contest import Contest, Run, Target
from bench.model import Summary
from bench.table import Printer
from bench.view import env_caveat, plain
from rich.text import Text

NAME_WIDTH = 34


def figures(v: float | None) -> str:
    """Three or four figures that count: 0.00000991, 0.0123, 1.234, 12.34, 1234, 123456."""
    before = math.floor(math.log10(v)) + 1 if v and v > 0 else 1
    return f"{v or 0:.{max(0, 4 - before) if before > 0 else max(4, 3 - before)}f}"


def _interval(s: Summary) -> str:
    return f"{figures(s.median):>10}  ({figures(s.low)} to {figures(s.high)})" if s.n else ""


def verdict(target: Target) -> tuple[str, str]:
    """The words, and the style to print them in."""
    reached, sure = target.judge()
    if reached is None:
        return "not measured", "dim"
    if reached:
        return ("reached", "bold green") if sure else ("reached by the median", "green")
    return ("NOT REACHED", "bold red") if sure else ("not reached by the median", "red")


def _line(p: Printer, name: str, *rest: str | tuple[str, str]) -> None:
    """One row, whole."""
    p.line(Text.assemble(f"  {plain(name):<{NAME_WIDTH}}", *rest))


def _wrapped(p: Printer, text: str) -> None:
    """What a profile says in its own words, which may be lines."""
    for line in text.splitlines():
        p.wrap("  ", 2, line)


def _target(p: Printer, target: Target) -> None:
    _line(p, f"{target.a.name} / {target.b.name}", _interval(target.ratio))
    for word, bound in (("most", target.at_most), ("least", target.at_least)):
        if bound is not None:
            _line(p, "", f"  asked for: at {word} {figures(bound)}: ", verdict(target))


def _contest(p: Printer, contest: Contest) -> None:
    p.line()
    p.line(Text(f"{plain(contest.title)}, {plain(contest.unit)}", "bold"))
    for who in contest.contenders:
        rest: list[str | tuple[str, str]] = [_interval(who.summary)]
        if who.skipped:
            rest = [(f"  skipped: {plain(who.skipped)}", "dim")]
        if who.void:
            rest.append((f"  VOID: {plain(who.void)}", "bold red"))
        _line(p, who.name, *rest)
    for target in contest.targets:
        _target(p, target)
    if contest.note:
        _wrapped(p, contest.note)


def show(run: Run, out: TextIO | None = None) -> None:
    """Figures, verdicts, notes, the commands that measure each contender, and the machine."""
    p = Printer(out or sys.stdout)
    p.line(f"{run.profile.name}: {run.profile.summary}")
    p.line(f"{run.rounds} round{'' if run.rounds == 1 else 's'}, interleaved; median and 95 % interval")
    for contest in run.contests:
        _contest(p, contest)
    p.line()
    p.line("measured by")
    for how in dict.fromkeys(f"{who.name}: {who.how}" for c in run.contests for who in c.contenders if who.how):
        _wrapped(p, how)
    cpu, kernel, dpdk, date = (run.env.get(key) or "unknown" for key in ("cpu_model", "kernel", "dpdk", "date"))
    p.line(f"on {cpu}, Linux {kernel}, {dpdk}, {date}")
    if caveat := env_caveat(run.env):
        p.wrap("", 0, caveat)
