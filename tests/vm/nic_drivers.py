# SPDX-License-Identifier: BSD-3-Clause
"""What doctor says of a NIC's driver, for every kind that QEMU has, is what docs/nics.md says."""
import json
import os
import re

from harness import HERE, check, equal

DOCUMENT = os.path.join(HERE, "../../docs/nics.md")


def table():
    """The rows of docs/nics.md: driver -> (segments, mbufs, rate)."""
    with open(DOCUMENT, encoding="utf-8") as f:
        rows = [[cell.strip(" `") for cell in line.strip().strip("|").split("|")] for line in f
                if line.startswith("| `")]
    return {row[0]: (row[2], row[3], row[4]) for row in rows}


def check_drivers(found, nics, iova):
    """found: what doctor printed of each of the nics, which are (model, driver)."""
    documented = table()
    for text, (model, driver) in zip(found, nics, strict=True):
        checks = {c["id"]: c for c in json.loads(text)["checks"]}
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
