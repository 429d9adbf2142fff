# SPDX-License-Identifier: BSD-3-Clause
"""Signed sessions (send --sign, recv --trust), and senders that have no key.

A session of `pagewire send` goes to a capture. From there its datagrams are sent to `recv --listen`, as they are,
changed, or once more: an attacker can do no more than that."""
import json
import os
import re
import socket
import subprocess
import time

import flute
from harness import check, equal, poll_until
from session import Listener, Sender, capture, sha, toi_sbn_esi

CONCURRENT = True  # these tests need no CPU of their own and no huge pages (run.py)

SYMBOL = 1440
MIB = 1 << 20


def openssl(*args):
    subprocess.run(["openssl", *args], check=True, capture_output=True, timeout=30)


def keys(t, *names):
    """Makes NAME.key and trusted/NAME.pem for the first name, NAME.key alone for the others."""
    t.need_tool("openssl")
    t.mkdir("trusted")
    for name in names:
        openssl("genpkey", "-algorithm", "ed25519", "-out", t.path(f"{name}.key"))
        os.chmod(t.path(f"{name}.key"), 0o600)
    openssl("pkey", "-in", t.path(f"{names[0]}.key"), "-pubout", "-out",
            t.path("trusted", f"{names[0]}.pem"))
    return t.path("trusted")


def changed(payload):
    return payload[:-1] + bytes([payload[-1] ^ 1])


def replay(t, payloads, *args, code=0):
    """Sends the payloads to a receiver on loopback; returns its report."""
    r = Listener(t, *args, timeout="3s")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        for i, payload in enumerate(payloads):
            s.sendto(payload, ("127.0.0.1", r.port))
            if i % 32 == 31:
                time.sleep(0.002)  # the receiver's socket buffer holds far more
    return r.end(code)


def refused(result, name):
    """Every table was refused for that reason, and nothing was received."""
    counters = result["counters"]
    for other in ("unsigned", "forged", "stale", "expired"):
        check((counters[f"fdt_{other}"] > 0) == (other == name), f"fdt_{other} in {counters}")
    equal((result["files"], result["bytes"], result["sessions"]), ([], 0, 0), "files")


def test_a_signed_session_arrives_and_its_report_names_the_key(t):
    trusted = keys(t, "mine")
    original = t.file("a.bin", 3 * MIB + 1)
    payloads, tx = capture(t, original, "--sign", t.path("mine.key"))
    equal(tx["digest"], "sha-256-tree", "digest")
    check(re.fullmatch("[0-9a-f]{16}", tx["key"]), tx["key"])
    rx = replay(t, payloads, "--trust", trusted)
    equal(rx["files"][0]["state"], "complete", "state")
    check(rx["files"][0]["digest"].startswith("sha-256-tree:"), rx["files"][0]["digest"])
    t.same(original, t.path("in", "a.bin"))
    with open(t.path("in", "pagewire-trust.json"), encoding="utf-8") as f:
        state = json.load(f)
    equal(list(state["keys"]), [tx["key"]], "keys in the state file")


def test_a_signed_session_means_the_same_to_a_receiver_without_keys(t):
    keys(t, "mine")
    original = t.file("a.bin", 3 * MIB + 1)
    payloads, _ = capture(t, original, "--sign", t.path("mine.key"))
    rx = replay(t, payloads)
    equal(rx["files"][0]["state"], "complete", "state")
    equal(sorted(os.listdir(t.path("in"))), ["a.bin"], "the output directory")
    t.same(original, t.path("in", "a.bin"))


def test_a_signed_session_of_several_tables_arrives(t):
    trusted = keys(t, "mine")
    for i in range(150):
        t.file(f"many/{i}", 2000 + i)
    t.file("many/large", 5 * MIB)
    payloads, tx = capture(t, t.path("many"), "--sign", t.path("mine.key"), "--digest", "sha-256")
    equal(tx["digest"], "sha-256", "digest")
    rx = replay(t, payloads, "--trust", trusted)
    equal(rx["files_good"], 151, "files_good")
    t.same_tree(t.path("many"), t.path("in", "many"))


def test_a_session_without_a_key_is_refused(t):
    trusted = keys(t, "mine")
    payloads, tx = capture(t, t.file("a.bin", 100001))
    rx = replay(t, payloads, "--trust", trusted, code=3)
    refused(rx, "unsigned")
    equal(rx["ignored"][0]["tsi"], tx["tsi"], "the ignored session")
    equal(os.listdir(t.path("in")), ["pagewire-trust.json"], "the output directory")


def test_a_session_signed_by_another_key_is_refused(t):
    trusted = keys(t, "mine", "forger")
    payloads, _ = capture(t, t.file("a.bin", 100001), "--sign", t.path("forger.key"))
    refused(replay(t, payloads, "--trust", trusted, code=3), "forged")


def test_a_changed_table_is_refused_and_never_parsed(t):
    trusted = keys(t, "mine")
    payloads, _ = capture(t, t.file("a.bin", 100001), "--sign", t.path("mine.key"))
    forged = [p.replace(b"a.bin", b"b.bin") for p in payloads]
    rx = replay(t, forged, "--trust", trusted, code=3)
    refused(rx, "forged")
    equal(rx["counters"]["fdt_bad"], 0, "tables that were parsed")


def test_a_replayed_session_is_refused_after_a_newer_one_and_after_a_restart(t):
    trusted = keys(t, "mine")
    old, _ = capture(t, t.file("a.bin", 100001), "--sign", t.path("mine.key"))
    new, _ = capture(t, t.file("a.bin", 200001), "--sign", t.path("mine.key"))
    rx = replay(t, new, "--trust", trusted)
    equal(rx["files_good"], 1, "files_good")
    # each is another process: what it knows is in the state file
    refused(replay(t, old, "--trust", trusted, "--force", code=3), "stale")
    refused(replay(t, new, "--trust", trusted, "--force", code=3), "stale")
    equal(os.path.getsize(t.path("in", "a.bin")), 200001, "the newer file stays")


def test_a_copy_of_a_session_from_another_address_is_refused(t):
    trusted = keys(t, "mine")
    original = t.file("a.bin", 100001)
    payloads, _ = capture(t, original, "--sign", t.path("mine.key"))
    r = Listener(t, "--trust", trusted, timeout="5s")
    true = r.sender()
    true.send(payloads[:1])
    poll_until(lambda: os.path.exists(t.path("in", "a.bin.part")), 10, "the table is read")
    copy = r.sender(source="127.0.0.2")
    copy.send([changed(p) for p in payloads if toi_sbn_esi(p)[0]])
    copy.send(p for p in payloads if not toi_sbn_esi(p)[0])
    true.send(payloads)
    result = r.end(0)
    check(result["counters"]["fdt_stale"] > 0, f"{result['counters']}")
    equal(result["sessions"], 1, "sessions")
    t.same(original, t.path("in", "a.bin"))


def sign(t, xml):
    """Signs as docs/wire.md describes it, by other means than pagewire's."""
    key, data, sig = t.path("mine.key"), t.path("table"), t.path("sig")
    with open(data, "wb") as f:
        f.write(xml)
    openssl("pkeyutl", "-sign", "-rawin", "-inkey", key, "-in", data, "-out", sig)
    der = subprocess.run(["openssl", "pkey", "-in", key, "-pubout", "-outform", "DER"], check=True,
                         capture_output=True, timeout=30).stdout
    key_id = sha(der[-32:])[len("sha-256:"):][:16]
    base64 = subprocess.run(["openssl", "base64", "-A", "-in", sig], check=True,
                            capture_output=True, timeout=30).stdout
    return xml + b"<?pagewire-signature ed25519 " + key_id.encode() + b" " + base64 + b"?>"


def table(entry, expires, sequence):
    return flute.fdt_xml([entry], True, attributes=f'pw:Sequence="{sequence}"').replace(
        b'Expires="4294967295"', f'Expires="{expires + 2208988800}"'.encode())


def test_tables_signed_by_openssl_are_taken_until_they_expire(t):
    trusted = keys(t, "mine")
    data = os.urandom(50001)
    entry = flute.file_entry("a.bin", 1, len(data), **{"pw:Digest": sha(data)})
    now = int(time.time())
    r = Listener(t, "--trust", trusted, "--clock-skew", "20s", timeout="3s")
    s: Sender = r.sender()
    s.xml(sign(t, table(entry, now - 30, now * 1000000)), 1)  # recorded, and older than the skew
    s.xml(sign(t, table(entry, now + 60, (now + 60) * 1000000)), 2)  # a clock that is ahead
    s.data(1, data)
    s.xml(sign(t, table(entry, now - 5, now * 1000000)), 3)
    s.data(1, data)
    s.close()
    result = r.end(0)
    equal(result["counters"]["fdt_expired"], 2, "fdt_expired")
    r.holds("a.bin", data)


def with_forged_symbol(payloads, esi):
    """The session with a changed copy of a symbol before the true one."""
    made = []
    for p in payloads:
        if toi_sbn_esi(p) == (1, 0, esi):
            made.append(changed(p))
        made.append(p)
    return made


def test_a_forged_symbol_costs_its_block_which_the_next_pass_brings(t):
    trusted = keys(t, "mine")
    original = t.file("a.bin", 4 * MIB)
    payloads, _ = capture(t, original, "--sign", t.path("mine.key"), "--loop", "2")
    data = [i for i, p in enumerate(payloads) if toi_sbn_esi(p)[0]]
    middle = data[len(data) // 2]
    first = with_forged_symbol(payloads[:middle], 1000)  # in bytes 1440000 to 1441440
    for write in ("mapped", "direct"):
        r = Listener(t, "--trust", trusted, "--write", write, out=write, timeout="5s")
        s = r.sender()
        s.send(first)
        poll_until(lambda r=r: "1 of its 4 blocks is forged" in r.err, 10, "the block is named")
        check("bytes 1048576 to 2097152" in r.err, r.err)
        s.send(payloads[middle:])
        result = r.end(0)
        equal(result["files"][0]["state"], "complete", "state")
        again = result["bytes"] - 4 * MIB
        check(MIB <= again <= MIB + 2 * SYMBOL, f"{again} bytes were taken again")
        t.same(original, t.path(write, "a.bin"))


def test_a_forged_symbol_is_repaired_by_a_signed_repair(t):
    trusted = keys(t, "mine")
    original = t.file("a.bin", 6 * MIB)  # its digest and its blocks come after the symbols
    payloads, _ = capture(t, original, "--sign", t.path("mine.key"))
    rx = replay(t, with_forged_symbol(payloads, 1000), "--trust", trusted, code=3)
    equal(rx["files"][0]["state"], "mismatch", "state")
    check("1 of its 6 blocks is forged" in rx["files"][0]["reason"], rx["files"][0]["reason"])
    check(not os.path.exists(t.path("in", "a.bin")), "a.bin has its name")
    gaps = t.path("in", "pagewire-gaps.json")
    with open(gaps, encoding="utf-8") as f:
        equal(json.load(f)["files"][0]["missing"],
              [[MIB // SYMBOL * SYMBOL, -(-2 * MIB // SYMBOL) * SYMBOL]], "missing ranges")
    repair, tx = capture(t, original, "--sign", t.path("mine.key"), "--gaps", gaps)
    check(tx["payload_bytes"] <= MIB + 2 * SYMBOL, f"{tx['payload_bytes']} bytes sent again")
    rx = replay(t, repair, "--trust", trusted, "--resume")
    equal(rx["files"][0]["state"], "complete", "state")
    t.same(original, t.path("in", "a.bin"))


def test_the_digest_of_a_manifest_is_never_signed(t):
    trusted = keys(t, "mine")
    original = t.file("a.bin", 100001)
    with open(t.path("gaps.json"), "w", encoding="utf-8") as f:
        json.dump({"schema": "pagewire.gaps/1", "tsi": 1, "files": [
            {"name": "a.bin", "bytes": 100001, "digest": "sha-256-tree:" + "5a" * 32,
             "missing": [[0, 100001]]}]}, f)
    payloads, _ = capture(t, original, "--sign", t.path("mine.key"), "--gaps", t.path("gaps.json"))
    rx = replay(t, payloads, "--trust", trusted)
    check("5a" * 32 not in rx["files"][0]["digest"], rx["files"][0]["digest"])
    t.same(original, t.path("in", "a.bin"))


def test_keys_that_cannot_be_used_are_reported_with_the_command_that_makes_one(t):
    keys(t, "mine")
    with open(t.path("no.pem"), "w", encoding="utf-8") as f:
        f.write("nothing\n")
    send = t.run("send", "--port", "null", "--to", "239.77.0.1", "--no-huge", "--sign",
                 t.path("no.pem"), t.file("a.bin", 10)).ends_with(1)
    check("openssl genpkey -algorithm ed25519" in send.err, send.err)
    recv = t.run("recv", "--listen", "127.0.0.1", "--out", t.mkdir("in"), "--trust",
                 t.path("mine.key")).ends_with(1)
    check("openssl pkey" in recv.err and "-pubout" in recv.err, recv.err)
    none = t.run("send", "--port", "null", "--to", "239.77.0.1", "--no-huge", "--digest", "none",
                 "--sign", t.path("mine.key"), t.path("a.bin")).ends_with(2)
    check("--digest" in none.err, none.err)


def test_version_1_of_flute_is_written_when_asked_for_and_read_as_well(t):
    original = t.file("a.bin", 100001)
    for version in ("1", "2"):
        payloads, tx = capture(t, original, "--flute-version", version)
        equal(tx["flute_version"], int(version), "flute_version")
        tables = [p for p in payloads if toi_sbn_esi(p)[0] == 0]
        # EXT_FDT is the first extension, behind 12 bytes of LCT header
        equal({(p[12], p[13] >> 4) for p in tables}, {(192, int(version))}, "EXT_FDT")
        rx = replay(t, payloads, "--force")
        equal(rx["files"][0]["state"], "complete", "state")
