# SPDX-License-Identifier: BSD-3-Clause
"""One file to one and to eight receivers that lose packets: see _deliver.py."""
from bench.contest import Lab, profile
from bench.profiles._deliver import compare, file_of

FILE_BYTES = 1 << 30
LOSSES = (0.0, 0.1, 1.0, 5.0)  # percent, at each receiver
RECEIVERS = (1, 8)


@profile("delivery", "one file to 1 and 8 receivers that lose packets, until all have it: UFTP, udpcast", rounds=3)
def delivery(lab: Lab) -> None:
    size, file = file_of(lab, FILE_BYTES)
    for n in RECEIVERS:
        for loss in LOSSES:
            compare(lab, size, file, n, loss)
