# SPDX-License-Identifier: BSD-3-Clause
"""Ports on interfaces of the kernel: af_packet and af_xdp over a veth, tap. And memif."""
import os

from harness import Failed, check, equal, poll_until

GROUP = "239.77.0.1:4001"


def to_kernel(t, sender, receiver, files, codes=(0, 0)):
    """Starts the sender once the receiver listens, because nobody stores multicast; waits for both."""
    poll_until(lambda: "listening on" in receiver.err, 20, "the receiver's socket")
    tx = sender()
    try:
        receiver.wait()
        tx.wait()
    except Failed as e:
        raise Failed(f"{e}\n{tx.describe()}\n{receiver.describe()}") from None
    check((tx.code, receiver.code) == codes, f"{tx.describe()}\n{receiver.describe()}")
    for f in files:
        t.same(f, t.path("in", os.path.basename(f)))
    return tx.json, receiver.json


def over_veth(t, port, to, listen, files, *args):
    out = t.mkdir("in")
    receiver = t.recv("--listen", listen, "--interface", "va1", "--out", out, "--timeout", "15s",
                      ns="b")
    return to_kernel(t, lambda: t.send("--port", port, "--to", to, "--rate", "500Mbit/s", *args,
                                       *files, ns="a"), receiver, files)


def test_af_packet_reaches_a_kernel_socket_over_veth(t):
    t.veth()
    files = [t.file("a.bin", 3000001), t.file("empty", 0)]
    tx, rx = over_veth(t, "af_packet:va0", GROUP, GROUP, files)
    equal((tx["driver"], rx["path"]), ("net_af_packet", "udp"), "driver, path")
    equal((tx["port_copies_per_byte"], tx["cpu_copies_per_byte"]), (1, 0.0), "copies")
    equal(rx["loss"], 0.0, "loss")


def test_af_packet_reaches_an_ipv6_group(t):
    t.veth()
    files = [t.file("a.bin", 1000001)]
    tx, _ = over_veth(t, "af_packet:va0", "[ff15::77]:4001", "[ff15::77]:4001", files)
    check(tx["cpu_reads_per_byte"] >= 1.0, "IPv6 needs a checksum")


def test_af_packet_asks_the_kernel_for_the_unicast_mac(t):
    t.veth()
    files = [t.file("a.bin", 1000001)]
    over_veth(t, "af_packet:va0", "10.77.0.2:4001", "10.77.0.2:4001", files)


def test_af_packet_asks_the_kernel_for_the_ipv6_mac(t):
    t.veth()
    files = [t.file("a.bin", 1000001)]
    over_veth(t, "af_packet:va0", "[fd77::2]:4001", "[fd77::2]:4001", files)


def test_af_packet_sends_jumbo_frames(t):
    t.veth(mtu=9000)
    files = [t.file("a.bin", 3000001)]
    tx, rx = over_veth(t, "af_packet:va0", GROUP, GROUP, files, "--mtu", "9000")
    check(tx["symbol_bytes"] > 8800, f"symbol_bytes {tx['symbol_bytes']}")
    equal(rx["loss"], 0.0, "loss")


def test_af_packet_receives_through_its_poll_mode_driver(t):
    t.veth()
    original, out = t.file("a.bin", 1000001), t.mkdir("in")
    rx = t.recv("--port", "af_packet:va1", "--out", out, "--timeout", "15s", ns="b")
    poll_until(lambda: "receiving on" in rx.err, 20, "the receiver's port")
    tx = t.send("--port", "af_packet:va0", "--to", GROUP, "--rate", "300Mbit/s", original, ns="a")
    tx.ends_with(0)
    rx.ends_with(0)
    t.same(original, t.path("in", "a.bin"))


def test_af_xdp_reaches_a_kernel_socket_over_veth(t):
    t.veth()
    files = [t.file("a.bin", 3000001), t.file("one", 1)]
    tx, rx = over_veth(t, "af_xdp:va0", GROUP, GROUP, files)
    equal(tx["driver"], "net_af_xdp", "driver")
    # the driver takes no chains; the copy into a linear packet must be reported
    equal((tx["multi_segment"], tx["cpu_copies_per_byte"] >= 1.0), (False, True), "copies")
    equal(rx["loss"], 0.0, "loss")


def test_tap_reaches_the_kernel_behind_it(t):
    """The sender makes the tap, so the receiver comes second and the lead must wait for it."""
    t.netns("a")
    original, out = t.file("a.bin", 1000001), t.mkdir("in")
    tx = t.send("--port", "tap:pwt0", "--to", GROUP, "--lead", "4s", "--fdt-interval", "200ms",
                "--rate", "200Mbit/s", original, ns="a")
    poll_until(lambda: "pwt0" in t.tool("ip", "-o", "link", ns="a") or not tx.running, 20,
               "the tap")
    check(tx.running, tx.describe())
    t.tool("ip", "addr", "add", "10.88.0.1/24", "dev", "pwt0", ns="a")
    t.tool("ip", "link", "set", "pwt0", "up", ns="a")
    rx = t.recv("--listen", GROUP, "--interface", "pwt0", "--out", out, "--timeout", "15s", ns="a")
    tx.ends_with(0)
    rx.ends_with(0)
    t.same(original, t.path("in", "a.bin"))
    equal(tx.json["driver"], "net_tap", "driver")


def test_memif_carries_a_session_between_two_processes(t):
    t.need_hugepages()
    sock = t.path("m.sock")
    files = [t.file("a.bin", 3000001), t.file("empty", 0), t.file("one", 1)]
    tx, rx = t.transfer(f"memif:{sock}", f"memif:{sock}", files)
    for f in files:
        t.same(f, t.path("in", os.path.basename(f)))
    equal((tx["driver"], rx["path"]), ("net_memif", "net_memif"), "driver, path")
    equal((tx["in_place"], tx["cpu_copies_per_byte"]), (True, 0.0), "in_place, copies")


def test_memif_sends_huge_files_in_place_and_staged_files(t):
    t.need_hugepages()
    sock = t.path("m.sock")
    original = t.file("a.bin", 3000001)
    tx, _ = t.transfer(f"memif:{sock}", f"memif:{sock}", [t.stage(original)])
    t.same(original, t.path("in", "a.bin"))
    equal(tx["pages"], "hugefile", "pages")
    tx, _ = t.transfer(f"memif:{sock}", f"memif:{sock}", [original], ("--pages", "stage"),
                       ("--force",))
    t.same(original, t.path("in", "a.bin"))
    equal(tx["pages"], "stage", "pages")
