# SPDX-License-Identifier: BSD-3-Clause
"""scripts/vm demo ends at its time limit and cleans up. docs/walk-vm.md runs it as a whole (tests/docs)."""
from __future__ import annotations

import os

from guest import LIMIT, SCRIPT
from harness import Skip, Test, check, equal

CONCURRENT = True


def test_a_time_limit_ends_every_process(t: Test) -> None:
    t.need_tool("qemu-system-x86_64")
    t.need_tool("dpdk-testpmd")
    t.env["TMPDIR"] = t.mkdir("tmp")
    p = t.spawn(SCRIPT, "demo", "--pagewire", t.binary, "--timeout", 5).wait(LIMIT)
    equal(os.listdir(t.path("tmp")), [], "left in TMPDIR")
    if p.code == 77:
        raise Skip(p.err.strip().removeprefix("vm: "))
    equal(p.code, 124, "exit code")
    check("time limit of 5 s" in p.err, p.describe())
