# SPDX-License-Identifier: BSD-3-Clause
"""Streamed files: sent through a ring of memory, over the virtual wire."""
import ctypes
import json
import mmap
import os
import subprocess

from harness import Skip, check, equal, long, poll_until
from test_virtio import (check_arrived, files_of_all_sizes, vhost_to_virtio_user,
                         virtio_user_to_vhost)

MIB = 1 << 20


def cached_bytes(path):
    """How many bytes of the file are in the page cache: mincore(2)."""
    size = os.path.getsize(path)
    libc = ctypes.CDLL(None, use_errno=True)
    with open(path, "rb") as f, mmap.mmap(f.fileno(), size, mmap.MAP_PRIVATE) as m:
        view = (ctypes.c_ubyte * -(-size // mmap.PAGESIZE))()
        address = ctypes.addressof(ctypes.c_char.from_buffer(m))
        failed = libc.mincore(ctypes.c_void_p(address), ctypes.c_size_t(size), view)
        check(not failed, f"mincore: {os.strerror(ctypes.get_errno())}")
        return sum(byte & 1 for byte in view) * mmap.PAGESIZE


def uncached(path):
    with open(path, "rb") as f:
        os.fsync(f.fileno())
        os.posix_fadvise(f.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
    if cached_bytes(path):
        raise Skip("the page cache keeps what it is asked to drop")
    return path


def test_a_file_larger_than_the_ring_goes_from_disk_to_disk_past_the_page_cache(t):
    t.need_hugepages()
    sent = uncached(t.file("a.bin", 48 * MIB + 777))
    tx, rx = virtio_user_to_vhost(
        t, [sent], ("--pages", "stream", "--stream-memory", "16MiB"), ("--write", "direct"))
    if tx["page_in_copies"]:
        raise Skip("the file system takes no O_DIRECT")
    equal(cached_bytes(sent), 0, "bytes in the page cache")
    came = cached_bytes(t.path("in", "a.bin"))
    check(came <= 8192, f"{came} bytes of what came are in the page cache")
    check(tx["ring_bytes"] <= 16 * MIB, f"a ring of {tx['ring_bytes']} bytes")
    equal((tx["pages"], tx["in_place"]), ("stream", False), "pages, in_place")
    equal(tx["cpu_copies_per_byte"], 0.0, "cpu_copies_per_byte")
    equal(rx["files"][0]["state"], "complete", "state")
    check_arrived(t, [sent], tx, rx)


def test_files_of_all_sizes_are_streamed_and_read_again_for_each_pass(t):
    t.need_hugepages()
    files = files_of_all_sizes(t)
    stream = ("--pages", "stream", "--stream-memory", "16MiB")
    tx, rx = vhost_to_virtio_user(t, files, stream)
    check_arrived(t, files, tx, rx)
    equal({f["state"] for f in rx["files"]}, {"complete"}, "states")
    again = t.send("--port", "null", "--to", "239.77.0.1", "--loop", "3", *stream,
                   *files).ends_with(0)
    equal(again.json["payload_bytes"], 3 * tx["payload_bytes"], "bytes of three passes")


def test_a_file_that_is_too_large_to_stage_is_streamed(t):
    t.need_hugepages()
    sent = t.file("a.bin", 48 * MIB)
    tx, rx = virtio_user_to_vhost(t, [sent], ("--memory", "96MiB", "--stream-memory", "16MiB"))
    equal(tx["pages"], "stream", "pages")
    check_arrived(t, [sent], tx, rx)


def sparse_file(t, name, size):
    path = t.path(name)
    with open(path, "wb") as f:
        f.truncate(size)
    return path


def test_a_repair_reads_only_what_is_missing(t):
    t.need_hugepages()
    sent = sparse_file(t, "a.bin", 60 * MIB)
    missing = [[0, 1440], [30 * MIB, 30 * MIB + 5], [60 * MIB - 1, 60 * MIB]]
    with open(t.path("gaps.json"), "w", encoding="utf-8") as f:
        json.dump({"schema": "pagewire.gaps/1", "tsi": 1, "files": [
            {"name": "a.bin", "bytes": 60 * MIB, "missing": missing}]}, f)
    tx = t.send("--port", "null", "--to", "239.77.0.1", "--gaps", t.path("gaps.json"),
                "--pages", "stream", "--stream-memory", "16MiB", sent).ends_with(0)
    equal(tx.json["payload_bytes"], 1440 + 1440 + 60 * MIB % 1440, "bytes sent")


def test_truncating_a_streamed_file_is_an_error_that_names_it(t):
    sent = sparse_file(t, "a.bin", 1024 * MIB)
    tx = t.send("--port", "null", "--to", "239.77.0.1", "--pages", "stream", "--stream-memory",
                "16MiB", "--no-huge", "--rate", "200Mbit/s", "--progress", sent)
    poll_until(lambda: "sending" in tx.err or not tx.running, 30, "the first bytes")
    os.truncate(sent, 4196)
    tx.ends_with(1)
    check("a.bin" in tx.err and "truncated" in tx.err, f"said nothing of it: {tx.describe()}")


def test_without_o_direct_a_file_is_read_with_one_reported_copy(t):
    sent = os.path.join(t.tmpfs("shm", "8m"), "a.bin")
    with open(sent, "wb") as f:
        f.write(os.urandom(3000001))
    plan = t.run("send", "-n", "--to", "239.77.0.1", "--pages", "stream", sent).ends_with(0)
    check("no O_DIRECT" in plan.out and "1 copy" in plan.out, plan.describe())
    tx = t.send("--port", "null", "--to", "239.77.0.1", "--pages", "stream", "--no-huge",
                sent).ends_with(0)
    equal(tx.json["page_in_copies"], 1, "page_in_copies")


def disk_of_its_own(t, name, mib):
    """Mounts a private file system, which can be frozen without blocking other processes."""
    t.need_root()
    image, mount = sparse_file(t, f"{name}.img", mib * MIB), t.mkdir(name)
    for command in (["mkfs.ext4", "-q", image], ["mount", "-o", "loop", image, mount]):
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
        if done.returncode:
            raise Skip(f"{command[0]}: {done.stderr.strip()}")
    t.mounts.append(mount)
    return mount


@long
def test_a_disk_that_hangs_is_reported_and_waited_for(t):
    t.need_hugepages()
    sent, disk = t.file("a.bin", 300 * MIB + 777), disk_of_its_own(t, "disk", 600)
    sock = t.path("w.sock")
    rx = t.recv("--port", f"vhost:{sock}", "--out", disk, "--expect", "1", "--write", "direct")
    poll_until(lambda: os.path.exists(sock), 30, "the socket")
    tx = t.send(sent, "--port", f"virtio-user:{sock}", "--to", "239.77.0.1", "--rate", "1Gbit/s",
                "--pages", "stream", "--stream-memory", "16MiB")
    part = os.path.join(disk, "a.bin.part")
    poll_until(lambda: os.path.exists(part) and os.stat(part).st_blocks > 16 * MIB // 512, 30,
               "bytes on the disk")
    subprocess.run(["fsfreeze", "-f", disk], check=True, timeout=60)
    try:
        poll_until(lambda: "has not answered for" in rx.err or not rx.running, 30, "the warning")
    finally:
        subprocess.run(["fsfreeze", "-u", disk], check=True, timeout=60)
    check(part.removesuffix(".part") in rx.err, f"which file: {rx.describe()}")
    tx.ends_with(0)
    rx.ends_with(0)
    t.same(sent, os.path.join(disk, "a.bin"))
