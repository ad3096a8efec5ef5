"""A drawing of each method from the steps of its registration, and one of the structure that they share; SVG that takes its colours from the page.

The main way runs from tile to expression. In the wide form branches stand beside it; in the narrow one, for telephones, below each other.
"""

import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING

from compendium.book.site.method_tables import BENCHMARK, EXPRESSION, SEEN, reviewed, steps
from compendium.methods import Recipe, Step

if TYPE_CHECKING:
    import pandas as pd

NAMES = {
    "tile": "input",
    "encoder": "encoder",
    "context": "between spots",
    "distribution": "distribution",
    "head": "head",
    "training": "training only",
    "loss": "loss",
    "expression": "output",
}
PAD, GAP, LABEL, LINE, SMALL = (
    10,
    26,
    15,
    18,
    16,
)  # px: inside a box, between boxes, heights of the three kinds of lines
LETTER, SMALL_LETTER = 8.6, 7.1  # px, width of a letter on average in a wide typeface


@dataclass(frozen=True)
class Form:
    """Widths in px: of the drawing, of the boxes on the main way; where branches begin, and where the way runs."""

    name: str
    width: int
    main: int
    branch: int
    way: int

    @property
    def beside(self) -> bool:
        """Whether branches stand beside the main way."""
        return self.branch > self.main


FORMS = (Form("wide", 680, 330, 400, 165), Form("narrow", 340, 340, 48, 22))


def boxes(facts: Recipe) -> list[Step]:
    """All boxes of a method, from the tile to the expression and the loss."""
    inner = [
        Step(step.part, step.words, facts.fill(facts.loss), side="out")
        if step.part == "loss"
        else step
        for step in steps(facts)
    ]
    loss = (
        [Step("loss", "loss", facts.fill(facts.loss), side="out")]
        if facts.loss and not any(step.part == "loss" for step in inner)
        else []
    )
    return [
        Step("tile", f"tile of {facts.tile_px} px", SEEN[facts.unit]),
        *inner,
        Step("expression", "expression", EXPRESSION[facts.target]),
        *loss,
    ]


def structure() -> list[Step]:
    """The boxes that methods have in common, and which methods have each."""
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
    """The methods with a step of that part: those of other papers by name, variants of the benchmark by number."""
    own, variants = (
        [facts for facts in reviewed() if (facts.citation == BENCHMARK) == variant]
        for variant in (False, True)
    )
    found, more = (
        [facts.title for facts in group if any(step.part == part for step in steps(facts))]
        for group in (own, variants)
    )
    named = "all methods" if len(found) == len(own) else ", ".join(found) or "none of the methods"
    return f"{named}; {len(more)} of {len(variants)} variants"


def words(title: str, drawn: Sequence[Step]) -> str:
    """The whole drawing in words, for those who cannot see it."""
    told = [f"{title}."]
    for step in drawn:
        start = {"in": "Into it", "out": "Beside it"}.get(step.side) or (
            "From" if step is drawn[0] else "Then"
        )
        label = f" {NAMES[step.part]}:" if step.part not in ("tile", "expression", "loss") else ""
        told.append(
            f"{start}{label} {step.words}{f' ({step.detail})' if step.detail else ''}{', frozen' if step.frozen else ''}."
        )
    return " ".join(told)


def frame(drawn: Sequence[Step]) -> "pd.DataFrame":
    """The boxes as a table."""
    import pandas as pd

    return pd.DataFrame(
        [
            {
                "part": NAMES[step.part],
                "box": step.words,
                "detail": step.detail,
                "frozen": step.frozen,
                "branch": step.side,
            }
            for step in drawn
        ]
    )


def to_html(title: str, drawn: Sequence[Step]) -> str:
    """Both forms; the stylesheet shows the one that fits the screen."""
    return (
        '<div class="compendium-drawing">'
        + "".join(to_svg(title, drawn, form) for form in FORMS)
        + "</div>\n"
    )


def to_svg(title: str, drawn: Sequence[Step], form: Form) -> str:
    """One form of a drawing."""
    body, height = _body(drawn, form)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" class="compendium-{form.name}" role="img" aria-label="{escape(words(title, drawn))}" '
        f'viewBox="-1 -1 {form.width + 2} {height + 2}" width="{form.width + 2}" height="{height + 2}"><title>{escape(title)}</title>{body}</svg>'
    )


def _body(drawn: Sequence[Step], form: Form) -> tuple[str, int]:
    parts, y, rows = [], 0, list(_rows(drawn))
    for i, (main, sides) in enumerate(rows):
        last = i == len(rows) - 1
        row, height = (
            _beside(main, sides, y, form) if form.beside else _below(main, sides, y, form, last)
        )
        parts.append(row)
        y += height
        if not last:
            parts.append(_arrow(form.way, y, form.way, y + GAP))
            y += GAP
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
    parts, at = [_box(main, 0, y, form.main, height)], y + (height - total) // 2
    for side, tall in zip(sides, heights, strict=True):
        ends = (form.main, form.branch) if side.side == "out" else (form.branch, form.main)
        parts += [
            _arrow(ends[0], at + tall // 2, ends[1], at + tall // 2),
            _box(side, form.branch, at, width, tall),
        ]
        at += tall + PAD
    return "".join(parts), height


def _below(main: Step, sides: list[Step], y: int, form: Form, last: bool) -> tuple[str, int]:
    """What feeds a step stands above it, what it feeds below, and the main way passes on their left; it ends at the last box."""
    parts, start, width = [], y, form.width - form.branch
    order = [
        *(side for side in sides if side.side == "in"),
        main,
        *(side for side in sides if side.side == "out"),
    ]
    for i, step in enumerate(order):
        height = _height(step, width if step.side else form.main)
        if i:
            parts.append(
                _arrow(form.way, y, form.way, y + GAP)
                if not step.side
                else _line(form.way, y, form.way, y + PAD)
            )
            y += PAD if step.side else GAP
        if step.side:
            ends = (form.way, form.branch) if step.side == "out" else (form.branch, form.way)
            passing = height // 2 if last and i == len(order) - 1 else height
            parts += [
                _line(form.way, y, form.way, y + passing),
                _arrow(ends[0], y + height // 2, ends[1], y + height // 2),
            ]
        parts.append(
            _box(
                step, form.branch if step.side else 0, y, width if step.side else form.main, height
            )
        )
        y += height
    return "".join(parts), y - start


def _texts(step: Step, width: int) -> tuple[list[str], list[str]]:
    return tuple(
        textwrap.wrap(text, int((width - 2 * PAD) / letter))
        for text, letter in ((step.words, LETTER), (step.detail, SMALL_LETTER))
    )


def _height(step: Step, width: int) -> int:
    title, detail = _texts(step, width)
    return 2 * PAD + LABEL + LINE * len(title) + SMALL * len(detail)


def _box(step: Step, x: int, y: int, width: int, height: int) -> str:
    title, detail = _texts(step, width)
    top = y + (height - _height(step, width)) // 2 + PAD
    label = NAMES[step.part] + (", frozen" if step.frozen else "")
    lines = [f'<text class="part" x="{x + PAD}" y="{top + 9}">{escape(label)}</text>']
    lines += [
        f'<text class="words" x="{x + PAD}" y="{top + LABEL + LINE * i + 14}">{escape(text)}</text>'
        for i, text in enumerate(title)
    ]
    lines += [
        f'<text class="detail" x="{x + PAD}" y="{top + LABEL + LINE * len(title) + SMALL * i + 12}">{escape(text)}</text>'
        for i, text in enumerate(detail)
    ]
    kind = f"{step.part} frozen" if step.frozen else step.part
    return f'<g class="{kind}"><rect x="{x}" y="{y}" width="{width}" height="{height}" rx="6"/>{"".join(lines)}</g>'


def _line(x: int, y: int, to_x: int, to_y: int) -> str:
    return f'<path class="way" d="M{x} {y}L{to_x} {to_y}"/>'


def _arrow(x: int, y: int, to_x: int, to_y: int) -> str:
    """A line with a head at its end, down, right or left."""
    head = (
        f"M{to_x} {to_y}l-4 -8h8z" if to_y > y else f"M{to_x} {to_y}l{-8 if to_x > x else 8} -4v8z"
    )
    return f'{_line(x, y, to_x, to_y)}<path class="head" d="{head}"/>'
