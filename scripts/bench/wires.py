# SPDX-License-Identifier: BSD-3-Clause
"""The wires of the comparison. Their network namespaces have no names, so they end with the last process that
holds their descriptors, even if it is killed.

    loopback  | source + sink, lo |                         TCP and UDP
    sink      | source, ifb, static neighbour |             no receiver: the device counts
    veth      | source, pwa | ===== | pwb, sink |           two namespaces
    veth_big  the same, with BIG TCP: trains of up to 192 KiB
    tap       | source, pwt0 | ==fd== DPDK net_tap, sink    one namespace
    vhost     | source | == unix socket == | sink |         no namespace: DPDK on both ends
    null      | source |                                    no wire: what pagewire itself costs
    nic:NAME  | source, NAME | ---- a remote pagewire recv  or, taken from the kernel, its PCI function
"""
from __future__ import annotations

import contextlib
import json
import os
import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from bench import linux
from bench.model import BenchError, Lacking

PORT = 4001
MTU_MIN = 576               # RFC 791: what every host must take
SOURCE_ADDR, SINK_ADDR = "198.18.0.1", "198.18.0.2"  # 198.18.0.0/15 is for benchmarks (RFC 2544)
SOURCE_MAC, SINK_MAC = "02:00:00:00:50:01", "02:00:00:00:50:02"
BIG_TCP_BYTES = 192 << 10
TAP_WAIT_S = 5.0
TAP_POLL_S = 0.01
COMMAND_SECONDS = 20
NOISE = ("RTNETLINK answers: ", "Error: ")  # what iproute2 puts in front of every reason

CAVEATS = {
    "loopback": "lo: no device and no checksums; TCP moves segments of 64 KiB; MSG_ZEROCOPY copies after all",
    "sink": "an ifb device counts frames and frees them: no DMA, no receiver, the bytes are not read",
    "veth": "the sender's CPU also runs the receiver's softirq; GRO, TSO and checksum offload as the kernel "
            "sets them: trains cross uncut",
    "veth_big": "veth with BIG TCP: trains of up to 192 KiB cross uncut, but of 17 fragments: 68 KiB of a "
                "file's pages; the sender's CPU also runs the receiver's softirq",
    "tap": "the kernel copies frames for the reader, a system call each; zero-copy pages are copied on the "
           "way in",
    "vhost": "one copy a packet, made by the core of the vhost end, stands for a NIC's DMA",
    "null": "nothing leaves: what pagewire itself costs without a device",
    "nic": "the receiver is another host: the device counts what left, not what arrived; for dpdk_pci only "
           "the driver counts",
}
KINDS = tuple(CAVEATS)
MTU_MAX = {"loopback": 65536, "tap": 65521}  # others: 65535, the longest IPv4 packet


@dataclass
class Wire:
    """A path from a sender to a receiver. "nic" is an interface of this host that device.py describes."""
    kind: str
    text: str              # "veth", "nic:eth1"
    mtu: int               # of the interfaces
    source_ns: int = -1    # descriptor of the sender's network namespace; -1: ours
    sink_ns: int = -1      # of the receiver; the same descriptor where it is the same
    source_if: str = ""    # where frames leave; "": no interface of the kernel
    sink_if: str = ""      # tap: the sink's device, which the sink makes
    source: str = SOURCE_ADDR
    sink: str = SINK_ADDR
    port: int = PORT       # of the sink
    source_mac: str = SOURCE_MAC
    sink_mac: str = SINK_MAC
    socket: str = ""       # vhost: the unix socket's path
    pci: str = ""          # nic: its PCI function; "": none
    bifurcated: bool = False  # nic: its poll-mode driver works beside the kernel's

    @property
    def to(self) -> str:
        """Where packets go, ADDR:PORT."""
        return f"[{self.sink}]:{self.port}" if ":" in self.sink else f"{self.sink}:{self.port}"

    @property
    def has_sink(self) -> bool:
        """The receiver is a process of the bench."""
        return self.kind not in ("sink", "null", "nic")

    def close(self) -> None:
        """Gives up the namespaces: the kernel removes them and what is in them."""
        for fd in {self.source_ns, self.sink_ns} - {-1}:
            os.close(fd)
        self.source_ns = self.sink_ns = -1
        self.forget_socket()

    def forget_socket(self) -> None:
        """Removes the socket of a cell that has ended."""
        if self.socket:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(self.socket)


def kind_of(text: str) -> str:
    """The kind of a wire that --wires names: "nic:eth1" is a "nic"."""
    if text.startswith("nic:") and 0 < len(text[4:]) < 16:
        return "nic"
    if text in KINDS and text != "nic":
        return text
    raise BenchError(f"cannot read wire '{text[:40]}': there is none of that name; use loopback, sink, veth, "
                     "veth_big, tap, vhost, null or nic:INTERFACE", 2)


# --- namespaces ---

def enter(namespace: int, argv: Sequence[str]) -> list[str]:
    """The command inside the namespace of this descriptor of ours. -1: in our own."""
    if namespace < 0:
        return list(argv)
    return ["nsenter", f"--net=/proc/{os.getpid()}/fd/{namespace}", *argv]


def run(argv: Sequence[str], namespace: int = -1) -> str:
    """What a command prints inside the namespace. Lacking: its reason."""
    line = " ".join(argv)
    try:
        p = subprocess.run(enter(namespace, argv), stdin=subprocess.DEVNULL, capture_output=True, text=True,
                           timeout=COMMAND_SECONDS, check=False, process_group=0)
    except FileNotFoundError as e:
        raise Lacking(f"cannot run `{line}`: there is no {e.filename} in PATH; "
                      "apt install iproute2 util-linux") from None
    except subprocess.TimeoutExpired:
        raise Lacking(f"cannot run `{line}`: it does not end") from None
    if p.returncode:
        said = ((p.stderr or p.stdout).strip().splitlines() or ["it says nothing"])[0]
        for noise in NOISE:
            said = said.removeprefix(noise)
        hint = "; run as root (CAP_NET_ADMIN)" if "not permitted" in said else ""
        raise Lacking(f"cannot run `{line}`: {said}{hint}")
    return p.stdout


def ip(namespace: int, line: str) -> None:
    """`ip LINE` inside the namespace."""
    run(["ip", *line.split()], namespace)


def _new_namespace() -> int:
    linux.unshare(linux.CLONE_NEWNET)
    fd = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    for which in ("all", "default"):  # its neighbour discovery would be counted as traffic
        with contextlib.suppress(OSError), open(f"/proc/sys/net/ipv6/conf/{which}/disable_ipv6", "w") as f:
            f.write("1")
    return fd


def make_namespace() -> int:
    """A descriptor of a new network namespace with lo up and IPv6 off."""
    try:
        fd = linux.in_thread(_new_namespace)
    except OSError as e:
        raise Lacking(f"cannot make a network namespace: {e.strerror}; run as root (CAP_SYS_ADMIN, "
                      "CAP_NET_ADMIN)") from None
    try:
        ip(fd, "link set lo up")
    except Lacking:
        os.close(fd)
        raise
    return fd


# --- each kind ---

def _bring_up(namespace: int, name: str, own: str, peer: str, peer_mac: str) -> None:
    """Address, state and the static neighbour of an interface that has its MAC and MTU."""
    with contextlib.suppress(Lacking):  # refused where the interface has no IPv6, which is as good
        ip(namespace, f"link set dev {name} addrgenmode none")
    ip(namespace, f"link set dev {name} up")
    ip(namespace, f"addr add {own}/24 dev {name}")
    ip(namespace, f"neigh add {peer} lladdr {peer_mac} nud permanent dev {name}")


def _open_loopback(w: Wire) -> None:
    w.source = w.sink = "127.0.0.1"
    w.source_mac = w.sink_mac = ""
    w.source_if = w.sink_if = "lo"
    try:
        w.source_ns = w.sink_ns = make_namespace()
    except Lacking:
        if os.geteuid() == 0 and os.access("/proc/sys/net", os.W_OK):
            raise
        return  # who may make no namespace has the host's own lo, with the MTU that it has
    ip(w.source_ns, f"link set dev lo mtu {w.mtu}")


def _open_sink(w: Wire) -> None:
    """An ifb has no set-address call: its MAC is given when it is made. Its queue would have 32 packets. A
    bridge without ports would not do: it has no carrier, and its queue drops every frame uncounted."""
    w.source_if = "pws"
    w.source_ns = w.sink_ns = make_namespace()
    try:
        ip(w.source_ns, f"link add pws address {SOURCE_MAC} mtu {w.mtu} txqueuelen 1000 type ifb")
    except Lacking as e:
        if "Unknown device type" in str(e) or "not supported" in str(e):
            raise Lacking(f"cannot make wire sink: this kernel has no ifb device ({e}); "
                          "modprobe ifb") from None
        raise
    _bring_up(w.source_ns, "pws", SOURCE_ADDR, SINK_ADDR, SINK_MAC)


def _open_veth(w: Wire) -> None:
    w.source_if, w.sink_if = "pwa", "pwb"
    w.source_ns = make_namespace()
    w.sink_ns = make_namespace()
    ip(w.source_ns, f"link add pwa address {SOURCE_MAC} mtu {w.mtu} type veth peer name pwb "
                    f"address {SINK_MAC} mtu {w.mtu} netns /proc/{os.getpid()}/fd/{w.sink_ns}")
    _bring_up(w.sink_ns, "pwb", SINK_ADDR, SOURCE_ADDR, SOURCE_MAC)
    _bring_up(w.source_ns, "pwa", SOURCE_ADDR, SINK_ADDR, SINK_MAC)


def _open_veth_big(w: Wire) -> None:
    _open_veth(w)
    for namespace, name in ((w.source_ns, w.source_if), (w.sink_ns, w.sink_if)):
        try:
            linux.set_train_sizes(namespace, name, BIG_TCP_BYTES)
        except OSError as e:
            raise Lacking(f"cannot make wire veth_big: the kernel refuses BIG TCP over IPv4 ({e.strerror}); "
                          "use Linux 6.3 or newer") from None


def _open_tap(w: Wire) -> None:
    try:
        os.close(os.open("/dev/net/tun", os.O_RDWR | os.O_CLOEXEC))
    except OSError as e:
        raise Lacking(f"cannot make wire tap: /dev/net/tun: {e.strerror}; modprobe tun, as root") from None
    w.source_if = w.sink_if = "pwt0"
    w.source_ns = w.sink_ns = make_namespace()


OPENERS: dict[str, Callable[[Wire], None]] = {
    "loopback": _open_loopback, "sink": _open_sink, "veth": _open_veth, "veth_big": _open_veth_big,
    "tap": _open_tap,
}


def open_wire(kind: str, mtu: int, directory: str) -> Wire:
    """Makes namespaces and interfaces of any kind but nic. directory is for the socket. Lacking: why not."""
    most = MTU_MAX.get(kind, 65535)
    if not MTU_MIN <= mtu <= most:
        raise Lacking(f"cannot make wire {kind}: MTU {mtu} is out of range; use {MTU_MIN} to {most}")
    wire = Wire(kind, kind, mtu, socket=f"{directory}/vhost.sock" if kind == "vhost" else "")
    try:
        if kind in OPENERS:
            OPENERS[kind](wire)
    except BaseException:
        wire.close()
        raise
    return wire


def sink_ready(w: Wire) -> None:
    """tap: the sink has made its device; it gets addresses and the neighbour."""
    if w.kind != "tap":
        return
    until = time.monotonic() + TAP_WAIT_S
    while True:
        try:
            ip(w.sink_ns, f"link set dev {w.sink_if} mtu {w.mtu} address {SOURCE_MAC}")
            break
        except Lacking as e:
            if "Cannot find device" not in str(e):
                raise
            if time.monotonic() > until:
                raise Lacking(f"cannot make wire tap: the sink made no interface {w.sink_if} in "
                              f"{TAP_WAIT_S:.0f} s") from None
        time.sleep(TAP_POLL_S)
    _bring_up(w.sink_ns, w.sink_if, SOURCE_ADDR, SINK_ADDR, SINK_MAC)


# --- counters ---

@dataclass(frozen=True)
class Count:
    """A device's own counters since it was made. Segments of a GSO train are counted one by one by the queue
    before the device; some drivers take a train for one, some count late."""
    packets: int = 0
    queue_packets: int = 0  # of the queue, which some ways go past
    waiting: int = 0        # in the queue now


def count_of(kind: str, link: dict[str, Any], qdiscs: list[dict[str, Any]]) -> Count:
    """The counters of a wire of this kind in the objects of `ip -s -j link` and `tc -s -j qdisc`."""
    stats = link["stats64"]
    root: dict[str, Any] = next((q for q in qdiscs if q.get("root")), {})
    queue_packets = int(root.get("packets", 0))
    if kind == "sink":  # an ifb has received what it is sent
        return Count(int(stats["rx"]["packets"]), queue_packets)
    return Count(int(stats["tx"]["packets"]), queue_packets, int(root.get("qlen", 0)))


def read_count(w: Wire) -> Count:
    """The counters of the device where frames leave."""
    link = run(["ip", "-s", "-s", "-j", "link", "show", "dev", w.source_if], w.source_ns)
    qdiscs = run(["tc", "-s", "-j", "qdisc", "show", "dev", w.source_if], w.source_ns)
    return count_of(w.kind, json.loads(link)[0], json.loads(qdiscs or "[]"))


def between(before: Count, after: Count) -> int:
    """Packets that left between two readings. A way is counted whole by the device or by its queue: some
    drivers (virtio_net) count a frame only when they free it, with one of the next run."""
    queued = after.queue_packets - before.queue_packets
    packets = after.packets - before.packets
    return queued if 2 * queued >= packets else packets


def packet_tap(w: Wire) -> str | None:
    """Who hears every frame of the source's namespace (tcpdump, lldpd): every way would pay for it."""
    if not w.source_if:
        return None
    try:
        lines = run(["cat", "/proc/net/ptype"], w.source_ns).splitlines()
    except Lacking:
        return None
    for line in lines:
        words = line.split()
        # a line with two words is for all interfaces
        if words[:1] == ["ALL"] and not (w.kind == "nic" and len(words) > 2 and words[1] != w.source_if):
            return " ".join(words)
    return None
