# SPDX-License-Identifier: BSD-3-Clause
"""Small ext4 file systems in image files, for tests of what is on a disk after a power failure.

The image file holds what was written to the disk, and not the dirty pages of the page cache. A copy of the
image is therefore the disk as a power failure at that moment would leave it."""
from __future__ import annotations

import os
import subprocess

from harness import DEADLINE, Skip, Test


def command(*argv: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(argv, capture_output=True, text=True, timeout=DEADLINE, check=False)


class Disk:
    """An ext4 file system, mounted at `path` until the test ends."""

    def __init__(self, t: Test, name: str, size: int = 64 << 20, below: str | None = None,
                 journal: bool = True) -> None:
        """below: the directory for the image; by default the test's."""
        t.need_root()
        t.need_tool("mkfs.ext4")
        self.t = t
        self.image = os.path.join(below or t.dir, f"{name}.img")
        with open(self.image, "wb") as f:
            f.truncate(size)
        made = command("mkfs.ext4", "-q", "-F", "-E", "lazy_itable_init=1,lazy_journal_init=1",
                       *(() if journal else ("-O", "^has_journal")), self.image)
        if made.returncode:
            raise Skip(f"cannot make an ext4 image: {made.stderr.strip()}")
        self.path = mount(t, self.image, name)

    def sync(self) -> None:
        command("sync", "-f", self.path)

    def after_power_cut(self, name: str) -> str:
        """Mounts the disk as a power failure at this moment would leave it; returns the mount point."""
        copy = os.path.join(self.t.dir, f"{name}.img")
        subprocess.run(["cp", "--sparse=always", self.image, copy], timeout=DEADLINE, check=True)
        return mount(self.t, copy, name)


def mount(t: Test, image: str, name: str) -> str:
    """Mounts the image. commit=300: the journal is not written because of time alone."""
    path = t.mkdir(f"{name}.mnt")
    made = command("mount", "-o", "loop,commit=300,errors=continue", image, path)
    if made.returncode:  # without a journal there is no commit
        made = command("mount", "-o", "loop,errors=continue", image, path)
    if made.returncode:
        raise Skip(f"no loop devices here: {made.stderr.strip()}")
    t.mounts.append(path)
    return path


def free_bytes(path: str) -> int:
    v = os.statvfs(path)
    return v.f_bavail * v.f_frsize


def fill(path: str, leave: int) -> None:
    """Fills a file system until only `leave` bytes are free."""
    size = free_bytes(path) - leave
    if size > 0:
        with open(os.path.join(path, "filler"), "wb") as f:
            os.posix_fallocate(f.fileno(), 0, size)
