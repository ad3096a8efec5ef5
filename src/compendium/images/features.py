"""Numbers that describe each spot: features of a frozen encoder and six colours (both cached once a section), coordinates."""

import hashlib
import io
import logging
from contextlib import suppress
from functools import lru_cache
from importlib.metadata import version
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float32
from tqdm import tqdm

from compendium import versions
from compendium.data.section import Section
from compendium.errors import BadInput
from compendium.images import encoders
from compendium.images.augment.views import view_tiles
from compendium.storage import alone, home, lock_of, read_checksummed, write_checksummed

COLOUR = "colour"
COORDINATES = "coordinates"
CHUNK = {
    "cpu": 8,
    "cuda": 64,
    "mps": 64,
}  # tiles at once: on a CPU more of them wait for memory (benchmarks/features.py)
RANDOM_SEED = 0  # of a frozen random start, which is one network wherever its features are computed
log = logging.getLogger(__name__)


def features(
    section: Section,
    encoder: str,
    tile_px: int,
    weights: str = "",
    device: str = "cpu",
    scale: str = encoders.NORMALISED,
    view: str = "",
    tile_um: float = 0.0,
) -> Float32[np.ndarray, "spot feature"]:
    """Features of every spot: `colour`, `coordinates`, or the pooled output of a frozen timm encoder on tiles of `tile_px`.

    scale: how the encoder is shown the tiles (see encoders.scaled). view: an augmented copy (see augment/views.py), "" for the tiles as they are; coordinates are the same in all.
    tile_um: see Section.tiles.
    """
    if encoder == COORDINATES:
        return coordinates(section)
    return _cached(section, encoder, tile_px, weights, device, scale, view, tile_um)


def six_colours(
    section: Section, tile_px: int, view: str = "", tile_um: float = 0.0
) -> Float32[np.ndarray, "spot 6"]:
    """Mean and standard deviation of red, green and blue over each tile (0-255)."""
    pieces = (
        view_tiles(section, tile_px, view, slice(i, i + CHUNK["cpu"]), tile_um=tile_um).numpy()
        for i in range(0, len(section), CHUNK["cpu"])
    )
    rows = [(tile.mean(axis=(0, 1)), tile.std(axis=(0, 1))) for piece in pieces for tile in piece]
    return np.array(rows, dtype=np.float32).reshape(len(section), 6)


def coordinates(section: Section) -> Float32[np.ndarray, "spot 2"]:
    """Array position x, y scaled to the section's extent, -1 to 1."""
    low, high = section.grid.min(axis=0), section.grid.max(axis=0)
    return (2 * (section.grid - low) / np.maximum(high - low, 1) - 1).astype(np.float32)


def _cached(
    section: Section,
    encoder: str,
    tile_px: int,
    weights: str,
    device: str,
    scale: str,
    view: str,
    um: float,
) -> Float32[np.ndarray, "spot feature"]:
    """Computed once a section and encoder, by whichever process comes first, then read; what is damaged is reported and computed again."""
    path = cache_path(section, encoder, tile_px, weights, device, scale, view, um)
    with suppress(OSError, ValueError):
        values = _read(path)
        if lock_of(path).exists():
            with suppress(OSError), alone(path):  # tidies up after a process that was killed
                pass
        return values
    with alone(path):
        try:
            return _read(path)
        except FileNotFoundError:
            pass
        except (OSError, ValueError) as error:
            log.warning("the features in %s are damaged (%s); they are computed again", path, error)
        values = (
            six_colours(section, tile_px, view, um)
            if encoder == COLOUR
            else encode(section, encoder, tile_px, weights, device, scale, view, um)
        )
        _write(path, values)
    return values


def _read(path: Path) -> Float32[np.ndarray, "spot feature"]:
    return np.load(io.BytesIO(read_checksummed(path)))


def _write(path: Path, values: Float32[np.ndarray, "spot feature"]) -> None:
    packed = io.BytesIO()
    np.save(packed, values)
    write_checksummed(path, packed.getbuffer())


def cache_path(
    section: Section,
    encoder: str,
    tile_px: int,
    weights: str,
    device: str,
    scale: str = encoders.NORMALISED,
    view: str = "",
    tile_um: float = 0.0,
) -> Path:
    """Where a section's features lie once they are computed; the file's name is the checksum of all that decides its content."""
    network = (
        ""
        if encoder == COLOUR
        else f"{encoders.weights_id(encoder, weights)} {scale} timm {version('timm')} {device}"
    )
    facts = f"{section.digest} {encoder} {tile_px} {tile_um:g} {view} {network} {versions.FEATURES}"
    return (
        home()
        / "features"
        / encoder
        / f"{section.cohort}-{section.name}-{hashlib.sha256(facts.encode()).hexdigest()[:16]}.npy"
    )


@torch.inference_mode()
def encode(
    section: Section,
    encoder: str,
    tile_px: int,
    weights: str = "",
    device: str = "cpu",
    scale: str = encoders.NORMALISED,
    view: str = "",
    tile_um: float = 0.0,
) -> Float32[np.ndarray, "spot feature"]:
    """Pooled features of the frozen encoder in evaluation mode, without the cache."""
    network, size = _frozen(encoder, weights, device), CHUNK[device]
    if (side := encoders.fixed_side(encoder)) and side != tile_px:
        raise BadInput(
            f"encoder {encoder} takes tiles of {side} px only, not {tile_px}; set tile_px={side}"
        )
    bar = tqdm(
        range(0, len(section), size),
        desc=" ".join(word for word in (encoder, view, "on", section.name) if word),
        disable=None,
    )
    pieces = (view_tiles(section, tile_px, view, slice(i, i + size), device, tile_um) for i in bar)
    return (
        torch.cat([network(encoders.scaled(piece, scale, encoder)) for piece in pieces])
        .float()
        .cpu()
        .numpy()
    )


@lru_cache(maxsize=1)
def _frozen(encoder: str, weights: str, device: str) -> torch.nn.Module:
    """The network in evaluation mode; its weights lie in memory as the tiles do, channels last."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(RANDOM_SEED)
        network = encoders.encoder(encoder, weights)
    return network.eval().to(device, memory_format=torch.channels_last)
