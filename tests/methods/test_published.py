"""Checkpoints of the authors' networks: every name and shape, and outputs.

The outputs equal a forward pass that is written here straight from the facts.
"""

import json
import re

import pytest
import torch
import torch.nn.functional as F

from compendium.errors import BadInput
from compendium.methods import published
from compendium.methods.graph import nearest
from compendium.methods.hist2st import Hist2ST
from compendium.methods.histogene import HisToGene
from compendium.methods.layers import Batch
from tiny_fits import adjacency

SPOTS = 11


def block_shapes(prefix, norm1, attention, norm2, feed, width, heads, hidden):
    return {
        f"{prefix}{norm1}.weight": (width,),
        f"{prefix}{norm1}.bias": (width,),
        f"{prefix}{attention}.to_qkv.weight": (3 * 64 * heads, width),
        f"{prefix}{attention}.to_out.0.weight": (width, 64 * heads),
        f"{prefix}{attention}.to_out.0.bias": (width,),
        f"{prefix}{norm2}.weight": (width,),
        f"{prefix}{norm2}.bias": (width,),
        f"{prefix}{feed}.net.0.weight": (hidden, width),
        f"{prefix}{feed}.net.0.bias": (hidden,),
        f"{prefix}{feed}.net.3.weight": (width, hidden),
        f"{prefix}{feed}.net.3.bias": (width,),
    }


def histogene_shapes(width, heads, hidden, layers, tile, genes, positions):
    shapes = {
        "patch_embedding.weight": (width, 3 * tile**2),
        "patch_embedding.bias": (width,),
        "x_embed.weight": (positions, width),
        "y_embed.weight": (positions, width),
    }
    for i in range(layers):
        shapes |= block_shapes(
            f"vit.transformer.layers.{i}.", "0.norm", "0.fn", "1.norm", "1.fn", width, heads, hidden
        )
    return shapes | {
        "gene_head.0.weight": (width,),
        "gene_head.0.bias": (width,),
        "gene_head.1.weight": (genes, width),
        "gene_head.1.bias": (genes,),
    }


def hist2st_shapes(side, channels, kernel, patch, heads, depths, genes, positions, gcn=True):
    width, trunk = side**2 * (channels // 8), "vit.transformer."
    shapes = {
        "patch_embedding.weight": (channels, 3, patch, patch),
        "patch_embedding.bias": (channels,),
    }
    shapes |= {"x_embed.weight": (positions, width), "y_embed.weight": (positions, width)}
    for i in range(depths[0]):
        for part, norm, weight in (
            ("dw.0", "dw.1", (1, kernel, kernel)),
            ("dw.3", "dw.4", (1, kernel, kernel)),
            ("pw.0", "pw.2", (channels, 1, 1)),
        ):
            block = f"{trunk}layer1.{i}."
            shapes |= {
                f"{block}{part}.weight": (channels, *weight),
                f"{block}{part}.bias": (channels,),
                f"{block}{norm}.num_batches_tracked": (),
            }
            shapes |= {
                f"{block}{norm}.{name}": (channels,)
                for name in ("weight", "bias", "running_mean", "running_var")
            }
    for i in range(depths[1]):
        shapes |= block_shapes(
            f"{trunk}layer2.{i}.", "attn.norm", "attn.fn", "ff.norm", "ff.fn", width, heads, width
        )
    shapes |= {
        f"{trunk}layer3.{i}.weight": (width, width if gcn else 2 * width) for i in range(depths[2])
    }
    shapes |= {
        f"{trunk}jknet.0.{kind}_{of}_l{i}": (4 * width, width)[: 2 if kind == "weight" else 1]
        for kind in ("weight", "bias")
        for of in ("ih", "hh")
        for i in (0, 1)
    }
    shapes |= {
        f"{trunk}down.0.weight": (channels // 8, channels, 1, 1),
        f"{trunk}down.0.bias": (channels // 8,),
    }
    for name, outputs in (
        ("mean.0", genes),
        ("disp.0", genes),
        ("pi.0", genes),
        ("coef.0", width),
        ("coef.2", 1),
        ("gene_head.1", genes),
    ):
        shapes |= {f"{name}.weight": (outputs, width), f"{name}.bias": (outputs,)}
    return shapes | {"gene_head.0.weight": (width,), "gene_head.0.bias": (width,)}


def random_state(shapes, seed=0):
    """Values of a size that keeps every layer awake.

    Variances are above 0, and a count stands where a count belongs.
    """
    torch.manual_seed(seed)
    state = {}
    for name, shape in shapes.items():
        fan = max(torch.Size(shape[1:]).numel(), 4)
        state[name] = (
            torch.rand(shape) + 0.5
            if name.endswith("running_var")
            else torch.randn(shape) * (1.5 / fan**0.5)
        )
        if name.endswith("num_batches_tracked"):
            state[name] = torch.tensor(7)
    return state


def linear(state, name, x):
    return x @ state[f"{name}.weight"].T + state.get(f"{name}.bias", 0)


def norm(state, name, x):
    centred = x - x.mean(-1, keepdim=True)
    return (
        centred / (centred.square().mean(-1, keepdim=True) + 1e-5).sqrt() * state[f"{name}.weight"]
        + state[f"{name}.bias"]
    )


def attend(state, name, x):
    """Textbook attention: the N x N matrix in full, heads of 64, any output layer there is."""
    q, k, v = linear(state, f"{name}.to_qkv", x).chunk(3, dim=1)
    heads = []
    for h in range(q.shape[1] // 64):
        part = slice(64 * h, 64 * h + 64)
        heads.append((q[:, part] @ k[:, part].T * 64**-0.5).softmax(dim=1) @ v[:, part])
    mixed = torch.cat(heads, dim=1)
    return linear(state, f"{name}.to_out.0", mixed) if f"{name}.to_out.0.weight" in state else mixed


def transformer_block(state, norm1, attention, norm2, feed, x):
    x = x + attend(state, attention, norm(state, norm1, x))
    return x + linear(
        state, f"{feed}.net.3", F.gelu(linear(state, f"{feed}.net.0", norm(state, norm2, x)))
    )


def depth(state, pattern):
    return len({found[1] for name in state if (found := re.match(pattern, name))})


def histogene(state, patches, grid):
    """patches: [spot, first axis, second axis, channel] as the authors' network is shown them."""
    x = (
        linear(state, "patch_embedding", patches.flatten(1))
        + state["x_embed.weight"][grid[:, 0]]
        + state["y_embed.weight"][grid[:, 1]]
    )
    for i in range(depth(state, r"vit\.transformer\.layers\.(\d+)")):
        at = f"vit.transformer.layers.{i}."
        x = transformer_block(state, f"{at}0.norm", f"{at}0.fn", f"{at}1.norm", f"{at}1.fn", x)
    return linear(state, "gene_head.1", norm(state, "gene_head.0", x))


def batch_norm(state, name, x):
    mean, var, weight, bias = (
        state[f"{name}.{part}"][None, :, None, None]
        for part in ("running_mean", "running_var", "weight", "bias")
    )
    return (x - mean) / (var + 1e-5).sqrt() * weight + bias


def lstm_layer(state, layer, inputs):
    """Gates in torch's order: input, forget, cell, output."""
    at = "vit.transformer.jknet.0."
    h = c = torch.zeros_like(inputs[0])
    outputs = []
    for x in inputs:
        gates = sum(
            v @ state[f"{at}weight_{of}_l{layer}"].T + state[f"{at}bias_{of}_l{layer}"]
            for v, of in ((x, "ih"), (h, "hh"))
        )
        i, f, g, o = gates.chunk(4, dim=1)
        c = f.sigmoid() * c + i.sigmoid() * g.tanh()
        h = o.sigmoid() * c.tanh()
        outputs.append(h)
    return outputs


def hist2st(state, patches, grid, matrix, policy="mean"):
    """patches: [spot, channel, first axis, second axis] as the authors' network is shown them."""
    at = "vit.transformer."
    x = F.conv2d(
        patches,
        state["patch_embedding.weight"],
        state["patch_embedding.bias"],
        stride=state["patch_embedding.weight"].shape[-1],
    )
    for i in range(depth(state, r"vit\.transformer\.layer1\.(\d+)")):
        y = x
        for conv, bn in (("dw.0", "dw.1"), ("dw.3", "dw.4")):
            weight, bias = (state[f"{at}layer1.{i}.{conv}.{part}"] for part in ("weight", "bias"))
            y = F.gelu(
                batch_norm(
                    state,
                    f"{at}layer1.{i}.{bn}",
                    F.conv2d(y, weight, bias, padding=weight.shape[-1] // 2, groups=len(weight)),
                )
            )
        y = F.conv2d(
            x + y, state[f"{at}layer1.{i}.pw.0.weight"], state[f"{at}layer1.{i}.pw.0.bias"]
        )
        x = batch_norm(state, f"{at}layer1.{i}.pw.2", F.gelu(y))
    x = F.conv2d(x, state[f"{at}down.0.weight"], state[f"{at}down.0.bias"]).flatten(1)
    x = x + state["x_embed.weight"][grid[:, 0]] + state["y_embed.weight"][grid[:, 1]]
    for i in range(depth(state, r"vit\.transformer\.layer2\.(\d+)")):
        block = f"{at}layer2.{i}."
        x = transformer_block(
            state, f"{block}attn.norm", f"{block}attn.fn", f"{block}ff.norm", f"{block}ff.fn", x
        )
    states = []
    for i in range(depth(state, r"vit\.transformer\.layer3\.(\d+)")):
        weight = state[f"{at}layer3.{i}.weight"]
        concat = weight.shape[1] == 2 * x.shape[1]
        used = matrix - torch.eye(SPOTS) if concat and policy == "mean" else matrix
        near = used @ x / used.sum(dim=1, keepdim=True)
        if policy == "max":
            near = torch.stack([x[row.bool()].amax(dim=0) for row in matrix])
        x = ((torch.cat([x, near], dim=1) if concat else near) @ weight.T).relu()
        x = x / x.norm(dim=1, keepdim=True)
        states.append(x)
    outputs = lstm_layer(state, 1, lstm_layer(state, 0, states))
    return linear(
        state, "gene_head.1", norm(state, "gene_head.0", torch.stack(outputs).mean(dim=0))
    )


def spots(tile, positions, seed=1):
    """Natural tiles [spot 3 row column], 0-255, at positions of which no two are the same."""
    torch.manual_seed(seed)
    places = torch.cartesian_prod(torch.arange(4), torch.arange(3))[torch.randperm(12)[:SPOTS]]
    assert places.max() < positions
    return Batch(torch.randint(0, 256, (SPOTS, 3, tile, tile)).float(), places)


@pytest.mark.parametrize("transposed", [True, False])
@pytest.mark.parametrize(
    ("width", "heads", "hidden", "layers", "tile", "genes", "positions"),
    [(24, 1, 48, 1, 6, 3, 4), (64, 3, 50, 3, 5, 17, 9), (130, 2, 7, 2, 8, 1, 5)],
)
def test_histogene_gives_what_the_published_network_gives(
    width, heads, hidden, layers, tile, genes, positions, transposed
):
    state, batch = (
        random_state(histogene_shapes(width, heads, hidden, layers, tile, genes, positions)),
        spots(tile, positions),
    )
    method = published.load(state, transposed=transposed)
    assert isinstance(method, HisToGene)
    shown = batch.image.permute(0, 3, 2, 1) if transposed else batch.image.permute(0, 2, 3, 1)
    torch.testing.assert_close(
        method(batch), histogene(state, shown, batch.grid), rtol=1e-4, atol=1e-4
    )


@pytest.mark.parametrize("transposed", [True, False])
@pytest.mark.parametrize(
    ("side", "channels", "kernel", "patch", "heads", "depths", "genes", "positions"),
    [
        (4, 8, 3, 5, 1, (1, 1, 1), 3, 4),
        (5, 16, 5, 2, 2, (2, 3, 4), 17, 9),
        (3, 37, 7, 4, 3, (3, 1, 2), 1, 5),
        (6, 24, 1, 3, 2, (0, 2, 3), 6, 6),
    ],
)
def test_hist2st_gives_what_the_published_network_gives(
    side, channels, kernel, patch, heads, depths, genes, positions, transposed
):
    state, batch = (
        random_state(
            hist2st_shapes(side, channels, kernel, patch, heads, depths, genes, positions)
        ),
        spots(side * patch, positions),
    )
    method = published.load(state, transposed=transposed, k=3, prune="NA")
    assert isinstance(method, Hist2ST)
    shown = batch.image.transpose(2, 3) if transposed else batch.image
    expected = hist2st(state, shown, batch.grid, adjacency(nearest(batch.grid, 3)))
    assert expected.std(dim=0).min() > 1e-3
    torch.testing.assert_close(method(batch), expected, rtol=1e-4, atol=1e-4)
    assert not torch.allclose(
        method(Batch(batch.image.transpose(2, 3), batch.grid)), expected, rtol=1e-2, atol=1e-3
    )


@pytest.mark.parametrize("policy", ["mean", "max"])
def test_layers_that_keep_a_spots_own_state(policy):
    state, batch = (
        random_state(hist2st_shapes(4, 8, 3, 5, 1, (1, 1, 3), 3, 4, gcn=False)),
        spots(20, 4),
    )
    method = published.load(state, k=3, prune="NA", policy=policy)
    expected = hist2st(
        state, batch.image.transpose(2, 3), batch.grid, adjacency(nearest(batch.grid, 3)), policy
    )
    torch.testing.assert_close(method(batch), expected, rtol=1e-4, atol=1e-4)


def test_one_head_as_wide_as_the_network_may_lack_its_output_layer():
    state, batch = random_state(histogene_shapes(64, 1, 32, 2, 4, 3, 4)), spots(4, 4)
    state = {name: value for name, value in state.items() if "to_out" not in name}
    torch.testing.assert_close(
        published.load(state)(batch),
        histogene(state, batch.image.permute(0, 3, 2, 1), batch.grid),
        rtol=1e-4,
        atol=1e-4,
    )


def test_heads_that_are_not_there_are_not_invented():
    state = {
        name: value
        for name, value in random_state(hist2st_shapes(4, 8, 3, 5, 1, (1, 1, 1), 3, 4)).items()
        if not name.startswith(("mean.", "disp.", "pi.", "coef."))
    }
    method = published.load(state, k=3, prune="NA")
    assert method.counts is None and method.coefficient is None


@pytest.mark.parametrize("file", ["hist2st_fullsize_shapes.json", "histogene_fullsize_shapes.json"])
def test_full_size_names_and_shapes(golden, file):
    for said, shapes in json.loads((golden / file).read_text()).items():
        facts = {name: int(value) for name, value in (word.split("=") for word in said.split(","))}
        method = published.load(
            {
                name: torch.empty(
                    shape, dtype=torch.long if "tracked" in name else torch.float32, device="meta"
                )
                for name, shape in shapes.items()
            }
        )
        assert method.head[1].out_features == facts["n_genes"]
        assert method.position.x.num_embeddings == facts["n_pos"]
        assert len(method.blocks) == facts.get("n_layers", 8)
        assert method.blocks[0].attention.heads == 16
        ours = (
            histogene_shapes(1024, 16, 2048, 8, 112, facts["n_genes"], 64)
            if "n_layers" in facts
            else hist2st_shapes(16, 32, 5, 7, 16, (2, 8, 4), facts["n_genes"], 64)
        )
        assert {name: tuple(shape) for name, shape in shapes.items()} == ours


def small():
    return random_state(hist2st_shapes(4, 8, 3, 5, 1, (1, 1, 1), 3, 4))


def without(name):
    return {key: value for key, value in small().items() if key != name}


@pytest.mark.parametrize(
    ("state", "said"),
    [
        (small() | {"vit.cls_token": torch.zeros(1)}, "vit.cls_token"),
        (
            without("vit.transformer.layer1.0.pw.2.running_var"),
            "lacks vit.transformer.layer1.0.pw.2.running_var",
        ),
        (
            without("vit.transformer.layer2.0.attn.fn.to_out.0.bias"),
            "lacks vit.transformer.layer2.0.attn.fn.to_out.0.bias",
        ),
        (without("patch_embedding.weight"), "lacks patch_embedding.weight"),
        (without("pi.0.bias"), "lacks pi.0.bias"),
        (
            small() | {"disp.0.weight": torch.zeros(4, 16)},
            r"disp.0.weight of the checkpoint is \(4, 16\), expected \(3, 16\)",
        ),
        (small() | {"x_embed.weight": torch.zeros(4)}, "1 dimensions"),
        ({"patch_embedding.weight": torch.zeros(8, 29)}, "no square tile"),
        ({"state_dict": small()}, "no tensor"),
        (None, "a checkpoint is a mapping of names to tensors"),
        ({0: torch.zeros(1)}, "a checkpoint is a mapping of names to tensors"),
        (
            small() | {"patch_embedding.weight": torch.zeros(8, 3, 0, 0)},
            r"patch_embedding.weight of the checkpoint is empty, \(8, 3, 0, 0\)",
        ),
        (
            small() | {"vit.transformer.down.0.weight": torch.zeros(0, 8, 1, 1)},
            "down.0.weight of the checkpoint is empty",
        ),
        (
            {"patch_embedding.weight": torch.zeros(0, 27)},
            "patch_embedding.weight of the checkpoint is empty",
        ),
    ],
)
def test_what_does_not_fit_is_one_line(state, said):
    with pytest.raises(BadInput, match=said) as refused:
        published.load(state)
    assert "\n" not in str(refused.value)


def test_the_checkpoint_itself_is_left_alone():
    state = random_state(histogene_shapes(24, 1, 48, 1, 6, 3, 4))
    before = {name: value.clone() for name, value in state.items()}
    method = published.load(state)
    with torch.no_grad():
        for parameter in method.parameters():
            parameter.zero_()
    assert all(torch.equal(state[name], value) for name, value in before.items())
