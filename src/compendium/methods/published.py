"""Checkpoints of the authors' HisToGene and Hist2ST, read into the networks of this package.

Only names and shapes of their parameters are known here; width, depth, heads, tile, patch, kernel,
positions and genes follow from the shapes.
"""

import re
from collections.abc import Iterable, Mapping
from math import isqrt

import torch
from torch import Tensor

from compendium.errors import BadInput
from compendium.methods.hist2st import Hist2ST, Hist2STConfig
from compendium.methods.histogene import HisToGene, HisToGeneConfig
from compendium.methods.layers import HEAD_WIDTH, Method, ModelSpec

GIVE = "give the state dict of the authors' HisToGene or Hist2ST"
EMBEDDINGS = ((r"position\.(x|y)\.", r"\1_embed."), (r"head\.", "gene_head."))
# Start of a name here -> start of the authors' name.
HISTOGENE = (
    (r"patch\.", "patch_embedding."),
    *EMBEDDINGS,
    (r"blocks\.(\d+)\.norm1\.", r"vit.transformer.layers.\1.0.norm."),
    (r"blocks\.(\d+)\.attention\.qkv\.", r"vit.transformer.layers.\1.0.fn.to_qkv."),
    (r"blocks\.(\d+)\.attention\.out\.", r"vit.transformer.layers.\1.0.fn.to_out."),
    (r"blocks\.(\d+)\.norm2\.", r"vit.transformer.layers.\1.1.norm."),
    (r"blocks\.(\d+)\.feed\.", r"vit.transformer.layers.\1.1.fn.net."),
)
HIST2ST = (
    (r"tokens\.embed\.", "patch_embedding."),
    *EMBEDDINGS,
    (r"tokens\.mixers\.(\d+)\.space\.", r"vit.transformer.layer1.\1.dw."),
    (r"tokens\.mixers\.(\d+)\.across\.", r"vit.transformer.layer1.\1.pw."),
    (r"tokens\.down\.", "vit.transformer.down.0."),
    (r"blocks\.(\d+)\.norm1\.", r"vit.transformer.layer2.\1.attn.norm."),
    (r"blocks\.(\d+)\.attention\.qkv\.", r"vit.transformer.layer2.\1.attn.fn.to_qkv."),
    (r"blocks\.(\d+)\.attention\.out\.", r"vit.transformer.layer2.\1.attn.fn.to_out."),
    (r"blocks\.(\d+)\.norm2\.", r"vit.transformer.layer2.\1.ff.norm."),
    (r"blocks\.(\d+)\.feed\.", r"vit.transformer.layer2.\1.ff.fn.net."),
    (r"graph\.", "vit.transformer.layer3."),
    (r"jump\.lstm\.", "vit.transformer.jknet.0."),
    (r"counts\.outputs\.0\.", "mean.0."),
    (r"counts\.outputs\.1\.", "disp.0."),
    (r"counts\.outputs\.2\.", "pi.0."),
    (r"coefficient\.", "coef."),
)


def load(
    state_dict: object,
    *,
    transposed: bool = True,
    k: int = 4,
    prune: str = "Grid",
    policy: str = "mean",
) -> Method:
    """Build the network of a checkpoint; of the same spots it predicts what the authors' does.

    Parameters
    ----------
    state_dict
        Names and tensors of the authors' HisToGene or Hist2ST.
    transposed
        Take natural tiles [spot 3 y x], 0-255, and predict what the authors' network does of the
        transposed ones, as they show it. False takes a tile as (row, column) in both.
    k, prune, policy
        Neighbour graph of Hist2ST, which a checkpoint does not hold.

    Raises
    ------
    BadInput
        Where a name is missing, unknown or of another shape.
    """
    state = _with_output_layers(_checked(state_dict))
    if _shape(state, "patch_embedding.weight", 2, 4)[2:]:
        method = _hist2st(state, transposed=transposed, k=k, prune=prune, policy=policy)
        return _filled(method, state, HIST2ST)
    method = _histogene(state)
    side = isqrt(method.patch.in_features // 3)
    # (width, x, y, channel), or (width, y, x, channel)
    weight = state["patch_embedding.weight"].unflatten(1, (side, -1, 3))
    order = (0, 3, 2, 1) if transposed else (0, 3, 1, 2)
    state["patch_embedding.weight"] = weight.permute(order).flatten(1)
    return _filled(method, state, HISTOGENE)


def _checked(state_dict: object) -> dict[str, Tensor]:
    """Copy a mapping of names to tensors."""
    if not isinstance(state_dict, Mapping) or not all(isinstance(name, str) for name in state_dict):
        raise BadInput(
            f"a checkpoint is a mapping of names to tensors; {GIVE}, as torch.load reads it"
        )
    for name, value in state_dict.items():
        if not isinstance(value, Tensor):
            raise BadInput(f"{name} of the checkpoint is no tensor; {GIVE}")
    return {name: value.detach().clone() for name, value in state_dict.items()}


def _with_output_layers(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """Add the identity where a single head as wide as the network comes without output layer."""
    identity = {"weight": torch.eye(HEAD_WIDTH), "bias": torch.zeros(HEAD_WIDTH)}
    for name, value in list(state.items()):
        layer = name.replace("to_qkv.weight", "to_out.0.")
        single = layer != name and value.shape == (3 * HEAD_WIDTH, HEAD_WIDTH)
        if single and not any(other.startswith(layer) for other in state):
            state |= {layer + part: tensor.clone() for part, tensor in identity.items()}
    return state


def _histogene(state: dict[str, Tensor]) -> HisToGene:
    """Build an empty network of the right size."""
    width, inputs = _shape(state, "patch_embedding.weight", 2)
    tile_px = isqrt(inputs // 3)
    if inputs != 3 * tile_px**2:
        raise BadInput(
            f"patch_embedding.weight of the checkpoint has {inputs} inputs, which are no square "
            "tile of three channels; give HisToGene's state dict"
        )
    first = "vit.transformer.layers.0"
    sizes = {
        "width": width,
        "layers": _count(state, r"vit\.transformer\.layers\.(\d+)\."),
        "positions": _shape(state, "x_embed.weight", 2)[0],
    }
    if sizes["layers"]:
        sizes["heads"] = _heads(state, f"{first}.0.fn.")
        sizes["hidden"] = _shape(state, f"{first}.1.fn.net.0.weight", 2)[0]
    with torch.device("meta"):
        return HisToGene(_spec(state, tile_px), HisToGeneConfig(**sizes))


def _hist2st(state: dict[str, Tensor], **graph) -> Hist2ST:
    """Build an empty network of the right size."""
    channels, _, patch, _ = _shape(state, "patch_embedding.weight", 4)
    positions, width = _shape(state, "x_embed.weight", 2)
    side = isqrt(width // _shape(state, "vit.transformer.down.0.weight", 4)[0])
    mixers, blocks, graph_layers = (
        _count(state, rf"vit\.transformer\.layer{i}\.(\d+)\.") for i in (1, 2, 3)
    )
    sizes = {"width": width, "channels": channels, "patch": patch, "positions": positions}
    sizes |= {"mixer_layers": mixers, "layers": blocks, "graph_layers": graph_layers}
    sizes["gcn"] = _shape(state, "vit.transformer.layer3.0.weight", 2)[1] == width
    for term, part in (("zinb", "mean."), ("distill", "coef.")):
        if not any(name.startswith(part) for name in state):
            sizes[term] = 0.0
    if mixers:
        sizes["kernel"] = _shape(state, "vit.transformer.layer1.0.dw.0.weight", 4)[3]
    if blocks:
        sizes["heads"] = _heads(state, "vit.transformer.layer2.0.attn.fn.")
    with torch.device("meta"):
        return Hist2ST(_spec(state, side * patch), Hist2STConfig(**sizes, **graph))


def _spec(state: dict[str, Tensor], tile_px: int) -> ModelSpec:
    genes = _shape(state, "gene_head.1.weight", 2)[0]
    return ModelSpec(genes, torch.zeros(genes), tile_px=tile_px)


def _heads(state: dict[str, Tensor], attention: str) -> int:
    """Count the heads, which are 64 wide whatever the width of the network."""
    return max(_shape(state, f"{attention}to_qkv.weight", 2)[0] // (3 * HEAD_WIDTH), 1)


def _count(state: Iterable[str], layer: str) -> int:
    return len({found[1] for name in state if (found := re.match(layer, name))})


def _shape(state: dict[str, Tensor], name: str, *dimensions: int) -> torch.Size:
    if name not in state:
        raise BadInput(f"the checkpoint lacks {name}; {GIVE}")
    shape = state[name].shape
    if len(shape) not in dimensions:
        expected = " or ".join(map(str, dimensions))
        raise BadInput(
            f"{name} of the checkpoint has {len(shape)} dimensions, expected {expected}; {GIVE}"
        )
    if 0 in shape:
        raise BadInput(f"{name} of the checkpoint is empty, {tuple(shape)}; {GIVE}")
    return shape


def _filled(method: Method, state: dict[str, Tensor], names: tuple[tuple[str, str], ...]) -> Method:
    """Fill the network, each name and each shape accounted for."""
    theirs = {
        own: next(re.sub(f"^{here}", there, own) for here, there in names if re.match(here, own))
        for own in method.state_dict()
    }
    for own, value in method.state_dict().items():
        if (shape := _shape(state, theirs[own], value.dim())) != value.shape:
            raise BadInput(
                f"{theirs[own]} of the checkpoint is {tuple(shape)}, expected "
                f"{tuple(value.shape)} by its other shapes; give an unchanged state dict"
            )
    if unknown := sorted(state.keys() - set(theirs.values())):
        raise BadInput(
            f"the checkpoint holds {len(unknown)} names that are not of {type(method).__name__}, "
            f"first {unknown[0]}; give the authors' own state dict"
        )
    method.load_state_dict({own: state[name] for own, name in theirs.items()}, assign=True)
    return method.float().eval()
