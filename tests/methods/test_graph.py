"""The neighbour graph against reference matrices, and on the arrays of the two technologies."""

import gzip

import numpy as np
import pytest
import torch

from compendium.errors import BadInput
from compendium.methods import graph as graphs
from compendium.methods.graph import Graph, nearest
from tiny_fits import adjacency

SQUARE = torch.stack(
    torch.meshgrid(torch.arange(6), torch.arange(6), indexing="ij"), dim=2
).reshape(-1, 2)
VISIUM = torch.tensor(
    [(column, row) for row in range(7) for column in range(row % 2, 14, 2)]
)  # (column, row): rows are shifted by one column
INSIDE = 3 * 7 + 3  # a spot in the middle of VISIUM


@pytest.mark.parametrize("prune", ["NA", "Grid", "STD"])
@pytest.mark.parametrize("k", [4, 6, 8])
def test_adjacency_is_the_published_one(golden, k, prune):
    with np.load(golden / "graph.npz", allow_pickle=False) as file:
        places, expected = (
            torch.from_numpy(file["coords_float"]),
            torch.from_numpy(file[f"adj_float_k{k}_{prune}"]),
        )
    torch.testing.assert_close(adjacency(nearest(places, k, prune)), expected, rtol=0, atol=0)


def test_mean_over_neighbours_is_the_matrix_product(golden):
    with np.load(golden / "graph.npz", allow_pickle=False) as file:
        places, matrix = (
            torch.from_numpy(file["coords_float"]),
            torch.from_numpy(file["adj_float_k6_STD"]),
        )
    state = torch.randn(50, 7)
    graph = nearest(places, 6, "STD")
    torch.testing.assert_close(graph.mean(state), matrix @ state / matrix.sum(dim=1, keepdim=True))
    torch.testing.assert_close(graph.max(state)[3], state[matrix[3].bool()].amax(dim=0))
    torch.testing.assert_close(graph.with_loops().sum(state), (matrix + torch.eye(50)) @ state)


def by_definition(grid, k, prune, metric):
    """Every distance, sorted: what the tree has to find."""
    places, count = grid.double(), len(grid)
    scale = torch.tensor([1.0, 3.0 if metric == "hexagonal" else 1.0], dtype=torch.float64)
    distance = ((places[:, None] - places).square() @ scale).sqrt()
    distance[range(count), range(count)] = torch.inf
    distance, order = (part[:, :k] for part in distance.sort(dim=1, stable=True))
    limit = {"NA": torch.inf, "Grid": 2.0}.get(prune)
    if limit is None:
        limit = distance.mean(1, keepdim=True) + distance.std(1, keepdim=True, correction=0)
    return Graph(order, distance <= limit * (1 + 1e-12))


@pytest.mark.parametrize("metric", ["square", "hexagonal"])
@pytest.mark.parametrize("prune", ["NA", "Grid", "STD"])
def test_neighbours_are_those_of_all_distances(prune, metric):
    """Dense, sparse and repeated integer positions, so that most distances are tied."""
    for seed in range(60):
        rng = np.random.default_rng(seed)
        side, count = int(rng.integers(1, 30)), int(rng.integers(3, 200))
        k = int(rng.integers(1, min(count, 13)))
        grid = torch.from_numpy(rng.integers(0, side + 1, (count, 2)))
        if seed % 5 == 0:
            grid = torch.from_numpy(rng.normal(size=(count, 2)) * 1e3)
        found, expected = nearest(grid, k, prune, metric), by_definition(grid, k, prune, metric)
        assert torch.equal(found.neighbours, expected.neighbours)
        assert torch.equal(found.kept, expected.kept)


def test_a_graph_is_made_once_and_can_be_trained_with_after_a_prediction(monkeypatch):
    made, of = [], graphs.cKDTree
    monkeypatch.setattr(graphs, "cKDTree", lambda *given: made.append(1) or of(*given))
    grid = torch.from_numpy(np.random.default_rng(5).integers(0, 90, (40, 2)))
    with torch.inference_mode():
        nearest(grid, 3)
    state = torch.randn(40, 2, requires_grad=True)
    nearest(grid.clone(), 3).mean(state).square().sum().backward()
    assert (state.grad != 0).any()
    assert len(made) == 1


def test_many_spots_need_no_matrix_of_distances():
    """All distances of so many spots would take 80 GB."""
    grid = torch.cartesian_prod(torch.arange(400), torch.arange(250))
    inner = nearest(grid, 4).neighbours[250 * 200 + 100] - (250 * 200 + 100)
    assert inner.tolist() == [-250, -1, 1, 250]


def test_equal_distances_go_to_the_earlier_spot():
    corner = nearest(SQUARE, 4).neighbours[
        0
    ]  # (0, 0): two at 1, one at root 2, and two at 2, of which (0, 2) comes before (2, 0)
    assert corner.tolist() == [1, 6, 7, 2]


def test_pruning_by_the_grid_keeps_what_is_two_away():
    graph = nearest(torch.tensor([(0, 0), (0, 1), (0, 3), (0, 6)]), 2, "Grid")
    assert graph.degree.tolist() == [1, 2, 1, 0]


def test_a_spot_without_neighbours_holds_zero_forward_and_backward():
    graph = nearest(torch.tensor([(0, 0), (0, 1), (9, 9)]), 1, "Grid")
    state = torch.randn(3, 4, requires_grad=True)
    for value in (graph.mean(state), graph.max(state)):
        assert value[2].tolist() == [0] * 4
        value.sum().backward(retain_graph=True)
    assert torch.isfinite(state.grad).all()


def test_hexagonal_metric_finds_the_six_adjacent_spots():
    row_mates = {INSIDE - 1, INSIDE + 1}
    assert row_mates.isdisjoint(
        nearest(VISIUM, 4).neighbours[INSIDE].tolist()
    )  # as published: the diagonal four only
    graph = nearest(VISIUM, 6, "STD", "hexagonal")
    assert graph.degree[INSIDE] == 6
    assert row_mates < set(graph.neighbours[INSIDE].tolist())
    assert (VISIUM[graph.neighbours[INSIDE]] - VISIUM[INSIDE]).abs().tolist().count([1, 1]) == 4


def test_what_a_graph_cannot_be_made_of_is_one_line():
    for grid, words, said in (
        (SQUARE[:1], {}, "1 spots"),
        (SQUARE[:4], {"k": 4}, "k=4"),
        (SQUARE, {"k": 0}, "k=0"),
    ):
        with pytest.raises(BadInput, match=said):
            nearest(grid, **words)


def test_loops_are_off_unless_asked_for():
    own = torch.arange(36)[:, None]
    assert not (nearest(SQUARE).neighbours == own).any()
    looped = nearest(SQUARE, loops=True)
    assert isinstance(looped, Graph)
    assert (looped.neighbours[:, :1] == own).all()
    assert looped.degree.tolist() == [5] * 36


def test_real_arrays_have_the_published_degrees(her2st):
    """All 36 sections of HER2+: 13,620 spots, of which none is alone.

    The mean degree is 3.995 at k = 4 within two steps.
    """
    degrees = []
    for path in sorted((her2st / "data" / "ST-cnts").glob("*.tsv.gz")):
        with gzip.open(path, "rt") as table:
            spots = [line.split("\t", 1)[0] for line in table][1:]
        degrees.append(
            nearest(
                torch.tensor([[int(part) for part in spot.split("x")] for spot in spots]), 4, "Grid"
            ).degree
        )
    degrees = torch.cat(degrees)
    assert len(degrees) == 13_620
    assert degrees.min() > 0
    assert round(degrees.double().mean().item(), 3) == 3.995


@pytest.fixture
def two_threads():
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


@pytest.mark.parametrize("reduce", ["sum", "mean", "max"])
def test_gradients_are_the_same_at_every_repetition(reduce, two_threads):
    """Every spot is a neighbour of many, so that threads would meet at it."""
    torch.manual_seed(0)
    graph, state = (
        Graph(torch.randint(0, 40, (4000, 4)), torch.rand(4000, 4) > 0.1),
        torch.randn(4000, 64),
    )

    def gradient() -> torch.Tensor:
        leaf = state.clone().requires_grad_()
        getattr(graph, reduce)(leaf).square().sum().backward()
        return leaf.grad

    first = gradient()
    assert all(torch.equal(gradient(), first) for _ in range(5))
