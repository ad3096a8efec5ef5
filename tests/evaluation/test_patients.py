"""What patients decide about a family of claims: exact tests, Holm, intervals, the rule, power."""

import numpy as np
import pytest
from scipy.stats import permutation_test, ttest_1samp
from statsmodels.stats.multitest import multipletests

from compendium.errors import BadInput
from compendium.evaluation import patients
from compendium.evaluation.patients import Claim, decide, holm, power, sign_flip, t_interval
from compendium.evaluation.verdict import Verdict

SPREAD = np.linspace(-0.01, 0.01, 8)
LARGE, SLIGHT, WIDE = SPREAD + 0.05, SPREAD / 4 + 0.01, SPREAD * 8 + 0.01


@pytest.mark.parametrize("n", [2, 5, 8])
def test_sign_flips_are_those_of_scipy(n):
    drawn = np.random.default_rng(n).normal(0.3, 1, n)
    exact = permutation_test(
        (drawn,), np.mean, permutation_type="samples", n_resamples=np.inf, alternative="two-sided"
    )
    assert sign_flip(drawn) == pytest.approx(exact.pvalue)


@pytest.mark.parametrize("n", [1, 6, 20])
def test_the_smallest_p_is_two_of_all_changes_of_signs(n):
    assert sign_flip(np.arange(1.0, n + 1)) == 2 / 2**n


def test_ties_within_rounding_are_as_extreme_and_no_patient_has_no_p():
    assert sign_flip(np.array([0.1, 0.2, -0.3])) == 1
    assert sign_flip(np.array([0.3, 0.1, 0.2, 0.0])) == 0.25
    assert np.isnan(sign_flip(np.array([])))
    with pytest.raises(BadInput, match="21 patients"):
        sign_flip(np.ones(21))


def test_holm_is_that_of_statsmodels_and_a_missing_p_is_a_member():
    p = [0.0078125, 0.04, 0.5, 0.0156, 0.0156]
    np.testing.assert_allclose(holm(p), multipletests(p, method="holm")[1])
    np.testing.assert_allclose(holm([0.02, np.nan, 0.01]), [0.04, np.nan, 0.03])


def test_the_interval_is_that_of_the_t_test():
    low, high = ttest_1samp(WIDE, 0).confidence_interval(0.9)
    assert t_interval(WIDE, 0.9) == pytest.approx((low, high))
    assert np.isnan(t_interval(WIDE[:1])).all()


@pytest.mark.parametrize(
    ("differences", "equal", "verdict"),
    [
        (LARGE, False, Verdict.REPRODUCED),
        (SLIGHT, False, Verdict.BELOW),
        (-LARGE, False, Verdict.NOT_REPRODUCED),
        (-SLIGHT, False, Verdict.NOT_REPRODUCED),
        (SPREAD, False, Verdict.NOT_REPRODUCED),
        (WIDE, False, Verdict.UNDECIDED),
        (LARGE[:5], False, Verdict.UNDECIDED),
        (np.r_[LARGE[:5], np.nan], False, Verdict.UNDECIDED),
        (LARGE[:6], False, Verdict.REPRODUCED),
        (LARGE, True, Verdict.NOT_REPRODUCED),
        (-SLIGHT, True, Verdict.NOT_REPRODUCED),
        (SPREAD, True, Verdict.REPRODUCED),
        (WIDE, True, Verdict.UNDECIDED),
        (SPREAD[2:7], True, Verdict.UNDECIDED),
    ],
)
def test_the_rule_looks_at_significance_first(differences, equal, verdict):
    assert decide([Claim("a", differences, equal)])["verdict"].tolist() == [verdict]


@pytest.mark.parametrize(
    ("n", "largest"),
    [(6, 1), (7, 3), (8, 6)],
)
def test_a_family_that_can_decide_nothing_has_p_and_no_verdict(n, largest):
    claims = [Claim(str(number), LARGE[:n]) for number in range(largest + 1)]
    assert set(decide(claims[:-1])["verdict"]) == {Verdict.REPRODUCED}
    too_many = decide(claims)
    assert set(too_many["verdict"]) == {Verdict.NO_VERDICT}
    assert too_many["p"].tolist() == [2 / 2**n] * (largest + 1)
    assert set(too_many["power"]) == {0}


def test_a_claim_without_patients_is_a_member_of_its_family():
    table = decide([Claim("a", LARGE), Claim("none", np.full(8, np.nan))])
    assert table["patients"].tolist() == [8, 0]
    assert table["adjusted"].tolist() == [pytest.approx(0.015625), pytest.approx(np.nan, nan_ok=1)]
    assert table["verdict"].tolist() == [Verdict.REPRODUCED, Verdict.UNDECIDED]


def test_power_is_that_of_eight_patients():
    assert power(8, 0.035, 0.03, 1) == pytest.approx(0.55, abs=0.03)
    assert power(8, 0.035, 0.03, 5) == pytest.approx(0.22, abs=0.03)
    assert power(5, 0.001, 0.03, 1) == 0
    assert power(8, 0.0, 0.03, 6) == 1


def test_equal_methods_are_seldom_told_apart(monkeypatch):
    monkeypatch.setattr(patients, "power", lambda *_: 0)
    rng = np.random.default_rng(0)
    stated = [
        any(decide([Claim("", rng.normal(0, 0.035, 8)) for _ in range(4)])["adjusted"] <= 0.05)
        for _ in range(200)
    ]
    assert np.mean(stated) <= 0.05
