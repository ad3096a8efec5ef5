"""Neighbours on the array: which spots a spot is connected to, and the mean of what they hold."""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int, Num
from torch import Tensor

from compendium.errors import BadInput
from compendium.machine import double

PRUNING = ("NA", "Grid", "STD")
METRICS = ("square", "hexagonal")
FARTHEST = 2.0  # array steps that pruning `Grid` keeps
ROWS = 1024  # distances to all spots are held for so many spots at once


@dataclass(frozen=True)
class Graph:
    """Directed neighbours: row i of `neighbours` lists spots, nearest first, `kept` says which of them are edges; nothing of size spot x spot is stored."""

    neighbours: Int[Tensor, "spot k"]
    kept: Bool[Tensor, "spot k"]

    @property
    def degree(self) -> Int[Tensor, "spot"]:
        """Number of neighbours of each spot."""
        return self.kept.sum(dim=1)

    @property
    def pairs(self) -> Int[Tensor, "2 edge"]:
        """The edges one by one, as (neighbour, spot): what torch-geometric calls source and target."""
        spot, slot = self.kept.nonzero(as_tuple=True)
        return torch.stack([self.neighbours[spot, slot], spot])

    @property
    def adjacency(self) -> Float[Tensor, "spot spot"]:
        """The same as a matrix: 1 in row i at its neighbours. For looking at; no method uses it."""
        return torch.zeros(len(self.kept), len(self.kept)).scatter_(
            1, self.neighbours.cpu(), self.kept.float().cpu()
        )

    def with_loops(self) -> "Graph":
        """Every spot is its own neighbour too, first in its row."""
        own = torch.arange(len(self.kept), device=self.kept.device)[:, None]
        return Graph(
            torch.cat([own, self.neighbours], dim=1),
            torch.cat([torch.ones_like(own, dtype=torch.bool), self.kept], dim=1),
        )

    def sum(self, state: Float[Tensor, "spot width"]) -> Float[Tensor, "spot width"]:
        """Sum over the neighbours; 0 for a spot that has none."""
        return (self._around(state) * self.kept[..., None]).sum(dim=1)

    def mean(self, state: Float[Tensor, "spot width"]) -> Float[Tensor, "spot width"]:
        """Mean over the neighbours; 0 for a spot that has none."""
        return self.sum(state) / self.degree.clamp(min=1)[:, None]

    def max(self, state: Float[Tensor, "spot width"]) -> Float[Tensor, "spot width"]:
        """Largest value among the neighbours; 0 for a spot that has none."""
        found = self._around(state).masked_fill(~self.kept[..., None], -torch.inf).amax(dim=1)
        return torch.where(self.degree[:, None] > 0, found, 0.0)

    def _around(self, state: Float[Tensor, "spot width"]) -> Float[Tensor, "spot k width"]:
        """What the neighbours of each spot hold. Written state[neighbours], its gradient would add up in the order in which threads come by, and no two fits were alike."""
        return F.embedding(self.neighbours, state)


def nearest(
    grid: Num[Tensor, "spot 2"],
    k: int = 4,
    prune: str = "NA",
    metric: str = "square",
    loops: bool = False,
) -> Graph:
    """The k nearest other spots of each spot, ties in the order of the spots, then pruned. A spot is never its own neighbour unless `loops`.

    prune: NA keeps all, Grid those at most 2 away, STD those at most one standard deviation farther than the mean of the k (both limits included).
    metric: `square` measures array coordinates as they are. `hexagonal` is for Visium's (column, row), whose columns count half steps: there the six
    adjacent spots are all 2 away, so that k = 6 finds them.
    """
    check_words(k, prune, metric)
    if k >= len(grid):
        raise BadInput(
            f"k={k} neighbours asked for in a section of {len(grid)} spots; set k to at least 1 and below the number of spots, or leave the section out"
        )
    places = double(grid)
    scale = torch.tensor(
        [1.0, 3.0 if metric == "hexagonal" else 1.0], dtype=torch.float64, device=places.device
    )  # of squares, so that whole numbers stay exact
    found = [
        _nearest_of(rows, places, scale, k)
        for rows in torch.arange(len(grid), device=places.device).split(ROWS)
    ]
    distance, neighbours = (torch.cat(parts) for parts in zip(*found, strict=True))
    within = distance <= _limit(distance, prune) * (
        1 + 1e-12
    )  # equal distances may differ in their last digit
    graph = Graph(neighbours.to(grid.device), within.to(grid.device))
    return graph.with_loops() if loops else graph


def check_words(k: int, prune: str, metric: str) -> None:
    """Refuse words that are none of a neighbour graph."""
    for what, word, known in (("prune", prune, PRUNING), ("metric", metric, METRICS)):
        if word not in known:
            raise BadInput(
                f"unknown {what} {word!r} of a neighbour graph; known: {', '.join(known)}"
            )
    if k < 1:
        raise BadInput(f"k={k} neighbours asked for; set k to at least 1")


def _nearest_of(
    rows: Int[Tensor, "some"], places: Float[Tensor, "spot 2"], scale: Float[Tensor, "2"], k: int
) -> tuple[Float[Tensor, "some k"], Int[Tensor, "some k"]]:
    distance = ((places[rows, None] - places).square() @ scale).sqrt()
    distance[torch.arange(len(rows)), rows] = torch.inf
    distance, order = distance.sort(dim=1, stable=True)
    return distance[:, :k], order[:, :k]


def _limit(distance: Float[Tensor, "spot k"], prune: str) -> Float[Tensor, "..."] | float:
    if prune == "STD":
        return distance.mean(dim=1, keepdim=True) + distance.std(dim=1, keepdim=True, correction=0)
    return FARTHEST if prune == "Grid" else torch.inf
