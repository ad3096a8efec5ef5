from dataclasses import replace

import numpy as np
import pytest
from scipy.ndimage import label

from compendium.data.synthetic import tissue
from compendium.data.synthetic.drawing import Stain, doubled, draw
from compendium.data.synthetic.textures import enlarge
from compendium.data.synthetic.tissue import CELLS, CLASSES, FIELDS, MORPHOLOGY, PITCH

PLAIN = Stain(haematoxylin=(1.6, 1.5, 0.8), eosin=(0.2, 0.7, 0.3), background=(240, 230, 240))


def rng(seed):
    return np.random.default_rng(seed)


@pytest.fixture(scope="module")
def plan():
    return tissue.layout(rng(1), rng(2), spots=100)


def drawn(plan, kinds, left=(), right=()):
    """The left and right half of a drawing for each class; the fields differ between the halves."""
    classes, fields = np.zeros((len(CLASSES), CELLS, CELLS)), np.zeros((len(FIELDS), CELLS, CELLS))
    tall = CELLS // len(kinds)
    for row, kind in enumerate(kinds):
        classes[
            CLASSES.index(kind), row * tall : (row + 1) * tall if row < len(kinds) - 1 else None
        ] = 1
    for half, levels in ((slice(0, CELLS // 2), left), (slice(CELLS // 2, None), right)):
        for name, level in levels:
            fields[FIELDS.index(name), :, half] = level
    image = draw(
        replace(plan, classes=classes, fields=fields, outline=np.ones((CELLS, CELLS))),
        PLAIN,
        rng(3),
    ).astype(float)
    band, middle = tall * tissue.CELL, CELLS * tissue.CELL // 2
    rows = [image[row * band + 60 : (row + 1) * band - 60] for row in range(len(kinds))]
    return {
        kind: (part[:, 60 : middle - 60], part[:, middle + 60 : -60])
        for kind, part in zip(kinds, rows, strict=True)
    }


def both_ways(*names):
    return [(name, -1.5) for name in names], [(name, 1.5) for name in names]


def test_noise_is_standard_smooth_and_periodic():
    field = tissue.smooth_noise(rng(0), 2, 128, (5, 5))
    assert field.shape == (2, 128, 128)
    assert np.allclose(field.mean(axis=(1, 2)), 0, atol=1e-3)
    assert np.allclose(field.std(axis=(1, 2)), 1, atol=1e-3)
    assert np.abs(np.diff(field)).max() < 0.7
    assert np.abs(field[:, :, 0] - field[:, :, -1]).max() < 0.7


def test_layout_keeps_the_number_of_spots_and_sums_classes_to_one(plan):
    assert len(plan.grid) == 100
    assert len({tuple(position) for position in plan.grid}) == 100
    assert np.allclose(plan.classes.sum(axis=0), 1, atol=1e-4)
    assert plan.morphology.shape == (100, len(MORPHOLOGY))
    assert np.allclose(plan.morphology[:, : len(CLASSES)].sum(axis=1), 1, atol=1e-3)
    at = (plan.pixels / tissue.CELL).astype(int)
    assert (plan.outline[at[:, 1], at[:, 0]] > -0.1).all()


def test_sections_of_one_patient_resemble_each_other(plan):
    sibling, stranger = tissue.layout(rng(1), rng(5), 100), tissue.layout(rng(6), rng(7), 100)

    def alike(other):
        return np.corrcoef(plan.classes.ravel(), other.classes.ravel())[0, 1]

    assert 0.5 < alike(sibling) < 0.95
    assert alike(stranger) < 0.4


def test_enlarging_keeps_a_ramp_a_ramp():
    ramp = np.tile(np.arange(12, dtype=np.float32), (1, 12, 1))
    large = enlarge(ramp, 4)
    assert large.shape == (1, 48, 48)
    assert np.allclose(np.diff(large[0, 0, 2:-2]), 0.25)
    assert np.allclose(large[0, :, 5], large[0, 0, 5])


def test_doubling_in_integers_agrees_with_enlarging():
    layer = rng(0).integers(0, 256, (20, 20), dtype=np.uint8)
    assert (
        np.abs(doubled(layer) - enlarge(layer[None].astype(np.float32), 2)[0])[2:-2, 2:-2].max()
        <= 0.51
    )


def test_more_dye_is_darker_and_none_is_background():
    table = PLAIN.table().astype(int)
    assert tuple(table[0, 0]) == PLAIN.background
    assert (np.diff(table, axis=0) <= 0).all()
    assert (np.diff(table, axis=1) <= 0).all()
    stronger = replace(PLAIN, strength=(1.5, 1.0)).table().astype(int)
    assert (stronger[50, 0] < table[50, 0]).all()


def test_each_class_looks_like_itself(plan):
    looks = {
        kind: np.concatenate([part.reshape(-1, 3) for part in halves])
        for kind, halves in drawn(plan, CLASSES).items()
    }
    brightness = {kind: pixels.mean() for kind, pixels in looks.items()}
    assert (
        brightness["adipose tissue"]
        > max(brightness[kind] for kind in CLASSES if kind != "adipose tissue") + 15
    )
    assert min(brightness, key=brightness.get) == "immune infiltrate"
    pink = {kind: (pixels[:, 0] - pixels[:, 1]).mean() for kind, pixels in looks.items()}
    assert pink["connective tissue"] > pink["immune infiltrate"] + 5


def test_more_cells_and_more_eosin_make_tissue_darker(plan):
    looks = drawn(
        plan,
        ["invasive cancer", "connective tissue"],
        [("cellularity", -1.5), ("eosin", -1.5)],
        [("cellularity", 1.5), ("eosin", 1.5)],
    )
    for few, many in looks.values():
        assert many.mean() < few.mean() - 8


def test_nuclear_and_vacuole_size_are_texture_not_colour(plan):
    looks = drawn(
        plan, ["invasive cancer", "adipose tissue"], *both_ways("nuclear size", "vacuole size")
    )
    for kind, dark_or_pale in (
        ("invasive cancer", lambda image: image[..., 0] < 90),
        ("adipose tissue", lambda image: image[..., 1] > 215),
    ):
        small, large = looks[kind]
        assert abs(large.mean() - small.mean()) < 13
        assert label(dark_or_pale(small))[1] > 1.5 * label(dark_or_pale(large))[1]


def test_tiles_around_every_spot_lie_in_the_image(plan):
    side = tissue.CELLS * tissue.CELL
    assert plan.pixels.min() >= 188
    assert plan.pixels.max() <= side - 188
    assert np.ptp(plan.pixels, axis=0).max() % PITCH == 0
