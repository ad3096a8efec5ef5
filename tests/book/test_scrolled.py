"""What is wider than the page shows that it goes on, and can be reached without a mouse."""

import io
import re

import numpy as np
import pytest
from PIL import Image

from visits import HTML, pages

pytestmark = pytest.mark.usefixtures("built")


def test_whatever_scrolls_sideways_has_a_name_and_is_reached_by_the_keyboard():
    for page in pages():
        boxes = re.findall(
            r'<div class="[^"]*compendium-scroll[^>]*>', (HTML / page).read_text(encoding="utf-8")
        )
        assert [
            box
            for box in boxes
            if not re.search(r'role="region" aria-label="\w[^"]+" tabindex="0"', box)
        ] == [], page


def shaded(box) -> tuple[bool, bool]:
    """Whether the left and the right edge of a box differ from the page's background.

    Rows of text are few beside those of none.
    """
    picture = np.asarray(Image.open(io.BytesIO(box.screenshot())).convert("RGB"), dtype=int)
    plain = [
        int(level)
        for level in re.findall(
            r"\d+", box.evaluate("() => getComputedStyle(document.body).backgroundColor")
        )[:3]
    ]
    return tuple(
        bool(np.abs(np.median(edge, axis=(0, 1)) - plain).max() > 12)
        for edge in (picture[:, :2], picture[:, -2:])
    )


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_a_table_shows_where_it_is_cut_off_and_the_keyboard_scrolls_it(visit, theme):
    page = next(page for page in pages() if page.endswith("id_loocv.html"))
    there = visit(page, width=390, theme=theme)
    there.tab.add_style_tag(
        content=".bd-header-article { display: none !important }"
    )  # it would lie over the table
    boxes = there.tab.locator("figure.compendium-table .compendium-scroll").all()
    beyond = [box.evaluate("box => box.scrollWidth - box.clientWidth") for box in boxes]
    box, most = boxes[int(np.argmax(beyond))], max(beyond)
    assert most > 40
    for left, expected in ((0, (False, True)), (most // 2, (True, True)), (most, (True, False))):
        box.evaluate("(box, left) => { box.scrollLeft = left }", left)
        assert shaded(box) == expected, (theme, left)
    assert [shaded(box) for box, more in zip(boxes, beyond, strict=True) if not more][:1] in (
        [],
        [(False, False)],
    )
    box.evaluate("box => { box.scrollLeft = 0 }")
    box.focus()
    there.tab.keyboard.press("ArrowRight")
    there.tab.wait_for_function("box => box.scrollLeft > 0", arg=box.element_handle())
