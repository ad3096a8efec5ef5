"""Tables of the methods from their registrations, in the forms of the benchmark's S1, S2 and S4.

Controls stand in the first table only.
"""

import re
import textwrap
from collections.abc import Callable, Mapping, Sequence
from dataclasses import astuple
from itertools import zip_longest

import pandas as pd

from compendium.data.targets.transforms import REGISTRY
from compendium.errors import BadInput
from compendium.evaluation.training_choice import choose, recorded
from compendium.images import encoders
from compendium.images.augment.families import FAMILIES
from compendium.images.tissue_filter import EVERY
from compendium.methods import Recipe, Step, describe, names, recipe
from compendium.methods.description import Description
from compendium.methods.layers import ModelSpec
from compendium.methods.registry import OWN
from compendium.runs.execution import count
from compendium.runs.run import PROTOCOLS, VISIUM

BENCHMARK = "jiang2023benchmark"
PANELS = (785, 12)  # the two numbers of genes that published parameter counts are given for
CLASSES = 2
CELL = 56  # characters of a cell's line in a terminal
EXAMPLE = {"spot": "each spot alone", "section": "all spots of a section"}
LEFT_OUT = {
    EVERY: "none",
    "stimage": "tiles with little tissue (spots=stimage)",
    "deepspace": "mostly white tiles (spots=deepspace)",
}


def reviewed() -> list[str]:
    """List the methods without controls: those of other papers by year, then the variants."""
    found = [name for name in names() if not recipe(name).control]
    return sorted(found, key=lambda name: (describe(name).citation == BENCHMARK, year(name)))


def year(name: str) -> int:
    """Return the year in the citation key of a method; 0 where there is none."""
    found = re.search(r"(?:19|20)\d\d", describe(name).citation)
    return int(found[0]) if found else 0


def steps(name: str) -> tuple[Step, ...]:
    """Return the steps of a method's drawing, made from its recipe where it registered none."""
    facts, text = recipe(name), describe(name)
    if text.flow:
        return text.flow
    found = [
        Step("encoder", facts.encoder or facts.frozen or "layers of its own"),
        Step("context", EXAMPLE["section"] + " together"),
        Step("head", text.title, text.summary),
    ]
    return tuple(step for step in found if step.part != "context" or facts.unit == "section")


def part(name: str, which: str) -> str:
    """List the steps of one part, e.g. "8 transformer blocks, 4 graph layers"."""
    return ", ".join(step.title + _origin(step) for step in steps(name) if step.part == which)


def _origin(step: Step) -> str:
    """Where the weights of a step come from, if not from its own training."""
    origins = {"pre-trained on ImageNet": "ImageNet" in step.detail, "frozen": step.frozen}
    found = [origin for origin, holds in origins.items() if holds]
    return f" ({', '.join(found)})" if found else ""


def methods() -> pd.DataFrame:
    """Tabulate every registered method, controls last."""
    controls = [name for name in names() if recipe(name).control]
    return pd.DataFrame([_overview(name) for name in (*reviewed(), *controls)])


def _overview(name: str) -> dict[str, object]:
    facts, text = recipe(name), describe(name)
    default = "frozen" if facts.control else "layers of its own"
    return {
        "name": name,
        "method": text.title,
        "unit": facts.unit,
        "encoder": facts.encoder or facts.frozen or default,
        "target": facts.target,
        "optimiser": facts.optimiser,
        "citation": text.citation or "control",
    }


def _table(row: Callable[[Recipe, Description], Mapping[str, object]]) -> pd.DataFrame:
    """One row of each reviewed method, its title first."""
    found = [(recipe(name), describe(name)) for name in reviewed()]
    return pd.DataFrame([{"method": text.title} | row(facts, text) for facts, text in found])


def inputs() -> pd.DataFrame:
    """Tabulate tile, augmentation, expression, and spots left out as published (Table S1)."""
    return _table(
        lambda facts, text: {
            "tile, px": facts.tile_px,
            "pixel values": facts.scale,
            "one example is": EXAMPLE[facts.unit],
            "augmentation": augmentation(facts, text),
            "expression": REGISTRY[facts.target].formula,
            "spots left out, as published": LEFT_OUT[str(facts.published.get("spots", EVERY))],
        }
    )


def augmentation(facts: Recipe, text: Description) -> str:
    """Join what the family does to a tile and what the description adds."""
    found = (FAMILIES[facts.augment].summary, text.augmentation)
    return "; ".join(filter(None, found)) or "none"


def architectures() -> pd.DataFrame:
    """Tabulate encoder, loss, and what lies between them (Table S2)."""
    columns = {
        "image encoder": "encoder",
        "between spots": "context",
        "distribution": "distribution",
        "head": "head",
        "only in training": "training",
    }
    return _table(
        lambda facts, text: (
            {column: part(facts.name, which) for column, which in columns.items()}
            | {"loss": text.loss}
        )
    )


def training() -> pd.DataFrame:
    """Tabulate the optimiser of the recipe, and the changes of the budget laptop."""
    return _table(lambda facts, text: _training(facts))


def _training(facts: Recipe) -> dict[str, object]:
    momentum = f", momentum {facts.momentum:g}" if facts.momentum else ""
    decay = f"x {facts.lr_decay:g} every {facts.lr_every} epochs" if facts.lr_every else "constant"
    laptop = ", ".join(f"{name} = {_number(value)}" for name, value in facts.laptop.items())
    return {
        "optimiser": facts.optimiser + momentum,
        "learning rate": _number(facts.lr),
        "schedule": decay,
        "weight decay": _number(facts.weight_decay),
        "batch": f"{facts.batch} {facts.unit}{'s' if facts.batch > 1 else ''}",
        "epochs": facts.epochs,
        "in budget laptop": laptop or "as the recipe",
    }


def choices() -> pd.DataFrame:
    """Tabulate how rates and steps of the budget laptop were chosen, on synthetic sections."""
    chosen = choose(recorded())
    titles = [describe(name).title for name in chosen["method"]]
    shown = {name: chosen[name].map("{:.4g}".format) for name in ("start", "best")}
    answers = {True: "yes", False: "no"}
    shown |= {name: chosen[name].map(answers) for name in ("at_the_end", "at_the_edge")}
    chosen = chosen.assign(method=titles, lr=chosen["lr"].map(_number), **shown)
    headings = {"lr": "learning rate", "start": "loss at the start", "best": "lowest loss"}
    return chosen.rename(columns=lambda name: headings.get(name, name.replace("_", " ")))


def parameters() -> pd.DataFrame:
    """Count parameters, all and trained, on networks that are built without numbers."""
    return _table(
        lambda facts, text: {
            f"{what}, {genes} genes": number
            for genes in PANELS
            for what, number in _counts(facts, genes).items()
        }
    )


def _counts(facts: Recipe, genes: int) -> dict[str, int]:
    import torch

    seen = {"tile_px": facts.tile_px, "encoder": facts.encoder, "weights": encoders.RANDOM}
    with torch.device("meta"):  # there a tensor has a shape and nothing else
        built = facts.build(ModelSpec(genes, torch.zeros(genes), facts.target, CLASSES, **seen))
    return {"all": count(built), "trained": count(built, trainable=True)}


def origins() -> pd.DataFrame:
    """Tabulate year, data and rivals of the first evaluation (Table S4)."""
    return _table(
        lambda facts, text: {
            "year": str(year(facts.name) or ""),
            "evaluated on": text.evaluated,
            "compared with": ", ".join(
                describe(name).title if name in names() else name for name in text.compared
            ),
            "citation": text.citation,
        }
    )


def protocols() -> pd.DataFrame:
    """Tabulate every parameter that the published and the clean protocol set differently."""
    rows = [{"method": "all", "parameter": name} | values for name, values in _presets().items()]
    rows += [
        {"method": describe(method).title, "parameter": name} | values
        for changes in (_own_parameters, _on_visium)
        for method in reviewed()
        for name, values in changes(recipe(method)).items()
    ]
    frame = pd.DataFrame(rows).astype(str)
    return _merged(frame[frame["published"] != frame["clean"]])


def _presets() -> dict[str, dict[str, object]]:
    """Parameter -> its value in each protocol."""
    return {
        name: {
            protocol: "the method's own" if preset.get(name, OWN) == OWN else preset[name]
            for protocol, preset in PROTOCOLS.items()
        }
        for name in PROTOCOLS["clean"]
    }


def _own_parameters(facts: Recipe) -> dict[str, dict[str, object]]:
    """As `_presets`, of the parameters that the method itself sets in one of them."""
    published = {"target": facts.target, "scale": facts.scale} | dict(facts.published)
    clean = facts.model | PROTOCOLS["clean"]
    return {
        name: {"published": value, "clean": clean.get(name, getattr(facts, name, None))}
        for name, value in published.items()
    }


def _on_visium(facts: Recipe) -> dict[str, dict[str, object]]:
    """As `_presets`, of the parameters that place spots on the Visium array."""
    changed = [name for name in VISIUM["published"] | VISIUM["clean"] if name in facts.model]
    return {
        f"{name}, on Visium slides": {
            protocol: VISIUM[protocol].get(name, facts.model[name]) for protocol in PROTOCOLS
        }
        for name in changed
        if facts.unit == "section"
    }


def deviations() -> pd.DataFrame:
    """Tabulate departures from papers and code; what several methods share stands once."""
    rows = [
        (describe(name).title, *astuple(each))
        for name in reviewed()
        for each in describe(name).deviations
    ]
    return _merged(pd.DataFrame(rows, columns=["method", "what", "here", "paper", "reason"]))


def _merged(frame: pd.DataFrame) -> pd.DataFrame:
    """Rows that differ in their method alone as one, in the order of the first."""
    columns = [name for name in frame.columns if name != "method"]
    titles = frame.groupby(columns, sort=False)["method"].agg("; ".join)
    return titles.reset_index()[list(frame.columns)]


TABLES: Mapping[str, Callable[[], pd.DataFrame]] = {
    "methods": methods,
    "inputs": inputs,
    "architectures": architectures,
    "training": training,
    "choices": choices,
    "parameters": parameters,
    "origins": origins,
    "protocols": protocols,
    "deviations": deviations,
}


def table(name: str) -> pd.DataFrame:
    """Make a table by its name; an unknown name lists the known ones."""
    if name not in TABLES:
        raise BadInput(f"unknown table {name!r}; known: {', '.join(TABLES)}")
    return TABLES[name]()


def as_text(frame: pd.DataFrame) -> str:
    """Format a table for a terminal: long cells on several lines, numbers right."""
    from compendium.book.notebook.show import cell_text

    rows = [
        list(map(str, frame.columns)),
        *([cell_text(value) for value in row] for row in frame.itertuples(index=False, name=None)),
    ]
    cells = [[textwrap.wrap(text, CELL) or [""] for text in row] for row in rows]
    widths = [max(len(line) for row in cells for line in row[i]) for i in range(len(frame.columns))]
    sides = [str.rjust if kind.kind in "if" else str.ljust for kind in frame.dtypes]
    lines = (line for row in cells for line in zip_longest(*row, fillvalue=""))
    return "\n".join(_line(line, widths, sides) for line in lines)


def _line(texts: Sequence[str], widths: list[int], sides: list[Callable]) -> str:
    padded = (side(text, width) for side, text, width in zip(sides, texts, widths, strict=True))
    return "  ".join(padded).rstrip()


def _number(value: object) -> str:
    """1e-6, not 1e-06."""
    return f"{value:g}".replace("e-0", "e-") if isinstance(value, float) else str(value)
