# SPDX-License-Identifier: BSD-3-Clause
"""Compares pagewire over the virtual wire with iperf3 over loopback.

    pagewire   a file from mapped pages, vhost to virtio-user, into a file beside it, digest verified
    iperf3 -u  UDP datagrams of 1452 bytes without a rate limit; counted is what the server received
    iperf3 -Z  TCP with sendfile()

`pagewire bench FILE --profile iperf3` sends that file; without FILE, one of 1 GiB on hugetlbfs."""
import os
import tempfile

from bench.contest import Lab, profile
from bench.profiles import _iperf3
from bench.programs import wait_all

FILE_BYTES = 1 << 30
EAL_BYTES = 256 << 20  # of both programs
SECONDS = 3
LIMIT = 120.0


def pagewire(lab: Lab, file: str) -> float:
    socket = f"{lab.directory(tempfile.gettempdir())}/wire.sock"
    out = lab.directory(os.path.dirname(os.path.abspath(file)))  # in the same memory
    huge = ["--no-huge"] if lab.no_huge else []
    to = lab.start([lab.pagewire, "recv", "--port", f"virtio-user:{socket}", "--out", out, "--expect", 1, "--timeout",
                    "60s", "--json", "--core", lab.sink_cpu, *huge], limit=LIMIT)
    of = lab.start([lab.pagewire, "send", file, "--port", f"vhost:{socket}", "--to", "239.77.0.1:4001", "--lead", "1s",
                    "--json", "--core", lab.source_cpu, *huge], limit=LIMIT)
    received, _ = wait_all(to, of)
    return received.number("goodput_bps") / 1e9


@profile("iperf3", "a file over the virtual wire, verified, against iperf3 over loopback", rounds=3)
def iperf3(lab: Lab) -> None:
    def file() -> str:
        return lab.file or lab.huge(store)

    if not lab.file:
        store = lab.store(FILE_BYTES, eal_bytes=EAL_BYTES + FILE_BYTES)  # the received file as well
    contest = lab.contest(
        "a file over the virtual wire, iperf3 over loopback", "Gbit/s",
        note="pagewire sends a file, writes it and verifies it. iperf3 sends a constant buffer and discards it.")
    ours = contest.contender("pagewire, file to file", lambda: pagewire(lab, file()), how="the receiver's goodput_bps")
    udp = contest.contender("iperf3 -u -l 1452 -b 0", _iperf3.udp, lab, 1452, SECONDS, how="less what was lost")
    tcp = contest.contender("iperf3 -Z (TCP sendfile)", _iperf3.tcp, lab, SECONDS, "-Z")
    contest.compare(ours, udp)
    contest.compare(ours, tcp)
