"""What a method's paper says, as data; and the table of all methods."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal

from compendium.errors import BadInput, did_you_mean
from compendium.methods.layers import Method

OWN = "own"
NONE = "none"


@dataclass(frozen=True)
class Step:
    """One box of a method's drawing, in the order of computation; `{layers}` in its words stands for that word of the method's `model`.

    part: encoder (of one tile), context (between the spots of a section), distribution (of a gene's count), head (to the genes), training (what only training
    sees), loss (LOSS stands where the loss is taken, if that is not the expression), or one of the two ends, tile and expression, which every drawing has by
    itself. frozen: keeps the weights it came with. side: "out" for a branch fed by the step on the main way before it, "in" for one that feeds that step.
    """

    part: Literal[
        "encoder", "context", "distribution", "head", "training", "loss", "tile", "expression"
    ]
    words: str
    detail: str = ""
    frozen: bool = False
    side: Literal["", "in", "out"] = ""


LOSS = Step("loss", "loss", side="out")


@dataclass(frozen=True)
class Recipe:
    """A registered method: its facts from the paper, and the words a run starts from.

    version: raised by one when the method gives other numbers (see compendium.versions).
    unit: whether one training example is a spot or a whole section. tile_px: side of its tiles. encoder: the timm encoder it
    comes with ("" where it has none of its own kind). target: what it is trained towards. model: words of its architecture;
    choices: what those of them may be that are names. published: the words that the published protocol changes, where the authors' code
    does what the recipe mends. laptop and smoke: the words that these budgets change. lr_decay: factor on the learning rate after
    every lr_every epochs (0: never). frozen: the only encoder word it takes, for controls.

    For tables and drawings: loss in words, augmentation (what `augment`, whose words are its family's, does not say), flow (its drawing; () draws it from the
    facts above), evaluated (on which data its authors did) and compared (with which methods of this registry, or others).
    """

    name: str
    title: str
    build: type[Method]
    unit: Literal["spot", "section"]
    tile_px: int
    target: str
    citation: str
    summary: str
    version: int = 1
    encoder: str = ""
    optimiser: Literal["adam", "adamw", "sgd", "closed form"] = "adam"
    lr: float = 1e-3
    momentum: float = 0.0
    weight_decay: float = 0.0
    lr_decay: float = 1.0
    lr_every: int = 0
    batch: int = 32
    epochs: int = 50
    augment: str = "none"
    scale: Literal["normalised", "0-255"] = "normalised"
    permute: bool = False
    frozen: str = ""
    control: bool = False
    model: Mapping[str, int | float | bool | str] = field(default_factory=dict)
    choices: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    published: Mapping[str, object] = field(default_factory=dict)
    laptop: Mapping[str, object] = field(default_factory=dict)
    smoke: Mapping[str, object] = field(default_factory=dict)
    deviations: tuple[str, ...] = ()
    loss: str = ""
    augmentation: str = ""
    flow: tuple[Step, ...] = ()
    evaluated: str = ""
    compared: tuple[str, ...] = ()

    def fill(self, words: str) -> str:
        """The words with the method's own numbers where they name one, e.g. `{layers} blocks`."""
        return words.format_map(self.model)


METHODS: dict[str, Recipe] = {}


def register(name: str, **facts) -> Callable[[type[Method]], type[Method]]:
    """Class decorator that enters a method, or one more variant of it, into the registry."""

    def enter(build: type[Method]) -> type[Method]:
        if name in METHODS:
            raise ValueError(f"method {name} is registered twice")
        METHODS[name] = Recipe(name=name, build=build, **facts)
        return build

    return enter


def names() -> list[str]:
    """Registered methods, controls first, in the order of registration."""
    return sorted(METHODS, key=lambda name: not METHODS[name].control)


def recipe(name: str) -> Recipe:
    """The recipe of a method; an unknown name lists the known ones."""
    if name not in METHODS:
        raise BadInput(
            f"unknown method {name!r}; {did_you_mean(name, METHODS)}known: {', '.join(names())}"
        )
    return METHODS[name]
