"""Tables of the predictions without an image: PCC by gene, by section and by patient."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd
from jaxtyping import Bool, Float, Float64

from compendium.chapters.without_images.design import Scored, alike, scored, siblings
from compendium.data.panels import panel, shared_genes
from compendium.data.readers.her2st_labels import aligned_places
from compendium.data.section import Section
from compendium.data.sources import raw_folder
from compendium.data.targets.transforms import Target, fit_target
from compendium.evaluation import depth as depths
from compendium.evaluation import published, without_images
from compendium.evaluation.comparison import Design, Fitted, Tables

PUBLISHED = ("copy", "positions", "depth")
"""Predictions whose PCC is kept for every gene."""
VALUES = (*PUBLISHED, "positions_aligned", "positions_indices", "depth_aligned", "depth_deeper")
"""Predictions: `_aligned` on the spots of the alignment, as the copy; `_indices` on raw array
positions; `_deeper` without the 1 % of spots of lowest total."""
Predicted = tuple[Float[np.ndarray, "some column"], Bool[np.ndarray, "spot"]]


def tables(design: Design, groups: Mapping[str, Fitted], sections: Sequence[Section]) -> Tables:
    """Predict every section from its siblings, on every target that a method was scored on.

    Parameters
    ----------
    design
        Design of the chapter.
    groups
        Empty: nothing is fitted.
    sections
        All sections of the cohort.
    """
    asked, root = scored(), raw_folder(design.cohort)
    places = {each.name: aligned_places(root, each.name, each.spots) for each in sections}
    parts = []
    for names, same in alike(asked).items():
        chosen = [each for each in sections if each.name in names]
        parts.append(gene_scores(chosen, targets_of(same, chosen), places))
    genes = pd.concat(parts, ignore_index=True)
    left_out = sum(int(np.isnan(each[:, 0]).sum()) for each in places.values())
    facts = {"device": "CPU", "spots": sum(map(len, sections)), "left_out": left_out}
    halves = dict.fromkeys(PUBLISHED, "float16")
    kept = genes[["target", "section", "gene", *PUBLISHED]].astype(halves)
    return {"sections": beside_authors(by_section(genes), asked), "genes": kept}, facts


@dataclass(frozen=True)
class Measured:
    """A section on several targets, their columns side by side."""

    section: Section
    expression: Sequence[Float[np.ndarray, "spot _"]]
    depths: Sequence[Float64[np.ndarray, "spot"]]
    total: Float[np.ndarray, "spot"]
    aligned: Float64[np.ndarray, "spot 2"]

    @cached_property
    def columns(self) -> Float[np.ndarray, "spot column"]:
        """Expression on all targets."""
        return np.hstack(self.expression)

    @cached_property
    def shared(self) -> list[Float64[np.ndarray, "_"]]:
        """Expression shared with depth, by target."""
        pairs = zip(self.expression, self.depths, strict=True)
        return [depths.shared_with_depth(*pair) for pair in pairs]

    @property
    def known(self) -> Bool[np.ndarray, "spot"]:
        """Which spots the alignment has."""
        return ~np.isnan(self.aligned[:, 0])


def measure(
    section: Section, targets: Mapping[str, Target], aligned: Float64[np.ndarray, "spot 2"]
) -> Measured:
    """Return a section's expression and depth on several targets of the same sections."""
    total = section.totals(next(iter(targets.values())).shared)
    return Measured(
        section,
        [target(section) for target in targets.values()],
        [depths.depth(total, target.transform) for target in targets.values()],
        total,
        aligned,
    )


def targets_of(asked: Sequence[Scored], sections: Sequence[Section]) -> dict[str, Target]:
    """Return targets by key; library size is counted over the genes that the cohort shares."""
    shared = shared_genes(list(sections))
    return {
        each.key: fit_target(each.transform, panel(each.panel, [], shared), [], shared)
        for each in asked
    }


def gene_scores(
    sections: Sequence[Section],
    targets: Mapping[str, Target],
    places: Mapping[str, Float64[np.ndarray, "_ 2"]],
) -> pd.DataFrame:
    """Return the PCC of each prediction, gene by gene.

    Parameters
    ----------
    sections
        Sections among which siblings and training sections are.
    targets
        What the predictions are averaged and scored on, see `targets_of`.
    places
        Section -> place of each spot in the alignment, NaN where it has none.

    Returns
    -------
    One row a target, section and gene: target, gene, section, patient, spots, aligned (spots that
    the alignment has), and the columns VALUES.
    """
    measured = {each.name: measure(each, targets, places[each.name]) for each in sections}
    patient = {each.name: each.patient for each in sections}
    pairs = [(key, gene) for key, target in targets.items() for gene in target.genes]
    columns, parts = pd.DataFrame(pairs, columns=["target", "gene"]), []
    for name, one in measured.items():
        others = [measured[other] for other in siblings(name, list(measured), patient)]
        training = [each for each in measured.values() if each is not one]
        facts = {"section": name, "patient": patient[name], "spots": len(one.section)}
        values = {
            what: without_images.pcc_of_varying(predicted, one.columns[rows])
            for what, (predicted, rows) in predictions(one, others, training)
        }
        parts.append(columns.assign(**facts, aligned=int(one.known.sum()), **values))
    return pd.concat(parts, ignore_index=True)


def predictions(
    one: Measured, others: Sequence[Measured], training: Sequence[Measured]
) -> Iterator[tuple[str, Predicted]]:
    """Yield each prediction of a section by name, with the spots that it is scored on."""
    every, known = np.ones(len(one.section), dtype=bool), one.known
    yield "copy", (_copied(one, others), known)
    for name, place in (("positions", without_images.unit_square), ("positions_indices", np.array)):
        predicted = without_images.from_positions(
            [each.columns for each in others],
            [place(each.section.grid) for each in others],
            place(one.section.grid),
        )
        yield name, (predicted, every)
        if name == "positions":
            yield "positions_aligned", (predicted[known], known)
    predicted = _of_depth(one, training)
    subsets = {"": every, "_aligned": known, "_deeper": depths.lowest_left_out(one.total)}
    for name, rows in subsets.items():
        yield f"depth{name}", (predicted[rows], rows)


def _copied(one: Measured, others: Sequence[Measured]) -> Float64[np.ndarray, "some column"]:
    targets = [each.columns[each.known] for each in others]
    places = [each.aligned[each.known] for each in others]
    return without_images.copy(targets, places, one.aligned[one.known])


def _of_depth(one: Measured, training: Sequence[Measured]) -> Float64[np.ndarray, "spot column"]:
    parts = [
        depths.from_depth(depth, [each.shared[i] for each in training])
        for i, depth in enumerate(one.depths)
    ]
    return np.hstack(parts)


def by_section(genes: pd.DataFrame) -> pd.DataFrame:
    """Return the mean PCC over genes and the number of missing ones.

    Parameters
    ----------
    genes
        Table of `gene_scores`.

    Returns
    -------
    One row a target and section: target, section, patient, spots, aligned, genes, and for each of
    VALUES its mean and, as NAME_missing, how many genes have none.
    """
    facts = ["target", "section", "patient", "spots", "aligned"]
    groups = genes.groupby(facts, sort=False)[list(VALUES)]
    size = groups.size().rename("genes")
    missing = groups.count().rsub(size, axis=0).add_suffix("_missing")
    return pd.concat([size, groups.mean(), missing], axis=1).reset_index()


def beside_authors(rows: pd.DataFrame, targets: Mapping[str, Scored]) -> pd.DataFrame:
    """Set the predictions beside the authors' own rows.

    Parameters
    ----------
    rows
        Table of `by_section`.
    targets
        Method -> what it was scored on.

    Returns
    -------
    One row a method and section: method, authors (their mean PCC over genes), authors_missing, and
    the columns of `rows`.
    """
    names = {"mean": "authors", "nan": "authors_missing"}
    theirs = published.her2().rename(columns=names)[["method", "section", *names.values()]]
    keys = {method: target.key for method, target in targets.items()}
    return theirs.assign(target=theirs["method"].map(keys)).merge(
        rows, on=["target", "section"], validate="many_to_one"
    )
