# SPDX-License-Identifier: BSD-3-Clause
"""The reports of a receiver: each cause once, with its fix; loss on the path and missing bytes separately."""
from __future__ import annotations

import os
import re
import signal
import time

import flute
from harness import Test, check, equal, exclusive
from session import Listener, entry, states

CONCURRENT = True  # these tests need no CPU of their own and no huge pages (run.py)

SIZE = 100500  # 101 symbols; the last one is short
N = 101


def sentences(text: str, word: str) -> list[str]:
    return [line for line in text.splitlines() if word in line]


@exclusive
def test_frames_longer_than_the_mtu_arrive_or_are_reported(t: Test) -> None:
    """A sender with --mtu 9000 and a receiver without, over the virtual wire."""
    original, sock = t.file("a.bin", 2000001), t.path("w.sock")
    tx = t.send("--port", f"vhost:{sock}", "--to", "239.77.0.1", "--no-huge", "--mtu", "9000", "--lead",
                "500ms", "--rate", "500Mbit/s", original)
    rx = t.start("recv", "--port", f"virtio-user:{sock}", "--no-huge", "--out", t.mkdir("in"), "--timeout",
                 "2s", "--core", t.session.cpus[1])
    rx.wait(30)
    tx.wait(30)
    if rx.code == 0:
        t.same(original, t.path("in", "a.bin"))
        return
    equal(rx.code, 3, "exit code")
    told = sentences(rx.err, "raise --mtu")
    equal(len(told), 1, f"sentences in {rx.err}")
    check(re.search(r"[1-9]\d* frames were longer than 1500 bytes", told[0]) is not None, told[0])


def test_loss_on_the_path_is_reported_even_if_a_later_pass_filled_it(t: Test) -> None:
    data = os.urandom(SIZE)
    for as_text in (False, True):
        r = Listener(t, out=f"in{as_text}", as_text=as_text)
        s = r.sender()
        s.table([entry("a.bin", 1, data)])
        time.sleep(0.15)
        s.data(1, data, lost=range(10, 40))
        time.sleep(0.1)
        s.data(1, data)
        time.sleep(0.1)
        s.close()
        want = 30 / (2 * N)
        if as_text:
            out = r.end_text(0)
            found = re.search(r"loss on the path ([\d.]+) %", out)
            check(found is not None and 0.5 * want < float(found[1]) / 100 < 2 * want, out)
            check("missing" not in out, out)
        else:
            result = r.end(0)
            check(0.5 * want < result["loss"] < 2 * want, f"loss {result['loss']}, wanted {want}")
            equal(result["bytes_missing"], 0, "bytes_missing")
        r.holds("a.bin", data)


def test_a_session_without_loss_reports_none(t: Test) -> None:
    data = os.urandom(SIZE)
    for passes in (1, 3):
        r = Listener(t, out=f"in{passes}")
        s = r.sender()
        for _ in range(passes):
            s.table([entry("a.bin", 1, data)])
            s.data(1, data)
        time.sleep(0.1)
        s.close()
        equal(r.end(0)["loss"], 0.0, f"loss in {passes} passes")


def test_missing_bytes_are_reported_without_rounding_to_zero(t: Test) -> None:
    data = os.urandom(9 << 20)  # 9.00 MiB of 9.00 MiB, when rounded
    r = Listener(t, as_text=True)
    s = r.sender()
    s.table([entry("a.bin", 1, data, symbol=8192, block=4096)], complete=True)
    s.data(1, data, lost=[700], symbol=8192, block=4096)
    time.sleep(0.1)
    s.close()
    out = r.end_text(3)
    check("missing at the end: 8192 bytes" in out, out)
    check(any(line.startswith("part  a.bin") and "8192 bytes missing" in line
              for line in out.splitlines()), out)
    found = re.search(r"loss on the path ([\d.]+) %", out)
    check(found is not None and 0.0 < float(found[1]) < 0.5, out)


def test_a_file_without_any_packet_is_reported_as_missing(t: Test) -> None:
    data = os.urandom(SIZE)
    r = Listener(t)
    s = r.sender()
    s.table([entry("a.bin", 1, data), entry("never.bin", 2, data)], complete=True)
    s.data(1, data, lost=[N - 1])
    time.sleep(0.1)
    s.close()
    result = r.end(3)
    equal(result["bytes_missing"], SIZE + 500, "bytes_missing")
    equal({f["name"]: f["missing"] for f in r.manifest()["files"]},
          {"a.bin": [[SIZE - 500, SIZE]], "never.bin": [[0, SIZE]]}, "the manifest")


def test_an_overflow_of_the_socket_is_reported_with_a_rate_that_fits(t: Test) -> None:
    """The receiver is stopped while packets for three times its buffer come."""
    data = os.urandom(3000 * 1000)
    for as_text in (True, False):
        r = Listener(t, "--rcvbuf", "128KiB", out=f"in{as_text}", as_text=as_text)
        s = r.sender()
        s.table([entry("a.bin", 1, data, block=4096)], complete=True)
        s.data(1, data, slice(0, 50), block=4096)
        time.sleep(0.2)
        r.process.signal(signal.SIGSTOP)
        s.data(1, data, slice(50, None), block=4096)
        r.process.signal(signal.SIGCONT)
        time.sleep(0.2)
        s.close()
        if as_text:
            out = r.end_text(3)
            told = sentences(r.err, "socket's buffer was full")
            equal(len(told), 1, f"sentences in {r.err}")
            for word in ("--rate", "--rcvbuf", "bit/s"):
                check(word in told[0], f"no {word} in {told[0]}")
            check("missing at the end" in out, out)
        else:
            result = r.end(3)
            missed = result["port_counters"]["missed"]
            check(missed > 1000, f"missed {missed}")
            equal(result["bytes_missing"] // 1000, 3000 - result["counters"]["symbols"], "symbols missing")


def test_a_file_without_a_digest_is_unverified(t: Test) -> None:
    data = os.urandom(SIZE)
    for args, code in (((), 0), (("--require-digest",), 3)):
        for as_text in (False, True):
            r = Listener(t, *args, out=f"in{code}{as_text}", as_text=as_text)
            s = r.sender()
            s.table([entry("sure.bin", 1, data), entry("plain.bin", 2, data, digest=False)],
                    complete=True)
            s.data(1, data)
            s.data(2, data)
            time.sleep(0.1)
            s.close()
            if as_text:
                out = r.end_text(code)
                equal([line.split()[:2] for line in out.splitlines() if "plain.bin" in line],
                      [["unverified", "plain.bin"]], f"its line in {out}")
                check("ok  sure.bin" in out and "2 of 2 files (1 unverified)" in out, out)
                equal(len(sentences(r.err, "--require-digest")), int(code == 3), f"sentences in {r.err}")
            else:
                result = r.end(code)
                equal(states(result), {"sure.bin": ["complete"], "plain.bin": ["unverified"]}, "states")
                equal((result["files_good"], result["files_unverified"]), (2, 1), "counts")
            r.holds("plain.bin", data)


def test_require_digest_accepts_files_with_a_digest(t: Test) -> None:
    data = os.urandom(SIZE)
    r = Listener(t, "--require-digest")
    r.sender().whole("a.bin", data)
    equal(r.end(0)["files_unverified"], 0, "files_unverified")


def test_each_reason_for_receiving_nothing_is_reported(t: Test) -> None:
    data = os.urandom(SIZE)
    cases: dict[str, list[bytes]] = {
        "no packet came": [], "file table (FDT)": flute.data_packets(1, data),
        "not FLUTE": [b"hello"] * 5, "cannot be used": flute.fdt_packets(b"<html/>")}
    for i, (words, packets) in enumerate(cases.items()):
        r = Listener(t, out=f"in{i}", as_text=True, timeout="300ms")
        r.sender().send(packets)
        out = r.end_text(3)
        check(len(sentences(r.err, words)) == 1, f"{words!r}: {r.err}")
        check("received 0 of 0 files" in out, out)


def test_packets_that_contradict_the_table_are_reported(t: Test) -> None:
    data = os.urandom(SIZE)
    r = Listener(t, as_text=True)
    s = r.sender()
    s.table([entry("a.bin", 1, data)], complete=True)
    time.sleep(0.15)
    s.send(flute.packet(1, 0, 0, b"x" * 1400) for _ in range(3))
    s.data(1, data)
    s.close()
    r.end_text(0)
    told = sentences(r.err, "contradict")
    check(len(told) == 1 and "3 packets" in told[0], r.err)


def test_more_than_five_ignored_sessions_are_summed_up(t: Test) -> None:
    data = os.urandom(SIZE)
    r = Listener(t, as_text=True)
    r.sender().send(flute.packet(1, 0, 0, b"x", tsi=100 + i) for i in range(10))
    r.sender(7).whole("a.bin", data)
    r.end_text(0)
    told = sentences(r.err, "ignored")
    equal(len(told), 6, f"sentences in {r.err}")
    check("5 more sessions" in told[-1], told[-1])


def test_a_signal_in_the_first_pass_of_a_carousel_is_reported(t: Test) -> None:
    file = t.file("a.bin", 2000000)
    for number, name in ((signal.SIGINT, "SIGINT"), (signal.SIGTERM, "SIGTERM")):
        p = t.start("send", file, "--port", "null", "--to", "239.77.0.1", "--no-huge", "--loop", "0",
                    "--rate", "1Mbit/s", "--lead", "0s")
        time.sleep(1)
        check(p.running, p.describe())
        p.signal(number)
        p.ends_with(3, 10)
        check("interrupt" in (p.out + p.err).lower() or name in p.out + p.err, p.describe())


def test_a_link_local_address_may_name_its_zone(t: Test) -> None:
    t.veth()
    found = re.findall(r"fe80::[0-9a-f:]+", t.tool("ip", "-6", "-o", "addr", "show", "dev", "va0", ns="a"))[0]
    rx = t.start("recv", "--listen", f"[{found}%va0]:4001", "--out", t.mkdir("in"), "--timeout", "300ms",
                 ns="a")
    rx.ends_with(3)
    check("listening on" in rx.err and "%va0" in rx.err, rx.err)
    for zone in ("%none", "%"):
        bad = t.run("recv", "--listen", f"[{found}{zone}]:4001", "--out", t.path("in"), ns="a")
        equal((bad.code, len(sentences(bad.err, "--listen"))), (2, 1), f"code, sentences in {bad.err}")
