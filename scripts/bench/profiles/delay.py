# SPDX-License-Identifier: BSD-3-Clause
"""One file over a wire with a delay, as between two cities: see _deliver.py. The delay is made by netem, which few
kernels of virtual machines have; a guest of scripts/vm has it."""
from bench.contest import Lab, profile
from bench.profiles._deliver import compare, file_of

FILE_BYTES = 64 << 20
LOSSES = (0.0, 1.0)  # percent
DELAY_MS = 20.0      # each way


@profile("delay", "one file over a wire with 20 ms each way, until the receiver has it: UFTP, udpcast", rounds=3)
def delay(lab: Lab) -> None:
    size, file = file_of(lab, FILE_BYTES)
    for loss in LOSSES:
        compare(lab, size, file, 1, loss, DELAY_MS)
