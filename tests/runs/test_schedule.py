"""The learning rate of a run: constant, or multiplied by a factor after every so many epochs."""

import pytest

from compendium.data.splits import Split
from compendium.errors import BadInput
from compendium.runs import fit, plan_run, run_once
from conftest import tiny_section

SECTIONS = [tiny_section("S1"), tiny_section("S2", patient="P2")]


def smoke(**words):
    split = Split("section-out", ("S1",), (), ("S2",), "section S2")
    return plan_run(
        "tiny",
        split,
        "histogene",
        sections=SECTIONS,
        panel="all",
        encoder="colour",
        budget="smoke",
        tile_px=32,
        lr=0.1,
        epochs=5,
        **words,
    )


@pytest.mark.parametrize(
    ("words", "rates"),
    [({}, [0.1] * 5), ({"lr_decay": 0.5, "lr_every": 2}, [0.1, 0.1, 0.05, 0.05, 0.025])],
)
def test_rate_of_each_epoch(words, rates, home, monkeypatch):
    seen, epoch = [], fit._Training.epoch
    monkeypatch.setattr(
        fit._Training,
        "epoch",
        lambda self, number: (
            seen.append(self.optimiser.param_groups[0]["lr"]) or epoch(self, number)
        ),
    )
    run_once(smoke(**words), SECTIONS, "cpu")
    assert seen == pytest.approx(rates)


@pytest.mark.parametrize("words", [{"lr_every": -1}, {"lr_decay": 0.0}])
def test_a_rate_that_cannot_be_is_refused(words):
    with pytest.raises(BadInput, match="lr_every|lr_decay"):
        smoke(**words)
