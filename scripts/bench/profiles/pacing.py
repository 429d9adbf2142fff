# SPDX-License-Identifier: BSD-3-Clause
"""Compares the rate that --rate asks for with the rate that is sent, and measures what pacing costs by a rate that
is too high to be reached. It uses the null port, so that no wire changes the bursts."""
from bench.contest import Lab, profile

WITHIN = 0.001      # asked for
FREE_RATIO = 0.97   # the same, of a rate that is out of reach
UNREACHED = "100000Gbit/s"

# rate, Mbit/s, file size, loops: frames of 1500 bytes and some, so that size times loops is a second's worth
STEPS = [
    ("1Mbit/s", 1e0, 120_000, 1),
    ("10Mbit/s", 1e1, 1_200_000, 1),
    ("100Mbit/s", 1e2, 12_000_000, 1),
    ("1Gbit/s", 1e3, 60_000_000, 2),
    ("10Gbit/s", 1e4, 60_000_000, 20),
    ("100Gbit/s", 1e5, 60_000_000, 200),
]


def send(lab: Lab, file: str, loops: int, rate: str | None, key: str) -> float:
    return lab.run([lab.pagewire, "send", file, "--port", "null", "--to", "239.77.0.1", "--pages", "pagecache",
                    "--no-huge", "--digest", "none", "--core", lab.source_cpu, "--json", "--quiet", "--loop", loops,
                    *(["--rate", rate] if rate else [])]).number(key) / 1e6


@profile("pacing", "the rate that was asked for, from 1 Mbit/s to 100 Gbit/s", rounds=5)
def pacing(lab: Lab) -> None:
    store = lab.store(*(size for _, _, size, _ in STEPS))
    for file, (rate, mbps, size, loops) in zip(store.files, STEPS, strict=True):
        contest = lab.contest(f"a rate of {rate} for a second", "Mbit/s")
        achieved = contest.contender("achieved", send, lab, file.tmpfs, loops, rate, "rate_achieved_bps",
                                     how=f"rate_achieved_bps; a file of {size} bytes")
        asked = contest.contender("asked", float, mbps)
        contest.target(achieved, asked, at_least=1 - WITHIN)
        contest.target(achieved, asked, at_most=1 + WITHIN)

    contest = lab.contest("a rate that is out of reach", "Mpps")
    file = store.files[3]
    paced = contest.contender(f"--rate {UNREACHED}", send, lab, file.tmpfs, 1000, UNREACHED, "packets_per_s")
    free = contest.contender("no rate", send, lab, file.tmpfs, 1000, None, "packets_per_s")
    contest.target(paced, free, at_least=FREE_RATIO)
