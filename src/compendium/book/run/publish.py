"""Publish a reference run: its finished fits, one by one, and the tables of its chapters."""

import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from compendium import storage as disk
from compendium.book.notebook import profiles, tables
from compendium.book.run import chapters, weights
from compendium.book.run.plan import planned
from compendium.data.prepare import open_sections
from compendium.data.section import Section
from compendium.errors import BadInput
from compendium.evaluation import results
from compendium.evaluation.comparison import Design, Fitted
from compendium.evaluation.results import Results
from compendium.evaluation.scores import COLUMNS, TITLES, scores
from compendium.runs import Run, published, publishing, store
from compendium.runs.inputs.prepare import used
from compendium.runs.store import Record

LIMIT_MB = 30


@dataclass(frozen=True)
class Report:
    """What publishing did.

    Parameters
    ----------
    added
        Folders of published runs that were written, below data/reference/runs.
    weights
        Files of weights that were written, below data/reference/runs.
    kept, unfinished, removed
        Number of published runs that were there already, that lack seeds, and that no chapter of
        the profile plans any more.
    chapters
        Chapters whose tables were written.
    megabytes
        Size of data/reference.
    """

    added: list[str]
    weights: list[str]
    kept: int
    unfinished: int
    removed: int
    chapters: list[str]
    megabytes: float


class Seeds(NamedTuple):
    """Runs that differ in their seed alone.

    Parameters
    ----------
    runs, sections
        The runs, and the sections of their cohort.
    folder
        Folder in data/reference/runs.
    predicted
        Whether a chapter wants their predictions published.
    """

    runs: list[Run]
    sections: Sequence[Section]
    folder: Path
    predicted: bool = False

    def are_in(self, root: Path) -> bool:
        """Return whether all that is wanted of them is published."""
        target = root / self.folder
        known = {run.seed for run in self.runs} <= set(publishing.seeds(target))
        return known and (not self.predicted or publishing.has_predictions(target))

    def and_published(self, root: Path) -> "Seeds":
        """Add what is published already: further seeds, and predictions."""
        target = root / self.folder
        known = {run.seed for run in self.runs} | set(publishing.seeds(target))
        runs = [replace(self.runs[0], seed=seed) for seed in sorted(known)]
        predicted = self.predicted or publishing.has_predictions(target)
        return self._replace(runs=runs, predicted=predicted)

    def records(self) -> list[Record] | None:
        """Return the record of each run; None where one is not finished.

        A published record goes first, unless it lacks predictions that are wanted: its predictions
        are a mean with those of other seeds.
        """
        found = []
        for run in self.runs:
            record = published.find(run, self.sections)
            if not record or (self.predicted and not record.predictions):
                record = _stored(run, self.sections)
            if not record:
                return None
            found.append(record)
        return found

    def scores(self, records: Sequence[Record]) -> pd.DataFrame:
        """Return the scores of records, of which those that no page prints are missing."""
        table = scores(self.runs, records, self.sections)
        coarse = publishing.is_coarse(self.runs[0])
        printed = ("pcc",) if coarse else (*TITLES, "rmse", "pcc_native")
        return table.assign(**{name: np.nan for name in COLUMNS if name not in printed})


def publish(profile: str, names: Sequence[str] | None = None) -> Report:
    """Add finished fits, and tables of chapters, to data/reference of the checkout.

    Parameters
    ----------
    profile
        Name of the profile; its chapters decide which runs are published.
    names
        Only these chapters, whose tables must have been computed here; by default all, and the
        tables of those that were. Only then runs that no chapter plans any more are removed.

    Raises
    ------
    BadInput
        If this is no checkout, a chapter has not been computed with the profile's parameters, or
        data/reference would be larger than `LIMIT_MB`; nothing is written then.
    """
    reference = disk.CHECKOUT / "data" / "reference"
    if not (reference.parent / "sources.yaml").exists():
        wrong = f"reference tables belong into a checkout, and {disk.CHECKOUT} is none"
        raise BadInput(f"{wrong}; run from a clone of the repository")
    every = [name for name in profiles.load(profile).chapters if chapters.has_folder(name)]
    chosen = names or [name for name in every if tables.is_computed(profile, name)]
    usual = {name: chapters.usual(name, profile) for name in chosen}
    made = tables.to_publish(profile, usual)
    designs = [planned(name, profile) for name in names or every]
    with disk.alone(reference), disk.atomic_folder(reference) as aside:
        shutil.copytree(reference, aside, dirs_exist_ok=True)
        report = _write(aside, profile, designs, made, remove=not names)
        if report.megabytes > LIMIT_MB:
            raise BadInput(
                f"{reference} would take {report.megabytes:.1f} MB with these runs, and at most"
                f" {LIMIT_MB} MB are published; let the profile plan fewer"
            )
    return report


def by_seeds(designs: Iterable[Design]) -> Iterator[Seeds]:
    """Collect the runs of some designs that differ in their seed alone."""
    groups: dict[Run, dict[int, Run]] = {}
    names: dict[str, dict[str, None]] = {}
    predicted: set[Run] = set()
    for design in designs:
        names.setdefault(design.cohort, {}).update({each.name: None for each in design.sections})
        for run in (run for jobs in design.groups.values() for _, run in jobs):
            groups.setdefault(replace(run, seed=0), {})[run.seed] = run
        wanted = (run for name in design.predicted for _, run in design.groups[name])
        predicted |= {replace(run, seed=0) for run in wanted}
    sections = {cohort: open_sections(cohort, list(some)) for cohort, some in names.items()}
    for first, by_seed in groups.items():
        opened = sections[first.cohort]
        relative = published.folder(Path(), first, opened)
        runs = [by_seed[seed] for seed in sorted(by_seed)]
        yield Seeds(runs, opened, relative, first in predicted)


def _stored(run: Run, sections: Sequence[Section]) -> Record | None:
    """The record of a run that is stored here; None where there is none that is undamaged."""
    try:
        return store.read(store.folder(run, run.identity(used(run, sections))))
    except store.Damaged:
        return None


def _write(
    reference: Path,
    profile: str,
    designs: Sequence[Design],
    made: Mapping[str, Results],
    *,
    remove: bool,
) -> Report:
    """Write everything into a copy of data/reference."""
    root, added, kept, unfinished = reference / published.RUNS, [], 0, 0
    planned_runs = list(by_seeds(designs))
    for each in planned_runs:
        target = root / each.folder
        if each.are_in(root):
            kept += 1
        elif records := (wanted := each.and_published(root)).records():
            own = wanted.runs, records, wanted.scores(records), profile
            publishing.write(target, *own, predicted=wanted.predicted)
            added.append(each.folder.as_posix())
        else:
            unfinished += 1
    planned_folders = {root / each.folder for each in planned_runs}
    removed = publishing.remove_others(root, profile, planned_folders) if remove else 0
    publishing.remove_unused_genes(root)
    weighed = [path for design in designs if design.weighed for path in _weights(root, design)]
    for name, of_chapter in made.items():
        results.write(reference / profile / name, of_chapter)
    size = sum(path.stat().st_size for path in reference.rglob("*") if path.is_file())
    files = [path.relative_to(root).as_posix() for path in weighed]
    return Report(added, files, kept, unfinished, removed, list(made), size / 1e6)


def _weights(root: Path, design: Design) -> list[Path]:
    """Write the weights of a design; none before all of its fits are finished."""
    sections = open_sections(design.cohort, [section.name for section in design.sections])
    jobs = design.groups[design.weighed]
    records = [_stored(run, sections) or published.find(run, sections) for _, run in jobs]
    found = [record for record in records if record]
    whole = len(found) == len(jobs)
    return weights.publish(root, design, Fitted(jobs, found), sections) if whole else []
