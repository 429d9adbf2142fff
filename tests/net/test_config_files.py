# SPDX-License-Identifier: BSD-3-Clause
"""The configuration files of config/ that work on a host without their NICs."""
import os

from harness import check, equal, poll_until

CONFIG = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "config")


def configured(t, name, old, new):
    """Copies a shipped file with one word changed, as a user does."""
    with open(os.path.join(CONFIG, name), encoding="utf-8") as f:
        text = f.read()
    check(old in text, f"{name} has no {old!r} any more")
    path = t.path(name)
    with open(path, "w", encoding="utf-8") as f:
        f.write(text.replace(old, new))
    return path


def test_the_diode_configuration_sends_files_one_way(t):
    """The receiver's interface answers no ARP, so nothing comes back to the sender."""
    t.veth()
    t.tool("ip", "addr", "add", "192.0.2.1/24", "dev", "va0", ns="a")
    t.tool("ip", "addr", "add", "192.0.2.2/24", "dev", "va1", ns="b")
    t.tool("ip", "link", "set", "va1", "address", "02:00:00:00:00:02", ns="b")
    t.tool("ip", "link", "set", "va1", "arp", "off", ns="b")
    config = configured(t, "diode.ini", "af_packet:eth1", "af_packet:va0")
    files, out = [t.file("a.bin", 3000001), t.file("b.bin", 1)], t.mkdir("in")
    rx = t.recv("--config", config, "--out", out, ns="b")
    poll_until(lambda: "listening on" in rx.err or not rx.running, 20, "the receiver's socket")
    tx = t.send("--config", config, "--no-huge", *files, ns="a")
    tx.ends_with(0)
    rx.ends_with(0)
    for f in files:
        t.same(f, os.path.join(out, os.path.basename(f)))
    equal((tx.json["passes"], tx.json["digest"]), (3, "sha-256"), "passes, digest")
    check(tx.json["cpu_reads_per_byte"] >= 1.0, "the profile asks for software checksums")
    check(rx.json["files"][0]["digest"].startswith("sha-256:"), rx.json["files"][0])
