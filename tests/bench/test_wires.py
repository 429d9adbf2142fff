# SPDX-License-Identifier: BSD-3-Clause
"""Wires: their names, what their counters mean, and what is in their namespaces."""
from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from bench import linux, wires
from bench.cells import Cell, run_cell
from bench.model import BenchError, Lacking
from bench.wires import Count, Wire
from cells_of import need_root, program, way


@pytest.mark.parametrize("text, kind", [("veth", "veth"), ("veth_big", "veth_big"), ("nic:eth1", "nic")])
def test_a_wires_name_tells_its_kind(text: str, kind: str) -> None:
    assert wires.kind_of(text) == kind


@pytest.mark.parametrize("text", ["cable", "nic", "nic:", "nic:interface-names-end", ""])
def test_another_name_is_a_usage_error(text: str) -> None:
    with pytest.raises(BenchError, match="cannot read wire") as e:
        wires.kind_of(text)
    assert e.value.code == 2


@pytest.mark.parametrize("kind, mtu", [("veth", 575), ("veth", 65536), ("tap", 65522), ("loopback", 65537)])
def test_an_mtu_that_the_device_cannot_have_is_refused(kind: str, mtu: int) -> None:
    with pytest.raises(Lacking, match=f"MTU {mtu} is out of range"):
        wires.open_wire(kind, mtu, "/nowhere")


LINK = {"stats64": {"rx": {"packets": 40, "dropped": 9}, "tx": {"packets": 30, "dropped": 2}}}
QUEUES = [{"kind": "fq_codel", "parent": ":1", "packets": 99, "drops": 9, "qlen": 9},
          {"kind": "mq", "root": True, "packets": 50, "drops": 3, "qlen": 4}]


def test_an_ifb_counts_what_it_receives() -> None:
    assert wires.count_of("sink", LINK, QUEUES) == Count(packets=40, queue_packets=50)


def test_a_nic_counts_what_it_sends_and_what_its_queue_lets_go() -> None:
    assert wires.count_of("nic", LINK, QUEUES) == Count(packets=30, queue_packets=50, waiting=4)


def test_a_device_without_a_queue_counts_alone() -> None:
    assert wires.count_of("nic", LINK, []) == Count(packets=30)


@pytest.mark.parametrize("device, queue, packets", [
    (100, 0, 100),    # past the queue
    (3, 100, 100),    # trains: the device takes one for many segments
    (140, 100, 100),  # the device counts frames of the run before, late
    (100, 10, 100),   # past the queue; a few others went through it
])
def test_a_way_is_counted_whole_by_the_device_or_its_queue(device: int, queue: int, packets: int) -> None:
    assert wires.between(Count(5, 7), Count(5 + device, 7 + queue)) == packets


@pytest.fixture
def wire(request: pytest.FixtureRequest) -> Iterator[Wire]:
    """A wire of the kind and the MTU that the test names."""
    kind, mtu = request.param
    try:
        made = wires.open_wire(kind, mtu, "/tmp")
    except Lacking as e:
        pytest.skip(str(e))
    yield made
    made.close()


def _link(namespace: int, name: str) -> dict[str, object]:
    return dict(json.loads(wires.run(["ip", "-d", "-j", "addr", "show", "dev", name], namespace))[0])


@need_root
@pytest.mark.parametrize("wire", [("veth", 9000)], indirect=True)
def test_a_veth_pair_has_addresses_neighbours_and_the_mtu(wire: Wire) -> None:
    for namespace, name, address, mac, peer, peer_mac in (
            (wire.source_ns, "pwa", wires.SOURCE_ADDR, wires.SOURCE_MAC, wires.SINK_ADDR, wires.SINK_MAC),
            (wire.sink_ns, "pwb", wires.SINK_ADDR, wires.SINK_MAC, wires.SOURCE_ADDR, wires.SOURCE_MAC)):
        link = _link(namespace, name)
        assert (link["address"], link["mtu"], link["operstate"]) == (mac, 9000, "UP")
        assert [a["local"] for a in link["addr_info"]] == [address]  # type: ignore[attr-defined]
        assert f"{peer} dev {name} lladdr {peer_mac} PERMANENT" in wires.run(["ip", "neigh"], namespace)


@need_root
@pytest.mark.parametrize("wire", [("veth", 1500)], indirect=True)
def test_namespaces_have_no_name_and_no_interface_of_the_hosts(wire: Wire) -> None:
    named = wires.run(["ip", "netns", "list-id"])
    for fd in (wire.source_ns, wire.sink_ns):
        assert os.fstat(fd).st_ino != os.stat("/proc/self/ns/net").st_ino
        assert str(os.fstat(fd).st_ino) not in named
    links = json.loads(wires.run(["ip", "-j", "link"], wire.sink_ns))
    assert {link["ifname"] for link in links} == {"lo", "pwb"}


@need_root
@pytest.mark.parametrize("wire", [("sink", 1500)], indirect=True)
def test_the_sink_counts_each_datagram_once(wire: Wire) -> None:
    before = wires.read_count(wire)
    send = "import socket\ns = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)\n" \
           f"for _ in range(7): s.sendto(b'x' * 1000, ('{wires.SINK_ADDR}', 9))"
    wires.run(["python3", "-c", send], wire.source_ns)
    assert wires.between(before, wires.read_count(wire)) == 7


@need_root
@pytest.mark.parametrize("wire", [("veth", 1500)], indirect=True)
def test_a_packet_tap_is_noticed(wire: Wire) -> None:
    assert wires.packet_tap(wire) is None
    hear = ("import socket as s, time\nt = s.socket(s.AF_PACKET, s.SOCK_RAW, s.htons(3))\n"  # ETH_P_ALL
            "print(flush=True)\ntime.sleep(20)")
    with subprocess.Popen(wires.enter(wire.source_ns, ["python3", "-c", hear]),
                          stdout=subprocess.PIPE) as p:
        assert p.stdout and p.stdout.readline()
        who = wires.packet_tap(wire)
        p.kill()
    assert who and who.startswith("ALL")


@need_root
@pytest.mark.parametrize("wire", [("veth_big", 1500)], indirect=True)
def test_big_tcp_sends_trains_longer_than_an_ipv4_packet(wire: Wire, tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_bytes(bytes(64 << 20))
    mean, before = [], {"bytes": 0, "packets": 0}
    while len(mean) < 10 and not any(m > 65536 for m in mean):  # a busy receiver makes trains shorter
        end = run_cell(Cell(program(), way("mmap_write"), wire, str(file), 64 << 20, 1500, chunk_bytes=1 << 20))
        assert end.source["error"] is None
        link = json.loads(wires.run(["ip", "-s", "-j", "link", "show", "dev", "pwa"], wire.source_ns))[0]
        sent = link["stats64"]["tx"]
        mean.append((sent["bytes"] - before["bytes"]) / (sent["packets"] - before["packets"]))
        before = sent
    assert max(mean) > 65536


@need_root
@pytest.mark.parametrize("wire", [("veth", 1500)], indirect=True)
def test_trains_that_the_device_cannot_send_are_refused(wire: Wire) -> None:
    with pytest.raises(OSError):
        linux.set_train_sizes(wire.source_ns, "pwa", 1 << 30)


@need_root
def test_what_iproute2_refuses_is_a_reason() -> None:
    with pytest.raises(Lacking, match="cannot run `ip link set dev pw-none up`: Cannot find device"):
        wires.ip(-1, "link set dev pw-none up")
