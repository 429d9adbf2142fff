# SPDX-License-Identifier: BSD-3-Clause
"""`pagewire replay --ethernet`: captures without Ethernet headers.

    capture of raw IP, SLL, SLL2, BSD loopback --> Ethernet header instead of the link header --> pcap:FILE
"""
import struct

from harness import check, equal
from test_replay import mix, packet, read_pcap, replay, write_pcap

CONCURRENT = True
MACS = ("02:00:00:00:00:0a", "02:00:00:00:00:0b")
LINKS = {  # link type: its header, by the EtherType
    101: lambda _: b"",
    12: lambda _: b"",
    228: lambda _: b"",
    113: lambda t: struct.pack(">HHH8sH", 4, 1, 6, bytes(range(8)), t),
    276: lambda t: struct.pack(">HHIHBB8s", t, 0, 2, 1, 4, 6, bytes(range(8))),
    0: lambda t: struct.pack("<I", 2 if t == 0x0800 else 10),
    108: lambda t: struct.pack(">I", 2 if t == 0x0800 else 30),
}


def dissect(t, path):
    fields = ("ip.src", "ip.dst", "ip.id", "ip.len", "ip.proto", "ip.checksum.status", "udp.srcport",
              "udp.checksum.status", "tcp.srcport", "tcp.seq_raw", "tcp.checksum.status")
    checks = [x for proto in ("ip", "udp", "tcp") for x in ("-o", f"{proto}.check_checksum:TRUE")]
    return t.tool("tshark", "-r", path, *checks, "-T", "fields", *[x for f in fields for x in ("-e", f)])


def to_ethernet(ether_type, data):
    return bytes.fromhex((MACS[0] + MACS[1]).replace(":", "")) + struct.pack(">H", ether_type) + data


def test_frames_of_other_link_types_get_an_ethernet_header(t):
    """The same packets for tshark, in their pages but for the header; edited, what tcprewrite makes of them."""
    t.need_tool("tcprewrite")
    t.need_tool("tshark")
    packets = [packet(i, [6, 60, 700, 1400][i % 4], tag=False, udp=i % 2 == 0)[14:] for i in range(2300)]
    wanted = [to_ethernet(0x0800, data) for data in packets]
    ours = ["--top-speed", "--ethernet", ",".join(MACS)]
    for link, header in LINKS.items():
        n = 2300 if link == 276 else 200  # across slots of the ring
        path = write_pcap(t.path(f"{link}.pcap"), [header(0x0800) + data for data in packets[:n]], link=link, unit="us")
        for pages in ("pagecache", "stream"):
            result, got = replay(t, path, *ours, "--pages", pages)
            check(got == wanted[:n], f"link type {link}, {pages}: frames differ")
            equal((result["ethernet"], result["no_ethernet"], result["edited"]), (n, 0, 0), "counts")
            equal(result["header_bytes"], 14 * n, "header bytes")
        if link in (101, 113):
            check(dissect(t, path) == dissect(t, t.path("out.pcap")), f"link type {link}: tshark finds other packets")
        equal(replay(t, path, *ours, "--filter", "udp")[1], wanted[:n:2], f"link type {link}: filtered frames")
        p = t.run("replay", path, "--port", "null", "--no-huge", "--top-speed").ends_with(1)
        check(f"is {link} (" in p.err and "--ethernet DST,SRC" in p.err, p.err)
        p = t.run("replay", path, "--dry-run").ends_with(0)
        check(f"need --ethernet: {n} frames" in p.out, p.out)
    theirs = ["--enet-vlan=add", "--enet-vlan-tag=77", "--enet-vlan-cfi=0", "--enet-vlan-pri=0", "--ttl=7",
              "--pnat=10.0.0.0/8:192.168.0.0/16"]
    flat = write_pcap(t.path("flat.pcap"), wanted, unit="us")
    t.tool("tcprewrite", "-i", flat, "-o", t.path("edited.pcap"), *theirs)
    edited = read_pcap(t, t.path("edited.pcap"))
    for link, n in ((101, 200), (276, 2300)):
        result, got = replay(t, t.path(f"{link}.pcap"), *ours, "--vlan", "push:77", "--ttl", "7",
                             "--map", "10.0.0.0/8:192.168.0.0/16", "--pages", "stream")
        check(got == edited[:n], f"link type {link}: edited frames differ")
        equal([result[k] for k in ("edited", "ethernet", "edit_cut", "edit_deep")], [n, n, 0, 0], "counts")


def test_ethernet_and_other_link_types_in_one_capture(t):
    t.need_tool("mergecap")
    ethernet = mix(40)
    ipv6 = bytes.fromhex("60000000") + struct.pack(">HBB", 40, 59, 64) + bytes(range(32)) + bytes(40)
    arp = bytes.fromhex("00010800060400010200000000010a0000010000000000000a000002") + bytes(18)
    write_pcap(t.path("1.pcap"), ethernet)
    write_pcap(t.path("2.pcap"), [ipv6, b"\x50" * 60], link=101)
    cooked = LINKS[276]
    netlink = cooked(0x0800)[:8] + struct.pack(">H", 824) + cooked(0x0800)[10:]
    write_pcap(t.path("3.pcap"), [cooked(0x0806) + arp, cooked(0x86dd) + ipv6, cooked(0x0806)[:19],
                                  cooked(0x0004) + arp, netlink + arp], link=276)
    both = t.path("both.pcapng")
    t.tool("mergecap", "-a", "-F", "pcapng", "-w", both, *[t.path(f"{i}.pcap") for i in (1, 2, 3)])
    result, got = replay(t, both, "--top-speed", "--ethernet", ",".join(MACS), "--loop", "2")
    wanted = ethernet + [to_ethernet(0x86dd, ipv6), to_ethernet(0x0806, arp), to_ethernet(0x86dd, ipv6)]
    check(got == wanted * 2, "frames differ")
    equal((result["ethernet"], result["no_ethernet"], result["header_bytes"]), (6, 8, 6 * 14), "counts")
    p = t.run("replay", both, "--port", "null", "--no-huge", "--top-speed").ends_with(1)
    check("the link type of frame 41 is 101 (raw IP)" in p.err, p.err)
    p = t.run("replay", both, "--port", "null", "--no-huge", "--top-speed", "--ethernet", ",".join(MACS)).ends_with(0)
    check("3 frames got an Ethernet header" in p.out and "4 frames cut in their link header" in p.out, p.out)
    for wrong in ("x", "02:00:00:00:00:01", "02:00:00:00:00:01,2", ",02:00:00:00:00:01"):
        p = t.run("replay", both, "--port", "null", "--ethernet", wrong).ends_with(2)
        check("--ethernet" in p.err, p.err)
    usb = write_pcap(t.path("usb.pcap"), [bytes(64)], link=189)
    p = t.run("replay", usb, "--port", "null", "--no-huge", "--ethernet", ",".join(MACS)).ends_with(1)
    check("is 189 (an unknown type), and only Ethernet and IP are supported" in p.err, p.err)
