# SPDX-License-Identifier: BSD-3-Clause
"""The virtual wire that profiles measure: a sender into a sink that only takes packets.

    send, file on hugetlbfs -> net_vhost === net_virtio_user -> testpmd rxonly
    source_cpu: its threads, all of them     sink_cpu: one core, which polls all queues
"""
from bench.contest import Lab
from bench.store import Store

EAL_BYTES = 640 << 20  # huge pages for both programs
LIMIT = 30.0


def measure(lab: Lab, store: Store, symbol: int, queues: int = 1, loops: int = 1) -> float:
    """Gbit/s of file bytes, by the sender's own clock: from the first byte handed over to the last one taken. What
    it handed over has been copied then; a full ring holds it back."""
    jumbo = symbol > 1500
    file = lab.huge(store)
    socket = lab.temporary(f"{store.dir}/wire.sock")
    source = lab.start(
        [lab.pagewire, "send", file, "--port", f"vhost:{socket}", "--to", "239.77.0.1", "--symbol", symbol, "--mtu",
         9000 if jumbo else 1500, "--core", lab.source_cpu, "--queues", queues, "--loop", loops, "--digest", "none",
         "--lead", "200ms", "--json", "--quiet"], limit=LIMIT)
    source.until_exists(socket)
    # its main core only waits for commands
    sink = lab.start(
        ["dpdk-testpmd", "--no-pci", "--in-memory", "-m", 256, "--single-file-segments", "--no-telemetry", "--lcores",
         f"0@{lab.source_cpu},1@{lab.sink_cpu}", "--vdev",
         f"net_virtio_user0,path={socket},queues={queues},queue_size=1024", "--", "-i", "--forward-mode=rxonly",
         "--total-num-mbufs=8192", f"--rxq={queues}", f"--txq={queues}", f"--mbuf-size={10240 if jumbo else 2176}",
         f"--max-pkt-len={9018 if jumbo else 1518}"], limit=LIMIT)
    sink.until("testpmd>")
    sink.say("start\n")
    sink.until("TX offloads=")
    return source.wait().number("goodput_bps") / 1e9
