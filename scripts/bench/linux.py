# SPDX-License-Identifier: BSD-3-Clause
"""What Python 3.11 and iproute2 6.1 have no function for: namespaces, mounts, the page cache, BIG TCP."""
from __future__ import annotations

import ctypes
import errno
import mmap
import os
import signal
import socket
import struct
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

CLONE_NEWNS = 0x00020000
CLONE_NEWNET = 0x40000000
MS_REC = 0x4000
MS_PRIVATE = 0x40000
MNT_DETACH = 2
PR_SET_PDEATHSIG = 1
# linux/rtnetlink.h, linux/if_link.h, linux/netlink.h
RTM_NEWLINK, RTM_GETLINK, NLM_F_REQUEST, NLM_F_ACK, NLMSG_ERROR = 16, 18, 1, 4, 2
# IFLA_GSO_MAX_SIZE, IFLA_GRO_MAX_SIZE, and the same for IPv4: IFLA_GSO_IPV4_MAX_SIZE, IFLA_GRO_IPV4_MAX_SIZE
TRAIN_SIZES = (41, 58, 63, 64)

T = TypeVar("T")
_libc = ctypes.CDLL(None, use_errno=True)
_libc.mount.argtypes = [ctypes.c_char_p, ctypes.c_char_p, ctypes.c_char_p, ctypes.c_ulong, ctypes.c_char_p]
_libc.mincore.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_void_p]


def _check(result: int) -> None:
    if result:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))


def die_with(parent: int) -> None:
    """For a new process: it is killed when its parent ends, which may have been before this."""
    _check(_libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL))
    if os.getppid() != parent:
        os._exit(1)


def unshare(flags: int) -> None:
    """New namespaces for the calling thread, and for what it starts."""
    _check(_libc.unshare(flags))


def mount(kind: str, where: str, options: str = "", flags: int = 0) -> None:
    """Mounts a file system of this kind; kind "" changes the flags of the mount that is there."""
    _check(_libc.mount(b"pagewire", os.fsencode(where), kind.encode() or None, flags,
                       options.encode() or None))


def unmount(where: str) -> None:
    """Takes the mount away now, even if a process has files open there."""
    _check(_libc.umount2(os.fsencode(where), MNT_DETACH))


def in_thread(work: Callable[[], T]) -> T:
    """What work() returns or raises, in a thread of its own, whose namespaces end with it."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(work).result()


def set_train_sizes(namespace: int, name: str, size: int) -> None:
    """The longest trains (GSO, GRO) of an interface in a network namespace: above 64 KiB they are BIG TCP.
    OSError: the kernel refuses; ENOTSUP: it does not know the attributes, and its answer has none of them."""
    sizes = [struct.pack("=HHI", 8, attribute, size) for attribute in TRAIN_SIZES]

    def ask(sock: socket.socket, kind: int, flags: int, attributes: bytes) -> bytes:
        link = struct.pack("=BxHiII", 0, 0, socket.if_nametoindex(name), 0, 0) + attributes
        sock.send(struct.pack("=IHHII", 16 + len(link), kind, NLM_F_REQUEST | flags, 0, 0) + link)
        answer = sock.recv(1 << 16)
        _, answered, _, _, _, error = struct.unpack_from("=IHHIIi", answer)
        if answered == NLMSG_ERROR and error:
            raise OSError(-error, os.strerror(-error))
        return answer

    def work() -> None:
        _check(_libc.setns(namespace, CLONE_NEWNET))
        with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE) as sock:
            ask(sock, RTM_NEWLINK, NLM_F_ACK, b"".join(sizes))
            link = ask(sock, RTM_GETLINK, 0, b"")
        if not all(size in link for size in sizes):
            raise OSError(errno.ENOTSUP, os.strerror(errno.ENOTSUP))

    in_thread(work)


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
