# SPDX-License-Identifier: BSD-3-Clause
"""Web servers for `recv --repair URL`, each in a thread of the test: two that behave, of one that does not know
ranges and one that knows them, and one that sends what a test tells it, byte by byte."""
from __future__ import annotations

import contextlib
import functools
import http.server
import os
import re
import socket
import threading
import time
from collections.abc import Callable, Iterable, Iterator


class Plain(http.server.SimpleHTTPRequestHandler):
    """Python's own: it ignores Range and sends the whole file."""

    protocol_version = "HTTP/1.1"
    seen: list[tuple[str, str]]  # path and Range of each request

    def do_GET(self) -> None:
        self.server.seen.append((self.path, self.headers.get("Range", "")))  # type: ignore[attr-defined]
        super().do_GET()

    def log_message(self, format: str, *args: object) -> None:
        pass

    def handle(self) -> None:
        with contextlib.suppress(ConnectionError):  # the client closes when it has enough
            super().handle()


class Ranges(Plain):
    """Sends ranges: one by itself, several as multipart/byteranges; at most max_ranges, else the whole file."""

    max_ranges = 200

    def do_GET(self) -> None:
        wanted = re.findall(r"(\d+)-(\d+)", self.headers.get("Range", ""))
        path = self.translate_path(self.path)
        if not wanted or len(wanted) > self.max_ranges or not os.path.isfile(path):
            super().do_GET()
            return
        self.server.seen.append((self.path, self.headers["Range"]))  # type: ignore[attr-defined]
        with open(path, "rb") as f:
            data = f.read()
        parts = [(f"bytes {a}-{b}/{len(data)}", data[int(a):int(b) + 1]) for a, b in wanted]
        self.send_response(206)
        if len(parts) == 1:
            self.send_header("Content-Range", parts[0][0])
            body = parts[0][1]
        else:
            self.send_header("Content-Type", 'multipart/byteranges; boundary="a b=c"')
            body = b"".join(b"\r\n--a b=c\r\nContent-Type: x/y\r\nContent-Range: " + r.encode() +
                            b"\r\n\r\n" + piece for r, piece in parts) + b"\r\n--a b=c--\r\n"
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


class OneRange(Ranges):
    """Knows one range a request, as many caches do."""

    max_ranges = 1


@contextlib.contextmanager
def serve(handler: type[Plain], folder: str) -> Iterator[tuple[str, list[tuple[str, str]]]]:
    """Yields the URL and the requests so far."""
    make = functools.partial(handler, directory=folder)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), make) as server:
        server.daemon_threads = True
        server.seen = []  # type: ignore[attr-defined]
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}", server.seen  # type: ignore[attr-defined]
        server.shutdown()


Answer = Callable[[int], Iterable[bytes | float]]


@contextlib.contextmanager
def hostile(answer: Answer) -> Iterator[str]:
    """Sends what answer(number of the request) yields: bytes, or seconds to wait; then it closes."""
    stop = threading.Event()

    def talk(conn: socket.socket, number: int) -> None:
        with conn, contextlib.suppress(OSError):
            conn.recv(65536)
            for piece in answer(number):
                if stop.is_set():
                    return
                if isinstance(piece, bytes):
                    conn.sendall(piece)
                else:
                    time.sleep(piece)

    def accept(server: socket.socket) -> None:
        number = 0
        with contextlib.suppress(OSError):
            while True:
                conn, _ = server.accept()
                threading.Thread(target=talk, args=(conn, number), daemon=True).start()
                number += 1

    with socket.create_server(("127.0.0.1", 0)) as server:
        threading.Thread(target=accept, args=(server,), daemon=True).start()
        yield f"http://127.0.0.1:{server.getsockname()[1]}"
        stop.set()
        server.shutdown(socket.SHUT_RDWR)
