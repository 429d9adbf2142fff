# SPDX-License-Identifier: BSD-3-Clause
"""`pagewire bench --classic`: the textbook's table. One file, one buffer, one pass, with the numbers of
lectures (copies, copies by DMA, mode switches) beside those that were measured here.

    read + write    read(file, buffer)  write(socket, buffer)
    mmap + write    mmap(file)          write(socket, mapping)
    sendfile        sendfile(socket, file)
    bypass          pagewire's own path: no call at all
"""
from __future__ import annotations

import contextlib
import json
import subprocess
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TextIO

from bench import view, wires
from bench.cells import Cell, Json, S, run_cell
from bench.model import Lacking, Options
from bench.plan import EAL_BYTES, cell_cpus, warn
from bench.store import NotDropped, Store, make_store
from bench.table import Printer
from bench.ways import POLLERS

BYTES = 65536  # large enough that a call is not noise, small enough that no socket blocks
MTU = 1500
DISK = "/var/tmp"
LIMIT_S = 60  # as long as plan.CELL_GRACE_NS
PAGE = 4096
CLOCKS_WITHOUT_CALL = ("tsc", "kvm-clock")
NO_DMA = "no DMA: warm cache, no NIC"
TITLE = "one buffer of 64 KiB, one pass: TCP to ourselves, page cache warm; bypass: the same file"
REMARK = ("The textbook's copies are those of a cold file through a NIC: one DMA copy from the disk, one to "
          "the NIC. DMA copies are not measured. Here: CPU copies per payload byte on the sender's side "
          "(BPF), and crossings between user mode and the kernel; a page fault inside a call is no crossing "
          "more.")


@dataclass(frozen=True)
class Lecture:
    """As lectures draw it: the page cache is cold, and the NIC's DMA takes the packet."""
    label: str
    copies: str
    cpu: str
    dma: str
    switches: int


LECTURES = {
    "read_write": Lecture("read + write", "4", "2", "2", 4),
    "mmap_write": Lecture("mmap + write", "3", "1", "2", 4),
    "sendfile": Lecture("sendfile", "3 or 2", "1 or 0", "2", 2),
    "bypass": Lecture("bypass", "2", "0", "2", 0),
}


@dataclass
class Line:
    """A row of the table. None where something was not measured; then the text beside it has the reason."""
    way: str
    calls: str                          # "mmap, write": what was called
    bytes: int = BYTES
    syscalls: int | None = None
    user_faults: int | None = None
    kernel_faults: int | None = None    # inside a call: no switch
    copies: float | None = None         # by a CPU, per payload byte
    switches_why: str | None = None
    copies_why: str | None = None
    reason: str | None = None           # why measured and textbook differ
    skipped: str | None = None

    @property
    def switches(self) -> int | None:
        """2 x system calls + 2 x user faults."""
        if self.syscalls is None or self.user_faults is None:
            return None
        return 2 * self.syscalls + 2 * self.user_faults

    def take(self, printed: Json) -> None:
        """Calls and faults, and why they were not counted."""
        reading, why = printed.get("reading") or {}, printed.get("not_measured") or {}
        self.syscalls, self.user_faults = reading.get("syscalls"), reading.get("user_faults")
        self.kernel_faults = reading.get("kernel_faults")
        self.switches_why = why.get("syscalls") or why.get("faults")

    def take_copies(self, printed: Json, own: float) -> None:
        """Copies by the kernel and by pagewire, and why they were not counted."""
        copied = (printed.get("reading") or {}).get("copied_bytes")
        self.copies = None if copied is None else copied / self.bytes + own
        self.copies_why = (printed.get("not_measured") or {}).get("copies")


def _textbook(pagewire: str, way: str, path: str, meter: str) -> Json:
    """One pass of one of the textbook's own ways, in a process of its own."""
    argv = [pagewire, "cell", "textbook", "--way", way, "--file", path, "--deadline", f"{LIMIT_S}s",
            "--meter", meter]
    try:
        p = subprocess.run(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, timeout=2 * LIMIT_S,
                           check=False, process_group=0)
        return dict(json.loads(p.stdout))
    except (OSError, subprocess.TimeoutExpired, ValueError) as e:
        return {"error": f"cannot measure the textbook: {e}"}


def _by_hand(pagewire: str, way: str, calls: str, path: str) -> Line:
    """Measured twice: for calls, and for copies."""
    line = Line(way, calls)
    counted = _textbook(pagewire, way, path, "calls")
    copied = _textbook(pagewire, way, path, "copies")
    line.skipped = counted["error"] or copied["error"]
    line.take(counted)
    line.take_copies(copied, 0)
    faults = line.kernel_faults or 0
    line.reason = NO_DMA
    if way == "mmap_write" and faults:
        line.reason += (f"; {faults} page fault{'s' if faults > 1 else ''} for {BYTES // PAGE} pages, inside "
                        "write(): no switch more")
    elif way == "sendfile":
        line.reason += "; the socket refers to the cache's pages"
    return line


def _failure(source: Json, sink: Json | None) -> str | None:
    """Why a cell has not sent the file, whole and right."""
    whole = sink is None or (sink.get("whole") and not sink.get("wrong"))
    why = None if whole else "other bytes arrived, or not all"
    return source["error"] or (sink and sink["error"]) or why


def _explain_bypass(line: Line, source: Json, staged: bool) -> None:
    """What a lecture does not draw: the pages are there before the pass. And the session reads the clock a
    few times around it: no call where the vDSO can do it."""
    if source.get("page_in_copies"):
        line.reason = "read into EAL memory before the pass: one copy, counted"
    elif staged:
        line.reason = "read into EAL memory before the pass, by the disk's DMA (O_DIRECT)"
    else:
        line.reason = "mapped before the pass: those calls are not counted"
    try:
        clock = Path("/sys/devices/system/clocksource/clocksource0/current_clocksource").read_text().strip()
    except OSError:
        return
    if line.syscalls and clock not in CLOCKS_WITHOUT_CALL:
        line.reason += f"; reading the clock is a system call with this host's clock source, {clock}"


def _by_cell(line: Line, cell: Cell) -> None:
    """One pass of the file by a cell; twice, for calls and for copies."""
    for meter in ("calls", "copies"):
        end = run_cell(replace(cell, meter=meter))
        line.skipped = _failure(end.source, end.sink)
        if line.skipped:
            return
        if meter == "calls":
            line.take(end.source)
    own = end.source["counters"]["cpu_copied_bytes"] / line.bytes + (end.source.get("page_in_copies") or 0)
    line.take_copies(end.source, own)
    _explain_bypass(line, end.source, cell.way.provider == "stage")


def _bypass(o: Options, store: Store, cpus: tuple[int, int], calls: str, label: str, kind: str) -> Line:
    f, way = store.files[0], next(w for w in POLLERS if w.label == label)
    line = Line("bypass", calls, f.len_bytes)
    in_place = way.provider == "hugefile"
    if in_place and not store.huge:
        line.skipped = store.huge_why
        return line
    # staged from a disk where there is one: O_DIRECT is the textbook's first DMA
    path = f.huge if in_place else f.disk or f.tmpfs
    try:
        with contextlib.closing(wires.open_wire(kind, MTU, store.dir)) as wire:
            _by_cell(line, Cell(o.pagewire, way, wire, path, f.len_bytes, MTU,
                                no_huge=not store.huge, source_cpu=cpus[0], sink_cpu=cpus[1],
                                deadline_ns=LIMIT_S * S))
    except Lacking as e:
        line.skipped = str(e)
    return line


def measure(o: Options, store: Store) -> list[Line]:
    """The whole table; what cannot run is skipped in its row."""
    path, cpus = store.files[0].tmpfs, cell_cpus(o.core)
    return [
        _by_hand(o.pagewire, "read_write", "read, write", path),
        _by_hand(o.pagewire, "mmap_write", "mmap, write", path),
        _by_hand(o.pagewire, "sendfile", "sendfile", path),
        _bypass(o, store, cpus, "none: virtio-user, the peer copies as a NIC would", "dpdk_virtio_user/stage",
                "vhost"),
        _bypass(o, store, cpus, "none: null port, pages in place", "dpdk_null/hugefile", "null"),
    ]


def _count(v: float | None) -> str:
    """Counts are whole: "2", not "2.00"."""
    return str(v) if isinstance(v, int) and 0 <= v < 1000 else view.number(v)


def print_lines(out: TextIO, lines: list[Line]) -> None:
    """The table, 100 columns wide."""
    p = Printer(out)
    p.wrap("", 0, TITLE)
    p.line()
    p.line(f"{'':12}  {'copies of a byte':34}  mode switches = 2 x (calls + user faults)")
    p.line(f"{'way':12}  {'textbook':8}  {'by CPU + DMA':13}  {'CPU here':>8}   {'textbook':>8}  "
           f"{'here':>6}  {'calls':>6}  {'faults':>6}  {'in-call faults':>13}")
    for line in lines:
        t = LECTURES[line.way]
        p.line(t.label if line.skipped else
               f"{t.label:12}  {t.copies:8}  {t.cpu:6} + {t.dma:4}  {view.short(line.copies, 2):>8}   "
               f"{t.switches:>8}  {_count(line.switches):>6}  {_count(line.syscalls):>6}  "
               f"{_count(line.user_faults):>6}  {_count(line.kernel_faults):>14}")
        why = f"skipped: {line.skipped}" if line.skipped else line.reason
        p.wrap(" " * 14, 14, "; ".join(filter(None, (line.calls, why))))
    p.line()
    ran = [line for line in lines if not line.skipped]
    for why in dict.fromkeys(line.copies_why for line in ran if line.copies is None):
        p.wrap("copies not measured: ", 4, why or "unknown")
    for why in dict.fromkeys(line.switches_why for line in ran if line.switches is None):
        p.wrap("switches not measured: ", 4, why or "unknown")
    p.wrap("", 0, REMARK)


def to_json(lines: list[Line], version: str) -> dict[str, Any]:
    """pagewire.bench-classic/1"""
    rows = [{
        "way": t.label, "calls": line.calls,
        "textbook": {"copies": t.copies, "cpu_copies": t.cpu, "dma_copies": t.dma,
                     "mode_switches": t.switches},
        "bytes": line.bytes, "cpu_copies_per_byte": line.copies, "system_calls": line.syscalls,
        "user_faults": line.user_faults, "kernel_faults": line.kernel_faults, "mode_switches": line.switches,
        "copies_not_measured": line.copies_why, "switches_not_measured": line.switches_why,
        "differs_because": line.reason, "skipped": line.skipped,
    } for line in lines for t in (LECTURES[line.way],)]
    return {"schema": "pagewire.bench-classic/1", "version": version, "title": TITLE, "rows": rows}


def main(o: Options, out: TextIO) -> int:
    """Measures and prints the table. 3 when one of the textbook's own ways did not run."""
    store = Store()
    try:
        with contextlib.suppress(NotDropped):  # then nothing is staged by the disk's DMA, and the row says so
            make_store(store, o.pagewire, [BYTES], EAL_BYTES, cold_dir=DISK)
        if store.huge_why:
            warn(f"no file on hugetlbfs: {store.huge_why}")
        lines = measure(o, store)
    finally:
        store.remove()
    code = 3 if any(line.skipped and line.way != "bypass" for line in lines) else 0
    if o.json:
        json.dump({**to_json(lines, o.version), "exit_code": code}, out, indent=2)
        out.write("\n")
    else:
        print_lines(out, lines)
    return code
