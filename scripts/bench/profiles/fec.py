# SPDX-License-Identifier: BSD-3-Clause
"""Measures what parity costs a core, and what it is worth on a link that loses packets.

The cost is in bits of source symbols: to compute parity, and to restore blocks that have lost as many source symbols as
they have parity symbols, others in each block. The blocks are in cold memory.

The worth is the goodput of a file at a fixed rate, from the first packet until the file is verified: in one pass with
parity, against repair, and against passes again and again.
"""
import os

from bench.contest import Lab, profile
from bench.profiles._star import Star

CODES = [(200, 2), (200, 10), (100, 5), (223, 32)]
SYMBOL_BYTES = [1440, 8928]
FILE_BYTES = 256 << 20
RATE = "1Gbit/s"        # about 83,000 packets a second
BURST = 415             # packets: 5 ms of the rate
LOSSES = {"1 % of the packets at random": "numgen random mod 100 < 1",
          # not at the start, where a burst takes the first table, and with it what comes before the second one
          "5 ms of packets in each 500 ms": f"numgen inc mod {100 * BURST} {50 * BURST}-{51 * BURST - 1}"}
WAYS = {"200+10, one pass": (["--fec", "200+10"], []),
        "--repair": (["--repair=198.18.0.1:4002"], ["--repair"]),
        "--loop 4": (["--loop", "4"], [])}


def measure(lab: Lab, k: int, r: int, symbol_bytes: int, lost: int) -> float:
    done = lab.run([lab.pagewire, "cell", "fec", "--source-symbols", k, "--parity-symbols", r, "--symbol-bytes",
                    symbol_bytes, "--lost", lost, "--cpu", lab.source_cpu])
    return done.number("bytes") * 8 / done.number("cpu_ns")


def deliver(lab: Lab, file: str, drop: str, send: list[str], recv: list[str]) -> float:
    """Gbit/s. The receiver ends with 0 only if the file is whole and verified."""
    star = Star(lab, 1, f"udp dport 4001 {drop}", os.path.dirname(file))
    receiver = star.receive(star.sinks[0], [lab.pagewire, "recv", "--listen", "239.77.0.1", "--interface", "eth0",
                                            "--out", star.dirs[0], "--json", *recv], "listening")
    star.send([lab.pagewire, "send", file, "--port", "af_packet:br0", "--no-huge", "--to", "239.77.0.1", "--rate",
               RATE, *send])
    return os.path.getsize(file) * 8 / receiver.wait().number("verified_seconds") / 1e9


@profile("fec", "what parity costs a core, and what it is worth on a link that loses packets", rounds=5)
def fec(lab: Lab) -> None:
    for symbol_bytes in SYMBOL_BYTES:
        contest = lab.contest(f"parity of symbols of {symbol_bytes} bytes", "Gbit/s")
        for k, r in CODES:
            encode = contest.contender(f"{k}+{r} encode", measure, lab, k, r, symbol_bytes, 0)
            decode = contest.contender(f"{k}+{r} decode", measure, lab, k, r, symbol_bytes, r)
            contest.compare(decode, encode)
    file = lab.file or lab.store(FILE_BYTES).files[0].tmpfs
    for loss, drop in LOSSES.items():
        contest = lab.contest(f"goodput at {RATE}, lost: {loss}", "Gbit/s",
                              note="From the first packet until the file is verified.")
        parity, *others = [contest.contender(name, deliver, lab, file, drop, send, recv)
                           for name, (send, recv) in WAYS.items()]
        for other in others:
            contest.compare(parity, other)
