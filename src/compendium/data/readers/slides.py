"""Slide images: opened within bounds, cut into tiles, shrunk to a thumbnail."""

import struct
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float32, UInt8
from PIL import ExifTags, Image

from compendium.errors import BadInput, refusing

MAX_PIXELS = 2_000_000_000  # a 40,000 px square slide, and some
# Of the file: eight times what the JPEG slides of her2st contain; a blank JPEG contains 170, a
# blank PNG 300 and more.
MAX_PX_PER_BYTE = 200
THUMBNAIL_PX = 640
STRIP = 1024  # rows that are held twice at once
BITS = 258  # the TIFF tag BitsPerSample
# What Pillow raises of damaged files, the last four of damaged tags.
DAMAGE = (OSError, EOFError, SyntaxError, ValueError, TypeError, KeyError, struct.error)


@contextmanager
def _own_bound() -> Iterator[None]:
    """Lift Pillow's decompression-bomb limit for the block, in which MAX_PIXELS is checked."""
    was, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, None
    try:
        with warnings.catch_warnings():  # of odd tags; what cannot be decoded is an error besides
            module = r"PIL\.TiffImagePlugin"
            warnings.filterwarnings("ignore", category=UserWarning, module=module)
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
    """Decode a slide image once, as RGB.

    Only 8-bit colour stored upright is taken, the first page of a pyramid; what is transparent
    becomes white.

    Raises
    ------
    BadInput
        Where the file is damaged, too large, blank or of another kind.
    """
    mend = "fetch it again or export it as TIFF, JPEG or PNG"
    with (
        refusing(DAMAGE, f"image {path} cannot be read", mend),
        _own_bound(),
        Image.open(path, formats=("JPEG", "PNG", "TIFF")) as image,
    ):
        _check_size(image, path)
        _check_kind(image, path)
        return _slide(_on_white(image))


def as_slide(image: UInt8[np.ndarray, "height width 3"]) -> Slide:
    """Make a slide of an image in memory."""
    return _slide(Image.fromarray(image))


def _slide(rgb: Image.Image) -> Slide:
    scale = min(1.0, THUMBNAIL_PX / max(rgb.size))
    size = (max(1, round(rgb.width * scale)), max(1, round(rgb.height * scale)))
    small = rgb.resize(size, Image.Resampling.BOX, reducing_gap=2.0)
    return Slide(_as_array(rgb), np.asarray(small), scale)


def _check_size(image: Image.Image, path: Path) -> None:
    """Bound the memory that decoding takes, by what the file declares and by what it weighs."""
    size, px = path.stat().st_size, image.width * image.height
    sides = f"{image.width} x {image.height} px"
    if px > MAX_PIXELS:
        mend = "give a smaller export of the slide"
        raise BadInput(f"image {path} has {sides}, more than the bound of {MAX_PIXELS:,}; {mend}")
    if px > MAX_PX_PER_BYTE * size:
        wrong = f"image {path} declares {sides} in {size:,} bytes, which is blank or damaged"
        raise BadInput(f"{wrong}; export the slide again")


def _check_kind(image: Image.Image, path: Path) -> None:
    """Refuse what would be decoded to other colours, or turned away from its spots."""
    tags = image.tag_v2 if image.format == "TIFF" else {}
    # Pillow would keep 8 bits of each sample, or clip it.
    deep = ";16" in str(image.tile[:1]) or max(tags.get(BITS, (8,))) > 8
    if image.mode not in ("RGB", "RGBA", "P") or deep:
        kind = "of more than 8 bits a sample" if deep else f"of the kind {image.mode}"
        mend = "export it as 8-bit RGB"
        raise BadInput(f"image {path} is {kind}, not in the colours of a slide; {mend}")
    if tags:
        _check_pages(image, path)
    if (turn := image.getexif().get(ExifTags.Base.Orientation, 1)) not in (0, 1):
        wrong = f"stored turned or mirrored (orientation tag {turn}), so that pixels count two ways"
        raise BadInput(f"image {path} is {wrong}; export it upright as 8-bit RGB")


def _check_pages(image: Image.Image, path: Path) -> None:
    """Refuse a TIFF whose next pages are channels or layers, not the copies of a pyramid."""
    px = image.width * image.height
    for page in range(1, image.n_frames):
        image.seek(page)
        if image.width * image.height >= px:
            wrong = f"holds a channel or layer on each of its {image.n_frames} pages"
            mend = f"as page {page + 1} is as large as the first; export it as 8-bit RGB"
            raise BadInput(f"image {path} {wrong}, {mend}")
    image.seek(0)


def _on_white(image: Image.Image) -> Image.Image:
    """Return the image as RGB, what is transparent in it white as the background."""
    if image.mode == "RGB" and "transparency" not in image.info:
        return image
    rgba, rgb = image.convert("RGBA"), Image.new("RGB", image.size, "white")
    rgb.paste(rgba, mask=rgba)
    return rgb


def _as_array(image: Image.Image) -> UInt8[np.ndarray, "height width 3"]:
    """Copy the pixels strip by strip: numpy would have Pillow write all of them twice first."""
    out = np.empty((image.height, image.width, 3), dtype=np.uint8)
    for top in range(0, image.height, STRIP):
        box = (0, top, image.width, min(top + STRIP, image.height))
        out[top : top + STRIP] = np.asarray(image.crop(box))
    return out


def section_fields(slide: Slide, pixels: Float32[np.ndarray, "spot 2"], px: int) -> dict[str, Any]:
    """Return what a Section holds of its slide: tiles around the spots and the thumbnail."""
    tiles = cut_tiles(slide.image, pixels, px)
    return {"stored_tiles": tiles, "thumbnail": slide.thumbnail, "thumbnail_scale": slide.scale}


def cut_tiles(
    image: UInt8[np.ndarray, "height width 3"], pixels: Float32[np.ndarray, "spot 2"], px: int
) -> UInt8[np.ndarray, "spot {px} {px} 3"]:
    """Cut `px` x `px` tiles centred on the spots.

    Rows and columns floor(centre) - px/2 (inclusive) to + px/2 (exclusive). A tile that crosses
    the border is filled with white.

    Raises
    ------
    BadInput
        Where the centre of a spot lies outside the image.
    """
    height, width = image.shape[:2]
    centre = np.floor(pixels)
    outside = ~((centre >= 0) & (centre < (width, height))).all(axis=1)
    if outside.any():
        x, y = pixels[outside][0]
        first = f"first at ({x:.0f}, {y:.0f}); check that the spot table is of this image"
        size = f"{width} x {height} px"
        raise BadInput(f"{outside.sum()} spots lie outside the image of {size}, {first}")
    tiles = np.full((len(pixels), px, px, 3), 255, dtype=np.uint8)
    for tile, (x, y) in zip(tiles, centre.astype(int) - px // 2, strict=True):
        top, left, bottom, right = max(y, 0), max(x, 0), min(y + px, height), min(x + px, width)
        tile[top - y : bottom - y, left - x : right - x] = image[top:bottom, left:right]
    return tiles
