# SPDX-License-Identifier: BSD-3-Clause
"""The terminal table: the C bench's text of stored results, marks, notes, and what fits into 100 columns."""
import io
from typing import Any

import pytest
from bench import view
from bench.metrics import METRICS
from bench.model import Expected, Result
from bench.table import print_table
from samples_of import DATA, STORED, result, rounds, row, sample, stored


def printed(r: Result, setup: bool = False) -> str:
    """It fits, has no colour in a file, and nothing trails."""
    out = io.StringIO()
    print_table(out, r, setup)
    text = out.getvalue()
    for line in text.splitlines():
        assert len(line) <= 100, line
        assert line == line.rstrip(), f"{line}|"
    assert "\033" not in text
    return text


def line_of(text: str, start: str) -> str:
    return next(line for line in text.splitlines() if line.startswith(start))


def way(label: str, goodput: float, cpu: float, **about: Any) -> Any:
    """Two rounds of the same numbers."""
    numbers = {"goodput_bps": goodput, "cpu_ns_per_mb": cpu}
    return row(label, [sample(0), sample(1, **numbers), sample(2, **numbers)], **about)


@pytest.mark.parametrize("name", STORED)
def test_a_stored_result_prints_as_the_c_bench_printed_it(name: str) -> None:
    """Same measurement: what the C bench printed is beside its JSON. Two sentences of the legend are new."""
    expected, text = (DATA / f"{name}.txt").read_text(), printed(stored(name))
    new, end = "\n  copies: ", "\n  not measured: "
    assert text.split(new)[0] == expected.split(new)[0]
    assert text.split(end)[1:] == expected.split(end)[1:]
    assert expected.count(end) >= 1 and expected.count("%]") >= 1


@pytest.mark.parametrize(("key", "value", "text"), [
    ("goodput_bps", 38e9, "38.0"), ("goodput_bps", 9.996e9, "10.0"), ("goodput_bps", 99.96e9, "100"),
    ("goodput_bps", 3.714e9, "3.71"), ("goodput_bps", 0, "0"), ("goodput_bps", None, "-"),
    ("goodput_bps", float("inf"), "-"), ("goodput_bps", 37.14e6, "0.0371"),
    ("cpu_ns_per_mb", 2160.4e3, "2,160"),
    ("cpu_ns_per_mb", 12345e3, "12,300"), ("cpu_ns_per_mb", 999.6e3, "1,000"),
    ("cpu_ns_per_mb", 123456e3, "123k"),
    ("cpu_ns_per_mb", 4100000e3, "4.10M"), ("cpu_ns_per_mb", 7.2e15, "7.20T"), ("loss", 0.0041, "0.410"),
    ("loss", 1e-8, "1e-06"), ("mode_switches_per_mb", 1005, "1,010"), ("mode_switches_per_mb", 1.0, "1.00")])
def test_numbers_have_three_digits_in_six_columns(key: str, value: float | None, text: str) -> None:
    assert view.metric(key, value) == text


@pytest.mark.parametrize(("value", "decimals", "text"), [
    (0.004, 2, "<.01"), (0.006, 2, "0.01"), (0, 2, "0"), (1.234, 3, "1.23"), (0.0571, 3, "0.057"),
    (None, 2, "-"), (0.0001, 3, "<.001"), (123.4, 2, "123")])
def test_short_numbers_have_few_decimals(value: float | None, decimals: int, text: str) -> None:
    assert view.short(value, decimals) == text


@pytest.mark.parametrize(("n", "text"), [
    (0, "0 B"), (1, "1 B"), (64 << 20, "64 MiB"), (1 << 30, "1 GiB"), (1500, "1500 B"),
    (12_345_678, "11.77 MiB")])
def test_sizes_are_whole_where_they_can_be(n: int, text: str) -> None:
    assert view.size(n) == text


def test_every_metric_is_described() -> None:
    for key, m in METRICS.items():
        assert key == m.key and m.scale > 0 and m.title and m.unit and m.what.endswith(".")
    assert len({m.title for m in METRICS.values()}) == len(METRICS)


def test_the_best_of_each_column_is_marked() -> None:
    fast = way("fast", 38e9, 90e3, expected=Expected(1, 0, "x"))
    text = printed(result(way("slow", 1e9, 50e3), fast, way("frugal", 2e9, 40e3)))
    assert "38.0 [38.0, 38.0]*" in line_of(text, "fast") and " 90.0 " in line_of(text, "fast")
    assert "- (1)" in line_of(text, "fast") and "- (?)" in line_of(text, "slow")
    assert "1.00 [1.00, 1.00] " in line_of(text, "slow")
    assert " 40.0*" in line_of(text, "frugal")


def test_nothing_is_best_where_all_are_alike() -> None:
    text = printed(result(way("one", 1e9, 50e3), way("other", 1.001e9, 50e3)))  # prints the same
    assert "1.00 [" in line_of(text, "one")
    assert text.count("*") == 1 and "* best of" in text  # the legend explains the mark


def test_wires_and_directions_are_not_ranked_against_each_other() -> None:
    text = printed(result(way("a", 1e9, 5e3), way("b", 2e9, 6e3), way("c", 100e9, 1e3, wire="null"),
                          way("d", 200e9, 2e3, wire="null"), way("e", 1e9, 9e3, direction="receive"),
                          way("f", 5e9, 9e3, direction="receive"), wires={"null": "nothing leaves"}))
    assert " 5.00*" in line_of(text, "a ") and "[2.00, 2.00]*" in line_of(text, "b ")
    assert "[200, 200]*" in line_of(text, "d ") and "[5.00, 5.00]*" in line_of(text, "f ")
    assert "== null == nothing leaves" in text and "== veth, ways to receive ==" in text


def test_the_unit_of_goodput_is_that_of_the_groups_best() -> None:
    text = printed(result(way("a", 1e6, 5e3), way("b", 23e6, 6e3)))
    assert "Mb/s" in text and "23.0 [23.0, 23.0]" in text


def test_reasons_stand_below() -> None:
    dead = row("packet_send", [sample(n, void="no packet came") for n in range(3)])
    zc = way("udp_zerocopy", 2e9, 1e3)
    for s in zc.samples[1:]:
        s.values["zerocopy_copied_share"] = 1.0
    rows = [way("udp_gso", 1e9, 1e3), dead, zc, row("xdp_zerocopy", skipped="no zero-copy driver; use a NIC"),
            row("xdp_other", skipped="no zero-copy driver; use a NIC")]
    for r in rows[:3]:
        r.not_measured = {"cycles_per_mb": "no counter", "goodput_bps": "it has one"}
    rows[0].not_measured["cpu_copies_per_byte"] = rows[2].not_measured["cpu_copies_per_byte"] = "inlined"
    text = printed(result(*rows))
    assert "\n  udp_zerocopy: 100 % of the zero-copy completions said COPIED\n" in text
    assert "void     packet_send, 64 MiB file, MTU 1500, page cache warm, 3 of 3 runs: no packet came" in text
    assert "skipped  xdp_zerocopy, xdp_other: no zero-copy driver; use a NIC" in text
    assert "not measured: cycles: no counter" in text
    assert "not measured: CPU copies (udp_gso, udp_zerocopy): inlined" in text
    assert "void" in line_of(text, "packet_send")
    assert "not measured: goodput (packet_send): it has one" in text


def test_bpf_is_named_only_where_it_counted() -> None:
    r = way("udp_gso", 1e9, 1e3)
    assert "BPF" not in printed(result(r))
    r.samples.append(sample(3, evidence=True, cpu_copies_per_byte=1.0))
    assert "measured by BPF" in printed(result(r))


def test_the_legend_names_whose_costs_they_are() -> None:
    assert "the sender's process" in printed(result(way("udp_gso", 1e9, 1e3)))
    text = printed(result(way("udp", 1e9, 1e3, direction="receive")))
    assert "the receiver's process" in text and "sender's process" not in text


def test_pollers_and_set_up_are_told_below_the_table() -> None:
    poller = way("dpdk_null/hugefile", 9e9, 1e3, bypass=True)
    poller.way = "dpdk_null"
    for s in poller.samples:
        s.values.update(busy_cycles_per_packet=41.2, idle_share=0.25, setup_s=0.55,
                        goodput_with_setup_bps=3e9)
    text = printed(result(poller))
    assert "dpdk_null/hugefile    41.2 cycles/packet busy,  25.0 % of the time waiting" in text
    assert line_of(text, "dpdk_null ").split()[1] == "huge" and "set-up," not in text
    assert "550 ms set-up,    3.00 Gb/s in all" in printed(result(poller), setup=True)


@pytest.mark.parametrize(("proofs", "word"), [
    (["digest", "digest"], "full"), (["digest", "compared"], "part"), (["compared", "counted"], "count"),
    (["counted", "none"], "none"), ([], "-")])
def test_the_proof_is_the_weakest_samples(proofs: list[str], word: str) -> None:
    samples = [sample(0, void=None), sample(9, void="dead")]  # neither counts
    for n, proof in enumerate(proofs, 1):
        samples.append(sample(n))
        samples[-1].proof = proof
    assert view.proof(row(samples=samples)) == word


def test_a_comparison_of_every_byte_is_a_full_proof() -> None:
    s = sample(1)
    s.raw = {"source": {}, "sink": {"whole": True}}
    assert view.proof(row(samples=[s])) == "full"
    s.raw = {"source": {}, "sink": {"whole": False}}
    assert view.proof(row(samples=[s])) == "part"


def test_long_names_and_large_numbers_fit() -> None:
    name = "a_way_whose_name_is_longer_than_any_table_has_room_for_of_course"
    values = (None, 0, 1e-9, 0.99949, 999.5, 99999, 123456, 9.99e14, 1e300)
    rows = []
    for value in values:
        numbers = {k: None if value is None else value / m.scale for k, m in METRICS.items()}
        samples = [sample(n, **numbers) for n in range(4)]
        samples[2].void = "x" * 255
        rows.append(row(name, samples, bypass=True, pages=name))
    rows[0].skipped = "y" * 255
    text = printed(result(*rows), setup=True)
    assert "~" in text and "e+" in text


def test_no_word_of_a_reason_is_cut() -> None:
    words = [f"word{n}-with_parts/of:it" for n in range(40)]
    text = printed(result(row("x", skipped=" ".join(words))))
    assert all(w in text for w in words)


def test_a_result_of_nothing_prints() -> None:
    assert "no way was asked for" in printed(result())
    assert "- (?)" in line_of(printed(result(row())), "udp_gso")  # never run: interrupted
    warm = printed(result(row(samples=rounds("goodput_bps", [1e9]))))  # interrupted after the warm-up
    assert "void" not in line_of(warm, "udp_gso")
    text = printed(result(row(skipped="make namespaces: no privilege; use root"), env={}))
    assert "skipped  udp_gso: make namespaces: no privilege; use root\n" in text and "goodput [" not in text


def test_a_terminal_does_not_obey_a_reason() -> None:
    text = printed(result(row(skipped="open \033[31mx\nroot: done"), way("a\033b", 1, 1)))
    assert "open ?[31mx?root: done" in text and "a?b" in text


def test_an_emulated_cpu_is_told_at_the_top() -> None:
    text = printed(result(way("a", 1, 1), env={"hypervisor": "TCGTCGTCGTCG"}))
    assert text.index("emulated CPU") < text.index("== veth")


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize("columns", [80, 100, 120])
def test_a_terminal_has_colour_and_its_own_width(columns: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", str(columns))
    monkeypatch.delenv("NO_COLOR", raising=False)
    out = Terminal()
    print_table(out, stored("quick-c"))
    text = out.getvalue()
    assert "\033[1;32m" in text
    for line in text.splitlines():
        shown = "".join(part.partition("m")[2] if n else part for n, part in enumerate(line.split("\033[")))
        assert len(shown.rstrip()) <= columns
