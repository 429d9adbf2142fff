# SPDX-License-Identifier: BSD-3-Clause
"""Reserves huge pages for the time of a test run, and mounts a private hugetlbfs."""
from __future__ import annotations

import contextlib
import os
import subprocess
import tempfile
from collections.abc import Iterator

POOL = "/sys/kernel/mm/hugepages/hugepages-2048kB"
PAGE_BYTES = 2 << 20
EXTRA = 300  # two EAL processes with about 60 pages each, staged files, and a reserve
MOUNT_PAGES = 128
ENOUGH = 220  # the least number of free pages with which all tests work


class Unavailable(Exception):
    """This host has no huge pages for the tests; the text gives the reason."""


def read(name: str) -> int:
    with open(f"{POOL}/{name}", encoding="ascii") as f:
        return int(f.read())


def write_total(n: int) -> None:
    with open(f"{POOL}/nr_hugepages", "w", encoding="ascii") as f:
        f.write(str(n))


class Reservation:
    """Pages that this run added to the pool, and a hugetlbfs of them at `mount`."""

    def __init__(self) -> None:
        if os.geteuid() != 0:
            raise Unavailable("hugepages: needs root")
        self.added = 0
        self.mount = ""
        try:
            before = read("nr_hugepages")
            write_total(before + EXTRA)
            self.added = max(0, read("nr_hugepages") - before)
        except OSError as e:
            raise Unavailable(f"hugepages: {e}") from None
        if read("free_hugepages") < ENOUGH:
            self.release()
            raise Unavailable("hugepages: the kernel has no room for 300 pages of 2 MiB")
        self._mount()

    def _mount(self) -> None:
        path = tempfile.mkdtemp(prefix="pwnet-huge.")
        done = subprocess.run(
            ["mount", "-t", "hugetlbfs", "-o", f"pagesize=2M,size={MOUNT_PAGES * PAGE_BYTES}",
             "none", path], capture_output=True, text=True, timeout=30, check=False)
        if done.returncode:
            os.rmdir(path)
            self.release()
            raise Unavailable(f"hugepages: cannot mount hugetlbfs: {done.stderr.strip()}")
        self.mount = path

    def pages_used(self) -> int:
        """Pages of files on our mount, including deleted files that a process still maps."""
        st = os.statvfs(self.mount)
        return st.f_blocks - st.f_bfree

    def drop_files(self) -> None:
        """Removes what a failed test left on our mount, so that it does not fail the next tests."""
        for folder, _, names in os.walk(self.mount):
            for name in names:
                os.unlink(os.path.join(folder, name))

    def release(self) -> None:
        """Takes out the pages that were added. Other processes may have changed the pool since."""
        if self.mount:
            for command in (["umount"], ["umount", "-l"]):  # lazily, where a process still holds a file
                if subprocess.run([*command, self.mount], timeout=30, check=False,
                                  stderr=subprocess.DEVNULL).returncode == 0:
                    os.rmdir(self.mount)
                    break
            self.mount = ""
        if self.added:
            write_total(max(0, read("nr_hugepages") - self.added))
            self.added = 0


@contextlib.contextmanager
def more_pages(n: int) -> Iterator[None]:
    """Adds n pages to the pool for the time of the `with` block."""
    before = read("nr_hugepages")
    try:
        write_total(before + n)
        if read("nr_hugepages") < before + n:
            raise Unavailable(f"hugepages: the kernel has no room for {n} more of 2 MiB")
        yield
    finally:
        write_total(before)
