"""How often a drawn stain leaves nothing of a tile: black, white, or one colour."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import UInt8

from compendium.data.section import Section
from compendium.images.stain.augment import HED, RandStainNA
from compendium.images.stain.store import STAINS

END = 10
"""Levels, of 255, from an end of the scale that count as black or white."""
SHARE, NEAR = 0.8, 20
"""Share of the pixels, and within how many levels of each other, that make one colour."""
DRAWS = 20
"""Tiles of a section that are measured at most, and draws on each."""
STEP = 4
"""Every `STEP`-th row and column of a tile is measured: draws change pixels one by one."""


def lost(tile: UInt8[np.ndarray, "px px 3"]) -> bool:
    """Decide whether nothing is left of a tile.

    Lost is a tile whose median is within `END` levels of black, or of white, in every channel, or
    of which `SHARE` of the pixels lie within `NEAR` levels of each other in every channel.
    """
    ordered = np.sort(tile.reshape(-1, 3).astype(int), axis=0)
    kept = int(np.ceil(SHARE * len(ordered)))
    widths = ordered[kept - 1 :] - ordered[: len(ordered) - kept + 1]
    one_colour = (widths.min(axis=0) <= NEAR).all()
    median = np.median(ordered, axis=0)
    return bool(one_colour or (median <= END).all() or (median >= 255 - END).all())


def intact_tiles(
    tiles: UInt8[np.ndarray, "spot px px 3"], number: int
) -> list[UInt8[np.ndarray, "side side 3"]]:
    """Return at most `number` tiles, evenly spaced among those that are not lost as they are."""
    small = (np.asarray(each[::STEP, ::STEP]) for each in tiles)
    intact = [tile for tile in small if not lost(tile)]
    spaced = np.linspace(0, len(intact) - 1, min(number, len(intact)))
    return [intact[i] for i in np.unique(spaced.round().astype(int))]


def share_lost(
    drawing: HED | RandStainNA, tiles: Sequence[UInt8[np.ndarray, "px px 3"]], draws: int, seed: int
) -> float:
    """Return the share of the draws after which a tile is lost, `draws` of each tile."""
    rng = np.random.default_rng(seed)
    return float(np.mean([lost(drawing.apply(tile, rng)) for tile in tiles for _ in range(draws)]))


def lost_shares(section: Section, seed: int) -> dict[str, object]:
    """Return how often HED augmentation loses a tile of a section.

    Returns
    -------
    lost_tiles (their number), lost_section, and the share of the draws by strength.
    """
    chosen = intact_tiles(section.stored_tiles, DRAWS)
    shares = {
        f"lost_{name}": share_lost(STAINS[f"hed-{name}"], chosen, DRAWS, seed)
        for name in ("light", "strong")
    }
    return {"lost_tiles": len(chosen), "lost_section": section.name} | shares
