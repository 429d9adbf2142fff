# SPDX-License-Identifier: BSD-3-Clause
"""The harness itself: it must find and remove what a test leaves behind."""
import mmap
import os
import socket
import subprocess

from harness import Test, check, equal, once


def leftovers(t, leave):
    """Runs a test that leaves something behind; returns what the harness found."""
    inner = Test(t.session, "inner")
    try:
        leave(inner)
    finally:
        problems = inner.finish()
    check(not os.path.exists(inner.dir), "the directory is still there")
    return problems


def check_found(t, leave, what):
    problems = leftovers(t, leave)
    check(any(what in p for p in problems), f"no {what!r} in {problems}")


def test_a_clean_test_has_no_leftovers(t):
    equal(leftovers(t, lambda inner: inner.tool("true")), [], "leftovers")


def test_a_process_left_running_is_found_and_ended(t):
    pids = []
    check_found(t, lambda inner: pids.append(inner.spawn("sleep", "60").pid), "left running: sleep")
    check(not os.path.exists(f"/proc/{pids[0]}"), "it still runs")


def test_a_grandchild_is_found_and_ended(t):
    check_found(t, lambda inner: inner.tool("sh", "-c", "sleep 60 >/dev/null 2>&1 &"),
                "was left behind")


def test_a_socket_file_is_found(t):
    def leave(inner):
        with socket.socket(socket.AF_UNIX) as s:
            s.bind(inner.path("x.sock"))
    check_found(t, leave, "socket left behind")


def test_an_interface_is_found_and_its_namespace_removed(t):
    names = []

    def leave(inner):
        names.append(inner.netns("z"))
        inner.tool("ip", "tuntap", "add", "pwleft0", "mode", "tap", ns="z")
    check_found(t, leave, "pwleft0")
    listed = subprocess.run(["ip", "netns", "list"], capture_output=True, text=True, timeout=30,
                            check=True).stdout
    check(names[0] not in listed, f"{names[0]} is still there")


@once
def test_a_huge_page_that_is_held_is_found(t):
    t.need_hugepages()
    held = []

    def leave(inner):
        inner.page_seconds = 0.5
        path = os.path.join(inner.hugetlbfs(), "left")
        with open(path, "w+b") as f:
            f.truncate(2 << 20)
            held.append(mmap.mmap(f.fileno(), 2 << 20))
            held[0][0] = 1
        os.unlink(path)
    try:
        check_found(t, leave, "1 huge pages left behind")
    finally:
        held[0].close()
