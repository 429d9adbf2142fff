# SPDX-License-Identifier: BSD-3-Clause
"""From what a cell's two processes print to the numbers of a sample."""
import errno
from types import SimpleNamespace
from typing import Any

import pytest
from bench.metrics import METRICS
from bench.samples import not_measured, sample

MB = 1_000_000
START = 5_000_000_000


def cell(wire: str = "veth", passes: int = 2, meter: str = "timing", **way: bool) -> Any:
    """A file of 1 MB."""
    about = {"stream": False, "takes_device": False, "unseen_copy": "", **way}
    return SimpleNamespace(wire=SimpleNamespace(kind=wire), way=SimpleNamespace(**about), file_bytes=MB,
                           passes=passes, meter=meter)


def source(**changes: Any) -> dict[str, Any]:
    """2 MB in 1000 packets, in 10 ms, after a set-up of 30 ms."""
    reading = {"cpu_ns": 8_000_000, "user_ns": 2_000_000, "system_ns": 6_000_000, "machine_ns": 20_000_000,
               "machine_softirq_ns": 4_000_000, "voluntary": 6, "involuntary": 2, "syscalls": None,
               "user_faults": None, "kernel_faults": None, "cycles": None, "instructions": None,
               "llc_misses": None, "copied_bytes": None}
    counters = {"packets": 1000, "payload_bytes": 2 * MB, "wire_bytes": 2_100_000, "cpu_copied_bytes": 0,
                "zc_done": 0, "zc_copied": 0}
    return {"schema": "pagewire.cell/1", "version": "0.1.0", "exit_code": 0, "role": "source",
            "way": "udp_gso", "error": None, "errno": 0, "between": ["a", "b"], "start_ns": START,
            "end_ns": START + 10_000_000, "setup_ns": 30_000_000,
            "page_in_copies": 0, "cycles": None, "not_measured": {}, **changes,
            "reading": {**reading, **changes.get("reading", {})},
            "counters": {**counters, **changes.get("counters", {})}}


def sink(**changes: Any) -> dict[str, Any]:
    """All of it came, 20 ms after the start."""
    return {"schema": "pagewire.cell/1", "role": "sink", "error": None, "errno": 0, "first_ns": START + 1,
            "last_ns": START + 20_000_000, "packets": 1000, "bytes": 2 * MB, "missed": 0, "proof": "compared",
            "wrong": False, "whole": True, "cycles": None, **changes}


def test_costs_are_per_mb_sent_and_goodput_is_of_what_arrived() -> None:
    s = sample(cell(), source(), sink(bytes=MB, packets=500), None, 3)
    v = s.values
    assert (s.round, s.evidence, s.proof, s.void, s.packets_sent, s.packets_counted) == (
        3, False, "compared", None, 1000, None)
    assert v["goodput_bps"] == pytest.approx(MB * 8 / 0.020)
    assert v["packets_per_s"] == pytest.approx(500 / 0.020)
    assert v["loss"] == pytest.approx(0.5)
    assert v["cpu_ns_per_mb"] == 4_000_000 and v["machine_ns_per_mb"] == 10_000_000
    assert (v["cpu_user_ns_per_mb"], v["cpu_system_ns_per_mb"], v["softirq_ns_per_mb"]) == (
        1_000_000, 3_000_000, 2_000_000)
    assert (v["voluntary_switches_per_mb"], v["involuntary_switches_per_mb"]) == (3, 1)
    assert v["setup_s"] == pytest.approx(0.03)
    assert v["goodput_with_setup_bps"] == pytest.approx(MB * 8 / 0.050)
    assert set(v) == set(METRICS)


def test_what_the_host_refused_has_no_number() -> None:
    v = sample(cell(), source(), sink(), None).values
    for key in ("syscalls_per_mb", "user_faults_per_mb", "mode_switches_per_mb", "cpu_copies_per_byte",
                "cycles_per_mb", "busy_cycles_per_packet", "idle_share", "zerocopy_copied_share"):
        assert v[key] is None, key


def test_calls_and_faults_make_mode_switches() -> None:
    counted = {"syscalls": 40, "user_faults": 2, "kernel_faults": 8}
    s = sample(cell(meter="calls"), source(reading=counted), sink(), None)
    v = s.values
    assert s.evidence
    assert (v["syscalls_per_mb"], v["user_faults_per_mb"], v["kernel_faults_per_mb"]) == (20, 1, 4)
    assert v["mode_switches_per_mb"] == 42
    only_calls = sample(cell(meter="calls"), source(reading={"syscalls": 40}), sink(), None).values
    assert only_calls["syscalls_per_mb"] == 20 and only_calls["mode_switches_per_mb"] is None


def test_copies_are_the_kernels_our_own_and_the_page_in() -> None:
    printed = source(reading={"copied_bytes": 2 * MB}, counters={"cpu_copied_bytes": MB}, page_in_copies=1)
    v = sample(cell(meter="copies"), printed, sink(), None).values
    assert v["own_copies_per_byte"] == 1.5 and v["cpu_copies_per_byte"] == 2.5
    unseen = sample(cell(meter="copies", unseen_copy="inlined"), printed, sink(), None).values
    assert unseen["own_copies_per_byte"] == 1.5 and unseen["cpu_copies_per_byte"] is None
    zero_copy = source(counters={"zc_done": 8, "zc_copied": 6})
    assert sample(cell(), zero_copy, sink(), None).values["zerocopy_copied_share"] == 0.75


def test_a_poller_has_cycles() -> None:
    cycles = {"busy": 600_000, "stall": 300_000, "pace": 100_000}
    v = sample(cell(), source(cycles=cycles), sink(), None).values
    assert v["busy_cycles_per_packet"] == 600 and v["idle_share"] == pytest.approx(0.4)


def test_a_stream_has_no_packets_and_must_be_whole() -> None:
    s = sample(cell(stream=True), source(), sink(), None)
    assert s.void is None and s.packets_sent == 0
    assert s.values["packets_per_s"] is None and s.values["loss"] is None
    short = sample(cell(stream=True), source(), sink(bytes=MB), None)
    assert short.void == f"the stream brought {MB} bytes of {2 * MB}"
    assert all(v is None for v in short.values.values())


def test_without_a_sink_the_device_counts() -> None:
    s = sample(cell(wire="sink"), source(), None, 900)
    assert (s.proof, s.packets_counted) == ("counted", 900)
    assert s.values["loss"] == pytest.approx(0.1)
    assert s.values["goodput_bps"] == pytest.approx(0.9 * 2 * MB * 8 / 0.010)  # to the stretch's end
    assert s.values["packets_per_s"] == pytest.approx(900 / 0.010)
    more = sample(cell(wire="sink"), source(), None, 1100)  # other packets of the host
    assert more.values["loss"] == 0 and more.values["goodput_bps"] == pytest.approx(2 * MB * 8 / 0.010)


@pytest.mark.parametrize("made", [cell(wire="null"), cell(wire="nic", takes_device=True)])
def test_where_only_the_driver_counts_nothing_is_proved_or_lost(made: Any) -> None:
    s = sample(made, source(), None, None)
    assert (s.proof, s.packets_counted, s.values["loss"]) == ("none", None, None)
    assert s.values["goodput_bps"] == pytest.approx(2 * MB * 8 / 0.010)


@pytest.mark.parametrize(("src", "snk", "void"), [
    ({"error": "cannot send: x"}, {}, "cannot send: x"),
    ({"error": "cannot send: x"}, {"error": "cannot listen: y"}, "cannot send: x"),
    ({}, {"error": "cannot listen: y"}, "cannot listen: y"),
    ({"error": "no end within 20 s", "errno": errno.ETIMEDOUT}, {"error": "cannot listen: y"},
     "cannot listen: y"),
    ({}, {"wrong": True}, "the bytes that arrived are not the file's"),
    ({}, {"bytes": 0, "last_ns": 0, "packets": 0}, "nothing arrived"),
])
def test_a_sample_that_proves_nothing_is_void(src: dict[str, Any], snk: dict[str, Any], void: str) -> None:
    s = sample(cell(), source(**src), sink(**snk), None)
    assert s.void == void and s.values["goodput_bps"] is None


def test_a_process_that_printed_an_error_alone_makes_a_void_sample() -> None:
    s = sample(cell(), {"error": "the source died: Killed"}, sink(bytes=0), None)
    assert (s.void, s.packets_sent) == ("the source died: Killed", 0)


def test_an_empty_file_arrives_as_nothing() -> None:
    made = cell()
    made.file_bytes = 0
    nothing = {"packets": 1, "payload_bytes": 0}
    s = sample(made, source(counters=nothing), sink(bytes=0, last_ns=0, packets=0), None)
    assert s.void is None and s.values["cpu_ns_per_mb"] is None and s.values["goodput_bps"] == 0


def test_the_raw_counters_are_kept() -> None:
    s = sample(cell(), source(), sink(), None)
    assert s.raw is not None and s.raw["passes"] == 2
    assert s.raw["source"]["reading"]["cpu_ns"] == 8_000_000
    assert s.raw["sink"]["last_ns"] == START + 20_000_000
    assert not {"schema", "version", "exit_code", "between"} & set(s.raw["source"])
    alone = sample(cell(wire="null"), source(), None, None)
    assert alone.raw is not None and alone.raw["sink"] is None


def test_a_refused_meter_names_its_metrics() -> None:
    why = not_measured({"not_measured": {"faults": "no perf", "copies": "lockdown", "hardware": None}})
    assert why == {"user_faults_per_mb": "no perf", "kernel_faults_per_mb": "no perf",
                   "mode_switches_per_mb": "no perf", "cpu_copies_per_byte": "lockdown"}
    assert not_measured({}) == {}
