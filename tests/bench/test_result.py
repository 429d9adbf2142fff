# SPDX-License-Identifier: BSD-3-Clause
"""Summaries, and the document pagewire.bench/1: round trip, schema, and results that the C bench wrote."""
import copy
import json
from pathlib import Path
from typing import Any

import pytest
from bench import result as results
from bench.metrics import METRICS
from bench.model import BenchError
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
    with pytest.raises(KeyError):
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
