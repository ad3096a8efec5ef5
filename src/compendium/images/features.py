"""Features of spots: frozen encoders, six colours and texture, cached for each section."""

import hashlib
from collections.abc import Callable
from functools import lru_cache
from importlib.metadata import version
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float32
from tqdm import tqdm

from compendium import versions
from compendium.data.section import Section
from compendium.errors import BadInput
from compendium.images import encoders
from compendium.images.augment.views import view_tiles
from compendium.images.textures import texture
from compendium.storage import computed_once, home

Features = Float32[np.ndarray, "spot feature"]
COLOUR = "colour"
TEXTURE = "texture"
WITHOUT_NETWORK = (COLOUR, TEXTURE)
CHUNK = {"cpu": 8, "cuda": 64, "mps": 64}
"""Device -> tiles encoded at once; on a CPU more wait for memory (benchmarks/features.py)."""

RANDOM_SEED = 0  # a frozen random start is the same network in every process


class Encoding(NamedTuple):
    """What decides the features of a section; see `features`."""

    encoder: str
    tile_px: int
    weights: str = ""
    device: str = "cpu"
    scale: str = encoders.NORMALISED
    view: str = ""
    tile_um: float = 0.0


def features(
    section: Section,
    encoder: str,
    tile_px: int,
    weights: str = "",
    device: str = "cpu",
    scale: str = encoders.NORMALISED,
    view: str = "",
    tile_um: float = 0.0,
) -> Features:
    """Compute the features of every spot, or read them from the cache.

    Parameters
    ----------
    section
        Section with an image.
    encoder
        timm name of a frozen encoder, `colour` or `texture`.
    tile_px, tile_um
        Side of a tile in pixels and in µm (see Section.tiles).
    weights
        See encoders.encoder.
    device
        Where the encoder runs: cpu, cuda or mps.
    scale
        How tiles become numbers (see encoders.scaled).
    view
        Augmented copy of the section (see augment.views.view_names), "" for the tiles as they are.

    Raises
    ------
    BadInput
        The section has no image, or the encoder is unavailable or takes other tiles.
    """
    how = Encoding(encoder, tile_px, weights, device, scale, view, tile_um)
    return computed_once(cache_path(section, how), lambda: encode(section, how))


def six_colours(
    section: Section, tile_px: int, view: str = "", tile_um: float = 0.0
) -> Float32[np.ndarray, "spot 6"]:
    """Compute mean and standard deviation of red, green and blue over each tile (0-255).

    Parameters
    ----------
    section
        Section with an image.
    tile_px, tile_um
        Side of a tile in pixels and in µm (see Section.tiles).
    view
        Augmented copy of the section, "" for the tiles as they are.
    """
    return _by_tile(_mean_and_spread, section, tile_px, view, tile_um)


def textures(
    section: Section, tile_px: int, view: str = "", tile_um: float = 0.0
) -> Float32[np.ndarray, "spot 20"]:
    """Compute `compendium.images.textures.texture` of each tile; parameters as of six_colours."""
    return _by_tile(texture, section, tile_px, view, tile_um)


def _by_tile(
    describe: Callable[[np.ndarray], np.ndarray],
    section: Section,
    tile_px: int,
    view: str,
    tile_um: float,
) -> Features:
    size = CHUNK["cpu"]
    pieces = (
        view_tiles(section, tile_px, view, slice(i, i + size), tile_um=tile_um).numpy()
        for i in range(0, len(section), size)
    )
    return np.array([describe(tile) for piece in pieces for tile in piece], dtype=np.float32)


def _mean_and_spread(tile: np.ndarray) -> np.ndarray:
    return np.concatenate([tile.mean(axis=(0, 1)), tile.std(axis=(0, 1))])


def cache_path(section: Section, how: Encoding) -> Path:
    """Return the cache file of a section's features; a checksum of what decides them names it."""
    network = ""
    if how.encoder not in WITHOUT_NETWORK:
        weights = encoders.weights_id(how.encoder, how.weights)
        network = f"{weights} {how.scale} timm {version('timm')} {how.device}"
    tiles = f"{how.encoder} {how.tile_px} {how.tile_um:g} {how.view}"
    facts = f"{section.digest} {tiles} {network} {versions.FEATURES}"
    digest = hashlib.sha256(facts.encode()).hexdigest()[:16]
    return home() / "features" / how.encoder / f"{section.cohort}-{section.name}-{digest}.npy"


@torch.inference_mode()
def encode(section: Section, how: Encoding) -> Features:
    """Compute six colours, texture, or pooled features of a frozen encoder in evaluation mode."""
    encoder, tile_px, weights, device, scale, view, tile_um = how
    if encoder == COLOUR:
        return six_colours(section, tile_px, view, tile_um)
    if encoder == TEXTURE:
        return textures(section, tile_px, view, tile_um)
    network, size = _frozen(encoder, weights, device), CHUNK[device]
    if (side := encoders.fixed_side(encoder)) and side != tile_px:
        wrong = f"takes tiles of {side} px only, not {tile_px}"
        raise BadInput(f"encoder {encoder} {wrong}; set tile_px={side}")
    title = " ".join(filter(None, (encoder, view, "on", section.name)))
    bar = tqdm(range(0, len(section), size), desc=title, disable=None)
    pieces = (view_tiles(section, tile_px, view, slice(i, i + size), device, tile_um) for i in bar)
    encoded = [network(encoders.scaled(piece, scale, encoder)) for piece in pieces]
    return torch.cat(encoded).float().cpu().numpy()


@lru_cache(maxsize=1)
def _frozen(encoder: str, weights: str, device: str) -> torch.nn.Module:
    """Build the network in evaluation mode, channels last in memory like the tiles."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(RANDOM_SEED)
        network = encoders.encoder(encoder, weights)
    return network.eval().to(device, memory_format=torch.channels_last)
