"""Graph attention: against torch-geometric where the two agree, against the matrix form where they do not."""

import pytest
import torch
import torch.nn.functional as F

from compendium.errors import BadInput
from compendium.methods.gat import GAT, GraphAttention
from compendium.methods.graph import nearest
from compendium.methods.layers import Batch, Shape

GRID = torch.cartesian_prod(torch.arange(4), torch.arange(3))
SMALL = {"width": 16, "graph_layers": 3}


def section(grid=GRID):
    torch.manual_seed(1)
    counts = torch.poisson(torch.rand(12, 5) * 4)
    return Batch(torch.rand(12, 6), grid, counts.log1p(), counts, torch.ones(12))


def build(**words):
    torch.manual_seed(0)
    return GAT(Shape(5, torch.zeros(5), features=6), **SMALL | words)


@pytest.mark.filterwarnings("ignore:.torch.jit.script. is deprecated:FutureWarning")  # which torch-geometric calls when it is imported
@pytest.mark.parametrize("loops", [False, True])
def test_without_bias_it_is_torch_geometrics_layer(loops):
    from torch_geometric.nn import GATConv

    torch.manual_seed(0)
    layer, x = GraphAttention(8, 2), torch.randn(12, 8)
    edges = nearest(GRID, 4, "Grid", loops=loops)
    reference = GATConv(8, 4, heads=2, add_self_loops=False, bias=False)
    with torch.no_grad():
        layer.project.bias.zero_()
        reference.lin.weight.copy_(layer.project.weight)
        own, other = layer.attention.chunk(2, dim=1)
        reference.att_dst.copy_(own[None])
        reference.att_src.copy_(other[None])
    receiver, sender = edges.adjacency.nonzero().T
    torch.testing.assert_close(layer(x, edges), reference(x, torch.stack([sender, receiver])))


def test_with_bias_it_is_the_published_matrix_form():
    torch.manual_seed(0)
    layer, x, grid = GraphAttention(8, 2), torch.randn(12, 8), GRID.clone()
    grid[5] = 40  # a spot without neighbours attends to all spots alike
    edges = nearest(grid, 4, "Grid")
    z = layer.project(x).reshape(12, 2, 4)
    pairs = torch.cat([z[:, None].expand(-1, 12, -1, -1), z[None].expand(12, -1, -1, -1)], dim=3)  # (i, j, head, z_i then z_j)
    score = F.leaky_relu((pairs * layer.attention).sum(dim=3), 0.2)
    share = torch.where(edges.adjacency[..., None] > 0, score, torch.tensor(-9e15)).softmax(dim=1)
    expected = torch.einsum("ijh,jhw->ihw", share, z).flatten(1)
    found = layer(x, edges)
    assert edges.degree[5] == 0
    torch.testing.assert_close(found, expected)
    torch.testing.assert_close(found[5], z.mean(dim=0).flatten())


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


def test_a_lonely_spot_makes_no_nan():
    grid = GRID.clone()
    grid[0] = 40
    method, batch = build(prune="Grid", loops=False), section(grid)
    loss = sum(method.losses(batch).values())
    loss.backward()
    assert torch.isfinite(loss)
    assert all(torch.isfinite(p.grad).all() for p in method.parameters() if p.grad is not None)


def test_heads_must_divide_the_width():
    with pytest.raises(BadInput, match="heads=3"):
        build(heads=3)
