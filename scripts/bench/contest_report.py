# SPDX-License-Identifier: BSD-3-Clause
"""`--report DIR` of a profile: result.json, and a figure a contest, each as SVG and PDF; together in NAME.svg.

A mark is the median, a line its 95 % interval, a small ring one sample. A contest over something (the number of
files) is a line with logarithmic axes: a cost that grows with the work is not steeper than the dashed line.
"""
from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import matplotlib as mpl
from bench.model import BenchError
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import NullLocator

Json = dict[str, Any]
BLUE, GREY, INK = "#0072B2", "#666666", "#222222"  # of Okabe and Ito's palette
STYLE = {"font.family": "sans-serif", "font.sans-serif": ["DejaVu Sans"], "font.size": 9, "text.parse_math": False,
         "axes.axisbelow": True, "axes.grid": True, "axes.spines.top": False, "axes.spines.right": False,
         "axes.edgecolor": GREY, "grid.color": "#dddddd", "grid.linewidth": 0.6, "legend.frameon": False,
         "svg.fonttype": "path", "svg.hashsalt": "pagewire", "pdf.fonttype": 42}
WIDTH, LINE, EDGE = 8.0, 0.36, 1.3  # inches: of a figure, of a contender's line, of title and axis
PANEL = (5.4, 3.8)                  # inches: of a contest over something


def _measured(contest: Json) -> list[Json]:
    return [who for who in contest["contenders"] if who["summary"]["n"]]


def _errors(summaries: list[Json]) -> list[list[float]]:
    return [[s["median"] - s["low"] for s in summaries], [s["high"] - s["median"] for s in summaries]]


def _label(who: Json) -> str:
    return str(who["name"]) + (" (skipped)" if who["skipped"] else " (void)" if not who["summary"]["n"] else "")


def _draw_lines(axes: Axes, contest: Json) -> None:
    """A line a contender, from zero."""
    for y, who in enumerate(contest["contenders"]):
        values = [v for v in who["values"] if v is not None]
        if values:
            axes.plot(values, [y] * len(values), "o", markersize=4, markerfacecolor="none", markeredgecolor=GREY,
                      markeredgewidth=0.7, clip_on=False)
            axes.errorbar([who["summary"]["median"]], [y], xerr=_errors([who["summary"]]), fmt="D", color=BLUE,
                          markersize=5, capsize=4, elinewidth=1.6)
    axes.set_yticks(range(len(contest["contenders"])), [_label(who) for who in contest["contenders"]])
    axes.set_ylim(len(contest["contenders"]) - 0.4, -0.6)
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
    axes.set_ylim(min(medians) / 2, max(who["summary"]["high"] for who in measured) * 2)
    axes.set_xticks(work, [re.sub(r" files?$", "", who["name"]) for who in measured], rotation=30, ha="right")
    axes.xaxis.set_minor_locator(NullLocator())
    axes.yaxis.set_major_formatter("{x:g}")
    axes.set_xlabel(contest["over"])
    axes.set_ylabel(contest["unit"])
    axes.legend(loc="upper left")


def _draw(axes: Axes, contest: Json) -> None:
    axes.set_title(contest["title"], loc="left", fontsize=10, color=INK)
    if contest["over"] and _measured(contest):
        _draw_growth(axes, contest)
    else:
        _draw_lines(axes, contest)


def _save(figure: Figure, stem: Path) -> None:
    figure.savefig(stem.with_suffix(".svg"), metadata={"Date": None})
    figure.savefig(stem.with_suffix(".pdf"), metadata={"CreationDate": None})


def _sheet(contests: list[Json]) -> Figure:
    """All of them: those over something in two columns."""
    if all(c["over"] for c in contests):
        rows = -(-len(contests) // 2)
        figure = Figure(figsize=(2 * PANEL[0], rows * PANEL[1]), layout="constrained")
        panels = figure.subplots(rows, 2, squeeze=False).flat
    else:
        heights = [EDGE + LINE * len(c["contenders"]) for c in contests]
        figure = Figure(figsize=(WIDTH, sum(heights)), layout="constrained")
        panels = figure.subplots(len(contests), 1, squeeze=False, height_ratios=heights).flat
    for axes, contest in zip(panels, contests, strict=False):
        _draw(axes, contest)
    return figure


def _slug(title: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", title.lower()).strip("-")[:60].rstrip("-")


def write(doc: Json, directory: Path) -> None:
    """Of a result, pagewire.profile/1."""
    try:
        directory.mkdir(parents=True, exist_ok=True)
        (directory / "result.json").write_text(json.dumps(doc, indent=2) + "\n", encoding="utf-8")
        with mpl.rc_context(STYLE):
            for i, contest in enumerate(doc["contests"], 1):
                _save(_sheet([contest]), directory / f"{i:02}-{_slug(contest['title'])}-{_slug(contest['unit'])}")
            _save(_sheet(doc["contests"]), directory / _slug(doc["profile"]))
    except OSError as e:
        raise BenchError(f"cannot write the report to {directory}: {e.strerror}; name another directory") from None
