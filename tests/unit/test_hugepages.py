#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""scripts/hugepages.sh on a pool that is two files: it comes back after an interrupt at any moment and after a kill,
and scripts that run at once do not count on the same pages.

    test_hugepages.py SOURCE-DIRECTORY [TEST]...
"""
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import unittest

LIBRARY = os.path.join(os.path.realpath(sys.argv.pop(1) if len(sys.argv) > 1 else "."), "scripts/hugepages.sh")

# A user of the library, as quickstart is one.
USER = """set -eu
. "$1"
hugepages_resize() {
	"$HUGEPAGES_KERNEL" "$HUGEPAGES_POOL" "$1"
}
clean_up() {
	trap - EXIT INT TERM
	hugepages_give_back
}
trap clean_up EXIT
trap 'exit 130' INT
status=0
hugepages_take "$2" "$3" || status=$?
echo "$status $hugepages_why"
[ $status -ne 0 ] || read -r _
"""

# Adds and removes page after page, as the kernel does, and as the kernel breaks off at a signal.
KERNEL = """#!/usr/bin/env python3
import os, signal, sys, time
pool, target, stopped = sys.argv[1] + "/", int(sys.argv[2]), []
signal.signal(signal.SIGINT, lambda *_: stopped.append(1))
def read(name):
    return int(open(pool + name).read())
def write(name, n):
    with open(pool + "new", "w") as f:
        f.write(f"{n}\\n")
    os.replace(pool + "new", pool + name)
while (n := read("nr_hugepages")) != target and not stopped and not (target > n >= int(os.environ.get("GIVE", 999))):
    step = 1 if n < target else -1
    write("nr_hugepages", n + step)
    write("free_hugepages", read("free_hugepages") + step)
    time.sleep(0.001 * (step > 0))
"""


class Hugepages(unittest.TestCase):
    def setUp(self):
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix="pw-hugepages."))
        self.addCleanup(shutil.rmtree, self.dir)
        (self.dir / "pool").mkdir()
        self.set_pool(20, 10)
        self.env = dict(os.environ, HUGEPAGES_POOL=str(self.dir / "pool"), HUGEPAGES_RUNS=str(self.dir / "runs"))
        tools = self.dir / "tools"
        tools.mkdir()
        for name, text in (("mount", "#!/bin/sh\n"), ("umount", "#!/bin/sh\n"), ("kernel", KERNEL)):
            (tools / name).write_text(text)
            (tools / name).chmod(0o755)
        self.env["HUGEPAGES_KERNEL"] = str(tools / "kernel")
        self.env["PATH"] = f"{tools}:{self.env['PATH']}"

    def set_pool(self, size, free):
        (self.dir / "pool/nr_hugepages").write_text(f"{size}\n")
        (self.dir / "pool/free_hugepages").write_text(f"{free}\n")

    def size(self):
        return int((self.dir / "pool/nr_hugepages").read_text())

    def start(self, n, **env):
        process = subprocess.Popen(
            ["bash", "-c", USER, "user", LIBRARY, str(n), str(self.dir / "huge")], env=self.env | env,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, start_new_session=True)
        self.addCleanup(process.communicate)
        return process

    def take(self, n):
        process = self.start(n)
        self.assertEqual(process.stdout.readline(), "0 \n")
        return process

    def end(self, process):
        process.communicate("\n", timeout=30)
        self.assertEqual(process.returncode, 0)

    def assert_restored(self, why=""):
        self.assertEqual(self.size(), 20, why)
        self.assertEqual(os.listdir(self.dir / "runs"), ["lock"], why)
        self.assertFalse((self.dir / "huge").exists(), why)

    def test_the_pages_that_are_missing_are_added_and_given_back(self):
        process = self.take(15)
        self.assertEqual(self.size(), 25)
        self.end(process)
        self.assert_restored()

    def test_what_others_add_meanwhile_stays(self):
        process = self.take(15)
        self.set_pool(125, 115)
        self.end(process)
        self.assertEqual(self.size(), 120)

    def stop_at(self, size, number):
        """Sends a signal, as Ctrl-C does, when the pool has that size. Returns the size that the signal left."""
        process = self.start(80)
        while self.size() < size:
            time.sleep(0.001)
        os.killpg(process.pid, number)
        process.wait(30)
        return self.size()

    def test_an_interrupt_at_any_moment_leaves_no_pages(self):
        for size in (20, 21, 40, 70, 89, 90):
            self.stop_at(size, signal.SIGINT)
            if (self.dir / "runs").exists():
                self.assert_restored(size)

    def test_the_next_script_gives_back_what_a_killed_one_added(self):
        for size in (21, 50, 90):
            self.assertGreater(self.stop_at(size, signal.SIGKILL), 20)
            self.end(self.take(5))
            self.assert_restored(size)

    def test_two_at_once_do_not_count_on_the_same_pages(self):
        first, second = self.start(30), self.start(40)
        self.assertEqual([p.stdout.readline() for p in (first, second)], ["0 \n"] * 2)
        self.assertGreaterEqual(int((self.dir / "pool/free_hugepages").read_text()), 70)
        self.end(first)
        self.assertGreaterEqual(int((self.dir / "pool/free_hugepages").read_text()), 40)
        self.end(second)
        self.assert_restored()

    def test_a_kernel_that_gives_fewer_keeps_none(self):
        process = self.start(50, GIVE="33")
        self.assertEqual(process.stdout.readline(), "2 the kernel gave 13 of 40 more pages of 2 MiB\n")
        process.wait(30)
        self.assert_restored()


if __name__ == "__main__":
    unittest.main()
