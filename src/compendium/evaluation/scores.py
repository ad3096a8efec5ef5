"""Scores: derived from stored predictions and measured counts, one row a run, section and gene; cached, never stored by a run."""

import hashlib
from collections.abc import Sequence

import numpy as np
import pandas as pd
from jaxtyping import Float
from scipy.stats import pearsonr, rankdata

from compendium import versions
from compendium.data.panels import panel, shared_genes
from compendium.data.section import Section
from compendium.data.targets.transforms import SCORING, Target, counted, fit_target
from compendium.runs.inputs.prepare import training_set, used
from compendium.runs.run import Run
from compendium.runs.store import Record
from compendium.storage import atomic_file, home


def scores(
    runs: Sequence[Run], records: Sequence[Record], sections: Sequence[Section]
) -> pd.DataFrame:
    """One tidy table, a row a run, section and gene: what the run was, pcc, spearman and rmse on the scoring target (wide log1p), pcc_native on its own.

    spots: number of spots the score is over. panels: the parts of the run's panel that have the gene, joined by +.
    A spot that was predicted twice (windows=published) counts twice, one that was not does not count.
    A correlation is NaN where prediction or measurement is constant; NaN is kept and counted, never filled.
    """
    tables = [_cached(run, record, sections) for run, record in zip(runs, records, strict=True)]
    return pd.concat(tables, ignore_index=True)


def _cached(run: Run, record: Record, sections: Sequence[Section]) -> pd.DataFrame:
    facts = f"{versions.SCORES} {record.id} {record.facts['predictions_sha256']}"
    path = (
        home()
        / "scores"
        / run.cohort
        / f"{hashlib.sha256(facts.encode()).hexdigest()[:16]}.parquet"
    )
    if not path.exists():
        table = score(run, record, sections)
        with atomic_file(path) as aside:
            table.to_parquet(aside)
    return pd.read_parquet(path)


def score(run: Run, record: Record, sections: Sequence[Section]) -> pd.DataFrame:
    """Score every test section of one record."""
    tested = {section.name: section for section in used(run, sections)}
    wide = scoring_target(record.genes, list(tested.values()))
    train, native = (
        training_set(run, sections) if run.target != SCORING or "+" in run.panel else ([], wide)
    )
    panels = memberships(run.panel, record.genes, [part.section for part in train], native.shared)
    parts = []
    for name, predicted in record.predictions.items():
        section = tested[name]
        rows = record.predicted_rows(section)
        facts = {
            "cohort": run.cohort,
            "method": run.method,
            "protocol": run.line,
            "split": run.split.rule,
            "panel": run.panel,
            "encoder": run.encoder,
            "seed": run.seed,
            "permuted": run.permute,
            "section": name,
            "patient": section.patient,
            "gene": record.genes,
            "panels": panels,
            "spots": len(rows),
        }
        native_pcc = pcc(predicted, native(counted(section, run.target))[rows])
        parts.append(
            pd.DataFrame(
                facts | agreement(predicted, wide(section)[rows]) | {"pcc_native": native_pcc}
            )
        )
    return pd.concat(parts, ignore_index=True)


def memberships(
    word: str, genes: Sequence[str], train: list[Section], shared: list[str]
) -> list[str]:
    """For each gene the parts of a panel word that have it, joined by +; a panel of one part has them all."""
    if "+" not in word:
        return [word] * len(genes)
    parts = {part: set(panel(part, train, shared)) for part in word.split("+")}
    return ["+".join(part for part, held in parts.items() if gene in held) for gene in genes]


def by_panel(table: pd.DataFrame) -> pd.DataFrame:
    """The table with a row for each part of the panel that has the gene: one fit, scored on each part (`panel` names it)."""
    return table.assign(panel=table["panels"].str.split("+")).explode("panel", ignore_index=True)


def scoring_target(genes: list[str], sections: Sequence[Section]) -> Target:
    """Wide log1p over the cohort's shared genes: needs no fit, so any sections give the same."""
    return fit_target(SCORING, genes, list(sections), shared_genes(list(sections)))


def agreement(
    predicted: Float[np.ndarray, "spot gene"], measured: Float[np.ndarray, "spot gene"]
) -> dict[str, Float[np.ndarray, "gene"]]:
    """PCC, Spearman and root mean squared error of each gene over the spots of one section."""
    return {
        "pcc": pcc(predicted, measured),
        "spearman": pcc(rankdata(predicted, axis=0), rankdata(measured, axis=0)),
        "rmse": np.sqrt(np.mean((predicted.astype(np.float64) - measured) ** 2, axis=0)),
    }


def pcc(
    predicted: Float[np.ndarray, "spot gene"], measured: Float[np.ndarray, "spot gene"]
) -> Float[np.ndarray, "gene"]:
    """Pearson correlation of each gene over spots, in double precision; NaN where either side is constant."""
    predicted, measured = predicted.astype(np.float64), measured.astype(np.float64)
    varies = (np.ptp(predicted, axis=0) > 0) & (np.ptp(measured, axis=0) > 0)
    result = np.full(predicted.shape[1], np.nan)
    if varies.any() and len(predicted) > 1:
        result[varies] = pearsonr(predicted[:, varies], measured[:, varies], axis=0).statistic
    return result


SHARES = {"low": 0.05, "q25": 0.25, "median": 0.5, "q75": 0.75, "high": 0.95}


def summary(
    table: pd.DataFrame, by: Sequence[str] = ("method", "split", "section"), value: str = "pcc"
) -> pd.DataFrame:
    """Quartiles, 5th and 95th percentile and mean of a score within each group, with the number of values and of NaN among them."""
    groups = table.groupby(list(by), sort=False)[value]
    counted = {"values": groups.size(), "nan": groups.apply(lambda v: int(v.isna().sum()))}
    return pd.DataFrame(
        counted
        | {name: groups.quantile(share) for name, share in SHARES.items()}
        | {"mean": groups.mean()}
    ).reset_index()


def per_patient(
    table: pd.DataFrame, by: Sequence[str] = ("method", "split"), value: str = "pcc"
) -> pd.DataFrame:
    """Mean over a patient's sections of the section medians: one number a patient, the unit that may be counted."""
    sections = summary(table, (*by, "patient", "section"), value)
    return (
        sections.groupby([*by, "patient"], sort=False)["median"]
        .agg(sections="size", median="mean")
        .reset_index()
    )
