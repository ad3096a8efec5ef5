"""Slide images: opened within bounds, cut into patches, shrunk to a thumbnail."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float32, UInt8
from PIL import Image, UnidentifiedImageError

from compendium.errors import BadInput

MAX_PIXELS = 2_000_000_000  # a 40,000 px square slide, and some
THUMBNAIL_PX = 640


@contextmanager
def _own_bound() -> Iterator[None]:
    """Pillow's decompression-bomb limit is off for the block and nowhere else: MAX_PIXELS is checked instead, before a pixel is decoded."""
    was, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, None
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", category=UserWarning, module=r"PIL\.TiffImagePlugin")  # of odd tags; a TIFF that cannot be decoded is an error besides
            yield
    finally:
        Image.MAX_IMAGE_PIXELS = was


@dataclass(frozen=True)
class Slide:
    """A whole image, its thumbnail (at most THUMBNAIL_PX a side), and thumbnail px per image px."""

    image: UInt8[np.ndarray, "height width 3"]
    thumbnail: UInt8[np.ndarray, "small_height small_width 3"]
    scale: float


def read_slide(path: Path) -> Slide:
    """Decode a slide image once, as RGB."""
    try:
        with _own_bound(), Image.open(path) as image:
            if image.width * image.height > MAX_PIXELS:
                raise BadInput(f"image {path} has {image.width} x {image.height} px, more than the bound of {MAX_PIXELS:,}; give a smaller export of the slide")
            rgb = image if image.mode == "RGB" else image.convert("RGB")
            scale = min(1.0, THUMBNAIL_PX / max(rgb.size))
            small = rgb.resize((max(1, round(rgb.width * scale)), max(1, round(rgb.height * scale))), Image.Resampling.BOX, reducing_gap=2.0)
            return Slide(np.asarray(rgb), np.asarray(small), scale)
    except (UnidentifiedImageError, OSError, SyntaxError) as error:
        raise BadInput(f"image {path} cannot be read ({error}); fetch it again or export it as TIFF, JPEG or PNG") from error


def cut_patches(image: UInt8[np.ndarray, "height width 3"], pixels: Float32[np.ndarray, "spot 2"], px: int, where: str) -> UInt8[np.ndarray, "spot {px} {px} 3"]:
    """`px` x `px` tiles centred on the spots: rows and columns floor(centre) - px/2 (inclusive) to + px/2 (exclusive).

    A spot whose centre lies outside the image is an error; a tile that crosses the border is filled with white.
    """
    height, width = image.shape[:2]
    centre = np.floor(pixels)
    outside = ~((centre >= 0) & (centre < (width, height))).all(axis=1)
    if outside.any():
        x, y = pixels[outside][0]
        raise BadInput(f"{where}: {outside.sum()} spots lie outside the image of {width} x {height} px, first at ({x:.0f}, {y:.0f}); check that the spot table is of this image")
    patches = np.full((len(pixels), px, px, 3), 255, dtype=np.uint8)
    for patch, (x, y) in zip(patches, centre.astype(int) - px // 2, strict=True):
        top, left, bottom, right = max(y, 0), max(x, 0), min(y + px, height), min(x + px, width)
        patch[top - y : bottom - y, left - x : right - x] = image[top:bottom, left:right]
    return patches
