# SPDX-License-Identifier: BSD-3-Clause
"""Compares a sender on the virtual wire with its limit. vhost copies each byte once, so the limit is the speed of
one core's memcpy of the same file, in pieces as large as the symbols.

    send, file on hugetlbfs -> net_vhost === net_virtio_user -> testpmd rxonly
    memcpy, the same file   -> one buffer of a symbol's length, which stays in the cache
"""
import mmap
import os
import time

import numpy as np
from bench.contest import Lab, profile
from bench.profiles import _wirepair as wirepair

FILE_BYTES = 1 << 30  # beyond every cache: cold each time


def memcpy(lab: Lab, path: str, piece: int) -> float:
    """By this process, on the sender's core. numpy calls memmove() once for each element of `piece` bytes."""
    with open(path, "rb") as f, mmap.mmap(f.fileno(), FILE_BYTES, mmap.MAP_SHARED | mmap.MAP_POPULATE,
                                          mmap.PROT_READ) as mapped:
        n = FILE_BYTES // piece
        file = np.frombuffer(mapped, f"V{piece}", n)
        hot = np.lib.stride_tricks.as_strided(np.zeros(piece, np.uint8).view(file.dtype), (n,), (0,))
        before = os.sched_getaffinity(0)
        os.sched_setaffinity(0, {lab.source_cpu})
        start = time.monotonic_ns()
        np.copyto(hot, file)
        seconds = (time.monotonic_ns() - start) / 1e9
        os.sched_setaffinity(0, before)
        del file  # a mapping that is in use cannot be closed
    return n * piece * 8 / 1e9 / seconds


@profile("wire", "a sender on the virtual wire against one core's memcpy", rounds=9)
def wire(lab: Lab) -> None:
    store = lab.store(FILE_BYTES, eal_bytes=wirepair.EAL_BYTES)
    for symbol in 1440, 8192:
        contest = lab.contest(
            f"vhost to virtio-user, symbols of {symbol} bytes, 1 GiB cold", "Gbit/s",
            note="vhost's copy runs on the sender's core. testpmd only takes packets; it does not read their bytes. "
                 "memcpy's target stays in the first level cache, vhost's is a ring.")
        ours = contest.contender("pagewire send", wirepair.measure, lab, store, symbol, how="goodput_bps")
        limit = contest.contender(
            "memcpy", memcpy, lab, store.files[0].huge or store.files[0].tmpfs, symbol,
            how=f"one core: the mapped file, {symbol} bytes a call, into one buffer of that length")
        contest.target(ours, limit, at_least=0.9)
