"""Which images are slides: 8-bit colour, upright, on one page or a pyramid.

Everything else is refused, never turned into other colours.
"""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from compendium.data.readers.slides import read_slide
from raw_files import refusal

COLOURS = np.random.default_rng(0).integers(0, 256, (60, 90, 3), dtype=np.uint8)
RGB = Image.fromarray(COLOURS)
GREY = RGB.convert("L")


def deep_tiff(path: Path, planar: int) -> None:
    """An uncompressed TIFF of 16 bits a sample, which Pillow opens as RGB and cannot write."""
    data, sizes = (
        (COLOURS.astype(np.uint16) * 16)
        .transpose((2, 0, 1) if planar == 2 else (0, 1, 2))
        .tobytes(),
        np.full(3, 16, np.uint16).tobytes(),
    )
    plane = len(data) // 3
    strips = [8, 8 + plane, 8 + 2 * plane] if planar == 2 else [8]
    lengths = [plane] * 3 if planar == 2 else [len(data)]
    after = 8 + len(data)
    lists = sizes + np.array([*strips, *lengths], np.uint32).tobytes()
    long = len(strips) > 1
    tags = [
        (256, 1, 90),
        (257, 1, 60),
        (258, 3, after),
        (259, 1, 1),
        (262, 1, 2),
        (273, len(strips), after + 6 if long else 8),
        (277, 1, 3),
        (278, 1, 60),
        (279, len(strips), after + 18 if long else len(data)),
        (284, 1, planar),
    ]
    entries = b"".join(
        np.array([tag, 3 if tag == 258 else 4], np.uint16).tobytes()
        + np.array([count, value], np.uint32).tobytes()
        for tag, count, value in tags
    )
    directory = np.array([len(tags)], np.uint16).tobytes() + entries + bytes(4)
    path.write_bytes(
        b"II*\0" + np.array([after + len(lists)], np.uint32).tobytes() + data + lists + directory
    )


def deep_png(path: Path) -> None:
    """A PNG of 16 bits a sample in RGB, which Pillow cannot write."""
    import struct
    import zlib

    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in COLOURS.astype(np.uint16) * 16)
    parts = (
        (b"IHDR", struct.pack(">IIBBBBB", 90, 60, 16, 2, 0, 0, 0)),
        (b"IDAT", zlib.compress(rows)),
        (b"IEND", b""),
    )
    path.write_bytes(
        b"\x89PNG\r\n\x1a\n"
        + b"".join(
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
            for kind, data in parts
        )
    )


REFUSED = {
    "grey.png": (GREY.save, "of the kind L"),
    "grey.jpg": (GREY.save, "of the kind L"),
    "black and white.png": (GREY.convert("1").save, "of the kind 1"),
    "grey and alpha.png": (RGB.convert("LA").save, "of the kind LA"),
    "grey of 16 bits.png": (
        Image.fromarray(COLOURS[..., 0].astype(np.uint16) * 257).save,
        "more than 8 bits a sample",
    ),
    "grey of 16 bits.tif": (
        Image.fromarray(COLOURS[..., 0].astype(np.uint16) * 257).save,
        "more than 8 bits a sample",
    ),
    "fractions.tif": (
        Image.fromarray(COLOURS[..., 0].astype(np.float32)).save,
        "more than 8 bits a sample",
    ),
    "lab.tif": (RGB.convert("LAB").save, "of the kind LAB"),
    "cmyk.jpg": (RGB.convert("CMYK").save, "of the kind CMYK"),
    "12 bits of 16.tif": (lambda path: deep_tiff(path, planar=1), "more than 8 bits a sample"),
    "12 bits of 16, in planes.tif": (
        lambda path: deep_tiff(path, planar=2),
        "more than 8 bits a sample",
    ),
    "12 bits of 16.png": (deep_png, "more than 8 bits a sample"),
    "channels.tif": (
        lambda path: GREY.save(path, save_all=True, append_images=[GREY, GREY]),
        "of the kind L",
    ),
    "layers.tif": (
        lambda path: RGB.save(path, save_all=True, append_images=[RGB.resize((45, 30)), RGB]),
        "on each of its 3 pages, as page 3 is as large",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_other_colours_are_refused_in_one_line(tmp_path, name):
    write, words = REFUSED[name]
    write(tmp_path / name)
    message = refusal(lambda: read_slide(tmp_path / name))
    assert message.startswith(f"image {tmp_path / name} ") and words in message
    assert message.endswith("export it as 8-bit RGB")


def test_the_first_page_of_a_pyramid_is_the_slide(tmp_path):
    RGB.save(
        tmp_path / "he.tif",
        save_all=True,
        append_images=[RGB.resize((45, 30)), RGB.resize((22, 15))],
    )
    assert np.array_equal(read_slide(tmp_path / "he.tif").image, COLOURS)


def test_a_palette_holds_colours(tmp_path):
    few = RGB.quantize(16)
    few.save(tmp_path / "he.png")
    assert np.array_equal(read_slide(tmp_path / "he.png").image, np.asarray(few.convert("RGB")))


@pytest.mark.parametrize("kind", ["RGBA", "P", "RGB"])
@pytest.mark.filterwarnings("error")
def test_what_is_transparent_is_white(tmp_path, kind):
    """Left half (7, 8, 9), right half transparent black.

    By an alpha channel, by a place of the palette, or by a colour that stands for it.
    """
    solid = Image.new("RGB", (20, 10), (7, 8, 9))
    solid.paste((0, 0, 0), (10, 0, 20, 10))
    if kind == "RGBA":
        solid.putalpha(
            Image.fromarray(np.repeat(np.uint8([[255, 0]]), 10, axis=1).repeat(10, axis=0))
        )
    few = solid.quantize(2) if kind == "P" else solid
    few.save(
        tmp_path / "he.png", **({} if kind == "RGBA" else {"transparency": few.getpixel((19, 0))})
    )
    image = read_slide(tmp_path / "he.png").image
    assert np.unique(image[:, :10].reshape(-1, 3), axis=0).tolist() == [[7, 8, 9]]
    assert (image[:, 10:] == 255).all()


@pytest.mark.parametrize("suffix", ["tif", "jpg", "png"])
def test_an_image_that_is_to_be_turned_when_it_is_shown_is_refused(tmp_path, suffix):
    path, tags = tmp_path / f"he.{suffix}", Image.Exif()
    tags[0x112] = 6
    RGB.save(path, exif=tags)
    message = refusal(lambda: read_slide(path))
    assert (
        "stored turned or mirrored (orientation tag 6)" in message
        and "export it upright" in message
    )
    tags[0x112] = 1
    RGB.save(path, exif=tags)
    assert read_slide(path).image.shape == COLOURS.shape
