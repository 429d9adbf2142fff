# SPDX-License-Identifier: BSD-3-Clause
"""Medians, intervals, ratios: known values, repeatability, and how often the interval holds the truth."""
import itertools
import math
import statistics

import numpy as np
import pytest
from bench import stats
from bench.model import Summary


@pytest.mark.parametrize(("values", "median"), [([9, 1, 5, 3, 100], 5), ([4, 1, 3, 10], 3.5), ([7.25], 7.25)])
def test_the_median_is_in_the_middle(values: list[float], median: float) -> None:
    s = stats.summarize(values, 1)
    assert (s.median, s.min, s.max, s.n) == (median, min(values), max(values), len(values))


def test_what_is_no_number_is_left_out() -> None:
    s = stats.summarize([None, 2, math.nan, 8, 4, math.inf], 1)
    assert (s.median, s.min, s.max, s.n) == (4, 2, 8, 3)


@pytest.mark.parametrize("values", [[], [None, None], [math.nan]])
def test_no_numbers_have_no_median(values: list[float | None]) -> None:
    assert stats.summarize(values, 1) == Summary()
    assert stats.median(values) is None


@pytest.mark.parametrize("values", [[7.25], [3.0] * 6])
def test_the_interval_of_equal_samples_is_a_point(values: list[float]) -> None:
    s = stats.summarize(values, 99)
    assert s.low == s.median == s.high == values[0]


@pytest.mark.parametrize("seed", range(5))
def test_the_interval_is_what_the_binomial_says(seed: int) -> None:
    """Of 5, the median of a resample is the smallest when at least 3 of 5 draws hit it: 5.8 % > 2.5 %. Of 7,
    4 must hit: 0.98 % for the smallest, 13.6 % for the smaller two: the interval begins at the second."""
    five = stats.summarize([14, 11, 10, 12, 19], seed)
    assert (five.low, five.high) == (10, 19)
    seven = stats.summarize([16, 11, 10, 12, 19, 13, 30], seed)
    assert (seven.low, seven.median, seven.high) == (11, 13, 19)


def test_the_interval_is_that_of_all_resamples() -> None:
    values = [1.0, 2.0, 4.0, 8.0, 16.0, 32.0]
    every = sorted(statistics.median(draw) for draw in itertools.product(values, repeat=6))
    s = stats.summarize(values, 12345)
    assert s.low == every[math.ceil(0.025 * len(every)) - 1]
    assert s.high == every[math.ceil(0.975 * len(every)) - 1]


def test_the_same_seed_gives_the_same_interval_and_another_seed_may_not() -> None:
    values = np.random.default_rng(3).random(40).tolist()
    a = stats.summarize(values, 7)
    stats._middle.cache_clear()
    assert stats.summarize(values, 7) == a
    assert a.low < a.median < a.high  # type: ignore[operator]
    others = [stats.summarize(values, seed) for seed in range(8, 40)]
    assert any((o.low, o.high) != (a.low, a.high) for o in others)
    assert all(o.median == a.median for o in others)


def test_a_seed_of_64_bits_is_taken() -> None:
    assert stats.summarize([1, 2, 3], 2 ** 64 - 1).median == 2


def test_the_interval_holds_the_true_median_in_about_95_of_100_cases() -> None:
    """Of a skewed distribution, as times are. The true median is 1."""
    rng = np.random.default_rng(11)
    found = [stats.summarize(rng.lognormal(0, 0.5, 20).tolist(), 5) for _ in range(800)]
    held = [s.low <= 1 <= s.high for s in found]  # type: ignore[operator]
    assert 0.92 <= sum(held) / len(held) <= 0.98


def test_ratios_are_of_pairs() -> None:
    s = stats.ratio([30, 10, 80, 5, None], [10, 20, 20, 0, 1], 1)
    assert (s.n, s.median, s.min, s.max) == (3, 3, 0.5, 4)


def test_an_independent_ratio_is_of_the_medians() -> None:
    s = stats.independent_ratio([2, 4, 6, 8, 10], [1, 2, 3, 4, 5, 6, None], 1)
    assert s.median == 6 / 3.5 and s.n == 5
    assert s.low < s.median < s.high  # type: ignore[operator]
    assert s == stats.independent_ratio([2, 4, 6, 8, 10], [1, 2, 3, 4, 5, 6], 1)
    swapped = stats.independent_ratio([1, 2, 3, 4, 5, 6], [2, 4, 6, 8, 10], 1)
    assert swapped.median == pytest.approx(1 / s.median)


def test_an_independent_ratio_of_few_samples_has_no_interval() -> None:
    s = stats.independent_ratio([2, 2, 2, 2], [1, 1, 1, 1, 1], 1)
    assert (s.median, s.low, s.high, s.n) == (2, None, None, 4)


def test_nothing_is_divided_by_zero() -> None:
    assert stats.independent_ratio([1] * 5, [0] * 5, 1).median is None
    some = stats.independent_ratio([1] * 5, [0, 0, 1, 1, 1], 1)  # resamples have the median 0
    assert (some.median, some.low, some.high) == (1, None, None)
    assert stats.independent_ratio([], [1] * 5, 1) == Summary()


@pytest.mark.parametrize(("n", "least"), [(5, 0.92), (10, 0.92), (20, 0.92)])
def test_the_interval_of_an_independent_ratio_holds_the_true_one(n: int, least: float) -> None:
    """Two hosts, of which the second is 1.3 times as fast; both as noisy as a shared machine."""
    rng = np.random.default_rng(n)
    held = 0
    for _ in range(600):
        b, a = (rng.lognormal(math.log(m), 0.3, n).tolist() for m in (1.3, 1.0))
        s = stats.independent_ratio(b, a, 9)
        held += s.low <= 1.3 <= s.high  # type: ignore[operator]
    assert least <= held / 600 <= 0.995
