# SPDX-License-Identifier: BSD-3-Clause
"""`send --rate auto`: the sender finds what its receivers take, and names what bounds it.

The network is that of test_way_back.py; a token bucket (tc tbf) on the way to a receiver bounds the link. The bands
are wide: these tests show the direction, that the files are whole, and the name of the bottleneck."""
from __future__ import annotations

import contextlib
import os
import pathlib
from collections.abc import Iterator
from typing import Any

from disks import Disk
from harness import Process, Skip, Test, check, equal, poll_until
from test_way_back import GROUP, check_all_whole, receive, star, table, transmit

ALONE = True  # these tests measure rates

BLKIO = "/sys/fs/cgroup/blkio"  # version 1, or
IO = "/sys/fs/cgroup"           # version 2


def limit(t: Test, key: str, mbit: int) -> None:
    """Bounds the link to receiver `key`. The queue is shorter than the sender's ring, so packets are lost: else the
    sender would wait for the queue."""
    t.tool("tc", "qdisc", "replace", "dev", f"va{key[1:]}", "root", "tbf", "rate", f"{mbit}mbit",
           "burst", "32kb", "limit", "100kb", ns="a")


def rate(tx: Process) -> dict[str, Any]:
    found: dict[str, Any] = table(tx)["rate"]
    return found


def check_rate(tx: Process, low: float, high: float) -> None:
    check(low * 1e6 < tx.json["rate_achieved_bps"] < high * 1e6,
          f"{tx.json['rate_achieved_bps'] / 1e6:.1f} Mbit/s, not {low} to {high}; {rate(tx)}")


def check_link(t: Test, mbit: int, size: int) -> None:
    (key,) = star(t, [0])
    limit(t, key, mbit)
    original = t.file("a.bin", size)
    rx = receive(t, key)
    tx = transmit(t, original, rate="auto")
    check_all_whole(t, tx, {key: rx}, original)
    check_rate(tx, 0.4 * mbit, 1.3 * mbit)
    equal((rate(tx)["bound"], rate(tx)["receiver"]), ("link", "10.77.0.2"), "what bounds it")
    check(table(tx)["bytes"] < 0.4 * os.path.getsize(original), f"sent again: {table(tx)}")


def test_the_rate_of_a_fast_link_is_found(t: Test) -> None:
    check_link(t, 200, 60000001)


def test_the_rate_of_a_slow_link_is_found(t: Test) -> None:
    """It is below the rate at which the search starts."""
    check_link(t, 30, 12000001)


def test_the_slowest_of_two_receivers_bounds_the_rate(t: Test) -> None:
    keys = star(t, [0, 0])
    limit(t, keys[0], 300)
    limit(t, keys[1], 60)
    original = t.file("a.bin", 25000001)
    receivers = {key: receive(t, key) for key in keys}
    tx = transmit(t, original, rate="auto")
    check_all_whole(t, tx, receivers, original)
    check_rate(tx, 24, 78)
    equal(rate(tx)["receiver"], "10.77.0.3", "what bounds it")


def test_the_slowest_is_repaired_when_it_does_not_count(t: Test) -> None:
    keys = star(t, [0, 0])
    limit(t, keys[0], 300)
    limit(t, keys[1], 60)
    original = t.file("a.bin", 40000001)
    receivers = {key: receive(t, key) for key in keys}
    tx = transmit(t, "--ignore-slowest", "1", "--progress", original, rate="auto")
    tx.wait(60)
    check_rate(tx, 64, 390)  # more than the slowest takes
    equal(rate(tx)["receiver"], "10.77.0.2", "what bounds it")
    t.same(original, t.path(keys[0], "a.bin"))
    receivers[keys[0]].ends_with(0, 20)


def test_a_receiver_that_joins_late_lowers_the_rate(t: Test) -> None:
    keys = star(t, [0, 0])
    limit(t, keys[0], 200)
    limit(t, keys[1], 60)
    original = t.file("a.bin", 60000001)
    first = receive(t, keys[0])
    tx = transmit(t, "--progress", "--loop", 0, original, rate="auto")  # until both have it
    poll_until(lambda: "Mbit/s, bound by the link to 10.77.0.2" in tx.err, 20, "the first rate")
    second = receive(t, keys[1])
    poll_until(lambda: "bound by the link to 10.77.0.3" in tx.err, 20, "the second rate")
    check_all_whole(t, tx, {keys[0]: first, keys[1]: second}, original)
    check(rate(tx)["lowest_bps"] < 70e6, f"{rate(tx)}")


@contextlib.contextmanager
def slow_disk(t: Test, disk: str, bytes_per_s: int) -> Iterator[str]:
    """A control group whose writes to the disk that is mounted at `disk` are slow; yields its cgroup.procs."""
    device = os.stat(disk).st_dev
    number = f"{os.major(device)}:{os.minor(device)}"
    if os.path.exists(f"{BLKIO}/blkio.throttle.write_bps_device"):
        group, setting, value = f"{BLKIO}/pw-{os.getpid()}", "blkio.throttle.write_bps_device", ""
    else:
        group, setting, value = f"{IO}/pw-{os.getpid()}", "io.max", "wbps="
    try:
        os.mkdir(group)
    except OSError as e:
        raise Skip(f"no control group can be made: {e}") from e
    try:
        with open(f"{group}/{setting}", "w", encoding="ascii") as f:
            f.write(f"{number} {value}{bytes_per_s}")
        yield f"{group}/cgroup.procs"
    except OSError as e:
        raise Skip(f"writes cannot be slowed: {e}") from e
    finally:
        poll_until(lambda: not pathlib.Path(group, "cgroup.procs").read_text("ascii"), 20,
                   "the end of the group's processes")
        os.rmdir(group)


def test_a_slow_disk_is_named(t: Test) -> None:
    (key,) = star(t, [0])
    disk = Disk(t, "slow", 128 << 20)
    original = t.file("a.bin", 60000001)
    with slow_disk(t, disk.path, 15000000) as procs:
        rx = t.start("recv", "--listen", GROUP, "--interface", "e0", "--out", disk.path, "--repair",
                     "--timeout", "30s", "--json", "--write", "direct", "--write-memory", "8MiB",
                     "--rcvbuf", "2MiB", ns=key)
        poll_until(lambda: "listening" in rx.err or not rx.running, 20, "the receiver's socket")
        with open(procs, "w", encoding="ascii") as f:
            f.write(str(rx.pid))
        tx = transmit(t, original, rate="auto")
        rx.ends_with(0, 60)
    t.same(original, os.path.join(disk.path, "a.bin"))
    tx.ends_with(0, 60)
    equal((rate(tx)["bound"], rate(tx)["receiver"]), ("disk", "10.77.0.2"), "what bounds it")
    check(rate(tx)["lowest_bps"] < 200e6, f"{rate(tx)}")


def test_without_the_way_back_it_is_refused(t: Test) -> None:
    tx = t.run("send", "--port", "null", "--to", GROUP, "--rate", "auto", t.file("a.bin", 1000))
    tx.ends_with(2)
    check("--repair" in tx.err, tx.err)
    t.run("send", "--port", "null", "--to", GROUP, "--rate", "auto", "--repair=127.0.0.1", "--pacing",
          "hw", t.path("a.bin")).ends_with(2)
    t.run("send", "--port", "null", "--to", GROUP, "--rate", "1G", "--ignore-slowest", "1", "--repair",
          t.path("a.bin")).ends_with(2)


def test_an_interface_without_a_rate_is_warned_of(t: Test) -> None:
    t.veth()
    original = t.file("a.bin", 1000)
    for args, fix in (((), "--repair --rate auto"), (("--repair",), "; add --rate auto")):
        tx = t.run("send", "--port", "af_packet:va", "--to", GROUP, "--dry-run", *args, original, ns="a")
        equal(tx.err.count("warning: no --rate"), 1, "warnings")
        check(fix in tx.err, tx.err)
    for args in (("--port", "null"), ("--port", "af_packet:va", "--rate", "1G")):
        tx = t.run("send", *args, "--to", GROUP, "--dry-run", original, ns="a")
        check("no --rate" not in tx.err, tx.err)
