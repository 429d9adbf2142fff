# SPDX-License-Identifier: BSD-3-Clause
"""Every profile loads and has the contests that docs/performance.md reports; one of your own runs."""
import json
import os
import re
import stat
from pathlib import Path

import pytest
from bench import contest, store
from bench.contest import Lab
from bench.model import BenchError, Options
from bench.store import Store, StoredFile
from bench.wires import Wire

ROOT = Path(__file__).parents[2]
CONTESTS = {  # of each profile: titles' beginnings, with contenders and targets
    "delivery": [("1024 MiB, 1 receiver, ", 3, 2)] * 4 + [("1024 MiB, 8 receivers, ", 3, 2)] * 4,
    "fec": [("parity of symbols of 1440", 8, 4), ("parity of symbols of 8928", 8, 4),
            ("goodput at 1Gbit/s, lost: 1 % ", 3, 2), ("goodput at 1Gbit/s, lost: 5 ms", 3, 2)],
    "file-to-file": [("1 GiB, file to verified file, MTU 1500", 5, 4),
                     ("1 GiB, file to verified file, MTU 9000", 6, 5)],
    "growth": [("many small files", 6, 3)] * 2 + [("one file through 256 MiB", 6, 3)] * 2,
    "iperf3": [("a file over the virtual wire", 3, 2)],
    "pacing": [("a rate of ", 2, 2)] * 6 + [("a rate that is out of reach", 2, 1)],
    "queues": [("packets of 1440 bytes", 2, 1), ("vhost to virtio-user", 2, 1)],
    "replay": [("frames of 64 to 128", 2, 1), ("frames of 64 to 128", 3, 2), ("an internet mix", 2, 1),
               ("an internet mix", 3, 2), ("frames of 1518", 2, 1), ("frames of 1518", 3, 2),
               ("how late 50 % of the frames are, at most: 25,000 frames", 3, 1),
               ("how late 99 % of the frames are, at most: 25,000 frames", 3, 1)],
    "stream": [("1 GiB from a disk", 2, 1), ("1 GiB to a new file", 2, 1)],
    "tcpreplay": [("packets of 1448 bytes", 4, 2)] * 2 + [("packets of 1448 bytes", 3, 1)] * 2,
    "tx-cost": [("null port", 2, 1)],
    "wire": [("vhost to virtio-user, symbols of 1440", 2, 1), ("vhost to virtio-user, symbols of 8192", 2, 1)],
}


class PaperLab(Lab):
    """Makes no files and no wires: what open() adds is looked at, nothing is measured."""

    def store(self, *sizes, eal_bytes=0, on_disk=False):
        disk = "/tmp/disk" if on_disk else ""
        return Store("/tmp", files=[StoredFile(size, "/tmp/file", disk=disk) for size in sizes])

    def wire(self, kind, mtu=1500):
        return Wire(kind, kind, mtu)

    def run(self, argv, cpu=None, limit=0, wire=None):
        return None

    def directory(self, parent):
        return "/tmp"


def test_every_profile_is_here_by_name():
    assert [p.name for p in contest.profiles()] == sorted(CONTESTS)
    assert all(p.summary and p.rounds >= 3 for p in contest.profiles())


@pytest.mark.parametrize("name", sorted(CONTESTS))
def test_a_profile_adds_its_contests(name, monkeypatch):
    lab = PaperLab(Options(core=(0, 1)))
    found = contest.find(name)
    if name == "growth":
        monkeypatch.setitem(found.open.__globals__, "make_hole", lambda path, length: path)
    if name == "replay":
        monkeypatch.setitem(found.open.__globals__, "fill", lambda lab, file, capture: None)
    found.open(lab)
    lab.close()
    assert len(lab.contests) == len(CONTESTS[name])
    for c, (title, contenders, targets) in zip(lab.contests, CONTESTS[name], strict=True):
        assert c.title.startswith(title) and c.unit
        assert (len(c.contenders), len(c.targets)) == (contenders, targets)
        assert len({who.name for who in c.contenders}) == contenders


def test_a_name_that_is_none_and_files_that_are_no_profiles_are_usage_errors(tmp_path):
    bad = tmp_path / "bad.py"
    for text, name, words in (
            (None, "tx-cots", "it does not exist; use one of delivery, fec, file-to-file"),
            (None, f"{tmp_path}/none.py", "No such file"),
            ("x = 1\n", str(bad), "it has 0 functions decorated by @profile"),
            ("1 +\n", str(bad), "SyntaxError"),
            ("import no_such_module\n", str(bad), "No module named 'no_such_module'"),
            ("", f"{tmp_path}/mine.txt", "its name must end with .py")):
        if text is not None:
            Path(name).write_text(text)
        with pytest.raises(BenchError) as e:
            contest.find(name)
        assert words in str(e.value) and str(e.value).startswith(f"cannot run --profile {name}: ")
        assert e.value.code == 2


def test_the_example_of_the_documentation_runs(tmp_path, monkeypatch, capsys):
    text = (ROOT / "docs/bench-method.md").read_text(encoding="utf-8")
    mine = tmp_path / "mine.py"
    mine.write_text(re.search(r"```python\n(.*?)```", text, re.S)[1])
    pagewire = tmp_path / "pagewire"
    pagewire.write_text("#!/bin/sh\n[ -s \"$2\" ] && printf '{\"goodput_bps\": %d000000000}' "
                        "$(case \"$*\" in *none*) echo 4;; *) echo 3;; esac)\n")
    pagewire.chmod(pagewire.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setattr(store, "_free_hugepages", lambda: 0)
    options = Options(pagewire=str(pagewire), rounds=2, dir=str(tmp_path), json=True)
    code = contest.show(contest.measure(contest.find(str(mine)), options, {}), options)
    doc = json.loads(capsys.readouterr().out)
    assert code == 0, doc
    without, xxh3 = doc["contests"][0]["contenders"]
    assert (without["values"], xxh3["values"]) == ([4.0, 4.0], [3.0, 3.0])
    assert doc["contests"][0]["claims"][0]["ratio"]["median"] == 0.75
    assert xxh3["how"] == ("pagewire send TMPFSFILE --port null --to 239.77.0.1 --digest xxh3-128 --no-huge --lead 0 "
                           f"--core {min(os.sched_getaffinity(0))} --json --quiet; goodput_bps")
