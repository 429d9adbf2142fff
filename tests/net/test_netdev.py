# SPDX-License-Identifier: BSD-3-Clause
"""Ports on interfaces of the kernel: af_packet and af_xdp over a veth, tap. And memif."""
import os

from harness import HERE, Failed, check, equal, poll_until

GROUP = "239.77.0.1:4001"


def to_kernel(t, sender, receiver, files, codes=(0, 0)):
    """Starts the sender once the receiver listens, because multicast is not stored; waits for both."""
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


def between_ports(t, to, name, *args):
    """af_packet at both ends of a veth; the receiver's result."""
    original, out = t.file(name, 300001), t.mkdir("in")
    listen = ("--listen", to) if to[0] != "2" else ()
    rx = t.recv("--port", "af_packet:va1", "--out", out, "--timeout", "10s", *listen, ns="b")
    poll_until(lambda: "receiving on" in rx.err, 20, "the receiver's port")
    tx = t.send("--port", "af_packet:va0", "--to", to, "--rate", "300Mbit/s", *args, original,
                ns="a")
    tx.ends_with(0)
    rx.ends_with(0)
    t.same(original, t.path("in", name))
    return rx.json["loss"], rx.json["port_counters"]


def test_af_packet_sends_checksums_that_every_receiver_takes(t):
    """No port of these computes checksums: they are absent or complete, never partial."""
    t.veth()
    for i, (to, *args) in enumerate(((GROUP,), (GROUP, "--udp-checksum", "none"),
                                     (GROUP, "--udp-checksum", "software"), ("[ff15::77]:4001",),
                                     ("[ff15::77]:4001", "--udp-checksum", "software"))):
        files = [t.file(f"kernel{i}", 300001)]
        _, rx = over_veth(t, "af_packet:va0", to, to, files, *args)
        equal(rx["loss"], 0.0, f"{to} {args}: loss at a socket")
        loss, c = between_ports(t, to, f"port{i}", *args)
        equal((loss, c["bad_checksum"], c["partial_checksum"]), (0.0, 0, 0),
              f"{to} {args}: loss and checksums at a port")
    refused = t.run("send", "--port", "af_packet:va0", "--to", GROUP, "--udp-checksum", "offload",
                    files[0], ns="a")
    check("use --udp-checksum offload" in refused.err, refused.describe())


def local_sender(t, to, name, data):
    """Sends a file from a socket of namespace a, whose kernel leaves checksums to the veth."""
    program = f"""
import socket, sys, time
sys.path.insert(0, {HERE!r})
import flute
data = open({data!r}, "rb").read()
host, port = {to!r}
family = socket.AF_INET6 if ":" in host else socket.AF_INET
with socket.socket(family, socket.SOCK_DGRAM) as s:
    xml = flute.fdt_xml([flute.file_entry({name!r}, 1, len(data))], complete=True)
    packets = flute.fdt_packets(xml) + flute.data_packets(1, data) + [flute.close_packet()] * 3
    for p in packets:
        s.sendto(p, (host, port))
        time.sleep(0.0005)
"""
    t.tool("python3", "-c", program, ns="a")


def test_af_packet_takes_what_a_local_kernel_sends_with_partial_checksums(t):
    t.veth()
    t.need_tool("python3")
    for host in ("10.77.0.2", "fd77::2"):
        to = f"[{host}]:4001" if ":" in host else f"{host}:4001"
        name = f"v{6 if ':' in host else 4}.bin"
        original, out = t.file(name, 50001), t.mkdir("in")
        rx = t.recv("--port", "af_packet:va1", "--listen", to, "--out", out, "--timeout", "10s",
                    ns="b")
        poll_until(lambda: "receiving on" in rx.err, 20, "the receiver's port")
        local_sender(t, (host, 4001), name, original)
        rx.ends_with(0)
        t.same(original, t.path("in", name))
        c = rx.json["port_counters"]
        check(c["partial_checksum"] > 50, f"the sender's checksums were complete: {c}")
        equal((c["bad_checksum"], c["malformed"]), (0, 0), "dropped")


def test_a_port_that_lacks_a_capability_names_it(t):
    t.veth()
    t.need_tool("setpriv")
    for port, caps in (("af_packet:va0", "cap_net_raw"), ("tap:pwt1", "cap_net_admin"),
                       ("af_xdp:va0", "cap_net_raw,cap_net_admin,cap_bpf")):
        drop = ",".join("-" + cap[4:] for cap in caps.split(","))
        p = t.spawn("setpriv", "--bounding-set", drop, t.binary, "recv", "--port", port,
                    "--discard", "--no-huge", ns="a").wait()
        equal(p.code, 77, f"the exit code for {port} without {caps}")
        check(f"cannot open {port}: " in p.err and "run as root" in p.err, p.describe())
        for cap in caps.split(","):
            check(cap in p.err.lower(), p.describe())


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


def test_a_memif_receiver_ends_well_when_its_sender_leaves(t):
    """DPDK's interrupt thread still knows the socket when the port is closed. A receiver of 20 crashed."""
    sock = t.path("m.sock")
    original = t.file("a.bin", 3000001)
    for _ in range(12):
        t.transfer(f"memif:{sock}", f"memif:{sock}", [original], ("--no-huge",), ("--no-huge", "--force"))
        t.same(original, t.path("in", "a.bin"))


def test_memif_fills_slots_that_are_smaller_than_a_payload(t):
    """The receiver joins what comes in several slots. A driver that did not look at their size would overwrite
    them. All packets fit the ring: with a full one, DPDK 22.11 leaves marks in slots that join two packets."""
    sock = t.path("m.sock")
    original = t.file("a.bin", 200001)
    rx = t.recv("--port", f"memif:{sock}", "--no-huge", "--out", t.mkdir("in"), "--timeout", "20s")
    poll_until(lambda: os.path.exists(sock), 20, "the socket of the receiver")
    tx = t.send("--port", f"net_memif0,socket={sock},socket-abstract=no,role=client,bsize=512",
                "--no-huge", "--pages", "stage", "--to", "239.77.0.1:4001", "--rate", "20Mbit/s", original)
    tx.ends_with(0)
    rx.ends_with(0)
    t.same(original, t.path("in", "a.bin"))
    equal((tx.json["driver"], tx.json["symbol_bytes"]), ("net_memif", 1440), "driver, symbol_bytes")


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
