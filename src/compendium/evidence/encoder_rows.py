"""The rows of the encoder chapter: Hist2ST and ridge behind encoders that differ in network, start, training or input, and nothing else."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import pandas as pd

from compendium.data.section import Section
from compendium.data.splits import folds
from compendium.errors import BadInput
from compendium.images.encoders import FROZEN, RANDOM, fixed_side, missing
from compendium.methods import recipe
from compendium.methods.registry import OWN
from compendium.runs.plan import Run, plan

TILE_PX = 112  # Hist2ST's own; every row sees the same pixels, but for encoders that take one side only
LOOKS = (("", "", {}), ("-raw", ", 0–255", {"scale": "0-255"}), ("-random", ", random start", {"weights": RANDOM}))


@dataclass(frozen=True)
class Row:
    """One row: what it is called, the words of its runs, and whether its encoder is tuned, which takes long."""

    key: str
    title: str
    words: Mapping[str, object]
    tuned: bool = False


def rows(others: Mapping[str, str], mixer_epochs: int, tuned_epochs: int) -> list[Row]:
    """The rows; others: further encoders to be shown frozen, with their weights files ("" for their own weights)."""
    own = {"method": "hist2st", "encoder": OWN, "epochs": mixer_epochs, "tile_px": TILE_PX}
    tuned = {"method": "hist2st-lite0", "encoder": OWN, "tuned": True, "resized": TILE_PX, "distill": 0.0, "epochs": tuned_epochs, "tile_px": TILE_PX}
    return [
        Row("convmixer-raw", "ConvMixer, 0–255", own | {"scale": "0-255"}), Row("convmixer", "ConvMixer", own),
        *_on_features("frozen", "Lite0 frozen", "hist2st"), *(_further(name, file) for name, file in others.items()),
        Row("tuned", "Lite0 tuned", tuned, tuned=True), Row("tuned-random", "Lite0 tuned, random start", tuned | {"weights": RANDOM}, tuned=True),
        *_on_features("ridge", "ridge on Lite0", "ridge"),
    ]


def _on_features(key: str, title: str, method: str) -> list[Row]:
    return [Row(key + tail, title + how, {"method": method, "encoder": FROZEN, "tile_px": TILE_PX} | words) for tail, how, words in LOOKS]


def _further(name: str, file: str) -> Row:
    side = fixed_side(name)
    title = f"{short(name)} frozen" + (f", tiles of {side} px" if side else "")
    return Row(name, title, {"method": "hist2st", "encoder": name, "weights": file, "tile_px": side or TILE_PX})


def short(encoder: str) -> str:
    """A timm name without its tag."""
    return encoder.partition(".")[0]


def weights_files(words: Sequence[str]) -> dict[str, str]:
    """Encoder -> file of weights, from words NAME=FILE."""
    for word in words:
        if not all(word.partition("=")):
            raise BadInput(f"weights names {word!r}; give the encoder and its file as NAME=FILE, e.g. resnet50.tv_in1k=resnet50.pth")
    return {name: file for name, _, file in (word.partition("=") for word in words)}


def left_out(names: Sequence[str], files: Mapping[str, str]) -> dict[str, str]:
    """The encoders among these that cannot be had, with the reason; they are left out of results, never started at random."""
    reasons = {name: missing(name, files.get(name, "")) for name in names}
    return {name: why for name, why in reasons.items() if why}


def runs_of(row: Row, cohort: str, sections: Sequence[Section], patients: Sequence[str], **words) -> list[Run]:
    """The runs of a row, one for each patient that is trained on alone."""
    if unknown := set(patients) - {section.patient for section in sections}:
        raise BadInput(f"patient {sorted(unknown)[0]} has no section here; patients are {', '.join(dict.fromkeys(section.patient for section in sections))}")
    of = {section.name: section.patient for section in sections}
    return [plan(cohort, split, sections=list(sections), **words | row.words) for split in folds("one-patient", sections) if of[split.train[0]] in patients]


def twins(jobs: Sequence[tuple[Row, Run]]) -> list[tuple[Row, Run]]:
    """The same runs on patches shuffled within each training section, of those that are trained long enough to be a result."""
    return [(row, replace(run, permute=True)) for row, run in jobs if run.result and not recipe(run.method).control]


def floor(jobs: Sequence[tuple[Row, Run]], table: pd.DataFrame, shuffled: pd.DataFrame) -> pd.DataFrame:
    """One line a row: median PCC, that of its twin, and whether it is a result: trained long enough, and above its twin in every section where it has one."""
    reached, twin = (scored.groupby(["row", "section"])["pcc"].median().groupby("row").agg(list) for scored in (table, shuffled))
    lines = []
    for key in dict.fromkeys(row.key for row, _ in jobs):
        enough = all(run.result for row, run in jobs if row.key == key)
        above = all(own > other for own, other in zip(reached[key], twin.get(key, []), strict=False))
        lines.append({"row": key, "median PCC": table.loc[table["row"] == key, "pcc"].median(), "its twin": shuffled.loc[shuffled["row"] == key, "pcc"].median(), "result": enough and above})
    return pd.DataFrame(lines)
