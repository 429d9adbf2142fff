# SPDX-License-Identifier: BSD-3-Clause
"""Measures what parity costs a core, in bits of source symbols: to compute it, and to restore blocks that have lost
as many source symbols as they have parity symbols, others in each block. The blocks are in cold memory."""
from bench.contest import Lab, profile

CODES = [(200, 2), (200, 10), (100, 5), (223, 32)]
SYMBOL_BYTES = [1440, 8928]


def measure(lab: Lab, k: int, r: int, symbol_bytes: int, lost: int) -> float:
    done = lab.run([lab.pagewire, "cell", "fec", "--source-symbols", k, "--parity-symbols", r, "--symbol-bytes",
                    symbol_bytes, "--lost", lost, "--cpu", lab.source_cpu])
    return done.number("bytes") * 8 / done.number("cpu_ns")


@profile("fec", "what parity costs a core: to compute it, and to restore lost symbols by it", rounds=5)
def fec(lab: Lab) -> None:
    for symbol_bytes in SYMBOL_BYTES:
        contest = lab.contest(f"parity of symbols of {symbol_bytes} bytes", "Gbit/s")
        for k, r in CODES:
            encode = contest.contender(f"{k}+{r} encode", measure, lab, k, r, symbol_bytes, 0)
            decode = contest.contender(f"{k}+{r} decode", measure, lab, k, r, symbol_bytes, r)
            contest.compare(decode, encode)
