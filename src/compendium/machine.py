"""What differs between Linux and macOS, and between kinds of GPU. Untested on macOS."""

import os
import resource
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor

DEVICES = ("auto", "cpu", "cuda", "mps")  # what a parameter or an option may ask for


def cores() -> int:
    """Cores that this process may use; where the system does not say which, those of the machine."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def peak_memory_mb() -> int:
    """Peak memory of this process in MiB; the system counts it in bytes on macOS and in KiB elsewhere."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // (
        2**20 if sys.platform == "darwin" else 2**10
    )


def usable(device: str) -> bool:
    """Whether torch finds a GPU of this kind, `cuda` or `mps`."""
    import torch

    return torch.cuda.is_available() if device == "cuda" else torch.backends.mps.is_available()


def double(x: "Tensor") -> "Tensor":
    """The tensor in double precision, where it is, or on the CPU if it is on Apple's GPU, which has single precision only."""
    return (x.cpu() if x.device.type == "mps" else x).double()


def wait(x: "Tensor") -> None:
    """Return when the GPU of the tensor, if it is on one, has done what it was given."""
    import torch

    if x.device.type in ("cuda", "mps"):
        getattr(torch, x.device.type).synchronize()
