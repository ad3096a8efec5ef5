"""The augmentation families of the published methods, and two policies that were learned on photographs. Draws are explained in family.py."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from jaxtyping import Float, Int, Num, UInt8
from torch import Tensor

from compendium.errors import BadInput, did_you_mean
from compendium.images.augment import functional as changes
from compendium.images.augment import sampling as draws
from compendium.images.augment.family import Family, stated


@dataclass(frozen=True)
class STNet(Family):
    """He et al. 2020: mirrored, turned upside down and turned by 90 degrees, each by chance; at 1/2 each of the eight symmetries of a square is equally likely."""

    title: ClassVar[str] = "ST-Net"
    source: ClassVar[str] = "the authors' code"
    left_right: float = stated(0.5, "flip", "left to right p = {:g}")
    up_down: float = stated(0.5, "flip", "up to down p = {:g}")
    turn: float = stated(0.5, "rotation", "by 90 degrees p = {:g}")

    def draw(self, spots: int) -> dict[str, Tensor]:
        """The symmetry that they come to."""
        flipped = draws.flips(spots, self.left_right, self.up_down)
        return {
            "which": changes.composed(flipped, changes.QUARTER * draws.chance(spots, self.turn))
        }

    def change(
        self, images: Num[Tensor, "spot 3 px px"], which: Int[Tensor, "spot"]
    ) -> Num[Tensor, "spot 3 px px"]:
        """One of the eight symmetries each."""
        return changes.symmetries(images, which)


@dataclass(frozen=True)
class HisToGene(Family):
    """Pang et al. 2021: colour jitter, mirrored, turned by any angle; in their repository for another data set class than the transformer's, which uses none."""

    title: ClassVar[str] = "HisToGene"
    source: ClassVar[str] = "the benchmark's experiment, after the authors' code"
    exact: ClassVar[bool] = False
    brightness: float = stated(0.5, "colour jitter", "brightness ± {:g}")
    contrast: float = stated(0.5, "colour jitter", "contrast ± {:g}")
    saturation: float = stated(0.5, "colour jitter", "saturation ± {:g}")
    left_right: float = stated(0.5, "flip", "left to right p = {:g}")
    degrees: float = stated(180.0, "rotation", "by up to {:g} degrees either way")

    def draw(self, spots: int) -> dict[str, Tensor]:
        """Factors and order of the jitter, whether mirrored, angle."""
        jitter = draws.jitter(spots, self.brightness, self.contrast, self.saturation)
        return jitter | {
            "left_right": draws.chance(spots, self.left_right),
            "degrees": draws.uniform(spots, -self.degrees, self.degrees),
        }

    def change(
        self,
        images: Float[Tensor, "spot 3 px px"],
        factors: Tensor,
        order: Tensor,
        left_right: Tensor,
        degrees: Tensor,
    ) -> Float[Tensor, "spot 3 px px"]:
        """In this order."""
        return changes.rotate(
            changes.flip(changes.color_jitter(images, factors, order), left_right), degrees
        )


@dataclass(frozen=True)
class Hist2ST(Family):
    """Zeng et al. 2022: the views of the self-distillation; the benchmark's Table S1 adds a colour jitter, neither code does."""

    title: ClassVar[str] = "Hist2ST"
    source: ClassVar[str] = "the authors' code"
    exact: ClassVar[bool] = False
    grey: float = stated(0.1, "greyscale", "p = {:g}")
    degrees: float = stated(90.0, "rotation", "by up to {:g} degrees either way")
    left_right: float = stated(0.2, "flip", "left to right p = {:g}")

    def draw(self, spots: int) -> dict[str, Tensor]:
        """Whether grey, angle, whether mirrored."""
        return {
            "grey": draws.chance(spots, self.grey),
            "degrees": draws.uniform(spots, -self.degrees, self.degrees),
            "left_right": draws.chance(spots, self.left_right),
        }

    def change(
        self,
        images: Float[Tensor, "spot 3 px px"],
        grey: Tensor,
        degrees: Tensor,
        left_right: Tensor,
    ) -> Float[Tensor, "spot 3 px px"]:
        """In this order."""
        return changes.flip(
            changes.rotate(changes.some(images, grey, changes.grey), degrees), left_right
        )


@dataclass(frozen=True)
class STimage(Family):
    """Tan et al. 2023 as the benchmark's experiment stands for it: mirrored either way, and by one more chance all of the rest.

    The blur of that experiment is left out, since a kernel of one pixel does nothing. The authors' own library adds noise, blur or a partial greyscale instead.
    """

    title: ClassVar[str] = "STimage"
    source: ClassVar[str] = "the benchmark's experiment"
    exact: ClassVar[bool] = False
    left_right: float = stated(0.5, "flip", "left to right p = {:g}")
    up_down: float = stated(0.5, "flip", "up to down p = {:g}")
    rest: float = stated(0.5, "all that follows", "p = {:g}")
    degrees: float = stated(45.0, "rotation", "by up to {:g} degrees either way")
    scale: tuple[float, float] = stated((0.8, 1.2), "scaling", "by {}")
    grey: float = stated(0.5, "greyscale", "p = {:g}")
    brightness: float = stated(0.4, "colour jitter", "brightness ± {:g}")
    contrast: float = stated(0.4, "colour jitter", "contrast ± {:g}")
    saturation: float = stated(0.2, "colour jitter", "saturation ± {:g}")
    hue: float = stated(0.1, "colour jitter", "hue ± {:g} of the circle")

    def draw(self, spots: int) -> dict[str, Tensor]:
        """Whether mirrored, whether there is more, and then angle, scale, whether grey, and the jitter."""
        flips = {
            "left_right": draws.chance(spots, self.left_right),
            "up_down": draws.chance(spots, self.up_down),
            "rest": draws.chance(spots, self.rest),
        }
        place = {
            "degrees": draws.uniform(spots, -self.degrees, self.degrees),
            "scale": draws.uniform(spots, *self.scale),
            "grey": draws.chance(spots, self.grey),
        }
        return (
            flips
            | place
            | draws.jitter(spots, self.brightness, self.contrast, self.saturation, hue=self.hue)
        )

    def change(
        self,
        images: Float[Tensor, "spot 3 px px"],
        left_right: Tensor,
        up_down: Tensor,
        rest: Tensor,
        degrees: Tensor,
        scale: Tensor,
        grey: Tensor,
        factors: Tensor,
        order: Tensor,
    ) -> Float[Tensor, "spot 3 px px"]:
        """In this order."""
        images = changes.some(
            changes.flip(images, left_right, up_down), rest, changes.affine, degrees, scale
        )
        images = changes.some(images, rest & grey, changes.grey)
        return changes.some(images, rest, changes.color_jitter, factors, order)


@dataclass(frozen=True)
class DeepSpaCE(Family):
    """Monjo et al. 2022 as the benchmark defines it, which then ran every family but this one; noise, blur and distortion of the authors' own list are not in it.

    Chances and the area of the crop are the authors'. The limits of colour and the aspect of the crop are the defaults of their library, albumentations: hue by 20
    steps of 180, saturation and value by 30 and 20 of 255, channels by 20 of 255.
    """

    title: ClassVar[str] = "DeepSpaCE"
    source: ClassVar[str] = (
        "the benchmark's experiment; limits of colour and aspect: defaults of albumentations"
    )
    exact: ClassVar[bool] = False
    turn: float = stated(0.5, "rotation", "by 0, 90, 180 or 270 degrees p = {:g}")
    flip: float = stated(0.5, "flip", "one way, the other or both p = {:g}")
    transpose: float = stated(0.5, "flip", "transposed p = {:g}")
    crop: float = stated(0.5, "resized crop", "p = {:g}")
    area: tuple[float, float] = stated((0.5, 1.0), "resized crop", "area {}")
    aspect: tuple[float, float] = stated((3 / 4, 4 / 3), "resized crop", "aspect {}")
    hsv: float = stated(0.5, "HSV shift", "p = {:g}")
    hue: float = stated(20 / 180, "HSV shift", "hue ± {:.2g} of the circle")
    saturation: float = stated(30 / 255, "HSV shift", "saturation ± {:.2g}")
    value: float = stated(20 / 255, "HSV shift", "value ± {:.2g}")
    shuffle: float = stated(0.5, "channel shuffle", "p = {:g}")
    shift: float = stated(0.5, "RGB shift", "p = {:g}")
    rgb: float = stated(20 / 255, "RGB shift", "each ± {:.2g}")

    def draw(self, spots: int) -> dict[str, Tensor]:
        """The symmetry that turn, flip and transposition come to; whether and what is cropped; whether and how colours change."""
        which = torch.randint(4, (spots,)) * draws.chance(spots, self.turn)
        flips = torch.tensor([changes.UP_DOWN, changes.LEFT_RIGHT, changes.HALF])[
            torch.randint(3, (spots,))
        ]
        for then in (
            flips * draws.chance(spots, self.flip),
            changes.TRANSPOSED * draws.chance(spots, self.transpose),
        ):
            which = changes.composed(which, then)
        limits = torch.tensor([self.hue, self.saturation, self.value])
        return {
            "which": which,
            "crop": draws.chance(spots, self.crop),
            "box": draws.box(spots, self.area, self.aspect),
            "hsv": draws.chance(spots, self.hsv),
            "moved": limits * draws.uniform((spots, 3), -1, 1),
            "shuffle": draws.chance(spots, self.shuffle),
            "order": draws.order(spots, 3),
            "shift": draws.chance(spots, self.shift),
            "added": draws.uniform((spots, 3), -self.rgb, self.rgb),
        }

    def change(
        self,
        images: Float[Tensor, "spot 3 px px"],
        which: Tensor,
        crop: Tensor,
        box: Tensor,
        hsv: Tensor,
        moved: Tensor,
        shuffle: Tensor,
        order: Tensor,
        shift: Tensor,
        added: Tensor,
    ) -> Float[Tensor, "spot 3 px px"]:
        """In this order."""
        images = changes.some(changes.symmetries(images, which), crop, changes.resized_crop, box)
        images = changes.some(images, hsv, changes.shift_hsv, moved)
        images = changes.some(images, shuffle, changes.permute_channels, order)
        return changes.some(images, shift, changes.shift_rgb, added)


@dataclass(frozen=True)
class BLEEP(Family):
    """Xie et al. 2023: mirrored either way, then turned by 0, 90, 180 or 270 degrees.

    The benchmark's experiment drew one of these angles when its script started, and then turned by any angle up to it either way: turn=90.0 is that.
    """

    title: ClassVar[str] = "BLEEP"
    source: ClassVar[str] = "the authors' code"
    left_right: float = stated(0.5, "flip", "left to right p = {:g}")
    up_down: float = stated(0.5, "flip", "up to down p = {:g}")
    turn: float | Literal["quarter turns"] = stated("quarter turns", "rotation", "{}")

    def draw(self, spots: int) -> dict[str, Tensor]:
        """The symmetry that they come to, and the angle if it is any."""
        flipped = draws.flips(spots, self.left_right, self.up_down)
        if self.turn == "quarter turns":
            return {"which": changes.composed(flipped, torch.randint(4, (spots,)))}
        return {"which": flipped, "degrees": draws.uniform(spots, -self.turn, self.turn)}

    def change(
        self, images: Num[Tensor, "spot 3 px px"], which: Tensor, degrees: Tensor | None = None
    ) -> Num[Tensor, "spot 3 px px"]:
        """In this order."""
        images = changes.symmetries(images, which)
        return (
            images if degrees is None else changes.rotate(images.float(), degrees).to(images.dtype)
        )


@dataclass(frozen=True)
class Policy(Family, ABC):
    """A policy of torchvision's, which draws its operations by itself, one tile after another, each from a number of its own."""

    def draw(self, spots: int) -> dict[str, Tensor]:
        """A number from which all draws of a tile follow."""
        return {"seeds": torch.randint(2**62, (spots,))}

    def change(
        self, images: UInt8[Tensor, "spot 3 px px"], seeds: Tensor
    ) -> UInt8[Tensor, "spot 3 px px"]:
        """Tile by tile."""
        policy, out = self.policy(), torch.empty_like(images)
        with torch.random.fork_rng(devices=[]):
            for i, seed in enumerate(seeds.tolist()):
                torch.default_generator.manual_seed(seed)
                out[i] = policy(images[i])
        return out

    @abstractmethod
    def policy(self) -> torch.nn.Module:
        """The policy with these parameters."""


@dataclass(frozen=True)
class RandAugment(Policy):
    """Cubuk et al. 2020: operations drawn out of 14, all equally strong."""

    title: ClassVar[str] = "RandAugment"
    source: ClassVar[str] = "defaults of torchvision"
    operations_each: int = stated(2, "drawn operations", "{} out of 14")
    magnitude: int = stated(9, "drawn operations", "magnitude {}")
    magnitudes: int = stated(31, "drawn operations", "of {}")

    def policy(self) -> torch.nn.Module:
        """torchvision's RandAugment."""
        from torchvision.transforms import RandAugment as Theirs

        return Theirs(self.operations_each, self.magnitude, self.magnitudes)


@dataclass(frozen=True)
class AutoAugment(Policy):
    """Cubuk et al. 2019: one of 25 pairs of operations with their chances and strengths, as learned on a data set of photographs."""

    title: ClassVar[str] = "AutoAugment"
    source: ClassVar[str] = "defaults of torchvision"
    learned_on: str = stated("imagenet", "drawn operations", "one of 25 pairs learned on {}")

    def policy(self) -> torch.nn.Module:
        """torchvision's AutoAugment."""
        from torchvision.transforms import AutoAugment as Theirs
        from torchvision.transforms import AutoAugmentPolicy

        return Theirs(AutoAugmentPolicy(self.learned_on))


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
    """A family by its name; an unknown name lists the known ones."""
    if name not in FAMILIES:
        raise BadInput(
            f"unknown augmentation {name!r}; {did_you_mean(name, FAMILIES)}known: {', '.join(FAMILIES)}"
        )
    return FAMILIES[name]


def table() -> list[dict[str, str]]:
    """Form of Fig. S1a: a row for each family and operation, with its parameters in words and where they are from."""
    return [
        {
            "family": name,
            "title": family.title,
            "operation": operation,
            "parameters": text,
            "source": family.source,
        }
        for name, family in FAMILIES.items()
        for operation, text in family.operations.items()
    ]
