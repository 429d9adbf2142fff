# SPDX-License-Identifier: BSD-3-Clause
"""The output directory: space, names, partial files, resumed sessions, and attributes of files.

The rest of docs/durability.md; what is there after a power cut is in test_durable.py."""
from __future__ import annotations

import json
import os
import signal
import stat
import time
from typing import Any

import flute
from disks import Disk, free_bytes
from harness import Test, check, equal, poll_until
from session import Listener, entry, load_manifest, names_below, reason, states

CONCURRENT = True  # these tests need no CPU of their own and no huge pages (run.py)

SIZE = 40500  # 41 symbols; the last one is short
MANIFEST = "pagewire-gaps.json"
TOO_LARGE = "space"


def places(t: Test) -> list[tuple[str, str]]:
    """Two small file systems, tmpfs and ext4: (mount point, output directory) of each."""
    made = []
    for root in (t.tmpfs("small", 48 << 20), Disk(t, "disk", 48 << 20).path):
        out = os.path.join(root, "out")
        os.mkdir(out)
        made.append((root, out))
    return made


def test_a_table_alone_takes_no_space(t: Test) -> None:
    honest = os.urandom(SIZE)
    for root, out in places(t):
        r = Listener(t, out=out)
        s = r.sender()
        free = free_bytes(root)
        s.table([flute.file_entry("all.bin", 99, free - (1 << 20), symbol=1400, block=8192),
                 *(flute.file_entry(f"d/{i}.bin", 1000 + i, 1 << 20) for i in range(100))])
        time.sleep(0.4)
        taken = free - free_bytes(root)
        check(taken < 2 << 20, f"{taken} bytes are taken by one table in {root}")
        s.table([entry("honest.bin", 1, honest)], 1)
        s.data(1, honest)
        time.sleep(0.1)
        s.close()
        r.end(3)
        r.holds("honest.bin", honest)
        equal([n for n in names_below(out) if n.endswith(".part")], [], "parts of nothing")


def test_of_two_files_that_do_not_fit_together_one_is_refused(t: Test) -> None:
    honest = os.urandom(SIZE)
    for root, out in places(t):
        r = Listener(t, out=out)
        s = r.sender()
        s.table([entry("honest.bin", 1, honest)])
        s.data(1, honest, slice(0, 20))
        time.sleep(0.15)
        share = free_bytes(root) * 6 // 10
        s.table([flute.file_entry(f"e{i}.bin", i, share, symbol=1400, block=8192)
                 for i in (98, 99)], 1)
        time.sleep(0.15)
        s.send(flute.packet(i, 0, 0, b"x" * 1400) for i in (98, 99))
        time.sleep(0.15)
        s.data(1, honest, slice(20, None))
        time.sleep(0.1)
        s.close()
        result = r.end(3)
        r.holds("honest.bin", honest)
        got = states(result)
        equal(sorted(got["e98.bin"] + got["e99.bin"]), ["partial", "refused"], f"states in {root}")
        check(TOO_LARGE in "".join(f.get("reason", "") for f in result["files"]), f"{result['files']}")
        listed = {f["name"]: f for f in load_manifest(os.path.join(out, MANIFEST))["files"]}
        partial = "e98.bin" if got["e98.bin"] == ["partial"] else "e99.bin"
        equal(listed[partial]["missing"], [[1400, share]], "what the other one lacks")


def test_the_space_of_a_refused_file_is_free_for_others(t: Test) -> None:
    data = os.urandom(10 << 20)
    root, out = places(t)[0]
    r = Listener(t, out=out)
    s = r.sender()
    s.table([flute.file_entry("large.bin", 1, free_bytes(root) * 4, symbol=1400, block=8192),
             entry("data.bin", 2, data, symbol=8192, block=4096)], complete=True)
    s.send([flute.packet(1, 0, 0, b"x" * 1400)])
    s.data(2, data, symbol=8192, block=4096)
    time.sleep(0.1)
    s.close()
    result = r.end(3)
    equal(states(result), {"large.bin": ["refused"], "data.bin": ["complete"]}, "states")
    r.holds("data.bin", data)


NAMES: tuple[bytes, ...] = (
    b"caf\xe9.txt", b"caf\xc3\xa9.txt", b"\xff\xfe", b"{" * 240, b'}],"missing":[{', b'say "so"',
    b"back\\slash\\u0000", b"per%cent%41%", b"a b  c", b"' * $(x) `y`", b"-rf", b"~", b"d/\xe4/\xf6",
    b"x" * 250, b"\xf0\x9f\x92\xbe", b"name_bytes", b"a:b", b"#tag?query&more=1", b"\xed\xa0\x80",
    b"\xc2", b".hidden", b"...")


def quoted(name: bytes) -> str:
    """The name as a URI: every byte except letters, digits and / as %XX."""
    plain = b"abcdefghijklmnopqrstuvwxyz0123456789/"
    return "".join(chr(b) if b in plain else f"%{b:02X}" for b in name)


def test_every_name_is_repaired_by_its_manifest(t: Test) -> None:
    contents = [os.urandom(3000 + i) for i in range(len(NAMES))]
    entries = [entry(quoted(name), i, data)
               for i, (name, data) in enumerate(zip(NAMES, contents, strict=True), 1)]
    r = Listener(t)
    s = r.sender()
    s.table(entries, complete=True)
    for i, data in enumerate(contents, 1):
        s.data(i, data, lost=[1])
    time.sleep(0.2)
    s.close()
    result = r.end(3)
    equal([f["state"] for f in result["files"]], ["partial"] * len(NAMES), "states")
    gaps = os.path.join(r.out, MANIFEST)
    load_manifest(gaps)
    for name, data in zip(NAMES, contents, strict=True):  # `send` must find each name of the manifest
        path = os.path.join(os.fsencode(t.path("src")), name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as f:
            f.write(data)
    operands = sorted({name.split(b"/")[0] for name in NAMES})
    sent = t.spawn(t.binary, "send", *(t.path("src") + "/" + os.fsdecode(n) for n in operands), "--port",
                   "null", "--no-huge", "--to", "239.77.0.1", "--lead", "0s", "--symbol", "1000", "--json",
                   "--gaps", gaps).ends_with(0)
    equal(sent.json["payload_bytes"], 1000 * len(NAMES), "bytes that are sent again")
    again = Listener(t, "--resume")
    s = again.sender()
    s.table(entries, complete=True)
    for i, data in enumerate(contents, 1):
        s.data(i, data, slice(1, 2))
    s.close()
    again.end(0)
    for name, data in zip(NAMES, contents, strict=True):
        again.holds(name, data)
    equal(sum(len(f) for _, _, f in os.walk(r.out)), len(NAMES), "files")


def test_thousands_of_names_full_of_braces_are_read_back(t: Test) -> None:
    data = os.urandom(4000)
    entries = [entry("honest.bin", 1, data)]
    entries += [flute.file_entry(f"{i:04}" + "{,[" * 70, 10 + i, 1000) for i in range(2000)]
    r = Listener(t)
    s = r.sender()
    for at in range(0, len(entries), 200):
        s.table(entries[at:at + 200], at)
    s.data(1, data, lost=[0])
    time.sleep(0.3)
    s.close()
    r.end(3)
    equal(len(r.manifest()["files"]), 2001, "files in the manifest")
    again = Listener(t, "--resume")
    s = again.sender()
    s.table(entries[:1])
    s.data(1, data, slice(0, 1))
    s.close()
    result = again.end(3)
    equal(states(result)["honest.bin"], ["complete"], "state")
    again.holds("honest.bin", data)
    equal(len(again.manifest()["files"]), 2000, "files that are still missing")


def test_no_received_file_takes_the_manifests_name(t: Test) -> None:
    for i, name in enumerate((MANIFEST, MANIFEST + "/x", MANIFEST + ".part/x", MANIFEST + ".part",
                              f"./{MANIFEST}", f"http://h/{MANIFEST}/deep/er")):
        data = os.urandom(4000)
        r = Listener(t, out=f"in{i}", timeout="300ms")
        s = r.sender()
        s.table([entry(name, 9, b"") if i % 2 else entry(name, 9, b"not a manifest"),
                 entry("honest.bin", 1, data)], complete=True)
        s.data(9, b"not a manifest")
        s.data(1, data, lost=[1])
        result = r.end(3)
        equal([f["state"] for f in result["files"]], ["refused", "partial"], f"states, {name}")
        equal([f["name"] for f in r.manifest()["files"]], ["honest.bin"], f"the manifest, {name}")
        again = Listener(t, "--resume", out=f"in{i}")
        s = again.sender()
        s.table([entry("honest.bin", 1, data)], complete=True)
        s.data(1, data, slice(1, 2))
        time.sleep(0.1)
        s.close()
        again.end(0)
        again.holds("honest.bin", data)
        equal(again.names(), ["honest.bin"], f"files, {name}")


def test_the_manifests_name_is_reserved_in_every_spelling(t: Test) -> None:
    os.mkdir(t.path("in"))
    os.symlink(t.path("in"), t.path("link"))
    for i, (out, gaps) in enumerate((("in", "in/g.json"), (".", "g.json"), ("in", "link/g.json"),
                                     ("link", "in/../in/./g.json"), ("in/.", t.path("link/g.json")))):
        data, other = os.urandom(4000), os.urandom(4000)
        # Listener gives --out as well; the last one counts
        r = Listener(t, "--gaps", gaps, "--out", out, timeout="300ms")
        s = r.sender()
        s.table([entry("g.json", 1, data), entry("other.bin", 2, other)], complete=True)
        s.data(1, data)
        s.data(2, other, lost=[0])
        result = r.end(3)
        check("manifest" in reason(result, "g.json"), f"{result['files']}")
        equal([f["name"] for f in load_manifest(t.path(gaps))["files"]], ["other.bin"],
              f"the manifest, spelling {i}")
        for name in (t.path(gaps), os.path.join(t.path(out), "other.bin.part")):
            os.unlink(name)


def test_a_directory_named_part_does_not_block_a_file(t: Test) -> None:
    data = os.urandom(SIZE)
    for i, names in enumerate((("movie.bin.part/x", "movie.bin"), ("d/e.part/f/g", "d/e"),
                               ("m.part/x", "m.1.part/x", "m"))):
        r = Listener(t, out=f"in{i}")
        s = r.sender()
        s.table([entry(name, toi, b"") for toi, name in enumerate(names[:-1], 1)])
        time.sleep(0.15)
        s.table([entry(names[-1], 9, data)], 1, complete=True)
        s.data(9, data)
        s.close()
        r.end(0)
        r.holds(names[-1], data)
        equal(r.names(), sorted(names), "files")
        again = Listener(t, out=f"in{i}")  # also in a later session
        again.sender().whole(names[0] + ".new", data)
        again.end(0)


def test_a_part_without_a_manifest_is_not_trusted(t: Test) -> None:
    """A NAME.part without a manifest: --resume does not use its bytes."""
    data = os.urandom(SIZE)
    os.mkdir(t.path("in"))
    with open(t.path("in", "a.bin.part"), "wb") as f:
        f.write(os.urandom(SIZE))
    r = Listener(t, "--resume")
    s = r.sender()
    s.table([entry("a.bin", 1, data, digest=False)], complete=True)
    s.data(1, data, lost=[2])
    time.sleep(0.1)
    s.close()
    result = r.end(3)
    equal([f["have"] for f in result["files"]], [SIZE - 1000], "bytes that it has")


def count_directories(folder: str) -> int:
    return sum(len(dirs) for _, dirs, _ in os.walk(folder))


def test_directories_count_towards_max_files(t: Test) -> None:
    honest = os.urandom(SIZE)
    r = Listener(t, "--max-files", "60")
    s = r.sender()
    s.table([entry("honest.bin", 1, honest)])
    s.data(1, honest)
    time.sleep(0.15)
    s.table([entry(f"{i}/" + "a/" * 30 + "f", 10 + i, b"") for i in range(20)], 1)
    time.sleep(0.3)
    s.close()
    r.end(3)
    made = count_directories(r.out)
    check(made <= 60, f"{made} directories were made")
    check(made >= 30, f"only {made} directories were made")
    r.holds("honest.bin", honest)


def resume_state(t: Test, lost: list[int]) -> tuple[bytes, Listener]:
    """Leaves a part and a manifest of an incomplete session; returns the content and the receiver."""
    data = os.urandom(SIZE)
    r = Listener(t, timeout="200ms")
    s = r.sender()
    s.table([entry("f.bin", 1, data)], complete=True)
    s.data(1, data, lost=lost)
    r.end(3)
    return data, r


def test_a_resumed_file_that_was_completed_before_a_kill_stays_complete(t: Test) -> None:
    data, _ = resume_state(t, [5])
    r = Listener(t, "--resume", "--expect", "99", timeout="20s")
    s = r.sender()
    s.table([entry("f.bin", 1, data)])
    s.data(1, data, slice(5, 6))
    poll_until(lambda: os.path.exists(os.path.join(r.out, "f.bin")), 10, "f.bin")
    time.sleep(0.1)
    r.process.signal(signal.SIGKILL)
    r.process.wait(10)
    equal(sorted(r.names()), ["f.bin", MANIFEST], "files after the kill")
    again = Listener(t, "--resume")
    s = again.sender()
    s.table([entry("f.bin", 1, data)], complete=True)
    s.data(1, data)
    s.close()
    result = again.end(0)
    equal(states(result), {"f.bin": ["complete"]}, "states")
    again.holds("f.bin", data)
    equal(again.names(), ["f.bin"], "files")


def test_a_complete_file_that_differs_is_not_resumed(t: Test) -> None:
    data, r = resume_state(t, [5])
    os.unlink(os.path.join(r.out, "f.bin.part"))
    with open(os.path.join(r.out, "f.bin"), "wb") as f:
        f.write(os.urandom(SIZE))
    again = Listener(t, "--resume")
    again.sender().whole("f.bin", data)
    result = again.end(3)
    check("differs" in reason(result, "f.bin"), f"{result['files']}")


def test_a_kill_during_a_resumed_session_loses_nothing_of_the_first(t: Test) -> None:
    data, _ = resume_state(t, [5, 9, 30])
    r = Listener(t, "--resume", timeout="20s")
    s = r.sender()
    s.table([entry("f.bin", 1, data)])
    s.data(1, data, slice(5, 6))
    time.sleep(0.3)
    r.process.signal(signal.SIGKILL)
    r.process.wait(10)
    again = Listener(t, "--resume")
    s = again.sender()
    s.table([entry("f.bin", 1, data)], complete=True)
    for i in (5, 9, 30):
        s.data(1, data, slice(i, i + 1))
    s.close()
    again.end(0)
    again.holds("f.bin", data)


def contradictions(data: bytes) -> list[dict[str, Any]]:
    other = os.urandom(SIZE)
    return [flute.file_entry("f.bin", 77, len(data) + 1), entry("f.bin", 1, other),
            entry("f.bin", 77, other), entry("f.bin", 1, data[:-1]), flute.file_entry("f.bin", 1, 0),
            entry("f.bin", 3, data, **{"Content-Encoding": "gzip"}),
            {"Content-Location": "f.bin", "TOI": 5}]


def test_a_contradicting_announcement_changes_neither_part_nor_manifest(t: Test) -> None:
    for i in range(7):
        data, first = resume_state(t, [5])
        before = first.manifest()["files"]
        r = Listener(t, *(() if i == 2 else ("--resume",)), timeout="200ms")
        r.sender().table([contradictions(data)[i]])
        r.end(3)
        equal(r.manifest()["files"], before, f"the manifest after contradiction {i}")
        with open(os.path.join(r.out, "f.bin.part"), "rb") as f:
            part = f.read()
        check(part[:5000] == data[:5000] and part[6000:] == data[6000:], f"the part, {i}")
        if os.path.exists(os.path.join(r.out, "f.bin")):  # this contradiction was a whole (empty) file
            os.unlink(os.path.join(r.out, "f.bin"))
        again = Listener(t, "--resume")
        s = again.sender()
        s.table([entry("f.bin", 1, data)], complete=True)
        s.data(1, data, slice(5, 6))
        time.sleep(0.1)
        s.close()
        again.end(0)
        again.holds("f.bin", data)
        equal(again.names(), ["f.bin"], f"files, {i}")
        os.unlink(os.path.join(r.out, "f.bin"))


def test_large_holes_of_a_file_are_not_written(t: Test) -> None:
    """Large ranges of zeros are not written, wherever they are; small ones are."""
    hole, block = bytes(4 << 20), os.urandom(64 << 10)
    contents = {"between.bin": block + hole + block, "first.bin": hole + block,
                "last.bin": block + hole, "all.bin": hole, "odd.bin": block[:777] + hole + block[:333],
                "small.bin": bytes(700)}
    for way in ("mapped", "direct"):
        disk = Disk(t, f"disk-{way}")
        r = Listener(t, "--write", way, out=os.path.join(disk.path, "out"))
        s = r.sender()
        s.table([entry(name, i, data, symbol=8192, block=4096)
                 for i, (name, data) in enumerate(contents.items(), 1)], complete=True)
        for i, data in enumerate(contents.values(), 1):
            s.data(i, data, symbol=8192, block=4096)
        s.close()
        r.end(0)
        for name, data in contents.items():
            r.holds(name, data)
            taken = os.stat(os.path.join(r.out, name)).st_blocks * 512
            limit = len(data) - data.count(0) + (600 << 10)
            check(taken <= limit, f"{way}: {name} takes {taken} bytes, more than {limit}")


def test_zeros_that_fill_a_gap_of_a_part_are_written(t: Test) -> None:
    """Zeros must be written over other bytes, which a part has after a mismatch."""
    data = bytes(SIZE)
    for way in ("mapped", "direct"):
        r = Listener(t, "--write", way, out=f"in-{way}")
        s = r.sender()
        s.table([entry("zero.bin", 1, data)], complete=True)
        s.send([flute.packet(1, 0, 7, b"EVIL" * 250)])
        s.data(1, data)
        time.sleep(0.3)
        s.data(1, data)
        time.sleep(0.1)
        s.close()
        r.end(0)
        r.holds("zero.bin", data)


def test_mode_and_mtime_are_kept_and_masked(t: Test) -> None:
    umask = 0o022
    modes = {"0644": 0o644, "0755": 0o755, "0600": 0o600, "0444": 0o644, "0000": 0o600,
             "7777": 0o755, "4755": 0o755, "0777": 0o755}
    before = time.time()
    odd = {"pw:Mode": "rwx"}, {"pw:Mode": "-1"}, {"pw:MTime": "soon"}, {"pw:MTime": "9" * 40}
    mtimes = {"-1000000001": -1.000000001, "1234567890123456789": 1234567890.123456789}
    r = Listener(t, wrap=("sh", "-c", f'umask {umask:03o}; exec "$0" "$@"'))
    entries: list[dict[str, Any]] = []
    data = b"x" * 10
    for mode in modes:
        entries.append(entry(f"m{mode}", len(entries) + 1, data, **{"pw:Mode": mode}))
    for mtime in mtimes:
        entries.append(entry(f"t{mtime}", len(entries) + 1, data, **{"pw:MTime": mtime}))
    for i, more in enumerate(odd):
        entries.append(entry(f"odd{i}", len(entries) + 1, data, **more))
    s = r.sender()
    s.table(entries, complete=True)
    for toi in range(1, len(entries) + 1):
        s.data(toi, data)
    s.close()
    r.end(0)
    for mode, want in modes.items():
        got = os.stat(os.path.join(r.out, f"m{mode}")).st_mode
        equal(oct(stat.S_IMODE(got)), oct(want), f"mode for {mode}")
    for mtime, seconds in mtimes.items():
        st = os.stat(os.path.join(r.out, f"t{mtime}"))
        check(abs(st.st_mtime - seconds) < 1e-5, f"mtime {st.st_mtime} for {mtime}")
    for i in range(len(odd)):
        st = os.stat(os.path.join(r.out, f"odd{i}"))
        check(abs(st.st_mtime - before) < 60, f"mtime {st.st_mtime} of odd{i}")
        equal(stat.S_IMODE(st.st_mode), 0o666 & ~umask, f"mode of odd{i}")


def test_mode_and_mtime_are_sent_and_received(t: Test) -> None:
    paths = {}
    for mode in (0o640, 0o755):
        path = t.file(f"{mode:o}.bin", 5000)
        os.chmod(path, mode)
        os.utime(path, ns=(0, 1_111_111_111_123_456_789))
        paths[f"{mode:o}.bin"] = mode
    t.run("send", "--port", f"pcap:{t.path('s.pcap')}", "--to", "239.77.0.1", "--no-huge",
          *(t.path(name) for name in paths)).ends_with(0)
    t.run("recv", "--port", f"pcap:{t.path('s.pcap')}", "--no-huge", "--out", t.mkdir("in"),
          "--timeout", "1s").ends_with(0)
    for name, mode in paths.items():
        st = os.stat(t.path("in", name))
        equal((oct(stat.S_IMODE(st.st_mode)), st.st_mtime_ns), (oct(mode & ~0o022),
                                                               1_111_111_111_123_456_789), name)


def test_the_files_left_by_a_session_match_its_report(t: Test) -> None:
    """The JSON report names the manifest exactly when the file exists."""
    data = os.urandom(SIZE)
    losses: tuple[list[int], ...] = ([], [1])
    for lost in losses:
        r = Listener(t, out=f"in{len(lost)}")
        s = r.sender()
        s.table([entry("a.bin", 1, data)], complete=True)
        s.data(1, data, lost=lost)
        time.sleep(0.1)
        s.close()
        result = r.end(3 if lost else 0)
        path = os.path.join(r.out, MANIFEST)
        equal(result["gaps"], path if lost else None, "gaps")
        equal(os.path.exists(path), bool(lost), "the manifest is there")
        equal(json.dumps(result["bytes_missing"]), str(1000 * len(lost)), "bytes_missing")
