# SPDX-License-Identifier: BSD-3-Clause
"""`pagewire bench --profile NAME`: each profile measures both sides and compares them.

Speed is not tested: a missed target is a valid result.
"""
import re
from pathlib import Path

from harness import Skip, check, equal, long
from hugepages import Unavailable, more_pages
from test_bench import Clean, bench

ALONE = True  # these tests see what a bench leaves behind, and when it is interrupted

PAGES = 1700  # a file of 1 GiB, the memory of two EALs, and fio's buffers


def check_profile(t, name, contests, seconds=300, may_lack=()):
    """may_lack: contenders that are skipped where this host's programs cannot do it."""
    t.need_root()
    t.need_hugepages()
    try:
        with Clean(), more_pages(PAGES):
            result = bench(t, "--profile", name, "--rounds", "1", "--json", seconds=seconds)
    except Unavailable as e:
        raise Skip(str(e)) from None
    equal((result["schema"], result["profile"]), ("pagewire.profile/1", name), "what it is")
    equal(len(result["contests"]), contests, "contests")
    for contest in result["contests"]:
        for contender in contest["contenders"]:
            where = f"{contender['name']}: {contest['title']}"
            equal(contender["void"], None, where)
            if contender["skipped"]:
                check(contender["name"] in may_lack, f"{where}: skipped: {contender['skipped']}")
                continue
            check(all(value > 0 for value in contender["values"]), f"{where}: {contender['values']}")
        check(contest["claims"], f"{contest['title']}: compares nothing")
        for claim in contest["claims"]:
            check(claim["ratio"]["median"] > 0, f"{contest['title']}: {claim}")


def example(t):
    """The profile in docs/bench-method.md, as a file."""
    text = (Path(__file__).parents[2] / "docs/bench-method.md").read_text(encoding="utf-8")
    path = Path(t.dir) / "mine.py"
    path.write_text(re.search(r"```python\n(.*?)```", text, re.S)[1])
    return path


def test_a_profile_of_ones_own_is_run_by_its_path(t):
    t.need_root()
    with Clean():
        result = bench(t, "--profile", example(t), "--rounds", "1", "--report", Path(t.dir) / "out", "--json")
    equal((result["schema"], result["profile"], len(result["contests"])), ("pagewire.profile/1", "digests", 1), "it")
    for contender in result["contests"][0]["contenders"]:
        equal((contender["skipped"], contender["void"]), (None, None), contender["name"])
        check(contender["values"][0] > 0, contender)
    check((Path(t.dir) / "out/digests.svg").exists(), "a figure")


@long
def test_tx_cost_measures_testpmd_and_the_sender(t):
    check_profile(t, "tx-cost", 1)


@long
def test_wire_measures_memcpy_and_the_sender(t):
    check_profile(t, "wire", 2)


@long
def test_file_to_file_measures_the_kernels_ways_and_pagewire(t):
    check_profile(t, "file-to-file", 2)


@long
def test_stream_measures_fio_and_pagewire(t):
    check_profile(t, "stream", 2)


@long
def test_pacing_measures_every_rate(t):
    check_profile(t, "pacing", 7)


@long
def test_queues_measures_one_queue_and_two(t):
    check_profile(t, "queues", 2)


@long
def test_delivery_measures_each_program_at_each_loss(t):
    """udpcast is not asked to survive: it loses receivers when its control packets are lost."""
    t.need_root()
    for tool in ("nft", "uftp", "udp-sender"):
        t.need_tool(tool)
    with Clean():
        p = t.run("bench", t.file("a.bin", 4 << 20), "--profile", "delivery", "--rounds", "1", "--json", seconds=600)
    check(p.code in (0, 3), p.describe())
    titles = [f"4 MiB, {n}, {loss} % loss" for n in ("1 receiver", "8 receivers") for loss in ("0", "0.1", "1", "5")]
    equal([c["title"] for c in p.json["contests"]], titles, "contests")
    for contest in p.json["contests"]:
        for who in contest["contenders"]:
            equal(who["skipped"], None, f"{contest['title']}: {who['name']}")
            check(who["name"] == "udpcast" or who["values"][0], f"{contest['title']}: {who['name']}: {who['void']}")


@long
def test_iperf3_measures_iperf3_and_pagewire(t):
    check_profile(t, "iperf3", 1)


@long
def test_tcpreplay_measures_tcpreplay_and_pagewire(t):
    check_profile(t, "tcpreplay", 4, may_lack=["tcpreplay --xdp"])


@long
def test_replay_measures_tcpreplay_testpmd_and_pagewire(t):
    check_profile(t, "replay", 8)
