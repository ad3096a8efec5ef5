"""A stored prediction as AnnData, with what made it."""

import re
from typing import TYPE_CHECKING

from compendium.data.export import to_anndata
from compendium.data.section import Section
from compendium.data.splits import Split
from compendium.data.targets.transforms import Target
from compendium.errors import BadInput
from compendium.runs import store
from compendium.runs.run import Run
from compendium.runs.store import Record
from compendium.storage import home

if TYPE_CHECKING:
    from anndata import AnnData


def find(cohort: str, identity: str) -> Record:
    """The stored record of a cohort's run, by the id that its folder is named after."""
    root = home() / "runs" / cohort
    found = [folder for folder in root.glob("*/*/*") if folder.name == identity]
    if not found:
        raise BadInput(
            f"no run {identity!r} of cohort {cohort} in {root}; give the name of a folder METHOD/SPLIT/ID there, the ID alone"
        )
    try:
        return store.read(found[0])
    except store.Damaged as error:
        raise BadInput(
            f"the record in {found[0]} is damaged and its prediction cannot be exported; run again what made it"
        ) from error


def prediction(record: Record, section: Section) -> "AnnData":
    """What a run predicted for a section, the section's counts of the same genes beside it."""
    if section.name not in record.predictions:
        raise BadInput(
            f"run {record.id} holds no prediction of section {section.name}; it has {', '.join(record.predictions)}"
        )
    if record.facts["data"][section.name] != section.digest:
        raise BadInput(
            f"run {record.id} predicted section {section.name} as it was before it was prepared anew; run it again on the section of now"
        )
    return to_anndata(section, record.by_spot(section), record.genes, provenance(record))


def provenance(record: Record) -> dict[str, str]:
    """What made a prediction, as text: the run and its protocol, the method, what it was trained on and towards, code, device and time."""
    facts, run = record.facts, _run(record)
    return {
        "run": record.id, "line": facts["line"], "method": run.title, "target": f"{run.target}: {formula(run.target)}", "panel": run.panel, "seed": str(run.seed),
        "train": " ".join(run.split.train), "left_out": run.split.left_out, "version": f"compendium {facts['versions']['compendium']}",
        "code": ", ".join(f"{stage} {number}" for stage, number in facts["stages"].items()),
        "device": facts["device"], "finished": facts["finished"],
    }  # fmt: skip


def _run(record: Record) -> Run:
    """The run as it was planned."""
    try:
        words = record.facts["run"]
        split = {
            word: tuple(value) if isinstance(value, list) else value
            for word, value in words["split"].items()
        }
        return Run(
            **words
            | {
                "split": Split(**split),
                "model": tuple((word, value) for word, value in words["model"]),
            }
        )
    except (TypeError, KeyError) as error:
        raise BadInput(
            f"run {record.id} was planned by another version of compendium, whose words this one does not know; export it with that one, or run it again"
        ) from error


def formula(transform: str) -> str:
    """A target's formula, as the docstring of Target gives it."""
    table = (re.split(r" {2,}", line.strip()) for line in Target.__doc__.splitlines())
    return next(line[1] for line in table if line[0] == transform)
