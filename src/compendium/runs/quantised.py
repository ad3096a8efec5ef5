"""Predictions and scores as small integers, so that files of them are small."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Float32, Int32, Integer, UInt8, UInt16

STEPS_PER_SD, SPOTS = 36, 150
"""A step of a 36th of a gene's standard deviation moves a PCC over 150 spots by 0.003 at most.

Rounding to S steps moves a PCC over n spots by a number of standard deviation 1 / (S sqrt(12 n)),
so that over n spots 36 sqrt(150 / n) steps are as good."""
BITS = 9
"""A correlation is kept to 2^-9, hence within 0.001; another number within a 1,000th of it."""
BITS_OF_DRAWS = 6
"""The same of one draw of ten, within 0.008: means over draws and medians over genes stay exact."""
MANTISSA_BITS = 23


class Quantised(NamedTuple):
    """Values of a section as low + step * code.

    Parameters
    ----------
    codes
        Codes of every spot and gene; few are above 255.
    low, step
        Lowest value and step of each gene; the step is 0 where all values are equal.
    """

    codes: UInt16[np.ndarray, "spot gene"]
    low: Float32[np.ndarray, "gene"]
    step: Float32[np.ndarray, "gene"]

    @property
    def values(self) -> Float32[np.ndarray, "spot gene"]:
        """The values, a constant gene exactly."""
        return (self.low + self.step.astype(np.float64) * self.codes).astype(np.float32)


def quantised(values: Float[np.ndarray, "spot gene"]) -> Quantised:
    """Round the values of each gene to multiples of a step above its lowest value."""
    low = values.min(axis=0).astype(np.float32)
    above = values.astype(np.float64) - low
    varies = np.ptp(values, axis=0) > 0
    steps = STEPS_PER_SD * np.sqrt(SPOTS / len(values))
    step = np.where(varies, above.std(axis=0) / steps, 0).astype(np.float32)
    codes = np.divide(above, step, out=np.zeros_like(above), where=step > 0)
    return Quantised(np.rint(codes).astype(np.uint16), low, step)


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
