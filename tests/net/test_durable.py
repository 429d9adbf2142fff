# SPDX-License-Identifier: BSD-3-Clause
"""What is on the disk when `ok` is reported or a manifest is written: the rows of docs/durability.md.

A test simulates a power failure: when the receiver has ended, it copies the image of the disk and mounts the
copy. Data that was not synced is not in the copy; a control test shows this."""
from __future__ import annotations

import os
import re
import resource
import time
from typing import Any

from disks import Disk, fill
from harness import Failed, Test, check, equal, poll_until
from session import Listener, Sender, entry, load_manifest, names_below, reason, states

CONCURRENT = True  # these tests need no CPU of their own and no huge pages (run.py)

SYMBOL = 8192
BIG = 6 << 20 | 0x1234
WAYS = ("mapped", "direct")


def big_entry(name: str, toi: int, data: bytes) -> dict[str, Any]:
    return entry(name, toi, data, symbol=SYMBOL, block=4096)


def send_big(s: Sender, toi: int, data: bytes, lost: tuple[int, ...] = ()) -> None:
    s.data(toi, data, lost=lost, symbol=SYMBOL, block=4096)


def on_disk(t: Test, way: str, *args: str) -> tuple[Disk, Listener]:
    disk = Disk(t, f"disk-{way}")
    out = os.path.join(disk.path, "out")
    os.mkdir(out)
    disk.sync()
    return disk, Listener(t, "--write", way, *args, out=out)


def same(path: str, data: bytes, what: str) -> None:
    check(os.path.isfile(path), f"{what}: {path} is not there")
    with open(path, "rb") as f:
        check(f.read() == data, f"{what}: {path} differs")


def one_file(t: Test, way: str, *args: str) -> tuple[bytes, str]:
    """Receives one file; returns its content and the output directory after the power cut."""
    data = os.urandom(BIG)
    disk, r = on_disk(t, way, *args)
    s = r.sender()
    s.table([big_entry("whole.bin", 1, data)], complete=True)
    send_big(s, 1, data)
    s.close()
    r.process.wait(30)
    after = disk.after_power_cut(f"after-{way}")
    result = r.end(0)
    equal(states(result), {"whole.bin": ["complete"]}, "states")
    return data, os.path.join(after, "out")


def test_a_file_that_is_ok_is_there_after_a_power_cut(t: Test) -> None:
    for way in WAYS:
        data, out = one_file(t, way)
        same(os.path.join(out, "whole.bin"), data, way)
        equal(names_below(out), ["whole.bin"], f"files, {way}")


def test_with_durable_no_a_power_cut_loses_the_file(t: Test) -> None:
    """The control test: data that was not synced is not in the copied image."""
    data, out = one_file(t, "mapped", "--durable", "no")
    try:
        same(os.path.join(out, "whole.bin"), data, "control")
    except Failed:
        return
    raise Failed("the image has a file that was not synced: the other tests here prove nothing")


def test_small_files_in_new_directories_are_there_after_a_power_cut(t: Test) -> None:
    for way in WAYS:
        contents = {f"d{i % 3}/e/f{i}.bin": os.urandom(3000 + 700 * i) for i in range(20)}
        disk, r = on_disk(t, way)
        s = r.sender()
        s.table([entry(name, i, data) for i, (name, data) in enumerate(contents.items(), 1)],
                complete=True)
        for i, data in enumerate(contents.values(), 1):
            s.data(i, data)
        s.close()
        r.process.wait(30)
        out = os.path.join(disk.after_power_cut(f"after-{way}"), "out")
        r.end(0)
        for name, data in contents.items():
            same(os.path.join(out, name), data, way)
        equal(names_below(out), sorted(contents), f"files, {way}")


def test_empty_files_are_there_after_a_power_cut(t: Test) -> None:
    disk, r = on_disk(t, "mapped")
    s = r.sender()
    s.table([entry("empty", 1, b""), entry("d/empty", 2, b"")], complete=True)
    s.close()
    r.process.wait(30)
    out = os.path.join(disk.after_power_cut("after"), "out")
    r.end(0)
    for name in ("empty", "d/empty"):
        same(os.path.join(out, name), b"", "an empty file")


def check_vouched(out: str, contents: dict[str, bytes]) -> None:
    """Checks that each byte that the manifest does not list as missing is in the part that it names."""
    files = load_manifest(os.path.join(out, "pagewire-gaps.json"))["files"]
    equal(sorted(f["name"] for f in files), sorted(contents), "files in the manifest")
    for f in files:
        data = contents[f["name"]]
        number = f".{f['part']}" if f.get("part") else ""
        with open(os.path.join(out, f["name"] + number + ".part"), "rb") as part:
            there = part.read()
        equal(len(there), len(data), f"length of the part of {f['name']}")
        at = 0
        for start, end in [*f["missing"], [len(data), len(data)]]:
            check(there[at:start] == data[at:start], f"{f['name']}: bytes {at} to {start} differ")
            at = end
        check(sum(b - a for a, b in f["missing"]) < len(data), f"{f['name']}: nothing is vouched for")


def test_bytes_that_a_manifest_does_not_list_are_there_after_a_power_cut(t: Test) -> None:
    """One large file, and so many small ones that the receiver syncs the whole file system."""
    for way in WAYS:
        for count, size in ((1, BIG), (20, 100500)):
            contents = {f"d{i % 3}/f{i}.bin": os.urandom(size + i) for i in range(count)}
            disk = Disk(t, f"disk-{way}-{count}")
            out = os.path.join(disk.path, "out")
            os.mkdir(out)
            disk.sync()
            r = Listener(t, "--write", way, out=out)
            s = r.sender()
            s.table([big_entry(name, i, data)
                     for i, (name, data) in enumerate(contents.items(), 1)], complete=True)
            for i, data in enumerate(contents.values(), 1):
                send_big(s, i, data, lost=(3, 7, 8))
            time.sleep(0.2)
            s.close()
            r.process.wait(30)
            after = os.path.join(disk.after_power_cut(f"after-{way}-{count}"), "out")
            r.end(3)
            check_vouched(after, contents)


def test_a_power_cut_during_a_session_leaves_a_whole_file_or_none(t: Test) -> None:
    """The bytes that an earlier manifest does not list as missing are there as well."""
    old, new = os.urandom(BIG), os.urandom(BIG)
    disk = Disk(t, "disk")
    out = os.path.join(disk.path, "out")
    os.mkdir(out)
    disk.sync()
    r = Listener(t, out=out)
    s = r.sender()
    s.table([big_entry("old.bin", 1, old)], complete=True)
    send_big(s, 1, old, lost=(5,))
    time.sleep(0.2)
    s.close()
    r.end(3)
    r = Listener(t, out=out)  # without --resume
    s = r.sender()
    s.table([big_entry("new.bin", 1, new), big_entry("old.bin", 2, old)])
    send_big(s, 1, new)
    s.data(2, old, slice(0, 100), symbol=SYMBOL, block=4096)
    for i in range(3):
        after = os.path.join(disk.after_power_cut(f"after{i}"), "out")
        if os.path.exists(os.path.join(after, "new.bin")):
            same(os.path.join(after, "new.bin"), new, "a file with its name")
        check_vouched(after, {"old.bin": old})
        time.sleep(0.1)
    s.close()
    r.end(3)


def test_ok_is_reported_after_data_name_and_directory_are_synced(t: Test) -> None:
    t.need_tool("strace")
    # LeakSanitizer cannot run under strace
    t.env["ASAN_OPTIONS"] = t.env.get("ASAN_OPTIONS", "") + ":detect_leaks=0"
    for way in WAYS:
        data, half = os.urandom(BIG), os.urandom(100500)
        disk = Disk(t, f"disk-{way}")
        log = t.path(f"strace-{way}")
        r = Listener(t, "--write", way, out=os.path.join(disk.path, "out"), as_text=True, timeout="3s",
                     wrap=("strace", "-f", "-y", "-qq", "-s", "200", "-o", log, "-e", "trace=fsync,"
                           "fdatasync,syncfs,msync,rename,renameat,renameat2,linkat,write"))
        s = r.sender()
        s.table([big_entry("d/whole.bin", 1, data), entry("half.bin", 2, half)], complete=True)
        send_big(s, 1, data)
        s.data(2, half, lost=(4,))
        time.sleep(0.3)
        s.close()
        r.end_text(3, 60)
        with open(log, encoding="utf-8", errors="replace") as f:
            calls = f.read().splitlines()
        data_synced = rf"msync\(0x\w+, {BIG}, MS_SYNC\) += 0|fsync\(\d+<[^>]*/whole\.bin\.part>\) += 0"
        half_synced = rf"msync\(0x\w+, {len(half)}, MS_SYNC\) += 0|fsync\(\d+<[^>]*/half\.bin\.part>\) += 0"
        said = first(calls, r"write\(1<.*ok  d/whole\.bin", 0, way)
        synced = first(calls, data_synced, 0, way)
        named = first(calls, r'renameat2?\(.*"whole\.bin\.part".*"whole\.bin"', synced + 1, way)
        for folder in ("/out/d", "/out"):
            check(first(calls, rf"fsync\(\d+<[^>]*{folder}>\) += 0", named + 1, way) < said,
                  f"{way}: {folder} was synced after `ok`")
        vouched = first(calls, half_synced, 0, way)
        written = first(calls, r"fsync\(\d+<[^>]*/pagewire-gaps\.json\.part>\) += 0", vouched + 1, way)
        renamed = first(calls, r'renameat2?\(.*"pagewire-gaps\.json"', written + 1, way)
        check(first(calls, r"fsync\(\d+<[^>]*/out>\) += 0", renamed + 1, way) < said,
              f"{way}: the report came before the manifest")


def first(calls: list[str], pattern: str, start: int, way: str) -> int:
    for i in range(start, len(calls)):
        if re.search(pattern, calls[i]):
            return i
    shown = "\n".join(c[:200] for c in calls if "/sys" not in c)
    raise Failed(f"{way}: no {pattern} after call {start}:\n{shown}")


def test_a_write_error_of_the_disk_ends_that_file_only(t: Test) -> None:
    """The image lies in a file system that is too small for it, so writing back fails with EIO."""
    for way in WAYS:
        small, large = os.urandom(20500), os.urandom(40 << 20)
        below = t.tmpfs(f"thin-{way}", 24 << 20)
        disk = Disk(t, f"disk-{way}", 200 << 20, below, journal=False)
        gaps = t.path(f"gaps-{way}.json")
        out = os.path.join(disk.path, "out")
        os.mkdir(out)
        disk.sync()
        r = Listener(t, "--write", way, "--gaps", gaps, out=out)
        s = r.sender()
        s.table([entry("small.bin", 1, small), big_entry("large.bin", 2, large)], complete=True)
        s.data(1, small)
        r.appears("small.bin")
        send_big(s, 2, large)
        s.close()
        result = r.end(3, 60)
        equal(states(result), {"small.bin": ["complete"], "large.bin": ["refused"]}, f"states, {way}")
        check(reason(result, "large.bin") != "", f"{way}: no reason")
        files = load_manifest(gaps)["files"]
        equal([(f["name"], f["missing"]) for f in files], [("large.bin", [[0, len(large)]])],
              f"the manifest, {way}")
        r.lacks("large.bin")
        r.holds("small.bin", small)


def test_a_disk_that_becomes_full_ends_that_file_only(t: Test) -> None:
    for way in WAYS:
        small, late, large = os.urandom(20500), os.urandom(30500), os.urandom(24 << 20)
        disk, r = on_disk(t, way)
        s = r.sender()
        s.table([entry("small.bin", 1, small), entry("late.bin", 3, late),
                 big_entry("large.bin", 2, large)], complete=True)
        s.data(1, small)
        send_big(s, 2, large[:SYMBOL * 100])
        r.appears("large.bin.part")
        r.appears("small.bin")
        time.sleep(0.2)
        fill(disk.path, 3 << 20)
        send_big(s, 2, large)
        time.sleep(0.3)
        s.data(3, late)
        time.sleep(0.1)
        s.close()
        result = r.end(3, 60)
        equal(states(result), {"small.bin": ["complete"], "large.bin": ["refused"],
                               "late.bin": ["complete"]}, f"states, {way}")
        r.holds("small.bin", small)
        r.holds("late.bin", late)
        r.lacks("large.bin")
        equal([(f["name"], f["missing"]) for f in r.manifest()["files"]],
              [("large.bin", [[0, len(large)]])], f"the manifest, {way}")


def test_the_file_size_limit_ends_that_file_only(t: Test) -> None:
    """RLIMIT_FSIZE: SIGXFSZ and EFBIG. The reports themselves are below the limit."""
    t.need_tool("prlimit")
    check(resource.getrlimit(resource.RLIMIT_FSIZE)[1] == resource.RLIM_INFINITY, "limited already")
    for way in WAYS:
        small, large = os.urandom(20500), os.urandom(600500)
        r = Listener(t, "--write", way, out=f"in-{way}",
                     wrap=("prlimit", f"--fsize={200 << 10}:{200 << 10}"))
        s = r.sender()
        s.table([entry("large.bin", 1, large), entry("small.bin", 2, small)], complete=True)
        s.data(1, large)
        s.data(2, small)
        time.sleep(0.1)
        s.close()
        result = r.end(3)
        equal(states(result), {"small.bin": ["complete"], "large.bin": ["refused"]}, f"states, {way}")
        check("ulimit" in reason(result, "large.bin") or "large" in reason(result, "large.bin"),
              reason(result, "large.bin"))
        r.holds("small.bin", small)
        equal([(f["name"], f["missing"]) for f in r.manifest()["files"]],
              [("large.bin", [[0, len(large)]])], f"the manifest, {way}")


def test_a_manifest_above_the_file_size_limit_is_an_error(t: Test) -> None:
    """The main thread writes it, as it does the files of DPDK."""
    t.need_tool("prlimit")
    small = os.urandom(2000)
    r = Listener(t, as_text=True, wrap=("prlimit", f"--fsize={32 << 10}:{32 << 10}"))
    s = r.sender()
    s.table([entry(f"{i:03}" + "x" * 200, i, small) for i in range(1, 300)])
    s.data(299, small)
    r.wait()
    check(r.process.code == 1, r.process.describe())
    errors = [line for line in r.err.splitlines() if "error" in line]
    check(len(errors) == 1 and "pagewire-gaps.json" in errors[0], r.err)
    r.holds("299" + "x" * 200, small)


def test_a_port_with_a_low_file_size_limit_ends_with_an_error(t: Test) -> None:
    t.need_tool("prlimit")
    t.run("send", "--port", f"pcap:{t.path('s.pcap')}", "--to", "239.77.0.1", "--no-huge",
          t.file("a.bin", 600000)).ends_with(0)
    rx = t.spawn("prlimit", f"--fsize={200 << 10}:{200 << 10}", t.binary, "recv", "--port",
                 f"pcap:{t.path('s.pcap')}", "--no-huge", "--out", t.mkdir("in"), "--timeout", "1s").wait(20)
    check(rx.code in (1, 3, 4, 77), rx.describe())
    check("pagewire: error: " in rx.err or "refused  a.bin" in rx.out, rx.describe())


def test_a_second_receiver_on_the_same_directory_is_refused(t: Test) -> None:
    """The second receiver is refused with an error, however the path is spelled; the first continues."""
    data = os.urandom(40500)
    r = Listener(t)
    s = r.sender()
    s.table([entry("a.bin", 1, data)], complete=True)
    s.data(1, data, slice(0, 20))
    os.symlink(r.out, t.path("link"))
    for out in (r.out, r.out + "/../in/", t.path("link")):
        second = t.run("recv", "--listen", f"127.0.0.1:{t.free_udp_port()}", "--out", out,
                       "--timeout", "300ms")
        check(second.code in (1, 2), second.describe())
        errors = [line for line in second.err.splitlines() if "error" in line]
        equal(len(errors), 1, f"errors in {second.err}")
        check("another" in errors[0] or "lock" in errors[0], errors[0])
    s.data(1, data, slice(20, None))
    s.close()
    r.end(0)
    r.holds("a.bin", data)
    equal(r.names(), ["a.bin"], "files")
    again = Listener(t)  # the lock ended with the first receiver
    again.sender().whole("b.bin", data)
    again.end(0)


def test_the_report_warns_when_files_may_not_be_on_the_disk(t: Test) -> None:
    data = os.urandom(10500)
    for durable in ("yes", "no"):
        r = Listener(t, "--durable", durable, out=f"in-{durable}")
        r.sender().whole("a.bin", data)
        equal(r.end(0)["durable"], durable == "yes", "durable")
        r.holds("a.bin", data)
        text = Listener(t, "--durable", durable, out=f"text-{durable}", as_text=True)
        text.sender().whole("a.bin", data)
        equal("may not be on the disk" in text.end_text(0), durable == "no", "the text reports it")


def test_a_replaced_part_is_not_renamed(t: Test) -> None:
    """Another process replaces NAME.part by another file while it is received."""
    data = os.urandom(40500)
    r = Listener(t)
    s = r.sender()
    s.table([entry("a.bin", 1, data)], complete=True)
    s.data(1, data, slice(0, 20))
    part = os.path.join(r.out, "a.bin.part")
    poll_until(lambda: os.path.exists(part), 10, "a.bin.part")
    time.sleep(0.1)
    os.unlink(part)
    with open(part, "wb") as f:
        f.write(os.urandom(len(data)))
    s.data(1, data, slice(20, None))
    s.close()
    result = r.end(3)
    r.lacks("a.bin")
    equal(states(result), {"a.bin": ["refused"]}, "states")
