# SPDX-License-Identifier: BSD-3-Clause
"""Hostile packets, sent to a real receiver: nothing outside --out, no crash, all counted. Tables that
contradict each other are in test_sessions.py, entries that are bad in test_tables.py.

Each session also carries an honest file, which must arrive in spite of the hostile packets."""
import os
import socket
import time

import flute
from harness import check, equal, poll_until

CONCURRENT = True  # these tests need no CPU of their own and no huge pages (run.py)

GOOD_TOI = 500


class Receiver:
    """`recv --listen` on loopback, and a socket that sends to it. It runs in a deep
    directory, so that the test sees files that are written outside --out."""

    def __init__(self, t, *args):
        self.t = t
        self.port = t.free_udp_port()
        self.out = t.mkdir("deep/er/in")
        self.good = os.urandom(50001)
        self.process = t.recv("--listen", f"127.0.0.1:{self.port}", "--out", self.out, "--timeout",
                              "1500ms", *args)
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        poll_until(lambda: "listening on" in self.process.err or not self.process.running, 20,
                   "the receiver's socket")

    def send(self, packets):
        for i, p in enumerate(packets):
            self.socket.sendto(p, ("127.0.0.1", self.port))
            if i % 32 == 31:
                time.sleep(0.002)

    def send_table(self, files, instance, **more):
        self.send(flute.fdt_packets(flute.fdt_xml(files, **more), instance))

    def send_good_file(self):
        self.send_table([flute.file_entry("good.bin", GOOD_TOI, len(self.good))], 1000)
        self.send(flute.data_packets(GOOD_TOI, self.good))

    def end(self, code, others=()):
        """Waits for the end; checks that only the good file and `others` are there; returns the report."""
        self.socket.close()
        self.process.ends_with(code, 30)
        with open(os.path.join(self.out, "good.bin"), "rb") as f:
            check(f.read() == self.good, "the good file differs")
        found = sorted(os.path.relpath(os.path.join(folder, n), self.out)
                       for folder, dirs, names in os.walk(self.t.path("deep"))
                       for n in names + [d for d in dirs if os.path.join(folder, d) != self.out
                                         and not self.out.startswith(os.path.join(folder, d) + "/")])
        result = self.process.json
        manifest = ["pagewire-gaps.json"] if result["gaps"] else []
        equal(found, sorted(["good.bin", *others, *manifest]),
              "files in and around the output directory")
        return result


def refused(result):
    return {f["name"]: f["reason"] for f in result["files"] if f["state"] == "refused"}


def test_names_outside_the_output_directory_are_refused(t):
    names = ["../../climbed", "/tmp/pwnet-absolute", "a/../../climbed", "..", "a//b", "a/",
             "%2e%2e/%2e%2e/climbed", "%2ftmp%2fpwnet-absolute", "file:///../../climbed"]
    r = Receiver(t)
    for i, name in enumerate(names, 1):
        r.send_table([flute.file_entry(name, i, 10)], i)
        r.send(flute.data_packets(i, b"0123456789"))
    r.send_good_file()
    result = r.end(3)
    equal([f["name"] for f in result["files"] if f["state"] != "refused"], ["good.bin"], "taken")
    equal(len(result["files"]), len(names) + 1, "entries known")
    check(not os.path.exists("/tmp/pwnet-absolute"), "an absolute path was written")


def test_the_path_of_a_file_uri_stays_inside_the_output_directory(t):
    r = Receiver(t)
    r.send_table([flute.file_entry("file:///tmp/pwnet-absolute", 1, 10)], 1)
    r.send(flute.data_packets(1, b"0123456789"))
    r.send_good_file()
    r.end(0, others=["tmp", "tmp/pwnet-absolute"])
    check(not os.path.exists("/tmp/pwnet-absolute"), "an absolute path was written")


def test_control_characters_and_long_names_are_refused(t):
    r = Receiver(t)
    for i, name in enumerate(["a%00b", "a%1b[2Jb", "a%0ab", "x" * 300, "d/" * 600 + "x"], 1):
        r.send_table([flute.file_entry(name, i, 10)], i)
        r.send(flute.data_packets(i, b"0123456789"))
    r.send_good_file()
    result = r.end(3)
    check("\x1b" not in r.process.out + r.process.err, "an escape sequence was printed")
    equal([f["name"] for f in result["files"] if f["state"] not in ("refused", "complete",
                                                                    "unverified")], [], "taken")


def test_a_symbolic_link_in_the_output_directory_is_not_followed(t):
    r = Receiver(t, "--force")
    outside = t.mkdir("outside")
    os.symlink(outside, os.path.join(r.out, "link"))
    os.symlink(t.path("outside", "target"), os.path.join(r.out, "file.part"))
    r.send_table([flute.file_entry("link/inside", 1, 10), flute.file_entry("file", 2, 10)], 1)
    r.send(flute.data_packets(1, b"0123456789") + flute.data_packets(2, b"0123456789"))
    r.send_good_file()
    r.socket.close()
    r.process.wait(30)
    equal(os.listdir(outside), [], "files behind the link")
    equal(refused(r.process.json).keys() >= {"link/inside"}, True, "link/inside refused")


def test_tables_with_a_document_type_or_entities_are_refused(t):
    secret = t.file("secret", 100)
    bomb = "".join(f'<!ENTITY e{i} "{f"&e{i - 1};" * 10}">' for i in range(1, 10))
    r = Receiver(t)
    for i, extra in enumerate((f'<!DOCTYPE x [<!ENTITY e0 "ha">{bomb}]>',
                               f'<!DOCTYPE x [<!ENTITY e9 SYSTEM "file://{secret}">]>',
                               '<!DOCTYPE x SYSTEM "http://127.0.0.1:1/x.dtd">'), 1):
        r.send_table([flute.file_entry("a&e9;", i, 10)], i, extra=extra)
    start = time.monotonic()
    r.send_good_file()
    result = r.end(0)
    check(time.monotonic() - start < 20, "the receiver was held up")
    equal(result["counters"]["fdt_bad"], 3, "fdt_bad")


def test_invalid_tables_are_counted(t):
    r = Receiver(t)
    tables = [b"", b"\0" * 100, b"<", b"<FDT-Instance", b"<html/>", os.urandom(1000),
              flute.fdt_xml([flute.file_entry("x", 1, 10)])[:-5],
              flute.fdt_xml([flute.file_entry("x", 1, 10)]) + b"more"]
    for i, xml in enumerate(tables, 1):
        r.send(flute.fdt_packets(xml, i))
    r.send_good_file()
    result = r.end(0)
    check(result["counters"]["fdt_bad"] >= len(tables) - 1,  # the empty one sends nothing
          f"{result['counters']} for {len(tables)} tables")
    equal(result["files_known"], 1, "files_known")


def test_impossible_lengths_are_refused_before_memory_is_allocated(t):
    r = Receiver(t)
    for i, (size, symbol, block) in enumerate((((1 << 48) - 1, 1400, 65535), (1 << 48, 1400, 64),
                                               (1 << 63, 1400, 64), (1 << 64, 1, 1),
                                               (1 << 40, 1, 1), (1 << 46, 65535, 65535)), 1):
        r.send_table([flute.file_entry(f"big{i}", i, size, symbol, block)], i)
        r.send([flute.packet(i, 0, 0, b"x" * 1400)])
    r.send([flute.packet(0, 0, 0, b"x" * 1400, fdt_instance=99, fti=((1 << 48) - 1, 1400, 65535))])
    r.send_good_file()
    result = r.end(3)
    for f in result["files"]:
        check(f["name"] == "good.bin" or f["state"] == "refused", f"{f}")


def test_symbols_outside_the_file_are_counted(t):
    r = Receiver(t)
    data = os.urandom(10000)  # 10 symbols of 1000 bytes in one block
    r.send_table([flute.file_entry("a.bin", 1, len(data))], 1)
    bad = [flute.packet(1, 0, 10, b"x" * 1000), flute.packet(1, 0, 65535, b"x" * 1000),
           flute.packet(1, 1, 0, b"x" * 1000), flute.packet(1, 65535, 65535, b"x" * 1000),
           flute.packet(1, 0, 3, b"x" * 999), flute.packet(1, 0, 9, b"x" * 1400)]
    r.send(bad)
    r.send(flute.data_packets(1, data))
    r.send_good_file()
    result = r.end(0, others=["a.bin"])
    with open(os.path.join(r.out, "a.bin"), "rb") as f:
        check(f.read() == data, "a.bin differs")
    equal(result["counters"]["out_of_object"], len(bad), "out_of_object")


def test_packets_that_are_not_alc_are_counted_by_reason(t):
    good = flute.packet(1, 0, 0, b"x" * 100)
    r = Receiver(t)
    r.send([b"x", good[:3], b"\x20" + good[1:], good[:2] + b"\xff" + good[3:],
            good[:2] + b"\x01" + good[3:], good[:18]])
    r.send([good[:2] + b"\x05" + good[3:16] + bytes((64, 0, 0, 0)) + good[16:],
            good[:3] + b"\x81" + good[4:]])
    r.send([os.urandom(n) for n in range(1, 1400, 7)])
    r.send_good_file()
    result = r.end(0)
    verdicts = result["counters"]["alc_verdicts"]
    for reason in ("short", "version", "header_length", "extension", "codepoint"):
        check(verdicts[reason] > 0, f"no {reason} in {verdicts}")
    equal(result["counters"]["malformed"], sum(n for v, n in verdicts.items() if v not in ("ok", "probe")),
          "malformed")


def test_a_flood_of_files_is_bounded_by_max_files(t):
    r = Receiver(t, "--max-files", "100")
    r.send_good_file()
    for i in range(20):
        r.send_table([flute.file_entry(f"f{i}-{k}", 1000 + 50 * i + k, 10) for k in range(50)], i)
    r.send([flute.packet(1000000 + i, 0, 0, b"x") for i in range(5000)])
    result = r.end(3)
    check(result["files_known"] <= 100, f"{result['files_known']} files known")
    check(result["counters"]["unknown_toi"] > 0, "symbols of unknown files are not counted")


def test_packets_of_another_tsi_are_counted_as_strangers(t):
    r = Receiver(t, "--tsi", "1")
    stranger = flute.fdt_xml([flute.file_entry("strange.bin", GOOD_TOI, 50001)])
    r.send(flute.fdt_packets(stranger, 1, tsi=2))
    r.send(flute.data_packets(GOOD_TOI, os.urandom(50001), tsi=2))
    r.send_good_file()
    result = r.end(0)
    equal(result["counters"]["strangers"], 52, "strangers")
