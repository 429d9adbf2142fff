# SPDX-License-Identifier: BSD-3-Clause
"""iperf3 over loopback, client and server on a CPU each. Gbit/s that the server received."""
from bench.contest import Lab
from bench.programs import Finished

HERE = ["127.0.0.1", "-p", 5277]


def _run(lab: Lab, options: list[object]) -> Finished:
    server = lab.start(["iperf3", "-s", "-1", "-B", *HERE, "--forceflush"], cpu=lab.sink_cpu)
    server.until("Server listening")
    return lab.run(["iperf3", "-c", *HERE, *options, "-J"], cpu=lab.source_cpu)


def udp(lab: Lab, length: int, seconds: int) -> float:
    """Datagrams of this length without a rate limit, less what was lost."""
    done = _run(lab, ["-u", "-b", 0, "-l", length, "-t", seconds])
    return done.number("end.sum.bits_per_second") / 1e9 * (1 - done.number("end.sum.lost_percent") / 100)


def tcp(lab: Lab, seconds: int, *options: str) -> float:
    """One stream."""
    return _run(lab, ["-t", seconds, *options]).number("end.sum_received.bits_per_second") / 1e9
