"""Sections -> batches: what a method is shown, and in which order."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields, replace

import numpy as np
import pandas as pd
import torch
from jaxtyping import Float32, Int32, Int64, Shaped

from compendium.data.section import NO_LABEL, Section
from compendium.data.targets.transforms import Target
from compendium.data.windows import PUBLISHED, WHOLE, windows
from compendium.errors import BadInput
from compendium.images import encoders
from compendium.images.augment.families import FAMILIES
from compendium.images.augment.views import view_names
from compendium.images.features import features
from compendium.methods import recipe
from compendium.methods.layers import Batch
from compendium.methods.registry import NONE, OWN
from compendium.runs.inputs.matching import TrainingSubset, subset
from compendium.runs.run import Run
from compendium.runs.seeds import seed_of

Rows = Int64[np.ndarray, "row"]
PREDICT_SPOTS = 256
UNDETERMINED = "undetermined"


@dataclass(frozen=True)
class Inputs:
    """One section as a method may see it.

    Parameters
    ----------
    image
        Tiles (uint8) or features of each spot.
    grid
        Array position of each spot.
    target, counts, size, labels
        What is to be learned, in training and validation (see Batch).
    augmented
        Precomputed features of augmented copies of the section, in training only.
    """

    image: Shaped[np.ndarray, "spot *rest"]
    grid: Int32[np.ndarray, "spot 2"]
    target: Float32[np.ndarray, "spot gene"] | None = None
    counts: Float32[np.ndarray, "spot gene"] | None = None
    size: Float32[np.ndarray, "spot"] | None = None
    labels: Int64[np.ndarray, "spot"] | None = None
    augmented: Float32[np.ndarray, "view spot feature"] | None = None

    def __len__(self) -> int:
        return len(self.grid)

    def at(self, rows: Rows) -> "Inputs":
        """Select spots by their rows."""
        arrays = {name: array for name, array in vars(self).items() if array is not None}
        parts = {name: array[rows] for name, array in arrays.items() if name != "augmented"}
        views = None if self.augmented is None else self.augmented[:, rows]
        return Inputs(**parts, augmented=views)


def inputs(
    run: Run,
    spots: TrainingSubset,
    target: Target | None,
    device: str,
    training: bool = False,
    classes: Sequence[str] = (),
) -> Inputs:
    """Assemble the inputs of one section.

    Parameters
    ----------
    run
        The run.
    spots
        The spots of the section.
    target
        Fitted target; None for a section that is predicted, whose counts are not looked at.
    device
        Where features that are not cached are computed.
    training
        Whether the section is trained on: it may then have augmented features and permuted images.
    classes
        Classes of the labels, in order.
    """
    section = spots.full_section
    counted, rows = spots.section, spots.rows
    _check_positions(run, counted)
    image = image_input(run, section, device)
    views = [image_input(run, section, device, view) for view in augmented_views(run) if training]
    augmented = np.stack(views) if views else None
    if run.permute and training:
        rng = np.random.default_rng(seed_of("permute", run.seed, section.name))
        rows = np.arange(len(section)) if rows is None else rows
        rows = rows[rng.permutation(len(rows))]
    if rows is not None:
        image = image[rows]
        augmented = None if augmented is None else augmented[:, rows]
    seen = Inputs(image, counted.grid, augmented=augmented)
    if target is None:
        return seen
    return replace(
        seen,
        target=target(counted),
        counts=counted.matrix(target.genes),
        size=size_factors(counted, target),
        labels=class_numbers(counted, classes),
    )


def windowed(
    run: Run, spots: Sequence[TrainingSubset], whole: Sequence[Inputs], target: Target | None
) -> list[Inputs]:
    """Cut the inputs of sections into the windows of the run; a method sees each as a section.

    Parameters
    ----------
    run
        The run.
    spots
        The spots of each section.
    whole
        Their inputs.
    target
        Fitted target; None for sections that are predicted, whose counts are not looked at.
    """
    if run.windows == WHOLE:
        return list(whole)
    cut = []
    for section, seen in zip((each.section for each in spots), whole, strict=True):
        for rows in windows(section, run.windows):
            size = None if target is None else size_factors(subset(section, rows), target)
            cut.append(replace(seen.at(rows), size=size))
    return cut


def rows_predicted(run: Run, section: Section) -> Rows | None:
    """Return the spot of each row of a prediction; None where all are there once, in order."""
    return np.concatenate(windows(section, run.windows)) if run.windows == PUBLISHED else None


def image_input(
    run: Run, section: Section, device: str, view: str = ""
) -> Shaped[np.ndarray, "spot *rest"]:
    """Return tiles or frozen features of every spot of a section, as the run says.

    Parameters
    ----------
    run, section, device
        See `inputs`.
    view
        Augmented copy whose features are wanted (see compendium.images.augment.views).
    """
    if run.encoder == NONE:
        return np.zeros((len(section), 0), np.float32)
    if run.encoder == OWN:
        return section.tiles(run.tile_px, run.tile_um)
    how = (run.encoder, run.tile_px, run.weights, device, run.scale, view, run.tile_um)
    return features(section, *how)


def augmented_views(run: Run) -> tuple[str, ...]:
    """Name the augmented copies of training sections whose features the run draws from.

    None for tiles, which are augmented batch by batch.
    """
    model = dict(run.model)
    if run.encoder in (OWN, NONE):
        return ()
    if run.augment != "none":
        return view_names(run.augment)
    return view_names(str(model["view"]), whole=True) if model.get("distill") else ()


def _check_positions(run: Run, section: Section) -> None:
    """Refuse positions beyond a method's tables, and sections with too few spots for a graph."""
    model, furthest = dict(run.model), int(section.grid.max())
    if furthest >= (positions := model.get("positions", furthest + 1)):
        raise BadInput(
            f"{section.where}: array position {furthest} is beyond the {positions} of method"
            f" {run.method}; set positions={furthest + 1}"
        )
    needed = 1 + model.get("k", 1)
    if recipe(run.method).unit == "section" and len(section) < needed:
        neighbours = f" (k={needed - 1} and the spot itself)" if "k" in model else ""
        raise BadInput(
            f"{section.where}: method {run.method} needs a section of {needed} spots or more"
            f"{neighbours}, this one has {len(section)}; leave it out"
        )


def size_factors(section: Section, target: Target) -> Float32[np.ndarray, "spot"]:
    """Compute the size factor of each spot, where mean count = size factor x rate.

    Returns
    -------
    For the target scprep, scaled to the panel as published: total over the panel / median total of
    the section. Else total over all shared genes / 10,000, so that ln(1 + rate) is the scoring
    target.
    """
    if target.transform != "scprep":
        return section.totals(target.shared) / np.float32(1e4)
    total = section.totals(target.genes)
    return total / np.float32(np.median(total) or 1)


def class_names(spots: Sequence[TrainingSubset]) -> list[str]:
    """List the classes of labelled spots in alphabetical order, without undetermined ones."""
    labels = np.unique(np.concatenate([labels_of(each.section) for each in spots]))
    return [str(label) for label in labels if label not in (NO_LABEL, UNDETERMINED)]


def class_numbers(section: Section, classes: Sequence[str]) -> Int64[np.ndarray, "spot"]:
    """Number each spot's label by the order of the classes; -1 where it is none of them."""
    return pd.Categorical(labels_of(section), categories=list(classes)).codes.astype(np.int64)


def labels_of(section: Section) -> Shaped[np.ndarray, "spot"]:
    """Return the label of each spot; all are NO_LABEL in a section without labels."""
    return np.full(len(section), NO_LABEL) if section.labels is None else section.labels


def pooled(run: Run, sections: list[Inputs]) -> Inputs | None:
    """Join the features of all sections, so that a batch of spots is gathered at once.

    None for methods that see a section at a time, and for tiles, which stay on disk.
    """
    if recipe(run.method).unit == "section" or sections[0].image.dtype == np.uint8:
        return None
    if len(sections) == 1:
        return sections[0]
    named = {name: [getattr(each, name) for each in sections] for name in vars(sections[0])}
    views = named.pop("augmented")
    joint = {name: np.concatenate(parts) for name, parts in named.items() if parts[0] is not None}
    return Inputs(**joint, augmented=None if views[0] is None else np.concatenate(views, axis=1))


def training(
    run: Run,
    sections: list[Inputs],
    epoch: int,
    device: str = "cpu",
    pool: Inputs | None = None,
) -> Iterator[Batch]:
    """Yield the batches of one epoch, in an order that depends on seed and epoch only.

    Parameters
    ----------
    run
        The run; its method sees a section at a time, or spots mixed over all sections.
    sections
        Inputs of the training sections.
    epoch
        Number of the epoch, from 0.
    device
        Where tiles are augmented.
    pool
        The sections as `pooled` joins them: the same batches, sooner.
    """
    rng = np.random.default_rng(seed_of("order", run.seed, epoch))
    if recipe(run.method).unit == "section":
        for i in rng.permutation(len(sections)):
            yield batch(run, sections[i], np.arange(len(sections[i])), device, augment=True)
        return
    owner = np.repeat(np.arange(len(sections)), [len(section) for section in sections])
    row = np.concatenate([np.arange(len(section)) for section in sections])
    order = rng.permutation(len(owner))
    for start in range(0, len(order), run.batch):
        chosen = order[start : start + run.batch]
        if pool:
            by_section = chosen[np.argsort(owner[chosen], kind="stable")]
            yield batch(run, pool, by_section, device, augment=True)
            continue
        pieces = [
            batch(run, sections[i], row[chosen[owner[chosen] == i]], device, augment=True)
            for i in np.unique(owner[chosen])
        ]
        yield joined(pieces)


def steps_an_epoch(run: Run, sections: Sequence[Inputs]) -> int:
    """Return the number of batches that `training` yields."""
    if recipe(run.method).unit == "section":
        return len(sections)
    return -(-sum(map(len, sections)) // run.batch)


def in_order(run: Run, section: Inputs) -> Iterator[Batch]:
    """Yield every spot of a section once, in order: all at once for section methods."""
    size = len(section) if recipe(run.method).unit == "section" else PREDICT_SPOTS
    for start in range(0, len(section), size):
        yield batch(run, section, np.arange(start, min(start + size, len(section))))


def joined(pieces: Sequence[Batch]) -> Batch:
    """Join spots of several sections in one batch."""
    named = {each.name: [getattr(piece, each.name) for piece in pieces] for each in fields(Batch)}
    joint = {name: torch.cat(parts) for name, parts in named.items() if parts[0] is not None}
    return Batch(**joint)


def batch(
    run: Run, section: Inputs, rows: Rows, device: str = "cpu", augment: bool = False
) -> Batch:
    """Make a batch of some rows of a section.

    Parameters
    ----------
    run, section, rows
        What is shown.
    device
        Where the batch is made.
    augment
        Whether tiles are augmented, and features drawn from the augmented ones.
    """
    views = section.augmented if augment else None
    part = replace(section, augmented=None).at(rows)
    image = torch.from_numpy(np.ascontiguousarray(part.image))
    if image.dtype == torch.uint8:
        image = _scaled_tiles(run, image.to(device), augment)
    elif run.augment != "none" and views is not None:
        drawn = torch.randint(len(views), (len(rows),))  # one view for each spot
        image = torch.from_numpy(views[drawn.numpy(), rows])
        views = None
    shown = None if views is None else torch.from_numpy(views[:, rows])
    arrays = (part.target, part.counts, part.size, part.labels)
    learned = [None if array is None else torch.from_numpy(array) for array in arrays]
    return Batch(image, torch.from_numpy(part.grid).long(), *learned, views=shown).to(device)


def _scaled_tiles(run: Run, tiles: torch.Tensor, augment: bool) -> torch.Tensor:
    if augment:
        tiles = FAMILIES[run.augment](tiles.permute(0, 3, 1, 2)).permute(0, 2, 3, 1)
    return encoders.scaled(tiles, run.scale, recipe(run.method).encoder)
