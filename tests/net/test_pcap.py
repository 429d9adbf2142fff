# SPDX-License-Identifier: BSD-3-Clause
"""The packets in a capture, read by tshark's ALC dissector and by flute.py."""
import collections
import os
import struct

import flute
from harness import check, equal

CONCURRENT = True  # these tests need no CPU of their own and no huge pages (run.py)

GOOD_CHECKSUM, NO_CHECKSUM = "1", "3"  # tshark's udp.checksum.status


def capture(t, files, *args, to="239.77.0.1:4001"):
    path = t.path("wire.pcap")
    p = t.run("send", *files, "--port", f"pcap:{path}", "--to", to, "--no-huge", "--json", *args)
    p.ends_with(0)
    return path, p.json


def dissect(t, path, *fields, where=None):
    """Runs tshark; returns a tuple with the text of the fields for each packet."""
    argv = ["tshark", "-r", path, "-d", "udp.port==4001,alc", "-o", "udp.check_checksum:TRUE",
            "-o", "ip.check_checksum:TRUE", "-T", "fields", "-E", "separator=/t"]
    for f in fields:
        argv += ["-e", f]
    if where:
        argv += ["-Y", where]
    return [tuple(line.split("\t")) for line in t.tool(*argv).splitlines()]


def check_session(t, path, tx, originals, udp_checksum):
    """Checks that no packet is malformed, the FDT is there, each symbol comes once, and the content is
    right."""
    t.need_tool("tshark")
    equal(dissect(t, path, "frame.number", where="_ws.malformed || _ws.expert.severity == error"),
          [], "frames that tshark finds fault with")
    rows = dissect(t, path, "rmt-lct.tsi", "rmt-lct.toi", "rmt-fec.sbn", "rmt-fec.esi",
                   "udp.checksum.status")
    equal(len(rows), tx["packets"], "packets that tshark reads")
    equal({r[0] for r in rows}, {str(tx["tsi"])}, "TSI")
    equal({r[4] for r in rows}, {udp_checksum}, "UDP checksum status")
    tables = dissect(t, path, "xml.attribute", where="rmt-lct.toi == 0 && xml")
    check(tables, "tshark sees no XML of the FDT")
    for f in originals:
        check(f'Content-Location="{os.path.basename(f)}"' in tables[0][0],
              f"{f} is not in the FDT: {tables[0][0]}")
    times = collections.Counter(
        (toi, int(sbn), int(esi, 0)) for _, toi, sbn, esi, _ in rows if toi != "0")
    wanted = collections.Counter()
    for toi, f in enumerate(originals, 1):
        size = os.path.getsize(f)
        for sbn, n in enumerate(flute.blocks(size, tx["symbol_bytes"], 4096)):
            wanted.update((str(toi), sbn, esi) for esi in range(n))
    equal(times - wanted, collections.Counter(), "symbols too many")
    equal(wanted - times, collections.Counter(), "symbols missing")
    for toi, f in enumerate(originals, 1):
        with open(f, "rb") as stream:
            content = stream.read()
        got = flute.reassemble(path, toi, len(content), tx["symbol_bytes"], 4096)
        check(got == content, f"{f} put together from the capture differs")


def test_ipv4_dissects_and_reassembles_over_several_blocks(t):
    files = [t.file("a.bin", 1000001), t.file("empty", 0), t.file("one", 1)]
    path, tx = capture(t, files, "--symbol", "96")  # 10417 symbols in 3 blocks
    check_session(t, path, tx, files, NO_CHECKSUM)
    equal({r[0] for r in dissect(t, path, "ip.checksum.status")}, {"1"}, "IPv4 header checksum")
    equal(set(dissect(t, path, "eth.dst", "ip.dst", "ip.ttl", "udp.dstport")),
          {("01:00:5e:4d:00:01", "239.77.0.1", "1", "4001")}, "destination and TTL")


def test_ipv4_udp_checksums_in_software_are_right(t):
    files = [t.file("a.bin", 100001)]
    path, tx = capture(t, files, "--udp-checksum", "software")
    check_session(t, path, tx, files, GOOD_CHECKSUM)
    check(tx["cpu_reads_per_byte"] >= 1.0, "reads of the payload are not accounted for")


def test_ipv6_dissects_with_right_checksums(t):
    files = [t.file("a.bin", 1000001)]
    path, tx = capture(t, files, to="[ff15::77]:4001")
    check_session(t, path, tx, files, GOOD_CHECKSUM)
    equal(set(dissect(t, path, "eth.dst", "ipv6.dst", "ipv6.hlim")),
          {("33:33:00:00:00:77", "ff15::77", "1")}, "destination and hop limit")


def test_vlan_and_unicast_headers_match_the_options(t):
    files = [t.file("a.bin", 100001)]
    path, tx = capture(t, files, "--vlan", "77", "--dscp", "46", "--ttl", "9", "--to-mac",
                       "02:00:00:00:00:05", "--from", "10.9.8.7:555", to="10.1.2.3:4001")
    check_session(t, path, tx, files, NO_CHECKSUM)
    equal(set(dissect(t, path, "vlan.id", "ip.dsfield.dscp", "ip.ttl", "eth.dst", "ip.src",
                      "udp.srcport", "ip.dst")),
          {("77", "46", "9", "02:00:00:00:00:05", "10.9.8.7", "555", "10.1.2.3")}, "headers")


def test_jumbo_frames_fill_the_mtu_and_do_not_exceed_it(t):
    files = [t.file("a.bin", 1000001)]
    path, tx = capture(t, files, "--mtu", "9000")
    check_session(t, path, tx, files, NO_CHECKSUM)
    longest = max(int(r[0]) for r in dissect(t, path, "ip.len"))
    check(8950 <= longest <= 9000, f"longest IP packet: {longest}")


def test_wide_identifiers_and_md5_dissect(t):
    t.need_tool("tshark")
    files = [t.file("a.bin", 100001)]
    path, tx = capture(t, files, "--tsi", "100000", "--md5")
    rows = dissect(t, path, "rmt-lct.tsi", "rmt-lct.hlen")
    equal(len(rows), tx["packets"], "packets that tshark reads")
    equal({r[0] for r in rows}, {"100000"}, "TSI")
    table = dissect(t, path, "xml.attribute", where="rmt-lct.toi == 0 && xml")[0][0]
    check("Content-MD5=" in table, f"no Content-MD5: {table}")


def test_recv_reads_a_capture_file(t):
    original = t.file("a.bin", 300001)
    path, _ = capture(t, [original])
    rx = t.recv("--port", f"pcap:{path}", "--out", t.mkdir("in"), "--no-huge", "--timeout", "5s")
    rx.ends_with(0)
    t.same(original, t.path("in", "a.bin"))
    equal(rx.json["path"], "net_pcap", "path")


def test_the_null_port_accepts_every_packet(t):
    original = t.file("a.bin", 3000001)
    p = t.send("--port", "null", "--to", "239.77.0.1", "--no-huge", original)
    p.ends_with(0)
    equal((p.json["payload_bytes"], p.json["driver"]), (3000001, "net_null"), "bytes, driver")
    equal(p.json["cpu_copies_per_byte"], 0.0, "cpu_copies_per_byte")


def test_each_session_has_its_own_tsi_unless_one_is_given(t):
    tsis = [capture(t, [t.file("a.bin", 10)])[1]["tsi"] for _ in range(3)]
    check(len(set(tsis)) > 1 and all(0 < n < 65536 for n in tsis), f"TSIs {tsis}")
    equal(capture(t, [t.path("a.bin")], "--tsi", "7")[1]["tsi"], 7, "the TSI that was given")
    plan = t.run("send", t.path("a.bin"), "--to", "239.77.0.1", "--dry-run").ends_with(0)
    check(", TSI " in plan.out, plan.out)


def test_a_session_is_closed_by_several_packets_apart_in_time(t):
    path, _ = capture(t, [t.file("a.bin", 10)])
    with open(path, "rb") as f:
        data = f.read()
    unit = 1e-9 if data[:4] == b"\x4d\x3c\xb2\xa1" else 1e-6
    at, times = 24, []
    while at < len(data):
        seconds, part, length = struct.unpack_from("<III", data, at)
        flags = struct.unpack_from("!H", data, at + 16 + 42)[0]
        if flags & 2:  # A: close session
            times.append(seconds + part * unit)
        at += 16 + length
    check(len(times) >= 3, f"{len(times)} packets close the session")
    check(all(b - a >= 0.001 for a, b in zip(times, times[1:])), f"sent at {times}")
