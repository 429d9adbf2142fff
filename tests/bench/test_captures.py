# SPDX-License-Identifier: BSD-3-Clause
"""The captures that profiles replay."""
import shutil
import struct
import subprocess

import pytest
from bench.model import BenchError
from bench.profiles import _captures as captures


def test_a_capture_has_the_frames_that_were_asked_for(tmp_path):
    path = tmp_path / "c.pcap"
    path.write_bytes(captures.make(captures.MIX, 1200, 1_000_000))
    times = captures.times_ns(str(path))
    assert times == [captures.START_S * 10**9 + i * 1_000_000 for i in range(1200)]
    if not shutil.which("tshark"):
        pytest.skip("tshark is not installed")
    said = subprocess.run(["tshark", "-n", "-r", path, "-o", "ip.check_checksum:TRUE", "-T", "fields",
                           "-e", "frame.len", "-e", "ip.checksum.status", "-e", "udp.dstport", "-e", "_ws.malformed"],
                          capture_output=True, text=True, check=True).stdout.splitlines()
    assert len(said) == 1200
    assert {line.split("\t", 1)[1] for line in said} == {"1\t5001\t"}
    lengths = [int(line.split("\t")[0]) for line in said]
    assert set(lengths) == {60, 590, 1514}
    assert 600 < lengths.count(60) < 800 and 300 < lengths.count(590) < 500 and 50 < lengths.count(1514) < 150


def test_times_of_dumpcaps_pcapng_are_read(tmp_path):
    def block(kind, body):
        length = 12 + len(body)
        return struct.pack("=II", kind, length) + body + struct.pack("=I", length)

    path = tmp_path / "c.pcapng"
    frames = [block(6, struct.pack("=IIIII", 0, t >> 32, t & 0xffffffff, 4, 60) + b"abcd") for t in (5, 1 << 60)]
    head = block(0x0a0d0d0a, struct.pack("=IHHq", 0x1a2b3c4d, 1, 0, -1))
    nano = block(1, struct.pack("=HHIHHI", 1, 0, 64, 9, 1, 9))
    path.write_bytes(head + nano + b"".join(frames))
    assert captures.times_ns(str(path)) == [5, 1 << 60]
    path.write_bytes(head + block(1, struct.pack("=HHI", 1, 0, 64)) + b"".join(frames))  # microseconds
    with pytest.raises(BenchError, match="no capture with nanoseconds"):
        captures.times_ns(str(path))
    path.write_bytes(b"")
    with pytest.raises(BenchError, match="no capture with nanoseconds"):
        captures.times_ns(str(path))


def test_lateness_is_beyond_the_delay_that_all_frames_have():
    assert captures.lateness_us([0, 1000, 2000], [50_000, 51_500, 52_000]) == [0, 0.5, 0]
    with pytest.raises(BenchError, match="1 of 2 frames came"):
        captures.lateness_us([0, 1], [7])
