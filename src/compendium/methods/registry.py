"""The table of methods: what runs of each (Recipe)."""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any, Literal

from compendium.errors import BadInput, did_you_mean
from compendium.methods.layers import Method, ModelSpec

OWN = "own"
NONE = "none"


def choice(default: str, known: Iterable[str]) -> Any:
    """Declare a field of a config that is a choice among names."""
    return field(default=default, metadata={"known": tuple(known)})


@dataclass(frozen=True)
class Config:
    """Architecture of a method; a subclass documents its fields and holds their defaults.

    Raises
    ------
    BadInput
        Where a field that is a choice among names (`choice`) has another value.
    """

    def __post_init__(self):
        for name, known in self.choices().items():
            if (value := getattr(self, name)) not in known:
                raise BadInput(
                    f"unknown {name} {value!r}; {did_you_mean(value, known)}"
                    f"known: {', '.join(known)}"
                )

    @classmethod
    def choices(cls) -> dict[str, tuple[str, ...]]:
        """Return the known values of each field that is a choice among names."""
        return {
            each.name: each.metadata["known"] for each in fields(cls) if "known" in each.metadata
        }


@dataclass(frozen=True)
class Recipe:
    """What runs: the parameters that a run of the method starts from. They enter its identity."""

    name: str
    """Name of the method, as a run takes it."""
    unit: Literal["spot", "section"]
    """What one training example is."""
    tile_px: int
    """Side of a tile in pixels."""
    target: str
    """Expression that the method is trained towards."""
    version: int = 1
    """Raised by one when the method gives other numbers (see compendium.versions)."""
    encoder: str = ""
    """timm encoder that the method comes with; "" where it has none of that kind."""
    optimiser: Literal["adam", "adamw", "sgd", "closed form"] = "adam"
    """Optimiser; a method in closed form has no training loop."""
    lr: float = 1e-3
    """Learning rate."""
    momentum: float = 0.0
    """Momentum of SGD."""
    weight_decay: float = 0.0
    """Weight decay."""
    lr_decay: float = 1.0
    """Factor on the learning rate after every `lr_every` epochs."""
    lr_every: int = 0
    """Epochs between two decays; 0 for a constant rate."""
    batch: int = 32
    """Training examples a step."""
    epochs: int = 50
    """Passes over the training examples."""
    augment: str = "none"
    """Augmentation family of the training tiles."""
    scale: str = "normalised"
    """Pixel values that the encoder is given."""
    permute: bool = False
    """Whether tiles are shuffled within each training section."""
    frozen: str = ""
    """The only encoder that the method takes, for controls."""
    control: bool = False
    """Whether the method is a control."""
    config: Config = Config()
    """Architecture."""
    published: Mapping[str, object] = field(default_factory=dict)
    """Parameters that the published protocol changes."""
    laptop: Mapping[str, object] = field(default_factory=dict)
    """Parameters that the budget laptop changes."""
    smoke: Mapping[str, object] = field(default_factory=dict)
    """Parameters that the budget smoke changes."""
    method: type[Method] = Method
    """Class that is built; set by `register`."""

    @property
    def model(self) -> dict[str, int | float | bool | str]:
        """Parameters of the architecture with their defaults."""
        return asdict(self.config)

    @property
    def choices(self) -> dict[str, tuple[str, ...]]:
        """Known values of the architecture's parameters that are names."""
        return self.config.choices()

    def build(self, spec: ModelSpec, **parameters) -> Method:
        """Build the untrained method; `parameters` replace those of its config."""
        return self.method(spec, replace(self.config, **parameters))


METHODS: dict[str, Recipe] = {}


def register(method: type[Method], recipe: Recipe) -> None:
    """Enter a method, or one more variant of it, into the registry.

    Raises
    ------
    ValueError
        Where the name is taken.
    """
    if recipe.name in METHODS:
        raise ValueError(f"method {recipe.name} is registered twice")
    METHODS[recipe.name] = replace(recipe, method=method)


def names() -> list[str]:
    """List the registered methods, controls first, in the order of registration."""
    return sorted(METHODS, key=lambda name: not METHODS[name].control)


def recipe(name: str) -> Recipe:
    """Return what runs of a method.

    Raises
    ------
    BadInput
        Where no method has this name; the message lists the known ones.
    """
    if not isinstance(name, str) or name not in METHODS:
        near = did_you_mean(str(name), METHODS)
        raise BadInput(f"unknown method {name!r}; {near}known: {', '.join(names())}")
    return METHODS[name]
