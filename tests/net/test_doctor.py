# SPDX-License-Identifier: BSD-3-Clause
"""What doctor says of jobs on real interfaces, sockets, ports and captures."""
import gzip
import socket
import struct

from harness import check, equal, poll_until

CONCURRENT = True

OK, USAGE, INCOMPLETE, NO_ENVIRONMENT = 0, 2, 3, 77


def checks(p):
    """The results by their ids: (level, what, fix)."""
    return {c["id"]: (c["level"], c["what"], c["fix"] or "") for c in p.json["checks"]}


def expect(found, name, level, what, fix=""):
    got = found[name]
    check(got[0] == level and what in got[1] and fix in got[2], f"{name}: {got}, not {level} {what!r} {fix!r}")


def doctor(t, code, *args, ns=None):
    return checks(t.run("doctor", "--json", *args, ns=ns).ends_with(code))


def test_a_listener_on_a_real_interface(t):
    t.veth()
    found = doctor(t, OK, "--listen", "239.77.0.1", "--interface", "va1", ns="b")
    expect(found, "listen.address", "ok", "joined on va1")
    expect(found, "listen.interface", "ok", "va1 is up and takes 1500 bytes")
    expect(found, "listen.buffer", "ok", "64.0 MiB")
    expect(found, "listen.losses", "ok", "received 0 datagrams, 0 were lost")
    t.tool("ip", "route", "add", "239.0.0.0/8", "dev", "va1", ns="b")
    found = doctor(t, OK, "--listen", "239.77.0.1", "--mtu", "9000", ns="b")
    expect(found, "listen.address", "ok", "joined on va1")
    expect(found, "listen.interface", "warn", "va1 has 1500", "ip link set va1 mtu 9000")
    t.tool("sh", "-c", "echo 1 >/proc/sys/net/ipv4/conf/va1/rp_filter", ns="b")
    expect(doctor(t, OK, "--listen", "10.77.0.2", ns="b"), "listen.route", "warn", "strict", "va1.rp_filter=2")
    t.tool("ip", "link", "set", "va0", "down", ns="a")
    poll_until(lambda: "LOWER_UP" not in t.tool("ip", "link", "show", "va1", ns="b"), 10, "the carrier's end")
    expect(doctor(t, OK, "--listen", "10.77.0.2", ns="b"), "listen.interface", "warn", "no carrier", "ip link set PEER")
    found = doctor(t, NO_ENVIRONMENT, "--listen", "239.77.0.1", ns="a")
    expect(found, "listen.address", "fail", "no route leads to an interface", "ip -brief address")


def test_the_fix_for_a_firewall_that_drops_lets_packets_in(t):
    t.need_tool("nft")
    t.veth()
    expect(doctor(t, OK, "--listen", "10.77.0.2", ns="b"), "listen.firewall", "ok", "no nftables chain")
    t.tool("nft", "add table inet f; add chain inet f in { type filter hook input priority 0; policy accept; }; "
           "add chain inet f out { type filter hook output priority 0; policy drop; }; "
           "add table ip6 g; add chain ip6 g in { type filter hook input priority 0; policy drop; }", ns="b")
    expect(doctor(t, OK, "--listen", "10.77.0.2", ns="b"), "listen.firewall", "ok", "1 nftables chains")
    expect(doctor(t, OK, "--listen", "fd77::2", ns="b"), "listen.firewall", "warn", "ip6 g in drops")
    t.tool("nft", "add chain inet f in { policy drop; }", ns="b")
    found = doctor(t, OK, "--listen", "10.77.0.2:4010", ns="b")
    expect(found, "listen.firewall", "warn", "inet f in drops", "nft add rule inet f in udp dport 4010 accept")
    original = t.file("a.bin", 30000)
    sender = ("send", original, "--port", "af_packet:va0", "--to", "10.77.0.2:4010", "--to-mac",
              t.tool("cat", "/sys/class/net/va1/address", ns="b").strip(), "--no-huge")
    receiver = ("recv", "--listen", "10.77.0.2:4010", "--out", t.mkdir("in"), "--timeout", "3s")
    for accepted in (False, True):
        if accepted:
            t.tool("nft", found["listen.firewall"][2].split(": nft ")[1], ns="b")
        p = t.start(*receiver, ns="b")
        poll_until(lambda p=p: "listening on" in p.err or not p.running, 20, "the receiver")
        t.run(*sender, ns="a").ends_with(OK)
        p.ends_with(OK if accepted else INCOMPLETE)
    t.same(original, t.path("in", "a.bin"))


def test_a_listener_without_privilege_gets_what_rmem_max_allows(t):
    t.need_tool("setpriv")
    with open("/proc/sys/net/core/rmem_max", encoding="ascii") as f:
        limit = int(f.read())
    if limit >= 64 << 20:
        limit = 64 << 20
    words = ["setpriv", "--bounding-set=-net_admin", t.binary, "doctor", "--listen", "127.0.0.1:4099", "--json"]
    found = checks(t.spawn(*words).ends_with(OK))
    if limit < 64 << 20:
        expect(found, "listen.buffer", "warn", "recv asks for 64.0 MiB", "rmem_max=67108864")
    expect(found, "listen.firewall", "skip", "may not read")


def test_a_port_that_is_taken_is_told_before_recv_fails(t):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.bind(("127.0.0.1", 0))
        port = s.getsockname()[1]
        found = doctor(t, NO_ENVIRONMENT, "--listen", f"127.0.0.1:{port}")
    expect(found, "listen.address", "fail", "another program uses the port", f"ss -lunp sport = {port}")
    p = t.run("doctor", "--listen", "300.0.0.1").ends_with(USAGE)
    check("--listen '300.0.0.1'" in p.err, p.err)
    p = t.run("doctor", "--listen", "127.0.0.1", "--port", "null").ends_with(USAGE)
    check("neither FILE nor --port" in p.err, p.err)


def capture(lengths, link=1, snap=262144, magic=0xa1b2c3d4):
    """A pcap of frames of zeros, one microsecond after the other."""
    records = [struct.pack("<IIII", 1700000000, n, min(length, snap), length) + bytes(min(length, snap))
               for n, length in enumerate(lengths)]
    return struct.pack("<IHHiIII", magic, 2, 4, 0, 0, snap, link) + b"".join(records)


def capture_file(t, name, data):
    with open(t.path(name), "wb") as f:
        f.write(data)
    return t.path(name)


def test_a_capture_in_order_leaves_in_place(t):
    path = capture_file(t, "a.pcap", capture([60, 1514, 1518]))
    found = doctor(t, OK, path, "--port", "null", "--no-huge")
    expect(found, "capture.format", "ok", "pcap: 3 frames, 3.02 KiB")
    expect(found, "capture.frames", "ok", "Ethernet, up to 1518 bytes; --mtu 1500 takes 1518")
    expect(found, "capture.pages", "ok", "pagecache: frames leave in place")
    p = t.run("replay", path, "--port", "null", "--no-huge", "--json", "--top-speed").ends_with(OK)
    equal((p.json["pages"], p.json["frames"]), ("pagecache", 3), "what replay does with it")
    # a port that reaches EAL's memory alone
    found = doctor(t, OK, path, "--port", f"virtio-user:{t.path('s')}", "--no-huge")
    expect(found, "capture.pages", "ok", "stage: read into EAL memory first")
    found = doctor(t, OK, path, "--no-huge")
    expect(found, "capture.pages", "skip", "depends on the port")
    found = doctor(t, OK, t.file("b.bin", 5000), "--port", "null", "--no-huge")
    expect(found, "capture.format", "skip", "FILE is no capture")


def test_formats_and_compression_are_named(t):
    data = capture([60] * 1000, magic=0xa1b23c4d)
    found = doctor(t, OK, capture_file(t, "b.gz", gzip.compress(data)), "--port", "null", "--no-huge")
    expect(found, "capture.format", "ok", "pcap with nanoseconds, compressed by gzip: 1000 frames")
    expect(found, "capture.pages", "ok", "decompressed into a ring")
    ng = struct.pack("<IIIHHqI", 0x0a0d0d0a, 28, 0x1a2b3c4d, 1, 0, -1, 28) + struct.pack(
        "<IIHHII", 1, 20, 1, 0, 0, 20) + struct.pack("<IIIIIII", 6, 32 + 60, 0, 0, 0, 60, 60) + bytes(60) + struct.pack(
        "<I", 32 + 60)
    found = doctor(t, OK, capture_file(t, "c.pcapng", ng), "--port", "null", "--no-huge")
    expect(found, "capture.format", "ok", "pcapng: 1 frames")


def test_frames_that_would_not_leave_are_counted(t):
    found = doctor(t, OK, capture_file(t, "a.pcap", capture([60, 1519, 9014])), "--port", "null", "--no-huge")
    expect(found, "capture.frames", "warn", "2 frames are too long for --mtu 1500, which takes 1518 bytes",
           "--mtu 8996 ")
    p = t.run("replay", t.path("a.pcap"), "--port", "null", "--no-huge", "--json", "--top-speed").ends_with(OK)
    equal(p.json["long_skipped"], 2, "frames that replay skips")
    found = doctor(t, OK, t.path("a.pcap"), "--port", "null", "--no-huge", "--mtu", "8996")
    expect(found, "capture.frames", "ok", "--mtu 8996 takes 9014")
    tagged = bytes.fromhex("8100 0005")
    made = capture([60, 1518, 1518])
    path = capture_file(t, "tagged.pcap", made[:-1518 + 12] + tagged + made[-1518 + 16:])
    for port, says in (("af_packet:lo", ("warn", "1 frames are too long for --mtu 1500, which takes 1514 (1518 with a VLAN",
                                         "--mtu 1504 ")), ("null", ("ok", "--mtu 1500 takes 1518"))):
        found = checks(t.run("doctor", path, "--port", port, "--no-huge", "--json").wait())
        expect(found, "capture.frames", *says)

    cooked = capture_file(t, "cooked.pcap", capture([60] * 3, link=113))
    found = doctor(t, NO_ENVIRONMENT, cooked, "--port", "null", "--no-huge")
    expect(found, "capture.frames", "fail", "3 of 3 frames are no Ethernet frames: the first one is of link type 113",
           "--ethernet DST,SRC")
    found = doctor(t, NO_ENVIRONMENT, capture_file(t, "none.pcap", capture([])), "--port", "null", "--no-huge")
    expect(found, "capture.format", "fail", "pcap: 0 frames", "ls -l ")
    snapped = capture_file(t, "snap.pcap", capture([60, 600], snap=64)[:-5])
    found = doctor(t, OK, snapped, "--port", "null", "--no-huge")
    expect(found, "capture.format", "warn", "it ends within a record", "being written still")
    lying = capture([60, 60])[:-60 - 16] + struct.pack("<IIII", 0, 0, 1 << 30, 60) + bytes(600)
    found = doctor(t, NO_ENVIRONMENT, capture_file(t, "lie.pcap", lying), "--port", "null", "--no-huge")
    expect(found, "capture.format", "fail", "pcap: 1 frames, 60 B; ", "replay --limit 1 ")
