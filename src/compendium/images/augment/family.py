"""What a family of augmentations is: parameters, a draw for every tile or one for a whole section, and the change that follows from it."""

import dataclasses
from dataclasses import dataclass
from typing import ClassVar

import torch
from jaxtyping import Num, UInt8
from torch import Tensor

PIECE = {
    "cpu": 8,
    "cuda": 256,
    "mps": 256,
}  # tiles changed at once: on a CPU more of them wait for memory (benchmarks/augment.py)


def stated(value: object, operation: str, words: str) -> object:
    """A parameter of a family with its default, the operation that it belongs to (a row of Fig. S1a) and its words for a table, where {} is its value."""
    return dataclasses.field(default=value, metadata={"operation": operation, "words": words})


@dataclass(frozen=True)
class Family:
    """Tiles as they are, and what all families are: fields say how strongly, `draw` what happens to each tile, `change` does it.

    Parameters are drawn from torch's CPU generator, so that every device sees the same ones. Pixels are rounded once, at the end; torchvision's own families on
    uint8 round after each operation.
    """

    title: ClassVar[str] = "none"
    source: ClassVar[str] = ""
    exact: ClassVar[bool] = (
        True  # only moves pixels, so that `change` takes uint8; else it takes 0 to 1
    )

    def __call__(
        self, images: UInt8[Tensor, "spot 3 px px"], whole: bool = False
    ) -> UInt8[Tensor, "spot 3 px px"]:
        """Tiles changed by one draw each, or with `whole` by one draw for all, as Hist2ST's views of a section are."""
        return self.apply(images, self.draw(1 if whole else len(images)))

    def apply(
        self, images: UInt8[Tensor, "spot 3 px px"], drawn: dict[str, Tensor]
    ) -> UInt8[Tensor, "spot 3 px px"]:
        """Tiles changed by what was drawn for each, or for all; piece by piece."""
        spread = {
            name: value.expand(len(images), *value.shape[1:]) for name, value in drawn.items()
        }
        pieces = [
            slice(start, start + PIECE[images.device.type])
            for start in range(0, len(images), PIECE[images.device.type])
        ]
        return torch.cat(
            [
                self._changed(images[rows], {name: value[rows] for name, value in spread.items()})
                for rows in pieces
            ]
            or [images]
        )

    def _changed(
        self, images: UInt8[Tensor, "spot 3 px px"], drawn: dict[str, Tensor]
    ) -> UInt8[Tensor, "spot 3 px px"]:
        images = (
            images.contiguous()
        )  # tiles come with their channels last in memory, where colours take four times as long
        if self.exact:
            return self.change(images, **drawn)
        return self.change(images / 255, **drawn).mul_(255).round_().to(torch.uint8)

    def draw(self, spots: int) -> dict[str, Tensor]:
        """What happens to each of some tiles: one row a tile."""
        return {}

    def change(
        self, images: Num[Tensor, "spot 3 px px"], **drawn: Num[Tensor, "spot ..."]
    ) -> Num[Tensor, "spot 3 px px"]:
        """The tiles with that done to them; may write into `images` unless they are uint8."""
        return images

    @property
    def operations(self) -> dict[str, str]:
        """Operation -> its parameters in words, of the fields."""
        told: dict[str, list[str]] = {}
        for each in dataclasses.fields(self):
            value = getattr(self, each.name)
            told.setdefault(each.metadata["operation"], []).append(
                _told(value, each.metadata["words"])
            )
        return {operation: ", ".join(texts) for operation, texts in told.items()}

    @property
    def words(self) -> str:
        """The family in a line, "" for none."""
        return "; ".join(f"{operation} ({text})" for operation, text in self.operations.items())


def _told(value: object, words: str) -> str:
    if isinstance(value, tuple):
        value = " to ".join(f"{end:.3g}" for end in value)
    return words.format(value)
