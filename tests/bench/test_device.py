# SPDX-License-Identifier: BSD-3-Clause
"""The wire nic:IF and the settings of an interface, on veth pairs in network namespaces of the tests' own.
tests/vm/test_same_nic.py has a device that really changes its driver."""
from __future__ import annotations

import functools
import importlib.machinery
import importlib.util
import os
import pathlib
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

import pytest

TOP = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(TOP / "scripts"))

from bench import device, linux, wires  # noqa: E402
from bench.model import BenchError, Lacking  # noqa: E402


def _load_host_setup() -> Any:
    sys.dont_write_bytecode = True
    loader = importlib.machinery.SourceFileLoader("host_setup", str(TOP / "scripts/host-setup"))
    spec = importlib.util.spec_from_loader("host_setup", loader)
    assert spec
    module = importlib.util.module_from_spec(spec)
    loader.exec_module(module)
    return module


setup = _load_host_setup()


def shell(command: str) -> str:
    """What a shell command prints, in the namespace of the calling thread."""
    p = subprocess.run(["sh", "-ec", command], check=True, capture_output=True, text=True, timeout=20)
    return p.stdout


def make(name: str) -> None:
    """One end of a veth pair. The other end, pwi1, answers in a namespace of its own."""
    peer = wires.make_namespace()
    try:
        wires.ip(-1, f"link add {name} address 02:00:00:00:00:09 type veth peer name pwi1 address "
                     f"02:00:00:00:00:02 netns /proc/{os.getpid()}/fd/{peer}")
        wires.ip(peer, "link set pwi1 up")
        wires.ip(peer, "addr add 10.9.0.2/24 dev pwi1")
        PEERS.append(peer)
    except BaseException:
        os.close(peer)
        raise


PEERS: list[int] = []


def alone(test: Callable[[], None]) -> Callable[[], None]:
    """Runs a test in a network namespace of its own. It needs root."""
    @functools.wraps(test)
    def run() -> None:
        def work() -> None:
            try:
                linux.unshare(linux.CLONE_NEWNET)
            except OSError as e:
                pytest.skip(f"cannot make a network namespace: {e.strerror}; run as root")
            shell("ip link set lo up")
            test()
        try:
            linux.in_thread(work)
        finally:
            while PEERS:
                os.close(PEERS.pop())
    return run


# --- settings ---

def settled(name: str) -> None:
    """The kernel notes the link's state a moment after the interface is up."""
    until = time.monotonic() + 5
    while "state UP" not in (found := shell(f"ip -o link show {name}")) and "state DOWN" not in found:
        assert time.monotonic() < until, found
        time.sleep(0.02)


def look() -> str:
    """What ip shows of pwi0, without its index."""
    settled("pwi0")
    shown = shell("""ip -d addr show dev pwi0; ip route show table all dev pwi0
ip -6 route show table all dev pwi0; ip neigh show dev pwi0 nud permanent""")
    return re.sub(r"^\d+: |@if\d+|link-netnsid \d+| linkdown", "", shown, flags=re.MULTILINE)


def comes_back(how: str, as_name: str = "pwi0") -> None:
    """An interface is made, remembered, deleted, made again under another name and index, and restored."""
    make("pwi0")
    shell(how)
    before = look()
    saved = setup.settings("pwi0")
    shell("ip link del pwi0; ip link add other type veth peer name other2")
    make(as_name)
    if as_name != "pwi0":
        shell(f"ip link set {as_name} name pwi0")
    setup.restore("pwi0", saved)
    assert look() == before


@alone
def test_name_mtu_mac_addresses_routes_and_neighbours_come_back() -> None:
    comes_back("""ip link set pwi0 mtu 1400 address 02:00:00:00:aa:01 txqueuelen 77 addrgenmode none up
ip addr add 10.9.0.1/24 brd + dev pwi0
ip addr add 10.9.5.1/28 dev pwi0 label pwi0:x noprefixroute
ip addr add 10.9.6.1 peer 10.9.6.2 dev pwi0 metric 50
ip route add 10.77.0.0/16 via 10.9.0.2 dev pwi0 metric 7 src 10.9.5.1
ip route add 10.78.0.0/16 dev pwi0 table 4242 mtu lock 900
ip route add 10.79.0.0/16 via 10.250.0.1 dev pwi0 onlink tos 0x10
ip neigh add 10.9.0.2 lladdr 02:00:00:00:00:02 nud permanent dev pwi0""", "other7")


@alone
def test_ipv6_comes_back() -> None:
    comes_back("""ip link set pwi0 addrgenmode none up
ip addr add fd77::1/64 dev pwi0 nodad
ip route add fd78::/64 via fd77::2 dev pwi0
ip route add 10.80.0.0/16 via inet6 fd77::2 dev pwi0
ip neigh add fd77::2 lladdr 02:00:00:00:00:02 nud permanent router dev pwi0""")


@alone
def test_an_interface_that_is_down_stays_down() -> None:
    comes_back("ip addr add 10.9.0.1/24 dev pwi0")
    assert "DOWN" in shell("ip link show pwi0")


@alone
def test_a_setting_that_cannot_come_back_is_named() -> None:
    make("pwi0")
    shell("ip link set pwi0 up; ip addr add 10.9.0.1/24 dev pwi0; ip route add 10.77.0.0/16 via 10.9.0.2")
    saved = [line for line in setup.settings("pwi0") if not line.startswith("addr")]
    shell("ip addr del 10.9.0.1/24 dev pwi0")
    setup.COME_BACK_S = 0.2
    try:
        with pytest.raises(setup.Failure, match="cannot restore pwi0: `ip route add unicast 10.9.0.0/24 "):
            setup.restore("pwi0", saved)
    finally:
        setup.COME_BACK_S = 10


@alone
def test_what_would_not_come_back_is_named() -> None:
    make("pwi0")
    shell("ip addr add 10.9.0.1/24 dev pwi0; ip link set pwi0 up")
    assert setup.dependents("pwi0") == []
    for how, words, undo in (
            ("ip route add default via 10.9.0.2", "the IPv4 default route", "ip route del default"),
            ("ip route add default via 10.9.0.2 table 99", "the IPv4 default route",
             "ip route del default table 99"),
            ("ip route add 10.80.0.0/16 nexthop via 10.9.0.2 nexthop via 10.9.0.3", "a multipath route",
             "ip route del 10.80.0.0/16"),
            ("ip nexthop add id 5 via 10.9.0.2 dev pwi0; ip route add 10.81.0.0/16 nhid 5",
             "a nexthop object's route", "ip nexthop del id 5"),
            ("ip link add pwbr type bridge; ip link set pwi0 master pwbr", "the bridge or bond pwbr",
             "ip link del pwbr"),
            ("ip link add link pwi0 name pwv type macvlan", "pwv stands on pwi0", "ip link del pwv")):
        shell(how)
        found = setup.dependents("pwi0")
        shell(undo)
        assert len(found) == 1 and words in found[0], (how, found)
    assert setup.dependents("pwi0") == []
    assert setup.users("pwi0") == ["pwi0 has the address 10.9.0.1/24"]


# --- the wire ---

@alone
def test_a_wire_has_the_addresses_of_both_ends() -> None:
    make("pwi0")
    shell("ip addr add 10.9.0.1/24 dev pwi0; ip link set pwi0 up")
    wire = device.open_nic("nic:pwi0", "10.9.0.2:4007")
    assert (wire.kind, wire.text, wire.source_if, wire.mtu) == ("nic", "nic:pwi0", "pwi0", 1500)
    assert (wire.source, wire.sink, wire.port) == ("10.9.0.1", "10.9.0.2", 4007)
    assert (wire.source_mac, wire.sink_mac) == ("02:00:00:00:00:09", "02:00:00:00:00:02")
    assert (wire.pci, wire.bifurcated, wire.source_ns) == ("", False, -1)
    assert device.open_nic("nic:pwi0", "10.9.0.2", 1400).mtu == 1400
    assert device.open_nic("nic:pwi0", "10.9.0.2").port == wires.PORT


@alone
def test_a_multicast_address_needs_no_neighbour() -> None:
    make("pwi0")
    shell("ip addr add 10.9.0.1/24 dev pwi0; ip link set pwi0 up; ip route add 239.0.0.0/8 dev pwi0")
    assert device.open_nic("nic:pwi0", "239.129.2.3").sink_mac == "01:00:5e:01:02:03"


@alone
def test_an_ipv6_receiver_is_found() -> None:
    make("pwi0")
    shell("""ip link set pwi0 addrgenmode none up; ip addr add fd77::1/64 dev pwi0 nodad
ip neigh add fd77::2 lladdr 02:00:00:00:00:02 nud permanent dev pwi0""")
    for text, port in (("fd77::2", wires.PORT), ("[fd77::2]", wires.PORT), ("[fd77::2]:4007", 4007)):
        wire = device.open_nic("nic:pwi0", text)
        assert (wire.source, wire.sink, wire.port) == ("fd77::1", "fd77::2", port)
        assert wire.sink_mac == "02:00:00:00:00:02"


def lacks(words: str, text: str = "nic:pwi0", to: str = "10.9.0.2", mtu: int = 0) -> None:
    """The wire cannot be used, and the reason has these words."""
    with pytest.raises(Lacking) as found:
        device.open_nic(text, to, mtu)
    assert words in str(found.value) and f"cannot use {text}: " in str(found.value)


@alone
def test_why_an_interface_cannot_be_used() -> None:
    make("pwi0")
    shell("ip addr add 10.9.0.1/24 dev pwi0; ip link add pwd type veth peer name pwe")
    shell("ip link set pwd up; ip link set pwe up; ip route add 10.50.0.0/16 dev pwd")
    lacks("does not exist", "nic:nosuch")
    lacks("not an Ethernet interface", "nic:lo", "127.0.0.1")
    lacks("the interface is down; ip link set up dev pwi0", to="10.50.0.1")
    shell("ip link set pwi0 up")
    lacks("its MTU is 1500, below --mtu 1501", mtu=1501)
    lacks("an address of this host", to="10.9.0.1")
    lacks("leave by another interface", to="10.50.0.1")
    lacks("unreachable", to="10.60.0.1")
    lacks("no host answers for 10.9.0.3", to="10.9.0.3")
    shell("ip route add 10.70.0.0/16 via 10.9.0.2")
    lacks("behind a gateway", to="10.70.0.1")
    wires.ip(PEERS[0], "link set pwi1 down")
    lacks("no carrier")
    with pytest.raises(BenchError) as found:
        device.open_nic("nic:pwi0", "10.9.0.2:port")
    assert found.value.code == 2


# --- the device ---

@alone
def test_the_bypass_gets_no_device_that_is_none() -> None:
    make("pwi0")
    shell("ip addr add 10.9.0.1/24 dev pwi0; ip link set pwi0 up")
    wire = device.open_nic("nic:pwi0", "10.9.0.2")
    assert device.check(wire, True) == "pwi0 is no PCI device"
    wire.pci = "0000:00:10.0"
    assert "--rebind" in (device.check(wire, False) or "")
    assert "pwi0 is no PCI device" in (device.check(wire, True) or "")
    wire.bifurcated = True
    assert device.check(wire, False) is None


@alone
def test_an_interface_that_cannot_be_taken_is_as_before_and_signals_come_again() -> None:
    make("pwi0")
    shell("ip addr add 10.9.0.1/24 dev pwi0; ip link set pwi0 up")
    wire = device.open_nic("nic:pwi0", "10.9.0.2")
    assert "tentative" in shell("ip addr show dev pwi0")  # its address is still checked for duplicates
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, ())
    with pytest.raises(Lacking, match="pwi0 is no PCI device"), device.taken(wire):
        pytest.fail("it was taken")
    before = look()
    with pytest.raises(Lacking, match="pwi0 is no PCI device"), device.taken(wire):
        pytest.fail("it was taken")
    assert look() == before
    assert signal.pthread_sigmask(signal.SIG_BLOCK, ()) == mask
