# SPDX-License-Identifier: BSD-3-Clause
"""Measures a cell once: one way on one wire with one file. A source and a sink are started, two new processes
of `pagewire cell`; each prints one JSON object.

    bench --> sink     pagewire cell sink    ready: one byte in a pipe; it ends once its standard input has
          --> source   pagewire cell source
"""
from __future__ import annotations

import contextlib
import errno
import json
import os
import select
import signal
import subprocess
import time
from dataclasses import dataclass
from typing import Any, NamedTuple

from bench import wires
from bench.model import BenchError, Lacking
from bench.ways import Way
from bench.wires import Count, Wire

Json = dict[str, Any]
S = 1_000_000_000
POLL_S = 0.05
SINK_GRACE_S = 3.0       # for the comparison, once the source has ended
SINK_GRACE_S_GIB = 4.0   # the same, per GiB of the file
METER_GRACE_S = 20.0     # to load and to remove BPF programs: the kernel waits for all its CPUs each time
SETTLE_S = 0.1           # without a frame: the NIC's queues are empty
SETTLE_STEP_S = 0.002
QUEUE_S = 5.0            # for a queue before a receiver that is not scheduled
LAST_WORDS = 4096


@dataclass(frozen=True)
class Cell:
    """What one measurement is."""
    pagewire: str             # path of the program
    way: Way
    wire: Wire
    file: str
    file_bytes: int
    mtu: int
    passes: int = 1           # over the file
    meter: str = "timing"     # "calls", "copies": an evidence run
    sink_meter: str = "timing"  # the same for the receiver
    populate: bool = True     # page tables are filled before; False: the way pays for its faults
    batch: int = 64           # packets in one call where the API has one
    chunk_bytes: int = 65536  # of stream ways
    rate: str | None = None
    no_huge: bool = False     # EAL memory on ordinary pages
    sqpoll: bool = False
    qdisc_bypass: bool = False
    source_cpu: int | None = None  # None: any
    sink_cpu: int | None = None
    deadline_ns: int = 20 * S
    verbose: bool = False     # what the processes say is shown
    receiver: str | None = None  # of the kernel; None: "tcp" or "udp", as the way needs
    into: str | None = None   # a directory; None: memory
    direct: bool = False      # into a directory by O_DIRECT

    @property
    def meter_s(self) -> float:
        """What counting takes before and after the stretch."""
        return METER_GRACE_S if "copies" in (self.meter, self.sink_meter) else 0.0


class End(NamedTuple):
    """What the processes of a cell have printed. sink: None where the wire has no receiver of ours."""
    source: Json
    sink: Json | None
    counted: int | None  # packets by the device's counters, where those prove the delivery


def _argv(role: str, cell: Cell, options: dict[str, object]) -> list[str]:
    """A command line after `pagewire cell`. True is a flag alone; an option without a value is left out."""
    argv = [role, "--file", cell.file, "--mtu", str(cell.mtu),
            "--deadline", f"{cell.deadline_ns // 1_000_000 + int(cell.meter_s * 1000)}ms"]
    for name, value in options.items():
        if value is True:
            argv.append(name)
        elif value not in (None, "") and value is not False:
            argv += [name, str(value)]
    return argv


def source_argv(c: Cell) -> list[str]:
    """The sender's command line."""
    w, way = c.wire, c.way
    if way.bypass:
        how: dict[str, object] = {
            "--port": way.port.format(socket=w.socket, source_if=w.source_if, pci=w.pci),
            "--pages": way.provider}
    else:
        how = {"--way": way.name, "--batch": c.batch, "--chunk": f"{c.chunk_bytes}B",
               "--interface": w.source_if}
    return _argv("source", c, {
        "--meter": c.meter, "--passes": c.passes, "--to": w.to, "--from": w.source, **how,
        "--to-mac": w.sink_mac, "--from-mac": w.source_mac, "--cpu": c.source_cpu,
        "--rate": None if way.stream else c.rate,
        "--no-populate": not c.populate, "--no-huge": c.no_huge, "--sqpoll": c.sqpoll,
        "--qdisc-bypass": c.qdisc_bypass, "--remote": w.kind == "nic"})


def _sink_port(c: Cell) -> str:
    """DPDK receives on vhost, and on a tap into which the kernel sends; on other wires a socket does."""
    if c.receiver:
        return ""
    if c.wire.kind == "tap":
        return f"tap:{c.wire.sink_if}"
    return c.way.sink_port.format(socket=c.wire.socket, sink_if=c.wire.sink_if)


def sink_argv(c: Cell, ready_fd: int) -> list[str]:
    """The receiver's command line."""
    port = _sink_port(c)
    how = {"--port": port} if port else {
        "--receiver": c.receiver or ("tcp" if c.way.stream else "udp"), "--interface": c.wire.sink_if}
    return _argv("sink", c, {
        "--ready": ready_fd, "--listen": c.wire.to, "--meter": c.sink_meter, **how, "--cpu": c.sink_cpu,
        "--no-huge": c.no_huge, "--into": c.into, "--direct": c.direct, "--tls": c.way.tls})


def _no_result(role: str, error: str | None, code: int = 0, lacking: bool = False) -> Json:
    """In place of what a process prints."""
    return {"role": role, "error": error, "errno": code, "lacking": lacking, "start_ns": 0, "end_ns": 0}


class _Process:
    """One of the two processes. Its output goes to files in memory, so that it never waits for the bench."""

    def __init__(self, role: str, cell: Cell, argv: list[str], namespace: int, keep: int = -1) -> None:
        self.role = role
        self.result: Json | None = None
        self.out = os.memfd_create("pagewire-cell-out")
        self.words = os.memfd_create("pagewire-cell-err")
        self.pid_fd = -1
        whole = wires.enter(namespace, [cell.pagewire, "cell", *argv, "--parent", str(os.getpid()),
                                        "--born", str(time.monotonic_ns())])
        try:
            # a group of its own: signals of the terminal are the bench's to answer
            self.process = subprocess.Popen(
                whole, stdin=subprocess.PIPE, stdout=self.out, stderr=None if cell.verbose else self.words,
                pass_fds=[keep] if keep >= 0 else [], process_group=0)
        except OSError as e:
            self._close_files()
            raise BenchError(f"cannot start a cell: {e.filename}: {e.strerror}", 77) from None
        self.pid_fd = os.pidfd_open(self.process.pid)

    @property
    def runs(self) -> bool:
        """It has not ended, or its end was not taken."""
        return self.result is None

    @property
    def failed(self) -> bool:
        """It has ended by an error."""
        return bool(self.result and self.result["error"])

    def end_input(self) -> None:
        """Closes its standard input: the source has ended."""
        if self.process.stdin:
            self.process.stdin.close()

    def take_end(self) -> None:
        """Its result, once it has ended."""
        status = self.process.wait()
        text = os.pread(self.out, os.fstat(self.out).st_size, 0)
        try:
            self.result = json.loads(text)
        except ValueError:
            how = (f"died: {signal.strsignal(-status)}" if status < 0 else
                   f"ended without a result, status {status}")
            self.result = _no_result(self.role, f"{self.role} {how}", errno.ECHILD)
        if self.result and self.result["error"] and not self.result["lacking"]:
            words = self._last_words()
            self.result["error"] += f" | {words}" if words else ""

    def kill(self, why: str) -> None:
        """Ends it, if it runs; then why is its error."""
        if self.runs:
            self.process.kill()
            self.process.wait()
            self.result = _no_result(self.role, why, errno.ETIMEDOUT)

    def _last_words(self) -> str:
        size = os.fstat(self.words).st_size
        text = os.pread(self.words, LAST_WORDS, max(0, size - LAST_WORDS)).decode(errors="replace")
        return text.rstrip().rpartition("\n")[2]

    def _close_files(self) -> None:
        for fd in (self.out, self.words, self.pid_fd):
            if fd >= 0:
                os.close(fd)

    def close(self) -> None:
        """Ends it in every case."""
        self.kill("ended by the bench")
        self.end_input()
        self._close_files()


def _wait(fds: list[int]) -> list[int]:
    """The descriptors of these that have something, within a moment."""
    return select.select(fds, [], [], POLL_S)[0]


class _Run:
    """A cell while it runs."""

    def __init__(self, cell: Cell) -> None:
        self.cell = cell
        self.ready = -1  # the pipe's end that we read
        self.sink: _Process | None = None
        self.source: _Process | None = None

    def start_sink(self) -> None:
        """On vhost each end waits for the other, and the ring keeps what comes early; others are awaited."""
        self.ready, theirs = os.pipe()
        try:
            self.sink = _Process("the sink", self.cell, sink_argv(self.cell, theirs), self.cell.wire.sink_ns,
                                 theirs)
        finally:
            os.close(theirs)
        if self.cell.wire.kind == "vhost":
            return
        self._await_ready(self.sink)
        if not self.sink.failed:
            wires.sink_ready(self.cell.wire)

    def _await_ready(self, sink: _Process) -> None:
        until = time.monotonic() + self.cell.deadline_ns / S + self.cell.meter_s
        while time.monotonic() < until:
            seen = _wait([self.ready, sink.pid_fd])
            if self.ready in seen and os.read(self.ready, 1):  # its end closes the pipe as well
                return
            if sink.pid_fd in seen:
                sink.take_end()
                return
        sink.kill("the sink was not ready in time")

    def start_source(self) -> None:
        self.source = _Process("the source", self.cell, source_argv(self.cell), self.cell.wire.source_ns)
        self.source.end_input()

    def await_ends(self, source: _Process) -> None:
        """Until both have ended, or a deadline has."""
        sink = self.sink
        until = time.monotonic() + self.cell.deadline_ns / S + self.cell.meter_s
        while source.runs or (sink and sink.runs):
            if time.monotonic() > until:
                source.kill("the source did not end in time")
                if sink:
                    sink.kill("the sink did not end in time")
                return
            ended = _wait([p.pid_fd for p in (source, sink) if p and p.runs])
            if sink and sink.runs and sink.pid_fd in ended:
                sink.take_end()
            if source.runs and source.pid_fd in ended:
                source.take_end()
                until = (time.monotonic() + SINK_GRACE_S + self.cell.meter_s
                         + SINK_GRACE_S_GIB * self.cell.file_bytes / (1 << 30))
                if sink:
                    sink.end_input()
                    if source.failed:
                        sink.kill("ended, because the source had failed")
            if sink and sink.failed:  # without a receiver that lives the source's word is worth nothing
                source.kill("ended, because the sink had failed")

    def close(self) -> None:
        for process in (self.source, self.sink):
            if process:
                process.close()
        if self.ready >= 0:
            os.close(self.ready)
        self.cell.wire.forget_socket()


def _device(cell: Cell) -> contextlib.AbstractContextManager[None]:
    """What the kernel has to give away for this cell."""
    if not cell.way.takes_device or cell.wire.bifurcated:
        return contextlib.nullcontext()
    from bench import device
    return device.taken(cell.wire)


def _count_after(cell: Cell, before: Count, sent: int) -> int:
    """What the kernel took may still wait in its queue; what goes past the queue is counted when the NIC says
    that it has gone."""
    start = since = time.monotonic()
    last = 0
    while True:
        after = wires.read_count(cell.wire)
        packets = wires.between(before, after)
        now = time.monotonic()
        since = now if packets != last else since
        last = packets
        settled = not after.waiting and now - since > SETTLE_S
        if cell.wire.kind != "nic" or packets >= sent or settled or now - start > QUEUE_S:
            return packets
        time.sleep(SETTLE_STEP_S)


def run_cell(cell: Cell) -> End:
    """Runs a cell. Whatever becomes of its processes is in what they printed, or in an "error" instead. They
    never outlive this call."""
    # a device that no interface of the kernel shows has no counters here
    counts = cell.wire.kind == "sink" or (cell.wire.kind == "nic" and not cell.way.takes_device)
    try:
        before = wires.read_count(cell.wire) if counts else Count()
        with _device(cell), contextlib.closing(_Run(cell)) as run:
            if cell.wire.has_sink:
                run.start_sink()
            if not (run.sink and run.sink.failed):
                run.start_source()
            if run.source:
                run.await_ends(run.source)
            sink = run.sink.result if run.sink else None
            source = run.source.result if run.source else None
            source = source or _no_result("the source", None)
            sent = int((source.get("counters") or {}).get("packets") or 0)
            counted = _count_after(cell, before, sent) if counts else None
    except Lacking as e:  # a command of iproute2 that this host refuses
        return End(_no_result("the source", str(e), lacking=True), None, None)
    return End(source, sink, counted)
