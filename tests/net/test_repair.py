# SPDX-License-Identifier: BSD-3-Clause
"""What a lossy or interrupted session leaves, and its repair; signals to sender and receiver.

Loss is exact here: a session goes to a capture, and its datagrams are sent from there to
`recv --listen` without those that a test takes out."""
import json
import os
import signal
import socket
import struct
import time

from harness import alone, check, equal, exclusive, poll_until
from session import capture, toi_sbn_esi

CONCURRENT = True  # these tests need no CPU of their own and no huge pages (run.py)

SYMBOL = 1440


def replay(t, payloads, *args, code=0):
    """Sends the payloads to a receiver on loopback; returns its report."""
    port = t.free_udp_port()
    rx = t.start("recv", "--listen", f"127.0.0.1:{port}", "--out", t.mkdir("in"), "--timeout",
                 "15s", "--json", *args)
    poll_until(lambda: "listening" in rx.err or not rx.running, 20, "the receiver's socket")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        for i, payload in enumerate(payloads):
            s.sendto(payload, ("127.0.0.1", port))
            if i % 32 == 31:
                time.sleep(0.002)  # the receiver's socket buffer holds far more
    return rx.ends_with(code).json


def manifest(t):
    with open(t.path("in", "pagewire-gaps.json"), encoding="utf-8") as f:
        return json.load(f)


def test_loss_is_listed_exactly_and_repaired_exactly(t):
    original = t.file("a.bin", 1000001)
    payloads, _ = capture(t, original)
    lost = {0, 7, 8, 9, 100, 694}  # 695 symbols; the last one is short
    rx = replay(t, [p for p in payloads
                    if toi_sbn_esi(p)[0] == 0 or toi_sbn_esi(p)[2] not in lost], code=3)
    file = rx["files"][0]
    equal((file["state"], file["bytes"], file["have"]),
          ("partial", 1000001, 1000001 - 5 * SYMBOL - (1000001 - 694 * SYMBOL)), "the file")
    equal(rx["gaps"], t.path("in", "pagewire-gaps.json"), "the manifest's place")
    equal(rx["ended"], "closed", "why it ended")
    gaps = manifest(t)
    equal(gaps["schema"], "pagewire.gaps/1", "schema")
    equal(gaps["files"][0]["missing"],
          [[0, SYMBOL], [7 * SYMBOL, 10 * SYMBOL], [100 * SYMBOL, 101 * SYMBOL],
           [694 * SYMBOL, 1000001]], "missing ranges")
    check(not os.path.exists(t.path("in", "a.bin")), "a.bin was renamed though it lacks symbols")

    repair, tx = capture(t, original, "--gaps", t.path("in", "pagewire-gaps.json"))
    equal(sorted(toi_sbn_esi(p)[2] for p in repair if toi_sbn_esi(p)[0]), sorted(lost),
          "symbols that are sent again")
    equal(tx["payload_bytes"], 1000001 - file["have"], "bytes that are sent again")
    rx = replay(t, repair, "--resume")
    equal(rx["files"][0]["state"], "complete", "state")
    equal(rx["bytes"], 1000001 - file["have"], "bytes of the second run")
    t.same(original, t.path("in", "a.bin"))
    equal(sorted(os.listdir(t.path("in"))), ["a.bin"], "files in the output directory")


def test_the_gaps_of_two_receivers_are_sent_once(t):
    original = t.file("a.bin", 100 * SYMBOL)
    payloads, _ = capture(t, original)
    gaps = []
    for name, lost in (("first", {1, 2, 3}), ("second", {3, 4, 50})):
        replay(t, [p for p in payloads if toi_sbn_esi(p)[0] == 0 or toi_sbn_esi(p)[2] not in lost],
               code=3)
        os.rename(t.path("in"), t.path(name))
        gaps += ["--gaps", t.path(name, "pagewire-gaps.json")]
    repair, _ = capture(t, original, *gaps)
    equal(sorted(toi_sbn_esi(p)[2] for p in repair if toi_sbn_esi(p)[0] and p[2] * 4 < len(p)),
          [1, 2, 3, 4, 50], "the symbols that are sent")


def test_loss_of_the_whole_table_leaves_no_file_and_is_reported(t):
    payloads, _ = capture(t, t.file("a.bin", 100000))
    rx = replay(t, [p for p in payloads if toi_sbn_esi(p)[0]], "--timeout", "1s", code=3)
    equal((rx["files_known"], os.listdir(t.path("in"))), (0, []), "files")
    check(rx["counters"]["unknown_toi"] > 0, "symbols without a table are not counted")


def without_tables(payloads, instances):
    """The session without the file tables that have these instance numbers (EXT_FDT)."""
    return [p for p in payloads if toi_sbn_esi(p)[0] or p[12] != 0xc0
            or struct.unpack_from("!I", p, 12)[0] & 0xfffff not in instances]


def test_files_that_no_table_named_are_repaired(t):
    """130 files, in tables of 64, 64 and 2. What the sender repeats is complete in the end."""
    originals = [t.file(f"d/{i:03}.bin", 3000 + i) for i in range(130)]
    payloads, _ = capture(t, t.path("d"))
    gaps = t.path("in", "pagewire-gaps.json")
    lost = without_tables(payloads, {1})
    rx = replay(t, [p for p in lost if toi_sbn_esi(p) != (1, 0, 1)], code=3)
    equal((rx["files_known"], rx["files_good"], rx["files_never_named"]), (66, 65, 64), "files")
    first = manifest(t)
    equal([f["name"] for f in first["files"]], ["d/000.bin"], "files with gaps")
    equal(first["unnamed"], 64, "unnamed")
    equal(len(first["named"]), 65, "named")

    # The repair loses a table, too: that of the first of its two groups.
    repair, tx = capture(t, t.path("d"), "--gaps", gaps)
    equal(tx["files"], 65, "files of the repair session")
    rx = replay(t, without_tables(repair, {0}), "--resume", code=3)
    equal((rx["files_good"], rx["files_never_named"]), (1, 63), "files")
    equal((manifest(t)["unnamed"], len(manifest(t)["named"])), (63, 66), "the second manifest")

    repair, tx = capture(t, t.path("d"), "--gaps", gaps)
    equal(tx["files"], 64, "files of the second repair")
    rx = replay(t, repair, "--resume")
    equal((rx["files_good"], rx["files_never_named"], rx["gaps"]), (64, 0, None), "files")
    for original in originals:
        t.same(original, t.path("in", "d", os.path.basename(original)))
    equal(os.listdir(t.path("in")), ["d"], "files in the output directory")


def test_a_reordered_and_doubled_session_arrives(t):
    original = t.file("a.bin", 300001)
    payloads, _ = capture(t, original)
    table, data = payloads[:1], [p for p in payloads if toi_sbn_esi(p)[0]]
    rx = replay(t, table + data[::-1] + data, "--expect", "2", "--timeout", "1s", code=3)
    equal(rx["files"][0]["state"], "complete", "state")
    equal(rx["counters"]["duplicates"] + rx["counters"]["finished_toi"], len(data), "extra symbols")
    t.same(original, t.path("in", "a.bin"))


def test_the_digest_finds_a_changed_byte(t):
    payloads, _ = capture(t, t.file("a.bin", 100000))
    at = next(i for i, p in enumerate(payloads) if toi_sbn_esi(p) == (1, 0, 33))
    payloads[at] = payloads[at][:-1] + bytes([payloads[at][-1] ^ 1])
    rx = replay(t, payloads, code=3)
    equal(rx["files"][0]["state"], "mismatch", "state")
    check(not os.path.exists(t.path("in", "a.bin")), "a.bin was renamed though its digest differs")


def test_an_existing_file_is_kept_unless_forced(t):
    original = t.file("a.bin", 100000)
    payloads, _ = capture(t, original)
    os.mkdir(t.path("in"))
    with open(t.path("in", "a.bin"), "wb") as f:
        f.write(b"mine")
    rx = replay(t, payloads, code=3)
    equal(rx["files"][0]["state"], "refused", "state")
    check("--force" in rx["files"][0]["reason"], rx["files"][0]["reason"])
    with open(t.path("in", "a.bin"), "rb") as f:
        equal(f.read(), b"mine", "the file that was there")
    replay(t, payloads, "--force")
    t.same(original, t.path("in", "a.bin"))
    equal(os.listdir(t.path("in")), ["a.bin"], "files in the output directory")


def test_a_full_disk_ends_the_receiver_with_a_clear_error(t):
    payloads, _ = capture(t, t.file("a.bin", 3000000))
    t.tmpfs("in", 1 << 20)
    rx = replay(t, payloads, "--max-size", "1GiB", code=3)
    equal(rx["files"][0]["state"], "refused", "state")
    check("space" in rx["files"][0]["reason"], rx["files"][0]["reason"])
    equal([n for n in os.listdir(t.path("in")) if n != "pagewire-gaps.json"], [], "left on the disk")


def start_pair(t, *args, size=30000001, rate="60Mbit/s"):
    """Starts a transfer of four seconds over the virtual wire; returns when part of the file was received."""
    original, sock = t.file("a.bin", size), t.path("w.sock")
    tx = t.send("--port", f"vhost:{sock}", "--to", "239.77.0.1", "--no-huge", "--rate", rate,
                *args, original)
    rx = t.recv("--port", f"virtio-user:{sock}", "--out", t.mkdir("in"), "--no-huge",
                "--timeout", "20s")
    poll_until(lambda: os.path.exists(t.path("in", "a.bin.part")), 30, "a.bin.part")
    time.sleep(0.7)
    return original, tx, rx


@exclusive
def test_sigint_at_the_receiver_keeps_the_part_which_is_completed_later(t):
    original, tx, rx = start_pair(t)
    rx.signal(signal.SIGINT)
    rx.ends_with(3, 10)
    equal((rx.json["interrupted"], rx.json["ended"]), (True, "interrupted"), "how it ended")
    have = rx.json["files"][0]["have"]
    check(0 < have < 30000001, f"have {have}")
    tx.signal(signal.SIGTERM)
    tx.wait(10)
    gaps = t.path("in", "pagewire-gaps.json")
    missing = manifest(t)["files"][0]["missing"]
    equal(sum(b - a for a, b in missing), 30000001 - have, "missing bytes")
    sock = t.path("w.sock")
    tx = t.send("--port", f"vhost:{sock}", "--to", "239.77.0.1", "--no-huge", "--gaps", gaps,
                original)
    rx = t.recv("--port", f"virtio-user:{sock}", "--out", t.path("in"), "--no-huge", "--resume",
                "--timeout", "20s")
    rx.ends_with(0)
    tx.ends_with(0)
    equal(tx.json["payload_bytes"], 30000001 - have, "bytes sent again")
    t.same(original, t.path("in", "a.bin"))
    equal(os.listdir(t.path("in")), ["a.bin"], "files in the output directory")


@exclusive
def test_sigint_at_the_sender_ends_it_cleanly_and_the_receiver_too(t):
    for number in (signal.SIGINT, signal.SIGTERM):
        _, tx, rx = start_pair(t)
        tx.signal(number)
        tx.wait(10)
        check(tx.code != 0 and tx.json["interrupted"], f"exit code {tx.code}: {tx.out}")
        check(not os.path.exists(t.path("w.sock")), "the sender's socket is left behind")
        rx.ends_with(3, 10)
        equal(rx.json["files"][0]["state"], "partial", "state")
        for name in os.listdir(t.path("in")):
            os.unlink(t.path("in", name))


@exclusive
def test_a_killed_receiver_is_replaced_by_a_new_one(t):
    original, tx, rx = start_pair(t)
    rx.kill()
    tx.signal(signal.SIGINT)
    tx.wait(10)
    check(tx.code != 0, "the sender was interrupted but reports success")
    sock = t.path("w.sock")
    tx, rx = t.transfer(f"vhost:{sock}", f"virtio-user:{sock}", [original], ("--no-huge",),
                        ("--no-huge",))
    t.same(original, t.path("in", "a.bin"))
    equal(os.listdir(t.path("in")), ["a.bin"], "files in the output directory")


@exclusive
def test_a_killed_senders_socket_is_taken_over(t):
    original, tx, rx = start_pair(t)
    tx.kill()
    rx.ends_with(3, 30)
    sock = t.path("w.sock")
    check(os.path.exists(sock), "a killed process cannot remove its socket")
    t.transfer(f"vhost:{sock}", f"virtio-user:{sock}", [original], ("--no-huge",), ("--no-huge",))
    t.same(original, t.path("in", "a.bin"))


@exclusive
def test_truncating_a_file_during_the_transfer_is_a_clear_error(t):
    original, tx, rx = start_pair(t)
    os.truncate(original, 4096)
    tx.ends_with(1, 20)
    errors = [line for line in tx.err.splitlines() if "error" in line]
    equal(len(errors), 1, f"errors in {tx.err}")
    check("a.bin" in errors[0] and "pagewire: error: " in errors[0], errors[0])
    rx.wait(20)
    check(rx.code == 3, f"the receiver took a file that was cut short: {rx.describe()}")
    check(not os.path.exists(t.path("in", "a.bin")), "a.bin was renamed")


@alone
def test_the_rate_is_kept(t):
    """With real-time priority, so that the load of the machine does not count. At these rates the sender
    sleeps between packets, so it blocks no other process."""
    t.need_root()
    t.need_tool("chrt")
    file = t.file("a.bin", 2500000)
    for rate, field, wanted in (("20Mbit/s", "rate_achieved_bps", 20e6),
                                ("2kpps", "packets_per_s", 2e3)):
        rates = []
        for _ in range(3):  # a busy machine may be too slow, but never too fast
            p = t.spawn("chrt", "--fifo", "1", t.binary, "send", "--port", "null", "--to",
                        "239.77.0.1", "--no-huge", "--rate", rate, "--json", file).ends_with(0)
            rates.append(p.json[field])
            equal(p.json["rate_asked"]["value"], wanted, "rate_asked")
            check(rates[-1] < 1.02 * wanted, f"--rate {rate}: {field} {rates}")
            if rates[-1] > 0.95 * wanted:
                break
        check(max(rates) > 0.95 * wanted, f"--rate {rate}: {field} {rates}")


def test_loop_sends_everything_again_and_the_receiver_takes_it_once(t):
    original = t.file("a.bin", 3000001)
    payloads, tx = capture(t, "--loop", "3", original)
    equal((tx["passes"], tx["bytes"], tx["payload_bytes"]), (3, 3000001, 9000003), "sent")
    symbols = [toi_sbn_esi(p) for p in payloads if toi_sbn_esi(p)[0]]
    equal(len(symbols), 3 * len(set(symbols)), "symbols")
    rx = replay(t, payloads)
    equal((rx["files_good"], rx["bytes"]), (1, 3000001), "received")
    t.same(original, t.path("in", "a.bin"))


def test_a_second_pass_fills_what_the_first_lost(t):
    original = t.file("a.bin", 3000001)
    payloads, _ = capture(t, "--loop", "2", original)
    data = [p for p in payloads if toi_sbn_esi(p)[0]]
    half = len(data) // 2
    keep = payloads[:1] + [p for i, p in enumerate(data[:half]) if i % 3] + data[half:]
    rx = replay(t, keep, "--expect", "1")
    equal(rx["files_good"], 1, "files_good")
    t.same(original, t.path("in", "a.bin"))


def test_a_carousel_runs_until_it_is_interrupted(t):
    file = t.file("a.bin", 300000)
    p = t.send("--port", "null", "--to", "239.77.0.1", "--no-huge", "--loop", "0", "--rate",
               "1Gbit/s", file)
    time.sleep(1)
    check(p.running, f"it has ended: {p.describe()}")
    p.signal(signal.SIGINT)
    p.wait(10)
    check(p.json["interrupted"] and p.json["passes"] > 10, p.out)
    equal(p.code, 0, "exit code")


def test_a_carousel_reports_an_interrupt_in_its_first_pass(t):
    p = t.send("--port", "null", "--to", "239.77.0.1", "--no-huge", "--loop", "0", "--rate",
               "1Mbit/s", t.file("a.bin", 2000000))
    time.sleep(1.5)
    check(p.running, f"it has ended: {p.describe()}")
    p.signal(signal.SIGINT)
    p.ends_with(3, 10)
    equal((p.json["interrupted"], p.json["passes"]), (True, 0), "how it ended")


def test_a_name_that_is_not_utf8_is_repaired(t):
    os.mkdir(t.path("d"))
    original = os.path.join(os.fsencode(t.path("d")), b"caf\xe9 {.txt")
    with open(original, "wb") as f:
        f.write(os.urandom(100000))
    payloads, _ = capture(t, t.path("d"))
    rx = replay(t, [p for p in payloads if toi_sbn_esi(p) != (1, 0, 5)], code=3)
    equal(rx["files"][0]["state"], "partial", "state")
    file = manifest(t)["files"][0]
    equal(file["name_bytes"], "d/caf%E9 {.txt", "its name in the manifest")
    check("name" not in file, f"two names: {file}")
    repair, tx = capture(t, t.path("d"), "--gaps", t.path("in", "pagewire-gaps.json"))
    equal(tx["payload_bytes"], SYMBOL, "bytes that are sent again")
    replay(t, repair, "--resume")
    with open(original, "rb") as a, \
            open(os.path.join(os.fsencode(t.path("in", "d")), b"caf\xe9 {.txt"), "rb") as b:
        check(a.read() == b.read(), "the received file differs")
