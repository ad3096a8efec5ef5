"""Validation losses from which learning rates and steps of the budget laptop are chosen.

    compendium prepare demo
    python benchmarks/choose_training.py --plan      # says how long it takes
    python benchmarks/choose_training.py             # writes data/training/validation_loss.csv

Each method is fitted at three rates on four synthetic sections of two patients and validated on a
section of a third; no section is tested. The rule: compendium.evaluation.training_choice. Fits are
stored as every run is, so that it may be interrupted.
"""

import sys

import pandas as pd
import torch

from compendium.data.prepare import open_sections
from compendium.data.splits import Split
from compendium.evaluation.training_choice import FILE, choose, rates, thinned
from compendium.methods import recipe
from compendium.runs import plan_run, run_once
from compendium.runs.run import Run
from compendium.runs.study.cost import estimate
from compendium.storage import CHECKOUT

SPLIT = Split("patient-out", ("P1a", "P1b", "P2a", "P2b"), ("P3a",), (), "patient P3")
BASES = {
    "stnet": 1e-4,
    "stimage": 1e-4,
    "deepspace": 1e-3,
    "bleep": 1e-3,
    "histogene": 3e-4,
    "hist2st": 3e-4,
}
"""Base of each grid: the rate of the budget laptop before this choice."""
MAXIMUM = {"spot": 2000, "section": 600}
"""Steps of every fit, by what a method sees at a time."""


def planned() -> list[Run]:
    """Plan the fits: those of the demo cohort's frozen features, on all of its genes."""
    sections = open_sections("demo", [*SPLIT.train, *SPLIT.valid])
    return [
        plan_run(
            "demo",
            SPLIT,
            method,
            sections=sections,
            panel="all",
            lr=rate,
            steps=MAXIMUM[recipe(method).unit],
        )
        for method, base in BASES.items()
        for rate in rates(base)
    ]


def losses_of(run: Run) -> pd.DataFrame:
    """Fit a run, or read its record, and return its validation loss by step."""
    facts = run_once(run, open_sections("demo"), "cpu").facts
    loss = [row["validation"] for row in facts["curve"]]
    lines = {"method": run.method, "lr": run.lr, "step": facts["steps"], "loss": loss}
    return thinned(pd.DataFrame(lines)).round({"loss": 5})


def main(only_plan: bool) -> None:
    """Print the plan, then fit, write the losses and print the choice."""
    torch.set_num_threads(1)
    runs = planned()
    seconds = estimate(runs, open_sections("demo"), "cpu")
    for run, each in zip(runs, seconds, strict=True):
        print(f"{run.method} lr {run.lr:g}: {run.steps} steps, {each / 60:.1f} min", flush=True)
    print(f"in all {sum(seconds) / 60:.0f} min", flush=True)
    if only_plan:
        return
    losses = pd.concat([losses_of(run) for run in runs], ignore_index=True)
    file = CHECKOUT / "data" / FILE
    file.parent.mkdir(exist_ok=True)
    losses.to_csv(file, index=False)
    print(choose(losses).to_string(index=False))


if __name__ == "__main__":
    main("--plan" in sys.argv)
