# SPDX-License-Identifier: BSD-3-Clause
"""The figures of a report: what is drawn, that panels can be compared, and that all text can be read."""
from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any
from unittest import mock

import pytest
import samples_of
from bench import plots, view
from bench.model import Expected, Result, Row
from bench.plots import Drawing
from bench.result import summarize_result, values_of

matplotlib = pytest.importorskip("matplotlib")
FigureCanvasAgg = pytest.importorskip("matplotlib.backends.backend_agg").FigureCanvasAgg


@pytest.fixture(autouse=True)
def _style() -> Iterator[None]:
    with matplotlib.rc_context(plots.STYLE):
        yield


def drawings(result: Result) -> dict[str, Drawing]:
    """All of a result, by name."""
    made = [plots.overview(result), *(d for rows in view.wires(result) for d in plots.of_wire(result, rows))]
    return {d.name: d for d in made if d}


def texts(figure: Any) -> list[Any]:
    """What is drawn and not empty: an axis has ticks beyond its ends, which are not."""
    drawn = []

    def note(text: Any, renderer: Any) -> None:
        drawn.append(text)
        draw(text, renderer)
    draw = matplotlib.text.Text.draw
    with mock.patch.object(matplotlib.text.Text, "draw", note):
        figure.draw_without_rendering()
    return [t for t in dict.fromkeys(drawn) if t.get_visible() and t.get_text().strip()]


def words(drawing: Drawing) -> set[str]:
    """Each text of the figure."""
    return {t.get_text() for t in texts(drawing.figure)}


def n_samples(drawing: Drawing) -> int:
    """Points that are drawn for samples."""
    return sum(len(line.get_xdata()) for ax in drawing.figure.axes for line in ax.lines
               if line.get_label() == plots.SAMPLE)


def n_intervals(drawing: Drawing) -> int:
    """Intervals of single values that are drawn."""
    return sum(c.get_label() == plots.INTERVAL for ax in drawing.figure.axes for c in ax.containers)


def timed(label: str, speeds: list[float | None], **about: Any) -> Row:
    """Of the goodput of each round, the warm-up first."""
    return samples_of.row(label, samples_of.rounds("goodput_bps", speeds), **about)


def ways() -> list[Row]:
    """Of three sizes and two MTUs."""
    return [timed(label, [1e9, speed, speed * 1.1, speed * 1.3], file_bytes=size, mtu=mtu)
            for size, mtu in ((4096, 1500), (1 << 20, 1500), (1 << 24, 1500), (1 << 24, 9000))
            for label, speed in (("udp_gso", 4e9), ("udp_read_send", 1e9))]


def with_copies(result: Result) -> Result:
    """As if BPF had counted on veth."""
    for row in result.rows:
        if row.wire == "veth" and not row.skipped:
            row.samples.append(samples_of.sample(1, evidence=True, cpu_copies_per_byte=1.03))
    summarize_result(result)
    return result


def assert_legible(drawing: Drawing) -> None:
    """No text lies on another one or is cut."""
    renderer = FigureCanvasAgg(drawing.figure).get_renderer()
    boxes = [(t.get_text(), t.get_window_extent(renderer)) for t in texts(drawing.figure)]
    width, height = drawing.figure.bbox.width, drawing.figure.bbox.height
    for text, box in boxes:
        inside = min(box.x0, box.y0) >= 0 and box.x1 <= width and box.y1 <= height
        assert inside, (drawing.name, text)
    for (a, x), (b, y) in itertools.combinations(boxes, 2):
        apart = x.x1 <= y.x0 + 1 or y.x1 <= x.x0 + 1 or x.y1 <= y.y0 + 1 or y.y1 <= x.y0 + 1
        assert apart, (drawing.name, a, b)


@pytest.mark.parametrize("name", samples_of.STORED)
def test_no_text_of_a_stored_result_overlaps_or_is_cut(name: str) -> None:
    for drawing in drawings(samples_of.stored(name)).values():
        assert_legible(drawing)


def test_long_hostile_labels_and_caveats_fit() -> None:
    rows = [timed(f"{'w' * 90}{i}$x_1^2$\n\x1b[31m", [1e9, 1e9 + i, 2e9]) for i in range(3)]
    result = samples_of.result(*rows, wires={"veth": "a caveat that needs more than a line " * 9})
    for drawing in drawings(result).values():
        assert_legible(drawing)
        assert not any("\x1b" in w for w in words(drawing))


@pytest.mark.parametrize("name", samples_of.STORED)
def test_every_sample_and_interval_is_drawn(name: str) -> None:
    result = samples_of.stored(name)
    made = drawings(result)
    for rows in view.wires(result):
        drawn = [r for group in plots.main_groups(rows) for r in group]
        for figure, key in (("goodput", "goodput_bps"), ("cpu", "cpu_ns_per_mb")):
            drawing = made[f"{figure}-{rows[0].wire}"]
            assert n_samples(drawing) == sum(len(values_of(r, key)) for r in drawn) > 0
            assert n_intervals(drawing) == sum(r.summary[key].n > 0 for r in drawn) > 0


@pytest.mark.parametrize("name", samples_of.STORED)
def test_no_sample_or_interval_lies_outside_its_axes(name: str) -> None:
    for drawing in drawings(samples_of.stored(name)).values():
        for ax in drawing.figure.axes:
            low, high = ax.get_xlim()
            bars = [c.lines[2][0] for c in ax.containers if c.get_label() == plots.INTERVAL]
            ends = [end for bar in bars for end in bar.get_segments()]
            drawn = [x for line in ax.lines if line.get_label()[0] != "_" for x in line.get_xdata()]
            drawn += [x for end in ends for x in end[:, 0]]
            assert drawn and low <= min(drawn) and max(drawn) <= high, drawing.name


def test_a_warm_up_and_void_and_evidence_samples_are_not_drawn() -> None:
    samples = [samples_of.sample(0, goodput_bps=1e9), samples_of.sample(1, goodput_bps=2e9),
               samples_of.sample(2, goodput_bps=3e9, void="wrong bytes"),
               samples_of.sample(3, goodput_bps=4e9, evidence=True)]
    assert n_samples(drawings(samples_of.result(samples_of.row(samples=samples)))["goodput-veth"]) == 1


def test_the_interval_ends_where_the_summary_says() -> None:
    row = timed("udp_gso", [0.0, 2e9, 3e9, 7e9])
    drawing = drawings(samples_of.result(row))["goodput-veth"]
    (container,) = [c for c in drawing.figure.axes[0].containers if c.get_label() == plots.INTERVAL]
    ends = container.lines[2][0].get_segments()[0][:, 0]
    s = row.summary["goodput_bps"]
    assert list(ends * 1e9) == pytest.approx([s.low, s.high])
    assert "3.00 [2.00, 7.00]" in words(drawing)


@pytest.mark.parametrize("name", samples_of.STORED)
def test_panels_of_a_figure_have_one_scale(name: str) -> None:
    for drawing in drawings(samples_of.stored(name)).values():
        by_axis: dict[str, set[tuple[float, ...]]] = {}
        for ax in drawing.figure.axes:
            by_axis.setdefault(ax.get_xlabel(), set()).add(tuple(ax.get_xlim()))
        assert all(len(limits) == 1 for limits in by_axis.values()), drawing.name


def test_a_cpu_bar_ends_at_the_median_of_the_sum() -> None:
    rounds = [samples_of.sample(i, cpu_ns_per_mb=v * 1e3, cpu_user_ns_per_mb=v * 250,
                                cpu_system_ns_per_mb=v * 750) for i, v in enumerate((9, 100, 200, 400))]
    ax = drawings(samples_of.result(samples_of.row(samples=rounds)))["cpu-veth"].figure.axes[0]
    user, system = sorted(ax.patches, key=lambda p: float(p.get_x()))
    assert (user.get_width(), system.get_x() + system.get_width()) == pytest.approx((50, 200))


def test_a_poller_that_waits_is_told_apart() -> None:
    costs = {"cpu_ns_per_mb": 1e5, "cpu_user_ns_per_mb": 1e5, "cpu_system_ns_per_mb": 0.0}
    waits = samples_of.row("dpdk_vhost", [samples_of.sample(i, **costs, idle_share=0.25) for i in range(3)],
                           bypass=True)
    busy = samples_of.row("udp_gso", [samples_of.sample(i, **costs) for i in range(3)])
    assert "user: a poller waits" in words(drawings(samples_of.result(waits, busy))["cpu-veth"])
    assert "user: a poller waits" not in words(drawings(samples_of.result(busy))["cpu-veth"])


def test_bpf_is_named_only_where_it_counted() -> None:
    without = drawings(samples_of.stored("quick-c"))
    assert "expected" in words(without["copies-veth"])
    assert not any("BPF" in w for d in without.values() for w in words(d) | {d.caption})
    counted = drawings(with_copies(samples_of.stored("quick-c")))
    assert "counted by BPF" in words(counted["copies-veth"]) and "BPF" in counted["copies-veth"].caption
    assert "counted by BPF" not in words(counted["copies-sink"])
    assert_legible(counted["copies-veth"])


def test_copies_that_are_only_expected_make_no_figure() -> None:
    row = timed("udp_gso", [1e9, 1e9, 2e9], expected=Expected(1.0, 0.0, "why"))
    assert "copies-veth" not in drawings(samples_of.result(row))


def test_loss_has_a_figure_only_where_packets_were_lost() -> None:
    def result(lost: float) -> Result:
        rounds = [samples_of.sample(i, goodput_bps=1e9, loss=lost) for i in range(3)]
        return samples_of.result(samples_of.row(samples=rounds))
    assert "loss-veth" not in drawings(result(0.0))
    assert "2.00 [2.00, 2.00]" in words(drawings(result(0.02))["loss-veth"])


def test_several_sizes_and_mtus_have_figures_with_intervals_and_samples() -> None:
    made = drawings(samples_of.result(*ways()))
    for name, n_rows in (("sizes-veth", 8), ("mtu-veth", 4)):
        assert n_samples(made[name]) == n_rows * 3
        assert_legible(made[name])
        assert {tuple(ax.get_ylim()) for ax in made[name].figure.axes} == {made[name].figure.axes[0].get_ylim()}
    assert {"4 KiB", "1 MiB", "16 MiB", "MTU 9000, page cache warm"} <= words(made["sizes-veth"])
    assert {"1500", "9000"} <= words(made["mtu-veth"])
    assert "sizes-veth" not in drawings(samples_of.stored("quick-c"))


def test_a_wire_that_was_received_on_has_figures_of_its_own() -> None:
    rows = [timed("recv", [1e9, 1e9, 2e9], direction=d) for d in ("send", "receive")]
    assert {"goodput-veth", "goodput-veth-receive"} <= set(drawings(samples_of.result(*rows)))


def test_a_void_row_says_so() -> None:
    rows = [timed("udp_gso", [1e9, 1e9, 2e9]),
            samples_of.row("splice", [samples_of.sample(i, void="wrong bytes") for i in range(3)])]
    assert "void" in words(drawings(samples_of.result(*rows))["goodput-veth"])


def test_compared_results_have_a_colour_each() -> None:
    results = [samples_of.stored("quick-c"), samples_of.stored("quick-c")]
    results[1].rows = results[1].rows[:3]
    drawing = plots.compared(results, ["1: old", "2: new"])
    assert drawing and {"1: old", "2: new"} <= words(drawing)
    assert len(drawing.figure.axes) == 2  # of the one wire that both have
    assert n_samples(drawing) == 2 * 2 * sum(len(values_of(r, "goodput_bps")) for r in results[1].rows)
    assert_legible(drawing)
    results[1].rows = []
    assert plots.compared(results, ["1: old", "2: new"]) is None


def test_nothing_that_ran_makes_no_figure() -> None:
    assert not drawings(samples_of.result(samples_of.row(skipped="no such device")))
