# SPDX-License-Identifier: BSD-3-Clause
"""`send --repair` and `recv --repair`: one command on each side, and every receiver has everything.

    netns a: pagewire send --repair        netns b, c, d: pagewire recv --repair
    +---------------------------+          +------------------------------------+
    | 10.77.0.1/24  br0 = va0.. |<--veth-->| e0  10.77.0.2, .3, .4   nft drops  |
    +---------------------------+          +------------------------------------+

nftables drops packets of the session at random, at each receiver by itself."""
from __future__ import annotations

import os
import signal
import time
from typing import Any

from harness import Process, Test, check, equal, poll_until

CONCURRENT = True  # these tests need no huge pages, and CPU time only where they are marked (run.py)

GROUP = "239.77.0.1:4001"


def star(t: Test, losses: list[int]) -> list[str]:
    """Namespaces a (the sender's, with a bridge) and r0, r1, ...: each drops so many per mille."""
    t.need_tool("nft")
    t.netns("a")
    t.tool("ip", "link", "add", "br0", "type", "bridge", "mcast_snooping", "0", ns="a")
    t.tool("ip", "addr", "add", "10.77.0.1/24", "dev", "br0", ns="a")
    t.tool("ip", "link", "set", "br0", "up", ns="a")
    keys = [f"r{i}" for i in range(len(losses))]
    t.devices |= {"br0", "e0"} | {f"va{i}" for i in range(len(losses))}
    for i, (key, loss) in enumerate(zip(keys, losses, strict=True)):
        t.netns(key)
        t.tool("ip", "link", "add", f"va{i}", "netns", t.namespaces["a"], "type", "veth", "peer",
               "name", "e0", "netns", t.namespaces[key])
        t.tool("ip", "link", "set", f"va{i}", "master", "br0", "up", ns="a")
        t.tool("ip", "addr", "add", f"10.77.0.{i + 2}/24", "dev", "e0", ns=key)
        t.tool("ip", "link", "set", "e0", "up", ns=key)
        drop(t, key, loss)
    t.tool("ip", "route", "add", "default", "dev", "br0", ns="a")
    return keys


def drop(t: Test, key: str, per_mille: int) -> None:
    if per_mille:
        t.tool("nft", "add table ip pw; add chain ip pw in { type filter hook input priority 0; }; "
               f"add rule ip pw in udp dport 4001 numgen random mod 1000 < {per_mille} drop",
               ns=key)


def receive(t: Test, key: str, *args: str) -> Process:
    rx = t.start("recv", "--listen", GROUP, "--interface", "e0", "--out", t.mkdir(key), "--repair",
                 "--timeout", "30s", "--json", *args, ns=key)
    poll_until(lambda: "listening" in rx.err or not rx.running, 20, "the receiver's socket")
    return rx


def transmit(t: Test, *args: str, to: str = GROUP, rate: str = "300Mbit/s",
             port: str = "af_packet:br0") -> Process:
    return t.send("--port", port, "--to", to, "--no-huge", "--rate", rate, "--repair",
                  *args, ns="a")


def table(tx: Process) -> dict[str, Any]:
    found: dict[str, Any] = tx.json["repair"]
    return found


def check_all_whole(t: Test, tx: Process, receivers: dict[str, Process], original: str) -> None:
    for key, rx in receivers.items():
        rx.ends_with(0, 60)
        t.same(original, t.path(key, os.path.basename(original)))
        equal(os.listdir(t.path(key)), [os.path.basename(original)], "files in the output directory")
    tx.ends_with(0, 60)
    equal([r["state"] for r in table(tx)["receivers"]], ["whole"] * len(receivers), "the table")
    equal({r["address"] for r in table(tx)["receivers"]},
          {f"10.77.0.{int(key[1:]) + 2}" for key in receivers}, "addresses")


def test_a_kernel_socket_delivers_as_a_port_does(t: Test) -> None:
    """--port udp:IF: no EAL, trains of packets; two receivers with loss, by a group, then one by its address."""
    keys = star(t, [10, 50])
    original = t.file("a.bin", 20000001)
    receivers = {key: receive(t, key) for key in keys}
    tx = transmit(t, original, port="udp:br0")
    check_all_whole(t, tx, receivers, original)
    equal((tx.json["driver"], tx.json["pages"], tx.json["in_place"]), ("udp", "pagecache", True), "how")
    check(tx.json["packets"] >= 20000001 // 1440, f"packets: {tx.json['packets']}")

    rx = t.start("recv", "--listen", "10.77.0.2", "--out", t.mkdir("unicast"), "--repair", "--json", ns="r0")
    poll_until(lambda: "listening" in rx.err or not rx.running, 20, "the receiver's socket")
    transmit(t, original, port="udp:br0", to="10.77.0.2").ends_with(0, 60)
    rx.ends_with(0, 60)
    t.same(original, t.path("unicast", "a.bin"))


def test_a_kernel_socket_refuses_what_needs_a_port(t: Test) -> None:
    original = t.file("a.bin", 1000)
    for args in (("--queues", "2"), ("--fec", "200+10"), ("--vlan", "7"), ("--pages", "stage")):
        tx = t.send("--port", "udp:lo", "--to", "127.0.0.1", *args, original)
        tx.ends_with(2)
        check(" ".join(args[:1]) in tx.err and "udp:lo" in tx.err, tx.err)
    rx = t.start("recv", "--port", "udp:lo", "--out", t.mkdir("in"), "--no-huge")
    rx.ends_with(1)
    check("--listen" in rx.err, rx.err)


def test_three_receivers_with_loss_are_whole_by_one_command_each(t: Test) -> None:
    keys = star(t, [10, 50, 0])
    original = t.file("a.bin", 20000001)
    receivers = {key: receive(t, key) for key in keys}
    tx = transmit(t, original)
    check_all_whole(t, tx, receivers, original)
    check(1 <= table(tx)["rounds"] <= 8, f"rounds: {table(tx)}")
    # of the pass, not of its repair
    for loss, rx in zip((0.01, 0.05, 0.0), receivers.values(), strict=True):
        check(loss / 2 <= rx.json["loss"] < 2 * loss + 0.01, f"loss: {rx.json['loss']} of {loss}")
    check(0.02 * 20e6 < table(tx)["bytes"] < 0.2 * 20e6, f"bytes sent again: {table(tx)}")


def test_unicast_is_repaired(t: Test) -> None:
    (key,) = star(t, [50])
    original = t.file("a.bin", 5000001)
    rx = t.start("recv", "--listen", "10.77.0.2:4001", "--out", t.mkdir(key), "--repair", "--timeout",
                 "30s", "--json", ns=key)
    poll_until(lambda: "listening" in rx.err or not rx.running, 20, "the receiver's socket")
    tx = transmit(t, original, to="10.77.0.2:4001")
    check_all_whole(t, tx, {key: rx}, original)


def test_the_user_says_where_the_sender_listens(t: Test) -> None:
    (key,) = star(t, [20])
    original = t.file("a.bin", 3000001)
    rx = receive(t, key)
    tx = t.send("--port", "af_packet:br0", "--to", GROUP, "--no-huge", "--repair=10.77.0.1:8123",
                "--rate", "300Mbit/s", original, ns="a")
    check_all_whole(t, tx, {key: rx}, original)
    check("http://10.77.0.1:8123/" in rx.err, rx.err)


def test_many_files_in_several_tables_are_repaired(t: Test) -> None:
    """130 files, in tables of 64, 64 and 2."""
    keys = star(t, [50, 50])
    for i in range(130):
        t.file(f"d/{i:03}.bin", 3000 + 100 * i)
    receivers = {key: receive(t, key) for key in keys}
    tx = transmit(t, t.path("d"))
    for key, rx in receivers.items():
        rx.ends_with(0, 60)
        t.same_tree(t.path("d"), t.path(key, "d"))
    tx.ends_with(0, 60)
    equal([r["state"] for r in table(tx)["receivers"]], ["whole", "whole"], "the table")


def test_a_carousel_ends_when_all_receivers_have_everything(t: Test) -> None:
    keys = star(t, [50, 0])
    original = t.file("a.bin", 3000001)
    receivers = {key: receive(t, key) for key in keys}
    tx = transmit(t, "--loop", "0", original)
    check_all_whole(t, tx, receivers, original)
    check(tx.json["passes"] >= 1 and not tx.json["interrupted"], tx.out)


def test_a_receiver_that_joins_late_gets_everything(t: Test) -> None:
    keys = star(t, [0, 0])
    original = t.file("a.bin", 20000001)
    first = receive(t, keys[0])
    tx = transmit(t, original, rate="80Mbit/s")
    poll_until(lambda: os.path.exists(t.path(keys[0], "a.bin.part")), 20, "the first bytes")
    time.sleep(0.7)
    check_all_whole(t, tx, {keys[0]: first, keys[1]: receive(t, keys[1])}, original)
    check(table(tx)["bytes"] > 1000000, f"what the late one missed: {table(tx)}")


def test_a_receiver_that_dies_is_named_and_the_others_are_whole(t: Test) -> None:
    keys = star(t, [10, 0])
    original = t.file("a.bin", 20000001)
    alive, dead = (receive(t, key) for key in keys)
    tx = transmit(t, "--repair-silence", "3s", original, rate="80Mbit/s")
    poll_until(lambda: "the sender repairs" in dead.err, 20, "the address of the sender")
    time.sleep(0.5)
    dead.kill()
    alive.ends_with(0, 60)
    t.same(original, t.path(keys[0], "a.bin"))
    tx.ends_with(3, 60)
    equal([(r["address"], r["state"]) for r in table(tx)["receivers"]],
          [("10.77.0.3", "partial"), ("10.77.0.2", "whole")], "the table")
    check(table(tx)["receivers"][0]["missing_bytes"] > 0, f"{table(tx)}")


def test_a_receiver_that_is_interrupted_says_so(t: Test) -> None:
    (key,) = star(t, [0])
    rx = receive(t, key)
    tx = transmit(t, t.file("a.bin", 20000001), rate="80Mbit/s")
    poll_until(lambda: "the sender repairs" in rx.err, 20, "the address of the sender")
    time.sleep(0.5)
    rx.signal(signal.SIGINT)
    rx.ends_with(3, 20)
    tx.ends_with(3, 20)  # without --repair-silence
    equal([r["state"] for r in table(tx)["receivers"]], ["left"], "the table")


def test_a_sender_without_receivers_says_so(t: Test) -> None:
    star(t, [0])
    tx = transmit(t, t.file("a.bin", 100001)).ends_with(3, 30)
    equal((table(tx)["receivers"], table(tx)["rounds"]), ([], 0), "the table")


def test_receivers_that_are_expected_are_waited_for_and_missed(t: Test) -> None:
    keys = star(t, [20, 0, 0])
    original = t.file("a.bin", 3000001)
    receivers = {key: receive(t, key) for key in keys}
    tx = transmit(t, "--repair-receivers", "3", original)
    check_all_whole(t, tx, receivers, original)
    equal((table(tx)["expected"], table(tx)["whole"]), (3, 3), "receivers")
    receivers = {key: receive(t, key, "--force") for key in keys[:2]}
    tx = transmit(t, "--repair-receivers", "3", "--repair-silence", "1500ms", original)
    for rx in receivers.values():
        rx.ends_with(0, 60)
    tx.ends_with(3, 60)
    equal((table(tx)["expected"], table(tx)["whole"]), (3, 2), "receivers")
    t.run("send", "--port", "null", "--to", GROUP, "--repair-receivers", "3", original).ends_with(2)


def test_an_address_of_another_host_is_a_clear_error(t: Test) -> None:
    star(t, [0])
    tx = t.send("--port", "af_packet:br0", "--to", GROUP, "--no-huge", "--repair=10.99.0.1",
                t.file("a.bin", 1000), ns="a")
    tx.wait(30)
    check(tx.code != 0 and "--repair=ADDR:PORT" in tx.err, tx.describe())
    t.run("send", "--port", "null", "--to", GROUP, "--repair=0.0.0.0", t.path("a.bin")).ends_with(2)
    t.run("recv", "--listen", GROUP, "--discard", "--repair").ends_with(2)


HOSTILE = """
import gzip, json, os, socket, sys
host, port, token = sys.argv[1:]

def post(path, body, length=None):
    s = socket.create_connection((host, int(port)), 5)
    head = f"POST {path} HTTP/1.1\\r\\nHost: x\\r\\nContent-Length: {length or len(body)}\\r\\n\\r\\n"
    try:
        s.sendall(head.encode() + body)
        s.settimeout(5)
        return s.recv(100).split(b" ")[1:2]
    except OSError:
        return None
    finally:
        s.close()

for i in range(200):
    me = f"{i:016x}"
    post(f"/{'0' * 32}/gaps?receiver={me}&round=0", b"x")
    post(f"/{token}/gaps?receiver={me}&round=0", os.urandom(1000))
    post(f"/{token}/gaps?receiver={me}&round=0", gzip.compress(bytes(1 << 22)))
    post(f"/{token}/gaps?receiver={me}&round=0", b"x", 1 << 40)
    bad = {"schema": "pagewire.gaps/1", "tsi": 1, "files": [
        {"name": "../../etc/passwd", "bytes": 5, "missing": [[0, 5]]}]}
    post(f"/{token}/gaps?receiver={me}&round=0", gzip.compress(json.dumps(bad).encode()))
    post(f"/{token}/report", b'{"receiver": "x"}')
held = [socket.create_connection((host, int(port)), 5) for _ in range(100)]
print("done", flush=True)
sys.stdin.read()
"""


def test_a_hostile_poster_changes_nothing(t: Test) -> None:
    keys = star(t, [10, 0])
    original = t.file("a.bin", 20000001)
    rx = receive(t, keys[0])
    tx = transmit(t, original, rate="80Mbit/s")
    poll_until(lambda: "the sender repairs: " in rx.err, 20, "the address of the sender")
    url = rx.err.split("the sender repairs: http://")[1].split()[0]
    host, _, rest = url.partition(":")
    port, _, token = rest.partition("/")
    bad = t.spawn("python3", "-c", HOSTILE, host, port, token, ns=keys[1])
    check_all_whole(t, tx, {keys[0]: rx}, original)
    check(table(tx)["refused_messages"] > 50, f"{table(tx)}")
    if bad.running:
        bad.kill()
