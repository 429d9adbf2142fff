# SPDX-License-Identifier: BSD-3-Clause
"""`pagewire replay --ethernet`: captures without Ethernet headers.

    raw IP, SLL, SLL2, BSD loopback --> Ethernet header instead of the link header --> pcap:FILE, or af_packet on veth

tcprewrite 4.4.3 makes no Ethernet frames of these link types: it calls each an invalid packet. So the frames that are
expected are made here.
"""
import struct

from harness import check, concurrent, equal
from test_replay import mix, packet, read_pcap, replay, write_pcap
from test_replay_lanes import CLIENT, SERVER, check_order, conversations, flows, split

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


def test_flows_do_not_depend_on_the_link_header(t):
    frames = flows(400)
    want = t.run("replay", write_pcap(t.path("a.pcap"), frames), "--dry-run", "--json").ends_with(0).json["flows"]
    equal(want, 40, "flows of Ethernet frames")
    for link, header in LINKS.items():
        path = write_pcap(t.path(f"{link}.pcap"), [header(0x0800) + data[14:] for data in frames], link=link)
        equal(t.run("replay", path, "--dry-run", "--json").ends_with(0).json["flows"], want, f"link type {link}")
    path = write_pcap(t.path("none.pcap"), [b"\x00\x00" for _ in frames], link=101)
    equal(t.run("replay", path, "--dry-run", "--json").ends_with(0).json["flows"], 0, "flows without a packet")


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


def cooked(frames, link):
    """Ethernet frames as a capture of the link type has them."""
    return [LINKS[link](int.from_bytes(data[12:14], "big")) + data[14:] for data in frames]


def mixed(t, frames):
    """A pcapng of three link types, frame by frame, with frames that cannot be sent; the Ethernet frames that go on a
    wire, and how many cannot."""
    kinds = (1, 101, 276)
    bad = LINKS[276](0x0800)[:8] + struct.pack(">H", 824) + bytes(60)  # netlink
    parts = {link: [] for link in kinds}
    wanted, n_bad = [], 0
    for i, data in enumerate(frames):
        link = kinds[i % 3]
        parts[link].append((i, data if link == 1 else cooked([data], link)[0]))
        wanted.append(data if link == 1 else to_ethernet(0x0800, data[14:]))
        if link == 276 and i % 5 == 0:
            parts[link].append((i, bad))
            n_bad += 1
    paths = [write_pcap(t.path(f"{link}.pcap"), [data for _, data in part], times=[i * 1000 for i, _ in part],
                        link=link)
             for link, part in parts.items()]
    both = t.path("mixed.pcapng")
    t.tool("mergecap", "-F", "pcapng", "-w", both, *paths)
    return both, wanted, n_bad


def test_queues_send_what_one_queue_sends(t):
    frames, _, n_bad = mixed(t, flows(3000))
    same = ("frames", "bytes", "passes", "ethernet", "no_ethernet", "edited", "long_skipped", "filtered")
    for options in (["--top-speed"], ["--limit", "777", "--loop", "2"], ["--filter", "udp dst port 53"],
                    ["--vlan", "push:5", "--mtu", "1378"]):
        for pages in ("pagecache", "stream"):
            one, many = (t.run("replay", frames, "--port", "null", "--no-huge", "--json", "--ethernet", ",".join(MACS),
                               "--pages", pages, *options, *queues).ends_with(0).json
                         for queues in ([], ["--queues", "3"]))
            equal([many[key] for key in same], [one[key] for key in same], f"{same} with {options} and {pages}")
            check(0 < one["ethernet"] and one["no_ethernet"] <= 2 * n_bad, f"{options}: {one}")


@concurrent
def test_the_order_within_each_flow_holds_at_a_receiver(t):
    t.need_tool("dumpcap")
    t.need_tool("mergecap")
    t.veth()
    path, wanted, n_bad = mixed(t, flows(3000))
    for result in check_order(t, path, wanted, "--speed", "0.02", "--ethernet", ",".join(MACS)):
        equal((result["frames"], result["ethernet"], result["no_ethernet"]), (6000, 4000, 2 * n_bad), "counts")


def test_two_ports_by_flow_network_and_cache(t):
    t.need_tool("mergecap")
    sides = conversations(2000)
    path, wanted, n_bad = mixed(t, [data for data, _ in sides])
    more = ("--ethernet", ",".join(MACS), "--loop", "2")
    of = {side: [data for data, (_, at) in zip(wanted, sides, strict=True) if at == side] for side in (CLIENT, SERVER)}
    for pages in ("pagecache", "stage", "stream"):
        result, a, b = split(t, path, *more, "--pages", pages)
        check((a, b) == (of[CLIENT] * 2, of[SERVER] * 2), f"{pages}: the frames of the first frame's sides differ")
        equal((result["frames"], result["no_ethernet"]), (4000, 2 * n_bad), "frames, those that cannot be sent")
    _, a, b = split(t, path, *more, "--client-net", "192.0.2.0/24")
    check(a == [f for f in wanted if f[26] == 192] * 2, "--client-net: the clients' frames differ")
    check(b == [f for f in wanted if f[26] == 10] * 2, "--client-net: the servers' frames differ")
    result, a, b = split(t, path, *more, "--queues", "1", "--vlan", "push:7", "--client-net", "10.0.0.0/8")
    tagged = [f[:12] + bytes.fromhex("81000007") + f[12:] for f in wanted]
    check((a, b) == ([f for f in tagged if f[30] == 10] * 2, [f for f in tagged if f[30] == 192] * 2), "edited: differ")


def test_two_ports_by_a_cache_of_tcpprep(t):
    t.need_tool("tcpprep")
    sent = flows(1000)
    for link in (101, 113):
        path = write_pcap(t.path(f"{link}.pcap"), cooked(sent, link), link=link, unit="us")
        t.tool("tcpprep", "--cidr=10.0.0.0/8", "-X", "P:2,5-7", "-i", path, "-o", t.path("a.prep"))
        wanted = [to_ethernet(0x0800, f[14:]) for i, f in enumerate(sent) if i not in (1, 4, 5, 6)]
        result, a, b = split(t, path, "--ethernet", ",".join(MACS), "--cache", t.path("a.prep"))
        check(a == [f for f in wanted if f[26] == 10], f"link type {link}: the clients' frames differ")
        check(b == [f for f in wanted if f[26] == 192], f"link type {link}: the servers' frames differ")
        equal(result["no_side"], 4, "frames that tcpprep excludes")
