"""Formulas as MathML, made when the book is built: a browser sets them without any script."""

import re
import xml.etree.ElementTree as ET
from html import escape

from docutils import nodes
from sphinx.util import logging
from sphinx.util.math import get_node_equation_number
from sphinx.writers.html5 import HTML5Translator

from compendium.book.notebook.markup import scrolled

LOGGER = logging.getLogger(__name__)
SPACE = "{http://www.w3.org/1998/Math/MathML}"
CHILDREN = {
    **dict.fromkeys(("mfrac", "mroot", "msub", "msup", "munder", "mover"), 2),
    "msubsup": 3,
    "munderover": 3,
}
LIMITS = {"msub": "munder", "msup": "mover", "msubsup": "munderover"}
# Environments whose rows are aligned at &: the translator knows split; Sphinx sets numbers.
ALIGNED = re.compile(
    r"\\(begin|end)\{(?:aligned|align\*?|alignat\*?|eqnarray\*?|gather\*?|gathered)\}"
)
PLAIN = re.compile(
    r"\\(?:begin|end)\{(?:equation\*?|displaymath)\}|\\(?:label\{[^}]*\}|nonumber|notag)"
)


def to_mathml(tex: str, display: bool) -> str:
    """One formula as a <math> element. ValueError says what could not be translated.

    Against latex2mathml's habit of passing over what it does not know, the result is checked: no
    command or & may be left as text, and every fraction, root and script must have all its parts.
    Limits of sums stand above and below in displayed formulas.
    """
    from latex2mathml.converter import convert

    source = PLAIN.sub("", ALIGNED.sub(r"\\\1{split}", tex)).strip()
    if display and r"\\" in source and r"\begin" not in source:
        source = rf"\begin{{split}}{source}\end{{split}}"
    try:
        math = ET.fromstring(convert(source, display="block" if display else "inline"))
    except Exception as error:  # noqa: BLE001  # latex2mathml raises bare and unrelated ones
        raise ValueError(f"{error.__class__.__name__} {error}".strip()) from error
    for element in math.iter():
        _check(element)
        if display:
            _set_limits(element)
        if element.text == "~":  # \sim
            element.tag, element.text = f"{SPACE}mo", "∼"
    math.set("alttext", tex.strip())
    ET.register_namespace("", SPACE[1:-1])
    return ET.tostring(math, encoding="unicode")


def _check(element: ET.Element) -> None:
    tag, text = element.tag.removeprefix(SPACE), element.text or ""
    if tag != "mtext" and ("\\" in text or "&" in text):
        raise ValueError(f"{text} is not known")
    if tag in CHILDREN and len(element) != CHILDREN[tag]:
        raise ValueError(f"a {tag} has {len(element)} parts, expected {CHILDREN[tag]}")


def _set_limits(element: ET.Element) -> None:
    tag = element.tag.removeprefix(SPACE)
    if tag in LIMITS and element[0].text in ("∑", "∏", "max", "min", "lim", "argmax", "argmin"):
        element.tag = SPACE + LIMITS[tag]


def _translate(node: nodes.Element, display: bool) -> str:
    try:
        return to_mathml(node.astext(), display)
    except ValueError as error:
        message = f"formula cannot be set as MathML: {error}: {' '.join(node.astext().split())}"
        LOGGER.warning(message, location=node, type="compendium", subtype="formula")
        return escape(nodes.unescape(node.astext()), quote=False)


def visit_math(self: HTML5Translator, node: nodes.math) -> None:
    """Write an inline formula."""
    self.body.append(_translate(node, display=False))
    raise nodes.SkipNode


def visit_math_block(self: HTML5Translator, node: nodes.math_block) -> None:
    """Write a displayed formula, with its number where it has one."""
    self.body.append(self.starttag(node, "div", CLASS="math compendium-formula"))
    self.body.append(scrolled(_translate(node, display=True), "Formula"))
    if node["number"]:
        self.body.append(f'<span class="eqno">({get_node_equation_number(self, node)})')
        self.add_permalink_ref(node, "Link to this formula")
        self.body.append("</span>")
    self.body.append("</div>\n")
    raise nodes.SkipNode
