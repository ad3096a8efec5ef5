"""Blocks that are computed again for the gradient: the same numbers from less memory."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from compendium.methods import names, recipe
from compendium.methods.hist2st import Hist2STConfig, PatchMixer
from compendium.methods.layers import ActivationCheckpoint, Block
from compendium.runs import run_once
from compendium.runs.fit import build
from compendium.runs.inputs.batches import class_names, inputs, training
from compendium.runs.inputs.prepare import training_set
from tiny_fits import SECTIONS, smoke

pytestmark = pytest.mark.slow

OWN = {"tile_px": 56, "encoder": "own", "dropout": 0.3}
KINDS = {
    "histogene": ("histogene", OWN | {"layers": 2}),
    "hist2st": ("hist2st", OWN | {"distill": 0.5, "views": 2, "width": 8, "layers": 2}),
    "regclass": ("regclass", OWN | {"width": 8}),
    "gat": ("hist2st-gat", {"dropout": 0.3}),
    "frozen": ("hist2st-lite0", {"distill": 0.5, "dropout": 0.3}),
}


def step(method: str, recompute: bool, **words) -> tuple[dict, dict, dict]:
    """Loss terms, gradients and buffers of one training step."""
    run = smoke(method, checkpoint_activations=recompute, **words)
    train, target = training_set(run, SECTIONS)
    classes = class_names(train)
    parts = [inputs(run, part, target, "cpu", True, classes) for part in train]
    with torch.random.fork_rng():
        network = build(run, parts).train()
        torch.manual_seed(3)
        terms = network.losses(next(training(run, parts, 0)))
        sum(terms.values()).backward()
        drawn = torch.rand(1)
    gradients = {
        name: value.grad for name, value in network.named_parameters() if value.grad is not None
    }
    return (
        {name: term.detach() for name, term in terms.items()} | {"next draw": drawn},
        gradients,
        dict(network.named_buffers()),
    )


@pytest.mark.parametrize("kind", KINDS)
def test_a_step_has_the_gradients_and_statistics_of_the_plain_one(kind, home):
    method, words = KINDS[kind]
    plain, again = (step(method, recompute, **words) for recompute in (False, True))
    assert any(gradient.abs().max() > 0 for gradient in plain[1].values())
    for one, other in zip(plain, again, strict=True):
        assert one.keys() == other.keys()
        for name in one:
            torch.testing.assert_close(other[name], one[name], rtol=0, atol=0, msg=name)


def mixer() -> PatchMixer:
    """Tiles of 20 px to 16 numbers."""
    config = Hist2STConfig(width=16, channels=8, kernel=3, patch=5, mixer_layers=1)
    return PatchMixer(20, config).train()


def test_batch_statistics_are_counted_once_and_dropout_is_replayed():
    """The same two checks where nothing else could hide a fault.

    Statistics after two steps, and a gradient that is wrong with any other mask.
    """
    for _ in range(2):
        torch.manual_seed(0)
        plain, again = mixer(), mixer()
        again.load_state_dict(plain.state_dict())
        again.checkpoint_activations = True
        for part in (plain, again):
            torch.manual_seed(1)
            for _ in range(2):
                part(torch.randn(6, 3, 20, 20, requires_grad=True)).sum().backward()
    assert plain.state_dict().keys() == again.state_dict().keys()
    for name, value in plain.state_dict().items():
        assert torch.equal(again.state_dict()[name], value), name
    assert plain.mixers[0].space[1].num_batches_tracked == 2
    block, x = Block(64, 1, 64, 0.5).train(), torch.randn(7, 64, requires_grad=True)
    torch.manual_seed(5)
    expected = torch.autograd.grad(block(x).sum(), x)[0]
    block.checkpoint_activations = True
    torch.manual_seed(5)
    found = torch.autograd.grad(block(x).sum(), x)[0]
    torch.manual_seed(6)
    assert torch.equal(found, expected)
    assert not torch.allclose(torch.autograd.grad(block(x).sum(), x)[0], expected)


def kept_bytes(stage: ActivationCheckpoint, x: torch.Tensor) -> int:
    """Bytes that a forward pass keeps for the backward pass, each storage once, no parameters."""
    kept, own = {}, {value.untyped_storage().data_ptr() for value in stage.parameters()}

    def note(tensor: torch.Tensor) -> torch.Tensor:
        if tensor.untyped_storage().data_ptr() not in own:
            kept[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor):
        stage(x)
    return sum(kept.values())


@pytest.mark.parametrize(
    ("stage", "shape"),
    [(Block(64, 1, 128, 0.1), (200, 64)), (mixer(), (50, 3, 20, 20))],
    ids=["transformer block", "mixer"],
)
def test_no_more_than_the_input_of_a_stage_is_kept(stage, shape):
    x = torch.randn(shape, requires_grad=True)
    plain = kept_bytes(stage, x)
    stage.checkpoint_activations = True
    assert kept_bytes(stage, x) <= x.untyped_storage().nbytes() < plain / 2
    stage.checkpoint_activations = False


def test_every_method_that_sees_a_section_has_stages_and_a_run_says_whether_they_recompute(home):
    for method in names():
        if recipe(method).unit == "section":
            run = smoke(method, checkpoint_activations=True)
            train, target = training_set(run, SECTIONS)
            network = build(
                run,
                [inputs(run, part, target, "cpu", True, class_names(train)) for part in train],
            )
            stages = [part for part in network.modules() if isinstance(part, ActivationCheckpoint)]
            assert stages and all(stage.checkpoint_activations for stage in stages), method


def test_a_run_that_recomputes_predicts_the_same(home):
    one, other = (
        run_once(
            smoke("hist2st", checkpoint_activations=recompute, panel="all", **OWN | {"width": 8}),
            SECTIONS,
            "cpu",
        )
        for recompute in (False, True)
    )
    assert one.id != other.id
    assert one.facts["curve"] == other.facts["curve"]
    np.testing.assert_array_equal(one.predictions["S3"], other.predictions["S3"])


def test_a_whole_section_with_batch_statistics_is_predicted_in_pieces(monkeypatch, home):
    """In prediction a frozen encoder goes by what it learned.

    So a whole slide need not be in it at once.
    """
    import compendium.methods.hist2st_layers as parts_of

    monkeypatch.setattr(parts_of, "PIECE", 5)
    run = smoke(
        "hist2st-lite0",
        encoder="own",
        batch_statistics=True,
        weights="random",
        tile_px=32,
        resized=32,
    )
    train, target = training_set(run, SECTIONS)
    seen = [inputs(run, part, target, "cpu", True) for part in train]
    network = build(run, seen)
    sizes = []
    network.tokens.image.register_forward_pre_hook(lambda _, images: sizes.append(len(images[0])))
    batch = next(training(run, seen, 0))
    network.train()(batch)
    network.eval()(replace(batch))
    assert sizes[0] == 24 and max(sizes[1:]) <= 5 and sum(sizes[1:]) == 24
