# SPDX-License-Identifier: BSD-3-Clause
"""Sends QMP commands to a running guest, through the socket of `scripts/vm --qmp`."""
from __future__ import annotations

import json
import socket
import time
from collections.abc import Callable
from typing import Any

from harness import Process, check, poll_until


class Qmp:
    def __init__(self, path: str, process: Process | None = None, seconds: float = 30) -> None:
        self.events: list[dict[str, Any]] = []
        self.rest = b""
        connected = poll_until(lambda: self._connect(path, process), seconds, "QEMU's socket")
        assert connected
        self.socket = connected
        self._receive(lambda m: "QMP" in m, seconds)
        self.do("qmp_capabilities")

    @staticmethod
    def _connect(path: str, process: Process | None) -> socket.socket | None:
        check(not process or process.running, "the guest has ended")
        s = socket.socket(socket.AF_UNIX)
        try:
            s.connect(path)
        except OSError:
            s.close()
            return None
        return s

    def _receive(self, wanted: Callable[[dict[str, Any]], bool], seconds: float) -> dict[str, Any]:
        """Waits for a message that `wanted` accepts. Events that come before it are kept."""
        end = time.monotonic() + seconds
        while True:
            while b"\n" in self.rest:
                line, self.rest = self.rest.split(b"\n", 1)
                message: dict[str, Any] = json.loads(line)
                if wanted(message):
                    return message
                if "event" in message:
                    self.events.append(message)
            left = end - time.monotonic()
            check(left > 0, f"QEMU did not answer within {seconds} s; events: {self.events}")
            self.socket.settimeout(left)
            try:
                data = self.socket.recv(1 << 16)
            except TimeoutError:
                continue
            check(data, f"QEMU has closed its socket; events: {self.events}")
            self.rest += data

    def do(self, command: str, seconds: float = 10, **arguments: Any) -> Any:
        text = json.dumps({"execute": command, "arguments": arguments})
        self.socket.sendall(text.encode() + b"\n")
        answer = self._receive(lambda m: "return" in m or "error" in m, seconds)
        check("return" in answer, f"{text}: {answer}")
        return answer["return"]

    def wait_for(self, event: str, seconds: float) -> dict[str, Any]:
        def wanted(message: dict[str, Any]) -> bool:
            return message.get("event") == event
        for message in filter(wanted, self.events):
            self.events.remove(message)
            return message
        return self._receive(wanted, seconds)

    def close(self) -> None:
        self.socket.close()
