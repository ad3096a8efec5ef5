"""This process, or a pool of processes on this machine."""

import os
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Executor
from contextlib import contextmanager
from multiprocessing import get_context
from multiprocessing.queues import Queue

import torch
from tqdm import tqdm

from compendium import processes
from compendium.machine import cores


class Serial(Executor):
    """Computes in this process, one call after the other."""

    def map(self, fn: Callable, *iterables, **settings) -> Iterator:
        """Return the results, in order, each computed when it is asked for."""
        return map(fn, *iterables)


@contextmanager
def pool(workers: int) -> Iterator[tuple[Executor, int]]:
    """Start processes that share the GPUs, or else the cores, among them.

    Parameters
    ----------
    workers
        Number of processes; 0 for one a GPU or core.

    Yields
    ------
    The pool, and its number of processes.
    """
    count = workers or torch.cuda.device_count() or cores()
    numbers = get_context("spawn").Queue()
    for number in range(count):
        numbers.put(number)
    with processes.workers(count, _begin, (numbers, gpus())) as started:
        yield started, count


def gpus() -> list[str]:
    """List the GPUs that this process may use, as CUDA_VISIBLE_DEVICES names them."""
    names = os.environ.get("CUDA_VISIBLE_DEVICES", "").split(",")
    return names if names != [""] else [str(i) for i in range(torch.cuda.device_count())]


def _begin(numbers: "Queue[int]", gpus: list[str]) -> None:
    """Give a new worker a GPU of its own, as far as there are any."""
    tqdm.set_lock(threading.RLock())  # its own would outlive a worker that is killed
    number = numbers.get()
    if gpus:
        os.environ["CUDA_VISIBLE_DEVICES"] = gpus[number % len(gpus)]
