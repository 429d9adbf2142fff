# SPDX-License-Identifier: BSD-3-Clause
"""The bench on one NIC: the kernel's ways, then the bypass on the same device, given back after each run.

    guest                                                    host
    lab0, virtio_net       --+
                             +-- 0000:00:10.0 -- QEMU -- vhost-user: dpdk-testpmd counts
    net_virtio on vfio-pci --+

The bench must report exactly as many packets as testpmd received. IPv6 is off and the neighbour entry is
permanent, so the kernel sends no packets of its own.
"""
import json

from guest import Guest
from harness import check, equal, long
from test_testpmd import Testpmd

LIMIT = 600  # seconds; each run of the bypass takes and gives back the NIC
WAYS = ["udp_sendmmsg", "udp_gso", "packet_tx_ring", "dpdk_pci/hugefile"]

# Sets up the interface; each test appends its own commands.
SETUP = r"""
modprobe vfio-pci || exit 77
dev=/sys/bus/pci/devices/0000:00:10.0
ip link set eth0 name lab0 mtu 1480
echo 1 >/proc/sys/net/ipv6/conf/lab0/disable_ipv6
ip addr add 10.9.0.1/24 dev lab0
ip addr add 10.9.5.1/28 dev lab0 label lab0:x
ip link set lab0 up
ip neigh add 10.9.0.2 lladdr 02:00:00:00:00:02 nud permanent dev lab0
ip route add 10.77.0.0/16 via 10.9.0.2 dev lab0 metric 7 src 10.9.5.1
ip route add 10.78.0.0/16 dev lab0 table 42
until ip link show lab0 | grep -q 'LOWER_UP.*state UP' && ! ip link show lab0 | grep -q noop; do sleep 0.1; done
state() {
    printf '{"driver": "%s", "override": "%s", "link": ' $(basename $(readlink $dev/driver)) $(cat $dev/driver_override)
    ip -j -d addr show dev lab0; echo ', "routes": '; ip -j route show table all dev lab0
    echo ', "neighbours": '; ip -j neigh show dev lab0; echo '}'
}
args="--wires nic:lab0 --to 10.9.0.2 --mtu 1480 --sizes 1MiB --json --no-evidence"
bench() { pagewire bench $args --stretch 1ms "$@"; }
bypass="--ways dpdk_pci/hugefile --rounds 1 --rebind"
sends() { until pgrep -P $! -f 'cell source' >/dev/null; do sleep 0.1; done; }
"""


def documents(text):
    """The JSON documents that a guest printed, in order."""
    decoder, found = json.JSONDecoder(), []
    text = text.lstrip()
    while text:
        value, end = decoder.raw_decode(text)
        found.append(value)
        text = text[end:].lstrip()
    return found


def same_state(before, after):
    def comparable(state):
        state = json.loads(json.dumps(state))
        del state["link"][0]["ifindex"]
        return state
    equal(comparable(after), comparable(before), "the interface after it was given back")
    equal(before["driver"], "virtio-pci", "driver")


def run(t, sock, script):
    p = Guest(t, "bash", "-c", SETUP + script, limit=LIMIT, options=(
        "--cpus", "2", "--net", f"vhost-user:{sock}", "--hugepages", "300")).result()
    check(p.code in (0, 3), f"exit code {p.code}, wanted 0:\n{p.describe()}")
    found = documents(p.out)
    why = [f"{row['label']}, round {s['round']}: {s['void']}" for result in found if isinstance(result, dict)
           for row in result.get("rows", []) for s in row["samples"] if s["void"]]
    check(p.code == 0, f"exit code {p.code}, wanted 0: {'; '.join(why) or 'no sample is void'}\n{p.describe()}")
    return found, p


def left(result):
    """Packets that left the NIC: counted by the device for the kernel's ways, by the driver for the bypass.
    The kernel's queue may have dropped packets before (fq_codel does after 5 ms of waiting)."""
    return sum(sample["packets_sent"] if row["bypass"] else sample["packets_counted"]
               for row in result["rows"] for sample in row["samples"])


def sink(t):
    sock = t.path("w.sock")
    return sock, Testpmd(t, f"net_vhost0,iface={sock},iommu-support=1", "rxonly")


def test_kernel_and_bypass_send_by_the_same_nic_and_the_sink_counts_both(t):
    sock, testpmd = sink(t)
    with testpmd as peer:
        peer.start()
        (before, result, after), p = run(t, sock, f"""
state
bench --rebind --ways {','.join(WAYS)} --rounds 1 || exit
state
sleep 1
echo -n x >/dev/udp/10.9.0.2/9
sleep 1
""")
        counted = peer.rx_packets()
    same_state(before, after)
    equal({row["label"] for row in result["rows"]}, set(WAYS), "ways")
    for row in result["rows"]:
        where = row["label"]
        check(row["skipped"] is None, f"{where}: {row['skipped']}")
        check([s for s in row["samples"] if s["round"] == 1], f"{where}: no samples")
        for sample in row["samples"]:
            equal(sample["proof"], "none" if row["bypass"] else "counted", f"{where}: proof")
            check(sample["packets_sent"] > 728, f"{where}: {sample['packets_sent']} packets")
        check(row["summary"]["goodput_bps"]["median"] > 0, f"{where}: no goodput")
    equal(result["env"]["hypervisor"], "TCGTCGTCGTCG", "hypervisor")
    samples = [(row["label"], sample["round"], sample["packets_sent"], sample["packets_counted"])
               for row in result["rows"] for sample in row["samples"]]
    equal(counted, left(result) + 1, f"testpmd's packets, bench's and one datagram's; {samples}\n"
          f"{p.err}\n{peer.p.out[-1500:]}")


def test_a_nic_that_could_not_be_given_back_is_not_taken(t):
    sock, testpmd = sink(t)
    with testpmd:
        (before, *results, after), _ = run(t, sock, """
state
bench --ways dpdk_pci/hugefile
ip route add default via 10.9.0.2 dev lab0
bench $bypass
ip route del default
ip link add link lab0 name lab0.5 type vlan id 5
bench $bypass
ip link del lab0.5
rmmod vfio-pci
bench $bypass
state
""")
    same_state(before, after)
    reasons = [row["skipped"] for result in results for row in result["rows"]]
    equal(len(reasons), 4, "rows")
    for reason, words in zip(reasons, ("--rebind", "default route", "lab0.5 stands on lab0",
                                       "modprobe vfio-pci")):
        check(words in (reason or ""), f"no {words!r} in {reason!r}")


def after_trouble(t, commands):
    """What the commands print between two looks at the interface, which must be as it was."""
    sock, testpmd = sink(t)
    with testpmd as peer:
        peer.start()
        (before, *printed, after), _ = run(t, sock, f"state\n{commands}\nstate\n")
    same_state(before, after)
    return printed


@long
def test_an_interrupted_bench_gives_the_nic_back(t):
    interrupted, code = after_trouble(t, """
pagewire bench $args $bypass --stretch 30s &
sends; sleep 1
kill -INT $!
wait $!; echo $?
""")
    equal(code, 3, "exit code")
    equal(interrupted["rows"][0]["skipped"], None, "interrupted row")


@long
def test_a_bench_whose_source_dies_gives_the_nic_back(t):
    bereft, code = after_trouble(t, """
pagewire bench $args $bypass --stretch 1ms &
sends; sleep 0.5
pkill -KILL -P $!
wait $!; echo $?
""")
    equal(code, 3, "exit code")
    void = [sample["void"] for sample in bereft["rows"][0]["samples"]]
    check(len(void) == 2 and "died" in (void[0] or "") and not void[1], f"samples: {void}")


@long
def test_doctor_gives_back_the_nic_of_a_bench_that_was_killed(t):
    taken, lost = after_trouble(t, """
pagewire bench $args $bypass --stretch 30s >/dev/null &
sends; sleep 1
kill -KILL $!
wait $!
printf '"%s"\\n' "$(basename "$(readlink $dev/driver)")"
bench $bypass
for i in $(seq 20); do pagewire doctor --undo >&2 && break; sleep 1; done
""")
    equal(taken, "vfio-pci", "driver after the bench was killed")
    check("doctor --undo" in lost["rows"][0]["skipped"], f"the next bench says {lost['rows'][0]['skipped']}")
