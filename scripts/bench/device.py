# SPDX-License-Identifier: BSD-3-Clause
"""The wire nic:IF, a real interface of this host, and its device, which the bypass takes from the kernel.

    eth1, virtio-pci  --host-setup --take-->       0000:00:10.0, vfio-pci
                      <--host-setup --give-back--

host-setup remembers the interface's settings in a file: `pagewire doctor --undo` gives the device back if the
bench is killed.
"""
from __future__ import annotations

import contextlib
import ipaddress
import json
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from bench import env, wires
from bench.model import BenchError, Lacking

BIFURCATED = ("mlx5_core", "mlx4_core", "mana")  # their poll-mode drivers work beside the kernel's
DISCARD_PORT = 9
RESOLVE_S = 3.0  # the kernel asks three times, a second apart
DRAIN_S = 1.0    # without progress: as long as a receiver that is not scheduled may take
LINK_S = 15.0    # what a link of 10GBASE-T may take to train
POLL_S = 0.01
HOST_SETUP_S = 120.0
ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
HERE = Path(__file__).resolve().parent
# in the source tree and installed; in a build directory, where it is beside the program
HOST_SETUPS = (HERE.parent / "host-setup", HERE.parent.parent / "app" / "host-setup")


def _ip(*arguments: str) -> list[dict[str, Any]]:
    return [item for item in json.loads(wires.run(["ip", "-j", *arguments]) or "[]") if item]


# --- the wire ---

def _address(to: str) -> tuple[str, int]:
    """Of 10.9.0.2, 10.9.0.2:4001, fd77::2, [fd77::2]:4001, or with a host name."""
    parts = urlsplit(f"//[{to}]" if to.count(":") > 1 and "[" not in to else "//" + to)
    try:
        found = socket.getaddrinfo(parts.hostname, parts.port or wires.PORT, type=socket.SOCK_DGRAM)[0][4]
    except (OSError, ValueError) as e:
        raise BenchError(f"cannot find the receiver {to}: {e}; give --to ADDR[:PORT]", 2) from None
    return str(found[0]), int(found[1])


def _mac_of(name: str, to: str) -> str | None:
    """The receiver's MAC. A byte to its discard port makes the kernel ask for it."""
    address, until = ipaddress.ip_address(to), 0.0
    if address.is_multicast and address.version == 4:
        return (b"\x01\x00\x5e" + bytes([address.packed[1] & 0x7f]) + address.packed[2:]).hex(":")
    if address.is_multicast:
        return (b"\x33\x33" + address.packed[-4:]).hex(":")
    while not until or time.monotonic() < until:
        for entry in _ip("neigh", "show", to, "dev", name):
            if "lladdr" in entry and "FAILED" not in entry["state"]:
                return str(entry["lladdr"])
        if not until:
            until = time.monotonic() + RESOLVE_S
            family = socket.AF_INET if address.version == 4 else socket.AF_INET6
            with socket.socket(family, socket.SOCK_DGRAM) as sock, contextlib.suppress(OSError):
                sock.sendto(b"\0", (to, DISCARD_PORT))
        time.sleep(POLL_S)
    return None


def _obstacle(name: str, mtu: int, link: dict[str, Any], to: str, route: dict[str, Any]) -> str | None:
    """Why the interface or the route does not do."""
    reasons = {
        "it is not an Ethernet interface; use one, or the wire loopback": link["link_type"] != "ether",
        f"the interface is down; ip link set up dev {name}": "UP" not in link["flags"],
        "the link has no carrier; plug it in": "LOWER_UP" not in link["flags"],
        f"its MTU is {link['mtu']}, below --mtu {mtu}; ip link set mtu {mtu} dev {name}": mtu > link["mtu"],
        f"{to} is an address of this host; name one of another host": route.get("type") == "local",
        f"packets to {to} leave by another interface; give {name} an address in its network, or ip route add":
            route["dev"] != name,
        f"{to} is behind a gateway; use a receiver on the same link": "gateway" in route or "via" in route,
        f"it has no address to send from; ip addr add ... dev {name}": "prefsrc" not in route}
    return next((why for why, found in reasons.items() if found), None)


def open_nic(text: str, to: str, mtu: int = 0) -> wires.Wire:
    """The wire nic:IF to the receiver ADDR[:PORT]. mtu 0: the interface's own. Lacking: why not."""
    name, (sink, port), host = text.removeprefix("nic:"), _address(to), env.Host()
    try:
        link, route = _ip("link", "show", "dev", name)[0], _ip("route", "get", sink)[0]
    except Lacking as e:
        raise Lacking(f"cannot use {text}: {e}; see `ip link`, or, after a bench that was killed, pagewire "
                      "doctor --undo") from None
    why = _obstacle(name, mtu, link, sink, route)
    mac = None if why else _mac_of(name, sink)
    if not mac:
        why = why or f"no host answers for {sink}; start the receiver's host, and connect it to this link"
        raise Lacking(f"cannot use {text}: {why}")
    return wires.Wire("nic", text, mtu or int(link["mtu"]), source_if=name, source=str(route["prefsrc"]),
                      sink=sink, port=port, source_mac=str(link["address"]), sink_mac=mac,
                      pci=env.pci_of(host, name), bifurcated=env.driver_of(host, name) in BIFURCATED)


# --- the device ---

def _host_setup(*arguments: str) -> str | None:
    """Runs host-setup. None, or why it failed."""
    script = next((path for path in HOST_SETUPS if path.exists()), HOST_SETUPS[0])
    try:
        p = subprocess.run([script, *arguments], stdin=subprocess.DEVNULL, capture_output=True, text=True,
                           timeout=HOST_SETUP_S, check=False)
    except (OSError, subprocess.TimeoutExpired) as e:
        return f"cannot run host-setup {' '.join(arguments)}: {e}"
    said = p.stderr.strip().removeprefix("host-setup: ") or f"host-setup ended with code {p.returncode}"
    return said if p.returncode else None


def check(wire: wires.Wire, rebind: bool) -> str | None:
    """Why the bypass cannot have the device itself. Changes nothing."""
    if not wire.source_if or wire.bifurcated:
        return None  # the wire itself is lacking, or there is nothing to take
    if not wire.pci:
        return f"{wire.source_if} is no PCI device"
    if not rebind:
        return (f"it takes {wire.source_if} from the kernel for each of its runs and gives it back; allow "
                "that with --rebind")
    return _host_setup("--dry-run", "--take", wire.source_if)


def _drain(wire: wires.Wire) -> None:
    """Waits until the device has sent what its queue let go: it would be lost. Some drivers count late, and
    for good only with the next frame."""
    last, since = -1, time.monotonic()
    while time.monotonic() - since < DRAIN_S:
        count = wires.read_count(wire)
        if count.packets >= count.queue_packets:
            return
        if count.packets != last:
            last, since = count.packets, time.monotonic()
        time.sleep(POLL_S)


def _link_state(name: str) -> str:
    """UP, DOWN or UNKNOWN; "": an address is still checked for duplicates."""
    link = _ip("addr", "show", "dev", name)[0]
    checked = any(a.get("tentative") and not a.get("dadfailed") for a in link["addr_info"])
    return "" if checked else str(link["operstate"])


def _settled_state(name: str) -> str:
    """UP, DOWN or UNKNOWN, once no address is checked for duplicates."""
    until = time.monotonic() + LINK_S
    while not (state := _link_state(name)):
        if time.monotonic() > until:
            raise Lacking(f"cannot take {name} from the kernel: it has checked an address for duplicates for "
                          f"{LINK_S:.0f} s; remove that address")
        time.sleep(POLL_S)
    return state


def _give_back(name: str, state: str) -> None:
    lost, until = _host_setup("--give-back", name), time.monotonic() + LINK_S
    if lost:
        raise BenchError(f"{lost}; pagewire doctor --undo tries again")
    while _link_state(name) != state:
        if time.monotonic() > until:
            raise BenchError(f"cannot wait for the link of {name}: it is back, but its state has not become "
                             f"{state} in {LINK_S:.0f} s; plug it in")
        time.sleep(POLL_S)


@contextlib.contextmanager
def taken(wire: wires.Wire) -> Iterator[None]:
    """vfio-pci has the device inside. Signals that end the bench wait while it changes hands. Lacking: it
    cannot be taken; BenchError: the interface is not again what it was."""
    name = wire.source_if
    _drain(wire)
    state = _settled_state(name)
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, ENDING)
    try:
        why = _host_setup("--take", name)
        if why:
            raise Lacking(why)
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        yield
    finally:
        try:
            signal.pthread_sigmask(signal.SIG_BLOCK, ENDING)  # a signal may still raise here
        finally:
            try:
                _give_back(name, state)
            finally:
                signal.pthread_sigmask(signal.SIG_SETMASK, mask)
