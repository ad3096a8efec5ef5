"""Time and memory of every method on synthetic Visium slides of full size.

    python benchmarks/whole_slide.py                # an hour on two cores, 17 GB memory, 5 GB disk
    python benchmarks/whole_slide.py mean ridge     # only these methods

Two slides of 4,992 spots, 20,000 x 20,000 px and 18,000 genes are prepared from both forms of
positions, predicted by every method and trained on for one step. Every step runs in a process of
its own, which reports its peak resident memory. Ends with an error where a limit is exceeded: a
slide is prepared within 180 s and 4 GB, a step of HisToGene and Hist2ST with
checkpoint_activations=True stays within 20 GB.
"""

import json
import math
import os
import resource
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from scipy.sparse import csc_matrix, csr_matrix, vstack

from compendium.data.panels import published
from compendium.data.prepare import open_sections, prepare
from compendium.data.section import Section
from compendium.data.splits import Split
from compendium.images import encoders
from compendium.images.features import features
from compendium.methods import names, recipe
from compendium.runs import plan_run, run_once

COHORT, PANEL, TILE = "whole-slides", "hvg_685", 512
SLIDES = {
    "S1": ("A", "tissue_positions.csv"),
    "S2": ("B", "tissue_positions_list.csv"),
}  # patient; positions of Space Ranger 2 and 1
LIMITS = {
    "prepared": (180.0, 4.0),
    "trained": (math.inf, 20.0),
}  # seconds and GB of a step, by the function that does it; the others are measured only
SPLIT = Split("patient-out", ("S1",), (), ("S2",), "patient B")


@dataclass(frozen=True)
class Size:
    """Rows and columns of the array, side of the image in pixels, genes; budget of the methods.

    Every second place of a row is a spot.
    """

    rows: int = 78
    columns: int = 128
    px: int = 20_000
    genes: int = 18_000
    budget: str = "full"


def positions(size: Size) -> pd.DataFrame:
    """Place every spot of the slide, all in tissue, on a hexagonal array that fills the image."""
    places = np.array(
        [(row, col) for row in range(size.rows) for col in range(row % 2, size.columns, 2)]
    )
    pitch = size.px / (max(size.rows * np.sqrt(3) / 2, size.columns / 2) + 1)
    x, y = pitch * (places[:, 1] / 2 + 0.5), pitch * (places[:, 0] * np.sqrt(3) / 2 + 0.5)
    letters = ["".join("ACGT"[i // 4**k % 4] for k in range(8)) for i in range(len(places))]
    return pd.DataFrame(
        {
            "barcode": [f"{word}-1" for word in letters],
            "in_tissue": 1,
            "array_row": places[:, 0],
            "array_col": places[:, 1],
            "pxl_row_in_fullres": y.round().astype(int),
            "pxl_col_in_fullres": x.round().astype(int),
        }
    )


def tiles(size: Size) -> Iterator[np.ndarray]:
    """Yield the image in pieces of TILE px, row by row: a coarse pattern with noise."""
    rng = np.random.default_rng(0)
    noise = rng.integers(0, 24, (TILE, TILE, 3), dtype=np.uint8)
    for _ in range((-(-size.px // TILE)) ** 2):
        yield noise + rng.integers(90, 230, (8, 8, 3), dtype=np.uint8).repeat(
            TILE // 8, axis=0
        ).repeat(TILE // 8, axis=1)


def counts(size: Size, spots: int) -> csr_matrix:
    """Draw counts [spot gene], a quarter of them above 0, as on a good slide."""
    rng = np.random.default_rng(1)
    rate = rng.lognormal(-2.2, 1.6, size.genes)
    return csr_matrix(
        vstack(
            [
                csr_matrix(rng.poisson(rate, (len(some), size.genes)).astype(np.int32))
                for some in np.array_split(np.arange(spots), max(1, spots // 250))
            ]
        )
    )


def write(root: Path, size: Size) -> None:
    """Write two slides as Space Ranger does, with cohort.yaml; they share image and counts."""
    import h5py
    from tifffile import imwrite

    table, first = positions(size), root / "S1"
    for name, (_, file) in SLIDES.items():
        (root / name / "spatial").mkdir(parents=True)
        table.to_csv(
            root / name / "spatial" / file, index=False, header=not file.endswith("list.csv")
        )
        (root / name / "spatial" / "scalefactors_json.json").write_text(
            json.dumps({"tissue_hires_scalef": 2000 / size.px if size.px > 2000 else 1})
        )
    imwrite(
        first / "image.tif",
        tiles(size),
        shape=(size.px, size.px, 3),
        dtype=np.uint8,
        tile=(TILE, TILE),
        photometric="rgb",
        compression="zlib",
        compressionargs={"level": 1},
    )
    matrix = csc_matrix(counts(size, len(table)).T)
    listed = published(PANEL)[: size.genes]
    genes = [*listed, *(f"GENE{i}" for i in range(size.genes - len(listed)))]
    with h5py.File(first / "filtered_feature_bc_matrix.h5", "w") as file:
        group = file.create_group("matrix")
        for part in ("data", "indices", "indptr"):
            group[part] = getattr(matrix, part)
        group["shape"], group["barcodes"] = np.array(matrix.shape), table["barcode"].to_numpy("S")
        for word, values in {
            "id": genes,
            "name": genes,
            "feature_type": ["Gene Expression"] * len(genes),
            "genome": ["GRCh38"] * len(genes),
        }.items():
            group[f"features/{word}"] = np.array(values, "S")
    for file in ("image.tif", "filtered_feature_bc_matrix.h5"):
        os.link(first / file, root / "S2" / file)
    sections = {name: {"patient": patient} for name, (patient, _) in SLIDES.items()}
    (root / "cohort.yaml").write_text(
        json.dumps(
            {
                "title": "Synthetic slides",
                "technology": "10x Visium, 55 um spots",
                "sections": sections,
            }
        )
    )  # JSON is YAML


def labelled() -> list[Section]:
    """Open the prepared slides, with classes for the method that learns some."""
    return [
        replace(section, labels=np.resize(["one", "two"], len(section)))
        for section in open_sections(COHORT)
    ]


def predicted(method: str, budget: str) -> str:
    """Predict S2 by a method on frozen features, fitted on S1 in closed form, else untrained."""
    parameters = {"distill": 0.0} if "distill" in recipe(method).model else {}
    run = plan_run(
        COHORT,
        SPLIT,
        method,
        sections=labelled(),
        panel=PANEL,
        budget=budget,
        epochs=0,
        **parameters,
    )
    return _described(run_once(run, labelled(), "cpu"))


def trained(method: str, budget: str) -> str:
    """Train one step on all tiles of S1 at the published size, and predict S2."""
    run = plan_run(
        COHORT,
        SPLIT,
        method,
        sections=labelled(),
        panel=PANEL,
        protocol="published",
        budget=budget,
        epochs=1,
        checkpoint_activations=True,
    )
    return _described(run_once(run, labelled(), "cpu"))


def _described(record) -> str:
    found = record.predictions["S2"]
    return f"{found.shape[0]:,} spots, {found.shape[1]} genes"


def prepared(root: Path, name: str) -> str:
    """Read and store a slide."""
    return str(*prepare(COHORT, [name], raw=root))


def encoded() -> str:
    """Compute the features of both slides."""
    return ", ".join(str(features(section, encoders.FROZEN, 224).shape) for section in labelled())


def steps(
    root: Path, chosen: list[str], budget: str
) -> Iterator[tuple[str, Callable[..., str], tuple]]:
    """Yield name, function and arguments of everything that is measured."""
    for name, (_, file) in SLIDES.items():
        yield f"prepare {name}, {file}", prepared, (root, name)
    yield from (
        (f"step and predict: {method}, activation checkpointing", trained, (method, budget))
        for method in chosen
        if method in ("histogene", "hist2st")
    )
    yield "features", encoded, ()
    yield from ((f"predict: {method}", predicted, (method, budget)) for method in chosen)


def measured(work: Callable[..., str], arguments: tuple, home: str) -> tuple[float, float, str]:
    """Measure seconds and peak memory in GB in a fresh process; and what was done."""
    os.environ["COMPENDIUM_HOME"] = home
    began = time.monotonic()
    done = work(*arguments)
    return (
        time.monotonic() - began,
        resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20,
        done,
    )


def passed(what: str, work: Callable[..., str], seconds: float, gigabytes: float) -> list[str]:
    """Describe the limits that a step has exceeded."""
    most = LIMITS.get(work.__name__, (math.inf, math.inf))
    return [
        f"{what}: {found:.1f} {unit}, limit {limit:g} {unit}"
        for found, limit, unit in zip((seconds, gigabytes), most, ("s", "GB"), strict=True)
        if found > limit
    ]


def main(chosen: list[str], size: Size = Size()) -> list[str]:  # noqa: B008  # frozen
    """Print a line for each step as it ends; return the limits that were exceeded."""
    over = []
    with (
        tempfile.TemporaryDirectory() as folder,
        ProcessPoolExecutor(1, mp_context=get_context("spawn"), max_tasks_per_child=1) as pool,
    ):
        root = Path(folder) / "raw"
        write(root, size)
        megabytes = (root / "S1" / "image.tif").stat().st_size / 2**20
        print(f"image {megabytes:,.0f} MB, CPU with {torch.get_num_threads()} threads")
        for what, work, arguments in steps(root, chosen or names(), size.budget):
            seconds, gigabytes, done = pool.submit(
                measured, work, arguments, str(Path(folder) / "home")
            ).result()
            print(f"{what:55s} {seconds:8.1f} s {gigabytes:6.2f} GB  {done}", flush=True)
            over += passed(what, work, seconds, gigabytes)
    return over


if __name__ == "__main__":
    sys.exit("; ".join(main(sys.argv[1:])) or None)
