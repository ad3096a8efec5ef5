"""Rows that carry no verdict: training that still falls, and one seed."""

import numpy as np
import pandas as pd
import pytest

from compendium.evaluation.evidence import limits_of_rows
from compendium.evaluation.results import Results
from compendium.evaluation.settled import fall, last_fall, training_limits

EPOCHS = np.arange(1, 101)


def curve(method: str, loss, step=EPOCHS, fold: str = "f") -> pd.DataFrame:
    lines = {"method": method, "split": "s", "fold": fold, "epoch": range(len(step))}
    return pd.DataFrame(lines | {"step": step, "loss": loss})


def test_the_fall_is_that_of_the_last_tenth_of_the_steps():
    assert fall(EPOCHS * 4, 2.0 - EPOCHS / 100) == pytest.approx(0.1 / 1.1)
    assert fall(np.array([10, 20]), np.array([1.0, 0.5])) == pytest.approx(0.1 / 0.6)
    assert np.isnan(fall(np.array([7]), np.array([1.0])))


def test_a_single_restless_epoch_does_not_unsettle():
    loss = np.where(EPOCHS == 100, 0.93, 1.0)
    assert 0 < fall(EPOCHS, loss) < 0.05 < 1 - loss[-1] / loss[-11]


def test_a_row_settles_over_its_folds_whatever_their_epochs():
    short = np.arange(4, 101, 4)
    table = pd.concat(
        [
            curve("a", 2 - EPOCHS / 100),
            curve("a", 2 - short / 100, short, "g"),
            curve("b", np.exp(-EPOCHS / 10.0) + 1),
        ]
    )
    found = last_fall(table).set_index("method")
    assert found["settled"].to_dict() == {"a": False, "b": True}
    assert found["fall"]["a"] == pytest.approx(0.1 / 1.1)
    whole = last_fall(curve("a", 2 - EPOCHS / 100).drop(columns="step"))
    assert whole["fall"].tolist() == pytest.approx([0.1 / 1.1])


def results(seeds: int) -> Results:
    curves = pd.concat([curve("a", 2 - EPOCHS / 100), curve("b", np.ones(100))])
    drawn = [("a", "s", n, 0.1) for n in range(seeds)] + [("ridge", "s", 0, 0.1)]
    table = pd.DataFrame(drawn, columns=["method", "split", "seed", "median"])
    return Results({"curves": curves, "seeds": table}, {"titles": {"a": "A", "b": "B"}})


def test_limits_name_the_rows_and_the_reasons():
    assert training_limits(results(3), ["a", "ridge"]) == ["not settled: A"]
    assert training_limits(results(1), ["a", "ridge"]) == ["not settled: A", "one seed: A"]
    assert training_limits(results(3), ["b", "ridge"]) == ["one seed: B"]
    assert training_limits(results(3), ["ridge"]) == []
    assert training_limits(Results({}, {}), ["a"]) == []


def test_a_claim_about_such_a_row_has_a_limit():
    falling = curve("a", 2.0 - EPOCHS / 100)
    criterion = pd.DataFrame({"row": ["a"], "result": [True]})
    results = Results({"curves": falling, "criterion": criterion}, {})
    assert limits_of_rows(results, ["a"], {"a": "A"}) == ["not settled: A", "one seed: A"]
