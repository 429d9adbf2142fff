# SPDX-License-Identifier: BSD-3-Clause
"""The files of a bench: the same bytes in each place from which a way may send them.

    hugetlbfs   in place for the bypass, and for every kernel call that takes it
    tmpfs       for sendfile and splice, which refuse hugetlbfs, and where no hugepages are free
    a disk      cold: dropped from the page cache before each run

hugetlbfs and tmpfs are mounted in a mount namespace of our own: they end with the process.
"""
from __future__ import annotations

import contextlib
import hashlib
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from bench import linux
from bench.model import BenchError

HUGE_PAGE = 2 << 20
HUGE_POOL = Path("/sys/kernel/mm/hugepages/hugepages-2048kB")
STAGE_SECONDS = 300


class NotDropped(BenchError):
    """The file system keeps its files in memory."""


@dataclass
class StoredFile:
    """One file in all its places."""
    len_bytes: int
    tmpfs: str
    huge: str = ""  # "": no hugepages for it
    disk: str = ""  # "": no cold run wanted


@dataclass
class Store:
    """The work directory and the files in it."""
    dir: str = ""
    own_mounts: bool = False
    huge: bool = False      # hugetlbfs is mounted, with room for files and EAL
    huge_why: str = ""      # else the reason and the fix
    files: list[StoredFile] = field(default_factory=list)

    def remove(self) -> None:
        """Removes files, mounts and directories, as many as there are."""
        for f in self.files:
            with contextlib.suppress(OSError):
                os.unlink(f.disk)
        for name in ("tmpfs", "huge") if self.own_mounts and self.dir else ():
            with contextlib.suppress(OSError):
                linux.unmount(f"{self.dir}/{name}")
        shutil.rmtree(self.dir, ignore_errors=True)
        self.dir = ""


def _pages(size: int) -> int:
    return -(-size // HUGE_PAGE)


def _free_hugepages() -> int:
    """Pages of 2 MiB that no mapping has reserved."""
    try:
        free, reserved = (int((HUGE_POOL / f"{name}_hugepages").read_text()) for name in ("free", "resv"))
    except (OSError, ValueError):
        return 0
    return max(0, free - reserved)


def _check_memory(sizes: Sequence[int]) -> None:
    """The bytes in a buffer, the files on tmpfs; later the receiver also has a buffer. Memory is
    overcommitted: the kernel would end some process instead of refusing."""
    need = max(sizes) + sum(sizes)
    have = int(re.findall(r"MemAvailable: +(\d+) kB", Path("/proc/meminfo").read_text())[0]) << 10
    if need > have:
        raise BenchError(f"cannot make the files: they need {need >> 20} MiB of memory, {have >> 20} are "
                         "available; measure smaller ones", 77)


def _why_not_huge(s: Store, sizes: Sequence[int], eal_bytes: int) -> str:
    """Mounts hugetlbfs: all files and two processes' EAL memory have to fit the pool of free pages."""
    want, have = _pages(eal_bytes) + sum(map(_pages, sizes)), _free_hugepages()
    if os.geteuid():
        return "hugetlbfs wants root; run as root (pagewire doctor: hugepages.mount)"
    if have < want:
        return (f"{have} hugepages of 2 MiB are free, this bench wants {want}; echo N > "
                "/proc/sys/vm/nr_hugepages (pagewire doctor: hugepages.free)")
    if not s.own_mounts:
        return "hugetlbfs cannot be mounted: run with CAP_SYS_ADMIN"
    try:
        linux.mount("hugetlbfs", f"{s.dir}/huge", "pagesize=2M")
    except OSError as e:
        return f"hugetlbfs cannot be mounted: {e.strerror}"
    return ""


def _make_places(s: Store) -> None:
    """Mounts of our own where we may; a directory of /dev/shm's file system else."""
    where = "/tmp"
    try:
        linux.unshare(linux.CLONE_NEWNS)
        linux.mount("", "/", flags=linux.MS_REC | linux.MS_PRIVATE)
        s.own_mounts = True
    except OSError:
        where = "/dev/shm" if os.access("/dev/shm", os.W_OK) else where
    try:
        s.dir = tempfile.mkdtemp(prefix="pagewire-bench.", dir=where)
        for name in ("tmpfs", "huge"):
            os.mkdir(f"{s.dir}/{name}", 0o700)
        if s.own_mounts:
            linux.mount("tmpfs", f"{s.dir}/tmpfs", "mode=0700")
    except OSError as e:
        raise BenchError(f"cannot make a work directory in {where}: {e.strerror}; "
                         "free some space there") from None


def _stage(pagewire: str, path: str, directory: str) -> str:
    """The copy of a file on hugetlbfs, which keeps its length: write() there is refused."""
    try:
        p = subprocess.run([pagewire, "stage", path, "--to", directory], stdin=subprocess.DEVNULL, text=True,
                           capture_output=True, timeout=STAGE_SECONDS, check=False, process_group=0)
    except (OSError, subprocess.TimeoutExpired) as e:
        raise BenchError(f"cannot copy {path} to hugetlbfs: {e}") from None
    if p.returncode:
        said = (p.stderr.strip().splitlines() or ["it says nothing"])[-1].removeprefix("pagewire: error: ")
        raise BenchError(f"cannot copy {path} to hugetlbfs: {said}", p.returncode)
    return os.path.join(directory, os.path.basename(path))


def _bytes_for(user_file: str | None, size: int) -> bytes:
    """The user's, or some that no file system and no wire can compress or guess."""
    if not user_file:
        return hashlib.shake_128(b"pagewire").digest(size)
    try:
        data = Path(user_file).read_bytes()
    except OSError as e:
        raise BenchError(f"cannot read {user_file}: {e.strerror}") from None
    if len(data) != size:
        raise BenchError(f"cannot read {user_file}: its length has changed; use a file that does not change")
    return data


def make_store(s: Store, pagewire: str, sizes: Sequence[int], eal_bytes: int, user_file: str | None = None,
               cold_dir: str | None = None) -> None:
    """Makes a file of each size, or copies the user's, into s; the caller removes s in every case. Fewer
    places where the host has no hugepages or we are not root. Unshares this thread's mount namespace."""
    _check_memory(sizes)
    _make_places(s)
    s.huge_why = _why_not_huge(s, sizes, eal_bytes)
    s.huge = not s.huge_why
    data = memoryview(_bytes_for(user_file, max(sizes)))
    for i, size in enumerate(sizes):
        f = StoredFile(size, f"{s.dir}/tmpfs/file{i}")
        s.files.append(f)
        try:
            Path(f.tmpfs).write_bytes(data[:size])
            if cold_dir:
                fd, f.disk = tempfile.mkstemp(prefix="pagewire-bench-", dir=cold_dir)
                with open(fd, "wb") as disk:
                    disk.write(data[:size])
        except OSError as e:
            raise BenchError(f"cannot write {e.filename or f.disk or f.tmpfs}: {e.strerror}") from None
        if s.huge:
            f.huge = _stage(pagewire, f.tmpfs, f"{s.dir}/huge")
        if cold_dir:
            drop(f.disk)


def drop(path: str) -> None:
    """Writes back and drops the file's pages from the page cache."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            os.fdatasync(fd)
            os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
            left, total = linux.resident_pages(fd)
        finally:
            os.close(fd)
    except OSError as e:
        raise BenchError(f"cannot drop the pages of {path}: {e.strerror}") from None
    if left > total // 100:  # advice that a file system in memory does not take
        raise NotDropped(f"cannot drop the pages of {path}: {left} of {total} stay in memory; use --dir on a "
                         "disk's file system")
