"""The time of one layer of each kind, by number of spots."""

import time
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
import torch
from torch import nn

from compendium.machine import wait
from compendium.methods.gat import GraphAttention, GraphMean
from compendium.methods.graph import nearest
from compendium.methods.hist2st_layers import GraphLayer
from compendium.methods.layers import HEAD_WIDTH, Block

LAYERS = {
    "transformer block": lambda width: Block(width, max(1, width // HEAD_WIDTH), width, 0.2),
    "graph attention": lambda width: GraphAttention(width, 2),
    "graph mean": GraphMean,
    "graph layer of Hist2ST": lambda width: GraphLayer(width, True, "mean"),
}


def layer_times(
    width: int, device: str, sizes: Sequence[int], k: int, repeats: int = 5
) -> pd.DataFrame:
    """Time forward and backward passes of one layer over spots at random places.

    Parameters
    ----------
    width
        Width of the layer.
    device
        Where it is timed.
    sizes
        Numbers of spots.
    k
        Neighbours of a spot.
    repeats
        Passes after the first, which pays for loading.

    Returns
    -------
    One row a layer and size: layer, spots, seconds (the shortest pass), parameters.
    """
    with torch.random.fork_rng():
        torch.manual_seed(0)
        layers = {name: make(width).to(device) for name, make in LAYERS.items()}
        lines = []
        for spots in sizes:
            edges = nearest(torch.rand(spots, 2, device=device), k, loops=True)
            for name, layer in layers.items():
                inputs = (
                    torch.randn(spots, width, device=device, requires_grad=True)
                    for _ in range(1 + repeats)
                )
                seconds = min(_seconds(layer, x, edges) for x in inputs)
                lines.append((name, spots, seconds, sum(p.numel() for p in layer.parameters())))
    return pd.DataFrame(lines, columns=["layer", "spots", "seconds", "parameters"])


def _seconds(layer: nn.Module, x: torch.Tensor, edges: object) -> float:
    wait(x)
    began = time.perf_counter()
    (layer(x) if isinstance(layer, Block) else layer(x, edges)).sum().backward()
    wait(x)
    return time.perf_counter() - began


def exponents(times: pd.DataFrame) -> Mapping[str, float]:
    """Return b of seconds ~ spots^b by layer, between the two largest sizes."""
    found = {}
    for layer, group in times.groupby("layer", sort=False):
        rise = np.log(group.nlargest(2, "spots")[["spots", "seconds"]]).diff().iloc[-1]
        found[layer] = float(rise["seconds"] / rise["spots"])
    return found
