# SPDX-License-Identifier: BSD-3-Clause
"""`--report DIR` of a profile: result.json, and a figure a contest, each as SVG and PDF; together in NAME.svg.

A mark is the median, a line its 95 % interval, a small ring one sample. A contest over something (the number of
files) is a line with logarithmic axes: a cost that grows with the work is not steeper than the dashed line. A contest
with a spread is a line a contender: which share of the values is greater. What was not measured stands there with its
reason.
"""
from __future__ import annotations

import itertools
import json
import math
import re
from pathlib import Path
from typing import Any

import matplotlib as mpl
from bench.plots import BLUE, GREY, INK, SERIES, STYLE, plain
from bench.reportdir import ReportDir, profile_figures
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, NullFormatter, NullLocator

Json = dict[str, Any]
WIDTH, LINE, EDGE = 8.0, 0.36, 1.3  # inches: of a figure, of a contender's line, of title and axis
PANEL = (5.4, 3.8)                  # inches: of a contest over something
REASON = 90                         # letters of why something was not measured
FAR = 100                           # times as much as the least median: bars from zero would hide that one


def _measured(contest: Json) -> list[Json]:
    return [who for who in contest["contenders"] if who["summary"]["n"]]


def _errors(summaries: list[Json]) -> list[list[float]]:
    return [[s["median"] - s["low"] for s in summaries], [s["high"] - s["median"] for s in summaries]]


def _reason(who: Json) -> str:
    """Why it has no values; "" if it has."""
    if who["summary"]["n"]:
        return ""
    return plain("skipped: " + who["skipped"] if who["skipped"] else f"void: {who['void']}", REASON)


def _is_far(contest: Json) -> bool:
    medians = [who["summary"]["median"] for who in _measured(contest)]
    return bool(medians) and 0 < min(medians) * FAR < max(medians)


def _draw_lines(axes: Axes, contest: Json) -> None:
    """A line a contender, from zero; logarithmic if they are far from each other."""
    if is_far := _is_far(contest):
        axes.set_xscale("log")
        axes.xaxis.set_major_formatter("{x:,g}")
        axes.xaxis.set_minor_formatter(NullFormatter())
    for y, who in enumerate(contest["contenders"]):
        axes.text(0.01, y, _reason(who), transform=axes.get_yaxis_transform(), va="center", color=GREY, fontsize=8)
        values = [v for v in who["values"] if v is not None]
        if values:
            axes.plot(values, [y] * len(values), "o", markersize=4, markerfacecolor="none", markeredgecolor=GREY,
                      markeredgewidth=0.7, clip_on=False)
            axes.errorbar([who["summary"]["median"]], [y], xerr=_errors([who["summary"]]), fmt="D", color=BLUE,
                          markersize=5, capsize=4, elinewidth=1.6)
    axes.set_yticks(range(len(contest["contenders"])), [plain(who["name"]) for who in contest["contenders"]])
    axes.set_ylim(len(contest["contenders"]) - 0.4, -0.6)
    if not is_far:
        axes.set_xlim(left=0)
    axes.grid(axis="y", visible=False)
    axes.set_xlabel(contest["unit"])


def _draw_growth(axes: Axes, contest: Json) -> None:
    """A line over the work, and what would be proportional to it."""
    measured = _measured(contest)
    work = [who["work"] for who in measured]
    medians = [who["summary"]["median"] for who in measured]
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.plot(work, [medians[-1] * w / work[-1] for w in work], "--", color=GREY, linewidth=1, label="proportional")
    axes.errorbar(work, medians, yerr=_errors([who["summary"] for who in measured]), fmt="o-", color=BLUE, markersize=4,
                  capsize=3, label="measured")
    axes.set_ylim(10 ** math.floor(math.log10(min(medians)) - 0.1),
                  10 ** math.ceil(math.log10(max(who["summary"]["high"] for who in measured)) + 0.1))
    axes.set_xticks(work, [re.sub(r" files?$", "", who["name"]) for who in measured], rotation=30, ha="right")
    axes.xaxis.set_minor_locator(NullLocator())
    axes.yaxis.set_major_formatter("{x:g}")
    axes.yaxis.set_minor_formatter(NullFormatter())
    axes.set_xlabel(contest["over"])
    axes.set_ylabel(contest["unit"])
    axes.legend(loc="upper left")


def _spread(contest: Json) -> list[Json]:
    return [who for who in contest["contenders"] if who["histogram"]] if contest["spread"] else []


def _draw_spread(axes: Axes, contest: Json) -> None:
    """The share of the values above each class's end, of all rounds. All lines begin where the first one does."""
    first = min(who["histogram"][0][0] for who in _spread(contest))
    for who, colour in zip(_spread(contest), itertools.cycle(SERIES)):
        total = sum(n for _, n in who["histogram"])
        left, ends, shares = total, [first], [1.0]
        for end, n in who["histogram"]:
            left -= n
            ends.append(end)
            shares.append(left / total)
        axes.step(ends, shares, where="post", linewidth=1.6, color=colour,
                  label=f"{plain(who['name'])}, {total:,} values")
    for who in contest["contenders"]:
        if reason := _reason(who):
            axes.plot([], [], " ", label=f"{plain(who['name'])}, {reason}")
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_ylim(top=1.3)
    axes.yaxis.set_major_formatter(FuncFormatter(lambda share, _: f"{100 * share:g} %"))
    axes.xaxis.set_major_formatter("{x:,g}")
    axes.yaxis.set_minor_formatter(NullFormatter())
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.set_xlabel(contest["spread"])
    axes.set_ylabel("share of values above")
    axes.legend(loc="lower left")


def _draw(axes: Axes, contest: Json) -> None:
    axes.set_title(contest["title"], loc="left", fontsize=10, color=INK)
    if _spread(contest):
        _draw_spread(axes, contest)
    elif contest["over"] and _measured(contest):
        _draw_growth(axes, contest)
    else:
        _draw_lines(axes, contest)


def _sheet(contests: list[Json]) -> Figure:
    """All of them: those over something in two columns."""
    if all(c["over"] for c in contests):
        rows = -(-len(contests) // 2)
        figure = Figure(figsize=(2 * PANEL[0], rows * PANEL[1]), layout="constrained")
        panels = figure.subplots(rows, 2, squeeze=False).flat
    else:
        heights = [PANEL[1] if _spread(c) else EDGE + LINE * len(c["contenders"]) for c in contests]
        figure = Figure(figsize=(WIDTH, sum(heights)), layout="constrained")
        panels = figure.subplots(len(contests), 1, squeeze=False, height_ratios=heights).flat
    for axes, contest in zip(panels, contests, strict=False):
        _draw(axes, contest)
    return figure


def write(doc: Json, directory: Path) -> None:
    """Of a result, pagewire.profile/1."""
    to = ReportDir(str(directory))
    to.write("result.json", json.dumps(doc, indent=2) + "\n")
    *names, together = profile_figures(doc)
    with mpl.rc_context(STYLE):
        for name, contest in zip(names, doc["contests"], strict=True):
            to.write_figure(name, _sheet([contest]))
        to.write_figure(together, _sheet(doc["contests"]))
    to.remove_stale()
