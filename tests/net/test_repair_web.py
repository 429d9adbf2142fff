# SPDX-License-Identifier: BSD-3-Clause
"""recv --repair URL: what no packet brought comes from a web server that has the same files.

Loss is exact, as in test_repair.py, except where nftables drops packets by chance."""
import os
import shutil
import subprocess

import webserver
from harness import DEADLINE, Failed, Skip, check, equal, poll_until
from session import capture, toi_sbn_esi
from test_repair import SYMBOL, manifest, replay

CONCURRENT = True  # these tests need no CPU of their own and no huge pages (run.py)

LOST = {0, 7, 8, 9, 100, 694}  # of 695 symbols; the last one is short
SIZE = 1000001


def lossy(t, name="dir/a b#%.bin"):
    """A file in the folder `site`, and its session without the symbols LOST."""
    original = t.file(f"site/{name}", SIZE)
    payloads, _ = capture(t, t.path("site", name.split("/")[0]))
    return original, [p for p in payloads if toi_sbn_esi(p)[0] == 0 or toi_sbn_esi(p)[2] not in LOST]


def whole(t, original, name="dir/a b#%.bin"):
    t.same(original, t.path("in", name))
    check(not os.path.exists(t.path("in", "pagewire-gaps.json")), "the manifest was not removed")


def test_ranges_of_a_web_server_complete_a_lossy_session(t):
    original, payloads = lossy(t)
    with webserver.serve(webserver.Ranges, t.path("site")) as (url, seen):
        rx = replay(t, payloads, "--repair", url)
    whole(t, original)
    equal([f["state"] for f in rx["files"]], ["complete"], "state")
    asked = [(0, SYMBOL), (7 * SYMBOL, 10 * SYMBOL), (100 * SYMBOL, 101 * SYMBOL), (694 * SYMBOL, SIZE)]
    equal(seen, [("/dir/a%20b%23%25.bin", "bytes=" + ",".join(f"{a}-{b - 1}" for a, b in asked))],
          "the one request")
    repaired = sum(b - a for a, b in asked)
    equal((rx["repair"]["bytes"], rx["repair"]["requests"], rx["repair"]["ranges"],
           rx["repair"]["whole_files"], rx["repair"]["failed"]), (repaired, 1, 4, 0, 0), "the report")
    equal((rx["bytes"], rx["counters"]["packets"]), (SIZE - repaired, len(payloads)),
          "what the packets brought, without the repair")
    check(rx["loss"] > 0, "the estimate of loss counts the repair")


def test_a_server_that_ignores_ranges_sends_the_whole_file(t):
    original, payloads = lossy(t)
    with webserver.serve(webserver.Plain, t.path("site")) as (url, seen):
        rx = replay(t, payloads, "--repair", f"{url}/")
    whole(t, original)
    equal((rx["repair"]["whole_files"], len(seen)), (1, 2), "whole files, requests")


def test_a_server_of_one_range_is_asked_for_one_at_a_time(t):
    original, payloads = lossy(t)
    with webserver.serve(webserver.OneRange, t.path("site")) as (url, seen):
        rx = replay(t, payloads, "--repair", url)
    whole(t, original)
    equal(rx["repair"]["whole_files"], 0, "whole files")
    equal([r for _, r in seen][1:], [f"bytes=0-{10 * SYMBOL - 1}",
                                     f"bytes={100 * SYMBOL}-{101 * SYMBOL - 1}",
                                     f"bytes={694 * SYMBOL}-{SIZE - 1}"], "requests after the first")


def test_lighttpd_completes_a_session_with_more_gaps_than_one_request_has(t):
    t.need_tool("lighttpd")
    original = t.file("site/a.bin", 2000 * SYMBOL)
    payloads, _ = capture(t, original)
    port = t.free_udp_port()  # no other test takes it for TCP
    with open(t.path("lighttpd.conf"), "w", encoding="utf-8") as f:
        f.write(f'server.document-root = "{t.path("site")}"\nserver.port = {port}\n'
                'server.bind = "127.0.0.1"\n')
    server = t.spawn("lighttpd", "-D", "-f", t.path("lighttpd.conf"))
    rx = replay(t, [p for p in payloads if toi_sbn_esi(p)[0] == 0 or toi_sbn_esi(p)[2] % 10],
                "--repair", f"http://127.0.0.1:{port}/")
    server.kill()
    t.same(original, t.path("in", "a.bin"))
    equal((rx["repair"]["bytes"], rx["repair"]["whole_files"]), (200 * SYMBOL, 0),
          "bytes, whole files")


def test_a_manifest_is_enough_without_any_packet(t):
    original, payloads = lossy(t)
    replay(t, payloads, code=3)
    with webserver.serve(webserver.Ranges, t.path("site")) as (url, _):
        rx = t.run("recv", "--out", t.path("in"), "--resume", "--repair", url, "--json")
    rx.ends_with(0)
    whole(t, original)
    equal((rx.json["path"], rx.json["bytes"], rx.json["files"][0]["state"]), ("none", 0, "complete"),
          "path, bytes of packets, state")
    equal(sorted(os.listdir(t.path("in"))), ["dir"], "files in the output directory")


def test_a_file_of_which_no_symbol_came_is_fetched(t):
    originals = [t.file(f"site/d/{i}.bin", 5000 + i) for i in range(3)]
    payloads, _ = capture(t, t.path("site", "d"))
    with webserver.serve(webserver.Ranges, t.path("site")) as (url, _):
        replay(t, [p for p in payloads if toi_sbn_esi(p)[0] == 0], "--repair", url, "--timeout", "2s")
    for original in originals:
        t.same(original, t.path("in", "d", os.path.basename(original)))


def test_a_file_of_other_content_is_never_ok(t):
    original, payloads = lossy(t)
    with open(original, "r+b") as f:
        f.write(bytes(SYMBOL))  # symbol 0 was lost
    with webserver.serve(webserver.Ranges, t.path("site")) as (url, _):
        rx = replay(t, payloads, "--repair", url, code=3)
    equal([f["state"] for f in rx["files"]], ["mismatch"], "state")
    check(not os.path.exists(t.path("in", "dir", "a b#%.bin")), "a file of other content was published")
    equal(manifest(t)["files"][0]["missing"], [[0, SIZE]], "what is asked for again")


def test_files_without_a_digest_are_not_fetched(t):
    original = t.file("site/a.bin", SIZE)
    payloads, _ = capture(t, original, "--digest", "none")
    with webserver.serve(webserver.Ranges, t.path("site")) as (url, seen):
        replay(t, payloads[:-100], "--repair", url, "--timeout", "2s", code=3)
    equal(seen, [], "requests")


def test_a_missing_file_and_a_dead_server_leave_the_manifest(t):
    _, payloads = lossy(t)
    with webserver.serve(webserver.Ranges, t.mkdir("empty")) as (url, _):
        rx = replay(t, payloads, "--repair", url, code=3)
    equal(rx["repair"]["failed"], 1, "failed")
    check("HTTP 404" in t.processes[-1].err, t.processes[-1].err)
    rx = replay(t, [], "--resume", "--repair", "http://127.0.0.1:1/", "--timeout", "1s", code=3)
    equal(len(manifest(t)["files"]), 1, "entries of the manifest")
    check("annot fetch dir/a b#%.bin: " in t.processes[-1].err, t.processes[-1].err)


HEAD = b"HTTP/1.1 206 Partial Content\r\n"
PARTS = HEAD + b"Content-Type: multipart/byteranges; boundary=x\r\n"


def whole_file(head=b"HTTP/1.1 200 OK\r\n", size=SIZE, chunk=65536):
    yield head + b"\r\n"
    for at in range(0, size, chunk):
        yield bytes(min(chunk, size - at))


def forever(first, piece):
    yield first
    while True:
        yield piece


def drip(data):
    for byte in data:
        yield bytes([byte])
        yield 0.3


HOSTILE = {
    "a file of another length": lambda n: whole_file(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n", 5),
    "another length in Content-Range": lambda n: [
        HEAD + b"Content-Range: bytes 0-1439/1000002\r\nContent-Length: 1440\r\n\r\n", bytes(1440)],
    "a range that nobody asked for": lambda n: [
        HEAD + b"Content-Range: bytes 900000000000-900000001439/*\r\n\r\n", bytes(1440)],
    "a Content-Range of nonsense": lambda n: [
        HEAD + b"Content-Range: bytes 99999999999999999999-1/3\r\n\r\n", bytes(1440)],
    "a short body": lambda n: [HEAD + b"Content-Range: bytes 0-1000000/1000001\r\n\r\n", bytes(700)],
    "a body that does not end": lambda n: forever(
        HEAD + b"Content-Range: bytes 0-1439/1000001\r\n\r\n", bytes(65536)),
    "parts that do not end": lambda n: forever(
        PARTS + b"\r\n", b"--x\r\nContent-Range: bytes 0-1439/1000001\r\n\r\n" + bytes(1440) + b"\r\n"),
    "a multipart body without a line's end": lambda n: forever(PARTS + b"\r\n", bytes([65]) * 65536),
    "a multipart body without a boundary": lambda n: [
        HEAD + b"Content-Type: multipart/byteranges\r\n\r\n--\r\n"],
    "headers that do not end": lambda n: forever(HEAD, b"X-Pad: " + bytes([65]) * 900 + b"\r\n"),
    "a header line that does not end": lambda n: forever(HEAD + b"X-Pad: ", bytes([65]) * 65536),
    "1xx answers that do not end": lambda n: forever(b"", b"HTTP/1.1 102 Processing\r\nA: b\r\n\r\n"),
    "redirects that do not end": lambda n: [
        b"HTTP/1.1 302 Found\r\nLocation: /again\r\nContent-Length: 0\r\n\r\n"],
    "a redirect whose body does not end": lambda n: forever(
        b"HTTP/1.1 302 Found\r\nLocation: /again\r\n\r\n", bytes(65536)),
    "a redirect to a file of this host": lambda n: [
        b"HTTP/1.1 302 Found\r\nLocation: file:///etc/passwd\r\nContent-Length: 0\r\n\r\n"],
    "a packed body": lambda n: whole_file(b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n"),
    "an answer of another protocol": lambda n: [b"220 mail.example.com ESMTP\r\n"],
    "silence": lambda n: [30.0],
    "a byte now and then": lambda n: drip(PARTS * 100),
}


def test_a_hostile_server_ends_nothing_but_the_repair(t):
    """Each ends in bounded time, with the file as the packets left it and the exit code 3."""
    _, payloads = lossy(t)
    replay(t, payloads, code=3)
    asked = manifest(t)["files"][0]["missing"]
    for what, answer in HOSTILE.items():
        with webserver.hostile(answer) as url:
            rx = t.start("recv", "--out", t.path("in"), "--resume", "--repair", url, "--timeout", "1s",
                         "--json")
            try:
                rx.ends_with(3, 20)
                check(rx.json["files"][0]["state"] == "partial", "state")
                check(rx.json["repair"]["failed"] >= 1, "failed")
                check(rx.json["repair"]["transferred"] < 5 * SIZE, "bytes that were transferred")
                check(all(a in asked for a in manifest(t)["files"][0]["missing"]), "missing ranges")
            except Failed as e:
                raise Failed(f"{what}: {e}\n{rx.describe()}") from None


def test_packets_that_nftables_drops_are_repaired(t):
    """The receiver's namespace drops 5 % of the packets by chance."""
    t.need_tool("nft")
    t.veth()
    rules = ("table inet loss { chain in { type filter hook input priority 0; udp dport 4001 "
             "numgen random mod 100 < 5 drop; }; }")
    made = subprocess.run(["ip", "netns", "exec", t.namespaces["b"], "nft", rules], check=False,
                          capture_output=True, text=True, timeout=DEADLINE)
    if made.returncode:
        raise Skip(f"no nftables here: {made.stderr.strip()}")
    original = t.file("site/a.bin", 8 << 20)
    server = t.spawn("/usr/bin/python3", "-m", "http.server", "8080", "--directory", t.path("site"),
                          ns="a")
    rx = t.recv("--listen", "239.77.0.1", "--interface", "va1", "--out", t.mkdir("in"), "--repair",
                "http://10.77.0.1:8080/", ns="b")
    poll_until(lambda: "listening" in rx.err or not rx.running, 20, "the receiver's socket")
    tx = t.send("--port", "af_packet:va0", "--to", "239.77.0.1", "--no-huge", "--rate", "500Mbit/s",
                original, ns="a")
    tx.ends_with(0)
    rx.ends_with(0)
    server.kill()
    t.same(original, t.path("in", "a.bin"))
    check(rx.json["loss"] > 0.02, f"loss {rx.json['loss']}: nothing was dropped")
    equal(rx.json["repair"]["whole_files"], 1, "python's server ignores ranges")


def test_what_is_no_directory_of_a_web_server_is_refused(t):
    for args in (["--repair", "ftp://h/"], ["--repair", "http://h/?q=1"], ["--repair", "http://"],
                 ["--repair", "x"]):
        rx = t.run("recv", "--listen", "127.0.0.1:9", "--out", t.mkdir("in"), *args)
        rx.ends_with(2)
        check("cannot use --repair" in rx.err, rx.err)
    shutil.rmtree(t.path("in"))
