"""Neighbours on the array: which spots a spot is connected to, and means over them."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Float64, Int, Int64, Num
from scipy.spatial import cKDTree
from torch import Tensor

from compendium.errors import BadInput
from compendium.machine import double

PRUNING = ("NA", "Grid", "STD")
METRICS = ("square", "hexagonal")
FARTHEST = 2.0  # array steps that pruning `Grid` keeps
MARGIN = 1 + 1e-6  # farther than this times the k-th neighbour no spot can be among the k
GRAPHS = 128  # that are kept


@dataclass(frozen=True)
class Graph:
    """Directed neighbours of each spot; nothing of size spot x spot is stored."""

    neighbours: Int[Tensor, "spot k"]
    """Spots, nearest first."""
    kept: Bool[Tensor, "spot k"]
    """Which of them are edges."""

    @property
    def degree(self) -> Int[Tensor, "spot"]:
        """Number of neighbours of each spot."""
        return self.kept.sum(dim=1)

    @property
    def pairs(self) -> Int[Tensor, "2 edge"]:
        """Edges as (neighbour, spot), torch-geometric's source and target."""
        spot, slot = self.kept.nonzero(as_tuple=True)
        return torch.stack([self.neighbours[spot, slot], spot])

    def with_loops(self) -> "Graph":
        """Return the graph in which every spot is its own first neighbour."""
        own = torch.arange(len(self.kept), device=self.kept.device)[:, None]
        return Graph(
            torch.cat([own, self.neighbours], dim=1),
            torch.cat([torch.ones_like(own, dtype=torch.bool), self.kept], dim=1),
        )

    def sum(self, state: Float[Tensor, "spot width"]) -> Float[Tensor, "spot width"]:
        """Sum over the neighbours; 0 for a spot that has none."""
        return (self._gathered(state) * self.kept[..., None]).sum(dim=1)

    def mean(self, state: Float[Tensor, "spot width"]) -> Float[Tensor, "spot width"]:
        """Average over the neighbours; 0 for a spot that has none."""
        return self.sum(state) / self.degree.clamp(min=1)[:, None]

    def max(self, state: Float[Tensor, "spot width"]) -> Float[Tensor, "spot width"]:
        """Find the largest value among the neighbours; 0 for a spot that has none."""
        largest = self._gathered(state).masked_fill(~self.kept[..., None], -torch.inf).amax(dim=1)
        return torch.where(self.degree[:, None] > 0, largest, 0.0)

    def _gathered(self, state: Float[Tensor, "spot width"]) -> Float[Tensor, "spot k width"]:
        """Gather the states of neighbours.

        The gradient of state[neighbours], or of a scatter, adds up in the order of the threads,
        and no two fits are alike; that of F.embedding adds up in one order.
        """
        return F.embedding(self.neighbours, state)


def nearest(
    grid: Num[Tensor, "spot 2"],
    k: int = 4,
    prune: str = "NA",
    metric: str = "square",
    loops: bool = False,
) -> Graph:
    """Connect each spot to its k nearest other spots, ties in the order of the spots.

    Parameters
    ----------
    grid
        Array positions.
    k
        Number of neighbours.
    prune
        One of PRUNING: "NA" keeps all, "Grid" those at most 2 array steps away, "STD" those at
        most one standard deviation farther than the mean of the k; both limits included.
    metric
        One of METRICS: "square" measures array coordinates as they are. "hexagonal" is for
        Visium's (column, row), whose columns count half steps: there the six adjacent spots are
        all 2 away.
    loops
        Whether a spot is its own neighbour too.

    Raises
    ------
    BadInput
        Where there are no k other spots.

    References
    ----------
    Zeng et al. 2022 (Hist2ST), code of the graph.
    """
    if not 1 <= k < len(grid):
        raise BadInput(
            f"k={k} neighbours asked for in a section of {len(grid)} spots; set k to at least 1 "
            "and below the number of spots, or leave the section out"
        )
    places = double(grid).cpu().numpy().tobytes()
    return _connected(places, k, prune, metric, loops, grid.device)


@lru_cache(maxsize=GRAPHS)
@torch.inference_mode(False)  # the first to ask may predict, the next may train
def _connected(
    places: bytes, k: int, prune: str, metric: str, loops: bool, device: torch.device
) -> Graph:
    """Connect spots at these positions, once for all steps on a section."""
    grid = np.frombuffer(places).reshape(-1, 2)
    # Of squares, so that integers stay exact.
    scale = torch.tensor([1.0, 3.0 if metric == "hexagonal" else 1.0], dtype=torch.float64)
    candidates = torch.from_numpy(_candidates(grid * scale.sqrt().numpy(), k))
    distance, neighbours = _nearest_of(candidates, torch.tensor(grid), scale, k)
    # Equal distances may differ in their last digit.
    within = distance <= _limit(distance, prune) * (1 + 1e-12)
    graph = Graph(neighbours.to(device), within.to(device))
    return graph.with_loops() if loops else graph


def _candidates(
    places: Float64[np.ndarray, "spot 2"], k: int
) -> Int64[np.ndarray, "spot candidate"]:
    """Find for each spot at least all spots as near as its k-th neighbour, in their order."""
    tree, count = cKDTree(places), min(2 * k + 8, len(places))
    distance, spots = tree.query(places, count)
    while count < len(places) and (distance[:, -1] <= distance[:, k] * MARGIN).any():
        count = min(2 * count, len(places))
        distance, spots = tree.query(places, count)
    return np.sort(spots, axis=1)


def _nearest_of(
    candidates: Int[Tensor, "spot candidate"],
    places: Float[Tensor, "spot 2"],
    scale: Float[Tensor, "2"],
    k: int,
) -> tuple[Float[Tensor, "spot k"], Int[Tensor, "spot k"]]:
    """Choose the k nearest candidates of each spot, ties in the order of the spots."""
    distance = ((places[candidates] - places[:, None]).square() @ scale).sqrt()
    distance[candidates == torch.arange(len(places))[:, None]] = torch.inf
    distance, order = distance.sort(dim=1, stable=True)
    return distance[:, :k], candidates.gather(1, order[:, :k])


def _limit(distance: Float[Tensor, "spot k"], prune: str) -> Float[Tensor, "..."] | float:
    if prune == "STD":
        return distance.mean(dim=1, keepdim=True) + distance.std(dim=1, keepdim=True, correction=0)
    return FARTHEST if prune == "Grid" else torch.inf
