# SPDX-License-Identifier: BSD-3-Clause
"""The virtual wire: vhost and virtio-user, in both directions, with every provider of pages."""
import os

from harness import Skip, check, equal, once

SIZES = (0, 1, 1439, 1440, 1441, 3000001)


def vhost_to_virtio_user(t, files, send=(), recv=()):
    sock = t.path("w.sock")
    return t.transfer(f"vhost:{sock}", f"virtio-user:{sock}", files, send, recv)


def virtio_user_to_vhost(t, files, send=(), recv=()):
    sock = t.path("w.sock")
    return t.transfer(f"virtio-user:{sock}", f"vhost:{sock}", files, send, recv)


def files_of_all_sizes(t):
    return [t.file(f"size-{n}", n) for n in SIZES]


def check_arrived(t, files, tx, rx):
    for f in files:
        t.same(f, t.path("in", os.path.basename(f)))
    equal(rx["files_good"], len(files), "files_good")
    equal(rx["bytes"], sum(os.path.getsize(f) for f in files), "bytes received")
    equal(tx["bytes"], rx["bytes"], "bytes sent")
    # a receiver that has everything may end before the sender's last tables come
    check(rx["packets"] <= tx["packets"], f"{rx['packets']} of {tx['packets']} packets came")
    equal(rx["counters"]["duplicates"], 0, "duplicates")
    equal(rx["loss"], 0.0, "loss")


def test_vhost_sends_a_huge_file_in_place_without_a_copy(t):
    t.need_hugepages()
    original = t.file("a.bin", 3000001)
    tx, rx = vhost_to_virtio_user(t, [t.stage(original)])
    check_arrived(t, [original], tx, rx)
    equal(tx["pages"], "hugefile", "pages")
    equal(tx["in_place"], True, "in_place")
    equal(tx["cpu_copies_per_byte"], 0.0, "cpu_copies_per_byte")
    equal(tx["cpu_reads_per_byte"], 0.0, "cpu_reads_per_byte")
    equal(tx["page_in_copies"], 0, "page_in_copies")
    equal(tx["multi_segment"], True, "multi_segment")


def test_two_queues_send_each_symbol_once_both_ways(t):
    t.need_hugepages()
    files = files_of_all_sizes(t)
    two = ("--queues", "2", "--queue-size", "256")
    one_cpu = ("--core", str(min(os.sched_getaffinity(0))))  # for both of the receiver's threads
    # a large file, which both lanes send, and small files in the same group
    for way, more in (vhost_to_virtio_user, ()), (virtio_user_to_vhost, one_cpu):
        tx, rx = way(t, files, two, two + ("--force", *more))
        check_arrived(t, files, tx, rx)
        equal(len(rx["queue_packets"]), 2, "receive queues")
        check(min(rx["queue_packets"]) > 0, f"packets by queue: {rx['queue_packets']}")
        equal(sum(rx["queue_packets"]), rx["port_counters"]["packets"], "packets of both queues")


def test_vhost_sends_all_sizes_from_the_page_cache(t):
    t.need_hugepages()
    files = files_of_all_sizes(t)
    tx, rx = vhost_to_virtio_user(t, files, ("--pages", "pagecache"))
    check_arrived(t, files, tx, rx)
    equal((tx["pages"], tx["in_place"]), ("pagecache", True), "pages, in_place")
    equal(tx["cpu_copies_per_byte"], 0.0, "cpu_copies_per_byte")
    equal(tx["symbol_bytes"], 1440, "symbol_bytes")


def test_vhost_sends_all_sizes_from_huge_pages(t):
    t.need_hugepages()
    files = files_of_all_sizes(t)
    tx, rx = vhost_to_virtio_user(t, t.stage(*files), ("--pages", "hugefile"))
    check_arrived(t, files, tx, rx)
    equal((tx["pages"], tx["in_place"]), ("hugefile", True), "pages, in_place")
    equal(tx["cpu_copies_per_byte"], 0.0, "cpu_copies_per_byte")


def test_vhost_sends_all_sizes_from_a_stage(t):
    t.need_hugepages()
    files = files_of_all_sizes(t)
    tx, rx = vhost_to_virtio_user(t, files, ("--pages", "stage"))
    check_arrived(t, files, tx, rx)
    equal((tx["pages"], tx["in_place"]), ("stage", False), "pages, in_place")
    equal(tx["cpu_copies_per_byte"], float(tx["page_in_copies"]), "cpu_copies_per_byte")


def test_virtio_user_sends_all_sizes_from_a_stage(t):
    t.need_hugepages()
    files = files_of_all_sizes(t)
    tx, rx = virtio_user_to_vhost(t, files)
    check_arrived(t, files, tx, rx)
    equal((tx["pages"], tx["driver"]), ("stage", "net_virtio_user"), "pages, driver")
    equal(tx["cpu_copies_per_byte"], float(tx["page_in_copies"]), "cpu_copies_per_byte")


def test_virtio_user_stages_a_file_on_huge_pages(t):
    t.need_hugepages()
    original = t.file("a.bin", 3000001)
    tx, rx = virtio_user_to_vhost(t, [t.stage(original)])
    check_arrived(t, [original], tx, rx)
    equal((tx["pages"], tx["in_place"]), ("stage", False), "pages, in_place")


def check_refused(t, pages, file):
    sock = t.path("w.sock")
    p = t.send("--port", f"virtio-user:{sock}", "--to", "239.77.0.1", "--pages", pages, file)
    p.ends_with(1)
    lines = p.err.splitlines()
    equal(len(lines), 1, "lines on stderr")
    check(lines[0].startswith("pagewire: error:"), lines[0])
    check(pages in lines[0] and "EAL" in lines[0], f"no reason: {lines[0]}")
    equal(p.out, "", "stdout")


def test_virtio_user_refuses_huge_files_in_place_with_the_reason(t):
    t.need_hugepages()
    check_refused(t, "hugefile", t.stage(t.file("a.bin", 100000)))


def test_virtio_user_refuses_the_page_cache_with_the_reason(t):
    check_refused(t, "pagecache", t.file("a.bin", 100000))


def test_both_ways_work_without_huge_pages(t):
    files = [t.file("a.bin", 1000001)]
    tx, rx = vhost_to_virtio_user(t, files, ("--no-huge",), ("--no-huge",))
    check_arrived(t, files, tx, rx)
    equal((tx["huge"], tx["pages"]), (False, "pagecache"), "huge, pages")
    files = [t.file("b.bin", 1000001)]
    tx, rx = virtio_user_to_vhost(t, files, ("--no-huge",), ("--no-huge",))
    check_arrived(t, files, tx, rx)
    equal((tx["huge"], tx["pages"]), (False, "stage"), "huge, pages")


def tree(t):
    """150 files, with names that need quoting in URIs, XML, shells or format strings."""
    odd = ("two words", "#hash", "100%", "%41%00", "naïve", "文件", "a&b<c>'\"", "q?x=1", "co:lon",
           "-dash", "semi;colon", "back\\slash", ".hidden", "trailing ", "%s%n", "~", "emoji 🦀")
    for i in range(150 - 2 * len(odd)):
        t.file(f"tree/d{i % 7}/f{i}", (i * 37) % 4000)
    for i, name in enumerate(odd):
        t.file(f"tree/{name}", 100 + i)
        t.file(f"tree/dir {name}/{name}", 2000 + i)
    return t.path("tree")


def test_a_tree_of_150_files_arrives_with_its_names(t):
    t.need_hugepages()
    root = tree(t)
    tx, rx = vhost_to_virtio_user(t, [root])
    equal((tx["files"], rx["files_known"], rx["files_good"]), (150, 150, 150), "files")
    t.same_tree(root, t.path("in", "tree"))
    check(rx["counters"]["fdt_packets"] > 10, "150 names should not fit ten packets of the FDT")
    found = sum(len(names) for _, _, names in os.walk(t.path("in")))
    equal(found, 150, "files in the output directory")


def test_a_chosen_symbol_length_and_jumbo_frames_arrive(t):
    t.need_hugepages()
    files = [t.file("a.bin", 3000001)]
    tx, rx = vhost_to_virtio_user(t, files, ("--symbol", "1000"))
    check_arrived(t, files, tx, rx)
    equal(tx["symbol_bytes"], 1000, "symbol_bytes")
    check(tx["packets"] > 3001, f"{tx['packets']} packets")
    files = [t.file("b.bin", 3000001)]
    tx, rx = vhost_to_virtio_user(t, files, ("--mtu", "9000"), ("--mtu", "9000"))
    check_arrived(t, files, tx, rx)
    check(8800 < tx["symbol_bytes"] < 9000, f"symbol_bytes {tx['symbol_bytes']}")


def test_sha_256_md5_ipv6_and_vlan_arrive_in_one_session(t):
    t.need_hugepages()
    original = t.file("a.bin", 300001)
    sock = t.path("w.sock")
    out = t.mkdir("in")
    tx = t.send("--port", f"vhost:{sock}", "--to", "[ff15::77]:4001", "--vlan", "77", "--digest",
                "sha-256", "--md5", original)
    rx = t.recv("--port", f"virtio-user:{sock}", "--out", out, "--timeout", "20s")
    rx.ends_with(0)
    tx.ends_with(0)
    t.same(original, t.path("in", "a.bin"))
    check(rx.json["files"][0]["digest"].startswith("sha-256:"), rx.json["files"][0])
    check(tx.json["cpu_reads_per_byte"] >= 1.0, "IPv6 checksums in software read every byte")


def test_the_virtual_wire_configuration_works(t):
    t.need_hugepages()
    shipped = os.path.join(os.path.dirname(__file__), "..", "..", "config", "virtual-wire.ini")
    with open(shipped, encoding="utf-8") as f:
        text = f.read()
    check("/tmp/pagewire.sock" in text, "the profile's socket has another name now")
    profile = t.path("wire.ini")
    with open(profile, "w", encoding="utf-8") as f:
        f.write(text.replace("/tmp/pagewire.sock", t.path("w.sock")))
    original, out = t.file("a.bin", 3000001), t.mkdir("in")
    tx = t.send("--config", profile, original)
    rx = t.recv("--config", profile, "--out", out)
    rx.ends_with(0)
    tx.ends_with(0)
    t.same(original, t.path("in", "a.bin"))
    equal(tx.json["port"], f"vhost:{t.path('w.sock')}", "port")


@once
def test_a_file_beyond_4_gib_arrives_whole(t):
    """Offsets beyond 32 bits. The file is sparse and on tmpfs, so that no disk is waited for."""
    t.need_hugepages()
    size = (4 << 30) + 12345
    if t.memory_available() < size + (2 << 30):
        raise Skip("needs 6.3 GB of free memory")
    path = os.path.join(t.tmpfs("src", size + (1 << 20)), "big.img")
    with open(path, "wb") as f:
        f.truncate(size)
    sock = t.path("w.sock")
    tx = t.send("--port", f"vhost:{sock}", "--to", "239.77.0.1", "--digest", "none", "--mtu",
                "9000", path)
    rx = t.recv("--port", f"virtio-user:{sock}", "--discard", "--mtu", "9000", "--timeout", "60s")
    rx.wait(120)
    tx.ends_with(0)
    equal((tx.json["bytes"], tx.json["payload_bytes"]), (size, size), "bytes sent")
    equal((rx.json["bytes"], rx.json["loss"]), (size, 0.0), "bytes received, loss")
    rx.ends_with(0)
    equal(sorted(os.listdir(t.dir)), [".log", "src"], "files written by --discard")
