"""The figures of the data review, and the chapter that shows them."""

import json
from dataclasses import replace

import numpy as np
import pytest

from compendium.book.notebook.parameters import declared
from compendium.book.notebook.show import check_bundle, compact
from compendium.chapters.data_review import figures
from compendium.chapters.data_review.results import select
from compendium.chapters.data_review.sections import section_numbers
from compendium.data.section import Section
from compendium.evaluation.describe import channel_shares
from compendium.plots import slides as slide_figures
from compendium.storage import CHECKOUT
from conftest import tiny_section

CHAPTER = CHECKOUT / "notebooks" / "01_data_review.ipynb"


def slide(name: str, patient: str, labels: tuple[str, ...] = (), **changed) -> Section:
    """A tiny section on a slide of 600 x 600 px."""
    section = replace(
        tiny_section(name, patient, spots=9, px=16),
        thumbnail=np.full((60, 60, 3), 200, np.uint8),
        thumbnail_scale=0.1,
    )
    return replace(
        section,
        labels=np.array([labels[i % len(labels)] for i in range(9)]) if labels else None,
        **changed,
    )


@pytest.fixture
def sections() -> list[Section]:
    return [
        slide("A1", "A"),
        slide("A2", "A"),
        slide("B1", "B", ("adipose tissue", "", "undetermined")),
        replace(slide("B2", "B"), thumbnail=None, stored_tiles=None),
        slide("C1", "C"),
    ]


def test_every_figure_can_be_published(sections):
    numbers, shares = section_numbers(sections), channel_shares(sections)
    drawn = select(sections, 6)
    for figure in (
        figures.depth(numbers, ["A1"]),
        figures.scale(numbers),
        slide_figures.gallery(drawn),
        figures.spots(drawn),
        slide_figures.colours(shares, ["A", "B", "C"]),
    ):
        bundle = compact(figure.to_dict())
        check_bundle(bundle, "it")
        assert json.dumps(bundle, allow_nan=False) and bundle["data"]


def test_patients_stand_together_with_a_gap_between_them(sections):
    at, ticks, patients = figures.by_section(section_numbers(sections))
    assert patients == ["A", "B", "C"]
    assert np.diff(at).tolist() == pytest.approx([1, 1.9, 1, 1.9])
    assert ticks == pytest.approx([0.5, 3.4, 5.8])


def test_depth_draws_medians_quartiles_and_what_is_not_chosen_hollow(sections):
    numbers = section_numbers(sections)
    fig = figures.depth(numbers, ["A2"])
    bars, umi = fig.data[0], fig.data[1]
    assert (
        list(bars.y) == [9, 9] and bars.marker.color[0] == "rgba(0,0,0,0)" != bars.marker.color[1]
    )
    assert list(umi.marker.symbol) == ["circle-open", "circle"]
    assert list(umi.y) == numbers["umi_median"][:2].tolist()
    assert list(umi.y + umi.error_y.array) == pytest.approx(numbers["umi_q3"][:2].tolist())
    assert list(umi.y - umi.error_y.arrayminus) == pytest.approx(numbers["umi_q1"][:2].tolist())


def test_slides_are_chosen_patient_by_patient(sections):
    assert [section.name for section in select(sections, 3)] == ["A1", "B1", "C1"]
    assert [section.name for section in select(sections, 6)] == ["A1", "A2", "B1", "C1"]
    assert select([sections[3]], 6) == []
    labs = [
        slide(name, name[0], lab=lab)
        for name, lab in (("A1", "L1"), ("B1", "L1"), ("C1", "L1"), ("D1", "L2"), ("D2", "L2"))
    ]
    assert [section.name for section in select(labs, 3)] == ["A1", "B1", "D1"], (
        "each laboratory before the last patient of the first"
    )


def test_the_gallery_is_at_one_scale_inside_the_slides():
    coarse = slide("B1", "B", um_per_px=1.4)
    fig = slide_figures.gallery([slide("A1", "A"), coarse])
    widths = [axis.range[1] - axis.range[0] for axis in (fig.layout.xaxis, fig.layout.xaxis2)]
    assert widths[0] * 0.7 == pytest.approx(widths[1] * 1.4)
    for axis in (fig.layout.xaxis, fig.layout.xaxis2):
        assert 0 <= axis.range[0] < axis.range[1] <= 600
    bars = [trace.x[1] - trace.x[0] for trace in fig.data]
    assert bars == pytest.approx([1000 / 0.7, 1000 / 1.4])


def test_the_menu_shows_one_section_with_its_slide_and_its_spots(sections):
    drawn = select(sections, 6)
    fig = figures.spots(drawn)
    buttons = fig.layout.updatemenus[0].buttons
    assert [button.label for button in buttons] == [
        "A1, patient A",
        "A2, patient A",
        "B1, patient B",
        "C1, patient C",
    ]
    for i, button in enumerate(buttons):
        traces, layout = button.args
        spots = sum(
            len(trace.x)
            for trace, visible in zip(fig.data, traces["visible"], strict=True)
            if visible
        )
        assert spots == len(drawn[i])
        assert [layout[f"images[{j}].visible"] for j in range(4)] == [j == i for j in range(4)]
    assert [trace.visible for trace in fig.data] == buttons[0].args[0]["visible"]
    assert [image.visible for image in fig.layout.images] == [True, False, False, False]
    assert [trace.name for trace in fig.data[2:4]] == ["adipose tissue", "undetermined"]


def test_colours_are_by_laboratory_where_there_are_several(sections):
    other = replace(sections[4], lab="L2")
    by_patient = slide_figures.colours(channel_shares(sections), ["A", "B", "C"])
    by_lab = slide_figures.colours(channel_shares([*sections[:3], other]), ["L1", "L2"])
    assert [trace.name for trace in by_patient.data if trace.showlegend] == [
        "patient A",
        "patient B",
        "patient C",
    ]
    assert [trace.name for trace in by_lab.data if trace.showlegend] == ["L1", "L2"]
    assert len({trace.line.color for trace in by_lab.data}) == 2 and len(by_lab.data) == 3 * 4


def test_the_chapter_has_its_parameters_and_no_outputs():
    cells = json.loads(CHAPTER.read_text(encoding="utf-8"))["cells"]
    assert not any(cell.get("outputs") or cell.get("execution_count") for cell in cells)
    names = [parameter.name for parameter in declared(CHAPTER)]
    assert names == ["profile", "sections", "panel", "channel_bins", "slides"]


def test_the_banner_is_seen_and_solutions_are_called_solutions():
    cells = [
        cell for cell in json.loads(CHAPTER.read_text())["cells"] if cell["cell_type"] == "code"
    ]
    (start,) = [cell for cell in cells if 'start("data-review"' in "".join(cell["source"])]
    assert not {"hide-cell", "hide-output", "remove-cell", "remove-output"} & set(
        start["metadata"].get("tags", [])
    )
    folded = [cell["metadata"] for cell in cells if "hide-cell" in cell["metadata"].get("tags", [])]
    assert [each["mystnb"]["code_prompt_show"] for each in folded] == ["Show the solutions"]
