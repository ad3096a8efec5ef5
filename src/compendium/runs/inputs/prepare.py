"""The inputs of a run: spots, stains, matching, targets, classes, images and windows together."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float32

from compendium.data.panels import panel, shared_genes
from compendium.data.section import Section
from compendium.data.targets.harmony import harmonised
from compendium.data.targets.transforms import Target, counted, fit_target
from compendium.images.stain.store import AS_IT_IS, NORMALISERS, restained
from compendium.images.tissue_filter import spots_kept
from compendium.runs.inputs.batches import Inputs, class_names, inputs, windowed
from compendium.runs.inputs.matching import (
    TrainingSubset,
    matched,
    shallowest,
    smallest_training_set,
    thinned,
)
from compendium.runs.run import Run


@dataclass(frozen=True)
class RunInputs:
    """Everything that a run is fitted on and tested with.

    Parameters
    ----------
    train
        Names of the training sections that have training spots.
    training, validation
        Inputs of each section, or of each of its windows.
    test
        Test sections as the run sees them, with the stains that it asks for.
    target
        Target fitted on the training sections.
    classes
        Classes of the training labels, in the order of their numbers.
    """

    train: list[str]
    training: list[Inputs]
    validation: list[Inputs]
    test: list[Section]
    target: Target
    classes: list[str]


def prepare_inputs(
    run: Run, sections: Sequence[Section], device: str, *, smallest: bool = False
) -> RunInputs:
    """Prepare the inputs of a run.

    Parameters
    ----------
    run
        The run.
    sections
        Sections of its cohort.
    device
        Where features that are not cached are computed.
    smallest
        Prepare only the smallest training section, to measure a step; its targets, stains and
        matching rest on all sections of the run, as in the fit.

    Returns
    -------
    The same inputs at every call.
    """
    spots, target = training_set(run, sections)
    classes = class_names(spots)
    corrected = _corrected(spots, target) if run.target == "harmony" else {}
    valid, test = run.split.valid, run.split.test
    if smallest:
        spots = [min(spots, key=lambda each: len(each.full_section))]
        valid = test = ()
    train = _names(spots)
    images = stained(run, used(run, sections), [*train, *valid, *test])
    spots = [replace(each, full_section=images[each.full_section.name]) for each in spots]
    return RunInputs(
        train=train,
        training=_training(run, spots, target, device, classes, corrected),
        validation=_validation(run, [images[name] for name in valid], target, device, classes),
        test=[images[name] for name in test],
        target=target,
        classes=classes,
    )


def _names(spots: Sequence[TrainingSubset]) -> list[str]:
    return [each.full_section.name for each in spots]


def _corrected(
    spots: Sequence[TrainingSubset], target: Target
) -> dict[str, Float32[np.ndarray, "spot gene"]]:
    """Targets of the training sections without what tells sections apart, by Harmony."""
    values = harmonised([target(each.section) for each in spots])
    return dict(zip(_names(spots), values, strict=True))


def _training(
    run: Run,
    spots: Sequence[TrainingSubset],
    target: Target,
    device: str,
    classes: Sequence[str],
    corrected: Mapping[str, np.ndarray],
) -> list[Inputs]:
    """Inputs of the training sections; `corrected` replaces the targets of those it names."""
    own = [inputs(run, each, target, device, training=True, classes=classes) for each in spots]
    named = zip(_names(spots), own, strict=True)
    seen = [replace(each, target=corrected.get(name, each.target)) for name, each in named]
    return windowed(run, spots, seen, target)


def _validation(
    run: Run,
    sections: Sequence[Section],
    target: Target,
    device: str,
    classes: Sequence[str],
) -> list[Inputs]:
    """Inputs of the validation sections, of which every spot is seen and none is augmented."""
    spots = [TrainingSubset(each, counted(each, run.target)) for each in sections]
    seen = [inputs(run, each, target, device, classes=classes) for each in spots]
    return windowed(run, spots, seen, target)


def training_set(run: Run, sections: Sequence[Section]) -> tuple[list[TrainingSubset], Target]:
    """Choose the training spots and fit the target on them.

    Returns
    -------
    The spots of each training section, filtered and matched as the run says, and the target; the
    same at every call.
    """
    chosen = used(run, sections)
    full = {each.name: TrainingSubset(each, counted(each, run.target)) for each in chosen}
    shared = shared_genes([each.section for each in full.values()])

    def filtered(spots: TrainingSubset) -> TrainingSubset:
        kept = spots_kept(spots.full_section, run.spots, run.tile_px, run.tile_um)
        return spots if kept.all() else spots.only(np.flatnonzero(kept))

    spots = [filtered(full[name]) for name in run.split.train]
    if compared := [filtered(full[name]) for name in run.split.match]:
        depth = shallowest([each.full_section for each in compared], shared)
        n_spots = smallest_training_set(compared)
        spots = matched(spots, n_spots, depth, shared, run.seed)
    trained = [each.section for each in spots]
    return spots, fit_target(run.target, panel(run.panel, trained, shared), trained, shared)


def measured(run: Run, sections: Sequence[Section]) -> list[Section]:
    """Return the sections of a run with the counts that it is scored on.

    Returns
    -------
    As `used`; under a matched split the test sections are thinned like the training sections, to
    the same counts whatever was trained on.
    """
    chosen, test = used(run, sections), run.split.test
    if not run.split.match:
        return chosen
    shared = shared_genes(chosen)
    depth = shallowest([each for each in chosen if each.name in run.split.match], shared)
    return [thinned(s, depth, shared, run.seed) if s.name in test else s for s in chosen]


def used(run: Run, sections: Sequence[Section]) -> list[Section]:
    """Select the sections of a run: training, validation, test, and those it is matched to."""
    names = {*run.split.train, *run.split.valid, *run.split.test, *run.split.match}
    return [section for section in sections if section.name in names]


def stained(
    run: Run, sections: Sequence[Section], names: Sequence[str] | None = None
) -> dict[str, Section]:
    """Map the stains of a run's sections.

    A normaliser maps all sections to the stains of the first training section (with
    stain_test=False the training sections alone); stains are drawn for training sections only.

    Parameters
    ----------
    run, sections
        The run and its sections.
    names
        Sections that are wanted; None for all but those that the run is only matched to.

    Returns
    -------
    Sections by name; those that are not mapped are the ones that were given.
    """
    full = {section.name: section for section in sections}
    names = [*run.split.train, *run.split.valid, *run.split.test] if names is None else names
    given = {name: full[name] for name in names}
    if run.stain == AS_IT_IS:
        return given
    train = [full[name] for name in run.split.train]
    mapped = full if run.stain_test and run.stain in NORMALISERS else run.split.train
    wanted = [name for name in names if name in mapped]
    return given | {name: restained(full[name], train, run.stain) for name in wanted}
