# SPDX-License-Identifier: BSD-3-Clause
"""What tests of wires, files and cells share: the program, ways, and a wire without an interface."""
from __future__ import annotations

import os
from pathlib import Path

import pytest
from bench.ways import POLLERS, WIRES_OF, Way
from bench.wires import Wire

TOP = Path(__file__).resolve().parents[2]

need_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root")


def kernel_way(name: str, kind: str, needs_page_cache: bool = False) -> Way:
    """A way as `pagewire cell ways` describes it."""
    return Way(name, name, "", kind, frozenset(WIRES_OF[kind]), needs_page_cache=needs_page_cache)


WAYS = [kernel_way("read_write", "stream"), kernel_way("mmap_write", "stream"),
        kernel_way("sendfile", "stream", needs_page_cache=True), kernel_way("msg_zerocopy", "stream"),
        *(kernel_way(name, "datagram") for name in ("udp_read_send", "udp_sendmmsg", "udp_gso", "udp_zerocopy")),
        *(kernel_way(name, "frame") for name in ("packet_tx_ring", "xdp_copy")), *POLLERS]


def way(label: str) -> Way:
    """The way with this label."""
    return next(w for w in WAYS if w.label == label)


def bare_wire(kind: str) -> Wire:
    """A wire of this network namespace, which nothing was made for."""
    return Wire(kind, kind, 1500, source="127.0.0.1", sink="127.0.0.1", source_mac="", sink_mac="")


def program() -> str:
    """The newest program that was built."""
    built = sorted(TOP.glob("build/*/app/pagewire"), key=lambda p: p.stat().st_mtime)
    if not built:
        pytest.skip("needs a build: ninja -C build/tests")
    return str(built[-1])
