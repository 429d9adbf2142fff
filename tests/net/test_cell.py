# SPDX-License-Identifier: BSD-3-Clause
"""`pagewire cell`: a source and a sink of the bench, started by hand. Each prints one JSON object.

    source ----- lo, veth or vhost -----> sink      both get --file; the sink compares what came with its own
"""
from __future__ import annotations

import os
import signal
import time
from typing import Any

from harness import Process, Test, check, concurrent, equal, once, poll_until

Json = dict[str, Any]

SYMBOL = 1440  # bytes of a file in a packet at MTU 1500, IPv4
ODD_SIZES = (0, 1, SYMBOL - 1, SYMBOL, SYMBOL + 1, 100001)
RATE = "800Mbit/s"
EVERYWHERE = {"read_write", "mmap_write", "sendfile", "splice", "udp_read_send", "udp_mmap_sendmsg",
              "udp_sendmmsg", "udp_gso", "packet_send", "packet_tx_ring"}
BOTH = {"schema": str, "version": str, "exit_code": int, "role": str, "way": str, "error": (str, type(None)),
        "errno": int, "lacking": bool, "between": list, "start_ns": int, "end_ns": int, "setup_ns": int,
        "reading": dict, "not_measured": dict}
SOURCE = {**BOTH, "counters": dict, "cycles": (dict, type(None)), "page_in_copies": int}
SINK = {**BOTH, "first_ns": int, "last_ns": int, "packets": int, "bytes": int, "missed": int, "proof": str,
        "wrong": bool, "whole": bool, "mapped_bytes": int, "cycles": (dict, type(None))}
READING = {"cpu_ns", "user_ns", "system_ns", "machine_ns", "machine_softirq_ns", "voluntary", "involuntary",
           "syscalls", "user_faults", "kernel_faults", "cycles", "instructions", "llc_misses", "copied_bytes"}
COUNTERS = {"packets", "payload_bytes", "wire_bytes", "cpu_copied_bytes", "zc_done", "zc_copied"}


def check_object(got: Json, keys: Json) -> None:
    """Checks that an object has exactly these keys, and values of these types."""
    equal(set(got), set(keys), "keys")
    for key, kind in keys.items():
        check(isinstance(got[key], kind), f"{key} is {got[key]!r}")
    equal(set(got["reading"]), READING, "keys of reading")


class Sink:
    """The sink's process. Its standard input is a pipe, whose end says that the source has ended."""

    def __init__(self, t: Test, *args: object, ns: str | None = None, wait: bool = True) -> None:
        self.ready = t.path(f"ready{len(t.processes)}")
        read_end, self.pipe = os.pipe()
        self.process = t.spawn("sh", "-c", 'exec "$@" 3>' + self.ready, "sh", t.binary, "cell", "sink",
                               "--ready", "3", *args, stdin=read_end, ns=ns)
        os.close(read_end)
        if wait:
            poll_until(lambda: self.is_ready or not self.process.running, 20, "the sink is ready")

    @property
    def is_ready(self) -> bool:
        return os.path.exists(self.ready) and os.path.getsize(self.ready) == 1

    def end(self, code: int = 0) -> Json:
        os.close(self.pipe)
        got: Json = self.process.ends_with(code).json
        return got


def source(t: Test, *args: object, ns: str | None = None) -> Process:
    return t.start("cell", "source", *args, ns=ns)


def ways(t: Test) -> Json:
    got: Json = t.run("cell", "ways").ends_with(0).json
    return got


def run_cell(t: Test, way: Json, file: str, address: str, *more: object, ns: tuple[str, str] = ("a", "a"),
             passes: int = 1) -> tuple[Json, Json | None]:
    """One cell of a kernel way; the sink's object is None where this host lacks the way."""
    to = f"{address}:{t.free_udp_port()}"
    sink = Sink(t, "--receiver", "tcp" if way["kind"] == "stream" else "udp", "--listen", to, "--file", file,
                "--deadline", "20s", ns=ns[1])
    tx = source(t, "--way", way["name"], "--to", to, "--file", file, "--rate", RATE, "--passes", passes,
                "--deadline", "20s", *more, ns=ns[0]).wait()
    if tx.code == 77:
        check(tx.json["lacking"] and tx.json["error"], tx.describe())
        sink.process.kill()
        os.close(sink.pipe)
        return tx.json, None
    tx.ends_with(0)
    return tx.json, sink.end()


def check_delivery(tx: Json, rx: Json, size: int, passes: int) -> None:
    where = f"{tx['way']}, {size} bytes"
    check_object(tx, SOURCE)
    check_object(rx, SINK)
    equal(set(tx["counters"]), COUNTERS, "keys of counters")
    equal(tx["counters"]["payload_bytes"], size * passes, f"{where}: bytes sent")
    equal(rx["bytes"], size * passes, f"{where}: bytes that came")
    equal((rx["wrong"], rx["whole"]), (False, True), where)
    equal(rx["proof"], "compared" if size else "none", where)
    check(tx["setup_ns"] > 0 and tx["end_ns"] > tx["start_ns"] > 0, f"{where}: the source's times")
    check(rx["end_ns"] > rx["start_ns"] > 0, f"{where}: the sink's times")
    if size:
        check(tx["start_ns"] < rx["first_ns"] <= rx["last_ns"] < rx["end_ns"], f"{where}: arrivals")
    check(tx["reading"]["cpu_ns"] > 0 and rx["reading"]["cpu_ns"] > 0, f"{where}: CPU time")


@concurrent
@once
def test_every_way_of_sockets_delivers_odd_sizes(t: Test) -> None:
    t.netns("a")
    ran = set()
    files = {size: t.file(f"f{size}", size) for size in ODD_SIZES}
    for way in ways(t)["ways"]:
        for size, file in files.items():
            if way["kind"] == "frame":
                continue
            tx, rx = run_cell(t, way, file, "127.0.0.1", passes=2)
            if rx is None:
                break
            check_delivery(tx, rx, size, 2)
            ran.add(way["name"])
    sockets = {name for name in EVERYWHERE if not name.startswith("packet")}
    equal(sockets - ran, set(), "ways that did not run")


@concurrent
def test_ways_of_each_kind_deliver(t: Test) -> None:
    t.veth()
    file = t.file("f", 100001)
    mac_a = t.tool("cat", "/sys/class/net/va0/address", ns="a").strip()
    mac_b = t.tool("cat", "/sys/class/net/va1/address", ns="b").strip()
    frame = ("--from", "10.77.0.1", "--interface", "va0", "--from-mac", mac_a, "--to-mac", mac_b)
    ran = set()
    for way in ways(t)["ways"]:
        if way["name"] in ("sendfile", "udp_gso") or way["kind"] == "frame":
            more = frame if way["kind"] == "frame" else ()
            tx, rx = run_cell(t, way, file, "10.77.0.2", *more, ns=("a", "b"))
            if rx is not None:
                check_delivery(tx, rx, 100001, 1)
                ran.add(way["name"])
    check({"sendfile", "udp_gso", "packet_send", "packet_tx_ring"} <= ran, f"only {ran} ran")


@concurrent
def test_ipv6_and_jumbo_frames(t: Test) -> None:
    t.netns("a")
    file = t.file("f", 100001)
    to = f"[::1]:{t.free_udp_port()}"
    sink = Sink(t, "--receiver", "udp", "--listen", to, "--file", file, "--mtu", 9000, ns="a")
    p = source(t, "--way", "udp_sendmmsg", "--to", to, "--file", file, "--mtu", 9000, ns="a")
    tx = p.ends_with(0).json
    rx = sink.end()
    check_delivery(tx, rx, 100001, 1)
    check(rx["packets"] < 15, f"{rx['packets']} packets of 9000 bytes")


def test_the_bypass_delivers_over_vhost(t: Test) -> None:
    t.need_root()
    file = t.file("f", 100001)
    for number, (send, receive, pages) in enumerate((("vhost", "virtio-user", "pagecache"),
                                                     ("virtio-user", "vhost", "stage"))):
        sock = t.path(f"s{number}")
        both = ("--file", file, "--no-huge", "--deadline", "40s")
        sink = Sink(t, "--port", f"{receive}:{sock}", *both, wait=False)
        tx = source(t, "--port", f"{send}:{sock}", "--pages", pages, "--to", "10.0.0.2", "--from", "10.0.0.1",
                    "--to-mac", "02:00:00:00:00:02", "--passes", 3, *both)
        sent = tx.ends_with(0).json
        rx = sink.end()
        check_delivery(sent, rx, 100001, 3)
        equal(set(sent["cycles"]), {"busy", "stall", "pace"}, "the source's cycles")
        check(sent["cycles"]["busy"] > 0, "the source's cycles")
        equal(set(rx["cycles"]), {"busy", "idle"}, "the sink's cycles")
        check(rx["cycles"]["busy"] > 0 and rx["cycles"]["idle"] > 0, f"the sink's cycles: {rx['cycles']}")


@concurrent
def test_bytes_of_another_file_are_wrong(t: Test) -> None:
    t.netns("a")
    mine, other = t.file("mine", 10001), t.file("other", 10001)
    for way, receiver in ("udp_gso", "udp"), ("sendfile", "tcp"):
        to = f"127.0.0.1:{t.free_udp_port()}"
        sink = Sink(t, "--receiver", receiver, "--listen", to, "--file", mine, ns="a")
        source(t, "--way", way, "--to", to, "--file", other, ns="a").ends_with(0)
        rx = sink.end()
        equal((rx["proof"], rx["wrong"], rx["bytes"]), ("compared", True, 10001), way)


@concurrent
def test_a_file_is_written_into_a_directory(t: Test) -> None:
    t.netns("a")
    file = t.file("f", 1000001)
    for flags in (), ("--direct",):
        to, out = f"127.0.0.1:{t.free_udp_port()}", t.mkdir(f"in{len(flags)}")
        sink = Sink(t, "--receiver", "udp", "--listen", to, "--file", file, "--into", out, *flags, ns="a")
        p = source(t, "--way", "udp_gso", "--to", to, "--file", file, "--remote", "--rate", RATE, ns="a")
        p.ends_with(0)
        rx = sink.end()
        equal((rx["proof"], rx["wrong"]), ("compared", False), "sink")
        equal((rx["whole"], rx["bytes"]), (True, 1000001), "sink")
        t.same(file, os.path.join(out, "f"))
    sink = Sink(t, "--receiver", "udp", "--listen", to, "--file", file, "--into", out, ns="a")
    rx = sink.end()
    equal((rx["proof"], rx["wrong"], rx["whole"], rx["bytes"]), ("none", False, False, 0), "no source")


@concurrent
def test_calls_are_counted_and_the_meter_says_what_it_cannot(t: Test) -> None:
    t.netns("a")
    buffer = t.file("f", 65536)
    for way, calls in ("read_write", 2), ("mmap_write", 2), ("sendfile", 1):
        p = t.run("cell", "textbook", "--way", way, "--file", buffer, "--meter", "calls", ns="a")
        got = p.ends_with(0).json
        check_object(got, {**BOTH, "proof": str, "wrong": bool, "whole": bool})
        equal((got["proof"], got["wrong"], got["whole"]), ("compared", False, True), way)
        if "syscalls" not in got["not_measured"]:
            equal(got["reading"]["syscalls"], calls, f"{way}: system calls")
    for meter, key in ("timing", "hardware"), ("copies", "copies"):
        got = t.run("cell", "textbook", "--way", "sendfile", "--file", buffer, "--meter", meter, ns="a").json
        number = got["reading"]["cycles" if key == "hardware" else "copied_bytes"]
        check((number is None) == bool(got["not_measured"].get(key)), f"{meter}: {got}")


@concurrent
def test_parity_is_measured_and_what_is_restored_is_compared(t: Test) -> None:
    code = ("cell", "fec", "--memory", "8MiB", "--source-symbols", "100", "--parity-symbols", "5", "--symbol-bytes",
            "1440")
    for lost in 0, 1, 5:
        got = t.run(*code, "--lost", lost).ends_with(0).json
        equal((got["role"], got["bytes"]), ("fec", 8 * 2**20 // (105 * 1440) * 100 * 1440), f"{lost} lost")
        check(got["cpu_ns"] > 0, f"{got}")
    check("cannot lose 6" in t.run(*code, "--lost", "6").ends_with(2).err, "too many are lost")


@concurrent
def test_a_cell_ends_at_its_deadline(t: Test) -> None:
    t.netns("a")
    file, to = t.file("f", 1000001), f"127.0.0.1:{t.free_udp_port()}"
    began = time.monotonic()
    for receiver in "udp", "tcp":
        sink = Sink(t, "--receiver", receiver, "--listen", to, "--file", file, "--deadline", "500ms", ns="a")
        got = sink.process.ends_with(1, 10).json
        os.close(sink.pipe)
        check("cannot" in got["error"] and got["errno"] and not got["lacking"], f"{receiver}: {got}")
    # the session itself does not look at the deadline
    p = source(t, "--way", "udp_sendmmsg", "--to", to, "--file", file, "--rate", "100pps",
               "--deadline", "500ms", ns="a")
    got = p.ends_with(1, 10).json
    check_object(got, SOURCE)
    check("did not end in time" in got["error"], got["error"])
    check(time.monotonic() - began < 20, "it took long")


@concurrent
def test_what_the_host_lacks_is_said(t: Test) -> None:
    t.need_root()
    file = t.file("f", 1)
    p = source(t, "--port", "0000:ff:1f.7", "--to", "10.0.0.2", "--file", file, "--no-huge")
    got = p.ends_with(77).json
    check_object(got, SOURCE)
    check(got["lacking"] and "0000:ff:1f.7" in got["error"] and got["errno"], f"{got}")
    equal((got["start_ns"], got["end_ns"]), (0, 0), "times")
    equal(set(got["reading"].values()), {None}, "reading")
    got = t.run("cell", "sink", "--port", "af_packet:pw-none", "--file", file, "--no-huge").ends_with(77).json
    check_object(got, SINK)
    check(got["lacking"] and "pw-none" in got["error"], f"{got}")


@concurrent
def test_a_sink_dies_with_its_parent_and_ignores_the_terminal(t: Test) -> None:
    t.netns("a")
    file, to, pid = t.file("f", 1), f"127.0.0.1:{t.free_udp_port()}", t.path("pid")
    read_end, write_end = os.pipe()
    script = f'exec 3<&0; "$@" 0<&3 & echo $! >{pid}.part && mv {pid}.part {pid}; wait'
    shell = t.spawn("sh", "-c", script, "sh", t.binary, "cell", "sink", "--receiver", "udp", "--listen", to,
                    "--file", file, "--deadline", "50s", stdin=read_end, ns="a")
    os.close(read_end)
    poll_until(lambda: os.path.exists(pid), 10, "the sink runs")
    with open(pid, encoding="ascii") as f:
        number = int(f.read())
    poll_until(lambda: b"cell" in _command_line(number), 10, "it is the sink")
    time.sleep(0.3)
    os.kill(number, signal.SIGINT)
    os.kill(number, signal.SIGHUP)
    time.sleep(0.2)
    check(_command_line(number), "SIGINT or SIGHUP ended the sink")
    shell.kill()
    poll_until(lambda: not _command_line(number), 10, "the sink died with its parent")
    os.close(write_end)


def _command_line(pid: int) -> bytes:
    """Empty: the process has ended."""
    try:
        with open(f"/proc/{pid}/cmdline", "rb") as f:
            return f.read()
    except OSError:
        return b""


@concurrent
def test_wrong_usage_prints_no_object(t: Test) -> None:
    file = t.file("f", 1)
    source_of = ("source", "--file", file, "--to", "127.0.0.1")
    sink_of = ("sink", "--file", file, "--listen", "127.0.0.1")
    for args, word in (
            ((), "ROLE"), (("nonsense",), "ROLE"), (("source",), "--file"),
            (("sink", "--file", "/none"), "/none"),
            (source_of, "--way"), ((*source_of, "--way", "udp_gso", "--port", "null"), "--way"),
            ((*source_of, "--way", "nonsense"), "nonsense"), ((*source_of, "--port", "nonsense"), "nonsense"),
            ((*source_of, "--way", "packet_send"), "--interface"),
            ((*source_of, "--port", "null", "--pages", "x"), "x"),
            (sink_of, "--receiver"), ((*sink_of, "--receiver", "nonsense"), "nonsense"),
            ((*sink_of, "--receiver", "tcp", "--into", t.dir), "--into"),
            ((*sink_of, "--receiver", "udp", "--direct"), "--direct"),
            (("sink", "--file", file, "--receiver", "udp"), "--listen"),
            (("textbook", "--file", file, "--way", "sendfile"), "65536"),
            (("textbook", "--file", file, "--way", "splice"), "--way")):
        p = t.run("cell", *args).ends_with(2)
        equal(p.out, "", f"standard output of {args}")
        check(word in p.err, f"{args}: {p.err}")


@concurrent
def test_the_command_is_hidden_and_lists_ways_and_versions(t: Test) -> None:
    check("cell" not in t.run("--help").ends_with(0).out, "--help shows it")
    check("--receiver" in t.run("cell", "--help").ends_with(0).out, "cell --help")
    got = ways(t)
    equal(EVERYWHERE - {w["name"] for w in got["ways"]}, set(), "ways that are missing")
    for w in got["ways"]:
        equal(set(w), {"name", "summary", "kind", "needs_page_cache", "zerocopy", "tls"}, "keys of a way")
    kinds = {r["name"]: r["kind"] for r in got["receivers"]}
    equal((kinds["udp"], kinds["tcp"]), ("datagram", "stream"), "receivers")
    got = t.run("cell", "version").ends_with(0).json
    check(got["pagewire"] and got["libc"] and got["liburing"], f"{got}")
    check(got["dpdk"] is None or got["dpdk"].startswith("DPDK "), f"{got}")
