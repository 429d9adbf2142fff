# SPDX-License-Identifier: BSD-3-Clause
"""`pagewire bench --receive`: every way to receive gets the file whole at a low rate; a search ends and says what
was the limit; failures are reported; nothing is left behind. Speed is not tested."""
from __future__ import annotations

import json
from typing import Any

from harness import Test, check, equal, once
from test_bench import Clean, need_ran

ALONE = True  # these tests want every packet to be received

ODD = "1B,1000001B"
SLOW = ("--receive", "--rounds", "1", "--stretch", "20ms", "--no-evidence", "--rate", "60Mbit/s", "--json")
STREAMS = ["tcp", "tcp/lent", "tcp_zerocopy", "tcp_zerocopy/lent"]
DATAGRAMS = ["recv", "recvmmsg", "udp_gro", "udp", "uring_recv", "uring_recv_gro"]
FRAMES = ["packet_rx_ring", "xdp_rx"]
HARDWARE = ["uring_zcrx", "devmem_tcp"]


def receive(t: Test, *args: str) -> dict[str, Any]:
    """The result of a bench of receivers, whatever its exit code: check_whole() tells what is wrong with it."""
    with Clean():
        p = t.run("bench", *args, *SLOW, seconds=100)
        p.wait(100)
    return dict(p.json)


def check_whole(result: dict[str, Any]) -> set[str]:
    """Every row that ran has all bytes of the file; returns the labels."""
    ran = set()
    for row in result["rows"]:
        where = f"{row['label']} on {row['wire']}, {row['file_bytes']} bytes"
        equal(row["direction"], "receive", where)
        if row["skipped"]:
            continue
        ran.add(row["label"])
        for sample in row["samples"]:
            check(not sample["void"], f"{where}: {sample['void']}")
            sink = sample["raw"]["sink"]
            equal(sample["proof"], "compared", where)
            check(sink["whole"] and not sink["wrong"], f"{where}: {sink}")
            equal(sink["missed"], 0, where)
        check(row["samples"], f"{where}: no sample")
    equal(result["exit_code"], 0, "exit code")
    return ran


@once
def test_every_receiver_gets_the_file_on_loopback(t: Test) -> None:
    t.need_root()
    result = receive(t, "--wires", "loopback", "--sizes", ODD)
    need_ran(result, STREAMS + DATAGRAMS)
    equal(check_whole(result), set(STREAMS + DATAGRAMS), "receivers that ran")


@once
def test_every_receiver_gets_the_file_on_veth(t: Test) -> None:
    t.need_root()
    result = receive(t, "--wires", "veth", "--sizes", ODD)
    need_ran(result, STREAMS + DATAGRAMS + FRAMES)
    check(set(STREAMS + DATAGRAMS + FRAMES) <= check_whole(result), "receivers that ran")
    skipped = {row["label"]: row["skipped"] for row in result["rows"] if row["skipped"]}
    for name in HARDWARE:
        check(skipped[name].startswith("not measured: it needs a NIC"), f"{name}: {skipped[name]}")
    check("use xdp_rx" in skipped["xdp_rx_zerocopy"], skipped["xdp_rx_zerocopy"])


@once
def test_ports_receive_the_file_on_tap_and_vhost(t: Test) -> None:
    t.need_root()
    result = receive(t, "--wires", "tap,vhost", "--sizes", "1000001B")
    need_ran(result, ["dpdk_tap", "dpdk_virtio_user", "dpdk_vhost"])
    check_whole(result)


@once
def test_the_file_goes_into_the_page_cache_and_past_it(t: Test) -> None:
    t.need_root()
    result = receive(t, "--wires", "loopback", "--ways", "tcp,udp,udp_gro", "--into", "memory,cache,direct",
                     "--dir", t.dir, "--sizes", "1000001B")
    need_ran(result, ["udp/cache", "udp_gro/direct"])
    equal(check_whole(result), {"tcp", "tcp/lent", "udp", "udp_gro", "udp/cache", "udp_gro/cache", "udp/direct",
          "udp_gro/direct"}, "receivers that ran")
    tcp = next(row for row in result["rows"] if row["label"] == "tcp/cache")
    check("memory only" in tcp["skipped"], tcp["skipped"])


@once
def test_a_search_is_bounded_and_says_what_was_the_limit(t: Test) -> None:
    t.need_root()
    args = ("--receive", "--rounds", "2", "--stretch", "20ms", "--wires", "loopback", "--ways", "recv", "--sizes",
            "1M", "--json")
    with Clean():
        p = t.run("bench", *args, seconds=60)
        p.wait(60)
    result = json.loads(p.out)
    row = result["rows"][0]
    for sample in (s for s in row["samples"] if s["round"] and not s["evidence"]):
        trials = sample["raw"]["trials"]
        check(1 <= len(trials) <= 7, f"{len(trials)} trials")
        equal(sample["raw"]["limit"], "sender" if trials[0]["kept_up"] else "receiver", "limit")
        kept = [trial["pps"] for trial in trials if trial["kept_up"]]
        lost = [trial["pps"] for trial in trials[1:] if not trial["kept_up"]]
        check(not kept or not lost or max(kept) < min(lost), f"the search went astray: {trials}")
        check(bool(sample["void"]) == (not kept), f"void: {sample['void']}, kept up: {kept}")


@once
def test_names_that_are_not_there_are_usage_errors(t: Test) -> None:
    for args, text in ((("--receive", "--ways", "nope"), "no such way to receive"),
                       (("--receive", "--into", "disk"), "use memory, cache or direct"),
                       (("--receive", "--wires", "sink"), "no way to receive that was asked for runs there"),
                       (("--into", "memory"), "without --receive")):
        p = t.run("bench", *args, seconds=20).ends_with(2, 20)
        check(text in p.err, f"{args}: {p.err}")
    p = t.run("bench", "--receive", "--list", seconds=20).ends_with(0, 20)
    for name in (*STREAMS, *DATAGRAMS, *FRAMES, *HARDWARE, "dpdk_virtio_user"):
        check(f"{name} " in p.out, name)
