# SPDX-License-Identifier: BSD-3-Clause
"""Watching a running transfer: DPDK's telemetry socket, dpdk-dumpcap, and bpftrace probes."""
import glob
import json
import os
import re
import signal
import socket

import flute
from harness import Skip, check, equal, poll_until
from test_replay import MILLION, mix, write_pcap

RUN_DIR = "/var/run/dpdk"


class Telemetry:
    """A client of the socket that --telemetry opens, like dpdk-telemetry.py."""

    def __init__(self, process, prefix):
        def connect():
            check(process.running, f"the run has ended:\n{process.describe()}")
            self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
            self.sock.settimeout(10)
            try:
                self.sock.connect(f"{RUN_DIR}/{prefix}/dpdk_telemetry.v2")
                return True
            except OSError:
                self.sock.close()
                return False
        poll_until(connect, 20, "a telemetry socket")
        self.pid = json.loads(self.sock.recv(1024))["pid"]

    def ask(self, command):
        self.sock.send(command.encode())
        answer = json.loads(self.sock.recv(1 << 20).decode())
        return answer[command.split(",")[0]] or {}

    def until(self, command, condition):
        """Repeats the command until its answer meets the condition; returns that answer."""
        return poll_until(lambda: (lambda a: a if a and condition(a) else None)(self.ask(command)),
                          20, f"an answer of {command}")

    def close(self):
        self.sock.close()


def prefixed(t, name):
    """A private --file-prefix; its directory below /run/dpdk is removed after the test."""
    t.need_root()
    prefix = f"pwnet{os.getpid()}{name}"
    t.runtime_dirs.append(f"{RUN_DIR}/{prefix}")
    return prefix


def test_telemetry_of_a_replay(t):
    path = write_pcap(t.path("a.pcap"), mix(500), gap_ns=2 * MILLION)
    prefix = prefixed(t, "p")
    p = t.start("replay", path, "--port", "null", "--port", "null", "--queues", "2", "--no-huge", "--loop", "0",
                "--telemetry", "--file-prefix", prefix, "--json")
    client = Telemetry(p, prefix)
    stats = client.until("/pagewire/stats", lambda a: a.get("packets", 0) > 20)
    equal((stats["role"], stats["phase"], len(stats["queues"])), ("replay", "sending", 4), "role, phase and queues")
    equal(stats["packets"], sum(q["packets"] for q in stats["queues"].values()), "packets of all queues")
    check("pw_hdr1_b" in stats["pools"], f"pools: {stats['pools']}")
    check(stats["position_ms"] > 0 and 0 < stats["position"] < os.path.getsize(path), f"position: {stats}")
    check(stats["late_max_ns"] >= stats["late_p99_ns"] > 0, f"lateness: {stats}")
    file = client.until("/pagewire/transfers", lambda a: a.get("pass") == 2)
    equal((file["list"]["0"]["name"], file["list"]["0"]["bytes"]), (path, os.path.getsize(path)), "the capture")
    check(file["bytes_done"] >= os.path.getsize(path), str(file))
    client.close()
    p.signal(signal.SIGINT)
    p.ends_with(0)


def test_telemetry_reports_the_progress_of_both_sides(t):
    files = [t.file("a.bin", 300000), t.file("b ü%.bin", 140000)]
    prefixes = prefixed(t, "s"), prefixed(t, "r")
    sock = t.path("w.sock")
    tx = t.send("--port", f"vhost:{sock}", "--to", "239.77.0.1", "--no-huge", "--rate", "12Mbit/s",
                "--loop", "0", "--telemetry", "--file-prefix", prefixes[0], *files)
    rx = t.recv("--port", f"virtio-user:{sock}", "--out", t.mkdir("in"), "--no-huge",
                "--telemetry", "--file-prefix", prefixes[1],
                "--expect", "3")  # the third file never comes, so recv keeps running
    sender, receiver = Telemetry(tx, prefixes[0]), Telemetry(rx, prefixes[1])
    equal((sender.pid, receiver.pid), (tx.pid, rx.pid), "processes that answer")

    early = sender.until("/pagewire/stats", lambda a: a.get("payload_bytes"))
    listed = sender.until("/pagewire/transfers", lambda a: "list" in a)
    equal({k: v["name"] for k, v in listed["list"].items()},
          {"1": "a.bin", "2": "b%20%C3%BC%25.bin"}, "names by TOI")
    equal([v["bytes"] for v in listed["list"].values()], [300000, 140000], "sizes")
    equal(sum(v["done"] for v in listed["list"].values()),
          listed["bytes_done"] - 440000 * (listed["pass"] - 1), "sum over the files of this pass")
    rest = sender.ask("/pagewire/transfers,2")["list"]
    check(rest in ({}, []), f"files from the third on: {rest}")  # DPDK 23.11 has [] for an empty dictionary
    whole = receiver.until("/pagewire/transfers", lambda a: a["files_ended"] == 2 and "list" in a)
    equal([(f["state"], f["done"], f["missing"], f["digest"]) for f in whole["list"].values()],
          [("complete", 300000, 0, "verified"), ("complete", 140000, 0, "verified")], "files")
    seen = receiver.ask("/pagewire/stats")
    late = sender.ask("/pagewire/stats")
    sender.close()
    receiver.close()
    tx.signal(signal.SIGINT)
    tx.ends_with(0)
    rx.signal(signal.SIGINT)
    rx.ends_with(3)

    for key in ("packets", "payload_bytes", "wire_bytes"):
        check(0 < early[key] <= late[key] <= tx.json[key],
              f"{key}: {early[key]}, then {late[key]}, at the end {tx.json[key]}")
        equal(late["queues"]["0"][key], late[key], f"{key} of the only queue")
    equal(seen["payload_bytes"], 440000, "bytes that the receiver reports")
    check(seen["packets"] <= rx.json["packets"], f"{seen} exceeds the result")
    equal((late["role"], late["driver"], seen["role"]), ("send", tx.json["driver"], "recv"), "who")
    for name, pool in (late["pools"] | seen["pools"]).items():
        check(0 < pool["free"] <= pool["size"], f"pool {name}: {pool}")
    check(late["goodput_bps"] <= 12.5e6, f"goodput {late['goodput_bps']} above the rate asked for")


def test_telemetry_is_off_unless_asked_for(t):
    prefix = prefixed(t, "n")
    p = t.send("--port", "null", "--to", "239.77.0.1", "--no-huge", "--file-prefix", prefix,
               t.file("a.bin", 100001))
    p.ends_with(0)
    equal(glob.glob(f"{RUN_DIR}/{prefix}/*telemetry*"), [], "sockets")


def test_dumpcap_captures_a_running_sender(t):
    """The capturing process has not mapped the pages of the file, so the sender copies them for it.

    EAL's default addresses lie in AddressSanitizer's shadow memory. The sender would then use random
    ones, which may be occupied in the capturing process, so the test chooses the address."""
    t.need_tool("dpdk-dumpcap")
    t.need_tool("tshark")
    mount = t.hugetlbfs()
    prefix = prefixed(t, "d")
    original = t.file("a.bin", 100000)
    tx = t.start("send", original, "--port", "null", "--to", "239.77.0.1", "--rate", "6Mbit/s",
                 "--loop", "0", "--shared-mem", "--telemetry", "--file-prefix", prefix, "--core",
                 t.session.cpus[0], "--json", "--", "--huge-dir", mount,
                 "--base-virtaddr", "0x200000000000")
    sender = Telemetry(tx, prefix)
    sender.until("/pagewire/stats", lambda a: a.get("payload_bytes"))
    path = t.path("c.pcap")
    t.tool("dpdk-dumpcap", f"--file-prefix={prefix}", "-i", "0", "-P", "-q", "-c", "250", "-w",
           path)
    check(sender.ask("/pagewire/stats")["age_ms"] < 5000, "the sender stands still")
    sender.close()
    tx.signal(signal.SIGINT)
    tx.ends_with(0)
    equal(t.tool("tshark", "-r", path, "-d", "udp.port==4001,alc", "-Y",
                 "!alc || _ws.malformed || _ws.expert.severity == error"), "", "odd frames")
    with open(original, "rb") as f:  # the capture covers several passes, so it has every symbol
        check(flute.reassemble(path, 1, 100000, tx.json["symbol_bytes"], 4096) == f.read(),
              "the captured bytes are not the file's")
    equal(os.listdir(mount), [], "files left on hugetlbfs")


def bpftrace(t, argv, program):
    """Runs the command under bpftrace; returns the maps that it prints, and its process."""
    done = t.spawn("bpftrace", "-f", "json", "-c", " ".join(argv), "-e", program).wait()
    lines = (json.loads(line) for line in done.out.splitlines() if line.startswith('{"type": "map"'))
    return {k: v for line in lines for k, v in line["data"].items()}, done


def test_probes_fire_for_each_burst(t):
    t.need_root()
    t.need_tool("bpftrace")
    t.need_tool("readelf")
    if "pagewire" not in t.tool("readelf", "-n", t.binary):
        raise Skip("built without sys/sdt.h: no probes")
    original = t.file("a.bin", 1000000)
    argv = [t.binary, "send", original, "--port", "null", "--to", "239.77.0.1", "--no-huge"]
    maps, control = bpftrace(t, argv, f"uprobe:{t.binary}:main {{ @main = count(); }}")
    if maps.get("@main") != 1:
        raise Skip(f"bpftrace does not work here: {control.err.strip().splitlines()[-1:]}")
    probe = f"usdt:{t.binary}:pagewire"
    maps, traced = bpftrace(
        t, argv, f"{probe}:tx_symbols {{ @symbols = sum(arg2); @toi = max(arg0); }} "
        f"{probe}:tx_burst {{ @taken = sum(arg2); @lost = sum(arg1 - arg2); }}")
    equal((maps.get("@symbols"), maps.get("@toi")), (695, 1), f"symbols, TOI: {traced.describe()}")
    sent = re.search(r"(\d+) packets", traced.out)
    check(sent, f"no summary: {traced.describe()}")
    equal((maps["@taken"], maps["@lost"]), (int(sent.group(1)), 0), "packets that the driver took")
