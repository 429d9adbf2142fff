# SPDX-License-Identifier: BSD-3-Clause
"""Copies that BPF counts in the guest's kernel, compared with the kernel's source.

The expected numbers are in the bench's table (scripts/bench/ways.py). A header is copied with its payload, so
a datagram of 1440 bytes counts about 1 % more than its file bytes; ways differ by whole copies.
"""
import json
import os

from guest import Guest
from harness import Skip, check, equal, long

SLACK = 0.15  # copies per payload byte: headers, and the page that a short frame linearizes

STREAMS = ["read_write", "mmap_write", "sendfile", "splice", "msg_zerocopy", "uring_send_zc"]
PACKETS = ["udp_read_send", "udp_sendmmsg", "udp_gso", "udp_zerocopy", "packet_send",
           "packet_tx_ring", "xdp_copy"]
BYPASS = ["dpdk_null/hugefile"]
RECEIVERS = ["tcp", "tcp_zerocopy", "recv", "recvmmsg", "udp_gro", "udp", "uring_recv", "uring_recv_gro"]


def bench(t, *args, options=()):
    # exit code 3: a sample was void; the checks of the rows report which
    p = Guest(t, "sh", "-c", 'ip link set lo up; pagewire bench "$@" --json', "sh", *args,
              options=options).result()
    check(p.code in (0, 3), p.describe())
    return p.json


@long
def test_the_meter_reads_known_numbers_of_copies_exactly(t):
    program = os.path.join(os.path.dirname(t.binary), "../tests/unit/test_meter_copies")
    if not os.path.exists(program):
        raise Skip(f"no {program}: the build has no tests, or no BPF")
    p = Guest(t, "sh", "-c", f"ip link set lo up; exec {program}").result()
    check(p.code == 0 and "[  PASSED  ]" in p.out + p.err, p.describe())


def test_the_textbooks_copies_are_two_one_and_none(t):
    result = bench(t, "--classic", options=("--hugepages", "260"))
    rows = [(row["way"], row["skipped"], row["cpu_copies_per_byte"]) for row in result["rows"]]
    # the guest has no disk, so a file is staged from memory, by one copy
    for (way, skipped, copies), want in zip(rows, (2, 1, 0, 1, 0)):
        check(skipped is None, f"{way}: {skipped}")
        check(copies is not None, f"{way}: {json.dumps(result['rows'][0], indent=1)}")
        check(abs(copies - want) < 0.01, f"{way}: {copies} copies, wanted {want}")
    equal([row["system_calls"] for row in result["rows"]][:3], [2, 2, 1], "system calls")


def off(row):
    """The reason why the row does not have the expected copies, or None."""
    where = f"{row['label']} on {row['wire']}"
    check(row["skipped"] is None, f"{where}: {row['skipped']}")
    copies = row["summary"]["cpu_copies_per_byte"]["median"]
    want = row["expected"]["cpu_copies_per_byte"]
    if copies is None:
        return f"{where}: {row['not_measured']} {row['samples'][-1]['void']}"
    return None if abs(copies - want) < SLACK else f"{where}: {copies} copies, expected {want}"


def check_copies(t, wires, names, options=(), more=()):
    """On a busy host the guest retransmits TCP segments, and the kernel copies them again. Rows that differ
    are therefore measured again by themselves, at most twice."""
    left, seen = set(names), set()
    for _ in range(3):
        result = bench(t, "--wires", wires, "--ways", ",".join(sorted(left)), "--sizes", "1MiB", "--rounds",
                       "1", "--stretch", "1ms", *more, options=options)
        reasons = {row["label"]: off(row) for row in result["rows"]}
        seen |= set(reasons)
        left = {label for label, reason in reasons.items() if reason}
        if not left:
            break
    check(not left, f"{[reasons[label] for label in left]}")
    equal(seen, set(names), "ways")


def test_streams_copy_as_often_as_the_kernels_source_says(t):
    check_copies(t, "loopback", STREAMS)


def test_packets_and_the_bypass_copy_as_often_as_the_source_says(t):
    check_copies(t, "sink,null", PACKETS + BYPASS, options=("--hugepages", "260"))


@long
def test_receivers_copy_as_often_as_the_source_says(t):
    check_copies(t, "loopback", RECEIVERS + ["tcp/lent", "tcp_zerocopy/lent"], more=("--receive", "--rate", "50Mbit/s"))
