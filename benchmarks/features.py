"""Speed of frozen features on this CPU, against pieces of 64 tiles, channels first.

    python benchmarks/features.py [TILES]

Prints tiles a second of either, the faster of two passes each, and their ratio.
"""

import sys
import time

import numpy as np
import torch

from compendium.images import encoders
from compendium.images.features import CHUNK

PX = 224
FORMS = {
    "pieces of 64, channels first": (64, torch.contiguous_format),
    f"pieces of {CHUNK['cpu']}, channels last": (CHUNK["cpu"], torch.channels_last),
}


@torch.inference_mode()
def rate(network: torch.nn.Module, tiles: np.ndarray, size: int) -> float:
    """Tiles a second of one pass."""
    began = time.monotonic()
    for start in range(0, len(tiles), size):
        network(encoders.normalise(torch.tensor(tiles[start : start + size]), encoders.FROZEN))
    return len(tiles) / (time.monotonic() - began)


def main(count: int) -> None:
    """Measure both, alternately."""
    tiles = np.random.default_rng(0).integers(0, 256, (count, PX, PX, 3), dtype=np.uint8)
    network, rates = encoders.encoder(encoders.FROZEN).eval(), dict.fromkeys(FORMS, 0.0)
    for _ in range(2):
        for form, (size, order) in FORMS.items():
            rates[form] = max(rates[form], rate(network.to(memory_format=order), tiles, size))
    print(f"{encoders.FROZEN}, {count} tiles of {PX} px, {torch.get_num_threads()} threads")
    for form, reached in rates.items():
        print(f"{form:30s} {reached:6.1f} tiles a second")
    before, now = rates.values()
    print(f"ratio {now / before:.1f}")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 128)
