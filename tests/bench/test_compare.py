# SPDX-License-Identifier: BSD-3-Clause
"""--compare: what differs in the environment, ratios with intervals, and what only one result has."""
import copy
import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from bench import compare as c
from bench.model import BenchError, Result, Row
from bench.result import summarize_result, to_json
from samples_of import result, rounds, row, sample, stored


def noisy(median: float, seed: int, n: int = 10) -> list[float | None]:
    return [0.0, *np.random.default_rng(seed).normal(median, median / 50, n).tolist()]


def way(label: str, goodput: float, seed: int) -> Row:
    return row(label, rounds("goodput_bps", noisy(goodput, seed)))


def two(**about: Any) -> tuple[Result, Result]:
    """The second has twice the goodput of udp_gso; sendfile is the same; each has a way of its own."""
    a = result(way("udp_gso", 1e9, 1), way("sendfile", 2e9, 2), way("only_a", 1e9, 3),
               env={"kernel": "6.1", "cpu_model": "x", "turbo": None})
    b = result(way("sendfile", 2e9, 4), way("only_b", 1e9, 5), way("udp_gso", 2e9, 6),
               env={"kernel": "6.12", "cpu_model": "x"}, **about)
    return a, b


def printed(results: list[Result], paths: list[str]) -> str:
    out = io.StringIO()
    c.print_comparison(out, results, paths)
    text = out.getvalue()
    assert all(len(line) <= 100 and line == line.rstrip() for line in text.splitlines()), text
    assert "\033" not in text
    return text


def line_of(text: str, start: str) -> str:
    return next(line for line in text.splitlines() if line.startswith(start))


def test_ratios_are_b_over_a_and_marked_where_the_interval_excludes_1() -> None:
    found = c.compare(*two())
    assert [row.label for row, _ in found.pairs] == ["udp_gso", "sendfile"]
    gso, sendfile = (ratios["goodput_bps"] for _, ratios in found.pairs)
    assert gso.of.median == pytest.approx(2, rel=0.05) and gso.of.n == 10
    assert gso.differs is True and sendfile.differs is False
    assert gso.of.low < 2.05 and gso.of.high > 1.95  # type: ignore[operator]
    assert ([r.label for r in found.only_a], [r.label for r in found.only_b]) == (["only_a"], ["only_b"])
    assert set(found.pairs[0][1]) == {"goodput_bps"}  # nothing else was measured


def test_samples_are_not_paired_by_round() -> None:
    """A slow minute of one host is not one of the other: the order of the samples does not matter."""
    a, b = two()
    before = c.compare(a, b).pairs[0][1]["goodput_bps"]
    for n, s in enumerate(reversed(b.rows[2].samples[1:]), 1):
        s.round = n
    assert c.compare(a, b).pairs[0][1]["goodput_bps"] == before


@pytest.mark.parametrize("place", [{"wire": "tap"}, {"mtu": 9000}, {"file_bytes": 1}, {"cold": True},
                                   {"direction": "receive"}])
def test_only_equal_cells_are_compared(place: dict[str, Any]) -> None:
    a = result(row(samples=rounds("goodput_bps", noisy(1, 1))))
    b = result(row(samples=rounds("goodput_bps", noisy(1, 1)), **place))
    found = c.compare(a, b)
    assert not found.pairs and len(found.only_a) == len(found.only_b) == 1
    assert "no cell was measured in both" in printed([a, b], ["a.json", "b.json"])


def test_a_row_that_was_skipped_or_void_was_not_measured() -> None:
    a = result(row(samples=rounds("goodput_bps", noisy(1, 1))), row("x", rounds("goodput_bps", noisy(1, 1))))
    b = result(row(skipped="no such device"), row("x", [sample(n, void="dead") for n in range(6)]))
    found = c.compare(a, b)
    assert [r.label for r in found.only_a] == ["udp_gso", "x"] and not found.only_b


def test_what_was_counted_once_has_a_ratio_and_no_interval() -> None:
    def counted(switches: float, copies: float) -> Result:
        samples = rounds("goodput_bps", noisy(1e9, 1))
        samples.append(sample(11, evidence=True, mode_switches_per_mb=switches, cpu_copies_per_byte=copies))
        return result(row(samples=samples))

    a, b = counted(10, 0), counted(30, 1)
    ratios = c.compare(a, b).pairs[0][1]
    assert ratios["mode_switches_per_mb"].of.median == 3 and ratios["mode_switches_per_mb"].differs is None
    assert ratios["cpu_copies_per_byte"].of.median is None
    text = line_of(printed([a, b], ["a.json", "b.json"]), "udp_gso")
    assert text.split()[-4:] == ["0", "to", "1.00", "3.00"]


def test_what_differs_comes_first() -> None:
    a, b = two(rounds=10)
    assert c.differences([a, b]) == {"rounds": ["5", "10"], "kernel": ["6.1", "6.12"]}
    text = printed([a, b], ["/x/old.json", "/x/new.json"])
    assert text.startswith("what differs\n")
    assert line_of(text, "kernel").split() == ["kernel", "6.1", "6.12"]
    assert text.index("6.12") < text.index("== new over old ==") < text.index("udp_gso")
    assert "*" in line_of(text, "udp_gso") and "*" not in line_of(text, "sendfile")
    assert "only in old  veth, 64 MiB file, MTU 1500, page cache warm: only_a" in text
    assert "only in new  veth, 64 MiB file, MTU 1500, page cache warm: only_b" in text


def test_a_result_does_not_differ_from_itself() -> None:
    r = stored("quick-c")
    found = c.compare(r, copy.deepcopy(r))
    assert len(found.pairs) == len(r.rows) and not found.only_a and not found.only_b
    of_all = [x for _, ratios in found.pairs for x in ratios.values() if x.a]
    assert of_all and all(x.of.median == 1 and not x.differs for x in of_all)
    text = printed([r, r], ["a.json", "b.json"])
    assert text.startswith("the environments are the same") and "only in" not in text


def test_a_change_of_stored_samples_is_found() -> None:
    a, b = stored("cold-c"), stored("cold-c")
    for s in b.rows[1].samples:
        s.values["cpu_ns_per_mb"] = (s.values["cpu_ns_per_mb"] or 0) * 3
    summarize_result(b)
    marked = [(r.key, key) for r, ratios in c.compare(a, b).pairs for key, x in ratios.items() if x.differs]
    assert marked == [(a.rows[1].key, "cpu_ns_per_mb")]


def test_long_names_and_values_fit() -> None:
    env: dict[str, str | None] = {"mitigations": "spectre_v2: Retpolines; " * 20, "word": "x" * 300}
    a, b = two()
    for r in (a, b):
        r.rows[0].label = "a_way_whose_name_is_longer_than_any_table_has_room_for_of_course"
        for s in r.rows[0].samples:
            for n, key in enumerate(("cpu_ns_per_mb", "machine_ns_per_mb")):
                s.values[key] = (1 + s.round * 0.37) * (0.123 if r is a else 0.1) ** n
    b.env = env
    text = printed([a, b, b], ["a.json", "b.json", "c.json"])
    line = line_of(text, "a_way")
    assert line.count("[") == line.count("]") == 3  # the name gives way, not the figures
    assert "spectre_v2:" in text and "x" * 300 in text.replace("\n", "").replace(" ", "")


def test_a_terminal_does_not_obey_a_value() -> None:
    a, b = two()
    b.env["kernel"] = "6\033[31m"
    assert "6?[31m" in printed([a, b], ["a.json", "b\033.json"])


def test_several_are_compared_with_the_first(tmp_path: Path) -> None:
    a, b = two()
    paths = [str(tmp_path / n) for n in ("a.json", "b.json", "c.json")]
    for path, r in zip(paths, (a, b, a), strict=True):
        Path(path).write_text(json.dumps(to_json(r)))
    out = io.StringIO()
    assert c.run(paths, out, True, "9.9") == 0
    doc = json.loads(out.getvalue())
    assert (doc["schema"], doc["version"], doc["exit_code"]) == ("pagewire.bench-compare/1", "9.9", 0)
    assert [(x["a"], x["b"]) for x in doc["comparisons"]] == [(0, 1), (0, 2)]
    assert [x["name"] for x in doc["results"]] == ["a", "b", "c"]
    assert doc["differences"]["kernel"] == ["6.1", "6.12", "6.1"]
    first, same = (x["rows"][0]["ratios"]["goodput_bps"] for x in doc["comparisons"])
    assert first["differs"] is True and first["ratio"] == pytest.approx(2, rel=0.05)
    assert same["ratio"] == 1 and same["differs"] is False
    assert doc["comparisons"][0]["only_in_b"][0]["label"] == "only_b"
    text = io.StringIO()
    c.run(paths, text, False, "9.9")
    assert "== b over a ==" in text.getvalue() and "== c over a ==" in text.getvalue()


def test_names_are_short_and_different() -> None:
    assert c.names(["x/a.json", "y/b.json"]) == ["a", "b"]
    assert c.names(["x/a.json", "y/a.json"]) == ["x/a.json", "y/a.json"]
    assert c.names(["old/result.json", "new/result.json"]) == ["old", "new"]


def test_one_result_is_a_usage_error() -> None:
    with pytest.raises(BenchError, match="give two files") as e:
        c.run(["a.json"], io.StringIO(), False, "0")
    assert e.value.code == 2
