"""Ridge: each gene's penalty is that of training sections, or blocks, that were left out."""

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter
from sklearn.linear_model import Ridge as Reference
from sklearn.linear_model import RidgeCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from compendium.errors import BadInput
from compendium.methods import recipe
from compendium.methods.controls import Ridge, RidgeConfig
from compendium.methods.layers import Batch, ModelSpec
from compendium.methods.ridge_path import PENALTIES, fold_of, left_out_errors
from compendium.runs.fit import fit
from tiny_fits import fitted

SIDE = 18
GRID = np.stack(np.meshgrid(np.arange(SIDE), np.arange(SIDE)), axis=-1).reshape(-1, 2)
EDGE = PENALTIES[-1]


def batches(x, y, sections: int = 3) -> list[Batch]:
    """One batch a section of SIDE x SIDE spots."""
    images, targets = (torch.tensor(part).float().chunk(sections) for part in (x, y))
    grid = torch.tensor(GRID)
    return [
        Batch(image, grid, target, section=torch.full((len(GRID),), number))
        for number, (image, target) in enumerate(zip(images, targets, strict=True))
    ]


def solved(given: list[Batch], by: str = "sections") -> Ridge:
    target = torch.cat([each.target for each in given])
    spec = ModelSpec(target.shape[1], target.mean(0), features=given[0].image.shape[1])
    ridge = Ridge(spec, RidgeConfig(penalty_by=by))
    ridge.fit_closed_form(given)
    return ridge


@pytest.fixture(scope="module")
def data():
    """Features and three genes: of the first feature, of noise, and of opposite signs."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(3 * len(GRID), 20))
    signs = np.repeat([1, -1, 0], len(GRID))
    y = np.stack([x[:, 0], rng.normal(size=len(x)), signs * x[:, 1]], axis=1)
    return x, y + 0.3 * rng.normal(size=y.shape)


def test_the_grid_is_half_decades():
    np.testing.assert_allclose(np.log10(PENALTIES), np.arange(-2, 8.5, 0.5))
    assert [recipe(name).version for name in ("ridge", "colour", "permuted")] == [2, 2, 2]


def test_a_planted_signal_is_found(data):
    x, y = data
    ridge = solved(batches(x, y))
    new = np.random.default_rng(1).normal(size=(len(GRID), 20))
    predicted = ridge(Batch(torch.tensor(new).float(), torch.tensor(GRID))).numpy()
    assert np.corrcoef(predicted[:, 0], new[:, 0])[0, 1] > 0.95
    assert ridge.penalty[0] < 100


def test_a_gene_that_takes_the_largest_penalty_is_its_mean(data):
    x, y = data
    given = batches(x, y)
    ridge = solved(given)
    assert ridge.penalty[2] == EDGE
    predicted = ridge(given[0])[:, 2]
    assert predicted.unique().numel() == 1
    assert predicted[0] == pytest.approx(np.float32(y[:, 2]).mean(), abs=1e-6)
    assert ridge(given[0])[:, 0].std() > 0.5


def test_other_genes_and_the_order_of_sections_have_no_say(data):
    x, y = data
    given = batches(x, y)
    alone = solved([Batch(b.image, b.grid, b.target[:, :1], section=b.section) for b in given])
    turned = solved([given[2], given[0], given[1]])
    every = solved(given)
    assert alone.penalty[0] == every.penalty[0]
    torch.testing.assert_close(alone.weight[:, 0], every.weight[:, 0])
    assert torch.equal(turned.penalty, every.penalty)
    torch.testing.assert_close(turned.weight, every.weight)


@pytest.mark.parametrize("by", ["sections", "blocks"])
def test_errors_and_weights_are_those_of_scikit_learn_fold_by_fold(data, by):
    x, y = data
    section = np.repeat(np.arange(3), len(GRID))
    folds = fold_of(section, np.tile(GRID, (3, 1)), by)
    errors = left_out_errors(x, y, folds)
    for row, penalty in list(zip(errors, PENALTIES, strict=True))[::5]:
        total = np.zeros(3)
        for fold in np.unique(folds):
            out = folds == fold
            model = make_pipeline(StandardScaler(), Reference(penalty)).fit(x[~out], y[~out])
            total += ((model.predict(x[out]) - y[out]) ** 2).sum(axis=0)
        np.testing.assert_allclose(row, total, rtol=1e-8)
    ridge = solved(batches(x, y), by)
    for gene in (0, 1):
        if (penalty := float(ridge.penalty[gene])) != EDGE:
            model = make_pipeline(StandardScaler(), Reference(penalty)).fit(x, y[:, gene])
            got = ridge(batches(x, y)[0])[:, gene]
            np.testing.assert_allclose(got, model.predict(x[: len(GRID)]), atol=1e-4)


def smooth(rng: np.random.Generator, n: int) -> np.ndarray:
    """Fields on the array without relation to each other, neighbours alike."""
    fields = gaussian_filter(rng.normal(size=(n, SIDE, SIDE)), (0, 1, 1)).reshape(n, -1).T
    return fields / fields.std(axis=0)


@pytest.mark.parametrize("sections", [1, 3])
def test_neighbours_of_a_spot_do_not_choose_its_penalty(sections):
    """Smooth features know where a spot lies, and so what its neighbours measured."""
    rng = np.random.default_rng(3)
    x = np.concatenate([smooth(rng, 40) for _ in range(sections)])
    y = np.concatenate([smooth(rng, 15) for _ in range(sections)])
    one_spot_out = RidgeCV(PENALTIES, alpha_per_target=True)
    one_spot_out.fit(StandardScaler().fit_transform(x), y)
    assert np.median(one_spot_out.alpha_) < 110
    assert np.median(solved(batches(x, y, sections)).penalty) > (1e7 if sections > 1 else 900)


def test_folds_are_sections_or_the_same_block_of_every_section():
    section = np.repeat([0, 1], len(GRID))
    grid = np.concatenate([GRID, GRID + 30])
    np.testing.assert_array_equal(fold_of(section, grid, "sections"), section)
    blocks = fold_of(section, grid, "blocks")
    assert np.bincount(blocks).tolist() == [2 * 36] * 9
    np.testing.assert_array_equal(blocks[: len(GRID)], blocks[len(GRID) :])
    np.testing.assert_array_equal(blocks[:7], [0, 0, 0, 0, 0, 0, 3])
    alone = fold_of(section[: len(GRID)], GRID, "sections")
    np.testing.assert_array_equal(alone, blocks[: len(GRID)])
    with pytest.raises(BadInput, match="one training spot"):
        fold_of(np.zeros(1, int), GRID[:1], "sections")


def test_a_fit_numbers_the_sections_and_keeps_the_spots_in_order(tmp_path, monkeypatch):
    seen = []
    monkeypatch.setattr(Ridge, "fit_closed_form", lambda self, given: seen.extend(given))
    monkeypatch.setattr("compendium.runs.inputs.batches.PREDICT_SPOTS", 10)
    run, _, parts = fitted("ridge", tmp_path)
    assert fit(run, parts, [], "cpu", tmp_path / "again").curve == []
    once = seen[: len(seen) // 2]
    numbers = torch.cat([each.section for each in once])
    assert numbers.tolist() == [0] * len(parts[0]) + [1] * len(parts[1])
    grid = torch.cat([each.grid for each in once]).numpy()
    np.testing.assert_array_equal(grid, np.concatenate([part.grid for part in parts]))
