# SPDX-License-Identifier: BSD-3-Clause
"""Huge pages for the time of a test run, and a hugetlbfs of our own."""
import contextlib
import os
import subprocess
import tempfile

POOL = "/sys/kernel/mm/hugepages/hugepages-2048kB"
PAGE_BYTES = 2 << 20
EXTRA = 300  # two EAL processes of some 60 pages each, staged files, and room
MOUNT_PAGES = 128
ENOUGH = 220


class Unavailable(Exception):
    pass


def read(name):
    with open(f"{POOL}/{name}", encoding="ascii") as f:
        return int(f.read())


def write_total(n):
    with open(f"{POOL}/nr_hugepages", "w", encoding="ascii") as f:
        f.write(str(n))


class Reservation:
    def __init__(self):
        if os.geteuid() != 0:
            raise Unavailable("hugepages: needs root")
        self.added = 0
        self.mount = None
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

    def _mount(self):
        path = tempfile.mkdtemp(prefix="pwnet-huge.")
        done = subprocess.run(
            ["mount", "-t", "hugetlbfs", "-o", f"pagesize=2M,size={MOUNT_PAGES * PAGE_BYTES}",
             "none", path], capture_output=True, text=True, timeout=30, check=False)
        if done.returncode:
            os.rmdir(path)
            self.release()
            raise Unavailable(f"hugepages: cannot mount hugetlbfs: {done.stderr.strip()}")
        self.mount = path

    def pages_used(self):
        """By files on our mount, deleted ones that somebody still maps included."""
        st = os.statvfs(self.mount)
        return st.f_blocks - st.f_bfree

    def drop_files(self):
        """What a failed test left on our mount would fail every test after it."""
        for folder, _, names in os.walk(self.mount):
            for name in names:
                os.unlink(os.path.join(folder, name))

    def release(self):
        """Gives back what was added: others may have changed the pool since."""
        if self.mount:
            for args in ([], ["-l"]):  # lazily, when somebody still holds a file
                if subprocess.run(["umount", *args, self.mount], timeout=30, check=False,
                                  stderr=subprocess.DEVNULL).returncode == 0:
                    os.rmdir(self.mount)
                    break
            self.mount = None
        if self.added:
            write_total(max(0, read("nr_hugepages") - self.added))
            self.added = 0


@contextlib.contextmanager
def more_pages(n):
    """So many more in the pool, where the kernel has room for them."""
    before = read("nr_hugepages")
    try:
        write_total(before + n)
        if read("nr_hugepages") < before + n:
            raise Unavailable(f"hugepages: the kernel has no room for {n} more of 2 MiB")
        yield
    finally:
        write_total(before)
