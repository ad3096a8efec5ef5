"""Every method is drawn, in both forms, from what its registration says.

The drawing can be read without being seen.
"""

import xml.etree.ElementTree as ET
from dataclasses import replace

import pytest

from compendium.book.site import method_drawings, method_tables
from compendium.book.site.method_drawings import (
    FORMS,
    NAMES,
    alt_text,
    boxes,
    frame,
    having,
    structure,
    to_html,
    to_svg,
)
from compendium.book.site.method_tables import BENCHMARK, reviewed
from compendium.methods import Step, describe, recipe

SVG = "{http://www.w3.org/2000/svg}"
ASCENT, LETTER = (
    12,
    0.56,
)  # px; and em, on average in a wide typeface. The built book is measured in a browser


def drawn(name: str) -> tuple[str, list[Step]]:
    return (
        ("Structure", structure()) if name == "structure" else (describe(name).title, boxes(name))
    )


@pytest.fixture(params=["structure", *reviewed()])
def drawing(request) -> tuple[str, list[Step]]:
    return drawn(request.param)


@pytest.fixture(params=FORMS, ids=lambda form: form.name)
def form(request):
    return request.param


def numbers(element, *attributes: str) -> list[float]:
    return [float(element.get(name)) for name in attributes]


def test_it_is_well_formed_and_named(drawing, form):
    title, steps = drawing
    svg = ET.fromstring(to_svg(title, steps, form))
    assert (svg.tag, svg.get("role"), svg.find(f"{SVG}title").text) == (f"{SVG}svg", "img", title)
    assert [box.get("class").split()[0] for box in svg.iter(f"{SVG}g")].count("tile") == 1
    assert len(list(svg.iter(f"{SVG}rect"))) == len(steps)
    assert all(
        element.get(name) is None for element in svg.iter() for name in ("fill", "stroke", "style")
    ), "colours are the page's"


def test_its_words_tell_all_of_it(drawing, form):
    title, steps = drawing
    told = ET.fromstring(to_svg(title, steps, form)).get("aria-label")
    assert told == alt_text(title, steps) and told.startswith(f"{title}. From tile")
    assert [step for step in steps if step.title not in told or step.detail not in told] == []
    assert told.count(", frozen.") == sum(step.frozen for step in steps)


def test_boxes_lie_apart_inside_the_drawing_and_hold_their_text(drawing, form):
    title, steps = drawing
    svg = ET.fromstring(to_svg(title, steps, form))
    left, top, width, height = map(float, svg.get("viewBox").split())
    assert [float(svg.get("width")), float(svg.get("height"))] == [width, height]
    rects = []
    for group in svg.iter(f"{SVG}g"):
        x, y, wide, tall = numbers(group.find(f"{SVG}rect"), "x", "y", "width", "height")
        assert left < x and x + wide < left + width and top < y and y + tall < top + height
        for text in group.iter(f"{SVG}text"):
            at, line = numbers(text, "x", "y")
            size = {"part": 11, "title": 14, "detail": 12.5}[text.get("class")]
            assert (
                y + ASCENT <= line + 6 <= y + tall
                and at + len(text.text) * size * LETTER <= x + wide
            ), text.text
        rects.append((x, y, x + wide, y + tall))
    assert not [
        (a, b)
        for i, a in enumerate(rects)
        for b in rects[:i]
        if a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]
    ], "boxes overlap"


def test_no_line_runs_through_a_box(drawing, form):
    title, steps = drawing
    svg = ET.fromstring(to_svg(title, steps, form))
    rects = [numbers(rect, "x", "y", "width", "height") for rect in svg.iter(f"{SVG}rect")]
    for path in svg.iter(f"{SVG}path"):
        if path.get("class") == "way":
            start, end = (
                tuple(map(float, point.split()))
                for point in path.get("d").removeprefix("M").split("L")
            )
            middle = [(a + b) / 2 for a, b in zip(start, end, strict=True)]
            assert not [
                rect
                for rect in rects
                if rect[0] < middle[0] < rect[0] + rect[2]
                and rect[1] < middle[1] < rect[1] + rect[3]
            ]


def test_the_narrow_form_fits_a_telephone_and_keeps_branches_off_the_main_way():
    wide, narrow = FORMS
    assert narrow.width + 2 <= 358 and not narrow.beside and wide.beside
    title, steps = drawn("bleep")
    groups = ET.fromstring(to_svg(title, steps, narrow)).iter(f"{SVG}g")
    boxed = {
        group.find(f"{SVG}text[@class='title']").text: float(group.find(f"{SVG}rect").get("y"))
        for group in groups
    }
    assert boxed["reference bank"] < boxed["retrieval"] < boxed["expression"], (
        "what feeds a step stands above it"
    )
    assert (
        boxed["projection of the expression"]
        < boxed["projection"]
        < boxed["loss"]
        < boxed["reference bank"]
    ), "what it feeds stands below"


def test_frozen_and_trained_boxes_differ():
    for name, frozen in (("stnet", []), ("stimage", ["ResNet-50"]), ("deepspace", ["VGG16"])):
        title, steps = drawn(name)
        svg = ET.fromstring(to_svg(title, steps, FORMS[0]))
        dashed = [group for group in svg.iter(f"{SVG}g") if "frozen" in group.get("class").split()]
        assert [group.find(f"{SVG}text[@class='title']").text for group in dashed] == frozen
        assert all("frozen" in group.find(f"{SVG}text[@class='part']").text for group in dashed), (
            "not told by the border alone"
        )


def test_the_loss_stands_where_it_is_taken():
    for name, before in (
        ("histogene", "expression"),
        ("stimage", "two units a gene"),
        ("bleep", "projection of the expression"),
    ):
        _, steps = drawn(name)
        at = [step.part for step in steps].index("loss")
        assert steps[at - 1].title == before and steps[at].detail == describe(name).loss
        assert [step.part for step in steps].count("loss") == 1


def test_a_method_that_describes_no_drawing_has_one(monkeypatch):
    for name in ("stnet", "histogene"):
        text = replace(describe(name), flow=(), loss="")
        for module in (method_drawings, method_tables):
            monkeypatch.setattr(module, "describe", lambda name, text=text: text)
        found = alt_text(text.title, boxes(name))
        assert text.summary in found and ("all spots of a section together" in found) == (
            recipe(name).unit == "section"
        )
        ET.fromstring(to_svg(text.title, boxes(name), FORMS[1]))


def test_words_are_escaped_and_both_forms_are_given():
    html = to_html('A & "B"', [Step("tile", "<tile>"), Step("expression", "x < y")])
    assert html.count("<svg ") == 2 and "<tile>" not in html
    assert [svg.find(f"{SVG}title").text for svg in ET.fromstring(html)] == ['A & "B"'] * 2


def test_the_structure_counts_who_has_a_part():
    variants = sum(describe(name).citation == BENCHMARK for name in reviewed())
    assert having("encoder") == f"all methods; {variants} of {variants} variants"
    assert having("context").startswith("HisToGene, Hist2ST;")
    assert having("distribution").startswith("Hist2ST, STimage;")


def test_the_boxes_are_a_table_too():
    rows = frame(boxes("regclass"))
    assert list(rows.columns) == ["part", "box", "detail", "frozen", "branch"]
    assert set(NAMES.values()) < set(rows["part"])
    assert (rows["box"] == "classifier").sum() == 1
