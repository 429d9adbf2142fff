# SPDX-License-Identifier: BSD-3-Clause
"""Random mutations of packets, and frames with inconsistent Ethernet, IP and UDP headers."""
import os
import random
import socket
import struct
import time

import flute
from harness import check, equal, poll_until

CONCURRENT = True  # these tests need no CPU of their own and no huge pages (run.py)

BODY = bytes(range(256)) * 40


def honest_session(name, toi, instance):
    entry = flute.file_entry(name, toi, len(BODY))
    return flute.fdt_packets(flute.fdt_xml([entry]), instance) + flute.data_packets(toi, BODY)


def mutated(dice, honest):
    if dice.random() < 0.3:
        return dice.randbytes(dice.randrange(1, 1400))
    packet = bytearray(dice.choice(honest))
    for _ in range(dice.randrange(1, 5)):
        packet[dice.randrange(min(len(packet), 60))] = dice.randrange(256)
    packet[1] &= 0xfd  # not a close packet, which would end the receiver
    return bytes(packet)


def test_mutated_packets_do_no_harm(t):
    dice = random.Random(20261123)
    port, out = t.free_udp_port(), t.mkdir("jail/in")
    rx = t.start("recv", "--listen", f"127.0.0.1:{port}", "--out", out, "--timeout", "1s", "--tsi",
                 "1", "--json")
    poll_until(lambda: "listening" in rx.err or not rx.running, 20, "the receiver's socket")
    honest = honest_session("mutated.bin", 5, 3)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        for _ in range(300):
            for _ in range(32):
                s.sendto(mutated(dice, honest), ("127.0.0.1", port))
            time.sleep(0.001)
        check(rx.running, f"it died:\n{rx.describe()}")
        for packet in honest_session("good.bin", 77, 900):
            s.sendto(packet, ("127.0.0.1", port))
    rx.wait()
    check(rx.code in (0, 3), rx.describe())
    with open(os.path.join(out, "good.bin"), "rb") as f:
        check(f.read() == BODY, "the honest file differs")
    equal(sorted(os.listdir(t.path("jail"))), ["in"], "files beside the output directory")
    counters = rx.json["counters"]
    check(counters["malformed"] > 2000, f"malformed {counters['malformed']}")
    check(counters["out_of_object"] > 0, "no symbol out of its object was counted")


def frame(ether_type, ip):
    return bytes.fromhex("01005e4d0001" "020000000001") + struct.pack("!H", ether_type) + ip


def ip4(payload, total=None, words=5, fragment=0):
    head = struct.pack("!BBHHHBBH4s4s", 0x40 | words, 0, total or 20 + len(payload), 0, fragment, 9,
                       17, 0, bytes([10, 0, 0, 1]), bytes([239, 77, 0, 1]))
    total = sum(struct.unpack("!10H", head))
    total = (total & 0xffff) + (total >> 16)
    return head[:10] + struct.pack("!H", ~(total + (total >> 16)) & 0xffff) + head[12:] + payload


def udp(payload, length=None):
    return struct.pack("!HHHH", 5, 4001, 8 + len(payload) if length is None else length,
                       0) + payload


def write_capture(path, frames):
    with open(path, "wb") as f:
        f.write(struct.pack("<IHHiIII", 0xa1b2c3d4, 2, 4, 0, 0, 65535, 1))
        for data in frames:
            f.write(struct.pack("<IIII", 0, 0, len(data), len(data)) + data)


def test_frames_with_inconsistent_headers_are_counted(t):
    """Through a poll-mode driver, where no kernel checks the frames before."""
    alc = flute.packet(1, 0, 0, b"x" * 100)
    lies = [frame(0x800, ip4(udp(alc), total=5000)), frame(0x800, ip4(udp(alc), total=10)),
            frame(0x800, ip4(udp(alc), words=15)), frame(0x800, ip4(udp(alc), words=1)),
            frame(0x800, ip4(udp(alc, 5000))), frame(0x800, ip4(udp(alc, 3))),
            frame(0x800, ip4(udp(alc), fragment=0x2000)), frame(0x800, ip4(udp(alc))[:30]),
            frame(0x86dd, b"\x60" + bytes(20)), frame(0x8100, b"\x00"), frame(0x8100, b"")[:13]]
    good = [frame(0x800, ip4(udp(p))) for p in honest_session("good.bin", 1, 1)]
    write_capture(t.path("lies.pcap"), lies + good)
    rx = t.recv("--port", f"pcap:{t.path('lies.pcap')}", "--out", t.mkdir("in"), "--no-huge",
                "--expect", "1", "--timeout", "5s").ends_with(0)
    with open(t.path("in", "good.bin"), "rb") as f:
        check(f.read() == BODY, "the honest file differs")
    counters = rx.json["port_counters"]
    equal(counters["packets"], len(lies) + len(good), "frames")
    equal(counters["malformed"] + counters["foreign"], len(lies), f"bad frames in {counters}")
    check(counters["malformed"] >= 5, f"{counters}")


def test_more_foreign_frames_than_mbufs_do_no_harm(t):
    """Whole bursts without a packet for this receiver, as on a busy network."""
    alien = frame(0x88cc, bytes(46))
    good = [frame(0x800, ip4(udp(p))) for p in honest_session("good.bin", 1, 1)]
    write_capture(t.path("busy.pcap"), [alien] * 8000 + good)
    rx = t.recv("--port", f"pcap:{t.path('busy.pcap')}", "--out", t.mkdir("in"), "--no-huge",
                "--expect", "1", "--timeout", "5s").ends_with(0)
    equal(rx.json["port_counters"]["foreign"], 8000, "foreign frames")
