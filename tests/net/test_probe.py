# SPDX-License-Identifier: BSD-3-Clause
"""`doctor --to`: a probe says what the path takes. The receivers are those that wait for a file; they report, and go on
waiting.

The network is that of test_way_back.py, and the limits are those of test_rate.py."""
from __future__ import annotations

import os
import signal
import time
from typing import Any

from harness import Process, Test, check, equal, poll_until
from test_rate import limit
from test_way_back import GROUP, check_all_whole, receive, star, transmit

ALONE = True  # these tests measure rates


def probe(t: Test, *args: str, to: str = GROUP) -> Process:
    p = t.start("doctor", "--port", "af_packet:br0", "--to", to, "--no-huge", "--json", *args, ns="a")
    p.wait(40)
    return p


def end(rx: Process) -> None:
    """Of a receiver that still waits for a file."""
    rx.signal(signal.SIGINT)
    rx.ends_with(3, 20)
    equal(rx.json["files"], [], "files")


def found(p: Process) -> dict[str, Any]:
    result: dict[str, Any] = p.json["probe"]
    return result


def path_check(p: Process) -> dict[str, Any]:
    (result,) = [c for c in p.json["checks"] if c["id"] == "path.rate"]
    return result


def check_found(p: Process, low: float, high: float, receivers: int, bound: str) -> None:
    """A sender whose CPU others use may be the bound, which is said."""
    check(found(p)["bps"] < high * 1e6, f"{path_check(p)}")
    equal(found(p)["receivers"], receivers, "receivers that answered")
    if found(p)["bound"] != "sender":
        check(low * 1e6 < found(p)["bps"], f"{path_check(p)}")
        equal((found(p)["bound"], found(p)["receiver"]), ("link", bound), "what bounds it")
    check(found(p)["rate"] in path_check(p)["what"], path_check(p)["what"])
    check(found(p)["seconds"] < 20, f"{found(p)}")


def check_link(t: Test, mbit: int) -> None:
    """The probe's rate, and then a file at this rate, to the same receiver."""
    (key,) = star(t, [0])
    limit(t, key, mbit)
    original = t.file("a.bin", 2000001)
    rx = receive(t, key)
    p = probe(t)
    p.ends_with(0)
    check_found(p, 0.6 * mbit, 1.02 * mbit, 1, "10.77.0.2")
    equal(path_check(p)["level"], "ok", path_check(p)["what"])
    check(found(p)["lost"] <= 0.0001 * found(p)["packets"] + 1, f"{found(p)}")
    equal(os.listdir(t.path(key)), [], "files that the probe made")
    tx = transmit(t, original, rate=found(p)["rate"])
    check_all_whole(t, tx, {key: rx}, original)
    equal(rx.json["counters"]["malformed"], 0, "malformed")
    check(rx.json["counters"]["alc_verdicts"]["probe"] > 1000, f"{rx.json['counters']}")
    check(rx.json["loss"] < 0.01, f"loss of the file: {rx.json['loss']}")


def test_a_probe_finds_what_a_fast_link_takes(t: Test) -> None:
    check_link(t, 200)


def test_a_probe_finds_what_a_slow_link_takes(t: Test) -> None:
    check_link(t, 30)


def test_the_slowest_of_two_receivers_bounds_a_probe(t: Test) -> None:
    keys = star(t, [0, 0])
    limit(t, keys[0], 300)
    limit(t, keys[1], 60)
    receivers = [receive(t, key) for key in keys]
    p = probe(t)
    p.ends_with(0)
    for rx in receivers:
        end(rx)
    check_found(p, 36, 62, 2, "10.77.0.3")


def test_loss_that_is_not_the_rates_is_said(t: Test) -> None:
    (key,) = star(t, [20])
    limit(t, key, 100)
    rx = receive(t, key)
    p = probe(t)
    p.ends_with(0)
    end(rx)
    equal(path_check(p)["level"], "warn", path_check(p)["what"])
    check("--repair" in path_check(p)["fix"], path_check(p)["fix"])


def test_nobody_answers_a_probe(t: Test) -> None:
    """A receiver without --repair does not answer, and is none the worse for the probe."""
    (key,) = star(t, [0])
    original = t.file("a.bin", 100000)
    rx = t.start("recv", "--listen", GROUP, "--interface", "e0", "--out", t.mkdir(key), "--json", ns=key)
    poll_until(lambda: "listening" in rx.err or not rx.running, 20, "the receiver's socket")
    start = time.monotonic()
    p = probe(t)
    p.ends_with(77)
    check(time.monotonic() - start < 10, "it took too long")
    equal(path_check(p)["level"], "fail", "level")
    check("nobody answered" in path_check(p)["what"], path_check(p)["what"])
    check(f"pagewire recv --listen {GROUP} --out DIR --repair" in path_check(p)["fix"],
          path_check(p)["fix"])
    check(found(p)["bytes"] < 1000000, f"a trickle until somebody answers: {found(p)}")
    t.send("--port", "af_packet:br0", "--to", GROUP, "--no-huge", "--rate", "100M", original,
           ns="a").ends_with(0, 20)
    rx.ends_with(0, 20)


def test_a_probe_does_not_keep_a_receiver_from_its_end(t: Test) -> None:
    (key,) = star(t, [0])
    rx = t.start("recv", "--listen", GROUP, "--interface", "e0", "--out", t.mkdir(key), "--repair",
                 "--timeout", "2s", "--json", ns=key)
    poll_until(lambda: "listening" in rx.err or not rx.running, 20, "the receiver's socket")
    start = time.monotonic()
    p = t.start("doctor", "--port", "af_packet:br0", "--to", GROUP, "--no-huge", "--json", ns="a")
    rx.ends_with(3, 20)
    check(time.monotonic() - start < 4, "the probe kept it")
    equal(rx.json["ended"], "timeout", "its end")
    equal(rx.json["files"], [], "files")
    p.wait(40)


def test_a_probe_without_a_port_is_refused(t: Test) -> None:
    t.run("doctor", "--to", GROUP).ends_with(2)
    t.run("doctor", "--port", "null", "--to", GROUP, "--fix").ends_with(2)
    t.run("doctor", "--port", "null", "--from", "10.0.0.1").ends_with(2)
    p = t.run("doctor", "--port", "null", "--to", "nonsense:x:y")
    p.ends_with(2)
    check("--to" in p.err, p.err)
    p = t.run("doctor", "--port", "udp:lo", "--to", "127.0.0.1", "--no-huge").ends_with(2)
    check("cannot probe the path through udp:lo" in p.err and "use af_packet:lo" in p.err, p.err)
