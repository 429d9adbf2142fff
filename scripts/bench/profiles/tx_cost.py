# SPDX-License-Identifier: BSD-3-Clause
"""Compares the sender's cycles per packet with those of DPDK's own packet generator, which sends the same two
segments repeatedly. There is no wire: the null port frees what it gets.

    send, file on hugetlbfs   -> net_null   header mbuf + page of 1440 bytes
    testpmd txonly            -> net_null   mbufs of 62 and 1440 bytes

Cycles of the TSC, both as the programs themselves count them. testpmd's are those inside its forwarding function;
ours are those of the whole loop, the choice of the symbols included."""
import time

from bench.contest import Lab, profile

FILE_BYTES = 1 << 30
EAL_BYTES = 320 << 20  # of huge pages, for the larger of the two programs
RUN_SECONDS = 0.4      # about what a pass over the file takes


def send(lab: Lab, file: str) -> float:
    return lab.run([lab.pagewire, "send", file, "--port", "null", "--to", "239.77.0.1", "--symbol", 1440, "--core",
                    lab.source_cpu, "--digest", "none", "--lead", "0ms", "--loop", 20, "--json", "--quiet"],
                   limit=30).number("busy_cycles_per_packet")


def testpmd(lab: Lab) -> float:
    # its main core only waits for commands
    p = lab.start(["stdbuf", "-oL", "dpdk-testpmd", "--no-pci", "--in-memory", "-m", 256, "--no-telemetry",
                   "--lcores", f"0@{lab.sink_cpu},1@{lab.source_cpu}", "--vdev", "net_null0", "--", "-i",
                   "--forward-mode=txonly", "--txpkts=62,1440", "--record-core-cycles", "--total-num-mbufs=8192"],
                  limit=30)
    p.until("testpmd>")
    p.say("start\n")
    p.until("TX offloads=")
    time.sleep(RUN_SECONDS)
    p.say("stop\n")
    p.until("MHz Clock")
    p.say("quit\n")
    return p.wait().find(r"CPU cycles/packet=([\d.]+)")


@profile("tx-cost", "cycles a packet of the sender against testpmd's txonly", rounds=15)
def tx_cost(lab: Lab) -> None:
    store = lab.store(FILE_BYTES, eal_bytes=EAL_BYTES)
    contest = lab.contest(
        "null port, two segments: 62 and 1440 bytes", "cycles/packet",
        note="send reads no byte of the file, testpmd none of its packets. testpmd counts its forwarding function "
             "only, send its whole loop.")
    ours = contest.contender("pagewire send", lambda: send(lab, lab.huge(store)), how="busy_cycles_per_packet")
    theirs = contest.contender("testpmd txonly", testpmd, lab, how="start, stop")
    contest.target(ours, theirs, at_most=1.0)
