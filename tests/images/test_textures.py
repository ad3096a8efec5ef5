"""Texture: a pattern is told apart, colour and brightness are not."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter
from scipy.sparse import csr_matrix

from compendium.data.section import Section
from compendium.evaluation.scores import scores
from compendium.images.features import TEXTURE, features
from compendium.images.textures import DISTANCES, STATISTICS, texture
from compendium.runs import execute, plan_runs
from conftest import tiny_section


def tile(width: float, seed: int = 0) -> np.ndarray:
    """A grey pattern of some width in pixels."""
    noise = gaussian_filter(np.random.default_rng(seed).normal(size=(64, 64)), width, mode="wrap")
    grey = np.interp(noise, (noise.min(), noise.max()), (40, 120))
    return np.repeat(grey[..., None], 3, axis=2).astype(np.uint8)


def test_there_are_five_finite_statistics_at_each_distance():
    values = texture(tile(2))
    assert values.shape == (len(DISTANCES) * len(STATISTICS),) == (20,)
    assert np.isfinite(texture(np.full((16, 16, 3), 200, np.uint8))).all()


@pytest.mark.parametrize(
    "change",
    [lambda t: 2 * t + 10, np.rot90, np.fliplr, lambda t: (t * [1, 0, 0]).astype(np.uint8)],
)
def test_brightness_contrast_colour_and_turns_leave_it(change):
    np.testing.assert_allclose(texture(change(tile(2))), texture(tile(2)), rtol=1e-5)


def test_coarse_patterns_have_correlated_neighbours():
    """At 1, 2 and 4 pixels."""
    correlation = [texture(tile(width))[-4:-1] for width in (0.5, 2, 5)]
    assert (np.diff(correlation, axis=0) > 0).all()
    assert (np.diff(correlation, axis=1) < 0).all()


def patterned(name: str, patient: str) -> Section:
    """A section whose first genes follow the width of the pattern in its tiles."""
    section = tiny_section(name, patient)
    rng = np.random.default_rng(ord(name[-1]))
    widths = rng.uniform(0.5, 3, len(section))
    tiles = np.stack([tile(width, seed) for seed, width in enumerate(widths)])
    counts = rng.poisson(20 * widths[:, None] ** np.linspace(2, -2, 12))
    return replace(section, stored_tiles=tiles, counts=csr_matrix(counts.astype(np.int32)))


def test_a_planted_pattern_is_learned(home):
    sections = [patterned("S1", "P1"), patterned("S2", "P2"), patterned("S3", "P3")]
    words = {"panel": "all", "target": "log1p", "tile_px": 64}
    runs = plan_runs("tiny", sections, ["section-out"], ["texture"], **words)
    table = scores(runs, execute(runs, sections, device="cpu"), sections)
    assert table.groupby("gene")["pcc"].mean()[["G0", "G11"]].min() > 0.8


def test_features_of_a_section_are_those_of_its_tiles(home):
    section = tiny_section(spots=4)
    got = features(section, TEXTURE, 32)
    np.testing.assert_array_equal(got[2], texture(section.tiles(32)[2]))
    np.testing.assert_array_equal(features(section, TEXTURE, 32, view="symmetry-3"), got)
