"""What a run makes of its sections, as its words say: which spots it trains on, in which stains it sees them, what it learns of them."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from compendium.data.section import Section
from compendium.data.targets.harmony import harmonised
from compendium.images.stain.store import AS_IT_IS, NORMALISERS, restained
from compendium.images.tissue_filter import spots_kept
from compendium.runs.inputs.batches import Inputs
from compendium.runs.inputs.matching import TrainingSubset
from compendium.runs.run import Run


def kept(run: Run, part: TrainingSubset) -> TrainingSubset:
    """The spots of a training section that the run's filter keeps (spots=)."""
    rows = spots_kept(part.whole, run.spots, run.tile_px, run.tile_um)
    return part if rows.all() else part.only(np.flatnonzero(rows))


def stained(run: Run, sections: Sequence[Section]) -> dict[str, Section]:
    """The sections that a run looks at, by name, in other stains if it says so (stain=).

    A normaliser maps them to the stains of the first training section, with stain_test=False the training sections alone; stains are drawn for training sections only.
    """
    seen = {section.name: section for section in sections if section.name not in run.split.match}
    if run.stain == AS_IT_IS:
        return seen
    train = [seen[name] for name in run.split.train]
    others = run.stain_test and run.stain in NORMALISERS
    return {
        name: restained(section, train, run.stain) if others or name in run.split.train else section
        for name, section in seen.items()
    }


def learned(run: Run, parts: list[Inputs]) -> list[Inputs]:
    """Training inputs as the run learns from them: with target=harmony their expression as Harmony corrects it, over these and no other sections."""
    if run.target != "harmony":
        return parts
    return [
        replace(part, target=target)
        for part, target in zip(parts, harmonised([part.target for part in parts]), strict=True)
    ]
