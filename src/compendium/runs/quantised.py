"""Predictions and scores as small integers, so that files of them are small."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Float16, Float32, Int32, Integer, UInt8

STEPS_PER_SD, SPOTS = 36, 150
"""A step of a 36th of a gene's standard deviation moves a PCC over 150 spots by 0.003 at most.

Rounding to S steps moves a PCC over n spots by a number of standard deviation 1 / (S sqrt(12 n)),
so that over n spots 36 sqrt(150 / n) steps are as good."""
FACTORS = (0, 2, 4, 6, 8, 12, 16, 24, 32)
"""Numbers of factors that are tried."""
BITS = 8
"""A correlation is kept to 2^-8, hence within 0.002; another number within a 500th of it."""
BITS_OF_DRAWS = 6
"""The same of one draw of ten, and of a control, within 0.008: medians over genes stay exact."""
MANTISSA_BITS = 23


class Quantised(NamedTuple):
    """Values of a section as low + step * (code + left @ right).

    Parameters
    ----------
    codes
        Codes of every spot and gene.
    left, right
        What a few factors explain, so that codes are small: predictions of all genes come from few
        colours, or from a narrow layer.
    low, step
        Mean and step of each gene; the step is 0 where all values are equal.
    """

    codes: Int32[np.ndarray, "spot gene"]
    left: Float16[np.ndarray, "spot factor"]
    right: Float16[np.ndarray, "factor gene"]
    low: Float32[np.ndarray, "gene"]
    step: Float32[np.ndarray, "gene"]

    @property
    def values(self) -> Float32[np.ndarray, "spot gene"]:
        """The values, a constant gene exactly."""
        steps = self.codes + self.left.astype(np.float64) @ self.right.astype(np.float64)
        return (self.low + self.step.astype(np.float64) * steps).astype(np.float32)


PARTS = ("left", "right", "low", "step")
"""Parts of `Quantised` beside the codes."""


def quantised(values: Float[np.ndarray, "spot gene"], per_sd: float = STEPS_PER_SD) -> Quantised:
    """Round the values of each gene to multiples of a step, after what a few factors explain.

    Parameters
    ----------
    values
        The values.
    per_sd
        Steps in a standard deviation over 150 spots, see `STEPS_PER_SD`.
    """
    low = values.mean(axis=0, dtype=np.float64).astype(np.float32)
    above = values.astype(np.float64) - low
    varies = np.ptp(values, axis=0) > 0
    steps = per_sd * np.sqrt(SPOTS / len(values))
    step = np.where(varies, above.std(axis=0) / steps, 0).astype(np.float32)
    in_steps = np.divide(above, step, out=np.zeros_like(above), where=step > 0)
    left, right = _factors(in_steps)
    rest = in_steps - left.astype(np.float64) @ right.astype(np.float64)
    return Quantised(np.rint(rest).astype(np.int32), left, right, low, step)


def _factors(
    values: Float[np.ndarray, "spot gene"],
) -> tuple[Float16[np.ndarray, "spot factor"], Float16[np.ndarray, "factor gene"]]:
    """Return the principal components after which values and components take the fewest bytes."""
    left, sizes, right = np.linalg.svd(values, full_matrices=False)
    scores, loadings = left * np.sqrt(len(left)), sizes[:, None] * right / np.sqrt(len(left))

    def bits(number: int) -> float:
        spread = (loadings[number:] ** 2).sum(axis=0)  # variance of a gene that is left over
        codes = len(values) * 0.5 * np.log2(1 + 2 * np.pi * np.e * spread).sum()
        return codes + 16 * number * sum(values.shape)

    best = min((number for number in FACTORS if number <= len(sizes)), key=bits)
    return scores[:, :best].astype(np.float16), loadings[:best].astype(np.float16)


class Scores(NamedTuple):
    """Scores of several kinds, seeds and rows as integers.

    Parameters
    ----------
    codes
        Codes; of a correlation but the first the difference from the first, of a seed but the first
        the difference from the first.
    missing
        Where there is no score.
    correlations
        Which kinds are correlations, the others are numbers of any size.
    bits
        Binary places of a correlation; another number has one significant bit more.
    """

    codes: Int32[np.ndarray, "kind seed row"]
    missing: Bool[np.ndarray, "kind seed row"]
    correlations: Sequence[bool]
    bits: int = BITS

    @property
    def values(self) -> Float32[np.ndarray, "kind seed row"]:
        """The scores, NaN where there is none."""
        codes = _summed(self.codes, self.correlations)
        kinds = zip(codes, self.correlations, strict=True)
        values = [_decoded(each, correlation, self.bits) for each, correlation in kinds]
        return np.where(self.missing, np.float32(np.nan), np.array(values, dtype=np.float32))


def coded(values: Float[np.ndarray, "kind seed row"], bits: int = BITS) -> Scores:
    """Round scores to integers.

    Parameters
    ----------
    values
        Scores. A kind whose values are within -1 and 1, some of them below 0, is taken for a
        correlation.
    bits
        See `Scores`.
    """
    missing = np.isnan(values)
    known = np.where(missing, 0, values)
    correlations = [bool(each.min() < 0 and np.abs(each).max() <= 1) for each in known]
    kinds = zip(known, correlations, strict=True)
    codes = np.array([_coded(each, correlation, bits) for each, correlation in kinds], np.int32)
    codes[:, 1:] -= codes[:, :1]
    further = np.flatnonzero(correlations)
    codes[further[1:]] -= codes[further[:1]]
    return Scores(codes, missing, correlations, bits)


def _summed(
    codes: Int32[np.ndarray, "kind seed row"], correlations: Sequence[bool]
) -> Int32[np.ndarray, "kind seed row"]:
    """Codes themselves instead of their differences."""
    codes, further = codes.copy(), np.flatnonzero(correlations)
    codes[further[1:]] += codes[further[:1]]
    codes[:, 1:] += codes[:, :1]
    return codes


def _coded(
    values: Float[np.ndarray, "seed row"], correlation: bool, bits: int
) -> Int32[np.ndarray, "seed row"]:
    """Multiples of 2^-bits, or the leading bits of a number in single precision."""
    if correlation:
        return np.rint(values * 2.0**bits).astype(np.int32)
    cut = MANTISSA_BITS - bits
    stored = np.abs(values).astype(np.float32).view(np.int32)
    return (np.sign(values) * ((stored + (1 << (cut - 1))) >> cut)).astype(np.int32)


def _decoded(
    codes: Int32[np.ndarray, "seed row"], correlation: bool, bits: int
) -> Float32[np.ndarray, "seed row"]:
    if correlation:
        return (codes / 2.0**bits).astype(np.float32)
    stored = np.abs(codes) << (MANTISSA_BITS - bits)
    return np.sign(codes).astype(np.float32) * stored.view(np.float32)


def planes(codes: Integer[np.ndarray, "..."]) -> list[UInt8[np.ndarray, "..."]]:
    """Split integers into bytes, the lowest ones first, which pack better apart.

    Small negative integers have small bytes too.
    """
    left = codes.astype(np.int64)
    left = (left << 1) ^ (left >> 63) if codes.dtype.kind == "i" else left
    found = [(left & 255).astype(np.uint8)]
    while (left := left >> 8).any():
        found.append((left & 255).astype(np.uint8))
    return found


def joined(
    planes: Sequence[UInt8[np.ndarray, "..."]], dtype: type[np.integer]
) -> Integer[np.ndarray, "..."]:
    """Put integers together again from what `planes` returned."""
    codes = sum(plane.astype(np.int64) << 8 * place for place, plane in enumerate(planes))
    signed = np.dtype(dtype).kind == "i"
    return ((codes >> 1) ^ -(codes & 1) if signed else codes).astype(dtype)
