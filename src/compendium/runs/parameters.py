"""Names, types and bounds of the parameters of a run, and what the two protocols set them to."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from typing import Annotated, Any, Literal, get_args

from pydantic import BaseModel, Field, ValidationError, create_model
from pydantic.fields import FieldInfo

from compendium.data.splits import Split
from compendium.data.targets.transforms import TRANSFORMS
from compendium.data.windows import WHOLE, WINDOWS
from compendium.errors import BadInput, did_you_mean
from compendium.images import encoders
from compendium.images.augment.families import FAMILIES
from compendium.images.stain.store import AS_IT_IS, STAINS
from compendium.images.tissue_filter import EVERY, SPOTS
from compendium.methods import Recipe
from compendium.methods.registry import NONE, OWN, Config

PROTOCOLS: dict[str, dict[str, str | bool]] = {
    "published": {
        "split": "section-out",
        "panel": "hvg_769",
        "stain_test": False,
        "encoder": OWN,
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
    },
}
"""Parameters that a protocol sets; it leaves others as the method's recipe says."""

VISIUM = {
    "published": {"positions": 128, "prune": "NA"},
    "clean": {"positions": 128, "metric": "hexagonal", "k": 6},
}
"""Parameters that a protocol sets for section methods where all sections are Visium slides."""

FROZEN_TILE_PX = 224
"""Side in pixels of the tiles behind frozen features, the same for every method."""

AtLeastOne = Annotated[int, Field(ge=1)]
AtLeastZero = Annotated[int, Field(ge=0)]
Real = Annotated[float, Field(allow_inf_nan=False)]
NotNegative = Annotated[float, Field(ge=0, allow_inf_nan=False)]
AboveZero = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Share = Annotated[float, Field(ge=0, lt=1, allow_inf_nan=False)]


class Parameters(BaseModel, extra="forbid", strict=True, protected_namespaces=()):
    """Parameters of every run with their bounds; None stands for what the recipe says."""

    panel: str = ""
    seed: int = 0
    encoder: str = ""
    weights: str = ""
    protocol: Literal["published", "clean"] = "clean"
    budget: Literal["smoke", "laptop", "full"] = "laptop"
    members: AtLeastOne = 1
    spots: Literal[SPOTS] = EVERY
    stain: Literal[(AS_IT_IS, *STAINS)] = AS_IT_IS
    stain_test: bool = True
    tile_um: NotNegative = 0.0
    windows: Literal[WINDOWS] = WHOLE
    checkpoint_activations: bool = False
    target: Literal[TRANSFORMS] = None
    tile_px: AtLeastOne = None
    scale: Literal[encoders.SCALES] = None
    augment: Literal[tuple(FAMILIES)] = None
    permute: bool = None
    optimiser: Literal["adam", "adamw", "sgd"] = None
    lr: AboveZero = None
    momentum: Real = None
    weight_decay: Real = None
    lr_decay: AboveZero = None
    lr_every: AtLeastZero = None
    batch: AtLeastOne = None
    epochs: AtLeastZero = None


def defaults(facts: Recipe) -> dict[str, Any]:
    """Return every parameter of a method's runs with the value of its recipe; no encoder yet."""
    fields = Parameters.model_fields.items()
    values = {name: getattr(facts, name, each.default) for name, each in fields}
    return values | {"encoder": ""} | facts.model


def resolved(facts: Recipe, protocol: str, budget: str, encoder: str, visium: bool) -> dict:
    """Return parameters before any is given: those of recipe, budget, protocol and array.

    Parameters
    ----------
    facts, protocol, budget, encoder
        Recipe of the method, and what the run takes with it.
    visium
        Whether all sections are Visium slides.
    """
    values = defaults(facts) | {"laptop": facts.laptop, "smoke": facts.smoke, "full": {}}[budget]
    values |= facts.published if protocol == "published" else {}
    presets = PROTOCOLS[protocol] | (VISIUM[protocol] if visium and facts.unit == "section" else {})
    values |= {name: value for name, value in presets.items() if name in values}
    return values | ({} if encoder == OWN else {"tile_px": FROZEN_TILE_PX, "augment": "none"})


def parse(facts: Recipe, split: Split, given: Mapping[str, object]) -> tuple[dict, list[str]]:
    """Check parameters against their types, bounds and choices, and against method and split.

    Parameters
    ----------
    facts, split
        Recipe of the method, and split.
    given
        Parameters by name.

    Returns
    -------
    The parameters (an integer where a float is wanted becomes one), and every mistake.
    """
    mistakes = _conflicts(facts, split, given)
    model = _parameters_of(facts.config, facts.optimiser == "closed form")
    try:
        return model(**given).model_dump(exclude_unset=True), mistakes
    except ValidationError as error:
        return {}, [_mistake(each, model.model_fields) for each in error.errors()] + mistakes


@cache
def _parameters_of(config: Config, closed_form: bool) -> type[Parameters]:
    """Parameters of the runs of a method, those of its architecture among them."""
    bounded = {int: AtLeastOne, float: NotNegative}
    types = {name: type(value) for name, value in vars(config).items()}
    types = {name: bounded.get(kind, kind) for name, kind in types.items()}
    types |= {name: Literal[known] for name, known in config.choices().items()}
    types |= {"dropout": Share} if "dropout" in types else {}
    types |= {"optimiser": Literal["closed form"]} if closed_form else {}
    fields = {name: (kind, None) for name, kind in types.items()}
    return create_model("Parameters", __base__=Parameters, **fields)


def _mistake(error: Mapping, fields: Mapping[str, FieldInfo]) -> str:
    name, value = error["loc"][0], error["input"]
    if error["type"] == "extra_forbidden":
        near = did_you_mean(name, fields).strip()
        return f"there is no parameter {name!r} ({near or 'known: ' + ', '.join(fields)})"
    near = did_you_mean(str(value), get_args(fields[name].annotation)).strip()
    wanted = error["msg"].removeprefix("Input should be ")
    return f"{name} is {value!r} but must be {wanted}{f' ({near})' if near else ''}"


def _conflicts(facts: Recipe, split: Split, given: Mapping[str, object]) -> list[str]:
    """Parameters that a method or a split cannot be combined with."""
    usual = Parameters()
    found = [
        f"{name}={given[name]} is for methods that see all spots of a section, and this one sees"
        " one spot at a time; leave it out"
        for name in ("windows", "checkpoint_activations")
        if facts.unit == "spot" and name in given and given[name] != getattr(usual, name)
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
    chosen = asked or PROTOCOLS[protocol]["encoder"]
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
