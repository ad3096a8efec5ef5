"""Slide images: read within bounds, cut where the spots are, and refused in one line."""

import io
import struct
import zlib

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from compendium.data.readers import slides
from compendium.data.readers.slides import THUMBNAIL_PX, cut_tiles, read_slide
from compendium.errors import BadInput
from raw_files import raw_path, refusal, write_raw

pytestmark = pytest.mark.slow


def noise(height: int, width: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


@pytest.mark.parametrize("suffix", ["png", "tif"])
def test_a_lossless_image_comes_as_it_is(tmp_path, suffix, monkeypatch):
    monkeypatch.setattr(slides, "STRIP", 25)  # which does not divide its height
    image = noise(60, 90)
    Image.fromarray(image).save(tmp_path / f"he.{suffix}")
    slide = read_slide(tmp_path / f"he.{suffix}")
    assert np.array_equal(slide.image, image)
    assert slide.scale == 1.0
    assert np.array_equal(slide.thumbnail, image)


@pytest.mark.parametrize(
    ("width", "height", "small"),
    [(1300, 650, (640, 320)), (650, 1300, (320, 640)), (2000, 1, (640, 1))],
)
def test_the_thumbnail_is_the_whole_image_at_the_stated_scale(tmp_path, width, height, small):
    image = np.zeros((height, width, 3), dtype=np.uint8)
    image[:, : width // 2] = (200, 40, 90)
    Image.fromarray(image).save(tmp_path / "he.tif")
    slide = read_slide(tmp_path / "he.tif")
    assert (slide.thumbnail.shape[1], slide.thumbnail.shape[0]) == small
    assert slide.scale == THUMBNAIL_PX / max(width, height)
    assert tuple(slide.thumbnail[0, 2]) == (200, 40, 90)
    assert tuple(slide.thumbnail[-1, -2]) == (0, 0, 0)


def test_patches_lie_where_the_convention_says():
    image = noise(50, 70)
    pixels = np.array([[20.99, 30.0], [35.0, 18.5]], dtype=np.float32)
    patches = cut_tiles(image, pixels, 8)
    assert np.array_equal(patches[0], image[26:34, 16:24])
    assert np.array_equal(patches[1], image[14:22, 31:39])
    assert np.array_equal(patches[:, 4, 4], image[[30, 18], [20, 35]])


@settings(deadline=None)
@given(x=st.floats(0, 69.875, width=32), y=st.floats(0, 49.875, width=32), px=st.integers(1, 40))
def test_a_patch_is_a_window_of_the_image_on_white(x, y, px):
    image = noise(50, 70) // 2
    patch = cut_tiles(image, np.array([[x, y]], dtype=np.float32), px)[0]
    padded = np.pad(image, ((px, px), (px, px), (0, 0)), constant_values=255)
    top, left = int(y) - px // 2 + px, int(x) - px // 2 + px
    assert np.array_equal(patch, padded[top : top + px, left : left + px])


@pytest.mark.parametrize(
    "spot",
    [(70.0, 10.0), (10.0, 50.0), (-0.5, 10.0), (10.0, -0.01), (np.nan, 10.0), (10.0, np.inf)],
)
def test_a_spot_outside_the_image_is_refused(spot):
    pixels = np.array([[5.0, 5.0], spot, [69.9, 49.9]], dtype=np.float32)
    message = refusal(lambda: cut_tiles(noise(50, 70), pixels, 8))
    assert message.startswith("1 spots lie outside the image of 70 x 50 px")
    assert f"({pixels[1, 0]:.0f}, {pixels[1, 1]:.0f})" in message


def test_too_large_an_image_is_refused_before_it_is_decoded(tmp_path, monkeypatch):
    Image.fromarray(noise(40, 50)).save(tmp_path / "he.png")
    monkeypatch.setattr(Image.Image, "resize", lambda *args, **kwargs: pytest.fail("decoded"))
    for bound in (1999, 700):  # just over, and over twice the bound
        monkeypatch.setattr(slides, "MAX_PIXELS", bound)
        message = refusal(lambda: read_slide(tmp_path / "he.png"))
        assert "50 x 40 px" in message
        assert f"{bound:,}" in message
        assert "smaller export" in message


def test_an_image_at_the_bound_is_read_and_pillows_own_limit_is_left_alone(tmp_path, monkeypatch):
    Image.fromarray(noise(40, 50)).save(tmp_path / "he.png")
    monkeypatch.setattr(slides, "MAX_PIXELS", 2000)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 300)
    assert read_slide(tmp_path / "he.png").image.shape == (40, 50, 3)
    assert Image.MAX_IMAGE_PIXELS == 300
    (tmp_path / "he.png").write_bytes(b"no image")
    refusal(lambda: read_slide(tmp_path / "he.png"))
    assert Image.MAX_IMAGE_PIXELS == 300


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"not an image\n\nat all",
        b"\xff\xd8\xff\xe0" + bytes(200),
        b"\x89PNG\r\n\x1a\n" + bytes(50),
    ],
    ids=["nothing", "text", "jpeg", "png"],
)
def test_garbage_is_refused_with_its_path(tmp_path, content):
    path = tmp_path / "he.jpg"
    path.write_bytes(content)
    message = refusal(lambda: read_slide(path))
    assert str(path) in message
    assert "cannot be read" in message
    assert "export it as TIFF, JPEG or PNG" in message


def test_a_missing_image_is_refused_with_its_path(tmp_path):
    assert str(tmp_path / "gone.jpg") in refusal(lambda: read_slide(tmp_path / "gone.jpg"))


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "TIFF"])
def test_an_image_cut_in_the_middle_is_refused(tmp_path, kind):
    buffer = io.BytesIO()
    Image.fromarray(noise(64, 64)).save(buffer, kind)
    (tmp_path / "he").write_bytes(buffer.getvalue()[: len(buffer.getvalue()) // 2])
    assert "cannot be read" in refusal(lambda: read_slide(tmp_path / "he"))


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "TIFF"])
@pytest.mark.filterwarnings("ignore::UserWarning")  # Pillow's remarks on what it could still read
@settings(
    deadline=None,
    max_examples=60,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(where=st.floats(0, 0.9999), byte=st.integers(1, 255), cut=st.booleans())
def test_a_damaged_image_is_read_or_refused_and_nothing_else(tmp_path, kind, where, byte, cut):
    buffer = io.BytesIO()
    Image.fromarray(noise(24, 24)).save(buffer, kind)
    content = bytearray(buffer.getvalue())
    at = int(where * len(content))
    if cut:
        del content[at:]
    else:
        content[at] ^= byte
    (tmp_path / "he").write_bytes(content)
    try:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(slides, "MAX_PIXELS", 100_000)
            assert read_slide(tmp_path / "he").image.shape[2] == 3
    except BadInput as error:
        assert "\n" not in str(error)


def png(side: int, rows: int = 0) -> bytes:
    """A PNG file that declares `side` x `side` RGB pixels and holds as many black rows."""
    parts = (
        (b"IHDR", struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)),
        (b"IDAT", zlib.compress(bytes(rows * (3 * side + 1)))),
        (b"IEND", b""),
    )
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in parts
    )


def tiff(side: int) -> bytes:
    """A TIFF file of few bytes that declares `side` x `side` grey pixels in a deflated strip."""
    data = zlib.compress(bytes(1000))
    tags = [
        (256, side),
        (257, side),
        (258, 8),
        (259, 8),
        (262, 1),
        (273, 8),
        (277, 1),
        (278, side),
        (279, len(data)),
    ]
    entries = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in tags)
    return (
        b"II*\0"
        + struct.pack("<I", 8 + len(data))
        + data
        + struct.pack("<H", len(tags))
        + entries
        + bytes(4)
    )


def jpeg(side: int) -> bytes:
    """A progressive JPEG file of a few bytes that declares `side` x `side` pixels."""
    buffer = io.BytesIO()
    Image.new("RGB", (16, 16)).save(buffer, "JPEG", progressive=True)
    content = bytearray(buffer.getvalue())
    at = content.index(b"\xff\xc2") + 5
    content[at : at + 4] = struct.pack(">HH", side, side)
    return bytes(content)


@pytest.mark.parametrize(
    "bomb",
    [png(60_000), tiff(60_000), png(44_000), tiff(44_000), jpeg(44_000), png(6000, 6000)],
    ids=["png", "tiff", "png in bounds", "tiff in bounds", "jpeg in bounds", "honest png"],
)
def test_an_image_bomb_is_refused_with_the_memory_of_a_small_image(bomb, commands, home):
    image = raw_path(write_raw(home / "raw" / "her2st"), "B4", "image")
    usual = commands.run("prepare", "her2st", "--sections", "C2", "--tile-px", "32", home=home)
    image.write_bytes(bomb)
    said = commands.run("prepare", "her2st", "--sections", "B4", "--tile-px", "32", home=home)
    assert str(image) in said.line
    assert (
        "more than the bound" if "60000 x 60000 px" in said.line else "which is blank or damaged"
    ) in said.line
    assert said.peak_mb < usual.peak_mb + 20
    assert not (home / "sections" / "her2st" / "B4").exists()


def test_other_formats_are_left_alone(tmp_path):
    Image.new("RGB", (16, 16)).save(tmp_path / "he.jpg", "GIF")
    assert "cannot be read" in refusal(lambda: read_slide(tmp_path / "he.jpg"))
