# SPDX-License-Identifier: BSD-3-Clause
"""Medians and their 95 % percentile bootstrap intervals. The same seed gives the same interval."""
from __future__ import annotations

import functools
import math
import statistics
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from bench.model import Summary

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Floats = npt.NDArray[np.float64]

RESAMPLES = 10_000
CUT = RESAMPLES // 40  # 2.5 % at each end
LEAST_FOR_INTERVAL = 5  # of fewer independent samples an interval would be too narrow

Numbers = Sequence[float | None]


def _numbers(values: Numbers) -> list[float]:
    """The finite values, sorted."""
    return sorted(float(x) for x in values if x is not None and math.isfinite(x))


@functools.lru_cache(maxsize=64)
def _middle(n: int, seed: int, stream: int) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
    """Which two of n sorted values are in the middle of each resample: the values do not matter for that."""
    import numpy as np

    drawn = np.random.default_rng([seed, stream]).integers(0, n, size=(RESAMPLES, n), dtype=np.int32)
    drawn.partition(sorted({(n - 1) // 2, n // 2}), axis=1)
    return drawn[:, (n - 1) // 2].copy(), drawn[:, n // 2].copy()


def _resampled_medians(numbers: Sequence[float], seed: int, stream: int = 0) -> Floats:
    """Of sorted numbers."""
    import numpy as np

    v = np.array(numbers)
    lower, upper = _middle(len(v), seed, stream)
    medians: Floats = v[lower] + (v[upper] - v[lower]) / 2
    return medians


def _interval(medians: Floats) -> tuple[float, float]:
    import numpy as np

    ordered = np.partition(medians, (CUT - 1, RESAMPLES - CUT))
    return float(ordered[CUT - 1]), float(ordered[RESAMPLES - CUT])


def median(values: Numbers) -> float | None:
    """None: there is no number."""
    v = _numbers(values)
    return statistics.median(v) if len(v) else None


def summarize(values: Numbers, seed: int) -> Summary:
    """What is not a number is left out."""
    v = _numbers(values)
    if not len(v):
        return Summary()
    middle, least, most = statistics.median(v), v[0], v[-1]
    low, high = _interval(_resampled_medians(v, seed)) if most > least else (middle, middle)
    return Summary(middle, low, high, least, most, len(v))


def ratio(a: Numbers, b: Numbers, seed: int) -> Summary:
    """Of a[i] / b[i], pairs of the same round; a pair with a None or with b[i] = 0 is left out."""
    return summarize([x / y for x, y in zip(a, b, strict=True)
                      if x is not None and y is not None and y != 0], seed)


def independent_ratio(a: Numbers, b: Numbers, seed: int) -> Summary:
    """Median of a over median of b, of samples that are not paired. Without an interval where it cannot be
    known: few samples, or medians of b that may be 0. n: of the smaller side; min, max: not defined."""
    va, vb = _numbers(a), _numbers(b)
    n = min(len(va), len(vb))
    if not n or statistics.median(vb) == 0:
        return Summary(n=n)
    value = statistics.median(va) / statistics.median(vb)
    if n < LEAST_FOR_INTERVAL:
        return Summary(median=value, n=n)
    below = _resampled_medians(vb, seed, 1)
    if (below == 0).any():
        return Summary(median=value, n=n)
    low, high = _interval(_resampled_medians(va, seed, 0) / below)
    return Summary(median=value, low=low, high=high, n=n)
