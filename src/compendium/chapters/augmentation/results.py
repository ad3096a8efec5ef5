"""Tables of the augmentation chapter: scores by role, differences to the reference, colours."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from compendium.chapters.augmentation.design import AGAIN, GROUPS, MAIN, OFF, PLAIN, STAIN
from compendium.data.partition import TRAINING
from compendium.data.section import Section
from compendium.evaluation import comparison
from compendium.evaluation.comparison import Design, Fitted, Job, Tables
from compendium.evaluation.paired import Comparison, describe, differences
from compendium.evaluation.results import Results
from compendium.evaluation.scores import by_panel, on_both_targets
from compendium.images.stain import store as stain
from compendium.images.stain.augment import VISIUM
from compendium.images.stain.colour_spaces import lab
from compendium.runs.inputs.prepare import stained

CHANNELS = ("L", "a", "b")
STEP = 8
"""Every `STEP`-th row and column of a tile is measured."""


def tables(design: Design, groups: Mapping[str, Fitted], sections: Sequence[Section]) -> Tables:
    """Score every row on validation and test sections and reduce the scores.

    Returns
    -------
    boxes, panels (by part of the gene panel), sections (by section)
        Quartiles of PCC over genes and sections, by row and role.
    differences, criterion, curves, cost, tile_colours, spread
        See the functions of these names.
    """
    roles, fits, by = design.facts["roles"], groups["fits"], ["row", "role"]
    table = fits.scores(sections)
    table = table.assign(role=table["section"].map(roles))
    by_row = {
        "boxes": on_both_targets(table, by),
        "panels": on_both_targets(by_panel(table), ["panel", *by]),
        "sections": on_both_targets(table, [*by, "section", "patient"]),
        "differences": to_reference(table, roles),
    }
    training = [section for section in sections if roles[section.name] == TRAINING]
    return {name: grouped(each) for name, each in by_row.items()} | {
        "criterion": criterion(table, groups["permuted"].scores(sections), fits.jobs),
        "curves": fits.curves(),
        "cost": fits.cost(),
        "tile_colours": tile_colours(fits.jobs, sections, roles),
        "spread": spread(training),
    }, {"genes": table["gene"].nunique()}


def grouped(table: pd.DataFrame) -> pd.DataFrame:
    """Take the key of the row apart: add the columns group and name."""
    parts = table["row"].str.partition(":")
    return table.assign(group=parts[0], name=parts[2])


def to_reference(table: pd.DataFrame, roles: Mapping[str, str]) -> pd.DataFrame:
    """Subtract the reference of its group from each row, mean over the genes that both scored.

    The repeated row of the head is compared with the same family from the first seed: its own
    reference starts at zero and has nothing that a seed could move.

    Returns
    -------
    One line a row and section: row, role, section, patient, difference, genes.
    """
    keys = [key for key in table["row"].unique() if not key.endswith(f":{PLAIN}")]
    first = next(key for key in keys if key.startswith(f"{MAIN}:"))
    reference = {key: f"{key.partition(':')[0]}:{PLAIN}" for key in keys}
    reference |= {f"{MAIN}:{AGAIN}": first}
    pairs = [Comparison(key, key, reference[key]) for key in keys]
    lines = differences(table, pairs).rename(columns={"comparison": "row"})
    columns = ["row", "role", "section", "patient", "difference", "genes"]
    return lines.assign(role=lines["section"].map(roles))[columns]


def criterion(table: pd.DataFrame, permuted: pd.DataFrame, jobs: Sequence[Job]) -> pd.DataFrame:
    """Return `comparison.criterion`, with one permuted-image control for all rows of a method."""
    methods = {key: run.method for key, run in jobs}
    control = permuted.assign(method=permuted["row"].map(methods)).drop(columns="row")
    rows = pd.DataFrame(methods.items(), columns=["row", "method"])
    return comparison.criterion(table, control.merge(rows, on="method"), jobs)


def tile_colours(
    jobs: Sequence[Job], sections: Sequence[Section], roles: Mapping[str, str]
) -> pd.DataFrame:
    """Measure the mean colour of every section's tiles as the rows on stains are shown them.

    Returns
    -------
    One line a stain and section: name, section, role, L, a, b (CIELAB), distance (Euclidean, to
    the mean of the training sections).
    """
    tables, channels = [], list(CHANNELS)
    for key, run in jobs:
        group, _, name = key.partition(":")
        if group == STAIN and name != AGAIN:
            shown = stained(run, sections)
            colours = {section: _mean_colour(shown[section]) for section in roles}
            table = pd.DataFrame.from_dict(colours, "index", columns=channels)
            table.insert(0, "role", table.index.map(roles))
            centre = table.loc[table["role"] == TRAINING, channels].mean()
            far = np.linalg.norm(table[channels] - centre, axis=1)
            tables.append(table.assign(distance=far).reset_index(names="section"))
            tables[-1].insert(0, "name", name)
    return pd.concat(tables, ignore_index=True)


def _mean_colour(section: Section) -> np.ndarray:
    pixels = lab(section.stored_tiles[:, ::STEP, ::STEP]).reshape(-1, 3)
    return pixels.mean(axis=0, dtype=np.float64)


def spread(train: Sequence[Section]) -> pd.DataFrame:
    """Compare what RandStainNA draws from, fitted on these sections, with the benchmark's values.

    Returns
    -------
    Columns: moment, channel, location, scale, published location, published scale (8-bit CIELAB).
    """
    own = stain.fitted(train, "randstainna").spread
    moments = ("mean", "standard deviation")
    index = pd.MultiIndex.from_product([moments, CHANNELS], names=["moment", "channel"])
    spreads = {"location": own.location, "scale": own.scale}
    spreads |= {"published location": VISIUM.location, "published scale": VISIUM.scale}
    values = {name: np.ravel(each) for name, each in spreads.items()}
    return pd.DataFrame(values, index=index).reset_index()


def seed_band(differences: pd.DataFrame, group: str) -> float:
    """Return the largest difference of PCC, over sections, that another seed makes in a group.

    Distilled rows and ridge, which has no seed, are compared with Hist2ST without distillation.

    Parameters
    ----------
    differences
        Table `differences`.
    """
    of = MAIN if group == MAIN else STAIN
    again = differences[(differences["group"] == of) & (differences["name"] == AGAIN)]
    return float(again["difference"].abs().max())


def by_patient(differences: pd.DataFrame) -> pd.DataFrame:
    """Describe each row by patient: group, name, role and `evaluation.paired.describe`."""
    rows = differences[~differences["name"].isin([AGAIN, OFF])]
    return describe(rows, ["group", "name", "role"])


def full_titles(results: Results) -> dict[str, str]:
    """Return the titles of the rows, each after that of its group."""
    return {
        key: f"{GROUPS[key.partition(':')[0]]}: {title}"
        for key, title in comparison.titles(results).items()
    }


def stain_titles(results: Results) -> dict[str, str]:
    """Return the title of each row on stains by its name."""
    rows = results.facts["titles"].items()
    return {key.partition(":")[2]: title for key, title in rows if key.startswith(f"{STAIN}:")}


def compared(results: Results) -> set[str]:
    """Return the names of the families and stain maps that rows compare."""
    return {key.partition(":")[2] for key in results.facts["titles"]}


def page_numbers(results: Results) -> dict[str, object]:
    """Return the numbers that the page names."""
    facts, apart = results.facts, results["differences"]
    numbers = {name: facts[name] for name in ("genes", "views", "seed")}
    numbers |= {"band_main": seed_band(apart, MAIN), "band_stain": seed_band(apart, STAIN)}
    return comparison.role_texts(results) | numbers | {"next_seed": facts["seed"] + 1}
