# SPDX-License-Identifier: BSD-3-Clause
"""The data of a bench. `run.py` fills it; table, JSON, CSV, report and comparison read it.

    Options   what `pagewire bench` was asked for
    Result    env, command, rounds
      Row       a way on a wire with a file size and an MTU   -> summaries, or why it was skipped
        Sample    one round: a number per metric               -> or why it is void
"""
from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

UNMEASURED = None  # of a number


class BenchError(Exception):
    """What ends the bench. code: 1 runtime, 2 usage, 77 environment."""

    def __init__(self, text: str, code: int = 1) -> None:
        super().__init__(text)
        self.code = code


class Lacking(Exception):
    """This host lacks something: the row is skipped with this reason."""


class Interrupted(Exception):
    """SIGINT, SIGTERM or SIGHUP came: what was measured so far is printed."""


@dataclass(frozen=True)
class Options:
    """The options of `pagewire bench`, by their names in JSON. Lists are parsed, durations are in ns, rates in
    bit/s or packets/s; None: not given."""
    command: str = ""           # the command line, quoted for a shell, for the record
    pagewire: str = "pagewire"  # path of the program, which runs the cells
    version: str = ""           # of pagewire
    file: str | None = None     # the user's; None: files of `sizes` are made
    quick: bool = False
    full: bool = False
    classic: bool = False
    receive: bool = False               # compare the ways to receive
    list: bool = False
    profile: str | None = None          # a name, or the path of a profile of the user's own
    compare: tuple[str, ...] = ()       # result files
    resume: str | None = None           # a result file: cells that are in it are not measured again
    wires: tuple[str, ...] = ()
    ways: tuple[str, ...] = ()
    sizes: tuple[int, ...] = ()         # bytes
    mtu: tuple[int, ...] = ()
    rounds: int | None = None
    stretch_ns: int | None = None
    baseline: str = "udp_read_send"
    cold: bool = False
    into: tuple[str, ...] = ()          # receive: of "memory", "cache", "direct"
    dir: str = "/var/tmp"
    to: str | None = None               # nic: ADDR[:PORT] of the remote receiver
    rebind: bool = False
    core: tuple[int, ...] = ()          # the sender's CPU and the receiver's; (): the first two allowed
    rate: str | None = None             # as typed; `pagewire cell` parses it
    batch: int = 64
    chunk_bytes: int = 65536
    sqpoll: bool = False
    qdisc_bypass: bool = False
    no_evidence: bool = False
    evidence_only: bool = False         # no round is timed, and there is no warm-up
    no_huge: bool = False
    seed: int = 1
    include_setup: bool = False
    report: str | None = None           # directory to write
    csv: bool = False
    json: bool = False
    all_samples: bool = False           # --csv: warm-up and evidence runs as well
    progress: bool = True
    verbose: bool = False


@dataclass(frozen=True)
class Summary:
    """Of the valid samples after the warm-up: median, 95 % percentile bootstrap interval of the median, extremes."""
    median: float | None = None
    low: float | None = None
    high: float | None = None
    min: float | None = None
    max: float | None = None
    n: int = 0


@dataclass(frozen=True)
class Expected:
    """What a way is expected to cost on a wire, and why: docs/bench-method.md has the derivations."""
    cpu_copies_per_byte: float | None = None  # per payload byte, sender's side
    dma_copies_per_byte: float | None = None  # the device's; never measured
    reason: str = "not derived"


@dataclass
class Sample:
    round: int                           # 0: the warm-up, left out of the summaries
    evidence: bool = False               # ran under a meter that slows the kernel: only evidence metrics count
    proof: str = "none"                  # "compared", "counted", "none"; older results: "digest"
    packets_sent: int = 0                # that kernel or driver accepted; stream ways: 0
    packets_counted: int | None = None   # proof "counted": by the device or its queue
    void: str | None = None              # why it enters no summary
    values: dict[str, float | None] = field(default_factory=dict)  # by a metric's key
    raw: dict[str, Any] | None = None    # what the cell's processes counted; older results: None


@dataclass
class Row:
    wire: str             # "veth": the kind; of nic:IF "nic"
    way: str              # "udp_gso", "dpdk_vhost"
    label: str            # "udp_gso", "dpdk_vhost/hugefile"
    pages: str            # "hugetlbfs", "tmpfs", "disk": where the file lies
    bypass: bool
    stream: bool          # calls over TCP, not packets of the MTU
    file_bytes: int
    mtu: int
    cold: bool
    expected: Expected = field(default_factory=Expected)
    skipped: str | None = None           # what this host lacks
    samples: list[Sample] = field(default_factory=list)
    not_measured: dict[str, str] = field(default_factory=dict)  # why a metric has no number
    summary: dict[str, Summary] = field(default_factory=dict)   # by a metric's key
    goodput_ratio: Summary = field(default_factory=Summary)     # over the baseline's, round by round
    direction: str = "send"              # what is compared: ways to "send" or to "receive"

    @property
    def key(self) -> tuple[str, str, str, int, int, bool]:
        """What a row is: equal in two results when they measured the same cell."""
        return (self.direction, self.wire, self.label, self.file_bytes, self.mtu, self.cold)

    @property
    def group(self) -> tuple[str, str, int, int, bool]:
        """Rows of one group may be ranked: the same wire and file, other ways."""
        return (self.direction, self.wire, self.file_bytes, self.mtu, self.cold)


@dataclass
class Result:
    command: str | None = None
    profile: str | None = None
    baseline: str | None = None   # label of the way that ratios are against, per wire where it ran
    rounds: int = 0               # the warm-up not counted
    seed: int = 1
    seconds: float = 0.0          # the whole bench took
    version: str = ""
    env: dict[str, str | None] = field(default_factory=dict)
    options: dict[str, str] = field(default_factory=dict)  # that decide how a cell is measured
    wires: dict[str, str] = field(default_factory=dict)  # a caveat per wire
    rows: list[Row] = field(default_factory=list)        # grouped by wire, then file size, MTU, cold
