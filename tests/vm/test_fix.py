# SPDX-License-Identifier: BSD-3-Clause
"""`pagewire doctor --fix` on a guest's only NIC, and --undo: the interface, the driver and the pool of huge
pages are as before. scripts/host-setup makes the changes."""
import json

from guest import Guest
from harness import check, equal

CONCURRENT = True  # the guests of these tests may run beside others (run.py of tests/net)
SCRIPT = """
state() {
    basename "$(readlink /sys/bus/pci/devices/0000:00:10.0/driver)"
    cat /proc/sys/vm/nr_hugepages /sys/bus/pci/devices/0000:00:10.0/driver_override
    ip -4 -j addr show | tr -d '\\n'; echo
}
fix() { pagewire doctor /tmp/a.bin --port 0000:00:10.0 --fix "$@"; echo "code $?"; }
head -c 3000000 /dev/urandom >/tmp/a.bin
ip link set eth0 name lab0
ip addr add 10.9.0.1/24 dev lab0
ip link set lab0 mtu 1400 up
state >/tmp/before
fix
state | cmp /tmp/before - && echo "nothing was done"
fix --even-in-use 0000:00:10.0 --dry-run
state | cmp /tmp/before - && echo "nothing was done"
fix --even-in-use 0000:00:10.0 --json >/tmp/fix.json
basename "$(readlink /sys/bus/pci/devices/0000:00:10.0/driver)"
pagewire send /tmp/a.bin --pages stage --port 0000:00:10.0 --to 10.0.2.2:4001 --from 10.0.2.15 --rate 50Mbit/s >&2
echo "send $?"
pagewire doctor --undo; echo "code $?"
until [ -e /sys/class/net/lab0 ]; do sleep 0.1; done
state >/tmp/after
pagewire doctor --undo
cat /tmp/before /tmp/after
echo JSON; cat /tmp/fix.json
"""


def link(line):
    """The properties of lab0 that --undo restores. Its index and its queues are new."""
    found = [i for i in json.loads(line) if i["ifname"] == "lab0"]
    equal(len(found), 1, f"interfaces called lab0 in {line}")
    addresses = [(a["local"], a["prefixlen"]) for a in found[0]["addr_info"]]
    equal(addresses, [("10.9.0.1", 24)], "addresses")
    return {"mtu": found[0]["mtu"], "up": "UP" in found[0]["flags"], "addresses": addresses}


def test_a_nic_in_use_is_taken_when_its_address_is_repeated_and_comes_back(t):
    p = Guest(t, "bash", "-c", SCRIPT, options=("--net", "virtio")).ends_with(0)
    check("--even-in-use 0000:00:10.0" in p.err and "10.9.0.1/24" in p.err, p.describe())
    text, _, document = p.out.partition("JSON\n")
    equal(text.count("nothing was done"), 2, f"states that are as before in {text}")
    check("echo vfio-pci > /sys/bus/pci/devices/0000:00:10.0/driver_override" in text, text)
    check("vfio-pci\nsend 0\n" in text, p.describe())
    check("nothing to undo" in text, text)
    result = json.loads(document[:document.rindex("}") + 1])
    equal({step["state"] for step in result["steps"]}, {"done"}, "states of the steps")
    check({"hugepages.free", "nic.driver"} <= {step["check"] for step in result["steps"]}, document)
    lines = text.splitlines()[-8:]
    equal(lines[4:7], lines[:3], "driver, huge pages and override afterwards")
    equal(lines[0], "virtio-pci", "driver")
    equal(link(lines[7]), link(lines[3]), "the interface afterwards")
