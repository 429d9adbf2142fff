# SPDX-License-Identifier: BSD-3-Clause
"""System calls that Python 3.11 has no function for: namespaces, mounts, what is in the page cache."""
from __future__ import annotations

import ctypes
import mmap
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

CLONE_NEWNS = 0x00020000
CLONE_NEWNET = 0x40000000
MS_REC = 0x4000
MS_PRIVATE = 0x40000
MNT_DETACH = 2

T = TypeVar("T")
_libc = ctypes.CDLL(None, use_errno=True)
_libc.mount.argtypes = [ctypes.c_char_p, ctypes.c_char_p, ctypes.c_char_p, ctypes.c_ulong, ctypes.c_char_p]
_libc.mincore.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_void_p]


def _check(result: int) -> None:
    if result:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))


def unshare(flags: int) -> None:
    """New namespaces for the calling thread, and for what it starts."""
    _check(_libc.unshare(flags))


def mount(kind: str, where: str, options: str = "", flags: int = 0) -> None:
    """Mounts a file system of this kind; kind "" changes the flags of the mount that is there."""
    _check(_libc.mount(b"pagewire", os.fsencode(where), kind.encode() or None, flags,
                       options.encode() or None))


def unmount(where: str) -> None:
    """Takes the mount away now, whoever has files open there."""
    _check(_libc.umount2(os.fsencode(where), MNT_DETACH))


def in_thread(work: Callable[[], T]) -> T:
    """What work() returns or raises, in a thread of its own, whose namespaces end with it."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(work).result()


def resident_pages(fd: int) -> tuple[int, int]:
    """How many of the file's pages are in the page cache, and how many it has."""
    size = os.fstat(fd).st_size
    if not size:
        return 0, 0
    import numpy as np

    page = mmap.PAGESIZE
    total = -(-size // page)
    state = np.zeros(total, dtype=np.uint8)
    with mmap.mmap(fd, size, prot=mmap.PROT_READ) as mapping:
        view = np.frombuffer(mapping, dtype=np.uint8)
        _check(_libc.mincore(view.ctypes.data, size, state.ctypes.data))
        del view  # the mapping cannot close while it is referred to
    return int(np.count_nonzero(state & 1)), total
