"""The rows of the encoder chapter: Hist2ST and ridge behind encoders that differ in network, start, training or input, and nothing else."""

from collections.abc import Mapping, Sequence

from compendium.data.prepare import open_sections
from compendium.data.section import digest
from compendium.errors import BadInput
from compendium.evaluation.comparison import (
    KEPT,
    Row,
    criterion,
    fitted,
    one_patient_jobs,
    permuted_controls,
    provenance,
)
from compendium.evaluation.results import Results
from compendium.images.encoders import FROZEN, RANDOM, fixed_side, missing, short
from compendium.methods.registry import OWN

TILE_PX = (
    112  # Hist2ST's own; every row sees the same pixels, but for encoders that take one side only
)
LOOKS = (
    ("", "", {}),
    ("-raw", ", 0–255", {"scale": "0-255"}),
    ("-random", ", random start", {"weights": RANDOM}),
)


def rows(others: Mapping[str, str], mixer_epochs: int, tuned_epochs: int) -> list[Row]:
    """The rows; others: further encoders to be shown frozen, with their weights files ("" for their own weights)."""
    own = {"method": "hist2st", "encoder": OWN, "epochs": mixer_epochs, "tile_px": TILE_PX}
    tuned = {
        "method": "hist2st-lite0",
        "encoder": OWN,
        "tuned": True,
        "resized": TILE_PX,
        "distill": 0.0,
        "epochs": tuned_epochs,
        "tile_px": TILE_PX,
    }
    return [
        Row("convmixer-raw", "ConvMixer, 0–255", own | {"scale": "0-255"}),
        Row("convmixer", "ConvMixer", own),
        *_on_features("frozen", "Lite0 frozen", "hist2st"),
        *(_further(name, file) for name, file in others.items()),
        Row("tuned", "Lite0 tuned", tuned),
        Row("tuned-random", "Lite0 tuned, random start", tuned | {"weights": RANDOM}),
        *_on_features("ridge", "ridge on Lite0", "ridge"),
    ]


def _on_features(key: str, title: str, method: str) -> list[Row]:
    return [
        Row(
            key + tail,
            title + how,
            {"method": method, "encoder": FROZEN, "tile_px": TILE_PX} | words,
        )
        for tail, how, words in LOOKS
    ]


def _further(name: str, file: str) -> Row:
    side = fixed_side(name)
    title = f"{short(name)} frozen" + (f", tiles of {side} px" if side else "")
    return Row(
        name,
        title,
        {"method": "hist2st", "encoder": name, "weights": file, "tile_px": side or TILE_PX},
    )


def weights_files(words: Sequence[str]) -> dict[str, str]:
    """Encoder -> file of weights, from words NAME=FILE."""
    for word in words:
        if not all(word.partition("=")):
            raise BadInput(
                f"weights names {word!r}; give the encoder and its file as NAME=FILE, e.g. resnet50.tv_in1k=resnet50.pth"
            )
    return {name: file for name, _, file in (word.partition("=") for word in words)}


def left_out(names: Sequence[str], files: Mapping[str, str]) -> dict[str, str]:
    """The encoders among these that cannot be had, with the reason; they are left out of results, never started at random."""
    reasons = {name: missing(name, files.get(name, "")) for name in names}
    return {name: why for name, why in reasons.items() if why}


def study(
    cohort: str,
    names: Sequence[str] | None,
    patients: Sequence[str],
    tuned_patients: Sequence[str],
    encoders: Sequence[str],
    weights: Sequence[str],
    mixer_epochs: int,
    tuned_epochs: int,
    device: str,
    **words,
) -> Results:
    """Every row trained on each of the patients alone (those whose encoder is tuned, which takes long, on `tuned_patients`), with its twins; words go to every run.

    encoders: further ones to be shown frozen, weights: their files, as NAME=FILE. facts: `others` of them that could be had, `left_out` with the reason.
    """
    files = weights_files(weights)
    absent = left_out(encoders, files)
    others = {name: files.get(name, "") for name in encoders if name not in absent}
    compared, sections = rows(others, mixer_epochs, tuned_epochs), open_sections(cohort, names)
    planned = [
        job
        for row in compared
        for job in one_patient_jobs(
            row,
            cohort,
            sections,
            tuned_patients if row.parameters.get("tuned") else patients,
            **words,
        )
    ]
    groups = fitted({"fits": planned, "twins": permuted_controls(planned)}, sections, device)
    table = groups["fits"].scores(sections)
    facts = {
        "data": f"{cohort} {digest(sections)}",
        "protocol": f"clean, except split = one-patient, panel = {words['panel']}, encoder and scale as named, budget = {words['budget']}",
        "others": list(others),
        "left_out": absent,
        "titles": {row.key: row.title for row in compared},
        "trained_on": ", ".join(
            dict.fromkeys(
                run.split.left_out.removeprefix("every patient but ") for _, run in planned
            )
        ),
    }
    tables = {
        "scores": table[list(KEPT)],
        "floor": criterion(table, groups["twins"].scores(sections), planned),
        "curves": groups["fits"].curves(),
        "cost": groups["fits"].cost(),
    }
    return Results(tables, provenance(groups) | facts)
