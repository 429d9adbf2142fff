# SPDX-License-Identifier: BSD-3-Clause
"""`send --repair` and `recv --repair`: one command on each side, and every receiver has everything.

    netns a: pagewire send --repair        netns b, c, d: pagewire recv --repair
    +---------------------------+          +------------------------------------+
    | 10.77.0.1/24  br0 = va0.. |<--veth-->| e0  10.77.0.2, .3, .4   nft drops  |
    +---------------------------+          +------------------------------------+

nftables drops packets of the session at random, at each receiver by itself."""
from __future__ import annotations

import json
import os
import signal
import socket
import time
from typing import Any

from harness import Process, Test, check, equal, poll_until

GROUP = "239.77.0.1:4001"


def star(t: Test, losses: list[int]) -> list[str]:
    """Namespaces a (the sender's, with a bridge) and r0, r1, ...: each drops so many per mille."""
    t.need_tool("nft")
    t.netns("a")
    t.tool("ip", "link", "add", "br0", "type", "bridge", "mcast_snooping", "0", ns="a")
    t.tool("ip", "addr", "add", "10.77.0.1/24", "dev", "br0", ns="a")
    t.tool("ip", "link", "set", "br0", "up", ns="a")
    keys = [f"r{i}" for i in range(len(losses))]
    for i, (key, loss) in enumerate(zip(keys, losses)):
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


def transmit(t: Test, *args: str, to: str = GROUP, rate: str = "300Mbit/s") -> Process:
    return t.send("--port", "af_packet:br0", "--to", to, "--no-huge", "--rate", rate, "--repair",
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
          {f"10.77.0.{i + 2}" for i in range(len(receivers))}, "addresses")


def test_three_receivers_with_loss_are_whole_by_one_command_each(t: Test) -> None:
    keys = star(t, [10, 50, 0])
    original = t.file("a.bin", 20000001)
    receivers = {key: receive(t, key) for key in keys}
    tx = transmit(t, original)
    check_all_whole(t, tx, receivers, original)
    check(1 <= table(tx)["rounds"] <= 8, f"rounds: {table(tx)}")
    lost = [rx.json["counters"]["packets"] for rx in receivers.values()]
    check(max(lost) > 0, "no packet")
    check(0.02 * 20e6 < table(tx)["bytes"] < 0.2 * 20e6, f"bytes sent again: {table(tx)}")
