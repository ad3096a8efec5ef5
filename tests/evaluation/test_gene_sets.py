"""Predicted gene sets on cases with a known answer."""

from pathlib import Path

import numpy as np
import pytest

from compendium.evaluation.correlation import partial_pcc, pcc
from compendium.evaluation.depth import log_depth
from compendium.evaluation.gene_sets import by_set
from compendium.evaluation.scores import scoring_target
from compendium.runs import plan_runs
from compendium.runs.store import Record
from conftest import tiny_section

SECTIONS = [tiny_section(name, patient=name[0]) for name in ("A1", "B1", "C1")]
GENES = SECTIONS[0].genes.tolist()[:6]
TARGET = scoring_target(GENES, SECTIONS)
RNG = np.random.default_rng(3)


def found(sets: dict[str, list[str]]):
    run = plan_runs("tiny", SECTIONS, ["patient-out"], ["ridge"], panel="all", tile_px=32)[0]
    name = run.split.test[0]
    (section,) = (each for each in SECTIONS if each.name == name)
    measured = TARGET(section)
    predicted = measured + RNG.normal(size=measured.shape) * measured.std()
    record = Record(Path(), {}, GENES, {name: predicted.astype(np.float32)})
    return section, predicted, by_set([run], [record], SECTIONS, sets)


def test_it_is_the_correlation_of_the_means_over_the_genes_of_a_set():
    section, predicted, table = found({"some": GENES[1:4], "one": GENES[:1], "none": ["X"]})
    (row,) = table.to_dict("records")
    means = [side[:, 1:4].mean(axis=1) for side in (predicted, TARGET(section))]
    depth = log_depth(section, TARGET.shared)
    columns = [side[:, None] for side in means]
    assert (row["set"], row["genes"], row["section"]) == ("some", 3, section.name)
    assert row["pcc"] == pytest.approx(np.corrcoef(*means)[0, 1])
    assert row["partial"] == pytest.approx(partial_pcc(*columns, depth)[0])
    single = pcc(predicted[:, 1:4], TARGET(section)[:, 1:4])
    assert row["pcc_gene"] == pytest.approx(np.nanmedian(single))
