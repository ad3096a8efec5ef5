"""What every registered method keeps to whatever its sections are.

The counts of a test section, spots that stand alone or are empty, too few spots.
"""

from dataclasses import replace

import numpy as np
import pytest

from compendium.data.section import Section
from compendium.errors import BadInput
from compendium.methods import names, recipe
from compendium.runs import run_once
from compendium.runs.fit import predict
from conftest import tiny_section
from tiny_fits import SECTIONS, fitted, smoke

OTHER = replace(
    SECTIONS[2], counts=SECTIONS[2].counts[:, ::-1] * 7, digest="other counts"
)  # what varied most varies least


@pytest.mark.parametrize("panel", ["all", "hvg(6)"])
@pytest.mark.parametrize("method", names())
def test_predictions_do_not_move_with_the_test_sections_counts(method, panel, home):
    run = smoke(
        method, panel=panel, target=recipe(method).target, epochs=recipe(method).epochs and 1
    )
    one, two = (run_once(run, [*SECTIONS[:2], tested], "cpu") for tested in (SECTIONS[2], OTHER))
    assert one.id != two.id  # each was computed
    assert (one.genes, one.facts["curve"]) == (two.genes, two.facts["curve"])
    np.testing.assert_array_equal(one.predictions["S3"], two.predictions["S3"])


ALONE, EMPTY = 23, 3
POOR = {
    "prune": "Grid",
    "loops": False,
}  # a spot that stands alone has no neighbours, not even itself


def odd(section: Section) -> Section:
    """The section with a spot far from all others, and one without counts on a black patch."""
    grid, counts, patches = section.grid.copy(), section.counts.tolil(), section.stored_tiles.copy()
    grid[ALONE] += 9
    counts[EMPTY], patches[EMPTY] = 0, 0
    return replace(
        section,
        grid=grid,
        counts=counts.tocsr(),
        stored_tiles=patches,
        digest=f"{section.digest} odd",
    )


TARGETS = [
    (name, target) for name in names() for target in dict.fromkeys(("wide", recipe(name).target))
]


@pytest.mark.parametrize(("method", "target"), TARGETS)
def test_a_spot_that_stands_alone_and_one_that_is_empty_make_no_nan(method, target, tmp_path):
    sections = [odd(section) for section in SECTIONS]
    words = {word: value for word, value in POOR.items() if word in recipe(method).model}
    run, result, _ = fitted(
        method, tmp_path, sections, target=target, epochs=recipe(method).epochs and 2, **words
    )  # the second is on weights that the first has moved
    assert np.isfinite([list(row.values()) for row in result.curve]).all()
    assert np.isfinite(predict(run, result.method, sections[2], "cpu")).all()


TOO_FEW = [
    (name, spots)
    for name in names()
    if recipe(name).unit == "section"
    for spots in ((1, 4) if "k" in recipe(name).model else (1,))
]


@pytest.mark.parametrize(("method", "spots"), TOO_FEW)
def test_a_section_of_too_few_spots_is_one_line(method, spots, tmp_path):
    run, result, _ = fitted(method, tmp_path, epochs=1)
    with pytest.raises(
        BadInput,
        match=f"^tiny section S3: method {method} needs a section of .*, "
        f"this one has {spots}; leave it out$",
    ):
        predict(run, result.method, tiny_section("S3", patient="P3", spots=spots), "cpu")
    with pytest.raises(BadInput, match="section S1"):
        fitted(method, tmp_path, [tiny_section("S1", spots=spots, labelled=True), *SECTIONS[1:]])
