"""Weights that are published: of ridge, BLEEP and the best head that a chapter fits."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from compendium.book.notebook.commit import commit
from compendium.data.partition import INSIDE
from compendium.data.section import Section
from compendium.errors import BadInput
from compendium.evaluation.comparison import Design, Fitted, over_seeds
from compendium.evaluation.scores import TITLES, score, scores, summary
from compendium.runs import Run, published, weights
from compendium.runs.inputs.batches import image_input
from compendium.runs.store import Record
from compendium.storage import CHECKOUT

ALWAYS = ("ridge", "bleep")
HEADS = ("stnet", "stimage", "deepspace")
"""Methods that predict a spot from frozen features; of the best the weights are published too."""
MOVED = 0.003
"""How far a score may lie from that of the fit whose weights are published."""
ROUNDED = 0.002
"""How far a published score may lie from that of its fit besides."""
log = logging.getLogger(__name__)


def chosen(design: Design, fits: Fitted, sections: Sequence[Section]) -> list[Run]:
    """Return the runs whose weights are published.

    Parameters
    ----------
    design
        Design that names a group of which weights are published.
    fits
        That group; each seed of a method has a fit.
    sections
        The sections.

    Returns
    -------
    The first seed of each method of `ALWAYS`, and of the one of `HEADS` with the highest median PCC
    (over genes, each the mean over seeds) on the validation sections. Test sections have no say.
    """
    first = {key: run for key, run, _ in fits.once}
    heads = fits.of(HEADS)
    best = [_best(heads.scores(sections), design.facts["roles"])] if heads.jobs else []
    return [first[key] for key in (*ALWAYS, *best) if key in first]


def _best(table: pd.DataFrame, roles: Mapping[str, str]) -> str:
    """The method of the highest median PCC in validation."""
    scored = over_seeds(table)
    inside = scored[scored["section"].map(roles) == INSIDE]
    return summary(inside, ["method", "section"]).groupby("method")["median"].mean().idxmax()


def publish(root: Path, design: Design, fits: Fitted, sections: Sequence[Section]) -> list[Path]:
    """Fit again what is chosen and write its weights; remove weights that are not chosen any more.

    Parameters
    ----------
    root
        Folder of published runs.
    design, fits, sections
        See `chosen`.

    Returns
    -------
    Files that were written: those that were missing or damaged. Weights whose predictions are not
    scored as those of the fit were, as on a processor that rounds otherwise, are reported and left
    out.
    """
    wanted, written = chosen(design, fits, sections), []
    for _, run, record in fits.once:
        path = published.folder(root, run, sections) / published.WEIGHTS
        if run not in wanted:
            path.unlink(missing_ok=True)
        elif path.parent.exists() and not _readable(path):
            weights.write(path, weights.trained(run, sections), commit=commit(CHECKOUT))
            if (apart := moved(path, record, sections)) > MOVED + ROUNDED * (
                record.scores is not None
            ):
                path.unlink()
                line = (
                    "scores of the weights of %s are %.3f from those of its fit; they are left out"
                )
                log.warning(line, run.method, apart)
            else:
                written.append(path)
    return written


def _readable(path: Path) -> bool:
    try:
        return bool(weights.read(path).genes)
    except BadInput:
        return False


def moved(path: Path, record: Record, sections: Sequence[Section]) -> float:
    """Return how far the scores of published weights lie from those of a record at most."""
    fitted = weights.read(path)
    tested = [section for section in sections if section.name in fitted.run.split.test]
    images = {section.name: image_input(fitted.run, section, "cpu") for section in tested}
    predictions = {name: fitted.predict(image) for name, image in images.items()}
    again = replace(record, genes=fitted.genes, predictions=predictions, scores=None)
    both = scores([fitted.run], [record], sections), score(fitted.run, again, sections)
    own, table = (each.set_index(["section", "gene"])[list(TITLES)] for each in both)
    table = table.reindex(own.index)
    if (own.isna() != table.isna()).any(axis=None):
        return float("inf")
    return float(np.nanmax(np.abs(own - table), initial=0))
