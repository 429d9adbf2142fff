# SPDX-License-Identifier: BSD-3-Clause
"""Copies that BPF counts in the guest's kernel, compared with the kernel's source.

The expected numbers are in the bench's tables (scripts/bench/ways.py, receivers.py). A header is copied with its
payload, so a datagram of 1440 bytes counts about 1 % more than its file bytes; ways differ by whole copies.
"""
import json
import os

from guest import Guest
from harness import Failed, Skip, check, equal, long
from test_same_nic import documents

CONCURRENT = True  # the guests of these tests may run beside others (run.py of tests/net)
LIMIT = 600  # seconds: counting loads BPF programs, which takes long on a busy host
SLACK = 0.15  # copies per payload byte: headers, and the page that a short frame linearizes

STREAMS = ["read_write", "mmap_write", "sendfile", "splice", "msg_zerocopy", "uring_send_zc", "uring_splice"]
ENCRYPTED = "ktls_sendfile"
PACKETS = ["udp_read_send", "udp_sendmmsg", "udp_gso", "udp_zerocopy", "packet_send",
           "packet_tx_ring", "xdp_copy"]
NEWER = ["uring_sendmsg_zc", "xdp_copy_csum"]  # they want Linux 6.8 and 6.11
BYPASS = ["dpdk_null/hugefile"]
MAPPED = "tcp_zerocopy/lent"  # copies what it cannot map
STREAM_RECEIVERS = ["tcp_zerocopy", MAPPED]
RECEIVERS = ["udp", "recv", "uring_recv_gro", "tcp", "tcp/lent"]


def bench(t, *commands, options=()):
    """The results of several benches in one guest; each is a list of arguments."""
    script = "ip link set lo up; modprobe tls; code=0\n" + "".join(
        f"pagewire bench {' '.join(args)} --json || code=$?; test $code = 0 || test $code = 3 || exit $code\n"
        for args in commands)
    p = Guest(t, "bash", "-c", script, options=("--cpus", "2", *options), limit=LIMIT).ends_with(0)
    return documents(p.out)


@long
def test_the_meter_reads_known_numbers_of_copies_exactly(t):
    program = os.path.join(os.path.dirname(t.binary), "../tests/unit/test_meter_copies")
    if not os.path.exists(program):
        raise Skip(f"no {program}: the build has no tests, or no BPF")
    p = Guest(t, "sh", "-c", f"ip link set lo up; exec {program}").result()
    check(p.code == 0 and "[  PASSED  ]" in p.out + p.err, p.describe())


def test_the_textbooks_copies_are_two_one_and_none(t):
    result, = bench(t, ["--classic"], options=("--hugepages", "260"))
    rows = [(row["way"], row["skipped"], row["cpu_copies_per_byte"]) for row in result["rows"]]
    # the guest has no disk, so a file is staged from memory, by one copy
    for (way, skipped, copies), want in zip(rows, (2, 1, 0, 1, 0), strict=True):
        check(skipped is None, f"{way}: {skipped}")
        check(copies is not None, f"{way}: {json.dumps(result['rows'][0], indent=1)}")
        check(abs(copies - want) < 0.01, f"{way}: {copies} copies, wanted {want}")
    equal([row["system_calls"] for row in result["rows"]][:3], [2, 2, 1], "system calls")


def off(row, is_new):
    """The reason why the row does not have the expected copies, or None."""
    where = f"{row['label']} on {row['wire']}"
    if row["skipped"] and is_new:
        return None if "needs Linux 6." in row["skipped"] else f"{where}: {row['skipped']}"
    check(row["skipped"] is None, f"{where}: {row['skipped']}")
    copies = row["summary"]["cpu_copies_per_byte"]["median"]
    want = row["expected"]["cpu_copies_per_byte"]
    if copies is None:
        return f"{where}: {row['not_measured']} {row['samples'][-1]['void']}"
    if row["label"] == MAPPED:
        want = 1 - row["samples"][-1]["values"]["mapped_share"]
        check(want < 0.5, f"{where}: it mapped only {1 - want}")
    return None if abs(copies - want) < SLACK else f"{where}: {copies} copies, expected {want}"


def measure(wires, names, *more):
    """The arguments of a short bench."""
    timed = ["--rounds", "1", "--stretch", "1ms"] if "--receive" in more else ["--evidence-only"]
    return ["--wires", wires, "--ways", ",".join(sorted(names)), "--sizes", "1MiB", *timed, *more]


def check_copies(t, commands, options=()):
    """commands: wires, names, and more arguments of each bench. On a busy host the guest retransmits TCP
    segments, and the kernel copies them again, or a receiver loses packets. Rows that differ are therefore
    measured again by themselves, at most twice. The rows of the first time, by label."""
    first, todo = {}, list(commands)
    for _ in range(3):
        results, left, reasons = bench(t, *(measure(*c) for c in todo), options=options), [], []
        for (wires, names, *more), result in zip(todo, results, strict=True):
            # a name is the label of one row, and chooses others as well: tcp and tcp/lent
            rows = {row["label"]: row for row in result["rows"] if row["label"] in names}
            equal(set(rows), set(names), "ways")
            first = {**rows, **first}
            bad = {label: why for label, row in rows.items()
                   if label != ENCRYPTED and (why := off(row, label in NEWER))}
            reasons += bad.values()
            left += [(wires, list(bad), *more)] if bad else []
        if not left:
            return first
        todo = left
    raise Failed("; ".join(reasons))


def test_streams_copy_as_often_as_the_kernels_source_says(t):
    rows = check_copies(t, [("loopback", [*STREAMS, ENCRYPTED]),
                            ("loopback", STREAM_RECEIVERS, "--receive")])
    encrypted = rows[ENCRYPTED]
    check(encrypted["skipped"] is None, f"{ENCRYPTED}: {encrypted['skipped']}")
    for sample in encrypted["samples"]:
        equal((sample["void"], sample["proof"]), (None, "compared"), ENCRYPTED)
        check(sample["raw"]["sink"]["whole"], f"{ENCRYPTED}: {sample}")
    equal(encrypted["summary"]["cpu_copies_per_byte"]["median"], None, f"{ENCRYPTED}: copies, which no probe sees")
    check("cipher" in encrypted["not_measured"]["cpu_copies_per_byte"], f"{encrypted['not_measured']}")


def test_packets_and_the_bypass_copy_as_often_as_the_source_says(t):
    check_copies(t, [("sink,null", PACKETS + NEWER + BYPASS)], options=("--hugepages", "260"))


@long
def test_receivers_copy_as_often_as_the_kernels_source_says(t):
    check_copies(t, [("loopback", RECEIVERS, "--receive", "--rate", "8Mbit/s")])
