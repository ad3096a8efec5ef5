"""Banks of views: copies of a section's tiles, changed by a family once and for all, whose frozen features are kept."""

import hashlib

import torch
from jaxtyping import UInt8
from torch import Tensor

from compendium.data.section import Section
from compendium.images.augment.families import FAMILIES
from compendium.images.augment.functional import SYMMETRIES, symmetry
from compendium.images.augment.sampling import drawn_from

BANK = 8
SYMMETRIC = ("stnet", "bleep")


def bank(family: str, whole: bool = False) -> tuple[str, ...]:
    """Names of a family's views, each with a draw for every tile, or with `whole` one for the section; "" is the section as it is.

    stnet and bleep draw one of eight symmetries, each equally often, so that their bank is all eight instead of eight draws; the first leaves a tile as it is.
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
    """Tiles of a section in one of the views of a bank; what is drawn for a tile follows from the names of section and view and the tile's place, whichever rows are asked for."""
    images = torch.tensor(section.tiles(tile_px, tile_um, rows), device=device)
    if not view:
        return images
    images, (family, *kind) = images.permute(0, 3, 1, 2), view.split("-")
    if family == "symmetry":
        images = symmetry(images, int(kind[0]))
    else:
        whole = kind[0] == "section"
        with drawn_from(
            int.from_bytes(hashlib.sha256(f"{section.name} {view}".encode()).digest()[:7])
        ):
            drawn = FAMILIES[family].draw(1 if whole else len(section))
        images = FAMILIES[family].apply(
            images, drawn if whole else {name: value[rows] for name, value in drawn.items()}
        )
    return images.permute(0, 2, 3, 1).contiguous()
