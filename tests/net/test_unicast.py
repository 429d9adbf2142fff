# SPDX-License-Identifier: BSD-3-Clause
"""Unicast without --to-mac: ARP and neighbour discovery, by pagewire itself."""
import os

from harness import check, equal, once, poll_until


def unicast(t, address, elsewhere=None, vlan=(), timeout="8s"):
    """Starts a session to `address` over vhost; the receiver answers for that address, or for `elsewhere`."""
    sock, original, out = t.path("w.sock"), t.file("a.bin", 300001), t.mkdir("in")
    tx = t.send("--port", f"vhost:{sock}", "--to", address, *vlan, original)
    rx = t.recv("--port", f"virtio-user:{sock}", "--listen", elsewhere or address, "--out", out,
                "--timeout", timeout)
    return original, tx, rx


def check_arrived(t, original, tx, rx):
    tx.ends_with(0)
    rx.ends_with(0)
    t.same(original, t.path("in", "a.bin"))
    check("asking for the receiver's MAC" in tx.err, f"no request was sent:\n{tx.err}")


def test_arp_finds_the_receiver_on_a_virtual_wire(t):
    t.need_hugepages()
    check_arrived(t, *unicast(t, "10.1.2.3:4001"))


def test_neighbour_discovery_finds_the_receiver_on_a_virtual_wire(t):
    t.need_hugepages()
    check_arrived(t, *unicast(t, "[fd00::3]:4001"))


def test_arp_works_inside_a_vlan(t):
    t.need_hugepages()
    check_arrived(t, *unicast(t, "10.1.2.3:4001", vlan=("--vlan", "77")))


@once
def test_a_receiver_with_another_address_does_not_answer(t):
    t.need_hugepages()
    _, tx, rx = unicast(t, "10.1.2.3:4001", elsewhere="10.1.2.4:4001", timeout="6s")
    tx.ends_with(1)
    rx.ends_with(3)
    lines = [line for line in tx.err.splitlines() if "error" in line]
    equal(len(lines), 1, "error lines")
    check("10.1.2.3" in lines[0] and "ARP" in lines[0] and "--to-mac" in lines[0], lines[0])
    equal(os.listdir(t.path("in")), [], "files received")


def test_with_to_mac_no_arp_request_is_sent(t):
    t.need_hugepages()
    sock, original, out = t.path("w.sock"), t.file("a.bin", 300001), t.mkdir("in")
    tx = t.send("--port", f"vhost:{sock}", "--to", "10.1.2.3", "--to-mac", "02:00:00:00:00:07",
                original)
    rx = t.recv("--port", f"virtio-user:{sock}", "--out", out, "--timeout", "15s")
    tx.ends_with(0)
    rx.ends_with(0)
    check("asking" not in tx.err, tx.err)
    equal(rx.json["port_counters"]["foreign"], 0, "foreign frames")


def test_packets_to_another_address_or_port_are_foreign(t):
    t.need_hugepages()
    for to in ("239.77.0.1:4002", "239.77.0.2:4001"):
        sock, original = t.path("w.sock"), t.file("a.bin", 10001)
        tx = t.send("--port", f"vhost:{sock}", "--to", to, "--lead", "10ms", original)
        rx = t.recv("--port", f"virtio-user:{sock}", "--listen", "239.77.0.1:4001", "--out",
                    t.mkdir("in"), "--timeout", "1s")
        tx.ends_with(0)
        rx.ends_with(3)
        equal((rx.json["packets"], rx.json["files_known"]), (0, 0), "packets, files")
        # the last table may come after the receiver's last poll
        check(rx.json["port_counters"]["foreign"] >= 7, f"{rx.json['port_counters']} of {to}")


def test_the_kernel_answers_for_a_tap(t):
    """The kernel behind the tap answers ARP for its own address."""
    t.netns("a")
    original, out = t.file("a.bin", 300001), t.mkdir("in")
    rx = t.recv("--listen", "0.0.0.0:4001", "--out", out, "--timeout", "20s", ns="a")
    poll_until(lambda: "listening on" in rx.err, 20, "the receiver's socket")
    tx = t.send("--port", "tap:pwt0", "--to", "10.88.0.1", "--from", "10.88.0.9", "--rate",
                "200Mbit/s", original, ns="a")
    poll_until(lambda: "asking" in tx.err or not tx.running, 20, "the question")
    check(tx.running, tx.describe())
    t.tool("ip", "addr", "add", "10.88.0.1/24", "dev", "pwt0", ns="a")
    t.tool("ip", "link", "set", "pwt0", "up", ns="a")
    tx.ends_with(0)
    rx.ends_with(0)
    t.same(original, t.path("in", "a.bin"))
