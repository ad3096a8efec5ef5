"""How the fits of a study went, as small tables: training curves, cost, and what made them."""

from collections.abc import Sequence

import pandas as pd

from compendium.data.section import Section, digest
from compendium.data.sources import cohort as listed
from compendium.runs.plan import Run
from compendium.runs.store import Record


def curves(rows: Sequence[str], runs: Sequence[Run], records: Sequence[Record]) -> pd.DataFrame:
    """Training loss by epoch, and relative to the first: [method, fold, epoch, loss, relative], the row that a run belongs to as method; a closed form has none."""
    lines = [
        {"method": row, "fold": run.split.name, "epoch": epoch, "loss": sum(terms.values())}
        for row, run, record in zip(rows, runs, records, strict=True) for epoch, terms in enumerate(record.facts["curve"])
    ]
    table = pd.DataFrame(lines, columns=["method", "fold", "epoch", "loss"])
    return table.assign(relative=table["loss"] / table.groupby(["method", "fold"])["loss"].transform("first"))


def cost(rows: Sequence[str], runs: Sequence[Run], records: Sequence[Record]) -> pd.DataFrame:
    """One line a row: [row, fits, training spots, trainable parameters, epochs, seconds, stale]; spots and seconds of fit and prediction are summed over its fits."""
    lines = pd.DataFrame([
        {
            "row": row, "fits": run.members, "training spots": record.facts["training_spots"], "trainable parameters": record.facts["trainable"],
            "epochs": len(record.facts["curve"]), "seconds": record.facts["seconds"], "stale": record.stale,
        }
        for row, run, record in zip(rows, runs, records, strict=True)
    ])
    how = {"fits": "sum", "training spots": "sum", "trainable parameters": "max", "epochs": "max", "seconds": "sum", "stale": "any"}
    return lines.groupby("row", sort=False).agg(how).reset_index()


def made(cohort: str, sections: Sequence[Section], runs: Sequence[Run], records: Sequence[Record]) -> pd.DataFrame:
    """One line: [data, device, rule, records, stale, seconds, made_up]; made_up: the cohort is drawn from a model."""
    devices = ", ".join(dict.fromkeys(record.facts["device"] for record in records))
    return pd.DataFrame([{
        "data": digest(sections), "device": devices, "rule": runs[0].split.rule, "records": len(records), "stale": sum(record.stale for record in records),
        "seconds": sum(record.facts["seconds"] for record in records), "made_up": any(bool(listed(name).generator) for name in cohort.split("+")),
    }])


def marks(facts: pd.Series, smoke: Sequence[str]) -> str:
    """What a caption must say of the rows below it: which are no result, and which records other code made. facts: the line of `made`; smoke: titles."""
    told = f" Smoke, not a result: {', '.join(smoke)}." if smoke else ""
    return told + (f" {facts['stale']} of {facts['records']} records were made by other code than today's (redo_stale=true makes them again)." if facts["stale"] else "")
