"""Scores of stored predictions against measured counts: one row a run, section and gene, cached."""

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
    """Score runs on the sections that they test.

    Parameters
    ----------
    runs, records
        The runs, and the record of each.
    sections
        At least the sections that the runs use.

    Returns
    -------
    One row a run, section and gene: what the run was; pcc, spearman and rmse on the scoring target
    (ln(1 + 1e4 count / total of the shared genes)), pcc_native on the run's own target; spots
    (number that the score is over); panels (parts of the run's panel that have the gene, joined
    by +). A correlation is NaN where prediction or measurement is constant. A spot that was
    predicted twice (windows=published) counts twice.
    """
    tables = [_cached(run, record, sections) for run, record in zip(runs, records, strict=True)]
    return pd.concat(tables, ignore_index=True)


def _cached(run: Run, record: Record, sections: Sequence[Section]) -> pd.DataFrame:
    if record.scores is not None:
        return record.scores
    facts = f"{versions.SCORES} {record.id} {record.facts['predictions_sha256']}"
    name = f"{hashlib.sha256(facts.encode()).hexdigest()[:16]}.parquet"
    path = home() / "scores" / run.cohort / name
    if not path.exists():
        table = score(run, record, sections)
        with atomic_file(path) as aside:
            table.to_parquet(aside)
    return pd.read_parquet(path)


def score(run: Run, record: Record, sections: Sequence[Section]) -> pd.DataFrame:
    """Score every test section of one record; see `scores`."""
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
        own_target = native(counted(section, run.target))
        columns = {
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
            **agreement(predicted, wide(section)[rows]),
            "pcc_native": pcc(predicted, own_target[rows]),
        }
        parts.append(pd.DataFrame(columns))
    return pd.concat(parts, ignore_index=True)


def memberships(
    name: str, genes: Sequence[str], train: list[Section], shared: list[str]
) -> list[str]:
    """Return for each gene the parts of a joined panel that have it, joined by +.

    Parameters
    ----------
    name
        Name of the panel, e.g. `markers_12+hvg(300)`.
    genes
        The genes to look up.
    train
        Training sections, on which hvg(N) is chosen.
    shared
        Genes that all sections of the run share.
    """
    if "+" not in name:
        return [name] * len(genes)
    parts = {part: set(panel(part, train, shared)) for part in name.split("+")}
    return ["+".join(part for part, held in parts.items() if gene in held) for gene in genes]


def by_panel(table: pd.DataFrame) -> pd.DataFrame:
    """Return scores with one row for each part of the panel that has the gene, named in `panel`."""
    return table.assign(panel=table["panels"].str.split("+")).explode("panel", ignore_index=True)


def scoring_target(genes: list[str], sections: Sequence[Section]) -> Target:
    """Return the scoring target: ln(1 + 1e4 count / total), total over the cohort's shared genes.

    It needs no fit, so any sections of a cohort give the same.
    """
    return fit_target(SCORING, genes, list(sections), shared_genes(list(sections)))


def agreement(
    predicted: Float[np.ndarray, "spot gene"], measured: Float[np.ndarray, "spot gene"]
) -> dict[str, Float[np.ndarray, "gene"]]:
    """Return PCC, Spearman correlation and root mean squared error of each gene over spots."""
    return {
        "pcc": pcc(predicted, measured),
        "spearman": pcc(rankdata(predicted, axis=0), rankdata(measured, axis=0)),
        "rmse": np.sqrt(np.mean((predicted.astype(np.float64) - measured) ** 2, axis=0)),
    }


def pcc(
    predicted: Float[np.ndarray, "spot gene"], measured: Float[np.ndarray, "spot gene"]
) -> Float[np.ndarray, "gene"]:
    """Return the Pearson correlation of each gene over spots, in double precision.

    NaN where prediction or measurement is constant.
    """
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
    """Summarise a score within groups.

    Returns
    -------
    One row a group: the columns of `by`, values (number of scores), nan (how many are missing),
    low, q25, median, q75, high (5th, 25th, 50th, 75th and 95th percentile), mean.
    """
    groups = table.groupby(list(by), sort=False)[value]
    columns = {
        "values": groups.size(),
        "nan": groups.size() - groups.count(),
        **{name: groups.quantile(share) for name, share in SHARES.items()},
        "mean": groups.mean(),
    }
    return pd.DataFrame(columns).reset_index()


def per_patient(
    table: pd.DataFrame, by: Sequence[str] = ("method", "split"), value: str = "pcc"
) -> pd.DataFrame:
    """Return one number a patient, the unit of replication: mean over sections of the medians.

    Returns
    -------
    Columns: those of `by`, patient, sections (their number), median.
    """
    sections = summary(table, (*by, "patient", "section"), value)
    groups = sections.groupby([*by, "patient"], sort=False)["median"]
    return groups.agg(sections="size", median="mean").reset_index()
