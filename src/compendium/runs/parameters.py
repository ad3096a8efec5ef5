"""Names, types and bounds of the parameters of a run, and what the two protocols set them to."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from typing import TYPE_CHECKING, Literal

from compendium.data.splits import Split
from compendium.data.targets.transforms import TRANSFORMS
from compendium.data.windows import WHOLE, WINDOWS
from compendium.errors import BadInput, did_you_mean
from compendium.images import encoders
from compendium.images.augment.families import FAMILIES
from compendium.images.stain.store import AS_IT_IS, STAINS
from compendium.images.tissue_filter import EVERY, SPOTS
from compendium.methods import Recipe
from compendium.methods.registry import NONE, OWN

if TYPE_CHECKING:
    from pydantic import BaseModel

BUDGETS = ("smoke", "laptop", "full")
PROTOCOLS: dict[str, dict[str, str | bool | None]] = {
    "published": {
        "split": "section-out",
        "panel": "hvg_769",
        "target": None,
        "scale": None,
        "spots": None,
        "stain": None,
        "stain_test": False,
        "encoder": OWN,
        "budget": "full",
    },
    "clean": {
        "split": "patient-out",
        "panel": "hvg(300)",
        "target": "wide",
        "scale": "normalised",
        "spots": EVERY,
        "stain": AS_IT_IS,
        "stain_test": True,
        "encoder": encoders.FROZEN,
        "budget": "full",
    },
}
"""Parameters that a protocol sets; None leaves what the method's recipe says."""

VISIUM = {
    "published": {"positions": 128, "prune": "NA"},
    "clean": {"positions": 128, "metric": "hexagonal", "k": 6},
}
"""Parameters that a protocol sets for section methods where all sections are Visium slides."""

FROZEN_TILE_PX = 224
"""Side in pixels of the tiles behind frozen features, the same for every method."""

RECIPE_FIELDS = (
    "target tile_px scale augment permute optimiser lr momentum weight_decay lr_decay lr_every"
    " batch epochs"
).split()
RUN_DEFAULTS = {
    "members": 1,
    "spots": EVERY,
    "stain": AS_IT_IS,
    "stain_test": True,
    "tile_um": 0.0,
    "windows": WHOLE,
    "checkpoint_activations": False,
}
NAMED_DEFAULTS = {"panel": "", "seed": 0, "encoder": "", "weights": ""}
CHOICES = {
    "protocol": tuple(PROTOCOLS),
    "budget": BUDGETS,
    "target": TRANSFORMS,
    "augment": tuple(FAMILIES),
    "scale": encoders.SCALES,
    "spots": SPOTS,
    "stain": (AS_IT_IS, *STAINS),
    "windows": WINDOWS,
    "optimiser": ("adam", "adamw", "sgd"),
}
AT_LEAST_ONE, AT_LEAST_ZERO, ABOVE_ZERO = (("ge", 1),), (("ge", 0),), (("gt", 0),)
BOUNDS = {
    "tile_px": AT_LEAST_ONE,
    "batch": AT_LEAST_ONE,
    "members": AT_LEAST_ONE,
    "epochs": AT_LEAST_ZERO,
    "lr_every": AT_LEAST_ZERO,
    "tile_um": AT_LEAST_ZERO,
    "lr": ABOVE_ZERO,
    "lr_decay": ABOVE_ZERO,
    "dropout": (("ge", 0), ("lt", 1)),
}
SECTION_ONLY = ("windows", "checkpoint_activations")


def defaults(facts: Recipe) -> dict[str, int | float | bool | str]:
    """Return every parameter of a method's runs with the value of its recipe."""
    return RUN_DEFAULTS | {name: getattr(facts, name) for name in RECIPE_FIELDS} | facts.model


def parse(facts: Recipe, given: Mapping[str, object]) -> tuple[dict, list[str]]:
    """Check parameters against their types, bounds and choices.

    Parameters
    ----------
    facts
        Recipe of the method.
    given
        Parameters by name.

    Returns
    -------
    The parameters (an integer where a float is wanted becomes one), and every mistake.
    """
    from pydantic import ValidationError

    try:
        return _model(_fields(facts))(**given).model_dump(exclude_unset=True), []
    except ValidationError as error:
        known = [*NAMED_DEFAULTS, "protocol", "budget", *defaults(facts)]
        return {}, [_mistake(each, facts, known) for each in error.errors()]


def _fields(facts: Recipe) -> tuple[tuple, ...]:
    """Name, type, bounds and choices of every parameter, as something that can be looked up."""
    choices = CHOICES | dict(facts.choices)
    if facts.optimiser == "closed form":
        choices["optimiser"] = ("closed form",)
    types = {name: type(value) for name, value in (NAMED_DEFAULTS | defaults(facts)).items()}
    model_bounds = {int: AT_LEAST_ONE, float: AT_LEAST_ZERO}
    bounds = {name: model_bounds.get(types[name], ()) for name in facts.model} | BOUNDS
    return tuple(
        (name, types.get(name, str), bounds.get(name, ()), tuple(choices.get(name, ())))
        for name in dict.fromkeys([*types, *choices])
    )


@cache
def _model(fields: tuple[tuple, ...]) -> "type[BaseModel]":
    from pydantic import ConfigDict, Field, create_model

    return create_model(
        "Parameters",
        __config__=ConfigDict(extra="forbid", strict=True, protected_namespaces=()),
        **{
            name: (
                Literal[choices] if choices else kind,
                Field(None, **dict(bounds), **({"allow_inf_nan": False} if kind is float else {})),
            )
            for name, kind, bounds, choices in fields
        },
    )


def _mistake(error: Mapping, facts: Recipe, known: list[str]) -> str:
    name, value = error["loc"][0], error["input"]
    if error["type"] == "extra_forbidden":
        near = did_you_mean(name, known).strip()
        return f"there is no parameter {name!r} ({near or 'known: ' + ', '.join(known)})"
    choices = (CHOICES | dict(facts.choices)).get(name, ())
    near = did_you_mean(str(value), choices).strip()
    wanted = error["msg"].removeprefix("Input should be ")
    return f"{name} is {value!r} but must be {wanted}{f' ({near})' if near else ''}"


def conflicts(facts: Recipe, split: Split, given: Mapping[str, object]) -> list[str]:
    """Describe parameters that a method or a split cannot be combined with."""
    found = [
        f"{name}={given[name]} is for methods that see all spots of a section, and this one sees"
        " one spot at a time; leave it out"
        for name in SECTION_ONLY
        if facts.unit == "spot" and given.get(name, RUN_DEFAULTS[name]) != RUN_DEFAULTS[name]
    ]
    if split.match and given.get("target") == "sct":
        found.append(
            f"target=sct cannot be trained on {split.rule}, whose training sets are made equally"
            " deep: Seurat's corrected counts are of full depth; give another target or split"
        )
    return found


def encoder_of(facts: Recipe, asked: str, protocol: str) -> str:
    """Resolve the encoder of a run.

    Parameters
    ----------
    facts
        Recipe of the method; a control that defines its own input keeps it.
    asked
        Encoder that was asked for, "" for none.
    protocol
        Protocol, whose encoder is taken where none was asked for.

    Raises
    ------
    BadInput
        If the method cannot work on what was asked for.
    """
    if facts.frozen:
        return facts.frozen
    if asked == NONE:
        raise BadInput(
            f"it cannot learn without an image; give encoder={OWN} or a timm name,"
            f" e.g. {encoders.FROZEN}"
        )
    chosen = asked or str(PROTOCOLS[protocol]["encoder"])
    if not facts.control or chosen != OWN:
        return chosen
    if asked:
        raise BadInput(
            "it works on frozen features and has no encoder of its own;"
            f" give a timm name, e.g. {encoders.FROZEN}"
        )
    return encoders.FROZEN


@contextmanager
def collected(mistakes: list[str]) -> Iterator[None]:
    """Add the mistake that the block reports to the others, and go on."""
    try:
        yield
    except BadInput as error:
        mistakes.append(str(error))
