# SPDX-License-Identifier: BSD-3-Clause
"""The profiles delivery and delay: what a receiver's loss is made of, and what makes a measurement void."""
import os
import shutil

import pytest
from bench.contest import Lab
from bench.model import BenchError, Lacking, Options
from bench.profiles import _deliver, _star


class Done:
    """A program that has ended."""
    seconds = 1.5

    def wait(self):
        return self


@pytest.fixture
def commands(monkeypatch):
    """The commands that would make the namespaces, in place of making them."""
    made = []
    monkeypatch.setattr(_star, "make_namespace", lambda: os.open(os.devnull, os.O_RDONLY))
    monkeypatch.setattr(_star, "ip", lambda fd, line: made.append(f"ip {line}"))
    monkeypatch.setattr(_star, "run", lambda argv, fd: made.append(" ".join(argv)))
    return made


def copying(n_whole, change=b""):
    """Starts "a program" that gives the file to the first n_whole receivers."""
    def start(star, file):
        for d in star.dirs[:n_whole]:
            shutil.copy(file, d)
        if change:
            with open(os.path.join(star.dirs[0], os.path.basename(file)), "r+b") as f:
                f.write(change)
        return Done(), [Done() for _ in star.dirs]
    return start


def measure(tmp_path, start, n=3, loss=1.0, delay_ms=0.0):
    file = tmp_path / "file"
    file.write_bytes(b"some bytes")
    lab = Lab(Options(core=(0, 1)))
    try:
        return _deliver.measure(lab, start, n, loss, str(file), delay_ms)
    finally:
        lab.close()
        assert os.listdir(tmp_path) == ["file"]  # the receivers' directories are removed


def test_the_figure_is_the_senders_time(tmp_path, commands):
    assert measure(tmp_path, copying(3)) == 1.5


def test_a_file_that_is_missing_or_differs_makes_the_measurement_void(tmp_path, commands):
    with pytest.raises(BenchError, match="file of receiver 3 of 3"):
        measure(tmp_path, copying(2))
    with pytest.raises(BenchError, match="file of receiver 1 of 3"):
        measure(tmp_path, copying(3, b"S"))


@pytest.mark.parametrize("loss, rule", [(0.0, None), (0.1, "mod 1000 < 1 drop"), (5.0, "mod 1000 < 50 drop")])
def test_every_receiver_loses_packets_by_itself(tmp_path, commands, loss, rule):
    measure(tmp_path, copying(3), loss=loss)
    assert sum("type veth" in c for c in commands) == 3
    rules = [c for c in commands if c.startswith("nft")]
    assert len(rules) == (3 if rule else 0)
    assert all(rule in c for c in rules)
    assert sum("gso_max_segs 1" in c for c in commands) == 3  # no trains: a rule drops one packet


def test_a_delay_is_at_both_ends_of_each_wire(tmp_path, commands):
    measure(tmp_path, copying(2), n=2, delay_ms=20.0)
    delays = [c for c in commands if "netem delay 20ms" in c]
    assert [c.split()[4] for c in delays] == ["pw1", "eth0", "pw2", "eth0"]


def test_a_kernel_without_netem_is_lacking(tmp_path, commands, monkeypatch):
    def refuse(argv, fd):
        if "netem" in argv:
            raise Lacking("cannot run `tc`: Specified qdisc kind is unknown")

    monkeypatch.setattr(_star, "run", refuse)
    with pytest.raises(Lacking, match=r"unknown.*sch_netem"):
        measure(tmp_path, copying(1), n=1, delay_ms=20.0)


def test_each_program_gets_every_receiver_and_the_file(tmp_path, commands):
    """As its sender is told: eight receivers, the file, and the one rate that the profile states."""
    for name, words in (("pagewire", ["--rate", "4Gbit/s", "--repair=198.18.0.1:4002", "--repair-receivers", "8"]),
                        ("uftp", ["-R", "1000000", "-H", ",".join(f"0x{i:08x}" for i in range(1, 9))]),
                        ("udpcast", ["--min-receivers", "8", "--full-duplex"])):
        started = []

        class Star:
            lab = Lab(Options(core=(0, 1)))
            sinks, dirs = list(range(8)), [f"/d{i}" for i in range(8)]

            def receive(self, sink, argv, ready, started=started):
                started.append([str(a) for a in argv])

            def send(self, argv, started=started):
                started.append([str(a) for a in argv])

        getattr(_deliver, name)(Star(), "/the/file")
        assert len(started) == 9
        assert all(any(f"/d{i}" in a for a in started[i]) for i in range(8))
        assert "/the/file" in started[8]
        assert set(words) <= set(started[8])
