"""Where the learning rates and steps of the budget laptop come from."""

import numpy as np
import pandas as pd
import pytest

from compendium.evaluation.training_choice import choose, rates, readable, recorded, thinned
from compendium.methods import METHODS, recipe

STEPS = np.arange(10, 1001, 10)
VARIANTS = [name for name in METHODS if name == "regclass" or name.startswith("hist2st-")]


def falling(lr: float, to: float, within: float, rises: float = 0.0) -> pd.DataFrame:
    """Loss that falls exponentially from about 1,001 to `to`, then rises."""
    loss = to + (1001 - to) * np.exp(-STEPS / within) + rises * np.maximum(STEPS - 500, 0)
    return pd.DataFrame({"method": "m", "lr": lr, "step": STEPS, "loss": loss})


def test_the_rate_is_that_of_the_lowest_loss_and_the_steps_are_near_its_best():
    table = pd.concat([falling(0.1, 990, 50, 0.1), falling(0.3, 980, 50, 0.1), falling(1, 985, 20)])
    chosen = choose(table).iloc[0]
    own = table[table["lr"] == 0.3]
    limit = chosen["best"] + 0.02 * min(chosen["best"], chosen["start"] - chosen["best"])
    assert chosen["start"] == table.loc[table["step"] == 10, "loss"].max()
    assert (chosen["lr"], chosen["best"]) == (0.3, own["loss"].min())
    assert chosen["steps"] == own.loc[own["loss"] <= limit, "step"].min() == 210
    assert not chosen["at_the_end"] and not chosen["at_the_edge"]


def test_a_part_that_no_training_removes_does_not_shorten_it():
    low, high = falling(0.1, 900, 50), falling(0.1, 900, 50)
    high["loss"] += 1e6  # all of it within 2 % of its best
    assert choose(high)["steps"].item() == choose(low)["steps"].item() > 100


def test_a_loss_that_falls_far_is_near_its_best_only_late():
    chosen = choose(falling(0.1, 10, 50, 0.1)).iloc[0]
    own = falling(0.1, 10, 50, 0.1)
    assert chosen["steps"] == own.loc[own["loss"] <= 1.02 * chosen["best"], "step"].min() > 300


def test_a_best_at_the_end_and_a_rate_at_the_edge_are_said():
    chosen = choose(pd.concat([falling(0.1, 900, 2000), falling(0.3, 990, 2000)])).iloc[0]
    assert chosen["at_the_end"] and chosen["at_the_edge"]


def test_steps_are_readable_and_rates_too():
    assert [readable(steps) for steps in (7, 84, 101, 488, 490, 1204)] == [
        7,
        84,
        110,
        490,
        490,
        1300,
    ]
    assert rates(3e-4) == [1e-4, 3e-4, 9e-4] and rates(1e-3) == [3e-4, 1e-3, 3e-3]


def test_a_thinned_table_keeps_first_and_last():
    table = thinned(pd.concat([falling(0.1, 0, 50), falling(0.3, 0, 50)], ignore_index=True), 30)
    for _, one in table.groupby("lr"):
        assert one["step"].iloc[[0, -1]].tolist() == [10, 1000] and 25 <= len(one) <= 31


def test_recipes_have_what_the_rule_returns_on_the_stored_losses():
    chosen = choose(recorded()).set_index("method")
    assert set(chosen.index) == {"stnet", "stimage", "deepspace", "bleep", "histogene", "hist2st"}
    stated = {name: recipe(name).laptop for name in chosen.index}
    assert {name: each["steps"] for name, each in stated.items()} == chosen["steps"].to_dict()
    assert {name: each["lr"] for name, each in stated.items()} == chosen["lr"].to_dict()
    assert not any("epochs" in each for each in stated.values())


@pytest.mark.parametrize("name", VARIANTS)
def test_variants_take_the_training_of_hist2st(name):
    own, base = recipe(name).laptop, recipe("hist2st").laptop
    assert (own["lr"], own["steps"]) == (base["lr"], base["steps"]) and "epochs" not in own
