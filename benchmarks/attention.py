"""Memory and seconds of attention over all spots of a section, against the textbook form.

    python benchmarks/attention.py              # 500 to 20,000 spots, two minutes on two cores
    python benchmarks/attention.py 500 1000     # other sizes

Each size runs forward and backward in a process of its own, which reports its peak resident memory
above what it held after a warm-up of 64 spots.
"""

import math
import resource
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from compendium.methods.layers import HEAD_WIDTH, Attention

SPOTS = (500, 1000, 2000, 5000, 10000, 20000)
WIDTH, HEADS = 256, 4
MATRICES = 4  # spot x spot x head, held by the textbook form: scores, shares, their gradients
SEEN_MB = 32  # less than this above the baseline is the allocator's own steps


class Textbook(Attention):
    """softmax(q k^T / 8) v with every matrix in memory; weights and output are Attention's."""

    def forward(self, x: Float[Tensor, "spot width"]) -> Float[Tensor, "spot width"]:
        """Every spot attends to every spot."""
        q, k, v = (
            part.unflatten(1, (self.heads, HEAD_WIDTH)).transpose(0, 1)
            for part in self.qkv(x).chunk(3, dim=1)
        )
        share = (q @ k.transpose(1, 2) / HEAD_WIDTH**0.5).softmax(dim=2)
        return self.out((share @ v).transpose(0, 1).flatten(1))


def step(form: type[Attention], spots: int) -> float:
    """Measure the seconds of one forward and backward pass over random spots."""
    torch.manual_seed(0)
    layer, x = form(WIDTH, HEADS, 0.0), torch.randn(spots, WIDTH, requires_grad=True)
    began = time.perf_counter()
    layer(x).sum().backward()
    return time.perf_counter() - began


def peak_mb() -> float:
    """Return the most memory that this process has held, in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def measure(form: type[Attention], spots: int) -> tuple[float, float]:
    """Measure peak memory in MB above the baseline, and seconds, in a fresh process."""
    step(form, 64)
    baseline = peak_mb()
    seconds = step(form, spots)
    return peak_mb() - baseline, seconds


def fits(spots: int) -> bool:
    """Return whether the textbook form can be measured on this machine."""
    free = next(
        int(line.split()[1]) / 1024
        for line in Path("/proc/meminfo").read_text().splitlines()
        if line.startswith("MemAvailable")
    )
    return MATRICES * HEADS * spots**2 * 4 / 2**20 < 0.7 * free


def exponent(spots: list[int], values: list[float]) -> float:
    """Fit b of values ~ spots^b by least squares on logarithms, over values of SEEN_MB or more."""
    seen = [
        (math.log(n), math.log(value))
        for n, value in zip(spots, values, strict=True)
        if value >= SEEN_MB
    ]
    return float(np.polyfit(*zip(*seen, strict=True), 1)[0]) if len(seen) > 1 else math.nan


def main(sizes: list[int]) -> None:
    """Print the table, and how memory grows."""
    found = {Attention: {}, Textbook: {}}
    with ProcessPoolExecutor(1, mp_context=get_context("spawn"), max_tasks_per_child=1) as pool:
        for spots in sizes:
            for form in found:
                if form is Attention or fits(spots):
                    found[form][spots] = pool.submit(measure, form, spots).result()
                    print(f"measured {form.__name__} at {spots} spots", file=sys.stderr)
    print(
        f"forward and backward, width {WIDTH}, {HEADS} heads of {HEAD_WIDTH}, float32,"
        f" CPU with {torch.get_num_threads()} threads"
    )
    print(f"{'spots':>6} {'MB':>7} {'seconds':>9} {'textbook MB':>12} {'seconds':>9}")
    for spots in sizes:
        ours, theirs = found[Attention][spots], found[Textbook].get(spots)
        print(
            f"{spots:6} {ours[0]:7,.0f} {ours[1]:9.3f}",
            f"{theirs[0]:12,.0f} {theirs[1]:9.3f}" if theirs else f"{'does not fit here':>22}",
        )
    for form, rows in found.items():
        power = exponent(list(rows), [mb for mb, _ in rows.values()])
        print(
            f"memory of {form.__name__} grows with spots to the power of {power:.2f}"
            f" (rows of {SEEN_MB} MB and more)"
        )


if __name__ == "__main__":
    main([int(word) for word in sys.argv[1:]] or list(SPOTS))
