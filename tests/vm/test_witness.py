# SPDX-License-Identifier: BSD-3-Clause
"""Which pages of a file a CPU reads while it is sent: an independent witness for "no copies".

scripts/page-witness clears the accessed bits in the page table of a running `pagewire send` and counts those that
are set again. The bypass must leave all clear, and the same with a read or a copy put in must set all: a software
checksum reads each byte, net_af_packet and the vhost library copy with an inlined memcpy, which BPF cannot see.
"""
import json
import os
import re

from guest import Guest
from harness import check, equal, long

CONCURRENT = True
FILE_BYTES = 2 << 20
PASSES = 2  # at least, while the witness watches
UNITS = {"B": 1, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30}

# Watches a carousel. Prints the progress before and after, and what the witness says.
SCRIPT = r"""
witness=%(witness)s
head -c %(bytes)d /dev/urandom >/dev/shm/F
ip link set lo up
ip link add pwa type veth peer name pwb && ip link set pwa up && ip link set pwb up
watch() { # name, arguments of send
    name=$1; shift
    pagewire send /dev/shm/F --pages pagecache --digest none --loop 0 --progress \
        --rate 20Mbit/s --to 239.77.0.1 --from 10.9.0.1 --to-mac 01:00:5e:4d:00:01 "$@" >/tmp/log 2>&1 &
    pid=$!
    n=0
    until grep -q "sending .*iB" /tmp/log || [ $n -gt 600 ]; do sleep 0.1; n=$((n + 1)); done
    sleep 1.5 # one more line of progress
    first=$(grep -o "sending [0-9.]* [KMGi]*B" /tmp/log | tail -1)
    said=$(python3 "$witness" --seconds 5 $pid /dev/shm/F)
    last=$(grep -o "sending [0-9.]* [KMGi]*B" /tmp/log | tail -1)
    echo "{\"name\": \"$name\", \"first\": \"$first\", \"last\": \"$last\", \"said\": ${said:-null}}"
    kill -INT $pid
    wait $pid || cat /tmp/log
}
"""


def amount(text):
    """The bytes of a line of progress."""
    number, unit = re.fullmatch(r"sending ([0-9.]+) (\w+)", text).groups()
    return float(number) * UNITS[unit]


def witness(t, script, options=()):
    script_path = os.path.realpath(os.path.join(os.path.dirname(__file__), "../../scripts/page-witness"))
    head = SCRIPT % {"witness": script_path, "bytes": FILE_BYTES}
    p = Guest(t, "bash", "-c", head + script, options=options).ends_with(0)
    found = {}
    for line in p.out.splitlines():
        if line.startswith("{"):
            row = json.loads(line)
            found[row["name"]] = row
    for name, row in found.items():
        check(row["said"], f"{name}: the witness could not watch: {p.describe()}")
        sent = amount(row["last"]) - amount(row["first"])
        check(sent >= PASSES * FILE_BYTES, f"{name}: only {sent} bytes were sent meanwhile")
        equal(row["said"]["pages"], FILE_BYTES // 4096, f"{name}: pages of the file that are mapped")
    return {name: row["said"]["touched"] for name, row in found.items()}


def test_the_bypass_reads_no_page_of_the_file_and_a_copy_reads_all(t):
    touched = witness(t, """
        watch bypass --port null --no-huge
        watch checksum --port null --no-huge --udp-checksum software
        watch copy --port af_packet:pwa --no-huge
    """)
    equal(touched, {"bypass": 0, "checksum": FILE_BYTES // 4096, "copy": FILE_BYTES // 4096},
          "pages that a CPU has read")


@long
def test_a_nic_on_vfio_reads_the_pages_and_no_cpu_does(t):
    touched = witness(t, """
        watch dma --port 0000:00:10.0
        watch checksum --port 0000:00:10.0 --udp-checksum software
    """, options=("--net", "e1000:hub", "--driver", "vfio-pci", "--hugepages", "64"))
    equal(touched, {"dma": 0, "checksum": FILE_BYTES // 4096}, "pages that a CPU has read")
