# SPDX-License-Identifier: BSD-3-Clause
"""The two processes of a cell: what they are asked, and what becomes of the cell when one of them fails."""
from __future__ import annotations

import os
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from bench import wires
from bench.cells import Cell, run_cell, sink_argv, source_argv
from bench.model import Interrupted, Lacking
from bench.wires import Wire
from cells_of import bare_wire, need_root, program, way

SYMBOLS = 300_007


def _cell(label: str, kind: str, pagewire: str = "pagewire", file: str = "/f", size: int = 1) -> Cell:
    return Cell(pagewire, way(label), bare_wire(kind), file, size, 1500, source_cpu=0, sink_cpu=1)


def _words(argv: list[str]) -> str:
    return " ".join(argv)


def test_a_kernel_way_is_asked_for_by_its_name() -> None:
    cell = replace(_cell("udp_gso", "veth"), passes=3, batch=8, rate="1G", meter="calls")
    words = _words(source_argv(cell))
    for option in ("--way udp_gso", "--passes 3", "--batch 8", "--rate 1G", "--meter calls", "--cpu 0", "--mtu 1500",
                   "--to 127.0.0.1:4001"):
        assert option in words
    assert "--port" not in words and "--lead" not in words


def test_a_stream_has_no_rate_and_a_receiver_of_its_own() -> None:
    assert "--rate" not in source_argv(replace(_cell("sendfile", "veth"), rate="1G"))
    assert "--receiver tcp" in _words(sink_argv(_cell("sendfile", "veth"), 5))
    assert "--receiver udp" in _words(sink_argv(_cell("udp_gso", "veth"), 5))
    assert "--ready 5" in _words(sink_argv(_cell("udp_gso", "veth"), 5))


@pytest.mark.parametrize("label, kind, source, sink", [
    ("dpdk_vhost/hugefile", "vhost", "vhost:/s", "virtio-user:/s"),
    ("dpdk_virtio_user/stage", "vhost", "virtio-user:/s", "vhost:/s"),
    ("udp_gso", "tap", "", "tap:pwt0"),
    ("dpdk_pci/stage", "nic", "0000:00:10.0", ""),
])
def test_a_pollers_port_names_what_the_wire_has(label: str, kind: str, source: str, sink: str) -> None:
    cell = _cell(label, kind)
    cell.wire.socket, cell.wire.sink_if, cell.wire.pci = "/s", "pwt0", "0000:00:10.0"
    if source:
        assert f"--port {source} --pages {cell.way.provider}" in _words(source_argv(cell))
    if sink:
        assert f"--port {sink}" in _words(sink_argv(cell, 5))


def test_a_receiver_far_away_has_an_ipv6_address_in_brackets() -> None:
    cell = _cell("udp_gso", "nic")
    cell.wire.sink, cell.wire.port = "fd77::2", 4001
    words = _words(source_argv(cell))
    assert "--to [fd77::2]:4001" in words and "--remote" in words


# --- failures: a program in place of pagewire that fails as the test says ---

READY = 'while [ "$1" != --ready ]; do shift; done; eval "printf x >&$2"'


@pytest.fixture
def program_that(tmp_path: Path) -> Iterator[object]:
    """A shell script for each role; it leaves no process."""
    def make(source: str, sink: str) -> str:
        path = tmp_path / "program"
        path.write_text(f"#!/bin/bash\n# cell ROLE\nif [ $2 = sink ]; then {sink}\nelse {source}\nfi\n")
        path.chmod(0o755)
        return str(path)
    yield make
    left = Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()
    assert not left, f"processes are left: {left}"


def _fails(program_that: object, source: str, sink: str, seconds: float = 10) -> tuple[str, str]:
    cell = replace(_cell("udp_gso", "loopback", program_that(source, sink)),  # type: ignore[operator]
                   deadline_ns=int(seconds * 1e9))
    end = run_cell(cell)
    return end.source["error"] or "", (end.sink or {}).get("error") or ""


def test_a_source_that_is_killed_says_so_with_its_last_words(program_that: object) -> None:
    source, sink = _fails(program_that, "echo first >&2; echo last >&2; kill -9 $$", f"{READY}; cat")
    assert source == "the source died: Killed | last"
    assert sink.startswith("ended, because the source had failed")


def test_a_source_without_a_result_tells_its_status(program_that: object) -> None:
    source, _ = _fails(program_that, "exit 5", f"{READY}; cat")
    assert source == "the source ended without a result, status 5"


def test_a_sink_that_dies_before_it_is_ready_ends_the_cell(program_that: object) -> None:
    source, sink = _fails(program_that, "sleep 20", "echo no port >&2; exit 1")
    assert (source, sink) == ("", "the sink ended without a result, status 1 | no port")


def test_a_sink_that_dies_while_bytes_come_ends_the_source(program_that: object) -> None:
    source, sink = _fails(program_that, "sleep 20", f"{READY}; exit 1")
    assert source.startswith("ended, because the sink had failed")
    assert sink.startswith("the sink ended without a result")


def test_a_sink_that_is_never_ready_is_ended_at_the_deadline(program_that: object) -> None:
    assert _fails(program_that, "exit 0", "exec sleep 20", 0.3)[1] == "the sink was not ready in time"


def test_both_are_ended_at_the_deadline(program_that: object) -> None:
    start = time.monotonic()
    assert _fails(program_that, "exec sleep 20", f"{READY}; exec sleep 20", 0.5) == (
        "the source did not end in time", "the sink did not end in time")
    assert time.monotonic() - start < 5


def test_an_interrupted_cell_leaves_no_process(program_that: object, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(_run: object, _source: object) -> None:
        raise Interrupted

    monkeypatch.setattr("bench.cells._Run.await_ends", interrupt)
    with pytest.raises(Interrupted):
        _fails(program_that, "exec sleep 20", f"{READY}; exec sleep 20")


def test_what_a_cell_says_of_this_host_is_kept_without_its_last_words(program_that: object) -> None:
    lacking = """echo words >&2; echo '{"error": "no such way here", "lacking": true}'; exit 77"""
    assert _fails(program_that, lacking, f"{READY}; cat")[0] == "no such way here"


# --- real cells ---

@pytest.fixture
def file(tmp_path: Path) -> str:
    path = tmp_path / "file"
    path.write_bytes(os.urandom(SYMBOLS))
    return str(path)


def _open(kind: str) -> Wire:
    try:
        return wires.open_wire(kind, 1500, "/tmp")
    except Lacking as e:
        pytest.skip(str(e))


@need_root
@pytest.mark.parametrize("label", ["read_write", "udp_sendmmsg"])
def test_the_file_arrives_whole_on_veth(label: str, file: str) -> None:
    wire = _open("veth")
    try:
        end = run_cell(replace(_cell(label, "veth", program(), file, SYMBOLS), wire=wire, rate="200M", passes=3))
    finally:
        wire.close()
    assert end.sink
    assert (end.source["error"], end.sink["error"]) == (None, None)
    assert (end.sink["whole"], end.sink["wrong"], end.sink["bytes"]) == (True, False, 3 * SYMBOLS)
    assert end.sink["last_ns"] > end.source["start_ns"] > 0


@need_root
def test_the_device_counts_what_has_no_receiver(file: str) -> None:
    wire = _open("sink")
    try:
        end = run_cell(replace(_cell("udp_sendmmsg", "sink", program(), file, SYMBOLS), wire=wire))
    finally:
        wire.close()
    assert end.sink is None
    assert end.counted == end.source["counters"]["packets"] > SYMBOLS // 1500
