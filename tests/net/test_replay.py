# SPDX-License-Identifier: BSD-3-Clause
"""`pagewire replay`: the frames of a capture arrive as they are, in order, when they are due.

    capture --> pagewire replay --> pcap:FILE, or af_packet on veth --> dumpcap     frames compared byte by byte

The captures are made here, and turned into other formats by Wireshark's tools.
"""
import os
import random
import signal
import struct
import subprocess

from harness import check, concurrent, equal, poll_until

MILLION = 1000000
MAGIC = {"us": (0xa1b2c3d4, 1000), "ns": (0xa1b23c4d, 1)}


def frame(length, seed=0):
    """An Ethernet frame that no protocol stack answers (IEEE 802 local experimental EtherType)."""
    return (bytes.fromhex("0200000000010200000000 0288b5") +
            random.Random(seed).randbytes(length - 14) if length > 14 else bytes(length))


def write_pcap(path, frames, gap_ns=1000, times=None, unit="ns", link=1, full=None):
    """frames: of bytes; full: {index: length on the wire} for those that the snap length cut."""
    magic, unit_ns = MAGIC[unit]
    with open(path, "wb") as f:
        f.write(struct.pack("<IHHiIII", magic, 2, 4, 0, 0, 262144, link))
        for i, data in enumerate(frames):
            at = 1700000000 * 10**9 + (times[i] if times else i * gap_ns)
            f.write(struct.pack("<IIII", at // 10**9, at % 10**9 // unit_ns, len(data),
                                (full or {}).get(i, len(data))))
            f.write(data)
    return path


def read_pcap(t, path):
    """The frames of a capture of any format."""
    flat = path + ".flat"
    t.tool("editcap", "-F", "pcap", path, flat)
    with open(flat, "rb") as f:
        data = f.read()
    at, found = 24, []
    while at < len(data):
        length = struct.unpack_from("<I", data, at + 8)[0]
        found.append(data[at + 16:at + 16 + length])
        at += 16 + length
    return found


def mix(n, seed=1):
    rng = random.Random(seed)
    return [frame(rng.choice([60, 64, 98, 590, 1400, 1514]), i) for i in range(n)]


def replay(t, path, *args, code=0):
    """Replays into a capture; returns the result and the frames that came out."""
    out = t.path("out.pcap")
    p = t.run("replay", path, "--port", f"pcap:{out}", "--no-huge", "--json", *args)
    p.ends_with(code)
    return p.json, read_pcap(t, out)


CONCURRENT = True


def test_frames_leave_as_they_are_in_order_without_a_copy(t):
    frames = mix(3000)
    path = write_pcap(t.path("a.pcap"), frames)
    for pages in ("pagecache", "stage", "stream"):
        result, got = replay(t, path, "--top-speed", "--pages", pages)
        check(got == frames, f"{pages}: frames differ")
        equal((result["frames"], result["pages"]), (3000, pages), "frames and pages")
        if pages != "stream":
            equal(result["copied_bytes"], 0, f"{pages}: copied bytes")
    check(0 < result["copied_bytes"] < 3000, f"stream: {result['copied_bytes']} copied bytes")


def test_a_capture_in_other_formats_gives_the_same_frames(t):
    frames = mix(200)
    path = write_pcap(t.path("a.pcap"), frames)
    for kind in ("pcapng", "nsecpcap", "modpcap", "pcap"):
        other = t.path(f"other.{kind}")
        t.tool("editcap", "-F", kind, path, other)
        for pages in ("pagecache", "stream"):
            check(replay(t, other, "--top-speed", "--pages", pages)[1] == frames,
                  f"{kind}, {pages}: frames differ")
    both = t.path("both.pcapng")
    t.tool("mergecap", "-a", "-w", both, t.path("other.pcapng"), t.path("other.nsecpcap"))
    check(replay(t, both, "--top-speed")[1] == frames * 2, "mergecap: frames differ")
    text = t.path("a.txt")
    with open(text, "w", encoding="utf-8") as f:
        for data in frames[:3]:
            f.write("000000 " + " ".join(f"{b:02x}" for b in data) + "\n")
    t.tool("text2pcap", text, t.path("text.pcapng"))
    check(replay(t, t.path("text.pcapng"), "--top-speed")[1] == frames[:3], "text2pcap: frames differ")


def test_compressed_captures_and_standard_input(t):
    frames = mix(2000)
    path = write_pcap(t.path("a.pcap"), frames)
    for tool, end in (("gzip", "gz"), ("zstd", "zst"), ("lz4", "lz4"), ("xz", "xz")):
        t.need_tool(tool)
        packed = t.path(f"packed.{end}")
        with open(packed, "wb") as f:
            subprocess.run([tool, "-c", path], stdout=f, stderr=subprocess.DEVNULL, check=True)
        result, got = replay(t, packed, "--top-speed", "--loop", "2")
        check(got == frames * 2, f"{tool}: frames differ")
        equal(result["pages"], "stream", "pages")
        bad = t.run("replay", packed, "--port", "null", "--no-huge", "--pages", "pagecache")
        check("is compressed" in bad.ends_with(1).err, bad.err)
        with open(packed, "r+b") as f:
            f.truncate(os.path.getsize(packed) // 2)
        result, got = replay(t, packed, "--top-speed", "--loop", "2", code=1)
        # a block of lz4 has up to 4 MiB, and a cut one gives nothing
        check((got or tool == "lz4") and got == frames[:len(got)], f"{tool}, cut: {len(got)} frames")
        dry_run(t, packed, code=1)
    out = t.path("stdin.pcap")
    p = t.spawn("sh", "-c", f"cat {path} | {t.binary} replay - --port pcap:{out} --no-huge --top-speed")
    p.ends_with(0)
    check(read_pcap(t, out) == frames, "standard input: frames differ")
    p = t.run("replay", "-", "--port", "null", "--loop", "2").ends_with(2)
    check("standard input cannot be read again" in p.err, p.err)


def test_loop_skip_and_limit(t):
    frames = mix(50)
    path = write_pcap(t.path("a.pcap"), frames)
    for pages in ("pagecache", "stream"):
        result, got = replay(t, path, "--top-speed", "--loop", "3", "--skip", "10", "--limit", "5",
                             "--pages", pages)
        check(got == frames[10:15] * 3, f"{pages}: {len(got)} frames differ")
        equal(result["passes"], 3, "passes")
    result, got = replay(t, path, "--top-speed", "--loop", "0", "--skip", "50")
    equal((len(got), result["passes"]), (0, 1), "frames and passes of a capture that is skipped")


def test_passes_follow_by_the_mean_gap_and_speed_holds_for_all(t):
    path = write_pcap(t.path("a.pcap"), mix(11), gap_ns=20 * MILLION)
    result, _ = replay(t, path, "--loop", "3")
    seconds = (33 - 1) * 0.020
    check(seconds <= result["seconds"] < seconds + 0.3, f"took {result['seconds']} s, due: {seconds}")
    result, _ = replay(t, path, "--loop", "3", "--speed", "2x")
    check(seconds / 2 <= result["seconds"] < seconds / 2 + 0.3, f"at 2x it took {result['seconds']} s")
    equal(result["late"]["longest_run_from"] >= 0, True, "late")
    classes = result["late"]["histogram"]
    equal(sum(n for _, n in classes), 33, "frames in the histogram")
    check(classes == sorted(classes) and classes[-1][0] >= result["late"]["max_ns"], classes)


def test_times_that_run_backwards_or_jump_do_not_hold_frames_up(t):
    hour = 3600 * 10**9
    times = [0, MILLION, 0, 2 * MILLION, 30 * hour, 30 * hour + MILLION, 5, 6]
    frames = mix(8)
    path = write_pcap(t.path("a.pcap"), frames, times=times)
    result, got = replay(t, path)
    check(got == frames, "frames differ")
    equal((result["backwards"], result["jumps"]), (1, 2), "backwards, jumps")
    check(result["seconds"] < 2, f"took {result['seconds']} s")


def test_a_rate_holds(t):
    path = write_pcap(t.path("a.pcap"), [frame(1000, i) for i in range(500)])
    result, _ = replay(t, path, "--rate", "1kpps")
    check(0.45 <= result["seconds"] < 0.8, f"500 frames at 1 kpps took {result['seconds']} s")
    result, _ = replay(t, path, "--rate", "8Mbit/s")
    check(0.45 <= result["seconds"] < 0.8, f"500,000 bytes at 8 Mbit/s took {result['seconds']} s")


def test_rules_for_frames_that_are_cut_small_or_long(t):
    frames = [frame(60), frame(40, 1), frame(100, 2), frame(1600, 3), frame(10, 4)]
    path = write_pcap(t.path("a.pcap"), frames, full={2: 300})
    result, got = replay(t, path, "--top-speed")
    check(got == frames[:3], "by default: frames differ")
    equal([result[k] for k in ("cut", "small", "small_skipped", "long_skipped", "padded")],
          [1, 2, 1, 1, 0], "counts")
    result, got = replay(t, path, "--top-speed", "--cut", "skip", "--small", "skip")
    check(got == frames[:1], "skip: frames differ")
    result, got = replay(t, path, "--top-speed", "--cut", "pad", "--small", "pad", "--mtu", "9000")
    check(got == [frames[0], frames[1] + bytes(20), frames[2] + bytes(200), frames[3]],
          "pad: frames differ")
    equal((result["padded"], result["copied_bytes"]), (2, 60 + 300), "padded, copied")
    path = write_pcap(t.path("b.pcap"), [frames[0], frame(9)], full={1: 300})
    result, got = replay(t, path, "--top-speed", "--cut", "pad")
    check(got == frames[:1], "a frame without a whole Ethernet header was sent")
    equal((result["cut"], result["cut_skipped"]), (1, 1), "cut, skipped")


def packet(i, length, tag=False, udp=False):
    """An IPv4 packet of TCP or UDP with right checksums; every third one goes back."""
    def checksum(data):
        total = sum(struct.unpack(f">{(len(data) + 1) // 2}H", data + bytes(len(data) % 2)))
        while total >> 16:
            total = (total & 0xffff) + (total >> 16)
        return total ^ 0xffff
    addrs = [bytes([10, 1, 2, 1 + i % 200]), bytes([172, 16, 3, 4])]
    src, dst = addrs if i % 3 else addrs[::-1]
    payload = random.Random(i).randbytes(length)
    if udp:
        at, l4 = 6, struct.pack(">HHHH", 1000 + i, 53, 8 + length, 0)
    else:
        at, l4 = 16, struct.pack(">HHIIHHHH", 1000 + i, 80, i, 0, 0x5010, 512, 0, 0)
    l4 += payload
    pseudo = src + dst + struct.pack(">HH", 17 if udp else 6, len(l4))
    l4 = l4[:at] + struct.pack(">H", checksum(pseudo + l4)) + l4[at + 2:]
    ip = struct.pack(">BBHHHBBH", 0x45, 0, 20 + len(l4), i, 0x4000, 64, 17 if udp else 6, 0) + src + dst
    ip = ip[:10] + struct.pack(">H", checksum(ip)) + ip[12:]
    macs = bytes.fromhex("020000000001020000000002")
    return macs + (bytes.fromhex("81002005") if tag else b"") + bytes.fromhex("0800") + ip + l4


EDITS = (
    (["--dst-mac", "02:11:22:33:44:55", "--src-mac", "02:66:77:88:99:aa"],
     ["--enet-dmac=02:11:22:33:44:55", "--enet-smac=02:66:77:88:99:aa"]),
    (["--ttl", "7"], ["--ttl=7"]),
    (["--ttl=-60"], ["--ttl=-60"]),
    (["--map", "10.0.0.0/8:192.168.0.0/16,172.16.0.0/12:9.0.0.0/8"],
     ["--pnat=10.0.0.0/8:192.168.0.0/16,172.16.0.0/12:9.0.0.0/8"]),
    (["--vlan", "pop"], ["--enet-vlan=del"]),
    (["--vlan", "push:77"],
     ["--enet-vlan=add", "--enet-vlan-tag=77", "--enet-vlan-cfi=0", "--enet-vlan-pri=0"]),
)


def test_edited_frames_are_those_of_tcprewrite(t):
    """Frames of which the headers are edited, whole in a slot, across slots, and of no more than the headers."""
    t.need_tool("tcprewrite")
    frames = [packet(i, [6, 20, 200, 1400][i % 4], tag=i % 5 == 0, udp=i % 2 == 0) for i in range(2500)]
    path = write_pcap(t.path("a.pcap"), frames, unit="us")
    for ours, theirs in EDITS:
        wanted = t.path("wanted.pcap")
        t.tool("tcprewrite", "-i", path, "-o", wanted, *theirs)
        frames_wanted = read_pcap(t, wanted)
        for pages in ("pagecache", "stream"):
            result, got = replay(t, path, "--top-speed", "--pages", pages, *ours)
            check(got == frames_wanted, f"{ours}, {pages}: frames differ")
            check(0 < result["edited"] <= 2500, f"{ours}: {result['edited']} edited")
            check(40 * result["edited"] < result["header_bytes"] <= 128 * result["edited"],
                  f"{ours}: {result['header_bytes']} header bytes")
            if pages != "stream":
                equal(result["copied_bytes"], 0, f"{ours}: copied bytes")


def test_edits_and_the_rules_for_frames(t):
    tcp = packet(1, 100)
    frames = [packet(1, 1460), tcp, tcp[:40], frame(60), tcp[:30]]
    path = write_pcap(t.path("a.pcap"), frames, full={2: len(tcp), 4: 44})
    result, got = replay(t, path, "--top-speed", "--map", "10.0.0.0/8:11.0.0.0/8")
    equal((got[2:], len(got)), (frames[2:], 5), "frames that cannot be edited")
    equal([result[k] for k in ("edited", "edit_cut", "edit_deep")], [2, 2, 0], "counts")
    tag = bytes.fromhex("81000007")
    tagged = [data[:12] + tag + data[12:] for data in frames]
    result, got = replay(t, path, "--top-speed", "--vlan", "push:7", "--small", "pad", "--cut", "pad")
    check(got == [tagged[0], tagged[1], tagged[2] + bytes(len(tcp) - 40), tagged[3], tagged[4] +
                  bytes(60 - 34)], "padded: frames differ")
    equal((result["padded"], result["small"]), (2, 1), "padded, small")
    result, got = replay(t, path, "--top-speed", "--vlan", "push:7", "--mtu", "1499")
    equal((result["long_skipped"], got), (1, tagged[1:]), "a frame that is too long with its tag")
    p = t.run("replay", path, "--port", "null", "--no-huge", "--vlan", "push:7", "--top-speed").ends_with(0)
    check("5 frames edited" in p.out and "edited headers: " in p.out, p.out)
    for option in ("--dst-mac=x", "--src-mac=1:2", "--vlan=4095", "--ttl=256", "--map=10.0.0.0/8"):
        p = t.run("replay", path, "--port", "null", option).ends_with(2)
        check(option.split("=")[0] in p.err, p.err)


def test_bad_captures_are_refused_in_one_sentence(t):
    good = write_pcap(t.path("good.pcap"), mix(3))
    with open(good, "rb") as f:
        data = f.read()
    lies = struct.pack("<IIII", 0, 0, 0xffffffff, 60)
    cases = {
        "text": (b"root:x:0:0\n" * 9, "it is not a capture"),
        "empty": (b"", "too short"),
        "none": (data[:24], "it has no frames"),
        "lies": (data + lies, "the file is damaged there"),
        "sll": (data[:20] + struct.pack("<I", 113) + data[24:], "Linux cooked v1"),
    }
    for name, (content, words) in cases.items():
        path = t.path(f"{name}.pcap")
        with open(path, "wb") as f:
            f.write(content)
        for pages in ("pagecache", "stream"):
            p = t.run("replay", path, "--port", "null", "--no-huge", "--top-speed", "--pages", pages)
            p.ends_with(1)
            check(words in p.err and p.err.count("\n") == 1, f"{name}, {pages}: {p.err}")
    result, got = replay(t, t.path("lies.pcap"), "--top-speed", code=1)
    equal((result["frames"], got == mix(3)), (3, True), "frames before the lie")
    with open(t.path("cut.pcap"), "wb") as f:
        f.write(data[:-1])
    for pages in ("pagecache", "stream"):
        result, got = replay(t, t.path("cut.pcap"), "--top-speed", "--pages", pages)
        equal((got == mix(3)[:2], result["file_is_cut"]), (True, True), "frames of a file that is cut")
    p = t.run("replay", good, "--port", "null", "--rate", "1Gbit/s", "--top-speed").ends_with(2)
    check("contradict" in p.err, p.err)
    for speed in ("0", "-1", "fast", "2y"):
        p = t.run("replay", good, "--port", "null", f"--speed={speed}").ends_with(2)
        check("--speed" in p.err, p.err)


def test_a_truncated_capture_ends_the_replay(t):
    path = write_pcap(t.path("a.pcap"), mix(2000), gap_ns=10 * MILLION)
    p = t.start("replay", path, "--port", "null", "--no-huge", "--pages", "pagecache", "--progress")
    poll_until(lambda: "replaying" in p.err, 20, "progress")
    os.truncate(path, 4096)
    p.ends_with(1)
    check("truncated" in p.err, p.err)


def test_an_interrupt_ends_an_endless_replay(t):
    path = write_pcap(t.path("a.pcap"), mix(100))
    for pages, queues in (("pagecache", 1), ("stream", 1), ("pagecache", 3), ("stream", 3)):
        p = t.start("replay", path, "--port", "null", "--no-huge", "--loop", "0", "--rate", "1kpps",
                    "--queues", queues, "--pages", pages, "--progress", "--json")
        poll_until(lambda p=p: "pass 2" in p.err, 20, "the second pass")
        p.signal(signal.SIGINT)
        p.ends_with(0)
        check(p.json["interrupted"] and p.json["passes"] >= 1, str(p.json))


def test_an_interrupt_ends_the_wait_for_standard_input(t):
    reads, writes = os.pipe()
    p = t.spawn(t.binary, "replay", "-", "--port", "null", "--no-huge", "--top-speed", "-v", stdin=reads)
    os.close(reads)
    poll_until(lambda: "Selected IOVA" in p.err, 20, "EAL")
    p.signal(signal.SIGINT)
    p.ends_with(3)
    os.close(writes)
    check("interrupted before its first bytes came" in p.err, p.err)


def test_a_sparse_capture_larger_than_the_ring(t):
    """A pcapng whose frames lie between long blocks of a kind that is skipped: 3 GiB through 64 MiB."""
    def block(kind, body):
        return struct.pack("<II", kind, len(body) + 12) + body + struct.pack("<I", len(body) + 12)
    frames = mix(200)
    hole = 15 << 20
    path = t.path("sparse.pcapng")
    with open(path, "wb") as f:
        f.write(block(0x0a0d0d0a, struct.pack("<IHHq", 0x1a2b3c4d, 1, 0, -1)))
        f.write(block(1, struct.pack("<HHI", 1, 0, 0)))
        for data in frames:
            padded = data + bytes(-len(data) % 4)
            f.write(block(6, struct.pack("<IIIII", 0, 0, 0, len(data), len(data)) + padded))
            f.write(struct.pack("<II", 0x80000bad, hole + 12))
            f.seek(hole, os.SEEK_CUR)
            f.write(struct.pack("<I", hole + 12))
    result, got = replay(t, path, "--top-speed", "--pages", "stream", "--stream-memory", "64MiB")
    check(got == frames, f"{len(got)} frames differ")
    check(result["copied_bytes"] < MILLION, f"copied {result['copied_bytes']} bytes")


def dry_run(t, path, *args, code=0):
    p = t.run("replay", path, "--dry-run", "--json", *args)
    p.ends_with(code)
    return p.json


def capinfos(t, path):
    """What Wireshark says of a capture: frames, bytes, first and last time, seconds."""
    names = ("Number of packets", "Data size (bytes)", "Earliest packet time", "Latest packet time",
             "Capture duration (seconds)")
    rows = t.tool("capinfos", "-T", "-m", "-r", "-c", "-d", "-u", "-a", "-e", "-S", path).strip().split(",")
    found = dict(zip(("File name", names[0], names[1], names[4], names[2], names[3]), rows, strict=True))
    return [float(found[n]) for n in names]


def test_dry_run_gives_the_statistics_of_the_capture(t):
    rng = random.Random(3)
    at, times = 0, []
    for _ in range(5000):
        at += rng.randrange(3 * MILLION)
        times.append(at - (2 * MILLION if rng.random() < 0.01 else 0))
    times[0] = 0
    frames = [frame(64, i % 7) if i % 3 else frame(1514, i) for i in range(5000)]
    path = write_pcap(t.path("a.pcap"), frames, times=times, unit="ns", full={4: 200, 40: 1514})
    backwards = sum(x < max(times[:i + 1]) for i, x in enumerate(times))
    t.tool("editcap", "-F", "pcapng", path, t.path("a.pcapng"))
    for tool in ("gzip", "zstd", "lz4", "xz"):
        with open(t.path(f"a.{tool}"), "wb") as f:
            subprocess.run([tool, "-c", path], stdout=f, stderr=subprocess.DEVNULL, check=True)
    results = [dry_run(t, t.path(f"a.{end}")) for end in ("pcap", "pcapng", "gzip", "zstd", "lz4", "xz")]
    p = t.spawn("sh", "-c", f"cat {path} | {t.binary} replay - --dry-run --json").ends_with(0)
    results.append(p.json)
    check(all(r == results[0] for r in results), "the formats' statistics differ")
    r = results[0]
    n, size, first, last, seconds = capinfos(t, path)
    equal((r["frames"], r["bytes"]), (n, size), "capinfos' frames and bytes")
    when = r["times"]
    equal((when["first_ns"], when["last_ns"]),
          (1700000000 * 10**9 + min(times), 1700000000 * 10**9 + max(times)), "times")
    check(abs(when["duration_ns"] / 1e9 - seconds) < 1e-6, f"{when} s, capinfos: {seconds}")
    check(abs(when["first_ns"] / 1e9 - first) < 1e-3 and abs(when["last_ns"] / 1e9 - last) < 1e-3,
          f"{when}, capinfos: {first}, {last}")
    equal((when["backwards"], r["cut"], r["file_bytes"]), (backwards, 2, sum(map(len, frames))),
          "backwards, cut, bytes in the file")
    equal((r["flows"], sum(r["sizes"].values()), r["length_max"]), (1, 5000, 1514), "flows, sizes, longest")
    equal(dry_run(t, path, "--skip", "10", "--limit", "30")["frames"], 30, "frames of --limit")
    equal(dry_run(t, path, "--skip", "4990")["frames"], 10, "frames after --skip")
    check("frames: 5000," in t.run("replay", path, "--dry-run").ends_with(0).out, "text")


def test_dry_run_of_bad_captures(t):
    good = write_pcap(t.path("good.pcap"), mix(3))
    with open(good, "rb") as f:
        data = f.read()
    cases = {"text": (b"root:x:0:0\n" * 9, 1, 0), "empty": (b"", 1, 0), "none": (data[:24], 0, 0),
             "lies": (data + struct.pack("<IIII", 0, 0, 0xffffffff, 60), 1, 3), "cut": (data[:-1], 0, 2),
             "sll": (data[:20] + struct.pack("<I", 113) + data[24:], 0, 3)}
    for name, (content, code, n) in cases.items():
        with open(t.path(name), "wb") as f:
            f.write(content)
        for path in (t.path(name), "-"):
            p = t.spawn("sh", "-c", f"cat {t.path(name)} | {t.binary} replay {path} --dry-run --json")
            p.ends_with(code)
            equal((p.json["frames"], p.json["file_is_cut"]), (n, name == "cut"), f"{name}: frames, cut")
            equal(p.err.count("\n"), code, f"{name}: lines of errors")
    equal(dry_run(t, t.path("sll"))["not_ethernet"], 3, "frames that are not Ethernet")
    t.run("replay", t.path("nothing-here"), "--dry-run").ends_with(1)


def ip_frame(proto, port, size, seed=0):
    """An Ethernet frame with IPv4 and UDP or TCP."""
    body = struct.pack(">HH", 40000, port) + random.Random(seed).randbytes(size)
    head = struct.pack(">BBHHHBBH8s", 0x45, 0, 20 + len(body), 0, 0, 64, proto, 0, bytes([10, 0, 0, 1, 10, 0, 0, 2]))
    return bytes.fromhex("020000000001 020000000002 0800") + head + body


def test_filter_sends_the_frames_that_wireshark_finds(t):
    rng = random.Random(5)
    frames = [ip_frame(rng.choice([6, 17]), rng.choice([53, 80]), rng.randrange(40, 1400), i) for i in range(3000)]
    path = write_pcap(t.path("a.pcap"), frames + mix(50), full={9: 3000})
    raw = write_pcap(t.path("raw.pcap"), [f[14:] for f in frames], link=101)
    for text, display in (("udp port 53", "udp.port == 53"), ("greater 500 and tcp", "tcp && frame.len >= 500"),
                          ("ether proto 0x88b5", "eth.type == 0x88b5"), ("port 5353", "udp.port == 5353")):
        found = {at: [int(x) - 1 for x in t.tool("tshark", "-r", at, "-Y", display, "-T", "fields",
                                                 "-e", "frame.number").split()] for at in (path, raw)}
        want = [(frames + mix(50))[i] for i in found[path]]
        for pages in ("pagecache", "stream"):
            result, got = replay(t, path, "--top-speed", "--filter", text, "--pages", pages, "--loop", "2")
            check(got == want * (2 if want else 1), f"{text}, {pages}: {len(got)} frames, {len(want)} expected")
            equal(result["filtered"], (3050 - len(want)) * (2 if want else 1), "filtered")
        equal(dry_run(t, path, "--filter", text)["frames"], len(want), "frames of --dry-run")
        if "ether" not in text:
            equal(dry_run(t, raw, "--filter", text)["frames"], len(found[raw]), f"{text}: raw IP")
    equal(dry_run(t, path, "--filter", "udp", "--limit", "7")["frames"], 7, "frames of --limit")
    for text in ("udp prot 53", "port 99999", "("):
        for more in (["--dry-run"], ["--port", "null"]):
            p = t.run("replay", path, f"--filter={text}", *more).ends_with(2)
            check(text in p.err and "pcap-filter" in p.err, p.err)


def test_from_time_and_to_time(t):
    frames = mix(40)
    times = [i * 250 * MILLION for i in range(40)]
    times[20] = times[3]
    path = write_pcap(t.path("a.pcap"), frames, times=times)
    cases = {(1, 2.5): [i for i, at in enumerate(times) if 10**9 <= at < 2.5 * 10**9],
             (None, 1): [0, 1, 2, 3, 20], (9.5, None): [38, 39], (50, None): []}
    for (first, last), want in cases.items():
        given = [("--from-time", "-A", first), ("--to-time", "-B", last)]
        args = [f"{name}={at}" for name, _, at in given if at is not None]
        for pages in ("pagecache", "stream"):
            result, got = replay(t, path, "--top-speed", "--pages", pages, *args)
            check(got == [frames[i] for i in want], f"{args}: {len(got)} frames, expected {want}")
            equal(result["other_time"], 40 - len(want), "other_time")
        equal(dry_run(t, path, *args)["frames"], len(want), "frames of --dry-run")
        # 1700000000 is 2023-11-14T22:13:20Z
        utc = [(name, letter, f"2023-11-14T22:13:{20 + at:09.6f}" + "Z")
               for name, letter, at in given if at is not None and at < 39]
        if len(utc) == len(args):
            equal(dry_run(t, path, *[f"{name}={at}" for name, _, at in utc])["frames"], len(want), f"{utc}")
            t.tool("editcap", *[x for _, letter, at in utc for x in (letter, at)], path, t.path("span.pcapng"))
            check(read_pcap(t, t.path("span.pcapng")) == [frames[i] for i in want], f"editcap {utc} differs")
    equal(dry_run(t, path, "--skip=6", "--from-time=1", "--to-time=2")["frames"], 2, "frames after --skip")
    for bad in ("yesterday", "2023-02-30T00:00:00", "2023-11-14", "9999-01-01T00:00:00", "1.", "-1", "1s", ""):
        p = t.run("replay", path, "--dry-run", f"--to-time={bad}").ends_with(2)
        check("--to-time" in p.err, p.err)


def test_frames_that_are_left_out_do_not_block_the_ring(t):
    """150 MiB through 32 MiB: frames far from each other, then passes that end early."""
    frames = [ip_frame(17, 80, 1400) for _ in range(110000)]
    few = [ip_frame(17, 53, 100, i) for i in range(3)]
    for at, data in zip((10, 60000, 109000), few, strict=True):
        frames[at] = data
    path = write_pcap(t.path("a.pcap"), frames)
    ring = ("--top-speed", "--pages", "stream", "--stream-memory", "32MiB")
    check(replay(t, path, *ring, "--filter", "port 53", "--loop", "2")[1] == few * 2, "--filter: frames differ")
    check(replay(t, path, *ring, "--skip", "109990")[1] == frames[109990:], "--skip: frames differ")
    check(replay(t, path, *ring, "--limit", "20", "--loop", "3")[1] == frames[:20] * 3, "--limit: frames differ")


def catch(t, wire, what, n):
    """dumpcap at the other end of the veth, which ends with n frames of `what`; it is ready."""
    catcher = t.spawn("dumpcap", "-q", "-i", "va1", "-f", what, "-w", wire, "-c", str(n), "-B", "64", ns="b")
    poll_until(lambda: "File:" in catcher.err, 20, "dumpcap")
    return catcher


@concurrent
def test_frames_arrive_over_veth(t):
    t.veth()
    frames = mix(1500)
    path = write_pcap(t.path("a.pcap"), frames, gap_ns=200000)
    wire = t.path("wire.pcapng")
    catcher = catch(t, wire, "ether proto 0x88b5", 3000)
    p = t.start("replay", path, "--port", "af_packet:va0", "--no-huge", "--json", "--loop", "2", ns="a")
    p.ends_with(0)
    equal(p.json["frames"], 3000, "frames")
    catcher.ends_with(0)
    check(read_pcap(t, wire) == frames * 2, "frames differ")


def test_an_interrupt_ends_the_reading_into_memory(t):
    """A sparse file that takes a while to read. The signal comes before the first frame could go."""
    path = write_pcap(t.path("a.pcap"), mix(10))
    os.truncate(path, 1 << 30)
    p = t.start("replay", path, "--port", "null", "--no-huge", "--pages", "stage", "-v")
    poll_until(lambda: "Selected IOVA" in p.err, 20, "EAL")
    p.signal(signal.SIGINT)
    p.ends_with(3)
    check("interrupted" in p.err, p.err)


def test_what_is_said_to_be_sent_on_an_interface_arrives(t):
    """The kernel takes 4 bytes beyond the MTU of a frame with an 802.1Q tag, and of no other one."""
    t.veth()
    macs = bytes.fromhex("0200000000010200000000 02")
    inner = bytes.fromhex("000588b5")

    def padded(data, length):
        return data + random.Random(length).randbytes(length - len(data))
    frames = [padded(macs + bytes.fromhex(ether_type) + inner, length) for ether_type in ("88b5", "8100", "88a8")
              for length in range(1510, 1521)] + [frame(60)]
    tag = bytes.fromhex("81000007")
    cases = (([], frames), (["--queues", "3"], frames), (["--dst-mac", "02:00:00:00:00:01"], frames),
             (["--vlan", "push:7"], [f[:12] + tag + f[12:] for f in frames]),
             (["--vlan", "pop"], [f[:12] + f[16:] if f[12:14] in (b"\x81\0", b"\x88\xa8") else f for f in frames]),
             (["--cut", "pad"], [f[:100] + bytes(len(f) - 100) if len(f) > 100 else f for f in frames]))
    for options, made in cases:
        want = [f for f in made if len(f) <= (1518 if f[12:14] == b"\x81\0" else 1514)]
        check(0 < len(want) < len(made), f"{options}: {len(want)} of {len(made)} frames")
        is_cut = options[:1] == ["--cut"]
        path = write_pcap(t.path("a.pcap"), [f[:100] for f in frames] if is_cut else frames,
                          full={i: len(f) for i, f in enumerate(frames)} if is_cut else None)
        for pages in ("pagecache", "stream"):
            wire = t.path("wire.pcapng")
            catcher = catch(t, wire, "ether src 02:00:00:00:00:02", len(want))
            p = t.start("replay", path, "--port", "af_packet:va0", "--no-huge", "--json", "--top-speed", "--pages",
                        pages, *options, ns="a")
            p.ends_with(0)
            equal((p.json["frames"], p.json["long_skipped"]), (len(want), len(made) - len(want)),
                  f"{options}, {pages}: frames, too long")
            catcher.ends_with(0)
            check(sorted(read_pcap(t, wire)) == sorted(want), f"{options}, {pages}: frames differ")
