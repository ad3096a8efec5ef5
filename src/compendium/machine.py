"""Differences between Linux and macOS, and between kinds of GPU. Untested on macOS."""

import ctypes
import os
import resource
import sys
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor

DEVICES = ("auto", "cpu", "cuda", "mps")
"""Devices that a parameter or an option may name."""

M_TRIM_THRESHOLD, M_MMAP_MAX = -1, -4  # options of glibc's mallopt
NEVER = 2**31 - 1  # bytes of freed memory at which it would be given back


@cache
def keep_freed_memory() -> bool:
    """Let the C library keep freed memory for the next allocation of this process.

    By default glibc gives every freed block of a large array back to the system, which clears its
    pages again at the next one. Same numbers, up to twice as fast (benchmarks/overheads.py).

    Returns
    -------
    Whether the C library is glibc; others stay as they are.
    """
    try:
        glibc = os.confstr("CS_GNU_LIBC_VERSION")
    except (OSError, ValueError):  # musl, macOS
        return False
    option = ctypes.CDLL(None).mallopt if glibc else None
    return bool(option and option(M_MMAP_MAX, 0) and option(M_TRIM_THRESHOLD, NEVER))


def cores() -> int:
    """Return the number of cores that this process may use, as far as the system says."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def peak_memory_mb() -> int:
    """Return the peak memory of this process in MiB."""
    unit = 2**20 if sys.platform == "darwin" else 2**10  # macOS counts bytes, others KiB
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // unit


def usable(device: str) -> bool:
    """Test whether torch finds a GPU of this kind, `cuda` or `mps`."""
    import torch

    return torch.cuda.is_available() if device == "cuda" else torch.backends.mps.is_available()


def double(x: "Tensor") -> "Tensor":
    """Convert a tensor to double precision; from Apple's GPU, which has none, to the CPU."""
    return (x.cpu() if x.device.type == "mps" else x).double()


def wait(x: "Tensor") -> None:
    """Wait until the GPU of a tensor, if it is on one, has finished its work."""
    import torch

    if x.device.type in ("cuda", "mps"):
        getattr(torch, x.device.type).synchronize()
