"""STimage: the published values of its pieces, and counts with size factors.

Also a start at the training mean, and a frozen encoder.
"""

import dataclasses

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import csr_matrix
from scipy.stats import nbinom

from compendium.data.splits import Split
from compendium.data.targets.transforms import SIGNED, TRANSFORMS, fit_target
from compendium.errors import BadInput
from compendium.methods.layers import Batch, ModelSpec
from compendium.methods.stimage import STimage, STimageConfig, inverse_softplus, sized
from compendium.runs import plan_run, run_once
from conftest import tiny_section
from raw_files import refusal

GRID = torch.zeros(30, 2, dtype=torch.long)


@pytest.fixture(scope="module")
def reference(golden) -> dict[str, torch.Tensor]:
    with np.load(golden / "pieces.npz", allow_pickle=False) as stored:
        return {
            name.removeprefix("stimage_nb."): torch.from_numpy(stored[name])
            for name in stored.files
            if name.startswith("stimage_nb.")
        }


def passing(genes: int, target: str) -> STimage:
    """A method on 2 x genes features whose two units a gene are those features."""
    method = STimage(
        ModelSpec(genes, torch.ones(genes), target, features=2 * genes), STimageConfig()
    )
    with torch.no_grad():
        method.head.weight.copy_(torch.eye(2 * genes))
        method.head.bias.zero_()
    return method


def units(n: torch.Tensor, p: torch.Tensor) -> torch.Tensor:
    """Features from which a passing method reads those n and p."""
    return torch.cat([inverse_softplus(n), torch.logit(p)], dim=1)


def test_loss_mean_and_variance_are_the_published_ones(reference):
    method, raw = passing(12, "log1p"), reference["raw"]
    batch = Batch(torch.cat([raw[..., 0], raw[..., 1]], dim=1), GRID, reference["y"])
    torch.testing.assert_close(
        method.losses(batch)["negative binomial"], reference["keras_total"], rtol=1e-5, atol=1e-5
    )
    torch.testing.assert_close(method(batch), reference["mean_pred"].float(), rtol=1e-5, atol=1e-6)
    mean, dispersion = method(batch), method.dispersion(batch)
    torch.testing.assert_close(method.variance(batch), mean + mean**2 / dispersion)
    torch.testing.assert_close(
        method.variance(batch),
        reference["n"] * (1 - reference["p"]) / reference["p"] ** 2,
        rtol=1e-4,
        atol=1e-5,
    )


def test_gradients_are_the_published_ones_through_the_two_units(reference):
    raw = reference["raw"].clone().requires_grad_()
    passing(12, "log1p").losses(
        Batch(torch.cat([raw[..., 0], raw[..., 1]], dim=1), GRID, reference["y"])
    )["negative binomial"].backward()
    slopes = torch.stack(
        [torch.sigmoid(reference["raw"][..., 0]), reference["p"] * (1 - reference["p"])], dim=-1
    )  # of n and p in the units
    torch.testing.assert_close(
        raw.grad / 12, reference["grad_params"] * slopes, rtol=1e-4, atol=1e-7
    )  # the loss sums over genes, the reference averages


@pytest.mark.parametrize(("target", "scale"), [("wide", 1), ("logcpm", 100)])
def test_clean_is_the_likelihood_of_counts_whose_mean_grows_with_the_size(target, scale):
    rng = np.random.default_rng(0)
    n, p, size = (
        rng.uniform(0.5, 9, (30, 4)),
        rng.uniform(0.1, 0.9, (30, 4)),
        rng.uniform(0.01, 20, 30),
    )
    counts, rate = rng.poisson(3, (30, 4)), n * (1 - p) / p
    mean = size[:, None] * rate
    expected = -nbinom.logpmf(counts, n, n / (n + mean)).sum(axis=1).mean()
    method = passing(4, target)
    batch = Batch(
        units(torch.tensor(n), torch.tensor(p)).float(),
        GRID,
        counts=torch.tensor(counts).float(),
        size=torch.tensor(size).float(),
    )
    assert method.losses(batch)["negative binomial"].item() == pytest.approx(expected, rel=1e-4)
    np.testing.assert_allclose(method(batch).detach(), np.log1p(scale * rate), rtol=1e-4)
    np.testing.assert_allclose(
        nbinom.mean(n, sized(torch.logit(torch.tensor(p)), torch.tensor(size)).numpy()),
        mean,
        rtol=1e-6,
    )


def test_a_spot_without_counts_teaches_nothing_and_breaks_nothing():
    method = STimage(
        ModelSpec(3, torch.tensor([0.0, 1.0, 4.0]), "wide", features=2), STimageConfig()
    )
    empty = Batch(torch.randn(1, 2), GRID[:1], counts=torch.zeros(1, 3), size=torch.zeros(1))
    loss = method.losses(empty)["negative binomial"]
    loss.backward()
    assert loss.item() == pytest.approx(0, abs=1e-4)
    assert all(p.grad is None or p.grad.abs().max() < 1e-3 for p in method.parameters())


@settings(deadline=None, max_examples=50)
@given(
    number=st.floats(-300, 300),
    logit=st.floats(-80, 80),
    count=st.integers(0, 5000),
    size=st.floats(0, 100),
)
def test_no_unit_however_large_makes_the_loss_or_its_gradient_infinite(number, logit, count, size):
    raw = torch.tensor([[number, logit]], requires_grad=True)
    counts = torch.tensor([[float(count)]])
    batch = Batch(raw, GRID[:1], counts.log1p(), counts, torch.tensor([size]))
    for target in ("log1p", "wide"):
        raw.grad = None
        loss = passing(1, target).losses(batch)["negative binomial"]
        loss.backward()
        assert torch.isfinite(loss)
        assert torch.isfinite(raw.grad).all()


@pytest.mark.parametrize("target", ["log1p", "raw", "wide", "logcpm"])
def test_training_starts_from_the_mean_of_each_gene(target):
    mean = torch.tensor([0.01, 0.5, 3.0, 7.5])
    method = STimage(ModelSpec(4, mean, target, features=6), STimageConfig())
    torch.testing.assert_close(
        method(Batch(torch.randn(5, 6), GRID[:5])), mean.expand(5, -1), rtol=1e-4, atol=1e-4
    )


@pytest.mark.parametrize("target", SIGNED)
def test_a_target_below_zero_has_no_likelihood(target):
    with pytest.raises(
        BadInput, match=f"no likelihood for target {target}, which goes below 0; give target=wide"
    ):
        STimage(ModelSpec(4, torch.zeros(4), target, features=6), STimageConfig())


@pytest.mark.parametrize("target", sorted(set(TRANSFORMS) - set(SIGNED)))
def test_no_other_target_can_go_below_zero(target):
    """Whatever the training sections: of a test section without counts too."""
    train, test = (
        tiny_section("S1"),
        dataclasses.replace(tiny_section("S2"), counts=csr_matrix((24, 12), dtype=np.int32)),
    )
    fitted = fit_target(target, list(train.genes), [train], list(train.genes))
    assert min(fitted(train).min(), fitted(test).min()) >= 0


@pytest.mark.parametrize(
    ("value", "says"),
    [
        (-1.0, "-1, which is negative"),
        (0.5, "0.5, which is no integer"),
        (np.nan, "nan, which is no number"),
    ],
)
def test_counts_that_are_none_never_reach_a_likelihood(value, says):
    """A section refuses them, so that neither STimage nor Hist2ST can be given any."""
    counts = tiny_section().counts.astype(float)
    counts.data[3] = value
    assert says in refusal(lambda: dataclasses.replace(tiny_section(), counts=counts))


def test_as_published_it_learns_and_averages_several_networks(home):
    """log1p under the negative binomial, STimage's filter, raw tiles.

    Pale tiles off tissue are not learned from.
    """
    tissue = {
        "thumbnail": np.full((40, 40, 3), (200, 120, 160), dtype=np.uint8),
        "thumbnail_scale": 0.1,
    }
    sections = [
        dataclasses.replace(tiny_section(name, patient), **tissue)
        for name, patient in (("S1", "P1"), ("S2", "P2"), ("S3", "P3"))
    ]
    words = {
        "protocol": "published",
        "encoder": "colour",
        "budget": "smoke",
        "panel": "all",
        "tile_px": 32,
        "epochs": 40,
        "lr": 1e-2,
        "members": 2,
    }
    run = plan_run(
        "tiny",
        Split("section-out", ("S1", "S2"), (), ("S3",), "section S3"),
        "stimage",
        sections=sections,
        **words,
    )
    assert (run.target, run.spots, run.scale) == ("log1p", "stimage", "0-255")
    record = run_once(run, sections, "cpu")
    losses = [row["negative binomial"] for row in record.facts["curve"]]
    assert np.isfinite(losses).all() and losses[-1] < losses[0]
    predicted, measured = record.predictions["S3"], np.log1p(sections[2].counts.toarray())
    assert (
        np.mean(
            [np.corrcoef(predicted[:, gene], measured[:, gene])[0, 1] for gene in (0, 1, 10, 11)]
        )
        > 0.5
    )
    assert len(record.facts["members"]) == 2 and record.spread["S3"].max() > 0


@pytest.mark.parametrize("freeze", [True, False])
def test_a_frozen_encoder_keeps_its_weights_and_its_batch_statistics(freeze):
    method = STimage(
        ModelSpec(
            2, torch.ones(2), "log1p", tile_px=64, encoder="test_resnet.r160_in1k", weights="random"
        ),
        STimageConfig(freeze=freeze),
    ).train()
    torch.nn.init.normal_(method.head.weight)
    before = {name: value.clone() for name, value in method.image.state_dict().items()}
    optimiser = torch.optim.Adam([p for p in method.parameters() if p.requires_grad], lr=1e-2)
    method.losses(Batch(torch.randn(4, 3, 64, 64), GRID[:4], torch.ones(4, 2)))[
        "negative binomial"
    ].backward()
    optimiser.step()
    assert method.head.training
    assert (
        all(torch.equal(value, before[name]) for name, value in method.image.state_dict().items())
        == freeze
    )
