"""Fit, price and timed step see the same inputs; a record keeps its fitted target."""

import dataclasses

import numpy as np
import pytest
from test_prepare_inputs import SECTIONS, smoke

from compendium.chapters.gat import step_time
from compendium.data.splits import folds
from compendium.evaluation.comparison import fitted
from compendium.runs import run_once, store
from compendium.runs.inputs.prepare import prepare_inputs, training_set
from compendium.runs.study import cost

SMALLER = dataclasses.replace(
    SECTIONS[2],
    **{name: getattr(SECTIONS[2], name)[:20] for name in ("spots", "grid", "pixels", "counts")},
    stored_tiles=SECTIONS[2].stored_tiles[:20],
    digest="smaller",
)
COHORT = [
    dataclasses.replace(section, labels=np.resize(["one", "two"], len(section)))
    for section in (*SECTIONS[:2], SMALLER, SECTIONS[3])
]
ARM = next(fold for fold in folds("matched-between", COHORT) if "S1" in fold.test)
CASES = {
    "plain": {},
    "stain": {"stain": "reinhard"},
    "stain of training sections": {"stain": "hed-light"},
    "spots": {"spots": "deepspace"},
    "harmony": {"target": "harmony"},
    "permuted": {"permute": True},
    "augmented": {"augment": "stnet"},
    "matched": {"split": ARM},
    "all": {"stain": "macenko", "spots": "deepspace", "target": "harmony", "permute": True},
}


def given(monkeypatch, module, call) -> list:
    """The training inputs that a module's `fit` is called with."""
    seen, fit = [], module.fit

    def watch(run, sections, *rest):
        seen.append(sections)
        return fit(run, sections, *rest)

    with monkeypatch.context() as patch:
        patch.setattr(module, "fit", watch)
        call()
    return seen[0]


def same(one, other) -> None:
    for each in dataclasses.fields(one):
        left, right = getattr(one, each.name), getattr(other, each.name)
        assert (left is None) == (right is None), each.name
        if left is not None:
            np.testing.assert_array_equal(left, right, err_msg=each.name)


@pytest.mark.parametrize("case", CASES)
def test_fit_price_and_timed_step_are_given_the_same_inputs(case, home, monkeypatch):
    from compendium.runs import execution

    run = smoke("stnet", **CASES[case])
    priced = given(monkeypatch, cost, lambda: cost.trial(run, COHORT, "cpu"))
    trained = given(monkeypatch, execution, lambda: run_once(run, COHORT, "cpu"))
    group = fitted({"fits": [("stnet", run)]}, COHORT, "cpu")["fits"]
    timed = given(monkeypatch, step_time, lambda: step_time.per_step(group, COHORT, "stnet", "cpu"))
    assert len(timed) == len(trained) == len(run.split.train)
    for one, other in zip(timed, trained, strict=True):
        same(one, other)
    (only,) = priced
    same(only, min(trained, key=len))


def test_the_price_of_a_run_prepares_no_other_section(home):
    prepared = prepare_inputs(smoke(stain="reinhard"), COHORT, "cpu", smallest=True)
    assert (prepared.train, prepared.validation, prepared.test) == (["S3"], [], [])
    assert {path.name[:7] for path in home.rglob("*.npy")} == {"tiny-S3"}


@pytest.mark.parametrize(
    "parameters",
    [{"target": target} for target in ("wide", "minmax", "pearson", "scprep", "harmony")]
    + [{"target": "pearson", "spots": "deepspace"}, {"target": "minmax", "panel": "hvg(5)"}],
)
def test_a_record_keeps_its_fitted_target(parameters, home):
    run = smoke("stnet", **parameters)
    made = run_once(run, SECTIONS, "cpu")
    _, target = training_set(run, SECTIONS)
    for record in (made, store.read(made.folder)):
        stored = record.target()
        for each in dataclasses.fields(target):
            np.testing.assert_array_equal(getattr(stored, each.name), getattr(target, each.name))
        np.testing.assert_array_equal(stored(SECTIONS[0]), target(SECTIONS[0]))


def test_the_mean_of_several_fits_keeps_it_too_and_an_older_record_has_none(home):
    record = run_once(smoke("stnet", target="minmax", members=2), SECTIONS, "cpu")
    _, target = training_set(smoke(target="minmax"), SECTIONS)
    np.testing.assert_array_equal(record.target()(SECTIONS[0]), target(SECTIONS[0]))
    assert dataclasses.replace(record, fitted_target={}).target() is None
