"""Augmented copies of a section's tiles, fixed by name, whose frozen features are precomputed."""

import hashlib

import torch
from jaxtyping import UInt8
from torch import Tensor

from compendium.data.section import Section
from compendium.images.augment.families import FAMILIES
from compendium.images.augment.functional import SYMMETRIES, symmetry
from compendium.images.augment.sampling import drawn_from

BANK = 8  # copies of each section
SYMMETRIC = ("stnet", "bleep")


def bank(family: str, whole: bool = False) -> tuple[str, ...]:
    """List the names of a family's augmented copies of a section.

    Parameters
    ----------
    family
        Name of a family of augmentations.
    whole
        Draw once for the section instead of once for every tile.

    Returns
    -------
    Names for `kept_view`; "" is the section as it is. The families stnet and bleep draw the eight
    symmetries equally often, so that their copies are all eight instead of eight draws.
    """
    if family == "none":
        return ("",) * BANK
    if family in SYMMETRIC:
        return ("", *(f"symmetry-{i}" for i in range(1, SYMMETRIES)))
    return tuple(f"{family}-{'section' if whole else 'patch'}-{i}" for i in range(BANK))


def kept_view(
    section: Section,
    tile_px: int,
    view: str,
    rows: slice = slice(None),
    device: str = "cpu",
    tile_um: float = 0.0,
) -> UInt8[Tensor, "spot px px 3"]:
    """Augment tiles of a section as one of its named copies.

    Draws follow from the names of section and copy and the tile's row, whichever rows are given.

    Parameters
    ----------
    section
        Section with an image.
    tile_px, tile_um
        Side of a tile in pixels and in µm (see Section.tiles).
    view
        Name from `bank`.
    rows
        Rows of the tiles.
    device
        Where tiles are augmented.
    """
    images = torch.tensor(section.tiles(tile_px, tile_um, rows), device=device)
    if not view:
        return images
    images, (family, *kind) = images.permute(0, 3, 1, 2), view.split("-")
    if family == "symmetry":
        images = symmetry(images, int(kind[0]))
    else:
        whole = kind[0] == "section"
        seed = hashlib.sha256(f"{section.name} {view}".encode()).digest()[:7]
        with drawn_from(int.from_bytes(seed)):
            drawn = FAMILIES[family].draw(1 if whole else len(section))
        if not whole:
            drawn = {name: value[rows] for name, value in drawn.items()}
        images = FAMILIES[family].apply(images, drawn)
    return images.permute(0, 2, 3, 1).contiguous()
