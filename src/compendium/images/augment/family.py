"""A family of augmentations: parameters, draws, and the change that follows from them."""

import dataclasses
from dataclasses import dataclass
from typing import ClassVar

import torch
from jaxtyping import UInt8
from torch import Tensor

from compendium.images.augment.functional import Tiles

PIECE = {"cpu": 8, "cuda": 256, "mps": 256}
"""Device -> number of tiles changed at once; on a CPU larger pieces wait for memory."""

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

    def __call__(
        self, images: UInt8[Tensor, "spot 3 px px"], whole: bool = False
    ) -> UInt8[Tensor, "spot 3 px px"]:
        """Augment tiles by one draw each, or with `whole` by one draw for all (Hist2ST's views)."""
        return self.apply(images, self.draw(1 if whole else len(images)))

    def apply(
        self, images: UInt8[Tensor, "spot 3 px px"], drawn: Draws
    ) -> UInt8[Tensor, "spot 3 px px"]:
        """Change tiles by what was drawn for each, or for all."""
        count, size = len(images), PIECE[images.device.type]
        spread = {name: value.expand(count, *value.shape[1:]) for name, value in drawn.items()}
        pieces = [slice(start, start + size) for start in range(0, count, size)]
        changed = [
            self._changed(images[rows], {name: value[rows] for name, value in spread.items()})
            for rows in pieces
        ]
        return torch.cat(changed or [images])

    def _changed(
        self, images: UInt8[Tensor, "spot 3 px px"], drawn: Draws
    ) -> UInt8[Tensor, "spot 3 px px"]:
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
            text = _text(getattr(self, each.name), each.metadata["text"])
            texts.setdefault(each.metadata["operation"], []).append(text)
        return {operation: ", ".join(parts) for operation, parts in texts.items()}

    @property
    def summary(self) -> str:
        """The family in one line, "" for none."""
        return "; ".join(f"{operation} ({text})" for operation, text in self.operations.items())


def _text(value: object, text: str) -> str:
    if isinstance(value, tuple):
        value = " to ".join(f"{end:.3g}" for end in value)
    return text.format(value)
