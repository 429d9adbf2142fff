# SPDX-License-Identifier: BSD-3-Clause
"""scripts/vm: exit status and output come back; it ends and cleans up in every case."""
import hashlib
import os
import signal

from guest import SCRIPT, Guest, alive, children, end_by
from harness import check, equal, poll_until

CONCURRENT = True  # the guests of these tests may run beside others (run.py of tests/net)


def test_status_streams_arguments_and_writable_files_come_back(t):
    """8 MiB of every byte value through the port; arguments with blanks, quotes, newlines. On the host only the
    --writable directory is changed. What the command leaves running does not delay the end."""
    data = os.urandom(8 << 20)
    with open(t.path("data file"), "wb") as f:
        f.write(data)
    awkward = ["a  b", "'\"$x`", "two\nlines", ""]
    own, shared = t.file("own", 10), t.mkdir("shared")
    before = os.stat(own).st_mtime_ns
    p = Guest(t, "sh", "-c", """
        cat "$1"; shift; printf "<%s>" "$@" >&2
        echo x >own && echo y >new && echo z >shared/made && grep -q x own && grep -q y new || exit 1
        sleep 1000 &
        exit 7""", "sh", "data file", *awkward, options=("--writable", shared)).ends_with(7)
    with open(p.out_path, "rb") as f:
        equal(hashlib.sha256(f.read()).hexdigest(), hashlib.sha256(data).hexdigest(), "digest")
    equal(p.err, "".join(f"<{a}>" for a in awkward), "the arguments")
    equal((os.path.getsize(own), os.stat(own).st_mtime_ns), (10, before), "the host's file")
    check(not os.path.exists(t.path("new")), "the guest made a file on the host")
    equal(open(os.path.join(shared, "made"), encoding="ascii").read(), "z\n", "the shared file")


def test_a_command_that_hangs_is_killed_with_exit_code_124(t):
    g = Guest(t, "sleep", "1000", limit=4)
    poll_until(lambda: children(g.p.pid), 10, "QEMU")
    qemu = list(children(g.p.pid))
    p = g.ends_with(124)
    check("time limit of 4 s" in p.err, f"message: {p.err!r}")
    check(not any(map(alive, qemu)), "QEMU still runs")


def test_a_panic_of_the_guest_is_exit_code_125(t):
    p = Guest(t, "sh", "-c", "echo c >/proc/sysrq-trigger; sleep 100").ends_with(125)
    check("ended without a result" in p.err and "sysrq triggered crash" in p.err,
          f"message: {p.err!r}")


def interrupted(t, number, code):
    g = Guest(t, "sleep", "1000")
    poll_until(lambda: children(g.p.pid), 10, "QEMU")
    qemu = list(children(g.p.pid))
    end_by(g.p, number)
    equal(g.p.code, code, "exit code")
    check(not any(map(alive, qemu)), "QEMU still runs")
    equal(os.listdir(t.path("tmp")), [], "left in TMPDIR")


def test_a_signal_ends_qemu_and_leaves_no_file(t):
    interrupted(t, signal.SIGTERM, 143)


def test_qemu_ends_when_the_script_is_killed(t):
    g = Guest(t, "sleep", "1000")
    poll_until(lambda: children(g.p.pid), 10, "QEMU")
    qemu = list(children(g.p.pid))
    end_by(g.p, signal.SIGKILL)
    poll_until(lambda: not any(map(alive, qemu)), 5, "the end of QEMU")


def test_without_qemu_the_exit_code_is_77(t):
    t.need_tool("qemu-system-x86_64")
    empty = t.mkdir("bin")
    os.symlink(os.path.realpath("/usr/bin/python3"), os.path.join(empty, "python3"))
    t.env["PATH"] = empty
    for tool in ("apt-cache", "apt-get", "dpkg-deb", "tar"):
        os.symlink(f"/usr/bin/{tool}", os.path.join(empty, tool))
    p = t.spawn("/usr/bin/python3", SCRIPT, "run", "--", "true").ends_with(77)
    check("no qemu-system-x86_64" in p.err, f"message: {p.err!r}")


def test_invalid_options_are_usage_errors(t):
    for options in (("--net", "ne2k"), ("--net", "virtio:tap"), ("--net", "vhost-user"),
                    ("--writable", "/nowhere"), ("--pagewire", "/nowhere")):
        p = t.spawn(SCRIPT, "run", *options, "--", "true").wait()
        check(p.code == 2, f"{options}: {p.describe()}")
