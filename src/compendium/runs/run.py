"""The Run: every parameter that decides a prediction, resolved, with an identity of its own."""

import dataclasses
import hashlib
import json
from dataclasses import dataclass
from functools import cache

import torch

from compendium import versions
from compendium.data.section import Section
from compendium.data.splits import Placed, Split, check_apart
from compendium.data.targets import seurat
from compendium.data.windows import PUBLISHED, WHOLE
from compendium.errors import BadInput
from compendium.images import encoders
from compendium.images.features import COLOUR, COORDINATES
from compendium.images.stain.store import AS_IT_IS
from compendium.images.tissue_filter import EVERY
from compendium.methods import describe, recipe
from compendium.methods.layers import ModelSpec
from compendium.methods.registry import NONE, OWN
from compendium.runs.parameters import PROTOCOLS, collected, defaults, encoder_of, parse, resolved

RESULT_WIDTH, RESULT_EPOCHS = 256, 50  # a section model below these is preliminary
IN_LINE = (*PROTOCOLS["clean"], "budget", "members", "tile_um", "windows")
PATIENTS_MAY_BE_SHARED = ("section-out", "matched-within")  # rules that clean runs too may use


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
    optimiser, lr, momentum, weight_decay, lr_decay, lr_every, batch, epochs
        Training.
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
    """

    cohort: str
    method: str
    split: Split
    panel: str
    seed: int
    protocol: str
    budget: str
    target: str
    encoder: str
    weights: str
    tile_px: int
    scale: str
    augment: str
    permute: bool
    optimiser: str
    lr: float
    momentum: float
    weight_decay: float
    batch: int
    epochs: int
    model: tuple[tuple[str, int | float | bool | str], ...]
    lr_decay: float = 1.0
    lr_every: int = 0
    members: int = 1
    spots: str = EVERY
    stain: str = AS_IT_IS
    stain_test: bool = True
    tile_um: float = 0.0
    windows: str = WHOLE
    checkpoint_activations: bool = False

    @property
    def title(self) -> str:
        """Title of a row; a published method on frozen features is called a head on them."""
        facts, title, suffix = recipe(self.method), describe(self.method).title, ""
        tuned = dict(self.model).get("tuned")
        title = title.replace("frozen", "tuned") if tuned else title
        if not facts.control and self.encoder != OWN:
            suffix = " head on frozen features" if facts.unit == "spot" else " on frozen features"
        return title + suffix + (f", mean of {self.members} fits" if self.members > 1 else "")

    @property
    def line(self) -> str:
        """Protocol with its exceptions, e.g. `clean, except split = section-out`."""
        facts = recipe(self.method)
        preset = defaults(facts) | facts.published | PROTOCOLS[self.protocol] | {"budget": "full"}
        preset |= {"encoder": encoder_of(facts, "", self.protocol)}
        preset |= {"windows": PUBLISHED} if self.protocol == self.windows == PUBLISHED else {}
        now = vars(self) | {"split": self.split.rule}
        changed = [f"{name} = {now[name]}" for name in IN_LINE if now[name] != preset[name]]
        return f"{self.protocol}, except {', '.join(changed)}" if changed else self.protocol

    @property
    def result(self) -> bool:
        """Whether the run meets the minimum training criterion; below it a run is preliminary."""
        facts = recipe(self.method)
        if facts.control or self.budget == "smoke":
            return facts.control
        width = dict(self.model).get("width", RESULT_WIDTH)
        return self.epochs >= RESULT_EPOCHS and (facts.unit == "spot" or width >= RESULT_WIDTH)

    def versions(self) -> dict[str, int]:
        """Return the version of the method and of every stage that the run passes through."""
        passed = {"inputs", "fit"}
        passed |= {"features"} if self.encoder not in (OWN, NONE, COORDINATES) else set()
        passed |= {"stain"} if self.stain != AS_IT_IS else set()
        return {"method": recipe(self.method).version} | {
            stage: version for stage, version in versions.stages().items() if stage in passed
        }

    def identity(self, sections: list[Section]) -> str:
        """Compute the identity of the run on some sections.

        Returns
        -------
        Checksum of every field that differs from its default, the versions of the stages, the
        encoder's weights, and the content of the sections (of corrected counts too for sct).
        """
        default = {each.name: each.default for each in dataclasses.fields(self)}
        facts = {
            name: value
            for name, value in dataclasses.asdict(self).items()
            if value != default[name]
        } | {"data": {s.name: s.digest for s in sections}, "stages": self.versions()}
        if self.encoder not in (NONE, COLOUR, COORDINATES):
            name = recipe(self.method).encoder if self.encoder == OWN else self.encoder
            facts["weights"] = encoders.weights_id(name, self.weights) if name else ""
        if self.target == "sct":
            facts["corrected"] = {s.name: seurat.checksum(s) for s in sections}
        return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:16]


def plan_run(
    cohort: str, split: Split, method: str, *, sections: list[Placed], **parameters
) -> Run:
    """Resolve a run from recipe, budget, protocol and parameters, in this order.

    Controls that define their own input keep it whatever `encoder` says. On frozen features all
    methods see the same tiles and do not augment them unless `augment` is given. A method in closed
    form has one member.

    Parameters
    ----------
    cohort, split, method
        What is fitted, and on which sections.
    sections
        Sections of the cohort, or their entries in the catalogue.
    **parameters
        Any other field of Run, or parameter of the method's architecture: by default protocol
        clean, budget laptop and seed 0. panel and encoder may be "" for those of the protocol.

    Raises
    ------
    BadInput
        If the method is unknown, or with every mistake in the parameters at once.
    """
    facts = recipe(method)
    given, mistakes = parse(facts, split, parameters)
    asked = defaults(facts) | parameters
    protocol, encoder = asked["protocol"], asked["encoder"]
    if protocol == "clean" and split.rule not in PATIENTS_MAY_BE_SHARED:
        with collected(mistakes):
            check_apart(split, sections)
    if protocol in PROTOCOLS:
        with collected(mistakes):
            encoder = encoder_of(facts, encoder, protocol)
    _refuse(method, mistakes)
    values = resolved(facts, protocol, asked["budget"], encoder, _visium(split, sections)) | given
    values |= {"encoder": encoder, "panel": asked["panel"] or PROTOCOLS[protocol]["panel"]}
    values |= {"members": 1, "augment": "none"} if facts.optimiser == "closed form" else {}
    values |= {"stain": AS_IT_IS} if encoder in (NONE, COORDINATES) else {}
    model = tuple(sorted((name, values.pop(name)) for name in facts.model))
    run = Run(cohort=cohort, split=split, method=method, model=model, **values)
    _refuse(method, _cannot_be_built(run))
    return run


def _refuse(method: str, mistakes: list[str]) -> None:
    if mistakes:
        raise BadInput(f"method {method}: {'; '.join(mistakes)}")


def _visium(split: Split, sections: list[Placed]) -> bool:
    """Return whether all sections of a split have a hexagonal array."""
    names = {*split.train, *split.valid, *split.test}
    return all(section.array == "hexagonal" for section in sections if section.name in names)


def _cannot_be_built(run: Run) -> list[str]:
    """Reasons why encoder or method cannot be built, found before the first fit."""
    mistakes: list[str] = []
    if run.augment != "none" and run.encoder != OWN and dict(run.model).get("distill"):
        mistakes.append(
            "it distils views of the section and cannot train on augmented features as well;"
            " give augment=none, or distill=0"
        )
    name = recipe(run.method).encoder if run.encoder == OWN else run.encoder
    if name not in ("", NONE, COLOUR, COORDINATES):
        with collected(mistakes):
            encoders.check(name, run.weights)
    with collected(mistakes):
        tile_px = run.tile_px if run.encoder == OWN else 0
        _build_without_numbers(run.method, run.target, tile_px, run.model)
    return mistakes


@cache
def _build_without_numbers(method: str, target: str, tile_px: int, model: tuple) -> None:
    """Let the method refuse parameters that do not fit each other (tile_px=0: frozen features)."""
    facts = recipe(method)
    seen = (
        {"tile_px": tile_px, "encoder": facts.encoder, "weights": encoders.RANDOM}
        if tile_px
        else {"features": 8}
    )
    with torch.device("meta"):
        facts.build(ModelSpec(2, torch.zeros(2), target, classes=2, **seen), **dict(model))
