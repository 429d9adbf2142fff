# SPDX-License-Identifier: BSD-3-Clause
"""A port on the second of two NUMA nodes: pagewire uses near memory, and warns of what is far."""
from guest import Guest
from harness import check, long

LIMIT = 300

IN_GUEST = """
port=0000:00:10.0
echo 1 >/sys/bus/pci/devices/$port/numa_node || exit
send() { # exit code, arguments
	code=$1; shift
	echo "==" >&2
	pagewire send --port $port --to 239.77.0.1 --wait 60s "$@" >/dev/null
	[ $? = $code ] || exit
}
for node in 0 1; do
	mkdir /dev/hugepages/$node
	taskset -c $node pagewire stage "$1" --to /dev/hugepages/$node >/dev/null || exit
done
send 0 /dev/hugepages/1/*
send 0 --core 0 /dev/hugepages/0/*
rm /dev/hugepages/1/*
echo 0 >/sys/devices/system/node/node1/hugepages/hugepages-2048kB/nr_hugepages
send 0 --core 0 /dev/hugepages/0/*
send 77 /dev/hugepages/0/*
"""


@long
def test_near_memory_is_chosen_and_far_memory_is_warned_of(t):
    p = Guest(t, "sh", "-c", IN_GUEST, "sh", t.file("a.bin", 3 << 20), limit=LIMIT,
              options=("--cpus", "2", "--nodes", "2", "--hugepages", "160", "--net", "e1000:hub", "--driver",
                       "vfio-pci")).ends_with(0)
    _, near, far, memory, none = p.err.split("==\n")
    check("interconnect" not in near, near)
    check("the CPUs that poll it (0) are not" in far and "--core CPUs of 1" in far, far)
    check("pages looked at of a file are not" in far, far)
    check("EAL's memory" not in far, far)
    check("pages of EAL's memory looked at are not" in memory, memory)
    check("CPUs that poll" in memory and "of a file" in memory, memory)
    check("node 1 has no huge page free" in none and "--core" in none, none)
