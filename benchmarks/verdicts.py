"""Share of families that state a difference where there is none, by the rule for verdicts.

    python benchmarks/verdicts.py               # 1,000 families of each kind, two minutes

Expected are 3.1 % with 6 patients and 4.7 % or less with 7 and 8. Exit status 1 where a kind states
a difference in more than 5 % of its families by two standard errors.
"""

import sys

import numpy as np

from compendium.evaluation import patients
from compendium.evaluation.patients import LEVEL, Claim, decide

FAMILIES = 1000
KINDS = [(6, 1), (7, 1), (7, 3), (8, 1), (8, 4), (8, 6)]  # patients, claims
SD = 0.035
DRAWS = {
    "normal": lambda rng, n: rng.normal(0, SD, n),
    "heavy tails": lambda rng, n: SD * rng.standard_t(3, n),
    "unequal patients": lambda rng, n: rng.normal(0, SD * np.linspace(0.2, 2, n)),
}


def rate(draw, n_patients: int, claims: int) -> float:
    """Return the share of families in which any claim is significant."""
    rng = np.random.default_rng(0)
    families = ([Claim("", draw(rng, n_patients)) for _ in range(claims)] for _ in range(FAMILIES))
    stated = [(decide(family)["adjusted"] <= LEVEL).any() for family in families]
    return float(np.mean(stated))


def main() -> int:
    """Print a line a kind; return the exit status."""
    patients.power = lambda *_: 0.0  # not needed here, and most of the time
    passed, error = True, (LEVEL * (1 - LEVEL) / FAMILIES) ** 0.5
    print("differences        patients  claims  families that state a difference")
    for name, draw in DRAWS.items():
        for n_patients, claims in KINDS:
            share = rate(draw, n_patients, claims)
            passed &= share <= LEVEL + 2 * error
            print(f"{name:18} {n_patients:8} {claims:7}  {share:.3f}")
    return 0 if passed else 1


if __name__ == "__main__":
    sys.exit(main())
