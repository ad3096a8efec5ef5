"""Runs that can be watched and held from outside: stands for `attempt` in tests of executors."""

import dataclasses
import os
import time
from pathlib import Path
from unittest import mock

import numpy as np

import compendium.runs.fit as fitting
from compendium.data.prepare import folder
from compendium.data.section import Section
from compendium.runs import Run, execute, execution, plan_runs
from compendium.storage import resource
from conftest import tiny_section

ATTEMPT, FIT = execution.attempt, fitting.fit
EPOCHS, HELD = 6, 2
PARAMETERS = {
    "panel": "all",
    "encoder": "colour",
    "budget": "smoke",
    "tile_px": 32,
    "epochs": EPOCHS,
}


def paths() -> str:
    """PYTHONPATH of workers, which import this module too."""
    return os.pathsep.join(
        [str(Path(__file__).parent), *filter(None, [os.environ.get("PYTHONPATH")])]
    )


def saved() -> list[Section]:
    """Three small sections of three patients where those of a real cohort are looked for."""
    genes = np.array(resource("genes/her2_common_11871.txt").read_text().split()[:12])
    made = [
        dataclasses.replace(tiny_section(name, patient=patient), cohort="her2st", genes=genes)
        for name, patient in (("B4", "B"), ("C2", "C"), ("D1", "D"))
    ]
    return [section.save(folder("her2st", section.name)) for section in made]


def planned(sections: list[Section], methods=("mean", "ridge", "histogene"), **words) -> list[Run]:
    """A study of the methods on three folds."""
    return plan_runs("her2st", sections, ["section-out"], methods, **PARAMETERS | words)


def predictions(runs: list[Run], sections: list[Section], **words) -> dict[str, np.ndarray]:
    """What each run predicts for its test section, by identity."""
    return {
        record.id: values
        for record in execute(runs, sections, device="cpu", **words)
        for values in record.predictions.values()
    }


def same(one: dict[str, np.ndarray], other: dict[str, np.ndarray]) -> None:
    """Bit for bit."""
    assert one.keys() == other.keys()
    for run in one:
        np.testing.assert_array_equal(one[run], other[run])


def attempt(run, sections, device, at):
    """As the executor's own, with a checkpoint after every epoch and notes of who made what.

    While a file `gate` lies there, a run waits after epoch 2.
    """
    where = Path(at)

    def after_epoch(epoch: int) -> None:
        note(where / "epochs", run, epoch)
        while epoch == HELD and (where / "gate").exists():
            time.sleep(0.05)

    def fit(run, *given) -> fitting.Fitted:
        note(where / "made", run)
        return FIT(run, *given, after_epoch)

    with (
        mock.patch.object(execution, "fit", fit),
        mock.patch.object(fitting, "CHECKPOINT_SECONDS", 0.0),
    ):
        return ATTEMPT(run, sections, device, at)


def note(path: Path, run: Run, *more: int) -> None:
    """One line, in one write: what, which process."""
    with path.open("a") as lines:
        lines.write(
            " ".join(map(str, (run.method, run.split.name, run.seed, os.getpid(), *more))) + "\n"
        )


def made(home: Path) -> list[str]:
    """Every making of a run that began: method, split, seed."""
    return [line.rsplit(" ", 1)[0] for line in _lines(home / "made")]


def epochs(home: Path, run: Run) -> list[tuple[int, int]]:
    """The epochs of a run that were trained, each with the process that did."""
    parts = [line.rsplit(" ", 2) for line in _lines(home / "epochs")]
    return [
        (int(process), int(epoch))
        for what, process, epoch in parts
        if what == f"{run.method} {run.split.name} {run.seed}"
    ]


def held(home: Path, run: Run) -> int | None:
    """The process that waits at the gate with a run, its checkpoint written."""
    at_gate = [process for process, epoch in epochs(home, run) if epoch == HELD]
    return at_gate[-1] if at_gate else None


def until(true, seconds: float = 120):
    """What `true` returns, as soon as that is something."""
    for _ in range(int(seconds / 0.05)):
        if found := true():
            return found
        time.sleep(0.05)
    raise AssertionError(f"waited {seconds} s for {true}")


def _lines(path: Path) -> list[str]:
    return path.read_text().splitlines() if path.exists() else []


def main() -> None:
    """The command line, its runs watched."""
    from compendium.__main__ import main as compendium

    execution.attempt = attempt
    raise SystemExit(compendium())
