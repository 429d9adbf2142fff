# SPDX-License-Identifier: BSD-3-Clause
"""Guests for tests: scripts/vm with a deadline, and what must not be left of it."""
import os
import signal

from harness import Skip, check

SCRIPT = os.path.realpath(os.path.join(os.path.dirname(__file__), "../../scripts/vm"))
LIMIT = 90  # seconds for a guest; under software emulation and load a boot takes 5 to 15


class Guest:
    """One run of scripts/vm; result() gives the process when it has ended."""

    def __init__(self, t, *command, options=(), limit=LIMIT):
        t.need_tool("qemu-system-x86_64")
        t.env["TMPDIR"] = t.mkdir("tmp")  # what it leaves there is found
        self.t = t
        self.limit = limit
        self.p = t.spawn(SCRIPT, "run", "--timeout", limit, "--pagewire", t.binary, *options, "--",
                         *command)

    def result(self):
        self.p.wait(self.limit + 15)
        left = os.listdir(self.t.path("tmp"))
        check(not left, f"left in TMPDIR: {left}")
        if self.p.code == 77:
            raise Skip(self.p.err.strip().removeprefix("vm: "))
        return self.p

    def ends_with(self, code):
        p = self.result()
        check(p.code == code, f"exit code {p.code}, wanted {code}:\n{p.describe()}")
        return p


def children(pid):
    """Processes whose parent is pid, with their names."""
    found = {}
    for name in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{name}/stat", encoding="utf-8", errors="replace") as f:
                head, _, rest = f.read().rpartition(")")
        except OSError:
            continue
        if int(rest.split()[1]) == pid:
            found[int(name)] = head.partition("(")[2]
    return found


def alive(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as f:
        return f.read().rpartition(")")[2].split()[0] != "Z"


def end_by(p, number=signal.SIGTERM):
    p.signal(number)
    return p.wait(15)
