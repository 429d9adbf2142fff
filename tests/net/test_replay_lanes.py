# SPDX-License-Identifier: BSD-3-Clause
"""`pagewire replay` through several queues: each frame once, and the order within each flow.

    capture --> scanner of each lane --> its frames --> af_packet with several queues on veth --> dumpcap
"""
import random
import re
import struct
import subprocess

from harness import check, concurrent, equal
from test_replay import catch, read_pcap, write_pcap

CONCURRENT = True
CLIENT, SERVER = "client", "server"


def udp(flow, number, side=CLIENT, length=60):
    """A frame of a flow; its payload begins with flow and number."""
    ends = [(bytes((10, 0, flow >> 8, flow & 255)), 1024 + flow), (bytes((192, 0, 2, flow % 200)), 53)]
    (src, sport), (dst, dport) = ends if side == CLIENT else ends[::-1]
    data = struct.pack("!HHHHII", sport, dport, length - 34, 0, flow, number) + bytes(length - 50)
    return (bytes.fromhex("020000000001020000000002 0800") +
            struct.pack("!BBHHHBBH4s4s", 0x45, 0, length - 14, 0, 0, 64, 17, 0, src, dst) + data)


def flows(n, n_flows=40, seed=3):
    """Frames of both directions of many flows, mixed."""
    rng = random.Random(seed)
    return [udp(rng.randrange(n_flows), i, rng.choice([CLIENT, SERVER]), rng.choice([60, 90, 590, 1400]))
            for i in range(n)]


def by_flow(frames):
    found = {}
    for data in frames:
        flow, number = struct.unpack_from("!II", data, 42)
        found.setdefault(flow, []).append((number, data))
    return found


def run(t, path, *args, code=0):
    p = t.run("replay", path, "--port", "null", "--no-huge", "--json", *args)
    p.ends_with(code)
    return p.json


def test_all_lanes_together_send_what_one_lane_sends(t):
    frames = flows(3000)
    full = dict.fromkeys(range(0, 3000, 7), 2000)  # cut by the snap length
    path = write_pcap(t.path("a.pcap"), frames, full=full)
    packed = t.path("a.pcap.gz")
    with open(packed, "wb") as f:
        subprocess.run(["gzip", "-c", path], stdout=f, check=True)
    same = ("frames", "bytes", "passes", "cut", "cut_skipped", "long_skipped", "filtered", "other_time", "edited",
            "backwards", "jumps", "untimed", "file_is_cut")
    for options in (["--top-speed"], ["--loop", "3"], ["--skip", "10", "--limit", "777", "--loop", "2"],
                    ["--filter", "udp dst port 53", "--cut", "skip"], ["--from-time", "0.001", "--to-time", "0.002"],
                    ["--cut", "pad", "--mtu", "1600"], ["--vlan", "push:5", "--mtu", "1378"], ["--rate", "2Mpps"]):
        one = run(t, path, "--pages", "pagecache", *options)
        for file, pages in ((path, "pagecache"), (packed, "auto")):
            many = run(t, file, "--pages", pages, *options, "--queues", "3")
            for key in same:
                equal(many[key], one[key], f"{key} with {options} and {pages}")
    one, many = (run(t, path, "--top-speed", "--ttl", "-1", *more) for more in ([], ["--queues", "2"]))
    equal((many["edited"], many["header_bytes"]), (one["edited"], one["header_bytes"]), "edited")


def test_a_rate_is_that_of_all_lanes(t):
    path = write_pcap(t.path("a.pcap"), flows(2000))
    for rate in ("1kpps", "4Mbit/s"):
        want = 2 if rate == "1kpps" else sum(len(f) for f in flows(2000)) * 8 / 4e6
        r = run(t, path, "--rate", rate, "--queues", "3")
        check(0.97 * want < r["seconds"] < 1.5 * want, f"{rate}: {r['seconds']} s, {want:.2f} expected")


def test_a_lane_without_frames_ends(t):
    path = write_pcap(t.path("a.pcap"), [udp(1, i) for i in range(500)])
    for pages in ("pagecache", "stream"):
        equal(run(t, path, "--queues", "4", "--pages", pages, "--loop", "2")["frames"], 1000, "frames")


def test_a_capture_that_is_damaged_ends_all_lanes(t):
    path = write_pcap(t.path("a.pcap"), flows(3000))
    before = 24
    for data in flows(3000)[:2000]:
        before += 16 + len(data)
    with open(path, "r+b") as f:
        f.seek(before)
        f.write(b"\xff" * 16)
    for pages in ("pagecache", "stream"):
        p = t.run("replay", path, "--port", "null", "--no-huge", "--json", "--queues", "3", "--pages", pages)
        p.ends_with(1)
        equal(p.json["frames"], 2000, "frames before the damage")
        equal(p.err.count("error: "), 1, f"sentences in: {p.err}")


def check_order(t, path, frames, *args):
    """Replays twice by three queues to a receiver: each flow arrives in its order. Returns the results, one for each
    way of pages."""
    results = []
    want = by_flow(frames)
    for pages in ("pagecache", "stream"):
        wire = t.path(f"{pages}.pcapng")
        catcher = catch(t, wire, "udp port 53", 2 * len(frames))
        p = t.start("replay", path, "--port", "af_packet:va0", "--no-huge", "--json", "--loop", "2", "--queues", "3",
                    "--pages", pages, *args, ns="a")
        p.ends_with(0)
        equal(p.json["frames"], 2 * len(frames), "frames")
        catcher.ends_with(0)
        got = by_flow(read_pcap(t, wire))
        equal(sorted(got), sorted(want), "flows")
        for flow, sent in want.items():
            check(got[flow] == sent * 2, f"{pages}: flow {flow} differs")
        results.append(p.json)
    return results


@concurrent
def test_the_order_within_each_flow_holds_at_a_receiver(t):
    t.veth()
    frames = flows(4000)
    check_order(t, write_pcap(t.path("a.pcap"), frames, gap_ns=50000), frames)


def split(t, path, *args, code=0):
    """Replays into two captures; returns the result and what came out of either port."""
    a, b = t.path("a.out"), t.path("b.out")
    p = t.run("replay", path, "--port", f"pcap:{a}", "--port", f"pcap:{b}", "--no-huge", "--json", "--top-speed", *args)
    p.ends_with(code)
    if code == 0:
        return p.json, read_pcap(t, a), read_pcap(t, b)
    return p.err, read_pcap(t, a), read_pcap(t, b)


def conversations(n, n_flows=30, seed=5):
    """Frames with their sides: the first one of a flow is the client's. Half of the clients are in 192.0.2.0/24."""
    rng, opened, found = random.Random(seed), set(), []
    for i in range(n):
        flow = rng.randrange(n_flows)
        side = rng.choice([CLIENT, SERVER]) if flow in opened else CLIENT
        opened.add(flow)
        other = {CLIENT: SERVER, SERVER: CLIENT}
        found.append((udp(flow, i, side if flow % 2 else other[side]), side))
    return found


def of_side(sides, side):
    return [data for data, of in sides if of == side]


def test_two_ports_by_the_first_frame_of_each_flow(t):
    sides = conversations(2000)
    path = write_pcap(t.path("a.pcap"), [data for data, _ in sides])
    for pages in ("pagecache", "stage", "stream"):
        result, a, b = split(t, path, "--pages", pages, "--loop", "2")
        check(a == of_side(sides, CLIENT) * 2, f"{pages}: the clients' frames differ")
        check(b == of_side(sides, SERVER) * 2, f"{pages}: the servers' frames differ")
        equal([(p["frames"], p["bytes"]) for p in result["ports"]],
              [(len(f), sum(map(len, f))) for f in (a, b)], "the ports' counters")
        equal(result["frames"], 4000, "frames of both")
    _, a, b = split(t, path, "--skip", "100")  # the first frames are not sent, and tell the sides all the same
    check((a, b) == (of_side(sides[100:], CLIENT), of_side(sides[100:], SERVER)), "--skip: frames differ")


def test_two_ports_by_networks(t):
    frames = flows(1000)
    path = write_pcap(t.path("a.pcap"), frames)
    _, a, b = split(t, path, "--client-net", "192.0.2.0/24,2001:db8::/32")
    check(a == [f for f in frames if f[26:29] == bytes((192, 0, 2))], "the clients' frames differ")
    check(b == [f for f in frames if f[26] == 10], "the servers' frames differ")


def test_two_ports_by_a_cache_of_tcpprep(t):
    t.need_tool("tcpprep")
    frames = flows(3001)
    path = write_pcap(t.path("a.pcap"), frames, unit="us")
    for mode in (["--port"], ["--cidr=10.0.0.0/8"], ["--auto=first"], ["--cidr=10.0.0.0/8", "-X", "P:2,5-7"]):
        cache = t.path("a.prep")
        t.tool("tcpprep", *mode, "-i", path, "-o", cache)
        told = re.findall(r":\s+(\d+)", t.tool("tcpprep", "-S", cache))  # primary, secondary, skipped, total
        result, a, b = split(t, path, "--cache", cache, "--loop", "2")
        equal([len(a), len(b), result["no_side"]], [2 * int(n) for n in told[:3]], f"{mode}: frames of each port")
        if mode[0] != "--auto=first":  # 10.0.0.0/8 is the clients' network, 53 the servers' port
            sent = [f for i, f in enumerate(frames) if "-X" not in mode or i not in (1, 4, 5, 6)]
            check(a == [f for f in sent if f[26] == 10] * 2, f"{mode}: the clients' frames differ")
            check(b == [f for f in sent if f[26] == 192] * 2, f"{mode}: the servers' frames differ")
    err, a, b = split(t, write_pcap(t.path("longer.pcap"), frames + flows(1)), "--cache", cache, code=1)
    check("has 3001 frames, and the capture has more" in err, err)
    equal(len(a) + len(b), 3001 - 4, "frames before")
    with open(cache, "r+b") as f:
        f.truncate(700)
    p = t.run("replay", path, "--port", "null", "--port", "null", "--no-huge", "--cache", cache).ends_with(1)
    check("ends before the last" in p.err, p.err)


def test_two_ports_with_queues_and_edits(t):
    sides = conversations(3000)
    path = write_pcap(t.path("a.pcap"), [data for data, _ in sides])
    for pages in ("pagecache", "stream"):
        p = t.run("replay", path, "--port", "null", "--port", "null", "--no-huge", "--json", "--queues", "2",
                  "--pages", pages, "--vlan", "push:7", "--rate", "1Mpps")
        p.ends_with(0)
        equal([q["frames"] for q in p.json["ports"]], [len(of_side(sides, s)) for s in (CLIENT, SERVER)], "frames")
        equal(p.json["edited"], 3000, "edited")


def test_wrong_ports_are_refused_in_one_sentence(t):
    path = write_pcap(t.path("a.pcap"), flows(3))
    for args, says in (
            (["--port", "null"] * 3, "more than twice"),
            (["--port", "null", "--cache", "x"], "give a second --port"),
            (["--port", "pcap:/tmp/x", "--port", "pcap:/tmp/x"], "the same port"),
            (["--port", "null", "--port", "null", "--cache", "x", "--client-net", "10.0.0.0/8"], "contradict"),
            (["--port", "null", "--port", "null", "--client-net", "10.0.0.0/33"], "--client-net"),
            (["--port", "udp:lo"], "use af_packet:lo"),
            ([], "--port PORT is missing")):
        p = t.run("replay", path, "--no-huge", *args).ends_with(2)
        check(says in p.err, p.err)
    p = t.run("replay", path, "--no-huge", "--port", "null", "--port", "null", "--cache", path).ends_with(1)
    check("not a cache file of tcpprep" in p.err, p.err)
