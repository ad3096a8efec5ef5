"""HisToGene and Hist2ST on whole slides and in windows, on synthetic Visium slides.

    python benchmarks/windows.py            # about ten minutes of one core

Five slides of as many patients are drawn from a model: three to train on, two to test. A gene
follows the tile of its spot, or the tiles around it. Each method, in the size of the budget laptop,
is fitted with three seeds on whole slides and in windows of 4,000 px, with equally many optimiser
steps and with equally many passes over the slides. Writes data/windows/scores.csv and prints its
medians (see compendium.evaluation.windows). Fits are stored as every run is, so that it may be
interrupted.
"""

import sys
from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch
from scipy.sparse import csr_matrix

from compendium.data.section import ARRAYS, Section
from compendium.data.splits import Split
from compendium.data.windows import CLEAN, PUBLISHED, WHOLE, windows
from compendium.evaluation.correlation import pcc
from compendium.evaluation.scores import scores, scoring_target
from compendium.evaluation.windows import ATTAINABLE, FILE, by_windows
from compendium.images import encoders
from compendium.runs import plan_run, run_once
from compendium.runs.run import Run
from compendium.storage import CHECKOUT

COHORT, VERSION = "synthetic-visium", 1  # the version is raised when slides are drawn otherwise
SPLIT = Split("patient-out", ("V1", "V2", "V3"), (), ("V4", "V5"), "patients V4 and V5")
METHODS, SEEDS = ("histogene", "hist2st"), 3
TILE_PX, FIELDS, GENES, DEPTH = 224, 4, 60, 3000
REACH = 1.2
"""Standard deviation of the Gaussian in which tiles around a spot count, in pitches."""
FOLLOWS = np.array(["tile", "neighbourhood"])
"""What a gene follows, in turn."""
COLOURS = np.array([[0.5, 0.9, 0.2], [0.1, 0.8, 0.5], [0.7, 0.2, 0.1]]) * 22
"""RGB that a standard deviation of each of the first fields takes away."""


@dataclass(frozen=True)
class Size:
    """Distance of spots and smallest and largest half axis of the tissue, in px; training."""

    pitch: float = 290.0
    axes: tuple[float, float] = (3500.0, 4600.0)
    budget: str = "laptop"
    encoder: str = encoders.FROZEN
    seeds: int = SEEDS


def array(rng: np.random.Generator, size: Size) -> tuple[np.ndarray, np.ndarray]:
    """Place spots of a hexagonal array inside an ellipse: array positions, and pixels."""
    wide, high = rng.uniform(*size.axes, 2)
    rows, columns = int(2 * high / (size.pitch * np.sqrt(0.75))), int(4 * wide / size.pitch)
    grid = [(x, y) for y in range(rows + 1) for x in range(y % 2, columns + 1, 2)]
    places = np.array(grid) * size.pitch * [0.5, np.sqrt(0.75)]
    inside = (((places - [wide, high]) / [wide, high]) ** 2).sum(axis=1) <= 1
    return np.array(grid, np.int32)[inside], (places[inside] + 300).round().astype(np.float32)


def fields(rng: np.random.Generator, places: np.ndarray) -> np.ndarray:
    """Draw standard normal fields [spot FIELDS], half of whose variance is smooth."""
    waves = rng.normal(0, 1 / 3, (FIELDS, 64, 2)), rng.uniform(0, 2 * np.pi, (FIELDS, 64))
    angles = np.einsum("sk,fwk->sfw", places, waves[0]) + waves[1]
    smooth = np.sqrt(2 / 64) * np.cos(angles).sum(axis=2)
    drawn = np.sqrt(0.5) * (smooth + rng.normal(size=smooth.shape))
    return (drawn - drawn.mean(axis=0)) / drawn.std(axis=0)


def around(values: np.ndarray, places: np.ndarray) -> np.ndarray:
    """Average fields over the spots around each spot, without its own; standardised."""
    squared = ((places[:, None] - places) ** 2).sum(axis=2)
    weight = np.exp(-squared / (2 * REACH**2)) - np.eye(len(places))
    mean = weight @ values / weight.sum(axis=1, keepdims=True)
    return (mean - mean.mean(axis=0)) / mean.std(axis=0)


def expression(
    rng: np.random.Generator, values: np.ndarray, nearby: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Draw counts [spot gene], and the share of each gene that images tell."""
    genes = np.random.default_rng(VERSION)  # the same on every slide
    weights = genes.normal(size=(FIELDS, GENES))
    weights /= np.linalg.norm(weights, axis=0)
    share, base = genes.uniform(0.3, 0.9, GENES), genes.normal(0, 0.8, GENES)
    own = np.resize(FOLLOWS, GENES) == "tile"
    seen = np.sqrt(share) * np.where(own, values @ weights, nearby @ weights)
    rates = np.exp(base + 0.8 * (seen + np.sqrt(1 - share) * rng.normal(size=seen.shape)))
    depth = DEPTH * np.exp(0.35 * rng.normal(size=(len(values), 1)))
    visible = np.exp(base + 0.8 * seen)
    counts = rng.poisson(depth * rates / rates.sum(axis=1, keepdims=True))
    return counts.astype(np.int32), visible / visible.sum(axis=1, keepdims=True)


def tiles(rng: np.random.Generator, values: np.ndarray) -> np.ndarray:
    """Draw a tile a spot: three fields are its colour, the fourth its density of dark nuclei."""
    stain = [225, 170, 205] + rng.normal(0, 6, 3)
    side = TILE_PX // 8
    blocks = rng.normal(0, 10, (len(values), side, side, 3)) + stain
    blocks -= (values[:, :3] @ COLOURS)[:, None, None]
    dense = 0.4 / (1 + np.exp(-values[:, 3]))
    nuclei = rng.uniform(size=blocks.shape[:3]) < dense[:, None, None]
    blocks[nuclei] = [80, 60, 130]
    return blocks.clip(0, 255).astype(np.uint8).repeat(8, axis=1).repeat(8, axis=2)


def slide(name: str, size: Size) -> tuple[Section, np.ndarray]:
    """Draw a slide, and the shares of its genes that images tell."""
    rng = np.random.default_rng([VERSION, *name.encode()])
    grid, pixels = array(rng, size)
    values = fields(rng, pixels / size.pitch)
    counts, visible = expression(rng, values, around(values, pixels / size.pitch))
    spot_um, pitch_um = ARRAYS["hexagonal"]
    section = Section(
        cohort=COHORT,
        name=name,
        patient=name,
        lab="synthetic",
        technology="synthetic Visium",
        genes=np.array([f"{FOLLOWS[i % 2]}{i:02d}" for i in range(GENES)]),
        spots=np.array([f"{x}x{y}" for x, y in grid]),
        grid=grid,
        pixels=pixels,
        um_per_px=pitch_um / size.pitch,
        counts=csr_matrix(counts),
        stored_tiles=tiles(rng, values),
        digest=f"{name} {VERSION} {size.pitch} {size.axes}",
        array="hexagonal",
        spot_um=spot_um,
        spot_pitch_um=pitch_um,
    )
    return section, visible


def planned(sections: list[Section], size: Size) -> list[tuple[str, Run]]:
    """Plan the fits, each with what is equal: steps, or passes over the slides."""
    jobs = []
    for method in METHODS:
        stated = {"panel": "all", "encoder": size.encoder, "budget": size.budget}
        whole = plan_run(COHORT, SPLIT, method, sections=sections, **stated)
        usual = whole.steps or len(SPLIT.train) * whole.epochs
        for kind in (WHOLE, PUBLISHED, CLEAN):
            pieces = sum(len(windows(each, kind)) for each in sections if each.name in SPLIT.train)
            passes = round(usual * pieces / len(SPLIT.train))
            for equal, steps in dict.fromkeys([("steps", usual), ("passes", passes)]):
                more = {"windows": kind, "steps": steps}
                if kind != WHOLE or equal == "steps":
                    run = plan_run(COHORT, SPLIT, method, sections=sections, **stated, **more)
                    jobs.append((equal, run))
    return jobs


def scored(equal: str, run: Run, sections: list[Section]) -> pd.DataFrame:
    """Fit a run, or read its record: one row a test slide and kind of genes."""
    table = scores([run], [run_once(run, sections, "cpu")], sections)
    table["follows"] = table["gene"].str.rstrip("0123456789")
    medians = table.groupby(["section", "follows"])["pcc"].median().reset_index()
    medians = medians.assign(method=run.method, windows=run.windows, equal=equal, seed=run.seed)
    return medians.merge(pd.DataFrame(map(_cut, sections, [run.windows] * len(sections))))


def _cut(section: Section, kind: str) -> dict[str, object]:
    """Count windows and the spots that are lost or doubled."""
    rows = windows(section, kind)
    once = len(np.unique(np.concatenate(rows)))
    lost, doubled = len(section) - once, sum(map(len, rows)) - once
    return {"section": section.name, "spots": len(section), "pieces": len(rows)} | {
        "lost": lost,
        "doubled": doubled,
    }


def attainable(section: Section, visible: np.ndarray) -> pd.DataFrame:
    """Return the median PCC of what images tell, the model being known."""
    found = pcc(np.log1p(1e4 * visible), scoring_target(list(section.genes), [section])(section))
    table = pd.DataFrame({"follows": np.resize(FOLLOWS, GENES), "pcc": found})
    medians = table.groupby("follows")["pcc"].median().reset_index()
    stated = {"method": ATTAINABLE, "windows": WHOLE, "equal": "steps", "seed": 0}
    return medians.assign(**stated, **_cut(section, WHOLE))


def main(size: Size = Size()) -> pd.DataFrame:  # noqa: B008  # frozen
    """Draw the slides, fit, and return the scores."""
    torch.set_num_threads(1)
    drawn = [slide(name, size) for name in (*SPLIT.train, *SPLIT.test)]
    sections = [section for section, _ in drawn]
    tables = [attainable(*each) for each in drawn if each[0].name in SPLIT.test]
    for equal, first in planned(sections, size):
        for seed in range(size.seeds):
            run = Run(**vars(first) | {"seed": seed})
            tables.append(scored(equal, run, sections))
            print(run.method, run.windows, f"equal {equal}", f"seed {seed}", flush=True)
    return pd.concat(tables, ignore_index=True)


if __name__ == "__main__":
    made = main()
    (CHECKOUT / "data" / FILE).parent.mkdir(exist_ok=True)
    made.round({"pcc": 5}).to_csv(CHECKOUT / "data" / FILE, index=False)
    sys.stdout.write(by_windows(made).to_string(index=False) + "\n")
