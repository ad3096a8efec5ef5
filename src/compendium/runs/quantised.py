"""Predictions in 8 bits a value and scores in a few significant bits, for files that are small."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Float32, UInt8

LEVELS = 255
STEPS_PER_SD = 32
"""A finer step than a 32nd of a gene's standard deviation moves no PCC by a thousandth more."""
BITS = 9
"""A correlation is kept to 2^-9, hence within 0.001; another number within a 1,000th of it."""
BITS_OF_DRAWS = 6
"""The same of one draw of many: their mean and their medians over genes are exact enough."""


class Quantised(NamedTuple):
    """Values of a section as low + step * code.

    Parameters
    ----------
    codes
        Codes of every spot and gene.
    low, step
        Lowest value and step of each gene; the step is 0 where all values are equal.
    """

    codes: UInt8[np.ndarray, "spot gene"]
    low: Float32[np.ndarray, "gene"]
    step: Float32[np.ndarray, "gene"]

    @property
    def values(self) -> Float32[np.ndarray, "spot gene"]:
        """The values, a constant gene exactly."""
        return (self.low + self.step.astype(np.float64) * self.codes).astype(np.float32)


def quantised(values: Float[np.ndarray, "spot gene"]) -> Quantised:
    """Round the values of each gene to at most 256 levels between its lowest and highest.

    The rounding moves no Pearson correlation over 150 spots or more by above 0.003.
    """
    low = values.min(axis=0).astype(np.float32)
    above = values.astype(np.float64) - low
    fine = np.where(np.ptp(values, axis=0) > 0, above.std(axis=0) / STEPS_PER_SD, 0)
    step = np.maximum(above.max(axis=0) / LEVELS, fine).astype(np.float32)
    codes = np.divide(above, step, out=np.zeros_like(above), where=step > 0)
    return Quantised(np.rint(codes).clip(0, LEVELS).astype(np.uint8), low, step)


def rounded(values: Float[np.ndarray, "..."], bits: int = BITS) -> Float32[np.ndarray, "..."]:
    """Round scores; NaN stays NaN.

    Parameters
    ----------
    values
        One kind of score. Values of which some are below 0 and all within -1 and 1 are taken for
        correlations.
    bits
        Binary places of a correlation; another number has one significant bit more.
    """
    known = values[np.isfinite(values)]
    if known.size and known.min() < 0 and np.abs(known).max() <= 1:
        return (np.rint(values * 2.0**bits) / 2.0**bits).astype(np.float32)
    mantissa, exponent = np.frexp(values.astype(np.float64))
    steps = 2.0 ** (bits + 1)  # the mantissa is at least a half
    return np.ldexp(np.rint(mantissa * steps) / steps, exponent).astype(np.float32)
