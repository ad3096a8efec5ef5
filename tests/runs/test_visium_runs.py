"""Runs on Visium slides, from Space Ranger's files to a stored prediction: a hexagonal array."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from compendium.data.splits import Split
from compendium.methods import names, recipe
from compendium.methods.graph import nearest
from compendium.runs import plan_run, run_once
from conftest import tiny_section
from space_ranger import section, write

SPLIT = Split("section-out", ("S1", "S2"), (), ("S3",), "section S3")
WITH_GRAPH = [name for name in names() if "prune" in recipe(name).model]


@pytest.fixture(scope="module")
def slides(tmp_path_factory) -> list:
    """Three sections of two patients."""
    read = [
        section(write(tmp_path_factory.mktemp(name), seed=i))
        for i, name in enumerate(("S1", "S2", "S3"))
    ]
    return [
        replace(
            each,
            cohort="tiny",
            name=f"S{i}",
            patient=f"P{i}",
            digest=f"visium {i}",
            labels=np.resize(["red", "pale"], len(each)),
        )
        for i, each in enumerate(read, 1)
    ]


def smoke(method: str, sections: list, **words):
    return plan_run(
        "tiny",
        SPLIT,
        method,
        sections=sections,
        **{"panel": "all", "encoder": "colour", "budget": "smoke", "tile_px": 32} | words,
    )


@pytest.mark.parametrize("method", WITH_GRAPH)
def test_neighbours_are_the_six_adjacent_spots_in_the_clean_protocol_and_four_as_published(
    method, slides
):
    clean, published = (
        dict(smoke(method, slides, protocol=protocol).model) for protocol in ("clean", "published")
    )
    assert (clean["metric"], clean["k"]) == ("hexagonal", 6)
    assert (published["metric"], published["k"], published["prune"]) == ("square", 4, "NA")
    assert {words.get("positions", 128) for words in (clean, published)} == {128}
    graph = nearest(torch.tensor(slides[0].grid), clean["k"], clean["prune"], clean["metric"])
    pixels, near = slides[0].pixels, (graph.degree == 6).nonzero()[:, 0]
    inside = [
        spot
        for spot in near.tolist()
        if np.sum(np.linalg.norm(pixels - pixels[spot], axis=1) < 66) == 7
    ]  # the spot itself and six 60 px away
    assert inside, "no spot lies inside the array"
    for spot in inside:
        assert np.allclose(
            np.linalg.norm(pixels[graph.neighbours[spot]] - pixels[spot], axis=1), 60, atol=1.5
        )


@pytest.mark.parametrize("method", ["histogene", *WITH_GRAPH])
def test_a_method_that_sees_the_section_is_fitted_and_predicts(method, slides, home):
    record = run_once(smoke(method, slides, epochs=1), slides, "cpu")
    assert record.predictions["S3"].shape == (len(slides[2]), 12)
    assert np.isfinite(record.predictions["S3"]).all()


def test_other_words_are_asked_for_as_ever_and_other_arrays_keep_their_own(slides):
    assert dict(smoke("bleep", slides).model)["metric"] == "cosine", "a metric of something else"
    assert dict(smoke("hist2st", slides, k=4, metric="square").model)["k"] == 4
    mixed = [tiny_section("S1"), *slides[1:]]
    for sections in (mixed, [tiny_section(name) for name in ("S1", "S2", "S3")]):
        words = dict(smoke("hist2st", sections).model)
        assert (words["metric"], words["k"], words["positions"]) == ("square", 4, 64)
    assert dict(smoke("hist2st", [*slides, tiny_section("S4")]).model)["k"] == 6, (
        "a section that the run does not touch says nothing"
    )


def test_the_array_is_no_departure_from_the_protocol(slides):
    lines = {
        smoke("hist2st", slides, protocol=protocol).line for protocol in ("clean", "published")
    }
    assert not any(word in line for line in lines for word in ("metric", "positions", "prune"))


@pytest.mark.parametrize("technology", ["10x Spatial Gene Expression", "any", "10x Visium"])
def test_the_graph_follows_the_array_and_not_the_name_of_the_technology(technology, slides):
    (method, *_) = WITH_GRAPH
    hexagonal = [replace(each, technology=technology) for each in slides]
    square = [replace(each, array="square") for each in hexagonal]
    assert dict(smoke(method, hexagonal).model)["metric"] == "hexagonal"
    assert dict(smoke(method, square).model)["metric"] != "hexagonal"
    assert dict(smoke(method, [*hexagonal[:2], square[2]]).model)["metric"] != "hexagonal"
