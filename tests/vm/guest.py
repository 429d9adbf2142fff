# SPDX-License-Identifier: BSD-3-Clause
"""Runs scripts/vm for a test, with a deadline, and checks that it leaves nothing behind."""
from __future__ import annotations

import os
import signal
from collections.abc import Iterable

from harness import Process, Skip, Test, check

SCRIPT = os.path.realpath(os.path.join(os.path.dirname(__file__), "../../scripts/vm"))
LIMIT = 300  # seconds for a guest; a boot takes 7 under software emulation, and 30 on a busy host


class Guest:
    """One execution of scripts/vm. result() waits for its end."""

    def __init__(self, t: Test, *command: str, options: Iterable[object] = (),
                 limit: float = LIMIT) -> None:
        t.need_tool("qemu-system-x86_64")
        t.env["TMPDIR"] = t.mkdir("tmp")  # result() checks that this directory is empty again
        self.t = t
        self.limit = limit
        self.p = t.spawn(SCRIPT, "run", "--timeout", limit, "--pagewire", t.binary,
                         *options, "--", *command)

    def result(self) -> Process:
        self.p.wait(self.limit + 15)
        left = os.listdir(self.t.path("tmp"))
        check(not left, f"left in TMPDIR: {left}")
        if self.p.code == 77:
            raise Skip(self.p.err.strip().removeprefix("vm: "))
        return self.p

    def ends_with(self, code: int) -> Process:
        p = self.result()
        check(p.code == code, f"exit code {p.code}, wanted {code}:\n{p.describe()}")
        return p


def children(pid: int) -> dict[int, str]:
    """The child processes of pid, with their names."""
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


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as f:
        return f.read().rpartition(")")[2].split()[0] != "Z"


def end_by(p: Process, number: int = signal.SIGTERM) -> Process:
    p.signal(number)
    return p.wait(15)
