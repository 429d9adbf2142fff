# SPDX-License-Identifier: BSD-3-Clause
"""Summaries, and the document pagewire.bench/1: round trip, schema, and results that the C bench wrote."""
import copy
import io
import json
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from bench import compare
from bench import result as results
from bench.metrics import METRICS
from bench.model import BenchError
from bench.table import print_table
from pytest import approx
from samples_of import STORED, result, rounds, row, sample, stored, stored_json

SCHEMA = Path(__file__).resolve().parents[2] / "docs" / "bench.schema.json"


def errors(doc: Any) -> list[str]:
    """What the schema refuses."""
    jsonschema = pytest.importorskip("jsonschema")
    check = jsonschema.Draft202012Validator(json.loads(SCHEMA.read_text()))
    check.check_schema(check.schema)
    return [f"{e.json_path} {e.message[:200]}" for e in check.iter_errors(doc)]


def test_the_warm_up_and_void_samples_are_left_out() -> None:
    samples = rounds("goodput_bps", [10, 20, 30, 40, 50])
    samples[4].void = "wrong bytes"
    s = result(row(samples=samples)).rows[0].summary
    assert (s["goodput_bps"].n, s["goodput_bps"].median, s["goodput_bps"].max) == (3, 30, 40)
    assert s["loss"].n == 0 and s["loss"].median is None


def test_copies_come_from_evidence_runs_and_nothing_else_does() -> None:
    timed = {"goodput_bps": 100.0, "cpu_copies_per_byte": 77.0, "own_copies_per_byte": 1.0}
    counted = {"goodput_bps": 1.0, "cpu_copies_per_byte": 2.0, "own_copies_per_byte": 5.0}
    s = result(row(samples=[sample(0), sample(1, **timed), sample(2, **timed),
                            sample(3, evidence=True, **counted)])).rows[0].summary
    assert s["goodput_bps"].min == 100 and s["own_copies_per_byte"].median == 1
    assert (s["cpu_copies_per_byte"].n, s["cpu_copies_per_byte"].median) == (1, 2)


def test_ratios_are_of_the_same_round() -> None:
    own = rounds("goodput_bps", [999, 30, 10, 80])[::-1]  # stored in another order than the baseline's
    base = rounds("goodput_bps", [1, 10, 20, 20])
    r = result(row(samples=base), row("sendfile", own))
    ratio = r.rows[1].goodput_ratio
    assert (ratio.n, ratio.median, ratio.min, ratio.max) == (3, 3, 0.5, 4)
    assert (r.rows[0].goodput_ratio.low, r.rows[0].goodput_ratio.high) == (1, 1)


def test_a_round_that_is_void_on_either_side_makes_no_ratio() -> None:
    a, b = (rounds("goodput_bps", [1, 2, 3, 4, 5]) for _ in range(2))
    a[1].void = b[2].void = "x"
    assert result(row(samples=a), row("sendfile", b)).rows[1].goodput_ratio.n == 2


@pytest.mark.parametrize("place", [
    {"wire": "sink"}, {"file_bytes": 1}, {"mtu": 9000}, {"cold": True}, {"direction": "receive"}])
def test_the_baseline_is_that_of_the_same_wire_size_mtu_cache_and_direction(place: dict[str, Any]) -> None:
    def way(label: str, speed: float, **about: Any) -> Any:
        return row(label, rounds("goodput_bps", [0, speed]), **about)

    r = result(way("udp_gso", 1), way("udp_gso", 2, **place), way("sendfile", 6), way("sendfile", 6, **place))
    assert r.rows[2].goodput_ratio.median == 6 and r.rows[3].goodput_ratio.median == 3
    r = result(way("udp_gso", 1), way("sendfile", 6, **place))
    assert r.rows[1].goodput_ratio.n == 0
    assert result(way("udp_gso", 1), baseline=None).rows[0].goodput_ratio.n == 0


@pytest.mark.parametrize("name", STORED)
def test_a_stored_result_keeps_every_number(name: str) -> None:
    """What the C bench wrote is written again as it was; keys may be added."""
    def same(old: Any, new: Any, path: str) -> None:
        if isinstance(old, dict):
            for key, value in old.items():
                if path != "$.metrics" and key != "what":  # descriptions are this program's
                    same(value, new[key], f"{path}.{key}")
        elif isinstance(old, list):
            assert len(old) == len(new), path
            for i, (a, b) in enumerate(zip(old, new, strict=True)):
                same(a, b, f"{path}[{i}]")
        else:
            assert old == new, path

    doc = stored_json(name)
    doc.pop("exit_code", None)
    same(doc, results.to_json(stored(name)), "$")


@pytest.mark.parametrize("name", STORED)
def test_the_samples_of_a_stored_result_give_its_medians_and_intervals_again(name: str) -> None:
    """Of 5 rounds the interval is the range; of 6 it is no matter which generator draws the resamples."""
    r, old = stored(name), stored(name)
    results.summarize_result(r)
    compared = 0
    for new, kept in zip(r.rows, old.rows, strict=True):
        for key in METRICS:
            a, b = new.summary[key], kept.summary[key]
            assert (a.n, a.min, a.max) == (b.n, b.min, b.max), (new.label, key)
            for mine, kept_one in ((a.median, b.median), (a.low, b.low), (a.high, b.high)):
                assert mine == approx(kept_one), (new.label, key)
            compared += a.n > 1
        assert new.goodput_ratio.median == approx(kept.goodput_ratio.median)
    assert compared > 50


@pytest.mark.parametrize("name", STORED)
def test_a_result_is_valid_by_its_schema(name: str) -> None:
    doc = results.to_json(stored(name))
    assert errors(doc) == []
    assert errors({**doc, "exit_code": 0}) == []


def test_additions_are_valid_and_come_back() -> None:
    raw = {"passes": 3, "source": {"reading": {"cpu_ns": 5}}, "sink": None}
    samples = rounds("goodput_bps", [1, 2, 3])
    samples[1].raw = raw
    r = result(row("udp", samples, direction="receive", wire="veth_big"), seed=2 ** 64 - 1,
               wires={"veth_big": "big", "tap": "not there"}, env={"hostname": "lab", "governor": None})
    doc = json.loads(json.dumps(results.to_json(r)))
    assert errors(doc) == []
    back = results.from_json(doc)
    assert back.rows[0].samples[1].raw == raw and back.rows[0].direction == "receive"
    assert back.seed == 2 ** 64 - 1 and back.wires == {"veth_big": "big"}
    assert results.to_json(back) == doc


def test_a_result_of_nothing_is_valid() -> None:
    doc = results.to_json(result(baseline=None, command=None, profile=None, seconds=float("nan")))
    assert doc["seconds"] is None and errors(doc) == []


@pytest.mark.parametrize("key", ["summary", "samples", "skipped", "wire"])
def test_the_schema_refuses_what_is_wrong(key: str) -> None:
    doc = results.to_json(result(row(samples=rounds("goodput_bps", [1, 2]))))
    broken = copy.deepcopy(doc)
    del broken["rows"][0][key]
    assert errors(broken)
    assert errors({**doc, "schema": "pagewire.bench/2"})
    with pytest.raises(ValueError, match=rf"^rows\[0\]\.{key} is missing$"):
        results.from_json(broken)


def test_a_reason_is_told_only_where_there_is_no_number() -> None:
    r = row(samples=rounds("goodput_bps", [1, 2]),
            not_measured={"goodput_bps": "x", "cycles_per_mb": "no counter"})
    assert results.to_json(result(r))["rows"][0]["not_measured"] == {"cycles_per_mb": "no counter"}


def test_a_report_directory_is_read_by_its_name(tmp_path: Path) -> None:
    (tmp_path / "result.json").write_text(json.dumps(results.to_json(stored("cold-c"))))
    assert len(results.load(tmp_path).rows) == len(stored("cold-c").rows)


@pytest.mark.parametrize(("text", "why"), [
    (None, "No such file"), ("{", "not JSON"), ("[]", "its schema is None"),
    ('{"schema": "pagewire.send/1"}', "its schema is pagewire.send/1"),
    ('{"schema": "pagewire.bench/1"}', "not a whole pagewire.bench/1")])
def test_what_is_no_result_is_refused_with_a_reason(tmp_path: Path, text: str | None, why: str) -> None:
    path = tmp_path / "x.json"
    if text is not None:
        path.write_text(text)
    with pytest.raises(BenchError, match=why) as e:
        results.load(path)
    assert str(path) in str(e.value) and e.value.code == 1


def small() -> dict[str, Any]:
    """A stored result with a void row, a skipped one, a measured one, and one that has counters."""
    doc = stored_json("cold-c")
    void = next(r for r in doc["rows"] if any(s["void"] for s in r["samples"]))
    skipped = next(r for r in doc["rows"] if r["skipped"])
    measured = next(r for r in doc["rows"] if r["goodput_ratio"]["n"])
    counted = copy.deepcopy(measured)
    counted["direction"] = "receive"
    for s in counted["samples"]:
        s["raw"] = {"passes": 3, "limit": "sender", "sink": {"whole": True}, "trials": [{"pps": 1.5}]}
    doc["rows"] = [void, skipped, measured, counted]
    doc.pop("metrics")
    return doc


def put(doc: Any, place: str, value: Any) -> Any:
    """The document with another value there: "rows.2.mtu"."""
    *path, last = [int(x) if x.isdecimal() else x for x in place.split(".")]
    inner = doc
    for x in path:
        inner = inner[x]
    inner[last] = value
    return doc


@pytest.mark.parametrize(("place", "value", "why"), [
    ("rows.2.samples.1.values.loss", "fast", r'rows\[2\]\.samples\[1\]\.values\.loss is "fast", not 0 or'),
    ("env.kernel", 7, "env.kernel is 7, not a text"), ("rows.2.label", None, r"rows\[2\].label is null, not"),
    ("rows.2.label", ["udp"], "not a text"), ("rows.2.label", "\ud800", "not a text"),
    ("rows.2.file_bytes", None, "file_bytes is null, not a whole number"),
    ("rows.2.samples.1.round", "1", "not a whole number"), ("rows.2.mtu", "1500", 'mtu is "1500", not a'),
    ("rows.2.mtu", True, "mtu is true, not a whole"), ("rows.2.mtu", 10 ** 30, "not a whole number"),
    ("rows.2.cold", 1, "not true or false"), ("rows.3.samples.1.raw", 7, "raw is 7, not an object"),
    ("rows.3.samples.1.raw.sink", 7, r"raw\.sink is 7, not an object"), ("seconds", "x", "seconds is"),
    ("rows.3.samples.1.raw.trials", [[[[[[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]]]]]], "levels deep"),
    ("rows.2.summary", "x", "summary is .*, not an object"), ("rows", {}, "rows is {}, not a list"),
    ("rows.2.summary.goodput_bps.low", None, "is no summary"), ("rows.2.summary.cycles_per_mb.n", 3, "is no"),
    ("rows.2.summary.goodput_bps.low", 1e90, "is no summary"), ("rows", None, "rows is null, not a list"),
    ("rows.2.samples.1.values.goodput_bps", 1e300, "1e300|1e\\+300"), ("seed", "-1", "seed is"),
    ("seconds", float("nan"), "the number NaN, which is not finite"),
    ("seconds", float("-inf"), "the number -Infinity"), ("seed", "9" * 20, "seed is"),
    ("rows.2.label\033[31m", 1, None)])
def test_a_wrong_value_is_named_with_its_place(tmp_path: Path, place: str, value: Any,
                                               why: str | None) -> None:
    path = tmp_path / "x.json"
    path.write_text(json.dumps(put(small(), place, value)))
    if why is None:  # a field that newer programs add
        assert results.load(path).rows
        return
    with pytest.raises(BenchError, match=why) as e:
        results.load(path)
    assert str(e.value).startswith(f"cannot read result {path}: it is not a whole pagewire.bench/1: ")
    assert str(e.value).endswith("; give a file that `pagewire bench --json` wrote") and e.value.code == 1


@pytest.mark.parametrize(("data", "why"), [
    (b"[" * 100_000, "nested too deeply"), (b'{"a": "\xff"}', r"not UTF-8 \(byte 7\)"),
    (b"1e999", "1e999, which is not"), (b"9" * 9999, "999, which is not finite"),
    (b'{"schema": "\\u001b[31m"}', r"schema is \?\[31m,")], ids=["deep", "bytes", "inf", "long", "escape"])
def test_a_file_that_no_program_of_ours_wrote_is_refused(tmp_path: Path, data: bytes, why: str) -> None:
    path = tmp_path / "x.json"
    path.write_bytes(data)
    with pytest.raises(BenchError, match=why) as e:
        results.load(path)
    assert str(path) in str(e.value) and len(str(e.value)) < 300 + len(str(path))


OTHERS: tuple[Any, ...] = (
    None, True, -1, 0, 7, 2 ** 64, 10 ** 400, 0.5, -2.5, 1e-320, 1e308, float("nan"), float("inf"), "", "x",
    "1", "\033[31m\n", "\ud800", "[red]", [], [1], ["x"], {}, {"n": 1})


def places(v: Any) -> Iterator[tuple[Any, Any]]:
    """Every container with each of its keys."""
    for key, inner in list(v.items() if isinstance(v, dict) else enumerate(v)):
        yield v, key
        if isinstance(inner, (dict, list)):
            yield from places(inner)


@pytest.mark.filterwarnings("error")  # numpy warns of numbers that are too large
@pytest.mark.parametrize("seed", range(6))
def test_a_damaged_result_is_read_or_refused(tmp_path: Path, seed: int) -> None:
    draw, whole, ends = random.Random(seed), small(), [0, 0]
    paths = [str(tmp_path / name) for name in ("whole.json", "damaged.json")]
    Path(paths[0]).write_text(json.dumps(whole))
    for _ in range(50):
        doc = copy.deepcopy(whole)
        for _ in range(draw.choice([1, 1, 2])):
            of_key: dict[Any, list[tuple[Any, Any]]] = {}
            for place in places(doc):
                of_key.setdefault("" if isinstance(place[1], int) else place[1], []).append(place)
            inner, key = draw.choice(of_key[draw.choice(list(of_key))])  # rare keys as often as others
            if draw.random() < 0.15:
                del inner[key]
            else:
                inner[key] = draw.choice(OTHERS)
        Path(paths[1]).write_text(json.dumps(doc))
        try:
            read = results.load(paths[1])
        except BenchError as e:
            assert paths[1] in str(e) and "\n" not in str(e) and "\033" not in str(e)
            ends[0] += 1
            continue
        ends[1] += 1
        for order, as_json in ((paths, False), (paths[::-1], True)):
            assert compare.run(order, io.StringIO(), as_json, "1") == 0
        print_table(io.StringIO(), read, setup=True)
        results.write_csv(io.StringIO(), read, everything=True)
        json.dumps(results.to_json(read), allow_nan=False)
        results.summarize_result(read)  # as --resume does
        print_table(io.StringIO(), read)
    assert min(ends) > 3, ends
