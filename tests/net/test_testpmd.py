# SPDX-License-Identifier: BSD-3-Clause
"""dpdk-testpmd at the other end of the virtual wire: its counters, and its packets."""
import os
import re
import subprocess
import time

from harness import check, equal, poll_until


class Testpmd:
    """Controls testpmd through a pipe. The output of a command shows that the command is done."""

    def __init__(self, t, vdev, mode):
        t.need_tool("dpdk-testpmd")
        t.need_hugepages()
        a, b = t.session.cpus
        self.p = t.spawn("stdbuf", "-oL", "dpdk-testpmd", "--no-pci", "--in-memory", "-m", "128",
                         "--single-file-segments", "--no-telemetry", "--lcores", f"0@{a},1@{b}",
                         f"--vdev={vdev}", "--", "-i", f"--forward-mode={mode}",
                         "--total-num-mbufs=8192", stdin=subprocess.PIPE)

    def __enter__(self):
        self.wait_for("testpmd>", 1)
        return self

    def __exit__(self, *_):
        if self.p.running:
            self.p.popen.stdin.write(b"quit\n")
            self.p.popen.stdin.close()
            self.p.wait(30)

    def wait_for(self, text, count):
        def seen():
            check(self.p.running, f"testpmd has ended:\n{self.p.describe()}")
            return self.p.out.count(text) >= count
        poll_until(seen, 15, f"testpmd's {text!r}")

    def do(self, command, last_words):
        count = self.p.out.count(last_words)
        self.p.popen.stdin.write(command.encode() + b"\n")
        self.p.popen.stdin.flush()
        self.wait_for(last_words, count + 1)

    def start(self):
        self.do("start", "TX offloads=")

    def counter(self, name):
        self.do("show port stats all", "Tx-bps")
        return int(re.findall(name + r": +(\d+)", self.p.out)[-1])

    def rx_packets(self):
        """RX-packets, read until the number does not grow."""
        last = -1
        for _ in range(50):
            now = self.counter("RX-packets")
            if now == last:
                break
            last = now
            time.sleep(0.1)
        return last


def test_testpmd_on_virtio_user_counts_what_vhost_sent(t):
    t.need_tool("dpdk-testpmd")
    t.need_hugepages()
    original, sock = t.file("a.bin", 3000001), t.path("w.sock")
    tx = t.send("--port", f"vhost:{sock}", "--to", "239.77.0.1", "--lead", "1s", original)
    poll_until(lambda: os.path.exists(sock), 30, "the socket")
    with Testpmd(t, f"net_virtio_user0,path={sock},queues=1,queue_size=1024", "rxonly") as peer:
        peer.start()
        tx.ends_with(0)
        equal(peer.rx_packets(), tx.json["packets"], "testpmd's RX-packets")


def test_testpmd_on_vhost_counts_what_virtio_user_sent(t):
    original, sock = t.file("a.bin", 3000001), t.path("w.sock")
    with Testpmd(t, f"net_vhost0,iface={sock}", "rxonly") as peer:
        peer.start()
        tx = t.send("--port", f"virtio-user:{sock}", "--to", "239.77.0.1", original)
        tx.ends_with(0)
        equal(peer.rx_packets(), tx.json["packets"], "testpmd's RX-packets")


def test_a_peer_that_takes_nothing_is_told_after_2_s(t):
    """testpmd's ports are up before `start`, so the ring fills: the sender says so, and goes on when it can."""
    original, sock = t.file("a.bin", 3000001), t.path("w.sock")
    with Testpmd(t, f"net_vhost0,iface={sock}", "rxonly") as peer:
        tx = t.send("--port", f"virtio-user:{sock}", "--to", "239.77.0.1", original)
        poll_until(lambda: "took no packet for 2 s" in tx.err or not tx.running, 20, "the warning")
        check(tx.running, f"the sender has ended:\n{tx.describe()}")
        peer.start()
        tx.ends_with(0)
        equal(tx.err.count("took no packet"), 1, "warnings")
        equal(peer.rx_packets(), tx.json["packets"], "testpmd's RX-packets")


def test_garbage_of_testpmd_is_foreign_and_does_no_harm(t):
    """Its txonly mode sends UDP packets to other addresses and ports, at full speed."""
    sock, out = t.path("w.sock"), t.mkdir("in")
    with Testpmd(t, f"net_vhost0,iface={sock}", "txonly") as peer:
        rx = t.recv("--port", f"virtio-user:{sock}", "--listen", "239.77.0.1:4001", "--out", out,
                    "--timeout", "2s")
        poll_until(lambda: "receiving on" in rx.err or not rx.running, 20, "the receiver")
        peer.start()
        rx.ends_with(3)
        equal((rx.json["packets"], rx.json["files_known"]), (0, 0), "packets, files")
        check(rx.json["port_counters"]["foreign"] > 1000, f"{rx.json['port_counters']}")
        equal(rx.json["ended"], "timeout", "ended")
        equal(os.listdir(out), [], "files written")


def test_garbage_on_our_port_is_malformed_and_does_no_harm(t):
    """Without --listen every UDP packet is parsed. Those of testpmd have zeros in place of an ALC header."""
    sock, out = t.path("w.sock"), t.mkdir("in")
    with Testpmd(t, f"net_vhost0,iface={sock}", "txonly") as peer:
        rx = t.recv("--port", f"virtio-user:{sock}", "--out", out, "--timeout", "2s")
        poll_until(lambda: "receiving on" in rx.err or not rx.running, 20, "the receiver")
        peer.do("set txpkts 60,40", "testpmd>")
        peer.start()
        rx.ends_with(3)
        counters = rx.json["counters"]
        check(counters["malformed"] > 1000, f"{counters}")
        equal(counters["malformed"], counters["packets"], "malformed packets")
        equal((rx.json["files_known"], os.listdir(out)), (0, []), "files")
