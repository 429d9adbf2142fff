# SPDX-License-Identifier: BSD-3-Clause
"""The ways to receive that the bench compares: where each runs, which sender it gets, and how many copies it should
make. Derivations: docs/bench-method.md, "Ways to receive"."""
from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from bench import wires
from bench.model import BenchError, Options
from bench.ways import INLINED, Named, ask, is_chosen, split_item
from bench.wires import Wire


@dataclass(frozen=True)
class Receiver(Named):
    """A way to receive."""
    sender: str            # the label of the way that every receiver of the kind gets on the wire
    port: str = ""         # poller: PORT
    hides_address: bool = False  # the kernel would answer the packets that a port reads beside it
    why: str | None = None       # why no host that the bench knows can measure it

    @property
    def copies(self) -> float | None:
        """By a CPU, per payload byte, into memory."""
        return next((n for name, n, _, _ in COPIES if name == self.label), None)

    @property
    def reason(self) -> str:
        """Why so many."""
        return next((reason for name, _, reason, _ in COPIES if name == self.label), "not derived")

    @property
    def unseen(self) -> str | None:
        """Why BPF in the receiver's process cannot count them."""
        return next((why for name, _, _, why in COPIES if name == self.label), None)

    def sender_on(self, huge: bool) -> str:
        """Its sender's label; hugetlbfs is not on every host."""
        return self.sender if huge else self.sender.replace("/hugefile", "/pagecache")


SENDERS = {"stream": "sendfile", "datagram": "udp_gso", "frame": "udp_gso"}
WIRES_OF = {"stream": ("loopback", "veth"), "datagram": ("loopback", "veth"), "frame": ("veth",)}
SOFTIRQ = "the kernel copies in the softirq that brings the frame, which runs on the sender's CPU here"
OURS = "pw_recv places the symbol"

# label, copies, why, why BPF does not see all of them
COPIES: tuple[tuple[str, float, str, str | None], ...] = (
    ("tcp", 1, "tcp_recvmsg -> skb_copy_datagram_msg -> _copy_to_iter", None),
    ("tcp/lent", 1, "tcp_recvmsg -> skb_copy_datagram_msg -> _copy_to_iter", None),
    ("tcp_zerocopy", 1, "can_map_frag() refuses pages of a file: recv() copies all", None),
    ("tcp_zerocopy/lent", 0, "whole pages are mapped; recv() copies the rest of each segment", None),
    *((name, 2.0, f"udp_recvmsg -> skb_copy_datagram_msg -> _copy_to_iter; {OURS}", None)
      for name in ("recv", "recvmmsg", "udp_gro", "udp", "uring_recv", "uring_recv_gro")),
    ("packet_rx_ring", 2, f"tpacket_rcv -> skb_copy_bits into the ring; {OURS}", SOFTIRQ),
    ("xdp_rx", 3, f"veth_convert_skb_to_xdp_buff; __xsk_rcv -> memcpy into the UMEM; {OURS}", SOFTIRQ),
    ("xdp_rx_zerocopy", 1, f"the NIC's DMA into the UMEM; {OURS}", SOFTIRQ),
    ("dpdk_af_packet", 3, f"tpacket_rcv -> skb_copy_bits; eth_af_packet_rx -> memcpy into an mbuf; {OURS}", SOFTIRQ),
    ("dpdk_af_xdp", 3, f"veth_convert_skb_to_xdp_buff; __xsk_rcv -> memcpy into the UMEM; {OURS}", SOFTIRQ),
    ("dpdk_tap", 2, f"tun_do_read -> skb_copy_datagram_iter into mbufs; {OURS}", None),
    ("dpdk_virtio_user", 1, f"the peer has written into our mbufs; {OURS}", INLINED),
    ("dpdk_vhost", 2, f"rte_vhost_dequeue_burst -> rte_memcpy; {OURS}", INLINED),
)


def _port(name: str, port: str, wire: str, sender: str, summary: str, hides_address: bool = False) -> Receiver:
    return Receiver(name, name, summary, "poller", frozenset([wire]), sender, port, hides_address)


PORTS = (
    _port("dpdk_af_packet", "af_packet:{sink_if}", "veth", "packet_tx_ring",
          "net_af_packet: copies out of PACKET_RX_RING, polled", hides_address=True),
    _port("dpdk_af_xdp", "af_xdp:{sink_if}", "veth", "packet_tx_ring",
          "net_af_xdp: mbufs in the UMEM, polled"),
    _port("dpdk_tap", "tap:{sink_if}", "tap", "udp_gso", "net_tap: readv() a packet, polled"),
    _port("dpdk_virtio_user", "virtio-user:{socket}", "vhost", "dpdk_vhost/hugefile",
          "net_virtio_user: mbufs that the peer has filled"),
    _port("dpdk_vhost", "vhost:{socket}", "vhost", "dpdk_virtio_user/stage",
          "net_vhost: copies out of the peer's buffers"),
)
HARDWARE = (
    Receiver("uring_zcrx", "uring_zcrx", "io_uring zero-copy receive: the NIC writes into registered memory",
             "stream", frozenset(["veth"]), "sendfile", why="not measured: it needs a NIC that splits headers and "
             "steers a flow to a queue of its own (Linux 6.15: bnxt, mlx5), and such a link"),
    Receiver("devmem_tcp", "devmem_tcp", "TCP into a dma-buf of a device", "stream", frozenset(["veth"]), "sendfile",
             why="not measured: it needs a NIC that splits headers, flow steering, and a device that exports a dma-buf "
             "(Linux 6.12)"),
)


@contextlib.contextmanager
def without_address(r: Receiver, w: Wire) -> Iterator[None]:
    """The kernel without its address drops what a port reads beside it, and tells the sender nothing."""
    if not r.hides_address:
        yield
        return
    wires.ip(w.sink_ns, f"addr del {w.sink}/24 dev {w.sink_if}")
    try:
        yield
    finally:
        wires.ip(w.sink_ns, f"addr add {w.sink}/24 dev {w.sink_if}")


def read_receivers(pagewire: str) -> list[Receiver]:
    """The kernel's, as `pagewire cell ways` names them, streams from two senders; the ports; what needs hardware."""
    found = ask(pagewire, "ways")["receivers"]
    kernel = [Receiver(r["name"], r["name"], r["summary"], r["kind"], frozenset(WIRES_OF[r["kind"]]),
                       SENDERS[r["kind"]]) for r in found]
    lent = [Receiver(r.name, f"{r.name}/lent", "the same, from a sender that lends its pages (MSG_ZEROCOPY)", r.kind,
                     r.wires, "msg_zerocopy") for r in kernel if r.stream]
    return [r for k in kernel for r in (k, *(x for x in lent if x.name == k.name))] + [*PORTS, *HARDWARE]


def check(receivers: Iterable[Receiver], o: Options) -> None:
    """Every name in --ways, --wires and --into must be one, and something must be left."""
    receivers = list(receivers)
    names = {name for r in receivers for name in (r.name, r.label)}
    for item in o.ways:
        name, wire = split_item(item)
        if name not in names or wire not in (None, *wires.KINDS):
            raise BenchError(f"cannot use --ways {item}: there is no such way to receive; `pagewire bench --receive "
                             "--list` names them", 2)
    for into in o.into:
        if into not in ("memory", "cache", "direct"):
            raise BenchError(f"cannot use --into {into}: use memory, cache or direct", 2)
    if o.wires and not any(kind in r.wires and is_chosen(r, kind, o.ways)
                           for r in receivers for kind in map(wires.kind_of, o.wires)):
        raise BenchError(f"cannot use --wires {','.join(o.wires)}: no way to receive that was asked for runs there", 2)
