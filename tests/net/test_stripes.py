# SPDX-License-Identifier: BSD-3-Clause
"""Two hosts send one file together (--stripe): namespaces a and b, each joined to the receiver's, r.

    a: va0 10.77.1.1 ---- r: va0 10.77.1.2 \\
                                            10.77.9.9, where the receiver listens
    b: va0 10.77.2.1 ---- r: va1 10.77.2.2 /
"""
from __future__ import annotations

import json
import os
import signal
import time

from harness import Process, Test, check, equal, exclusive, poll_until

CONCURRENT = True  # these tests need no huge pages, and CPU time only where they are marked (run.py)

ADDRESS = "10.77.9.9:4001"
SIZE = 20000001  # 13889 symbols of 1440 bytes: 14 runs; its digest comes late


def network(t: Test) -> None:
    for key in "abr":
        t.netns(key)
    for key, dev, net in (("a", "va0", 1), ("b", "va1", 2)):
        t.tool("ip", "link", "add", "va0", "netns", t.namespaces[key], "type", "veth", "peer", "name", dev,
               "netns", t.namespaces["r"])
        t.tool("ip", "addr", "add", f"10.77.{net}.1/24", "dev", "va0", ns=key)
        t.tool("ip", "addr", "add", f"10.77.{net}.2/24", "dev", dev, ns="r")
        t.tool("ip", "link", "set", "va0", "up", ns=key)
        t.tool("ip", "link", "set", dev, "up", ns="r")
    t.tool("ip", "addr", "add", "10.77.9.9/32", "dev", "lo", ns="r")


def receiver(t: Test, *args: str) -> Process:
    rx = t.recv("--listen", ADDRESS, "--out", t.mkdir("in"), "--timeout", "5s", *args, ns="r")
    poll_until(lambda: "listening on" in rx.err or not rx.running, 20, "the receiver's socket")
    return rx


def sender(t: Test, ns: str, stripe: str, *args: str, rate: str = "200Mbit/s", tsi: str = "77") -> Process:
    return t.send("--port", "af_packet:va0", "--to", ADDRESS, "--no-huge", "--rate", rate, "--stripe", stripe,
                  "--tsi", tsi, *args, ns=ns)


def check_whole(t: Test, rx: Process, *files: str) -> None:
    result = rx.ends_with(0).json
    for f in files:
        t.same(f, t.path("in", os.path.basename(f)))
    equal([f["state"] for f in result["files"]], ["complete"] * len(files), "states")
    equal(result["counters"]["fdt_conflicts"], 0, "conflicts")


def test_two_stripes_arrive_as_one_file(t: Test) -> None:
    network(t)
    files = [t.file("large.bin", SIZE), t.file("one.bin", 1000), t.file("two.bin", 1000)]
    rx = receiver(t)
    senders = [sender(t, ns, f"{i}/2", *files) for i, ns in enumerate("ab")]
    check_whole(t, rx, *files)
    sent = [s.ends_with(0).json for s in senders]
    equal([(s["stripe_index"], s["stripe_count"], s["tsi"]) for s in sent], [(0, 2, 77), (1, 2, 77)], "stripes")
    equal(sum(s["payload_bytes"] for s in sent), SIZE + 2000, "bytes of both")
    check(min(s["payload_bytes"] for s in sent) > SIZE * 0.45, f"the shares: {sent}")
    result = rx.json
    equal((result["sessions"], result["stripes"], result["stripes_closed"], result["counters"]["duplicates"]),
          (2, 2, 2, 0), "sessions, stripes, closed, duplicates")


def test_streamed_stripes_arrive_as_one_file(t: Test) -> None:
    network(t)
    original = t.file("large.bin", SIZE)
    rx = receiver(t)
    senders = [sender(t, ns, f"{i}/2", "--pages", "stream", original) for i, ns in enumerate("ab")]
    check_whole(t, rx, original)
    sent = [s.ends_with(0).json for s in senders]
    equal([s["pages"] for s in sent], ["stream", "stream"], "pages")
    equal(sum(s["payload_bytes"] for s in sent), SIZE, "bytes of both")


def test_two_stripes_of_one_address_arrive_as_one_file(t: Test) -> None:
    """To the receiver they are one session."""
    network(t)
    original = t.file("a.bin", SIZE)
    rx = receiver(t)
    senders = [sender(t, "a", f"{i}/2", original) for i in range(2)]
    check_whole(t, rx, original)
    for s in senders:
        s.ends_with(0)
    equal((rx.json["sessions"], rx.json["counters"]["fdt_bad"]), (1, 0), "sessions, bad tables")


def test_a_stripe_that_starts_late_is_waited_for(t: Test) -> None:
    network(t)
    original = t.file("a.bin", SIZE)
    rx = receiver(t)
    sender(t, "b", "1/2", original, rate="500Mbit/s").ends_with(0)
    time.sleep(1.5)  # a closed session ends after one second
    check(rx.running, "the receiver did not wait for the other stripe")
    late = sender(t, "a", "0/2", original)
    check_whole(t, rx, original)
    late.ends_with(0)


def check_killed(t: Test, rx: Process, victim: Process) -> None:
    """Kills the sender once some of its symbols have been placed."""
    poll_until(lambda: os.path.isdir(t.path("in")) and os.listdir(t.path("in")), 20, "the file's first symbol")
    victim.signal(signal.SIGKILL)
    victim.wait()
    check(rx.running, "the receiver has ended already")


@exclusive
def test_a_dead_stripe_leaves_gaps_that_the_other_host_fills(t: Test) -> None:
    network(t)
    original = t.file("a.bin", SIZE)
    rx = receiver(t)
    dead = sender(t, "b", "1/2", original, rate="20Mbit/s")
    alive = sender(t, "a", "0/2", original)
    check_killed(t, rx, dead)
    alive.ends_with(0)
    result = rx.ends_with(3).json
    equal((result["ended"], result["stripes"], result["stripes_closed"]), ("timeout", 2, 1), "the end")
    check("1 of 2 stripes did not end" in rx.err, rx.err)
    with open(result["gaps"], encoding="utf-8") as f:
        missing = json.load(f)["files"][0]["missing"]
    run = 1024 * 1440
    check(all(a // run % 2 == 1 and b <= a // run * run + run for a, b in missing), f"not stripe 1's: {missing}")
    rx = receiver(t, "--resume")
    repair = t.send("--port", "af_packet:va0", "--to", ADDRESS, "--no-huge", "--rate", "200Mbit/s", "--gaps",
                    result["gaps"], original, ns="a")
    check_whole(t, rx, original)
    equal(repair.ends_with(0).json["payload_bytes"], sum(b - a for a, b in missing), "bytes of the repair")


@exclusive
def test_a_later_pass_of_another_host_heals_a_dead_stripe(t: Test) -> None:
    network(t)
    original = t.file("a.bin", SIZE)
    rx = receiver(t)
    dead = sender(t, "b", "1/2", original, rate="20Mbit/s")
    alive = sender(t, "a", "0/2", "--loop", "2", original)
    check_killed(t, rx, dead)
    check_whole(t, rx, original)
    equal(alive.ends_with(0).json["payload_bytes"], SIZE, "bytes of two passes: each another half")


def mpirun(t: Test, *args: str, options: tuple[str, ...] = (), rate: str = "200Mbit/s") -> Process:
    """Starts `pagewire send` with these arguments in namespaces a and b. The files rank0 and rank1 have their process
    IDs."""
    t.env["OMPI_MCA_oob_tcp_if_include"] = "lo"  # it looks at other interfaces otherwise
    names = {"0": t.namespaces["a"], "1": t.namespaces["b"]}
    cases = " ".join(f"{rank}) ns={name};;" for rank, name in names.items())
    script = (f"case $OMPI_COMM_WORLD_RANK in {cases} esac; echo $$ >{t.dir}/rank$OMPI_COMM_WORLD_RANK; "
              'exec ip netns exec $ns "$@"')
    return t.spawn("mpirun", "-n", "2", "--allow-run-as-root", "--oversubscribe", "--bind-to", "none", *options,
                   "sh", "-c", script, "sh",
                   t.binary, "send", *args, "--port", "af_packet:va0", "--to", ADDRESS, "--no-huge", "--rate",
                   rate, "--stripe", "auto")


def test_mpirun_starts_the_stripes(t: Test) -> None:
    t.need_tool("mpirun")
    network(t)
    original = t.file("a.bin", SIZE)
    rx = receiver(t)
    job = mpirun(t, original)
    check_whole(t, rx, original)
    job.ends_with(0)
    for stripe in ("stripe 0/2", "stripe 1/2"):
        check(stripe in job.out, f"no {stripe}:\n{job.out}")


def test_stripes_that_could_not_be_recognized_are_refused(t: Test) -> None:
    original = t.file("a.bin", 1000)
    for args, words in ((("--stripe", "0/2"), ("--tsi",)), (("--stripe", "2/2", "--tsi", "1"), ("I from 0",)),
                        (("--stripe", "auto"), ("mpirun", "srun", "I/N")),
                        (("--stripe", "0/2", "--tsi", "1", "--digest", "none"), ("--digest",))):
        p = t.run("send", "--port", "null", "--to", "239.77.0.1", "--no-huge", *args, original).ends_with(2)
        for word in words:
            check(word in p.err, f"no {word!r} for {args}: {p.err}")
