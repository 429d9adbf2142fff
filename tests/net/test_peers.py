# SPDX-License-Identifier: BSD-3-Clause
"""Peers that misbehave: they truncate the memory that they share, or leave in the middle of the handshake.

Expected each time: a sentence, exit code 1, and from a receiver what it has and the gap manifest. Never a
signal."""
import array
import os
import signal
import socket
import struct
import time

from harness import Skip, check, poll_until
from test_midway import SIZE, check_one_error, under_way


def check_kept(t, rx):
    """Checks what a receiver leaves that had to end early."""
    check(os.path.exists(t.path("in", "a.bin.part")), f"the part is gone\n{rx.describe()}")
    check(os.path.exists(t.path("in", "pagewire-gaps.json")), f"no manifest\n{rx.describe()}")


def cut_memory(process):
    """Truncates the files behind the memory that a process shares. The process is stopped meanwhile,
    because it would notice first."""
    process.signal(signal.SIGSTOP)
    n = 0
    for fd in os.listdir(f"/proc/{process.pid}/fd"):
        path = f"/proc/{process.pid}/fd/{fd}"
        name = os.readlink(path)
        if "memfd" in name or "huge" in name:
            with open(path, "r+b") as f:
                try:
                    f.truncate(0)
                    n += 1
                except OSError:  # sealed: it cannot be truncated
                    pass
    return n


def check_memory_cut(t, sender, receiver, victim, *args):
    sock = t.path("w.sock")
    file = t.file("a.bin", SIZE)
    tx, rx = under_way(t, f"{sender}:{sock}", f"{receiver}:{sock}", file, *args)
    peer, own = (tx, rx) if victim == "receiver" else (rx, tx)
    check(cut_memory(peer) > 0, "nothing to cut")
    own.wait(20)
    peer.kill()
    check(own.code == 1, own.describe())
    check_one_error(own, sock, "taken away memory")
    if victim == "receiver":
        check_kept(t, own)


def test_a_vhost_sender_reports_a_peer_that_takes_its_memory_away(t):
    t.need_hugepages()
    check_memory_cut(t, "vhost", "virtio-user", "sender")


def test_a_vhost_receiver_whose_peer_takes_its_memory_away_keeps_what_it_has(t):
    t.need_hugepages()
    check_memory_cut(t, "virtio-user", "vhost", "receiver")


class MemifClient:
    """A memif 2.0 client that can only connect: one region with a ring in each direction."""

    SLOTS_LOG2 = 10
    RING_BYTES = 128 + 16 * (1 << SLOTS_LOG2)

    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.socket.settimeout(10)
        self.socket.connect(path)
        self.memory = os.memfd_create("visitor")
        os.ftruncate(self.memory, 2 * self.RING_BYTES)
        for ring in (0, 1):
            os.pwrite(self.memory, struct.pack("<I", 0x3E31F20), ring * self.RING_BYTES)
        self.socket.recv(128)  # hello
        self.ask(3, struct.pack("<HIB24s32s", 0x0200, 0, 0, b"", b"visitor"))
        self.ask(4, struct.pack("<HQ", 0, 2 * self.RING_BYTES), self.memory)
        for ring in (0, 1):  # the client fills the first one
            self.ask(5, struct.pack("<HHHIBH", 1 - ring, 0, 0, ring * self.RING_BYTES,
                                    self.SLOTS_LOG2, 0), os.eventfd(0, os.EFD_NONBLOCK))
        self.ask(6, b"visitor")

    def ask(self, kind, body, fd=None):
        rights = []
        if fd is not None:
            rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [fd]))]
        self.socket.sendmsg([struct.pack("<H", kind) + body.ljust(126, b"\0")], rights)
        answer = struct.unpack_from("<H", self.socket.recv(128))[0]
        check(answer in (1, 7), f"the server answers {answer} to {kind}")


def test_memif_reports_a_peer_that_takes_its_memory_away(t):
    sock = t.path("w.sock")
    rx = t.recv("--port", f"memif:{sock}", "--no-huge", "--out", t.mkdir("in"), "--timeout", "20s")
    poll_until(lambda: "receiving on" in rx.err or not rx.running, 20, "the socket")
    peer = MemifClient(sock)
    time.sleep(0.5)
    check(rx.running, rx.describe())
    os.ftruncate(peer.memory, 0)
    rx.ends_with(1, 20)
    check_one_error(rx, sock, "taken away memory")


def visit(path):
    """Connects to memif's socket and leaves at once."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as s:
        try:
            s.connect(path)
        except OSError:
            return False
    return True


def visit_until_it_ends(process, path):
    end = time.monotonic() + 5
    while process.running and time.monotonic() < end:
        visit(path)
        time.sleep(0.01)
    if process.running:
        process.signal(signal.SIGTERM)
        process.wait(20)
        raise Skip("this DPDK's memif bears visitors that leave at once")


def check_visited(p, path):
    check(p.code == 1, p.describe())
    check_one_error(p, path, "interrupt thread")


def test_a_memif_client_that_leaves_at_once_ends_recv_with_the_reason(t):
    sock = t.path("w.sock")
    rx = t.recv("--port", f"memif:{sock}", "--no-huge", "--out", t.mkdir("in"), "--timeout", "20s")
    poll_until(lambda: "receiving on" in rx.err or not rx.running, 20, "the socket")
    visit_until_it_ends(rx, sock)
    check_visited(rx.wait(10), sock)


def test_memif_keeps_what_it_received_when_a_client_ends_it(t):
    t.need_hugepages()
    sock = t.path("w.sock")
    tx, rx = under_way(t, f"memif:{sock}", f"memif:{sock}", t.file("a.bin", SIZE))
    visit_until_it_ends(rx, sock)
    check_visited(rx.wait(10), sock)
    check_kept(t, rx)
    tx.wait(20)
    check(tx.code == 1, tx.describe())
    check_one_error(tx, sock, "peer is gone")
