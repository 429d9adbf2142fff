# SPDX-License-Identifier: BSD-3-Clause
"""A sender and receivers that lose packets.

    sender -- br0 --+-- veth -- receiver 1, in a namespace of its own: nftables drops packets by chance,
                    +-- veth -- receiver 2    whatever they are
                    +-- ...

A wire may have a delay: netem, at both of its ends.
"""
import os

from bench.contest import Lab
from bench.model import Lacking
from bench.programs import Program
from bench.wires import Wire, ip, make_namespace, run

LIMIT = 300.0


class Star:
    """The sender's namespace, and those of its receivers with a directory each."""

    def __init__(self, lab: Lab, n: int, drop: str, parent: str, delay_ms: float = 0) -> None:
        """drop: which packets nftables drops at each receiver, in its words; "": none. delay_ms: of the wire, each
        way."""
        self.lab = lab
        self.delay_ms = delay_ms
        self.source = self._namespace()
        fd = self.source.source_ns
        ip(fd, "link add br0 type bridge mcast_snooping 0 forward_delay 0")
        self._bring_up(fd, "br0", 1)
        self.sinks = [self._sink(i, drop) for i in range(1, n + 1)]
        self.dirs = [lab.directory(parent) for _ in self.sinks]

    def _namespace(self) -> Wire:
        fd = make_namespace()
        self.lab.at_end(os.close, fd)
        return Wire("star", "star", 1500, source_ns=fd)

    @staticmethod
    def _bring_up(fd: int, name: str, host: int) -> None:
        ip(fd, f"addr add 198.18.0.{host}/24 broadcast + dev {name}")
        ip(fd, f"link set {name} up")
        ip(fd, f"route add 224.0.0.0/4 dev {name}")

    def _sink(self, i: int, drop: str) -> Wire:
        sink = self._namespace()
        ip(self.source.source_ns, f"link add pw{i} type veth peer name eth0 netns /proc/{os.getpid()}/fd/"
                                  f"{sink.source_ns}")
        ip(self.source.source_ns, f"link set pw{i} master br0 up")
        # the wire has packets, as a cable has, and no trains of them: each is lost by itself
        ip(self.source.source_ns, f"link set pw{i} gso_max_segs 1")
        self._bring_up(sink.source_ns, "eth0", 1 + i)
        if self.delay_ms:
            self._delay(self.source.source_ns, f"pw{i}")
            self._delay(sink.source_ns, "eth0")
        if drop:
            run(["nft", "table inet loss { chain in { type filter hook input priority 0; "
                        f"iifname eth0 {drop} drop; }}; }}"], sink.source_ns)
        return sink

    def _delay(self, fd: int, name: str) -> None:
        """limit: packets on the wire; a queue that is too short would lose them."""
        try:
            run(["tc", "qdisc", "add", "dev", name, "root", "netem", "delay", f"{self.delay_ms:g}ms",
                 "limit", "1000000"], fd)
        except Lacking as e:
            raise Lacking(f"{e}; netem needs the kernel's module sch_netem: see docs/performance.md for a guest that "
                          "has it") from None

    def receive(self, sink: Wire, argv: list[object], ready: str) -> Program:
        """Starts a receiver, and waits until it says that it is ready."""
        program = self.lab.start(argv, wire=sink, limit=LIMIT)
        program.until(ready)
        return program

    def send(self, argv: list[object]) -> Program:
        return self.lab.start(argv, wire=self.source, limit=LIMIT)
