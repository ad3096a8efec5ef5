"""Drawings of the methods from the steps of their registrations, and of what they share.

SVG that takes its colours from the page. The main way runs from tile to expression. In the wide
form branches stand beside it; in the narrow one, for telephones, below each other.
"""

import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape

import pandas as pd

from compendium.book.site.method_tables import BENCHMARK, EXAMPLE, reviewed, steps
from compendium.data.targets.transforms import REGISTRY
from compendium.methods import Step, describe, recipe

# Parts whose boxes have another name than the part.
NAMES = {
    "tile": "input",
    "context": "between spots",
    "training": "training only",
    "expression": "output",
}
# px: inside a box, between boxes, and heights of the three kinds of lines.
PAD, GAP, LABEL, LINE, SMALL = 10, 26, 15, 18, 16
LETTER, SMALL_LETTER = 8.6, 7.1  # px, width of a letter on average in a wide typeface


@dataclass(frozen=True)
class Form:
    """Form of a drawing; all numbers are px."""

    name: str
    width: int
    """Width of the drawing."""
    main: int
    """Width of the boxes on the main way."""
    branch: int
    """Where branches begin."""
    way: int
    """Where the main way runs."""

    @property
    def beside(self) -> bool:
        """Tell whether branches stand beside the main way."""
        return self.branch > self.main


FORMS = (Form("wide", 680, 330, 400, 165), Form("narrow", 340, 340, 48, 22))


def boxes(name: str) -> list[Step]:
    """List the boxes of a method, from the tile to the expression and the loss."""
    facts = recipe(name)
    loss = Step("loss", "loss", describe(name).loss, side="out")
    inner = [loss if step.part == "loss" else step for step in steps(name)]
    return [
        Step("tile", f"tile of {facts.tile_px} px", EXAMPLE[facts.unit]),
        *inner,
        Step("expression", "expression", REGISTRY[facts.target].formula),
        *([loss] if loss.detail and loss not in inner else []),
    ]


def structure() -> list[Step]:
    """List the boxes that methods have in common, and which methods have each."""
    return [
        Step("tile", "tile around each spot"),
        Step("encoder", "image encoder", having("encoder")),
        Step("context", "exchange between spots", having("context")),
        Step("distribution", "distribution of counts", having("distribution"), side="out"),
        Step("training", "what only training sees", having("training"), side="out"),
        Step("head", "prediction head", having("head")),
        Step("expression", "expression of every gene"),
        Step("loss", "loss", "its own in each method", side="out"),
    ]


def having(part: str) -> str:
    """List the methods with a step of that part by title, and count the variants."""
    has = {name: any(step.part == part for step in steps(name)) for name in reviewed()}
    variants = [name for name in has if describe(name).citation == BENCHMARK]
    own = [name for name in has if name not in variants]
    named = ", ".join(describe(name).title for name in own if has[name])
    named = "all methods" if all(has[name] for name in own) else named or "none of the methods"
    return f"{named}; {sum(has[name] for name in variants)} of {len(variants)} variants"


def alt_text(title: str, drawn: Sequence[Step]) -> str:
    """Put the whole drawing into text, for those who cannot see it."""
    return " ".join([f"{title}.", *(_sentence(step, step is drawn[0]) for step in drawn)])


def _sentence(step: Step, first: bool) -> str:
    main = "From" if first else "Then"
    start = {"in": "Into it", "out": "Beside it"}.get(step.side, main)
    label = (
        f" {NAMES.get(step.part, step.part)}:"
        if step.part not in ("tile", "expression", "loss")
        else ""
    )
    detail = f" ({step.detail})" if step.detail else ""
    return f"{start}{label} {step.title}{detail}{', frozen' if step.frozen else ''}."


def frame(drawn: Sequence[Step]) -> pd.DataFrame:
    """Tabulate the boxes."""
    found = pd.DataFrame(drawn).rename(columns={"title": "box", "side": "branch"})
    return found.assign(part=found["part"].replace(NAMES))


def to_html(title: str, drawn: Sequence[Step]) -> str:
    """Draw both forms; the stylesheet shows the one that fits the screen."""
    forms = "".join(to_svg(title, drawn, form) for form in FORMS)
    return f'<div class="compendium-drawing">{forms}</div>\n'


def to_svg(title: str, drawn: Sequence[Step], form: Form) -> str:
    """Draw one form."""
    body, height = _body(drawn, form)
    width, height = form.width + 2, height + 2
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" class="compendium-{form.name}" role="img" '
        f'aria-label="{escape(alt_text(title, drawn))}" viewBox="-1 -1 {width} {height}" '
        f'width="{width}" height="{height}"><title>{escape(title)}</title>{body}</svg>'
    )


def _body(drawn: Sequence[Step], form: Form) -> tuple[str, int]:
    rows = list(_rows(drawn))
    parts: list[str] = []
    y = 0
    for row in rows:
        if row is not rows[0]:
            parts.append(_arrow(form.way, y, form.way, y + GAP))
            y += GAP
        drawing = _beside(*row, y, form) if form.beside else _below(*row, y, form, row is rows[-1])
        parts.append(drawing[0])
        y += drawing[1]
    return "".join(parts), y


def _rows(drawn: Sequence[Step]) -> Iterator[tuple[Step, list[Step]]]:
    """Each step of the main way with its branches."""
    starts = [i for i, step in enumerate(drawn) if not step.side]
    for start, end in zip(starts, [*starts[1:], len(drawn)], strict=True):
        yield drawn[start], list(drawn[start + 1 : end])


def _beside(main: Step, sides: list[Step], y: int, form: Form) -> tuple[str, int]:
    width = form.width - form.branch
    heights = [_height(side, width) for side in sides]
    total = sum(heights) + PAD * max(0, len(sides) - 1)
    height = max(_height(main, form.main), total)
    parts = [_box(main, 0, y, form.main, height)]
    at = y + (height - total) // 2
    for side, tall in zip(sides, heights, strict=True):
        ends = (form.main, form.branch) if side.side == "out" else (form.branch, form.main)
        parts += [
            _arrow(ends[0], at + tall // 2, ends[1], at + tall // 2),
            _box(side, form.branch, at, width, tall),
        ]
        at += tall + PAD
    return "".join(parts), height


def _below(main: Step, sides: list[Step], y: int, form: Form, last: bool) -> tuple[str, int]:
    """What feeds a step stands above it, what it feeds below; the main way passes on the left."""
    parts: list[str] = []
    start = y
    order = sorted([main, *sides], key=lambda step: ("in", "", "out").index(step.side))
    for step in order:
        gap, draw = (PAD, _line) if step.side else (GAP, _arrow)
        if step is not order[0]:
            parts.append(draw(form.way, y, form.way, y + gap))
            y += gap
        x, width = (form.branch, form.width - form.branch) if step.side else (0, form.main)
        height = _height(step, width)
        if step.side:
            middle = y + height // 2
            ends = (form.way, x) if step.side == "out" else (x, form.way)
            way_ends = middle if last and step is order[-1] else y + height
            parts.append(_line(form.way, y, form.way, way_ends))
            parts.append(_arrow(ends[0], middle, ends[1], middle))
        parts.append(_box(step, x, y, width, height))
        y += height
    return "".join(parts), y - start


def _texts(step: Step, width: int) -> tuple[list[str], list[str]]:
    return tuple(
        textwrap.wrap(text, int((width - 2 * PAD) / letter))
        for text, letter in ((step.title, LETTER), (step.detail, SMALL_LETTER))
    )


def _height(step: Step, width: int) -> int:
    title, detail = _texts(step, width)
    return 2 * PAD + LABEL + LINE * len(title) + SMALL * len(detail)


def _box(step: Step, x: int, y: int, width: int, height: int) -> str:
    title, detail = _texts(step, width)
    top = y + (height - _height(step, width)) // 2 + PAD
    below = top + LABEL + LINE * len(title)
    frozen = (", frozen", " frozen") if step.frozen else ("", "")
    lines = [("part", top + 9, NAMES.get(step.part, step.part) + frozen[0])]
    lines += [("title", top + LABEL + LINE * i + 14, text) for i, text in enumerate(title)]
    lines += [("detail", below + SMALL * i + 12, text) for i, text in enumerate(detail)]
    texts = "".join(
        f'<text class="{kind}" x="{x + PAD}" y="{line}">{escape(text)}</text>'
        for kind, line, text in lines
    )
    rect = f'<rect x="{x}" y="{y}" width="{width}" height="{height}" rx="6"/>'
    return f'<g class="{step.part}{frozen[1]}">{rect}{texts}</g>'


def _line(x: int, y: int, to_x: int, to_y: int) -> str:
    return f'<path class="way" d="M{x} {y}L{to_x} {to_y}"/>'


def _arrow(x: int, y: int, to_x: int, to_y: int) -> str:
    """A line with a head at its end, down, right or left."""
    head = (
        f"M{to_x} {to_y}l-4 -8h8z" if to_y > y else f"M{to_x} {to_y}l{-8 if to_x > x else 8} -4v8z"
    )
    return f'{_line(x, y, to_x, to_y)}<path class="head" d="{head}"/>'
