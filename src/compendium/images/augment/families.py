"""The augmentation families of the published methods, and two policies learned on photographs."""

import dataclasses
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from jaxtyping import UInt8
from torch import Tensor

from compendium.errors import BadInput, did_you_mean
from compendium.images.augment import functional as changes
from compendium.images.augment import sampling as draws
from compendium.images.augment.functional import Tiles

AUTHORS, EXPERIMENT = "the authors' code", "the benchmark's experiment"
FOLLOWED = f"{EXPERIMENT}, after {AUTHORS}"
WITH_DEFAULTS = f"{EXPERIMENT}; limits of colour and aspect: defaults of albumentations"
DEFAULTS = "defaults of torchvision"
PIECE = {"cpu": 8, "cuda": 256, "mps": 256}
"""Device -> number of tiles changed at once; on a CPU larger pieces wait for memory."""

Bytes = UInt8[Tensor, "spot 3 px px"]
Draws = dict[str, Tensor]
"""Name -> what was drawn, one row a tile, or one row for all tiles of a section."""


def parameter(value: object, operation: str, text: str) -> object:
    """Declare a parameter of a family.

    Parameters
    ----------
    value
        Default.
    operation
        Operation that the parameter belongs to, a row of Fig. S1a.
    text
        Text of the parameter in a table, where {} stands for its value.
    """
    return dataclasses.field(default=value, metadata={"operation": operation, "text": text})


@dataclass(frozen=True)
class Family:
    """Tiles as they are, and the base of all families.

    Fields are parameters, `draw` draws what happens to each tile, `change` does it. Draws come from
    torch's CPU generator, so that they are the same on every device. Pixels are rounded once, at
    the end; torchvision's transforms of uint8 round after each operation.
    """

    title: ClassVar[str] = "none"
    source: ClassVar[str] = ""
    exact: ClassVar[bool] = True
    """Pixels only move: `change` takes uint8. Else it takes numbers from 0 to 1."""

    def __init_subclass__(
        cls, title: str, source: str | None = None, exact: bool | None = None
    ) -> None:
        """Take the keywords of a class; the source of its parameters and `exact` are inherited."""
        cls.title = title
        if source is not None:
            cls.source = source
        if exact is not None:
            cls.exact = exact

    def __call__(self, images: Bytes, whole: bool = False) -> Bytes:
        """Augment tiles by one draw each, or with `whole` by one draw for all (Hist2ST's views)."""
        return self.apply(images, self.draw(1 if whole else len(images)))

    def apply(self, images: Bytes, drawn: Draws) -> Bytes:
        """Change tiles by what was drawn for each, or for all."""
        count, size = len(images), PIECE[images.device.type]
        spread = {name: value.expand(count, *value.shape[1:]) for name, value in drawn.items()}
        changed = [
            self._changed(images[rows], {name: value[rows] for name, value in spread.items()})
            for rows in (slice(start, start + size) for start in range(0, count, size))
        ]
        return torch.cat(changed or [images])

    def _changed(self, images: Bytes, drawn: Draws) -> Bytes:
        images = images.contiguous()  # on tiles with channels last, colours take four times as long
        if self.exact:
            return self.change(images, drawn)
        return self.change(images / 255, drawn).mul_(255).round_().to(torch.uint8)

    def draw(self, spots: int) -> Draws:
        """Draw what happens to each of some tiles, one row a tile."""
        return {}

    def change(self, images: Tiles, drawn: Draws) -> Tiles:
        """Change each tile by its draw; may write into `images` unless they are uint8."""
        return images

    @property
    def operations(self) -> dict[str, str]:
        """Operation -> text of its parameters."""
        texts: dict[str, list[str]] = {}
        for each in dataclasses.fields(self):
            value = getattr(self, each.name)
            if isinstance(value, tuple):
                value = " to ".join(f"{end:.3g}" for end in value)
            text = each.metadata["text"].format(value)
            texts.setdefault(each.metadata["operation"], []).append(text)
        return {operation: ", ".join(parts) for operation, parts in texts.items()}

    @property
    def summary(self) -> str:
        """The family in one line, "" for none."""
        return "; ".join(f"{operation} ({text})" for operation, text in self.operations.items())


@dataclass(frozen=True)
class STNet(Family, title="ST-Net", source=AUTHORS):
    """Mirror left to right, up to down, and rotate by 90 degrees, each by chance.

    At 1/2 each of the eight symmetries of a square is equally likely.

    References
    ----------
    He et al. 2020, authors' code.
    """

    left_right: float = parameter(0.5, "flip", "left to right p = {:g}")
    up_down: float = parameter(0.5, "flip", "up to down p = {:g}")
    turn: float = parameter(0.5, "rotation", "by 90 degrees p = {:g}")

    def draw(self, spots: int) -> Draws:
        """Draw a symmetry."""
        flipped = draws.flips(spots, self.left_right, self.up_down)
        turned = changes.QUARTER * draws.chance(spots, self.turn)
        return {"which": changes.composed(flipped, turned)}

    def change(self, images: Tiles, drawn: Draws) -> Tiles:
        """Apply the symmetry."""
        return changes.symmetries(images, drawn["which"])


@dataclass(frozen=True)
class HisToGene(Family, title="HisToGene", source=FOLLOWED, exact=False):
    """Jitter colours, mirror left to right, rotate by any angle.

    The authors' repository has this family in another data set class than that of the transformer,
    which uses none.

    References
    ----------
    Pang et al. 2021, authors' code.
    """

    brightness: float = parameter(0.5, "colour jitter", "brightness ± {:g}")
    contrast: float = parameter(0.5, "colour jitter", "contrast ± {:g}")
    saturation: float = parameter(0.5, "colour jitter", "saturation ± {:g}")
    left_right: float = parameter(0.5, "flip", "left to right p = {:g}")
    degrees: float = parameter(180.0, "rotation", "by up to {:g} degrees either way")

    def draw(self, spots: int) -> Draws:
        """Draw factors and order of the jitter, flip, and angle."""
        return draws.jitter(spots, self.brightness, self.contrast, self.saturation) | {
            "left_right": draws.chance(spots, self.left_right),
            "degrees": draws.uniform(spots, -self.degrees, self.degrees),
        }

    def change(self, images: Tiles, drawn: Draws) -> Tiles:
        """Apply them in this order."""
        every = torch.ones(len(images), dtype=torch.bool)
        jitter = (changes.color_jitter, drawn["factors"], drawn["order"])
        images = changes.some(images, every, *jitter)
        return changes.rotate(changes.flip(images, drawn["left_right"]), drawn["degrees"])


@dataclass(frozen=True)
class Hist2ST(Family, title="Hist2ST", source=AUTHORS, exact=False):
    """Turn grey, rotate, mirror left to right: the views of the self-distillation.

    Table S1 of the benchmark adds a colour jitter; neither code has one.

    References
    ----------
    Zeng et al. 2022, authors' code.
    """

    grey: float = parameter(0.1, "greyscale", "p = {:g}")
    degrees: float = parameter(90.0, "rotation", "by up to {:g} degrees either way")
    left_right: float = parameter(0.2, "flip", "left to right p = {:g}")

    def draw(self, spots: int) -> Draws:
        """Draw greyscale, angle, and flip."""
        return {
            "grey": draws.chance(spots, self.grey),
            "degrees": draws.uniform(spots, -self.degrees, self.degrees),
            "left_right": draws.chance(spots, self.left_right),
        }

    def change(self, images: Tiles, drawn: Draws) -> Tiles:
        """Apply them in this order."""
        images = changes.some(images, drawn["grey"], changes.grey)
        return changes.flip(changes.rotate(images, drawn["degrees"]), drawn["left_right"])


@dataclass(frozen=True)
class STimage(Family, title="STimage", source=EXPERIMENT, exact=False):
    """Mirror either way, then by one more chance rotate, scale, turn grey and jitter colours.

    The family of the benchmark's experiment without its blur, whose kernel of one pixel changes
    nothing. The authors' own library adds noise, blur or a partial greyscale instead.

    References
    ----------
    Tan et al. 2023; Jiang et al. 2023, authors' code.
    """

    left_right: float = parameter(0.5, "flip", "left to right p = {:g}")
    up_down: float = parameter(0.5, "flip", "up to down p = {:g}")
    rest: float = parameter(0.5, "all that follows", "p = {:g}")
    degrees: float = parameter(45.0, "rotation", "by up to {:g} degrees either way")
    scale: tuple[float, float] = parameter((0.8, 1.2), "scaling", "by {}")
    grey: float = parameter(0.5, "greyscale", "p = {:g}")
    brightness: float = parameter(0.4, "colour jitter", "brightness ± {:g}")
    contrast: float = parameter(0.4, "colour jitter", "contrast ± {:g}")
    saturation: float = parameter(0.2, "colour jitter", "saturation ± {:g}")
    hue: float = parameter(0.1, "colour jitter", "hue ± {:g} of the circle")

    def draw(self, spots: int) -> Draws:
        """Draw flips, the chance of the rest, angle, scale, greyscale, and jitter."""
        return {
            "left_right": draws.chance(spots, self.left_right),
            "up_down": draws.chance(spots, self.up_down),
            "rest": draws.chance(spots, self.rest),
            "degrees": draws.uniform(spots, -self.degrees, self.degrees),
            "scale": draws.uniform(spots, *self.scale),
            "grey": draws.chance(spots, self.grey),
            **draws.jitter(spots, self.brightness, self.contrast, self.saturation, hue=self.hue),
        }

    def change(self, images: Tiles, drawn: Draws) -> Tiles:
        """Apply them in this order."""
        rest = drawn["rest"]
        images = changes.flip(images, drawn["left_right"], drawn["up_down"])
        images = changes.some(images, rest, changes.affine, drawn["degrees"], drawn["scale"])
        images = changes.some(images, rest & drawn["grey"], changes.grey)
        return changes.some(images, rest, changes.color_jitter, drawn["factors"], drawn["order"])


@dataclass(frozen=True)
class DeepSpaCE(Family, title="DeepSpaCE", source=WITH_DEFAULTS, exact=False):
    """Rotate, mirror, transpose, crop, and shift colours, each by chance.

    The family of the benchmark's experiment, which then ran every family but this one. Noise, blur
    and distortion of the authors' own list are not in it. Chances and the area of the crop are the
    authors'. The limits of colour and the aspect of the crop are the defaults of their library,
    albumentations: hue by 20 steps of 180, saturation and value by 30 and 20 of 255, channels by 20
    of 255.

    References
    ----------
    Monjo et al. 2022; Jiang et al. 2023, authors' code.
    """

    turn: float = parameter(0.5, "rotation", "by 0, 90, 180 or 270 degrees p = {:g}")
    flip: float = parameter(0.5, "flip", "one way, the other or both p = {:g}")
    transpose: float = parameter(0.5, "flip", "transposed p = {:g}")
    crop: float = parameter(0.5, "resized crop", "p = {:g}")
    area: tuple[float, float] = parameter((0.5, 1.0), "resized crop", "area {}")
    aspect: tuple[float, float] = parameter((3 / 4, 4 / 3), "resized crop", "aspect {}")
    hsv: float = parameter(0.5, "HSV shift", "p = {:g}")
    hue: float = parameter(20 / 180, "HSV shift", "hue ± {:.2g} of the circle")
    saturation: float = parameter(30 / 255, "HSV shift", "saturation ± {:.2g}")
    value: float = parameter(20 / 255, "HSV shift", "value ± {:.2g}")
    shuffle: float = parameter(0.5, "channel shuffle", "p = {:g}")
    shift: float = parameter(0.5, "RGB shift", "p = {:g}")
    rgb: float = parameter(20 / 255, "RGB shift", "each ± {:.2g}")

    def draw(self, spots: int) -> Draws:
        """Draw a symmetry, the crop, and the changes of colour, each with its chance."""
        which = torch.randint(4, (spots,)) * draws.chance(spots, self.turn)
        flips = torch.tensor([changes.UP_DOWN, changes.LEFT_RIGHT, changes.HALF])
        flipped = flips[torch.randint(3, (spots,))] * draws.chance(spots, self.flip)
        transposed = changes.TRANSPOSED * draws.chance(spots, self.transpose)
        limits = torch.tensor([self.hue, self.saturation, self.value])
        return {
            "which": changes.composed(changes.composed(which, flipped), transposed),
            "crop": draws.chance(spots, self.crop),
            "box": draws.box(spots, self.area, self.aspect),
            "hsv": draws.chance(spots, self.hsv),
            "moved": limits * draws.uniform((spots, 3), -1, 1),
            "shuffle": draws.chance(spots, self.shuffle),
            "order": draws.order(spots, 3),
            "shift": draws.chance(spots, self.shift),
            "added": draws.uniform((spots, 3), -self.rgb, self.rgb),
        }

    def change(self, images: Tiles, drawn: Draws) -> Tiles:
        """Apply them in this order."""
        images = changes.symmetries(images, drawn["which"])
        images = changes.some(images, drawn["crop"], changes.resized_crop, drawn["box"])
        hsv = drawn["hsv"]
        images[hsv] = changes.shift_hsv(images[hsv], drawn["moved"][hsv])
        images = changes.some(images, drawn["shuffle"], changes.permute_channels, drawn["order"])
        return changes.some(images, drawn["shift"], changes.shift_rgb, drawn["added"])


@dataclass(frozen=True)
class BLEEP(Family, title="BLEEP", source=AUTHORS):
    """Mirror either way, then rotate by 0, 90, 180 or 270 degrees.

    The benchmark's experiment drew one of these angles when its script started, and then rotated by
    any angle up to it either way: turn=90.0 is that.

    References
    ----------
    Xie et al. 2023, authors' code.
    """

    left_right: float = parameter(0.5, "flip", "left to right p = {:g}")
    up_down: float = parameter(0.5, "flip", "up to down p = {:g}")
    turn: float | Literal["quarter turns"] = parameter("quarter turns", "rotation", "{}")

    def draw(self, spots: int) -> Draws:
        """Draw a symmetry, and the angle if it is any."""
        flipped = draws.flips(spots, self.left_right, self.up_down)
        if self.turn == "quarter turns":
            return {"which": changes.composed(flipped, torch.randint(4, (spots,)))}
        return {"which": flipped, "degrees": draws.uniform(spots, -self.turn, self.turn)}

    def change(self, images: Tiles, drawn: Draws) -> Tiles:
        """Apply them in this order."""
        images = changes.symmetries(images, drawn["which"])
        if "degrees" not in drawn:
            return images
        return changes.rotate(images.float(), drawn["degrees"]).to(images.dtype)


@dataclass(frozen=True)
class Policy(Family, ABC, title="policy", source=DEFAULTS):
    """Base of the two automatic augmentations of torchvision.

    Which operations are applied, and how strongly, torchvision draws itself: tile by tile, from the
    seed that `draw` draws for each.
    """

    def draw(self, spots: int) -> Draws:
        """Draw a seed from which all draws of a tile follow."""
        return {"seeds": torch.randint(2**62, (spots,))}

    def change(self, images: Tiles, drawn: Draws) -> Tiles:
        """Apply the policy tile by tile."""
        policy, out = self.policy(), torch.empty_like(images)
        for i, seed in enumerate(drawn["seeds"].tolist()):
            with draws.drawn_from(seed):
                out[i] = policy(images[i])
        return out

    @abstractmethod
    def policy(self) -> torch.nn.Module:
        """Build torchvision's transform with these parameters."""


@dataclass(frozen=True)
class RandAugment(Policy, title="RandAugment"):
    """Apply two of 14 operations, all equally strong.

    References
    ----------
    Cubuk et al. 2020.
    """

    operations_each: int = parameter(2, "drawn operations", "{} out of 14")
    magnitude: int = parameter(9, "drawn operations", "magnitude {}")
    magnitudes: int = parameter(31, "drawn operations", "of {}")

    def policy(self) -> torch.nn.Module:
        """Build torchvision's RandAugment."""
        from torchvision import transforms

        return transforms.RandAugment(self.operations_each, self.magnitude, self.magnitudes)


@dataclass(frozen=True)
class AutoAugment(Policy, title="AutoAugment"):
    """Apply one of 25 pairs of operations, learned on a data set of photographs.

    References
    ----------
    Cubuk et al. 2019.
    """

    learned_on: str = parameter("imagenet", "drawn operations", "one of 25 pairs learned on {}")

    def policy(self) -> torch.nn.Module:
        """Build torchvision's AutoAugment."""
        from torchvision import transforms

        return transforms.AutoAugment(transforms.AutoAugmentPolicy(self.learned_on))


FAMILIES: dict[str, Family] = {
    "none": Family(),
    "stnet": STNet(),
    "histogene": HisToGene(),
    "hist2st": Hist2ST(),
    "stimage": STimage(),
    "deepspace": DeepSpaCE(),
    "bleep": BLEEP(),
    "randaugment": RandAugment(),
    "autoaugment": AutoAugment(),
}


def family(name: str) -> Family:
    """Return a family by its name.

    Raises
    ------
    BadInput
        The name is unknown; the message lists the known ones.
    """
    if name not in FAMILIES:
        known = f"{did_you_mean(name, FAMILIES)}known: {', '.join(FAMILIES)}"
        raise BadInput(f"unknown augmentation {name!r}; {known}")
    return FAMILIES[name]


def table() -> list[dict[str, str]]:
    """List every operation of every family with its parameters and their source (Fig. S1a)."""
    return [
        {"family": name, "title": family.title, "operation": operation, "parameters": text}
        | {"source": family.source}
        for name, family in FAMILIES.items()
        for operation, text in family.operations.items()
    ]
