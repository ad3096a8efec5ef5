"""The methods' tables, printed from their registrations: what each sees, how it is built and trained, where it comes from, where it departs from its paper.

The forms follow Tables S1, S2 and S4 of the benchmark; controls stand in the first table only.
"""

import re
import textwrap
from collections.abc import Callable, Iterable, Mapping
from itertools import zip_longest
from typing import TYPE_CHECKING

from compendium.errors import BadInput
from compendium.images import encoders
from compendium.images.augment.families import FAMILIES
from compendium.images.tissue_filter import EVERY
from compendium.methods import Recipe, Step, names, recipe
from compendium.methods.layers import ModelSpec
from compendium.methods.registry import OWN
from compendium.runs.execution import count
from compendium.runs.run import PROTOCOLS, VISIUM

if TYPE_CHECKING:
    import pandas as pd

BENCHMARK = "jiang2023benchmark"
PANELS = (785, 12)  # the two numbers of genes that published parameter counts are given for
CLASSES = 2
CELL = 56  # characters of a cell's line in a terminal
# The targets of compendium.data.targets.transforms in a line; c is the count of a gene in a spot.
EXPRESSION = {
    "harmony": "ln(1 + 1e4 c / total of the shared genes), corrected by Harmony",
    "log1p": "ln(1 + c)",
    "logcpm": "ln(1 + 1e6 c / total of the shared genes)",
    "minmax": "(c - least) / (most - least) in training",
    "pearson": "analytic Pearson residual of c",
    "raw": "c",
    "scprep": "log10(1 + 1e4 c / total of the panel)",
    "sct": "log10(1 + c corrected by Seurat), then as minmax",
    "wide": "ln(1 + 1e4 c / total of the shared genes)",
}
SEEN = {"spot": "each spot alone", "section": "all spots of a section"}
LEFT_OUT = {
    EVERY: "none",
    "stimage": "tiles with little tissue (spots=stimage)",
    "deepspace": "mostly white tiles (spots=deepspace)",
}


def reviewed() -> list[Recipe]:
    """The methods without the controls: those of other papers by year, then the variants of the benchmark."""
    found = [recipe(name) for name in names() if not recipe(name).control]
    return sorted(found, key=lambda facts: (facts.citation == BENCHMARK, year(facts)))


def year(facts: Recipe) -> int:
    """Year of the publication, which the key of every citation holds; 0 where there is none."""
    found = re.search(r"(?:19|20)\d\d", facts.citation)
    return int(found[0]) if found else 0


def steps(facts: Recipe) -> tuple[Step, ...]:
    """The drawing of a method as its registration states it with its numbers filled in, or else what its other facts tell."""
    if not facts.flow:
        context = (
            (Step("context", "all spots of a section together"),) if facts.unit == "section" else ()
        )
        return (
            Step("encoder", facts.encoder or facts.frozen or "layers of its own"),
            *context,
            Step("head", facts.title, facts.summary),
        )
    return tuple(
        Step(step.part, facts.fill(step.words), facts.fill(step.detail), step.frozen, step.side)
        for step in facts.flow
    )


def part(facts: Recipe, which: str) -> str:
    """The words of the steps of one part, e.g. "8 transformer blocks, 4 graph layers"; "" where the method has none."""
    return ", ".join(step.words + _how(step) for step in steps(facts) if step.part == which)


def _how(step: Step) -> str:
    """Where the weights of a step come from, if not from its own training."""
    told = [
        words
        for words, so in (
            ("pre-trained on ImageNet", "ImageNet" in step.detail),
            ("frozen", step.frozen),
        )
        if so
    ]
    return f" ({', '.join(told)})" if told else ""


def methods() -> "pd.DataFrame":
    """Every registered method, controls last."""
    facts = [*reviewed(), *(recipe(name) for name in names() if recipe(name).control)]
    return _table(
        {
            "name": each.name,
            "method": each.title,
            "unit": each.unit,
            "encoder": each.encoder
            or each.frozen
            or ("frozen" if each.control else "layers of its own"),
            "target": each.target,
            "optimiser": each.optimiser,
            "citation": each.citation or "control",
        }
        for each in facts
    )


def inputs() -> "pd.DataFrame":
    """Form of Table S1: tile, augmentation, expression, and whose filter of training spots the published protocol applies."""
    return _table(
        {
            "method": each.title,
            "tile, px": each.tile_px,
            "pixel values": each.scale,
            "one example is": SEEN[each.unit],
            "augmentation": augmentation(each),
            "expression": EXPRESSION[each.target],
            "spots left out, as published": LEFT_OUT[str(each.published.get("spots", EVERY))],
        }
        for each in reviewed()
    )


def augmentation(facts: Recipe) -> str:
    """What the family does to a tile in training, and what else the method's registration says."""
    return (
        "; ".join(
            words
            for words in (FAMILIES[facts.augment].summary, facts.fill(facts.augmentation))
            if words
        )
        or "none"
    )


def architectures() -> "pd.DataFrame":
    """Form of Table S2: encoder and loss, with what lies between them."""
    return _table(
        {
            "method": each.title,
            "image encoder": part(each, "encoder"),
            "between spots": part(each, "context"),
            "distribution": part(each, "distribution"),
            "head": part(each, "head"),
            "only in training": part(each, "training"),
            "loss": each.fill(each.loss),
        }
        for each in reviewed()
    )


def training() -> "pd.DataFrame":
    """Optimiser and its numbers, of the recipe and of the budget laptop."""
    return _table(
        {
            "method": each.title,
            "optimiser": each.optimiser
            + (f", momentum {each.momentum:g}" if each.momentum else ""),
            "learning rate": _number(each.lr),
            "schedule": f"x {each.lr_decay:g} every {each.lr_every} epochs"
            if each.lr_every
            else "constant",
            "weight decay": _number(each.weight_decay),
            "batch": f"{each.batch} {each.unit}{'s' if each.batch > 1 else ''}",
            "epochs": each.epochs,
            "in budget laptop": _words(each.laptop),
        }
        for each in reviewed()
    )


def parameters() -> "pd.DataFrame":
    """Parameters, all and trained, counted on the networks themselves, which are built without numbers; a classifier has two classes."""
    return _table(
        {"method": each.title}
        | {
            f"{what}, {genes} genes": number
            for genes in PANELS
            for what, number in _counts(each, genes).items()
        }
        for each in reviewed()
    )


def origins() -> "pd.DataFrame":
    """Form of Table S4: year, data of the first publication, what it was compared with."""
    return _table(
        {
            "method": each.title,
            "year": str(year(each) or ""),
            "evaluated on": each.evaluated,
            "compared with": ", ".join(
                recipe(name).title if name in names() else name for name in each.compared
            ),
            "citation": each.citation,
        }
        for each in reviewed()
    )


def protocols() -> "pd.DataFrame":
    """Every word that the published and the clean protocol set differently, for all methods and then for those whose own words they are."""
    shared = {
        word: tuple(
            "the method's own" if preset[word] in (None, OWN) else str(preset[word])
            for preset in PROTOCOLS.values()
        )
        for word in PROTOCOLS["clean"]
    }
    rows = [((word, *values), "all") for word, values in shared.items()]
    rows += [
        ((word, *map(str, values)), each.title)
        for each in reviewed()
        for word, values in _switched(each).items()
    ]
    rows += [
        (
            (
                f"{word}, on Visium slides",
                *(str(VISIUM[protocol].get(word, each.model[word])) for protocol in PROTOCOLS),
            ),
            each.title,
        )
        for each in reviewed()
        if each.unit == "section"
        for word in VISIUM["published"] | VISIUM["clean"]
        if word in each.model
    ]
    return _shared((row for row in rows if row[0][1] != row[0][2]), ("word", *PROTOCOLS))


def _switched(facts: Recipe) -> dict[str, tuple[object, object]]:
    """Word -> its value in the published and in the clean protocol, where the method itself decides about one of them."""
    clean = (
        {word: getattr(facts, word) for word in facts.published if hasattr(facts, word)}
        | dict(facts.model)
        | PROTOCOLS["clean"]
    )
    published = {word: getattr(facts, word) for word in ("target", "scale")} | dict(facts.published)
    return {word: (value, clean[word]) for word, value in published.items()}


def deviations() -> "pd.DataFrame":
    """Where methods depart from their papers and code; what several share stands once."""
    return _shared(
        (((text,), each.title) for each in reviewed() for text in each.deviations), ("deviation",)
    )


TABLES: Mapping[str, Callable[[], "pd.DataFrame"]] = {
    "methods": methods,
    "inputs": inputs,
    "architectures": architectures,
    "training": training,
    "parameters": parameters,
    "origins": origins,
    "protocols": protocols,
    "deviations": deviations,
}


def table(name: str) -> "pd.DataFrame":
    """A table by its name; an unknown name lists the known ones."""
    if name not in TABLES:
        raise BadInput(f"unknown table {name!r}; known: {', '.join(TABLES)}")
    return TABLES[name]()


def as_text(frame: "pd.DataFrame") -> str:
    """A table for a terminal: columns two spaces apart, long cells on several lines, numbers right."""
    from compendium.book.notebook.show import cell_text

    rows = [
        list(map(str, frame.columns)),
        *([cell_text(value) for value in row] for row in frame.itertuples(index=False, name=None)),
    ]
    cells = [[textwrap.wrap(text, CELL) or [""] for text in row] for row in rows]
    widths = [max(len(line) for row in cells for line in row[i]) for i in range(len(frame.columns))]
    right = [kind.kind in "if" for kind in frame.dtypes]
    lines = [
        _line(part, widths, right) for row in cells for part in zip_longest(*row, fillvalue="")
    ]
    return "\n".join(lines)


def _line(texts: Iterable[str], widths: list[int], right: list[bool]) -> str:
    return "  ".join(
        text.rjust(width) if side else text.ljust(width)
        for text, width, side in zip(texts, widths, right, strict=True)
    ).rstrip()


def _table(rows: Iterable[dict[str, object]]) -> "pd.DataFrame":
    import pandas as pd

    return pd.DataFrame(list(rows))


def _words(words: Mapping[str, object]) -> str:
    return (
        ", ".join(f"{word} = {_number(value)}" for word, value in words.items()) or "as the recipe"
    )


def _number(value: object) -> str:
    """1e-6, not 1e-06."""
    return f"{value:g}".replace("e-0", "e-") if isinstance(value, float) else str(value)


def _shared(
    pairs: Iterable[tuple[tuple[str, ...], str]], columns: tuple[str, ...]
) -> "pd.DataFrame":
    """(facts, method) pairs as rows: the methods that share the facts stand in one."""
    together: dict[tuple[str, ...], list[str]] = {}
    for facts, method in pairs:
        together.setdefault(facts, []).append(method)
    return _table(
        {"method": "; ".join(titles)} | dict(zip(columns, facts, strict=True))
        for facts, titles in together.items()
    )


def _counts(facts: Recipe, genes: int) -> dict[str, int]:
    import torch

    with torch.device("meta"):  # there a tensor has a shape and nothing else
        shape = ModelSpec(
            genes,
            torch.zeros(genes),
            facts.target,
            CLASSES,
            tile_px=facts.tile_px,
            encoder=facts.encoder,
            weights=encoders.RANDOM,
        )
        built = facts.build(shape, **facts.model)
    return {"all": count(built), "trained": count(built, trainable=True)}
