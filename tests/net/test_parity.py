# SPDX-License-Identifier: BSD-3-Clause
"""Files with parity (FEC Encoding ID 5), from senders that are not pagewire: recv restores what is lost."""
import os
import time

import flute
import parity
from harness import check, equal
from session import Listener, entry, sha

CONCURRENT = True  # these tests need no CPU of their own and no huge pages (run.py)

SYMBOL, BLOCK, MOST = 1000, 20, 24
OTI = {"FEC-OTI-FEC-Encoding-ID": 5, "FEC-OTI-Max-Number-of-Encoding-Symbols": MOST}
CODES = ("rfc", "rizzo", "ypo")


def table(name, toi, data):
    return entry(name, toi, data, symbol=SYMBOL, block=BLOCK, **OTI)


def send(sender, toi, data, code, is_lost, **more):
    """Sends the file without the packets that are lost; returns how many source symbols these are."""
    sent, n_lost = [], 0
    for sbn, esi, packet in parity.packets(toi, data, code, SYMBOL, BLOCK, MOST, **more):
        if not is_lost(sbn, esi):
            sent.append(packet)
        elif esi < flute.blocks(len(data), SYMBOL, BLOCK)[sbn]:
            n_lost += 1
    sender.send(sent)
    return n_lost


def test_the_vectors_of_the_three_codes(_):
    """The first parity rows for k = 4 that the deployed senders use."""
    for code, want in (("rfc", "4078360f"), ("rizzo", "7740380e"), ("ypo", "1b1c1214")):
        equal(bytes(parity.row(code, 4, 0)).hex(), want, code)


def test_what_three_kinds_of_senders_lose_is_restored(t):
    """Also bursts, a padded last symbol, and a table without FEC parameters."""
    for i, code in enumerate(CODES):
        r = Listener(t, out=code)
        s = r.sender()
        data = os.urandom(12 * BLOCK * SYMBOL + 345 + i)
        bare = {"Content-Location": "a.bin", "TOI": 1, "pw:Digest": sha(data)}
        s.table([bare if code == "ypo" else table("a.bin", 1, data)], complete=True)
        n_lost = send(s, 1, data, code, lambda sbn, esi: sbn % 3 and esi in (sbn, sbn + 1),
                      pad=code == "rizzo", fti=code == "ypo")
        s.close()
        result = r.end(0)
        r.holds("a.bin", data)
        equal(r.names(), ["a.bin"], "files")
        counters = result["counters"]
        equal(counters["restored"], n_lost, f"symbols restored, {code}")
        equal((counters["out_of_object"], counters["malformed"]), (0, 0), "odd packets")
        n = sum(flute.blocks(len(data), SYMBOL, BLOCK))
        check(abs(result["loss"] - n_lost / n) < 0.001, f"loss {result['loss']}, {n_lost} of {n}")


def test_a_file_of_one_block_is_restored_whatever_the_code(t):
    """It has just enough symbols: nothing but its digest tells the code."""
    r = Listener(t)
    s = r.sender()
    files = {f"{code}.bin": os.urandom(BLOCK * SYMBOL - 1) for code in CODES}
    s.table([table(name, i, data) for i, (name, data) in enumerate(files.items(), 1)], complete=True)
    for i, (name, data) in enumerate(files.items(), 1):
        send(s, i, data, name[:-4], lambda _, esi: esi in (0, 7, 19, 22))
    s.close()
    equal(r.end(0)["counters"]["restored"], 9, "symbols restored")
    for name, data in files.items():
        r.holds(name, data)


def test_the_manifest_asks_for_what_parity_cannot_restore(t):
    data = os.urandom(6 * BLOCK * SYMBOL)
    r = Listener(t)
    s = r.sender()
    s.table([table("a.bin", 1, data)], complete=True)
    send(s, 1, data, "rfc", lambda sbn, esi: esi in ((3, 4, 5, 6, 7) if sbn == 4 else (3, 4)))
    s.close()
    r.end(3)
    equal(r.manifest()["files"][0]["missing"], [[83 * SYMBOL, 88 * SYMBOL]], "missing ranges")

    # One of them comes in the next run, and the parity once more.
    r = Listener(t, "--resume")
    s = r.sender()
    s.table([table("a.bin", 1, data)], complete=True)
    send(s, 1, data, "rfc", lambda sbn, esi: sbn != 4 or esi not in (5, *range(BLOCK, MOST)))
    s.close()
    equal(r.end(0)["counters"]["restored"], 4, "symbols restored")
    r.holds("a.bin", data)


def test_forged_parity_makes_no_file(t):
    """Without a digest that agrees, the file does not get its name. Later passes make it whole."""
    data = os.urandom(BLOCK * SYMBOL)
    r = Listener(t)
    s = r.sender()
    s.table([table("a.bin", 1, data)])
    source = [p for _, esi, p in parity.packets(1, data, "rfc", SYMBOL, BLOCK, MOST) if esi < BLOCK]
    s.send(source[1:])
    s.send([flute.packet(1, 0, BLOCK, os.urandom(SYMBOL), fec=5)])
    r.lacks("a.bin")
    s.send([flute.packet(1, 0, BLOCK + 1, os.urandom(n), fec=5) for n in (1, SYMBOL - 1, SYMBOL + 1, 1400)])
    s.send([flute.packet(1, sbn, esi, bytes(SYMBOL), fec=5) for sbn, esi in ((0, MOST), (0, 255), (1 << 23, 0))])
    s.send([flute.packet(1, 0, 0, bytes(SYMBOL))])  # of another scheme
    s.table([table("a.bin", 1, data)], 1, complete=True)
    s.send(source)
    time.sleep(0.3)  # what came while the receiver still compared digests was dropped
    s.send(source)
    s.close()
    result = r.end(0)
    r.holds("a.bin", data)
    check(result["counters"]["out_of_object"] + result["counters"]["finished_toi"] >= 8, f"{result['counters']}")


def test_a_flood_of_parity_does_not_keep_a_file_from_coming(t):
    """Parity of a thousand blocks of which nothing else comes, and tables with impossible codes."""
    data, vast = os.urandom(3 * BLOCK * SYMBOL), 1000 * BLOCK * SYMBOL
    r = Listener(t)
    s = r.sender()
    lies = [entry(f"lie{i}", 10 + i, data, symbol=SYMBOL, block=block,
                  **{**OTI, "FEC-OTI-Max-Number-of-Encoding-Symbols": most})
            for i, (block, most) in enumerate(((256, 256), (20, 19), (20, 256), (0, 0)))]
    s.table([table("a.bin", 1, data), {**table("vast", 2, data), "Content-Length": vast,
                                       "Transfer-Length": vast}, *lies], complete=True)
    s.send(flute.packet(2, sbn, BLOCK + i, bytes(SYMBOL), fec=5) for sbn in range(1000) for i in range(4))
    n_lost = send(s, 1, data, "rfc", lambda _, esi: esi in (1, 2))
    s.close()
    result = r.end(3)
    r.holds("a.bin", data)
    equal(result["counters"]["restored"], n_lost, "symbols restored")
    states = {f["name"]: f["state"] for f in result["files"]}
    equal([states[f"lie{i}"] for i in range(4)], ["refused"] * 4, "impossible codes")


def test_the_report_says_what_parity_restored(t):
    data = os.urandom(4 * BLOCK * SYMBOL)
    r = Listener(t, as_text=True)
    s = r.sender()
    s.table([table("a.bin", 1, data)], complete=True)
    send(s, 1, data, "rfc", lambda _, esi: esi == 2)
    s.close()
    out = r.end_text(0)
    check("loss on the path 5.00 %, 4 symbols restored from parity" in out, out)
