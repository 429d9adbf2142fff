# SPDX-License-Identifier: BSD-3-Clause
"""`pagewire bench --profile NAME`: each one measures both sides, and says how they compare.

No figure of speed is tested: a claim that was missed is a result like any other.
"""
from harness import Skip, check, equal, long
from hugepages import Unavailable, more_pages
from test_bench import Clean, bench

PAGES = 1700  # a file of 1 GiB, EAL's memory twice, and what fio has


def check_profile(t, name, contests, seconds=300):
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
            equal((contender["skipped"], contender["void"]), (None, None), where)
            check(all(value > 0 for value in contender["values"]), f"{where}: {contender['values']}")
        check(contest["claims"], f"{contest['title']}: compares nothing")
        for claim in contest["claims"]:
            check(claim["ratio"]["median"] > 0, f"{contest['title']}: {claim}")


@long
def test_tx_cost_measures_testpmd_beside_the_sender(t):
    check_profile(t, "tx-cost", 1)


@long
def test_wire_measures_memcpy_beside_the_sender(t):
    check_profile(t, "wire", 2)


@long
def test_file_to_file_measures_the_kernels_ways_beside_both_ends(t):
    check_profile(t, "file-to-file", 2)


@long
def test_stream_measures_fio_beside_both_ends(t):
    check_profile(t, "stream", 2)


@long
def test_pacing_measures_every_rate(t):
    check_profile(t, "pacing", 7)


@long
def test_queues_measures_two_beside_one(t):
    check_profile(t, "queues", 2)
