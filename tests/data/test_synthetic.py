import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from compendium.data import section, synthetic
from compendium.data.synthetic.expression import layout_of, visible
from compendium.data.synthetic.model import GENES, SECTIONS, find
from compendium.data.synthetic.truth import ORACLES, pearson
from compendium.errors import BadInput
from raw_files import LABELS

DRAWN = ("P2a", "P2b", "Q1a")


@pytest.fixture(scope="module")
def made():
    return {name: synthetic.make(name) for name in DRAWN}


@pytest.fixture(scope="module")
def truth():
    return synthetic.truth()


def wide(counts):
    return np.log1p(1e4 * counts / counts.sum(axis=1, keepdims=True))


def reached(which):
    """PCC [gene] of an oracle with the generated counts, averaged over the cohort."""
    return np.mean(
        [
            pearson(synthetic.oracle(place.name)[which], wide(synthetic.counts(place.name)))
            for place in SECTIONS
        ],
        axis=0,
    )


def colours(patches):
    pixels = patches.reshape(len(patches), -1, 3)[:, ::7].astype(np.float32)
    return np.concatenate([pixels.mean(axis=1), pixels.std(axis=1)], axis=1).astype(float)


def test_two_labs_and_several_patients_with_replicate_sections():
    facts = pd.DataFrame([vars(place) for place in SECTIONS])
    assert facts.name.is_unique
    assert facts.groupby("lab").patient.nunique().to_dict() == {"lab 1": 3, "lab 2": 2}
    assert (facts.groupby("patient").lab.nunique() == 1).all()
    assert (facts.groupby("patient").name.nunique() >= 2).sum() >= 3


def test_a_section_is_complete(made):
    for name, demo in made.items():
        n = len(demo)
        assert 90 <= n <= 140
        assert demo.stored_tiles.shape == (n, 224, 224, 3)
        assert demo.stored_tiles.dtype == np.uint8
        assert demo.counts.shape == (n, len(GENES)) == (n, 120)
        assert demo.counts.dtype == np.int32
        assert np.array_equal(demo.counts.toarray(), synthetic.counts(name))
        assert list(demo.spots) == [f"{x}x{y}" for x, y in demo.grid]
        assert set(demo.labels) <= set(LABELS)
        assert len(set(demo.labels)) >= 4
        height, width = demo.thumbnail.shape[:2]
        assert 400 <= max(height, width) <= 600
        assert (demo.pixels * demo.thumbnail_scale < [width, height]).all()


def test_the_thumbnail_shows_the_tiles_where_the_spots_are(made):
    demo = made["Q1a"]
    at = np.round(demo.pixels * demo.thumbnail_scale).astype(int)
    low = np.array([demo.thumbnail[y - 12 : y + 12, x - 12 : x + 12].mean() for x, y in at])
    assert np.corrcoef(low, demo.tiles(144).mean(axis=(1, 2, 3)))[0, 1] > 0.99


def test_the_outline_is_irregular(made):
    for demo in made.values():
        assert len(demo) < 0.8 * np.prod(np.ptp(demo.grid, axis=0) + 1)
    assert set(made["P2a"].spots) != set(made["P2b"].spots)


@pytest.fixture(scope="module")
def other(tmp_path_factory):
    """Q1a with larger tiles, made by another process with one thread."""
    folder = tmp_path_factory.mktemp("demo") / "Q1a"
    script = (
        "import sys; from pathlib import Path; from compendium.data import synthetic; "
        "synthetic.make('Q1a', 376).save(Path(sys.argv[1]))"
    )
    subprocess.run(
        [sys.executable, "-c", script, folder],
        check=True,
        env=os.environ | {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"},
    )
    return section.load(folder)


@pytest.mark.slow
def test_the_same_bytes_whoever_makes_them(made, other):
    here = made["Q1a"]
    assert (other.counts != here.counts).nnz == 0
    for name in ("grid", "pixels", "labels", "genes", "spots", "thumbnail"):
        assert np.array_equal(getattr(here, name), getattr(other, name)), name


def test_larger_tiles_show_the_same_image_and_more(made, other):
    assert other.stored_tiles.shape[1:3] == (376, 376)
    assert np.array_equal(other.tiles(224), made["Q1a"].stored_tiles)


@pytest.mark.parametrize(
    ("name", "px", "match"),
    [
        ("Z9", 224, "unknown section of demo: Z9; known: P1a"),
        ("P1a", 400, "400 px cannot be cut; give 16 to 376"),
    ],
)
def test_what_cannot_be_made_is_refused_in_one_line(name, px, match):
    with pytest.raises(BadInput, match=match) as error:
        synthetic.make(name, px)
    assert "\n" not in str(error.value)


def test_patients_differ_in_depth_by_several_fold():
    depth = {place.name: np.median(synthetic.counts(place.name).sum(axis=1)) for place in SECTIONS}
    assert max(depth.values()) > 4 * min(depth.values())
    assert min(synthetic.counts(place.name).sum(axis=1).min() for place in SECTIONS) > 0


def test_truth_covers_every_gene_from_unlearnable_to_nearly_all_image(truth):
    assert list(truth.columns) == ["gene", "image_share", *ORACLES, "learnable"]
    assert list(truth.gene) == list(GENES)
    assert (~truth.learnable).mean() == pytest.approx(0.2)
    assert (truth.image_share[~truth.learnable] == 0).all()
    assert truth.image_share.max() > 0.9
    assert truth[truth.learnable].image_attainable.corr(truth.image_share) > 0.7
    assert (
        truth.new_patient[truth.learnable] < truth.image_attainable[truth.learnable]
    ).mean() > 0.95


def test_the_image_never_tells_more_than_the_measurement_allows(truth):
    assert (truth.image_attainable <= truth.measurement_limited).all()
    assert (truth.image_attainable[~truth.learnable] == 0).all()


@pytest.mark.parametrize(("which", "column"), [(0, "image_attainable"), (1, "measurement_limited")])
def test_an_oracle_on_the_generated_counts_reaches_its_truth(truth, which, column):
    difference = reached(which) - truth[column].to_numpy()
    assert abs(difference.mean()) < 0.03
    assert np.abs(difference).mean() < 0.03
    assert np.corrcoef(reached(which)[truth.learnable], truth[column][truth.learnable])[0, 1] > 0.9


@pytest.mark.parametrize("which", [0, 1])
def test_an_oracle_is_calibrated_on_the_scoring_scale(which):
    bias = [
        (wide(synthetic.counts(place.name)) - synthetic.oracle(place.name)[which]).mean()
        for place in SECTIONS
    ]
    assert abs(np.mean(bias)) < 0.05


def test_unlearnable_genes_follow_no_morphology(truth):
    scores = []
    for place in SECTIONS:
        target, morphology = (
            wide(synthetic.counts(place.name))[:, ~truth.learnable],
            layout_of(place).morphology,
        )
        scores.append(
            [
                pearson(np.repeat(kind[:, None], target.shape[1], axis=1), target)
                for kind in morphology.T
            ]
        )
    assert np.abs(np.mean(scores, axis=(0, 2))).max() < 0.05


def test_siblings_share_their_slopes_and_strangers_do_not():
    def agreement(a, b):
        left, right = (visible(find(name)) - visible(find(name), common=True) for name in (a, b))
        slopes = [
            np.linalg.lstsq(
                np.c_[layout_of(find(n)).morphology[:, 1:], np.ones(len(d))], d, rcond=None
            )[0][:-1]
            for n, d in ((a, left), (b, right))
        ]
        return np.corrcoef(slopes[0].ravel(), slopes[1].ravel())[0, 1]

    assert agreement("P2a", "P2b") > 0.9
    assert agreement("P2a", "Q1a") < 0.5


def test_six_colour_numbers_learn_what_is_learnable_and_nothing_else(made, truth):
    x, y = (
        [
            np.c_[colours(made[name].stored_tiles), np.ones(len(made[name]))]
            for name in ("P2a", "P2b")
        ],
        wide(synthetic.counts("P2a")),
    )
    mean, spread = x[0].mean(axis=0), x[0].std(axis=0) + (x[0].std(axis=0) == 0)
    x = [(part - mean) / spread for part in x]
    weights = np.linalg.solve(
        x[0].T @ x[0] + 20 * np.eye(x[0].shape[1]), x[0].T @ (y - y.mean(axis=0))
    )
    score = pearson(x[1] @ weights, wide(synthetic.counts("P2b")))
    assert (
        0.12
        < np.median(score[truth.learnable])
        < np.median(truth.image_attainable[truth.learnable])
    )
    assert abs(np.median(score[~truth.learnable])) < 0.1


def test_the_labs_stain_differently(made):
    def blueness(demo):
        nuclei = demo.stored_tiles.reshape(-1, 3)[::50].astype(float)
        nuclei = nuclei[nuclei.sum(axis=1) < 300] + 1
        return np.median(np.log(240 / nuclei[:, 0]) / np.log(240 / nuclei[:, 1]))

    assert blueness(made["P2a"]) > blueness(made["Q1a"]) + 0.15
    assert abs(blueness(made["P2a"]) - blueness(made["P2b"])) < 0.03


def test_colours_overlap_those_of_real_sections(made, her2st, monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 200_000_000)
    for real in ("B4", "C2"):
        assert_colours_overlap(made, her2st, real)


def assert_colours_overlap(made, her2st: Path, real: str) -> None:
    image = np.asarray(
        Image.open(next((her2st / "data" / "ST-imgs" / real[0] / real).glob("*.jpg")))
    )
    spots = pd.read_csv(her2st / "data" / "ST-spotfiles" / f"{real}_selection.tsv", sep="\t")[
        ["pixel_x", "pixel_y"]
    ].to_numpy(int)
    tiles = np.stack([image[y - 112 : y + 112 : 4, x - 112 : x + 112 : 4] for x, y in spots])
    for name in ("P2a", "Q1a"):
        for channel in range(3):
            shares = [
                np.histogram(some[..., channel], 32, (0, 256))[0] / some[..., channel].size
                for some in (tiles, made[name].stored_tiles)
            ]
            assert np.minimum(*shares).sum() >= 0.5, (name, channel)
