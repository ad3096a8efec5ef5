"""Hist2ST: what its loss is made of and what its switches do.

Also the data on which the published network gave no numbers.
"""

from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F

from compendium.data.splits import Split
from compendium.errors import BadInput
from compendium.images import encoders
from compendium.images.augment.families import FAMILIES
from compendium.methods.count_losses import nb_log_odds, zinb, zinb_parameters
from compendium.methods.graph import nearest
from compendium.methods.hist2st import Hist2ST, Hist2STConfig
from compendium.methods.hist2st_encoders import EncoderHist2ST, EncoderHist2STConfig
from compendium.methods.hist2st_layers import GraphLayer
from compendium.methods.layers import Batch, ModelSpec
from compendium.runs import plan_run
from conftest import tiny_section
from tiny_fits import adjacency

GENES, SPOTS = 5, 12
SMALL = {
    "width": 32,
    "channels": 16,
    "patch": 8,
    "mixer_layers": 1,
    "layers": 1,
    "heads": 1,
    "graph_layers": 2,
    "positions": 8,
    "views": 3,
}
GRID = torch.cartesian_prod(torch.arange(4), torch.arange(3))


def section(spots=SPOTS, grid=GRID):
    torch.manual_seed(1)
    counts = torch.poisson(torch.rand(spots, GENES) * 4)
    return Batch(
        torch.rand(spots, 3, 32, 32),
        grid[:spots],
        counts.log1p(),
        counts,
        counts.sum(1) / counts.sum(1).median().clamp(min=1),
        torch.full((spots,), -1),
    )


def build(**words):
    torch.manual_seed(0)
    return Hist2ST(ModelSpec(GENES, torch.zeros(GENES), tile_px=32), Hist2STConfig(**SMALL | words))


def test_total_is_error_and_quarter_of_zinb_and_half_of_distillation(monkeypatch):
    """Without dropout every forward pass of a section is the same.

    So each term can be made again by hand.
    """
    method, batch = build(dropout=0.0), section()
    views = [torch.rand_like(batch.image) for _ in range(3)]
    monkeypatch.setattr(method, "views_of", lambda image, batch: views)
    terms = method.losses(batch)
    edges = nearest(batch.grid, 4, "Grid")
    state = method.state_of(batch.image, batch, edges)
    parameters = zinb_parameters(*(output(state) for output in method.counts.outputs))
    shown = [method.state_of(view, batch, edges) for view in views]
    weight = torch.cat([method.coefficient(each) for each in shown], dim=1).softmax(dim=1)
    mixed = sum(weight[:, v : v + 1] * method.head(each) for v, each in enumerate(shown))
    assert list(terms) == ["mean squared error", "count likelihood", "distillation"]
    torch.testing.assert_close(
        terms["mean squared error"], (method(batch) - batch.target).square().mean()
    )
    torch.testing.assert_close(
        terms["count likelihood"], 0.25 * zinb(batch.counts, *parameters, batch.size)
    )
    torch.testing.assert_close(terms["distillation"], 0.5 * (mixed - method(batch)).square().mean())


def test_nothing_of_the_distillation_is_detached(monkeypatch):
    method, batch = build(), section()
    views = [torch.rand_like(batch.image, requires_grad=True) for _ in range(3)]
    shown = batch.image.requires_grad_()
    monkeypatch.setattr(method, "views_of", lambda image, batch: views)
    method.losses(batch)["distillation"].backward()
    for reached in (shown, *views, *method.coefficient.parameters()):
        assert reached.grad is not None
    assert all(image.grad.abs().sum() > 0 for image in (shown, *views))
    assert method.coefficient[2].weight.grad.abs().sum() > 0


def test_every_view_passes_the_whole_network_in_training_and_none_in_evaluation():
    method, batch = build(), section()
    seen = method.tokens.mixers[0].across[2].num_batches_tracked
    assert "distillation" in method.losses(batch)
    assert seen == 1 + 3
    assert "distillation" not in method.eval().losses(batch)
    assert seen == 1 + 3


@pytest.mark.parametrize("scale", encoders.SCALES)
def test_views_are_drawn_of_the_tiles_before_they_are_scaled(scale):
    tiles = torch.randint(1, 256, (4, 32, 32, 3), dtype=torch.uint8)
    batch = Batch(encoders.scaled(tiles, scale), GRID[:4])
    for view in ("none", "hist2st", "histogene"):
        method = Hist2ST(
            ModelSpec(GENES, torch.zeros(GENES), tile_px=32, scale=scale),
            Hist2STConfig(**SMALL | {"view": view}),
        )
        torch.manual_seed(0)
        seen = list(method.views_of(batch.image, batch))
        torch.manual_seed(0)
        expected = [
            encoders.scaled(
                FAMILIES[view](tiles.permute(0, 3, 1, 2), whole=True).permute(0, 2, 3, 1), scale
            )
            for _ in range(3)
        ]
        assert len(seen) == 3 and all(
            torch.equal(ours, theirs) for ours, theirs in zip(seen, expected, strict=True)
        )
        black = -1.0 if scale == encoders.NORMALISED else 0.0
        assert (view == "none") is not any(
            (image[:, :, 0, 0] == black).all() for image in seen
        )  # the corner of a turned tile


def test_switches_leave_terms_and_parts_out():
    batch = section()
    method = build(zinb=0.0, distill=0.0)
    assert list(method.losses(batch)) == ["mean squared error"]
    assert method.counts is None and method.coefficient is None
    method = build(nb=True, dropout=0.0)
    state = method.state_of(batch.image, batch, nearest(batch.grid, 4, "Grid"))
    torch.testing.assert_close(
        method.losses(batch)["count likelihood"],
        0.25 * nb_log_odds(batch.counts, *(output(state) for output in method.counts.outputs)),
    )


@pytest.mark.parametrize(
    ("gcn", "policy", "loops"),
    [
        (True, "mean", False),
        (True, "mean", True),
        (False, "mean", False),
        (False, "mean", True),
        (False, "max", False),
    ],
)
def test_graph_layer_is_its_matrix_form(gcn, policy, loops):
    layer, x = GraphLayer(6, gcn, policy), torch.randn(SPOTS, 6)
    edges = nearest(GRID, 4, "NA", loops=loops)
    matrix = adjacency(edges) - (0 if gcn or policy == "max" else torch.eye(SPOTS))
    near = (
        matrix @ x / matrix.sum(dim=1, keepdim=True)
        if policy == "mean"
        else torch.stack([x[row.bool()].amax(dim=0) for row in matrix])
    )
    out = ((near if gcn else torch.cat([x, near], dim=1)) @ layer.weight.T).relu()
    torch.testing.assert_close(
        layer(x, edges), out / out.norm(dim=1, keepdim=True).clamp(min=1e-12)
    )


@pytest.mark.parametrize(
    "words",
    [{}, {"gcn": False}, {"gcn": False, "policy": "max"}, {"gcn": False, "prune": "STD", "k": 1}],
)
def test_a_lonely_spot_and_an_empty_spot_make_no_nan(words):
    grid = GRID.clone()
    grid[0] = 7  # two steps and more from all others
    batch = section(grid=grid)
    batch.counts[3] = 0
    batch.size[3] = 0
    method = build(**words)
    loss = sum(method.losses(batch).values())
    loss.backward()
    assert torch.isfinite(loss)
    assert all(torch.isfinite(p.grad).all() for p in method.parameters() if p.grad is not None)
    assert torch.isfinite(method.eval()(batch)).all()


def test_transposed_tiles_are_a_switch():
    batch, turned = section(), replace(section(), image=section().image.transpose(2, 3))
    plain, other = build().eval(), build(transposed=True).eval()
    torch.testing.assert_close(other(turned), plain(batch), rtol=0, atol=0)
    assert not torch.allclose(other(batch), plain(batch))


def test_a_trained_step_moves_every_part():
    method, batch = build(), section()
    before = {name: value.clone() for name, value in method.named_parameters()}
    optimiser = torch.optim.Adam(method.parameters(), lr=1e-2)
    sum(method.losses(batch).values()).backward()
    optimiser.step()
    still = {name for name, value in method.named_parameters() if torch.equal(value, before[name])}
    assert still <= {
        f"tokens.mixers.0.space.{i}.bias" for i in (0, 3)
    }  # a bias before batch normalisation changes nothing


def test_frozen_encoder_learns_nothing_and_keeps_its_statistics():
    shape, batch = (
        ModelSpec(
            GENES, torch.zeros(GENES), tile_px=32, encoder="test_resnet.r160_in1k", weights="random"
        ),
        section(6),
    )
    for published in (False, True):
        method = EncoderHist2ST(
            shape, EncoderHist2STConfig(**SMALL | {"distill": 0.0, "batch_statistics": published})
        ).train()
        network = method.tokens.image.network
        before = {name: value.clone() for name, value in network.state_dict().items()}
        sum(method.losses(batch).values()).backward()
        assert all(not p.requires_grad and p.grad is None for p in network.parameters())
        moved = [
            name
            for name, value in network.state_dict().items()
            if not torch.equal(value, before[name])
        ]
        assert bool(moved) is published
        assert all("running" in name or "tracked" in name for name in moved)


def test_an_encoder_is_shown_the_middle_of_the_enlarged_tile(monkeypatch):
    method = EncoderHist2ST(
        ModelSpec(
            GENES,
            torch.zeros(GENES),
            tile_px=112,
            encoder="test_resnet.r160_in1k",
            weights="random",
        ),
        EncoderHist2STConfig(**SMALL),
    )
    shown = []
    monkeypatch.setattr(
        method.tokens.image,
        "forward",
        lambda image: shown.append(image) or torch.zeros(len(image), method.tokens.image.width),
    )
    tiles = torch.rand(70, 3, 112, 112)
    method.tokens(tiles)
    seen = torch.cat(shown)
    expected = F.interpolate(tiles, size=(256, 256), mode="bilinear", antialias=True)[
        ..., 16:240, 16:240
    ]
    torch.testing.assert_close(seen, expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("target", ["wide", "scprep", "raw"])
def test_training_starts_from_the_mean_on_every_target(target):
    mean, rates = torch.linspace(1, 6, GENES), torch.linspace(0.5, 40, GENES)
    method = Hist2ST(
        ModelSpec(GENES, mean, target, tile_px=32, rates=rates), Hist2STConfig(**SMALL)
    )
    assert torch.equal(method.head[1].bias, mean)
    assert torch.allclose(
        zinb_parameters(*(output.bias for output in method.counts.outputs))[0], rates
    )


def test_frozen_features_are_enlarged_and_not_turned():
    batch = section()
    features = replace(batch, image=torch.rand(SPOTS, 6))
    torch.manual_seed(0)
    method = Hist2ST(
        ModelSpec(GENES, torch.zeros(GENES), features=6),
        Hist2STConfig(**SMALL | {"gain": 3.0, "transposed": True, "dropout": 0.0}),
    )
    torch.testing.assert_close(
        method.tokens(features.image),
        3 * features.image @ method.tokens.project[0].weight.T + method.tokens.project[0].bias,
    )
    plain = build_on_features(distill=0.0)
    assert list(plain.losses(features)) == ["mean squared error", "count likelihood"]
    assert plain.coefficient is None


def build_on_features(**words):
    return EncoderHist2ST(
        ModelSpec(GENES, torch.zeros(GENES), features=6), EncoderHist2STConfig(**SMALL | words)
    )


def test_on_frozen_features_views_are_drawn_out_of_the_bank_without_repetition():
    bank = torch.arange(8.0)[:, None, None].expand(8, SPOTS, 6).contiguous()
    method, batch = (
        build_on_features(views=5, dropout=0.0),
        replace(section(), image=torch.rand(SPOTS, 6), views=bank),
    )
    draws = [tuple(method.views_of(batch.image, batch)[:, 0, 0].tolist()) for _ in range(20)]
    assert all(len(set(draw)) == 5 and set(draw) <= set(range(8)) for draw in draws)
    assert len(set(draws)) > 10
    torch.manual_seed(3)
    term = method.losses(batch)["distillation"]
    torch.manual_seed(3)
    states = torch.stack(
        [
            method.state_of(view, batch, nearest(batch.grid, 4, "Grid"))
            for view in method.views_of(batch.image, batch)
        ]
    )
    torch.testing.assert_close(term, 0.5 * F.mse_loss(method.mixed(states), method(batch)))
    assert "distillation" not in method.eval().losses(batch)


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ({"views": 9}, "views=9 of method hist2st are more than the 8"),
        ({"tuned": True}, "tuned=True trains the encoder"),
    ],
)
def test_what_frozen_features_cannot_give_is_refused(words, says):
    with pytest.raises(BadInput, match=says):
        build_on_features(**words)


def test_a_tuned_encoder_learns_and_its_gradient_is_that_of_its_pieces(monkeypatch):
    """Activations are made again for the gradient, piece by piece, as if they had been kept."""
    from compendium.methods import hist2st_layers as hist2st_parts

    monkeypatch.setattr(hist2st_parts, "TUNED_PIECE", 5)
    shape, batch = (
        ModelSpec(
            GENES, torch.zeros(GENES), tile_px=32, encoder="test_resnet.r160_in1k", weights="random"
        ),
        section(),
    )
    torch.manual_seed(0)
    config = EncoderHist2STConfig(
        **SMALL | {"distill": 0.0, "dropout": 0.0, "resized": 32, "tuned": True}
    )
    method = EncoderHist2ST(shape, config).train()
    network = method.tokens.image.network
    before = {name: value.clone() for name, value in network.state_dict().items()}
    tokens = method.tokens(batch.image)
    kept = method.tokens.project(
        torch.cat([network(piece) for piece in batch.image.tensor_split(3)])
    )
    torch.testing.assert_close(tokens, kept)
    parameters = list(network.parameters())
    for ours, theirs in zip(
        *(torch.autograd.grad(some.square().sum(), parameters) for some in (tokens, kept)),
        strict=True,
    ):
        torch.testing.assert_close(ours, theirs, rtol=1e-3, atol=1e-3)
    assert any(
        "running" in name and not torch.equal(value, before[name])
        for name, value in network.state_dict().items()
    )


def test_a_tile_that_is_shown_small_is_shown_whole(monkeypatch):
    method = EncoderHist2ST(
        ModelSpec(
            GENES,
            torch.zeros(GENES),
            tile_px=112,
            encoder="test_resnet.r160_in1k",
            weights="random",
        ),
        EncoderHist2STConfig(**SMALL | {"resized": 112}),
    )
    shown, tiles = [], torch.rand(2, 3, 112, 112)
    monkeypatch.setattr(
        method.tokens.image,
        "forward",
        lambda image: shown.append(image) or torch.zeros(len(image), method.tokens.image.width),
    )
    method.tokens(tiles)
    assert torch.equal(shown[0], tiles)


def test_width_must_fit_the_patches():
    with pytest.raises(BadInput, match="4 x 4 patches of channels=16 / 8 are 32 wide"):
        build(width=64)


def test_words_of_the_two_protocols():
    sections = [tiny_section("S1"), tiny_section("S2", patient="P2")]
    clean, published = (
        plan_run(
            "tiny",
            Split("section-out", ("S1",), (), ("S2",), "section S2"),
            "hist2st",
            sections=sections,
            panel="all",
            encoder="own",
            protocol=name,
            budget="full",
        )
        for name in ("clean", "published")
    )
    assert (dict(clean.model)["transposed"], clean.target, clean.scale) == (
        False,
        "wide",
        "normalised",
    )
    assert (dict(published.model)["transposed"], published.target, published.scale) == (
        True,
        "scprep",
        "0-255",
    )
    assert (
        published.lr,
        published.lr_decay,
        published.lr_every,
        published.epochs,
        published.tile_px,
    ) == (1e-5, 0.9, 50, 350, 112)


@pytest.mark.parametrize(
    "word",
    [
        {"prune": "grid"},
        {"policy": "sum"},
        {"metric": "cube"},
        {"view": "hist2sst"},
        {"augment": "symmetries"},
        {"zinb": -0.1},
        {"k": 0},
    ],
)
def test_a_wrong_word_is_refused_before_anything_is_fitted(word):
    with pytest.raises(BadInput, match=next(iter(word))):
        plan_run(
            "tiny",
            Split("section-out", ("S1",), (), ("S2",), "section S2"),
            "hist2st",
            sections=[tiny_section("S1"), tiny_section("S2")],
            **word,
        )


@pytest.mark.parametrize("spots", [1, 4])
def test_a_section_of_too_few_spots_is_one_line(spots):
    with pytest.raises(BadInput, match=f"section of {spots} spots"):
        build()(section(spots))
