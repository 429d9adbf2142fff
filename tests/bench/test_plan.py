# SPDX-License-Identifier: BSD-3-Clause
"""Which rows a bench has, from its options. Wires and files are not made."""
from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from bench import plan, wires
from bench.model import BenchError, Lacking, Options
from bench.store import Store, StoredFile
from bench.ways import expect
from bench.wires import Wire
from cells_of import WAYS, bare_wire, way

Make = Callable[..., plan.Plan]


@pytest.fixture
def make(monkeypatch: pytest.MonkeyPatch) -> Make:
    """make_plan() of these options. huge: there are hugepages; lacking: a kind that cannot be made."""
    def make_plan(huge: bool = True, lacking: str = "", **options: Any) -> plan.Plan:
        def make_store(s: Store, _pagewire: str, sizes: Sequence[int], _eal: int, *_more: object) -> None:
            s.huge, s.huge_why = huge, "" if huge else "0 hugepages are free"
            s.files = [StoredFile(size, "/t", "/h" if huge else "", "/d") for size in sizes]

        def open_wire(kind: str, mtu: int, _directory: str) -> Wire:
            if kind == lacking:
                raise Lacking(f"cannot make wire {kind}")
            wire = bare_wire(kind)
            wire.mtu = mtu
            return wire

        monkeypatch.setattr(plan, "read_ways", lambda pagewire: WAYS)
        monkeypatch.setattr(plan, "make_store", make_store)
        monkeypatch.setattr(wires, "open_wire", open_wire)
        return plan.make_plan(Options(**options))
    return make_plan


def _names(p: plan.Plan) -> list[str]:
    return [f"{i.row.label}@{i.row.wire}" for i in p.items]


def test_quick_has_twenty_rows_on_five_wires(make: Make) -> None:
    p = make()
    assert _names(p) == [
        *(f"{name}@loopback" for name in ("read_write", "mmap_write", "sendfile", "msg_zerocopy",
                                          "udp_read_send", "udp_sendmmsg", "udp_gso")),
        *(f"{name}@veth" for name in ("sendfile", "udp_read_send", "udp_gso", "packet_tx_ring", "xdp_copy",
                                      "dpdk_af_packet/hugefile")),
        *(f"{name}@sink" for name in ("udp_read_send", "udp_gso", "udp_zerocopy", "packet_tx_ring")),
        "dpdk_vhost/hugefile@vhost", "dpdk_virtio_user/stage@vhost", "dpdk_null/hugefile@null"]
    assert (p.rounds, p.stretch_ns, p.preset.name) == (5, 150_000_000, "quick")
    assert {i.row.file_bytes for i in p.items} == {32 << 20}


def test_full_has_every_way_on_its_wires_and_big_tcp_for_streams(make: Make) -> None:
    p = make(full=True)
    assert {(i.row.label, i.row.wire) for i in p.items} == {
        (w.label, wire) for w in WAYS for wire in w.wires if wire != "nic"}
    assert all(i.row.stream for i in p.items if i.row.wire == "veth_big")


def test_big_tcp_is_not_measured_unless_asked_for(make: Make) -> None:
    assert not any(i.row.wire == "veth_big" for i in make().items)
    assert _names(make(wires=("veth_big",), ways=("sendfile",))) == ["sendfile@veth_big"]


def test_wires_alone_mean_all_ways_on_them(make: Make) -> None:
    assert _names(make(wires=("null",))) == [f"{w.label}@null" for w in WAYS if "null" in w.wires]


def test_a_way_can_be_limited_to_a_wire_and_is_measured_once(make: Make) -> None:
    p = make(wires=("loopback", "veth", "veth"), ways=("udp_gso", "udp_gso", "sendfile@veth"))
    assert _names(p) == ["udp_gso@loopback", "sendfile@veth", "udp_gso@veth"]


def test_every_size_goes_at_the_first_mtu_and_the_largest_at_all(make: Make) -> None:
    p = make(wires=("veth",), ways=("udp_gso",), sizes=(1, 2, 3), mtu=(1500, 9000))
    assert [(i.row.file_bytes, i.row.mtu) for i in p.items] == [(1, 1500), (2, 1500), (3, 1500), (3, 9000)]


def test_files_lie_where_the_way_takes_them(make: Make) -> None:
    p = make(wires=("loopback", "vhost"), ways=("udp_gso", "sendfile", "dpdk_vhost", "dpdk_virtio_user"))
    assert {i.row.label: (i.row.pages, i.cell.file) for i in p.items} == {
        "udp_gso": ("hugetlbfs", "/h"), "sendfile": ("tmpfs", "/t"),
        "dpdk_vhost/hugefile": ("hugetlbfs", "/h"), "dpdk_vhost/pagecache": ("tmpfs", "/t"),
        "dpdk_virtio_user/stage": ("tmpfs", "/t")}


def test_without_hugepages_ways_in_place_are_skipped_with_the_reason(make: Make) -> None:
    p = make(huge=False, wires=("vhost", "loopback"), ways=("dpdk_vhost", "udp_gso"))
    assert {i.row.label: i.row.skipped for i in p.items} == {
        "udp_gso": None, "dpdk_vhost/hugefile": "0 hugepages are free", "dpdk_vhost/pagecache": None}
    assert all(i.cell.no_huge for i in p.items)


def test_cold_rows_come_from_the_disk_and_hugetlbfs_is_never_cold(make: Make) -> None:
    p = make(cold=True, wires=("null",), ways=("dpdk_null",))
    cold = {i.row.label: i for i in p.items if i.row.cold}
    assert cold["dpdk_null/hugefile"].row.skipped == "a file on hugetlbfs is never cold"
    assert (cold["dpdk_null/stage"].row.pages, cold["dpdk_null/stage"].cell.file) == ("disk", "/d")
    assert not cold["dpdk_null/pagecache"].cell.populate


def test_rows_of_a_wire_that_cannot_be_made_say_why(make: Make) -> None:
    p = make(lacking="sink", wires=("sink", "veth"), ways=("udp_gso",))
    assert [(i.row.wire, i.row.skipped) for i in p.items] == [
        ("sink", "cannot make wire sink"), ("veth", None)]


@pytest.mark.parametrize("options, words", [
    ({"ways": ("udp_gos",)}, "--ways udp_gos: there is no such way"),
    ({"ways": ("udp_gso@cable",)}, "--ways udp_gso@cable: the wire after @ does not exist"),
    ({"wires": ("cable",)}, "cannot read wire 'cable'"),
    ({"wires": ("null",), "ways": ("udp_gso",)}, "none of them runs on these wires"),
    ({"wires": ("nic:eth9",)}, "give --to"),
    ({"baseline": "udp_gos"}, "--baseline udp_gos"),
    ({"baseline": "dpdk_null"}, "--baseline dpdk_null"),
    ({"core": (0, 4095)}, "--core 0,4095"),
    ({"file": "/nowhere"}, "cannot read /nowhere"),
    ({"file": "/"}, "no ordinary file"),
])
def test_wrong_usage_is_told_before_anything_is_made(make: Make, options: dict[str, Any], words: str) -> None:
    with pytest.raises(BenchError) as e:
        make(**options)
    assert words in str(e.value)
    assert e.value.code == 2


def test_sender_and_receiver_have_the_first_two_cpus() -> None:
    allowed = sorted(os.sched_getaffinity(0))
    assert plan.cell_cpus(()) == (allowed[0], allowed[min(1, len(allowed) - 1)])
    assert plan.cell_cpus(allowed[-1:]) == (allowed[-1], allowed[-1])


def test_one_cpu_for_both_is_warned_of(capsys: pytest.CaptureFixture[str]) -> None:
    plan.cell_cpus(sorted(os.sched_getaffinity(0))[:1])
    assert "one CPU for sender and receiver" in capsys.readouterr().err


@pytest.mark.parametrize("label, wire, cold, cpu, dma", [
    ("read_write", "loopback", False, 2, 0),
    ("msg_zerocopy", "veth_big", False, 1, 0),    # looped back
    ("udp_zerocopy", "sink", False, 0, 0),
    ("udp_zerocopy", "nic", False, 0, 1),
    ("packet_tx_ring", "veth", False, 2, 0),
    ("dpdk_virtio_user/stage", "vhost", False, 1, 0),  # read into EAL memory
    ("dpdk_null/stage", "null", True, 0, 1),      # by the disk's DMA
    ("dpdk_pci/hugefile", "nic", False, 0, 1),
])
def test_expected_copies(label: str, wire: str, cold: bool, cpu: float, dma: float) -> None:
    e = expect(way(label), wire, cold)
    assert (e.cpu_copies_per_byte, e.dma_copies_per_byte) == (cpu, dma)
    assert e.reason != "not derived"
