"""The Run: every word that decides a prediction, resolved, with an identity of its own."""

import dataclasses
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

import torch

from compendium import versions
from compendium.data.section import Section
from compendium.data.splits import Placed, Split, check_apart
from compendium.data.targets import seurat
from compendium.data.windows import PUBLISHED, WHOLE, WINDOWS
from compendium.errors import BadInput, did_you_mean
from compendium.images import encoders
from compendium.images.augment.families import FAMILIES
from compendium.images.features import COLOUR, COORDINATES
from compendium.images.stain.store import AS_IT_IS, STAINS
from compendium.images.tissue_filter import EVERY, SPOTS
from compendium.methods import Recipe, recipe
from compendium.methods.layers import ModelSpec
from compendium.methods.registry import NONE, OWN

BUDGETS = ("smoke", "laptop", "full")
# A protocol presets words; None means: as the method's recipe says.
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
# Words of methods that place spots on the array, where all of a run's sections are Visium slides: as the benchmark had them; the array as it is, in hexagons.
VISIUM = {
    "published": {"positions": 128, "prune": "NA"},
    "clean": {"positions": 128, "metric": "hexagonal", "k": 6},
}
FROZEN_TILE_PX = 224  # every method that sees frozen features sees those of the same tiles
RESULT_WIDTH, RESULT_EPOCHS = 256, 50  # a section model below these is called smoke, not a result


@dataclass(frozen=True)
class Run:
    """One fit and its predictions. Two runs with equal fields on equal data are the same run.

    tile_um: how many µm of tissue a tile of tile_px shows; 0 for as many as tile_px of the section's image are. windows: in what pieces a method that sees all
    spots of a section is shown it (see compendium.data.windows). recompute: such a method keeps less for the gradient and computes it again, to the same numbers
    (see compendium.methods.layers.Stage).
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
    stain_test: bool = True  # whether a normaliser maps the sections that are not trained on too
    tile_um: float = 0.0
    windows: str = WHOLE
    recompute: bool = False

    @property
    def title(self) -> str:
        """What a row is called: a published method that sees frozen features is a head on them, not the method itself."""
        facts = recipe(self.method)
        title = (
            facts.title.replace("frozen", "tuned") if dict(self.model).get("tuned") else facts.title
        )
        on = (
            ""
            if facts.control or self.encoder == OWN
            else " head on frozen features"
            if facts.unit == "spot"
            else " on frozen features"
        )
        return title + on + (f", mean of {self.members} fits" if self.members > 1 else "")

    @property
    def line(self) -> str:
        """The protocol as a page names it, e.g. `clean, except split = section-out, budget = laptop`."""
        facts = recipe(self.method)
        own = {
            "target": facts.target,
            "scale": facts.scale,
            "spots": EVERY,
            "stain": AS_IT_IS,
        } | facts.published
        preset = {
            word: own[word] if value is None else value
            for word, value in PROTOCOLS[self.protocol].items()
        }
        preset |= {
            "encoder": _encoder(facts, "", self.protocol),
            "members": 1,
            "tile_um": 0.0,
            "windows": PUBLISHED if self.protocol == self.windows == PUBLISHED else WHOLE,
        }
        changed = [
            f"{word} = {now}"
            for word, value in preset.items()
            if (now := self.split.rule if word == "split" else getattr(self, word)) != value
        ]
        return f"{self.protocol}, except {', '.join(changed)}" if changed else self.protocol

    @property
    def result(self) -> bool:
        """Whether the run reaches the floor of anything called a result; below it a page says smoke."""
        facts = recipe(self.method)
        if facts.control or self.budget == "smoke":
            return facts.control
        width = dict(self.model).get("width", RESULT_WIDTH)
        return self.epochs >= RESULT_EPOCHS and (facts.unit == "spot" or width >= RESULT_WIDTH)

    def versions(self) -> dict[str, int]:
        """The version of the method, and of every stage that the run passes through (see compendium.versions)."""
        passed = {"inputs", "fit"}
        passed |= {"features"} if self.encoder not in (OWN, NONE, COORDINATES) else set()
        passed |= {"stain"} if self.stain != AS_IT_IS else set()
        return {"method": recipe(self.method).version} | {
            stage: version for stage, version in versions.stages().items() if stage in passed
        }

    def identity(self, sections: list[Section]) -> str:
        """Checksum of every field that differs from its default, the versions of its stages, the encoder's weights and the content of the sections, corrected counts with them where they are the target."""
        default = {each.name: each.default for each in dataclasses.fields(self)}
        words = {
            word: value
            for word, value in dataclasses.asdict(self).items()
            if value != default[word]
        } | {"data": {s.name: s.digest for s in sections}, "stages": self.versions()}
        if self.encoder not in (NONE, COLOUR, COORDINATES):
            name = recipe(self.method).encoder if self.encoder == OWN else self.encoder
            words["weights"] = encoders.weights_id(name, self.weights) if name else ""
        if self.target == "sct":
            words["corrected"] = {s.name: seurat.checksum(s) for s in sections}
        return hashlib.sha256(json.dumps(words, sort_keys=True).encode()).hexdigest()[:16]


def plan_run(
    cohort: str,
    split: Split,
    method: str,
    *,
    sections: list[Placed],
    panel: str = "",
    seed: int = 0,
    protocol: str = "clean",
    budget: str = "laptop",
    encoder: str = "",
    weights: str = "",
    **words,
) -> Run:
    """Resolve a run: recipe, then budget, then protocol, then the words given. A misspelt or mistyped word is an error.

    Controls that define their own input (`mean`, `colour`, `coordinates`) keep it whatever `encoder` says. On frozen features all
    methods see the same tiles, and none augments them unless augment=stnet, or another family, says so. `members` fits of a method in
    closed form would be one fit, and are. Under the clean protocol a split with a patient on both sides is an error unless its rule is named as published or as an arm.
    """
    facts = recipe(method)
    for what, value, known in (
        ("budget", budget, BUDGETS),
        ("protocol", protocol, tuple(PROTOCOLS)),
    ):
        if value not in known:
            raise BadInput(f"unknown {what} {value!r}; known: {', '.join(known)}")
    for what, value, example in (
        ("panel", panel, "hvg(300)"),
        ("encoder", encoder, encoders.FROZEN),
        ("weights", weights, encoders.RANDOM),
    ):
        if not isinstance(value, str):
            raise BadInput(f"{what} is {value!r}; it takes a word, e.g. {example}")
    if split.match and words.get("target") == "sct":
        raise BadInput(
            f"target=sct cannot be trained on {split.rule}, whose arms are made equally deep: Seurat's corrected counts are of full depth; give another target or split"
        )
    if protocol == "clean" and split.rule not in ("section-out", "matched-within"):
        check_apart(split, sections)
    preset = {word: value for word, value in PROTOCOLS[protocol].items() if value is not None}
    changes = {"laptop": facts.laptop, "smoke": facts.smoke, "full": {}}[budget] | (
        facts.published if protocol == "published" else {}
    )
    encoder = _encoder(facts, encoder, protocol)
    settled = _settled(facts, changes)
    settled |= {word: value for word, value in preset.items() if word in settled}
    settled |= {
        word: value
        for word, value in VISIUM[protocol].items()
        if word in settled and facts.unit == "section" and _visium(split, sections)
    }
    settled |= {} if encoder == OWN else {"tile_px": FROZEN_TILE_PX, "augment": "none"}
    for word, value in words.items():
        _check_word(method, word, value, settled)
        settled[word] = float(value) if isinstance(settled[word], float) else value
    _check_range(facts, settled)
    settled |= {"members": 1, "augment": "none"} if facts.optimiser == "closed form" else {}
    settled |= {"stain": AS_IT_IS} if encoder in (NONE, COORDINATES) else {}
    model = tuple(sorted((word, settled.pop(word)) for word in facts.model))
    run = Run(
        cohort=cohort,
        method=method,
        split=split,
        panel=panel or str(preset["panel"]),
        seed=seed,
        protocol=protocol,
        budget=budget,
        encoder=encoder,
        weights=weights,
        model=model,
        **settled,
    )
    if run.augment != "none" and run.encoder != OWN and dict(run.model).get("distill"):
        raise BadInput(
            f"method {run.method} distils views of the section, and cannot draw others from the bank as well; give augment=none, or distill=0"
        )
    _check_encoder(run)
    _check_buildable(run.method, run.target, run.tile_px if run.encoder == OWN else 0, run.model)
    return run


def _visium(split: Split, sections: list[Placed]) -> bool:
    """Whether all sections of a split are of the Visium array, as their technology says."""
    names = {*split.train, *split.valid, *split.test}
    return all(
        "visium" in getattr(section, "technology", "").lower()
        for section in sections
        if section.name in names
    )


def _check_encoder(run: Run) -> None:
    """An encoder that cannot be is refused before the first fit, not by each."""
    name = recipe(run.method).encoder if run.encoder == OWN else run.encoder
    if name not in ("", NONE, COLOUR, COORDINATES):
        encoders.check(name, run.weights)


@cache
def _check_buildable(method: str, target: str, tile_px: int, model: tuple) -> None:
    """Words that do not fit each other are refused by the method itself, which is built without numbers: on frozen features (tile_px = 0), or on tiles."""
    facts = recipe(method)
    seen = (
        {"tile_px": tile_px, "encoder": facts.encoder, "weights": encoders.RANDOM}
        if tile_px
        else {"features": 8}
    )
    with torch.device("meta"):
        facts.build(ModelSpec(2, torch.zeros(2), target, classes=2, **seen), **dict(model))


def _encoder(facts: Recipe, asked: str, protocol: str) -> str:
    """The encoder word of a run: a control's own input, else what was asked for, else the protocol's."""
    if facts.frozen:
        return facts.frozen
    if asked == NONE:
        raise BadInput(
            f"method {facts.name} cannot learn without an image; give encoder={OWN} or a timm name, e.g. {encoders.FROZEN}"
        )
    if facts.control and (asked or PROTOCOLS[protocol]["encoder"]) == OWN:
        if asked:
            raise BadInput(
                f"method {facts.name} works on frozen features and has no encoder of its own; give a timm name, e.g. {encoders.FROZEN}"
            )
        return encoders.FROZEN
    return asked or str(PROTOCOLS[protocol]["encoder"])


def _settled(facts: Recipe, changes: Mapping[str, object]) -> dict:
    words = (
        "target",
        "tile_px",
        "scale",
        "augment",
        "permute",
        "optimiser",
        "lr",
        "momentum",
        "weight_decay",
        "lr_decay",
        "lr_every",
        "batch",
        "epochs",
    )
    always = {
        "members": 1,
        "spots": EVERY,
        "stain": AS_IT_IS,
        "stain_test": True,
        "tile_um": 0.0,
        "windows": WHOLE,
        "recompute": False,
    }
    return (
        always | {word: getattr(facts, word) for word in words} | dict(facts.model) | dict(changes)
    )


def _check_word(method: str, word: str, value, known: dict) -> None:
    if word not in known:
        raise BadInput(
            f"method {method} has no parameter {word!r}; {did_you_mean(word, known)}known: {', '.join(known)}"
        )
    wanted = type(known[word])
    fits = isinstance(value, wanted) and not (wanted is not bool and isinstance(value, bool))
    if not fits and not (wanted is float and type(value) is int):
        raise BadInput(
            f"parameter {word} of method {method} is {value!r}; it takes a {wanted.__name__}, e.g. {known[word]!r}"
        )


def _check_range(facts: Recipe, settled: dict) -> None:
    for word, value in settled.items():
        counts = word in ("batch", "tile_px", "members") or (
            word in facts.model and type(value) is int
        )
        if counts and value < 1:
            raise BadInput(
                f"parameter {word} of method {facts.name} is {value}; it must be at least 1"
            )
        if word == "dropout" and not 0 <= value < 1:
            raise BadInput(
                f"parameter dropout of method {facts.name} is {value}; it must be at least 0 and below 1"
            )
        if word in facts.model and type(value) is float and not 0 <= value < float("inf"):
            raise BadInput(
                f"parameter {word} of method {facts.name} is {value}; it must be at least 0, and finite"
            )
    for word, what in (("windows", WHOLE), ("recompute", False)):
        if facts.unit == "spot" and settled[word] != what:
            raise BadInput(
                f"{word}={settled[word]} is for methods that see all spots of a section, and method {facts.name} sees one at a time; leave the word out"
            )
    if not 0 <= settled["tile_um"] < float("inf"):
        raise BadInput(
            f"tile_um is {settled['tile_um']}; give the µm that a tile shows, or 0 for tiles of tile_px pixels of the image as it is"
        )
    if settled["epochs"] < 0 or settled["lr"] <= 0:
        raise BadInput(
            f"epochs is {settled['epochs']} and lr is {settled['lr']}; epochs must be 0 or more, lr above 0"
        )
    if settled["lr_every"] < 0 or settled["lr_decay"] <= 0:
        raise BadInput(
            f"lr_every is {settled['lr_every']} and lr_decay is {settled['lr_decay']}; lr_every must be 0 (constant rate) or more, lr_decay above 0"
        )
    optimisers = ("closed form",) if facts.optimiser == "closed form" else ("adam", "adamw", "sgd")
    known_words = {
        "augment": tuple(FAMILIES),
        "optimiser": optimisers,
        "scale": encoders.SCALES,
        "spots": SPOTS,
        "stain": (AS_IT_IS, *STAINS),
        "windows": WINDOWS,
    }
    known_words |= dict(facts.choices)
    for word, known in known_words.items():
        if settled[word] not in known:
            raise BadInput(
                f"unknown {word} {settled[word]!r} for method {facts.name}; {did_you_mean(settled[word], known)}known: {', '.join(known)}"
            )
