"""The Run: every parameter that decides a prediction, resolved, with an identity of its own."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from functools import cache
from typing import Annotated, Any, Literal, get_type_hints

from pydantic import BaseModel, ConfigDict, Field, create_model

from compendium import versions
from compendium.data.panels import chosen_among_seen
from compendium.data.section import Section
from compendium.data.splits import Split
from compendium.data.targets import seurat
from compendium.data.targets.transforms import TRANSFORMS
from compendium.data.windows import PUBLISHED, WHOLE, WINDOWS
from compendium.errors import BadInput
from compendium.images import encoders
from compendium.images.augment.families import FAMILIES
from compendium.images.features import WITHOUT_NETWORK
from compendium.images.stain.store import AS_IT_IS, STAINS
from compendium.images.tissue_filter import EVERY, SPOTS
from compendium.methods import Recipe, describe, recipe
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

IN_LINE = (*PROTOCOLS["clean"], "budget", "members", "tile_um", "windows", "precision")
PRECISIONS = ("float32", "bf16")

AtLeastOne = Annotated[int, Field(ge=1)]
AtLeastZero = Annotated[int, Field(ge=0)]
NotNegative = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Share = Annotated[float, Field(ge=0, lt=1, allow_inf_nan=False)]
AboveZero = Annotated[float, Field(gt=0, allow_inf_nan=False)]


@dataclass(frozen=True)
class Run:
    """One fit and its predictions; two runs with equal fields on equal data are the same run.

    Parameters
    ----------
    cohort, method, split, panel, seed
        What is fitted, on which sections and genes.
    protocol, budget
        What the parameters started from.
    target
        Transform of the counts that the method is trained towards.
    encoder, weights, scale
        Image encoder, its weights, and how it is shown the tiles.
    tile_px, tile_um
        Side of a tile in pixels, and in µm of tissue (0: tile_px pixels of the section's image).
    augment, permute
        Augmentation family, and whether the images of training sections are permuted.
    optimiser, lr, momentum, weight_decay, lr_decay, lr_every, batch
        Training.
    epochs, steps
        How long: either passes over the training examples, or, where it is not 0, the number of
        optimiser steps, however many examples there are; the other one is 0 then.
    model
        Parameters of the architecture, sorted by name.
    members
        Number of fits whose predictions are averaged.
    spots
        Filter of the training spots.
    stain, stain_test
        Stain map, and whether a normaliser maps sections that are not trained on too.
    windows
        Pieces in which a section method is shown a section (see compendium.data.windows).
    checkpoint_activations
        Whether a section method computes activations again for the gradient, to save memory.
    precision
        Of training by gradient and prediction: "bf16" takes bfloat16 where torch.autocast does;
        weights, likelihoods, closed forms, frozen features and stored predictions stay float32.
    """

    cohort: str
    method: str
    split: Split
    panel: str
    seed: int
    protocol: Literal[tuple(PROTOCOLS)]
    budget: Literal["smoke", "laptop", "full"]
    target: Literal[TRANSFORMS]
    encoder: str
    weights: str
    tile_px: AtLeastOne
    scale: Literal[encoders.SCALES]
    augment: Literal[tuple(FAMILIES)]
    permute: bool
    optimiser: Literal["adam", "adamw", "sgd", "closed form"]
    lr: AboveZero
    momentum: Share
    weight_decay: NotNegative
    batch: AtLeastOne
    epochs: AtLeastZero
    model: tuple[tuple[str, int | float | bool | str], ...]
    lr_decay: AboveZero = 1.0
    lr_every: AtLeastZero = 0
    members: AtLeastOne = 1
    spots: Literal[SPOTS] = EVERY
    stain: Literal[(AS_IT_IS, *STAINS)] = AS_IT_IS
    stain_test: bool = True
    tile_um: NotNegative = 0.0
    windows: Literal[WINDOWS] = WHOLE
    checkpoint_activations: bool = False
    precision: Literal[PRECISIONS] = "float32"
    steps: AtLeastZero = 0

    @property
    def title(self) -> str:
        """Title of a row; a published method on frozen features is called a head on them."""
        facts = recipe(self.method)
        title = describe(self.method).title
        if dict(self.model).get("tuned"):
            title = title.replace("frozen", "tuned")
        if not facts.control and self.encoder != OWN:
            title += " head on frozen features" if facts.unit == "spot" else " on frozen features"
        if self.members > 1:
            title += f", mean of {self.members} fits"
        return title

    @property
    def line(self) -> str:
        """Protocol with its exceptions, e.g. `clean, except split = section-out`."""
        facts = recipe(self.method)
        preset = defaults(facts) | facts.published | PROTOCOLS[self.protocol]
        preset["budget"] = "full"
        preset["encoder"] = encoder_of(facts, "", self.protocol)
        if self.protocol == "published" and self.windows == PUBLISHED:
            preset["windows"] = PUBLISHED  # as published, hence no exception
        now = vars(self) | {"split": self.split.rule}
        changed = [f"{name} = {now[name]}" for name in IN_LINE if now[name] != preset[name]]
        return f"{self.protocol}, except {', '.join(changed)}" if changed else self.protocol

    def versions(self) -> dict[str, int]:
        """Return the version of the method and of every stage that the run passes through."""
        passed = ["inputs", "fit"]
        if self.encoder not in (OWN, NONE):
            passed.append("features")
        if self.stain != AS_IT_IS:
            passed.append("stain")
        if chosen_among_seen(self.panel):
            passed.append("panel")
        if self.split.match:
            passed.append("matching")
        known = versions.stages().items()
        stages = {stage: version for stage, version in known if stage in passed}
        return {"method": recipe(self.method).version} | stages

    def identity(self, sections: list[Section]) -> str:
        """Compute the identity of the run on some sections.

        Returns
        -------
        Checksum of every field that differs from its default, the versions of the stages, the
        encoder's weights, and the content of the sections (of corrected counts too for sct).
        """
        default = {each.name: each.default for each in fields(self)}
        facts = {name: value for name, value in asdict(self).items() if value != default[name]}
        facts["data"] = {s.name: s.digest for s in sections}
        facts["stages"] = self.versions()
        if self.encoder not in (NONE, *WITHOUT_NETWORK):
            name = recipe(self.method).encoder if self.encoder == OWN else self.encoder
            facts["weights"] = encoders.weights_id(name, self.weights) if name else ""
        if self.target == "sct":
            facts["corrected"] = {s.name: seurat.checksum(s) for s in sections}
        return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:16]


def restored(stored: Mapping[str, Any]) -> Run:
    """Return a run from its fields as JSON has them.

    Raises
    ------
    TypeError, KeyError
        If they are of another version of compendium.
    """
    parts = stored["split"].items()
    split = {name: tuple(part) if isinstance(part, list) else part for name, part in parts}
    model = tuple(map(tuple, stored["model"]))
    return Run(**stored | {"split": Split(**split), "model": model})


UNSTATED = {
    "panel": "",
    "seed": 0,
    "protocol": "clean",
    "budget": "laptop",
    "encoder": "",
    "weights": "",
}
"""Parameters of runs of every method where none is given; see `encoder_of` for the encoder."""

PARAMETERS = {
    name: kind
    for name, kind in get_type_hints(Run, include_extras=True).items()
    if name not in ("cohort", "method", "split", "model")
}
"""Type and bounds of each parameter of a run that its method's recipe or the caller gives."""


def defaults(facts: Recipe) -> dict[str, Any]:
    """Return every parameter of a method's runs with the value of its recipe."""
    own = {name: getattr(facts, name, getattr(Run, name, None)) for name in PARAMETERS}
    return own | UNSTATED | facts.model


def resolved(facts: Recipe, protocol: str, budget: str, encoder: str, visium: bool) -> dict:
    """Return parameters before any is given: those of recipe, budget, protocol and array.

    Parameters
    ----------
    facts
        Recipe of the method.
    protocol, budget
        What the parameters start from.
    encoder
        Encoder of the run; frozen ones see tiles of one size, which are not augmented.
    visium
        Whether all sections are Visium slides.
    """
    budgets = {"smoke": facts.smoke, "laptop": facts.laptop, "full": {}}
    values = defaults(facts) | budgets[budget]
    if protocol == "published":
        values.update(facts.published)
    presets = PROTOCOLS[protocol]
    if visium and facts.unit == "section":
        presets = presets | VISIUM[protocol]
    values.update({name: value for name, value in presets.items() if name in values})
    if encoder != OWN:
        values.update(tile_px=FROZEN_TILE_PX, augment="none")
    return values


@cache
def parameters_of(config: Config, closed_form: bool) -> type[BaseModel]:
    """Return the model of the parameters of a method's runs, architecture among them."""
    bounded = {int: AtLeastOne, float: NotNegative}
    kinds = {name: type(value) for name, value in vars(config).items()}
    numbers = {name: bounded.get(kind, kind) for name, kind in kinds.items()}
    choices = {name: Literal[known] for name, known in config.choices().items()}
    types = PARAMETERS | numbers | choices
    if "dropout" in types:
        types["dropout"] = Share
    types["optimiser"] = Literal["closed form"] if closed_form else Literal["adam", "adamw", "sgd"]
    strict = ConfigDict(extra="forbid", strict=True, protected_namespaces=())
    given = {name: (kind, None) for name, kind in types.items()}
    return create_model("Parameters", __config__=strict, **given)


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
