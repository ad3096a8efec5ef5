"""Sections -> batches: what a method is shown, and in which order."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields

import numpy as np
import torch
from jaxtyping import Float32, Int32, Int64, Shaped

from compendium.data.section import NO_LABEL, Section
from compendium.data.targets.transforms import Target
from compendium.data.windows import PUBLISHED, WHOLE, windows
from compendium.errors import BadInput
from compendium.images import encoders
from compendium.images.augment.families import FAMILIES
from compendium.images.augment.views import bank
from compendium.images.features import features
from compendium.methods import recipe
from compendium.methods.layers import Batch, no_image
from compendium.methods.registry import NONE, OWN
from compendium.runs.inputs.matching import TrainingSubset, subset
from compendium.runs.run import Run
from compendium.runs.seeds import seed_of

PREDICT_SPOTS = 256
UNDETERMINED = "undetermined"


@dataclass(frozen=True)
class Inputs:
    """One section as a method may see it: tiles or features, array positions, and in training what is to be learned (see Batch) and the bank of views."""

    image: Shaped[np.ndarray, "spot *rest"]
    grid: Int32[np.ndarray, "spot 2"]
    target: Float32[np.ndarray, "spot gene"] | None = None
    counts: Float32[np.ndarray, "spot gene"] | None = None
    size: Float32[np.ndarray, "spot"] | None = None
    labels: Int64[np.ndarray, "spot"] | None = None
    bank: Float32[np.ndarray, "view spot feature"] | None = None

    def __len__(self) -> int:
        return len(self.grid)


def inputs(
    run: Run,
    part: TrainingSubset,
    target: Target | None,
    device: str,
    training: bool = False,
    classes: Sequence[str] = (),
) -> Inputs:
    """Image input of a section, with what is to be learned of it if a target is given; a run with `permute` shuffles the images of a training section."""
    section = part.whole
    image, bank = shown(run, section, device), views(run, section, device) if training else None
    if part.rows is not None or (run.permute and training):
        rows = _order(run, part, training)
        image, bank = image[rows], None if bank is None else bank[:, rows]
    _check_places(run, part.section)
    if target is None:
        return Inputs(image, part.section.grid)
    counted = part.section
    return Inputs(
        image,
        counted.grid,
        target(counted),
        counted.matrix(target.genes),
        size_factors(counted, target),
        class_numbers(counted, classes),
        bank,
    )


def windowed(
    run: Run, parts: Sequence[TrainingSubset], seen: Sequence[Inputs], target: Target | None
) -> list[Inputs]:
    """What is seen of each part, cut into the run's windows; each is a section to the method, and to `size_factors`."""
    if run.windows == WHOLE:
        return list(seen)
    return [
        _window(part, whole, rows, target)
        for part, whole in zip(parts, seen, strict=True)
        for rows in windows(part.section, run.windows)
    ]


def _window(
    part: TrainingSubset, whole: Inputs, rows: Int64[np.ndarray, "some"], target: Target | None
) -> Inputs:
    own = {
        each.name: value[:, rows] if each.name == "bank" else value[rows]
        for each in fields(Inputs)
        if (value := getattr(whole, each.name)) is not None
    }
    return Inputs(
        **own
        | ({} if target is None else {"size": size_factors(subset(part.section, rows), target)})
    )


def rows_predicted(run: Run, section: Section) -> Int64[np.ndarray, "row"] | None:
    """The spot of each row of a prediction where some are predicted twice and others not at all; None where every spot is once, in its order."""
    return np.concatenate(windows(section, run.windows)) if run.windows == PUBLISHED else None


def shown(
    run: Run, section: Section, device: str, view: str = ""
) -> Shaped[np.ndarray, "spot *rest"]:
    """What the run sees of every spot of a section: nothing, tiles, or frozen features, these in one of the views of a bank (see banks.py) if asked."""
    if run.encoder == NONE:
        return no_image(len(section)).numpy()
    if run.encoder == OWN:
        return section.tiles(run.tile_px, run.tile_um)
    return features(
        section, run.encoder, run.tile_px, run.weights, device, run.scale, view, run.tile_um
    )


def banked(run: Run) -> tuple[str, ...]:
    """The views of its training sections that a run on frozen features draws from; tiles are turned as they come."""
    turned, distilled = run.augment != "none", bool(dict(run.model).get("distill"))
    if run.encoder in (OWN, NONE) or not (turned or distilled):
        return ()
    return bank(run.augment) if turned else bank(str(dict(run.model)["view"]), whole=True)


def views(
    run: Run, section: Section, device: str
) -> Float32[np.ndarray, "view spot feature"] | None:
    """The bank of a training section, if the run needs one."""
    return (
        np.stack([shown(run, section, device, view) for view in banked(run)])
        if banked(run)
        else None
    )


def _order(run: Run, part: TrainingSubset, training: bool) -> Int64[np.ndarray, "spot"]:
    """Rows of the whole section in the order in which the part's spots are shown them."""
    rows = np.arange(len(part.whole)) if part.rows is None else part.rows
    return (
        rows[
            np.random.default_rng(seed_of("permute", run.seed, part.whole.name)).permutation(
                len(rows)
            )
        ]
        if run.permute and training
        else rows
    )


def _check_places(run: Run, section: Section) -> None:
    """Array positions must lie within a method's tables, and a method that looks from spot to spot needs some."""
    words, where, furthest = (
        dict(run.model),
        f"{section.cohort} section {section.name}",
        int(section.grid.max()),
    )
    if furthest >= (positions := words.get("positions", furthest + 1)):
        raise BadInput(
            f"{where}: array position {furthest} is beyond the {positions} of method {run.method}; set positions={furthest + 1}"
        )
    needed = 1 + words.get("k", 1)
    if recipe(run.method).unit == "section" and len(section) < needed:
        neighbours = f" (k={needed - 1} and the spot itself)" if "k" in words else ""
        raise BadInput(
            f"{where}: method {run.method} needs a section of {needed} spots or more{neighbours}, this one has {len(section)}; leave it out"
        )


def size_factors(section: Section, target: Target) -> Float32[np.ndarray, "spot"]:
    """How much of its expression a spot shows: mean count = size x rate.

    Of a target scaled to the panel (scprep), as published: total over the panel / the section's median total, 1 where that is 0. Else total over all shared
    genes / 10,000, so that the rate is what the scoring target takes the logarithm of: wide = ln(1 + rate).
    """
    if target.transform != "scprep":
        return section.totals(target.shared) / np.float32(1e4)
    total = section.totals(target.genes)
    return total / np.float32(np.median(total) or 1)


def class_names(parts: Sequence[TrainingSubset]) -> list[str]:
    """Classes of the labelled spots of some sections, in alphabetical order; a spot whose class the pathologist left open has none."""
    found = {
        str(label)
        for part in parts
        if part.section.labels is not None
        for label in part.section.labels
    }
    return sorted(found - {NO_LABEL, UNDETERMINED})


def class_numbers(section: Section, classes: Sequence[str]) -> Int64[np.ndarray, "spot"]:
    """Number of each spot's label among the classes; -1 where it has none of them."""
    number = {name: i for i, name in enumerate(classes)}
    return np.array(
        [
            number.get(str(label), -1)
            for label in (section.labels if section.labels is not None else [""] * len(section))
        ]
    )


def training(run: Run, parts: list[Inputs], epoch: int, device: str = "cpu") -> Iterator[Batch]:
    """Batches of one epoch in an order that depends on seed and epoch only: sections, or spots mixed over all sections. Tiles are augmented on the device."""
    rng = np.random.default_rng(seed_of("order", run.seed, epoch))
    if recipe(run.method).unit == "section":
        for i in rng.permutation(len(parts)):
            yield batch(run, parts[i], np.arange(len(parts[i])), device, augment=True)
        return
    owner = np.repeat(np.arange(len(parts)), [len(part) for part in parts])
    row = np.concatenate([np.arange(len(part)) for part in parts])
    order = rng.permutation(len(owner))
    for start in range(0, len(order), run.batch):
        chosen = order[start : start + run.batch]
        pieces = [
            batch(run, parts[i], row[chosen[owner[chosen] == i]], device, augment=True)
            for i in np.unique(owner[chosen])
        ]
        yield joined(pieces)


def in_order(run: Run, part: Inputs) -> Iterator[Batch]:
    """Every spot of a section once, in its order: a whole section for section methods, else chunks."""
    size = len(part) if recipe(run.method).unit == "section" else PREDICT_SPOTS
    for start in range(0, len(part), size):
        yield batch(run, part, np.arange(start, min(start + size, len(part))))


def joined(pieces: Sequence[Batch]) -> Batch:
    """Spots of several sections in one batch."""
    named = {each.name: [getattr(piece, each.name) for piece in pieces] for each in fields(Batch)}
    return Batch(
        **{name: torch.cat(parts) for name, parts in named.items() if parts[0] is not None}
    )


def batch(
    run: Run, part: Inputs, rows: np.ndarray, device: str = "cpu", augment: bool = False
) -> Batch:
    """Some rows of a section as tensors; in training uint8 tiles are augmented, frozen features drawn out of the bank; then tiles are scaled as the run says."""
    image = torch.from_numpy(np.ascontiguousarray(part.image[rows]))
    bank = None if part.bank is None or not augment else torch.from_numpy(part.bank[:, rows])
    if image.dtype == torch.uint8:
        tiles = image.to(device)
        if augment:
            tiles = FAMILIES[run.augment](tiles.permute(0, 3, 1, 2)).permute(0, 2, 3, 1)
        image = encoders.scaled(tiles, run.scale, recipe(run.method).encoder)
    elif run.augment != "none" and bank is not None:
        image, bank = bank[torch.randint(len(bank), (len(rows),)), torch.arange(len(rows))], None
    learned = (getattr(part, name) for name in ("target", "counts", "size", "labels"))
    return Batch(
        image,
        torch.from_numpy(part.grid[rows]).long(),
        *(None if some is None else torch.from_numpy(some[rows]) for some in learned),
        views=bank,
    ).to(device)
