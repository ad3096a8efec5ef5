"""What pages print of a method, read when it is asked for from descriptions/NAME.yaml.

Nothing of it enters the identity of a run. A file may be `like` another method: what it does not
state is that method's, and its deviations come after those of that method. In its lists a name
stands for a step or deviation of descriptions/shared.yaml.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any, ClassVar, Literal

from compendium.errors import BadInput
from compendium.methods.registry import recipe
from compendium.texts import checked, read_yaml, template

FOLDER = Path(__file__).with_name("descriptions")
SHARED = "shared"


class Checked:
    """Keys that a file may hold: the fields and no others."""

    __pydantic_config__: ClassVar[dict] = {"extra": "forbid"}


@dataclass(frozen=True)
class Step(Checked):
    """One box of a method's drawing, in the order of computation."""

    part: Literal[
        "encoder", "context", "distribution", "head", "training", "loss", "tile", "expression"
    ]
    """Encoder of one tile, context between spots, distribution of a count, head to the genes,
    training only, loss (where it is taken, if not at the expression), or one of the two ends."""
    title: str
    """First line; `{layers}` stands for that parameter of the config."""
    detail: str = ""
    """Further lines, filled in likewise."""
    frozen: bool = False
    """Whether it keeps the weights that it came with."""
    side: Literal["", "in", "out"] = ""
    """"out" for a branch fed by the step before it, "in" for one that feeds that step."""


@dataclass(frozen=True)
class Deviation(Checked):
    """One departure from a paper or from its code."""

    what: str
    """The thing that differs."""
    here: str
    """How it is here."""
    paper: str
    """How it is in the paper, or in the code where that is said."""
    reason: str = ""
    """Why it differs, or how the published way is had."""


@dataclass(frozen=True)
class Description(Checked):
    """What pages print of a method."""

    title: str
    """Name in tables and figures."""
    summary: str
    """One or two sentences."""
    citation: str = ""
    """Key in book/references.bib."""
    loss: str = ""
    """Loss; `{zinb}` stands for that parameter of the config."""
    augmentation: str = ""
    """What the augmentation family does not say, filled in likewise."""
    flow: tuple[Step, ...] = ()
    """Steps of the drawing from tile to expression; () draws it from the recipe."""
    evaluated: str = ""
    """Data that its authors evaluated it on."""
    compared: tuple[str, ...] = ()
    """Methods that its authors compared it with."""
    deviations: tuple[Deviation, ...] = ()
    """Departures from the paper."""


@dataclass(frozen=True)
class Shared(Checked):
    """Steps and deviations of several methods by the names that their files list them with."""

    flow: dict[str, Step] = field(default_factory=dict)
    deviations: dict[str, Deviation] = field(default_factory=dict)


def describe(name: str) -> Description:
    """Return what pages print of a method; `{layers}` is filled in from its config.

    Raises
    ------
    BadInput
        Where no method has this name, as in `recipe`; where its file is missing, with all that is
        wrong in it, or where it fills in what is no parameter.
    """
    parameters, text = recipe(name).model, stated(name)
    try:
        flow = tuple(_filled(step, ("title", "detail"), parameters) for step in text.flow)
        return replace(_filled(text, ("loss", "augmentation"), parameters), flow=flow)
    except (LookupError, ValueError, TypeError) as error:
        raise BadInput(f"{_path(name)} fills in {error}; known: {', '.join(parameters)}") from error


def _filled(text: Any, names: tuple[str, ...], parameters: Mapping[str, object]) -> Any:
    texts = {name: template(getattr(text, name)) for name in names}
    return replace(text, **{name: each.format_map(parameters) for name, each in texts.items()})


@cache
def stated(name: str) -> Description:
    """Read the file of a method; nothing is filled in."""
    return _stated(name, ())


def _stated(name: str, variants: tuple[str, ...]) -> Description:
    """Read the file of a method that `variants` are like, the nearest last."""
    if name in variants:
        circle = " is like ".join([*variants, name])
        raise BadInput(f"{_path(name)}: {circle}; give one of them texts of its own")
    own = _parsed(name)
    if "like" not in own:
        return _checked(name, own)
    base = vars(_stated(str(own.pop("like")), (*variants, name)))
    text = _checked(name, base | {"deviations": ()} | own)
    return replace(text, deviations=base["deviations"] + text.deviations)


def _checked(name: str, facts: Mapping[str, Any]) -> Description:
    """Put the shared parts in place of their names, and check all types."""
    named = {
        kind: _with_shared(facts.get(kind, ()), parts) for kind, parts in vars(_shared()).items()
    }
    mend = f"correct it, with names of {SHARED}.yaml or parts written out in lists"
    return checked(Description, {**facts, **named}, _path(name), mend)


def _with_shared(listed: Any, parts: Mapping[str, Any]) -> Any:
    if not isinstance(listed, list):
        return listed
    return [parts.get(each, each) if isinstance(each, str) else each for each in listed]


@cache
def _shared() -> Shared:
    return checked(Shared, _parsed(SHARED), _path(SHARED))


def _parsed(name: str) -> dict[str, Any]:
    path = _path(name)
    if not path.is_file():
        raise BadInput(f"method {name} has no description; write {path}")
    parsed = read_yaml(path)
    if not isinstance(parsed, dict):
        raise BadInput(f"{path} states nothing; give at least title and summary")
    return parsed


def _path(name: str) -> Path:
    return FOLDER / f"{name}.yaml"
