# SPDX-License-Identifier: BSD-3-Clause
"""scripts/vm demo: a file from a guest through testpmd on this host to a receiver; it ends and cleans up."""
from __future__ import annotations

import os
import re

from guest import LIMIT, SCRIPT
from harness import Process, Skip, Test, check, equal

CONCURRENT = True


def demo(t: Test, *options: object) -> Process:
    t.need_tool("qemu-system-x86_64")
    t.need_tool("dpdk-testpmd")
    t.env["TMPDIR"] = t.mkdir("tmp")
    p = t.spawn(SCRIPT, "demo", "--pagewire", t.binary, *options).wait(LIMIT + 15)
    equal(os.listdir(t.path("tmp")), [], "left in TMPDIR")
    if p.code == 77:
        raise Skip(p.err.strip().removeprefix("vm: "))
    return p


def number(pattern: str, text: str) -> int:
    found = re.search(pattern, text)
    check(found, f"no {pattern!r} in:\n{text}")
    assert found
    return int(found[1])


def test_a_file_arrives_through_testpmd(t: Test) -> None:
    p = demo(t, "--timeout", LIMIT)
    check(p.code == 0, p.describe())
    check("\nok  movie.bin " in p.out, f"the receiver did not verify the file:\n{p.out}")
    check("pages: hugefile, in place, 0 copies" in p.out + p.err, f"not in place:\n{p.describe()}")
    check("the received file is identical, byte for byte" in p.out, p.out)
    equal(number(r"testpmd received (\d+) packets", p.out), number(r"in 2 passes, (\d+) packets", p.out + p.err),
          "packets that testpmd received from the guest")


def test_a_time_limit_ends_every_process(t: Test) -> None:
    p = demo(t, "--timeout", 5)
    equal(p.code, 124, "exit code")
    check("time limit of 5 s" in p.err, p.describe())
