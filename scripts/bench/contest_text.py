# SPDX-License-Identifier: BSD-3-Clause
"""The result of a profile as text."""
from __future__ import annotations

import math
import sys
from typing import IO

from bench.contest import Contest, Run, Target
from bench.model import Summary
from bench.view import env_caveat, plain
from rich.console import Console
from rich.padding import Padding
from rich.text import Text

NAME_WIDTH = 34


def figures(v: float | None) -> str:
    """Four figures that count: 0.01234, 1.234, 12.34, 1234, 123456."""
    before = math.floor(math.log10(v)) + 1 if v and v > 0 else 1
    return f"{v or 0:.{0 if before >= 4 else min(4 - before, 4) if before > 0 else 4}f}"


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


def _line(console: Console, name: str, *rest: str | tuple[str, str]) -> None:
    """One row; a terminal that is too narrow wraps it, a file keeps it whole."""
    console.print(Text.assemble(f"  {plain(name):<{NAME_WIDTH}}", *rest), soft_wrap=True)


def _wrapped(console: Console, text: str) -> None:
    """What a profile says in its own words, which may be lines."""
    console.print(Padding(Text("\n".join(map(plain, text.splitlines()))), (0, 0, 0, 2), expand=False))


def _target(console: Console, target: Target) -> None:
    _line(console, f"{target.a.name} / {target.b.name}", _interval(target.ratio))
    for word, bound in (("most", target.at_most), ("least", target.at_least)):
        if bound is not None:
            _line(console, "", f"  asked for: at {word} {figures(bound)}: ", verdict(target))


def _contest(console: Console, contest: Contest) -> None:
    console.print(Text(f"\n{plain(contest.title)}, {plain(contest.unit)}", "bold"), soft_wrap=True)
    for who in contest.contenders:
        rest: list[str | tuple[str, str]] = [_interval(who.summary)]
        if who.skipped:
            rest = [(f"  skipped: {plain(who.skipped)}", "dim")]
        if who.void:
            rest.append((f"  VOID: {plain(who.void)}", "bold red"))
        _line(console, who.name, *rest)
    for target in contest.targets:
        _target(console, target)
    if contest.note:
        _wrapped(console, contest.note)


def show(run: Run, out: IO[str] | None = None) -> None:
    """Figures, verdicts, notes, the commands that measure each contender, and the machine."""
    console = Console(file=out or sys.stdout, highlight=False)
    rounds = f"{run.rounds} round{'' if run.rounds == 1 else 's'}"
    console.print(Text(f"{plain(run.profile.name)}: {plain(run.profile.summary)}\n{rounds}, interleaved; median "
                       "and 95 % interval"), soft_wrap=True)
    for contest in run.contests:
        _contest(console, contest)
    console.print("\nmeasured by")
    hows = dict.fromkeys(f"{who.name}: {who.how}" for c in run.contests for who in c.contenders if who.how)
    for how in hows:
        _wrapped(console, how)
    known = [plain(run.env.get(key) or "unknown") for key in ("cpu_model", "kernel", "dpdk", "date")]
    console.print(Text(f"on {known[0]}, Linux {known[1]}, {known[2]}, {known[3]}"), soft_wrap=True)
    if caveat := env_caveat(run.env):
        console.print(caveat)
