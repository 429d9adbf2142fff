# SPDX-License-Identifier: BSD-3-Clause
"""Measures how much faster a sender is with a second queue and a core for it, and how much slower on the virtual
wire, where two CPUs leave no core for that queue."""
from bench.contest import Lab, profile
from bench.model import Lacking
from bench.profiles import _wirepair as wirepair

FILE_BYTES = 64 << 20
LOOPS = 64
WIRE_LOOPS = 16


def null(lab: Lab, file: str, queues: int) -> float:
    return lab.run([lab.pagewire, "send", file, "--port", "null", "--to", "239.77.0.1", "--queues", queues, "--core",
                    f"{lab.source_cpu},{lab.sink_cpu}", "--loop", LOOPS, "--digest", "none",
                    "--no-huge", "--lead", "0", "--json", "--quiet"]).number("packets_per_s") / 1e6


@profile("queues", "what a second queue adds to a sender, and what it costs", rounds=10)
def queues(lab: Lab) -> None:
    if lab.source_cpu == lab.sink_cpu:
        raise Lacking("cannot open profile queues: two queues need two CPUs")
    store = lab.store(FILE_BYTES, eal_bytes=wirepair.EAL_BYTES)
    contest = lab.contest("packets of 1440 bytes into the null port", "Mpps")
    one = contest.contender("1 queue", null, lab, store.files[0].tmpfs, 1, how="packets_per_s")
    two = contest.contender("2 queues", null, lab, store.files[0].tmpfs, 2, how="packets_per_s")
    contest.target(two, one, at_least=1.8)

    # testpmd must have a core of its own: a poller that shares one with a sender measures the scheduler
    contest = lab.contest(
        "vhost to virtio-user, symbols of 1440 bytes, 64 MiB 16 times", "Gbit/s",
        note="With two CPUs, both sending threads take turns on one of them, and testpmd polls both queues on the "
             "other: the ratio is what a second queue costs that has no core, not what it brings. vhost's copy runs "
             "on the sender's core.")
    one = contest.contender("1 queue", wirepair.measure, lab, store, 1440, 1, WIRE_LOOPS, how="goodput_bps")
    two = contest.contender("2 queues", wirepair.measure, lab, store, 1440, 2, WIRE_LOOPS, how="goodput_bps")
    contest.compare(two, one)
