# SPDX-License-Identifier: BSD-3-Clause
"""Sessions are told apart by (source address, TSI); no session blocks another or mixes with it.

The outcomes are those of docs/wire.md, "When announcements disagree"."""
from __future__ import annotations

import os
import time
from typing import Any

import flute
from harness import Test, check, equal
from session import Listener, Sender, entry, files_attribute, reason, states

CONCURRENT = True  # these tests need no CPU of their own and no huge pages (run.py)

SIZE = 40500  # 41 symbols; the last one is short
HALF = slice(0, 20)
REST = slice(20, None)
PAUSE = 0.15  # seconds in which the receiver reads a table


def check_stray(t: Test, stray: list[bytes], source: str = "127.0.0.1") -> dict[str, Any]:
    """Sends stray packets and then a whole session with TSI 7, which must arrive; returns the report."""
    data = os.urandom(SIZE)
    r = Listener(t)
    r.sender(source=source).send(stray)
    r.sender(7).whole("honest.bin", data)
    result = r.end(0)
    r.holds("honest.bin", data)
    equal(r.names(), ["honest.bin"], "files")
    return result


def test_a_stray_data_packet_does_not_block_a_session(t: Test) -> None:
    result = check_stray(t, [flute.packet(5, 0, 0, b"x" * 100, tsi=9)])
    equal(result["ignored"], [{"source": "127.0.0.1", "tsi": 9, "packets": 1}], "ignored")


def test_a_stray_packet_of_any_kind_does_not_block_a_session(t: Test) -> None:
    xml = flute.fdt_xml([flute.file_entry("never.bin", 1, 5000)] * 20)
    check_stray(t, [flute.close_packet(9), flute.packet(5, 3, 3, b"", tsi=10),
                    flute.packet(5, 0, 0, b"x", tsi=11), b"\x10", b"",
                    flute.fdt_packets(xml, 3, symbol=500, tsi=12)[0]])


def test_stray_packets_of_another_host_with_the_same_tsi_do_not_block_a_session(t: Test) -> None:
    result = check_stray(t, [flute.packet(1, 0, i, b"x" * 1000, tsi=7) for i in range(10)],
                         "127.0.0.3")
    equal(result["ignored"], [{"source": "127.0.0.3", "tsi": 7, "packets": 10}], "ignored")


def test_ignored_sessions_are_named_in_the_text_report(t: Test) -> None:
    data = os.urandom(SIZE)
    r = Listener(t, as_text=True)
    r.sender(9, "127.0.0.2").send([flute.packet(5, 0, i, b"x", tsi=9) for i in range(3)])
    r.sender(7).whole("honest.bin", data)
    r.end_text(0)
    lines = [line for line in r.err.splitlines() if "ignored" in line]
    equal(len(lines), 1, f"sentences about it in {r.err}")
    for word in ("3 packets", "TSI 9", "127.0.0.2"):
        check(word in lines[0], f"no {word!r} in {lines[0]}")


def test_many_stray_sessions_do_not_block_a_session(t: Test) -> None:
    """More sessions than a receiver remembers."""
    result = check_stray(t, [flute.packet(1, 0, 0, b"x", tsi=100 + i) for i in range(200)])
    check(0 < len(result["ignored"]) <= 16, f"{len(result['ignored'])} sessions named")


def test_tsi_and_source_limit_the_accepted_sessions(t: Test) -> None:
    data, other = os.urandom(SIZE), os.urandom(SIZE)
    for args, tsi, source in ((("--tsi", "7"), 8, "127.0.0.1"),
                              (("--source", "127.0.0.1"), 7, "127.0.0.2")):
        r = Listener(t, *args, out=f"in{tsi}{source[-1]}")
        r.sender(tsi, source).whole("other.bin", other)
        r.sender(7).whole("mine.bin", data)
        result = r.end(0)
        r.holds("mine.bin", data)
        equal(r.names(), ["mine.bin"], f"files with {args}")
        if tsi != 7:
            equal([(i["source"], i["tsi"]) for i in result["ignored"]], [(source, tsi)], "ignored")
        else:  # the socket does not accept packets of other hosts
            equal(result["port_counters"]["foreign"], 44, "packets of another host")


def interleave(r: Listener, a: Sender, b: Sender, toi: int, one: bytes, two: bytes) -> None:
    for p, q in zip(flute.data_packets(toi, one, tsi=a.tsi),
                    flute.data_packets(toi, two, tsi=b.tsi), strict=True):
        a.send([p])
        b.send([q])
    check(r.process.running, "it has ended")


def test_two_senders_with_the_same_tsi_do_not_mix(t: Test) -> None:
    one, two = os.urandom(SIZE), os.urandom(SIZE)
    for digest in (True, False):
        r = Listener(t, out=f"in{digest}")
        a, b = r.sender(), r.sender(source="127.0.0.2")
        a.table([entry("one.bin", 1, one, digest)], complete=True)
        b.table([entry("two.bin", 1, two, digest)], complete=True)
        interleave(r, a, b, 1, one, two)
        a.close()
        b.close()
        result = r.end(0)
        equal(result["sessions"], 2, "sessions")
        r.holds("one.bin", one)
        r.holds("two.bin", two)


def test_two_sessions_of_one_sender_do_not_mix(t: Test) -> None:
    one, two = os.urandom(SIZE), os.urandom(SIZE)
    r = Listener(t)
    a, b = r.sender(1), r.sender(2)
    a.table([entry("one.bin", 1, one)], complete=True)
    b.table([entry("two.bin", 1, two)], complete=True)
    interleave(r, a, b, 1, one, two)
    a.close()
    b.close()
    r.end(0)
    r.holds("one.bin", one)
    r.holds("two.bin", two)


def test_two_senders_of_the_same_name_leave_one_content_and_exit_code_3(t: Test) -> None:
    one, two = os.urandom(SIZE), os.urandom(SIZE)
    for digest in (True, False):
        r = Listener(t, out=f"in{digest}")
        a, b = r.sender(), r.sender(source="127.0.0.2")
        a.table([entry("same.bin", 1, one, digest)], complete=True)
        a.data(1, one, HALF)
        time.sleep(0.2)
        b.table([entry("same.bin", 1, two, digest)], complete=True)
        time.sleep(PAUSE)
        interleave(r, a, b, 1, one, two)
        a.close()
        b.close()
        result = r.end(3)
        r.holds("same.bin", two)
        equal(states(result), {"same.bin": sorted(["superseded",
                                                   "complete" if digest else "unverified"])},
              "states")
        equal(result["counters"]["fdt_conflicts"], 1, "fdt_conflicts")


def test_two_senders_of_the_same_file_fill_it_together(t: Test) -> None:
    data = os.urandom(SIZE)
    r = Listener(t)
    a, b = r.sender(), r.sender(source="127.0.0.2")
    a.table([entry("same.bin", 1, data)], complete=True)
    a.data(1, data, HALF)
    b.table([entry("same.bin", 4, data)], complete=True)
    b.data(4, data, REST)
    a.close()
    b.close()
    r.end(0)
    r.holds("same.bin", data)


def check_restart(t: Test, tsi: int, toi: int, changed: bool, digest: bool, out: str,
                  pause: float = PAUSE) -> None:
    old, new = os.urandom(SIZE), os.urandom(SIZE)
    if not changed:
        new = old
    r = Listener(t, out=out)
    first = r.sender(1)
    first.table([entry("a.bin", 1, old, digest)], 5, complete=True)
    first.data(1, old, HALF)
    time.sleep(PAUSE)
    again = r.sender(tsi)
    again.table([entry("a.bin", toi, new, digest)], 0, complete=True)
    time.sleep(pause)
    again.data(toi, new, REST)
    again.data(toi, new, HALF)
    again.close()
    result = r.end(3 if changed else 0)
    r.holds("a.bin", new)
    want = ["complete" if digest else "unverified"]
    if changed:
        want.append("superseded")
    if digest:
        equal(states(result), {"a.bin": sorted(want)}, f"{tsi=} {toi=} {changed=} {digest=}")


def test_a_restarted_sender_continues_the_file(t: Test) -> None:
    for i, (tsi, toi) in enumerate(((1, 1), (1, 2), (2, 1), (70000, 9))):
        check_restart(t, tsi, toi, False, True, f"in{i}")


def test_a_restarted_sender_with_a_changed_file_leaves_the_new_one(t: Test) -> None:
    for i, (tsi, toi, digest) in enumerate(((1, 1, True), (1, 2, True), (2, 1, True),
                                            (2, 7, True))):
        check_restart(t, tsi, toi, True, digest, f"in{i}")


def test_a_changed_file_arrives_when_its_symbols_directly_follow_its_table(t: Test) -> None:
    """The receiver has no time to read the table before the symbols come; their order must count."""
    for i, (tsi, toi) in enumerate(((1, 1), (1, 2))):
        check_restart(t, tsi, toi, True, True, f"in{i}", pause=0)


def test_symbols_directly_after_a_new_name_for_a_toi_belong_to_the_new_name(t: Test) -> None:
    """The symbols after the table are not placed in the old file."""
    old, new = os.urandom(SIZE), os.urandom(SIZE)
    for i in range(3):
        r = Listener(t, out=f"in{i}")
        s = r.sender()
        s.table([entry("old.bin", 1, old, digest=False)])
        s.data(1, old, HALF)
        s.table([entry("new.bin", 1, new, digest=False)], 1, complete=True)
        s.data(1, new)
        s.close()
        r.end(3)
        r.holds("new.bin", new)
        r.lacks("old.bin")
        missing = [m for f in r.manifest()["files"] if f["name"] == "old.bin" for m in f["missing"]]
        check(missing in ([[20000, SIZE]], [[0, SIZE]]), f"what old.bin lacks: {missing}")
        if missing[0][0]:  # old.bin was open when it was superseded
            with open(os.path.join(r.out, "old.bin.part"), "rb") as f:
                check(f.read(20000) == old[:20000], "the part of old.bin")


def test_a_restarted_sender_need_not_repeat_what_was_received(t: Test) -> None:
    data = os.urandom(SIZE)
    r = Listener(t)
    first, again = r.sender(1), r.sender(2)
    first.table([entry("a.bin", 1, data)])
    first.data(1, data, HALF)
    again.table([entry("a.bin", 3, data)], complete=True)
    again.data(3, data, REST)
    again.close()
    first.close()
    result = r.end(0)
    r.holds("a.bin", data)
    equal(result["bytes"], SIZE, "bytes")


def test_a_changed_length_or_symbol_supersedes(t: Test) -> None:
    data = os.urandom(SIZE)
    for i, (new, symbol) in enumerate(((data[:-500], 1000), (data + b"more" * 300, 1000),
                                       (data, 500))):
        r = Listener(t, out=f"in{i}")
        s = r.sender()
        s.table([entry("a.bin", 1, data, digest=False)])
        s.data(1, data, HALF)
        time.sleep(PAUSE)
        s.table([entry("a.bin", 1, new, digest=False, symbol=symbol)], 1, complete=True)
        time.sleep(PAUSE)
        s.data(1, new, symbol=symbol)
        s.close()
        result = r.end(3)
        r.holds("a.bin", new)
        equal(states(result), {"a.bin": ["superseded", "unverified"]}, "states")


def test_a_new_name_for_a_toi_supersedes_the_old_one(t: Test) -> None:
    old, new = os.urandom(SIZE), os.urandom(SIZE)
    r = Listener(t)
    s = r.sender()
    s.table([entry("old.bin", 1, old)])
    s.data(1, old, HALF)
    time.sleep(PAUSE)
    s.table([entry("new.bin", 1, new)], 1, complete=True)
    time.sleep(PAUSE)
    s.data(1, new)
    s.close()
    result = r.end(3)
    r.holds("new.bin", new)
    r.lacks("old.bin")
    equal(states(result), {"old.bin": ["superseded"], "new.bin": ["complete"]}, "states")
    equal([f["name"] for f in r.manifest()["files"]], ["old.bin"], "files in the manifest")
    check("contradicts" in r.err, f"the conflict is not said: {r.err}")


def test_an_older_announcement_that_returns_continues_where_it_was(t: Test) -> None:
    data, other = os.urandom(SIZE), os.urandom(SIZE)
    r = Listener(t)
    s = r.sender()
    s.table([entry("a.bin", 1, data)], 0)
    s.data(1, data, HALF)
    time.sleep(PAUSE)
    s.table([entry("a.bin", 2, other)], 1)
    s.data(2, other, slice(30, 35))
    time.sleep(PAUSE)
    s.table([entry("a.bin", 1, data)], 2, complete=True)
    time.sleep(PAUSE)
    s.data(1, data, REST)
    s.close()
    result = r.end(3)
    r.holds("a.bin", data)
    equal(states(result), {"a.bin": ["complete", "superseded"]}, "states")


def test_without_a_digest_an_older_announcement_starts_again(t: Test) -> None:
    """Its symbols cannot be distinguished from those of the other content."""
    data, other = os.urandom(SIZE), os.urandom(SIZE)
    r = Listener(t)
    s = r.sender()
    s.table([entry("a.bin", 1, data, digest=False)], 0)
    s.data(1, data, HALF)
    time.sleep(PAUSE)
    s.table([entry("a.bin", 1, other[:-7], digest=False)], 1)
    time.sleep(PAUSE)
    s.data(1, other[:-7], slice(5, 25))
    time.sleep(PAUSE)
    s.table([entry("a.bin", 1, data, digest=False)], 2)
    time.sleep(PAUSE)
    s.data(1, data, REST)
    s.close()
    result = r.end(3)
    r.lacks("a.bin")
    have = sorted(f["have"] for f in result["files"])
    check(SIZE - 20000 in have, f"bytes that it has: {have}")


def test_repeating_the_same_table_changes_nothing(t: Test) -> None:
    data = os.urandom(SIZE)
    r = Listener(t)
    s = r.sender()
    for i in range(41):
        s.table([entry("a.bin", 1, data)], i % 4, complete=True)
        s.data(1, data, slice(i, i + 1))
    s.close()
    result = r.end(0)
    r.holds("a.bin", data)
    equal((result["counters"]["fdt_conflicts"], result["counters"]["fdt_bad"]), (0, 0),
          "conflicts, bad tables")


def test_a_digest_that_comes_later_is_checked(t: Test) -> None:
    data = os.urandom(SIZE)
    for i, (right, code, state) in enumerate(((True, 0, "complete"), (False, 3, "refused"))):
        r = Listener(t, out=f"in{i}")
        s = r.sender()
        s.table([entry("a.bin", 1, data, digest=False)], 0)
        s.data(1, data)
        time.sleep(0.2)
        late = entry("a.bin", 1, data)
        if not right:
            late["pw:Digest"] = entry("", 1, b"other")["pw:Digest"]
        s.table([late], 1, complete=True)
        s.close()
        result = r.end(code)
        equal(states(result), {"a.bin": [state]}, "states")


def test_a_digest_that_comes_before_the_last_symbol_is_checked(t: Test) -> None:
    data = os.urandom(SIZE)
    r = Listener(t)
    s = r.sender()
    s.table([entry("a.bin", 1, data, digest=False)], 0)
    s.data(1, data, HALF)
    late = entry("a.bin", 1, data)
    late["pw:Digest"] = entry("", 1, b"other")["pw:Digest"]
    s.table([late], 1, complete=True)
    time.sleep(PAUSE)
    s.data(1, data, REST)
    s.close()
    result = r.end(3)
    equal(states(result), {"a.bin": ["mismatch"]}, "states")
    r.lacks("a.bin")


def test_a_complete_file_is_replaced_only_with_force(t: Test) -> None:
    old, new = os.urandom(SIZE), os.urandom(SIZE)
    for args, code, kept in (((), 3, old), (("--force",), 0, new)):
        r = Listener(t, *args, out=f"in{code}")
        s = r.sender()
        s.table([entry("a.bin", 1, old)], 0)
        s.data(1, old)
        time.sleep(0.3)
        s.table([entry("a.bin", 2, new)], 1, complete=True)
        s.data(2, new)
        s.close()
        result = r.end(code)
        r.holds("a.bin", kept)
        equal(r.names(), ["a.bin"], "files")
        if code:
            check("--force" in reason(result, "a.bin"), f"{result['files']}")


def test_a_name_with_too_many_contents_is_refused_with_the_reason(t: Test) -> None:
    contents = [os.urandom(3000) for _ in range(12)]
    r = Listener(t)
    s = r.sender()
    for i, data in enumerate(contents):
        s.table([entry("a.bin", i + 1, data)], i)
    result = r.end(3)
    refused = [f["reason"] for f in result["files"] if f["state"] == "refused"]
    equal(len(refused), 1, f"refused contents: {result['files']}")
    check(all("too many" in why for why in refused), f"{refused}")
    r.lacks("a.bin")


def test_one_close_packet_does_not_end_a_session(t: Test) -> None:
    data = os.urandom(SIZE)
    for i, source in enumerate(("127.0.0.1", "127.0.0.2")):
        r = Listener(t, out=f"in{i}", timeout="4s")
        s = r.sender()
        s.table([entry("a.bin", 1, data)], complete=True)
        s.data(1, data, HALF)
        forger = r.sender(source=source)
        forger.close(1)
        time.sleep(1.6)
        s.data(1, data, REST)
        s.close()
        result = r.end(0)
        equal(result["ended"], "done", "why it ended")
        r.holds("a.bin", data)


def test_close_packets_of_another_session_do_not_end_this_one(t: Test) -> None:
    data = os.urandom(SIZE)
    r = Listener(t, timeout="4s")
    s = r.sender()
    s.table([entry("a.bin", 1, data)], complete=True)
    s.data(1, data, HALF)
    r.sender(source="127.0.0.2").close(5)
    r.sender(2).close(5)
    time.sleep(1.6)
    s.data(1, data, REST)
    s.close()
    r.end(0)
    r.holds("a.bin", data)


def test_two_close_packets_end_a_session_that_lacks_symbols(t: Test) -> None:
    data = os.urandom(SIZE)
    r = Listener(t, timeout="20s")
    s = r.sender()
    s.table([entry("a.bin", 1, data)], complete=True)
    s.data(1, data, lost=[3])
    time.sleep(PAUSE)
    s.close()
    began = time.monotonic()
    result = r.end(3)
    check(time.monotonic() - began < 10, "it waited for the timeout")
    equal(result["ended"], "closed", "why it ended")
    equal(r.manifest()["files"][0]["missing"], [[3000, 4000]], "missing ranges")


def test_a_close_packet_directly_after_a_short_session_counts(t: Test) -> None:
    """The receiver may not have read the session's table yet."""
    data = os.urandom(SIZE)
    for i in range(3):
        r = Listener(t, out=f"in{i}", timeout="20s")
        s = r.sender()
        s.send(flute.fdt_packets(flute.fdt_xml([entry("a.bin", 1, data)], complete=True))
               + flute.data_packets(1, data)[:2] + [flute.close_packet()] * 2)
        began = time.monotonic()
        result = r.end(3)
        check(time.monotonic() - began < 10, "it waited for the timeout")
        equal(result["ended"], "closed", "why it ended")


def test_a_forged_number_of_files_does_not_end_a_session_early(t: Test) -> None:
    data = os.urandom(SIZE)
    for i, source in enumerate(("127.0.0.1", "127.0.0.2")):
        r = Listener(t, out=f"in{i}", timeout="3s")
        r.sender(source=source).table([entry("x", 9, b"")], 5, complete=True,
                                      attributes=files_attribute(1))
        time.sleep(0.25)
        s = r.sender()
        s.table([entry("a.bin", 1, data)], 1, attributes=files_attribute(1))
        s.data(1, data, HALF)
        time.sleep(0.7)
        s.data(1, data, REST)
        s.close()
        r.end(0)
        r.holds("a.bin", data)


def test_files_that_no_table_named_are_counted(t: Test) -> None:
    data = os.urandom(SIZE)
    r = Listener(t)
    s = r.sender()
    s.table([entry("a.bin", 1, data)], attributes=files_attribute(3))
    s.data(1, data)
    s.close()
    result = r.end(3)
    equal((result["files_known"], result["files_good"], result["files_never_named"]), (1, 1, 2),
          "files known, good, never named")
    r.holds("a.bin", data)
    text = Listener(t, out="text", as_text=True)
    s = text.sender()
    s.table([entry("a.bin", 1, data)], attributes=files_attribute(3))
    s.data(1, data)
    s.close()
    out = text.end_text(3)
    check("at least 2 files were never named" in out and "1 of 3 files" in out, out)


def inject(s: Sender, at: int) -> None:
    s.send([flute.packet(1, 0, at, b"EVIL" * 250, tsi=s.tsi)])


def test_the_next_pass_repairs_a_file_whose_digest_differed(t: Test) -> None:
    data = os.urandom(SIZE)
    for i, (at, complete) in enumerate(((0, True), (30, True), (39, False))):
        r = Listener(t, out=f"in{i}")
        s = r.sender()
        s.table([entry("a.bin", 1, data)], complete=complete)
        inject(s, at)
        for _ in range(3):
            s.table([entry("a.bin", 1, data)], complete=complete)
            s.data(1, data)
            time.sleep(0.15)
        s.close()
        r.end(0)
        r.holds("a.bin", data)
        equal(r.names(), ["a.bin"], "files")


def test_a_file_whose_digest_differs_is_listed_as_missing_entirely(t: Test) -> None:
    data = os.urandom(SIZE)
    r = Listener(t)
    s = r.sender()
    s.table([entry("a.bin", 1, data)], complete=True)
    inject(s, 30)
    s.data(1, data)
    s.close()
    result = r.end(3)
    equal(states(result), {"a.bin": ["mismatch"]}, "states")
    check("digest" in reason(result, "a.bin", "mismatch"), f"{result['files']}")
    r.lacks("a.bin")
    equal(r.manifest()["files"][0]["missing"], [[0, SIZE]], "missing ranges")
    again = Listener(t, "--resume")
    again.sender().whole("a.bin", data)
    again.end(0)
    again.holds("a.bin", data)
    equal(again.names(), ["a.bin"], "files")
