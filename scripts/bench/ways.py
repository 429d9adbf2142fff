# SPDX-License-Identifier: BSD-3-Clause
"""The ways that the bench compares, the wires on which each runs, and how many copies each should make."""
from __future__ import annotations

import functools
import json
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from bench.model import BenchError, Expected

ASK_SECONDS = 20


@dataclass(frozen=True)
class Named:
    """What --ways names: a way to send or to receive, of the kernel (lib/kernel has it) or by a poll-mode driver."""
    name: str                 # "udp_gso", "dpdk_vhost": what --ways takes
    label: str                # "udp_gso", "dpdk_vhost/stage": what tables say
    summary: str
    kind: str                 # "stream", "datagram", "frame", "poller"
    wires: frozenset[str]     # where it can run

    @property
    def stream(self) -> bool:
        """Over TCP: packets are the kernel's, and the sender waits for the receiver."""
        return self.kind == "stream"

    @property
    def bypass(self) -> bool:
        """By a poll-mode driver."""
        return self.kind == "poller"


@dataclass(frozen=True)
class Way(Named):
    """A way to send."""
    needs_page_cache: bool = False  # it refuses a file on hugetlbfs
    tls: bool = False         # the receiver has to decrypt
    provider: str = ""        # poller: where its pages come from, "hugefile", "pagecache", "stage"
    port: str = ""            # poller: PORT of the sender, "vhost:{socket}"
    sink_port: str = ""       # poller: PORT of the receiver, where that is DPDK's
    takes_device: bool = False  # poller on a NIC's PCI function, which the kernel's driver gives away
    unseen_copy: str = ""       # why no probe sees all copies of the payload


INLINED = "the driver's rte_memcpy is inlined: no probe sees it"
UNSEEN = {  # ways of the kernel
    "ktls_sendfile": "the cipher reads the pages and writes ciphertext to others: no probe sees it",
    "xdp_sg": "the kernel copies what follows the header by a plain memcpy: no probe sees it",
}

WIRES_OF = {
    "stream": ("loopback", "veth", "veth_big"),
    "datagram": ("loopback", "sink", "veth", "tap", "nic"),
    "frame": ("sink", "veth", "tap", "nic"),
}


def _poller(name: str, provider: str, port: str, wires: Iterable[str], summary: str,
            **more: str | bool) -> Way:
    return Way(name, f"{name}/{provider}", summary, "poller", frozenset(wires), provider=provider, port=port,
               **more)  # type: ignore[arg-type]


POLLERS = (
    _poller("dpdk_null", "hugefile", "null", ["null"],
            "net_null drops every mbuf: what pagewire itself costs"),
    _poller("dpdk_null", "pagecache", "null", ["null"], "the same, with pages of the page cache"),
    _poller("dpdk_null", "stage", "null", ["null"], "the same, with the file staged in EAL memory"),
    _poller("dpdk_vhost", "hugefile", "vhost:{socket}", ["vhost"],
            "net_vhost copies from the file's pages into the peer's ring",
            sink_port="virtio-user:{socket}", unseen_copy=INLINED),
    _poller("dpdk_vhost", "pagecache", "vhost:{socket}", ["vhost"], "the same, with pages of the page cache",
            sink_port="virtio-user:{socket}", unseen_copy=INLINED),
    _poller("dpdk_virtio_user", "stage", "virtio-user:{socket}", ["vhost"],
            "net_virtio_user lends EAL pages; the peer copies, as a device would",
            sink_port="vhost:{socket}"),
    _poller("dpdk_af_packet", "hugefile", "af_packet:{source_if}", ["sink", "veth", "nic"],
            "net_af_packet copies into PACKET_TX_RING, send() a burst", unseen_copy=INLINED),
    _poller("dpdk_af_xdp", "hugefile", "af_xdp:{source_if}", ["veth", "nic"],
            "net_af_xdp: one linear mbuf a packet into the UMEM, sendto() a burst"),
    _poller("dpdk_pci", "hugefile", "{pci}", ["nic"],
            "the NIC's poll-mode driver on vfio-pci: DMA from the file's pages (--rebind)",
            takes_device=True),
    _poller("dpdk_pci", "stage", "{pci}", ["nic"], "the same, with the file staged in EAL memory",
            takes_device=True),
)


@functools.cache
def ask(pagewire: str, what: str) -> dict[str, Any]:
    """What `pagewire cell ways` or `pagewire cell version` prints; it is asked once."""
    try:
        text = subprocess.run([pagewire, "cell", what], stdin=subprocess.DEVNULL, capture_output=True,
                              timeout=ASK_SECONDS, check=True).stdout
        answer = json.loads(text)
    except (OSError, subprocess.SubprocessError, ValueError) as e:
        raise BenchError(f"cannot ask `{pagewire} cell {what}`: {e}; install pagewire again") from None
    return dict(answer)


def read_ways(pagewire: str) -> list[Way]:
    """The kernel's ways, as `pagewire cell ways` names them, and the pollers."""
    found = ask(pagewire, "ways")["ways"]
    kernel = [Way(w["name"], w["name"], w["summary"], w["kind"], frozenset(WIRES_OF[w["kind"]]),
                  needs_page_cache=w["needs_page_cache"], tls=w["tls"],
                  unseen_copy=UNSEEN.get(w["name"], "")) for w in found]
    return [*kernel, *POLLERS]


NO_NIC = frozenset({"loopback", "veth", "veth_big"})
LINEARIZES = frozenset({"loopback", "veth", "tap"})
LOOPED = "pinned pages, but looped back: skb_copy_ubufs, COPIED"

# CPU copies per payload byte on the sender's side with the page cache warm, and the device's. The first line
# that fits stands; None: every wire. Derivations: docs/bench-method.md, "What each way should cost".
EXPECTATIONS: tuple[tuple[str, frozenset[str] | None, int, int, str], ...] = (
    ("read_write", None, 2, 1, "filemap_read -> _copy_to_iter; tcp_sendmsg -> _copy_from_iter"),
    ("mmap_write", None, 1, 1, "tcp_sendmsg -> _copy_from_iter from the mapping"),
    ("sendfile", None, 0, 1, "page references: splice to the socket's fragments"),
    ("splice", None, 0, 1, "page references through a pipe"),
    ("uring_splice", None, 0, 1, "page references through a pipe, by a worker of the ring"),
    ("ktls_sendfile", None, 1, 1, "the cipher writes ciphertext to new pages; no probe sees it"),
    ("msg_zerocopy", NO_NIC, 1, 0, LOOPED),
    ("msg_zerocopy", None, 0, 1, "pinned pages"),
    ("uring_send_zc", NO_NIC, 1, 0, "registered pages, but looped back: skb_copy_ubufs, COPIED"),
    ("uring_send_zc", None, 0, 1, "registered pages"),
    ("uring_send", None, 1, 1, "tcp_sendmsg -> _copy_from_iter, asked for through the ring"),
    ("udp_read_send", None, 2, 1, "filemap_read -> _copy_to_iter; ip_generic_getfrag"),
    ("udp_mmap_sendmsg udp_sendmmsg", None, 1, 1, "ip_generic_getfrag -> _copy_from_iter"),
    ("udp_gso", None, 1, 1, "ip_generic_getfrag once a super-packet; segments share fragments"),
    ("udp_zerocopy uring_udp_zc", LINEARIZES, 1, 0, LOOPED),
    ("udp_zerocopy uring_udp_zc", None, 0, 1, "pinned pages"),
    ("uring_sendmsg_zc", LINEARIZES, 1, 0, "registered pages, but looped back: skb_copy_ubufs, COPIED"),
    ("uring_sendmsg_zc", None, 0, 1, "registered pages"),
    ("packet_send", None, 1, 1, "packet_snd -> skb_copy_datagram_from_iter"),
    ("packet_tx_ring", LINEARIZES, 2, 0,
     "our memcpy into the ring; skb_copy_ubufs where the frame is looped back"),
    ("packet_tx_ring", None, 1, 1, "our memcpy into the ring; the kernel sends the ring's pages"),
    ("xdp_copy", None, 2, 1, "our memcpy into the UMEM; xsk_build_skb -> skb_store_bits"),
    ("xdp_copy_csum", None, 2, 1, "as xdp_copy; the device or the stack computes the checksum"),
    ("xdp_sg", None, 1, 1,
     "xsk_build_skb: a plain memcpy of each piece, which no probe sees; none by virtio_net"),
    ("xdp_zerocopy", None, 1, 1, "our memcpy into the UMEM"),
    ("xdp_sg_zerocopy", None, 0, 1, "the NIC's DMA reads the file's pages"),
    ("dpdk_null", None, 0, 0, "mbufs are the file's pages, which are not read"),
    ("dpdk_vhost", None, 1, 0, "rte_vhost's rte_memcpy, in place of a NIC's DMA; no probe sees it"),
    ("dpdk_virtio_user", None, 0, 0, "the peer copies, in place of a NIC's DMA"),
    ("dpdk_af_packet", LINEARIZES, 2, 0,
     "the driver's rte_memcpy into the ring; skb_copy_ubufs where the frame is looped back"),
    ("dpdk_af_packet", None, 1, 1, "the driver's rte_memcpy into the ring; no probe sees it"),
    ("dpdk_pci", None, 0, 1, "the NIC's DMA reads the file's pages"),
    ("dpdk_af_xdp", None, 2, 1, "one linear mbuf a packet; xsk_build_skb -> skb_store_bits"),
)


def expect(way: Way, wire: str, cold: bool) -> Expected:
    """What the kernel's source, or the driver's, says that the way costs on this kind of wire."""
    for names, wires, cpu, dma, reason in EXPECTATIONS:
        if way.name not in names.split() or (wires is not None and wire not in wires):
            continue
        # wires of a bench without a NIC have no DMA; a cold file comes by the disk's
        dma = (dma if wire == "nic" else 0) + cold
        if way.provider == "stage" and not cold:
            cpu += 1
            reason = "read into EAL memory from tmpfs, which has no O_DIRECT; none after"
        return Expected(float(cpu), float(dma), reason)
    return Expected()


def split_item(item: str) -> tuple[str, str | None]:
    """A word of --ways: NAME or LABEL, and the wire of NAME@WIRE."""
    name, _, wire = item.partition("@")
    return name, wire or None


def is_chosen(way: Named, wire: str, items: Iterable[str]) -> bool:
    """Whether one of --ways's words means this way on this kind of wire; no words: every way."""
    words = [split_item(item) for item in items]
    return not words or any(name in (way.name, way.label) and only in (None, wire) for name, only in words)
