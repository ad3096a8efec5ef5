"""Smoke runs of any method on three tiny sections, and their fits."""

from pathlib import Path

import torch

from compendium.data.splits import Split
from compendium.methods.graph import Graph
from compendium.runs import plan_run
from compendium.runs.fit import fit
from compendium.runs.inputs.batches import class_names, inputs
from compendium.runs.inputs.prepare import training_set
from conftest import tiny_section

SECTIONS = [
    tiny_section("S1", labelled=True),
    tiny_section("S2", patient="P2", labelled=True),
    tiny_section("S3", patient="P3", labelled=True),
]
SPLIT = Split("section-out", ("S1", "S2"), (), ("S3",), "section S3")


def adjacency(graph: Graph) -> torch.Tensor:
    """A neighbour graph as a matrix: 1 in row i at the neighbours of spot i."""
    matrix = torch.zeros(len(graph.kept), len(graph.kept))
    return matrix.scatter_(1, graph.neighbours, graph.kept.float())


def smoke(method: str, **words):
    """A smoke run on the six colour numbers: real features without a network."""
    return plan_run(
        "tiny",
        SPLIT,
        method,
        sections=SECTIONS,
        **{"panel": "all", "encoder": "colour", "budget": "smoke", "tile_px": 32} | words,
    )


def fitted(method: str, folder: Path, sections=SECTIONS, **words):
    """Fit on S1 and S2; the run, what was fitted and its training inputs."""
    run = smoke(method, **words)
    train, target = training_set(run, sections)
    parts = [
        inputs(run, part, target, "cpu", training=True, classes=class_names(train))
        for part in train
    ]
    return run, fit(run, parts, [], "cpu", folder / "checkpoint.pt"), parts
