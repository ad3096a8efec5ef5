"""Graph attention: torch-geometric's layer, set up so that it is the published one."""

import sys

import pytest
import torch
import torch.nn.functional as F

from compendium.errors import BadInput
from compendium.methods.gat import GAT, GATConfig, GraphAttention, GraphMean
from compendium.methods.graph import nearest
from compendium.methods.layers import Batch, ModelSpec
from tiny_fits import adjacency

GRID = torch.cartesian_prod(torch.arange(4), torch.arange(3))
SMALL = {"width": 16, "graph_layers": 3}


def section(grid=GRID):
    torch.manual_seed(1)
    counts = torch.poisson(torch.rand(12, 5) * 4)
    return Batch(torch.rand(12, 6), grid, counts.log1p(), counts, torch.ones(12))


def build(**words):
    torch.manual_seed(0)
    return GAT(ModelSpec(5, torch.zeros(5), features=6), GATConfig(**SMALL | words))


def dense(layer, x, matrix):
    """The published layer: scores of all pairs of spots, -9e15 where there is no edge."""
    W, b = layer.attention.lin.weight[:, :-1], layer.attention.lin.weight[:, -1]
    z = (x @ W.T + b).unflatten(1, (2, -1))
    score = F.leaky_relu(
        (layer.attention.att_dst * z).sum(dim=2)[:, None]
        + (layer.attention.att_src * z).sum(dim=2)[None],
        0.2,
    )  # (i, j, head)
    share = torch.where(matrix[..., None] > 0, score, torch.tensor(-9e15)).softmax(dim=1)
    return torch.einsum("ijh,jhw->ihw", share, z).flatten(1)


@pytest.mark.parametrize("loops", [False, True])
def test_layer_is_the_published_matrix_form(loops):
    torch.manual_seed(0)
    layer, x, grid = GraphAttention(8, 2), torch.randn(12, 8, requires_grad=True), GRID.clone()
    grid[5] = 40  # far from all: without self-loops it attends to all spots alike
    edges = nearest(grid, 4, "Grid", loops=loops)
    assert edges.degree[5] == loops
    found, expected = layer(x, edges), dense(layer, x, adjacency(edges))
    torch.testing.assert_close(found, expected)
    parameters = [x, *layer.parameters()]
    for one, other in zip(
        torch.autograd.grad(found.square().sum(), parameters),
        torch.autograd.grad(expected.square().sum(), parameters),
        strict=True,
    ):
        torch.testing.assert_close(one, other)


def test_without_attention_every_neighbour_counts_the_same():
    torch.manual_seed(0)
    layer, twin, x, grid = GraphAttention(8, 2), GraphMean(8), torch.randn(12, 8), GRID.clone()
    grid[5] = 40
    with torch.no_grad():
        torch.nn.init.zeros_(layer.attention.att_dst)
        torch.nn.init.zeros_(layer.attention.att_src)
        layer.attention.lin.weight.copy_(
            torch.cat([twin.project.weight, twin.project.bias[:, None]], dim=1)
        )
    edges = nearest(grid, 4, "Grid")
    torch.testing.assert_close(twin(x, edges), layer(x, edges))
    assert {type(part) for part in build(attention=False).graph} == {GraphMean}


def test_layer_starts_as_published():
    torch.manual_seed(0)
    layer = GraphAttention(64, 2)
    W, b = (part.detach() for part in layer.attention.lin.weight.split([64, 1], dim=1))
    vectors = torch.cat([layer.attention.att_dst, layer.attention.att_src], dim=2)[
        0
    ].detach()  # (head, of z_i then of z_j)
    for drawn, bound in (
        (W, 1.414 * (6 / 128) ** 0.5),
        (vectors, 1.414 * (6 / (2 + 64)) ** 0.5),
        (b, 1 / 8),
    ):
        assert 0.9 * bound < drawn.abs().max() <= bound
        assert drawn.std() == pytest.approx(bound / 3**0.5, rel=0.2)


def test_edges_run_from_neighbour_to_spot():
    edges = nearest(GRID, 2, "Grid", loops=True)
    assert edges.pairs.T.tolist() == [
        [int(j), i]
        for i, (row, kept) in enumerate(zip(edges.neighbours, edges.kept, strict=True))
        for j in row[kept]
    ]


def test_without_torch_geometric_one_line_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "torch_geometric.nn", None)
    with pytest.raises(BadInput, match=r"torch_geometric.*compendium\[graph\]"):
        build()


def test_one_layer_four_times_or_four_layers():
    one, four = build(shared=True, loops=False).eval(), build().eval()
    assert (len(one.graph), len(four.graph)) == (1, 3)
    batch = section()
    x, edges = one.tokens(batch.image), nearest(batch.grid, 4)
    seen = [x := one.graph[0](x, edges) for _ in range(3)]
    torch.testing.assert_close(one(batch), one.head(one.jump(seen)))


def test_terms_are_error_and_count_likelihood():
    batch, method = section(), build()
    assert list(method.losses(batch)) == ["mean squared error", "count likelihood"]
    assert list(build(zinb=0.0).losses(batch)) == ["mean squared error"]
    assert method.coefficient is not None


def test_heads_must_divide_the_width():
    with pytest.raises(BadInput, match="heads=3"):
        build(heads=3)
