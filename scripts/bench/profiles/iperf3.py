# SPDX-License-Identifier: BSD-3-Clause
"""Compares pagewire over the virtual wire with iperf3 over loopback.

    pagewire   a file from mapped pages, vhost to virtio-user, into a file beside it, digest verified
    iperf3 -u  UDP datagrams of 1452 bytes without a rate limit; counted is what the server received
    iperf3 -Z  TCP with sendfile()

`pagewire bench FILE --profile iperf3` sends that file; without one, a file of 1 GiB on hugetlbfs."""
import os

from bench.contest import Lab, profile
from bench.model import BenchError
from bench.profiles import _iperf3
from bench.programs import wait_all

FILE_BYTES = 1 << 30
EAL_BYTES = 256 << 20  # of both programs
LIMIT = 120.0


def pagewire(lab: Lab, file: str, out: str) -> float:
    socket = lab.temporary(f"{out}/wire.sock")
    lab.temporary(f"{out}/received/{os.path.basename(file)}")  # its huge pages are needed for the next round
    huge = ["--no-huge"] if lab.no_huge else []
    to = lab.start([lab.pagewire, "recv", "--port", f"virtio-user:{socket}", "--out", f"{out}/received", "--expect",
                    1, "--timeout", "60s", "--force", "--json", "--core", lab.sink_cpu, *huge], limit=LIMIT)
    of = lab.start([lab.pagewire, "send", file, "--port", f"vhost:{socket}", "--to", "239.77.0.1:4001", "--json",
                    "--core", lab.source_cpu, *huge], limit=LIMIT)
    received, _ = wait_all(to, of)
    if '"state": "complete"' not in received.stdout:
        raise BenchError("the received file is not complete")
    return received.number("goodput_bps") / 1e9
