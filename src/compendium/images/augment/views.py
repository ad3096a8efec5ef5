"""Views: augmented copies of a section's tiles, drawn once, with precomputed frozen features."""

import hashlib

import torch
from jaxtyping import UInt8
from torch import Tensor

from compendium.data.section import Section
from compendium.images.augment.families import FAMILIES
from compendium.images.augment.functional import SYMMETRIES, symmetry
from compendium.images.augment.sampling import drawn_from

VIEWS = 8
SYMMETRIC = ("stnet", "bleep")


def view_names(family: str, whole: bool = False) -> tuple[str, ...]:
    """Name the views of an augmentation family; "" is the section as it is.

    Parameters
    ----------
    family
        Augmentation family. stnet and bleep draw one of eight symmetries, each equally often, so
        that their views are all eight symmetries instead of eight draws.
    whole
        Whether a view has one draw for the section, instead of one for every tile.
    """
    if family == "none":
        return ("",) * VIEWS
    if family in SYMMETRIC:
        return ("", *(f"symmetry-{i}" for i in range(1, SYMMETRIES)))
    # Names decide the draws and name cached features: what is a tile stays "patch" in them.
    each = "section" if whole else "patch"
    return tuple(f"{family}-{each}-{i}" for i in range(VIEWS))


def view_tiles(
    section: Section,
    tile_px: int,
    view: str,
    rows: slice = slice(None),
    device: str = "cpu",
    tile_um: float = 0.0,
) -> UInt8[Tensor, "spot px px 3"]:
    """Cut the tiles of a section in one of its views.

    What is drawn for a tile follows from the names of section and view and from the tile's row,
    whichever rows are asked for.

    Parameters
    ----------
    section
        Section with an image.
    tile_px, tile_um
        Side of the tiles in pixels, and in µm (see Section.tiles).
    view
        Name of the view, "" for the tiles as they are.
    rows
        Spots whose tiles are wanted.
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
