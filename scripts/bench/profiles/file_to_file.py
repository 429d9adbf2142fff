# SPDX-License-Identifier: BSD-3-Clause
"""Two processes on two cores transfer a file on hugetlbfs to a verified file on hugetlbfs; compared with the fastest
ways of the kernel between two processes on the same machine.

    pagewire  send --port vhost:    === unix socket ===  recv --port virtio-user:, digest compared
    kernel    a way of the bench    === loopback, MTU ==  into touched memory
    iperf3    client, no file       === loopback ======  server, thrown away
"""
from bench.contest import Lab, profile
from bench.profiles import _iperf3
from bench.programs import wait_all
from bench.store import Store
from bench.wires import Wire

FILE_BYTES = 1 << 30
EAL_BYTES = 192 << 20
UDP_TIMES = 15.0  # asked for
TCP_TIMES = 2.0

# MTU, bytes a packet; the kernel's ways, and how many times as fast pagewire is asked to be
PLANS: list[tuple[int, int, dict[str, float | None]]] = [
    (1500, 1448, {"udp_read_send": UDP_TIMES, "udp_gso": None, "sendfile": None}),
    (9000, 8948, {"udp_read_send": UDP_TIMES, "udp_gso": None, "sendfile": TCP_TIMES, "read_write": TCP_TIMES}),
]


def pagewire(lab: Lab, store: Store, mtu: int) -> float:
    """The receiver's clock, from the first file byte until the digest was compared and the file has its name. Exit
    code 0 says that the digest was right."""
    file = lab.huge(store)
    socket = lab.temporary(f"{store.dir}/file.sock")
    to = lab.start([lab.pagewire, "recv", "--port", f"virtio-user:{socket}", "--core", lab.sink_cpu, "--mtu", mtu,
                    "--out", lab.directory(f"{store.dir}/huge"), "--force", "--json", "--quiet"])
    of = lab.start([lab.pagewire, "send", file, "--port", f"vhost:{socket}", "--to", "239.77.0.1", "--core",
                    lab.source_cpu, "--mtu", mtu, "--lead", "1s", "--json", "--quiet"])
    received, _ = wait_all(to, of)
    return FILE_BYTES * 8e-9 / received.number("verified_seconds")


def kernel(lab: Lab, way: str, wire: Wire, store: Store) -> float:
    return (lab.send(way, wire, store).values["goodput_bps"] or float("nan")) / 1e9


@profile("file-to-file", "file to verified file on two cores against UDP and TCP of the kernel", rounds=7)
def file_to_file(lab: Lab) -> None:
    store = lab.store(FILE_BYTES, eal_bytes=EAL_BYTES + FILE_BYTES)
    for mtu, symbol, ways in PLANS:
        wire = lab.wire("loopback", mtu)
        contest = lab.contest(
            f"1 GiB, file to verified file, MTU {mtu}: {symbol} bytes a packet", "Gbit/s",
            note="pagewire: until the digest is compared and the file has its name. The kernel's ways: until the last "
                 "byte is in touched memory; iperf3 reads no file and keeps none. On every side the target's pages "
                 "are allocated before the first byte.")
        ours = contest.contender("pagewire", pagewire, lab, store, mtu, how="bytes * 8 / verified_seconds")
        for way, times in ways.items():
            contest.target(ours, contest.contender(way, kernel, lab, way, wire, store), at_least=times)
        if mtu == 1500:
            udp = contest.contender("iperf3 -u", _iperf3.udp, lab, symbol, 2, how="less what was lost")
            contest.target(ours, udp, at_least=UDP_TIMES)
        else:
            tcp = contest.contender("iperf3", _iperf3.tcp, lab, 2, how="loopback with the MTU that it has")
            contest.target(ours, tcp, at_least=TCP_TIMES)
