# SPDX-License-Identifier: BSD-3-Clause
"""The rows of a bench, from its options: which ways, wires, file sizes and MTUs are measured."""
from __future__ import annotations

import os
import stat
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from bench import wires
from bench.cells import Cell, S
from bench.model import BenchError, Lacking, Options, Row
from bench.store import Store, StoredFile, make_store
from bench.ways import Way, expect, is_chosen, read_ways, split_item
from bench.wires import Wire

EAL_BYTES = 2 * (96 << 20)  # two processes' pools
CELL_GRACE_NS = 60 * S  # beside its stretch, before a cell is void: an emulated CPU takes half of it to start DPDK
GRACE_NS_GIB = 20 * S


@dataclass(frozen=True)
class Preset:
    """What is measured where the lists are not given. ways (): all."""
    name: str
    wires: tuple[str, ...]
    ways: tuple[str, ...]
    sizes: tuple[int, ...]
    mtu: tuple[int, ...]
    rounds: int
    stretch_ns: int


QUICK = Preset(
    "quick", ("loopback", "veth", "sink", "vhost", "null"),
    ("read_write@loopback", "mmap_write@loopback", "sendfile@loopback", "msg_zerocopy@loopback",
     "udp_read_send", "udp_sendmmsg@loopback", "udp_gso", "sendfile@veth", "packet_tx_ring@veth",
     "xdp_copy@veth", "dpdk_af_packet/hugefile@veth", "udp_zerocopy@sink", "packet_tx_ring@sink",
     "dpdk_vhost/hugefile", "dpdk_virtio_user/stage", "dpdk_null/hugefile"),
    (32 << 20,), (1500,), 5, 150_000_000)
FULL = Preset(
    "full", ("loopback", "veth", "veth_big", "sink", "tap", "vhost", "null"), (),
    (4 << 10, 64 << 10, 1 << 20, 64 << 20, 1 << 30), (1500, 9000), 10, S)


@dataclass
class Item:
    """A row, the cell that it is measured with, and what a run takes: fixed_s + passes * pass_s."""
    row: Row
    cell: Cell
    fixed_s: float = 0.0  # processes, comparison, quiet time
    pass_s: float = 0.0

    @property
    def text(self) -> str:
        """What the live line says."""
        return f"{self.row.label} on {self.row.wire}"


@dataclass
class Plan:
    """What a bench measures. close() in every case."""
    options: Options
    preset: Preset
    rounds: int
    stretch_ns: int
    cpus: tuple[int, int]
    store: Store = field(default_factory=Store)
    wires: list[Wire] = field(default_factory=list)
    items: list[Item] = field(default_factory=list)

    def close(self) -> None:
        """Removes wires and files."""
        for wire in self.wires:
            wire.close()
        self.store.remove()


def say(text: str) -> None:
    """A line on standard error."""
    print(f"pagewire: {text}", file=sys.stderr, flush=True)


def warn(text: str) -> None:
    """A warning on standard error."""
    say(f"warning: {text}")


def cell_cpus(core: Sequence[int]) -> tuple[int, int]:
    """The sender's CPU and the receiver's: the first two of `core`, or of those allowed. The same one, with a
    warning, where there is no other."""
    allowed = sorted(os.sched_getaffinity(0))
    for cpu in core:
        if cpu not in allowed:
            raise BenchError(f"cannot use --core {','.join(map(str, core))}: CPU {cpu} is not one that this "
                             f"process may run on; name two of {','.join(map(str, allowed))}", 2)
    chosen = list(core) or allowed
    if len(chosen) < 2:
        warn("one CPU for sender and receiver: pollers starve each other; give two with --core")
    return chosen[0], chosen[min(1, len(chosen) - 1)]


def check_ways(ways: Iterable[Way], items: Iterable[str]) -> None:
    """Every name in --ways must be one."""
    names = {name for w in ways for name in (w.name, w.label)}
    for item in items:
        name, wire = split_item(item)
        if wire is not None and wire not in wires.KINDS:
            raise BenchError(f"cannot use --ways {item}: the wire after @ does not exist", 2)
        if name not in names:
            raise BenchError(f"cannot use --ways {item}: there is no such way; `pagewire bench --list` names "
                             "them", 2)


def sizes_of(o: Options, preset: Preset) -> tuple[int, ...]:
    """Of the files: the user's own, those asked for, or the preset's."""
    if not o.file:
        return tuple(dict.fromkeys(o.sizes or preset.sizes))
    try:
        st = os.stat(o.file)
    except OSError as e:
        raise BenchError(f"cannot read {o.file}: {e.strerror}", 2) from None
    if not stat.S_ISREG(st.st_mode):
        raise BenchError(f"cannot read {o.file}: no ordinary file; name one", 2)
    return (st.st_size,)


def place_of(way: Way, f: StoredFile, store: Store, cold: bool) -> tuple[str, str, str | None]:
    """(path, name of the place, why the row has to be skipped) of a row's file."""
    in_place = way.provider == "hugefile"
    if cold:
        return f.disk, "disk", "a file on hugetlbfs is never cold" if in_place else None
    if store.huge and (in_place if way.bypass else not way.needs_page_cache):
        return f.huge, "hugetlbfs", None
    return f.tmpfs, "tmpfs", store.huge_why if in_place else None


def _item(p: Plan, way: Way, wire: Wire, f: StoredFile, cold: bool, why: str | None) -> Item:
    """why: there is no wire."""
    o = p.options
    path, place, no_place = place_of(way, f, p.store, cold)
    skipped = why or no_place
    if way.takes_device and not skipped:
        from bench import device
        skipped = device.check(wire, o.rebind)
    row = Row(wire.kind, way.name, way.label, place, way.bypass, way.stream, f.len_bytes, wire.mtu, cold,
              expected=expect(way, wire.kind, cold), skipped=skipped)
    cell = Cell(o.pagewire, way, wire, path, f.len_bytes, wire.mtu, populate=not cold, batch=o.batch,
                chunk_bytes=o.chunk_bytes, rate=o.rate, no_huge=o.no_huge or not p.store.huge,
                sqpoll=o.sqpoll, qdisc_bypass=o.qdisc_bypass, source_cpu=p.cpus[0], sink_cpu=p.cpus[1],
                deadline_ns=CELL_GRACE_NS + 4 * p.stretch_ns + f.len_bytes * GRACE_NS_GIB // (1 << 30),
                verbose=o.verbose)
    return Item(row, cell)


def _add_wire(p: Plan, ways: Sequence[Way], text: str, mtu: int, first: bool) -> None:
    """Every size at the first MTU, the largest at all of them."""
    o, kind, why = p.options, wires.kind_of(text), None
    try:
        if kind == "nic":
            from bench import device
            wire = device.open_nic(text, o.to or "", mtu)
        else:
            wire = wires.open_wire(kind, mtu, p.store.dir)
    except Lacking as e:  # rows say where they did not run
        wire, why = Wire(kind, text, mtu), str(e)
    p.wires.append(wire)
    for f in p.store.files if first else p.store.files[-1:]:
        for cold in (False, True) if o.cold and first else (False,):
            p.items += [_item(p, way, wire, f, cold, why) for way in ways]


def make_plan(o: Options) -> Plan:
    """Profile, lists and defaults to rows: files, wires, skipped rows with their reasons."""
    preset = FULL if o.full else QUICK
    ways = read_ways(o.pagewire)
    words = o.ways or (() if o.wires else preset.ways)
    check_ways(ways, words)
    if o.baseline not in (w.label for w in ways):  # a ratio is to one row of each table
        raise BenchError(f"cannot use --baseline {o.baseline}: there is no such row; `pagewire bench --list` "
                         "names them", 2)
    chosen: dict[str, list[Way]] = {}  # by the wire's text
    for text in o.wires or preset.wires:
        kind = wires.kind_of(text)
        if kind == "nic" and not o.to:
            raise BenchError(f"cannot use --wires {text}: no receiver is named; give --to ADDR:PORT of the "
                             "remote one", 2)
        chosen[text] = [w for w in ways if kind in w.wires and is_chosen(w, kind, words)]
    if not any(chosen.values()):
        raise BenchError(f"cannot use --ways {','.join(o.ways)}: none of them runs on these wires", 2)
    sizes, mtus = sizes_of(o, preset), tuple(dict.fromkeys(o.mtu or preset.mtu))
    rounds = 0 if o.evidence_only else o.rounds or preset.rounds
    p = Plan(o, preset, rounds, o.stretch_ns or preset.stretch_ns, cell_cpus(o.core))
    try:
        make_store(p.store, o.pagewire, sizes, EAL_BYTES + max(sizes), o.file, o.dir if o.cold else None)
        if p.store.huge_why:
            warn(f"no file on hugetlbfs: {p.store.huge_why}")
        for text, ways in chosen.items():
            for mtu in mtus:
                _add_wire(p, ways, text, mtu, mtu == mtus[0])
    except BaseException:
        p.close()
        raise
    return p
