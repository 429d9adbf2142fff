# SPDX-License-Identifier: BSD-3-Clause
"""Two hosts send one file together, and repair it (--stripe with --repair) or sign it (--sign).

The network is that of test_stripes.py; nftables drops packets at the receiver at random."""
from __future__ import annotations

import os
import signal
import time

from harness import Process, Test, check, equal, exclusive, poll_until
from session import Listener, Sender, capture
from test_stripes import SIZE, check_whole, mpirun, network, receiver, sender
from test_trust import changed, keys
from test_way_back import drop

CONCURRENT = True  # these tests need no huge pages, and CPU time only where they are marked (run.py)


def is_past_the_first_bytes(t: Test, rx: Process) -> None:
    poll_until(lambda: any(n.endswith(".part") for n in os.listdir(t.path("in"))) or not rx.running, 20,
               "the file's first symbol")


def kill(victim: Process) -> None:
    victim.signal(signal.SIGKILL)
    victim.wait()


def states(tx: Process) -> list[tuple[str, str]]:
    return [(r["address"], r["state"]) for r in tx.json["repair"]["receivers"]]


def test_two_stripes_repair_what_is_lost(t: Test) -> None:
    t.need_tool("nft")
    network(t)
    files = [t.file("large.bin", SIZE), t.file("one.bin", 1000), t.file("two.bin", 100000)]
    drop(t, "r", 50)
    rx = receiver(t, "--repair")
    senders = [sender(t, ns, f"{i}/2", "--repair", *files) for i, ns in enumerate("ab")]
    check_whole(t, rx, *files)
    repaired = []
    for i, s in enumerate(senders):
        equal(states(s.ends_with(0, 60)), [(f"10.77.{i + 1}.2", "whole")], "the table")
        repaired.append(s.json["repair"]["bytes"])
        check(s.json["payload_bytes"] > SIZE * 0.45, f"the share of the pass: {s.out}")
    # 5 % of 20 MB, and 5 % of that again: each host sends about half of it, and nothing twice
    check(min(repaired) > 0.2 * sum(repaired), f"the shares: {repaired}")
    check(0.03 * SIZE < sum(repaired) < 0.08 * SIZE, f"bytes sent again: {repaired}")
    equal(rx.json["counters"]["duplicates"], 0, "symbols that came twice")


def test_many_small_files_are_repaired_by_both(t: Test) -> None:
    """130 files, in tables of 64, 64 and 2, some of which are lost."""
    t.need_tool("nft")
    network(t)
    for i in range(130):
        t.file(f"d/{i:03}.bin", 3000 + 100 * i)
    drop(t, "r", 150)
    rx = receiver(t, "--repair")
    senders = [sender(t, ns, f"{i}/2", "--repair", t.path("d")) for i, ns in enumerate("ab")]
    rx.ends_with(0, 60)
    t.same_tree(t.path("d"), t.path("in", "d"))
    for s in senders:
        s.ends_with(0, 60)
        check(s.json["repair"]["bytes"] > 0, f"{s.json['repair']}")


def test_stripes_repair_what_parity_could_not(t: Test) -> None:
    t.need_tool("nft")
    network(t)
    original = t.file("a.bin", SIZE)
    drop(t, "r", 120)
    rx = receiver(t, "--repair")
    senders = [sender(t, ns, f"{i}/2", "--repair", "--fec", "100+10", original) for i, ns in enumerate("ab")]
    check_whole(t, rx, original)
    for s in senders:
        s.ends_with(0, 60)
        check(s.json["parity_packets"] > 500 and s.json["repair"]["bytes"] > 0, f"{s.out}")
    check(rx.json["counters"]["restored"] > 100, f"{rx.json['counters']}")


def check_repaired(t: Test, rx: Process, dead: Process, alive: Process, original: str) -> None:
    is_past_the_first_bytes(t, rx)
    time.sleep(0.3)
    kill(dead)
    check(rx.running, "the receiver has ended already")
    rx.ends_with(0, 60)
    t.same(original, t.path("in", os.path.basename(original)))
    alive.ends_with(0, 60)
    equal([state for _, state in states(alive)], ["whole"], "the table")
    check(alive.json["repair"]["bytes"] > 0.3 * SIZE, f"what the dead one did not send: {alive.json['repair']}")


@exclusive
def test_a_stripe_that_dies_is_repaired_by_the_other(t: Test) -> None:
    """Stripe 1 is slow, so that it has most of its share to send when it is killed."""
    network(t)
    original = t.file("a.bin", SIZE)
    rx = receiver(t, "--repair")
    dead = sender(t, "b", "1/2", "--repair", original, rate="20Mbit/s")
    alive = sender(t, "a", "0/2", "--repair", original)
    check_repaired(t, rx, dead, alive, original)


@exclusive
def test_the_stripe_that_had_the_digests_dies_and_its_files_are_still_verified(t: Test) -> None:
    t.need_tool("nft")
    network(t)
    original = t.file("a.bin", SIZE)
    drop(t, "r", 20)
    rx = receiver(t, "--repair")
    dead = sender(t, "a", "0/2", "--repair", original, rate="20Mbit/s")
    alive = sender(t, "b", "1/2", "--repair", original)
    check_repaired(t, rx, dead, alive, original)
    equal([f["state"] for f in rx.json["files"]], ["complete"], "states")
    check("stripe 0/2" in rx.err and "does not answer" in rx.err, rx.err)


@exclusive
def test_a_stripe_that_dies_while_it_repairs_is_replaced(t: Test) -> None:
    t.need_tool("nft")
    network(t)
    original = t.file("a.bin", SIZE)
    drop(t, "r", 300)
    rx = receiver(t, "--repair")
    dead, alive = (sender(t, ns, f"{i}/2", "--repair", original, rate="60Mbit/s") for i, ns in enumerate("ab"))
    time.sleep(2.2)  # the pass takes 1.4 s
    kill(dead)
    rx.ends_with(0, 60)
    t.same(original, t.path("in", "a.bin"))
    alive.ends_with(0, 60)


@exclusive
def test_a_stripe_that_starts_late_is_waited_for_before_others_repair(t: Test) -> None:
    network(t)
    original = t.file("a.bin", SIZE)
    rx = receiver(t, "--repair")
    first = sender(t, "b", "1/2", "--repair", original, rate="500Mbit/s")
    poll_until(lambda: "stripe 1/2 repairs" in rx.err, 20, "the first stripe")
    time.sleep(3.0)  # without a symbol
    late = sender(t, "a", "0/2", "--repair", original)
    check_whole(t, rx, original)
    for s in (first, late):
        s.ends_with(0, 60)
        equal(s.json["repair"]["bytes"], 0, "bytes of a repair")


@exclusive
def test_a_stripe_that_never_starts_is_replaced(t: Test) -> None:
    network(t)
    original = t.file("a.bin", 3000001)
    rx = receiver(t, "--repair", "--timeout", "30s")
    only = sender(t, "b", "1/2", "--repair", original)
    check_whole(t, rx, original)
    only.ends_with(0, 60)


def test_mpirun_starts_stripes_that_repair_and_sign(t: Test) -> None:
    t.need_tool("mpirun")
    t.need_tool("nft")
    network(t)
    trusted = keys(t, "mine")
    original = t.file("a.bin", SIZE)
    drop(t, "r", 20)
    rx = receiver(t, "--repair", "--trust", trusted)
    job = mpirun(t, original, "--repair", "--sign", t.path("mine.key"))
    rx.ends_with(0, 60)
    t.same(original, t.path("in", "a.bin"))
    job.ends_with(0, 60)
    for stripe in ("stripe 0/2", "stripe 1/2"):
        check(stripe in job.out, f"no {stripe}:\n{job.out}")
    equal(job.out.count("repair: 1 of 1 receivers have every file"), 2, f"tables of receivers:\n{job.out}")


@exclusive
def test_a_stripe_of_mpirun_that_is_killed_is_repaired_by_the_other(t: Test) -> None:
    """Without --enable-recovery mpirun ends all when one is killed."""
    t.need_tool("mpirun")
    network(t)
    original = t.file("a.bin", SIZE)
    rx = receiver(t, "--repair")
    job = mpirun(t, original, "--repair", options=("--enable-recovery",), rate="40Mbit/s")
    is_past_the_first_bytes(t, rx)
    time.sleep(0.3)
    with open(t.path("rank1"), encoding="ascii") as f:
        os.kill(int(f.read()), signal.SIGKILL)
    check_whole(t, rx, original)
    job.wait(60)
    equal(job.out.count("repair: 1 of 1 receivers have every file"), 1, f"the table of the living one:\n{job.out}")


def test_signed_stripes_of_one_key_arrive(t: Test) -> None:
    network(t)
    trusted = keys(t, "mine")
    original = t.file("a.bin", SIZE)
    rx = receiver(t, "--trust", trusted)
    senders = [sender(t, ns, f"{i}/2", "--sign", t.path("mine.key"), original) for i, ns in enumerate("ab")]
    check_whole(t, rx, original)
    for s in senders:
        s.ends_with(0)
    counters = rx.json["counters"]
    equal([counters[f"fdt_{why}"] for why in ("unsigned", "forged", "stale", "expired")], [0] * 4, "refusals")
    equal((rx.json["stripes"], rx.json["stripes_closed"]), (2, 2), "stripes")


def test_a_stripe_without_the_key_takes_no_part(t: Test) -> None:
    """It claims the same share, with other content of the same length."""
    network(t)
    trusted = keys(t, "mine", "forger")
    original = t.file("a.bin", SIZE)
    forged = t.file("forged/a.bin", SIZE)
    rx = receiver(t, "--trust", trusted)
    bad = sender(t, "b", "1/2", "--sign", t.path("forger.key"), forged)
    poll_until(lambda: "not by a key of --trust" in rx.err, 20, "the forged table")
    true = sender(t, "a", "0/2", "--sign", t.path("mine.key"), "--loop", "2", original)
    check_whole(t, rx, original)
    bad.ends_with(0)
    true.ends_with(0)
    check(rx.json["counters"]["fdt_forged"] > 0, f"{rx.json['counters']}")
    equal(rx.json["stripes_closed"], 1, "stripes that were closed")


class Stripes:
    """A receiver with --trust, and recorded sessions of two stripes, each from an address of its own."""

    def __init__(self, t: Test, trusted: str, *args: str, tsi: int) -> None:
        self.r = Listener(t, "--trust", trusted, *args, timeout="3s")
        self.senders: list[Sender] = [self.r.sender(tsi, f"127.0.0.{i + 2}") for i in range(2)]

    def send(self, sessions: list[list[bytes]]) -> None:
        for s, packets in zip(self.senders, sessions, strict=True):
            s.send(packets)


def record(t: Test, original: str, tsi: str) -> list[list[bytes]]:
    return [capture(t, original, "--sign", t.path("mine.key"), "--stripe", f"{i}/2", "--tsi", tsi)[0]
            for i in range(2)]


def test_recorded_stripes_are_refused_once_newer_ones_or_all_of_them_came(t: Test) -> None:
    trusted = keys(t, "mine")
    old = record(t, t.file("a.bin", 4000001), "7")
    new = record(t, t.file("a.bin", 5000001), "8")
    first = Stripes(t, trusted, tsi=8)
    first.send(new)
    equal(first.r.end(0)["files_good"], 1, "files_good")
    for recorded in (old, new):  # each time another process: what it knows is in the state file
        again = Stripes(t, trusted, "--force", tsi=7)
        again.send(recorded)
        result = again.r.end(3)
        check(result["counters"]["fdt_stale"] > 0, f"{result['counters']}")
        equal((result["files"], result["sessions"]), ([], 0), "files and sessions")
    equal(os.path.getsize(t.path("in", "a.bin")), 5000001, "the newer file stays")


def test_a_copy_of_a_stripe_from_elsewhere_is_refused(t: Test) -> None:
    trusted = keys(t, "mine")
    original = t.file("a.bin", 4000001)
    sessions = record(t, original, "7")
    here = Stripes(t, trusted, tsi=7)
    here.senders[1].send(sessions[1][:1])
    poll_until(lambda: os.path.exists(t.path("in", "a.bin.part")), 10, "the table is read")
    copy = here.r.sender(7, "127.0.0.9")
    copy.send([changed(p) for p in sessions[1][1:200]])
    copy.send(sessions[1][:1])
    here.send(sessions)
    result = here.r.end(0)
    check(result["counters"]["fdt_stale"] > 0, f"{result['counters']}")
    equal((result["sessions"], result["stripes"]), (2, 2), "sessions, stripes")
    t.same(original, t.path("in", "a.bin"))


def test_rates_of_stripes_are_given(t: Test) -> None:
    p = t.run("send", "--port", "null", "--to", "239.77.0.1", "--no-huge", "--stripe", "0/2", "--tsi", "1",
              "--repair=192.0.2.1", "--rate", "auto", t.file("a.bin", 1000)).ends_with(2)
    check("--rate auto with --stripe" in p.err, p.err)
