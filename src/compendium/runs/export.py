"""A stored prediction as AnnData, with its provenance."""

from typing import TYPE_CHECKING

from compendium.data.export import to_anndata
from compendium.data.section import Section
from compendium.data.targets.transforms import REGISTRY
from compendium.errors import BadInput
from compendium.runs import store
from compendium.runs.run import Run, restored
from compendium.storage import home

if TYPE_CHECKING:
    from anndata import AnnData


def find(cohort: str, identity: str) -> store.Record:
    """Read the record of a cohort's run by its ID.

    Raises
    ------
    BadInput
        If there is none, or it is damaged.
    """
    root = home() / "runs" / cohort
    folders = [folder for folder in root.glob("*/*/*") if folder.name == identity]
    if not folders:
        raise BadInput(
            f"no run {identity!r} of cohort {cohort} in {root}; give the name of a folder"
            " METHOD/SPLIT/ID there, the ID alone"
        )
    try:
        return store.read(folders[0])
    except store.Damaged as error:
        raise BadInput(
            f"the record in {folders[0]} is damaged and its prediction cannot be exported; run"
            " again what made it"
        ) from error


def prediction(record: store.Record, section: Section) -> "AnnData":
    """Convert the prediction for a section to AnnData, with its counts of the same genes.

    Raises
    ------
    BadInput
        If the run did not predict the section, or predicted another version of it.
    """
    if section.name not in record.predictions:
        raise BadInput(
            f"run {record.id} holds no prediction of section {section.name}; it has"
            f" {', '.join(record.predictions)}"
        )
    if record.facts["data"][section.name] != section.digest:
        raise BadInput(
            f"run {record.id} predicted section {section.name} as it was before it was prepared"
            " anew; run it again on the present section"
        )
    return to_anndata(section, record.by_spot(section), record.genes, provenance(record))


def provenance(record: store.Record) -> dict[str, str]:
    """Describe as text what made a prediction: run, method, training, code, device and time."""
    facts, run = record.facts, _run(record)
    return {
        "run": record.id,
        "line": facts["line"],
        "method": run.title,
        "target": f"{run.target}: {REGISTRY[run.target].formula}",
        "panel": run.panel,
        "seed": str(run.seed),
        "train": " ".join(run.split.train),
        "left_out": run.split.left_out,
        "version": f"compendium {facts['versions']['compendium']}",
        "code": ", ".join(f"{stage} {number}" for stage, number in facts["stages"].items()),
        "device": facts["device"],
        "finished": facts["finished"],
    }


def _run(record: store.Record) -> Run:
    """The run as it was planned."""
    try:
        return restored(record.facts["run"])
    except (TypeError, KeyError) as error:
        raise BadInput(
            f"run {record.id} was planned by another version of compendium, whose parameters this"
            " one does not know; export it with that one, or run it again"
        ) from error
