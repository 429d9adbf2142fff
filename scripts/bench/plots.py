# SPDX-License-Identifier: BSD-3-Clause
"""The figures of a report, by matplotlib; each has a name, which is also its file's name.

    forest()   a line a way: marks on axes that all panels share, and the numbers beside them
    grid()     a small panel a way: goodput over file size or MTU
"""
from __future__ import annotations

import functools
import math
import textwrap
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from bench import view
from bench.metrics import METRICS
from bench.model import Result, Row, Summary
from bench.result import values_of
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
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
WIDTH, EDGE, LINE = 10.0, 0.12, 0.25  # inches: of a figure, of its margin, of a way's line
SMALL, TITLE, LEAD = 8.5, 11.0, 1.45  # points of notes and of the title; of a line of text, in its points
SCALE = "All panels of a figure have the same scale. "
RANKS = "Do not rank figures of different wires: they differ in what they do to a packet."
DRAWN = ("A line with ends is the 95 % percentile bootstrap interval of the median, a small ring is one "
         "measured sample. ")


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

    @property
    def rows(self) -> list[Row]:
        """Those that ran."""
        return [r for line in self.lines for r in line if r is not None]


Draw = Callable[[Any, float, Row, str, float, str, float], None]  # axes, y, row, key, scale, colour, height


@dataclass(frozen=True)
class Column:
    """An axis of a forest, for a metric. form: linear, counts (integers), log, symlog."""
    key: str
    axis: str
    draw: Draw
    form: str = "linear"


def plain(text: str, most: int = 44) -> str:
    """Printable and not too long: its middle is left out."""
    text = "".join(c if c.isprintable() else "?" for c in text)
    return text if len(text) <= most else f"{text[:most - 16]}…{text[-15:]}"


def family(row: Row) -> str:
    """A key of FAMILIES."""
    return "bypass" if row.bypass else "kernel, TCP" if row.stream else "kernel, packets"


def summary(row: Row, key: str) -> Summary:
    """Empty where it was not measured."""
    return row.summary.get(key, Summary())


def measured(rows: Sequence[Row], key: str) -> bool:
    """Whether any row has a number."""
    return any(summary(r, key).n for r in rows)


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


@functools.cache
def _renderer() -> Any:
    return FigureCanvasAgg(Figure(dpi=72)).get_renderer()


@functools.cache
def text_width(text: str, points: float) -> float:
    """In inches."""
    font = FontProperties(family=["DejaVu Sans"], size=points)
    return float(_renderer().get_text_width_height_descent(text, font, False)[0]) / 72


def wrap(text: str) -> list[str]:
    """Lines of a note that fit into a figure."""
    letter = text_width(text, SMALL) / max(1, len(text))
    return textwrap.wrap(text, int(0.94 * (WIDTH - 2 * EDGE) / letter)) if text else []


class Page:
    """A figure that is filled from the top. Lengths are inches; y: how far it is filled."""

    def __init__(self, title: str, caveat: str, legend: Sequence[Any], height: float) -> None:
        keys = _legend_lines(legend)
        self.height = 0.13 + (TITLE + SMALL * len(wrap(caveat))) / 72 * LEAD + 0.19 * len(keys) + height
        self.figure = Figure(figsize=(WIDTH, self.height), facecolor="white")
        FigureCanvasAgg(self.figure)
        self.y = 0.08
        self.text(title, TITLE)
        self.notes(caveat)
        self.y += 0.05
        for line in keys:
            place = EDGE / WIDTH, 1 - self.y / self.height
            self.figure.legend(handles=line, ncol=len(line), loc="upper left", bbox_to_anchor=place,
                               borderaxespad=0, borderpad=0, handlelength=1.5, columnspacing=1.6)
            self.y += 0.19

    def text(self, text: str, points: float, colour: str = INK, weight: str = "bold") -> None:
        """One line."""
        lead = points / 72 * LEAD
        self.figure.text(EDGE / WIDTH, 1 - (self.y + lead / 2) / self.height, text, fontsize=points,
                         color=colour, weight=weight, va="center_baseline")
        self.y += lead

    def notes(self, text: str) -> None:
        """As many grey lines as it needs."""
        for line in wrap(text):
            self.text(line, SMALL, GREY, "normal")

    def axes(self, x: float, width: float, height: float) -> Any:
        """From y on, which stays."""
        return self.figure.add_axes((x / WIDTH, 1 - (self.y + height) / self.height, width / WIDTH,
                                     height / self.height))


def _legend_lines(handles: Sequence[Any]) -> list[list[Any]]:
    """Those that fit beside each other."""
    lines: list[list[Any]] = []
    left = 0.0
    for handle in handles:
        width = text_width(handle.get_label(), SMALL) + 0.53
        if width > left:
            lines.append([])
            left = WIDTH - 2 * EDGE
        lines[-1].append(handle)
        left -= width
    return lines


def _interval(ax: Any, y: float, s: Summary, scale: float, colour: str = INK) -> None:
    if s.median is not None and s.low is not None and s.high is not None:
        ends = [[(s.median - s.low) * scale], [(s.high - s.median) * scale]]
        ax.errorbar([s.median * scale], [y], xerr=ends, fmt="none", ecolor=colour, elinewidth=1.3,
                    capsize=2.6, zorder=4, label="_interval")


def _samples(ax: Any, y: float, row: Row, key: str, scale: float, height: float) -> None:
    """Rounds are spread over the line's height, so that equal ones are seen."""
    values = values_of(row, key)
    spread = [y + height * 0.28 * ((2 * i + 1) / len(values) - 1) for i in range(len(values))]
    ax.plot([v * scale for v in values], spread, "o", ms=3, mfc="white", mec=INK, mew=0.7, zorder=5,
            label="_samples")


def draw_bar(ax: Any, y: float, row: Row, key: str, scale: float, colour: str, height: float) -> None:
    """The median as a bar from 0."""
    ax.barh(y, (view.median(row, key) or 0) * scale, 0.72 * height, color=colour, alpha=0.5, zorder=2)
    _interval(ax, y, summary(row, key), scale)
    _samples(ax, y, row, key, scale, height)


def draw_dot(ax: Any, y: float, row: Row, key: str, scale: float, colour: str, height: float) -> None:
    """The median as a dot, for axes without a 0."""
    _interval(ax, y, summary(row, key), scale, colour)
    _samples(ax, y, row, key, scale, height)
    ax.plot([(view.median(row, key) or 0) * scale], [y], "D", ms=5, color=colour, zorder=6, label="_median")


def draw_cpu(ax: Any, y: float, row: Row, key: str, scale: float, _colour: str, height: float) -> None:
    """A bar of user and system: the median of their sum, divided as their own medians are."""
    total = (view.median(row, key) or 0) * scale
    user, system = (view.median(row, f"cpu_{part}_ns_per_mb") or 0 for part in ("user", "system"))
    in_user = total * user / (user + system) if user + system else 0
    waiting = in_user * min(1, max(0, view.median(row, "idle_share") or 0))
    left = 0.0
    for length, look in ((in_user - waiting, {"color": ORANGE}),
                         (waiting, {"fc": PALE, "ec": ORANGE, "hatch": "////"}),
                         (total - in_user, {"color": SKY if user + system else GREY})):
        if length > 0:
            ax.barh(y, length, 0.72 * height, left, linewidth=0, zorder=2, **look)
        left += length
    _interval(ax, y, summary(row, key), scale)
    _samples(ax, y, row, key, scale, height)


def draw_copies(ax: Any, y: float, row: Row, key: str, scale: float, _colour: str, _height: float) -> None:
    """A ring where it is expected, a dot where it was counted."""
    wanted, counted = row.expected.cpu_copies_per_byte, view.median(row, key)
    if wanted is not None:
        ax.plot([wanted], [y], "o", ms=10, mfc="none", mec=INK, mew=1.2, label="_expected")
    if counted is not None:
        _interval(ax, y, summary(row, key), scale, VERMILION)
        ax.plot([counted * scale], [y], "o", ms=5, color=VERMILION, label="_counted")


GOODPUT = Column("goodput_bps", "goodput, {unit}", draw_bar)
GOODPUT_LOG = Column("goodput_bps", "goodput, {unit} (log scale)", draw_dot, "log")
CPU = Column("cpu_ns_per_mb", "CPU time of the sender, µs per MB", draw_cpu)
CPU_LOG = Column("cpu_ns_per_mb", "CPU time, µs per MB (log scale)", draw_dot, "log")
COPIES = Column("cpu_copies_per_byte", "CPU copies per payload byte", draw_copies, "counts")
SWITCHES = Column("mode_switches_per_mb", "mode switches per MB (log scale from 1)", draw_dot, "symlog")
LOSS = Column("loss", "packets lost, %", draw_bar)


def _numbers(row: Row | None, column: Column, scale: float) -> str:
    """What stands beside a line."""
    if row is None:
        return "not run"
    s = summary(row, column.key)
    text = view.number(None if s.median is None else s.median * scale)
    if column is COPIES:
        wanted = row.expected.cpu_copies_per_byte
        return (f"{text}, " if s.n else "") + f"expected {'?' if wanted is None else f'{wanted:g}'}"
    if not s.n:
        return "void" if any(x.void for x in row.samples) else "-"
    low, high = (view.number((v or 0) * scale) for v in (s.low, s.high))
    return text if s.n < 2 else f"{text} [{low}, {high}]"


def _limits(rows: Sequence[Row], column: Column, scale: float) -> tuple[float, float]:
    """Of the axis, in every panel."""
    found = [v * scale for r in rows for s in [summary(r, column.key)]
             for v in (*values_of(r, column.key), s.median, s.low, s.high) if v is not None]
    if column.form == "counts":
        found += [r.expected.cpu_copies_per_byte or 0 for r in rows]
        return -0.15, max([2.0, *found]) + 0.15
    if column.form == "log":
        found = [v for v in found if v > 0] or [1.0]
        return min(found) / 1.25, max(found) * 1.25
    most = max(found, default=0) or 1.0
    return (-0.25, max(10.0, most) * 1.5) if column.form == "symlog" else (0.0, most * 1.04)


def _set_axis(axis: Any, form: str, limits: tuple[float, float], inches: float) -> None:
    """Scale and ticks: plain numbers, as many as have room."""
    low, high = limits
    if form == "symlog":
        axis.axes.set_xscale("symlog", linthresh=1, linscale=0.5)
        decades = range(0, math.ceil(math.log10(high)), 1 if high < 1e4 else 2)
        axis.set_ticks([0.0, *(10.0 ** d for d in decades)])
    elif form == "log":
        getattr(axis.axes, f"set_{axis.axis_name}scale")("log")
        span = math.log10(high / low)
        axis.set_major_locator(LogLocator(subs=(1, 2, 5) if span < 1.7 else (1, 3) if span < 2.2 else (1,)))
        axis.set_minor_formatter(NullFormatter())
    else:
        axis.set_major_locator(MaxNLocator(max(4, int(inches * 1.3)), steps=[1, 2, 5, 10],
                                           integer=form == "counts"))
    axis.set_minor_locator(NullLocator())
    axis.set_major_formatter(FuncFormatter(lambda v, _: f"{v:,g}" if abs(v) < 1e6 else f"{v:.0e}"))
    getattr(axis.axes, f"set_{axis.axis_name}lim")(low, high)


def forest(title: str, caveat: str, panels: Sequence[Panel], columns: Sequence[Column], legend: Sequence[Any],
           colours: Sequence[str] = ()) -> Figure:
    """colours: of the compared results; without them a way has its family's."""
    rows = [r for p in panels for r in p.rows]
    fast, unit = view.goodput_unit(rows)
    scales = [fast if c.key == "goodput_bps" else METRICS[c.key].scale for c in columns]
    height = LINE * max(1.0, 0.72 * len(colours))
    page = Page(title, caveat, legend, sum(0.6 + (9.5 + SMALL * len(wrap(p.caveat))) / 72 * LEAD
                                           + len(p.lines) * height for p in panels))
    names = max(text_width(plain(r.label), 9) for r in rows) + 0.12
    cells = [r for p in panels for line in p.lines for r in line]
    texts = [max(text_width(_numbers(r, c, s), SMALL) for r in cells) + 0.18
             for c, s in zip(columns, scales, strict=True)]
    share = (WIDTH - 2 * EDGE - names - sum(texts)) / len(columns)
    for panel in panels:
        page.y += 0.08
        page.text(panel.title, 9.5)
        page.notes(panel.caveat)
        page.y += 0.05
        x = EDGE + names
        for column, scale, numbers in zip(columns, scales, texts, strict=True):
            ax = page.axes(x, share - 0.06, len(panel.lines) * height)
            for y, line in enumerate(panel.lines):
                _draw_line(ax, y, line, column, scale, colours)
            _set_axis(ax.xaxis, column.form, _limits(rows, column, scale), share)
            ax.set_ylim(len(panel.lines) - 0.5, -0.5)
            ax.grid(visible=False, axis="y")
            ax.set_xlabel(column.axis.format(unit=unit), labelpad=2)
            ax.set_yticks(range(len(panel.lines)))
            ax.set_yticklabels([plain(next(r.label for r in line if r)) for line in panel.lines]
                               if column is columns[0] else [])
            x += share + numbers
        page.y += len(panel.lines) * height + 0.47
    return page.figure


def _draw_line(ax: Any, y: int, line: Sequence[Row | None], column: Column, scale: float,
               colours: Sequence[str]) -> None:
    part = 0.9 / len(line) if colours else 1.0
    for k, row in enumerate(line):
        at = y + (k - (len(line) - 1) / 2) * part
        if row and (summary(row, column.key).n or column is COPIES):
            colour = colours[k] if colours else FAMILIES[family(row)]
            column.draw(ax, at, row, column.key, scale, colour, part)
        ax.annotate(_numbers(row, column, scale), (1, at), xytext=(5, 0), xycoords=("axes fraction", "data"),
                    textcoords="offset points", va="center", fontsize=SMALL, annotation_clip=False,
                    color=colours[k] if colours else INK)


def grid(title: str, caveat: str, rows: list[Row], along: str, axis: str) -> Figure:
    """Goodput over `along` ("file_bytes", "mtu"): a panel a way, all of one scale; the other ways in grey."""
    scale, unit = view.goodput_unit(rows)
    wide, tall, across = 2.05, 1.45, 4
    lines: dict[str, dict[str, list[Row]]] = {}
    for row in sorted(rows, key=lambda r: int(getattr(r, along))):
        name = f"MTU {row.mtu}, " if along == "file_bytes" else f"{view.size(row.file_bytes)} file, "
        name += f"page cache {'cold' if row.cold else 'warm'}"
        lines.setdefault(row.label, {}).setdefault(name, []).append(row)
    names = sorted({name for ways in lines.values() for name in ways}, key=lambda n: (len(n), n))
    looks = {n: {"color": SERIES[i % len(SERIES)], "marker": "osD^vP"[i % 6]} for i, n in enumerate(names)}
    legend = [Line2D([], [], ms=4, label=n, **look) for n, look in looks.items()]
    legend += [*_marks(rows, "goodput_bps", "line"), Line2D([], [], color="#bbbbbb", label="the other ways")]
    page = Page(title, caveat, legend, 0.35 + math.ceil(len(lines) / across) * (tall + 0.55))
    ticks = sorted({int(getattr(r, along)) for r in rows})
    room = (ticks[-1] / ticks[0]) ** (0.25 / (wide - 0.5))  # half a tick's label
    page.y += 0.35
    for i, (label, ways) in enumerate(lines.items()):
        ax = page.axes(EDGE + 0.6 + i % across * (wide + 0.28), wide, tall)
        for line in (line for other in lines.values() for line in other.values()):
            ax.plot([getattr(r, along) for r in line], [(view.median(r, "goodput_bps") or 0) * scale for r in line],
                    color="#cccccc", lw=0.7, zorder=1)
        for name, line in ways.items():
            _draw_curve(ax, line, along, scale, looks[name])
        _set_axis(ax.yaxis, "log", _limits(rows, GOODPUT_LOG, scale), tall)
        ax.set(xscale="log", xlim=(ticks[0] / room, ticks[-1] * room))
        _set_ticks(ax, ticks, [view.size(t) if along == "file_bytes" else str(t) for t in ticks], wide)
        ax.set_title(plain(label, 30), fontsize=9, loc="left", pad=4)
        ax.set_xlabel(axis if i + across >= len(lines) else "", labelpad=2)
        if i % across == 0:
            ax.set_ylabel(unit)
        else:
            ax.set_yticklabels([])
        page.y += (tall + 0.55) * (i % across == across - 1)
    return page.figure


def _draw_curve(ax: Any, line: Sequence[Row], along: str, scale: float, look: dict[str, str]) -> None:
    s = [summary(r, "goodput_bps") for r in line]
    low, y, high = (np.array([getattr(x, end) for x in s]) * scale for end in ("low", "median", "high"))
    ax.errorbar([getattr(r, along) for r in line], y, yerr=[y - low, high - y], ms=4, lw=1.3, elinewidth=1,
                capsize=2, zorder=4, label="_interval", **look)
    for r in line:
        values = values_of(r, "goodput_bps")
        ax.plot([getattr(r, along)] * len(values), [v * scale for v in values], "o", ms=2.4, mfc="white",
                mec=look["color"], mew=0.6, zorder=5, label="_samples")


def _set_ticks(ax: Any, ticks: Sequence[int], labels: Sequence[str], inches: float) -> None:
    """Those whose labels have room."""
    low, high = (math.log(v) for v in ax.get_xlim())
    chosen: list[int] = []
    end = -math.inf
    for i, label in enumerate(labels):
        at, half = (math.log(ticks[i]) - low) / (high - low) * inches, text_width(label, 8.5) / 2
        if at - half > end:
            chosen.append(i)
            end = at + half + 0.08
    ax.set_xticks([ticks[i] for i in chosen], [labels[i] for i in chosen])
    ax.xaxis.set_minor_locator(NullLocator())


def _families(rows: Sequence[Row]) -> list[Any]:
    there = {family(r) for r in rows}
    return [Patch(color=colour, alpha=0.6, label=name) for name, colour in FAMILIES.items() if name in there]


def _mark(label: str, marker: str, size: float, **look: Any) -> Any:
    return Line2D([], [], **{"ls": "", "marker": marker, "ms": size, "label": label, **look})


def _marks(rows: Sequence[Row], key: str, median: str) -> list[Any]:
    """What the marks of a metric mean. median: how it is drawn, "bar", "dot" or "line"."""
    marks = [_mark("median", "D", 5, color=GREY)] if median == "dot" else []
    if any(summary(r, key).n > 1 for r in rows):
        label = "95 % interval" + (", at the right in brackets" if median != "line" else "")
        marks.append(_mark(label, "|", 6, color=INK, ls="-", lw=1.3))
    return [*marks, _mark("one sample", "o", 3, mfc="white", mec=INK, mew=0.7)]


def _cpu_parts(rows: Sequence[Row]) -> list[Any]:
    looks = {"cpu_user_ns_per_mb": Patch(color=ORANGE, label="user"),
             "idle_share": Patch(fc=PALE, ec=ORANGE, lw=0, hatch="////", label="user: a poller waits"),
             "cpu_system_ns_per_mb": Patch(color=SKY, label="system")}
    return [look for key, look in looks.items() if any((view.median(r, key) or 0) > 0 for r in rows)]


def _copies_marks(rows: Sequence[Row]) -> list[Any]:
    marks = [_mark("expected", "o", 9, mfc="none", mec=INK, mew=1.2)]
    return marks + [_mark("counted by BPF", "o", 5, color=VERMILION)] * view.copies_by_bpf(list(rows))


def _panel(result: Result, group: list[Row], lines: Sequence[Sequence[Row | None]]) -> Panel:
    """Of a figure that shows several wires."""
    return Panel(f"{wire_name(group[0])}: {view.group_title(group[0])}", lines,
                 result.wires.get(group[0].wire, ""))


def overview(result: Result) -> Drawing | None:
    """Every wire, goodput and CPU time; None: nothing ran."""
    groups = [groups[0] for rows in view.wires(result) if (groups := main_groups(rows))]
    panels = [_panel(result, g, [[r] for r in g]) for g in groups]
    rows = [r for g in groups for r in g]
    if not rows:
        return None
    title = "Goodput and CPU time of the sender"
    known = (result.env.get("cpu_model"), result.env.get("kernel"), f"pagewire {result.version}",
             (result.env.get("date") or "")[:10])
    return Drawing("overview", title + ", a panel for each wire",
                   "CPU time is of the sender's process per MB of the file. " + DRAWN + SCALE + RANKS,
                   forest(title, f"{', '.join(x for x in known if x)}. {SCALE}{RANKS}", panels,
                          (GOODPUT_LOG, CPU),
                          _families(rows) + _marks(rows, "goodput_bps", "dot") + _cpu_parts(rows)))


def of_wire(result: Result, rows: list[Row]) -> Iterator[Drawing]:
    """The figures of one wire."""
    wire, caveat = wire_name(rows[0]), result.wires.get(rows[0].wire, "")
    slug = "".join(c if c.isalnum() else "-" for c in wire.removeprefix("wire ").replace(",", ""))[:40]
    panels = [Panel(view.group_title(g[0]), [[r] for r in g]) for g in main_groups(rows)]
    drawn = [r for p in panels for r in p.rows]

    def draw(name: str, title: str, caption: str, columns: Sequence[Column], legend: Sequence[Any],
             of: Sequence[Panel] = panels) -> Drawing:
        title += f", {wire}"
        return Drawing(f"{name}-{slug}", title, caption, forest(title, caveat, of, columns, legend))

    if measured(drawn, "goodput_bps"):
        yield draw("goodput", "Goodput", "File bits that arrived per second. A bar is the median. " + DRAWN,
                   [GOODPUT], _families(drawn) + _marks(drawn, "goodput_bps", "bar"))
    if measured(drawn, "cpu_ns_per_mb"):
        yield draw("cpu", "CPU time of the sender",
                   "CPU time of the sender's process per MB of the file. A bar is the median of user and "
                   "system together, divided as their own medians are. " + DRAWN
                   + "A poller uses its whole core, whether it works or waits.",
                   [CPU], _cpu_parts(drawn) + _marks(drawn, "cpu_ns_per_mb", "bar"))
    counted, switches = view.copies_by_bpf(drawn), measured(drawn, SWITCHES.key)
    if counted or switches:
        yield draw("copies", "CPU copies" + " and mode switches" * switches,
                   "CPU copies per payload byte on the sender's side, as expected"
                   + (" and as counted by BPF. " if counted else ": here they were not counted. ")
                   + "Mode switches: 2 x system calls + 2 x user page faults." * switches,
                   [COPIES, SWITCHES] if switches else [COPIES],
                   _copies_marks(drawn) + _families(drawn) * switches)
    if any((summary(r, "loss").max or 0) > 0 for r in drawn):
        lossy = [Panel(p.title, lines) for p in panels
                 if (lines := [[r] for r in p.rows if summary(r, "loss").n])]
        yield draw("loss", "Loss", "Share of the packets that the driver or kernel accepted and that did not "
                   "arrive. " + DRAWN + "Ways over TCP are left out.", [LOSS],
                   _families([r for p in lossy for r in p.rows]) + _marks(drawn, "loss", "bar"), lossy)
    ran = [r for r in rows if view.median(r, "goodput_bps")]
    largest = [r for r in ran if r.file_bytes == max(x.file_bytes for x in ran)]
    for name, along, kept, axis in (("sizes", "file_bytes", ran, "file size"),
                                    ("mtu", "mtu", largest, "MTU")):
        if len({getattr(r, along) for r in kept}) > 1:
            title = f"Goodput over {axis}, {wire}"
            yield Drawing(f"{name}-{slug}", title, f"{DRAWN}{SCALE}Both axes are logarithmic.",
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
    colours = [SERIES[i % len(SERIES)] for i in range(len(results))]
    legend = [Patch(color=c, label=plain(n, 110)) for c, n in zip(colours, names, strict=True)]
    legend += _marks([r for p in panels for r in p.rows], "goodput_bps", "dot")
    title = "The same rows of each result"
    return Drawing("compared", title, title + ". " + DRAWN + SCALE + RANKS,
                   forest(title, SCALE + RANKS, panels, [GOODPUT_LOG, CPU_LOG], legend, colours))
