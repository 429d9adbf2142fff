# SPDX-License-Identifier: BSD-3-Clause
"""What doctor says of a NIC's driver, for every kind that QEMU has, is what docs/nics.md says."""
import json
import os
import re

from guest import Guest
from harness import HERE, check, equal

CONCURRENT = True  # the guests of these tests may run beside others (run.py of tests/net)

NICS = (("virtio", "net_virtio"), ("e1000", "net_e1000_em"), ("e1000e", "net_e1000_em"), ("vmxnet3", "net_vmxnet3"))
DOCUMENT = os.path.join(HERE, "../../docs/nics.md")
SCRIPT = "for n in 0 1 2 3; do pagewire doctor --port 0000:00:1$n.0 --json; echo; done"


def table():
    """The rows of docs/nics.md: driver -> (segments, mbufs, rate)."""
    with open(DOCUMENT, encoding="utf-8") as f:
        rows = [[cell.strip(" `") for cell in line.strip().strip("|").split("|")] for line in f
                if line.startswith("| `")]
    return {row[0]: (row[2], row[3], row[4]) for row in rows}


def examine(t, *options):
    p = Guest(t, "sh", "-c", SCRIPT, options=(
        *options, *[word for model, _ in NICS for word in ("--net", model)], "--hugepages", "100")).ends_with(0)
    decoder, text, found = json.JSONDecoder(), p.out.strip(), []
    while text:
        result, end = decoder.raw_decode(text)
        found.append({c["id"]: c for c in result["checks"]})
        text = text[end:].strip()
    equal(len(found), len(NICS), "documents")
    return found


def check_nics(found, iova):
    documented = table()
    for checks, (model, driver) in zip(found, NICS, strict=True):
        segments, mbufs, rate = documented[driver]
        said = checks["nic.segments"]
        equal(said["level"], "ok", f"{model}: {said['what']}")
        limit = re.search(r"chains(?: of up to (\d+) segments|, and names no limit)", said["what"])
        check(limit, said["what"])
        equal(limit[1] or "no limit named", segments, f"segments of {model}")
        check(said["what"].startswith(driver) and f"as {mbufs}, IOVA as {iova}" in said["what"], said["what"])
        equal(rate, "no", f"rate of {driver} in docs/nics.md")
        check("no limit of a queue" in checks["nic.rate"]["what"], checks["nic.rate"]["what"])
        check("UDP checksums" in checks["nic.offloads"]["what"], checks["nic.offloads"]["what"])


def test_drivers_behind_an_iommu_are_what_the_document_says(t):
    check_nics(examine(t, "--driver", "vfio-pci"), "VA")


def test_drivers_without_an_iommu_are_what_the_document_says(t):
    check_nics(examine(t, "--driver", "uio_pci_generic", "--no-iommu"), "PA")
