"""How often a drawn stain leaves nothing of a tile: black, white, or of one colour."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import UInt8

from compendium.images.stain.augment import HED, RandStainNA

ENDS, SHARE, NEAR = (
    10,
    0.8,
    20,
)  # levels, of 255, from an end that count as black or white; share of the pixels, and within how many levels, that make one colour
EVERY = 4  # pixel of a tile, in either direction, that is drawn: the draws change pixels one by one
CRITERION = (
    f"every channel's median within {ENDS} levels of black, or of white, or {SHARE:.0%} of the pixels within {NEAR} levels of each other in every channel; "
    f"measured on every {EVERY}th row and column of a tile"
)


def lost(tile: UInt8[np.ndarray, "px px 3"]) -> bool:
    """Whether nothing is left of a tile, by CRITERION."""
    ordered = np.sort(tile.reshape(-1, 3).astype(int), axis=0)
    kept = int(np.ceil(SHARE * len(ordered)))
    spread = (ordered[kept - 1 :] - ordered[: len(ordered) - kept + 1]).min(
        axis=0
    )  # the fewest levels, in each channel, that hold this share of the pixels
    median = np.median(ordered, axis=0)
    return bool((spread <= NEAR).all() or (median <= ENDS).all() or (median >= 255 - ENDS).all())


def some(
    patches: UInt8[np.ndarray, "spot px px 3"], number: int
) -> list[UInt8[np.ndarray, "side side 3"]]:
    """So many tiles, evenly spaced among those of which something is left as they are; all of these where they are fewer."""
    whole = [
        tile for tile in (np.asarray(each[::EVERY, ::EVERY]) for each in patches) if not lost(tile)
    ]
    return [
        whole[i]
        for i in np.unique(
            np.linspace(0, len(whole) - 1, min(number, len(whole))).round().astype(int)
        )
    ]


def share(
    drawing: HED | RandStainNA, tiles: Sequence[UInt8[np.ndarray, "px px 3"]], draws: int, seed: int
) -> float:
    """Share of the draws after which a tile is lost: so many of each tile, all from one seed."""
    rng = np.random.default_rng(seed)
    return float(np.mean([lost(drawing.apply(tile, rng)) for tile in tiles for _ in range(draws)]))
