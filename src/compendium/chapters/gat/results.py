"""Graph attention against the transformer: the rows of the chapter, what a step of each costs, how cost grows with spots, and what the differences decide."""

import time
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
import torch
from torch import nn

from compendium import runs
from compendium.chapters.gat.step_time import per_step
from compendium.data.prepare import open_sections
from compendium.data.section import Section, digest
from compendium.errors import BadInput
from compendium.evaluation.comparison import KEPT, Job, Row, criterion, fitted, provenance, testing
from compendium.evaluation.paired import BETTER, WORSE, Comparison, below, differences, verdict
from compendium.evaluation.results import Results
from compendium.evaluation.verdict import FAILS, HOLDS, UNDECIDED, Claim, counted, decided
from compendium.machine import wait
from compendium.methods import recipe
from compendium.methods.gat import GraphAttention, GraphMean
from compendium.methods.graph import nearest
from compendium.methods.hist2st_layers import GraphLayer
from compendium.methods.layers import HEAD_WIDTH, Block
from compendium.runs.execution import device_line
from compendium.runs.fit import pick_device

TOLD_APART = 0.1  # of the time of a step; other work on the machine moves it by less
LAYERS = {
    "transformer block": lambda width: Block(width, max(1, width // HEAD_WIDTH), width, 0.2),
    "graph attention": lambda width: GraphAttention(width, 2),
    "graph mean": GraphMean,
    "graph layer of Hist2ST": lambda width: GraphLayer(width, True, "mean"),
}


# Without distillation, which graph attention does not have either: what is compared is how spots look at each other.
ROWS = (
    Row("hist2st", "Hist2ST", {"method": "hist2st", "distill": 0.0}),
    Row("gat", "graph attention", {"method": "hist2st-gat"}),
    Row(
        "gat-published",
        "graph attention, as published",
        {"method": "hist2st-gat", "shared": True, "loops": False},
    ),
    Row("mean", "graph mean", {"method": "hist2st-gat", "attention": False}),
    Row("ridge", "ridge", {"method": "ridge"}),
)

COMPARISONS = (
    Comparison("graph attention − Hist2ST", "gat", "hist2st"),
    Comparison("graph attention − graph mean", "gat", "mean"),
    Comparison("graph attention − as published", "gat", "gat-published"),
    Comparison("graph attention − ridge", "gat", "ridge"),
)


def study(
    cohort: str,
    names: Sequence[str] | None,
    rules: Sequence[str],
    tested: Sequence[str],
    spots: Sequence[int],
    device: str,
    **words,
) -> Results:
    """Every row fitted on every fold of `rules` ([]: patient-out) that tests one of `tested` ([]: all), and one layer of each kind timed at `spots`; words go to every run.

    Twins on shuffled patches are fitted for the first rule alone, which decides what is a result.
    """
    sections, rules = open_sections(cohort, names), list(rules) or ["patient-out"]
    planned = jobs(cohort, sections, rules, tested, ROWS, **words)
    twins = jobs(
        cohort,
        sections,
        rules[:1],
        tested,
        [row for row in ROWS if not recipe(row.parameters["method"]).control],
        permute=True,
        **words,
    )
    attending = next(dict(run.model) for key, run in planned if key == "gat")
    check_sizes(spots, attending["k"])
    timed = grows(
        attending["width"], pick_device(device), spots, attending["k"]
    )  # before the fits, so that none of them pays for loading libraries
    groups = fitted({"fits": planned, "twins": twins}, sections, device)
    table = groups["fits"].scores(sections)
    first = [job for job in planned if job[1].split.rule == rules[0]]
    levels = criterion(table[table["split"] == rules[0]], groups["twins"].scores(sections), first)
    steps = per_step(groups["fits"], sections, "hist2st", pick_device(device))
    tables = {
        "scores": table[list(KEPT)],
        "floor": levels,
        "steps": steps,
        "layers": timed,
        "curves": groups["fits"].curves(),
    }
    facts = {
        "data": f"{cohort} {digest(sections)}",
        "timed_on": device_line(pick_device(device)),
        "first": rules[0],
        "protocol": f"clean, except split = {' and '.join(rules)}, panel = {words['panel']}, encoder = {words['encoder']}, budget = {words['budget']}, distill = 0",
    }
    return Results(
        tables,
        provenance(groups)
        | facts
        | {word: attending[word] for word in ("width", "graph_layers", "k")},
    )


def jobs(
    cohort: str,
    sections: Sequence[Section],
    rules: Sequence[str],
    tested: Sequence[str],
    rows: Sequence[Row],
    **words,
) -> list[Job]:
    """Key of the row and run, for every row and fold that tests one of `tested`."""
    found = []
    for row in rows:
        own = dict(row.parameters)
        found += [
            (row.key, run)
            for run in testing(
                runs.plan_runs(cohort, sections, rules, [own.pop("method")], **words | own), tested
            )
        ]
    return found


def by_split(table: pd.DataFrame, compared: Sequence[Comparison]) -> pd.DataFrame:
    """Lines of transfer.differences with the column `split`: each split by itself, so that a section counts once in each."""
    return pd.concat(
        [
            differences(part, compared).assign(split=split)
            for split, part in table.groupby("split", sort=False)
        ],
        ignore_index=True,
    )


def told(found: pd.DataFrame) -> str:
    """The lines of one comparison in words, split by split: +0.010, above in 3 of 5 sections under patient-out and ..."""
    groups = found.groupby("split", sort=False)["difference"]
    return " and ".join(
        f"{values.mean():+.3f}, above in {(values > 0).sum()} of {len(values)} sections under {split}"
        for split, values in groups
    )


def check_sizes(sizes: Sequence[int], k: int) -> None:
    """Numbers of spots at which layers can be timed: two at least, each with k neighbours for every spot."""
    if len(set(sizes)) < 2 or min(sizes) <= k:
        raise BadInput(
            f"spots is {list(sizes)}; give two or more different sizes of at least {k + 1}, e.g. [100, 400, 1600]"
        )


def grows(width: int, device: str, sizes: Sequence[int], k: int, repeats: int = 5) -> pd.DataFrame:
    """Shortest of some forward and backward passes of one layer over spots at random places: [layer, spots, seconds, parameters]."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        layers = {name: make(width).to(device) for name, make in LAYERS.items()}
        lines = []
        for spots in sizes:
            edges = nearest(torch.rand(spots, 2, device=device), k, loops=True)
            for name, layer in layers.items():
                seconds = min(
                    _seconds(
                        layer, torch.randn(spots, width, device=device, requires_grad=True), edges
                    )
                    for _ in range(1 + repeats)
                )
                lines.append(
                    {
                        "layer": name,
                        "spots": spots,
                        "seconds": seconds,
                        "parameters": sum(p.numel() for p in layer.parameters()),
                    }
                )
    return pd.DataFrame(lines)


def _seconds(layer: nn.Module, x: torch.Tensor, edges: object) -> float:
    wait(x)
    began = time.perf_counter()
    (layer(x) if isinstance(layer, Block) else layer(x, edges)).sum().backward()
    wait(x)
    return time.perf_counter() - began


def exponents(lines: pd.DataFrame) -> dict[str, float]:
    """Layer -> b of seconds ~ spots^b between the two largest sizes."""
    found = {}
    for layer, group in lines.groupby("layer", sort=False):
        small, large = group.nlargest(2, "spots").iloc[::-1].to_dict("records")
        found[layer] = float(
            np.log(large["seconds"] / small["seconds"]) / np.log(large["spots"] / small["spots"])
        )
    return found


def claims(found: Results) -> dict[str, Claim]:
    """The claims of chapter 8, from the tables `scores`, `floor`, `steps` and `layers` of `study`; those about accuracy for each split by itself."""
    said, lines = {}, by_split(found["scores"], COMPARISONS)
    several = lines["split"].nunique() > 1
    for split, apart in lines.groupby("split", sort=False):
        which = f", {split}" if several else ""
        for key, pair, claim in (
            (
                "accuracy",
                COMPARISONS[0],
                "Graph attention brings no improvement, or makes things worse",
            ),
            (
                "attention",
                COMPARISONS[1],
                "Attention itself adds nothing to the plain mean over the same neighbours (asked here, not in the benchmark)",
            ),
        ):
            smoke = [
                row.title for row in ROWS if row.key in {pair.first, pair.second} & below(found)
            ]
            said[f"{key}_{split}"] = no_gain(
                claim + which, pair, split, apart[apart["comparison"] == pair.title], smoke
            )
    return said | {"cost": cost(found["steps"], exponents(found["layers"]))}


def no_gain(
    claim: str, pair: Comparison, split: str, found: pd.DataFrame, smoke: Sequence[str] = ()
) -> Claim:
    """What the differences of a pair of rows, by section, say of a claim that the first is no better. smoke: titles of rows below the floor."""
    said, titles = verdict(found), {row.key: row.title for row in ROWS}
    above, first = int((found["difference"] > 0).sum()), titles[pair.first]
    stands = f"{first[0].upper()}{first[1:]} is above {titles[pair.second]} in {above} of {counted(len(found), found['patient'].nunique())} under {split}"
    agree = (
        ""
        if said in (BETTER, WORSE)
        else "; the sections disagree"
        if 0 < above < len(found)
        else ""
    )
    return decided(
        claim,
        {BETTER: FAILS, WORSE: HOLDS}.get(said, UNDECIDED),
        f"{stands}, {found['difference'].mean():+.3f} on average{agree}.",
        found,
        smoke,
    )


def cost(steps: pd.DataFrame, powers: Mapping[str, float]) -> Claim:
    """What the measured cost says of the benchmark's reason for graph attention. It is of machines, not of tissue, so no number of patients is asked for."""
    relative = steps.set_index("row")["relative"]["gat"]
    power = {layer: f"{round(value, 1) + 0:.1f}" for layer, value in powers.items()}
    growth = f"time grows with spots to the power of {power['graph attention']} in a graph attention layer, of {power['transformer block']} in a transformer block"
    word = HOLDS if relative < 1 - TOLD_APART else FAILS if relative > 1 + TOLD_APART else UNDECIDED
    near = (
        f" less than {TOLD_APART:.0%} either way, which other work on a machine can move;"
        if word == UNDECIDED
        else ""
    )
    why = f"A step of graph attention takes {relative:.2f} times as long as one of Hist2ST;{near} {growth}."
    return Claim("Graph attention takes less computing than a transformer", word, why)
