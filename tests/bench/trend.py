"""Whether a series of samples rises: the line of least squares through them, and how sure it is."""

import math
from collections.abc import Sequence

import msgspec

SURE = 1.96
"""Standard errors to either side that hold 95 % of the lines."""


class Trend(msgspec.Struct, frozen=True, kw_only=True):
    """`rise` from the first sample to the last, `within` plus or minus so much; `bound` is what it may be."""

    mean: float
    rise: float
    within: float
    bound: float
    flat: bool

    def __str__(self) -> str:
        word = "flat" if self.flat else "RISES"
        rise = f"rise {self.rise:+8.1f} ± {self.within:.1f}"
        return f"mean {self.mean:9.1f}   {rise} (bound {self.bound:.1f})   {word}"


def trend(times: Sequence[float], values: Sequence[float], bound: float) -> Trend:
    """Return the trend: flat when the rise, at the high end of what is sure, is within the bound.

    ValueError for fewer than three samples.
    """
    count = len(times)
    if count < 3:
        raise ValueError(f"{count} samples: a trend needs three or more, so let it run for longer")
    middle, mean = sum(times) / count, sum(values) / count
    spread = sum((time - middle) ** 2 for time in times)
    slope = sum((time - middle) * (value - mean) for time, value in zip(times, values, strict=True)) / spread
    off = sum(
        (value - mean - slope * (time - middle)) ** 2 for time, value in zip(times, values, strict=True)
    )
    error = math.sqrt(off / (count - 2) / spread)
    span = times[-1] - times[0]
    rise, within = slope * span, SURE * error * span
    return Trend(
        mean=round(mean, 1), rise=round(rise, 1), within=round(within, 1), bound=round(bound, 1),
        flat=rise + within <= bound,
    )  # fmt: skip
