"""Runs of chapter 7: Hist2ST and ridge on encoders that differ in one thing at a time."""

from collections.abc import Mapping, Sequence

from compendium.errors import BadInput
from compendium.evaluation import comparison
from compendium.evaluation.comparison import Row
from compendium.evaluation.paired import Comparison
from compendium.images.encoders import FROZEN, RANDOM, fixed_side, missing, short
from compendium.methods.registry import OWN

TILE_PX = 112
"""Hist2ST's own; every row has the same pixels, but for encoders that take one size only."""
INPUTS = (
    ("", "", {}),
    ("-raw", ", 0–255", {"scale": "0-255"}),
    ("-random", ", random start", {"weights": RANDOM}),
)
"""Ending of a key, ending of a title, parameters."""
PUBLISHED = "frozen pre-trained − ConvMixer"
COMPARISONS = (
    Comparison(f"{PUBLISHED}, both 0–255 as published", "frozen-raw", "convmixer-raw"),
    Comparison(f"{PUBLISHED}, both normalised", "frozen", "convmixer"),
    Comparison("frozen: pre-trained − random start", "frozen", "frozen-random"),
    Comparison("tuned: pre-trained − random start", "tuned", "tuned-random"),
    Comparison("ridge: pre-trained − random start", "ridge", "ridge-random"),
    Comparison("frozen pre-trained: normalised − 0–255", "frozen", "frozen-raw"),
    Comparison("ridge on pre-trained: normalised − 0–255", "ridge", "ridge-raw"),
)


def design(
    cohort: str,
    names: Sequence[str] | None,
    patients: Sequence[str],
    tuned_patients: Sequence[str],
    encoders: Sequence[str],
    weights: Sequence[str],
    tuned_steps: int | None,
    **parameters,
) -> comparison.Design:
    """Plan every row trained on each of the patients alone, and its permuted-image control.

    Parameters
    ----------
    cohort, names
        Cohort and names of the sections; all of them by default.
    patients, tuned_patients
        Patients to train on, one fold each; those on which encoders are tuned too.
    encoders, weights
        Further encoders, shown frozen; their weights files, each as NAME=FILE.
    tuned_steps
        Optimiser steps of the rows with a tuned encoder, which are compared with one another; by
        default those of the other rows.
    parameters
        Parameters of every run: panel, budget, seed.

    Returns
    -------
    Design with the groups fits and permuted; facts: others (further encoders that are there),
    left_out (the rest, each with the reason), titles, trained_on (patients).
    """
    files = weights_files(weights)
    absent = left_out(encoders, files)
    others = {name: files.get(name, "") for name in encoders if name not in absent}
    compared, sections = rows(others, tuned_steps), comparison.placed(cohort, names)
    fits = []
    for row in compared:
        trained = tuned_patients if row.parameters.get("tuned") else patients
        fits += comparison.one_patient_jobs(row, cohort, sections, trained, **parameters)
    left = (run.split.left_out.removeprefix("every patient but ") for _, run in fits)
    facts = {
        "others": list(others),
        "left_out": absent,
        "titles": {row.key: row.title for row in compared},
        "trained_on": ", ".join(dict.fromkeys(left)),
    }
    line = comparison.protocol_line("= one-patient", parameters | {"encoder": "as named"})
    groups = {"fits": fits, "permuted": comparison.permuted_controls(fits)}
    return comparison.Design(cohort, sections, groups, line, facts)


def rows(others: Mapping[str, str], tuned_steps: int | None) -> list[Row]:
    """Return the rows of the chapter.

    Parameters
    ----------
    others
        Further encoders, shown frozen, with their weights files (empty for their own weights).
    tuned_steps
        Optimiser steps of the rows with a tuned encoder; by default those of the other rows.
    """
    own = {"encoder": OWN, "tile_px": TILE_PX}
    mixer = own | {"method": "hist2st"}
    tuned = own | {"method": "hist2st-lite0", "tuned": True, "resized": TILE_PX, "distill": 0.0}
    tuned |= {"steps": tuned_steps} if tuned_steps else {}
    return [
        Row("convmixer-raw", "ConvMixer, 0–255", mixer | {"scale": "0-255"}),
        Row("convmixer", "ConvMixer", mixer),
        *_on_features("frozen", "Lite0 frozen", "hist2st"),
        *(_further(name, file) for name, file in others.items()),
        Row("tuned", "Lite0 tuned", tuned),
        Row("tuned-random", "Lite0 tuned, random start", tuned | {"weights": RANDOM}),
        *_on_features("ridge", "ridge on Lite0", "ridge"),
    ]


def _on_features(key: str, title: str, method: str) -> list[Row]:
    shared = {"method": method, "encoder": FROZEN, "tile_px": TILE_PX}
    return [Row(key + end, title + ending, shared | given) for end, ending, given in INPUTS]


def _further(name: str, file: str) -> Row:
    side = fixed_side(name)
    title = f"{short(name)} frozen" + (f", tiles of {side} px" if side else "")
    given = {"encoder": name, "weights": file, "tile_px": side or TILE_PX}
    return Row(name, title, {"method": "hist2st"} | given)


def comparisons(others: Sequence[str]) -> list[Comparison]:
    """Return the comparisons of EfficientNet-Lite0, and of each further encoder with ConvMixer."""
    title = "{} frozen − ConvMixer, both normalised".format
    return [*COMPARISONS, *(Comparison(title(short(name)), name, "convmixer") for name in others)]


def weights_files(given: Sequence[str]) -> dict[str, str]:
    """Return encoder -> file of weights, from texts NAME=FILE."""
    for text in given:
        if not all(text.partition("=")):
            raise BadInput(
                f"weights names {text!r}; give the encoder and its file as NAME=FILE, "
                "e.g. resnet50.tv_in1k=resnet50.pth"
            )
    return dict(text.split("=", 1) for text in given)


def left_out(names: Sequence[str], files: Mapping[str, str]) -> dict[str, str]:
    """Return the encoders whose weights are missing, each with the reason.

    They have no row: a random start under a pre-trained name would be a false one.
    """
    reasons = {name: missing(name, files.get(name, "")) for name in names}
    return {name: reason for name, reason in reasons.items() if reason}
