"""Tables of chapter 8."""

from collections.abc import Mapping, Sequence

from compendium.chapters.gat.layer_time import layer_times
from compendium.chapters.gat.step_time import per_step
from compendium.data.section import Section
from compendium.evaluation.comparison import (
    KEPT,
    Design,
    Fitted,
    Tables,
    by_seed,
    criterion,
    over_seeds,
)
from compendium.runs.execution import device_line
from compendium.runs.fit import pick_device


def tables(design: Design, groups: Mapping[str, Fitted], sections: Sequence[Section]) -> Tables:
    """Score every row, and time its training step and one layer of each kind.

    Both are timed on the device of the fits.

    Returns
    -------
    Tables
        scores, criterion (of a result, under the first split), steps (see
        `compendium.chapters.gat.step_time.per_step`), layers (see
        `compendium.chapters.gat.layer_time.layer_times`), curves (first seed), seeds.
    Facts
        timed_on (the device).
    """
    fits, first, sizes = groups["fits"], design.facts["first"], design.facts["spots"]
    every, permuted = fits.scores(sections), groups["permuted"].scores(sections)
    scores = over_seeds(every)
    on_cpu = all(record.facts["device"].startswith("CPU") for record in fits.records)
    device = pick_device("cpu" if on_cpu else "auto")
    jobs = [job for job in fits.jobs if job[1].split.rule == first]
    return {
        "scores": scores[list(KEPT)],
        "criterion": criterion(scores[scores["split"] == first], permuted, jobs),
        "steps": per_step(fits.once, sections, "hist2st", device),
        "layers": layer_times(design.facts["width"], device, sizes, design.facts["k"]),
        "curves": fits.once.curves(),
        "seeds": by_seed(every),
    }, {"timed_on": device_line(device)}
