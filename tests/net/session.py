# SPDX-License-Identifier: BSD-3-Clause
"""A FLUTE sender in Python, and the `pagewire recv --listen` that it sends to.

    Sender(port, tsi, source)  --loopback-->  Listener: recv --listen 127.0.0.1:PORT --out DIR

The test chooses every packet: which ones are sent, in which order, and from which address. They may also be those
of `pagewire send`, from a capture."""
from __future__ import annotations

import hashlib
import json
import os
import socket
import struct
import time
from collections.abc import Iterable
from typing import Any

import flute
from harness import Process, Test, check, equal, poll_until

SYMBOL = 1000
Entry = dict[str, Any]


def capture(t: Test, *args: str) -> tuple[list[bytes], Any]:
    """`pagewire send` into a capture; returns the UDP payloads and the sender's report."""
    path = t.path("session.pcap")
    p = t.run("send", "--port", f"pcap:{path}", "--to", "239.77.0.1", "--no-huge", "--json", *args)
    p.ends_with(0)
    return [frame[42:] for frame in flute.frames(path)], p.json


def toi_sbn_esi(payload: bytes) -> tuple[int, int, int]:
    """Of a payload with narrow TSI and TOI and FEC encoding ID 0."""
    words = payload[2]
    toi, = struct.unpack_from("!H", payload, 10)
    sbn, esi = struct.unpack_from("!HH", payload, 4 * words)
    return toi, sbn, esi


def sha(data: bytes) -> str:
    return "sha-256:" + hashlib.sha256(data).hexdigest()


def entry(name: str, toi: int, data: bytes, digest: bool = True, **more: Any) -> Entry:
    """The File element of data. more: further attributes, and symbol= and block=."""
    made = flute.file_entry(name, toi, len(data), **more)
    if digest:
        made["pw:Digest"] = sha(data)
    return made


def files_attribute(n: int) -> str:
    return f'pw:Files="{n}"'


class Sender:
    def __init__(self, port: int, tsi: int = 1, source: str = "127.0.0.1") -> None:
        self.tsi = tsi
        self.source = source
        self.to = ("127.0.0.1", port)
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind((source, 0))

    def send(self, packets: Iterable[bytes]) -> None:
        for i, p in enumerate(packets):
            self.socket.sendto(p, self.to)
            if i % 32 == 31:
                time.sleep(0.002)

    def table(self, entries: list[Entry], instance: int = 0, **more: Any) -> None:
        self.xml(flute.fdt_xml(entries, **more), instance)

    def xml(self, xml: bytes, instance: int = 0, **more: Any) -> None:
        self.send(flute.fdt_packets(xml, instance, tsi=self.tsi, **more))

    def data(self, toi: int, data: bytes, only: slice | None = None, lost: Iterable[int] = (),
             **more: Any) -> None:
        """Sends the file's packets, or a slice of them, without those whose numbers are in `lost`."""
        gone = set(lost)
        packets = flute.data_packets(toi, data, tsi=self.tsi, **more)
        chosen = range(len(packets))[only] if only else range(len(packets))
        self.send(packets[i] for i in chosen if i not in gone)

    def close(self, times: int = 2) -> None:
        self.send([flute.close_packet(self.tsi)] * times)

    def whole(self, name: str, data: bytes, toi: int = 1, instance: int = 0) -> None:
        """Sends a whole session of one file: table, symbols, close."""
        self.table([entry(name, toi, data)], instance, complete=True)
        self.data(toi, data)
        self.close()


class Listener:
    """A receiver on loopback. as_text: it reports as text, not as JSON."""

    def __init__(self, t: Test, *args: str, out: str = "in", timeout: str = "1s",
                 as_text: bool = False, wrap: Iterable[str] = ()) -> None:
        self.t = t
        self.port: int = t.free_udp_port()
        self.out: str = t.mkdir(out)
        self.as_text = as_text
        self.senders: list[Sender] = []
        self.process: Process = t.spawn(
            *wrap, t.binary, "recv", "--listen", f"127.0.0.1:{self.port}", "--out", self.out,
            "--timeout", timeout, *(() if as_text else ("--json",)), *args)
        poll_until(lambda: "listening" in self.process.err or not self.process.running, 30,
                   "the receiver's socket")
        check(self.process.running, f"the receiver has ended:\n{self.process.describe()}")

    def sender(self, tsi: int = 1, source: str = "127.0.0.1") -> Sender:
        made = Sender(self.port, tsi, source)
        self.senders.append(made)
        return made

    def wait(self, seconds: float = 30) -> Process:
        for s in self.senders:
            s.socket.close()
        return self.process.wait(seconds)

    def end(self, code: int, seconds: float = 30) -> dict[str, Any]:
        """Waits for the end with that exit code; returns the JSON report."""
        self.wait(seconds)
        result: dict[str, Any] = self.process.ends_with(code, 1).json
        return result

    def end_text(self, code: int, seconds: float = 30) -> str:
        """Waits for the end with that exit code; returns the text report."""
        self.wait(seconds)
        return self.process.ends_with(code, 1).out

    @property
    def err(self) -> str:
        return self.process.err

    def names(self) -> list[str]:
        """All files below --out."""
        return names_below(self.out)

    def appears(self, name: str) -> None:
        """Waits until --out has that file."""
        path = os.path.join(self.out, name)
        poll_until(lambda: os.path.exists(path), 10, path)

    def holds(self, name: str | bytes, data: bytes) -> None:
        path = os.path.join(os.fsencode(self.out), os.fsencode(name))
        check(os.path.isfile(path), f"{name!r} did not arrive; there is {self.names()}\n"
                                    f"{self.process.describe()}")
        with open(path, "rb") as f:
            check(f.read() == data, f"{name!r} differs\n{self.process.describe()}")

    def lacks(self, name: str | bytes) -> None:
        path = os.path.join(os.fsencode(self.out), os.fsencode(name))
        check(not os.path.lexists(path), f"{name!r} is there\n{self.process.describe()}")

    def manifest(self) -> dict[str, Any]:
        return load_manifest(os.path.join(self.out, "pagewire-gaps.json"))


def names_below(folder: str) -> list[str]:
    return sorted(os.path.relpath(os.path.join(at, name), folder)
                  for at, _, names in os.walk(folder) for name in names)


def load_manifest(path: str) -> dict[str, Any]:
    with open(path, encoding="utf-8") as f:
        made: dict[str, Any] = json.load(f)
    equal(made["schema"], "pagewire.gaps/1", "the manifest's schema")
    return made


def states(result: dict[str, Any]) -> dict[str, list[str]]:
    """The states of each name, sorted. Several announcements may have one name."""
    made: dict[str, list[str]] = {}
    for f in result["files"]:
        made.setdefault(f["name"], []).append(f["state"])
    return {name: sorted(v) for name, v in made.items()}


def reason(result: dict[str, Any], name: str, state: str = "refused") -> str:
    found = [f.get("reason", "") for f in result["files"]
             if f["name"] == name and f["state"] == state]
    equal(len(found), 1, f"entries of {name} that are {state}: {result['files']}")
    return str(found[0])
