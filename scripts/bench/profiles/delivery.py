# SPDX-License-Identifier: BSD-3-Clause
"""One file to one and to eight receivers that lose packets, until all have it and the sender knows: pagewire with
--repair, UFTP and udpcast, each with the options that were the fastest of those that we tried.

    sender -- br0 --+-- veth -- receiver 1, in a namespace of its own: nftables drops packets by chance,
                    +-- veth -- receiver 2    whatever they are
                    +-- ...

With FILE on the command line, that one is sent in place of 1 GiB of our own: a small one for a quick look.
"""
import filecmp
import os
from collections.abc import Callable

from bench.contest import Lab, profile
from bench.model import BenchError
from bench.programs import Program
from bench.wires import Wire, ip, make_namespace, run

FILE_BYTES = 1 << 30
LOSSES = (0.0, 0.1, 1.0, 5.0)  # percent, at each receiver
RECEIVERS = (1, 8)
LIMIT = 120.0
TIMES = 10.0  # asked for: as fast as each of the others
RATE = {1: "10Gbit/s", 8: "2Gbit/s"}    # pagewire: --rate
UFTP_RATE = {1: -1, 8: 1_000_000}       # kbit/s; -1: as fast as it can
BUFFER = 100 << 20                      # UFTP's largest, for the socket



class Star:
    """The sender's namespace, and those of its receivers with a directory each."""

    def __init__(self, lab: Lab, n: int, loss: float, parent: str) -> None:
        self.lab = lab
        self.source = self._namespace()
        fd = self.source.source_ns
        ip(fd, "link add br0 type bridge mcast_snooping 0 forward_delay 0")
        self._bring_up(fd, "br0", 1)
        self.sinks = [self._sink(i, loss) for i in range(1, n + 1)]
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

    def _sink(self, i: int, loss: float) -> Wire:
        sink = self._namespace()
        ip(self.source.source_ns, f"link add pw{i} type veth peer name eth0 netns /proc/{os.getpid()}/fd/"
                                  f"{sink.source_ns}")
        ip(self.source.source_ns, f"link set pw{i} master br0 up")
        # the wire has packets, as a cable has, and no trains of them: each is lost by itself
        ip(self.source.source_ns, f"link set pw{i} gso_max_segs 1")
        self._bring_up(sink.source_ns, "eth0", 1 + i)
        if loss:
            run(["nft", "table inet loss { chain in { type filter hook input priority 0; iifname eth0 numgen random "
                        f"mod 1000 < {round(loss * 10)} drop; }}; }}"], sink.source_ns)
        return sink

    def receive(self, sink: Wire, argv: list[object], ready: str) -> Program:
        """Starts a receiver, and waits until it says that it is ready."""
        program = self.lab.start(argv, wire=sink, limit=LIMIT)
        program.until(ready)
        return program

    def send(self, argv: list[object]) -> Program:
        return self.lab.start(argv, wire=self.source, limit=LIMIT)


def pagewire(star: Star, file: str) -> tuple[Program, list[Program]]:
    lab, n = star.lab, len(star.sinks)
    to = [star.receive(sink, [lab.pagewire, "recv", "--listen", "239.77.0.1", "--interface", "eth0", "--out", d,
                              "--repair"], "listening") for sink, d in zip(star.sinks, star.dirs, strict=True)]
    return star.send([lab.pagewire, "send", file, "--port", "udp:br0", "--to", "239.77.0.1", "--rate",
                      RATE[n], "--repair=198.18.0.1:4002"]), to


def uftp(star: Star, file: str) -> tuple[Program, list[Program]]:
    ids = [f"0x{i:08x}" for i in range(1, len(star.sinks) + 1)]
    for sink, d, name in zip(star.sinks, star.dirs, ids, strict=True):
        star.receive(sink, ["uftpd", "-d", "-t", "-D", d, "-I", "eth0", "-B", BUFFER, "-U", name], "RSA key")
    # -r: its estimate of the round trip starts at 0.5 s, as it is between continents
    return star.send(["uftp", "-I", "br0", "-B", BUFFER, "-R", UFTP_RATE[len(ids)], "-b", 1400, "-r", "0.02:0.005:0.2",
                      "-H", ",".join(ids), file]), []  # its receivers are daemons


def udpcast(star: Star, file: str) -> tuple[Program, list[Program]]:
    to = [star.receive(sink, ["udp-receiver", "--nokbd", "--interface", "eth0", "--file",
                              os.path.join(d, os.path.basename(file))], "UDP receiver for")
          for sink, d in zip(star.sinks, star.dirs, strict=True)]
    return star.send(["udp-sender", "--nokbd", "--interface", "br0", "--min-receivers", len(to), "--full-duplex",
                      "--default-slice-size", 512, "--file", file]), to


def measure(lab: Lab, start: Callable[[Star, str], tuple[Program, list[Program]]], n: int, loss: float,
            file: str) -> float:
    """Seconds from the start of the sender's program until it has ended: it has heard then that all are whole. The
    files are compared after that."""
    star = Star(lab, n, loss, os.path.dirname(file))
    sender, receivers = start(star, file)
    seconds = sender.wait().seconds
    for program in receivers:
        program.wait()
    for i, d in enumerate(star.dirs, 1):
        path = os.path.join(d, os.path.basename(file))
        if not os.path.exists(path) or not filecmp.cmp(file, path, shallow=False):
            raise BenchError(f"the file of receiver {i} of {n} is missing, or differs")
    return seconds


@profile("delivery", "one file to 1 and 8 receivers that lose packets, until all have it: UFTP, udpcast", rounds=3)
def delivery(lab: Lab) -> None:
    store = None if lab.file else lab.store(FILE_BYTES)
    file = lab.file or (store.files[0].tmpfs if store else "")
    size = os.path.getsize(file) if lab.file else FILE_BYTES
    for n in RECEIVERS:
        for loss in LOSSES:
            contest = lab.contest(
                f"{size >> 20} MiB, {n} receiver{'s' if n > 1 else ''}, {loss:g} % loss", "s",
                note="From the start of the sender's program until it has ended and knows that all have the file. "
                     "pagewire has compared a digest by then; the others compute none: their files are compared "
                     "afterwards. Files are in memory.")
            ours = contest.contender("pagewire", measure, lab, pagewire, n, loss, file)
            for name, start in (("UFTP", uftp), ("udpcast", udpcast)):
                contest.target(ours, contest.contender(name, measure, lab, start, n, loss, file), at_most=1 / TIMES)
