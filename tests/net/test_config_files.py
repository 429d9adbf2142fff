# SPDX-License-Identifier: BSD-3-Clause
"""The profiles of config/ at work, where a host without their NICs can do it."""
import os

from harness import check, equal, poll_until

CONFIG = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "config")


def profile(t, name, old, new):
    """The shipped profile with one word changed: its user does that too."""
    with open(os.path.join(CONFIG, name), encoding="utf-8") as f:
        text = f.read()
    check(old in text, f"{name} has no {old!r} any more")
    path = t.path(name)
    with open(path, "w", encoding="utf-8") as f:
        f.write(text.replace(old, new))
    return path


def test_the_diode_profile_carries_files_one_way(t):
    """What the receiver's side may send is dropped on the wire: nothing comes back."""
    t.veth()
    t.tool("ip", "addr", "add", "192.0.2.1/24", "dev", "va0", ns="a")
    t.tool("ip", "addr", "add", "192.0.2.2/24", "dev", "va1", ns="b")
    t.tool("ip", "link", "set", "va1", "address", "02:00:00:00:00:02", ns="b")
    t.tool("ip", "link", "set", "va1", "arp", "off", ns="b")
    config = profile(t, "diode.ini", "af_packet:eth1", "af_packet:va0")
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
