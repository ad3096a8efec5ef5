"""What is spent outside forward and backward, and what keeping it small is worth, as ratios.

    python benchmarks/overheads.py [NAME ...]    # memory threads graph fit precision

`memory` and `threads` compare processes that start alike but for the one setting. `fit` is a
laptop fit of ST-Net on a frozen encoder, one section left out: of the HER2+ sections that are
prepared in COMPENDIUM_HOME, else of the synthetic cohort. Times are processor times, but for
`threads`.
"""

import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import numpy as np
import torch

from compendium.images import encoders
from compendium.machine import cores, keep_freed_memory, peak_memory_mb
from compendium.methods.graph import Graph, nearest

TILES, PX = 64, 224
HEAD = (128, 1280, 1081)  # spots of a batch, features, genes
T = TypeVar("T")
WHOLE_SLIDES = ((78, 64), (160, 125))  # spots of Visium, and of four times its area


def timed(work: Callable[[], T]) -> tuple[float, T]:
    """Measure the processor time of a call, and return its result too."""
    began = time.process_time()
    result = work()
    return time.process_time() - began, result


def features() -> None:
    """Encode tiles as images.features does."""
    tiles = np.random.default_rng(0).integers(0, 256, (TILES, PX, PX, 3), dtype=np.uint8)
    network = encoders.encoder(encoders.FROZEN).eval().to(memory_format=torch.channels_last)
    with torch.inference_mode():
        for start in range(0, TILES, 8):
            network(encoders.normalise(torch.tensor(tiles[start : start + 8]), encoders.FROZEN))


def head(steps: int = 100) -> None:
    """Train a linear layer on new batches."""
    spots, inputs, genes = HEAD
    layer = torch.nn.Linear(inputs, genes)
    optimiser = torch.optim.Adam(layer.parameters(), fused=True)
    image, target = np.ones((1500, inputs), np.float32), np.ones((1500, genes), np.float32)
    for step in range(steps):
        rows = np.random.default_rng(step).permutation(1500)[:spots]
        batch, wanted = torch.from_numpy(image[rows]), torch.from_numpy(target[rows])
        optimiser.zero_grad()
        (layer(batch) - wanted).square().mean().backward()
        optimiser.step()


WORK = {"features": features, "head": head}


def child(work: str, how: str) -> None:
    """Print seconds and peak memory of some work in this process."""
    if how == "keep":
        keep_freed_memory()
    WORK[work]()  # warm up
    print(timed(WORK[work])[0], peak_memory_mb())


def started(work: str, how: str, threads: int) -> subprocess.Popen:
    """Start a process that measures itself."""
    command = [sys.executable, __file__, "--child", work, how]
    environment = os.environ | {"OMP_NUM_THREADS": str(threads)}
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)


def memory() -> None:
    """Compare freed memory given back with freed memory kept, twice each, the better counts."""
    for work in WORK:
        found = {"give back": [], "keep": []}
        for how in list(found) * 2:
            found[how].append([float(n) for n in started(work, how, 1).communicate()[0].split()])
        (before, large), (now, peak) = (min(each) for each in found.values())
        print(f"memory: {work}, kept {before / now:.2f} times as fast as given back", end="")
        print(f" ({before:.2f} s, {now:.2f} s; peak {large:,.0f} MB, {peak:,.0f} MB)")


def side_by_side(threads: int) -> float:
    """Measure the seconds on the clock of as many processes as there are cores."""
    began = time.monotonic()
    for process in [started("head", "keep", threads) for _ in range(cores())]:
        process.communicate()
    return time.monotonic() - began


def threads() -> None:
    """Compare a thread a core in every process with one thread."""
    many, one = side_by_side(cores()), side_by_side(1)
    print(f"threads: {cores()} processes side by side, one thread each", end="")
    print(f" {many / one:.2f} times as fast as {cores()} ({many:.1f} s, {one:.1f} s)")


def all_distances(grid: torch.Tensor, k: int, rows: int = 1024) -> Graph:
    """Connect each spot to its k nearest by every distance, a thousand spots at a time."""
    places, found = grid.double(), []
    for some in torch.arange(len(grid)).split(rows):
        distance = (places[some, None] - places).square().sum(dim=2).sqrt()
        distance[torch.arange(len(some)), some] = torch.inf
        found.append(distance.sort(dim=1, stable=True)[1][:, :k])
    return Graph(torch.cat(found), torch.ones(len(grid), k, dtype=torch.bool))


def graph() -> None:
    """Compare the neighbours by all distances, by the tree, and asked for again."""
    for columns, rows in WHOLE_SLIDES:
        grid = torch.cartesian_prod(torch.arange(columns), torch.arange(rows))
        tree, found = timed(lambda grid=grid: nearest(grid, 4))
        again, _ = timed(lambda grid=grid: nearest(grid, 4))
        print(f"graph: {len(grid):,} spots, tree {tree:.3f} s, again {again:.4f} s")
        if len(grid) < 10_000:
            every, same = timed(lambda grid=grid: all_distances(grid, 4))
            assert torch.equal(found.neighbours, same.neighbours)
            print(f"graph: all distances {every:.2f} s, {every / tree:.0f} times as long")


def fit() -> None:
    """Print the shares of a fit, of its first and its second fold in a process."""
    from compendium.data.prepare import open_sections, prepared_names
    from compendium.runs.study.runs import planned

    cohort = "her2st" if prepared_names("her2st") else "demo"
    panel = "markers_12+hvg_769+hvg(300)" if cohort == "her2st" else "hvg(300)"
    names, runs = planned(cohort, None, ["section-out"], ["stnet"], [0], {"panel": panel})
    sections = open_sections(cohort, names)
    spent = shares_of("stnet")
    for run in runs[1:4]:
        spent.clear()
        seconds, _ = timed(lambda run=run: whole_run(run, sections, spent))
        inside = spent["forward and loss"] + spent["backward"]
        step = inside + spent["update"]
        print(
            f"fit: {cohort} {run.split.name}, {seconds:.1f} s, outside forward and backward", end=""
        )
        print(f" {1 - inside / seconds:.0%}, outside these and the update {1 - step / seconds:.0%}")
        print("    ", ", ".join(f"{what} {part / seconds:.1%}" for what, part in spent.items()))


def shares_of(method: str) -> Counter:
    """Measure forward, backward and update of all fits of this process from now on."""
    from compendium.methods import recipe

    spent: Counter[str] = Counter()
    model = recipe(method).method
    for what, owner, name in (
        ("forward and loss", model, "losses"),
        ("backward", torch.Tensor, "backward"),
        ("update", torch.optim.Adam, "step"),
    ):
        setattr(owner, name, measured(getattr(owner, name), spent, what))
    return spent


def measured(call: Callable, spent: Counter, what: str) -> Callable:
    """Add the processor time of every call to a sum."""

    def added(*given, **named) -> object:
        began = time.process_time()
        try:
            return call(*given, **named)
        finally:
            spent[what] += time.process_time() - began

    return added


def whole_run(run: object, sections: list, spent: Counter) -> None:
    """Prepare, fit and predict, as a run does."""
    from compendium.runs import fit as training
    from compendium.runs.inputs.prepare import prepare_inputs

    run.identity(sections)
    ready = measured(prepare_inputs, spent, "inputs")(run, sections, "cpu")
    with tempfile.TemporaryDirectory() as folder:
        found = training.fit(run, ready.training, [], "cpu", Path(folder) / "checkpoint")
    for section in ready.test:
        measured(training.predict, spent, "prediction")(run, found.method, section, "cpu")


def precision() -> None:
    """Compare a transformer of the published size of HisToGene in bfloat16 with float32."""
    from compendium.methods.layers import Block

    blocks = torch.nn.Sequential(*(Block(1024, 16, 2048, 0.0) for _ in range(8)))
    state, seconds = torch.randn(400, 1024), {}

    def step(enabled: bool) -> None:
        with torch.autocast("cpu", torch.bfloat16, enabled=enabled):
            loss = blocks(state).square().mean()
        loss.backward()

    for enabled in (False, True):
        step(enabled)
        seconds[enabled], _ = timed(lambda enabled=enabled: step(enabled))
    full, half = seconds.values()
    print(
        f"precision: 8 blocks 1,024 wide, bf16 {full / half:.2f} times as fast as float32", end=""
    )
    print(f" ({full:.2f} s, {half:.2f} s a step)")


PARTS = {each.__name__: each for each in (memory, threads, graph, fit, precision)}

if __name__ == "__main__":
    if sys.argv[1:2] == ["--child"]:
        child(*sys.argv[2:])
    else:
        keep_freed_memory()
        for name in sys.argv[1:] or PARTS:
            PARTS[name]()
