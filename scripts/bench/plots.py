# SPDX-License-Identifier: BSD-3-Clause
"""The figures of a report, by matplotlib; each has a name, which is also its file's name.

    forest()   a line a way: marks on axes that all panels share, and the numbers beside them
    grid()     a small panel a way: goodput over file size or MTU

What is drawn has a label; _finish() makes the legend of them.
"""
from __future__ import annotations

import math
import textwrap
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from bench import view
from bench.metrics import METRICS
from bench.model import Result, Row
from bench.result import values_of
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullFormatter, NullLocator

# Okabe and Ito's palette: readers with any kind of colour vision can tell them apart.
ORANGE, SKY, GREEN, BLUE = "#E69F00", "#56B4E9", "#009E73", "#0072B2"
VERMILION, PURPLE, INK, GREY, PALE = "#D55E00", "#CC79A7", "#222222", "#666666", "#F7DFA8"
FAMILIES = {"kernel, TCP": BLUE, "kernel, packets": GREEN, "bypass": VERMILION}
SERIES = (BLUE, VERMILION, GREEN, ORANGE, PURPLE, SKY, INK)
STYLE: dict[str, Any] = {
    "font.family": "sans-serif", "font.sans-serif": ["DejaVu Sans"], "font.size": 9, "text.parse_math": False,
    "axes.labelsize": 9, "axes.edgecolor": GREY, "axes.linewidth": 0.8, "axes.axisbelow": True,
    "axes.spines.top": False, "axes.spines.right": False, "axes.grid": True, "grid.color": "#dddddd",
    "grid.linewidth": 0.6, "xtick.labelsize": 8.5, "xtick.major.size": 0, "ytick.major.size": 0,
    "legend.frameon": False, "legend.fontsize": 8.5, "svg.fonttype": "path", "svg.hashsalt": "pagewire",
    "pdf.fonttype": 42,
}
WIDTH, LINE, TEXT = 10.0, 0.25, 0.17  # inches: of a figure; heights of a way's line and of a line of text
LETTERS, LABEL = 150, 40              # that fit into a line of text; of a way's name
LEFT = 0.012                          # of the width of a figure: where its texts begin
INTERVAL, SAMPLE, OTHERS = "95 % interval", "one sample", "the other ways"
SCALE = "All panels of a figure have the same scale. "
RANKS = "Do not rank figures of different wires: they differ in what they do to a packet."
DRAWN = ("A bar or a diamond is the median; a line with ends is its 95 % percentile bootstrap interval, "
         "which stands in brackets at the right; a small ring is one measured sample. ")


@dataclass
class Drawing:
    """A figure of a report."""
    name: str
    title: str
    caption: str
    figure: Figure
    svg: str = ""  # for a page, where it is drawn


@dataclass
class Panel:
    """Lines: the rows of each way, one for each compared result, None where it has not run."""
    title: str
    lines: Sequence[Sequence[Row | None]]
    caveat: str = ""


@dataclass(frozen=True)
class Column:
    """An axis of a forest, for a metric. draw: of a row. form: linear, counts (integers), log, symlog."""
    key: str
    axis: str
    draw: Callable[[Any, float, float, Row, str, dict[str, Any]], None]  # axes, y, height, row, key, look
    form: str = "linear"


def plain(text: str, most: int = LABEL) -> str:
    """Printable and not too long: its middle is left out."""
    text = view.plain(text)
    return text if len(text) <= most else f"{text[:most - 16]}…{text[-15:]}"


def family(row: Row) -> str:
    """A key of FAMILIES."""
    return "bypass" if row.bypass else "kernel, TCP" if row.stream else "kernel, packets"


def ranked(rows: Sequence[Row]) -> list[Row]:
    """Those that ran, the fastest first."""
    return sorted((r for r in rows if not r.skipped), key=lambda r: -(view.median(r, "goodput_bps") or 0))


def wire_name(row: Row) -> str:
    """As a title has it."""
    return f"wire {row.wire}" + ("" if row.direction == "send" else f", {row.direction}")


def main_groups(rows: list[Row]) -> list[list[Row]]:
    """For each MTU and state of the page cache the rows of the largest file, ranked."""
    largest: dict[tuple[bool, int], list[Row]] = {}
    for group in view.groups([r for r in rows if not r.skipped]):
        key = (group[0].cold, group[0].mtu)
        if key not in largest or group[0].file_bytes > largest[key][0].file_bytes:
            largest[key] = group
    return [ranked(largest[key]) for key in sorted(largest)]


def _median(row: Row, key: str) -> float:
    """In the metric's unit; 0 where it was not measured."""
    return (view.median(row, key) or 0) * METRICS[key].scale


def _draw_spread(ax: Any, y: float, height: float, row: Row, key: str, colour: str) -> None:
    """The interval, and each sample. Rounds are spread over the height, so that equal ones are seen."""
    s, scale = view.summary(row, key), METRICS[key].scale
    if s.median is not None and s.low is not None and s.high is not None:
        ends = [[(s.median - s.low) * scale], [(s.high - s.median) * scale]]
        ax.errorbar([s.median * scale], [y], xerr=ends, fmt="none", ecolor=colour, elinewidth=1.3,
                    capsize=2.6, zorder=4, label=INTERVAL)
    values = np.array(values_of(row, key)) * scale
    heights = y + height * 0.28 * ((2 * np.arange(len(values)) + 1) / max(1, len(values)) - 1)
    ax.plot(values, heights, "o", ms=3, mfc="white", mec=INK, mew=0.7, zorder=5, label=SAMPLE)


def draw_bar(ax: Any, y: float, height: float, row: Row, key: str, look: dict[str, Any]) -> None:
    """The median as a bar from 0."""
    ax.barh(y, _median(row, key), 0.72 * height, alpha=0.5, zorder=2, **look)


def draw_dot(ax: Any, y: float, _height: float, row: Row, key: str, look: dict[str, Any]) -> None:
    """The median as a dot, for axes without a 0."""
    ax.plot([_median(row, key)], [y], "D", ms=5, zorder=6, **look)


def draw_cpu(ax: Any, y: float, height: float, row: Row, key: str, _look: dict[str, Any]) -> None:
    """A bar of user and system: the median of their sum, divided as their own medians are."""
    total = _median(row, key)
    user, system = (_median(row, f"cpu_{part}_ns_per_mb") for part in ("user", "system"))
    in_user = total * user / (user + system) if user + system else 0
    waiting = in_user * min(1, max(0, view.median(row, "idle_share") or 0))
    waits = {"fc": PALE, "ec": ORANGE, "hatch": "////", "label": "user: a poller waits"}
    rest = {"color": SKY, "label": "system"} if user + system else {"color": GREY, "label": "user and system"}
    left = 0.0
    for length, look in ((in_user - waiting, {"color": ORANGE, "label": "user"}),
                         (waiting, waits), (total - in_user, rest)):
        if length > 0:
            ax.barh(y, length, 0.72 * height, left, linewidth=0, zorder=2, **look)
        left += length


def draw_copies(ax: Any, y: float, _height: float, row: Row, key: str, _look: dict[str, Any]) -> None:
    """A ring where it is expected, a dot where it was counted."""
    wanted, counted = row.expected.cpu_copies_per_byte, view.median(row, key)
    if wanted is not None:
        ax.plot([wanted], [y], "o", ms=10, mfc="none", mec=INK, mew=1.2, label="expected")
    if counted is not None:
        ax.plot([counted], [y], "o", ms=5, color=VERMILION, zorder=6, label="counted by BPF")


GOODPUT = Column("goodput_bps", "goodput, Gb/s", draw_bar)
GOODPUT_LOG = Column("goodput_bps", "goodput, Gb/s (log scale)", draw_dot, "log")
CPU = Column("cpu_ns_per_mb", "CPU time, µs per MB", draw_cpu)
CPU_LOG = Column("cpu_ns_per_mb", "CPU time, µs per MB (log scale)", draw_dot, "log")
COPIES = Column("cpu_copies_per_byte", "CPU copies per payload byte", draw_copies, "counts")
SWITCHES = Column("mode_switches_per_mb", "mode switches per MB (log scale from 1)", draw_dot, "symlog")
LOSS = Column("loss", "packets lost, %", draw_bar)


def _numbers(row: Row | None, column: Column) -> str:
    """What stands beside a line."""
    if row is None:
        return "not run"
    s = view.summary(row, column.key)
    low, text, high = (view.metric(column.key, v) for v in (s.low, s.median, s.high))
    if column is COPIES:
        wanted = row.expected.cpu_copies_per_byte
        return (f"{text}, " if s.n else "") + f"expected {'?' if wanted is None else f'{wanted:g}'}"
    if not s.n:
        return "void" if any(x.void for x in row.samples) else "-"
    return text if s.n < 2 else f"{text} [{low}, {high}]"


def _set_axis(axis: Any, form: str) -> None:
    """Scale and ticks for what was drawn: plain numbers, as many as have room."""
    axes = axis.axes
    if form == "symlog":
        axes.set_xscale("symlog", linthresh=1, linscale=0.5)
        axes.set_xlim(left=-0.25)
    elif form == "log":
        getattr(axes, f"set_{axis.axis_name}scale")("log")
        low, high = axis.get_view_interval()
        span = math.log10(high / low)
        axis.set_major_locator(LogLocator(subs=(1, 2, 5) if span < 1.7 else (1, 3) if span < 2.2 else (1,)))
        axis.set_minor_formatter(NullFormatter())
    else:
        axis.set_major_locator(MaxNLocator(5, steps=[1, 2, 5, 10], integer=form == "counts"))
        axes.set_xlim(left=0 if form == "linear" else -0.15)
    axis.set_minor_locator(NullLocator())
    axis.set_major_formatter(FuncFormatter(lambda v, _: f"{v:,g}" if abs(v) < 1e5 else f"{v:.0e}"))


def _wrap(text: str) -> str:
    """Lines that fit into a figure."""
    return textwrap.fill(view.plain(text), LETTERS)


def _finish(figure: Figure, title: str, caveat: str, height: float) -> Figure:
    """Title, caveat and a legend of all that was drawn, above axes that need `height` inches."""
    marks = {label: mark for ax in figure.axes
             for mark, label in zip(*ax.get_legend_handles_labels(), strict=True)}
    marks = dict(sorted(marks.items(), key=lambda mark: mark[0] in (INTERVAL, SAMPLE, OTHERS)))
    columns = 6 if max(map(len, marks), default=0) < LABEL else 1
    caveat = _wrap(caveat)
    above = 0.35 + (TEXT * (caveat.count("\n") + 1) if caveat else 0)
    whole = height + above + 0.2 * math.ceil(len(marks) / columns) + 0.08
    figure.set_size_inches(WIDTH, whole)
    figure.set_layout_engine("constrained", rect=(0, 0, 1, height / whole), h_pad=0.08, w_pad=0.1)
    figure.text(LEFT, 1 - 0.08 / whole, title, fontsize=11, weight="bold", va="top")
    figure.text(LEFT, 1 - 0.32 / whole, caveat, fontsize=8.5, color=GREY, va="top")
    if marks:
        figure.legend(marks.values(), marks.keys(), ncol=columns, handlelength=1.5, columnspacing=1.6,
                      loc="upper left", bbox_to_anchor=(LEFT, 1 - above / whole), borderaxespad=0,
                      borderpad=0)
    return figure


def forest(title: str, caveat: str, panels: Sequence[Panel], columns: Sequence[Column],
           names: Sequence[str] = ()) -> Figure:
    """names: of the compared results, which have a colour each; without them a way has its family's."""
    part = 0.9 / len(names) if names else 1.0
    heights = [len(p.lines) * LINE * max(1.0, 0.72 * len(names)) for p in panels]
    figure = Figure()
    axes = figure.subplots(len(panels), len(columns), sharex="col", sharey="row", squeeze=False,
                           height_ratios=heights)
    height = 0.0
    for panel, inches, across in zip(panels, heights, axes, strict=True):
        note = _wrap(panel.caveat)
        points = 72 * TEXT * (note.count("\n") + 1) if note else 0
        across[0].set_title(" ", fontsize=9.5, pad=6 + points)  # keeps the room for both
        for text, above, look in ((panel.title, 6 + points, {"fontsize": 9.5, "weight": "bold"}),
                                  (note, 5, {"fontsize": 8.5, "color": GREY})):
            across[0].annotate(text, (LEFT, 1), (0, above), ("figure fraction", "axes fraction"), va="bottom",
                               textcoords="offset points", in_layout=False, **look)
        height += inches + points / 72 + 0.82
        labels = [plain(next(r.label for r in line if r)) for line in panel.lines]
        across[0].set_yticks(range(len(labels)), labels)
        across[0].set_ylim(len(labels) - 0.5, -0.5)
        for ax, column in zip(across, columns, strict=True):
            for y, line in enumerate(panel.lines):
                for k, row in enumerate(line):
                    look = {"color": SERIES[k % len(SERIES)], "label": names[k]} if names else {}
                    _draw_row(ax, y + (k - (len(line) - 1) / 2) * part, part, row, column, look)
            ax.grid(visible=False, axis="y")
            ax.tick_params(labelbottom=True)
            ax.set_xlabel(column.axis, labelpad=2)
    for ax, column in zip(axes[0], columns, strict=True):
        _set_axis(ax.xaxis, column.form)
    return _finish(figure, title, caveat, height)


def _draw_row(ax: Any, y: float, height: float, row: Row | None, column: Column,
              look: dict[str, Any]) -> None:
    """Marks and numbers. look: empty where it is the family's."""
    ax.annotate(_numbers(row, column), (1, y), (5, 0), ("axes fraction", "data"), textcoords="offset points",
                va="center", fontsize=8.5, annotation_clip=False, color=look.get("color", INK))
    if row and (view.summary(row, column.key).n or column is COPIES):
        look = look or {"color": FAMILIES[family(row)], "label": family(row)}
        column.draw(ax, y, height, row, column.key, look)
        _draw_spread(ax, y, height, row, column.key, INK if column.form == "linear" else look["color"])


def grid(title: str, caveat: str, rows: list[Row], along: str, axis: str) -> Figure:
    """Goodput over `along` ("file_bytes", "mtu"): a panel a way, all of one scale; the other ways in grey."""
    lines: dict[str, dict[str, list[Row]]] = {}
    for row in sorted(rows, key=lambda r: int(getattr(r, along))):
        name = f"MTU {row.mtu}, " if along == "file_bytes" else f"{view.size(row.file_bytes)} file, "
        name += f"page cache {'cold' if row.cold else 'warm'}"
        lines.setdefault(row.label, {}).setdefault(name, []).append(row)
    names = sorted({name for ways in lines.values() for name in ways}, key=lambda n: (len(n), n))
    looks = {n: {"color": SERIES[i % len(SERIES)], "marker": "osD^vP"[i % 6]} for i, n in enumerate(names)}
    figure, down = Figure(), math.ceil(len(lines) / 4)
    axes = figure.subplots(down, 4, sharex=True, sharey=True, squeeze=False)
    for ax, (label, ways) in zip(axes.flat, lines.items(), strict=False):
        for line in (line for other in lines.values() for line in other.values()):
            ax.plot([getattr(r, along) for r in line], [_median(r, "goodput_bps") for r in line],
                    color="#cccccc", lw=0.7, zorder=1, label=OTHERS)
        for name, line in ways.items():
            _draw_curve(ax, line, along, name, looks[name])
        ax.set_title(plain(label, 30), fontsize=9, loc="left", pad=4)
        ax.set_xlabel(axis, labelpad=2)
        ax.tick_params(labelbottom=True)
    for ax in axes.flat[len(lines):]:
        ax.set_axis_off()
    for ax in axes[:, 0]:
        ax.set_ylabel("Gb/s")
    _set_axis(axes[0, 0].yaxis, "log")
    _set_axis(axes[0, 0].xaxis, "log")
    ticks = _apart(sorted({int(getattr(r, along)) for r in rows}))
    axes[0, 0].set_xticks(ticks, [view.size(t) if along == "file_bytes" else str(t) for t in ticks])
    return _finish(figure, title, caveat, 0.2 + down * 2.1)


def _apart(ticks: list[int]) -> list[int]:
    """Those whose labels have room on a logarithmic axis: a quarter of it."""
    step = (ticks[-1] / ticks[0]) ** 0.24
    chosen = ticks[:1]
    for tick in ticks:
        if tick >= chosen[-1] * step:
            chosen.append(tick)
    return chosen


def _draw_curve(ax: Any, line: Sequence[Row], along: str, name: str, look: dict[str, str]) -> None:
    s, scale = [view.summary(r, "goodput_bps") for r in line], METRICS["goodput_bps"].scale
    low, y, high = (np.array([getattr(x, end) for x in s]) * scale for end in ("low", "median", "high"))
    ax.errorbar([getattr(r, along) for r in line], y, yerr=[y - low, high - y], ms=4, lw=1.3, elinewidth=1,
                capsize=2, zorder=4, label=name, **look)
    for r in line:
        values = np.array(values_of(r, "goodput_bps")) * scale
        ax.plot([getattr(r, along)] * len(values), values, "o", ms=2.4, mfc="white", mec=look["color"],
                mew=0.6, zorder=5, label=SAMPLE)


def _panel(result: Result, group: list[Row], lines: Sequence[Sequence[Row | None]]) -> Panel:
    """Of a figure that shows several wires."""
    return Panel(f"{wire_name(group[0])}: {view.group_title(group[0])}", lines,
                 result.wires.get(group[0].wire, ""))


def overview(result: Result) -> Drawing | None:
    """Every wire, goodput and CPU time; None: nothing ran."""
    panels = [_panel(result, groups[0], [[r] for r in groups[0]])
              for rows in view.wires(result) if (groups := main_groups(rows))]
    if not panels:
        return None
    title = "Goodput and CPU time"
    known = (result.env.get("cpu_model"), result.env.get("kernel"), f"pagewire {result.version}",
             (result.env.get("date") or "")[:10])
    return Drawing("overview", title + ", a panel for each wire",
                   "CPU time is of the measured process per MB of the file. " + DRAWN + SCALE + RANKS,
                   forest(title, f"{', '.join(x for x in known if x)}. {SCALE}{RANKS}", panels,
                          [GOODPUT_LOG, CPU]))


def of_wire(result: Result, rows: list[Row]) -> Iterator[Drawing]:
    """The figures of one wire."""
    wire, caveat = wire_name(rows[0]), result.wires.get(rows[0].wire, "")
    slug = "".join(c if c.isalnum() else "-" for c in wire.removeprefix("wire ").replace(",", ""))[:40]
    groups = main_groups(rows)
    panels = [Panel(view.group_title(g[0]), [[r] for r in g]) for g in groups]
    drawn = [r for g in groups for r in g]

    def draw(name: str, title: str, caption: str, columns: Sequence[Column]) -> Drawing:
        title += f", {wire}"
        return Drawing(f"{name}-{slug}", title, f"{caption} {DRAWN}", forest(title, caveat, panels, columns))

    if view.measured(drawn, "goodput_bps"):
        yield draw("goodput", "Goodput", "File bits that arrived per second.", [GOODPUT])
    if view.measured(drawn, "cpu_ns_per_mb"):
        yield draw("cpu", "CPU time", "CPU time of the measured process per MB of the file: user and system "
                   "together, divided as their own medians are. A poller uses its whole core, whether it "
                   "works or waits.", [CPU])
    counted, switches = view.measured(drawn, COPIES.key), view.measured(drawn, SWITCHES.key)
    if counted or switches:
        yield draw("copies", "CPU copies" + " and mode switches" * switches,
                   "CPU copies per payload byte, as expected"
                   + (" and as counted by BPF." if counted else ": here they were not counted.")
                   + " Mode switches: 2 x system calls + 2 x user page faults." * switches,
                   [COPIES, SWITCHES] if switches else [COPIES])
    if any((view.summary(r, "loss").max or 0) > 0 for r in drawn):
        yield draw("loss", "Loss", "Share of the packets that the driver or kernel accepted and that did not "
                   "arrive; it is not known of ways over TCP.", [LOSS])
    ran = [r for r in rows if view.median(r, "goodput_bps")]
    largest = [r for r in ran if r.file_bytes == max(x.file_bytes for x in ran)]
    for name, along, kept, axis in (("sizes", "file_bytes", ran, "file size"),
                                    ("mtu", "mtu", largest, "MTU")):
        if len({getattr(r, along) for r in kept}) > 1:
            title = f"Goodput over {axis}, {wire}"
            yield Drawing(f"{name}-{slug}", title,
                          f"Lines join medians; their ends are 95 % intervals, rings are samples. {SCALE}",
                          grid(title, caveat, kept, along, f"{axis} (log scale)"))


def compared(results: Sequence[Result], names: Sequence[str]) -> Drawing | None:
    """The rows that at least two results have; a colour for each result."""
    known = [{r.key: r for r in result.rows if not r.skipped} for result in results]
    panels = []
    for rows in view.wires(results[0]):
        for group in main_groups(rows):
            lines = [[k.get(r.key) for k in known] for r in group]
            lines = [line for line in lines if len(line) - line.count(None) > 1]
            if lines:
                panels.append(_panel(results[0], group, lines))
    if not panels:
        return None
    title = "The same rows of each result"
    return Drawing("compared", title, title + ". " + DRAWN + SCALE + RANKS,
                   forest(title, SCALE + RANKS, panels, [GOODPUT_LOG, CPU_LOG],
                          [plain(n, 110) for n in names]))
