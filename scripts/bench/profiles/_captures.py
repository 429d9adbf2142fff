# SPDX-License-Identifier: BSD-3-Clause
"""Captures for profiles: pcap with nanoseconds, Ethernet, UDP over IPv4, and how late its frames came at the far end.

    header | record | record | ...      lengths are those of frames on the wire, with the check sequence of 4 bytes
"""
import random
import struct
from collections.abc import Sequence
from pathlib import Path

from bench.model import BenchError

MAGIC_NS = 0xa1b23c4d
FCS = 4
HEADERS = 14 + 20 + 8
FLOWS = 256
START_S = 1_700_000_000
# of wire bytes, by share
SMALL = tuple(range(64, 129))
MIX = (64,) * 7 + (594,) * 4 + (1518,)  # "simple IMIX"
LARGE = (1518,)


def _sum(header: bytes) -> int:
    """The IPv4 header's checksum."""
    total: int = sum(struct.unpack(f"!{len(header) // 2}H", header))
    total = (total & 0xffff) + (total >> 16)
    return ~((total & 0xffff) + (total >> 16)) & 0xffff


def _frame(flow: int, length: int) -> bytes:
    payload = length - FCS - HEADERS
    ip = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 28 + payload, 0, 0x4000, 64, 17, 0, bytes((10, 0, 0, flow)),
                     bytes((10, 1, 0, flow)))
    ip = ip[:10] + struct.pack("!H", _sum(ip)) + ip[12:]
    return bytes.fromhex("0200000000020200000000010800") + ip + \
        struct.pack("!HHHH", 40000 + flow, 5001, 8 + payload, 0) + bytes(payload)


def make(lengths: Sequence[int], n_frames: int, gap_ns: int) -> bytes:
    """A capture of so many frames of these lengths by chance, one each gap_ns."""
    chance = random.Random(len(lengths))
    ready = {(flow, length): _frame(flow, length) for flow in range(FLOWS) for length in set(lengths)}
    out = bytearray(struct.pack("=IHHIIII", MAGIC_NS, 2, 4, 0, 0, 262144, 1))
    for i in range(n_frames):
        frame = ready[i % FLOWS, chance.choice(lengths)]
        out += struct.pack("=IIII", START_S + i * gap_ns // 10**9, i * gap_ns % 10**9, len(frame), len(frame)) + frame
    return bytes(out)


def times_ns(path: str) -> list[int]:
    """The times of the frames of a capture of make() or of dumpcap, which writes pcapng with nanoseconds."""
    data = Path(path).read_bytes()
    times: list[int] = []
    at = 24
    if data[:4] == struct.pack("=I", MAGIC_NS):
        while at + 16 <= len(data):
            seconds, ns, length = struct.unpack_from("=III", data, at)
            times.append(seconds * 10**9 + ns)
            at += 16 + length
        return times
    if data[8:12] != struct.pack("=I", 0x1a2b3c4d) or b"\x09\0\x01\0\x09" not in data[:1024]:  # if_tsresol 9
        raise BenchError(f"cannot read {path}: it is no capture with nanoseconds")
    at = 0
    while at + 12 <= len(data):
        kind, length = struct.unpack_from("=II", data, at)
        if kind == 6:  # an enhanced packet block
            high, low = struct.unpack_from("=II", data, at + 12)
            times.append(high << 32 | low)
        at += max(length, 12)
    return times


def lateness_us(sent: list[int], came: list[int]) -> list[float]:
    """How much later than the first in time each frame came, in order of the capture: the delay that all have does
    not count."""
    if len(sent) != len(came):
        raise BenchError(f"cannot measure lateness: {len(came)} of {len(sent)} frames came")
    delays = [b - a for a, b in zip(sent, came, strict=True)]
    return [(delay - min(delays)) / 1e3 for delay in delays] if delays else []
