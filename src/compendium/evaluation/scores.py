"""Scores of stored predictions against measured counts: one row a run, section and gene, cached."""

import hashlib
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from jaxtyping import Float
from scipy.stats import rankdata

from compendium import versions
from compendium.data.panels import panel, shared_genes
from compendium.data.section import Section
from compendium.data.targets.transforms import SCORING, Target, counted, fit_target
from compendium.evaluation.correlation import partial_pcc, pcc
from compendium.evaluation.depth import log_depth
from compendium.runs.inputs.prepare import measured, training_set
from compendium.runs.run import Run
from compendium.runs.store import Record
from compendium.storage import atomic_file, home

PEARSON = "pearson"
"""The second target that every run is scored on."""
COLUMNS = ("pcc", "partial", "pcc_pearson", "partial_pearson", "spearman", "rmse", "pcc_native")
"""Scores of a run, section and gene."""
TITLES = {
    "pcc": "PCC (wide)",
    "partial": "PCC (wide), given ln T",
    "pcc_pearson": "PCC (Pearson residuals)",
    "partial_pearson": "PCC (Pearson residuals), given ln T",
}
"""Scores that every row is printed with, by their titles; T is the UMI total of a spot."""


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
    (ln(1 + 1e4 count / total of the shared genes)), pcc_pearson on Pearson residuals fitted on the
    run's training sections; partial and partial_pearson, the same correlations given ln T, where T
    is the UMI total of the spot over the shared genes, at least 1; pcc_native on the run's own
    target; spots (number that the score is over); panels (parts of the run's panel that have the
    gene, joined by +). The prediction is the same for every target. A correlation is NaN where
    prediction or measurement is constant. A spot that was predicted twice (windows=published)
    counts twice.
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
    tested = {section.name: section for section in measured(run, sections)}
    trained_on = [tested[name] for name in run.split.train]
    targets = scoring_targets(record.genes, trained_on, list(tested.values()))
    wide = targets[SCORING]
    train, native = (
        training_set(run, sections) if run.target != SCORING or "+" in run.panel else ([], wide)
    )
    panels = memberships(run.panel, record.genes, [part.section for part in train], native.shared)
    parts = []
    for name, predicted in record.predictions.items():
        section = tested[name]
        rows = record.predicted_rows(section)
        values = {kind: target(section)[rows] for kind, target in targets.items()}
        own = values[SCORING] if native is wide else native(counted(section, run.target))[rows]
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
            **agreement(predicted, values[SCORING]),
            **beside_depth(predicted, values, log_depth(section, wide.shared)[rows]),
            "pcc_native": pcc(predicted, own),
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


def scoring_targets(
    genes: list[str], train: Sequence[Section], sections: Sequence[Section]
) -> dict[str, Target]:
    """Return the two scoring targets by name: wide, and Pearson residuals fitted on training.

    Parameters
    ----------
    genes
        The panel.
    train
        Training sections; all of their spots, as measured, fit the Pearson residuals.
    sections
        All sections of the run, whose shared genes count for the total of a spot.
    """
    shared = shared_genes(list(sections))
    return {name: fit_target(name, genes, list(train), shared) for name in (SCORING, PEARSON)}


def agreement(
    predicted: Float[np.ndarray, "spot gene"], measured: Float[np.ndarray, "spot gene"]
) -> dict[str, Float[np.ndarray, "gene"]]:
    """Return PCC, Spearman correlation and root mean squared error of each gene over spots."""
    return {
        "pcc": pcc(predicted, measured),
        "spearman": pcc(rankdata(predicted, axis=0), rankdata(measured, axis=0)),
        "rmse": np.sqrt(np.mean((predicted.astype(np.float64) - measured) ** 2, axis=0)),
    }


def beside_depth(
    predicted: Float[np.ndarray, "spot gene"],
    measured: Mapping[str, Float[np.ndarray, "spot gene"]],
    depth: Float[np.ndarray, "spot"],
) -> dict[str, Float[np.ndarray, "gene"]]:
    """Return the PCC with Pearson residuals, and the partial PCC of both targets given ln T.

    Parameters
    ----------
    predicted
        One prediction, scored on both targets as it is.
    measured
        The scoring targets of `scoring_targets`, by name.
    depth
        ln T of each spot, see `compendium.evaluation.depth.log_depth`.
    """
    return {
        "partial": partial_pcc(predicted, measured[SCORING], depth),
        "pcc_pearson": pcc(predicted, measured[PEARSON]),
        "partial_pearson": partial_pcc(predicted, measured[PEARSON], depth),
    }


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


def on_both_targets(
    table: pd.DataFrame, by: Sequence[str] = ("method", "split", "section")
) -> pd.DataFrame:
    """Return `summary` of the PCC, with the medians of its other target and given ln T.

    Returns
    -------
    The columns of `summary`, and partial, pcc_pearson, partial_pearson (medians), as far as the
    table has them: tables published by an earlier version have the PCC alone.
    """
    others = [name for name in TITLES if name in table and name != "pcc"]
    medians = table.groupby(list(by), sort=False)[others].median().reset_index(drop=True)
    return summary(table, by).join(medians)


def median_table(rows: pd.DataFrame, columns: Sequence[str]) -> pd.DataFrame:
    """Select from a table of `on_both_targets` some columns and the medians, with their titles."""
    names = {"median" if name == "pcc" else name: title for name, title in TITLES.items()}
    held = {name: title for name, title in names.items() if name in rows}
    return rows[[*columns, *held]].rename(columns=held)


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
