# SPDX-License-Identifier: BSD-3-Clause
"""QEMU's own commands to a guest that runs, by the socket of `scripts/vm --qmp`."""
import json
import socket
import time

from harness import check, poll_until


class Qmp:
    def __init__(self, path, process=None, seconds=30):
        self.events = []
        self.rest = b""
        self.socket = poll_until(lambda: self._connect(path, process), seconds, "QEMU's socket")
        self._receive(lambda m: "QMP" in m, seconds)
        self.do("qmp_capabilities")

    @staticmethod
    def _connect(path, process):
        check(not process or process.running, "the guest has ended")
        s = socket.socket(socket.AF_UNIX)
        try:
            s.connect(path)
        except OSError:
            s.close()
            return None
        return s

    def _receive(self, wanted, seconds):
        """The first message that is wanted; events before it are kept."""
        end = time.monotonic() + seconds
        while True:
            while b"\n" in self.rest:
                line, self.rest = self.rest.split(b"\n", 1)
                message = json.loads(line)
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

    def do(self, command, seconds=10, **arguments):
        text = json.dumps({"execute": command, "arguments": arguments})
        self.socket.sendall(text.encode() + b"\n")
        answer = self._receive(lambda m: "return" in m or "error" in m, seconds)
        check("return" in answer, f"{text}: {answer}")
        return answer["return"]

    def wait_for(self, event, seconds):
        def wanted(message):
            return message.get("event") == event
        for message in filter(wanted, self.events):
            self.events.remove(message)
            return message
        return self._receive(wanted, seconds)

    def close(self):
        self.socket.close()
