# SPDX-License-Identifier: BSD-3-Clause
"""For profiles that deliver one file until all receivers have it and the sender knows: pagewire with --repair, UFTP
and udpcast, each with the options that were the fastest of those that we tried.

With FILE on the command line, that one is sent in place of one of our own: a small one for a quick look.
"""
import filecmp
import os
from collections.abc import Callable

from bench.contest import Lab
from bench.model import BenchError
from bench.profiles._star import Star
from bench.programs import Program

TIMES = 10.0  # asked for: as fast as each of the others
RATE = {1: "10Gbit/s", 8: "4Gbit/s"}    # pagewire: --rate
UFTP_RATE = {1: -1, 8: 1_000_000}       # kbit/s; -1: as fast as it can
BUFFER = 100 << 20                      # UFTP's largest, for the socket


def pagewire(star: Star, file: str) -> tuple[Program, list[Program]]:
    lab, n = star.lab, len(star.sinks)
    to = [star.receive(sink, [lab.pagewire, "recv", "--listen", "239.77.0.1", "--interface", "eth0", "--out", d,
                              "--repair"], "listening") for sink, d in zip(star.sinks, star.dirs, strict=True)]
    return star.send([lab.pagewire, "send", file, "--port", "udp:br0", "--to", "239.77.0.1", "--rate",
                      RATE[n], "--repair=198.18.0.1:4002", "--repair-receivers", n]), to


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
            file: str, delay_ms: float = 0) -> float:
    """Seconds from the start of the sender's program until it has ended: it has heard then that all are whole. The
    files are compared after that."""
    star = Star(lab, n, f"numgen random mod 1000 < {round(loss * 10)}" if loss else "", os.path.dirname(file),
                delay_ms)
    sender, receivers = start(star, file)
    seconds = sender.wait().seconds
    for program in receivers:
        program.wait()
    for i, d in enumerate(star.dirs, 1):
        path = os.path.join(d, os.path.basename(file))
        if not os.path.exists(path) or not filecmp.cmp(file, path, shallow=False):
            raise BenchError(f"the file of receiver {i} of {n} is missing, or differs")
    return seconds


def compare(lab: Lab, size: int, file: str, n: int, loss: float, delay_ms: float = 0) -> None:
    delay = f", {delay_ms:g} ms each way" if delay_ms else ""
    contest = lab.contest(
        f"{size >> 20} MiB, {n} receiver{'s' if n > 1 else ''}, {loss:g} % loss{delay}", "s",
        note="From the start of the sender's program until it has ended and knows that all have the file. "
             "pagewire has compared a digest by then; the others compute none: their files are compared "
             "afterwards. Files are in memory.")
    ours = contest.contender("pagewire", measure, lab, pagewire, n, loss, file, delay_ms)
    for name, start in (("UFTP", uftp), ("udpcast", udpcast)):
        contest.target(ours, contest.contender(name, measure, lab, start, n, loss, file, delay_ms), at_most=1 / TIMES)


def file_of(lab: Lab, size: int) -> tuple[int, str]:
    """The user's file or one of our own: its size and path."""
    if lab.file:
        return os.path.getsize(lab.file), lab.file
    return size, lab.store(size).files[0].tmpfs
