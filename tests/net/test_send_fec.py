# SPDX-License-Identifier: BSD-3-Clause
"""`send --fec`: files with parity arrive whole in one pass, although packets are lost. The packets of a capture are
compared with those of parity.py, which computes parity by itself."""
from __future__ import annotations

import os
import random
import re
import struct
from collections.abc import Callable
from typing import Any

import flute
import parity
from harness import Test, check, equal, exclusive, poll_until
from session import Listener, capture

CONCURRENT = True  # these tests need no CPU of their own and no huge pages (run.py)

Symbols = dict[tuple[int, int, int], bytes]


def parts(payload: bytes) -> tuple[int, int, int, bytes]:
    """TOI, SBN, ESI and bytes of a packet with narrow TSI and TOI, by its codepoint."""
    at = 4 * payload[2]
    toi, = struct.unpack_from("!H", payload, 10)
    word, = struct.unpack_from("!I", payload, at)
    bits = 8 if payload[3] == 5 else 16
    return toi, word >> bits, word & ((1 << bits) - 1), payload[at + 4:]


def symbols_of(payloads: list[bytes]) -> Symbols:
    """The symbols of all files; each must have been sent once."""
    found: Symbols = {}
    for payload in payloads:
        toi, sbn, esi, data = parts(payload)
        if toi:
            equal(payload[3], 5, "the codepoint")
            check((toi, sbn, esi) not in found, f"{(toi, sbn, esi)} was sent twice")
            found[toi, sbn, esi] = data
    return found


def wanted(toi: int, data: bytes, code: str, symbol: int, k: int, r: int) -> Symbols:
    n = max(1, -(-len(data) // symbol))
    block = min(k, n)
    most = block + -(-r * block // k)
    return {(toi, sbn, esi): parts(packet)[3]
            for sbn, esi, packet in parity.packets(toi, data, code, symbol, block, most)}


def deliver(t: Test, payloads: list[bytes], is_lost: Callable[[int, bytes], bool], out: str = "in",
            code: int = 0) -> dict[str, Any]:
    """Gives a receiver the data packets that are not lost, and all tables."""
    r = Listener(t, out=out)
    r.sender().send([p for i, p in enumerate(payloads) if not parts(p)[0] or not is_lost(i, p)])
    return r.end(code)


def test_parity_is_that_of_an_independent_encoder(t: Test) -> None:
    """All three codes; the last symbol is short, or all blocks are full."""
    for code, size in (("rfc", 200 * 41 + 7), ("rizzo", 20 * 200 * 3), ("ypo", 200 * 61)):
        path = t.file(f"{code}.bin", size)
        payloads, report = capture(t, path, "--fec", "20+4", "--fec-code", code, "--symbol", "200")
        with open(path, "rb") as f:
            want = wanted(1, f.read(), code, 200, 20, 4)
        got = symbols_of(payloads)
        equal(sorted(got), sorted(want), f"symbols, {code}")
        for key, data in want.items():
            equal(got[key], data, f"symbol {key}, {code}")
        n = sum(1 for _, sbn, esi in want if esi >= flute.blocks(size, 200, 20)[sbn])
        equal((report["parity_packets"], report["payload_bytes"]), (n, size), "the report")


def test_small_files_have_parity_as_well(t: Test) -> None:
    """One symbol, a few, one block and one symbol more; and an empty file."""
    sizes = {"a": 1, "b": 900, "c": 3000, "d": 20 * 200, "e": 20 * 200 + 1, "empty": 0}
    for name, size in sizes.items():
        t.file(f"d/{name}", size)
    payloads, _ = capture(t, t.path("d"), "--fec", "20+2", "--symbol", "200")
    got = symbols_of(payloads)
    for toi, (name, size) in enumerate(sizes.items(), 1):
        with open(t.path("d", name), "rb") as f:
            want = wanted(toi, f.read(), "rfc", 200, 20, 2)
        equal({k: v for k, v in got.items() if k[0] == toi}, want, name)
        n_blocks = len(flute.blocks(size, 200, 20))
        check(len(want) >= -(-size // 200) + n_blocks, f"{name}: each block has parity")
    # the first source symbol of every block is lost
    result = deliver(t, payloads, lambda _, p: parts(p)[2] == 0)
    t.same_tree(t.path("d"), t.path("in", "d"))
    equal(result["counters"]["restored"], 6, "symbols restored")


def test_one_parity_symbol_restores_one_of_each_block(t: Test) -> None:
    """All three codes; with blocks of two lengths, with blocks of one length, with the longest block, and one block."""
    for code, k, size in (("rfc", 20, 200 * 41 + 7), ("rizzo", 20, 200 * 40), ("ypo", 20, 200 * 61),
                          ("rfc", 254, 200 * 300), ("rizzo", 1, 1000), ("ypo", 20, 1234)):
        name = f"{code}-{k}-{size}"
        path = t.file(f"{name}.bin", size)
        payloads, report = capture(t, path, "--fec", f"{k}+1", "--fec-code", code, "--symbol", "200")
        blocks = {sbn for _, sbn, _ in symbols_of(payloads)}
        equal(report["parity_packets"], len(blocks), f"parity symbols, {name}")
        result = deliver(t, payloads, lambda _, p: parts(p)[2] == 0, out=name)
        t.same(path, t.path(name, f"{name}.bin"))
        equal(result["counters"]["restored"], len(blocks), f"symbols restored, {name}")


def test_one_pass_is_enough_at_one_percent_loss(t: Test) -> None:
    path = t.file("a.bin", 6000001)
    payloads, _ = capture(t, path, "--fec", "50+10")
    dice = random.Random(5510)
    result = deliver(t, payloads, lambda *_: dice.random() < 0.01)
    t.same(path, t.path("in", "a.bin"))
    check(10 < result["counters"]["restored"] < 200, f"{result['counters']}")


def test_a_loss_of_a_thousand_packets_in_a_row_is_restored(t: Test) -> None:
    """Wherever it begins, and with some random loss beside it."""
    path = t.file("a.bin", 2 * 200 * 60 * 600)
    payloads, _ = capture(t, path, "--fec", "60+10", "--symbol", "600")
    for at in (3, 5000, 20000, len(payloads) - 1010):
        dice = random.Random(at)
        result = deliver(t, payloads, lambda i, _, at=at, dice=dice:  # type: ignore[misc]
                         at <= i < at + 1000 or dice.random() < 0.001, out=f"in{at}")
        t.same(path, t.path(f"in{at}", "a.bin"))
        n_lost = sum(1 for p in payloads[at:at + 1000] if parts(p)[0] and parts(p)[2] < 60)
        check(result["counters"]["restored"] >= n_lost, f"{n_lost}, {result['counters']}")


def test_interleave_says_how_many_blocks_go_in_turns(t: Test) -> None:
    path = t.file("a.bin", 40 * 10 * 200)
    payloads, _ = capture(t, path, "--fec", "10+4", "--symbol", "200", "--interleave", "4000B")
    order = [parts(p)[1:3] for p in payloads if parts(p)[0]]
    turns = [(sbn, esi) for first in range(0, 40, 2) for row in range(0, 14, 2)
             for sbn in (first, first + 1) for esi in (row, row + 1)]
    equal(order, turns, "the order of the symbols")


def test_many_files_and_passes(t: Test) -> None:
    """130 files in tables of 64; each pass has all symbols."""
    for i in range(130):
        t.file(f"d/{i:03}.bin", 100 + 130 * i)
    payloads, report = capture(t, t.path("d"), "--fec", "10+2", "--loop", "2", "--symbol", "400")
    n = sum(1 for p in payloads if parts(p)[0])
    equal(n % 2, 0, "two passes")
    equal(report["payload_bytes"], 2 * sum(100 + 130 * i for i in range(130)), "file bytes")
    lost = {parts(p)[:3] for p in payloads if parts(p)[0] and parts(p)[2] == 1}
    result = deliver(t, payloads, lambda _, p: parts(p)[:3] in lost)
    t.same_tree(t.path("d"), t.path("in", "d"))
    check(result["counters"]["restored"] > 100, f"{result['counters']}")


def test_random_loss_on_a_network_is_restored(t: Test) -> None:
    """nftables drops 1 % of the packets at the receiver."""
    t.need_tool("nft")
    t.veth()
    path = t.file("a.bin", 20000001)
    rx = t.start("recv", "--listen", "10.77.0.2:4001", "--out", t.mkdir("in"), "--timeout", "30s",
                 "--json", ns="b")
    poll_until(lambda: "listening" in rx.err or not rx.running, 20, "the receiver's socket")
    t.tool("nft", "add table ip pw; add chain ip pw in { type filter hook input priority 0; }; "
           "add rule ip pw in udp dport 4001 numgen random mod 100 < 1 drop", ns="b")
    tx = t.start("send", path, "--port", "af_packet:va0", "--to", "10.77.0.2:4001", "--no-huge", "--fec",
                 "100+12", "--rate", "300Mbit/s", "--json", ns="a")
    tx.ends_with(0)
    rx.ends_with(0)
    t.same(path, t.path("in", "a.bin"))
    check(rx.json["counters"]["restored"] > 50, f"{rx.json['counters']}")


def streamed(t: Test, name: str, size: int, loss: str, send: list[str], recv: list[str]) -> tuple[Any, Any]:
    """Sends a file through a ring of 16 MiB, over a network on which nftables drops what `loss` says."""
    t.need_tool("nft")
    t.veth()
    path = t.file(name, size)
    rx = t.start("recv", "--listen", "10.77.0.2:4001", "--out", t.mkdir("in"), "--timeout", "30s", "--json",
                 *recv, ns="b")
    poll_until(lambda: "listening" in rx.err or not rx.running, 20, "the receiver's socket")
    t.tool("nft", "add table ip pw; add chain ip pw in { type filter hook input priority 0; }; "
           f"add rule ip pw in udp dport 4001 {loss} drop", ns="b")
    tx = t.start("send", path, "--port", "af_packet:va0", "--to", "10.77.0.2:4001", "--no-huge", "--pages",
                 "stream", "--stream-memory", "16MiB", "--rate", "300Mbit/s", "--json", *send, ns="a")
    tx.ends_with(0, 60)
    rx.ends_with(0, 60)
    t.same(path, t.path("in", name))
    equal(tx.json["pages"], "stream", "pages")
    return tx.json, rx.json


def test_a_streamed_file_has_the_same_packets_as_one_in_memory(t: Test) -> None:
    """Where the ring takes the whole band, the order is the same as well; then two passes."""
    path = t.file("a.bin", 200 * 20 * 41 + 7)
    args = [path, "--fec", "20+4", "--symbol", "200"]
    whole, _ = capture(t, *args)
    for passes in (1, 2):
        payloads, report = capture(t, *args, "--pages", "stream", "--loop", str(passes))
        equal(report["pages"], "stream", "pages")
        check([parts(p) for p in payloads if parts(p)[0]] == passes * [parts(p) for p in whole if parts(p)[0]],
              f"the symbols of {passes} passes")


def test_random_loss_of_a_file_larger_than_its_ring_is_restored(t: Test) -> None:
    """1 % of the packets in one pass."""
    tx, rx = streamed(t, "a.bin", 40000001, "numgen random mod 100 < 1", ["--fec", "50+10"], [])
    check(tx["ring_bytes"] <= 16 << 20, f"a ring of {tx['ring_bytes']} bytes")
    check(tx["payload_bytes"] == 40000001 and tx["parity_packets"] > 5000, f"{tx}")
    check(rx["counters"]["restored"] > 100, f"{rx['counters']}")


def test_a_streamed_file_survives_the_burst_that_the_report_names(t: Test) -> None:
    """Wherever it begins, each block can lose so many packets."""
    path = t.file("a.bin", 30000001)
    payloads, report = capture(t, path, "--fec", "50+10", "--pages", "stream", "--stream-memory", "16MiB")
    check(report["ring_bytes"] < 30000001, f"a ring of {report['ring_bytes']} bytes")
    burst = report["band_burst"]
    check(50 < burst < 1000, f"a burst of {burst}")
    for at in (3, 1000, 7777, 12345, len(payloads) - burst - 10):
        result = deliver(t, payloads, lambda i, _, at=at: at <= i < at + burst,  # type: ignore[misc]
                         out=f"in{at}")
        t.same(path, t.path(f"in{at}", "a.bin"))
        counters = result["counters"]
        n_lost = 20834 - counters["symbols"]  # of the file; the rest of the burst is parity
        check(counters["restored"] >= n_lost and (n_lost > 50 or at > 20834), f"at {at}: {n_lost} of {burst}, {counters}")


def test_a_repair_sends_what_streamed_parity_cannot_restore(t: Test) -> None:
    """A tenth of the packets is lost, with a twentieth of parity."""
    tx, rx = streamed(t, "a.bin", 30000001, "numgen random mod 10 < 1", ["--fec", "100+5", "--repair=10.77.0.1"],
                      ["--repair"])
    check(tx["repair"]["bytes"] > 1000000, f"{tx['repair']}")
    # 143 blocks of 100 symbols, 66 of 99, for which RFC 5510 gives 4 parity symbols
    equal(tx["parity_packets"], 143 * 5 + 66 * 4, "parity packets")
    equal(rx["files"][0]["state"], "complete", "the state")


def test_an_interleave_that_the_ring_does_not_take_is_refused(t: Test) -> None:
    path = t.file("a.bin", 20000001)
    stream = ["send", path, "--port", "null", "--to", "239.77.0.1", "--no-huge", "--pages", "stream",
              "--stream-memory", "16MiB", "--fec", "100+12", "--json"]
    p = t.run(*stream, "--interleave", "12MiB").ends_with(1)
    check("two bands of" in p.err, p.err)
    found = re.search(r"raise --stream-memory to (\d+MiB)", p.err)
    check(found, p.err)
    enough = stream + ["--interleave", "12MiB", "--stream-memory", found[1] if found else ""]
    p = t.run(*enough).ends_with(0)
    check("band_bytes" not in p.json and p.json["parity_packets"] > 1000, f"bands as asked for: {p.json}")
    t.run(*stream, "--interleave", "1MiB").ends_with(0)


def test_parity_goes_through_virtual_ports_and_several_queues(t: Test) -> None:
    """vhost to virtio-user, where the receiver sees parity that it does not need; then two lanes."""
    path = t.file("a.bin", 5000001)
    sock = t.path("w.sock")
    tx, rx = t.transfer(f"vhost:{sock}", f"virtio-user:{sock}", [path],
                        send=["--no-huge", "--fec", "100+10", "--rate", "200Mbit/s"],
                        recv=["--no-huge"])
    t.same(path, t.path("in", "a.bin"))
    counters = rx["counters"]  # the file is whole when its parity comes
    equal(counters["parity"] + counters["finished_toi"], tx["parity_packets"], "parity")
    equal(counters["restored"], 0, "symbols restored")
    p = t.run("send", path, "--port", "null", "--to", "239.77.0.1", "--no-huge", "--queues", "2", "--fec",
              "100+10", "--json").ends_with(0)
    equal(p.json["parity_packets"], tx["parity_packets"], "parity by two lanes")


def test_a_gap_manifest_is_answered_without_parity(t: Test) -> None:
    path = t.file("a.bin", 100 * 20 * 200)
    payloads, _ = capture(t, path, "--fec", "20+4", "--symbol", "200")
    deliver(t, payloads, lambda _, p: parts(p)[1] == 7 and parts(p)[2] < 5, code=3)
    again, report = capture(t, path, "--fec", "20+4", "--symbol", "200", "--gaps",
                            t.path("in", "pagewire-gaps.json"))
    equal(sorted(symbols_of(again)), [(1, 7, esi) for esi in range(5)], "symbols sent again")
    equal(report["parity_packets"], 0, "parity")
    r = Listener(t, "--resume")
    r.sender().send(again)
    r.end(0)
    t.same(path, t.path("in", "a.bin"))


def test_what_does_not_go_with_parity_is_refused(t: Test) -> None:
    path = t.file("a.bin", 5000)
    for args, why in ((["--fec", "200"], "give K[+]R"), (["--fec", "200+0"], "at least 1"),
                      (["--fec", "250+6"], "255 at most"), (["--fec", "0+4"], "give K[+]R"),
                      (["--fec", "20+4x"], "give K[+]R"),
                      (["--interleave", "1MiB"], "--interleave without --fec"),
                      (["--fec-code", "rfc"], "--fec-code without --fec"),
                      (["--fec-code", "ypo"], "--fec-code without --fec"),
                      (["--fec", "20+4", "--rate", "auto", "--repair=127.0.0.1"], "--rate auto with --fec")):
        p = t.run("send", path, "--port", "null", "--to", "239.77.0.1", *args).ends_with(2)
        check(re.search(why, p.err), p.err)
    check(os.path.getsize(path) == 5000, "the file is as it was")
    p = t.run("stage", path, "--fec-code", "rizzo").ends_with(2)
    check("--fec-code without --fec" in p.err, p.err)


def test_stripes_send_all_blocks_with_their_parity_once(t: Test) -> None:
    """Each stripe's share is whole blocks. What both lose by chance, parity restores, also with no repair."""
    path = t.file("a.bin", 200 * 20 * 41 + 7)
    small = t.file("b.bin", 700)
    both = [capture(t, path, small, "--fec", "20+4", "--symbol", "200", "--stripe", f"{i}/2", "--tsi", "5")
            for i in range(2)]
    found = symbols_of([p for payloads, _ in both for p in payloads])
    want: Symbols = {}
    for toi, name in ((1, path), (2, small)):
        with open(name, "rb") as f:
            want |= wanted(toi, f.read(), "rfc", 200, 20, 4)
    equal(sorted(found), sorted(want), "symbols of both")
    check(found == want, "bytes of the symbols")
    for payloads, report in both:
        blocks = {parts(p)[:2] for p in payloads if parts(p)[0]}
        check(20 <= len(blocks) <= 22, f"{len(blocks)} blocks of one stripe")
        check(report["parity_packets"] > 0, f"{report}")
    chance = random.Random(1)
    r = Listener(t)
    for i, (payloads, _) in enumerate(both):
        r.sender(5, f"127.0.0.{i + 2}").send(
            [p for p in payloads if parts(p)[0] == 0 or chance.random() > 0.03])
    result = r.end(0)
    check(result["counters"]["restored"] > 10, f"{result['counters']}")
    t.same(path, t.path("in", "a.bin"))
    t.same(small, t.path("in", "b.bin"))


def stage_parity(t: Test, path: str, *args: str) -> str:
    staged = os.path.join(t.hugetlbfs(), os.path.basename(path))
    t.staged += [staged, staged + ".pwfec"]
    t.run("stage", "--to", t.hugetlbfs(), "--force", path, *args).ends_with(0)
    return staged


@exclusive
def test_staged_parity_is_sent_in_place(t: Test) -> None:
    path = t.file("a.bin", 100 * 20 * 200 + 7)
    staged = stage_parity(t, path, "--fec", "20+4", "--fec-code", "ypo", "--symbol", "200")
    payloads, report = capture(t, staged, "--fec", "20+4", "--fec-code", "ypo", "--symbol", "200")
    with open(path, "rb") as f:
        equal(symbols_of(payloads), wanted(1, f.read(), "ypo", 200, 20, 4), "symbols")
    equal((report["pages"], report["cpu_copies_per_byte"]), ("hugefile", 0), "pages, copies")
    deliver(t, payloads, lambda _, p: parts(p)[2] in (0, 7))
    t.same(path, t.path("in", "a.bin"))
    t.run("stage", "--drop", staged, staged + ".pwfec").ends_with(0)  # as by /mnt/huge/*
    check(not os.path.exists(staged + ".pwfec"), "the parity was dropped with its file")


@exclusive
def test_parity_of_other_content_is_refused_where_the_digest_is_known_first(t: Test) -> None:
    path, other = t.file("a.bin", 1 << 20), t.file("other/a.bin", 1 << 20)
    os.utime(other, ns=(os.stat(path).st_atime_ns, os.stat(path).st_mtime_ns))
    staged = stage_parity(t, path, "--fec", "20+4")
    os.rename(staged + ".pwfec", staged + ".kept")
    t.run("stage", "--to", t.hugetlbfs(), "--force", other).ends_with(0)
    os.rename(staged + ".kept", staged + ".pwfec")
    p = t.run("send", staged, "--port", "null", "--to", "239.77.0.1", "--no-huge", "--fec", "20+4").ends_with(1)
    check("other content" in p.err, p.err)


@exclusive
def test_staged_parity_that_does_not_fit_is_refused(t: Test) -> None:
    path = t.file("a.bin", 5 << 20)
    staged = stage_parity(t, path, "--fec", "20+4")
    to = ["--port", "null", "--to", "239.77.0.1", "--no-huge"]

    def refuse(*args: str) -> str:
        p = t.run("send", staged, *to, *args).ends_with(1)
        check("cannot" in p.err and "remove it, or stage the file again" in p.err, p.err)
        return p.err

    t.run("send", staged, *to, "--fec", "20+4").ends_with(0)
    check("are asked for" in refuse("--fec", "20+5"), "other parity")
    check("ypo" in refuse("--fec", "20+4", "--fec-code", "ypo"), "another code")
    check("of 1000" in refuse("--fec", "20+4", "--symbol", "1000"), "other symbols")
    # another file of the same length and time, with the parity of the first
    other = t.file("other/a.bin", 5 << 20)
    os.utime(other, ns=(os.stat(path).st_atime_ns, os.stat(path).st_mtime_ns))
    os.rename(staged + ".pwfec", staged + ".kept")
    t.run("stage", "--to", t.hugetlbfs(), "--force", other).ends_with(0)
    os.rename(staged + ".kept", staged + ".pwfec")
    check("other content" in refuse("--fec", "20+4"), "other content")
    os.utime(staged)
    check("was changed" in refuse("--fec", "20+4"), "another time")
    t.run("send", staged, *to).ends_with(0)
    stage_parity(t, path)  # without --fec: the old parity goes
    check(not os.path.exists(staged + ".pwfec"), "stale parity was removed")
    t.run("stage", "--fec", "20", path).ends_with(2)
